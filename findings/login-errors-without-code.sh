#!/usr/bin/env bash
# PgBouncer 1.18: why the server refused a login reaches one client, without its code.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/postgres.sh"

cat <<'TEXT'
Expected: PgBouncer hands on the server's error of a login with its SQLSTATE, as it does with those
          of queries, and each client gets it. With the cause removed the next login succeeds.
Matters:  a wrong password, a missing database and a role with too many connections look like a
          broken protocol (08P01). Whoever goes by codes takes them for an outage and tries again.
          After the first attempt there is no error at all, but silence. For `server_login_retry`,
          15 s by default, it makes no difference that the password is right again.
TEXT

run_each "" <<'PYTHON'
from postgres import *

print("PgBouncer 1.18, transaction mode, in front of Postgres 15:")
server = Postgres(
    "CREATE USER sale PASSWORD 'new'", "CREATE USER full_role PASSWORD 'x' CONNECTION LIMIT 0",
    "CREATE USER other PASSWORD 'other'",
)
passwords = {"sale": "old", "full_role": "x", "other": "other"}
bouncer = PgBouncer(server, passwords)

def login(port, user, password, database="postgres", timeout=20):
    return Client(port, user, password, database, timeout)

for text, wanted, user, database in (
    ("a wrong password", "28P01", "sale", "postgres"),
    ("a role with too many connections", "53300", "full_role", "postgres"),
    ("a database that does not exist", "3D000", "other", "nowhere"),
):
    password = passwords[user]
    direct, code = refusal(lambda: login(server.port, user, password, database))
    behind, lost = refusal(lambda: login(bouncer.port, user, password, database))
    same = direct.split(": ", 1)[1] == behind.split(": ", 1)[1]
    claim(f"{text}: the text without the code", (code, lost, same) == (wanted, "08P01", True),
          f"{code} directly, {behind}")

seen, _ = refusal(lambda: login(bouncer.port, "sale", "old", timeout=3))
claim("the next login of that user gets no answer for 3 s", seen == "no answer", seen)
server.admin("ALTER USER sale PASSWORD 'old'")
claim("the server accepts the password from now on",
      login(server.port, "sale", "old")("SELECT 1") == "1")
answer, took = timed(lambda: login(bouncer.port, "sale", "old")("SELECT 1"))
claim("PgBouncer lets it wait for the rest of 15 s", answer == "1" and took > 7, f"{took:.1f} s")
answer, took = timed(lambda: login(bouncer.port, "other", "other")("SELECT 1"))
claim("another user is not concerned", answer == "1" and took < 2, f"{took:.1f} s")
one = login(bouncer.port, "other", "other")
seen, code = refusal(lambda: one("SELECT * FROM nowhere"))
claim("the error of a query keeps its code", code == "42P01", seen)
done()
PYTHON
