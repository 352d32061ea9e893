#!/usr/bin/env bash
# Caddy without retries sends a poll again over each idle connection, and a join if its client says.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/proxies.sh"
install_caddy

cat <<'TEXT'
Expected: without `lb_retries` and `lb_try_duration`, whose defaults are no retries, Caddy sends
          each request to a node once.
Matters:  a node in trouble that closes connections gets each poll many times over. And
          it is the visitor's own header that decides whether a join is sent again. (Go's HTTP
          client does this below Caddy's own retries.)
TEXT

run_each once <<'PYTHON'
from proxies import *
from concurrent.futures import ThreadPoolExecutor

together = threading.Barrier(20)


def answer(_, path, __):
    if path == "/warm":
        # None is answered before all have arrived, so that each needs a separate connection.
        together.wait(10)
        return OK
    return None


def times_sent(port, upstream, method, fields):
    """How often the node gets a request when Caddy has 20 idle connections to it."""
    host = f"127.0.0.1:{port}"
    with ThreadPoolExecutor(20) as pool:
        connections = [connect(port) for _ in range(20)]
        warm = request("GET", "/warm", host)
        list(pool.map(lambda one: exchange(one, warm), connections))
    time.sleep(0.2)
    upstream.requests.clear()
    answered = status(exchange(connect(port), request(method, "/place", host, fields)))
    return answered, upstream.times(f"{method} /place")


print("Caddy 2.11, 20 idle connections, a node that reads a request and closes the connection:")
KEY = "Idempotency-Key: 1\r\n"
for settings, cases in (
    ("no retries", (
        ("GET is sent 21 times", "GET", "", 21),
        ("POST with an `Idempotency-Key` is sent 21 times", "POST", KEY, 21),
        ("POST without one is sent once", "POST", "", 1),
        ("DELETE is sent once", "DELETE", "", 1),
    )),
    ("lb_retries 2", (
        ("GET is sent 23 times", "GET", "", 23),
        ("POST without an `Idempotency-Key` is sent once", "POST", "", 1),
    )),
    ("header_up -Idempotency-Key", (("POST with one is sent once", "POST", KEY, 1),)),
    ("transport http { keepalive off }", (("GET is sent once", "GET", "", 1),)),
):
    upstream = Upstream(answer)
    lines = "" if settings == "no retries" else settings.replace("{ ", "{\n").replace(" }", "\n}")
    options = f"{{\n{lines}\n}}"
    port = caddy(f"127.0.0.1:{upstream.port} {options}")
    for text, method, fields, wanted in cases:
        answered, seen = times_sent(port, upstream, method, fields)
        holds = seen == wanted and answered == 502
        claim(f"{settings}: {text}", holds, f"{seen}, the visitor gets {answered}")
done()
PYTHON
