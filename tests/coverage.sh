#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints the counts of gcov for each source, and fails when a source of proto/ is below PERCENT.
#
#   tests/coverage.sh OUT PERCENT SOURCE...       OUT holds the objects and their counts
set -u

out=$1
bar=$2
shift 2
report=$out/coverage.txt
: >"$report"

for source in "$@"; do
    # gcov names the headers too; this takes only the source itself. A source that no test
    # touched has no counts.
    lines=$(gcov -n -b -o "$out/${source%.c}.gcda" "$source" 2>/dev/null | awk -v source="$source" '
        /^File / { ours = index($0, "\047" source "\047") > 0 }
        ours && /^Lines executed:/ {
            sub("Lines executed:", "")
            sub("% of", "")
            lines = $1 " " $2
        }
        ours && /^Taken at least once:/ { sub("Taken at least once:", ""); branches = $1 + 0 }
        END { if (lines != "") print lines, branches + 0 }')
    echo "$source ${lines:-0 0 0}" >>"$report"
done

awk -v bar="$bar" '
    {
        low = $1 ~ /^proxy\/proto\// && $2 + 0 < bar
        printf "%-34s %6.1f %% of %4d lines, branches taken %5.1f %%%s\n", $1, $2, $3, $4,
            low ? "  BELOW " bar " %" : ""
        if ($1 ~ /^proxy\/proto\//) {
            if (low) failed++
            else passed++
        }
    }
    END {
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0 || passed == 0
    }' "$report"
