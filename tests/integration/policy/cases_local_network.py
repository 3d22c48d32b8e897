# SPDX-License-Identifier: GPL-3.0-or-later
"""local_network: the CORS answer on a route's path, each of its lines, and everybody who gets what
he gets without the key."""

from harness import case, equal
from provider import auth, digest, write_secret
from sessions import WIRES
from wsclient import FIN

PAGE = "https://app.example.com"
ROUTE = "origins = %s\nbackend = %%s\nlocal_network = on" % PAGE
PREFLIGHT = ("Access-Control-Request-Method", "GET")
CORS = "access-control-"


def ask(p, listen, method="GET", path="/r", origin=PAGE, headers=(), version="1.1"):
    """Sends a plain request. Returns the answer, behind which the connection ends in order."""
    c = p.client(listen)
    lines = [("Host", c.host)] + ([("Origin", origin)] if origin else []) + list(headers)
    c.send_raw(("%s %s HTTP/%s\r\n%s\r\n" % (
        method, path, version, "".join("%s: %s\r\n" % line for line in lines))).encode())
    response = c.read_response(has_body=method != "HEAD")
    equal(bytes(c.pending), b"", "behind the answer")
    c.recv_end(FIN)
    c.wire.finish()
    return response


def cors(response):
    return {name[len(CORS):]: ", ".join(values) for name, values in response.headers.items()
            if name.startswith(CORS)}


GIVEN = [
    # name, request, the lines besides Allow-Origin
    ("get", {}, {}),
    ("head", {"method": "HEAD"}, {}),
    ("options", {"method": "OPTIONS"}, {}),
    ("http_1_0", {"version": "1.0"}, {}),
    ("query", {"path": "/r?ticket=sesame"}, {}),
    ("preflight", {"method": "OPTIONS", "headers": [PREFLIGHT]}, {"allow-methods": "GET, HEAD"}),
    ("headers", {"method": "OPTIONS", "headers": [
        PREFLIGHT, ("Access-Control-Request-Headers", "x-a,authorization")]},
     {"allow-methods": "GET, HEAD", "allow-headers": "x-a,authorization"}),
    ("private_network", {"method": "OPTIONS", "headers": [
        PREFLIGHT, ("Access-Control-Request-Private-Network", "true")]},
     {"allow-methods": "GET, HEAD", "allow-private-network": "true"}),
    ("private_network_without_preflight", {"headers": [
        PREFLIGHT, ("Access-Control-Request-Private-Network", "true")]}, {}),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row[1:]) for row in GIVEN
            for wire, listen in WIRES])
def given(t, listen, request, lines):
    """No body and nothing about one, no credentials asked, and the backend is left alone."""
    backend = t.backend()
    p = t.gateway(r=ROUTE % backend.url)
    response = ask(p, listen, **request)
    equal(response.status, 204, "status")
    equal(cors(response), {"allow-origin": PAGE, **lines}, "the CORS lines")
    equal(response.get("Vary"), "Origin", "Vary")
    equal(response.get("Connection"), "close", "Connection")
    for name in ("Content-Length", "Content-Type", "WWW-Authenticate", "Set-Cookie"):
        equal(response.get(name), None, name)
    line = p.one_end("page", status=204)
    assert line["detail"].startswith("local_network: "), line
    assert "sesame" not in p.log.text(), "the log has the query"
    backend.expect_not_dialled()


OTHERS = [
    # name, keys of the route instead of local_network = on, request, status
    ("another_origin", None, {"origin": "https://evil.example"}, 426),
    ("another_scheme", None, {"origin": PAGE.replace("https", "http")}, 426),
    ("no_origin", None, {"origin": None}, 426),
    ("two_origins", None, {"headers": [("Origin", PAGE)]}, 426),
    ("another_path", None, {"path": "/s"}, 426),
    ("dots", None, {"path": "/x/../r"}, 426),
    ("head_of_another", None, {"method": "HEAD", "origin": "https://evil.example"}, 426),
    ("preflight_of_another", None, {"method": "OPTIONS", "origin": "https://evil.example",
                                    "headers": [PREFLIGHT]}, 405),
    ("post", None, {"method": "POST"}, 405),
    ("delete", None, {"method": "DELETE"}, 405),
    ("unknown_method", None, {"method": "FETCH"}, 501),
    ("content", None, {"method": "OPTIONS", "headers": [("Content-Length", "1")]}, 405),
    ("a_bad_handshake", None, {"headers": [("Upgrade", "websocket")]}, 400),
    ("off", "local_network = off", {}, 426),
    ("off_options", "local_network = off", {"method": "OPTIONS", "headers": [PREFLIGHT]}, 405),
    ("by_default", "", {}, 426),
    ("denied", "local_network = on\ndeny = 127.0.0.0/8", {}, 426),
    ("not_allowed", "local_network = on\nallow = 10.0.0.0/8", {}, 426),
    ("not_allowed_options", "local_network = on\nallow = 10.0.0.0/8",
     {"method": "OPTIONS", "headers": [PREFLIGHT]}, 405),
    ("another_host", "local_network = on\nhost = other.example", {}, 426),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row[1:]) for row in OTHERS
            for wire, listen in WIRES])
def not_given(t, listen, keys, request, status):
    """The answer is, to the byte, the one of a route without the key, but for the Date."""
    keys = "local_network = on" if keys is None else keys
    answers = []
    for more in (keys, keys.replace("local_network = on", "")):
        p = t.gateway(r="origins = %s\nbackend = echo:\n%s" % (PAGE, more))
        response = ask(p, listen, **request)
        equal(response.status, status, "status")
        equal((cors(response), response.get("Vary")), ({}, None), "what CORS says")
        line = p.one_end("bad_request", status=status)
        headers = {name: value for name, value in response.headers.items() if name != "date"}
        answers.append((headers, response.body, line["detail"]))
        p.stop()
    equal(answers[0], answers[1], "the answer")


@case(rows=[(wire, listen) for wire, listen in WIRES])
def no_credentials(t, listen):
    """A route with auth answers too: the WebSocket behind it is asked who it is, as always."""
    path = write_secret(t, "tokens", "alice:" + digest("sesame.open") + "\n")
    p = t.start(t.config(r="origins = %s\nbackend = echo:\nlocal_network = on\nauth = box\n"
                           "auth_from = bearer" % PAGE)
                + auth("box", "type = tokens", "file = " + path))
    for headers in ([], [("Authorization", "Bearer wrong")]):
        equal(ask(p, listen, headers=headers).status, 204, "the answer")
    c = p.client(listen).open("/r", origin=PAGE)
    c.recv_close(1008)
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()
    p.log.wait("session.end", ending="auth")
