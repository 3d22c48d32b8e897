# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program tells systemd, and the sockets that systemd keeps for it."""

import os
import signal
import time

from cases_activation import LISTEN, address_of, listening
from harness import case, equal, free_port, wait_until
from processes import ECHO, echo, is_alive, status_of
from reloads import wait_result
from systemd import Manager
from upgrades import wait_retired
from wsclient import Client, Wire

CALLERS = 60


def write(t, listens, **options):
    return t.write("sluice.ini", t.config(listens=listens, r=ECHO, **options))


def started(t, manager, path, **options):
    p = manager.start(path, **options).wait_ready()
    manager.wait("READY", pid=p.pid)
    return p


def call(t, port, host="127.0.0.1"):
    wire = Wire((host, port), timeout=60)
    t.cleanup(wire.close)
    return Client(wire)


# What it says

@case(rows=[("path", False), ("abstract", True)])
def phases(t, is_abstract):
    """Each change of state, in its order, from the master."""
    manager = Manager(t, is_abstract)
    path = write(t, LISTEN % "127.0.0.1:0", server="drain_timeout = 200s")
    p = started(t, manager, path)
    (ready,) = manager.wait("READY")
    equal((ready["MAINPID"], ready["pid"]), (str(p.pid), p.pid), "who is ready")
    equal(ready["STATUS"], "1 of 1 workers serve, 0 sessions", "status")
    for number, (text, status) in enumerate([
            (open(path).read() + "\n", "1 of 1 workers serve, 0 sessions; last reload: done"),
            ("[nonsense]\n", "1 of 1 workers serve, 0 sessions; last reload: failed, "
                             "the configuration before is in force")], 1):
        t.write("sluice.ini", text)
        count = len(manager.messages)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        p.send_signal(signal.SIGHUP)
        (reloading,) = manager.wait("RELOADING", since=count)
        (ready,) = manager.wait("READY", since=count)
        assert manager.messages.index(reloading) < manager.messages.index(ready)
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert before <= int(reloading["MONOTONIC_USEC"]) <= after, (before, reloading, after)
        wait_result(p, number)
        equal(ready["STATUS"], status, "status")
    c = call(t, p.ports["plain"][1]).open("/r")
    p.send_signal(signal.SIGTERM)
    (stopping,) = manager.wait("STOPPING")
    equal(stopping["STATUS"], "stopping, 1 sessions left", "status")
    assert 200e6 < int(stopping["EXTEND_TIMEOUT_USEC"]) < 300e6, stopping
    c.recv_close(1001)
    c.close(1001)
    p.stop()
    equal({m["pid"] for m in manager.messages}, {p.pid}, "who told")


@case()
def status(t):
    """Sessions and workers, when they change and not with each turn."""
    manager = Manager(t)
    p = started(t, manager, write(t, LISTEN % "127.0.0.1:0", server="workers = 2"))
    p.may_lose_workers = True
    c = call(t, p.ports["plain"][1]).open("/r")
    manager.wait_status("2 of 2 workers serve, 1 sessions")
    count = len(manager.messages)
    os.kill(p.workers()[0], signal.SIGSTOP)
    os.kill(p.workers()[1], signal.SIGSTOP)
    manager.wait_status("0 of 2 workers serve", count)
    for pid in p.workers():
        os.kill(pid, signal.SIGCONT)
    manager.wait_status("2 of 2 workers serve", count)
    seconds = manager.messages[-1]["at"] - manager.messages[0]["at"]
    found = manager.find("STATUS")
    assert len(found) <= 2 + seconds / 2, "%d in %.1f s" % (len(found), seconds)
    c.end_cleanly()


@case()
def watchdog(t):
    """Half of its time; not from a master that stands still, nor while no worker serves."""
    manager = Manager(t)
    p = started(t, manager, write(t, LISTEN % "127.0.0.1:0"), pids="LISTEN_PID,WATCHDOG_PID",
                environment={"WATCHDOG_USEC": "400000"})
    manager.wait("WATCHDOG", "1", 5)

    def silent(pid, seconds):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1.5)  # a stopped worker is seen within a second
        count = len(manager.messages)
        time.sleep(seconds)
        equal(manager.find("WATCHDOG", since=count), [], "beats")
        os.kill(pid, signal.SIGCONT)
        manager.wait("WATCHDOG", count=3, since=count)

    silent(p.pid, 1)
    silent(p.workers()[0], 1)
    p.stop()
    count = len(manager.messages)
    p = started(t, manager, write(t, LISTEN % "127.0.0.1:0"),
                environment={"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    time.sleep(1)
    equal(manager.find("WATCHDOG", since=count), [], "beats for another process")


@case()
def deaf_manager(t):
    """Nobody waits for a manager that does not read, or has gone."""
    manager = Manager(t)
    p = started(t, manager, write(t, LISTEN % "127.0.0.1:0"))
    manager.sock.close()
    os.unlink(manager.address)
    for number in range(1, 4):
        p.send_signal(signal.SIGHUP)
        p.log.wait("reload.done", number)
        echo(call(t, p.ports["plain"][1]).open("/r"))
    p.stop()
    equal(len(p.log.find("notify.failed")), 1, "lines about it")


@case()
def no_address(t):
    p = Manager(t).start(write(t, LISTEN % "127.0.0.1:0"),
                         environment={"NOTIFY_SOCKET": "vsock:2:1"}).wait_ready()
    (line,) = p.log.find("notify.failed")
    assert "neither /PATH nor @NAME" in line["msg"], line


# What it keeps

def names(manager):
    return sorted(name for name, _ in manager.stored)


def name_of(port, host="127.0.0.1"):
    return "%s%%3A%d" % (host, port)


@case()
def store(t):
    """Each slot's socket of each address, and only those of the configuration in force."""
    manager, a, b = Manager(t), free_port(), free_port()
    both = LISTEN % ("127.0.0.1:%d" % a) + "[listen b]\naddress = 127.0.0.1:%d\n" % b
    ephemeral = "[listen c]\naddress = 127.0.0.1:0\n"
    path = write(t, both + ephemeral, server="workers = 2")
    p = started(t, manager, path)
    equal(names(manager), sorted([name_of(a)] * 2 + [name_of(b)] * 2), "stored")
    write(t, LISTEN % ("127.0.0.1:%d" % a), server="workers = 3")
    p.send_signal(signal.SIGHUP)
    p.log.wait("reload.done")
    wait_until(lambda: names(manager) == [name_of(a)] * 3, "one address, three slots")
    write(t, both, server="workers = 3")
    p.send_signal(signal.SIGHUP)
    p.log.wait("reload.done", 2)
    wait_until(lambda: len(names(manager)) == 6, "both again")
    p.stop()
    equal(len(names(manager)), 6, "stored after the end")
    # An address that leaves while nobody serves.
    write(t, LISTEN % ("127.0.0.1:%d" % b), server="workers = 1")
    p = started(t, manager, path)
    wait_until(lambda: names(manager) == [name_of(b)] * 3, "the other address is forgotten")
    equal(len(p.log.find("inherit.unused")), 3, "sockets that nobody takes")


@case(rows=[("one_socket", False), ("group", True)])
def own_and_units(t, has_group):
    """A socket of a unit is the unit's to keep; the others of its group (ReusePort=yes) are not."""
    sock, port, manager = listening(t, has_group=has_group), free_port(), Manager(t)
    listens = LISTEN % address_of(sock) + "[listen b]\naddress = 127.0.0.1:%d\n" % port
    path = write(t, listens, server="workers = 2")
    stored = [name_of(port)] * 2 + [name_of(sock.getsockname()[1])] * (1 if has_group else 0)
    waiting = []
    for _ in range(3):
        p = started(t, manager, path, handed=[sock.fileno()])
        equal(names(manager), sorted(stored), "stored")
        serve_all(waiting)
        for name in ("plain", "b"):
            echo(p.client(name).open("/r"))
        p.stop()
        waiting = [call(t, p.ports[name][1]) for name in ("plain", "b") for _ in range(20)]


def kill_master(p):
    workers = p.workers()
    p.process.kill()
    p.process.wait()
    p.is_stopped = True
    return workers


def stop(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda pid=pid: status_of(pid)["State"][0] == "T", "a stopped worker")


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_until(lambda: not any(map(is_alive, pids)), "the workers' end")


def serve_all(callers):
    for c in callers:
        echo(c.open("/r"))
        c.end_cleanly()


@case(timeout=90, rows=[("same", 2), ("fewer", 1), ("more", 4)])
def master_killed(t, workers):
    """kill -9 of all processes: whoever was in a queue, or came while nobody lived, is served by
    the next program, also when it has another number of workers."""
    port, manager = free_port(), Manager(t)
    path = write(t, LISTEN % ("127.0.0.1:%d" % port), server="workers = 2")
    p = started(t, manager, path)
    p.may_lose_workers = True
    stop(p.workers())
    callers = [call(t, port) for _ in range(CALLERS)]
    kill_all(kill_master(p))
    callers += [call(t, port) for _ in range(CALLERS)]
    write(t, LISTEN % ("127.0.0.1:%d" % port), server="workers = %d" % workers)
    p = started(t, manager, path)
    callers += [call(t, port) for _ in range(CALLERS)]
    serve_all(callers)
    equal(p.log.find("inherit.unused"), [], "sockets that nobody takes")
    equal(len(p.workers()), workers, "workers")


@case(timeout=90)
def master_killed_workers_drain(t):
    """kill -9 of the master alone: its workers say 1001 to their sessions and go; new callers wait
    for the next program, which may start at once."""
    port, manager = free_port(), Manager(t)
    path = write(t, LISTEN % ("127.0.0.1:%d" % port), server="workers = 2\ndrain_timeout = 3s")
    p = started(t, manager, path)
    sessions = [call(t, port).open("/r") for _ in range(10)]
    workers = kill_master(p)
    p.log.wait("drain.begin", 2)
    callers = [call(t, port) for _ in range(CALLERS)]
    for c in sessions:
        c.recv_close(1001)
        c.close(1001)
    p = started(t, manager, path)
    callers += [call(t, port) for _ in range(CALLERS)]
    serve_all(callers)
    wait_until(lambda: not any(map(is_alive, workers)), "the old workers' end", 20)


@case(timeout=90)
def master_killed_workers_wake(t):
    """Workers that find out at once that callers wait and that their master is gone leave the
    callers to the next program."""
    port, manager = free_port(), Manager(t)
    path = write(t, LISTEN % ("127.0.0.1:%d" % port), server="workers = 2")
    p = started(t, manager, path)
    workers = p.workers()
    stop(workers)
    callers = [call(t, port) for _ in range(CALLERS)]
    kill_master(p)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    p.log.wait("drain.begin", 2)
    started(t, manager, path)
    serve_all(callers)
    wait_until(lambda: not any(map(is_alive, workers)), "the old workers' end", 20)


# An upgrade

@case()
def an_upgrade(t):
    """The manager hears of the new master, which it then knows; the old one ends with its last
    session, and nothing that the manager keeps is kept twice."""
    manager = Manager(t)
    port = free_port()
    path = write(t, LISTEN % ("127.0.0.1:%d" % port))
    p = started(t, manager, path)
    wait_until(lambda: len(manager.stored) == 1, "the socket in the store")
    held = call(t, port).open("/r")
    echo(held)
    os.kill(p.pid, signal.SIGUSR2)
    heir = int(p.log.wait("upgrade.done")[0]["pid"])
    manager.wait("MAINPID", str(heir))
    manager.wait("READY", pid=heir)
    wait_retired(p, p.log.find("upgrade.done")[0])
    echo(call(t, port).open("/r"))
    p.send_signal(signal.SIGHUP)  # whoever still knows the old one
    p.log.wait("reload.done", proc="master")
    echo(held)
    held.end_cleanly()
    equal(p.process.wait(20), 0, "exit code of the old master")
    assert is_alive(heir), "the new master went with the old one"
    c = call(t, port).open("/r")
    echo(c)
    equal(len(manager.stored), 1, "sockets in the store")
    os.kill(heir, signal.SIGTERM)
    manager.wait("STOPPING", pid=heir)
    c.recv_close(1001)
    c.wire.close()
    wait_until(lambda: not is_alive(heir), "the end of the new master")
    p.is_stopped = True
