#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A soak: pages come and go in tides, for an hour, while workers are killed, the configuration
changes, services go away and the program is replaced. At each low tide nothing may be left, and at
the last one no process may hold more than at the first ones. tests/README.md says more."""

import argparse
import ctypes
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "fixture")]

import events  # noqa: E402
import gateway  # noqa: E402
import samples  # noqa: E402
import service  # noqa: E402
import tide  # noqa: E402
import verdict  # noqa: E402

CLONE_NEWNET = 0x40000000
# Warnings and errors that belong to the events.
EXPECTED = ("event=user.shared", "event=sandbox.missing", "event=worker.exit",
            "event=worker.respawn", "event=worker.still", "event=worker.back",
            "event=backend.down", "event=backend.up", "event=limits")


def leave_the_network():
    """Takes a network of the soak's own, where that is allowed: its sockets and ports are then
    nobody else's. Returns whether it is."""
    if os.geteuid() or ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write("10240 65000\n")
    return True


def fork(function):
    """Runs a function in a process that answers orders."""
    ours, theirs = tide.pair()
    pid = os.fork()
    if pid:
        theirs.close()
        return tide.Helper(ours, pid)
    ours.close()
    code = 1
    try:
        function(theirs)
        code = 0
    except BaseException:  # the process must not return into the soak
        traceback.print_exc()
    os._exit(code)


# The deadlines of the gateway; how long pages wait between messages (quiet), and between two reads
# when they are slow (nap_s); in what time the gateway notices a page that answers nothing (lost_s);
# how long the pages of a cycle may take to go (ebb_s), and how long the low tide lasts (settle_s).
LONG = {"ping": "15s", "pong": "30s", "write": "15s", "drain": "4s", "hello": "30s",
        "brief": "15s", "quiet": 45, "nap_s": 0.25, "lost_s": 50, "pause_s": 5, "ebb_s": 36}
SHORT = {"ping": "1s", "pong": "5s", "write": "3s", "drain": "1s", "hello": "6s", "brief": "3s",
         "quiet": 2, "nap_s": 0.05, "lost_s": 7, "pause_s": 1, "ebb_s": 1, "settle_s": 1}


class Soak:
    def __init__(self, options):
        self.options, self.verdict = options, verdict.Verdict()
        self.dir = tempfile.mkdtemp(prefix="soak-")
        os.chmod(self.dir, 0o755)
        self.cycles = max(2, round(options.seconds / options.cycle))
        self.scale = dict(LONG if options.cycle >= 120 else SHORT)
        if options.cycle >= 10:
            self.scale["settle_s"] = 12  # then /metrics says what is allocated at low tide
        self.tides, self.last_scrape, self.most = [], None, 0
        self.began = time.monotonic()
        self.settings = {"ticket": gateway.TICKET, "life": options.cycle * 0.7,
                         "rate": options.rate,
                         **{key: self.scale[key] for key in ("nap_s", "quiet", "lost_s")}}
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
        self.samples = open(os.path.join(options.keep or self.dir, "samples.jsonl"), "a",
                            encoding="ascii")
        server = service.Server(self.dir)
        urls = {name: server.url(name) for name in service.NAMES}
        self.services = fork(server.run)
        self.gateway = gateway.Gateway(options.sluice, self.dir, urls, dict(
            self.scale, max_sessions=options.sessions * 2 + 1000))
        self.pages = self.events = None

    def say(self, text):
        print("%6.0f s  %s" % (time.monotonic() - self.began, text), flush=True)

    def start(self):
        self.gateway.start()
        self.settings["ports"] = {name: self.gateway.address(name) for name in ("tls", "plain")}
        self.pages = fork(lambda control: tide.Tide(self.settings).run(control))
        self.events = events.Events(self.gateway, self.pages, self.services,
                                    self.scale["pause_s"])

    # One cycle

    def scrape(self):
        """Reads the metrics; no counter may have gone back."""
        found = self.gateway.metrics()
        if self.last_scrape:
            verdict.never_backwards(self.verdict, self.last_scrape, found)
        self.last_scrape = found
        return found

    def sample(self, kind, cycle):
        """Notes what everything holds now."""
        metrics, pages = self.scrape(), self.pages.ask(do="look")
        self.gateway.read_log()
        self.most = max(self.most, pages["live"])
        found = {
            "at": round(time.monotonic() - self.began, 1), "kind": kind, "cycle": cycle,
            "processes": samples.all_processes(self.gateway), "kernel": samples.kernel(),
            "sessions": metrics.sum("sluice_sessions"), "pages": pages,
            "allocated": {dict(labels)["worker"]: value
                          for (name, labels), value in metrics.series.items()
                          if name == "sluice_memory_allocated_bytes"},
            "log": dict(self.gateway.events), "endings": dict(self.gateway.endings)}
        json.dump(found, self.samples)
        self.samples.write("\n")
        self.samples.flush()
        found["metrics"], found["services"] = metrics, self.services.ask(do="look")
        return found

    def watch_until(self, end, cycle):
        """Samples every ten seconds."""
        while time.monotonic() < end:
            time.sleep(max(0.0, min(10.0, end - time.monotonic())))
            self.attempt(self.sample, "way", cycle)

    def attempt(self, function, *arguments):
        """A failure of one step does not end the soak."""
        try:
            function(*arguments)
        except Exception:  # whatever it is, it is told
            self.verdict.check(False, traceback.format_exc())

    def wait_for(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.verdict.check(False, "waited in vain: " + what)
                return
            time.sleep(0.2)

    def is_calm(self):
        """Says whether nothing is left of the sessions, nor of processes that have to go."""
        metrics = self.scrape()
        workers = [pid for pid in self.gateway.tree() if pid in self.gateway.seats]
        # The connection that asks is one.
        return (metrics.sum("sluice_sessions") <= 1 and metrics.sum("sluice_generations") == 1
                and len(workers) == self.events.workers
                and not any(s["open"] for s in self.services.ask(do="look").values()))

    def cycle(self, number):
        begin = time.monotonic()
        self.events.is_killed = False
        self.pages.ask(do="flood", target=self.options.sessions)
        # The flood is up before something happens, and has time to rise again.
        events_begin, events_end, high_end = (begin + self.options.cycle * share
                                              for share in (0.25, 0.65, 0.8))
        self.watch_until(events_begin, number)
        self.report(self.sample("high", number))
        happenings = events.plan(number, self.cycles)
        if number >= (2 if self.cycles >= 6 else 1) and not self.events.spared:
            self.events.spared = self.gateway.serving()[0]
        pause = (events_end - events_begin) / len(happenings)
        for i, name in enumerate(happenings):
            self.watch_until(events_begin + pause * i, number)
            self.say("cycle %d: %s" % (number, name))
            self.attempt(self.events.run, name)
        self.watch_until(high_end, number)
        self.report(self.sample("high", number))
        self.pages.ask(do="ebb", seconds=self.scale["ebb_s"])
        self.wait_for(lambda: not self.pages.ask(do="look")["live"], self.scale["ebb_s"] + 240,
                      "the end of all pages")
        self.wait_for(self.is_calm, 60, "the end of all sessions and old workers")
        time.sleep(self.scale["settle_s"])
        low = self.sample("low", number)
        low["most_live"], low["is_killed"] = self.most, self.events.is_killed
        self.report(low)
        verdict.count(self.verdict, self.tides[-1] if self.tides else None, low)
        self.tides.append(low)

    def report(self, sample):
        rows = ["%s: anon %d KiB, %d fds, %d threads" % (p["role"], p["anon"], p["fds"],
                                                       p["threads"])
                for p in sorted(sample["processes"].values(), key=lambda p: p["role"])]
        pages = sample["pages"]
        self.say("cycle %d, %s tide: %d sessions; %d pages so far, %d ended wrongly, %d by events"
                 "; %s; allocated KiB %s; TCP %s" % (
                     sample["cycle"], sample["kind"], sample["sessions"], pages["begun"],
                     pages["failed"], sum(pages["excused"].values()), "; ".join(rows),
                     " ".join("%.1f" % (v / 1024) for v in sample["allocated"].values()),
                     sample["kernel"].get("inuse")))

    # The end

    def judge(self, has_network):
        check, last = self.verdict.check, self.tides[-1]
        pages = last["pages"]
        check(pages["failed"] == 0, "%d pages ended wrongly:\n  %s" % (
            pages["failed"], "\n  ".join(pages["failures"])))
        verdict.processes(self.verdict, self.tides)
        verdict.memory(self.verdict, self.tides, self.scale["settle_s"] > 10)
        if has_network:
            verdict.sockets(self.verdict, self.tides)
        odd = [line for line in self.gateway.noted
               if not any(word in line for word in EXPECTED)]
        check(not odd, "%d lines of the log are odd:\n  %s" % (len(odd), "\n  ".join(odd[:40])))
        killed = sum("event=worker.exit" in line and "signal=9" in line
                     for line in self.gateway.noted)
        check(killed == self.events.counts.get("killed", 0), "%d workers died" % killed)
        for word in ("internal", "full"):
            check(not self.gateway.endings.get(word), "%s sessions ended with %s" % (
                self.gateway.endings.get(word), word))

    def summary(self):
        pages = self.tides[-1]["pages"]
        self.say("pages: %d, sessions: %d, at most at once: %d, payload: %d MB, longest pause "
                 "of the pages: %.1f s, events: %s" % (
            pages["begun"], pages["opened"], pages["most"], pages["payload"] // 1000000,
            pages["pause"], self.events.counts))
        self.say("ends by events: %s" % pages["excused"])
        self.say("endings in the log: %s" % self.gateway.endings)
        self.say("what pages saw: %s" % dict(sorted(pages["outcomes"].items())))

    def stop(self):
        for helper in (self.pages, self.services):
            if helper:
                helper.control.close()
                helper.lines.close()
                os.waitpid(helper.pid, 0)
        if self.gateway.process:
            code = self.gateway.stop()
            self.verdict.check(code == 0, "exit status %s" % code)
        self.samples.close()
        if self.options.keep and self.verdict.failed:
            shutil.copy(self.gateway.log_path, self.options.keep)
        shutil.rmtree(self.dir, ignore_errors=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sluice", required=True, type=os.path.abspath)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--sessions", type=int, default=300, help="at once, at high tide")
    parser.add_argument("--cycle", type=float, default=20, help="seconds from tide to tide")
    parser.add_argument("--rate", type=float, default=260, help="pages that may begin a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="a directory for the samples and, after a failure, the log")
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    random.seed(options.seed)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    has_network = leave_the_network()
    soak = Soak(options)
    try:
        soak.start()
        for number in range(soak.cycles):
            soak.cycle(number)
        soak.judge(has_network)
        soak.summary()
    except Exception:  # a failure like others: the processes must go
        traceback.print_exc()
        soak.verdict.check(False, "the soak broke off")
    finally:
        soak.stop()
    print("%d passed, %d failed" % (soak.verdict.passed, soak.verdict.failed))
    return 1 if soak.verdict.failed else 0


if __name__ == "__main__":
    sys.exit(main())
