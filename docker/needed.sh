#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints the Debian packages of the shared libraries that a program loads, and their versions:
#
#   docker/needed.sh PROGRAM ARCH
#
# It reads the files, so the program may be for another architecture than the machine's.
set -eu

program=$1
arch=$2

sonames() {
    LC_ALL=C objdump -p "$1" 2>/dev/null | sed -n 's/^ *NEEDED *//p'
}

# The one file of that name that a package of ARCH brings.
owner() {
    dpkg-query -S "*/$1" | sed -n "s/^\([a-z0-9.+-]*:$arch\): \(.*\)/\1 \2/p" | head -n 1
}

todo=$(sonames "$program")
seen=' '
while [ -n "$todo" ]; do
    next=''
    for name in $todo; do
        case $seen in *" $name "*) continue ;; esac
        seen="$seen$name "
        found=$(owner "$name")
        [ -n "$found" ] || { echo "needed: no package of $arch has $name" >&2; exit 1; }
        echo "${found%% *}"
        next="$next $(sonames "${found#* }")"
    done
    todo=$(echo "$next" | tr -s ' \n' ' ' | sed 's/^ $//')
done | sort -u | while read -r package; do
    dpkg-query -W -f '${Package} ${Version} ${source:Package} ${source:Version}\n' "$package"
done
