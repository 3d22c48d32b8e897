#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds sluice for arm64 in a Debian of its own, and runs its unit tests under qemu:
`make arm64-test`.

    tests/deb/arm64.py FOLDER TARBALL VERSION [SUITE]

The last line is that of the unit tests, `N passed, M failed`.
"""
import sys
from pathlib import Path

from machine import Failed, Machine, make_root, need_root, run

PACKAGES = "make gcc libcunit1-dev:arm64 qemu-user-static"


def main():
    need_root()
    folder, tarball, version = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]
    suite = sys.argv[4] if len(sys.argv) > 4 else "bookworm"
    folder.mkdir(parents=True, exist_ok=True)
    machine = Machine(make_root(folder, suite, "arm64", PACKAGES, "dpkg --add-architecture arm64"))
    run("tar", "-x", "-f", str(tarball), "-C", str(machine.path("/root")))
    program = "build/arm64/release/unit"
    machine.sh("cd /root/sluice-%s && rm -rf build/arm64/release && make deps ARCH=arm64 && "
               "make ARCH=arm64 all %s" % (version, program), timeout=3600)
    print("built " + machine.said("cd /root/sluice-%s && qemu-aarch64-static build/arm64/sluice "
                                  "--version" % version), flush=True)
    done = machine.sh("cd /root/sluice-%s && qemu-aarch64-static %s" % (version, program),
                      timeout=3600, may_fail=True)
    print(done.stdout[-4000:])
    return done.returncode


try:
    sys.exit(main())
except Failed as error:
    sys.exit("arm64-test: %s" % error)
