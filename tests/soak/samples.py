# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes of the gateway hold at one moment: memory, descriptors, threads."""

import collections
import os


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def memory(pid):
    """Returns KiB: what is the process's own (anonymous), and all that is resident."""
    fields = {}
    for line in read("/proc/%d/smaps_rollup" % pid).splitlines()[1:]:
        name, _, value = line.partition(":")
        fields[name] = int(value.split()[0])
    return {"anon": fields["Anonymous"], "rss": fields["Rss"], "pss": fields["Pss"]}


def descriptors(pid):
    """Returns {kind: count}."""
    kinds = collections.Counter()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:
            continue
        kinds[target.split(":")[0] if ":" in target else os.path.basename(target)] += 1
    return dict(kinds)


def process(pid):
    status = dict(line.split(":\t", 1) for line in read("/proc/%d/status" % pid).splitlines()
                  if ":\t" in line)
    sample = memory(pid)
    sample["kinds"] = descriptors(pid)
    sample["fds"] = sum(sample["kinds"].values())
    sample["threads"] = int(status["Threads"])
    sample["is_zombie"] = status["State"].startswith("Z")
    return sample


def all_processes(gateway):
    """Returns {pid: sample with its role}. Processes that end meanwhile are left out."""
    found, tree = {}, gateway.tree()
    parents = set(tree.values())
    for pid in tree:
        try:
            sample = process(pid)
        except (OSError, KeyError, ValueError):
            continue
        seat = gateway.seats.get(pid)
        sample["role"] = ("master" if seat is None and (pid in parents or tree[pid] == 0)
                          else "helper" if seat is None else "worker %d" % seat)
        found[pid] = sample
    return found


def kernel():
    """Returns what the network namespace holds of TCP sockets, and their memory in pages."""
    for line in read("/proc/net/sockstat").splitlines():
        if line.startswith("TCP:"):
            words = line.split()
            return {words[i]: int(words[i + 1]) for i in range(1, len(words), 2)}
    return {}
