#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of the image share: a base from the machine's own package mirror, buildah in a
# chroot, and a container as an engine makes it. Source it; it wants `top`, the checkout.

work=${top:?}/build/docker
suite=${SUITE:-bookworm}
passed=0
failed=0

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

count_and_leave() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

step() {
    echo "== $1"
}

# until_so SECONDS COMMAND...: whether the command succeeds within so many seconds.
until_so() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

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

# Files of a base image. One of another architecture is only unpacked: nothing of it can run here.
make_base() { # ARCH: prints the folder
    local arch=$1 base=$work/base-$suite-$1 how deb
    if [ ! -e "$base/.complete" ]; then
        rm -rf "$base"
        how=--include=ca-certificates
        [ "$arch" = "$(dpkg --print-architecture)" ] || how=--foreign
        debootstrap --variant=minbase --arch="$arch" "$how" "$suite" "$base" "$(mirror)" \
            >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; return 1; }
        if [ "$how" = --foreign ]; then
            for deb in "$base"/var/cache/apt/archives/*.deb; do
                dpkg-deb -x "$deb" "$base"
            done
        fi
        rm -rf "$base"/var/cache/apt/archives/*.deb "$base/debootstrap"
        touch "$base/.complete"
    fi
    echo "$base"
}

# Makes localhost/sluice-base:ARCH of these files, unless it is there. Each is marked as of the
# machine's own architecture: buildah 1.28 finds no other once a stage has named its platform.
import_base() { # ARCH
    local base container
    buildah inspect --type image "localhost/sluice-base:$1" >"$work/inspect" 2>&1 && return
    base=$(make_base "$1")
    container=$(buildah from scratch)
    buildah copy -q "$container" "$base" / >"$work/copy.log"
    buildah commit -q --rm "$container" "localhost/sluice-base:$1" >"$work/commit.log"
}

# Builds localhost/sluice:ARCH; with WOLFSSL_TARBALL, a file of the checkout, with this wolfSSL.
build_image() { # ARCH
    local own
    own=$(dpkg --print-architecture)
    import_base "$own"
    import_base "$1"
    # Old versions of buildah do not know BUILDPLATFORM by themselves.
    buildah bud --isolation chroot --format docker --platform "linux/$1" \
        --build-arg "BUILDPLATFORM=linux/$own" \
        --build-arg "BUILD_BASE=localhost/sluice-base:$own" \
        --build-arg "BASE=localhost/sluice-base:$1" \
        --build-arg "WOLFSSL_TARBALL=${WOLFSSL_TARBALL:-}" \
        --build-arg "WOLFSSL_SHA256=${WOLFSSL_SHA256:-}" \
        --build-arg "REVISION=$(git -C "$top" rev-parse HEAD 2>/dev/null || echo unknown)" \
        -f "$top/docker/Dockerfile" --ignorefile "$top/.dockerignore" \
        -t "localhost/sluice:$1" "$top" \
        >"$work/build-$1.log" 2>&1 || { tail -n 40 "$work/build-$1.log" >&2; return 1; }
}

certificate() { # FOLDER
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$1/privkey.pem" -out "$1/fullchain.pem" 2>"$work/openssl.log"
    chmod 755 "$1"
    chown 990 "$1/privkey.pem"
}

# Runs a command as the image's entrypoint runs: PID 1 of a namespace, user 990 without any right,
# the root read-only. INI and CERTIFICATES are mounted where compose mounts them.
# shellcheck disable=SC2016 # the inner shell expands
contain() { # ROOT INI CERTIFICATES COMMAND...
    unshare --mount --pid --ipc --uts --fork --propagation private -- /bin/bash -ec '
        root=$1 ini=$2 certificates=$3
        shift 3
        mount --bind "$root" "$root"
        mount --bind "$ini" "$root/etc/sluice/sluice.ini"
        mkdir -p "$root/run/sluice"
        mount --bind "$certificates" "$root/run/sluice"
        mount -t proc proc "$root/proc"
        mount --bind /dev "$root/dev"
        mount -o remount,bind,ro "$root"
        exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \
            --inh-caps=-all chroot --userspec=+990:+990 --groups= "$root" "$@"' contain "$@"
}
