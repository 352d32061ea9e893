#!/usr/bin/env bash
# CLIENT PAUSE WRITE makes sentinels replace a primary that answers every PING; the old
# primary then executes the paused writes, confirms them, and loses them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: CLIENT PAUSE 6000 WRITE holds writes for six seconds, loses none, and concerns sentinels
          (down-after 1 s) not at all: PING and reads are answered all the time.
Matters:  a short pause of the queue's Redis, to inspect it at rest, starts a failover.
          Sentinels PUBLISH over the connection they PING by, PUBLISH is paused, and PING waits.
TEXT

run_each "redis 0" "valkey 0" "redis 1" "valkey 1" <<'PYTHON'
from servers import *

kind, replicas = sys.argv[1], sys.argv[2]
old, new = pair(kind, "--min-replicas-to-write", replicas)
clients = three_sentinels(kind, old)
admin, person, watcher = (old.client() for _ in range(3))
write = admin.load("#!lua\nreturn redis.call('INCR', KEYS[1])")
time.sleep(1.2)
print(f"{NAMES[kind]}, three sentinels, min-replicas-to-write {replicas}, CLIENT PAUSE 6000 WRITE:")


def primary():
    return int(clients[0]("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "queue")[1])


before = person("EVALSHA", write, 1, "joins") == 1 and admin("WAIT", 1, 1000) == 1
begun = time.monotonic()
admin("CLIENT", "PAUSE", 6000, "WRITE")
person.send("EVALSHA", write, 1, "joins")
slowest, held = 0, set()
while primary() == old.port and time.monotonic() - begun < 5.5:
    answer, took = timed(lambda: watcher("PING"))
    slowest = max(slowest, took if answer == "PONG" else 99)
    for line in watcher("CLIENT", "LIST").splitlines():
        if "name=sentinel-" in line and "cmd=publish" in line and " flags=b" in line:
            held.add(line.split()[0])
    time.sleep(0.05)
failed_over = time.monotonic() - begun
seen = f"after {failed_over:.1f} s; slowest PING {slowest * 1000:.0f} ms"
is_replaced = before and primary() == new.port
claim("it is replaced although it answers PING", is_replaced and slowest < 1, seen)
claim("PUBLISH of sentinels is what waits", len(held) >= 2, f"{len(held)} connections")

answer = person.receive()
seen = f"{str(answer).split()[0]} after {time.monotonic() - begun:.1f} s"
if replicas == "1":
    claim("the paused write is refused afterwards", str(answer).startswith("NOREPLICAS"), seen)
else:
    claim("the old primary executes and confirms the paused write", answer == 2, seen)
    wait_for(lambda: old.client()("ROLE")[0] == "slave", 25)
    wait_for(lambda: old.client().info("master_link_status") == "up")
    kept = [server.client()("GET", "joins") for server in (old, new)]
    claim("and then it is gone from both servers", kept == ["1", "1"], f"joins: {kept}")
done()
PYTHON
