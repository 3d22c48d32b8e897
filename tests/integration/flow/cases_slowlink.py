# SPDX-License-Identifier: GPL-3.0-or-later
"""The slow line itself, without the program: what the cases on it rely on."""

import hashlib
import os
import signal
import socket
import time

import netns
import slowlink
from harness import Settings, case, equal, scale, wait_until
from slowlink import FAR, NEAR
from threads import hash_bytes, in_thread, join

MIB = 1 << 20


def connected(line, is_down):
    """Returns (sender, receiver) of a TCP connection, downwards from the near end."""
    with socket.create_server((NEAR, 0)) as listener:
        with line.at_far_end():
            far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    for sock in (near, far):
        sock.settimeout(20 * scale())
    return (near, far) if is_down else (far, near)


def datagrams(line, is_down, count, size):
    """Sends so many at once. Returns the numbers of those that arrived."""
    def bound(address):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MIB)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MIB)
        sock.bind((address, 0))
        return sock

    with line.at_far_end():
        far = bound(FAR)
    sender, receiver = (bound(NEAR), far) if is_down else (far, bound(NEAR))
    for number in range(count):
        sender.sendto(number.to_bytes(4, "big") + bytes(size - 4), receiver.getsockname())
    receiver.settimeout(0.7 * scale())
    arrived = []
    try:
        while True:
            arrived.append(int.from_bytes(receiver.recv(size)[:4], "big"))
    except TimeoutError:
        return arrived
    finally:
        sender.close()
        receiver.close()


BOTH = [("down", True), ("up", False)]


@case(rows=BOTH)
def delay(t, is_down):
    """A round trip takes twice the delay, and not much longer."""
    sender, receiver = connected(netns.slow_link(t, delay=30), is_down)
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    trips = []
    for _ in range(8):
        began = time.monotonic()
        sender.sendall(b"ping")
        equal(receiver.recv(4), b"ping", "bytes")
        receiver.sendall(b"pong")
        equal(sender.recv(4), b"pong", "bytes")
        trips.append(time.monotonic() - began)
    assert min(trips) >= 0.060, "a round trip took %.4f s" % min(trips)
    assert min(trips) < 0.5 * scale(), "a round trip took %.4f s" % min(trips)


@case(rows=BOTH)
def rate(t, is_down):
    """2 MiB pass whole, no faster than the line and not much slower."""
    line = netns.slow_link(t, delay=5, rate=40)
    sender, receiver = connected(line, is_down)
    data, got = os.urandom(2 * MIB), hashlib.sha256()
    began = time.monotonic()
    up = in_thread(sender.sendall, data)
    hash_bytes(receiver, len(data), got)
    seconds = time.monotonic() - began
    join(up)
    equal(got.digest(), hashlib.sha256(data).digest(), "the hash")
    least = len(data) * 8 / 40e6
    assert least <= seconds < 10 * least * scale(), "%.3f s instead of %.3f" % (seconds, least)
    line.close()
    carried = line.carried["down" if is_down else "up"]
    assert carried["bytes"] > len(data), carried
    assert 0 < carried["queue_peak_bytes"] <= 256 * 1024, carried


@case(rows=BOTH)
def loss(t, is_down):
    """About as many datagrams vanish as the line was told to lose, and TCP mends it."""
    line = netns.slow_link(t, loss=10)
    arrived = datagrams(line, is_down, 1000, 100)
    equal(arrived, sorted(arrived), "the order")
    assert 800 < len(arrived) < 960, "%d of 1000 arrived" % len(arrived)
    sender, receiver = connected(line, is_down)
    data, got = os.urandom(MIB // 4), hashlib.sha256()
    up = in_thread(sender.sendall, data)
    hash_bytes(receiver, len(data), got)
    join(up)
    equal(got.digest(), hashlib.sha256(data).digest(), "the hash")
    line.close()
    assert line.carried["down" if is_down else "up"]["lost"] >= 1000 - len(arrived), line.carried


@case(rows=BOTH)
def queue(t, is_down):
    """Of a burst, what finds room in the queue arrives, and no more."""
    line = netns.slow_link(t, rate=2, queue=64)
    arrived = datagrams(line, is_down, 200, 1024 - 28)
    assert 60 <= len(arrived) <= 100, "%d of 200 KiB found room" % len(arrived)
    line.close()
    carried = line.carried["down" if is_down else "up"]
    dropped = 200 - len(arrived)
    assert dropped <= carried["no_room"] < dropped + 10, carried  # the kernels' own packets besides
    assert len(arrived) <= carried["packets"] < len(arrived) + 10, carried
    assert 63 * 1024 <= carried["queue_peak_bytes"] <= 64 * 1024, carried


@case()
def ends_with_its_parent(t):
    """The program that carries the packets ends when whoever started it was killed."""
    netns.slow_link(t)  # skips where it must
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            line = slowlink.SlowLink(Settings.certificates)
            os.write(writer, b"%d\n" % line.process.pid)
            signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        carrier = int(pipe.readline())
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    # It became a child of this process, as everything below the runner that loses its parent.
    wait_until(lambda: os.waitpid(carrier, os.WNOHANG)[0], "the end of the program")
