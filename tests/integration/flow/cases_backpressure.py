# SPDX-License-Identifier: GPL-3.0-or-later
"""The program never holds more bytes than the ceiling, whoever stops reading, and loses nothing."""

import hashlib
import os
import random
import resource
import select
import threading
import time

from harness import Settings, case, equal
from memory import (CEILING_BYTES, KERNEL_MIB, MIB, open_without_reading, pss_of, start_sending,
                    wait_until_flat)
from sessions import WIRES, open_pair
from threads import hash_bytes, in_thread, join
from wsclient import BINARY, PING, PONG, frame, frame_header, mask

# on average for each stalled reader: buffer_high and one read
STALLED_BYTES = (64 + 64) * 1024


class Flood:
    """A process that accepts on `backend` and sends to everybody without end."""

    def __init__(self, t, backend):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.run(backend.sock)
            finally:
                os._exit(1)
        t.cleanup(self.stop)

    def stop(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)

    @staticmethod
    def run(listener):
        listener.setblocking(False)
        poll, peers = select.epoll(), {}
        poll.register(listener, select.EPOLLIN)
        data = bytes(65536)
        while True:
            for fd, _ in poll.poll():
                if fd == listener.fileno():
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    peers[sock.fileno()] = sock
                    poll.register(sock, select.EPOLLOUT)
                    continue
                try:
                    peers[fd].send(data)
                except BlockingIOError:
                    pass
                except OSError:
                    poll.unregister(fd)
                    peers.pop(fd).close()


@case(timeout=150, alone=True, rows=WIRES)
def thousand_stalled_readers(t, listen):
    """The backend sends without end: each session holds no more than its ceiling, and memory stays
    flat."""
    count = 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(
        resource.RLIMIT_NOFILE)[1]))
    backend = t.backend(send_buffer=16384, backlog=2048)
    Flood(t, backend)
    p = t.gateway(server="workers = 2",
                  r="write_timeout = 10m\norigins = *\nbackend = %s" % backend.url)
    before = pss_of(p)
    clients = [p.client(listen, receive_buffer=4096).open("/r") for _ in range(count)]
    samples = wait_until_flat(p)
    for _ in range(6):
        time.sleep(0.5)
        samples.append(pss_of(p))
    growth = max(samples[-6:]) - samples[-7]
    each = (max(samples) - before) // count
    print("%d KiB a session, %+d KiB in the last 3 s" % (each // 1024, growth // 1024))
    assert growth <= MIB, "memory grows: %r" % samples
    if not Settings.is_asan:
        assert each <= STALLED_BYTES, "%d bytes a stalled session" % each
    assert not p.ends(), "sessions ended: %r" % p.ends()[0]
    for number, c in enumerate(clients, 1):
        c.wire.reset()
        if number % 50 == 0:  # what a pipe of 64 KiB takes: no line is lost
            ends = p.log.wait("session.end", number, timeout=40)
    peak = max(int(line["queue_peak_client_bytes"]) for line in ends)
    print("highest queue %d KiB" % (peak // 1024))
    assert peak <= CEILING_BYTES, "a queue held %d bytes" % peak


@case(timeout=240, rows=WIRES)
def both_sides_stalled(t, listen):
    """Nobody reads and both queues fill; then both peers read, and nothing is missing."""
    backend = t.backend(receive_buffer=65536, send_buffer=65536)
    p, c, peer = open_pair(t, "write_timeout = 10m\nping_interval = 0", listen, backend=backend,
                           receive_buffer=65536)
    data = random.Random(6).randbytes(MIB)
    down = in_thread(lambda: [peer.send(data) for _ in range(KERNEL_MIB)])
    c.wire.sock.settimeout(0.7)
    sent, rest = 0, None
    while rest is None:
        assert sent < KERNEL_MIB, "the program took %d MiB though nobody reads" % sent
        rest = start_sending(c, frame(BINARY, data, key=b"abcd"))
        sent += 1
    wait_until_flat(p)
    assert down.is_alive(), "the backend got rid of everything though nobody reads"
    c.wire.sock.settimeout(20)
    wanted, got_up, got_down = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    up = in_thread(hash_bytes, peer.sock, sent * MIB, got_up)
    rest_up = in_thread(c.wire.sock.sendall, rest)
    left = KERNEL_MIB * MIB
    while left > 0:
        payload = c.recv_data()
        got_down.update(payload)
        left -= len(payload)
    for thread in (up, rest_up, down):
        join(thread)
    for number in range(1, KERNEL_MIB + 1):
        wanted.update(data)
        if number == sent:
            equal(got_up.digest(), wanted.digest(), "the hash of what came up")
    equal(got_down.digest(), wanted.digest(), "the hash of what came down")
    c.end_cleanly()
    line = p.one_end("client_close")
    assert int(line["queue_peak_client_bytes"]) <= CEILING_BYTES, line
    assert int(line["queue_peak_backend_bytes"]) <= CEILING_BYTES, line


@case(rows=WIRES)
def pings_without_reading(t, listen):
    """The program stops such a client, and answers every Ping in order once the client reads."""
    p = t.gateway(r="write_timeout = 10m\nbackend = echo:")
    c = open_without_reading(p, listen)
    before = pss_of(p)
    sent, rest = 0, None
    while rest is None:
        batch = b"".join(frame(PING, b"%d" % number + b"x" * 100, key=b"abcd")
                         for number in range(sent, sent + 100))
        rest = start_sending(c, batch)
        sent += 100
        assert sent < 1000000, "the program takes Pings without end"
    grown = pss_of(p) - before
    if not Settings.is_asan:
        assert grown <= MIB, "the program holds %d bytes more" % grown
    c.wire.sock.settimeout(20)
    rest_up = in_thread(c.wire.sock.sendall, rest)
    for number in range(sent):
        got = c.recv_frame()
        equal(got.opcode, PONG, "opcode")
        equal(int(got.payload.rstrip(b"x")), number, "the Ping that is answered")
    join(rest_up)
    c.end_cleanly()
    line = p.one_end("client_close")
    print("%d pings, highest queue %s bytes" % (sent, line["queue_peak_client_bytes"]))


@case(rows=WIRES)
def echo_without_reading(t, listen):
    """The same holds for messages to echo:, which come back by the same queue."""
    p = t.gateway(r="write_timeout = 10m\nbackend = echo:")
    c = open_without_reading(p, listen)
    sent, rest = 0, None
    while rest is None:
        rest = start_sending(c, frame(BINARY, sent.to_bytes(4, "big") * 5000))
        sent += 1
        assert sent < 10000, "the program takes messages without end"
    c.wire.sock.settimeout(20)
    rest_up = in_thread(c.wire.sock.sendall, rest)
    for number in range(sent):
        _, payload = c.recv_message()
        equal(payload == number.to_bytes(4, "big") * 5000, True, "message %d" % number)
    join(rest_up)
    c.end_cleanly()
    line = p.one_end("client_close")
    assert int(line["queue_peak_client_bytes"]) <= CEILING_BYTES, line


@case()
def a_huge_message_costs_nothing(t):
    """One message of 256 MiB in one frame passes in pieces."""
    size = 256 * MIB if not Settings.is_asan else 32 * MIB
    p, c, peer = open_pair(t)
    before = pss_of(p)
    block = bytes(MIB)
    done = hashlib.sha256()
    up = in_thread(hash_bytes, peer.sock, size, done)
    c.send_raw(frame_header(BINARY, size, key=b"abcd"))
    masked, highest = mask(block, b"abcd"), 0
    for number in range(size // MIB):
        c.send_raw(masked)
        if number % 32 == 0:
            highest = max(highest, pss_of(p))
    join(up)
    want = hashlib.sha256()
    for _ in range(size // MIB):
        want.update(block)
    equal(done.hexdigest(), want.hexdigest(), "hash")
    if not Settings.is_asan:
        assert highest - before <= 2 * MIB, "%d bytes more" % (highest - before)
    c.end_cleanly()
    p.one_end("client_close", up_bytes=size + 5)


@case()
def a_saturating_session_does_not_starve_another(t):
    """On one worker, small echoes go on while a flood runs."""
    backend = t.backend()
    p, c, peer = open_pair(t, backend=backend)
    stop = threading.Event()

    def flood():
        try:
            while not stop.is_set():
                peer.send(bytes(MIB))
        except OSError:
            pass

    def drain():
        while not stop.is_set():
            c.wire.raw_recv(MIB)

    threads = [in_thread(flood), in_thread(drain)]
    other = p.client("plain").open("/r")
    other_peer = backend.accept()
    for number in range(200):
        other.binary(b"%d" % number)
        other_peer.expect(b"%d" % number)
        other_peer.send(b"back")
        equal(other.recv_bytes(4), b"back", "bytes")
    stop.set()
    c.wire.reset()
    for thread in threads:
        thread.join(10)
