#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Writes the folder debian/ of a source package, of the templates beside this script.
#
#   config/debian/make.sh FOLDER VERSION REVISION MAINTAINER
#
# debian/changelog comes from CHANGELOG.md; what is not yet released has the date of the sources.
set -eu

folder=$1
version=$2
revision=$3
maintainer=$4
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

# dpkg wants a name and an address; some characters would mean something to sed below.
if ! printf '%s\n' "$maintainer" | grep -Eqx '[^|&\<>@]+ <[^|&\<>@ ]+@[^|&\<>@ ]+>'; then
    printf "deb: DEB_MAINTAINER must be 'Name <address>', and is: %s\n" "$maintainer" >&2
    exit 1
fi

rm -rf "$folder"
mkdir -p "$folder/source"
cp "$here"/sluice.* "$here/rules" "$here/copyright" "$folder/"
cp "$here/source/format" "$folder/source/"
chmod 755 "$folder/rules"
sed "s|@MAINTAINER@|$maintainer|" "$here/control" >"$folder/control"

# Each item of a version becomes one of the changelog; lines are folded anew.
entries() {
    awk -v wanted="$1" '
        /^## / { inside = ($2 == wanted); next }
        inside && /^- / { if (item != "") print item; item = substr($0, 3); next }
        inside && /^  / { item = item " " substr($0, 3); next }
        inside && /^$/ { if (item != "") print item; item = "" }
        END { if (item != "") print item }' "$top/CHANGELOG.md" |
        while read -r item; do
            printf '%s\n' "$item" | fold -s -w 74 | sed -e 's/ *$//' -e '1s/^/  * /' -e '2,$s/^/    /'
        done
}

dates=$("$top/config/date.sh")
first=yes
sed -n 's/^## \([0-9][0-9.]*\) *(\{0,1\}\([^)]*\))\{0,1\}$/\1 \2/p' "$top/CHANGELOG.md" |
    while read -r number words; do
        case $words in
        2*) seconds=$(date -u -d "$words" +%s) ;;
        *) seconds=$dates ;;
        esac
        full=$number-1
        if [ "$first" = yes ]; then
            full=$version-$revision
            first=no
        fi
        printf 'sluice (%s) unstable; urgency=medium\n\n' "$full"
        entries "$number"
        printf '\n -- %s  %s\n\n' "$maintainer" "$(LC_ALL=C date -u -R -d "@$seconds")"
    done >"$folder/changelog"
[ -s "$folder/changelog" ] || { echo 'deb: CHANGELOG.md has no version' >&2; exit 1; }
