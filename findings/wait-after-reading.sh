#!/usr/bin/env bash
# WAIT after a script that only read: Redis 7.0 waits for all earlier writes, Valkey 9.1 for
# none.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: a script and WAIT behind it: when WAIT answers 1, a replica has what the script saw.
Matters:  a second join finds the number of the first. If the replica does not
          have that number yet, it must not be confirmed as replicated.
TEXT

run_each redis valkey <<'PYTHON'
from servers import *

kind = sys.argv[1]
primary, replica = pair(kind)
writer, reader, refused, rewriter = (primary.client() for _ in range(4))
write = writer.load("#!lua\nredis.call('HSET', KEYS[1], 'user', '1') return 1")
read = writer.load("#!lua\nreturn redis.call('HGET', KEYS[1], 'user')")
print(f"{NAMES[kind]}, its only replica stopped:")
# Until the replica has confirmed all earlier writes.
time.sleep(1.2)
replica.signal(signal.SIGSTOP)
writer("EVALSHA", write, 1, "places")

found = reader("EVALSHA", read, 1, "places")
reached, took = timed(lambda: reader("WAIT", 1, 300))
seen = f"WAIT 1 300 answers {reached} after {took * 1000:.0f} ms"
if kind == "redis":
    claim("after reading what no replica has, WAIT waits", (found, reached) == ("1", 0), seen)
else:
    claim("after reading what no replica has, WAIT succeeds", (found, reached) == ("1", 1), seen)

rewriter("EVALSHA", write, 1, "places")
reached, took = timed(lambda: rewriter("WAIT", 1, 300))
seen = f"{reached} after {took * 1000:.0f} ms"
claim("after writing the same value again WAIT waits", reached == 0 and took >= 0.29, seen)

writer("CONFIG", "SET", "maxmemory", 1)
answer = refused("EVALSHA", write, 1, "places")
reached = refused("WAIT", 1, 300)
is_refused = isinstance(answer, Refused) and answer.startswith("OOM")
claim("after a script that was refused WAIT succeeds", is_refused and reached == 1, reached)
done()
PYTHON
