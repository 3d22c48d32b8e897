# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGHUP puts another configuration in force: nobody is refused, no session ends, no process is
replaced; a configuration that is bad changes nothing."""

import os
import signal
import socket
import time

from harness import Skip, case, equal, free_port, wait_until
from processes import ECHO, both_started, clients_by_worker, echo, is_alive, status_of
from reloads import Callers, any_name, certificates, descriptors, reload, results, wait_result
from wsclient import FIN, Client, Wire

TWO = "workers = 2"


def refused(p, path, listen="plain"):
    c = p.client(listen).open(path)
    c.recv_close(1008)
    c.wire.reset()


@case()
def routes_listeners_and_settings(t):
    p = both_started(t.gateway(server=TWO, r=ECHO))
    workers = p.workers()
    old = sum(clients_by_worker(p, 1).values(), [])
    line = reload(p)
    equal((line["files_changed"], line["server_changed"]), ("0", "0"), "a file that is the same")
    extra = "[listen extra]\naddress = 127.0.0.1:0\n"
    text = t.config(server=TWO + "\nlog_level = debug\nmax_sessions = 3000", n=ECHO) + extra
    line = reload(p, text)
    equal([line[key] for key in ("server_changed", "listens_new", "listens_gone", "routes_new",
                                 "routes_gone", "files_changed")],
          ["2", "1", "0", "1", "1", "1"], "what changed")
    for _ in range(12):
        for listen in ("plain", "tls", "extra"):
            c = p.client(listen).open("/n")
            echo(c)
            c.wire.reset()
        refused(p, "/r")
    for c in old:
        echo(c)
    assert p.log.find("session.step"), "log_level = debug is not in force"
    line = reload(p, t.config(server=TWO, n=ECHO + "\nidle_timeout = 300ms"))
    equal([line[key] for key in ("listens_new", "listens_gone", "routes_changed")],
          ["0", "1", "1"], "what changed")
    c = p.client().open("/n")
    c.recv_close(1001)
    for c in old:
        echo(c)
        c.end_cleanly()
    equal(p.workers(), workers, "workers")
    p.stop()


@case()
def another_certificate(t):
    p = both_started(t.gateway(server=TWO, r=ECHO))
    held = p.client().open("/r")
    begun = Wire(p.ports["tls"])  # its handshake comes behind the reload
    equal(certificates(p), {"ec"}, "certificates")
    workers = p.workers()
    other = "tls_certificate = %s\ntls_key = %s" % t.certificate("rsa")
    equal(reload(p, t.config(server=TWO, tls=other, r=ECHO))["listens_changed"], "1", "listeners")
    equal(certificates(p), {"rsa"}, "certificates")
    begun.begin_tls(any_name(p))
    c = Client(begun).open("/r")
    echo(c)
    echo(held)
    equal(p.workers(), workers, "workers")
    begun.close()


BAD = [
    ("syntax", lambda t: t.config(server=TWO, r=ECHO) + "[route x]\npath = x\n", "config.error"),
    ("certificate", lambda t: t.config(server=TWO, tls="tls_key = /nowhere", r=ECHO),
     "config.error"),
    ("pair", lambda t: t.config(server=TWO, tls="tls_key = " + t.certificate("other")[1], r=ECHO),
     "config.error"),
]


@case(rows=BAD)
def a_bad_file_changes_nothing(t, make, event):
    p = both_started(t.gateway(server=TWO, r=ECHO))
    workers, held = p.workers(), p.client().open("/r")
    before = [descriptors(pid) for pid in [p.pid, *workers]]
    for number in range(3):
        reload(p, make(t), "reload.failed")
        error = p.log.find(event)[-1]
        assert error["file"].endswith("sluice-0.ini") and int(error["line"]) > 0, error
        echo(p.client().open("/r"))
        echo(held)
    equal(p.workers(), workers, "workers")
    equal(descriptors(p.pid), before[0], "the master's descriptors")
    reload(p, t.config(server=TWO, n=ECHO))
    echo(p.client().open("/n"))
    p.stop()


@case()
def an_address_that_is_taken(t):
    p = both_started(t.gateway(server=TWO, r=ECHO))
    holder = socket.create_server(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    fresh = free_port()
    before = descriptors(p.pid)
    text = t.config(server=TWO, n=ECHO)
    listens = "[listen %s]\naddress = 127.0.0.1:%d\n"
    line = reload(p, text + listens % ("fresh", fresh) + listens % ("taken", port),
                  "reload.failed")
    assert "taken" in line["detail"] and "already in use" in line["detail"], line
    equal(descriptors(p.pid), before, "the master's descriptors")
    try:
        socket.create_connection(("127.0.0.1", fresh)).close()
        raise AssertionError("somebody listens at an address of a reload that failed")
    except ConnectionRefusedError:
        pass
    echo(p.client().open("/r"))
    holder.close()
    reload(p)
    echo(p.client("taken").open("/n"))


@case()
def no_file_any_more(t):
    p = t.gateway(r=ECHO)
    os.rename(t.path("sluice-0.ini"), t.path("away"))
    reload(p, event="reload.failed")
    assert "cannot read" in p.log.find("config.error")[-1]["detail"]
    echo(p.client().open("/r"))
    os.rename(t.path("away"), t.path("sluice-0.ini"))
    reload(p)


@case()
def drain_ends_sessions_of_other_routes(t):
    """Sessions of a route that went or changed end with 1012, others and their bytes stay."""
    server = TWO + "\nreload = drain\ndrain_timeout = 2s"
    p = both_started(t.gateway(server=server, same=ECHO, other=ECHO, gone=ECHO))
    same, other, gone = ([p.client().open("/" + name) for _ in range(6)]
                         for name in ("same", "other", "gone"))
    for c in same + other + gone:
        echo(c)
    reload(p, t.config(server=server, other=ECHO + "\nmax_message = 5k", same=ECHO))
    for c in other + gone:
        c.recv_close(1012)
        c.close(1012)
        c.recv_end(FIN)
        c.wire.close()
    for c in same:
        echo(c)
    equal(len(p.log.wait("session.end", 12, ending="drain")), 12, "sessions that ended")
    reload(p, t.config(server=server, same=ECHO + "\nmax_message = 6k"))
    for c in same:
        c.recv_close(1012)
        c.wire.reset()


@case()
def a_signal_during_a_reload(t):
    """It is remembered, and the file as it is then counts."""
    p = both_started(t.gateway(server=TWO, r=ECHO))
    stopped = p.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    t.write("sluice-0.ini", t.config(server=TWO, one=ECHO))
    p.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    t.write("sluice-0.ini", t.config(server=TWO, two=ECHO))
    p.send_signal(signal.SIGHUP)
    p.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    equal(results(p), [], "reloads that ended")
    os.kill(stopped, signal.SIGCONT)
    equal(wait_result(p, 2)["event"], "reload.done", "the second reload")
    equal(results(p)[0]["event"], "reload.done", "the first reload")
    for _ in range(8):
        echo(p.client("plain").open("/two"))
        refused(p, "/one")
    equal(len(results(p)), 2, "reloads")


@case()
def a_worker_dies_during_a_reload(t):
    """The other one goes on, and the next one in its slot has the configuration in force."""
    p = both_started(t.gateway(server=TWO, r=ECHO))
    p.may_lose_workers = True
    found = clients_by_worker(p, 1)
    victim = p.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    t.write("sluice-0.ini", t.config(server=TWO, n=ECHO))
    p.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    os.kill(victim, signal.SIGKILL)
    equal(wait_result(p, 1)["event"], "reload.done", "the reload")
    p.log.wait("worker.start", 3)
    for _ in range(12):
        echo(p.client("plain").open("/n"))
        refused(p, "/r")
    for pid, clients in found.items():
        for c in clients:
            if pid != victim:
                echo(c)


@case()
def a_worker_dies_and_the_file_is_bad(t):
    """The next one in its slot has the configuration that stands."""
    p = both_started(t.gateway(server=TWO, r=ECHO))
    p.may_lose_workers = True
    reload(p, "[nonsense]\n", "reload.failed")
    for pid in p.workers():
        os.kill(pid, signal.SIGKILL)
    p.log.wait("worker.start", 4)
    for _ in range(8):
        echo(p.client("plain").open("/r"))


@case(rows=[("preparing", True), ("afterwards", False)])
def the_master_dies(t, is_preparing):
    """Before, between and behind the phases: the workers drain, as they always do then."""
    p = both_started(t.gateway(server=TWO, r=ECHO))
    workers = p.workers()
    clients = sum(clients_by_worker(p, 1).values(), [])
    t.write("sluice-0.ini", t.config(server=TWO, n=ECHO)
            + "[listen extra]\naddress = 127.0.0.1:0\n")
    if is_preparing:
        os.kill(workers[0], signal.SIGSTOP)
    p.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    os.kill(p.pid, signal.SIGKILL)
    os.kill(workers[0], signal.SIGCONT)
    for c in clients:
        c.recv_close(1001)
        c.close(1001)
    wait_until(lambda: not any(map(is_alive, workers)), "the end of the workers")
    p.process.wait()
    p.log.thread.join(10)
    p.is_stopped = True
    p.check_log()


@case(timeout=120)
def the_number_of_workers(t):
    """Up and down: nobody is refused or reset, a worker that retires keeps its sessions. The kernel
    moves no caller from one queue to another."""
    migrate = "/proc/sys/net/ipv4/tcp_migrate_req"
    if os.path.exists(migrate):
        with open(migrate, encoding="ascii") as file:
            equal(file.read().strip(), "0", migrate)
    def config(workers):
        return t.config(server="workers = %d" % workers, r=ECHO)

    p = both_started(t.start(config(1)), 1)
    first = p.workers()[0]
    callers = Callers(p, "/r", count=3)
    reload(p, config(4))
    p.log.wait("worker.start", 4)
    callers.wait_more(60)
    found = clients_by_worker(p, 1)
    reload(p, config(2))
    p.log.wait("worker.retired", 2)
    callers.wait_more(100)
    equal(set(p.workers()), set(found), "workers that have sessions")
    for c in sum(found.values(), []):
        echo(c)
    reload(p, config(3))  # while the retired ones live
    p.log.wait("worker.start", 5)
    callers.wait_more(100)
    for c in sum(found.values(), []):
        echo(c)
        c.wire.reset()
    wait_until(lambda: len(p.workers()) == 3, "the end of those that retired")
    reload(p, config(1))
    wait_until(lambda: len(p.workers()) == 1, "the end of those that retired")
    callers.wait_more(60)
    callers.stop()
    equal(p.workers(), [first], "workers")
    p.stop()


@case(timeout=120)
def an_address_that_leaves(t):
    """Callers that were connected are served, however often the address comes and goes."""
    port = free_port()
    extra = "[listen extra]\naddress = 127.0.0.1:%d\n" % port
    base = t.config(server=TWO, r=ECHO)
    p = both_started(t.start(base + extra))
    callers = Callers(p, "/r", "extra", count=4, may_be_refused=True)
    held = p.client("extra").open("/r")
    for _ in range(2):
        callers.wait_more(40)
        reload(p, base)
        time.sleep(0.5)
        reload(p, base + extra)  # it gets its sockets back
    callers.wait_more(40)
    reload(p, base)
    callers.wait(lambda: callers.refused > 3, "callers that are refused")
    callers.stop()
    echo(held)
    held.end_cleanly()
    equal(len(p.log.find("listen.gone")), 3, "addresses that left")


@case()
def a_queue_of_an_address_that_leaves(t):
    """200 callers wait in the queues of two workers that stand still."""
    port = free_port()
    base = t.config(server=TWO, r=ECHO)
    p = both_started(t.start(base + "[listen extra]\naddress = 127.0.0.1:%d\n" % port))
    workers = p.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    callers = [Wire(("127.0.0.1", port)) for _ in range(200)]
    t.write("sluice-0.ini", base)
    p.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    equal(wait_result(p, 1)["event"], "reload.done", "the reload")
    for wire in callers:
        c = Client(wire).open("/r")
        echo(c)
        wire.close()
    time.sleep(3.5)
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        raise AssertionError("somebody listens at an address that has left")
    except ConnectionRefusedError:
        pass


@case()
def a_wider_address(t):
    """127.0.0.1 becomes 0.0.0.0 at the same port."""
    port = free_port()
    base = t.config(server=TWO, r=ECHO) + "[listen extra]\naddress = %s:%d\n"
    p = both_started(t.start(base % ("127.0.0.1", port)))
    echo(p.client("extra").open("/r"))
    reload(p, base % ("0.0.0.0", port))
    time.sleep(3.2)
    wire = Wire(("127.0.0.1", port))
    echo(Client(wire).open("/r"))
    wire.close()


@case(timeout=120, rows=[("master", True), ("worker", False)])
def a_death_at_any_moment(t, is_master):
    """So many moments after the signal, one process is killed. Nothing hangs, and who is left has
    one configuration."""
    for number in range(8):
        text = t.config(server=TWO, r=ECHO)
        p = both_started(t.start(text))
        p.may_lose_workers = True
        workers = p.workers()
        path = t.path("sluice-%d.ini" % number)
        with open(path, "w") as file:
            file.write(t.config(server=TWO, n=ECHO) + "[listen extra]\naddress = 127.0.0.1:0\n")
        p.send_signal(signal.SIGHUP)
        time.sleep(number * 0.0007)
        os.kill(p.pid if is_master else workers[0], signal.SIGKILL)
        if is_master:
            wait_until(lambda: not any(map(is_alive, workers)), "the end of the workers")
            p.process.wait()
            p.log.thread.join(10)
            p.is_stopped = True
            p.check_log()
            continue
        equal(wait_result(p, 1)["event"], "reload.done", "the reload")
        p.log.wait("worker.start", 3)
        for _ in range(8):
            c = p.client("plain").open("/n")
            echo(c)
            c.wire.reset()
        p.stop()


@case()
def a_stop_during_a_reload(t):
    p = both_started(t.gateway(server=TWO, r=ECHO))
    stopped = p.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    t.write("sluice-0.ini", t.config(server=TWO, n=ECHO) + "[listen b]\naddress = 127.0.0.1:0\n")
    p.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    p.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    os.kill(stopped, signal.SIGCONT)
    p.stop()
    equal(results(p), [], "reloads that ended")


@case(timeout=90)
def a_slot_without_a_worker(t):
    """Its worker waits for a respawn. Another one accepts for it at new addresses too, with the
    new certificate."""
    p = both_started(t.gateway(server=TWO, r=ECHO))
    p.may_lose_workers = True
    victim = p.log.find("worker.start", slot="0")[0]["pid"]
    for number in range(1, 8):
        os.kill(int(victim), signal.SIGKILL)
        if int(p.log.wait("worker.respawn", number)[-1]["in_ms"]) >= 3200:
            break
        victim = p.log.wait("worker.start", number + 2)[-1]["pid"]
    started = len(p.log.find("worker.start"))
    other = "tls_certificate = %s\ntls_key = %s" % t.certificate("rsa")
    reload(p, t.config(server=TWO, tls=other, n=ECHO) + "[listen extra]\naddress = 127.0.0.1:0\n")
    for _ in range(40):
        c = p.client("extra").open("/n")
        echo(c)
        c.wire.reset()
    equal(certificates(p, 40), {"rsa"}, "certificates")
    reload(p, t.config(server=TWO, r=ECHO))
    equal(certificates(p, 40), {"ec"}, "certificates")
    equal(len(p.log.find("worker.start")), started, "workers that came meanwhile")
    p.log.wait("worker.start", started + 1)
    for _ in range(12):
        echo(p.client("plain").open("/r"))


@case()
def many_new_addresses(t):
    """More than fit into the queue between two processes."""
    base = t.config(server=TWO, r=ECHO)
    p = both_started(t.start(base))
    reload(p, base + "".join("[listen l%d]\naddress = 127.0.0.1:0\n" % i for i in range(320)))
    known = [name for name in p.ports if name[0] == "l"]  # the log may lose lines of a burst
    assert len(known) > 100, known
    for name in known[::37]:
        echo(p.client(name).open("/r"))
    reload(p, base)
    echo(p.client().open("/r"))
    p.stop()


@case()
def another_user(t):
    """It cannot change, and the warning says so; the rest of the file counts."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    p = both_started(t.gateway(server=TWO + "\nuser = nobody", r=ECHO))
    before = status_of(p.workers()[0])["Uid"]
    p.may_lose_workers = True
    reload(p, t.config(server=TWO + "\nuser = daemon", n=ECHO))
    assert "`user`" in p.log.find("reload.kept")[0]["msg"]
    os.kill(p.workers()[0], signal.SIGKILL)
    p.log.wait("worker.start", 3)
    for pid in p.workers():
        equal(status_of(pid)["Uid"], before, "the ids of a worker")
    echo(p.client().open("/n"))
