#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the same random request heads to sluice, to Node's HTTP server and ws, nginx and HAProxy.

Where sluice alone takes or alone refuses a head, where ws judges a legal request in another way, or
where another server understands another host or target, explained.py must say why. A test is one
kind of heads (heads.py). --show NUMBER prints what each made of one head.
"""

import argparse
import collections
import os
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import explained  # noqa: E402
import heads  # noqa: E402
import servers  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 4000
SHOWN_FAILURES = 5
SHOWN_BYTES = 1200


def environment():
    """Returns an environment with the places of Debian's and `make test-deps`' Node modules."""
    root = os.path.dirname(os.path.dirname(HERE))
    places = ["/usr/share/nodejs", os.path.join(root, "build/node/node_modules"),
              os.environ.get("NODE_PATH", "")]
    return {**os.environ, "NODE_PATH": ":".join(filter(None, places))}


def encode(made):
    return b"".join(struct.pack("<II", len(head.data), head.cut) + head.data for head in made)


def ask(command, data):
    """Returns the lines of a program that prints one for each head."""
    done = subprocess.run(command, input=data, capture_output=True, env=environment())
    if done.returncode:
        print("%s ended with %d\n%s" % (command[0], done.returncode,
                                        done.stderr.decode("utf-8", "replace")))
        print("0 passed, 1 failed", flush=True)
        sys.exit(1)
    return done.stdout.decode("latin-1").splitlines()


def verdicts(options, started, made):
    """Returns for each head the four verdicts, sluice's first."""
    data = encode(made)
    of_sluice = ask([options.check], data)
    of_node = ask(["node", os.path.join(HERE, "node.js")], data)
    of_servers = started.ask([head.data for head in made])
    assert len(of_sluice) == len(of_node) == len(of_servers) == len(made), "a head got lost"
    return [(explained.of_sluice(ours), explained.of_node(node), explained.of_server(nginx),
             explained.of_server(haproxy))
            for ours, node, (nginx, haproxy) in zip(of_sluice, of_node, of_servers)]


def show(number, head, of_all, found):
    print("    head %d: %s, cut at %d" % (number, head.kind, head.cut))
    print("      %r" % head.data[:SHOWN_BYTES])
    for name, verdict in zip(("sluice", "node", "nginx", "haproxy"), of_all):
        print("      %-8s %s" % (name, verdict))
    print("      %s" % ", ".join("%s: %s" % (what, name or "UNEXPLAINED") for what, name in found))


class Count:
    """The results of one kind of heads."""

    def __init__(self):
        self.heads, self.differ, self.failures = 0, 0, []


def run_batch(options, started, numbers, counts, totals):
    made = [heads.make(options.seed, number) for number in numbers]
    for number, head, of_all in zip(numbers, made, verdicts(options, started, made)):
        found = explained.judge(head.data, *of_all)
        count = counts[head.kind]
        count.heads += 1
        count.differ += bool(found)
        for _, name in found:
            totals[name or "unexplained"] += 1
        totals["outcome: " + of_all[0].outcome] += 1
        if any(name is None for _, name in found):
            count.failures.append((number, head, of_all, found))
        if options.show is not None or any(name == options.find for _, name in found):
            show(number, head, of_all, found)


def report(counts):
    """Prints one line for each kind. Returns how many kinds failed."""
    failed = 0
    for kind, count in counts.items():
        if not count.failures:
            print("ok heads.%s: %d heads, %d with explained differences" % (
                kind, count.heads, count.differ))
            continue
        failed += 1
        print("FAIL heads.%s: %d of %d heads differ without an explanation" % (
            kind, len(count.failures), count.heads))
        for failure in count.failures[:SHOWN_FAILURES]:
            show(*failure)
    return failed


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", default="build/release/heads_check", metavar="PATH",
                         help="sluice's parser: check.c")
    options.add_argument("--heads", type=int, default=2000, metavar="N", help="how many (2000)")
    options.add_argument("--seed", type=int, default=1, metavar="N", help="another set of heads")
    options.add_argument("--show", type=int, metavar="NUMBER", help="what each made of one head")
    options.add_argument("--find", default="", metavar="CLASS",
                         help="prints the heads whose difference has this name")
    options = options.parse_args()
    began = time.monotonic()
    totals, counts = collections.Counter(), collections.defaultdict(Count)
    numbers = (range(options.heads) if options.show is None
               else range(options.show, options.show + 1))
    with tempfile.TemporaryDirectory(prefix="sluice-heads-") as directory:
        started = servers.Servers(directory)
        try:
            for at in range(0, len(numbers), BATCH):
                run_batch(options, started, numbers[at:at + BATCH], counts, totals)
        finally:
            started.stop()
    failed = report(counts)
    for name, number in sorted(totals.items()):
        print("%s %d" % (name, number))
    print("%.1f s" % (time.monotonic() - began))
    print("%d passed, %d failed" % (len(counts) - failed, failed), flush=True)
    return 1 if failed or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
