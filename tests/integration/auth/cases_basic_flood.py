# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong passwords without end: what everybody else notices, and who is checked next."""

import multiprocessing
import os
import statistics
import time

import floods
from cases_basic import SLOW, basic, begin, config, hasher, htpasswd, is_open
from harness import case, equal, scale, wait_until
from processes import both_started, echo

RATE = 50  # logins a second
WINDOW_S, PAIRS = 0.4, 10
SETTLE_S = 0.1  # the hash that is under way when a storm ends
NOISE_S = 0.0005  # below it a p99 says more about the machine than about the program


class Flood:
    """So many logins a second from 200 addresses, each by a connection of its own that nobody waits
    for. `make` begins one. It is a process of its own, and comes and goes as the test says."""

    def __init__(self, p, rate):
        self.p, self.rate, self.sent = p, rate, 0
        self.pipe, end = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.serve, args=(end,), daemon=True)
        self.process.start()
        end.close()

    def serve(self, pipe):
        while make := pipe.recv():
            clients, begin_s, first = [], time.monotonic(), self.sent
            while not pipe.poll(0.005):
                while self.sent - first < (time.monotonic() - begin_s) * self.rate:
                    clients.append(MAKERS[make](self.p, self.sent))
                    self.sent += 1
            for c in clients:
                c.wire.reset()
            pipe.recv()
            pipe.send(self.sent - first)

    def begin(self, make):
        self.pipe.send(make)

    def end(self):
        """Returns how many came since begin()."""
        self.pipe.send("end")
        return self.pipe.recv()

    def stop(self):
        self.pipe.send(None)
        self.process.join(30)


def source(number):
    return ("127.0.2.%d" % (number % 200 + 1), 0)


def wrong_login(p, number):
    c = p.client("plain", source=source(number))
    user = "ann" if number % 2 else "nobody%d" % number
    c.send_raw(c.request("/r", **basic(user, "wrong%d" % number)))
    return c


def no_login(p, number):
    c = p.client("plain", source=source(number))
    c.send_raw(c.request("/r"))
    return c


def slow_login(p, number):
    return begin(p, "ann", "wrong%d" % number)


MAKERS = {"wrong": wrong_login, "none": no_login, "slow": slow_login}


def new_session(p):
    c = p.client("plain").open("/open")
    echo(c)
    c.wire.reset()


def slowest(p, session):
    """The p99 of echoes in an open session, and the p90 of new sessions on a route without a
    password: a window has too few of those for a p99."""
    echoes = floods.Bystander(lambda: echo(session), lambda: None, 0.001)
    sessions = floods.Bystander(lambda: new_session(p), lambda: None, 0)
    end = time.monotonic() + WINDOW_S
    while time.monotonic() < end:
        for _ in range(3):
            echoes.once()
        sessions.once()
    return echoes.quantile(0.99), sessions.quantile(0.9)


def steps_back(pid, worker):
    """Whether the scheduler prefers a worker to this process."""
    niceness = [os.getpriority(os.PRIO_PROCESS, each) for each in (pid, worker)]
    return os.sched_getscheduler(pid) == os.SCHED_BATCH and niceness[0] == niceness[1] + 10


@case(timeout=180, alone=True)
def bystanders(t):
    """50 wrong logins a second: others notice no more of them than of as many requests without a
    password, for which nobody hashes. A hash takes tens of milliseconds: if a worker made them, its
    processor time and every window would show it. Bystander and workers run before everything else
    on the machine, so that the times are theirs alone; that the process which hashes leaves the
    processor to others is looked at apart from them."""
    p = t.start(config(t, htpasswd("ann", "secret", "-C", "10"), server="workers = 2"))
    both_started(p)
    workers = [pid for pid in p.workers() if pid != hasher(p)]
    wait_until(lambda: steps_back(hasher(p), workers[0]), "a modest hasher")
    is_first = all([floods.go_first(pid) for pid in workers])
    flood, session = Flood(p, RATE), p.client("plain").open("/open")
    is_first = floods.go_first() and is_first  # the flood began before, and stays behind
    cpu, came, found = {"none": 0, "wrong": 0}, {"none": 0, "wrong": 0}, []
    hashed = floods.cpu_seconds([hasher(p)])
    slowest(p, session)
    for number in range(PAIRS):
        got = {}
        for make in ("none", "wrong") if number % 2 else ("wrong", "none"):
            time.sleep(SETTLE_S)
            before = floods.cpu_seconds(workers)
            flood.begin(make)
            got[make] = slowest(p, session)
            came[make] += flood.end()
            cpu[make] += floods.cpu_seconds(workers) - before
        found.append([stormy / max(calm, NOISE_S)
                      for calm, stormy in zip(got["none"], got["wrong"])])
    flood.stop()
    session.wire.reset()
    hashed = floods.cpu_seconds([hasher(p)]) - hashed
    assert min(came.values()) > 0.5 * RATE * PAIRS * WINDOW_S, "only %r requests" % came
    assert hashed > 0.05 * PAIRS * WINDOW_S, "the process hashed for %.1f s" % hashed
    each = (cpu["wrong"] - cpu["none"]) / came["wrong"]
    assert each < 0.005 * scale(), "a wrong login costs the workers %.1f ms" % (1e3 * each)
    echoes, sessions = (statistics.median(of) for of in zip(*found))
    if not is_first:
        print("times were not compared: this user may not ask for SCHED_FIFO")
        return
    assert echoes <= 2 and sessions <= 2, (
        "p99 of echoes and p90 of new sessions: %.1f and %.1f times the calm ones; each pair: %s" %
        (echoes, sessions, found))


@case(timeout=90)
def waits_for_itself(t):
    """One source asks without end; who comes from another one is served next."""
    p = t.start(config(t, SLOW))
    flood = Flood(p, RATE)
    flood.begin("slow")
    time.sleep(2)
    c = p.client("plain", source=("127.0.0.2", 0))
    start = time.monotonic()
    c.send_raw(c.request("/r", **basic("ann", "secret")))
    is_open(c)
    took = time.monotonic() - start
    flood.end()
    flood.stop()
    assert took < 8 * scale(), "%.1f s" % took
    c.end_cleanly()
    line = p.log.wait("session.end", ending="full")[0]
    equal((line["code"], line["detail"]),
          ("1013", "too many passwords of this address wait to be checked"), "full")
