#!/usr/bin/env bash
# nginx logs 408 for a request that stops, and sends nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/proxies.sh"
install_nginx

cat <<'TEXT'
Expected: a head or a body that stops is answered with 408 ("the request is terminated with the 408
          error", as the manual says of both timeouts), or with what `error_page 408` names.
Matters:  an access log full of 408 is read as answers that visitors got. They got a closed
          connection, which no page can tell from a network failure. What the service answers with
          408 never reaches it either: nginx waits for the whole body before it sends a request on.
TEXT

run_each 122 131 <<'PYTHON'
from proxies import *

version = sys.argv[1]
print(f"{NAMES[version]}, requests that stop for client_header_timeout or client_body_timeout:")
upstream = Upstream(lambda *_: OK)
port, folder = nginx(version, f"""server {{
    listen PORT; client_header_timeout 1s; client_body_timeout 1s; client_max_body_size 4k;
    error_page 408 413 = @late; location @late {{ return 503 late; }}
    location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }}
    location /unbuffered {{
        proxy_request_buffering off; proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:{upstream.port};
    }}
}}""")


def log():
    with open(folder + "/access.log", encoding="utf-8") as file:
        return [line.split('" ')[1].split()[0] for line in file if line.strip()]


BODY = "Host: queue\r\nContent-Length: 10\r\n\r\nabc"
CASES = [
    ("a head that stops", "POST /place HTTP/1.1\r\nHost: queue\r\n"),
    ("a body that stops", "POST /place HTTP/1.1\r\n" + BODY),
    ("a body that stops, passed on unbuffered", "POST /unbuffered HTTP/1.1\r\n" + BODY),
]
for text, stops in CASES:
    lines = len(log())
    head, took = timed(lambda: exchange(connect(port), stops.encode()))
    wait_for(lambda: len(log()) > lines)
    holds = head == "" and log()[lines:] == ["408"]
    seen = f"after {took:.1f} s {len(head)} bytes, logged as {log()[-1]}"
    claim(text + " is closed without an answer and logged as 408", holds, seen)

large = exchange(connect(port), b"POST / HTTP/1.1\r\nHost: queue\r\nContent-Length: 9999\r\n\r\n")
claim("413 does get the answer that error_page names", status(large) == 503, f"{status(large)}")
done()
PYTHON
