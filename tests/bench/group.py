# SPDX-License-Identifier: GPL-3.0-or-later
"""A memory cgroup that only the proxy is in: what a container's limit would count.

The kernel charges to the cgroup of a process the objects that it opens (sockets, files, entries of
epoll) and what waits in its sockets. Sockets that it accepts count since Linux 6.13; before, the
kernel makes them at nobody's charge. Version 1 and version 2 of the controller are known; making a
cgroup needs root.
"""
import os
import re
from pathlib import Path

import machine

ROOT = Path("/sys/fs/cgroup")


def _parent():
    """Returns the directory in which a memory cgroup can be made, or None."""
    if (ROOT / "memory" / "memory.kmem.usage_in_bytes").exists():
        return ROOT / "memory"
    if "memory" in machine.read(ROOT / "cgroup.subtree_control").split():
        return ROOT
    return None


def missing():
    """Says why there can be no cgroup, or returns an empty text."""
    parent = _parent()
    if parent is None:
        return "the machine has no memory controller of cgroups"
    return "" if os.access(parent, os.W_OK) and os.geteuid() == 0 else "it needs root"


class Group:
    def __init__(self):
        self.path = _parent() / f"sluice-bench-{os.getpid()}"
        self.path.mkdir(exist_ok=True)
        limit = self.path / "memory.kmem.tcp.limit_in_bytes"
        if limit.exists():  # without a limit, version 1 does not charge the sockets of accept()
            limit.write_text(str(1 << 40), encoding="ascii")

    def enter(self):
        """The calling process and its children are in it from now on."""
        (self.path / "cgroup.procs").write_text("0", encoding="ascii")

    def kernel_kib(self):
        """Returns what the kernel holds for the processes: its objects, and bytes in sockets."""
        if (self.path / "memory.kmem.usage_in_bytes").exists():
            return sum(int(machine.read(self.path / f"memory.kmem.{name}usage_in_bytes"))
                       for name in ("", "tcp.")) / 1024
        stat = machine.read(self.path / "memory.stat")
        return sum(int(number) for number in re.findall(r"^(?:kernel|sock) (\d+)$", stat,
                                                        re.MULTILINE)) / 1024

    def stop(self):
        """Removes it, once the last process has gone."""
        def is_gone():
            try:
                self.path.rmdir()
                return True
            except OSError:
                return False
        machine.wait_for(is_gone, 10, 0.1)
