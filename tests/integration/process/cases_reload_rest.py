# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays behind after a reload: workers that retire, callers in the queues of a worker that
dies, names of reloads that were refused, private keys."""

import base64
import errno
import os
import re
import signal
import time

from descriptors import DescriptorFault
from harness import Skip, case, equal, free_port, wait_until
from processes import (ECHO, PTRACE_DETACH, WorkerFault, both_started, clients_by_worker,
                       echo, hold_by_a_debugger, is_alive, ptrace)
from reloads import certificates, reload, results, wait_result
from scrape import scrape
from wsclient import CLOSE, Client, Wire

TWO = "workers = 2"
HEALTH = "[health]\naddress = 127.0.0.1:%d\n"


@case(timeout=90)
def who_retires_tells_nothing_more(t):
    """Of the configuration that is in force; also when that one changes once more."""
    port = free_port()

    def config(workers, limit):
        return t.config(server="workers = %d\nmax_sessions = %d" % (workers, limit),
                        r=ECHO) + HEALTH % port
    p = both_started(t.start(config(4, 1001)), 4)
    found = clients_by_worker(p, 1)
    clients = sum(found.values(), [])
    for workers, limit in ((2, 1002), (2, 1003), (1, 1004)):
        reload(p, config(workers, limit))
        p.log.wait("worker.retired", 4 - workers)
        limits = {scrape(p, "?name=sluice_sessions_limit").sum("sluice_sessions_limit")
                  for _ in range(60)}
        equal(limits, {limit}, "max_sessions, as all workers tell it")
    for c in clients:
        echo(c)
        c.end_cleanly()
    wait_until(lambda: len(p.workers()) == 1, "the end of those that retired")
    p.stop()


@case(timeout=90, rows=[("killed", True), ("retired", False)])
def a_queue_of_a_worker_that_goes(t, is_killed):
    """100 callers wait at an address that has just left; one worker of two serves them all."""
    fault = DescriptorFault(t)
    port = free_port()

    def config(workers):
        return t.config(server="workers = %d" % workers, r=ECHO)
    p = both_started(t.start(config(2) + "[listen extra]\naddress = 127.0.0.1:%d\n" % port,
                             env=fault.environment))
    p.may_lose_workers = True
    held = p.client("plain").open("/r")
    fault.set("accept", errno.EMFILE)
    callers = [Wire(("127.0.0.1", port)) for _ in range(100)]
    before = set(p.workers())
    reload(p, config(2 if is_killed else 1))
    if is_killed:
        os.kill(int(p.log.find("worker.start", slot="1")[0]["pid"]), signal.SIGKILL)
        p.log.wait("worker.exit")
    else:
        p.log.wait("worker.retired")
    time.sleep(0.2)
    fault.set("accept", 0)
    for wire in callers:
        c = Client(wire).open("/r")
        echo(c)
        wire.close()
    assert len(before & set(p.workers())) >= 1
    held.wire.close()
    time.sleep(3.2)
    p.stop()


@case(timeout=90)
def refused_names_take_no_rows(t):
    """A reload with 60 new names fails because a worker does not answer. The next one's have rows
    of their own."""
    p = both_started(t.start(t.config(server=TWO, r=ECHO) + HEALTH % 0))
    worker = p.workers()[0]
    hold_by_a_debugger(worker)
    names = {"n%d" % number: "backend = " + t.closed_port() for number in range(60)}
    t.write("sluice-0.ini", t.config(server=TWO, **names) + HEALTH % 0)
    p.send_signal(signal.SIGHUP)
    line = wait_result(p, 1)
    ptrace(PTRACE_DETACH, worker)
    equal(line["event"], "reload.failed", "the reload")
    assert "does not answer" in line["detail"], line
    reload(p, t.config(server=TWO, late="backend = " + t.closed_port())
           + "[listen more]\naddress = 127.0.0.1:0\n" + HEALTH % 0)
    for listen in ("plain", "more"):
        c = p.client(listen).open("/late")
        c.recv_close(1011)
        c.wire.close()
    p.log.wait("session.end", 2, ending="backend_refused")
    got = scrape(p)
    equal(got.sum("sluice_sessions_ended_total", route="late", ending="backend_refused"), 2, "late")
    equal(got.sum("sluice_backend_connect_failures_total", route="late"), 2, "its backend")
    equal(got.sum("sluice_connections_total", listen="more"), 1, "its listener")
    assert not re.search(r'route="(n\d+|other)"', got.text), got.text
    p.stop()


@case()
def limits_change(t):
    """max_sessions and log_limit count from the reload on, whoever has a session already."""
    def config(sessions, lines):
        return t.config(server="max_sessions = %d\nlog_limit = %d" % (sessions, lines), r=ECHO)
    p = t.start(config(2, 1))
    held = [p.client("plain").open("/r") for _ in range(2)]

    def is_full():
        """What a caller sees: a Close, or his own bytes."""
        c = p.client("plain").open("/r")
        c.binary(b"x")
        opcode = c.recv_frame().opcode
        c.wire.reset()
        return opcode == CLOSE
    assert is_full(), "the first limit"
    reload(p, config(3, 1))
    assert not is_full(), "a higher limit"
    reload(p, config(1, 1000))
    assert is_full(), "a lower limit"
    for c in held:
        echo(c)
    before = len(p.log.find("session.end", ending="full"))
    for _ in range(60):
        assert is_full()
    p.log.wait("session.end", before + 60, ending="full")
    p.stop()


@case(rows=[("master", True), ("worker", False)])
def a_death_between_the_phases(t, is_master):
    """The master has committed, and no worker has heard of it. When the master dies, the workers
    swap and drain; when a worker dies, its successor and the others have what is in force."""
    fault = WorkerFault(t)
    p = both_started(t.start(t.config(server=TWO, r=ECHO) + HEALTH % 0, env=fault.environment))
    p.may_lose_workers = True
    workers, clients = p.workers(), clients_by_worker(p, 1)
    fault.set("one")
    t.write("sluice-0.ini", t.config(server=TWO, n=ECHO) + HEALTH % 0)
    p.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    equal(results(p), [], "reloads that ended")
    for c in sum(clients.values(), []):
        echo(c)
    os.kill(p.pid if is_master else workers[0], signal.SIGKILL)
    if not is_master:
        p.log.wait("worker.exit")
    fault.set("")
    if is_master:
        for c in sum(clients.values(), []):
            c.recv_close(1001)
            c.close(1001)
        wait_until(lambda: not any(map(is_alive, workers)), "the end of the workers")
        p.process.wait()
        p.log.thread.join(10)
        p.is_stopped = True
        p.check_log()
        return
    equal(wait_result(p, 1)["event"], "reload.done", "the reload")
    p.log.wait("worker.start", 3)
    for _ in range(12):
        c = p.client("plain").open("/n")
        echo(c)
        c.wire.reset()
    for c in clients[workers[1]]:
        echo(c)
    p.stop()


# Private keys

def secret_of(path):
    """The private number of a P-256 key as PEM has it: SEC1 or PKCS #8, which hold it the same."""
    with open(path, encoding="ascii") as file:
        body = re.search(r"PRIVATE KEY-----\n(.*?)\n-----END", file.read(), re.S).group(1)
    der = base64.b64decode(body)
    at = der.rindex(b"\x02\x01\x01\x04\x20") + 5
    return der[at:at + 32], body.encode()[40:100]


def memory_of(pid):
    """Returns all memory that only this process writes."""
    found = []
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            begin, end = (int(x, 16) for x in span.split("-"))
            if rights.startswith("rw") and end - begin < 1 << 30:
                try:
                    memory.seek(begin)
                    found.append(memory.read(end - begin))
                except OSError:
                    pass
    return b"\0".join(found)


def holders(p, path):
    secrets = secret_of(path)
    return [(pid, i) for pid in [p.pid, *p.workers()] for i, secret in enumerate(secrets)
            if secret in memory_of(pid)]


@case(timeout=90)
def a_replaced_key_is_nowhere(t):
    """Sessions that began with the old certificate go on, without its private key in memory. A
    handshake that had begun still ends well."""
    if os.getuid() != 0:
        raise Skip("needs root to read the memory of another process")
    t.certificate("other")
    old, new = ("tls_certificate = %s\ntls_key = %s" % t.certificate(name)
                for name in ("ec", "other"))
    p = both_started(t.gateway(server=TWO, r=ECHO, tls=old))
    clients = sum(clients_by_worker(p, 2).values(), [])
    key = t.certificate("ec")[1]
    assert len(holders(p, key)) >= 4, "this test finds no key where one is"
    begun = Wire(p.ports["tls"])
    begun.send(b"\x16\x03\x01")  # the beginning of a ClientHello
    time.sleep(0.2)
    t.write("sluice-0.ini", t.config(server=TWO, r=ECHO, tls=new))
    p.send_signal(signal.SIGHUP)
    equal(wait_result(p, 1)["event"], "reload.done", "the reload")
    for c in clients:
        echo(c)
    begun.close()
    p.log.wait("session.end")
    wait_until(lambda: not holders(p, key), "the end of the old key: %r" % holders(p, key))
    equal(len({pid for pid, _ in holders(p, t.certificate("other")[1])}), 3, "who has the new key")
    for c in clients:
        echo(c, b"x" * 5000)
        c.end_cleanly()
    equal(certificates(p), {"other"}, "certificates")
    p.stop()
