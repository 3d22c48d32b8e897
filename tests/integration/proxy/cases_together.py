# SPDX-License-Identifier: GPL-3.0-or-later
"""PROXY headers and X-Forwarded-For on one listener, with limits, tokens and a backend that wants
to know: all of them go by the same client, and nobody lies himself into another."""

import json

from fronts import LOCAL, Header, tls_tlv, v1, v2
from harness import case, equal, wait_until
from provider import auth, digest, write_secret
from scrape import ask
from wsclient import Client, Wire

KEYS = "trusted_proxies = 127.0.0.1, 10.0.0.0/8\nproxy_protocol = on\nforwarded = x-forwarded-for\n"
HTTP = "on_refuse = http\norigins = none\nbackend = echo:\n"
LIE = "203.0.113.9"
TOKEN = "sesame-of-the-tests"

WHO = [
    # name, header, X-Forwarded-For, the client (None: nobody knows)
    ("balancer_and_proxy", v1("10.1.1.1"), "198.51.100.7", "198.51.100.7:0"),
    ("two_proxies", v1("10.1.1.1"), LIE + ", 198.51.100.7, 10.2.2.2", "198.51.100.7:0"),
    ("balancer_of_a_liar", v1(), LIE, "198.51.100.7:4711"),
    ("liar_with_a_trusted_one", v2(tls_tlv()), LIE + ", 10.9.9.9", "198.51.100.7:4711"),
    ("local", LOCAL, "198.51.100.7", "198.51.100.7:0"),
    ("unknown", b"PROXY UNKNOWN\r\n", LIE, None),
    ("unspec", v2(source=None), LIE, None),
    ("datagram", v2(family=0x12), LIE, None),
    ("mapped", v2(source="::ffff:198.51.100.7", destination="::1"), LIE, "198.51.100.7:4711"),
    ("port_0", v1(ports=(0, 0)), None, "198.51.100.7:0"),
]


def gateway(t, backend=None):
    tokens = write_secret(t, "tokens", "alice:%s\n" % digest(TOKEN))
    return t.start(t.config(
        server="auth_failures = 2\nauth_pause = 1h", allow=HTTP + "allow = 198.51.100.7",
        limit=HTTP + "max_sessions_per_source = 1", token=HTTP + "auth = box\n"
        "auth_from = header:X-Token, bearer",
        out="origins = none\nproxy_protocol_out = v1\nbackend = %s" % (
            backend.url if backend else "tcp://127.0.0.1:1"),
        listens="[listen plain]\naddress = 127.0.0.1:0\n" + KEYS +
        "[admin]\naddress = 127.0.0.1:0\n") + auth("box", "type = tokens", "file = " + tokens))


def begin(t, p, path, header, told, headers=()):
    """Returns (client, status)."""
    wire = Wire(p.ports["plain"])
    t.cleanup(wire.close)
    c = Client(wire, "localhost")
    headers = [("X-Forwarded-For", told)] * bool(told) + list(headers)
    wire.send(header + c.request(path, origin=None, headers=headers))
    return c, c.read_response().status


@case()
def one_client_everywhere(t):
    """allow, the log, /sessions and the backend."""
    backend = t.backend()
    p = gateway(t, backend)
    for name, header, told, client in WHO:
        equal(begin(t, p, "/allow", header, told)[1], 101 if client else 403, name)
        c, _ = begin(t, p, "/out", header, told)
        peer = backend.accept()
        got = Header(peer)
        equal(got.source, (client.rpartition(":")[0], int(client.rpartition(":")[2]))
              if client and name != "mapped" else ("::ffff:198.51.100.7", 4711) if client else None,
              "the backend's, " + name)
        rows = wait_until(lambda: [row for row in json.loads(ask(p.ports["admin"], "/sessions")[2])[
            "sessions"] if row["proxy"] == c.wire.local], "a row")
        equal(rows[0]["client"], client, "/sessions, " + name)
        c.wire.reset()
        lines = p.log.wait("session.end", route="out", proxy=c.wire.local)
        equal(lines[0]["client"], client or "-", "the log, " + name)


@case()
def one_share(t):
    """Whichever way the client is told, it has one share; a lie gives no other one."""
    p = gateway(t)
    held, status = begin(t, p, "/limit", v1("10.1.1.1"), "198.51.100.7")
    equal(status, 101, "the first")
    for name, header, told, client in WHO:
        if client:
            equal(begin(t, p, "/limit", header, told)[1], 429, name)
    for number in range(3):
        equal(begin(t, p, "/limit", v1("198.51.100.8"), "203.0.113.%d" % number)[1],
              101 if number == 0 else 429, "a liar")
    held.end_cleanly()


@case()
def one_guesser(t):
    """Who guesses waits, whatever he writes; a token in a header counts from a proxy alone."""
    p = gateway(t)
    for number in range(5):
        wrong = [("Authorization", "Bearer wrong")]
        equal(begin(t, p, "/token", v1(), "203.0.113.%d" % number, wrong)[1],
              401 if number < 3 else 429, "guess %d" % number)
    given = [("X-Token", TOKEN)]
    equal(begin(t, p, "/token", v1("10.1.1.1"), "198.51.100.7", given)[1], 429, "the guesser")
    for name, header, told, status in (
            ("a proxy", v1("10.1.1.1"), LIE, 101), ("a balancer's own", LOCAL, None, 101),
            ("a client", v1("198.51.100.8"), LIE, 401),
            ("a client with a proxy's name", v1("198.51.100.8"), "10.1.1.1", 401),
            ("nobody knows whom", b"PROXY UNKNOWN\r\n", "10.1.1.1", 401)):
        equal(begin(t, p, "/token", header, told, given)[1], status, name)
