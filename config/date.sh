#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints the date of these sources as seconds since 1970: that of the last commit. In a source tarball
# all files have that date.
set -eu

cd "$(dirname "$0")/.."
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    echo "$SOURCE_DATE_EPOCH"
elif [ -e .git ]; then
    git log -1 --format=%ct
else
    stat -c %Y CHANGELOG.md
fi
