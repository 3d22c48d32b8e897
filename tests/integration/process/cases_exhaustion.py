# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs out, and who pays: descriptors of a running worker, max_memory, slow senders."""

import errno
import multiprocessing
import os
import resource
import selectors
import socket
import struct
import time

import tlsraw
from descriptors import DescriptorFault
from harness import Settings, Skip, case, equal, scale, wait_until
from memory import limit_process
from peers import Backend
from processes import ECHO, both_started, echo
from reloads import reload
from scrape import scrape
from sessions import WIRES
from wsclient import FIN, RESET, Client, Ended, Timeout, frame, frame_header

HEALTH = "[health]\naddress = 127.0.0.1:0\n"
MIB = 1 << 20


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        raise Skip("needs %d descriptors" % count)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


# Descriptors

@case(timeout=90, alone=True)
def no_descriptors(t):
    """A running worker loses the right to open more. 200 callers wait in the kernel's queue; the
    worker sleeps, says little, and serves its session; and it accepts within a second of relief."""
    p = both_started(t.gateway(server="log_limit = 10", r=ECHO), 1)
    worker = p.workers()[0]
    bystander = p.client().open("/r")
    open_now = len(os.listdir("/proc/%d/fd" % worker))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit_process(worker, resource.RLIMIT_NOFILE, (open_now, hard))
    waiting = [Client(p.wire("plain")) for _ in range(200)]
    for c in waiting:
        c.send_raw(c.request("/r"))
    paused = p.log.wait("listen.paused")[0]
    equal((paused["reason"], paused["level"]), ("out of descriptors", "warn"), "reason")
    lines, cpu, began = len(p.log.lines), cpu_seconds(worker), time.monotonic()
    while time.monotonic() < began + 4:
        echo(bystander)
        time.sleep(0.05)
    used = (cpu_seconds(worker) - cpu) / (time.monotonic() - began)
    assert used < 0.05 * scale(), "%.1f %% of a core" % (100 * used)
    assert len(p.log.lines) - lines <= 4, "lines: %r" % p.log.lines[lines:]
    limit_process(worker, resource.RLIMIT_NOFILE, (hard, hard))
    relief = time.monotonic()
    equal(waiting[0].read_response().status, 101, "status")
    took = time.monotonic() - relief
    assert took < 1 + 0.5 * scale(), "the first one waited %.2f s" % took
    for c in waiting[1:]:
        equal(c.read_response().status, 101, "status")
        echo(c)
    p.log.wait("listen.resumed")


NO_DIAL = [
    ("address_enfile", errno.ENFILE, "tcp://127.0.0.1:1", "too many open files on this machine"),
    ("address_emfile", errno.EMFILE, "tcp://127.0.0.1:1", "too many open files in this process"),
    ("address_enobufs", errno.ENOBUFS, "tcp://127.0.0.1:1", "the system is out of memory"),
    ("name_enfile", errno.ENFILE, "tcp://db.example:1",
     "no descriptors or memory to look the name up"),
]


@case(timeout=60, rows=NO_DIAL)
def no_socket_for_a_dial(t, number, backend, detail):
    """What this machine lacks is no fault of the backend: the page may try again later."""
    fault = DescriptorFault(t)
    p = both_started(t.start(t.config(e=ECHO), env=fault.environment), 1)
    fault.set("socket", number)
    # A name is looked up once a route has it.
    reload(p, t.config(r="origins = *\nbackend = " + backend, e=ECHO))
    for listen in ("plain", "tls"):
        c = p.client(listen).open("/r")
        c.recv_close(1013)
        c.wire.reset()
    lines = p.log.wait("session.end", 2)
    equal({(line["ending"], line["code"], line["detail"]) for line in lines},
          {("full", "1013", detail)}, "the ends")
    assert fault.failures("socket") >= 2, "socket() has not failed"
    equal(p.log.find("backend.down"), [], "who is blamed")
    echo(p.client().open("/e"))
    fault.set("socket", 0)


# max_memory

class Slow:
    """Sends a message without end and reads nothing."""

    def __init__(self, c):
        self.c, self.is_begun = c, False
        c.wire.sock.settimeout(0)

    def push(self):
        """Sends what the kernel takes. Returns False where it takes nothing or has ended."""
        try:
            if not self.is_begun:
                self.c.send_raw(frame_header(2, 1 << 40, key=bytes(4)))
                self.is_begun = True
            self.c.send_raw(bytes(65536))
            return True
        except (Ended, OSError, Timeout):
            return False


def overload(p, slow, seconds=20):
    """Lets all of them send until the program ends some, or the time is over."""
    end = time.monotonic() + seconds * scale()
    while not p.log.find("memory.full"):
        assert time.monotonic() < end, "max_memory is never reached"
        if not any([one.push() for one in slow]):
            time.sleep(0.02)


def allocated(p):
    return scrape(p).sum("sluice_memory_allocated_bytes")


@case(timeout=180, alone=True, rows=WIRES)
def largest_queues_end(t, listen):
    """Pages that read nothing fill the memory: those with most queued are cut off, nobody else."""
    p = both_started(t.start(t.config(server="max_memory = 8m",
                                      r=ECHO + "\nwrite_timeout = 10m\nidle_timeout = 0") + HEALTH),
                     1)
    bystanders = [p.client(listen).open("/r") for _ in range(20)]
    slow = [Slow(p.client(listen, receive_buffer=8192).open("/r")) for _ in range(200)]
    for c in bystanders:
        echo(c)
    overload(p, slow)
    line = p.log.wait("memory.full")[0]
    equal((line["level"], line["max_memory"]), ("warn", str(8 * MIB)), "the line")
    assert int(line["bytes"]) > 8 * MIB and int(line["ended"]) >= 1, line
    ends = p.log.wait("session.end", ending="client_stalled")
    equal({e["detail"] for e in ends}, {"max_memory: it had most in its queues"}, "detail")
    assert "code" not in ends[0] and int(ends[0]["queue_peak_client_bytes"]) > 32768, ends[0]
    for _ in range(3):
        for one in slow:
            one.push()
        for c in bystanders:
            echo(c, b"untouched")
    late = p.client(listen).open("/r")
    late.recv_close(1013)
    end = p.log.wait("session.end", ending="full")[0]
    equal((end["detail"], end["code"]), ("max_memory", "1013"), "the refusal")
    numbers = scrape(p)
    assert numbers.sum("sluice_memory_ended_sessions_total") == len(
        p.ends(ending="client_stalled")), numbers.text
    equal(numbers.sum("sluice_memory_limit_bytes"), 8 * MIB, "limit")
    assert numbers.sum("sluice_memory_allocated_bytes") <= 8.3 * MIB, numbers.text
    for one in slow:
        one.c.wire.reset()
    wait_until(lambda: len(p.ends()) >= 201, "all have ended")
    again = p.client(listen).open("/r")
    echo(again)
    for c in bystanders:
        echo(c)
    equal(len(p.log.find("worker.exit")), 0, "workers lost")


@case(timeout=120, alone=True)
def slow_services_end(t):
    """Services that read nothing: the page hears 1011."""
    backend = Backend(timeout=20.0 * scale())
    t.cleanup(backend.close)
    p = both_started(t.gateway(server="max_memory = 8m", r="origins = *\nbackend = %s\n"
                               "write_timeout = 10m\nbuffer_high = 128k" % backend.url), 1)
    peers, slow = [], []
    for _ in range(120):
        slow.append(Slow(p.client("plain").open("/r")))
        peer = backend.accept()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peers.append(peer)
    overload(p, slow)
    end = p.log.wait("session.end", ending="backend_stalled")[0]
    equal(end["detail"], "max_memory: it had most in its queues", "detail")
    equal(end["code"], "1011", "code")


@case()
def memory_that_is_there(t):
    """Within its limit a program with max_memory refuses nobody, also after a reload sets it."""
    config = dict(r=ECHO)
    path = t.write("m.ini", t.config(**config))
    p = both_started(t.start_with(["-c", path]), 1)
    old = p.client().open("/r")
    t.write("m.ini", t.config(server="max_memory = 64m", **config))
    p.send_signal(1)
    p.log.wait("reload.done")
    clients = [p.client(listen).open("/r") for listen in ("plain", "tls") for _ in range(30)]
    for c in [old, *clients]:
        echo(c, bytes(100000))
    for c in clients:
        c.end_cleanly()
    equal(p.log.find("memory.full"), [], "lines")


# Slow senders

SENDERS = 1000
LIMIT_S = 3  # each deadline


def crowd(address, first, drip, ready, stop, result):
    """In a process of its own: connections that say `first`, and then a byte of `drip` a second.
    Puts how many were open longest, and when the last one had ended."""
    socks, ended = [], []
    selector = selectors.DefaultSelector()
    for _ in range(SENDERS):
        sock = socket.create_connection(address)
        sock.sendall(first)
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
        socks.append(sock)
    began = time.monotonic()
    ready.set()
    at, due = 0, began + 1
    while len(ended) < SENDERS and not stop.is_set():
        for key, _ in selector.select(0.05):
            try:
                data = key.fileobj.recv(65536)
            except OSError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                ended.append(time.monotonic() - began)
        if time.monotonic() >= due and at < len(drip):
            for sock in socks:
                try:
                    sock.send(drip[at:at + 1])
                except OSError:
                    pass
            at, due = at + 1, due + 1
    result.put((len(ended), max(ended, default=0)))


def open_request(p):
    """The opening handshake of an attacker, as bytes."""
    return Client.request(type("C", (), {"host": "localhost:%d" % p.ports["plain"][1],
                                         "scheme": "http"})(), "/r")


def trip(c):
    began = time.monotonic()
    c.text(b"x")
    c.recv_message()
    return time.monotonic() - began


def p99(times):
    return sorted(times)[int(len(times) * 0.99)]


ATTACKS = [
    ("tls_hello", "tls", lambda p: tlsraw.records_of(tlsraw.client_hello())[:60],
     lambda p: tlsraw.records_of(tlsraw.client_hello())[60:], "tls_failed"),
    ("head", "plain", lambda p: b"GET /r HTTP/1.1\r\nHost: a\r\nX: ", lambda p: b"x" * 100,
     "head_too_slow"),
    ("frame_header", "plain", open_request,
     lambda p: frame_header(2, 1 << 40, key=bytes(4)), "idle"),
]


@case(timeout=180, alone=True, rows=ATTACKS)
def slow_senders(t, listen, first, drip, ending):
    """1,000 connections that send a byte a second are gone by their deadlines, however they drip;
    a session beside them does not notice. Another program without them is the measure, asked in
    turn, so that a busy machine slows both."""
    allow_descriptors(SENDERS + 400)
    server = ("max_pending = 5000\nmax_sessions = 5000\ntls_timeout = %ds\nrequest_timeout = %ds"
              % (LIMIT_S, LIMIT_S))
    defaults = "idle_timeout = %ds\nclose_timeout = 1s\nping_interval = 1h" % LIMIT_S
    keys = {"server": server, "defaults": defaults, "r": ECHO, "b": ECHO + "\nidle_timeout = 0"}
    p, quiet = (t.start(t.config(**keys) + HEALTH) for _ in range(2))
    worker = p.workers()[0]
    clients = [program.client("plain").open("/b") for program in (p, quiet)]
    for c in clients:
        echo(c)
    before = resident_kib(worker)
    fork = multiprocessing.get_context("fork")
    ready, stop, result = fork.Event(), fork.Event(), fork.Queue()
    child = fork.Process(target=crowd, args=(p.ports[listen], first(p), drip(p), ready, stop,
                                             result), daemon=True)
    child.start()
    times = ([], [])
    most_kib = 0
    end = time.monotonic() + 60 * scale()
    while result.empty():
        assert time.monotonic() < end, "the senders are still there"
        for c, into in zip(clients, times):
            took = trip(c)
            if ready.is_set():
                into.append(took)
        most_kib = max(most_kib, resident_kib(worker) - before) if len(times[0]) % 50 == 0 else \
            most_kib
        time.sleep(0.002)
    count, longest = result.get()
    child.join(10)
    equal(count, SENDERS, "senders that are gone")
    # Who is told with a Close has another second to answer it.
    assert longest < LIMIT_S + 1 + 2 * scale(), "the last one went after %.1f s" % longest
    # Not by lines: the log may drop some of a thousand in the same moment.
    wait_until(lambda: scrape(p).sum("sluice_sessions_ended_total", ending=ending) == SENDERS,
               "%d ends as %s" % (SENDERS, ending))
    with_them, without = p99(times[0]), p99(times[1])
    print("p99 %.2f ms beside %.2f ms of %d trips, %.1f KiB a sender" % (
        with_them * 1000, without * 1000, len(times[0]), most_kib / SENDERS))
    assert with_them < 2 * max(without, 0.0025 * scale()), "p99 %.1f ms beside %.1f ms" % (
        with_them * 1000, without * 1000)
    assert Settings.is_asan or most_kib / SENDERS < 22, "%d KiB" % most_kib
    for c in clients:
        echo(c)


def resident_kib(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


# Balancers that look at the port

@case(rows=WIRES)
def looks_at_the_port(t, listen):
    """Connects and closes, resets, half closes, at full speed: counted, and no word about it."""
    p = both_started(t.start(t.config(server="max_pending = 50\nlog_limit = 10", r=ECHO) + HEALTH),
                     1)
    for number in range(600):
        sock = socket.create_connection(p.ports[listen])
        if number % 3 == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif number % 3 == 1:
            sock.shutdown(socket.SHUT_WR)
        sock.close()
    c = p.client(listen).open("/r")
    c.end_cleanly()
    wait_until(lambda: scrape(p).sum("sluice_probes_total", listen=listen) == 600, "they count")
    warnings = [e["event"] for e in p.log.events
                if e["proc"] != "master" and e["level"] in ("warn", "error")]
    equal(warnings, [], "warnings of the worker")
    wait_until(lambda: len(p.ends()) >= 1, "the line of the session")
    equal(len(p.ends()), 1, "lines")
