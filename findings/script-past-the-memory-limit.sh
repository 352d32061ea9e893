#!/usr/bin/env bash
# A script without `#!lua` writes past maxmemory once it has called DEL, even for no key.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: above maxmemory (noeviction) SET inside a script is refused with OOM, whatever the script
          did before; that a script without `#!lua` frees something first makes no difference.
Matters:  a node whose health check uses such a script finds a full server healthy, and a
          script that deletes before it writes has no limit at all.
TEXT

run_each redis valkey <<'PYTHON'
from servers import *

kind = sys.argv[1]
client = Server(kind, "--maxmemory-policy", "noeviction").client()
print(f"{NAMES[kind]}, 20 MB above maxmemory:")
client("SET", "ballast", "x" * 20_000_000)
limit = int(client.info("used_memory")) - 20_000_000
client("CONFIG", "SET", "maxmemory", limit)

WRITE = "for i = 1, 30 do redis.call('SET', KEYS[1] .. i, string.rep('x', 1000000)) end return 1"
CASES = [
    ("a script that writes is refused", WRITE, False),
    ("one that deletes a key that is not there first writes 30 MB",
     "redis.call('DEL', 'no such key') " + WRITE, True),
    ("with `#!lua` it is refused", "#!lua\nredis.call('DEL', 'no such key') " + WRITE, False),
]
for text, script, is_done in CASES:
    answer = client("EVALSHA", client.load(script), 1, "key")
    used = int(client.info("used_memory")) / limit
    seen = f"{str(answer)[:3]}, memory {used:.0f} times the limit"
    claim(text, answer == 1 if is_done else str(answer).startswith("OOM"), seen)
done()
PYTHON
