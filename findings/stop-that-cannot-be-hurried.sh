#!/usr/bin/env bash
# A primary that waits for a replica before it stops: neither SIGTERM nor SHUTDOWN NOW hurries it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

cat <<'TEXT'
Expected: a second SIGTERM, or SHUTDOWN NOW FORCE ("do not wait for replicas"), ends a server at
          once that has begun to stop and waits for a replica that lags.
Matters:  while it waits (shutdown-timeout, 10 s) no join is answered, PING and reads are, and new
          connections are accepted. A rolling restart of the queue's Redis should keep that short.
TEXT

run_each redis valkey <<'PYTHON'
from servers import *

kind = sys.argv[1]
primary, replica = pair(kind)
writer, reader, hurrying, aborting, last = (primary.client() for _ in range(5))
write = writer.load("#!lua\nredis.call('INCR', KEYS[1]) return 1")
time.sleep(1.2)
replica.signal(signal.SIGSTOP)
writer("EVALSHA", write, 1, "key")
print(f"{NAMES[kind]}, a replica that lags, SIGTERM:")

begun = time.monotonic()
primary.signal(signal.SIGTERM)
wait_for(lambda: reader.info("shutdown_in_milliseconds"))
writer.socket.settimeout(1)
try:
    writer("EVALSHA", write, 1, "key")
    is_answered = True
except TimeoutError:
    is_answered = False
works = reader("PING") == "PONG" and reader("GET", "key") == "1"
works = works and primary.client()("PING") == "PONG"
claim("PING, reads and new connections work, a write is not answered", works and not is_answered)


def runs_on():
    """Whether it still runs two seconds later, before it would end without a signal."""
    time.sleep(2)
    return primary.process.poll() is None and time.monotonic() - begun < 8


primary.signal(signal.SIGTERM)
claim("a second SIGTERM changes nothing", runs_on())
hurrying.send("SHUTDOWN", "NOSAVE", "NOW", "FORCE")
claim("SHUTDOWN NOSAVE NOW FORCE changes nothing", runs_on())

aborted = aborting("SHUTDOWN", "ABORT")
asked = time.monotonic()
last.send("SHUTDOWN", "NOSAVE", "NOW", "FORCE")
primary.process.wait(10)
took = time.monotonic() - asked
is_ended = aborted == "OK" and took < 2
claim("after SHUTDOWN ABORT the same command ends it", is_ended, f"{took:.1f} s")
done()
PYTHON
