#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes a manual page of its template. A line `@KEYS SECTION@` becomes the list of the keys of that
# section, as `sluice --keys` prints them; @VERSION@, @DATE@ and @SYSCONFDIR@ are replaced.
#
#   config/manual/make.sh PROGRAM VERSION SECONDS SYSCONFDIR <TEMPLATE >PAGE
#
# SECONDS is the date of the page, as seconds since 1970.
set -eu

program=$1
version=$2
date=$(LC_ALL=C date -u -d "@$3" '+%B %-d, %Y')
sysconfdir=$4
keys=$(mktemp)
trap 'rm -f "$keys"' EXIT

"$program" --keys >"$keys"
awk -v keys="$keys" -v version="$version" -v date="$date" \
    -v sysconfdir="$sysconfdir" '
function roff(text) {
    gsub(/\\\|/, "|", text)
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    return text
}
# What stands between two backquotes is bold.
function marked(text,   parts, count, i, out) {
    count = split(roff(text), parts, "`")
    for (i = 1; i <= count; i++) {
        out = out (i % 2 == 0 ? "\\fB" parts[i] "\\fR" : parts[i])
    }
    return out
}
function cell(text) {
    sub(/^ */, "", text)
    sub(/ *$/, "", text)
    return text
}
# A macro or a request begins with one of these.
function print_text(text) {
    print (text ~ /^[.\047]/ ? "\\&" : "") text
}
BEGIN {
    while ((getline line <keys) > 0) {
        gsub(/\\\|/, "\001", line)
        split(line, cells, "|")
        gsub(/\001/, "|", line)
        section = cell(cells[2])
        gsub(/`/, "", section)
        key = cell(cells[3])
        gsub(/`/, "", key)
        if (key == "key" || key == "---") {
            continue
        }
        for (i = 4; i <= 6; i++) {
            gsub(/\001/, "|", cells[i])
        }
        count[section]++
        names[section, count[section]] = key
        values[section, key] = cell(cells[4])
        fallback[section, key] = cell(cells[5])
        help[section, key] = cell(cells[6])
    }
}
/^@KEYS [a-z]+@$/ {
    section = $2
    sub(/@/, "", section)
    used[section] = 1
    print ".Bl -tag -width Ds"
    for (i = 1; i <= count[section]; i++) {
        key = names[section, i]
        print ".It Ic " roff(key)
        print_text(marked(help[section, key]) ".")
        print ".br"
        print_text("Values: " marked(values[section, key]) "; default: " \
                   marked(fallback[section, key]) ".")
    }
    print ".El"
    if (count[section] == 0) {
        print "no key in section " section >"/dev/stderr"
        failed = 1
    }
    next
}
{
    gsub(/@VERSION@/, version)
    gsub(/@DATE@/, date)
    gsub(/@SYSCONFDIR@/, sysconfdir)
    print
}
END {
    if (length(used) > 0) {
        for (section in count) {
            if (!(section in used)) {
                print "the template has no line @KEYS " section "@" >"/dev/stderr"
                failed = 1
            }
        }
    }
    exit failed
}'
