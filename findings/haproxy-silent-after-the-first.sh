#!/usr/bin/env bash
# HAProxy answers 502 only to the first request of a connection; later ones are closed, unlogged.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/proxies.sh"
install_haproxy
curl --version | head -1 | cut -d' ' -f1-2

cat <<'TEXT'
Expected: a node that closes the connection without an answer is a 502 for the visitor and a line in
          the log, and `retries` and `disable-l7-retry` limit how often nodes get it.
Matters:  HAProxy leaves a later request of a connection to the client to repeat. curl does, and
          Chromium (browser-asks-again.sh), whatever the method: a DELETE is sent twice although
          retrying it is disabled, a join is sent six times with `retries 2`, and half of that is
          missing from the log.
TEXT

run_each once <<'PYTHON'
from proxies import *

upstream = Upstream(lambda _, path, __: None if path == "/place" else OK)
for reuse in ("safe", "never"):
    print(f"HAProxy 2.6, `http-reuse {reuse}`, a node that reads a request and closes:")
    port, folder = haproxy(f"""global
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    retries 2
    retry-on conn-failure empty-response
frontend visitors
    bind PORT
    http-request disable-l7-retry if {{ method DELETE }}
    default_backend nodes
backend nodes
    http-reuse {reuse}
    server node 127.0.0.1:{upstream.port}
""")

    def logged(method):
        time.sleep(0.3)
        with open(folder + "/log", encoding="utf-8") as file:
            return file.read().count(f'"{method} /place ')

    def ask(method, earlier):
        """The answer's status, and how often the node saw it and HAProxy logged it."""
        upstream.requests.clear()
        lines = logged(method)
        connection = connect(port)
        for _ in range(earlier):
            exchange(connection, request("GET", "/concerts"))
        answered = status(exchange(connection, request(method, "/place")))
        return answered, upstream.times(f"{method} /place"), logged(method) - lines

    def curl(method):
        """The same with curl, after a request over the same connection."""
        upstream.requests.clear()
        lines = logged(method)
        url, write = f"http://127.0.0.1:{port}", ["-s", "-o", os.devnull, "-w", "%{http_code} "]
        command = ["curl", *write, url + "/concerts"]
        command += ["--next", *write, "-X", method, url + "/place"]
        out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        answered = int(out.split()[1])
        return answered, upstream.times(f"{method} /place"), logged(method) - lines

    CASES = [
        ("DELETE, alone: 502, once at the node, logged", ask("DELETE", 0), (502, 1, 1)),
        ("DELETE, second of its connection: closed, not logged", ask("DELETE", 1), (0, 1, 0)),
        ("POST, alone: 502, three times at the node, logged", ask("POST", 0), (502, 3, 1)),
        ("POST, second of its connection: closed, not logged", ask("POST", 1), (0, 3, 0)),
        ("DELETE by curl, second: twice at the node, logged once", curl("DELETE"), (502, 2, 1)),
        ("POST by curl, second: six times at the node, logged once", curl("POST"), (502, 6, 1)),
    ]
    for text, seen, wanted in CASES:
        claim(text, seen == wanted, "status {}, at the node {}, logged {}".format(*seen))
done()
PYTHON
