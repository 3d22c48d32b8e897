# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines (tests/link) on which works with a `line` run: proxy and backend at the near end, the
load generator at the far end. They need root and /dev/net/tun."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "link"))

from slowlink import NEAR, NotHere, SlowLink  # noqa: E402

ADDRESS = NEAR

# name -> settings of SlowLink
LINES = {
    "slow": {"delay": 25, "rate": 20, "queue": 256},
    "slow-reno": {"delay": 25, "rate": 20, "queue": 256, "congestion": "reno"},
    "far": {"delay": 25, "rate": 200, "queue": 1024},
    "lossy": {"delay": 5, "rate": 1000, "queue": 1024, "loss": 0.1},
}


def missing(folder, name):
    """Says why this machine cannot make the line, or returns None."""
    try:
        SlowLink(folder, **LINES[name]).close()
    except (NotHere, OSError) as reason:
        return str(reason)
    return None


class Line(SlowLink):
    """From now until stop(), this thread and its children are at the near end."""

    def __init__(self, folder, name):
        super().__init__(folder, **LINES[name])
        # A line that waits for a core is not the line that its settings say.
        os.sched_setscheduler(self.process.pid, os.SCHED_RR, os.sched_param(1))

    def stop(self):
        self.close()
