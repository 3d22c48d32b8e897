#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the image and runs it, without a container engine: the base is made with debootstrap from
# the machine's own package mirror, buildah works in a chroot. Needs root and about 4 GB below
# build/docker. Not part of `make test`; the base is kept for the next run. SUITE names the Debian
# release of the base: bookworm (the default) or trixie.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=docker/engine.sh
. "$top/docker/engine.sh"
arch=$(dpkg --print-architecture)
redis_pid=
engine_pid=

stop_all() {
    [ -z "$engine_pid" ] || kill -KILL "$(master)" 2>/dev/null || true
    [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
}
trap stop_all EXIT

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

# The gateway in the container, as this machine numbers it.
master() {
    find_master "$engine_pid"
}

[ "$(id -u)" = 0 ] || { echo "docker-test: needs root" >&2; exit 1; }
"$top/proxy/packages.sh" 'to test the image' "$work-packages.log" \
    buildah debootstrap redis-server openssl haproxy iproute2 procps python3-websockets \
    python3-venv docker-compose
mkdir -p "$work"

step "building"
:
buildah tag localhost/sluice localhost/sluice:amd64
container=$(buildah from "localhost/sluice:$arch")
root=$(buildah mount "$container")
base=$(make_base "$arch")

run() {
    buildah run --isolation chroot "$@"
}

# What the image says of itself; the path is one of Go's templates.
says() { # TEMPLATE
    buildah inspect --type image --format "$1" "localhost/sluice:$arch"
}

label() { # NAME
    says "{{index .Docker.Config.Labels \"$1\"}}"
}

step "looking at it"
version=$(sed -n 's/^VERSION = //p' "$top/Makefile")
sbom=$(label sluice.sbom)
bytes() { # FOLDER: what its files have, without what the tests mount
    du -x -s -B 1 --apparent-size "$1" | cut -f 1
}
added=$(($(bytes "$root/") - $(bytes "$base/")))
echo "     $((added / 1000)) kB beyond the base"
check 'it adds less than 30 MB to its base' test "$added" -lt 30000000
check 'it starts the program, not a shell' test "$(says '{{.Docker.Config.Entrypoint}}')" = \
    '[/usr/bin/sluice]'
check 'it runs as user 990, by number' test "$(says '{{.Docker.Config.User}}')" = 990:990
check 'its health check needs no shell' test "$(says '{{.Docker.Config.Healthcheck.Test}}')" = \
    '[CMD /usr/bin/sluice --health]'
check 'its labels tell the version' test "$(label org.opencontainers.image.version)" = "$version"
check 'its labels tell the revision' test -n "$(label org.opencontainers.image.revision)"
check 'its labels tell the license' \
    test "$(label org.opencontainers.image.licenses)" = GPL-3.0-or-later
check 'the program tells the version' \
    grep -qF "$version" <(run "$container" -- /usr/bin/sluice --version)
check 'no compiler is in the image' \
    test -z "$(run "$container" -- sh -c 'command -v gcc make || true')"
check 'its libraries are all there' \
    bash -c '! grep "not found"' < <(run "$container" -- ldd /usr/bin/sluice)

[ -x "$work/python/bin/pyspdxtools" ] || { /usr/bin/python3 -m venv "$work/python" &&
    "$work/python/bin/pip" install --quiet spdx-tools==0.8.3; }
check 'its list of parts is SPDX 2.3' "$work/python/bin/pyspdxtools" -i "$root$sbom" \
    --version SPDX-2.3
check 'the list names what is in the image' /usr/bin/python3 "$top/docker/check_sbom.py" "$root" \
    "$root$sbom" "$version"
check 'compose.yaml has the form of Compose' \
    docker-compose -f "$top/docker/compose.yaml" config -q

step "running it"
port=$(free_port)
redis_port=$(free_port)
health_port=$(free_port)
certificate "$work/certificates"
# The shipped configuration, with the addresses of this run.
sed -e "s|0.0.0.0:8443|127.0.0.1:$port|" -e "s|redis:6379|127.0.0.1:$redis_port|" \
    -e "s|^address = 127.0.0.1:9090|address = 127.0.0.1:$health_port|" \
    "$top/docker/sluice.ini" >"$work/sluice.ini"
check 'without certificates it says what is missing' \
    grep -q 'sluice.ini:[0-9]*:.*fullchain.pem' \
    <(run "$container" -- /usr/bin/sluice --check -c /etc/sluice/sluice.ini 2>&1 || true)
# From here on nothing can start a shell.
rm -f "$root"/bin/sh "$root"/bin/bash "$root"/bin/dash "$root"/bin/rbash

redis-server --port "$redis_port" --bind 127.0.0.1 --save '' >"$work/redis.log" 2>&1 &
redis_pid=$!
contain "$root" "$work/sluice.ini" "$work/certificates" /usr/bin/sluice -c /etc/sluice/sluice.ini \
    >"$work/sluice.log" 2>&1 &
engine_pid=$!
healthy() {
    contain "$root" "$work/sluice.ini" "$work/certificates" /usr/bin/sluice --health \
        >"$work/health.log" 2>&1
}
check 'its health check says that it is ready' until_so 30 healthy
check 'a client speaks with Redis through it' \
    /usr/bin/python3 "$top/docker/redis_ping.py" "$port" "$work/certificates/fullchain.pem"
check 'it has no right' \
    test "$(sed -n 's/^CapEff:\t//p' "/proc/$(master)/status")" = 0000000000000000
check 'it is PID 1' grep -q '^NSpid:.*[[:space:]]1$' "/proc/$(master)/status"
check 'its root is read-only' grep -q '^[^ ]* [^ ]* [^ ]* [^ ]* / ro' "/proc/$(master)/mountinfo"

# A process whose parent has gone is PID 1's, also when it has died.
nsenter --target "$(master)" --pid -- bash -c '(sleep 1 &)'
orphan=$(pgrep -P "$(master)" -x sleep || true)
check 'it takes over an orphan' test -n "$orphan"
check 'it buries the orphan' until_so 20 test ! -e "/proc/$orphan"

kill -TERM "$(master)"
check 'it stops on SIGTERM with status 0' wait "$engine_pid"
engine_pid=
check 'its log has the session' grep -q 'event=session.end.*route=redis.*ending=client_close' \
    "$work/sluice.log"

step "rehearsing a rolling deploy"
"$top/docker/rolling.py" --root "$root" | tee "$work/rolling.log" || true
check 'a rolling deploy loses nothing' grep -q '^[1-9][0-9]* passed, 0 failed$' "$work/rolling.log"

count_and_leave
