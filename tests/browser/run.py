#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the browser cases: the program and its page in headless Chromium, or in Firefox."""

import os
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent / "fixture")

import harness  # noqa: E402
import marionette  # noqa: E402
import pages  # noqa: E402
import runner  # noqa: E402
import webdriver  # noqa: E402


# These cases look at the console and at how the page is shown, start a browser of their own, or
# are about what Chromium does.
CHROMIUM_ONLY = ("certificates.", "compose.", "demo.", "files.", "link.", "local_network.",
                 "status.")


class BrowserTest(harness.Test):
    """One run of one case: a case has what the integration cases have, and a browser."""

    def __init__(self, directory, browser):
        super().__init__(directory)
        self.browser = browser

    def site(self, is_tls=True, answers=()):
        """Starts a web server for the cases' page. Each server has an origin of its own."""
        certificate, key = self.certificate() if is_tls else (None, None)
        site = pages.Site(certificate, key, answers)
        self.cleanup(site.close)
        return site

    def page(self, site=None):
        return pages.Page(self.browser, site or self.site())

    def demo(self, port=0):
        """Starts `sluice --demo`. Its page is at https://127.0.0.1:PORT/."""
        return self.start_with(["--demo", "--listen", "127.0.0.1:%d" % port], stop_timeout=45.0)

    def begin(self):
        self.browser.go("about:blank")
        self.browser.console()

    def finish(self):
        self.browser.go("about:blank")
        self.browser.show_plainly()
        super().finish()

    def tell(self):
        try:
            print("--- the console")
            for line in self.browser.console():
                print(*line)
        except Exception as error:
            print("no console: %s" % error)
        super().tell()


class BrowserSuite(runner.Suite):
    """One browser serves all cases. After a failed case the next case gets a new browser."""

    jobs = most = 1
    browser = None

    def __init__(self, new_browser):
        super().__init__()
        self.new_browser = new_browser

    def new_test(self, directory):
        return BrowserTest(directory, self.browser)

    def prepare(self, base):
        if self.browser is None:
            self.browser = self.new_browser(tempfile.mkdtemp(prefix="browser-", dir=base))

    def settle(self, has_failed):
        if has_failed:
            self.stop()

    def stop(self):
        if self.browser:
            self.browser.stop()
            self.browser = None
        # Processes that outlive the browser become the runner's children. No case runs now.
        while left := runner.children(os.getpid()):
            for pid in left:
                runner.kill_tree(pid)


def main():
    parser = runner.new_parser(__doc__)
    parser.add_argument("--screenshot", metavar="DIR",
                        help="run no case; save pictures of the pages there")
    parser.add_argument("--firefox", action="store_true",
                        help="run in Firefox what needs no developer tools")
    options = parser.parse_args()
    cases = runner.load_cases(HERE)
    if options.screenshot:
        import cases_demo
        import cases_status
        os.makedirs(options.screenshot, exist_ok=True)
        folder = os.path.abspath(options.screenshot)
        cases = [harness.Case("pictures." + module.__name__, module.take_pictures, (folder,), 240,
                              False) for module in (cases_demo, cases_status)
                 if options.k in "pictures." + module.__name__]
    new_browser = webdriver.Browser
    if options.firefox:
        cases = [c for c in cases if not c.name.startswith(CHROMIUM_ONLY)]
        new_browser = marionette.Firefox
    runner.become_subreaper()
    return runner.main(BrowserSuite(new_browser), cases, options)


if __name__ == "__main__":
    sys.exit(main())
