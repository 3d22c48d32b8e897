# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody sets the clock: nothing ends early, nothing ends late, and Pings go on.

A case compiles a library (clock_shift.c) and preloads it. The library shifts the wall clock of the
running program by days, ahead and back.
"""

import mmap
import os
import shutil
import signal
import struct
import subprocess
import time
from datetime import datetime, timedelta, timezone

import provider
import services
from harness import TLS12, TLS13, Settings, Skip, case, equal, scale
from keepalive import check_duration, settings
from sessions import WIRES, end_after_close
from threads import in_thread, join
from wsclient import CLOSE, FIN, PING, PONG, RESET, Ended

DAYS = 10
EPOCH_S = 12 * 60 * 60  # of tickets' keys
FIRST_S, SECOND_S = 0.6, 1.4  # when the clock jumps, counted from the beginning of the sessions


class Clock:
    """The wall clock of programs that start with `environment`."""

    def __init__(self, t):
        compiler = shutil.which("cc")
        if not compiler:
            raise Skip("needs cc")
        source = os.path.join(services.HERE, "clock_shift.c")
        library, path = t.path("clock_shift.so"), t.write("shift", bytes(8))
        flags = ["-D_GNU_SOURCE", "-shared", "-fPIC", "-O1"]
        subprocess.run([compiler, *flags, "-o", library, source], check=True)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8)
        self.environment = dict(os.environ, LD_PRELOAD=library, CLOCK_SHIFT_FILE=path)
        if Settings.is_asan:  # the sanitizer wants to be first, but need not be
            options = os.environ.get("ASAN_OPTIONS", "")
            self.environment["ASAN_OPTIONS"] = options + ":verify_asan_link_order=0"

    def set(self, days):
        struct.pack_into("q", self.map, 0, round(days * 86400))


def new_session(p, listen, days):
    """A new connection works, and its log line has the shifted time."""
    c = p.client(listen).open("/echo")
    c.text("now")
    equal(c.recv_message()[1], b"now", "echo")
    before = len(p.ends(route="echo"))
    c.end_cleanly()
    line = p.log.wait("session.end", before + 1, route="echo")[-1]
    told = datetime.fromisoformat(line["ts"].replace("Z", "+00:00"))
    off = told - (datetime.now(timezone.utc) + timedelta(days=days))
    assert abs(off) < timedelta(minutes=5), "the log says %s" % line["ts"]
    check_duration(line, 0, 0)


class Watched(list):
    """A session on a thread of its own. The list has the times of its Pings, up to a Close or its
    end."""

    def __init__(self, p, backend, listen, route, does_pong=True):
        super().__init__()
        self.client = p.client(listen).open("/" + route)
        self.peer = backend.accept()
        self.client.binary(b"hello")
        self.peer.expect(b"hello")
        self.does_pong, self.how = does_pong, None
        self.began = time.monotonic()
        self.thread = in_thread(self.run)

    def run(self):
        try:
            while True:
                got = self.client.recv_frame()
                if got.opcode == CLOSE:
                    self.how = int.from_bytes(got.payload[:2], "big")
                    return
                equal(got.opcode, PING, "opcode")
                self.append(time.monotonic() - self.began)
                if self.does_pong:
                    self.client.send(PONG, got.payload)
        except Ended as end:
            self.how = end.how


def wait_for(began, seconds):
    time.sleep(max(0, began + seconds - time.monotonic()))


@case(rows=WIRES)
def jumps(t, listen):
    """The clock jumps ten days ahead, then twenty back, while every deadline of an open session
    runs."""
    clock, backend = Clock(t), t.backend()
    url = "backend = %s\n" % backend.url
    text = t.config(
        echo="backend = echo:",
        ping=url + settings(ping_interval="200ms", pong_timeout="5s"),
        lost=url + settings(ping_interval="1s", pong_timeout="1s"),
        idle=url + settings(idle_timeout="2s"),
        age=url + settings(max_age="2s"))
    p = t.start(text, env=clock.environment)
    new_session(p, listen, 0)
    pinged = Watched(p, backend, listen, "ping")
    lost = Watched(p, backend, listen, "lost", does_pong=False)
    idle = Watched(p, backend, listen, "idle")
    age = Watched(p, backend, listen, "age")

    wait_for(pinged.began, FIRST_S)
    clock.set(DAYS)
    new_session(p, listen, DAYS)
    wait_for(pinged.began, SECOND_S)
    clock.set(-DAYS)
    new_session(p, listen, -DAYS)

    for one, how, line in ((lost, RESET, ("client_lost", 2000, 3000)),
                           (idle, 1001, ("idle", 2000, 2000)),
                           (age, 1001, ("max_age", 2000, 2000))):
        join(one.thread)
        equal(one.how, how, "the end of a session of " + line[0])
        if how == 1001:
            end_after_close(one.client, 1001)
            one.peer.expect_fin()
            one.peer.close()
        else:
            one.peer.expect_reset()
        check_duration(p.log.wait("session.end", ending=line[0])[0], *line[1:])
    assert len(lost) == 1, "%d Pings without a Pong" % len(lost)

    wait_for(pinged.began, 2.6)
    assert pinged.thread.is_alive(), "it ended: %r" % pinged.how
    for what, begin, end in (("before", 0, FIRST_S), ("after ten days ahead", FIRST_S, SECOND_S),
                             ("after twenty days back", SECOND_S, 2.6)):
        count = sum(begin <= at < end for at in pinged)
        assert 1 <= count <= (end - begin) / 0.2 + 2, "%d Pings %s: %r" % (count, what, pinged)
    pinged.client.close(1000)
    pinged.peer.expect_fin()
    pinged.peer.close()
    join(pinged.thread)
    equal(pinged.how, 1000, "code")
    pinged.client.wire.finish()
    check_duration(p.log.wait("session.end", route="ping")[0], 2600, 2600)


@case(rows=WIRES)
def jumps_while_peers_stall(t, listen):
    """The clock jumps during write_timeout, and during close_timeout and the linger behind it."""
    clock = Clock(t)
    backend, deaf = t.backend(send_buffer=16384), t.backend()
    p = t.start(t.config(
        stall="write_timeout = 1s\nbackend = %s\n" % backend.url + settings(),
        close="close_timeout = 400ms\nbackend = %s\n" % deaf.url + settings(idle_timeout="200ms")),
        env=clock.environment)
    closing = p.client(listen).open("/close")
    closing_peer = deaf.accept()
    stalled = p.client(listen, receive_buffer=8192).open("/stall")
    peer = backend.accept()

    def flood():
        try:
            while True:
                peer.send(bytes(65536))
        except ConnectionError:
            pass

    peer.sock.settimeout(30 * scale())
    thread = in_thread(flood)
    for days in (DAYS, -DAYS, 0, -DAYS, DAYS):
        time.sleep(0.2)
        clock.set(days)
    closing.recv_close(1001)
    closing.recv_end(FIN)
    join(thread)
    check_duration(p.log.wait("session.end", route="stall", ending="client_stalled")[0], 1000, 2000)
    stalled.wire.close()
    closing_peer.expect_fin()
    closing_peer.close()
    line = p.log.wait("session.end", route="close", ending="idle")[0]
    check_duration(line, 2600, 2600)  # the linger is 2 s


@case(rows=[("tls_1_2", TLS12), ("tls_1_3", TLS13)])
def tickets_over_epochs(t, version):
    """A ticket is good for 12 hours, over a change of keys, also at a worker that starts late.

    Every moment counts from the beginning of an epoch, whatever the hour of the test is."""
    clock = Clock(t)
    epoch = (time.time() // EPOCH_S + 1) * EPOCH_S  # the first moment of the next one

    def at(hours):
        clock.set((epoch + hours * 3600 - time.time()) / 86400)

    at(0.1)
    p = t.start(t.config(server="workers = 1", r="origins = *\nbackend = echo:"),
                env=clock.environment)
    p.may_lose_workers = True
    context = t.tls_context(low=version, high=version)

    def connect(session=None):
        c = p.client(context=context, session=session).open("/r")
        c.text("hello")
        c.recv_message()
        resumed, new = c.wire.tls.session_reused, c.wire.tls.session
        c.end_cleanly()
        return resumed, new

    _, first = connect()
    equal(connect(first)[0], True, "at once")
    if version == TLS12:  # a ticket of TLS 1.3 has an age, which the client tells
        at(11.9)
        equal(connect(first)[0], True, "at the end of its epoch")
        at(12.2)
        equal(connect(first)[0], False, "after more than 12 hours")
        at(21)
        _, session = connect()
        at(25)
        equal(connect(session)[0], True, "in the next epoch")
    else:
        at(24 - 2 / 3600)
        _, session = connect()
        time.sleep(2.6)  # until the next epoch; the clock shifts by whole seconds
        equal(connect(session)[0], True, "in the next epoch")
    old = p.workers()[0]
    os.kill(old, signal.SIGKILL)
    p.log.wait("worker.start", 2)
    equal(connect(session)[0], True, "at a worker that started in the next epoch")
    if version == TLS12:
        at(32)
        equal(connect(session)[0], True, "at the end of 12 hours")
    at(36.1)
    equal(connect(session)[0], False, "in the epoch after that")
    _, session = connect()
    equal(connect(session)[0], True, "a new ticket")


@case()
def a_token_ends_by_the_clock(t):
    """Its end is a date. Somebody sets the clock back, and the session goes on; the same token
    opens none any more when the clock is ahead."""
    clock = Clock(t)
    text = provider.token("HS256", exp=int(time.time()) + 2)
    p = t.start(t.config(r="backend = echo:\nauth = idp\nauth_from = bearer") + provider.auth(
        "idp", "type = jwt", "algorithms = HS256", "leeway = 0", "audience = sluice",
        "secret_file = " + provider.write_secret(t, "secret", provider.SECRET)),
        env=clock.environment)
    held = provider.enter(p, text)
    clock.set(-DAYS)
    time.sleep(3)
    held.text("still here")
    equal(held.recv_message()[1], b"still here", "echo")
    clock.set(DAYS)
    provider.refuse(p, text, "has expired")
    held.end_cleanly()
