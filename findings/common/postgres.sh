# Sourced by the scripts about PgBouncer 1.18 in front of Postgres 15, both of Debian. Postgres
# refuses to run as root: root's servers run as `nobody`.

source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

POSTGRES_DEBS=(postgresql-15 libpq5 libicu72 libxml2 libldap-2.5-0 libsasl2-2)
PGBOUNCER_DEBS=(pgbouncer=1.18.0-1+deb12u1 libc-ares2 libevent-2.1-7 libssl3)

# Those of this machine, or else Debian's packages, unpacked.
install_postgres() {
    POSTGRES=/usr/lib/postgresql/15/bin
    if [[ -x $POSTGRES/initdb ]]; then return; fi
    unpack postgres "${POSTGRES_DEBS[@]}"
    POSTGRES=$WORK/postgres$POSTGRES
    LIBRARIES+=$WORK/postgres/usr/lib/$(uname -m)-linux-gnu:
}

install_pgbouncer() {
    if PGBOUNCER=$(PATH=$PATH:/usr/sbin command -v pgbouncer); then return; fi
    unpack pgbouncer "${PGBOUNCER_DEBS[@]}"
    PGBOUNCER=$WORK/pgbouncer/usr/sbin/pgbouncer
    LIBRARIES+=$WORK/pgbouncer/usr/lib/$(uname -m)-linux-gnu:
}

LIBRARIES=
install_postgres
install_pgbouncer
# `nobody` has to reach what is in it.
chmod 711 "$WORK"
export POSTGRES PGBOUNCER LIBRARIES
must_be Postgres 15 "$(LD_LIBRARY_PATH=$LIBRARIES "$POSTGRES/postgres" --version | cut -d' ' -f1-3)"
must_be PgBouncer 1.18 "$(LD_LIBRARY_PATH=$LIBRARIES "$PGBOUNCER" --version | head -1)"
