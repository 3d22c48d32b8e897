# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# bash completion for sluice(8). `make lint T=manual` compares the options with sluice --help.

_sluice()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local options='-c --config --check --print-config --health --keys --version -h --help
        --to --listen --files --origins --certificate --key --plain --demo'

    COMPREPLY=()
    case $prev in
    -c | --config | --certificate | --key)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    --files)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        ;;
    --to)
        mapfile -t COMPREPLY < <(compgen -W 'localhost: unix:/ tls://' -- "$cur")
        compopt -o nospace
        ;;
    --listen)
        mapfile -t COMPREPLY < <(compgen -W '127.0.0.1: 0.0.0.0: [::1]: [::]:' -- "$cur")
        compopt -o nospace
        ;;
    --origins)
        mapfile -t COMPREPLY < <(compgen -W 'same https://' -- "$cur")
        compopt -o nospace
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        ;;
    esac
}

complete -F _sluice sluice
