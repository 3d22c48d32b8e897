# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends that fail, one of several: no session fails that could succeed, one line for each
change, and what /sessions and /metrics say."""

import time

from backends import (RESET, RESET_ON_DATA, SILENT, Service, begin, config, lines, refuse, services,
                      state, states, urls, visit, visit_together, wait_state)
from harness import case, equal, wait_until
from reloads import reload
from scrape import scrape

FOR_EVER = "eject_pause = 1h\neject_pause_max = 1h\n"
AT_ONCE = "eject_pause = 20ms\neject_pause_max = 20ms\n"


@case(timeout=120)
def two_of_three_down(t):
    """200 sessions at once, over two workers, and not one fails."""
    dead, good, gone = Service(t, "d", is_up=False), Service(t, "g"), Service(t, "x", is_up=False)
    p = t.start(config(t, server="workers = 2", r="balance = round_robin\n" + FOR_EVER +
                       "connect_timeout = 30s\nbackend = " + urls([dead, good, gone])))
    equal(visit_together(p, 200), {"g": 200}, "who served")
    equal([state(p, s) for s in (dead, good, gone)], ["down", "up", "down"], "states")
    equal([lines(p, s) for s in (dead, good, gone)], [["backend.down"], [], ["backend.down"]],
          "the log")
    before = scrape(p).sum("sluice_backend_connect_failures_total")
    equal(visit_together(p, 50), {"g": 50}, "who served")
    numbers = scrape(p)
    equal(numbers.sum("sluice_backend_connect_failures_total"), before, "dials to who is out")
    equal(numbers.sum("sluice_backend_ejections_total"), 2, "ejections")
    for s, word in ((dead, "down"), (good, "up")):
        got = {w: numbers.sum("sluice_backend_state", backend=s.url, state=w)
               for w in ("up", "starting", "full", "trial", "down")}
        equal(got, {w: float(w == word) for w in got}, "the metric of " + s.name)
    equal(numbers.sum("sluice_backend_up"), 1, "sluice_backend_up")
    assert states(p)[dead.url]["detail"] == "connection refused", states(p)


def find_out(p):
    """A session that comes to a backend that resets. True: the session was lost. A reset that comes
    before the dial is over loses no session: the next backend serves."""
    before = len(p.ends())
    c = p.client("plain").open("/r")
    payload = c.recv_frame().payload
    c.wire.reset()
    line = p.log.wait("session.end", before + 1)[-1]
    is_lost = line["ending"] == "backend_reset"
    equal(is_lost, payload != b"g", "what the page saw (%r)" % payload)
    return is_lost


@case()
def accepts_and_resets(t):
    """The session that finds it out is lost; those behind it are not."""
    bad, good = Service(t, "b", RESET), Service(t, "g")
    p = t.start(config(t, r=FOR_EVER + "backend = " + urls([bad, good])))
    is_lost = find_out(p)
    equal([visit(p) for _ in range(20)], ["g"] * 20, "the others")
    equal((bad.count, state(p, bad), lines(p, bad)), (1, "down", ["backend.down"]), "what is known")
    equal(states(p)[bad.url]["detail"],
          "accepted, and reset at once" if is_lost else "connection reset", "why")
    equal(scrape(p).sum("sluice_backend_resets_total", backend=bad.url), int(is_lost), "the metric")


@case()
def resets_in_a_row(t):
    """eject_after counts resets that follow each other, although each dial was accepted."""
    bad, good = Service(t, "b", RESET), Service(t, "g")
    p = t.start(config(t, r=FOR_EVER + "eject_after = 3\nbackend = " + urls([bad, good])))
    for n in range(3):
        equal((state(p, bad), lines(p, bad)), ("up", []), "before reset %d" % (n + 1))
        find_out(p)

    def is_down():
        if state(p, bad) == "up":
            find_out(p)
        return state(p, bad) == "down"

    wait_until(is_down, "b to be down", 30)
    equal((visit(p), lines(p, bad)), ("g", ["backend.down"]), "then")


@case()
def clients_put_nobody_out(t):
    """A backend that resets because of what a client says is no failing backend."""
    touchy, good = Service(t, "t", RESET_ON_DATA), Service(t, "g")
    p = t.start(config(t, r=FOR_EVER + "backend = " + urls([touchy, good])))
    for _ in range(5):
        c = p.client("plain").open("/r")
        c.binary(b"what it does not like")
        c.recv_close(1011)
        c.wire.reset()
    equal((state(p, touchy), touchy.count, good.count), ("up", 5, 0), "who was dialled")


@case()
def accepts_and_stays_silent(t):
    """Silence is no failure: many services wait for the client."""
    quiet, good = Service(t, "q", SILENT), Service(t, "g")
    p = t.start(config(t, r=FOR_EVER + "backend = " + urls([quiet, good])))
    clients = [p.client("plain").open("/r") for _ in range(5)]
    wait_until(lambda: states(p)[quiet.url]["sessions"] == 5, "its sessions", 30)
    for c in clients:
        c.end_cleanly()
    equal((state(p, quiet), lines(p, quiet), good.count), ("up", [], 0), "what is known of it")


@case()
def flaps(t):
    """Every change is told, or counted by a later line; no session fails."""
    bad, good = services(t, "bg")
    p = t.start(config(t, r="balance = round_robin\nslow_start = 0\n" + AT_ONCE + "backend = " +
                       urls([bad, good])))
    for _ in range(4):
        bad.stop()
        wait_until(lambda: visit(p) and state(p, bad) != "up", "b to be down", 30)
        bad.start()
        wait_until(lambda: visit(p) and state(p, bad) == "up", "b to be up", 30)
    equal(p.ends(ending="backend_refused"), [], "sessions that failed")
    told = [e for e in p.log.find("backend.down") + p.log.find("backend.up")]
    known = sum(1 + int(e.get("suppressed", 0)) for e in told)
    assert 1 <= known <= 8, told
    equal(lines(p, bad)[0], "backend.down", "the first line")
    equal(scrape(p).sum("sluice_backend_ejections_total", backend=bad.url) >= 4, True, "ejections")


@case()
def trials_are_rare(t):
    """A backend that answers nobody costs one session a trial, and none of them fails."""
    deaf, good = t.deaf(), Service(t, "g")
    p = t.start(config(t, r="connect_timeout = 2s\neject_pause = 100ms\neject_pause_max = 100ms\n"
                       "backend = %s, %s" % (deaf.url, good.url)))
    timeouts = lambda: scrape(p).sum("sluice_backend_connect_failures_total", reason="timeout")
    equal(visit(p), "g", "the one that finds it out")
    equal(timeouts(), 1, "dials that were lost")
    time.sleep(0.2)  # the pause
    equal(visit_together(p, 30), {"g": 30}, "30 at once")
    equal(timeouts(), 2, "dials that were lost")


@case()
def starts_slowly(t):
    """A backend that is back does not get its share at once, and after slow_start it does."""
    a, b = services(t, "ab")
    text = config(t, r="balance = round_robin\nslow_start = 1h\n" + AT_ONCE + "backend = " +
                  urls([a, b]))
    p = t.start(text)
    a.stop()
    wait_until(lambda: visit(p) and state(p, a) == "down", "a to be down", 30)
    a.start()
    wait_until(lambda: visit(p) and state(p, a) == "starting", "a to be back", 30)
    equal(lines(p, a)[0], "backend.down", "the log")
    got = visit_together(p, 60)
    assert got.get("a", 0) <= 3, got
    reload(p, text.replace("slow_start = 1h", "slow_start = 0"))
    equal(state(p, a), "up", "without slow_start")
    assert 25 <= visit_together(p, 60)["a"] <= 35, "its share"


@case()
def moves(t):
    """A reload brings a backend's new address; what is known of the other ones stays."""
    old, new, dead, good = [Service(t, name, is_up=name != "d") for name in "ondg"]
    text = config(t, server="workers = 2", r=FOR_EVER + "backend = " + urls([dead, old, good]))
    p = t.start(text)
    equal(visit(p), "o", "before")
    old.stop()
    equal(visit(p), "g", "when its port has closed")
    reload(p, text.replace(old.url, new.url + " weight=2"))
    equal([visit(p) for _ in range(10)], ["n"] * 10, "afterwards")
    equal(state(p, dead), "down", "what was known")
    assert old.url not in states(p), "the old address"
    before = scrape(p).sum("sluice_backend_connect_failures_total", backend=dead.url)
    equal(before, 1, "dials to who is out, of both workers")
    equal(lines(p, dead), ["backend.down"], "the log")
    equal(len(begin(p)), 2, "a session")


@case()
def never_the_last(t):
    """With all of them out, each is tried all the same; the first that is back serves at once."""
    a, b = [Service(t, name, is_up=False) for name in "ab"]
    p = t.start(config(t, r=FOR_EVER + "backend = " + urls([a, b])))
    for _ in range(3):
        equal(refuse(p, 1011)["ending"], "backend_refused", "ending")
    equal([lines(p, s) for s in (a, b)], [["backend.down"]] * 2, "the log")
    b.start()
    equal(visit(p), "b", "although it was out")
    wait_state(p, b, "starting")
    equal([visit(p) for _ in range(5)], ["b"] * 5, "the others")
    wait_until(lambda: visit(p) and lines(p, b) == ["backend.down", "backend.up"], "its line", 30)
