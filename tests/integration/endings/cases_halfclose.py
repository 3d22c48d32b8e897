# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that answer once they have seen the end of their input.

A client's Close becomes the backend's FIN, and what the backend still says arrives before our
Close. The other direction is half_close = keep.
"""

import hashlib
import os
import random
import signal
import subprocess
import threading
import time

from deflateclient import DeflateClient
from harness import case, equal, scale
from keepalive import EARLY_MS, check_duration, frames_for, settings
from sessions import WIRES, end_after_close, open_pair
from threads import in_thread, join
from wsclient import BINARY, CLOSE, CUT, FIN, PING, RESET, TEXT, close_payload, frame

MIB = 1 << 20
LINGER_MS = 2000  # so long the program waits for a peer's EOF behind its own FIN
PATIENT = "close_timeout = 60s\n"


def open_deflated(t, keys, listen, backend=None, **options):
    """Does what open_pair does, with compression both ways."""
    backend = backend or t.backend()
    p = t.gateway(r="compression = on\nbackend = %s\n%s" % (backend.url, keys))
    c = DeflateClient(p.wire(listen, **options)).open("/r")
    c.binary = lambda payload: c.send(BINARY, c.squeeze(payload, level=1), rsv=4)
    peer = backend.accept()
    c.binary(b"hello")
    peer.expect(b"hello")
    return p, c, peer


WAYS = [("%s.%s" % (name, wire), listen, open_function) for wire, listen in WIRES
        for name, open_function in (("as_it_is", open_pair), ("compressed", open_deflated))]


def finish(c):
    """Ends the client behind our Close, which answered the client's."""
    c.recv_end(FIN)
    c.wire.finish()


# The client closes

@case(timeout=120, rows=WAYS[:3])
def answer_after_eof(t, listen, open_function):
    """A slow backend gets every queued byte before it answers at its EOF. A slow client gets the
    whole answer before the Close with its own code."""
    question = random.Random(1).randbytes(MIB) * 8
    answer = random.Random(2).randbytes(MIB) * 10
    backend = t.backend(receive_buffer=65536)
    p, c, peer = open_function(t, PATIENT + "buffer_high = 16m\n", listen, backend=backend,
                               receive_buffer=65536)

    is_asked = threading.Event()

    def serve():
        assert is_asked.wait(60), "the client could not send its question"
        time.sleep(0.2)
        got = peer.recv_all()
        peer.send(len(got).to_bytes(8, "big") + hashlib.sha256(got).digest() + answer)
        peer.close()

    service = in_thread(serve)
    c.binary(question)
    c.close(4001, "bye")
    is_asked.set()
    got, number = bytearray(), 0
    while (one := c.recv_frame()).opcode != CLOSE:
        got += one.payload
        number += 1
        if number % 8 == 0:
            time.sleep(0.002)
    equal(one.payload, (4001).to_bytes(2, "big"), "the Close")
    equal(int.from_bytes(got[:8], "big"), len(question), "bytes that the backend got")
    equal(got[8:40], hashlib.sha256(question).digest(), "their hash")
    assert got[40:] == answer, "%d of %d bytes of the answer" % (len(got) - 40, len(answer))
    finish(c)
    join(service)
    line = p.one_end("client_close", code=4001, phase="open", up_bytes=len(question) + 5,
                     down_bytes=len(answer) + 40)
    assert int(line["queue_peak_backend_bytes"]) > 0, "nothing was queued: %r" % line


@case(rows=WAYS[:3])
def backend_that_ignores_the_fin(t, listen, open_function):
    """Our Close comes after close_timeout, behind everything that the backend said meanwhile."""
    p, c, peer = open_function(t, "close_timeout = 800ms\n", listen)
    sent = []

    def talk():
        try:
            while True:
                sent.append(b"%08d" % len(sent))
                peer.send(sent[-1])
                time.sleep(0.05)
        except ConnectionError:
            pass

    c.close(3001)
    began = time.monotonic()
    peer.expect_fin()
    talker = in_thread(talk)
    time.sleep(0.5)
    early = b"".join(sent[:-1])
    _, got = c.recv_close(3001, has_reason=False)
    passed_ms = (time.monotonic() - began) * 1000
    assert passed_ms >= 800 - EARLY_MS, "the Close came after %d ms" % passed_ms
    assert got.startswith(early), "%r does not begin with %r" % (got, early)
    assert b"".join(sent).startswith(got), got
    finish(c)
    join(talker)  # the program cuts it off after the linger
    check_duration(p.one_end("client_close", code=3001, phase="open", down_bytes=len(got)),
                   LINGER_MS, 800 + LINGER_MS)


@case(rows=WIRES)
def backend_that_says_nothing(t, listen):
    p, c, peer = open_pair(t, "close_timeout = 600ms\n", listen)
    c.close()
    peer.expect_fin()
    for got in frames_for(c, 0.4):
        raise AssertionError("too early: %r" % (got,))
    c.recv_close(None)
    finish(c)
    equal(peer.recv_some(), b"", "an orderly end")
    peer.close()
    p.one_end("client_close", phase="open", code=1005)


@case(rows=WIRES)
def backend_that_resets_after_the_fin(t, listen):
    """What the program took from the backend arrives, and the code is still the client's."""
    p, c, peer = open_pair(t, PATIENT, listen)
    c.close(4002)
    peer.expect_fin()
    peer.send(b"half an ans")
    equal(c.recv_bytes(11), b"half an ans", "bytes")
    peer.reset()
    c.recv_close(4002, has_reason=False)
    finish(c)
    p.one_end("client_close", code=4002, phase="open", down_bytes=11)


@case(rows=WIRES)
def backend_that_is_behind(t, listen):
    """Our Close waits for the backend no longer than close_timeout; the backend still gets every
    byte."""
    backend = t.backend(receive_buffer=65536)
    p, c, peer = open_pair(t, "close_timeout = 500ms\nbuffer_high = 16m\n", listen, backend=backend)
    data = os.urandom(MIB) * 8
    c.binary(data)
    c.close(1000)
    c.recv_close(1000, has_reason=False)
    finish(c)
    peer.expect_fin(data)
    peer.close()
    line = p.one_end("client_close", code=1000, phase="open", up_bytes=len(data) + 5)
    assert int(line["queue_peak_backend_bytes"]) > 0, "nothing was queued: %r" % line


@case(rows=WIRES)
def backend_that_stalls(t, listen):
    """The backend takes nothing of what stands before the FIN: write_timeout, then our Close."""
    backend, write_ms = t.backend(receive_buffer=65536), 900 * scale()
    keys = PATIENT + "write_timeout = %dms\nbuffer_high = 16m\n" % write_ms
    p, c, peer = open_pair(t, keys, listen, backend=backend)
    c.binary(bytes(MIB) * 8)
    c.close(4003)
    c.recv_close(4003, has_reason=False)
    finish(c)
    peer.expect_reset()
    check_duration(p.one_end("client_close", code=4003, phase="open"), write_ms, 2 * write_ms)


@case(rows=[("fin.wss", "tls", "half_close"), ("fin.ws", "plain", "half_close"),
            ("close_notify_and_fin", "tls", "finish")])
def close_and_fin_at_once(t, listen, how):
    """The client has closed only its sending half: the answer still comes."""
    p, c, peer = open_pair(t, PATIENT, listen)
    c.binary(b"question")
    c.close(1000)
    getattr(c.wire, how)()
    peer.expect_fin(b"question")
    time.sleep(0.1)
    peer.send(b"answer" * 100000)
    peer.close()
    _, got = c.recv_close(1000, has_reason=False)
    equal(got, b"answer" * 100000, "the answer")
    c.recv_end(FIN)
    p.one_end("client_close", code=1000, phase="open", up_bytes=13, down_bytes=600000)


@case(rows=WIRES)
def close_and_then_a_reset(t, listen):
    """The backend's end stays orderly, and the session does not wait for close_timeout."""
    p, c, peer = open_pair(t, PATIENT, listen)
    c.binary(b"question")
    c.close(1000)
    peer.expect_fin(b"question")
    c.wire.reset()
    time.sleep(0.3)
    equal(peer.recv_some(), b"", "bytes")
    peer.close()
    line = p.one_end("client_close", phase="open")
    assert "code" not in line, "a Close was sent: %r" % line
    check_duration(line, 0, LINGER_MS)


@case(rows=WIRES)
def client_that_does_not_take_the_answer(t, listen):
    backend = t.backend(send_buffer=65536)
    p, c, peer = open_pair(t, PATIENT + "write_timeout = 700ms\n", listen, backend=backend,
                           receive_buffer=8192)
    c.close(1000)
    peer.expect_fin()
    try:
        while True:
            peer.send(bytes(65536))
    except ConnectionError:
        pass
    line = p.one_end("client_close", phase="open")
    assert "code" not in line, "a Close was sent: %r" % line
    try:
        while c.wire.recv():
            pass
    except ConnectionError:
        c.wire.ended = RESET
    equal(c.wire.ended, RESET, "the client's end")
    check_duration(line, 700, 1400 + LINGER_MS)


@case(rows=WIRES)
def nothing_counts_after_a_close(t, listen):
    """Frames behind a Close do not reach the backend, and get no answer."""
    p, c, peer = open_pair(t, PATIENT, listen)
    c.close(1000)
    peer.expect_fin()
    c.wire.send(frame(BINARY, b"late") + frame(PING, b"late") + frame(3, b"late"))
    peer.send(b"answer")
    got = c.recv_frame()
    equal((got.opcode, got.payload), (BINARY, b"answer"), "what came")
    peer.close()
    got = c.recv_frame()
    equal((got.opcode, got.payload), (CLOSE, (1000).to_bytes(2, "big")), "what came")
    finish(c)
    p.one_end("client_close", code=1000, phase="open", up_bytes=5, down_bytes=6)


@case(rows=WIRES)
def shutdown_does_not_wait(t, listen):
    p, c, peer = open_pair(t, PATIENT, listen)
    c.close(4004)
    peer.expect_fin()
    peer.send(b"not all of it")
    equal(c.recv_data(), b"not all of it", "bytes")
    began = time.monotonic()
    p.send_signal(signal.SIGTERM)
    c.recv_close(4004, has_reason=False)
    finish(c)
    peer.close()
    p.stop()
    passed = time.monotonic() - began
    assert passed < 10 * scale(), "it took %.1f s" % passed
    p.one_end("client_close", code=4004, phase="open")


# What the framing makes of an end

FRAMED = [  # what the backend says, which messages the page gets
    ("line", "framing = line\n", b"one\ntwo\n\nrest", [b"one", b"two", b"", b"rest"]),
    ("crlf", "framing = line\nline_end = crlf\n", b"one\r\nrest\r", [b"one", b"rest\r"]),
    ("whole_lines", "framing = line\n", b"one\n", [b"one"]),
    ("length16", "framing = length16\n", b"\x00\x03one\x00\x00", [b"one", b""]),
]


@case(rows=[("%s.%s.%s" % (row[0], who, wire), listen, who, *row[1:]) for row in FRAMED
            for wire, listen, who in (("wss", "tls", "client"), ("ws", "plain", "backend"))])
def last_message(t, listen, who, keys, said, messages):
    """A last line without its end is a message, whoever ended the session."""
    backend = t.backend()
    p = t.gateway(r="%s%sbackend = %s\n" % (keys, PATIENT, backend.url))
    c = p.client(listen).open("/r")
    peer = backend.accept()
    if who == "client":
        c.close(1000)
        peer.expect_fin()
    peer.send(said)
    peer.fin()
    for message in messages:
        equal(c.recv_message(), (BINARY, message), "a message")
    c.recv_close(1000, has_reason=False)
    if who == "client":
        finish(c)
    else:
        end_after_close(c)
        peer.expect_fin()
    peer.close()
    p.one_end(who + "_close", code=1000, phase="open")


@case(rows=WIRES)
def last_record_is_cut(t, listen):
    """The client's own Close goes on; an incomplete record does not reach the client."""
    backend = t.backend()
    p = t.gateway(r="framing = length16\n%sbackend = %s\n" % (PATIENT, backend.url))
    c = p.client(listen).open("/r")
    peer = backend.accept()
    c.close(4005)
    peer.expect_fin()
    peer.send(b"\x00\x03one\x00\x09cut")
    peer.fin()
    equal(c.recv_message(), (BINARY, b"one"), "a message")
    while (got := c.recv_frame()).opcode != CLOSE:
        assert not got.is_fin, "a cut record as a whole message: %r" % (got,)
    equal(got.payload, (4005).to_bytes(2, "big"), "the Close")
    finish(c)
    p.one_end("client_close", code=4005, phase="open")


@case(rows=WIRES)
def sort(t, listen):
    """The backend is sort(1) on a connection, as inetd starts it."""
    backend = t.backend()
    p = t.gateway(r="framing = line\npayload = text\n%sbackend = %s\n" % (PATIENT, backend.url))
    c = p.client(listen).open("/r")
    peer = backend.accept()
    peer.sock.setblocking(True)
    service = subprocess.Popen(["sort"], stdin=peer.sock, stdout=peer.sock,
                               env=dict(os.environ, LC_ALL="C"))
    peer.close()
    words = ["%08x \u2603" % random.Random(number).getrandbits(32) for number in range(2000)]
    c.wire.send(b"".join(frame(TEXT, word) for word in words))
    c.close(1000)
    for word in sorted(words):
        equal(c.recv_message(), (TEXT, word.encode()), "a line")
    c.recv_close(1000, has_reason=False)
    finish(c)
    equal(service.wait(20 * scale()), 0, "exit code of sort")
    p.one_end("client_close", code=1000, phase="open")


# half_close = keep

KEEP = "half_close = keep\n"


@case(timeout=120, rows=WAYS)
def keep(t, listen, open_function):
    """The backend has said everything, and still listens."""
    p, c, peer = open_function(t, KEEP + PATIENT, listen)
    peer.send(b"that is all")
    peer.fin()
    equal(c.recv_bytes(11), b"that is all", "bytes")
    for got in frames_for(c, 0.3):
        raise AssertionError("a frame: %r" % (got,))
    data, got = random.Random(3).randbytes(MIB), []
    listener = in_thread(lambda: got.append(peer.recv_all()))
    for _ in range(10):
        c.binary(data)
    c.close(4006)
    c.recv_close(4006, has_reason=False)
    finish(c)
    join(listener)
    assert got[0] == data * 10, "%d bytes came" % len(got[0])
    peer.close()
    p.one_end("client_close", code=4006, phase="open", up_bytes=10 * MIB + 5, down_bytes=11)


@case(rows=WIRES)
def keep_and_the_backend_goes(t, listen):
    """The backend has closed both halves: the program learns that when it sends more."""
    p, c, peer = open_pair(t, KEEP + PATIENT + settings(), listen)
    peer.close()
    for got in frames_for(c, 0.3):
        raise AssertionError("a frame: %r" % (got,))
    close = None
    for _ in range(100):  # the first bytes bring the backend's RST, those behind them meet it
        c.binary(b"anybody?")
        close = next(frames_for(c, 0.1), None)
        if close:
            break
    assert close and close.opcode == CLOSE, "the session goes on: %r" % (close,)
    equal(close.payload[:2], (1011).to_bytes(2, "big"), "code")
    end_after_close(c, 1011)
    p.one_end("backend_reset", code=1011, phase="open")


@case(rows=[("%s.%s" % (name, wire), listen, is_client_last) for wire, listen in WIRES
            for name, is_client_last in (("client_last", True), ("backend_last", False))])
def answer_and_reset_in_one_flight(t, listen, is_client_last):
    """A service answers and goes without reading everything, which makes a reset of its end. The
    client has closed meanwhile. The answer still arrives: the program finds all this at once."""
    p, c, peer = open_pair(t, PATIENT, listen)
    worker, = p.workers()
    os.kill(worker, signal.SIGSTOP)
    for is_client in (not is_client_last, is_client_last):  # the loop serves the last one first
        if is_client:
            c.send_raw(frame(BINARY, b"not read any more") + frame(CLOSE, close_payload(1000)))
        else:
            peer.send(b"the answer")
            peer.reset()
        time.sleep(0.1)
    os.kill(worker, signal.SIGCONT)
    _, before = c.recv_close(1000, has_reason=False)
    equal(before, b"the answer", "what came before the Close")
    c.recv_end(FIN)
    c.wire.finish()
    p.one_end("client_close", code=1000, down_bytes=10)


@case(rows=WIRES)
def keep_and_idle(t, listen):
    """A session that has only one half left can be idle too; Pings go on."""
    keys = settings(idle_timeout="1s", ping_interval="200ms", pong_timeout="10s")
    p, c, peer = open_pair(t, KEEP + PATIENT + keys, listen)
    peer.fin()
    time.sleep(0.3)
    c.binary(b"more")
    peer.expect(b"more")
    opcodes = set()
    while (got := c.recv_frame()).opcode != CLOSE:
        opcodes.add(got.opcode)
        c.send(0xA, got.payload)
    equal(opcodes, {PING}, "opcodes")
    equal(got.payload[:2], (1001).to_bytes(2, "big"), "code")
    end_after_close(c, 1001)
    peer.expect_fin()
    peer.close()
    check_duration(p.one_end("idle", code=1001, phase="open", up_bytes=9), 1300, 1300)


@case(rows=[("eof", "finish", "client_eof"), ("reset", "reset", "client_reset")])
def keep_and_the_client_goes(t, how, ending):
    p, c, peer = open_pair(t, KEEP + PATIENT, "plain")
    peer.fin()
    c.binary(b"last words")
    peer.expect(b"last words")
    getattr(c.wire, how)()
    if how == "reset":
        peer.expect_reset()
    else:
        peer.expect_fin()
        c.recv_end(FIN, CUT)
    peer.close()
    line = p.one_end(ending, phase="open")
    assert "code" not in line, "a Close was sent: %r" % line


@case(rows=WIRES)
def without_keep(t, listen):
    """With the default, a backend's FIN ends the session."""
    p, c, peer = open_pair(t, "half_close = close\n", listen)
    peer.fin()
    c.recv_close(1000)
    end_after_close(c, 1000)
    peer.expect_fin()
    peer.close()
    p.one_end("backend_close", code=1000, phase="open")
