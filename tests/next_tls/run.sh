#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds sluice with a newer wolfSSL than the default one, below $B/next, and tests what depends on
# the TLS library: `make next-tls-test`, which sets MAKE, B and PYTHON.
#
# The source is WOLFSSL_TARBALL with WOLFSSL_SHA256, or what `proxy/wolfssl.sh --newer` fetches. The
# cases about groups run with the default wolfSSL too, for which they know other answers. The last
# line is `N passed, N failed`.
set -u

next=$B/next
results=$next/test/results
rm -rf "$next/test"
mkdir -p "$next/test"
: >"$results"
if [ -z "${WOLFSSL_TARBALL:-}" ]; then
    found=$(proxy/wolfssl.sh --newer "$next") || exit 1
    WOLFSSL_TARBALL=$(printf '%s\n' "$found" | sed -n 's/^WOLFSSL_TARBALL=//p')
    WOLFSSL_SHA256=$(printf '%s\n' "$found" | sed -n 's/^WOLFSSL_SHA256=//p')
fi
tests/next_tls/openssl.sh "$next/openssl" || exit 1
# The variables of the make that called go to none of the two builds.
unset MAKEFLAGS MFLAGS MAKELEVEL

old_make() {
    env -u WOLFSSL_TARBALL -u WOLFSSL_SHA256 "$MAKE" --no-print-directory -j2 B="$B" "$@"
}

next_make() {
    env WOLFSSL_TARBALL="$WOLFSSL_TARBALL" WOLFSSL_SHA256="$WOLFSSL_SHA256" \
        "$MAKE" --no-print-directory -j2 WERROR=1 B="$next" WOLFSSL_BUILD="$next" "$@"
}

# run KIND COMMAND...: a kind that did not start, for example because it did not build, has failed.
run() {
    kind=$1
    shift
    printf '\n== %s\n' "$kind"
    before=$(wc -l <"$results")
    "$@"
    if [ "$(wc -l <"$results")" -eq "$before" ]; then
        echo "RESULT $kind 0 1 0" >>"$results"
    fi
}

# groups NAME PROGRAM
groups() {
    B=$next tests/record "groups-$1" "$PYTHON" tests/next_tls/run.py --sluice "$2" \
        --openssl "$next/openssl/openssl"
}

next_make all || exit 1
"$next/sluice" --version
run unit-release next_make unit
run unit-asan next_make unit VARIANT=asan
run replay-release next_make replay
run replay-asan next_make replay VARIANT=asan
run groups-newer groups newer "$next/sluice"
run integration-release next_make integration T=tls/
run integration-asan next_make integration T=tls/ VARIANT=asan
old_make all && "$B/sluice" --version
run groups-default groups default "$B/sluice"

printf '\n== summary\n'
tests/sum "$results"
