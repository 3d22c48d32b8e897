# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers may take: places, turns, descriptors, log lines; and accept() that fails."""

import errno
import os
import re
import resource
import selectors
import socket
import struct
import subprocess
import time

import tlsraw
from descriptors import DescriptorFault
from harness import Settings, Skip, case, equal, scale, wait_until
from threads import in_thread, join
from wsclient import TEXT, Client, Timeout

ECHO = "origins = *\nbackend = echo:"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def echo(c, text=b"x"):
    c.text(text)
    equal(c.recv_message(), (TEXT, text), "echo")


def limit_descriptors(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def open_descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def resident_kib(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Crowd:
    """Many connections that say the same and then nothing more."""

    def __init__(self, t, address, count, says=b""):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < count + 200:
            raise Skip("needs %d descriptors" % (count + 200))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
        self.address, self.says, self.socks = address, says, []
        t.cleanup(self.close)
        for _ in range(count):
            self.add()

    def add(self):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        sock.connect_ex(self.address)
        self.socks.append(sock)
        if self.says:
            wait_until(lambda: self.send(sock), "it connects")

    def send(self, sock):
        try:
            return sock.send(self.says) > 0
        except BlockingIOError:
            return False
        except OSError:
            return True  # it was put out

    def close(self):
        for sock in self.socks:
            sock.close()
        self.socks = []


# Places

@case(timeout=120, alone=True, rows=[("plain", "plain", 5000, b""), ("tls", "tls", 5000, b""),
                                     ("half_heads", "plain", 1500, b"GET /r HTTP/1.1\r\nHost: "),
                                     ("half_hellos", "tls", 1500, None)])
def silent_crowd(t, listen, count, says):
    """Those who say nothing, or stop half way, do not lock out who comes behind them, long before
    tls_timeout and request_timeout; and they take no more than max_pending places."""
    p = t.gateway(server="tls_timeout = 10m\nrequest_timeout = 10m\nmax_pending = 500", r=ECHO)
    worker = int(p.log.wait("worker.start")[0]["pid"])
    old = p.client(listen).open("/r")
    before = open_descriptors(worker)
    if says is None:
        says = tlsraw.records_of(tlsraw.client_hello())[:100]
    crowd = Crowd(t, p.ports[listen], count, says)
    began = time.monotonic()
    c = p.client(listen).open("/r")
    echo(c)
    took = time.monotonic() - began
    # 3 s: those who stopped half way keep their place for a second each.
    assert took < 3 * scale(), "an honest caller waited %.1f s" % took
    taken = open_descriptors(worker) - before
    assert taken <= 510, "%d descriptors for 500 places" % taken
    echo(old)
    assert p.log.find("listen.paused", reason="max_pending"), "the log does not tell"
    crowd.close()
    for c in [p.client(listen).open("/r") for _ in range(20)]:
        echo(c)
    p.log.wait("listen.resumed")


@case(timeout=90)
def admitted_are_no_guests(t):
    """max_pending counts no session, and a refused client counts until it has gone."""
    p = t.gateway(server="max_pending = 2", r=ECHO + "\nclose_timeout = 10m")
    clients = [p.client().open("/r") for _ in range(10)]
    refused = [p.client("plain").open("/nowhere") for _ in range(2)]
    for c in refused:
        c.recv_close(1008)  # it does not answer
    c = p.client("plain").open("/r")  # takes the place of a refused one after a second
    for c in [*clients, c]:
        echo(c)
    line = p.log.wait("session.end", ending="no_route")[0]
    equal(line["code"], "1008", "the first reason stays")
    for c in clients:
        c.end_cleanly()


# Turns

@case(timeout=90)
def many_handshakes_at_once(t):
    """Whoever comes in a burst far beyond max_pending gets in: nobody is put out who only waits."""
    p = t.gateway(server="max_pending = 20", r=ECHO)

    def come():
        for _ in range(10):
            c = p.client(timeout=60 * scale()).open("/r")
            echo(c)
            c.end_cleanly()

    threads = [in_thread(come) for _ in range(40)]
    for thread in threads:
        join(thread, 80 * scale())
    p.log.wait("session.end", 400)
    equal({line["ending"] for line in p.ends()}, {"client_close"}, "endings")


@case(timeout=90, alone=True)
def sessions_beside_a_flood(t):
    """While ClientHellos flood in, a session's round trip takes no longer than a handshake or two.
    The bound is generous: without the door it was the whole flood's handshakes."""
    p = t.gateway(server="max_pending = 400", r=ECHO)
    c = p.client("plain").open("/r")
    hello = tlsraw.records_of(tlsraw.client_hello())
    connections = p.ports["tls"]
    stop, selector, answered = [], selectors.DefaultSelector(), []

    def add():
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        sock.connect_ex(connections)
        selector.register(sock, selectors.EVENT_WRITE)

    def flood():
        for _ in range(200):
            add()
        while not stop:
            for key, ready in selector.select(0.1):
                try:
                    if ready & selectors.EVENT_WRITE:
                        key.fileobj.send(hello)
                        selector.modify(key.fileobj, selectors.EVENT_READ)
                        continue
                    answered.append(bool(key.fileobj.recv(65536)))
                except OSError:
                    pass
                selector.unregister(key.fileobj)
                key.fileobj.close()
                add()

    thread = in_thread(flood)
    wait_until(lambda: len(answered) > 300, "the flood flows")
    times, before = [], len(answered)
    while len(times) < 200 or len(answered) < before + 300:
        began = time.monotonic()
        echo(c)
        times.append(time.monotonic() - began)
    stop.append(True)
    join(thread, 20)
    times.sort()
    assert times[len(times) // 2] < 0.05 * scale(), "the middle round trip: %.3f s" % times[
        len(times) // 2]
    selector.close()


# Descriptors

@case(timeout=90, alone=True, rows=[("plain", "plain"), ("tls", "tls")])
def descriptors_are_kept_for_backends(t, listen):
    """With few descriptors strangers take their own share. Whom sluice admits reaches the backend;
    beyond that a request is `full`, and nobody blames the backend."""
    backend = t.backend(timeout=1.0 * scale())
    p = t.start(t.config(b="origins = *\nbackend = " + backend.url),
                preexec_fn=limit_descriptors(120))
    warning = p.log.wait("limits")[0]
    equal(warning["level"], "warn", "level")
    crowd = Crowd(t, p.ports[listen], 300)
    admitted, refused = [], 0
    while refused < 3:
        c = p.client(listen).open("/b")
        try:
            peer = backend.accept()
        except Timeout:
            c.recv_close(1013)
            refused += 1
            c.wire.reset()
            continue
        admitted.append((c, peer))
    assert len(admitted) >= 15, "%d sessions with 120 descriptors" % len(admitted)
    for c, peer in admitted:
        c.binary(b"hello")
        equal(peer.recv(5), b"hello", "at the backend")
    lines = p.log.wait("session.end", 3, ending="full", detail="the limit of descriptors")
    equal(lines[0]["code"], "1013", "code")
    assert not p.ends(ending="backend_refused"), "the log blames the backend"
    crowd.close()
    admitted.pop()[0].wire.reset()
    p.log.wait("session.end", ending="client_reset")
    p.client(listen).open("/b")
    backend.accept()


@case()
def check_warns_of_the_limit(t):
    path = t.write("limit.ini", t.config(server="max_sessions = 5000", r=ECHO))
    for count, is_warned in ((200, True), (11100, False)):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < count:
            raise Skip("needs a hard limit of %d descriptors" % count)
        done = subprocess.run([Settings.program, "-c", path, "--check"], capture_output=True,
                              text=True, preexec_fn=limit_descriptors(count))
        equal((done.returncode, done.stdout), (0, path + ": ok\n"), "the check")
        equal("need 11066 descriptors" in done.stderr, is_warned, "warning: %r" % done.stderr)


# accept()

@case(timeout=60, rows=[
    ("emfile", errno.EMFILE, "out of descriptors"),
    ("enfile", errno.ENFILE, "the system is out of descriptors"),
    ("enobufs", errno.ENOBUFS, "the system is out of memory"),
    ("enomem", errno.ENOMEM, "the system is out of memory"),
    ("econnaborted", errno.ECONNABORTED, "accept() is forbidden"),
    ("eproto", errno.EPROTO, "accept() is forbidden"),
    ("eperm", errno.EPERM, "accept() is forbidden"),
    ("eacces", errno.EACCES, "accept() is forbidden"),
    ("unknown", errno.ENOTSUP, None),
])
def accept_fails(t, number, reason):
    """No error makes the listener spin; its callers wait, and are served when it has passed."""
    fault = DescriptorFault(t)
    p = t.start(t.config(r=ECHO), env=fault.environment)
    worker = int(p.log.wait("worker.start")[0]["pid"])
    old = p.client("plain").open("/r")
    fault.set("accept", number)
    wire = p.wire("plain")  # the kernel's queue has it
    paused = p.log.wait("listen.paused")[0]
    if reason:
        equal(paused["reason"], reason, "reason")
    before, cpu = fault.failures("accept"), cpu_seconds(worker)
    time.sleep(1)
    tries = fault.failures("accept") - before
    assert tries < 40, "%d tries in a second" % tries
    used = cpu_seconds(worker) - cpu
    assert used < 0.5, "%.2f s of processor time in a second" % used
    echo(old)
    fault.set("accept", 0)
    c = Client(wire).open("/r")
    echo(c)
    equal(len(p.log.find("listen.paused")), 1, "one line a pause")
    assert int(p.log.wait("listen.resumed")[0]["paused_ms"]) >= 900


# Lines

@case(timeout=60, rows=[("text", "text"), ("json", "json")])
def lines_are_limited(t, log_format):
    """What strangers cause is limited for each ending, and nothing is lost: lines and counts add
    up. Lines of sessions all come out."""
    p = t.gateway(server="log_limit = 2\nlog_format = " + log_format,
                  r=ECHO, d="backend = " + t.closed_port())
    for _ in range(60):
        wire = p.wire(context=None)
        wire.send(b"no TLS at all")
        wire.close()
        c = p.client("plain").open("/nowhere")
        c.recv_close(1008)
        c.wire.reset()
    for _ in range(40):
        c = p.client("plain").open("/r")
        c.end_cleanly()
    p.log.wait("session.end", 40, ending="client_close")
    for _ in range(40):
        c = p.client("plain").open("/d")
        c.recv_close(1011)
        c.wire.reset()
    p.log.wait("session.end", 40, ending="backend_refused")
    p.stop()
    for ending in ("tls_failed", "no_route"):
        written = len(p.ends(ending=ending))
        counted = sum(int(line["suppressed"])
                      for line in p.log.find("log.suppressed", of="session.end", ending=ending))
        equal(written + counted, 60, ending)
        assert 20 <= written < 60, "%d lines of %s" % (written, ending)
    endings = {line.get("ending") for line in p.log.find("log.suppressed")}
    equal(endings, {"tls_failed", "no_route"}, "what was suppressed")


@case()
def suppressed_lines_are_told_in_time(t):
    p = t.gateway(server="log_limit = 1", r=ECHO)
    for _ in range(13):
        wire = p.wire(context=None)
        wire.send(b"no TLS at all")
        wire.close()
    told = p.log.wait("log.suppressed")[0]
    assert int(told["suppressed"]) >= 1, told
    equal((told["of"], told["ending"]), ("session.end", "tls_failed"), "what")


@case(rows=[("plain", "plain"), ("tls", "tls")])
def probes_are_for_debug(t, listen):
    """Health checks and port scanners: they connect, perhaps shake hands, and go."""
    p = t.gateway(r=ECHO)
    for number in range(20):
        options = {} if number % 2 else {"context": None}
        wire = p.wire(listen, **options)
        wire.reset() if number % 3 else wire.close()
    c = p.client(listen).open("/r")
    c.end_cleanly()
    p.one_end("client_close")
    p.stop()
    equal(len(p.ends()), 1, "lines at info")
    assert not re.search("probe|suppressed", p.log.text())
    p = t.gateway(server="log_level = debug\nlog_limit = 1", r=ECHO)
    for _ in range(30):
        p.wire(listen, context=None).close()
    p.log.wait("session.end", 30, level="debug")


@case()
def half_a_request_is_no_probe(t):
    p = t.gateway(r=ECHO)
    for listen in ("plain", "tls"):
        wire = p.wire(listen)
        wire.send(b"GET /r")
        wire.close()
    equal({line["phase"] for line in p.log.wait("session.end", 2)}, {"request"}, "phases")


HALF_OF_A_LARGE_HELLO = b"\x16\x03\x01\x3f\xfc\x01\x00\x3f\xf8" + bytes(8300)


@case(timeout=60, rows=[("whole_hello", tlsraw.records_of(tlsraw.client_hello())),
                        ("half_of_a_large_one", HALF_OF_A_LARGE_HELLO)])
def memory_of_guests(t, says):
    """A connection without a session holds at most what the README says."""
    if Settings.is_asan:
        raise Skip("a sanitizer's memory is no measure")
    p = t.gateway(server="max_pending = 1000\ntls_timeout = 10m", r=ECHO)
    worker = int(p.log.wait("worker.start")[0]["pid"])
    p.client().open("/r").end_cleanly()
    p.log.wait("session.end")
    before = resident_kib(worker)
    Crowd(t, p.ports["tls"], 500, says)
    time.sleep(0.5)
    grown = (resident_kib(worker) - before) / 500
    print("%.1f KiB" % grown)
    assert 1 < grown < 22, "%.1f KiB" % grown
    equal(len(p.ends()), 1, "they are still there: lines")
