# SPDX-License-Identifier: GPL-3.0-or-later
"""The tide: one process with all the pages. The soak tells it how many there shall be, when they
shall go, and which events may end some of them; it tells the soak what it has seen."""

import collections
import json
import random
import socket
import ssl
import time

import pages
from loop import Loop
from wire import UNREAD, Outcome

LONG_PAUSE_S, BUSY_S = 2.5, 0.25
BREAKS = ("eof", "cut", "reset", "close 1001", "close 1011")
UNREADING = ("lost", "stalled")
KEPT = 40  # failures whose text is kept


class Excuse:
    """An event that may end pages in a way that is not theirs, for some time."""

    def __init__(self, line):
        self.name, self.routes = line["name"], line.get("routes")
        self.outcomes = set(line["outcomes"])
        self.began = time.monotonic()
        self.until = self.began + line["seconds"]
        self.count = 0

    def covers(self, page, outcome):
        if self.name == "killed" and outcome == "Late: " + UNREAD:
            # The FIN of a process that is gone waits behind what the page does not read.
            return page.name == "stalled" and page.began < self.began
        if page.name in UNREADING and outcome in ("end eof", "end cut"):
            # Its session ended long ago: it took no Close, and close_timeout had to pass.
            return page.began < self.until and (not self.routes or page.route in self.routes)
        return (time.monotonic() < self.until and outcome.removeprefix("end ") in self.outcomes
                and (not self.routes or page.route in self.routes))


class Tide:
    def __init__(self, settings):
        self.ports = {name: tuple(address) for name, address in settings["ports"].items()}
        for name in ("ticket", "life", "quiet", "nap_s", "lost_s", "rate"):
            setattr(self, name, settings[name])
        self.loop = Loop(self.on_end)
        self.context = pages.context()
        self.hello = self.make_hello()
        self.target, self.is_ebb, self.credit, self.last = 0, False, 0.0, time.monotonic()
        self.begun, self.opened, self.payload, self.most = 0, 0, 0, 0
        self.tally = collections.defaultdict(lambda: {"said": 0, "heard": 0})
        self.outcomes, self.excused = collections.Counter(), collections.Counter()
        self.failures, self.failed = [], 0
        self.excuses = []
        self.pause = 0.0  # the longest time in which the pages did nothing

    def make_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self.context.wrap_bio(incoming, outgoing).do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()

    def on_end(self, page, error):
        outcome = ("done" if error is None else str(error) if isinstance(error, Outcome)
                   else "%s: %s" % (type(error).__name__, error))
        self.outcomes["%s: %s" % (page.name, outcome[:60])] += 1
        if outcome in page.want:
            return
        for excuse in self.excuses:
            if excuse.covers(page, outcome):
                excuse.count += 1
                self.excused[excuse.name] += 1
                return
        self.failed += 1
        if len(self.failures) < KEPT:
            self.failures.append("%s on %s at %s, %.1f s old: %s (excuses: %s)" % (
                page.name, page.route, page.stage, time.monotonic() - page.began, outcome,
                " ".join(e.name for e in self.excuses if time.monotonic() < e.until) or "none"))

    def order(self, line):
        if line["do"] == "flood":
            self.target, self.is_ebb = line["target"], False
        elif line["do"] == "ebb":
            self.target, self.is_ebb = 0, True
            now = time.monotonic()
            for task in self.loop.live:
                if task.page.is_resting:
                    self.loop.hurry(task, now + random.random() * line["seconds"])
        elif line["do"] == "excuse":
            self.excuses = [e for e in self.excuses if time.monotonic() < e.until + 100]
            self.excuses.append(Excuse(line))
        return {"live": len(self.loop.live), "begun": self.begun, "opened": self.opened,
                "pause": round(self.pause, 2), "payload": self.payload, "most": self.most,
                "tally": self.tally, "outcomes": self.outcomes, "excused": self.excused,
                "failed": self.failed, "failures": self.failures}

    def begin(self):
        """Begins as many pages as the rate and the target allow."""
        now = time.monotonic()
        if now - self.last < BUSY_S:  # else those that are there come first
            self.credit = min(self.credit + (now - self.last) * self.rate, 50)
        self.last = now
        while self.credit >= 1 and len(self.loop.live) < self.target:
            self.credit -= 1
            self.begun += 1
            self.loop.start(pages.choose(self))
        self.most = max(self.most, len(self.loop.live))

    def run(self, control):
        lines, is_over = control.makefile("rw"), []

        def obey():
            line = lines.readline()
            if not line:
                is_over.append(True)
                return
            lines.write(json.dumps(self.order(json.loads(line))) + "\n")
            lines.flush()

        self.loop.add_reader(control.fileno(), obey)
        while not is_over:
            began = time.monotonic()
            self.begin()
            self.loop.turn()
            pause = time.monotonic() - began
            self.pause = max(self.pause, pause)
            if pause > LONG_PAUSE_S:  # the machine gave the pages no processor: deadlines passed
                self.excuses.append(Excuse({"name": "pause", "seconds": pause + 10,
                                            "outcomes": BREAKS}))


class Helper:
    """The soak's end of a process that answers orders."""

    def __init__(self, control, pid):
        self.control, self.pid = control, pid
        control.settimeout(60)
        self.lines = control.makefile("rw")

    def ask(self, **order):
        self.lines.write(json.dumps(order) + "\n")
        self.lines.flush()
        answer = self.lines.readline()
        if not answer:
            raise AssertionError("a process of the soak has died")
        return json.loads(answer)


def pair():
    return socket.socketpair()
