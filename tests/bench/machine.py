# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says about this machine, about processes, and about what they use."""
import os
import platform
import re
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def cores():
    """Returns the proxy's core, the load's core, and one for a second worker of the proxy."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("bench: two cores are needed: one for the proxy, one for load and backend")
    return usable[0], usable[1], usable[2] if len(usable) > 2 else usable[0]


def raise_descriptors(wanted):
    """Tries to let this process and its children open so many descriptors. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((wanted, max(wanted, hard)), (min(wanted, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            return limits[0]
        except (ValueError, OSError):
            continue
    return soft


def read(path):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def describe():
    model = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = next((int(line.split()[1]) for line in read("/proc/meminfo").splitlines()
                   if line.startswith("MemTotal")), 0)
    return {"processor": model, "cores": len(os.sched_getaffinity(0)),
            "congestion": read("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
            "memory_mib": memory // 1024, "kernel": platform.release(),
            "system": next((line.split("=", 1)[1].strip('"')
                            for line in read("/etc/os-release").splitlines()
                            if line.startswith("PRETTY_NAME=")), platform.system())}


def commit(folder):
    """Returns the commit, with a + when the program's sources differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True,
                              check=False).stdout.strip()
    name = git("rev-parse", "--short=10", "HEAD")
    return (name + ("+" if git("status", "--porcelain", "--", "proxy", "Makefile") else "")
            if name else "unknown")


def _stat(pid):
    """Returns the fields of /proc/PID/stat from the state on, or None."""
    text = read(f"/proc/{pid}/stat")
    return text[text.rindex(")") + 2:].split() if ")" in text else None


def tree(root):
    """Returns the process ids of `root`, of its descendants and of its session."""
    parents, found = {}, set()
    for entry in os.listdir("/proc"):
        fields = _stat(entry) if entry.isdigit() else None
        if fields:
            parents[int(entry)] = int(fields[1])
            if int(fields[3]) == root:
                found.add(int(entry))
    found |= {root} & set(parents)
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return sorted(found)


def cpu_ns(root):
    """Returns the user and system time of a process tree, with the children that have ended.

    The kernel tells nanoseconds of living threads, and ticks of children that have ended.
    """
    total = 0
    for pid in tree(root):
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            text = read(f"/proc/{pid}/task/{task}/schedstat").split()
            total += int(text[0]) if text else 0
        fields = _stat(pid)
        if fields:
            total += (int(fields[13]) + int(fields[14])) * TICK_NS
    return total


def pss_kib(root, what="Pss"):
    """Returns the memory of a process tree. Pages that processes share count once. Pss_Anon leaves
    out the pages of files, whose part falls when another process maps the same library."""
    return sum(pss_kib_of(pid, what) for pid in tree(root))


def pss_kib_of(pid, what="Pss"):
    """Returns the same of one process alone."""
    return sum(int(line.split()[1]) for line in read(f"/proc/{pid}/smaps_rollup").splitlines()
               if line.startswith(f"{what}:"))


def socket_kib(port, backend_port):
    """Returns the kernel's memory for the sockets of a proxy that listens on `port`: of all its
    connections to clients and to this backend, what waits in both directions (r, w), what is
    allocated ahead (f), and options and ancillary data (o), as `ss -m` tells them."""
    text = subprocess.run(["ss", "-tmnHO", "state", "established",
                           f"( sport = :{port} or dport = :{backend_port} )"],
                          check=True, capture_output=True, text=True).stdout
    total = 0
    for found in re.finditer(r"skmem:\(([^)]*)\)", text):
        numbers = dict(re.fullmatch(r"([a-z]+)(\d+)", part).groups()
                       for part in found.group(1).split(","))
        for name in "rwfo":
            number = int(numbers[name])
            total += number - (1 << 32 if number >= 1 << 31 else 0)  # f may be below zero
    return total / 1024


def tcp_kib():
    """Returns the memory of all TCP sockets of the machine."""
    found = re.search(r"^TCP:.* mem (\d+)", read("/proc/net/sockstat"), re.MULTILINE)
    return int(found.group(1)) * resource.getpagesize() / 1024 if found else 0


def settled(read_number, seconds, pause=0.5):
    """Returns the number as soon as it has stopped growing, at the latest after `seconds`."""
    end = time.monotonic() + seconds
    last, same = read_number(), 0
    while same < 3 and time.monotonic() < end:
        time.sleep(pause)
        now = read_number()
        same = same + 1 if now <= 1.01 * last else 0
        last = now
    return last


def descriptors(root):
    """Returns the open descriptors of each process below `root`, without `root` itself."""
    counts = {}
    for pid in tree(root):
        if pid != root:
            try:
                counts[pid] = len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
    return counts


def core_ticks(core):
    """Returns (busy, stolen, all) time of a core, in ticks."""
    for line in read("/proc/stat").splitlines():
        fields = line.split()
        if fields and fields[0] == f"cpu{core}":
            numbers = [int(text) for text in fields[1:9]]
            idle = numbers[3] + numbers[4]
            return sum(numbers[:7]) - idle, numbers[7], sum(numbers)
    return 0, 0, 0


def is_listening(address, port):
    wanted = f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"
    for line in read("/proc/net/tcp").splitlines()[1:]:
        fields = line.split()
        if fields[1] == wanted and fields[3] == "0A":
            return True
    return False


def wait_for(condition, seconds, pause=0.01):
    """Returns True as soon as the condition holds, and False after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
