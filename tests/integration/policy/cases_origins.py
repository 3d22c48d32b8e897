# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pages may: origins as browsers and apps write them, `same`, and what the log says of a
refusal. The rows of a table share one program; each is a session of its own."""

from harness import case, equal
from sessions import end_after_close

DONE, BAD_CONFIG = 0, 1
APPS = ("capacitor://localhost", "ionic://localhost", "tauri://localhost", "http://tauri.localhost",
        "app://.", "file://", "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
        "moz-extension://0b5c4e1c-9b1d-4d2c-8f0e-7a6b5c4d3e2f", "vscode-webview://1a2b3c")


def is_admitted(p, count, listen="tls", host=None, **request):
    """Opens a session and ends it. Returns whether the echo answered, and the log line."""
    c = p.client(listen, host).open(**request)
    c.binary(b"hello")
    try:
        got = c.recv_bytes(5)
    except AssertionError:
        got = None
    if got is None:
        end_after_close(c, 1008)
    else:
        equal(got, b"hello", "the echo")
        c.end_cleanly()
    return got is not None, p.log.wait("session.end", count=count)[-1]


def run_rows(p, rows):
    for count, (name, want, request, word) in enumerate(rows, 1):
        got, line = is_admitted(p, count, **request)
        equal((name, got), (name, want), "whether %r is let in: %r" % (request, line))
        if word:
            assert word in line.get("detail", ""), (name, line)


@case()
def apps(t):
    """Pages of apps and extensions may be listed, and compare exactly."""
    p = t.gateway(r="backend = echo:\norigins = " + ", ".join(APPS))
    rows = [(origin, True, {"path": "/r", "origin": origin}, None) for origin in APPS]
    rows += [(origin, False, {"path": "/r", "origin": origin}, word) for origin, word in (
        ("capacitor://Localhost", "does not list this Origin"),
        ("capacitor://localhost:80", "does not list this Origin"),
        ("https://tauri.localhost", "does not list this Origin"),
        ("app://./", "not SCHEME://HOST"), ("file:///", "not SCHEME://HOST"),
        ("null", "does not list null"), (None, "has no Origin"))]
    run_rows(p, rows)


@case()
def spellings(t):
    """Letter case and the scheme's own port make no other origin; a path does."""
    p = t.gateway(r="backend = echo:\norigins = https://App.example.com, http://b.example:80")
    rows = [(origin, want, {"path": "/r", "origin": origin}, None) for origin, want in (
        ("https://app.example.com", True), ("https://app.example.com:443", True),
        ("HTTPS://APP.EXAMPLE.COM", True), ("http://b.example", True),
        ("http://b.example:80", True), ("https://app.example.com:80", False),
        ("https://app.example.com/", False), ("https://u@app.example.com", False),
        ("https://app.example.com.", False), ("https://b.example", False))]
    run_rows(p, rows)


def sent(host, scheme="http", origin=None):
    return {"path": "/r", "host": host, "origin": origin or "%s://%s" % (scheme, host)}


@case()
def same_without_tls(t):
    """A name of the attacker's that leads here (DNS rebinding): Origin and Host are alike."""
    p = t.gateway(r="backend = echo:\norigins = same")
    rows = [(host, want, {"listen": "plain", **sent(host)}, word) for host, want, word in (
        ("evil.example:8080", False, "give the route a host"),
        ("localhost.evil.example", False, "give the route a host"),
        ("localhost:8080", True, None), ("app.localhost:3000", True, None),
        ("127.0.0.1:8080", True, None), ("[::1]:8080", True, None))]
    rows.append(("a TLS front", True, {"listen": "plain", **sent("gw.example", "https")}, None))
    rows.append(("over TLS", True, sent("gw.example:8443", "https"), None))
    run_rows(p, rows)


@case()
def same_with_host(t):
    p = t.gateway(r="host = gw.example\nbackend = echo:\norigins = same")
    run_rows(p, [("its name", True, {"listen": "plain", **sent("gw.example:8080")}, None),
                 ("in capitals", True, {"listen": "plain", **sent(
                     "GW.example", origin="http://gw.EXAMPLE")}, None),
                 ("another", False, {"listen": "plain", **sent("evil.example")}, "for this Host")])


@case()
def same_behind_a_proxy(t):
    """A proxy took the port away, or speaks TLS for us: the log says what does not fit."""
    p = t.gateway(r="backend = echo:\norigins = same")
    run_rows(p, [
        ("port", False, sent("desk.example", origin="https://desk.example:3001"),
         "same: Host has another port"),
        ("scheme", False, sent("desk.example", origin="http://desk.example"),
         "same: the page came over http")])


@case()
def check_says_so(t):
    """--check warns where `same` will surprise: without TLS, for more than this machine."""
    text = "[listen a]\naddress = %s:0\n[route r]\npath = /\norigins = same\n%sbackend = echo:\n"
    for address, host, wants_warning in (("0.0.0.0", "", True), ("127.0.0.1", "", False),
                                         ("0.0.0.0", "host = gw.example\n", False)):
        code, _, stderr, _ = t.check(text % (address, host))
        equal(code, DONE, "exit code")
        equal(":3: warning: [route r] has origins = same" in stderr, wants_warning, stderr)
    code, _, stderr, _ = t.check((text % ("127.0.0.1", "")).replace("same", "app://host/path"))
    equal(code, BAD_CONFIG, "exit code")
    assert ":5: bad origin 'app://host/path'" in stderr, stderr


# Subprotocols

@case()
def the_log_shows_the_offers(t):
    p = t.gateway(r="backend = echo:\nsubprotocols = mqtt, binary")
    for count, (offers, want) in enumerate((("amqp, stomp", "amqp,stomp"), (None, "")), 1):
        got, line = is_admitted(p, count, path="/r", subprotocols=offers)
        equal((got, line["ending"], line["offers"], line["subprotocols"]),
              (False, "subprotocol", want, "mqtt,binary"), "the log line")


@case(rows=[("server", "server", "b"), ("client", "client", "a")])
def subprotocol_order(t, order, want):
    p = t.gateway(r="backend = echo:\nsubprotocols = b, a\nsubprotocol_order = " + order)
    c = p.client().open("/r", subprotocols="x, a, b")
    equal(c.subprotocol, want, "subprotocol")
    c.end_cleanly()


@case(rows=[("sluice", "sluice.token."),
            ("kubernetes", "base64url.bearer.authorization.k8s.io.")])
def a_token_among_the_offers_stays_secret(t, prefix):
    token = prefix + "c2VjcmV0" * 1000
    p = t.gateway(any="backend = echo:", r="backend = echo:\nsubprotocols = mqtt",
                  server="log_level = debug")
    c = p.client().open("/any", subprotocols=token + ", a")
    equal(c.subprotocol, "a", "the client's first offer that is no token")
    c.end_cleanly()
    c = p.client().open("/any", subprotocols=token)
    equal(c.subprotocol, None, "subprotocol")
    c.end_cleanly()
    got, line = is_admitted(p, 3, path="/r", subprotocols="amqp, " + token)
    equal((got, line["ending"], line["offers"]), (False, "subprotocol", "amqp"), "the log line")
    assert "c2VjcmV0" not in p.log.text(), "the log has the token"
