#!/usr/bin/env bash
# PgBouncer's query_timeout: the client gets an error, and the server executes the query to its end.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/postgres.sh"

cat <<'TEXT'
Expected: a query that is longer than `query_timeout` is cancelled, as PgBouncer's manual says: it
          has no effect, its locks are released, and its place in the pool is free.
Matters:  a write that failed for the client is committed later, and one that is repeated is done
          twice. `default_pool_size` no longer limits what a database executes at once: each query
          that is given up leaves room for another one while the database still works on the first.
TEXT

run_each "" <<'PYTHON'
from postgres import *

SLOW = "WITH slow AS (SELECT pg_sleep(4)) UPDATE seats SET sold = sold + {} FROM slow"
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'sale' AND state = 'active'"
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"

print("PgBouncer 1.18, transaction mode, query_timeout 1 s, default_pool_size 1:")
server = Postgres(
    "CREATE USER sale PASSWORD 'sale'", "CREATE TABLE seats (sold int)",
    "INSERT INTO seats VALUES (0)", "GRANT ALL ON seats TO sale",
)
bouncer = PgBouncer(server, {"sale": "sale"}, query_timeout=1, default_pool_size=1)

def client():
    return Client(bouncer.port, "sale", "sale")

def given_up(text, statement):
    (seen, code), took = timed(lambda: refusal(lambda: one(statement)))
    claim(text, code == "08P01" and took < 3, f"{seen}, after {took:.1f} s")

def after_all():
    wait_for(lambda: server.admin(BUSY) == "0")
    return server.admin("SELECT sold FROM seats")

one = client()
given_up("an UPDATE of 4 s is given up", SLOW.format(1))
busy, sold = server.admin(BUSY), server.admin("SELECT sold FROM seats")
claim("the server still executes it", (busy, sold) == ("1", "0"), f"{busy} active, {sold} sold")
one = client()
given_up("the pool of one lets another query in", "SELECT pg_advisory_xact_lock(1), pg_sleep(4)")
busy = server.admin(BUSY)
claim("the server then executes two", busy == "2", f"{busy} active")
claim("and keeps the lock of the second", server.admin(LOCKS) == "1")
sold = after_all()
claim("the UPDATE is committed", sold == "1", f"{sold} sold")

one = client()
one("BEGIN")
one("UPDATE seats SET sold = sold + 10")
given_up("a query after BEGIN is given up", "SELECT pg_sleep(2)")
sold = after_all()
claim("what came before it is rolled back, at its end", sold == "1", f"{sold} sold")

one = client()
given_up("BEGIN, the UPDATE and COMMIT, sent at once, are given up",
         f"BEGIN; {SLOW.format(100)}; COMMIT")
sold = after_all()
claim("and committed", sold == "101", f"{sold} sold")

one = client()
limited = f"BEGIN; SET LOCAL statement_timeout = 500; {SLOW.format(1000)}; COMMIT"
seen, code = refusal(lambda: one(limited))
one("ROLLBACK")
sold = after_all()
claim("with a shorter `statement_timeout` it has no effect",
      (code, sold) == ("57014", "101"), f"{seen}, {sold} sold")
done()
PYTHON
