#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the pictures that the documentation shows, config/screenshots/NAME.png, anew: the demo
page and the status page with live sessions, in headless Chromium."""

import os
import sys
import time

import run  # puts tests/fixture in front

sys.path.append(str(run.HERE))
import cases_demo  # noqa: E402
import cases_status  # noqa: E402
import harness  # noqa: E402
import runner  # noqa: E402
import webdriver  # noqa: E402
from harness import wait_until  # noqa: E402
from services import ROOT  # noqa: E402

FOLDER = os.path.join(ROOT, "config", "screenshots")
WIDTH = 1200
LARGEST = 150 * 1024  # bytes


def save(t, name, tallest):
    """Saves the page as far as `tallest` pixels."""
    path = os.path.join(FOLDER, name + ".png")
    whole = min(tallest, t.browser.run("return document.documentElement.scrollHeight"))
    t.browser.show_as(WIDTH, whole, "light")
    wait_until(lambda: t.browser.run("return innerHeight") == whole, "the size")
    t.browser.run("document.activeElement.blur(); scrollTo(0, 0);"
                  " document.documentElement.style.scrollbarWidth = 'none';")
    time.sleep(1)  # the plots are drawn anew
    t.browser.screenshot(path)
    size = os.path.getsize(path)
    assert size <= LARGEST, "%s has %d bytes" % (path, size)
    print("%s: %d bytes" % (os.path.relpath(path, ROOT), size))


def demo(t):
    """Checks that ran, an echo of each kind, and a refusal that is explained."""
    t.browser.show_as(WIDTH, 800, "light")
    page = cases_demo.Demo(t)
    page.opens("/echo", "binary")
    page.browser.click("flood")
    page.wait_log("came back intact", 60)
    time.sleep(5)
    page.browser.click("flood")
    wait_until(lambda: page.field("log").count("came back intact") == 2, "the second check", 60)
    page.browser.click("send-text")
    page.wait_log("\u2190 text")
    page.browser.click("send-binary")
    page.wait_log("\u2190 binary")
    page.browser.click("close")
    page.closed_with(1000, cases_demo.NO_REASON)
    page.connect("/refused", "binary")
    page.closed_with(1008, "origin not allowed")
    page.browser.run("document.querySelectorAll('#routes button')[2].click()")
    time.sleep(3)
    save(t, "demo", 912)


def status(t):
    """Refusals, paused sessions, plots of most of a minute, and the sessions."""
    t.browser.show_as(WIDTH, 800, "light")
    scene = cases_status.Scene(t)
    scene.page.open()
    cases_status.wait_full(scene.page)
    time.sleep(45)
    save(t, "status", 870)


def main():
    options = runner.new_parser(__doc__).parse_args()
    os.makedirs(FOLDER, exist_ok=True)
    cases = [harness.Case("screenshots." + take.__name__, take, (), 240, False)
             for take in (demo, status) if options.k in "screenshots." + take.__name__]
    runner.become_subreaper()
    return runner.main(run.BrowserSuite(webdriver.Browser), cases, options)


if __name__ == "__main__":
    sys.exit(main())
