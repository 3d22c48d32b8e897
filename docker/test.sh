#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the image and runs it, without a container engine: the base is made with debootstrap from
# the machine's own package mirror, buildah works in a chroot. Needs root and about 3 GB below
# build/docker. Not part of `make test`; the base is kept for the next run. SUITE names the Debian
# release of the base: bookworm (the default) or trixie.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
work=$top/build/docker
suite=${SUITE:-bookworm}
base=$work/base-$suite
passed=0
failed=0
pid=
redis_pid=

buildah() {
    command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"
}

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok   $name"
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
}

stop_all() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
}
trap stop_all EXIT

# The first mirror of the machine's own sources, in either format of apt.
mirror() {
    {
        sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' \
            /etc/apt/sources.list.d/debian*.sources
        sed -n 's/^deb[[:space:]]\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' \
            /etc/apt/sources.list
    } 2>/dev/null | grep -v security | head -n 1
}

free_port() {
    /usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# The uppermost process called sluice below process $1.
find_master() {
    local child
    if [ "$(cat "/proc/$1/comm")" = sluice ]; then
        echo "$1"
        return
    fi
    for child in $(pgrep -P "$1"); do
        find_master "$child"
    done
}

step() {
    echo "== $1"
}

[ "$(id -u)" = 0 ] || { echo "docker-test: needs root" >&2; exit 1; }
"$top/proxy/packages.sh" 'to test the image' "$work-packages.log" \
    buildah debootstrap redis-server openssl
mkdir -p "$work"

if [ ! -e "$base/.complete" ]; then
    step "making the base image's files"
    rm -rf "$base"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$base" "$(mirror)" \
        >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
    rm -rf "$base"/var/cache/apt/archives/*.deb
    touch "$base/.complete"
fi

step "building"
rm -rf "$work/storage" "$work/run"
container=$(buildah from scratch)
buildah copy -q "$container" "$base" / >/dev/null
buildah commit -q --rm "$container" localhost/sluice-base >/dev/null
buildah bud --isolation chroot --build-arg BASE=localhost/sluice-base \
    -f "$top/docker/Dockerfile" --ignorefile "$top/.dockerignore" -t localhost/sluice "$top" \
    >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; exit 1; }

step "running"
container=$(buildah from localhost/sluice)
run() {
    buildah run --isolation chroot "$@"
}

port=$(free_port)
redis_port=$(free_port)
health_port=$(free_port)
mkdir -p "$work/certificates"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/certificates/privkey.pem" \
    -out "$work/certificates/fullchain.pem" 2>"$work/openssl.log"
chmod 755 "$work/certificates"
chown 990 "$work/certificates/privkey.pem"
# The shipped configuration, with the two addresses of this run.
sed -e "s|0.0.0.0:8443|127.0.0.1:$port|" -e "s|redis:6379|127.0.0.1:$redis_port|" \
    -e "s|^address = 127.0.0.1:9090|address = 127.0.0.1:$health_port|" \
    "$top/docker/sluice.ini" >"$work/sluice.ini"

check 'the program starts and tells its version' run "$container" -- /usr/bin/sluice --version
check 'it runs as user 990' test "$(run "$container" -- id -u)" = 990
check 'no compiler is in the image' \
    test -z "$(run "$container" -- sh -c 'command -v gcc make || true')"
check 'without certificates it says what is missing' \
    grep -q 'sluice.ini:[0-9]*:.*fullchain.pem' \
    <(run "$container" -- /usr/bin/sluice --check -c /etc/sluice/sluice.ini 2>&1 || true)

redis-server --port "$redis_port" --bind 127.0.0.1 --save '' >"$work/redis.log" 2>&1 &
redis_pid=$!
buildah run --isolation chroot -v "$work/certificates:/run/sluice:ro" \
    -v "$work/sluice.ini:/etc/sluice/sluice.ini:ro" "$container" -- \
    /usr/bin/sluice -c /etc/sluice/sluice.ini >"$work/sluice.log" 2>&1 &
pid=$!
check 'a client speaks with Redis through it' \
    /usr/bin/python3 "$top/docker/redis_ping.py" "$port" "$work/certificates/fullchain.pem"
check 'it says that it is ready' \
    buildah run --isolation chroot -v "$work/sluice.ini:/etc/sluice/sluice.ini:ro" "$container" -- \
    /usr/bin/sluice --health
master=$(find_master "$pid")
kill -TERM "$master"
check 'it stops on SIGTERM with status 0' wait "$pid"
pid=
check 'its log has the session' grep -q 'event=session.end.*route=redis.*ending=client_close' \
    "$work/sluice.log"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
