# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM: readiness, pre_drain, callers who are on their way, closes that are spread, the end."""

import os
import resource
import signal
import socket
import time

from crowd import Pages, continue_all, stop_all
from harness import Skip, case, equal, scale, wait_until
from processes import ECHO, both_started, echo
from scrape import ask
from sessions import WIRES
from threads import in_thread, join
from upgrades import Upgradable
from wsclient import BINARY, FIN, Client, Ended, Timeout, frame

HEALTH = "[health]\naddress = 127.0.0.1:0\n"


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        raise Skip("needs %d descriptors" % count)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


# Closes

SESSIONS, STUCK, DEAF = 2000, 10, 10
DRAIN_S = 6


def open_many(p, listen, count):
    return [p.client(listen).open("/r") for _ in range(count)]


def stuff(c):
    """Fills what is between the client and the program: the client reads nothing of its echoes."""
    c.wire.sock.settimeout(0.05)
    try:
        for _ in range(200):
            c.wire.send(frame(BINARY, bytes(65535)))
    except Timeout:
        pass


def check_spread(times, began, over):
    """No part of the time has much more than its share, and it is used to its end."""
    times = sorted(at - began for at in times)
    share = [0] * 8
    for at in times:
        share[min(int(at / over * 8), 7)] += 1
    print("closes by eighths of %.2f s: %r" % (over, share))
    mean = len(times) / 8
    assert max(share) < 2 * mean, "a burst: %r" % share
    assert min(share) > mean / 4, "a gap: %r" % share
    middle = times[len(times) // 2] / over
    assert 0.35 < middle < 0.75, "the middle one came at %.2f of the time" % middle


@case(timeout=180, alone=True, rows=WIRES)
def two_thousand_sessions(t, listen):
    """Each page gets 1001, evenly over three quarters of drain_timeout. Stuck clients are cut at
    its end: those that answer no Close, and those that read nothing while much waits for them."""
    drain = DRAIN_S * min(scale(), 2)
    allow_descriptors(SESSIONS + 200)
    p = both_started(t.gateway(
        server="workers = 2\nmax_sessions = 5000\ndrain_timeout = %ds" % drain,
        r=ECHO + "\nclose_timeout = 10m\nwrite_timeout = 10m\nend_timeout = 0"))
    deaf = [p.client(listen, receive_buffer=8192).open("/r") for _ in range(DEAF)]
    for c in deaf:
        stuff(c)
    pages = Pages(open_many(p, listen, SESSIONS - DEAF))
    pages.stuck = set(pages.clients[::len(pages.clients) // STUCK][:STUCK])
    began = time.monotonic()
    p.send_signal(signal.SIGTERM)
    pages.run(drain + 20)
    equal(p.wait_exit(), 0, "exit code")
    took = time.monotonic() - began
    assert drain - 0.5 < took < drain + scale(), "it took %.2f s" % took
    p.is_stopped = True
    p.check_log()
    equal(pages.codes, [1001] * (SESSIONS - DEAF), "codes")
    check_spread(pages.times, began, drain * 3 / 4)
    equal(pages.ends.count(FIN) >= SESSIONS - DEAF - STUCK, True, "orderly ends")
    lines = p.ends(ending="shutdown", code="1001")
    equal(len(lines), SESSIONS, "lines of sessions")
    begins, ends = p.log.find("drain.begin"), p.log.find("drain.end")
    equal((len(begins), len(ends)), (2, 2), "lines of drains")
    equal(sum(int(line["sessions"]) for line in begins), SESSIONS, "sessions at the beginning")
    equal({line["over_ms"] for line in begins}, {str(drain * 750)}, "over")
    equal(sum(int(line["told"]) for line in ends), SESSIONS, "told")
    equal(sum(int(line["cut"]) for line in ends), STUCK + DEAF, "cut")


@case()
def a_drain_ends_with_its_last_session(t):
    """Whoever has nobody left does not wait for drain_timeout."""
    p = both_started(t.gateway(server="workers = 2\ndrain_timeout = 3s", r=ECHO))
    c = p.client().open("/r")
    began = time.monotonic()
    p.send_signal(signal.SIGTERM)
    c.recv_close(1001)
    c.close(1001)
    c.wire.finish()
    equal(p.wait_exit(), 0, "exit code")
    p.is_stopped = True
    assert time.monotonic() - began < 2 * scale(), "it waited"
    ends = p.log.find("drain.end")
    equal(sorted((line["told"], line["cut"]) for line in ends), [("0", "0"), ("1", "0")], "ends")


@case(timeout=60)
def a_worker_that_stands_still(t):
    """The program is gone within a second of drain_timeout, whatever its workers do."""
    p = both_started(t.gateway(server="workers = 2\ndrain_timeout = 2s", r=ECHO))
    p.may_lose_workers = True
    clients = [p.client("plain").open("/r") for _ in range(4)]
    stop_all(p.workers()[:1])
    began = time.monotonic()
    p.send_signal(signal.SIGTERM)
    equal(p.wait_exit(), 0, "exit code")
    took = time.monotonic() - began
    p.is_stopped = True
    assert 1.9 < took < 2 + scale(), "it took %.2f s" % took
    equal(len(p.log.find("worker.exit", signal="9")), 1, "killed")
    for c in clients:
        c.wire.close()


# Callers on their way

def told(c, listen, t):
    """Sends the request of a caller, and wants an answer: 101 and 1001."""
    if listen == "tls":
        c.wire.begin_tls(t.context)
        c.scheme = "https"
    c.open("/r")
    c.recv_close(1001)
    c.close(1001)
    c.recv_end(FIN)


@case(timeout=90, rows=WIRES)
def callers_in_the_queues(t, listen):
    """Nobody who has called already is reset: the workers accept whoever waits, and tell them."""
    p = both_started(t.gateway(server="workers = 2\ndrain_timeout = 20s", r=ECHO))
    workers = p.workers()
    stop_all(workers)
    clients = [Client(p.wire(listen, context=None)) for _ in range(200)]
    p.send_signal(signal.SIGTERM)
    p.log.wait("stop")
    late = Client(p.wire(listen, context=None))  # the queues are open still
    continue_all(workers)
    for c in [*clients, late]:
        told(c, listen, t)
    equal(p.wait_exit(), 0, "exit code")
    p.is_stopped = True
    p.check_log()
    equal(len(p.ends(ending="shutdown", code="1001")), 201, "lines")


@case(timeout=90)
def callers_at_the_moment(t):
    """Callers who come one after the other while the program stops: each is served or told or
    refused, and the refusal comes within seconds."""
    for _ in range(5):
        p = both_started(t.gateway(server="workers = 2\ndrain_timeout = 3s", r=ECHO))
        outcomes, refused_at, errors = [], [], []

        def call():
            while True:
                try:
                    c = p.client("plain", timeout=10 * scale())
                except ConnectionRefusedError:
                    refused_at.append(time.monotonic())
                    return
                try:
                    c.open("/r")
                    c.text(b"x")
                    got = c.recv_frame()
                    outcomes.append(got.opcode)
                    c.wire.reset()
                except (Ended, OSError, Timeout, AssertionError) as error:
                    errors.append(repr(error))

        threads = [in_thread(call) for _ in range(4)]
        wait_until(lambda: len(outcomes) > 40, "they call")
        began = time.monotonic()
        p.send_signal(signal.SIGTERM)
        for thread in threads:
            join(thread, 30 * scale())
        assert not errors, "%d of %d: %s" % (len(errors), len(outcomes), errors[0])
        assert set(outcomes) <= {1, 8}, "frames %r" % set(outcomes)
        slowest = max(refused_at) - began
        assert slowest < 3 * scale(), "refused after %.1f s" % slowest
        p.stop()


@case()
def who_says_nothing_is_not_waited_for(t):
    """A connection that asks for nothing holds no drain for longer than two seconds."""
    p = both_started(t.gateway(server="drain_timeout = 10m\ntls_timeout = 1h\nrequest_timeout = 1h",
                               r=ECHO), 1)
    silent = [p.wire(listen, context=None) for listen in ("plain", "tls")]
    half = p.wire("plain")
    half.send(b"GET /r HTTP/1.1\r\n")
    c = p.client("plain").open("/r")
    echo(c)
    p.send_signal(signal.SIGTERM)
    c.recv_close(1001)
    c.close(1001)
    c.wire.finish()
    for wire in silent[1:]:
        while wire.recv():
            pass
        equal(wire.ended, FIN, "how a silent one ends")
        wire.close()
    answer = half.recv()
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    for wire in [*silent, half]:
        wire.close()
    equal(p.wait_exit(10), 0, "exit code")
    p.is_stopped = True
    p.check_log()


# pre_drain

def is_refused(address):
    try:
        socket.create_connection(address, 5 * scale()).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def health_path_status(p):
    with socket.create_connection(p.ports["plain"], 20 * scale()) as sock:
        sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        return int(sock.recv(4096).split()[1])


def start_with_pre_drain(t, pre_drain):
    text = t.config(server="workers = 2\ndrain_timeout = 5s\npre_drain = " + pre_drain, r=ECHO)
    text = text.replace("[listen plain]\n", "[listen plain]\nhealth_path = /healthz\n")
    return both_started(t.start(text + HEALTH))


@case(timeout=90)
def pre_drain(t):
    """Not ready at once, everywhere; serving as before until the time is over; then the drain."""
    p = start_with_pre_drain(t, "2s")
    old = p.client().open("/r")
    equal((ask(p.ports["health"])[0], health_path_status(p)), (200, 200), "before")
    began = time.monotonic()
    p.send_signal(signal.SIGTERM)
    p.log.wait("stop")
    got = ask(p.ports["health"])
    equal((got[0], got[1]["retry-after"], health_path_status(p)), (503, "5", 503), "not ready")
    equal(ask(p.ports["health"], "/livez")[0], 200, "it lives")
    c = p.client().open("/r")
    echo(c)
    echo(old)
    waited = time.monotonic() - began
    if waited < 1.5:  # else the machine is too slow to tell
        assert not p.log.find("drain.begin"), "it drains already"
    p.log.wait("drain.begin", 2)
    assert time.monotonic() - began > 1.9, "it drained too soon"
    equal(ask(p.ports["health"])[0], 503, "while it drains")
    equal(ask(p.ports["health"], "/livez")[0], 200, "it lives while it drains")
    Pages([old, c]).run(20)
    equal(p.wait_exit(), 0, "exit code")
    p.is_stopped = True
    p.check_log()


@case()
def pre_drain_is_skipped(t):
    """A second SIGTERM does not wait for balancers, a third one for nobody."""
    p = start_with_pre_drain(t, "1h")
    clients = [p.client().open("/r") for _ in range(4)]
    p.send_signal(signal.SIGTERM)
    p.log.wait("stop")
    p.send_signal(signal.SIGTERM)
    p.log.wait("drain.begin", 2)
    wait_until(lambda: is_refused(p.ports["plain"]), "newcomers are refused")
    p.send_signal(signal.SIGTERM)
    equal(p.wait_exit(), 0, "exit code")
    p.is_stopped = True
    p.check_log()
    equal(len(p.ends(ending="shutdown")), len(clients), "lines")


@case()
def pre_drain_and_a_lost_worker(t):
    """A worker that dies meanwhile is replaced: callers still come."""
    p = start_with_pre_drain(t, "1h")
    p.may_lose_workers = True
    p.send_signal(signal.SIGTERM)
    p.log.wait("stop")
    for pid in p.workers():
        os.kill(pid, signal.SIGKILL)
    p.log.wait("worker.start", 4)
    echo(p.client().open("/r"))
    equal(ask(p.ports["health"])[0], 503, "not ready")
    p.send_signal(signal.SIGTERM)


@case()
def one_worker_ends_in_pre_drain(t):
    """Another one takes its callers: its sockets must go on hearing them."""
    p = start_with_pre_drain(t, "1h")
    p.may_lose_workers = True
    gone = p.workers()[0]
    p.send_signal(signal.SIGTERM)
    p.log.wait("stop")
    os.kill(gone, signal.SIGTERM)
    wait_until(lambda: gone not in p.workers(), "the end of the worker")
    for _ in range(24):  # each socket gets some
        c = p.client().open("/r")
        echo(c)
        c.end_cleanly()
    p.stop()


@case(rows=[("before_it_begins", False), ("while_it_starts", True)])
def pre_drain_and_an_upgrade(t, is_upgrade_first):
    """A program that is to stop begins no upgrade, and gives up one that it has begun."""
    text = t.config(server="workers = 2\ndrain_timeout = 2s\npre_drain = 1s", r=ECHO)
    u = Upgradable(t, text + HEALTH)
    p = both_started(u.p)
    c = p.client().open("/r")
    if is_upgrade_first:
        u.put_bad("hangs_at_start")
        p.send_signal(signal.SIGUSR2)
        p.log.wait("upgrade.begin")
    p.send_signal(signal.SIGTERM)
    p.log.wait("stop")
    p.send_signal(signal.SIGUSR2)
    if is_upgrade_first:
        equal(p.log.wait("upgrade.failed")[0]["detail"], "sluice stops", "why")
    equal(ask(p.ports["health"])[0], 503, "not ready")
    c.recv_close(1001)
    c.wire.reset()
    equal(p.wait_exit(), 0, "exit code")
    p.is_stopped = True
    equal(len(p.log.find("upgrade.begin")), int(is_upgrade_first), "upgrades")
