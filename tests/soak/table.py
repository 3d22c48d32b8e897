#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the table of a soak in Markdown, also while it runs: table.py DIRECTORY (of --keep)."""

import json
import os
import sys


def oldest(lows, which):
    """Returns the samples of the process of that kind that lived through most low tides."""
    lives = {}
    for low in lows:
        for pid, process in low["processes"].items():
            if process["role"].startswith(which):
                lives.setdefault(pid, []).append((low, process))
    return max(lives.values(), key=len)


def together(sample, which, field):
    return sum(p[field] for p in sample["processes"].values() if p["role"].startswith(which))


def newest_master(sample, field):
    """The processes come from the first one down."""
    return [p[field] for p in sample["processes"].values() if p["role"] == "master"][-1]


def print_table(samples):
    lows = [sample for sample in samples if sample["kind"] == "low"]
    highs = [sample for sample in samples if sample["kind"] == "high"]
    worker, master = oldest(lows, "worker"), oldest(lows, "master")
    worker = worker[1:] or worker  # before its second low tide its tables still grow
    at = [low["cycle"] + 1 for low, _ in worker]

    def allocated(row):
        return row[0]["allocated"].get(row[1]["role"].removeprefix("worker "), 0) / 1024

    def threads(low):
        return "/".join(sorted({str(p["threads"]) for p in low["processes"].values()}))

    full = max(highs, key=lambda high: high["sessions"])
    rows = [
        ("memory of the worker that lived longest (tide %d, tide %d), KiB" % (at[0], at[-1]),
         worker[0][1]["anon"], worker[-1][1]["anon"]),
        ("of that what its sessions and tables allocated, KiB",
         "%.1f" % allocated(worker[0]), "%.1f" % allocated(worker[-1])),
        ("memory of the first master, KiB", master[0][1]["anon"], master[-1][1]["anon"]),
        ("descriptors of all workers", *(together(low, "worker", "fds")
                                         for low in (lows[0], lows[-1]))),
        ("descriptors of the newest master", *(newest_master(low, "fds")
                                               for low in (lows[0], lows[-1]))),
        ("threads of each process", threads(lows[0]), threads(lows[-1])),
        ("TCP sockets in the kernel", lows[0]["kernel"].get("inuse"),
         lows[-1]["kernel"].get("inuse")),
        ("sessions that `/metrics` counts, besides the one that asks",
         *(int(low["sessions"]) - 1 for low in (lows[0], lows[-1]))),
    ]
    print("| at low tide | first | last |\n|---|---|---|")
    for row in rows:
        print("| %s | %s | %s |" % row)
    pages = samples[-1]["pages"]
    print("\n%d s, %d low tides; %d pages, %d sessions, at most %d at once; %d ended by events, "
          "%d wrongly;\nat %d sessions all workers together: %d KiB, %d descriptors" % (
              samples[-1]["at"], len(lows), pages["begun"], pages["opened"], pages["most"],
              sum(pages["excused"].values()), pages["failed"], full["sessions"],
              together(full, "worker", "anon"), together(full, "worker", "fds")))


def main():
    with open(os.path.join(sys.argv[1], "samples.jsonl"), encoding="ascii") as file:
        print_table([json.loads(line) for line in file])


if __name__ == "__main__":
    main()
