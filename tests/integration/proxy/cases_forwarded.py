# SPDX-License-Identifier: GPL-3.0-or-later
"""forwarded = x-forwarded-for and forwarded: what a request tells of the client, good, spoofed,
malformed and too much of it. The test itself is the proxy."""

import fronts
from fronts import CLIENT
from harness import case, equal
from wsclient import FIN, Client, Wire

X, RFC = "x-forwarded-for", "forwarded"
XFF, FWD, XFH, XFP = "X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"
KEYS = "trusted_proxies = 127.0.0.1, 10.0.0.0/8\nforwarded = %s\n"
GOOD = "198.51.100.7"

ROUTES = {
    "open": "origins = none\nbackend = echo:",
    "allow": "origins = none\nbackend = echo:\nallow = " + GOOD,
    "allow_proxy": "origins = none\nbackend = echo:\nallow = 127.0.0.1, 10.0.0.0/8",
    "deny": "origins = none\nbackend = echo:\ndeny = 203.0.113.0/24",
    "same": "backend = echo:",
    "named": "host = app.example\norigins = none\nbackend = echo:",
}

ROWS = [
    # name, key, headers, route, ending, client in the log
    ("one", X, [(XFF, GOOD)], "allow", "client_close", GOOD + ":0"),
    ("port", X, [(XFF, GOOD + ":99")], "allow", "client_close", GOOD + ":99"),
    ("ipv6", X, [(XFF, "2001:db8::7")], "open", "client_close", "[2001:db8::7]:0"),
    ("two_proxies", X, [(XFF, GOOD + ", 10.0.0.2")], "allow", "client_close", GOOD + ":0"),
    ("spoofed_left", X, [(XFF, GOOD + ", 203.0.113.9")], "allow", "source", "203.0.113.9:0"),
    ("spoofed_proxy", X, [(XFF, GOOD + ", 10.9.9.9, 203.0.113.9")], "allow", "source",
     "203.0.113.9:0"),
    ("spoofed_line", X, [(XFF, GOOD), (XFF, "203.0.113.9")], "allow", "source", "203.0.113.9:0"),
    ("garbage_left", X, [(XFF, "\";,=\\<\x80, " + GOOD)], "allow", "client_close", GOOD + ":0"),
    ("many_lines", X, [(XFF, "203.0.113.9")] * 90 + [(XFF, GOOD)], "allow", "client_close",
     GOOD + ":0"),
    ("other_header", X, [(FWD, "for=" + GOOD)], "allow", "source", None),
    ("other_header_too", RFC, [(XFF, GOOD)], "allow", "source", None),
    ("none", X, [], "allow_proxy", "client_close", None),
    ("unknown", X, [(XFF, "unknown")], "allow_proxy", "source", "-"),
    ("unknown_behind", X, [(XFF, GOOD + ", unknown, 10.0.0.2")], "allow_proxy", "source", "-"),
    ("unknown_denied", X, [(XFF, "unknown")], "deny", "source", "-"),
    ("unknown_open", X, [(XFF, "unknown")], "open", "client_close", "-"),
    ("rfc", RFC, [(FWD, "for=" + GOOD)], "allow", "client_close", GOOD + ":0"),
    ("rfc_quoted", RFC, [(FWD, 'For="[2001:db8::7]:99";by=_x')], "open", "client_close",
     "[2001:db8::7]:99"),
    ("rfc_left", RFC, [(FWD, 'for="x, for=%s, for=203.0.113.9' % GOOD)], "allow", "source",
     "203.0.113.9:0"),
    ("rfc_hidden", RFC, [(FWD, "for=_secret")], "allow_proxy", "source", "-"),
    ("host", X, [(XFF, GOOD), (XFH, "app.example")], "named", "client_close", GOOD + ":0"),
    ("host_rfc", RFC, [(FWD, "for=%s;host=app.example" % GOOD)], "named", "client_close",
     GOOD + ":0"),
    ("no_host", X, [(XFF, GOOD)], "named", "no_route", GOOD + ":0"),
]


@case(rows=ROWS)
def found(t, key, headers, route, ending, client):
    p = fronts.gateway(t, keys=KEYS % key, **ROUTES)
    c = p.client("plain").open("/" + route, origin=None, headers=headers)
    finish(c, ending)
    line = p.one_end(ending, client=client or c.wire.local)
    equal(line.get("proxy"), c.wire.local if client else None, "proxy")


def finish(c, ending):
    if ending == "client_close":
        c.end_cleanly()
        return
    c.recv_close(1008)
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()


BAD = [
    ("word", X, [(XFF, "localhost")], "X-Forwarded-For with an element that is no address"),
    ("address", X, [(XFF, GOOD + ", 10.0.0.256")],
     "X-Forwarded-For with an element that is no address"),
    ("octal", X, [(XFF, "010.0.0.1")], "X-Forwarded-For with an element that is no address"),
    ("host", X, [(XFF, GOOD), (XFH, "a/b")], "a proxy forwards a host that is none"),
    ("pair", RFC, [(FWD, "for")], "Forwarded with an element that is not name=value;..."),
    ("twice", RFC, [(FWD, "for=%s;for=%s" % (GOOD, GOOD))],
     "Forwarded with an element that is not name=value;..."),
    ("for", RFC, [(FWD, "for=localhost")], "Forwarded with a for= that is no address"),
    ("hops", X, [(XFF, ", ".join([GOOD] + ["10.0.0.2"] * 32))],
     "too many trusted proxies in a row"),
    ("lines", X, [(XFF, GOOD)] + [(XFF, "10.0.0.2")] * 16, "too many header lines of proxies"),
]


@case()
def malformed(t):
    """400 with the detail, whatever the route says; one line each."""
    for key in (X, RFC):
        p = fronts.gateway(t, keys=KEYS % key, **ROUTES)
        rows = [row for row in BAD if row[1] == key]
        for count, (name, _, headers, detail) in enumerate(rows, 1):
            c = p.client("plain")
            c.send_raw(c.request("/open", origin=None, headers=headers))
            equal(c.read_response().status, 400, name)
            c.recv_end(FIN)
            c.wire.finish()
            line = p.log.wait("session.end", count)[-1]
            equal((line["ending"], line["detail"], line["status"]), ("bad_request", detail, "400"),
                  name)


OTHERS = [
    # name, the request line, headers, status
    ("plain", "GET /open", [], 426),
    ("method", "POST /open", [], 405),
    ("bad_handshake", "GET /open", [("Upgrade", "websocket")], 400),
    ("page", "GET /asking", [("Origin", "https://app.example")], 204),
]


@case()
def no_session_asked_for(t):
    """The log names the client of every request, not the proxy alone."""
    p = fronts.gateway(t, keys=KEYS % X, asking="backend = echo:\n"
                       "origins = https://app.example\nlocal_network = on", **ROUTES)
    rows = [(source, client, *row) for row in OTHERS
            for source, client in (("127.0.0.1", GOOD + ":0"), (CLIENT, None))]
    for count, (source, client, name, line, headers, status) in enumerate(rows, 1):
        wire = Wire(p.ports["plain"], source=(source, 0))
        t.cleanup(wire.close)
        c = Client(wire)
        c.send_raw(("%s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (line, c.host, "".join(
            "%s: %s\r\n" % one for one in [(XFF, GOOD), *headers]))).encode())
        equal(c.read_response().status, status, name)
        c.recv_end(FIN)
        c.wire.finish()
        told = p.log.wait("session.end", count)[-1]
        equal((told["status"], told["client"], told.get("proxy")),
              (str(status), client or wire.local, wire.local if client else None), name)


@case()
def nobody_else_is_believed(t):
    """The same words from an address that is not listed."""
    for key, headers in ((X, [(XFF, GOOD), (XFH, "app.example"), (XFP, "https")]),
                         (RFC, [(FWD, "for=%s;host=app.example;proto=https" % GOOD)]),
                         (X, [(XFF, "localhost")])):
        p = fronts.gateway(t, keys=KEYS % key, **ROUTES)
        for count, (route, ending) in enumerate(
                (("allow", "source"), ("named", "no_route"), ("open", "client_close")), 1):
            wire = Wire(p.ports["plain"], source=(CLIENT, 0))
            t.cleanup(wire.close)
            c = Client(wire).open("/" + route, origin=None, headers=headers)
            finish(c, ending)
            line = p.log.wait("session.end", count)[-1]
            equal((line["ending"], line["client"]), (ending, wire.local), route)
            assert "proxy" not in line, line


SAME = [
    # name, the listener, headers, Origin, whether it is let in
    ("https", "plain", [(XFH, "app.example"), (XFP, "https")], "https://app.example", True),
    ("https_port", "plain", [(XFH, "app.example:8443"), (XFP, "https")],
     "https://app.example:8443", True),
    ("other_port", "plain", [(XFH, "app.example:8443"), (XFP, "https")],
     "https://app.example", False),
    ("http_page", "plain", [(XFH, "app.example"), (XFP, "https")], "http://app.example", False),
    ("http", "plain", [(XFH, "app.example"), (XFP, "http")], "http://app.example", False),
    ("over_tls", "tls", [(XFH, "app.example"), (XFP, "https")], "https://app.example", True),
    ("http_over_tls", "tls", [(XFH, "localhost"), (XFP, "http")], "http://localhost", True),
    ("own_host", "plain", [(XFH, "app.example"), (XFP, "https")], None, False),
    ("two_hosts", "plain", [(XFH, "evil.example, app.example")], "https://app.example", True),
    ("left_host", "plain", [(XFH, "evil.example, app.example")], "https://evil.example", False),
]


@case(rows=SAME)
def same(t, listen, headers, origin, is_allowed):
    """`same` compares with the host and the scheme that the trusted proxy tells."""
    p = fronts.gateway(t, keys=KEYS % X, **ROUTES)
    c = p.client(listen)
    c.open("/same", origin=origin or "", headers=[(XFF, GOOD), *headers])
    finish(c, "client_close" if is_allowed else "origin")
    p.one_end("client_close" if is_allowed else "origin")
