#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the image for arm64 on a machine of another architecture, and runs its program under qemu:
# one WebSocket echo over TLS. Needs what test.sh needs. Part of `make docker-test`.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=docker/engine.sh
. "$top/docker/engine.sh"
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true' EXIT

[ "$(id -u)" = 0 ] || { echo "arm64: needs root" >&2; exit 1; }
"$top/proxy/packages.sh" 'to test the image' "$work-packages.log" \
    buildah debootstrap openssl binutils qemu-user-static python3-websockets
mkdir -p "$work/arm64"

step "building for arm64"
build_image arm64
root=$(buildah mount "$(buildah from localhost/sluice:arm64)")
program=$root/usr/bin/sluice

emulated() {
    qemu-aarch64-static -L "$root" "$program" "$@"
}

step "running it under qemu"
version=$(sed -n 's/^VERSION = //p' "$top/Makefile")
says=$(buildah inspect --type image --format '{{.Docker.Architecture}}' localhost/sluice:arm64)
check 'the image is for arm64' test "$says" = arm64
check 'so is the program' grep -q 'Machine: *AArch64' <(readelf -h "$program")
check 'the list of parts says so' grep -q '?arch=arm64' "$root/usr/share/doc/sluice/sbom.spdx.json"
check 'the list names what is in the image' /usr/bin/python3 "$top/docker/check_sbom.py" "$root" \
    "$root/usr/share/doc/sluice/sbom.spdx.json" "$version" unpacked
check 'the program tells its version' grep -qF "$version" <(emulated --version)

port=$(free_port)
certificate "$work/arm64"
cat >"$work/arm64/sluice.ini" <<INI
[server]
workers = 1
drain_timeout = 1s
[listen public]
address = 127.0.0.1:$port
tls_certificate = $work/arm64/fullchain.pem
tls_key = $work/arm64/privkey.pem
[route echo]
path = /echo
origins = none
backend = echo:
INI
qemu-aarch64-static -L "$root" "$program" -c "$work/arm64/sluice.ini" >"$work/arm64/log" 2>&1 &
pid=$!
check 'it is ready' until_so 60 grep -q 'event=ready' "$work/arm64/log"
check 'a message comes back over TLS' timeout 60 /usr/bin/python3 -c '
import asyncio, ssl, sys
import websockets
async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    url = "wss://localhost:%s/echo" % sys.argv[1]
    sent = bytes(range(256)) * 100
    async with websockets.connect(url, ssl=context, compression=None) as ws:
        await ws.send(sent)
        got = b""
        while len(got) < len(sent):
            got += await ws.recv()
        assert got == sent
asyncio.run(main())' "$port" "$work/arm64/fullchain.pem"
kill -TERM "$pid"
check 'it stops on SIGTERM with status 0' wait "$pid"
pid=
[ "$failed" = 0 ] || cat "$work/arm64/log"

count_and_leave
