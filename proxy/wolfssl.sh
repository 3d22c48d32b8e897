#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the private static wolfSSL that sluice links against, under build/wolfssl/{include,lib}.
#
#   proxy/wolfssl.sh [BUILD_DIR]          BUILD_DIR defaults to build
#   proxy/wolfssl.sh --newer [BUILD_DIR]  only fetches the newer version that the tests know
#
# The source is Debian stable's patched package. apt fetches it with a sources list, state and
# cache below BUILD_DIR (own_apt.sh), so this needs no root and changes nothing on the machine. The
# script builds again only after it, wolfssl_wipe.c, the compiler or the source has changed.
#
# WOLFSSL_TARBALL=FILE builds upstream's source in FILE (.tar.gz, .tar.xz) instead, if its SHA-256
# is WOLFSSL_SHA256: then nothing is fetched, and apt is not needed. Where that version has ML-KEM,
# the build has it too. WOLFSSL_CC=COMPILER may be one for another architecture.
#
# --newer fetches upstream's source of newer_version, as Debian unstable has it, into BUILD_DIR, and
# prints the two variables with which it is built.
set -eu

suite=trixie
newer_suite=sid
newer_version=5.9.2
newer_sha256=2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114
jobs=2
# ALT_NAMES: sluice makes certificates with alternative names in memory. GETRANDOM works where a
# worker can open no file any more. MIDDLEBOX_COMPAT: a server gives this form of TLS 1.3 to
# clients that ask for it (RFC 8446 D.4). NO_FORCE_ZERO: wolfssl_wipe.c erases instead.
# ALWAYS_VERIFY_CB: sluice checks the name of a backend's certificate itself, because wolfSSL's own
# check accepts common names, and wildcards anywhere. IP_ALT_NAME: wolfSSL reads addresses in
# certificates. NO_SESSION_CACHE is not in the list: with session tickets, this version does not
# link without its cache, which sluice switches off. MAX_ALT_NAMES, MAX_CHAIN_DEPTH: a certificate
# may have 4096 names and stand before 20 others. MAX_CERTIFICATE_SZ: a chain may be as long as
# OpenSSL and Chromium take one, 100 KiB; tls_pem.h and tls_chain.h repeat
# these three. EXTRA_ALERTS: whoever
# fails in a handshake hears why.
defines='-DWOLFSSL_ALT_NAMES -DWOLFSSL_GETRANDOM -DWOLFSSL_TLS13_MIDDLEBOX_COMPAT'
defines="$defines -DWOLFSSL_NO_FORCE_ZERO -DWOLFSSL_ALWAYS_VERIFY_CB -DWOLFSSL_IP_ALT_NAME"
defines="$defines -DWOLFSSL_MAX_ALT_NAMES=4096 -DMAX_CHAIN_DEPTH=20 -DMAX_CERTIFICATE_SZ=102400"
defines="$defines -DWOLFSSL_EXTRA_ALERTS"

# What `make install DESTDIR=...` was called with is not for the make of wolfSSL.
unset MAKEFLAGS MFLAGS DESTDIR

self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
wipe=${self%/*}/wolfssl_wipe.c
is_newer=false
if [ "${1:-}" = --newer ]; then
    is_newer=true
    shift
fi
build=${1:-build}
mkdir -p "$build"
build=$(cd "$build" && pwd)
prefix=$build/wolfssl
work=$prefix/work
compiler=${WOLFSSL_CC:-gcc}
tarball=${WOLFSSL_TARBALL:-}
tarball_sha256=${WOLFSSL_SHA256:-}

step() {
    printf 'wolfssl: %s\n' "$*"
}

# die MESSAGE [LOG]
die() {
    printf 'wolfssl: error: %s\n' "$1" >&2
    if [ -n "${2:-}" ] && [ -s "$2" ]; then
        printf 'wolfssl: the end of %s:\n' "$2" >&2
        tail -n 25 "$2" >&2
    fi
    exit 1
}

# shellcheck source=proxy/own_apt.sh
. "${self%/*}/own_apt.sh"

# logged NAME MESSAGE COMMAND...: runs COMMAND with its output in NAME.log.
logged() {
    log=$prefix/$1.log
    message=$2
    shift 2
    "$@" >"$log" 2>&1 </dev/null || die "$message" "$log"
}

# Identifies what a build is made from: another fingerprint asks for another build.
fingerprint() {
    { cat "$self" "$wipe" && "$compiler" -dumpfullversion -dumpmachine &&
        printf '%s\n' "$tarball_sha256"; } |
        sha256sum | cut -d ' ' -f 1
}

fetch() {
    step "fetching Debian's source package"
    begin_apt "$work/apt" "$prefix/fetch.log"
    use_mirror main "$suite" ||
        die "none of this machine's apt sources serves Debian $suite" "$prefix/fetch.log"
    if [ -n "$(mirrors security)" ]; then
        use_mirror security "$suite-security" ||
            die "none of this machine's apt sources serves $suite-security" "$prefix/fetch.log"
    fi
    mkdir -p "$work/package"
    (cd "$work/package" && own_apt source --download-only wolfssl) \
        >>"$prefix/fetch.log" 2>&1 </dev/null || die 'download failed' "$prefix/fetch.log"
    # apt has checked the .dsc against the signed index, and dpkg-source checks the other files
    # against the .dsc; the uploader's own signature adds nothing.
    logged unpack 'unpacking failed' \
        dpkg-source --no-check -x "$work"/package/*.dsc "$work/source"
}

# What apt fetched is checked against the hash in this file as well: another release needs another.
fetch_newer() {
    newer=$build/wolfssl_$newer_version.orig.tar.gz
    if ! [ -r "$newer" ]; then
        prefix=$build/newer
        mkdir -p "$prefix"
        begin_apt "$prefix/apt" "$prefix/fetch.log"
        use_mirror main "$newer_suite" ||
            die "none of this machine's apt sources serves Debian $newer_suite" "$prefix/fetch.log"
        (cd "$prefix" && own_apt source --tar-only wolfssl) >>"$prefix/fetch.log" 2>&1 </dev/null ||
            die 'download failed' "$prefix/fetch.log"
        [ -r "$prefix/${newer##*/}" ] || die "Debian $newer_suite no longer has $newer_version: \
give another version and its hash in ${self##*/}, or name a tarball with WOLFSSL_TARBALL"
        mv "$prefix/${newer##*/}" "$build/"
        rm -rf "$prefix"
    fi
    check_hash "$newer" "$newer_sha256" || die "the SHA-256 of $newer is not the one in ${self##*/}"
    printf 'WOLFSSL_TARBALL=%s\nWOLFSSL_SHA256=%s\n' "$newer" "$newer_sha256"
}

# check_hash FILE SHA256
check_hash() {
    printf '%s  %s\n' "$2" "$1" | sha256sum --check --status
}

# Nobody signed a tarball for us: the hash that whoever chose it wrote down stands for it.
unpack_tarball() {
    step 'unpacking the tarball'
    check_hash "$tarball" "$tarball_sha256" || die "the SHA-256 of $tarball is not WOLFSSL_SHA256"
    mkdir -p "$work/source"
    logged unpack 'unpacking failed' \
        tar -x -f "$tarball" -C "$work/source" --strip-components=1 --no-same-owner
}

# Post-quantum key exchange, where this version has it. 5.7.2 has an unfinished one.
mlkem_options() {
    if grep -q -e '--enable-mlkem' "$work/source/configure.ac"; then
        printf '%s\n' --enable-mlkem
    fi
}

# Switches on the assembly for this processor.
cpu_options() {
    case $("$compiler" -dumpmachine) in
    x86_64-*) printf '%s\n' --enable-intelasm --enable-aesni --enable-sp-asm ;;
    aarch64-*) printf '%s\n' --enable-armasm --enable-sp-asm ;;
    esac
}

# Tells configure that it cannot run what it builds.
cross_options() {
    machine=$("$compiler" -dumpmachine)
    case $machine in
    "$(uname -m)"-*) ;;
    *) printf '%s\n' "--host=$machine" ;;
    esac
}

compiler_flags() {
    printf '%s\n' '-O2 -g -fPIC -fstack-protector-strong -fstack-clash-protection' \
        -fno-strict-aliasing
    case $("$compiler" -dumpmachine) in
    x86_64-*) printf '%s\n' -fcf-protection=full ;;
    esac
}

# Lean on purpose: neither --enable-distro nor --enable-opensslextra, which cost 50 KB a session.
configure_source() {
    step 'configuring'
    flags=$(compiler_flags | tr '\n' ' ')
    cd "$work/source"
    if [ ! -x ./configure ] || [ ! -f ./Makefile.in ]; then
        logged autoreconf 'autoreconf failed' autoreconf -fi
    fi
    # shellcheck disable=SC2046 # one word per option
    logged configure 'configure failed' ./configure --quiet --enable-option-checking=fatal \
        --prefix="$prefix/new" --enable-static --disable-shared \
        --disable-examples --disable-crypttests --enable-singlethreaded \
        --enable-tls13 --disable-oldtls --enable-sni --enable-alpn --enable-session-ticket \
        --enable-sp --enable-curve25519 --enable-ed25519 \
        --enable-certgen --enable-keygen --enable-certext $(cpu_options) $(mlkem_options) \
        $(cross_options) \
        CC="$compiler" CPPFLAGS="$defines" CFLAGS="$flags"
}

compile_source() {
    step 'building'
    cd "$work/source"
    logged build 'the build failed' \
        make -j "$jobs" CPPFLAGS="$defines -D_FORTIFY_SOURCE=2"
    rm -rf "$prefix/new"
    logged install 'make install failed' make install-data install-exec
    # shellcheck disable=SC2046 # one word per flag
    logged wipe 'wolfssl_wipe.c does not compile' \
        "$compiler" $(compiler_flags) -D_FORTIFY_SOURCE=2 -c "$wipe" -o wipe.o
    "$("$compiler" -print-prog-name=ar)" r "$prefix/new/lib/libwolfssl.a" wipe.o
}

# is_defined NAME or NAME=VALUE
is_defined() {
    case $1 in
    *=*) line="#define ${1%%=*} ${1#*=}" ;;
    *) line="#define $1" ;;
    esac
    grep -qx "$line" "$prefix/new/include/wolfssl/options.h"
}

# Checks in the installed headers that every wanted option is in force.
check_result() {
    wanted='WOLFSSL_TLS13 NO_OLD_TLS HAVE_SNI HAVE_ALPN HAVE_SESSION_TICKET SINGLE_THREADED
        WOLFSSL_ALT_NAMES WOLFSSL_HAVE_SP_ECC HAVE_CURVE25519 WOLFSSL_CERT_GEN
        WOLFSSL_KEY_GEN WOLFSSL_GETRANDOM WOLFSSL_TLS13_MIDDLEBOX_COMPAT
        WOLFSSL_NO_FORCE_ZERO WOLFSSL_ALWAYS_VERIFY_CB WOLFSSL_IP_ALT_NAME
        WOLFSSL_MAX_ALT_NAMES=4096 MAX_CHAIN_DEPTH=20 MAX_CERTIFICATE_SZ=102400
        WOLFSSL_EXTRA_ALERTS'
    case $("$compiler" -dumpmachine) in
    x86_64-*) wanted="$wanted WOLFSSL_AESNI USE_INTEL_SPEEDUP" ;;
    aarch64-*) wanted="$wanted WOLFSSL_ARMASM" ;;
    esac
    for option in $wanted; do
        is_defined "$option" || die "the build lacks $option" "$prefix/configure.log"
    done
    for option in OPENSSL_EXTRA SESSION_CERTS; do
        if is_defined "$option"; then
            die "the build has $option, which costs memory in every session"
        fi
    done
    [ -s "$prefix/new/lib/libwolfssl.a" ] || die 'the build made no static library'
}

version() {
    sed -n 's/^#define LIBWOLFSSL_VERSION_STRING "\(.*\)"$/\1/p' \
        "$prefix/include/wolfssl/version.h"
}

# What it was built from, for people and for the list of an image's parts.
source_name() {
    if [ -n "$tarball" ]; then
        printf 'tarball %s\n' "$(version)"
    else
        printf 'Debian %s\n' "$(package_version)"
    fi
}

package_version() {
    sed -n 's/^Version: //p' "$work"/package/*.dsc | head -n 1
}

main() {
    if [ -n "$tarball" ]; then
        [ -n "$tarball_sha256" ] || die 'WOLFSSL_TARBALL needs WOLFSSL_SHA256'
        [ -r "$tarball" ] || die "WOLFSSL_TARBALL: cannot read $tarball"
        needed="$compiler tar sha256sum autoreconf make"
    else
        [ -z "$tarball_sha256" ] || die 'WOLFSSL_SHA256 needs WOLFSSL_TARBALL'
        needed="$compiler apt-get apt-config dpkg-source autoreconf make"
    fi
    for tool in $needed; do
        command -v "$tool" >/dev/null || die "$tool is missing; run: make deps"
    done
    stamp=$prefix/stamp
    print=$(fingerprint)
    exec 9>"$build/wolfssl.lock"
    flock 9
    if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$print" ]; then
        return 0
    fi
    # The old build stays until there is a better one.
    rm -rf "$work" "$prefix/new"
    mkdir -p "$work"
    if [ -n "$tarball" ]; then
        unpack_tarball
    else
        fetch
    fi
    (configure_source)
    (compile_source)
    check_result
    rm -rf "$stamp" "${prefix:?}/include" "${prefix:?}/lib"
    mkdir "$prefix/lib"
    mv "$prefix/new/include" "$prefix/"
    mv "$prefix/new/lib/libwolfssl.a" "$prefix/lib/"
    printf '%s\n%s\n' "$print" "$(source_name)" >"$stamp.new"
    step "done: version $(version), $(source_name)"
    rm -rf "$work" "$prefix/new"
    mv "$stamp.new" "$stamp"
}

if "$is_newer"; then
    fetch_newer
else
    main
fi
