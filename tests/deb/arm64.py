#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds sluice for arm64 in a Debian of its own, and runs its unit tests under qemu:
`make arm64-test`.

    tests/deb/arm64.py FOLDER TARBALL VERSION [SUITE]

What needs a system call that qemu does not have is left out (LEFT_OUT). The last line is that of
the unit tests, `N passed, M failed`. Needs root.
"""
import shlex
import subprocess
import sys
from pathlib import Path

from machine import PATH, Failed, Machine, make_root, need_root, run

TIMEOUT = 3600
PACKAGES = "make gcc libcunit1-dev:arm64 qemu-user-static"
# What qemu 7.2 cannot do for a program, and the tests that want it.
LEFT_OUT = {
    "seccomp, without which the process that checks passwords does not start": (
        "hasher.hashes", "hasher.locked in", "hasher.it dies", "hasher.nobody waits",
        "hasher.nonsense"),
    "openat2": ("files.which file",),
    "TCP_INFO and SO_DOMAIN, which tell how a connection stands": (
        "net_bounds.unsent bytes", "net_bounds.the receive buffer",
        "net_bounds.what comes in while it is held", "session.a page to a slow reader",
        "sockets.an address leaves", "sockets.an address comes back"),
    "ptrace": ("spent.stopped_anywhere",),
    "a /proc of its own: it tells the emulator's memory": (
        "roster.what is long", "tls_ticket.memory forgets old seeds and keys"),
    "the speed that a bar of time wants": ("shape_limits.large messages in small pieces",
                                           "reactor_turn.timers",
                                           "dial_names.silent addresses"),
    "an end of messages with more descriptors than fit": ("control.more descriptors",),
}


def unit_tests(machine, source, program):
    """Runs the tests as a machine would: with /proc, /dev and the names of /etc/hosts."""
    machine.path("/etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    left_out = [test for tests in LEFT_OUT.values() for test in tests]
    root = shlex.quote(str(machine.root))
    # The shell stays, so that the program is not process 1, which ignores the signals of its tests.
    inside = "cd %s; qemu-aarch64-static %s %s; status=$?; exit $status" % (source, program,
                                                                          shlex.join(left_out))
    script = ("mount -t proc proc %s/proc && mount --rbind /dev %s/dev && chroot %s sh -c %s"
              % (root, root, root, shlex.quote(inside)))
    for reason, tests in LEFT_OUT.items():
        print("left out, for qemu has not %s: %s" % (reason, ", ".join(tests)), flush=True)
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child",
                           "--propagation", "private", "sh", "-ec", script], env=PATH,
                          stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=TIMEOUT,
                          check=False).returncode


def main():
    need_root()
    folder, tarball, version = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]
    suite = sys.argv[4] if len(sys.argv) > 4 else "bookworm"
    folder.mkdir(parents=True, exist_ok=True)
    machine = Machine(make_root(folder, suite, "arm64", PACKAGES, "dpkg --add-architecture arm64"))
    run("tar", "-x", "-f", str(tarball), "-C", str(machine.path("/root")))
    source, program = "/root/sluice-" + version, "build/arm64/release/unit"
    machine.sh("cd %s && rm -rf build/arm64/release && make deps ARCH=arm64 && "
               "make -j2 ARCH=arm64 WERROR=1 all %s" % (source, program), timeout=TIMEOUT)
    print("built " + machine.said("cd %s && qemu-aarch64-static build/arm64/sluice --version"
                                  % source), flush=True)
    return unit_tests(machine, source, program)


try:
    sys.exit(main())
except Failed as error:
    sys.exit("arm64-test: %s" % error)
