#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds sluice and lays out the files that the image adds to its base. The Dockerfile's first stage
# runs this, as root, from the top of the checkout.
#
#   docker/assemble.sh ROOT BASE_PACKAGES [ARCH]
#
# BASE_PACKAGES lists the packages that the base has. ARCH is Debian's name of the image's
# architecture; without it, the builder's own.
set -eu

root=$1
base_packages=$2
here=$(cd "$(dirname "$0")" && pwd)
own=$(dpkg --print-architecture)
arch=${3:-$own}
if [ "$arch" = "$own" ]; then
    set --
    build=build
    tools=''
else
    set -- "ARCH=$arch"
    build=build/$arch
    case $arch in
    amd64) tools=x86_64-linux-gnu- ;;
    arm64) tools=aarch64-linux-gnu- ;;
    *) echo "assemble: cannot build for $arch" >&2; exit 1 ;;
    esac
fi

make deps "$@"
make -j "$(nproc)" install-program PREFIX=/usr SYSCONFDIR=/etc DESTDIR="$root" "$@"
"${tools}strip" "$root/usr/bin/sluice"

# Files of a package without what only people read. Scanners of images find the packages in
# status.d, because dpkg's own list belongs to the base.
add_package() { # NAME
    echo "assemble: $1 is not in the base"
    (cd "$work" && apt-get download "$1:$arch")
    deb=$(ls "$work"/"$1"_*.deb)
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink \
        --wildcards --exclude './usr/share/doc/*/[!c]*' --exclude './usr/share/doc/*/changelog*'
    mkdir -p "$root/var/lib/dpkg/status.d"
    dpkg-deb -f "$deb" >"$root/var/lib/dpkg/status.d/$1"
}

work=$(mktemp -d)
"$here/needed.sh" "$root/usr/bin/sluice" "$arch" >"$work/needed"
while read -r name _; do
    grep -qx "$name" "$base_packages" || add_package "$name"
done <"$work/needed"

# The user's name, for who looks; the image names the number.
mkdir -p "$root/etc"
grep -v '^sluice:' /etc/passwd >"$root/etc/passwd"
echo 'sluice:x:990:990::/nonexistent:/usr/sbin/nologin' >>"$root/etc/passwd"
grep -v '^sluice:' /etc/group >"$root/etc/group"
echo 'sluice:x:990:' >>"$root/etc/group"

mkdir -p "$root/usr/share/doc/sluice"
cp LICENSE "$root/usr/share/doc/sluice/copyright"
version=$(sed -n 's/^VERSION = //p' Makefile)
"$here/sbom.sh" "$version" "$arch" "$build/wolfssl/stamp" "$work/needed" \
    >"$root/usr/share/doc/sluice/sbom.spdx.json"
rm -rf "$work"
