# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGUSR2: another version takes over. Nobody is refused, no session ends, and whatever is wrong
with the other version changes nothing."""

import os
import signal
import socket
import time

from harness import Settings, case, equal, free_port, wait_until
from processes import ECHO, both_started, echo, is_alive
from reloads import Busy, descriptors, reload
from scrape import ask as ask_health
from scrape import scrape
from upgrades import (BAD, HEALTH, Callers, Scraper, Upgradable, ask, children, generation,
                      newest, results, upgrade, wait_result)
from wsclient import FIN

TWO = "workers = 2"


def start(t, server=TWO, extra=HEALTH, **config):
    config.setdefault("r", ECHO)
    u = Upgradable(t, t.config(server=server, **config) + extra)
    both_started(u.p, 2 if "workers = 2" in server else 1)
    return u, u.p


@case()
def sessions_stay_and_callers_come(t):
    u, p = start(t)
    scraper = Scraper(p)
    busy = Busy(p, "/r", 8)
    callers = [Callers(p, "/r", count=2), Callers(p, "/r", "tls", count=1)]
    callers[0].wait_more(20)
    old = generation(p, 1)
    line = upgrade(p)
    equal((line["generation"], line["proc"]), ("2", "elder"), "the line")
    for c in callers:
        c.wait_more(20)
    equal(sorted(generation(p, 1)), sorted(old), "the old workers, which have sessions")
    equal(len(generation(p, 2)), 2, "new workers")
    equal(scrape(p).sum("sluice_generations"), 2, "generations")
    equal(scrape(p).sum("sluice_worker_up"), 2, "workers that take sessions")
    equal(ask_health(p.ports["health"])[0], 200, "readiness")
    for c in callers:
        c.stop()
    assert busy.stop() > 8
    for c in busy.clients:
        c.end_cleanly()
    p.log.wait("generation.gone", generation="1")
    wait_until(lambda: scrape(p).sum("sluice_generations") == 1, "one generation")
    got = scraper.stop()
    assert scraper.generations >= {1, 2}, scraper.generations
    equal(got.sum("sluice_upgrades_total", result="success"), 1, "upgrades")
    equal(got.sum("sluice_sessions_admitted"), 0, "sessions that count")
    equal(got.sum("sluice_worker_up"), 2, "workers")
    equal(len(children(newest(p))), 2, "children of the new master")
    p.stop()


def put(u, t, kind):
    if kind == "has_a_bad_file":
        t.write("sluice-0.ini", t.config(r=ECHO) + "[route x]\npath = x\n")
        return "status 1"
    if kind == "is_no_program":
        u.put_file(b"\x7fELFnothing")
        return "cannot run it"
    if kind == "is_gone":
        os.unlink(u.path)
        return "cannot run it: No such file"
    if kind == "finds_its_port_taken":
        holder = socket.create_server(("127.0.0.1", 0))
        t.cleanup(holder.close)
        t.write("sluice-0.ini", t.config(server="upgrade_timeout = 3s", r=ECHO) +
                "[listen more]\naddress = 127.0.0.1:%d\n" % holder.getsockname()[1])
        return "already in use"
    u.put_bad(kind)
    return BAD[kind][1]


KINDS = [(kind,) * 2 for kind in [*BAD, "has_a_bad_file", "is_no_program", "is_gone",
                                  "finds_its_port_taken"]]


@case(rows=KINDS)
def a_version_that(t, kind):
    """The old one goes on, and obeys the next SIGHUP, SIGUSR2 and SIGTERM."""
    u, p = start(t, TWO + "\nupgrade_timeout = %s" % ("500ms" if "hangs" in kind else "20s"))
    text = t.config(server=TWO, r=ECHO) + HEALTH
    workers, before = p.workers(), descriptors(p.pid)
    callers, busy = Callers(p, "/r", count=2), Busy(p, "/r", 4)
    callers.wait_more(5)
    wanted = put(u, t, kind)
    line = upgrade(p, "upgrade.failed")
    assert wanted in line["detail"], line
    callers.wait_more(10)
    wait_until(lambda: p.workers() == workers, "the end of all other children")
    equal(descriptors(p.pid), before, "descriptors of the master")
    got = scrape(p)
    equal(got.sum("sluice_upgrades_total", result="failure"), 1, "upgrades that failed")
    equal((got.sum("sluice_generations"), got.sum("sluice_worker_up")), (1, 2), "workers")
    u.put_good()
    reload(p, text)
    equal(upgrade(p)["generation"], "2", "the next upgrade")
    callers.wait_more(10)
    callers.stop()
    assert busy.stop() > 0
    for c in busy.clients:
        echo(c)
        c.end_cleanly()
    p.log.stray = [line for line in p.log.stray if ".ini:" not in line and
                   "already in use" not in line and "sanitizer" not in line.lower()]
    p.stop()


@case()
def a_worker_of_the_new_version_hangs(t):
    """The new workers that could serve have not touched a caller."""
    from processes import WorkerFault
    fault = WorkerFault(t)
    u, p = start(t, TWO + "\nupgrade_timeout = 2s")
    fault.set("hang")
    u.put_script("export LD_PRELOAD=%s WORKER_FAULT_FILE=%s ASAN_OPTIONS=%s\n" % (
        fault.environment["LD_PRELOAD"], fault.path,
        fault.environment.get("ASAN_OPTIONS", "''")) + 'exec $REAL "$@"\n')
    callers = Callers(p, "/r", count=3)
    assert "not ready" in upgrade(p, "upgrade.failed")["detail"]
    callers.wait_more(10)
    callers.stop()
    u.put_good()
    t.write("sluice-0.ini", t.config(server=TWO, r=ECHO) + HEALTH)
    upgrade(p)
    p.stop()


@case(timeout=90)
def many_attempts_in_load(t):
    """Five attempts, among them one that is refused, one that hangs and one that crashes; then more
    good ones: no caller is lost, no byte is wrong, and nothing piles up."""
    u, p = start(t, TWO + "\nupgrade_timeout = 4s\ndrain_timeout = 1s")
    scraper, callers = Scraper(p), [Callers(p, "/r", count=2), Callers(p, "/r", "tls", count=1)]
    busy = Busy(p, "/r", 12)
    for kind in ("refuses", "hangs_at_start", "crashes_at_start", "crashes"):
        u.put_bad(kind)
        upgrade(p, "upgrade.failed")
        callers[0].wait_more(5)
    u.put_good()
    upgrade(p)
    callers[0].wait_more(5)
    assert busy.stop() > 12
    for c in busy.clients:
        echo(c)
        c.end_cleanly()
    p.log.wait("generation.gone", generation="1")
    first, seen = descriptors(p.pid), []
    for number in range(3, 7):
        upgrade(p)
        p.log.wait("generation.gone", generation=str(number - 1))
        for c in callers:
            c.wait_more(5)
        seen.append((descriptors(newest(p)), len(children(newest(p))), descriptors(p.pid)))
    equal(set(seen), {seen[0]}, "descriptors and children of the masters")
    equal(seen[0][1], 2, "workers")
    equal(seen[0][2], first, "descriptors of the first master")
    equal(len(children(p.pid)), 1, "children of the first master")
    for c in callers:
        c.stop()
    got = scraper.stop()
    equal((got.sum("sluice_upgrades_total", result="success"),
           got.sum("sluice_upgrades_total", result="failure")), (5, 4), "upgrades")
    p.stop()


@case()
def two_generations_at_most(t):
    """Before a third one the sessions of the first end with 1012; those of the second stay. The
    limit of sessions counts both, and the ids of sessions are unique."""
    u, p = start(t, TWO + "\ndrain_timeout = 2s\nmax_sessions = 8")
    first = [p.client().open("/r") for _ in range(4)]
    upgrade(p)
    second = [p.client().open("/r") for _ in range(4)]
    for c in first + second:
        echo(c)
    full = p.client().open("/r")
    full.recv_close(1013)
    full.wire.reset()
    ask(p)
    for c in first:
        c.recv_close(1012)
        c.close(1012)
        c.recv_end(FIN)
        c.wire.close()
    wait_result(p, 2)
    equal(p.log.find("generation.drain")[0]["cause"], "another upgrade", "the cause")
    for c in second:
        echo(c)
    third = [p.client().open("/r") for _ in range(4)]
    for c in second + third:
        echo(c)
        c.end_cleanly()
    ends = p.log.wait("session.end", 13)
    equal(len({e["id"] for e in ends}), len(ends), "ids of sessions")
    equal(len(p.log.find("session.end", ending="drain")), 4, "sessions that were drained")
    p.log.wait("generation.gone", generation="2")
    p.stop()


@case()
def an_old_generation_ends(t):
    u, p = start(t, TWO + "\ndrain_timeout = 1s\ngeneration_max_age = 300ms")
    c = p.client().open("/r")
    echo(c)
    upgrade(p)
    c.recv_close(1012)
    c.close(1012)
    c.recv_end(FIN)
    p.log.wait("generation.gone", generation="1")
    equal(p.log.find("generation.drain")[0]["cause"], "generation_max_age", "the cause")
    p.stop()


@case(rows=[("the_first_master", "first", signal.SIGTERM), ("the_newest", "newest", signal.SIGTERM),
            ("the_middle_one", "middle", signal.SIGTERM), ("the_group", "group", signal.SIGINT),
            ("at_once", "first", signal.SIGQUIT)])
def a_stop(t, whom, number):
    """Whichever master gets the signal, all generations drain and the program ends with 0."""
    u = Upgradable(t, t.config(server=TWO + "\ndrain_timeout = 3s", r=ECHO) + HEALTH,
                   start_new_session=True)
    p = both_started(u.p)
    upgrade(p)
    p.log.wait("generation.gone", generation="1")
    middle, old = newest(p), p.client().open("/r")
    echo(old)
    upgrade(p)
    new = p.client().open("/r")
    echo(new)
    assert is_alive(middle) and newest(p) != middle
    began = time.monotonic()
    if whom == "group":
        os.killpg(p.pid, number)
    else:
        os.kill({"first": p.pid, "newest": newest(p), "middle": middle}[whom], number)
    if number != signal.SIGQUIT:
        for c in (old, new):
            c.recv_close(1001)
            c.close(1001)
            c.recv_end(FIN)
    p.is_stopped = True
    equal(p.wait_exit(), 0, "exit code")
    assert time.monotonic() - began < 5 * (3 if Settings.is_asan else 1)
    assert not is_alive(middle) and not is_alive(newest(p))
    p.check_log()


@case()
def signals_that_meet(t):
    """A SIGHUP during an upgrade and a SIGUSR2 during a reload count afterwards."""
    u, p = start(t)
    u.put_script('case " $* " in *" --check "*) sleep 1;; esac\nexec $REAL "$@"\n')
    ask(p)
    p.log.wait("upgrade.begin")
    t.write("sluice-0.ini", t.config(server=TWO, n=ECHO) + HEALTH)
    p.send_signal(signal.SIGHUP)
    p.send_signal(signal.SIGHUP)
    wait_result(p, 1)
    p.log.wait("reload.done", proc="master")
    echo(p.client().open("/n"))
    u.put_good()
    stopped = generation(p, 2)[0]
    os.kill(stopped, signal.SIGSTOP)
    t.write("sluice-0.ini", t.config(server=TWO, m=ECHO) + HEALTH)
    p.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    ask(p)
    time.sleep(0.3)
    equal(len(p.log.find("upgrade.begin")), 1, "upgrades before the reload has ended")
    os.kill(stopped, signal.SIGCONT)
    p.log.wait("reload.done", 2)
    wait_result(p, 2)
    echo(p.client().open("/m"))
    # An upgrade whose old version fails leaves the reload that was asked for.
    u.put_bad("refuses")
    u.put_script('case " $* " in *" --check "*) sleep 1; exit 1;; esac\n')
    ask(p)
    p.log.wait("upgrade.begin", 3)
    p.send_signal(signal.SIGHUP)
    wait_result(p, 3, "upgrade.failed")
    p.log.wait("reload.done", 3)
    p.stop()


@case()
def another_configuration_with_it(t):
    """More workers, an address that goes and one that comes: nobody who has called is reset."""
    fixed, fresh = free_port(), free_port()
    # An address of its own: nobody else gets these ports by chance.
    listens = "[listen %s]\naddress = 127.0.0.9:%d\n"
    u, p = start(t, extra=HEALTH + listens % ("going", fixed))
    p.ports["fresh"] = ("127.0.0.9", fresh)
    callers = [Callers(p, "/r", count=2), Callers(p, "/r", "going", may_be_refused=True)]
    held = p.client("going").open("/r")
    callers[1].wait_more(10)
    t.write("sluice-0.ini", t.config(server="workers = 3", r=ECHO) + HEALTH +
            listens % ("fresh", fresh))
    upgrade(p)
    callers[0].wait_more(10)
    for _ in range(12):
        c = p.client("fresh").open("/r")
        echo(c)
        c.wire.reset()
    wait_until(lambda: callers[1].refused > 0, "the address that goes")
    callers[1].stop()
    # Fewer workers than there are sockets: others adopt the rest.
    t.write("sluice-0.ini", t.config(server="workers = 1", r=ECHO) + HEALTH)
    echo(held)
    held.end_cleanly()
    upgrade(p)
    callers[0].wait_more(30)
    equal(len(generation(p, 3)), 1, "workers")
    callers[0].stop()
    p.stop()
