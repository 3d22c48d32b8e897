#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the committed corpus of each fuzz target; each file is one test.
#
#   tests/fuzz/replay.sh OUT NAME...       OUT holds the replay_NAME programs
#
# A target without a corpus is a failure. When an input ends the program, the files behind it still
# run.
set -u

out=$1
shift
corpora=$(cd "$(dirname "$0")" && pwd)/corpus
passed=0
failed=0

for name in "$@"; do
    files=0
    list=$(find "$corpora/$name" -type f 2>/dev/null | LC_ALL=C sort)
    log=$out/replay_$name.log
    # First all files at once, which is quick; one by one only after a failure.
    # shellcheck disable=SC2086 # file names of the corpus hold no spaces
    if [ -n "$list" ] && "$out/replay_$name" $list >"$log" 2>&1; then
        files=$(grep -c '^ok ' "$log")
        passed=$((passed + files))
        printf 'replay %-12s %4d inputs\n' "$name" "$files"
        continue
    fi
    if [ -z "$list" ]; then
        echo "replay $name: no corpus in $corpora/$name"
        failed=$((failed + 1))
        continue
    fi
    for file in $list; do
        if "$out/replay_$name" "$file" >"$log" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "replay $name: FAIL $file"
            tail -n 40 "$log"
        fi
    done
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
