#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Functions for scripts that fetch from Debian whatever this machine's own release is: an apt with a
# sources list, state and cache below a folder, so it needs no root and changes nothing on the
# machine. The mirror is the one of the machine's own apt; apt checks Debian's signature on what the
# mirror sends.
#
# A script sources this file and has a function `die MESSAGE [LOG]`. It calls begin_apt and
# use_mirror, then own_apt as it would call apt-get.

debian_releases='bookworm trixie forky sid stable oldstable testing unstable'

debian_keyring() {
    for keyring in /usr/share/keyrings/debian-archive-keyring.gpg \
        /usr/share/keyrings/debian-archive-keyring.pgp; do
        if [ -r "$keyring" ]; then
            printf '%s\n' "$keyring"
            return
        fi
    done
    die 'no Debian archive keyring on this machine (package debian-archive-keyring)'
}

is_debian_release() {
    for release in $debian_releases; do
        if [ "$1" = "$release" ]; then
            return 0
        fi
    done
    return 1
}

# mirrors main|security: addresses of the machine's own apt sources that look like Debian's, those
# under the usual path first. apt itself reads the sources, so both file formats work. A look-alike
# does no harm: its packages must carry Debian's signature.
mirrors() {
    apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' |
        sort -u |
        while read -r uri release component; do
            case $release in
            *-security) kind=security release=${release%-security} ;;
            *) kind=main ;;
            esac
            if [ "$component" != main ] || [ "$kind" != "$1" ]; then
                continue
            fi
            if is_debian_release "$release"; then
                case $uri in
                */debian/ | */debian-security/) printf '0 %s\n' "$uri" ;;
                *) printf '1 %s\n' "$uri" ;;
                esac
            fi
        done | sort -u | cut -d ' ' -f 2
}

# begin_apt FOLDER LOG: makes an apt of our own, which knows no mirror yet. It takes the machine's
# ways to reach a mirror, but none of its hooks, sources, keys or relaxed checks.
begin_apt() {
    apt=$1
    fetch_log=$2
    keyring=$(debian_keyring)
    rm -rf "$apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
    apt-config dump |
        grep '^Acquire::' |
        grep -v -e '^Acquire::Allow' -e '^Acquire::IndexTargets' -e '^Acquire::Changelogs' \
            >"$apt/parts/machine" || true
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::Parts "$apt/parts";
Dir::Etc::Main "/dev/null";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$apt";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages { "none"; };
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
CONF
    mv "$apt/parts/machine" "$apt/parts/machine.conf"
    : >"$apt/status"
    : >"$apt/sources.list"
    : >"$fetch_log"
}

own_apt() {
    APT_CONFIG=$apt/apt.conf apt-get "$@"
}

# use_mirror main|security SUITE [deb]: adds the first of the machine's mirrors that serves SUITE:
# its sources, or its packages.
use_mirror() {
    for uri in $(mirrors "$1"); do
        line="${3:-deb-src} [signed-by=$keyring] $uri $2 main"
        cp "$apt/sources.list" "$apt/sources.before"
        printf '%s\n' "$line" >>"$apt/sources.list"
        if own_apt update >>"$fetch_log" 2>&1 </dev/null; then
            return 0
        fi
        cp "$apt/sources.before" "$apt/sources.list"
    done
    return 1
}
