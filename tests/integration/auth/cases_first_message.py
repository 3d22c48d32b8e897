# SPDX-License-Identifier: GPL-3.0-or-later
"""The first message is the token: the 101 comes first, the backend is dialled behind the token."""

import os
import time

from deflateclient import DeflateClient
from harness import case, equal, wait_until
from provider import auth, bearer, digest, jwk, signed, token, write_secret
from reloads import reload
from scrape import ask, scrape
from sessions import WIRES
from wsclient import (BINARY, CLOSE, CONTINUATION, CUT, FIN, PING, PONG, RESET, TEXT, Ended,
                      close_payload, frame)

TOKEN = "Tr0ub4dor-and-3-sesame"
HEALTH = "[health]\naddress = 127.0.0.1:0\n"


def start(t, backend, keys="", more="", server="", places="first_message"):
    section = auth("box", "type = tokens",
                   "file = " + write_secret(t, "tokens", "alice:%s\n" % digest(TOKEN)))
    return t.start(t.config(server=server, r="origins = *\nbackend = %s\nauth = box\n"
                            "auth_from = %s\n%s" % (backend, places, keys)) + section + more)


GOOD = [
    ("text", [(TEXT, TOKEN, {})]),
    ("binary", [(BINARY, TOKEN, {})]),
    ("blanks around", [(TEXT, " \t%s\r\n" % TOKEN, {})]),
    ("fragments, Pings between", [(TEXT, TOKEN[:5], {"is_fin": False}), (PING, "one", {}),
                                  (CONTINUATION, "", {"is_fin": False}), (PONG, "", {}),
                                  (CONTINUATION, TOKEN[5:], {})]),
    ("a Ping first", [(PING, "one", {}), (TEXT, TOKEN, {})]),
]


def wire_of(frames):
    return b"".join(frame(opcode, payload, **more) for opcode, payload, more in frames)


@case()
def each_way_to_say_it(t):
    """Nothing is dialled before the token, and the backend gets only what follows it."""
    backend = t.backend()
    p = start(t, backend.url)
    for name, frames in GOOD:
        for _, listen in WIRES:
            c = p.client(listen).open("/r")
            backend.expect_not_dialled()
            c.send_raw(wire_of(frames))
            peer = backend.accept()
            if any(opcode == PING for opcode, _, _ in frames):
                equal(c.recv_frame()[1:], (PONG, b"one"), name)
            c.binary(b"hello")
            peer.expect(b"hello")
            peer.send(b"welcome")
            equal(c.recv_bytes(7), b"welcome", name)
            c.close(1000)
            peer.expect_fin()
            peer.fin()
            c.recv_close(1000, has_reason=False)
            c.wire.finish()
            c.recv_end(FIN)
    lines = p.log.wait("session.end", 2 * len(GOOD))
    equal({(e["ending"], e["auth"], e["identity"]) for e in lines},
          {("client_close", "box", "alice")}, "ends")


@case()
def sends_on_at_once(t):
    """A page need not wait: what it sends behind the token comes in order, however it is cut, also
    with a Close or a FIN behind it."""
    backend = t.backend()
    p = start(t, backend.url)
    body = os.urandom(300000)
    for _, listen in WIRES:
        for size in (3, 7000, 60000, 300000):
            c = p.client(listen).open("/r")
            c.send_raw(frame(TEXT, TOKEN) + frame(BINARY, body[:size])
                       + frame(CLOSE, close_payload(1000)))
            peer = backend.accept()
            peer.expect_fin(body[:size])
            peer.fin()
            c.recv_close(1000, has_reason=False)
            c.wire.finish()
            c.recv_end(FIN)
        c = p.client(listen).open("/r")
        c.send_raw(frame(TEXT, TOKEN))
        c.send_raw(frame(BINARY, b"abc"))
        c.send_raw(frame(BINARY, b"def"))
        c.wire.finish()
        backend.accept().expect_fin(b"abcdef")
        c.recv_end(FIN)
    wire = frame(TEXT, TOKEN) + frame(BINARY, b"abc")
    for cut in range(1, len(wire), 5):
        c = p.client("plain").open("/r")
        c.send_raw(wire[:cut])
        time.sleep(0.01)
        c.send_raw(wire[cut:])
        backend.accept().expect(b"abc")
        c.wire.reset()


@case()
def compressed(t):
    """Both sides agreed on compression: the token may be compressed, and what follows shares its
    window."""
    backend = t.backend()
    p = start(t, backend.url, "compression = on")
    warnings = p.log.wait("config.warning")
    assert any("learns about the token" in e["detail"] for e in warnings), warnings
    for is_compressed in (True, False):
        c = DeflateClient(p.wire("tls"), "localhost:%d" % p.ports["tls"][1]).open("/r")
        if is_compressed:
            c.send(TEXT, c.squeeze(TOKEN.encode()), rsv=4)
        else:
            c.text(TOKEN)
        c.send(BINARY, c.squeeze(TOKEN.encode() * 3), rsv=4)
        peer = backend.accept()
        peer.expect(TOKEN.encode() * 3)
        c.close(1000)
        peer.expect_fin()
        peer.fin()
        c.recv_close(1000, has_reason=False)
        c.wire.finish()


BAD = [
    ("another", frame(TEXT, TOKEN + "x"), "auth", 1008, "does not have the token"),
    ("the digest", frame(TEXT, digest(TOKEN)), "auth", 1008, "does not have the token"),
    ("empty", frame(TEXT, ""), "auth", 1008, "the first message is no token"),
    ("JSON", frame(TEXT, '{"token": "%s"}' % TOKEN), "auth", 1008, "the first message is no token"),
    ("bytes", frame(BINARY, b"\0\1\2"), "auth", 1008, "the first message is no token"),
    ("two", frame(TEXT, TOKEN + "\n" + TOKEN), "auth", 1008, "the first message is no token"),
    ("the good one second", frame(TEXT, "no") + frame(TEXT, TOKEN), "auth", 1008,
     "does not have the token"),
    ("8192 bytes", frame(TEXT, "x" * 8192), "auth", 1008, "does not have the token"),
    ("8193 bytes", frame(TEXT, "x" * 8193), "too_big", 1009, "first message too big"),
    ("8193 bytes in fragments", frame(TEXT, "x" * 8000, is_fin=False)
     + frame(CONTINUATION, "x" * 193), "too_big", 1009, "first message too big"),
    ("no UTF-8", frame(TEXT, b"\xff\xfe"), "bad_text", 1007, "UTF-8"),
    ("no mask", frame(TEXT, TOKEN, is_masked=False), "protocol", 1002, "mask"),
    ("a continuation", frame(CONTINUATION, TOKEN), "protocol", 1002, "continuation"),
    ("RSV1", frame(TEXT, TOKEN, rsv=4), "protocol", 1002, ""),
]


@case()
def each_bad_one(t):
    """Each is told by its Close; the page learns of a token only that it is refused; no backend."""
    backend = t.backend()
    p = start(t, backend.url, server="log_level = debug", more=HEALTH)
    for number, (name, wire, ending, code, detail) in enumerate(BAD):
        for at, (_, listen) in enumerate(WIRES):
            c = p.client(listen).open("/r")
            c.send_raw(wire)
            reason, payload = c.recv_close(code)
            equal(payload, b"", name)
            assert ending != "auth" or reason == "not authorised", "%s learns %r" % (name, reason)
            try:
                c.close(code)
                c.recv_end(FIN, RESET)
            except Ended:
                pass  # after 1002 nobody waits for the client's Close
            c.wire.close()
            line = p.log.wait("session.end", 2 * number + at + 1)[-1]
            equal((line["ending"], line["code"]), (ending, str(code)), name)
            assert detail in line.get("detail", ""), "%s: %r" % (name, line)
            assert "identity" not in line, line
    backend.expect_not_dialled()
    numbers = scrape(p)
    refused = 2 * sum(row[2] == "auth" for row in BAD)
    equal(numbers.sum("sluice_auth_refusals_total"), refused, "refusals")
    equal(numbers.sum("sluice_sessions_identified"), 0, "identified")
    for secret in (TOKEN, digest(TOKEN)):
        assert secret not in p.log.text(), "the log has the token"


@case()
def who_leaves_before(t):
    """A Close, a FIN, a FIN inside the message, a reset: no backend hears of it."""
    backend = t.backend()
    p = start(t, backend.url)
    part = frame(TEXT, TOKEN[:4], is_fin=False)
    for _, listen in WIRES:
        c = p.client(listen).open("/r")
        c.send_raw(part + frame(CLOSE, close_payload(1001)))
        c.recv_close(1001, has_reason=False)
        c.wire.finish()
        c.recv_end(FIN)
        c = p.client(listen).open("/r")
        c.wire.finish()
        c.recv_end(FIN)
        c = p.client(listen).open("/r")
        c.send_raw(part)
        c.wire.finish()
        c.recv_end(FIN, CUT, RESET)
        c = p.client(listen).open("/r")
        c.send_raw(part)
        time.sleep(0.05)
        c.wire.reset()
    lines = p.log.wait("session.end", 2 * 4)
    equal(sorted(e["ending"] for e in lines),
          sorted(2 * ["client_close", "client_cut", "client_eof", "client_reset"]), "endings")
    backend.expect_not_dialled()


@case()
def auth_timeout(t):
    """Silence, a part of the token and Pings all the time: the time is over for each."""
    backend = t.backend()
    p = start(t, backend.url, "auth_timeout = 600ms", more=HEALTH)
    for says in (b"", frame(TEXT, TOKEN[:4], is_fin=False)):
        c = p.client("tls").open("/r")
        c.send_raw(says)
        equal(c.recv_close(1008)[0], "not authorised", "reason")
        c.close(1008)
        c.recv_end(FIN)
        c.wire.close()
    c = p.client("plain").open("/r")
    for _ in range(200):
        c.send(PING, "x")
        got = c.recv_frame()
        if got.opcode == CLOSE:
            break
        time.sleep(0.05)
    equal(got.payload[:2], b"\x03\xf0", "the Close")
    c.wire.close()
    for line in p.log.wait("session.end", 3):
        equal((line["ending"], line["code"]), ("auth", "1008"), "end")
        assert "longer than auth_timeout" in line["detail"], line
    equal(scrape(p).sum("sluice_auth_refusals_total", reason="missing"), 3, "refusals")
    backend.expect_not_dialled()


@case()
def a_backend_that_fails(t):
    """The 101 was sent: the page sees 1011."""
    p = start(t, t.closed_port(), "on_refuse = http")
    c = p.client("tls").open("/r")
    c.send_raw(frame(TEXT, TOKEN) + frame(TEXT, "hello"))
    c.recv_close(1011)
    c.close(1011)
    c.recv_end(FIN)
    c.wire.finish()
    p.one_end("backend_refused", code=1011, identity="alice")


@case()
def other_places_first(t):
    """A token in the head counts at once, a bad one ends it; without one the message counts."""
    p = start(t, "echo:", places="first_message, bearer")
    c = p.client("tls").open("/r", **bearer(TOKEN))
    c.text(TOKEN)
    equal(c.recv_message(), (TEXT, TOKEN.encode()), "an echo of the first message")
    c.end_cleanly()
    c = p.client("tls").open("/r", **bearer("wrong"))
    c.recv_close(1008)
    c.wire.reset()
    c = p.client("tls").open("/r")
    c.text(TOKEN)
    c.text("hello")
    equal(c.recv_message(), (TEXT, b"hello"), "echo")
    c.end_cleanly()


def page(p, path):
    return ask(p.ports["admin"], path, host="localhost")[2]


@case()
def shows_in_monitoring(t):
    """The phase is `token`, nobody is named yet, and the log has the words but no secret."""
    p = start(t, "echo:", server="log_level = debug",
              more=HEALTH + "[admin]\naddress = unix:%s\n" % t.path("admin.sock"))
    page(p, "/sessions")
    c = p.client("tls").open("/r")
    wait_until(lambda: '"phase":"token"' in page(p, "/sessions"), "the phase in /sessions")
    wait_until(lambda: scrape(p).sum("sluice_sessions", phase="token") == 1, "the phase")
    assert "alice" not in page(p, "/sessions")
    c.text(TOKEN)
    wait_until(lambda: '"identity":"alice"' in page(p, "/sessions"), "the name in /sessions")
    wait_until(lambda: scrape(p).sum("sluice_sessions", phase="token") == 0, "the phase")
    equal(scrape(p).sum("sluice_sessions_identified"), 1, "identified")
    c.end_cleanly()
    p.log.wait("session.end", ending="client_close", identity="alice")
    equal(p.log.find("session.step", on="token_ok")[0]["phase"], "token>dial", "the step")
    for secret in (TOKEN, digest(TOKEN)):
        assert secret not in p.log.text(), "the log has the token"


@case()
def takes_no_place_of_others(t):
    """Who has not said who it is takes a place at the door, and none of max_sessions."""
    p = start(t, "echo:", server="workers = 1\nmax_sessions = 2\nmax_pending = 4")
    held = [p.client("plain").open("/r") for _ in range(3)]
    late = p.client("plain").open("/r")
    for c in held[:2]:
        c.send_raw(frame(TEXT, TOKEN) + frame(TEXT, "in"))
        equal(c.recv_message()[1], b"in", "echo")
    held[2].text(TOKEN)
    held[2].recv_close(1013)
    held[2].wire.close()
    held[0].end_cleanly()
    p.log.wait("session.end", ending="client_close")
    late.send_raw(frame(TEXT, TOKEN) + frame(TEXT, "in"))
    equal(late.recv_message()[1], b"in", "echo")
    for c in (held[1], late):
        c.end_cleanly()


@case()
def strangers_make_place(t):
    """When max_pending are waiting, the one that has said nothing for longest goes."""
    p = start(t, "echo:", "auth_timeout = 30s", server="workers = 1\nmax_pending = 2")
    first, second = (p.client("plain").open("/r") for _ in range(2))
    time.sleep(1.1)
    third = p.client("plain").open("/r")
    first.recv_close(1013)
    for c in (second, third):
        c.send_raw(frame(TEXT, TOKEN) + frame(TEXT, "in"))
        equal(c.recv_message()[1], b"in", "echo")
        c.end_cleanly()
    line = p.log.wait("session.end", ending="full")[0]
    assert "max_pending" in line["detail"], line


@case()
def exp_and_a_reload(t):
    """A token has its end here too; the configuration in force judges it."""
    p = t.start(t.config(r="origins = *\nbackend = echo:\nauth = idp\nauth_from = first_message\n"
                         "auth_timeout = 30s") + signed(t, jwk("ES256"), more=["leeway = 0"]))
    ends = int(time.time()) + 2
    c = p.client("tls").open("/r")
    c.send_raw(frame(TEXT, token("ES256", exp=ends)) + frame(TEXT, "in"))
    equal(c.recv_message()[1], b"in", "echo")
    waiting = [p.client("tls").open("/r") for _ in range(2)]
    equal(c.recv_close(1008)[0], "authorisation expired", "reason")
    assert time.time() >= ends, "too early"
    c.close(1008)
    c.recv_end(FIN)
    signed(t, jwk("ES256", 1))
    reload(p)
    waiting[0].text(token("ES256", 0))
    waiting[0].recv_close(1008)
    waiting[1].send_raw(frame(TEXT, token("ES256", 1)) + frame(TEXT, "in"))
    equal(waiting[1].recv_message()[1], b"in", "echo")
    waiting[1].end_cleanly()
    p.log.wait("session.end", ending="auth_expired", identity="alice")


@case()
def a_stop_meanwhile(t):
    """SIGTERM ends who has not said who it is: 1001."""
    p = start(t, "echo:", "auth_timeout = 30s")
    c = p.client("tls").open("/r")
    p.send_signal(15)
    c.recv_close(1001)
    c.close(1001)
    c.recv_end(FIN)
    c.wire.close()
    p.wait_exit()


@case()
def a_token_in_a_drain(t):
    """Whoever has no session when sluice stops gets none, although others have some time left."""
    backend = t.backend()
    p = start(t, backend.url, "auth_timeout = 30s", server="drain_timeout = 4s")
    waiting = [p.client("plain").open("/r") for _ in range(8)]
    p.send_signal(15)
    p.log.wait("drain.begin")
    for c in waiting:
        c.text(TOKEN)
    for c in waiting:
        c.recv_close(1001)
        c.close(1001)
        c.recv_end(FIN)
        c.wire.finish()
    backend.expect_not_dialled()
    p.wait_exit()
    equal({(e["ending"], e["phase"]) for e in p.ends()}, {("shutdown", "token")}, "ends")
