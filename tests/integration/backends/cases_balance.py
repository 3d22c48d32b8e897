# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several backends a session gets."""

import os
import signal

from backends import (Service, begin, config, lines, refuse, services, state, states, urls, visit,
                      wait_state)
from harness import case, equal, wait_until
from reloads import reload


def shares(p, count):
    got = {}
    for _ in range(count):
        name = visit(p)
        got[name] = got.get(name, 0) + 1
    return got


@case()
def round_robin(t):
    """By weight, and in turns."""
    a, b, c = services(t, "abc")
    p = t.start(config(t, r="balance = round_robin\nbackend = %s weight=3, %s, %s weight=2" %
                       (a.url, b.url, c.url)))
    equal(shares(p, 60), {"a": 30, "b": 10, "c": 20}, "shares")
    shown = states(p)
    equal([shown[s.url]["weight"] for s in (a, b, c)], [3, 1, 2], "weights")
    equal([shown[s.url]["state"] for s in (a, b, c)], ["up"] * 3, "states")


@case()
def least_sessions(t):
    """Sessions that last count, of all workers, and for the weight of each backend."""
    a, b = services(t, "ab")
    p = t.start(config(t, server="workers = 2", r="balance = least_sessions\n"
                       "backend = %s weight=2, %s" % (a.url, b.url)))
    held = [begin(p) for _ in range(12)]
    equal(sorted(name for _, name in held), ["a"] * 8 + ["b"] * 4, "shares")
    equal(states(p)[a.url]["sessions"], 8, "sessions of a")
    for c, name in held:
        if name == "a":
            c.wire.reset()
    wait_until(lambda: states(p)[a.url]["sessions"] == 0, "a without sessions", 30)
    equal([begin(p)[1] for _ in range(8)], ["a"] * 8, "those that come now")


@case()
def source(t):
    """A client keeps its backend; when one goes only its clients move, and they come back."""
    backends = services(t, "abc")
    text = config(t, r="balance = source\neject_pause = 20ms\neject_pause_max = 20ms\n"
                       "slow_start = 0\nbackend = " + urls(backends))
    p = t.start(text)

    def ask_all():
        return {n: visit(p, source=("127.0.0.%d" % n, 0)) for n in range(2, 42)}

    first = ask_all()
    equal(set(first.values()), {"a", "b", "c"}, "backends in use")
    equal(ask_all(), first, "the same again")
    backends[1].stop()
    without = ask_all()
    equal({n for n in first if without[n] != first[n]}, {n for n in first if first[n] == "b"},
          "who moved")
    backends[1].start()
    moved = next(n for n in first if first[n] == "b")
    wait_until(lambda: visit(p, source=("127.0.0.%d" % moved, 0)) == "b", "b to be back", 30)
    equal(ask_all(), first, "as before")
    t.write("sluice-0.ini", text.replace(backends[0].url, backends[2].url + " weight=1", 1)
            .replace(", " + backends[2].url, ""))
    reload(p)
    now = ask_all()
    equal({n for n in first if now[n] != first[n]}, {n for n in first if first[n] == "a"},
          "who moved when the file lost one")


@case()
def backup(t):
    """A backup serves when all others are out, and only then."""
    a, b, spare = services(t, ["a", "b", "s"])
    p = t.start(config(t, r="balance = round_robin\neject_pause = 1h\neject_pause_max = 1h\n"
                       "backend = %s, %s, %s backup" % (a.url, b.url, spare.url)))
    equal(shares(p, 20), {"a": 10, "b": 10}, "while all are up")
    a.stop()
    equal(shares(p, 20), {"b": 20}, "with one down")
    b.stop()
    equal(shares(p, 20), {"s": 20}, "with both down")
    equal([states(p)[s.url]["backup"] for s in (a, spare)], [False, True], "who is a backup")
    spare.stop()
    equal(refuse(p, 1011)["ending"], "backend_refused", "with all down")
    a.start()
    equal(visit(p), "a", "whoever may serve is tried, although it is out")


@case()
def max_sessions(t):
    """Over all workers; full everywhere is 1013; a killed worker's places are free again."""
    a, b = services(t, "ab")
    p = t.start(config(t, server="workers = 2", r="backend = %s max_sessions=4, %s max_sessions=2" %
                       (a.url, b.url)))
    held = [begin(p) for _ in range(6)]
    equal([name for _, name in held], ["a"] * 4 + ["b"] * 2, "in order")
    equal([state(p, s) for s in (a, b)], ["full", "full"], "states")
    line = refuse(p, 1013)
    equal((line["ending"], line["detail"]), ("limit_route", "every backend has its max_sessions"),
          "the seventh")
    equal((a.count, b.count), (4, 2), "whom sluice dialled")
    held[5][0].wire.reset()
    wait_state(p, b, "up")
    equal(visit(p), "b", "one more")
    p.may_lose_workers = True
    pid = int(p.log.find("worker.start")[0]["pid"])
    os.kill(pid, signal.SIGKILL)
    p.log.wait("worker.exit")
    lost = wait_until(lambda: count_lost(held), "sessions that ended with their worker", 30)
    wait_until(lambda: states(p)[a.url]["sessions"] + states(p)[b.url]["sessions"] == 5 - lost,
               "their places", 30)
    for _ in range(lost + 1):
        held.append(begin(p))
    equal(refuse(p, 1013)["ending"], "limit_route", "full again")
    equal((states(p)[a.url]["sessions"], states(p)[b.url]["sessions"]), (4, 2), "sessions")


def count_lost(held):
    lost = 0
    for c, _ in held[:5]:
        c.wire.sock.setblocking(False)
        try:
            lost += c.wire.sock.recv(1) == b""
        except BlockingIOError:
            pass
        except ConnectionError:
            lost += 1
    return lost


@case()
def full_and_down(t):
    """One backend is full and the other refuses: coming again helps."""
    a, b = Service(t, "a"), Service(t, "b", is_up=False)
    p = t.start(config(t, r="backend = %s max_sessions=1, %s" % (a.url, b.url)))
    begin(p)
    line = refuse(p, 1013)
    equal((line["ending"], line["detail"]),
          ("limit_route", "every backend that answers has its max_sessions"), "ending and detail")
    equal(lines(p, b), ["backend.down"], "the log")


MISTAKES = [
    ("weight_zero", "tcp://a:1 weight=0", "weight=1 to 1000"),
    ("word_twice", "tcp://a:1 backup backup", "each once"),
    ("no_word", "tcp://a:1 wieght=3", "behind the address may stand weight="),
    ("echo_weight", "echo: weight=2", "echo: shares its sessions with nobody"),
    ("same_twice", "tcp://a:1, tcp://a:1 weight=3", "the backend tcp://a:1 stands there twice"),
    ("backups_alone", "tcp://a:1 backup, tcp://b:1 backup", "every backend is a backup"),
]


@case(rows=[(row[0], *row) for row in MISTAKES])
def mistakes(t, name, value, message):
    code, out, err, _ = t.check(t.config(r="balance = source\nbackend = " + value))
    assert code == 1 and message in out + err, (code, out, err)
