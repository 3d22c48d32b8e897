#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes FOLDER/openssl: a program of OpenSSL 3.5 or newer, the first with X25519MLKEM768.
#
#   tests/next_tls/openssl.sh FOLDER
#
# It is the machine's own if that is new enough. Else it is Debian 13's, unpacked below FOLDER, with
# the C library that it needs; nothing is installed.
set -eu

folder=$1
here=$(cd "$(dirname "$0")" && pwd)
# What the program loads.
packages='openssl libssl3t64 libzstd1 zlib1g libc6'

die() {
    printf 'openssl: error: %s\n' "$1" >&2
    if [ -n "${2:-}" ] && [ -s "$2" ]; then
        tail -n 25 "$2" >&2
    fi
    exit 1
}

# shellcheck source=proxy/own_apt.sh
. "$here/../../proxy/own_apt.sh"

# has_group PROGRAM
has_group() {
    "$1" list -tls-groups 2>/dev/null | tr ':' '\n' | grep -qx X25519MLKEM768
}

fetch() {
    rm -rf "$folder/root" "$folder/packages"
    mkdir -p "$folder/packages"
    begin_apt "$folder/apt" "$folder/fetch.log"
    use_mirror main trixie deb ||
        die "none of this machine's apt sources serves Debian 13" "$folder/fetch.log"
    # shellcheck disable=SC2086 # a list of words
    (cd "$folder/packages" && own_apt download $packages) >>"$folder/fetch.log" 2>&1 </dev/null ||
        die 'download failed' "$folder/fetch.log"
    for package in "$folder"/packages/*.deb; do
        dpkg-deb -x "$package" "$folder/root"
    done
}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ -x "$folder/openssl" ] && has_group "$folder/openssl"; then
    exit 0
fi
if has_group openssl; then
    printf '#!/bin/sh\nexec openssl "$@"\n' >"$folder/openssl"
else
    fetch
    # The loader of that C library, and its libraries before the machine's.
    loader=$(find "$folder/root" -name 'ld-linux-*.so.*' | head -n 1)
    libraries=$(dirname "$(find "$folder/root" -name 'libssl.so.3' | head -n 1)")
    cat >"$folder/openssl" <<SCRIPT
#!/bin/sh
exec '$loader' --library-path '$libraries' '$folder/root/usr/bin/openssl' "\$@"
SCRIPT
fi
chmod +x "$folder/openssl"
has_group "$folder/openssl" || die 'this OpenSSL has no X25519MLKEM768'
