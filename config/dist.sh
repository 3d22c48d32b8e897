#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the source tarball: the files of the last commit, or, where there is no repository, those of
# an unpacked tarball. The same sources give the same bytes, on any machine, at any time.
#
#   config/dist.sh NAME FILE        NAME is the folder inside the tarball
set -eu

name=$1
file=$2
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$(dirname "$file")"
file=$(cd "$(dirname "$file")" && pwd)/$(basename "$file")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The tarball has no other date than the sources.
unset SOURCE_DATE_EPOCH
date=$("$top/config/date.sh")
umask 022
mkdir "$work/$name"
cd "$top"
if [ -e .git ]; then
    git archive --format=tar HEAD | tar -x -C "$work/$name"
    if [ -n "$(git status --porcelain)" ]; then
        echo 'dist: changes that are not committed are left out' >&2
    fi
else
    tar -c --exclude=./build --exclude=__pycache__ . | tar -x -C "$work/$name"
fi
LC_ALL=C tar -c --format=gnu --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner \
    --mode='u=rwX,go=rX' -C "$work" "$name" | gzip -n -9 >"$file.new"
mv "$file.new" "$file"
(cd "$(dirname "$file")" && sha256sum "$(basename "$file")")
