#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the integration cases: the program on real sockets. Python's standard library only.

Each case runs in a process of its own, a few at a time; cases that want the machine for
themselves run last, one by one. Exit code 0 only if at least one case ran and none failed.
"""

import argparse
import ctypes
import glob
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True

import certs  # noqa: E402
import harness  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
SKIPPED = 77


class Run:
    """One case in a child process."""

    def __init__(self, case, base):
        self.case = case
        self.dir = tempfile.mkdtemp(prefix=case.name.replace("/", "_") + "-", dir=base)
        os.chmod(self.dir, 0o755)
        self.output = os.path.join(self.dir, "output")
        self.began = time.monotonic()
        self.is_late = False
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(self.child())

    def child(self):
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        fd = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        code = run_case(self.case, self.dir)
        sys.stdout.flush()
        return code

    def poll(self):
        """None while it runs, else its exit code (negative: killed)."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if not self.is_late and time.monotonic() - self.began > self.case.timeout * harness.scale():
            self.is_late = True
            kill_tree(self.pid)
        return None

    def report(self, code):
        """Prints the verdict; returns "passed", "failed" or "skipped"."""
        seconds = time.monotonic() - self.began
        with open(self.output, encoding="utf-8", errors="replace") as file:
            output = file.read()
        if code == 0:
            print("ok %s (%.1f s)%s" % (self.case.name, seconds, note(output)), flush=True)
            return "passed"
        if code == SKIPPED:
            print("skip %s: %s" % (self.case.name, output.strip()), flush=True)
            return "skipped"
        print("FAIL %s (%.1f s)" % (self.case.name, seconds))
        if self.is_late:
            print("    it did not end in time")
        print("".join("    %s\n" % line for line in output.splitlines()), flush=True)
        return "failed"


def note(output):
    """What a case that passed has to say: figures."""
    return "".join("; " + line for line in output.splitlines())


def run_case(case, directory):
    test = harness.Test(directory)
    try:
        case.function(test, *case.arguments)
        test.finish()
        left = children(os.getpid())
        assert not left, "processes are left: %r" % left
        return 0
    except harness.Skip as why:
        test.abandon()
        print(why)
        return SKIPPED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        test.abandon()
        for program in test.programs:
            log = program.log.text().splitlines()
            print("--- the log of the program, %d lines" % len(log))
            print("\n".join(log if len(log) <= 80 else log[:30] + ["..."] + log[-50:]))
        for pid in children(os.getpid()):
            kill_tree(pid)
        return 1


def children(pid):
    """Living children of a process as (pid, name); those that have ended are collected."""
    if pid == os.getpid():
        collect()
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        pass
    return found


def collect():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_tree(pid):
    """A process that we started and everything below it."""
    for child in children(pid) if pid != os.getpid() else []:
        kill_tree(child)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_all(cases, base, jobs):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    waiting = [c for c in cases if not c.is_alone] + [c for c in cases if c.is_alone]
    running, failed = [], []
    while waiting or running:
        while waiting and len(running) < jobs:
            if running and (waiting[0].is_alone or running[0].case.is_alone):
                break
            running.append(Run(waiting.pop(0), base))
        time.sleep(0.01)
        for run in list(running):
            code = run.poll()
            if code is None:
                continue
            running.remove(run)
            verdict = run.report(code)
            counts[verdict] += 1
            if verdict == "failed":
                failed.append(run.case.name)
            shutil.rmtree(run.dir, ignore_errors=True)
    for name in failed:
        print("failed: " + name)
    if counts["skipped"]:
        print("%(skipped)d skipped" % counts)
    print("%(passed)d passed, %(failed)d failed" % counts, flush=True)
    return 0 if counts["passed"] and not counts["failed"] else 1


def load_cases(pattern):
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "cases_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    names = [c.name for c in harness.CASES]
    assert len(names) == len(set(names)), "two cases have one name"
    return [c for c in harness.CASES if pattern in c.name]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sluice", default="build/sluice", metavar="PATH", help="the program")
    options.add_argument("-k", default="", metavar="PATTERN", help="cases with this in the name")
    options.add_argument("--list", action="store_true", help="print the names of the cases")
    options.add_argument("-j", type=int, default=4, metavar="N", help="cases at a time")
    options = options.parse_args()
    cases = load_cases(options.k)
    if options.list:
        print("\n".join(c.name for c in cases))
        return 0
    harness.Settings.program = os.path.abspath(options.sluice)
    with open(harness.Settings.program, "rb") as file:
        harness.Settings.is_asan = b"__asan_init" in file.read()
    base = tempfile.mkdtemp(prefix="sluice-test-")
    os.chmod(base, 0o755)
    try:
        harness.Settings.certificates = base
        certs.make(base)
        return run_all(cases, base, options.j)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
