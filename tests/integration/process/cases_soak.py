# SPDX-License-Identifier: GPL-3.0-or-later
"""The soak of tests/soak/, but short: two tides of a few pages, with every event."""

import os
import subprocess
import sys

from harness import Settings, case, scale

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "soak", "run.py")


@case(timeout=240, alone=True)
def short(t):
    done = subprocess.run([sys.executable, RUN, "--sluice", Settings.program, "--seconds", "12",
                           "--cycle", "6", "--sessions", "100", "--rate", "60"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd=t.dir, timeout=200 * scale(), text=True)
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0 and last and last[0].endswith(", 0 failed"), done.stdout
