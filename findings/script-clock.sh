#!/usr/bin/env bash
# TIME inside a script: Redis 7.0 reads the clock each time, Valkey 9.1 once for the whole script.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: TIME, called twice in one script, shows how long the script took, on both servers.
Matters:  the queue's steps are scripts. One that limits its own length by the clock works on Redis
          and never ends on Valkey, where the server answers no client meanwhile.
TEXT

run_each redis valkey <<'PYTHON'
from servers import *

kind = sys.argv[1]
client = Server(kind).client()
print(f"{NAMES[kind]}:")

LIMITED = """#!lua
local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
local begun, rounds = now(), 0
-- At most 20 ms, and a million rounds in case that does not work.
while now() - begun < 20000 and rounds < 1000000 do rounds = rounds + 1 end
return {rounds, now() - begun}"""
(rounds, measured), took = timed(lambda: client("EVALSHA", client.load(LIMITED), 0))
seen = f"{rounds} rounds in {took * 1000:.0f} ms, of which the script saw {measured / 1000:.0f} ms"
if kind == "redis":
    claim("the loop ends after 20 ms", rounds < 1_000_000 and measured >= 20_000, seen)
else:
    claim("the loop never sees its 20 ms pass", rounds == 1_000_000 and measured == 0, seen)

EXPIRY = """#!lua
redis.call('SET', KEYS[1], '1', 'PX', 1)
for i = 1, 200000 do redis.call('EXISTS', KEYS[1]) end
return redis.call('EXISTS', KEYS[1])"""
there, took = timed(lambda: client("EVALSHA", client.load(EXPIRY), 1, "key"))
seen = f"{took * 1000:.0f} ms"
claim("a key with a lifetime of 1 ms is there for as long as the script runs", there == 1, seen)
done()
PYTHON
