#!/usr/bin/env bash
# Schemathesis keeps to the bounds of `int32` in what it sends, and not in what it accepts.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/base.sh"

pip_install whole schemathesis==4.32.5 jsonschema-rs==0.60.3 hypothesis==6.170.17
export PYTHONPATH=$WORK/pip:$PYTHONPATH SCHEMATHESIS=$WORK/pip/bin/schemathesis
must_be schemathesis 4.32 "$("$SCHEMATHESIS" --version | tr -d ,)"

cat <<'TEXT'
Expected: with `--checks all` a number in a response that `format: int32` or `int64` cannot hold is
          reported, as one is that is past a `maximum`, and a `date-time` that is none. So is a body
          where the response is described without one.
Matters:  generators turn these formats into i32 and i64, so a service passes and its clients cannot
          read it. In parameters the same formats are bounds: a service is never asked for more.
          utoipa writes `format: int32` and no `maximum` for u8, u16 and u32.
TEXT

run_each bodies requests <<'PYTHON'
import json
import re

from proxies import *

PAST_INT32 = "2147483648"
PAST_INT64 = "9223372036854775808"

def check(operation, respond, *options):
    """Whether a run of schemathesis ends well, what it reports, and the requests that it sent."""
    folder = tempfile.mkdtemp()
    operation = {"operationId": "finding", **operation}
    info = {"title": "Finding", "version": "1"}
    description = {"openapi": "3.1.0", "info": info, "paths": {"/place": {"get": operation}}}
    with open(folder + "/openapi.json", "w", encoding="utf-8") as file:
        json.dump(description, file)
    upstream = Upstream(respond)
    command = [sys.executable, os.environ["SCHEMATHESIS"], "run", folder + "/openapi.json"]
    command += ["--url", f"http://127.0.0.1:{upstream.port}", "--no-color", "--seed", "1"]
    command += ["--checks", "all", "--mode", "positive", *options]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=50,
        env={**os.environ, "HOME": folder},
    )
    reported = sorted(set(re.findall(r"^- (ST\d+ .*)", ended.stdout, re.MULTILINE)))
    return ended.returncode, ", ".join(reported), upstream.requests

def answer(body, media="application/json"):
    fields = f"Content-Type: {media}\r\nContent-Length: {len(body)}"
    return f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}".encode()

def bodies():
    print("Schemathesis 4.32, all checks, a response with one value:")
    int32 = {"type": "integer", "format": "int32"}
    int64 = {"type": "integer", "format": "int64"}
    below = {**int32, "maximum": int(PAST_INT32) - 1}
    date = {"type": "string", "format": "date-time"}
    for text, schema, value, passes in (
        ("past int32: passes", int32, PAST_INT32, True),
        ("past int64: passes", int64, PAST_INT64, True),
        ("past int32, with a `maximum`: reported", below, PAST_INT32, False),
        ("not a number: reported", int32, '"1"', False),
        ("not a date-time: reported", date, '"yesterday"', False),
        ("a body where none is described: passes", None, '{"place":1}', True),
    ):
        response = {"description": "A place."}
        if schema:
            response["content"] = {"application/json": {"schema": schema}}
        operation = {"responses": {"200": response}}
        code, reported, _ = check(operation, lambda *_: answer(value), "--phases", "fuzzing")
        holds = (code == 0) == passes and ("violates schema" in reported) != passes
        claim(text, holds, f"{value}: exit code {code}{': ' + reported if reported else ''}")

def requests():
    print("Schemathesis 4.32, a valid parameter in 200 requests or more:")
    for text, schema, wanted in (
        ("int32 and no bounds: none is past int32", {"format": "int32"}, False),
        ("no format and no bounds: some are", {}, True),
    ):
        parameter = {"name": "number", "in": "query", "required": True}
        parameter["schema"] = {"type": "integer", **schema}
        content = {"application/json": {"schema": {"type": "integer"}}}
        responses = {"200": {"description": "A place.", "content": content}}
        operation = {"parameters": [parameter], "responses": responses}
        _, _, sent = check(
            operation, lambda *_: answer("1"), "--phases", "coverage,fuzzing", "--max-examples", "200"
        )
        numbers = [int(one) for line in sent for one in re.findall(r"\?number=(-?\d+)$", line)]
        largest = max(map(abs, numbers))
        holds = (largest > 2**31) == wanted and len(numbers) >= 200
        claim(text, holds, f"{len(numbers)} numbers, the largest {largest}")

bodies() if sys.argv[1] == "bodies" else requests()
done()
PYTHON
