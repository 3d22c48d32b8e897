# SPDX-License-Identifier: GPL-3.0-or-later
"""`sluice --to HOST:PORT --files DIR`: one command, and a desktop is in the browser."""

import os
import re
import shutil

from cases_examples import NOVNC
from desktop import Desktop
from harness import Skip, case, equal, wait_until

# The size of the screen, and whether something was painted in its middle.
SCREEN = """const canvas = document.querySelector('canvas');
    if (!canvas) return null;
    const middle = canvas.getContext('2d').getImageData(320, 200, 1, 1).data;
    return [canvas.width, canvas.height, middle[3]];"""


@case(timeout=120)
def desktop(t):
    """The browser opens what the program prints, and types nothing."""
    assert shutil.which("Xtigervnc") and os.path.isdir(NOVNC), "apt-get install novnc tigervnc"
    if "| `files` |" not in t.run_program("--keys")[1]:
        raise Skip("this program serves no files")
    p = t.start_with(["--to", "localhost:%d" % Desktop(t).port, "--files", NOVNC,
                      "--listen", "127.0.0.1:0"])
    found = wait_until(lambda: re.search(r"open  (https://\S+)", p.output.text()), "the URL")
    t.browser.go(found.group(1))
    wait_until(lambda: t.browser.run(SCREEN) == [640, 400, 255], "a screen of 640 x 400", 30)
    t.browser.run("document.getElementById('noVNC_disconnect_button').click()")
    line = p.log.wait("session.end", ending="client_close")[0]
    equal(line["route"], "websockify", "the route")
    assert int(line["down_bytes"]) > 100, line
