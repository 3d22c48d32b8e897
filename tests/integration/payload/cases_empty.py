# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty messages and empty frames, thousands of them, in every framing and both directions: nothing
comes of them but what the framing says, nothing stalls, and what is between them arrives."""

import time

import deflateclient
from framed import client_ends, open_route
from harness import case, equal
from sessions import WIRES, end_after_close
from threads import in_thread, join
from wsclient import BINARY, CONTINUATION, PING, PONG, TEXT, frame

COUNT = 10000

# name, keys, subprotocol, what the backend gets of an empty message, and of the message "abcd"
FRAMINGS = [
    ("stream", "", None, b"", b"abcd"),
    ("text", "payload = text", None, b"", b"abcd"),
    ("base64", "subprotocols = base64", "base64", b"", b"i\xb7\x1d"),
    ("lf", "framing = line", None, b"\n", b"abcd\n"),
    ("crlf", "framing = line\nline_end = crlf", None, b"\r\n", b"abcd\r\n"),
    ("multi", "framing = line\nline_end = crlf\nline_multi = yes", None, b"\r\n", b"abcd\r\n"),
    ("length16", "framing = length16", None, b"\0\0", b"\0\4abcd"),
    ("length32", "framing = length32\nlength_order = little", None, b"\0" * 4, b"\4\0\0\0abcd"),
]
KINDS = [("%s.%s" % (row[0], wire), listen, *row[1:])
         for row in FRAMINGS for wire, listen in WIRES]


def empties(opcode, count):
    """Returns empty messages, each third of them as three empty frames, with Pings between."""
    whole = frame(opcode, b"")
    parts = frame(opcode, b"", is_fin=False) + frame(CONTINUATION, b"", is_fin=False) + frame(
        CONTINUATION, b"")
    some = whole * 2 + parts + frame(PING, b"")
    assert count % 3 == 0
    return some * (count // 3)


@case(rows=KINDS)
def from_a_page(t, listen, keys, subprotocol, empty, full):
    """The backend gets what the framing makes of each, and the rest in its place."""
    request = {"subprotocols": subprotocol} if subprotocol else {}
    p, c, peer = open_route(t, keys, listen, **request)
    opcode = TEXT if subprotocol else BINARY
    wire = frame(opcode, b"abcd") + empties(opcode, COUNT // 3 * 3) + frame(opcode, b"abcd")
    thread = in_thread(lambda: c.send_raw(wire))
    peer.expect(full + empty * (COUNT // 3 * 3) + full)
    for _ in range(COUNT // 3):
        equal(c.recv_frame().opcode, PONG, "opcode")
    join(thread)
    client_ends(p, c, peer)


@case(rows=[row for row in KINDS if row[4]])
def from_a_backend(t, listen, keys, subprotocol, empty, full):
    """A page gets as many empty messages as the backend has said, and the rest in its place."""
    p, c, peer = open_route(t, keys, listen)
    thread = in_thread(lambda: peer.send(full + empty * COUNT + full))
    equal(c.recv_message(), (BINARY, b"abcd"), "the message in front")
    for number in range(COUNT):
        equal(c.recv_message(), (BINARY, b""), "message %d" % number)
    equal(c.recv_message(), (BINARY, b"abcd"), "the message behind")
    join(thread)
    client_ends(p, c, peer)


@case(rows=WIRES)
def echo(t, listen):
    p = t.gateway(r="origins = *\nbackend = echo:")
    c = p.client(listen).open("/r")
    thread = in_thread(lambda: c.send_raw((frame(BINARY, b"") + frame(TEXT, b"")) * COUNT))
    for number in range(COUNT):
        equal(c.recv_message(), (BINARY, b""), "message %d" % number)
        equal(c.recv_message(), (TEXT, b""), "message %d" % number)
    join(thread)
    c.end_cleanly()


@case(rows=[row for row in FRAMINGS if row[0] != "base64"])
def compressed(t, keys, subprotocol, empty, full):
    """With compression an empty message is one byte or several, and still empty."""
    assert subprotocol is None
    backend = t.backend()
    p = t.gateway(r="origins = *\ncompression = on\nbackend = %s\n%s" % (backend.url, keys))
    c = deflateclient.DeflateClient(p.wire("plain")).open("/r")
    peer = backend.accept()
    nothing = (frame(BINARY, b"\0", rsv=4) + frame(BINARY, b"\2\0", rsv=4)
               + frame(BINARY, b"\0\0\0\xff\xff\0", rsv=4))
    thread = in_thread(lambda: c.send_raw(nothing * COUNT + frame(BINARY, b"abcd")))
    peer.expect(empty * (3 * COUNT) + full)
    join(thread)
    if empty:
        thread = in_thread(lambda: peer.send(empty * COUNT + full))
        for number in range(COUNT):
            equal(c.recv_message()[1], b"", "message %d" % number)
        equal(c.recv_message()[1], b"abcd", "the message behind")
        join(thread)
    client_ends(p, c, peer)


@case()
def idle_page(t):
    """In a stream they are no payload: a page that sends nothing else is idle."""
    p, c, peer = open_route(t, "idle_timeout = 500ms")
    ended = in_thread(lambda: c.recv_close(1001))
    while ended.is_alive():
        c.send(BINARY, b"")
        ended.join(0.05)
    join(ended)
    end_after_close(c, 1001)
    equal(peer.recv_all(), b"", "what the backend got")
    p.one_end("idle", code=1001)


@case(rows=[("line", "framing = line", b"\n"), ("length16", "framing = length16", b"\0\0")])
def busy_page(t, keys, empty):
    """Where they are lines or records, a page that sends them is not idle."""
    p, c, peer = open_route(t, "idle_timeout = 2s\n" + keys)
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        c.send(BINARY, b"")
        peer.expect(empty)
        time.sleep(0.05)
    client_ends(p, c, peer)
