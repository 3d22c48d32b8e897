# SPDX-License-Identifier: GPL-3.0-or-later
"""The master's care for its workers: another worker accepts the callers of one that is gone or
stands still, and a worker that stands still for long is killed."""

import os
import signal
import threading
import time

from harness import case, equal, scale, wait_until
from processes import (ECHO, WorkerFault, both_started, clients_by_worker, echo, hold_by_a_debugger,
                       is_alive, let_go_by_a_debugger)
from wsclient import FIN, RESET

CONNECTS = 40


def connect_all(p, listen="tls"):
    """Each of many callers gets an answer. One worker alone would miss about half of them."""
    for _ in range(CONNECTS):
        c = p.client(listen).open("/r")
        echo(c)
        c.wire.reset()


@case(timeout=90)
def a_crash_loop_swallows_no_callers(t):
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    p.may_lose_workers = True
    victim = p.log.find("worker.start", slot="0")[0]["pid"]
    for number in range(1, 8):
        os.kill(int(victim), signal.SIGKILL)
        pause = int(p.log.wait("worker.respawn", number)[-1]["in_ms"])
        if pause >= 1600:
            break
        victim = p.log.wait("worker.start", number + 2)[-1]["pid"]
    started = len(p.log.find("worker.start"))
    connect_all(p)
    connect_all(p, "plain")
    equal(len(p.log.find("worker.start")), started, "workers that came meanwhile")
    p.log.wait("worker.start", started + 1)
    found = clients_by_worker(p, 2)  # it gets callers again
    for c in sum(found.values(), []):
        echo(c)


@case(timeout=90)
def both_workers_crash(t):
    """The callers of both wait, a second at the most and not for the whole pause, and a worker that
    comes serves those of the other slot too."""
    fault = WorkerFault(t)
    p = both_started(t.start(t.config(server="workers = 2", r=ECHO), env=fault.environment))
    p.may_lose_workers = True
    fault.set("kill")
    for pid in p.workers():
        os.kill(pid, signal.SIGKILL)
    exits = p.log.wait("worker.exit", 20, timeout=40)
    assert max(int(line["in_ms"]) for line in p.log.find("worker.respawn")) >= 3200, exits
    fault.set("")
    began = time.monotonic()
    connect_all(p)
    assert time.monotonic() - began < 3 + CONNECTS / 4, "the callers wait for the pause"


@case(timeout=90)
def a_stopped_worker(t):
    """Its callers are served, then it is killed and replaced; the other worker's sessions live."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    p.may_lose_workers = True
    victim, other = (found := clients_by_worker(p))
    os.kill(victim, signal.SIGSTOP)
    connect_all(p)
    connect_all(p, "plain")
    equal(p.log.find("worker.killed"), [], "kills so far")
    p.log.wait("worker.still", pid=str(victim))
    p.log.wait("worker.killed", pid=str(victim))
    equal(p.log.find("worker.back"), [], "returns")
    p.log.wait("worker.exit", pid=str(victim), signal="9")
    p.log.wait("worker.start", 3)
    for c in found[victim]:
        c.recv_end(RESET, FIN, "CUT")
    for c in found[other]:
        echo(c, b"untouched")
    connect_all(p)
    equal(len(p.log.find("worker.killed")), 1, "kills")


@case(timeout=90)
def a_worker_that_leaves(t):
    """Somebody ends one worker alone: while it drains, the other one accepts its callers too."""
    p = both_started(t.gateway(server="workers = 2\ndrain_timeout = %ds" % (8 * scale()),
                               r=ECHO + "\nclose_timeout = 1h"))
    p.may_lose_workers = True
    victim, other = (found := clients_by_worker(p))
    os.kill(victim, signal.SIGTERM)
    p.log.wait("drain.begin")
    connect_all(p)
    connect_all(p, "plain")
    assert victim in p.workers(), "the worker has ended meanwhile"
    for c in found[victim]:
        c.recv_close(1001)
        c.close(1001)
    p.log.wait("worker.exit", pid=str(victim), status="0")
    p.log.wait("worker.start", 3)
    connect_all(p)
    for c in found[other]:
        echo(c)


@case(timeout=90)
def a_worker_that_goes_on(t):
    """A worker that was stopped for a moment keeps its sessions, and gets callers again."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    victim, _ = (found := clients_by_worker(p))
    for _ in range(2):
        os.kill(victim, signal.SIGSTOP)
        connect_all(p)
        os.kill(victim, signal.SIGCONT)
        for c in sum(found.values(), []):
            echo(c)
    p.log.wait("worker.back", pid=str(victim))
    wait_until(lambda: victim in clients_by_worker(p, 1), "it gets callers")
    equal(p.log.find("worker.killed") + p.log.find("worker.exit"), [], "lost workers")
    p.stop()


@case(timeout=90)
def the_only_worker_is_stopped(t):
    p = both_started(t.gateway(r=ECHO), 1)
    p.may_lose_workers = True
    victim = p.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    c = p.client()  # waits in the queue, which outlives the worker
    p.log.wait("worker.killed", pid=str(victim))
    echo(c.open("/r"))
    c.end_cleanly()


@case(timeout=90)
def a_worker_that_spins(t):
    """A worker that takes no events any more, but uses the processor."""
    fault = WorkerFault(t)
    p = both_started(t.start(t.config(server="workers = 2", r=ECHO), env=fault.environment))
    p.may_lose_workers = True
    fault.set("busy")
    lost = p.wire("plain")
    time.sleep(0.5)
    fault.set("")
    connect_all(p)
    p.log.wait("worker.still", state="it takes no events")
    p.log.wait("worker.killed")
    p.log.wait("worker.start", 3)
    lost.close()
    connect_all(p)


@case(timeout=90)
def a_worker_in_a_debugger(t):
    """Others serve its callers, and the master lets the debugger have it."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    victim, _ = (found := clients_by_worker(p))
    hold_by_a_debugger(victim)
    connect_all(p)
    p.log.wait("worker.still", pid=str(victim))
    time.sleep(11)
    assert is_alive(victim), "the worker was killed"
    let_go_by_a_debugger(victim)
    for c in found[victim]:
        echo(c)
    equal(p.log.find("worker.exit"), [], "lost workers")
    p.stop()


@case(timeout=90)
def everything_stands_still(t):
    """A machine that sleeps, or a whole program that is stopped, loses no worker."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    clients = [p.client().open("/r") for _ in range(6)]
    everybody = [p.pid, *p.workers()]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(11)
    for pid in everybody:  # the master goes on first
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)
    for c in clients:
        echo(c)
    time.sleep(1)
    equal(p.log.find("worker.killed") + p.log.find("worker.exit"), [], "lost workers")
    connect_all(p)
    p.stop()


@case(timeout=90)
def sessions_of_an_adopted_slot_stay(t):
    """A session that another worker adopted stays with it when the slot has its worker again; the
    drain ends it too."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    p.may_lose_workers = True
    victim = p.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    clients = [p.client().open("/r") for _ in range(12)]
    os.kill(victim, signal.SIGKILL)
    p.log.wait("worker.start", 3)
    for c in clients:
        echo(c)
    closed = []

    def read(c):
        c.recv_close(1001)
        c.close(1001)
        closed.append(c)

    threads = [threading.Thread(target=read, args=(c,)) for c in clients]
    for thread in threads:
        thread.start()
    p.stop()
    for thread in threads:
        thread.join(20)
    equal(len(closed), len(clients), "sessions that got the Close")


@case()
def an_idle_program_sleeps(t):
    """No worker wakes up while nothing happens, and the master at most about once a second."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    clients = [p.client().open("/r") for _ in range(4)]
    for c in clients:
        echo(c)
    time.sleep(1.5)

    def wakes(pid):
        with open("/proc/%d/status" % pid) as file:
            return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)

    everybody = [p.pid, *p.workers()]
    before = [wakes(pid) for pid in everybody]
    time.sleep(4)
    used = [wakes(pid) - n for pid, n in zip(everybody, before)]
    assert max(used[1:]) <= 1 and used[0] <= 8, used
