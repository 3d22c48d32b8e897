#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian packages that are missing from a list.
#
#   proxy/packages.sh PURPOSE LOG PACKAGE...
#
# Does nothing, and needs no root, when all are there. It neither starts nor enables a service that
# comes with a package (the tests use Redis and OpenSSH).
set -eu

purpose=$1
log=$2
shift 2

guard=/usr/sbin/policy-rc.d

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

remove_guard() {
    if [ -n "${guarded:-}" ]; then
        rm -f "$guard"
    fi
}

# Debian asks this program whether a package may start its services.
put_guard() {
    if [ -e "$guard" ] || [ -L "$guard" ]; then
        return
    fi
    trap remove_guard EXIT
    trap 'exit 1' HUP INT TERM
    guarded=yes
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
}

# Only for packages that were not there before: their services stay off after the next boot too.
disable_services() {
    if ! command -v systemctl >/dev/null; then
        return
    fi
    for package in "$@"; do
        case $package in
        redis-server) service=redis-server ;;
        openssh-server) service=ssh ;;
        ngircd | unbound | haproxy | nginx | lighttpd | mosquitto | postgresql | rabbitmq-server)
            service=$package ;;
        *) continue ;;
        esac
        systemctl disable --now "$service" >/dev/null 2>&1 || true
    done
}

install_all() {
    export DEBIAN_FRONTEND=noninteractive
    put_guard
    apt-get -o DPkg::Lock::Timeout=300 update &&
        apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" &&
        disable_services "$@"
}

if [ "$purpose" = --as-root ]; then
    install_all "$@"
    exit
fi

if ! command -v dpkg-query >/dev/null; then
    echo "packages: this is not Debian; needed $purpose: $*" >&2
    exit 1
fi

missing=''
for package in "$@"; do
    if ! is_installed "$package"; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi

sudo=''
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "packages: not root and no sudo; needed $purpose:$missing" >&2
        exit 1
    fi
    sudo=sudo
fi

echo "packages: installing what is needed $purpose:$missing"
mkdir -p "$(dirname "$log")"
# shellcheck disable=SC2086 # both are lists of words
if ! $sudo "$0" --as-root - $missing >"$log" 2>&1 </dev/null; then
    echo "packages: apt failed; the end of $log:" >&2
    tail -n 25 "$log" >&2
    exit 1
fi
echo 'packages: done'
