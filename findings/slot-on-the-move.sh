#!/usr/bin/env bash
# A moving slot refuses a script about missing keys from the first moment to the last, however few
# keys have moved; a script about one key works.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: while a slot moves, a script works where its keys are; a declared key that exists nowhere
          has no effect, or at worst is redirected to the new owner (ASK), which accepts it.
Matters:  each step of the queue declares fifteen keys, and some are mostly not there. No user
          can join while its slot moves, though a health check about one key succeeds.
TEXT

run_each redis valkey <<'PYTHON'
from servers import *

kind = sys.argv[1]
SLOTS = 16384
source, target = (Server(kind, "--cluster-enabled", "yes") for _ in range(2))
a, b = source.client(), target.client()
a("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS // 2 - 1)
b("CLUSTER", "ADDSLOTSRANGE", SLOTS // 2, SLOTS - 1)
a("CLUSTER", "MEET", "127.0.0.1", target.port)
wait_for(lambda: all("cluster_state:ok" in c("CLUSTER", "INFO") for c in (a, b)))
names = [c("CLUSTER", "MYID") for c in (a, b)]
wait_for(lambda: all(name in c("CLUSTER", "NODES") for c in (a, b) for name in names))
tags = [f"{{sale{n}}}" for n in range(99)]
tag, other = [tag for tag in tags if a("CLUSTER", "KEYSLOT", tag) < SLOTS // 2][:2]
write = a.load("#!lua\nreturn redis.call('INCR', KEYS[1])")
b.load("#!lua\nreturn redis.call('INCR', KEYS[1])")
print(f"{NAMES[kind]}, a slot with one key, a script about it and one that is not there:")


def word(answer):
    return answer.split()[0] if isinstance(answer, Refused) else "done"


def step(client, of, *keys):
    return word(client("EVALSHA", write, len(keys), *(f"{of}:{key}" for key in keys)))


def asked(*keys):
    b("ASKING")
    return step(b, tag, *keys)


slot = a("CLUSTER", "KEYSLOT", tag)
seen = step(a, tag, "queue", "abandoned")
claim("before the move it works", seen == "done", seen)
b("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
a("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
seen = [step(a, tag, "queue", "abandoned"), asked("queue", "abandoned")]
text = "nothing has moved yet: refused by the old owner and by the new one"
claim(text, seen == ["TRYAGAIN", "TRYAGAIN"], seen)
seen = step(a, tag, "queue")
claim("a script about the one key that is there works meanwhile", seen == "done", seen)
a("MIGRATE", "127.0.0.1", target.port, f"{tag}:queue", 0, 5000)
seen = [step(a, tag, "queue", "abandoned"), asked("queue", "abandoned")]
text = "all has moved: sent on by the old owner, refused by the new one"
claim(text, seen == ["ASK", "TRYAGAIN"], seen)
for client in (b, a):
    client("CLUSTER", "SETSLOT", slot, "NODE", names[1])
seen = step(b, tag, "queue", "abandoned")
claim("after the move it works", seen == "done", seen)

if kind == "valkey":
    step(a, other, "queue")
    slot = a("CLUSTER", "KEYSLOT", other)
    a("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", names[1])
    answers = []
    while len(answers) < 1000 and "MOVED" not in answers:
        answers.append(step(a, other, "queue", "abandoned"))
        time.sleep(0.01)
    seen = sorted(set(answers))
    is_smooth = seen == ["MOVED", "done"]
    claim("CLUSTER MIGRATESLOTS refuses nothing before it sends on", is_smooth, seen)
done()
PYTHON
