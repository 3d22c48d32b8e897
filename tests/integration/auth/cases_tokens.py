# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of a file: every place where a client can put one, and what becomes of the file."""

import base64
import os
import time

from harness import case, equal, wait_until
from processes import ECHO
from provider import auth, bearer, digest, encode, enter, refuse, write_secret
from reloads import reload, wait_result
from scrape import ask, scrape
from sessions import WIRES
from wsclient import FIN

TOKEN = "Tr0ub4dor-and-3-sesame"
PLACES = "subprotocol, cookie:__Host-session, query:ticket, bearer, header:X-Forwarded-Token"
ROUTE = ("origins = https://app.example.com\nbackend = echo:\nauth = box\nauth_from = %s" % PLACES)
PAGE = "https://app.example.com"
HEALTH = "[health]\naddress = 127.0.0.1:0\n"


def box(t, *lines):
    content = "".join(line + "\n" for line in lines or ["alice:" + digest(TOKEN)])
    return auth("box", "type = tokens", "file = " + write_secret(t, "tokens", content))


def start(t, *lines, keys="", more="", server=""):
    return t.start(config(t, server=server, r=ROUTE + "\n" + keys) + box(t, *lines) + more)


def config(t, **sections):
    """A proxy that is not there is trusted: nobody else's header counts."""
    return t.config(**sections).replace("[listen tls]\n",
                                        "[listen tls]\ntrusted_proxies = 192.0.2.1\n", 1)


GOOD = [
    ("subprotocol", {"subprotocols": "binary, sluice.token." + encode(TOKEN)}, "binary"),
    ("subprotocol_first", {"subprotocols": "sluice.token.%s, binary" % encode(TOKEN)}, "binary"),
    ("kubernetes", {"subprotocols": "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io."
                                    + encode(TOKEN)}, "v4.channel.k8s.io"),
    ("cookie", {"headers": [("Cookie", "a=b; __Host-session=%s; c=d" % TOKEN)]}, None),
    ("query", {"path": "/r?a=b&ticket=" + TOKEN.replace("-", "%2D")}, None),
    ("bearer", bearer(TOKEN), None),
    ("bearer_any_case", {"headers": [("authorization", "bEARER " + TOKEN)]}, None),
]


@case()
def each_place(t):
    """A page says who it is by each means that it has; the token is never echoed."""
    p = start(t)
    for number, (name, request, subprotocol) in enumerate(GOOD):
        for wire, listen in WIRES:
            c = enter(p, TOKEN, listen=listen, **{"path": "/r", "origin": PAGE, **request})
            equal(c.subprotocol, subprotocol, name + " over " + wire)
            c.end_cleanly()
    lines = p.log.wait("session.end", 2 * len(GOOD))
    equal({(e["ending"], e["auth"], e["identity"]) for e in lines},
          {("client_close", "box", "alice")}, "ends")


BAD = [
    ("nothing", {}, "no token where auth_from looks"),
    ("another", bearer(TOKEN + "x"), "does not have the token"),
    ("shorter", bearer(TOKEN[:-1]), "does not have the token"),
    ("the_digest", bearer(digest(TOKEN)), "does not have the token"),
    ("the_name", bearer("alice"), "does not have the token"),
    ("another_cookie", {"headers": [("Cookie", "__host-session=" + TOKEN)]}, "no token"),
    ("two_cookies", {"headers": [("Cookie", "__Host-session=%s; __Host-session=%s"
                                  % (TOKEN, TOKEN))]}, "two"),
    ("two_headers", {"headers": [("Authorization", "Bearer " + TOKEN)] * 2}, ""),
    ("two_in_the_query", {"path": "/r?ticket=a&ticket=" + TOKEN}, ""),
    ("bad_escape", {"path": "/r?ticket=%zz"}, ""),
    ("padded", {"subprotocols": "binary, sluice.token." + encode(TOKEN + "12")[:-1] + "%"}, ""),
    ("basic", {"headers": [("Authorization", "Basic " + encode("alice:" + TOKEN))]}, "no token"),
    ("a_header_of_a_stranger", {"headers": [("X-Forwarded-Token", TOKEN)]}, "no token"),
    ("long", bearer("x" * 9000), ""),
]


@case()
def refused(t):
    """The page learns that it may not, the log why, and nobody the token."""
    p = start(t)
    for name, request, detail in BAD:
        line = refuse(p, TOKEN, detail, **{"path": "/r", "origin": PAGE, **request})
        assert "identity" not in line, name
    assert TOKEN not in p.log.text(), "the log has the token"


@case()
def refused_by_http(t):
    p = start(t, keys="on_refuse = http")
    c = p.client("tls")
    c.send_raw(c.request("/r", origin=PAGE))
    response = c.read_response()
    equal((response.status, response.get("WWW-Authenticate")), (401, "Bearer"), "the answer")
    c.recv_end(FIN)
    c.wire.finish()
    p.one_end("auth", status=401)


@case()
def nothing_but_a_token(t):
    """The answer must name one of the subprotocols offered, and sluice never names the token."""
    p = start(t)
    offer = "sluice.token." + encode(TOKEN)
    c = p.client("tls").open("/r", origin=PAGE, subprotocols=offer)
    equal(c.subprotocol, None, "subprotocol")
    c.recv_close(1008)
    c.close(1008)
    c.recv_end(FIN)
    line = p.one_end("subprotocol", code=1008)
    assert "offer another one beside it" in line["detail"], line
    assert encode(TOKEN) not in p.log.text(), "the log has the token"


@case()
def the_origin_comes_first(t):
    """A page that may not connect learns nothing about its token."""
    p = start(t)
    for text in (TOKEN, "wrong"):
        c = p.client("tls").open("/r", origin="https://evil.example", **bearer(text))
        reason, _ = c.recv_close(1008)
        equal(reason, "origin not allowed", "reason")
        c.wire.reset()
    p.log.wait("session.end", 2, ending="origin")


def names(t, p):
    """Who gets in now, by each token."""
    found = {}
    for text in ("first.sesame", "second.sesame", "third.sesame"):
        c = p.client("tls").open("/r", origin=PAGE, **bearer(text))
        c.text("hello")
        frame = c.recv_frame()
        found[text] = frame.payload == b"hello"
        c.wire.reset()
    return "".join("y" if found[text] else "n" for text in sorted(found))


@case()
def the_file_changes(t):
    """A name comes and one goes, for sessions that begin then; a broken file changes nothing."""
    first, second = "ann:" + digest("first.sesame"), "bob:" + digest("second.sesame")
    third = "ann:" + digest("third.sesame")
    p = start(t, first, second, server="watch = 100ms")
    equal(names(t, p), "yyn", "at first")
    write_secret(t, "tokens", "# rotated\n%s\n%s\n" % (first, third))
    equal(wait_result(p, 1)["event"], "reload.done", "the reload")
    equal(names(t, p), "yny", "then")

    write_secret(t, "tokens", first + "\n\nbob:" + digest("second.sesame")[:-1] + "\n")
    equal(wait_result(p, 2)["event"], "reload.failed", "the reload of a broken file")
    detail = p.log.find("config.error")[-1]["detail"]
    assert "/tokens:3: " in detail, detail
    equal(names(t, p), "yny", "the old content")

    write_secret(t, "tokens", second + "\n")
    equal(wait_result(p, 3)["event"], "reload.done", "the reload")
    os.chmod(t.path("tokens"), 0o644)
    equal(reload(p, event="reload.failed")["event"], "reload.failed", "a loose file")
    detail = p.log.find("config.error")[-1]["detail"]
    assert "every user of this machine can read" in detail, detail
    equal(names(t, p), "nyn", "the content from before")

    os.unlink(t.path("tokens"))
    reload(p, event="reload.failed")
    equal(names(t, p), "nyn", "the content without its file")
    assert "sesame" not in p.log.text(), "the log has a token"


@case()
def a_token_ends(t):
    """Its session ends with it, and the backend gets a FIN."""
    backend = t.backend()
    ends = int(time.time()) + 3
    p = t.start(t.config(r="origins = *\nbackend = %s\nauth = box\nauth_from = bearer"
                         % backend.url) + box(t, "alice:%s:%d" % (digest(TOKEN), ends)))
    c = p.client("tls").open("/r", **bearer(TOKEN))
    peer = backend.accept()
    c.binary(b"hello")
    peer.expect(b"hello")
    reason, _ = c.recv_close(1008)
    assert time.time() >= ends, "too early"
    equal(reason, "authorisation expired", "reason")
    peer.expect_fin()
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()
    peer.fin()
    p.one_end("auth_expired", code=1008, identity="alice")
    refuse(p, TOKEN, "has expired")


def page(p, path):
    return ask(p.ports["admin"], path, host="localhost")[2]


# The routes besides: a password, and a token that comes first.
HASH = "$6$rounds=1000$saltsalt$elk2LfWqD9.cJ.h.qUMniwqlQs1fcr5UFwbXi.pLYkvNJDRmRkwbL8p2DGoxUW7w7" \
    "x1N3hZOa7DEdZraigxxI."  # TOKEN
OTHERS = {"desk": "origins = *\nbackend = echo:\nauth = people\nlocal_network = on",
          "first": "origins = *\nbackend = echo:\nauth = box\nauth_from = first_message"}


def say_first(p, text):
    """Opens a session whose first message is this text."""
    c = p.client().open("/first", origin=PAGE)
    c.text(text)
    return c


def refuse_first(p, text):
    c = say_first(p, text)
    c.recv_close(1008)
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()


def password(text):
    return {"path": "/desk", "headers": [
        ("Authorization", "Basic " + base64.b64encode(("bob:" + text).encode()).decode())]}


def break_heads(p):
    """Heads with a secret in them that are no request, and a plain request with one."""
    for broken in ("GET /r?ticket=%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nX\r\n\r\n",
                   "GET /r?ticket=%s HTTP/9.1\r\nCookie: __Host-session=%s\r\n\r\n",
                   "GET /desk?%s HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n"
                   "Authorization: Bearer %s\r\n\r\n"):
        c = p.client("plain")
        c.send_raw((broken % (TOKEN, TOKEN)).encode())
        c.read_response()
        c.wire.reset()


@case()
def no_secret_anywhere(t):
    """From each place where a client can put it, right or wrong: neither at `debug`, nor in
    /config, /sessions, /metrics, nor in what the program prints."""
    admin = "[admin]\naddress = unix:%s\n" % t.path("admin.sock")
    people = auth("people", "type = basic",
                  "file = " + write_secret(t, "htpasswd", "bob:%s\n" % HASH))
    p = t.start(config(t, server="log_level = debug\nauth_pause = 0", r=ROUTE, **OTHERS) + box(t)
                + people + HEALTH + admin)
    held = [enter(p, TOKEN, **{"path": "/r", "origin": PAGE, **request}) for _, request, _ in GOOD]
    held.append(enter(p, TOKEN, **password(TOKEN)))
    held.append(say_first(p, TOKEN))
    for _, request, detail in BAD:
        refuse(p, TOKEN, detail, **{"path": "/r", "origin": PAGE, **request})
    refuse(p, TOKEN, "", **password(TOKEN + "x"))
    refuse_first(p, TOKEN + "x")
    break_heads(p)
    wait_until(lambda: page(p, "/sessions").count('"identity":"') == len(held),
               "the names in /sessions")
    told = [page(p, path) for path in ("/config", "/sessions", "/metrics", "/")]
    equal(scrape(p).sum("sluice_sessions_identified"), len(held), "sessions with a name")
    equal(scrape(p).sum("sluice_auth_refusals_total"), len(BAD) + 2, "refusals")
    equal(scrape(p).sum("sluice_auth_refusals_total", reason="unknown_token"), 6, "unknown")
    code, out, err = t.run_program("-c", t.path("sluice-0.ini"), "--print-config")
    equal(code, 0, "--print-config")
    for c in held:
        c.end_cleanly()
    p.stop()
    in_base64 = password(TOKEN)["headers"][0][1].split()[1]
    for text in (*told, out, err, p.log.text()):
        for secret in (TOKEN, encode(TOKEN), digest(TOKEN), TOKEN.replace("-", "%2D"), in_base64,
                       in_base64[:16], HASH[16:]):
            assert secret not in text, "%r is in %r" % (secret, text[:300])


@case()
def a_loose_file_at_the_start(t):
    text = t.config(r=ECHO + "\nauth = box\nauth_from = bearer") + box(t)
    for mode, message in ((0o604, "can read the digests"), (0o602, "can change the digests"),
                          (0o640, None), (0o660, None)):
        os.chmod(t.path("tokens"), mode)
        code, out, err, path = t.check(text)
        equal(code, 0 if message is None else 1, "%o" % mode)
        assert message is None or message in err, err
