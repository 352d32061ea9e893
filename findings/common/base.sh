# Sourced by the other files here. Makes a temporary folder and removes it at the end.

COMMON=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORK=$(mktemp -d)
running=()
cleanup() {
    # Each Python process stops the servers that it started.
    for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${running[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
export PYTHONPATH=$COMMON PYTHONDONTWRITEBYTECODE=1

# Unpacks Debian packages, the arguments from the second one on, into the folder $WORK/<first>.
unpack() {
    local name=$1
    shift
    mkdir "$WORK/deb-$name"
    (cd "$WORK/deb-$name" && apt-get download -q "$@" >"$WORK/apt" 2>&1) || {
        cat "$WORK/apt"
        exit 1
    }
    for deb in "$WORK/deb-$name"/*.deb; do dpkg -x "$deb" "$WORK/$name"; done
}

# Installs Python packages; with `whole` as the first argument, also what they depend on.
pip_install() {
    local alone=--no-deps
    if [[ $1 == whole ]]; then
        alone=
        shift
    fi
    python3 -m pip --disable-pip-version-check -q install --root-user-action=ignore \
        ${alone:+"$alone"} --target "$WORK/pip" "$@" >"$WORK/said" 2>&1 || {
        cat "$WORK/said"
        exit 1
    }
}

must_be() {
    local name=$1 wanted=$2 said=$3
    echo "$name: $said"
    [[ $said == *[v/=\ ]"$wanted."* ]] || {
        echo "this is about $name $wanted, not the version above"
        exit 1
    }
}

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
