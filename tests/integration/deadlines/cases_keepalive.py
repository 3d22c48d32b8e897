# SPDX-License-Identifier: GPL-3.0-or-later
"""ping_interval with pong_timeout, idle_timeout and max_age, each alone.

The cases show what each ends, what each leaves alone, and that 0 switches each off.
(cases_endings.py has the endings themselves.)
"""

import time

from harness import case, equal
from keepalive import check_duration, end_by_client, frames_for, settings
from sessions import WIRES, end_after_close, open_pair
from threads import in_thread, join
from wsclient import BINARY, CLOSE, PING, PONG, RESET, Ended

# ping_interval and pong_timeout

@case(rows=[("pong.wss", "tls", "pong"), ("pong.ws", "plain", "pong"),
            ("pong_with_other_payload", "plain", "other_pong"), ("payload", "tls", "payload"),
            ("ping", "plain", "ping")])
def answering_keeps_it(t, listen, answer):
    """A client that answers may stay as long as it likes, whatever it sends."""
    p, c, peer = open_pair(t, settings(ping_interval="200ms", pong_timeout="600ms"), listen)
    pings, seconds = 0, 1.7
    for got in frames_for(c, seconds):
        if got.opcode == PONG and answer == "ping":
            continue
        equal(got.opcode, PING, "opcode")
        assert len(got.payload) <= 125, "a Ping of %d bytes" % len(got.payload)
        pings += 1
        if answer == "payload":
            c.binary(b"here")
            peer.expect(b"here")
        elif answer == "ping":
            c.send(PING, b"here")
        else:
            c.send(PONG, got.payload if answer == "pong" else b"unasked")
    assert 4 <= pings <= seconds / 0.2 + 1, "%d pings" % pings
    assert not p.ends(), p.ends()
    end_by_client(c, peer)
    check_duration(p.one_end("client_close", code=1000), 1700, 1700)


@case(rows=WIRES)
def a_client_that_talks_is_not_pinged(t, listen):
    p, c, peer = open_pair(t, settings(ping_interval="1s", pong_timeout="1s"), listen)
    last, widest, pings = time.monotonic(), 0, 0
    for _ in range(16):
        pings += sum(got.opcode == PING for got in frames_for(c, 0.1))
        c.binary(b"x")
        now = time.monotonic()
        last, widest = now, max(widest, now - last)
    assert pings == 0 or widest > 0.8, "%d pings, silent for %.3f s" % (pings, widest)
    end_by_client(c, peer, b"x" * 16)
    p.one_end("client_close")


@case(rows=WIRES)
def a_client_that_only_listens_is_pinged(t, listen):
    """What the client receives does not show that the client is there."""
    p, c, peer = open_pair(t, settings(ping_interval="300ms", pong_timeout="10s"), listen)
    pings, data = 0, b""
    for number in range(28):
        peer.send(b"%02d" % number)
        for got in frames_for(c, 0.05):
            if got.opcode == PING:
                pings += 1
                c.send(PONG, got.payload)
            else:
                equal(got.opcode, BINARY, "opcode")
                data += got.payload
    assert pings >= 2, "%d pings" % pings
    assert b"".join(b"%02d" % number for number in range(28)).startswith(data), data
    end_by_client(c, peer)
    p.one_end("client_close")


@case(rows=WIRES)
def not_answering_ends_it(t, listen):
    """The client gets one Ping and no second one. Its kernel took the Ping, which may restart the
    wait once."""
    keys = settings(ping_interval="300ms", pong_timeout="500ms")
    p, c, peer = open_pair(t, keys, listen)
    frames = []
    try:
        while True:
            frames.append(c.recv_frame())
    except Ended as end:
        equal(end.how, RESET, "the client's end")
    equal([got.opcode for got in frames], [PING], "what came")
    equal(peer.expect_reset(), b"", "what the backend got")
    line = p.one_end("client_lost", phase="open", up_bytes=5, down_bytes=0)
    assert "code" not in line, "a Close was sent: %r" % line
    check_duration(line, 800, 1300)


# idle_timeout

@case(rows=WIRES)
def pings_are_no_payload(t, listen):
    """Neither our Pings and their Pongs nor the client's Pings count as payload."""
    keys = settings(ping_interval="100ms", pong_timeout="10s", idle_timeout="1200ms")
    p, c, peer = open_pair(t, keys, listen)
    seen = set()
    while True:
        got = c.recv_frame()
        seen.add(got.opcode)
        if got.opcode == CLOSE:
            break
        if got.opcode == PING:
            c.send(PONG, got.payload)
            c.send(PING, b"x")
    equal(seen, {PING, PONG, CLOSE}, "what came")
    equal(got.payload[:2], (1001).to_bytes(2, "big"), "code")
    end_after_close(c, 1001)
    peer.expect_fin()
    peer.close()
    check_duration(p.one_end("idle", code=1001, up_bytes=5), 1200, 1200)


@case(rows=[("stream", ""), ("shaped", "max_frame_out = 1k"), ("line", "framing = line")])
def empty_messages(t, key):
    """In a stream, empty messages do not keep a session; with framing = line they are messages."""
    keys = settings(idle_timeout="900ms") + key
    backend = t.backend()
    p = t.gateway(r="origins = *\nbackend = %s\n%s" % (backend.url, keys))
    c = p.client("plain").open("/r")
    peer = backend.accept()
    codes = []
    for _ in range(20):
        c.binary(b"")
        codes += [got.payload[:2] for got in frames_for(c, 0.1) if got.opcode == CLOSE]
        if codes:
            break
    if "line" in key:
        equal(codes, [], "closes")
        peer.expect(b"\n" * 20)
        end_by_client(c, peer)
        p.one_end("client_close")
        return
    equal(codes, [(1001).to_bytes(2, "big")], "closes")
    end_after_close(c, 1001)
    peer.expect_fin()
    peer.close()
    p.one_end("idle", code=1001, up_bytes=0)


@case(rows=[("%s.%s" % (way, wire), listen, way) for wire, listen in WIRES
            for way in ("up", "down")])
def payload_in_one_direction_is_enough(t, listen, way):
    p, c, peer = open_pair(t, settings(idle_timeout="800ms"), listen)
    for _ in range(5):
        time.sleep(0.2)
        if way == "up":
            c.binary(b"x")
            peer.expect(b"x")
        else:
            peer.send(b"x")
            equal(c.recv_data(), b"x", "payload")
    c.recv_close(1001)
    end_after_close(c, 1001)
    peer.expect_fin()
    peer.close()
    line = p.one_end("idle", code=1001, **{way + "_bytes": 10 if way == "up" else 5})
    check_duration(line, 1800, 1800)


# max_age

@case(rows=WIRES)
def max_age_ends_a_busy_session(t, listen):
    p, c, peer = open_pair(t, settings(max_age="1500ms"), listen)

    def echo():
        while data := peer.recv_some():
            peer.send(data)

    thread = in_thread(echo)
    count = 0
    while True:
        c.binary(b"%06d" % count)
        got = c.recv_frame()
        if got.opcode == CLOSE:
            break
        equal(got.payload, b"%06d" % count, "echo")
        count += 1
    equal(got.payload[:2], (1001).to_bytes(2, "big"), "code")
    end_after_close(c, 1001)
    join(thread)
    peer.close()
    assert count > 10, "%d round trips" % count
    line = p.one_end("max_age", code=1001)
    assert int(line["up_bytes"]) >= 5 + 6 * count, line
    check_duration(line, 1500, 1500)


# Off

@case(rows=[("%s.%s" % (key, wire), listen, key) for wire, listen in WIRES
            for key in ("ping_interval", "idle_timeout", "max_age")])
def zero_is_off(t, listen, key):
    """In a route, 0 switches a deadline off, whatever [defaults] says."""
    defaults = "ping_interval = 0\nidle_timeout = 0\nmax_age = 0\npong_timeout = 200ms\n"
    defaults = defaults.replace(key + " = 0", key + " = 200ms")
    p, c, peer = open_pair(t, key + " = 0", listen, defaults=defaults)
    for got in frames_for(c, 0.6):
        raise AssertionError("a frame: %r" % (got,))
    peer.send(b"still here")
    equal(c.recv_data(), b"still here", "payload")
    for got in frames_for(c, 0.3):
        raise AssertionError("a frame: %r" % (got,))
    end_by_client(c, peer)
    p.one_end("client_close")
