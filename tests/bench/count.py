#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the instructions of the decoder, the unmasking and the way of a byte, with callgrind.

    count.py --tools build/bench [--check] [--write] [-k PATTERN]

The counts are the same in every run, however busy the machine is. Each line compares a count with
its budget in budgets.json; with --check a broken budget fails the run. --write makes the present
counts, plus 2 %, the budgets. They belong to one compiler, C library, wolfSSL and kind of
processor; elsewhere the program runs the paths and compares nothing. (valgrind knows no AVX-512,
and the program uses none.)
"""
import argparse
import fnmatch
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
FILE = Path(__file__).resolve().parent / "budgets.json"
MARGIN = 1.02
# By itself the C library copies long blocks with one instruction on some processors only.
ENVIRONMENT = {**os.environ, "LC_ALL": "C",
               "GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=0x40000000:"
                                 "glibc.cpu.x86_rep_stosb_threshold=0x40000000:"
                                 "glibc.cpu.x86_non_temporal_threshold=0x40000000"}


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT,
                          timeout=120)


def made_with(tools):
    """Returns what the counts depend on besides our sources."""
    binary = (Path(tools) / "count").read_bytes()
    compiler = re.search(rb"GCC: \([^)]*\) (\d+\.\d+)", binary)
    wolfssl = run([str(Path(tools) / "count"), "--library"]).stdout.strip()
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    has_avx2 = re.search(r"^flags\s.*\bavx2\b.*\baes\b|^flags\s.*\baes\b.*\bavx2\b", cpu, re.M)
    return {"compiler": f"gcc {compiler.group(1).decode()}" if compiler else "another",
            "libc": " ".join(platform.libc_ver()), "wolfssl": wolfssl,
            "processor": platform.machine() + (" avx2 aes" if has_avx2 else "")}


def count(tools, name):
    """Returns (instructions for each unit, the unit), or (None, what went wrong)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        result = run(["valgrind", "--tool=callgrind", "--collect-atstart=no",
                      "--toggle-collect=count_step", "--toggle-collect=kernel_copy",
                      f"--callgrind-out-file={out}", str(Path(tools) / "count"), name])
        words = result.stdout.split(maxsplit=1)
        if result.returncode != 0 or len(words) != 2 or not out.exists():
            return None, (result.stderr.strip().splitlines() or ["no output"])[-1]
        total = re.search(r"^(?:totals|summary): (\d+)", out.read_text(encoding="utf-8"), re.M)
        if not total or int(total.group(1)) == 0:
            return None, "callgrind counted nothing"
        return int(total.group(1)) / int(words[0]), words[1].strip()


def write(budgets, environment, counts):
    """Writes each entry on a line of its own, so that a diff shows one line for one change."""
    old = budgets.get("counts", {})
    most = dict(old.get("at_most", {})) if old.get("made_with") == environment else {}
    most.update({name: round(value * MARGIN, 1) for name, value in counts.items()})
    ratios = ",\n".join("    " + json.dumps(ratio) for ratio in budgets["ratios"])
    lines = ",\n".join(f"      {json.dumps(name)}: {value}" for name, value in most.items())
    FILE.write_text(f'{{\n  "ratios": [\n{ratios}\n  ],\n  "than_before": '
                    f'{budgets["than_before"]},\n  "counts": {{\n'
                    f'    "made_with": {json.dumps(environment)},\n    "at_most": {{\n{lines}\n'
                    "    }\n  }\n}\n", encoding="utf-8")


def judge(name, value, text, most, is_comparable):
    """Returns (has passed, the line to print)."""
    if value is None:
        return False, f"FAIL {name:16} {text}"
    line = f"{name:16} {value:12,.1f} instructions for a {text}"
    if not is_comparable:
        return True, f"ok   {line} (not compared)"
    if most is None:
        return False, f"FAIL {line}: it has no budget; --write makes one"
    is_kept = value <= most
    return is_kept, (f"{'ok  ' if is_kept else 'FAIL'} {line}, budget {most:,.1f}"
                     f" ({value / most - 1:+.1%})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tools", default="build/bench", help="where the program `count` is")
    parser.add_argument("--check", action="store_true", help="against budgets.json")
    parser.add_argument("--write", action="store_true", help="into budgets.json, plus 2 %%")
    parser.add_argument("-k", dest="pattern", default="*")
    arguments = parser.parse_args()
    names = fnmatch.filter(run([str(Path(arguments.tools) / "count"), "--list"]).stdout.split(),
                           arguments.pattern)
    budgets = json.loads(FILE.read_text(encoding="utf-8"))
    environment = made_with(arguments.tools)
    known = budgets.get("counts", {})
    is_comparable = known.get("made_with") == environment
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(names, pool.map(lambda name: count(arguments.tools, name), names)))
    if not is_comparable:
        print(f"the budgets were made with {known.get('made_with')}, this is {environment}")
    passed, failed = 0, 0
    for name, (value, text) in found.items():
        is_good, line = judge(name, value, text, known.get("at_most", {}).get(name),
                              is_comparable and not arguments.write)
        passed += is_good
        failed += not is_good
        print(line)
    if arguments.write and not failed:
        write(budgets, environment, {name: value for name, (value, _) in found.items()})
        print(f"written: {FILE}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed and (arguments.check or arguments.write) or not found else 0


if __name__ == "__main__":
    sys.exit(main())
