#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what a handshake costs sluice with two versions of wolfSSL, for each group.

    tests/next_tls/cost.py --sluice build/next/sluice --before build/sluice \\
        --openssl build/next/openssl/openssl

OpenSSL's s_time opens connections, one after the other; the figure is the processor time of the
worker, divided by their number. The client decides about the group: it offers one. The rows take
turns, so that a busy machine delays all of them alike.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[0] = str(Path(__file__).resolve().parent.parent / "fixture")

import certs  # noqa: E402
import harness  # noqa: E402

GROUPS = ("X25519", "P-256", "X25519MLKEM768")
CONFIGURATION = """openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
Groups = %s
"""


def used_ns(pid):
    with open("/proc/%d/schedstat" % pid) as file:
        return int(file.read().split()[0])


def measure(t, program, openssl, group, seconds):
    """Returns the microseconds of a handshake; None: there is none with this group."""
    path = t.write(group + ".cnf", CONFIGURATION % group)
    worker = program.workers()[0]
    before = used_ns(worker)
    done = subprocess.run(
        [openssl, "s_time", "-connect", "127.0.0.1:%d" % program.ports["tls"][1], "-new",
         "-tls1_3", "-time", str(seconds)], env={**os.environ, "OPENSSL_CONF": path},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60)
    count = re.search(r"^(\d+) connections in \d+ real seconds", done.stdout, re.M)
    if done.returncode or not count or int(count.group(1)) < 10:
        return None
    return (used_ns(worker) - before) / int(count.group(1)) / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("--sluice", "--before", "--openssl"):
        parser.add_argument(name, required=True, metavar="PATH", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each sample")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-cost-")
    os.chmod(folder, 0o755)
    t = None
    try:
        harness.Settings.certificates = folder
        certs.make(folder)
        t = harness.Test(folder)
        programs = []
        for path in (options.before, options.sluice):
            harness.Settings.program = path
            version = t.run_program("--version")[1].strip()
            programs.append((version, t.gateway(r="backend = echo:")))
        samples = {}
        for number in range(options.rounds):
            for version, program in programs:
                for group in GROUPS:
                    cost = measure(t, program, options.openssl, group, options.seconds)
                    if cost is not None:
                        samples.setdefault((version, group), []).append(cost)
                        print("round %d, %s, %s: %.1f us" % (number + 1, version, group, cost),
                              file=sys.stderr, flush=True)
        for (version, group), costs in samples.items():
            print("%s, %s: %.1f us of processor time a handshake (%.1f to %.1f)" % (
                version, group, statistics.median(costs), min(costs), max(costs)))
        t.finish()
        t = None
    finally:
        if t:
            t.abandon()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
