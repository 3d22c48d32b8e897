#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures sluice beside HAProxy, nginx, lighttpd and websockify, on this machine in one run.

    run.py --sluice build/sluice --tools build/bench [--rounds N] [--quick] [-k PATTERN] [--check]
    run.py --check --from tests/bench/results/FILE.json

The program prints a line for each sample, then a Markdown table. It writes the table, all samples
(JSON) and a chart (SVG) into --out. With --check it exits 1 when a ratio of budgets.json is broken.
It needs two cores, and root or a hard limit of 20,000 descriptors. README.md in this folder tells
the rest.
"""
import argparse
import fnmatch
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import budgets  # noqa: E402
import chart  # noqa: E402
import group  # noqa: E402
import lines  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
from works import FIGURES, WORKS, Bench, Sample  # noqa: E402

HERE = Path(__file__).resolve().parent
QUICK_SECONDS = 100


class Progress:
    """Shows where the run is: in one line on a terminal, elsewhere in a line a sample."""

    def __init__(self, total):
        self.total = total
        self.done = 0
        self.begin = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def show(self, round_number, work, kind, text):
        self.done += 1
        left = (time.monotonic() - self.begin) / self.done * (self.total - self.done)
        line = (f"[{self.done}/{self.total}] round {round_number}, {work.key}, {kind.title}: {text}"
                f"; about {left / 60:.0f} min left")
        if self.is_terminal:
            width = shutil.get_terminal_size().columns
            print(f"\r\033[K{line[:width - 1]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def note(self, text):
        print(f"{chr(13) + chr(27) + '[K' if self.is_terminal else ''}{text}", file=sys.stderr,
              flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sluice", default="build/sluice")
    parser.add_argument("--before", help="measure this sluice too: what a change costs")
    parser.add_argument("--tools", default="build/bench", help="where load and backend are")
    parser.add_argument("--rounds", type=int, help="5, or 2 with --quick")
    parser.add_argument("--quick", action="store_true", help="fewer works, smaller, under 2 min")
    parser.add_argument("-k", dest="pattern", default="", help="works (or part*, or *part*)")
    parser.add_argument("--servers", default="", help="only these, comma-separated")
    parser.add_argument("--out", default=str(HERE / "results"))
    parser.add_argument("--check", action="store_true", help="against budgets.json")
    parser.add_argument("--from", dest="source", help="a result instead of a run")
    parser.add_argument("--short", action="store_true", help="with --from: the README's table")
    parser.add_argument("--list", action="store_true", help="the works")
    return parser.parse_args()


def chosen_works(arguments):
    patterns = [p if any(c in p for c in "*?[") else f"*{p}*"
                for p in arguments.pattern.split(",") if p]
    return [work for work in WORKS
            if (not patterns or any(fnmatch.fnmatch(work.key, p) for p in patterns)) and
            (patterns or not arguments.quick or work.quick > 0)]


def find_servers(arguments, results):
    """Returns (class, path) of the installed servers, and notes which others are missing."""
    wanted = [name for name in arguments.servers.split(",") if name]
    found = []
    ours = {servers.Sluice: arguments.sluice, servers.Before: arguments.before}
    for kind in servers.ALL:
        is_unwanted = not arguments.before if kind is servers.Before else (
            wanted and kind.name not in wanted)
        if is_unwanted:
            continue
        path = str(Path(ours[kind]).resolve()) if kind in ours else kind.find()
        if path is None or not os.access(path, os.X_OK):
            if kind in ours:
                sys.exit(f"bench: {ours[kind]} is not there; build it first")
            results["left_out"].append(f"{kind.title} is not installed")
            continue
        results["programs"][kind.name] = kind.version(path)
        found.append((kind, path))
    return found


def possible_works(works, kinds, folder, results):
    """Leaves out, and names, what this machine or this sluice cannot do."""
    reasons = {name: lines.missing(folder, name) for name in {w.line for w in works if w.line}}
    sluice = [path for kind, path in kinds if kind is servers.Sluice]
    knows_latency = bool(sluice) and servers.Sluice.knows(sluice[0], "latency")
    possible = []
    for work in works:
        if work.line and reasons[work.line]:
            results["left_out"].append(f"{work.key}: {reasons[work.line]}")
        elif work.is_grouped and group.missing():
            results["left_out"].append(f"{work.key}: {group.missing()}")
        elif work.latency and not knows_latency:
            results["left_out"].append(f"{work.key}: this sluice has no key `latency`")
        else:
            possible.append(work)
    return possible


def plan(works, kinds, limit, results):
    """Returns (round, work, kind) in order. Each round begins with another server."""
    steps = []
    is_quick = results["quick"]
    for number in range(1, results["rounds"] + 1):
        for work in works:
            able = [kind for kind in kinds if work.runs_on(kind, limit)]
            if not able and number == 1:
                results["left_out"].append(f"{work.key} needs more than {limit} descriptors, or "
                                           "a server that is not there")
            able = [kind for kind in able if work.is_due(kind, is_quick, number)]
            turn = number % len(able) if able else 0
            steps += [(number, work, kind) for kind in able[turn:] + able[:turn]]
    return steps


def describe_sample(work, sample):
    unit, digits = FIGURES[work.figures[0]]
    return f"{sample['figures'][work.figures[0]]:.{digits}f} {unit}"


def measure(bench, steps, results):
    progress = Progress(len(steps))
    for number, work, kind in steps:
        if results["quick"] and time.monotonic() - progress.begin > QUICK_SECONDS:
            results["left_out"].append(f"the last {len(steps) - progress.done} of {len(steps)} "
                                       "samples, to stay below two minutes")
            break
        try:
            sample = Sample(bench, work, kind).take()
        except servers.Failed as failure:
            results["errors"].append(f"round {number}, {work.key}, {kind.title}: {failure}")
            progress.note("FAILED " + results["errors"][-1])
            progress.show(number, work, kind, "failed")
            continue
        results["samples"].append({"round": number, "work": work.key, "server": kind.name,
                                   **sample})
        progress.show(number, work, kind, describe_sample(work, sample))
    progress.note(f"{len(results['samples'])} samples in "
                  f"{(time.monotonic() - progress.begin) / 60:.1f} min")


def run(arguments):
    limit = machine.raise_descriptors(2 * servers.SESSIONS_MAX + 1000)
    proxy_core, load_core, second_core = machine.cores()
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    results = {"date": time.strftime("%Y-%m-%d %H:%M %z"), "commit": machine.commit(HERE),
               "quick": arguments.quick, "rounds": rounds, "machine": machine.describe(),
               "programs": {}, "left_out": [], "errors": [], "samples": []}
    kinds = find_servers(arguments, results)
    works = chosen_works(arguments)
    if not works:
        sys.exit("bench: no work has such a name")
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    try:
        folder.chmod(0o755)
        servers.make_certificate(folder)
        tools = Path(arguments.tools).resolve()
        bench = Bench(str(tools / "load"), str(tools / "backend"), str(folder), arguments.quick,
                      proxy_core, load_core, second_core,
                      {kind.name: path for kind, path in kinds})
        works = possible_works(works, kinds, str(folder), results)
        measure(bench, plan(works, [kind for kind, _ in kinds], limit, results), results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return results


def write(results, out):
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{results['date'][:16].replace(' ', '-').replace(':', '')}-{results['commit']}"
    text = report.markdown(results)
    (folder / f"{stem}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / f"{stem}.md").write_text(text, encoding="utf-8")
    (folder / f"{stem}.svg").write_text(chart.svg(results), encoding="utf-8")
    print(text)
    print(f"written: {folder / stem}.json, .md, .svg")


def main():
    arguments = parse_arguments()
    if arguments.list:
        for work in WORKS:
            print(f"{work.key:18} {work.title}")
        return 0
    # With these, the `finally` blocks run and stop what the program has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    if arguments.source:
        results = json.loads(Path(arguments.source).read_text(encoding="utf-8"))
        print(report.short(results) if arguments.short else report.markdown(results))
    else:
        results = run(arguments)
        write(results, arguments.out)
    status = 1 if results["errors"] else 0
    if arguments.check:
        status |= budgets.check_ratios(results)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
