# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes both ways arrive unchanged, whatever their cut and number."""

import hashlib
import os
import random
import select
import signal
import socket
import time

from harness import Settings, Skip, case, equal
from sessions import WIRES, open_pair
from threads import hash_bytes, in_thread, join
from wsclient import BINARY, CONTINUATION, PING, PONG, TEXT, frame

MIB = 1 << 20


def random_blocks(count=16, size=MIB):
    source = random.Random(20)
    return [source.randbytes(size) for _ in range(count)]


def echo_backend(backend):
    """Accepts one connection after the other and sends back what comes."""
    def serve(peer):
        try:
            while data := peer.recv_some():
                peer.send(data)
            peer.fin()
        except OSError:
            pass

    def accept():
        try:
            while True:
                in_thread(serve, backend.accept())
        except (OSError, AssertionError):
            pass

    in_thread(accept)


# Echo and sizes

SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 33, 63, 65, 124, 125, 126, 127, 128, 255, 1000, 4095,
         4096, 16383, 16384, 16385, 32767, 65534, 65535, 65536, 65537, 131071, 131072, 300001, MIB]


@case(rows=WIRES)
def echo_of_every_size(t, listen):
    p = t.gateway(r="backend = echo:")
    c = p.client(listen).open("/r")
    source = random.Random(1)
    for size in SIZES:
        data = source.randbytes(size)
        c.binary(data)
        equal(c.recv_message() == (BINARY, data), True, "the echo of %d bytes" % size)
        text = "".join(source.choices("a\u00e4\u20ac\U0001f600", k=size // 3)).encode()
        c.text(text)
        equal(c.recv_message() == (TEXT, text), True, "the echo of %d bytes of text" % len(text))
    c.end_cleanly()
    p.one_end("client_close", backend="echo:")


@case(rows=WIRES)
def echo_of_fragments(t, listen):
    """A Ping comes between the fragments, and the fragments cut a character."""
    p = t.gateway(r="backend = echo:")
    c = p.client(listen).open("/r")
    text = "na\u00efve \u20ac".encode()
    for cut in range(len(text) + 1):
        c.send(TEXT, text[:cut], is_fin=False)
        c.send(CONTINUATION, b"", is_fin=False)
        c.send(CONTINUATION, text[cut:])
        equal(c.recv_message(), (TEXT, text), "echo")
    c.send(BINARY, b"one ", is_fin=False)
    c.send(PING, b"between")
    c.send(CONTINUATION, b"two")
    frames = [c.recv_frame()]
    while not (frames[-1].is_fin and frames[-1].opcode < 8):
        frames.append(c.recv_frame())
    equal([f.payload for f in frames if f.opcode == PONG], [b"between"], "pongs")
    equal(b"".join(f.payload for f in frames if f.opcode < 8), b"one two", "message")
    c.end_cleanly()


def mixed_frames(source, total):
    """Returns (wire bytes, payload): frames of all sizes and cuts."""
    wire, payload, is_open = bytearray(), bytearray(), False
    while len(payload) < total:
        data = source.randbytes(source.choice([0, 1, 2, 5, 100, 125, 126, 127, 3000, 65536]))
        is_fin = source.random() < 0.6
        wire += frame(CONTINUATION if is_open else BINARY, data, is_fin,
                      key=source.randbytes(4))
        payload += data
        is_open = not is_fin
        if source.random() < 0.1:
            wire += frame(PING, b"p", key=source.randbytes(4))
    wire += frame(CONTINUATION, b"") if is_open else b""
    return bytes(wire), bytes(payload)


@case(rows=WIRES)
def stream_of_mixed_frames(t, listen):
    """The client writes pieces of all sizes; they go through a backend and back."""
    backend = t.backend()
    echo_backend(backend)
    p = t.gateway(r="origins = *\nbackend = " + backend.url)
    c = p.client(listen).open("/r")
    source = random.Random(2)
    wire, payload = mixed_frames(source, 3 * MIB)

    def send():
        at = 0
        while at < len(wire):
            size = source.choice([1, 2, 3, 7, 100, 1000, 16384, 100000])
            c.wire.sock.sendall(wire[at:at + size])
            at += size

    if listen == "plain":
        thread = in_thread(send)
        equal(c.recv_bytes(len(payload)) == payload, True, "the bytes")
        join(thread)
    else:  # only one thread may use TLS: steps that fit into the buffers
        got, at = bytearray(), 0
        while at < len(wire):
            size = source.choice([1, 3, 100, 1000, 16384])
            c.send_raw(wire[at:at + size])
            at += size
            while select.select([c.wire], [], [], 0)[0]:
                got += c.recv_data()
        while len(got) < len(payload):
            got += c.recv_data()
        equal(bytes(got) == payload, True, "the bytes")


@case(rows=WIRES)
def stream_cut_at_every_byte(t, listen):
    backend = t.backend()
    p = t.gateway(r="origins = *\nbackend = " + backend.url)
    c = p.client(listen).open("/r")
    peer = backend.accept()
    wire = (frame(BINARY, b"abc") + frame(TEXT, "\u20ac".encode(), is_fin=False) + frame(PING, b"p")
            + frame(CONTINUATION, b"d" * 130) + frame(BINARY, b"") + frame(BINARY, b"end"))
    payload = b"abc" + "\u20ac".encode() + b"d" * 130 + b"end"
    for cut in range(1, len(wire)):
        c.send_raw(wire[:cut])
        c.send_raw(wire[cut:])
        peer.expect(payload)
    for byte in wire:
        c.send_raw(bytes([byte]))
    peer.expect(payload)


@case(rows=WIRES)
def backend_writes_of_every_size(t, listen):
    _, c, peer = open_pair(t, listen=listen)
    source = random.Random(3)
    for size in (1, 2, 125, 126, 127, 65535, 65536, 65537, 200000, 1000000):
        data = source.randbytes(size)
        thread = in_thread(peer.send, data)
        equal(c.recv_bytes(size) == data, True, "%d bytes" % size)
        join(thread)
    for byte in b"one byte at a time":
        peer.send(bytes([byte]))
        equal(c.recv_bytes(1), bytes([byte]), "byte")


@case()
def unix_backend(t):
    """The backend is a path, also behind a dead backend in the list."""
    backend = t.backend(path=t.path("service.sock"))
    p = t.gateway(r="backend = %s, %s" % (t.closed_port(), backend.url))
    c = p.client().open("/r")
    peer = backend.accept()
    c.binary(b"ping")
    peer.expect(b"ping")
    peer.send(b"pong")
    equal(c.recv_bytes(4), b"pong", "bytes")
    c.end_cleanly()
    peer.expect_fin()
    p.one_end("client_close", backend=backend.url)


@case(rows=[("ipv4", socket.AF_INET), ("ipv6", socket.AF_INET6)])
def backend_by_name(t, family):
    """The program tries every address of a name, whichever family the service listens on."""
    families = {found[0] for found in socket.getaddrinfo("localhost", 1)}
    if family not in families:
        raise Skip("localhost has no such address here")
    backend = t.backend(family=family)
    p = t.gateway(r="backend = tcp://localhost:%d" % backend.port)
    c = p.client().open("/r")
    backend.accept().send(b"here")
    equal(c.recv_bytes(4), b"here", "bytes")
    c.end_cleanly()


@case()
def ipv6_backend(t):
    try:
        backend = t.backend(family=socket.AF_INET6)
    except OSError:
        raise Skip("there is no IPv6 here") from None
    p = t.gateway(r="backend = " + backend.url)
    c = p.client().open("/r")
    backend.accept().send(b"here")
    equal(c.recv_bytes(4), b"here", "bytes")
    c.end_cleanly()
    p.one_end("client_close", backend=backend.url)


@case()
def several_backends(t):
    """The program tries a backend that refuses, then a silent one, then this one, in one
    connect_timeout."""
    backend = t.backend()
    p = t.gateway(r="connect_timeout = 4s\nbackend = %s, %s, %s" % (
        t.closed_port(), t.deaf().url, backend.url))
    c = p.client().open("/r")
    backend.accept().send(b"here")
    equal(c.recv_bytes(4), b"here", "bytes")
    c.end_cleanly()
    p.one_end("client_close", backend=backend.url)


# Last words

@case(rows=[("client_first", True), ("backend_first", False)])
def answer_and_reset_in_one_turn(t, is_client_first):
    """A backend answers and closes on unread input. The page gets the answer, also when sending to
    the backend fails before the program reads it."""
    p, c, peer = open_pair(t, listen="plain")
    worker, = p.workers()
    steps = [lambda: c.binary(b"more"), lambda: peer.send(b"last words")]
    c.binary(b"unread")
    select.select([peer.sock], [], [], 10)
    os.kill(worker, signal.SIGSTOP)
    for step in steps if is_client_first else reversed(steps):
        step()
        time.sleep(0.05)
    peer.close()
    time.sleep(0.05)
    os.kill(worker, signal.SIGCONT)
    _, before = c.recv_close(1011, has_reason=False)
    equal(before, b"last words", "what came before the Close")
    c.close(1011)
    p.one_end("backend_reset", down_bytes=10)


# Bulk

@case(timeout=240, alone=True, rows=WIRES)
def gigabyte_each_way(t, listen):
    """SHA-256 is equal, up and down; 64 MiB with the sanitizer and over plain ws://."""
    count = 1024 if listen == "tls" and not Settings.is_asan else 64
    p, c, peer = open_pair(t, listen=listen)
    blocks = random_blocks()
    keys = [os.urandom(4) for _ in blocks]
    frames = [frame(BINARY, block, key=key) for block, key in zip(blocks, keys)]
    order = random.Random(4).choices(range(len(blocks)), k=count)
    want = hashlib.sha256()
    for index in order:
        want.update(blocks[index])
    began = time.monotonic()

    got_up = hashlib.sha256()
    up = in_thread(hash_bytes, peer.sock, count * MIB, got_up)
    for index in order:
        c.wire.send(frames[index])
    join(up)
    equal(got_up.hexdigest(), want.hexdigest(), "the hash at the backend")

    down = in_thread(lambda: [peer.send(blocks[index]) for index in order])
    got_down, left = hashlib.sha256(), count * MIB
    while left > 0:
        data = c.recv_data()
        got_down.update(data)
        left -= len(data)
    join(down)
    equal(left, 0, "bytes left")
    equal(got_down.hexdigest(), want.hexdigest(), "the hash at the client")
    seconds = time.monotonic() - began
    c.end_cleanly()
    p.one_end("client_close", up_bytes=count * MIB + 5, down_bytes=count * MIB)
    print("%d MiB each way in %.1f s" % (count, seconds))


@case(timeout=120)
def both_ways_at_once(t):
    """Both directions run with Pings between: every byte arrives, and every Ping has its Pong in
    order."""
    count = 64 if not Settings.is_asan else 16
    _, c, peer = open_pair(t, listen="plain")
    blocks = random_blocks(4)
    order = random.Random(5).choices(range(4), k=count)
    want = hashlib.sha256(b"".join(blocks[index] for index in order)).digest()
    got_up, got_down, pongs = hashlib.sha256(), hashlib.sha256(), []

    def upload():
        for number, index in enumerate(order):
            block = blocks[index]
            for at in range(0, MIB, MIB // 4):
                c.wire.send(frame(BINARY, block[at:at + MIB // 4]) + frame(PING, b"%d" % (
                    4 * number + 4 * at // MIB)))

    threads = [in_thread(upload), in_thread(hash_bytes, peer.sock, count * MIB, got_up),
               in_thread(lambda: [peer.send(blocks[index]) for index in order])]
    left = count * MIB
    while left > 0 or len(pongs) < 4 * count:
        got = c.recv_frame()
        if got.opcode == PONG:
            pongs.append(int(got.payload))
        else:
            got_down.update(got.payload)
            left -= len(got.payload)
    for thread in threads:
        join(thread)
    equal(pongs, list(range(4 * count)), "pongs")
    equal(got_up.digest(), want, "the hash at the backend")
    equal(got_down.digest(), want, "the hash at the client")


@case(timeout=120, rows=WIRES)
def many_sessions_at_once(t, listen):
    """200 sessions on two workers, each with bytes of its own."""
    backend = t.backend()
    echo_backend(backend)
    p = t.gateway(server="workers = 2", r="origins = *\nbackend = " + backend.url)
    clients = [p.client(listen).open("/r") for _ in range(200)]
    for turn in range(3):
        for number, c in enumerate(clients):
            c.binary(b"%d/%d;" % (number, turn) * 50)
        for number, c in enumerate(clients):
            want = b"%d/%d;" % (number, turn) * 50
            equal(c.recv_bytes(len(want)), want, "bytes of session %d" % number)
    for c in clients:
        c.end_cleanly()
    p.log.wait("session.end", 200, ending="client_close")
