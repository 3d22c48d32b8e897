# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that the program refuses, or whose backend fails: every such row of the endings table.

The page reads the reason in a Close behind the 101, or gets an HTTP status where the route says so.
A request that is no legal opening always gets HTTP. Each row runs over TLS and over plain ws://.
"""

import os
import time

from harness import case, equal
from sessions import WIRES, end_after_close
from wsclient import FIN

# Refusals by policy: the program never dials the backend.

REFUSALS = [
    # name, keys of the route, the request, status, Close code
    ("origin", "origins = https://good.example", {"origin": "https://evil.example"}, 403, 1008),
    ("origin_missing", "origins = https://good.example", {"origin": None}, 403, 1008),
    ("subprotocol", "subprotocols = binary", {"subprotocols": "other, stranger"}, 400, 1008),
    ("subprotocol_missing", "subprotocols = binary", {}, 400, 1008),
    ("source", "deny = 127.0.0.0/8", {}, 403, 1008),
    ("source_not_allowed", "allow = 10.0.0.0/8", {}, 403, 1008),
    ("no_route", "", {"path": "/nowhere"}, 404, 1008),
]


def word_of(name):
    return name.removesuffix("_missing").removesuffix("_not_allowed")


@case(rows=[("%s.%s" % (row[0], wire), listen, *row) for row in REFUSALS for wire, listen in WIRES])
def refused_by_close(t, listen, name, keys, request, status, code):
    backend = t.backend()
    p = t.gateway(r="%s\nbackend = %s" % (keys, backend.url))
    c = p.client(listen).open(**{"path": "/r", **request})
    offered = request.get("subprotocols")
    equal(c.subprotocol, offered.split(",")[0] if offered else None, "subprotocol")
    c.recv_close(code)
    end_after_close(c, code)
    p.one_end(word_of(name), code=code, status=101)
    backend.expect_not_dialled()


@case(rows=[("%s.%s" % (row[0], wire), listen, *row) for row in REFUSALS for wire, listen in WIRES
            if row[0] != "no_route"])
def refused_by_http(t, listen, name, keys, request, status, code):
    backend = t.backend()
    p = t.gateway(r="on_refuse = http\n%s\nbackend = %s" % (keys, backend.url))
    c = p.client(listen)
    c.send_raw(c.request(**{"path": "/r", **request}))
    equal(c.read_response().status, status, "status")
    c.recv_end(FIN)
    c.wire.finish()
    line = p.one_end(word_of(name), status=status)
    assert "code" not in line, "a Close code in %r" % line
    backend.expect_not_dialled()


@case()
def no_route_by_http(t):
    """The request has no route, so the defaults decide."""
    p = t.gateway(defaults="on_refuse = http", r="backend = echo:")
    c = p.client()
    c.send_raw(c.request("/nowhere"))
    equal(c.read_response().status, 404, "status")
    c.recv_end(FIN)
    c.wire.finish()
    p.one_end("no_route", status=404)


@case(rows=[("%s.%s" % (how, wire), listen, how) for how in ("close", "http")
            for wire, listen in WIRES])
def full(t, listen, how):
    backend = t.backend()
    p = t.gateway(server="max_sessions = 1",
                  r="on_refuse = %s\nclose_timeout = 300ms\nbackend = %s" % (how, backend.url))
    first = p.client(listen).open("/r")
    backend.accept()
    c = p.client(listen)
    if how == "close":
        c.open("/r", subprotocols="a, b")
        equal(c.subprotocol, "a", "subprotocol")
        c.recv_close(1013)
        end_after_close(c, 1013)
        p.one_end("full", code=1013)
    else:
        c.send_raw(c.request("/r"))
        equal(c.read_response().status, 503, "status")
        assert int(c.response.get("Retry-After")) > 0
        c.recv_end(FIN)
        c.wire.finish()
        p.one_end("full", status=503)
    backend.expect_not_dialled()
    first.end_cleanly()
    p.log.wait("session.end", 2)
    again = p.client(listen).open("/r")
    again.end_cleanly()


@case()
def first_route(t):
    """A newcomer's route: one origin, one subprotocol, one service."""
    backend = t.backend()
    keys = ("origins = https://good.example\nsubprotocols = binary\nclose_timeout = 300ms\n"
            "backend = ")
    p = t.gateway(r=keys + backend.url, down=keys + t.closed_port())
    good = p.client().open("/r", origin="https://good.example", subprotocols="base64, binary")
    equal(good.subprotocol, "binary", "subprotocol")
    peer = backend.accept()
    data = os.urandom(100000)
    good.binary(data)
    peer.expect(data)
    peer.send(data)
    equal(good.recv_bytes(len(data)) == data, True, "the bytes")
    evil = p.client().open("/r", origin="https://evil.example", subprotocols="base64, binary")
    equal(evil.subprotocol, "base64", "subprotocol of a refused client")
    equal(evil.recv_close(1008)[0], "origin not allowed", "reason")
    backend.expect_not_dialled()
    down = p.client().open("/down", origin="https://good.example", subprotocols="binary")
    equal(down.recv_close(1011)[0], "backend unavailable", "reason")
    assert evil.close_id != down.close_id, "two sessions with one id"
    for c, ending in ((evil, "origin"), (down, "backend_refused")):
        c.close(1008)
        p.log.wait("session.end", id=c.close_id, ending=ending)
    good.end_cleanly()


# Backends that fail. The name ends in .onion: a resolver answers it without asking anybody.

DIALS = [
    ("backend_refused", lambda t: t.closed_port(), 502),
    ("backend_refused_unix", lambda t: "unix:" + t.path("nothing.sock"), 502),
    ("backend_timeout", lambda t: t.deaf().url, 504),
    ("backend_name", lambda t: "tcp://nothing.onion:80", 502),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row) for row in DIALS for wire, listen in WIRES])
def dial_fails(t, listen, name, make_url, status):
    word = name.removesuffix("_unix")
    url = make_url(t)
    p = t.gateway(defaults="connect_timeout = 700ms", r="backend = " + url,
                  b="backend_code = 1014\nbackend = " + url,
                  h="on_refuse = http\nbackend = " + url)
    for path, code in (("/r", 1011), ("/b", 1014)):
        c = p.client(listen).open(path, subprotocols="first, second")
        equal(c.subprotocol, "first", "subprotocol")
        c.recv_close(code)
        end_after_close(c, code)
        p.log.wait("session.end", ending=word, code=str(code))
    c = p.client(listen)
    c.send_raw(c.request("/h"))
    equal(c.read_response().status, status, "status")
    c.recv_end(FIN)
    c.wire.finish()
    p.log.wait("session.end", ending=word, status=str(status))
    equal(len(p.ends()), 3, "session.end lines")
    for line in p.ends():
        equal(line.get("backend"), url, "the backend in the log")


@case()
def client_leaves_during_the_dial(t):
    """The program notices no later than at the end of the dial, and sends no 101."""
    p = t.gateway(r="connect_timeout = 1s\nbackend = " + t.deaf().url)
    for number, end in enumerate(("reset", "finish")):
        c = p.client()
        c.send_raw(c.request("/r"))
        time.sleep(0.2)
        getattr(c.wire, end)()
        line = p.log.wait("session.end", number + 1)[number]
        assert line["ending"] in ("client_reset", "client_eof", "backend_timeout"), line
        equal(line["phase"], "dial", "phase")


# A request that is no legal opening gets HTTP, whatever the route says.

BAD_HEADS = [
    ("bad_request", b"GET /r HTTP/1.1\nHost: a\n\n", 400),
    ("bad_request_method", b"POST /r HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
    ("bad_request_plain", b"GET /r HTTP/1.1\r\nHost: localhost\r\n\r\n", 426),
    ("head_too_big", b"GET /r HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 33000, 431),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row) for row in BAD_HEADS
            for wire, listen in WIRES])
def bad_head(t, listen, name, head, status):
    backend = t.backend()
    p = t.gateway(r="backend = " + backend.url)
    c = p.client(listen)
    c.send_raw(head)
    equal(c.read_response().status, status, "status")
    c.recv_end(FIN)
    c.wire.finish()
    word = name.removesuffix("_method").removesuffix("_plain")
    p.one_end(word, status=status, phase="request")
    backend.expect_not_dialled()


@case(rows=WIRES)
def head_too_slow(t, listen):
    backend = t.backend()
    p = t.gateway(server="request_timeout = 600ms", r="backend = " + backend.url)
    c = p.client(listen)
    c.send_raw(b"GET /r HTT")
    equal(c.read_response().status, 408, "status")
    c.recv_end(FIN)
    c.wire.finish()
    p.one_end("head_too_slow", status=408)
    backend.expect_not_dialled()
