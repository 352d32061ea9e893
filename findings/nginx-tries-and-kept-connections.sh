#!/usr/bin/env bash
# proxy_next_upstream_tries ignores attempts over kept connections: one request, sent 21 times.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/proxies.sh"
install_nginx

cat <<'TEXT'
Expected: with `proxy_next_upstream_tries 1` a request reaches a node once, with 2 twice at most.
Matters:  a node that closes the connection instead of answering may have executed the request.
          The retry limit in front of joins bounds how often that happens, and the cost of a
          request that ends every connection.
TEXT

run_each 122 131 <<'PYTHON'
from proxies import *
from concurrent.futures import ThreadPoolExecutor

version = sys.argv[1]
print(f"{NAMES[version]}, nodes that read a request and close the connection:")


def times_sent(method, nodes, upstream, location):
    """How often each node gets a request when nginx has 20 idle connections to them."""

    together = threading.Barrier(20)

    def answer(_, path, __):
        if path == "/warm":
            # None is answered before all have arrived, so each needs a separate connection.
            together.wait(10)
            return OK
        return None

    upstreams = [Upstream(answer) for _ in range(nodes)]
    servers = " ".join(f"server 127.0.0.1:{one.port} max_fails=0;" for one in upstreams)
    port, _ = nginx(version, f"""upstream nodes {{ {servers} {upstream} }}
server {{ listen PORT; location / {{ proxy_pass http://nodes; {location} }} }}""")
    with ThreadPoolExecutor(20) as pool:
        connections = [connect(port) for _ in range(20)]
        list(pool.map(lambda one: exchange(one, request("GET", "/warm")), connections))
    time.sleep(0.2)
    answered = status(exchange(connect(port), request(method, "/place")))
    return answered, [one.times(f"{method} /place") for one in upstreams]


KEEP = 'proxy_http_version 1.1; proxy_set_header Connection "";'
TRIES = KEEP + "proxy_next_upstream error timeout non_idempotent; proxy_next_upstream_tries "
CASES = [
    ("tries 1, one node, 20 idle connections to it: DELETE is sent 21 times",
     "DELETE", 1, "keepalive 64;", TRIES + "1;", [21]),
    ("tries 2, the same, POST with `non_idempotent`: 21 times",
     "POST", 1, "keepalive 64;", TRIES + "2;", [21]),
    ("tries 1, three nodes, idle connections to each: once to each",
     "POST", 3, "keepalive 64;", TRIES + "1;", [1, 1, 1]),
    ("`proxy_next_upstream http_503 non_idempotent`, without `error`: once",
     "POST", 1, "keepalive 64;", KEEP + "proxy_next_upstream http_503 non_idempotent;", [1]),
    ("tries 1 and no idle connections: once",
     "DELETE", 1, "", TRIES.replace(KEEP, "proxy_http_version 1.0;") + "1;", [1]),
]
if version == "122":
    CASES.append(("nothing set: once", "DELETE", 1, "", "", [1]))
else:
    CASES.append(("nothing set: 21 times, as 1.31 keeps connections by default",
                  "DELETE", 1, "", "", [21]))
for text, method, nodes, upstream, location, wanted in CASES:
    answered, seen = times_sent(method, nodes, upstream, location)
    claim(text, seen == wanted and answered == 502, f"{seen}, the visitor gets {answered}")
done()
PYTHON
