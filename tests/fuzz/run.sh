#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs each fuzz target for a while on the committed corpus and on what earlier runs found.
#
#   tests/fuzz/run.sh OUT SECONDS NAME...
#
# New inputs go to OUT/found/NAME, crashes to OUT/crashes/NAME-*. Committed files stay as they are.
set -u

out=$1
seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
passed=0
failed=0

for name in "$@"; do
    mkdir -p "$out/found/$name" "$out/crashes"
    log=$out/fuzz_$name.log
    set -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=256 \
        -max_len=4096 -print_final_stats=1 -artifact_prefix="$out/crashes/$name-"
    if [ -f "$here/dict/$name.dict" ]; then
        set -- "$@" -dict="$here/dict/$name.dict"
    fi
    set -- "$@" "$out/found/$name"
    if [ -d "$here/corpus/$name" ]; then
        set -- "$@" "$here/corpus/$name"
    fi
    if "$out/fuzz_$name" "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        printf 'fuzz %-12s %s runs, nothing found\n' "$name" "$runs"
    else
        failed=$((failed + 1))
        printf 'fuzz %-12s FAILED; the end of %s:\n' "$name" "$log"
        tail -n 30 "$log"
    fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
