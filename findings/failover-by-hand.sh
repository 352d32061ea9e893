#!/usr/bin/env bash
# After SENTINEL FAILOVER the old, healthy primary confirms writes for ten seconds, all lost. The
# server's own FAILOVER loses nothing, but sentinels name the old primary for half a minute.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: a failover by hand of a healthy primary hands over within a second or so, loses
          almost nothing, and sentinels then name the new primary.
Matters:  it is the usual step before maintenance of the queue's Redis, perhaps during a sale. Joins
          over connections that stay open are confirmed by the old primary, and then are gone.
TEXT

run_each "redis sentinel 0" "redis sentinel 1" "redis server 0" "valkey sentinel 0" \
    "valkey sentinel 1" "valkey server 0" "valkey coordinated 0" <<'PYTHON'
from servers import *

kind, way, replicas = sys.argv[1:]
old, new = pair(kind, "--min-replicas-to-write", replicas)
clients = three_sentinels(kind, old)
person, admin = old.client(), old.client()
write = person.load("#!lua\nreturn redis.call('INCR', KEYS[1])")
time.sleep(1.2)


def there(*command):
    """Queries the new primary, which closes its connections when it is promoted."""
    return new.client()(*command)


def named():
    return {int(c("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "queue")[1]) for c in clients}


confirmed = [person("EVALSHA", write, 1, "joins") for _ in range(20)][-1]
begun = time.monotonic()
if way == "server":
    command = ["FAILOVER", "TO", "127.0.0.1", new.port, "TIMEOUT", 3000]
    admin(*command)
else:
    command = ["SENTINEL", "FAILOVER", "queue"] + (["COORDINATED"] if way == "coordinated" else [])
    clients[0](*command)
text = "FAILOVER TO the replica" if way == "server" else " ".join(command)
print(f"{NAMES[kind]}, three sentinels, min-replicas-to-write {replicas}, {text}:")

# A join every 20 ms over an existing connection, until it is refused or cut.
promoted, switched, last = None, None, begun
while time.monotonic() - begun < 20:
    try:
        answer = person("EVALSHA", write, 1, "joins")
    except (EOFError, OSError):
        break
    if isinstance(answer, Refused):
        break
    confirmed, last = answer, time.monotonic()
    if promoted is None and there("ROLE")[0] == "master":
        promoted = last
    if switched is None and named() == {new.port}:
        switched = last
    time.sleep(0.02)
wait_for(lambda: there("ROLE")[0] == "master", 5)
lost = confirmed - int(there("GET", "joins"))
longer = last - promoted if promoted else 0
seen = f"{confirmed} confirmed, {lost} lost; confirmed for {longer:.1f} s after the promotion"
if way == "sentinel" and replicas == "0":
    goes_on = lost > 100 and longer > 7
    claim("the old primary keeps confirming joins that are lost", goes_on, seen)
else:
    claim("no confirmed join is lost", lost == 0, seen)

if switched is None:
    wait_for(lambda: named() == {new.port}, 45)
    switched = time.monotonic()
seen = f"{switched - begun:.0f} s after the command"
if way == "server":
    claim("sentinels name the old primary, a replica now, for long", switched - begun > 15, seen)
else:
    claim("sentinels name the new primary soon", switched - begun < 7, seen)
done()
PYTHON
