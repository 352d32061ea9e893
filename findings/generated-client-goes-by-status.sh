#!/usr/bin/env bash
# A generated Python client reads an answer by its status alone, and takes a problem for a health.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/base.sh"

pip_install whole openapi-python-client==0.29.1
export PYTHONPATH=$WORK/pip:$PYTHONPATH
must_be openapi-python-client 0.29 "$(python3 -m openapi_python_client --version)"

cat <<'TEXT'
Expected: a status that is described with two media types is read by the Content-Type of the answer.
          An answer that is not as described (a proxy's page) gives its status and no body, since
          the client was not told to raise for those.
Matters:  /readyz answers 503 with `application/json`, or `application/problem+json` if it timed out,
          and both have a `status`: a program that asks for it gets 503 where it should get text,
          and no error. A proxy's own 503 raises, and the status with its Retry-After is lost: what
          was to be tried again ends the program. Its 502 does neither.
TEXT

run_each once <<'PYTHON'
import importlib
import json

from proxies import *

HEALTH = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}},
}
PROBLEM = {
    "type": "object",
    "required": ["code", "status"],
    "properties": {"code": {"type": "string"}, "status": {"type": "integer"}},
}
MEDIA = {"application/json": HEALTH, "application/problem+json": PROBLEM}

def operation(name, *media):
    content = {one: {"schema": {"$ref": f"#/components/schemas/{KINDS[one]}"}} for one in media}
    return {"get": {"operationId": name, "responses": {
        "200": {"description": "Ready.", "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}},
        "503": {"description": "Not ready.", "content": content},
    }}}

KINDS = {"application/json": "Health", "application/problem+json": "Problem"}
description = {
    "openapi": "3.1.0",
    "info": {"title": "Finding", "version": "1"},
    "paths": {
        "/health-first": operation("health_first", *MEDIA),
        "/problem-first": operation("problem_first", *reversed(MEDIA)),
    },
    "components": {"schemas": {"Health": HEALTH, "Problem": PROBLEM}},
}
folder = tempfile.mkdtemp()
with open(folder + "/openapi.json", "w", encoding="utf-8") as file:
    json.dump(description, file)
with open(folder + "/config.yml", "w", encoding="utf-8") as file:
    file.write("post_hooks: []\n")
command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
command += ["--config", folder + "/config.yml", "--path", folder + "/openapi.json"]
command += ["--output-path", folder + "/generated"]
made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
claim("the client is generated without a warning", "WARNING" not in made.stdout + made.stderr)
sys.path.insert(0, folder)
client_type = importlib.import_module("generated").Client

answers = {
    "health": (503, "application/json", '{"status":"draining"}'),
    "problem": (503, "application/problem+json", '{"code":"TIMED_OUT","status":503}'),
    "page of a proxy": (503, "text/html", "<h1>Service Unavailable</h1>"),
    "page with 502": (502, "text/html", "<h1>Bad Gateway</h1>"),
    "page with 520": (520, "text/html", "<h1>Unknown Error</h1>"),
}
answer = None

def respond(*_):
    status, media, body = answer
    fields = f"Content-Type: {media}\r\nRetry-After: 2\r\nContent-Length: {len(body)}"
    return f"HTTP/1.1 {status} X\r\n{fields}\r\n\r\n{body}".encode()

upstream = Upstream(respond)
client = client_type(base_url=f"http://127.0.0.1:{upstream.port}", raise_on_unexpected_status=False)

def seen(name, kind):
    """What a program gets: the status and the body as parsed, or the name of an error."""
    global answer
    answer = answers[kind]
    call = importlib.import_module("generated.api.default." + name).sync_detailed
    try:
        got = call(client=client)
    except Exception as error:
        return type(error).__name__
    body = got.parsed
    if body is None:
        return f"{got.status_code:d}, no body"
    return f"{got.status_code:d}, {type(body).__name__} with status {body.status!r}"

print("openapi-python-client 0.29, a 503 that is described as a health or as a problem:")
for name, kind, wanted in (
    ("health_first", "health", "503, Health with status 'draining'"),
    ("health_first", "problem", "503, Health with status 503"),
    ("problem_first", "problem", "503, Problem with status 503"),
    ("problem_first", "health", "KeyError"),
    ("health_first", "page of a proxy", "JSONDecodeError"),
    ("health_first", "page with 502", "502, no body"),
    ("health_first", "page with 520", "ValueError"),
):
    got = seen(name, kind)
    first = "the health first" if name == "health_first" else "the problem first"
    claim(f"{first}, the answer is a {kind}: {wanted}", got == wanted, got)
done()
PYTHON
