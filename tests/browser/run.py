#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the browser cases: the program and its page in headless Chromium. Standard library only.

One Chromium serves all cases, one after the other; after a case that failed the next one gets a
new one. Exit code 0 only if at least one case ran and none failed.
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

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "integration"))
sys.dont_write_bytecode = True

import certs
import harness
import pages
import webdriver

PR_SET_CHILD_SUBREAPER = 36


class BrowserTest(harness.Test):
    """One run of one case: what the integration cases get, and a browser."""

    def __init__(self, directory, browser):
        super().__init__(directory)
        self.browser = browser

    def site(self, is_tls=True):
        """A web server for the cases' page; each has an origin of its own."""
        site = pages.Site(*(self.certificate() if is_tls else ()))
        self.cleanup(site.close)
        return site

    def page(self, site=None):
        return pages.Page(self.browser, site or self.site())

    def demo(self, port=0):
        """A running `sluice --demo`; its page is at https://127.0.0.1:PORT/."""
        return self.start_with(["--demo", "--listen", "127.0.0.1:%d" % port], stop_timeout=45.0)


class Late(BaseException):
    """A case took too long; no handler of the case's own shall catch it."""


def on_alarm(*_):
    raise Late("it did not end in time")


def run_case(case, browser, base):
    """None, or what went wrong as text."""
    directory = tempfile.mkdtemp(dir=base)
    os.chmod(directory, 0o755)
    test = BrowserTest(directory, browser)
    signal.alarm(int(case.timeout * harness.scale()))
    try:
        browser.go("about:blank")
        browser.console()
        case.function(test, *case.arguments)
        browser.go("about:blank")
        browser.show_plainly()
        test.finish()
        return None
    except KeyboardInterrupt:
        test.abandon()
        raise
    except BaseException:
        signal.alarm(0)
        text = traceback.format_exc()
        try:
            text += "--- the console\n" + "".join("%s %s\n" % line for line in browser.console())
        except Exception as error:
            text += "--- no console: %s\n" % error
        test.abandon()
        for program in test.programs:
            text += "--- the log of the program\n%s\n" % program.log.text()[-8000:]
        return text
    finally:
        signal.alarm(0)
        shutil.rmtree(directory, ignore_errors=True)


class Suite:
    """Runs cases in one browser as long as it is to be trusted."""

    def __init__(self, base):
        self.base, self.browser = base, None

    def fresh(self):
        if self.browser is None:
            directory = tempfile.mkdtemp(prefix="chromium-", dir=self.base)
            self.browser = webdriver.Browser(directory)
        return self.browser

    def end(self):
        if self.browser:
            self.browser.stop()
            self.browser = None
        end_children()

    def run(self, cases):
        failed = []
        for case in cases:
            began = time.monotonic()
            try:
                error = run_case(case, self.fresh(), self.base)
            except (OSError, webdriver.BrowserError):
                error = traceback.format_exc()
            seconds = time.monotonic() - began
            if error is None:
                print("ok %s (%.1f s)" % (case.name, seconds), flush=True)
                continue
            failed.append(case.name)
            print("FAIL %s (%.1f s)" % (case.name, seconds))
            print("".join("    %s\n" % line for line in error.splitlines()), flush=True)
            self.end()
        for name in failed:
            print("failed: " + name)
        print("%d passed, %d failed" % (len(cases) - len(failed), len(failed)), flush=True)
        return 0 if cases and not failed else 1


def children(pid):
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        pass
    return found


def end_children():
    """Chromium's processes that outlived it: they became ours, and only ours are ended."""
    while left := [pid for child in children(os.getpid()) for pid in [child, *children(child)]]:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def load_cases(pattern):
    for path in sorted(glob.glob(os.path.join(HERE, "cases_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    return [c for c in harness.CASES if pattern in c.name]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sluice", default="build/sluice", metavar="PATH", help="the program")
    options.add_argument("-k", default="", metavar="PATTERN", help="cases with this in the name")
    options.add_argument("--list", action="store_true", help="print the names of the cases")
    options.add_argument("--screenshot", metavar="DIR",
                         help="run no case; save pictures of the demo page there")
    options = options.parse_args()
    cases = load_cases(options.k)
    if options.list:
        print("\n".join(c.name for c in cases))
        return 0
    harness.Settings.program = os.path.abspath(options.sluice)
    with open(harness.Settings.program, "rb") as file:
        harness.Settings.is_asan = b"__asan_init" in file.read()
    if options.screenshot:
        import cases_demo
        os.makedirs(options.screenshot, exist_ok=True)
        cases = [harness.Case("screenshots", cases_demo.take_pictures,
                              (os.path.abspath(options.screenshot),), 120, False)]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, on_alarm)
    base = tempfile.mkdtemp(prefix="sluice-browser-")
    os.chmod(base, 0o755)
    suite = Suite(base)
    try:
        harness.Settings.certificates = base
        certs.make(base)
        return suite.run(cases)
    finally:
        suite.end()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
