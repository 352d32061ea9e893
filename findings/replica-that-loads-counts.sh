#!/usr/bin/env bash
# min-replicas-to-write counts a replica that is still loading its first copy.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: with `min-replicas-to-write 1` and a new replica, writes are refused (NOREPLICAS) until
          that replica has the data.
Matters:  joins are confirmed while one server alone can serve them: the replica answers LOADING,
          and can be promoted to nothing until it is done. A large queue takes a while to load.
TEXT

run_each redis valkey <<'PYTHON'
from servers import *

kind = sys.argv[1]
primary = Server(kind, "--min-replicas-max-lag", "2")
client = primary.client()
client("DEBUG", "POPULATE", 300_000, "key", 100)
write = client.load("#!lua\nredis.call('INCR', KEYS[1]) return 1")
client("CONFIG", "SET", "min-replicas-to-write", 1)
# A larger queue or a slower disk: some 20 s to load.
slow = ["--key-load-delay", "50", "--loading-process-events-interval-bytes", "1024"]
replica = Server(kind, *slow)
there = replica.client()
print(f"{NAMES[kind]}, min-replicas-to-write 1, min-replicas-max-lag 2, a new replica:")


def join():
    return client("EVALSHA", write, 1, "joins")


refused = str(join()).split()[0]
there("REPLICAOF", "127.0.0.1", primary.port)
claim("without a replica writes are refused", refused == "NOREPLICAS", refused)

wait_for(lambda: join() == 1, 20)
wait_for(lambda: there.info("loading") == "1", 20)
begun = time.monotonic()
answer, good = join(), client.info("min_slaves_good_slaves")
read = str(there("GET", "joins")).split()[0]
seen = f"write: {answer}, good replicas: {good}, GET there: {read}"
claim("while it loads a write is taken", (answer, good, read) == (1, "1", "LOADING"), seen)
reached = client("WAIT", 1, 300)
claim("WAIT says that no replica has it", reached == 0, f"WAIT 1 300: {reached}")

refused, taken = 0, 0
while time.monotonic() - begun < 6:
    refused, taken = refused + isinstance(join(), Refused), taken + 1
    time.sleep(0.05)
seen = f"{taken} writes in 6 s, {refused} refused"
text = "so it goes on, for longer than the greatest lag allowed"
claim(text, refused == 0 and there.info("loading") == "1", seen)
done()
PYTHON
