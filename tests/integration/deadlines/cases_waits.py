# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines that must not fire: a slow client has not gone, nor has one whose gateway stood still.
"""

import os
import signal
import time

from harness import case
from sessions import WIRES, end_after_close, open_pair
from threads import in_thread, join
from wsclient import FIN, PONG

MIB = 1 << 20


def flood(peer):
    peer.sock.settimeout(None)
    try:
        while True:
            peer.sock.sendall(bytes(65536))
    except OSError:
        pass


def flood_frames(c):
    try:
        while True:
            c.binary(bytes(65536))
    except (OSError, AssertionError):
        pass


@case(timeout=120, rows=WIRES)
def ping_behind_a_long_queue(t, listen):
    """A slow reader sees the Ping only behind everything sent before it. As long as the reader
    takes bytes, the session goes on, though no Pong comes in time."""
    p, c, peer = open_pair(t, "ping_interval = 200ms\npong_timeout = 700ms", listen,
                           receive_buffer=65536)
    data = os.urandom(4 * MIB)
    peer.sock.settimeout(None)
    sender = in_thread(peer.send, data)
    got = bytearray()
    while len(got) < len(data):
        got += c.recv_data()
        time.sleep(0.05)
    assert got == data, "%d bytes came" % len(got)
    c.send(PONG)
    c.end_cleanly()
    join(sender)
    p.one_end("client_close", down_bytes=len(data))


@case(rows=WIRES)
def a_process_that_was_held_up(t, listen):
    """The program reads what came in time before it looks at a deadline that passed meanwhile."""
    p, c, peer = open_pair(t, "idle_timeout = 800ms\nping_interval = 0", listen)
    worker, = p.workers()
    os.kill(worker, signal.SIGSTOP)
    c.binary(b"in time")
    time.sleep(2)
    os.kill(worker, signal.SIGCONT)
    peer.expect(b"in time")
    c.recv_close(1001)
    end_after_close(c, 1001)
    end = p.one_end("idle", up_bytes=12)
    assert int(end["duration_ms"]) >= 2000, end


@case(rows=WIRES)
def eof_instead_of_the_answer(t, listen):
    """A client that answers our Close with a mere FIN still gets our orderly end."""
    p, c, peer = open_pair(t, "idle_timeout = 300ms\nping_interval = 0", listen)
    c.recv_close(1001)
    c.wire.half_close()
    c.recv_end(FIN)
    peer.expect_fin()
    peer.close()
    p.one_end("idle")


@case(timeout=120, rows=WIRES)
def slow_reader_that_takes_all_the_time(t, listen):
    """The kernel holds megabytes for a slow reader and takes nothing more for a long while. That is
    no stall as long as the reader takes something, and a stall when it stops."""
    p, c, peer = open_pair(t, "write_timeout = 1s\nping_interval = 0", listen, receive_buffer=32768)
    in_thread(flood, peer)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        c.wire.recv(8192)
        time.sleep(0.1)
    assert not p.ends(), p.ends()
    p.log.wait("session.end", ending="client_stalled", timeout=40)


@case(rows=WIRES)
def end_timeout(t, listen):
    """A client that takes its last bytes too slowly is cut off, though it never stalls."""
    # max_age is long enough to fill the kernel's buffers and the queue.
    keys = "end_timeout = 1500ms\nwrite_timeout = 30s\nmax_age = 3s\nping_interval = 0"
    p, c, peer = open_pair(t, keys, listen, receive_buffer=32768)
    sender = in_thread(flood, peer)
    time.sleep(0.2)
    end = time.monotonic() + 30
    try:
        while time.monotonic() < end and not p.ends():
            c.wire.recv(500)
            time.sleep(0.1)
    except OSError:
        pass
    line = p.one_end("max_age", detail="the client did not take all that waited for it")
    assert 4400 <= int(line["duration_ms"]) < 15000, line
    c.wire.close()
    join(sender)


@case(rows=WIRES)
def slow_is_not_idle(t, listen):
    """Nobody says anything any more, but the client is still taking what the kernel holds."""
    p, c, peer = open_pair(t, "idle_timeout = 700ms\nping_interval = 0", listen,
                           receive_buffer=32768)
    data = os.urandom(MIB)
    peer.send(data)
    got = bytearray()
    while len(got) < len(data):
        got += c.recv_data()
        time.sleep(0.05)
    assert got == data, "%d bytes came" % len(got)
    c.recv_close(1001)
    end_after_close(c, 1001)
    line = p.one_end("idle")
    assert int(line["duration_ms"]) >= 2000, line


@case(timeout=120, rows=WIRES)
def slow_backend_that_takes_all_the_time(t, listen):
    backend = t.backend(receive_buffer=32768)
    p, c, peer = open_pair(t, "write_timeout = 1s\nping_interval = 0", listen, backend=backend)
    in_thread(flood_frames, c)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        peer.recv_some(8192)
        time.sleep(0.1)
    assert not p.ends(), p.ends()
    p.log.wait("session.end", ending="backend_stalled", timeout=40)
