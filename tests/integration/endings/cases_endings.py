# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way an open session can end (the endings table).

A case makes the cause. It checks the Close code, reason and TCP end that the client sees, what the
backend gets, and the word in the one log line. Each row runs over TLS and over plain ws://.
"""

import os
import select
import signal
import threading
import time

from harness import Settings, Skip, case, equal, wait_until
from memory import limit_memory
from sessions import WIRES, end_after_close, open_pair
from wsclient import BINARY, CLOSE, CUT, FIN, PING, PONG, RESET, TEXT, Ended, close_payload, frame

# Backends that end.

@case(rows=WIRES)
def backend_close(t, listen):
    p, c, peer = open_pair(t, listen=listen)
    peer.send(b"last words")
    peer.fin()
    _, before = c.recv_close(1000, has_reason=False)
    equal(before, b"last words", "what came before the Close")
    end_after_close(c)
    peer.expect_fin()
    peer.close()
    p.one_end("backend_close", code=1000, up_bytes=5, down_bytes=10)


@case(rows=WIRES)
def backend_close_behind_a_slow_reader(t, listen):
    """Every queued byte arrives before the Close."""
    p, c, peer = open_pair(t, "write_timeout = 30s", listen, receive_buffer=8192)
    data = os.urandom(1 << 20)
    peer.sock.settimeout(None)
    sender = threading.Thread(target=lambda: (peer.send(data), peer.fin()))
    sender.start()
    time.sleep(0.5)
    _, before = c.recv_close(1000, has_reason=False)
    assert before == data, "%d of %d bytes came" % (len(before), len(data))
    sender.join()
    end_after_close(c)
    p.one_end("backend_close", code=1000, down_bytes=len(data))


@case(rows=WIRES)
def backend_closes_at_once(t, listen):
    """The backend sends FIN right after accept, before any byte."""
    backend = t.backend()
    p = t.gateway(r="backend = " + backend.url)
    c = p.client(listen)
    c.send_raw(c.request("/r"))
    backend.accept().fin()
    equal(c.read_response().status, 101, "status")
    c.recv_close(1000, has_reason=False)
    end_after_close(c)
    p.one_end("backend_close", code=1000)


@case(rows=WIRES)
def backend_reset(t, listen):
    p, c, peer = open_pair(t, listen=listen)
    peer.send(b"some bytes")
    equal(c.recv_bytes(10), b"some bytes", "bytes")
    peer.reset()
    c.recv_close(1011)
    end_after_close(c, 1011)
    p.one_end("backend_reset", code=1011, down_bytes=10)


@case(rows=WIRES)
def backend_reset_behind_a_slow_reader(t, listen):
    """What the program took from the backend arrives, then the Close."""
    p, c, peer = open_pair(t, "backend_code = 1014", listen, receive_buffer=8192)
    data = os.urandom(1 << 22)
    peer.sock.setblocking(False)
    sent = 0

    def push():
        nonlocal sent
        try:
            while sent < len(data):
                sent += peer.sock.send(data[sent:sent + 65536])
        except BlockingIOError:
            pass

    for _ in range(10):
        push()
        time.sleep(0.05)
    peer.reset()
    time.sleep(0.3)
    _, before = c.recv_close(1014)
    assert before and data.startswith(before), "%d bytes, not a beginning" % len(before)
    end_after_close(c, 1014)
    p.one_end("backend_reset", code=1014, down_bytes=len(before))


@case(rows=WIRES)
def backend_stalled(t, listen):
    """The backend takes nothing for write_timeout: the page gets a Close, the backend RST."""
    backend = t.backend(receive_buffer=8192)
    p, c, peer = open_pair(t, "write_timeout = 800ms", listen, backend=backend)
    block, rest = frame(BINARY, bytes(60000)), b""
    while not select.select([c.wire], [], [], 0)[0]:  # until the Close is there
        if not rest:
            rest = wire_bytes(c, block)
        if select.select([], [c.wire], [], 0.1)[1]:
            rest = rest[c.wire.sock.send(rest[:4096]):]
    c.recv_close(1011)
    c.wire.sock.sendall(rest)
    end_after_close(c, 1011)
    peer.expect_reset()
    p.one_end("backend_stalled", code=1011)


def wire_bytes(c, data):
    """Returns the wire bytes of these bytes."""
    if not c.wire.tls:
        return data
    c.wire.tls.write(data)
    return c.wire.outgoing.read()


# Clients that end.

@case(rows=[("%s.%s" % (name, wire), listen, code, reason) for wire, listen in WIRES
            for name, code, reason in (("1000", 1000, ""), ("4000", 4000, "done \u2603"),
                                       ("3000", 3000, "x" * 123), ("empty", None, ""))])
def client_close(t, listen, code, reason):
    p, c, peer = open_pair(t, listen=listen)
    c.wire.send(frame(BINARY, b"last words") + frame(CLOSE, close_payload(code, reason)))
    c.recv_close(code, has_reason=False)
    c.recv_end(FIN)
    c.wire.finish()
    peer.expect_fin(b"last words")
    peer.close()
    p.one_end("client_close", up_bytes=15, code=code or 1005, client_code=code or 1005)


@case(rows=WIRES)
def client_close_while_the_backend_sends(t, listen):
    """The program answers the Close although data flows the other way."""
    p, c, peer = open_pair(t, listen=listen)
    peer.send(bytes(300000))
    c.close(1000)
    c.recv_close(1000, has_reason=False)
    c.recv_end(FIN)
    c.wire.finish()
    p.one_end("client_close", code=1000)


@case(rows=WIRES)
def client_eof(t, listen):
    """The client ends between messages and sends no Close: the backend gets bytes and FIN, the
    client no frame."""
    p, c, peer = open_pair(t, listen=listen)
    c.binary(b"last words")
    c.wire.finish()
    peer.expect_fin(b"last words")
    peer.fin()
    c.recv_end(FIN, CUT)
    line = p.one_end("client_eof")
    assert "code" not in line, "a Close was sent: %r" % line


# What the client says last, how its stream ends, and what the log says of it.
CUTS = [("frame.wss", "tls", frame(BINARY, b"0123456789")[:-4], "finish", "FIN inside a frame"),
        ("frame.ws", "plain", frame(BINARY, b"0123456789")[:-4], "finish", "FIN inside a frame"),
        ("header.ws", "plain", b"\x82", "finish", "FIN inside a frame"),
        ("ping.wss", "tls", frame(PING, b"ping")[:-1], "finish", "FIN inside a frame"),
        ("message.wss", "tls", frame(BINARY, b"a", is_fin=False) + frame(PONG, b""), "finish",
         "FIN inside a message"),
        ("message.ws", "plain", frame(TEXT, b"a", is_fin=False), "finish",
         "FIN inside a message"),
        ("close.wss", "tls", frame(CLOSE, close_payload(1000))[:-1], "finish",
         "FIN inside a frame"),
        ("no_close_notify", "tls", frame(BINARY, b"whole"), "half_close",
         "FIN without close_notify"),
        ("frame.no_close_notify", "tls", frame(BINARY, b"part")[:-1], "half_close",
         "FIN inside a frame")]


@case(rows=CUTS)
def client_cut(t, listen, last, end, detail):
    """A stream that somebody may have cut ends with a reset for the backend."""
    p, c, peer = open_pair(t, listen=listen)
    c.send_raw(last)
    time.sleep(0.2)
    getattr(c.wire, end)()
    peer.expect_reset()
    c.recv_end(FIN, CUT)
    line = p.one_end("client_cut", detail=detail)
    assert "code" not in line, "a Close was sent: %r" % line


@case(rows=WIRES)
def client_goes_before_the_101(t, listen):
    """Half a head, or a whole one behind which the client is gone."""
    backend = t.backend()
    p = t.gateway(r="backend = " + backend.url)
    c = p.client(listen)
    head = c.request("/r")
    c.send_raw(head[:40])
    time.sleep(0.2)
    c.wire.finish()
    p.one_end("client_cut", detail="FIN inside the request head", phase="request")
    c = p.client(listen)
    c.send_raw(head)
    c.wire.finish()
    backend.accept().expect_fin()
    wait_until(lambda: len(p.log.find("session.end")) == 2, "two lines")
    equal(p.log.find("session.end")[1]["ending"], "client_eof", "ending")


@case(rows=WIRES)
def client_reset(t, listen):
    p, c, peer = open_pair(t, listen=listen)
    c.wire.reset()
    peer.expect_reset()
    p.one_end("client_reset")


@case(rows=WIRES)
def client_lost(t, listen):
    """No Pong comes: the client gets no word, the backend gets RST."""
    p, c, peer = open_pair(t, "ping_interval = 300ms\npong_timeout = 600ms", listen)
    got = c.recv_frame()
    equal(got.opcode, PING, "opcode")
    assert len(got.payload) <= 125
    try:
        got = c.recv_frame()
        raise AssertionError("a frame to a lost client: %r" % (got,))
    except Ended:
        pass
    peer.expect_reset()
    line = p.one_end("client_lost")
    assert "code" not in line, "a Close was sent: %r" % line


@case(rows=WIRES)
def client_that_answers_pings_is_kept(t, listen):
    p, c, peer = open_pair(t, "ping_interval = 200ms\npong_timeout = 1s", listen)
    for _ in range(5):
        got = c.recv_frame()
        equal(got.opcode, PING, "opcode")
        c.send(0xA, got.payload)
    peer.send(b"still here")
    equal(c.recv_bytes(10), b"still here", "bytes")
    c.end_cleanly()
    p.one_end("client_close")


@case(rows=WIRES)
def client_stalled(t, listen):
    """The client takes nothing for write_timeout: both sides get RST."""
    backend = t.backend(send_buffer=16384)
    p, c, peer = open_pair(t, "write_timeout = 800ms", listen, backend=backend,
                           receive_buffer=8192)
    peer.sock.settimeout(15)
    try:
        while True:
            peer.send(bytes(65536))
    except ConnectionError:
        pass
    p.log.wait("session.end")
    try:
        while True:
            if not c.wire.recv():
                break
    except ConnectionResetError:
        c.wire.ended = RESET
    equal(c.wire.ended, RESET, "the client's end")
    line = p.one_end("client_stalled")
    assert "code" not in line, "a Close was sent: %r" % line


# Ends that are ours.

@case(rows=[("%s.%s" % (name, wire), listen, name, keys) for wire, listen in WIRES
            for name, keys in (("idle", "idle_timeout = 700ms"), ("max_age", "max_age = 700ms"))])
def our_time_is_up(t, listen, name, keys):
    p, c, peer = open_pair(t, keys, listen)
    c.recv_close(1001)
    end_after_close(c, 3000)
    peer.expect_fin()
    peer.close()
    p.one_end(name, code=1001, client_code=3000)


@case()
def pings_do_not_keep_an_idle_session(t):
    """Only payload counts, in either direction."""
    p, c, peer = open_pair(t, "idle_timeout = 1500ms")
    for _ in range(4):
        time.sleep(0.2)
        peer.send(b"x")
        equal(c.recv_bytes(1), b"x", "payload")
    began = time.monotonic()
    while True:
        c.send(PING, b"x")
        got = c.recv_frame()
        if got.opcode == CLOSE:
            break
        assert time.monotonic() - began < 30, "pings keep it open"
        time.sleep(0.1)
    equal(got.payload[:2], (1001).to_bytes(2, "big"), "code")
    end_after_close(c, 1001)
    peer.close()
    p.one_end("idle", code=1001)


@case(rows=WIRES)
def shutdown(t, listen):
    p, c, peer = open_pair(t, listen=listen)
    p.send_signal(signal.SIGTERM)
    c.recv_close(1001)
    end_after_close(c, 1001)
    peer.expect_fin()
    peer.close()
    p.stop()
    p.one_end("shutdown", code=1001)


@case(rows=[("close", "close"), ("http", "http")])
def shutdown_during_dial(t, how):
    p = t.gateway(defaults="connect_timeout = 30s",
                  r="on_refuse = %s\nbackend = %s" % (how, t.deaf().url))
    c = p.client()
    c.send_raw(c.request("/r"))
    time.sleep(0.3)
    p.send_signal(signal.SIGTERM)
    response = c.read_response()
    if how == "http":
        equal(response.status, 503, "status")
    else:
        equal(response.status, 101, "status")
        c.recv_close(1001)
        c.close(1001)
    c.recv_end(FIN)
    c.wire.finish()
    p.stop()
    p.one_end("shutdown")


@case()
def internal(t):
    """Without memory for a queue, that session ends; the worker and the other sessions live on."""
    if Settings.is_asan:
        raise Skip("a limited address space does not go with the sanitizer")
    backend = t.backend()
    p = t.gateway(r="buffer_high = 16m\nbackend = " + backend.url, e="backend = echo:")
    bystander = p.client().open("/e")
    c = p.client(receive_buffer=8192).open("/r")
    peer = backend.accept()
    worker = p.workers()[0]
    limit_memory(worker, 2 << 20)
    peer.sock.settimeout(15)
    try:
        while not p.ends():
            peer.send(bytes(65536))
    except ConnectionError:
        pass
    try:  # without the queue there may be no way to send the Close
        c.recv_close(1011)
    except Ended:
        pass
    p.one_end("internal")
    bystander.text("still here")
    equal(bystander.recv_message(), (TEXT, b"still here"), "echo")
    wait_until(lambda: p.workers() == [worker], "the worker lives")


# After a Close.

@case(rows=WIRES)
def close_unanswered(t, listen):
    """The program waits for the answer to its Close no longer than close_timeout."""
    p, c, peer = open_pair(t, "close_timeout = 500ms\nidle_timeout = 300ms", listen)
    c.recv_close(1001)
    c.recv_end(FIN)
    c.wire.finish()
    peer.close()
    p.one_end("idle")


@case(rows=WIRES)
def close_first_reason_wins(t, listen):
    """A violation behind our own Close changes nothing."""
    p, c, peer = open_pair(t, "idle_timeout = 300ms", listen)
    c.recv_close(1001)
    c.send_raw(frame(3, b"x"))
    c.recv_end(FIN)
    c.wire.finish()
    peer.close()
    p.one_end("idle", code=1001)
