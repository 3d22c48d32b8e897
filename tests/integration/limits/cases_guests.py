# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that have a place before they are a session: whose first message is due, or whose
password is being checked. However they end, they give back what they took, at once and once."""

import base64
import os
import signal
import time
from contextlib import contextmanager

from harness import case, equal, wait_until
from processes import status_of
from provider import auth, digest, write_secret
from scrape import scrape
from wsclient import TEXT, frame

TOKEN = "Tr0ub4dor-and-3-sesame"
HEALTH = "[health]\naddress = 127.0.0.1:0\n"
MOST = 2
ROUTE = "origins = same\nbackend = echo:\nauth = %s\nauth_from = %s\non_refuse = http\n" \
    "max_sessions = 2\nmax_sessions_per_source = 2\n%s"
LATE = "auth_timeout = 2s"
# bcrypt of cost 4; where a case needs time, the process that hashes stands still
USER = "ann:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"  # secret


def start(t, server=""):
    said = auth("said", "type = tokens",
                "file = " + write_secret(t, "tokens", "alice:%s\n" % digest(TOKEN)))
    known = auth("known", "type = basic", "file = " + write_secret(t, "htpasswd", USER + "\n"))
    return t.start(t.config(
        server="max_sessions = 2\n" + server, said=ROUTE % ("said", "first_message", LATE),
        known=ROUTE % ("known", "basic", ""),
        both=ROUTE % ("said, known", "first_message, basic", LATE)) + said + known + HEALTH)


def by_password(password="secret"):
    text = base64.b64encode(("ann:" + password).encode()).decode()
    return {"headers": [("Authorization", "Basic " + text)]}


def ask(p, path, **request):
    c = p.client("plain")
    c.send_raw(c.request(path, **request))
    return c


def guest(p, path="/said", **request):
    """A client that has its 101, and whose first message is due."""
    c = ask(p, path, **request)
    equal(c.read_response(has_body=False).status, 101, "status")
    return c


def beyond(p, path, **request):
    """Guests take places of their source and none of the route; sessions take both."""
    want = 503 if path == "/known" else 429
    c = ask(p, path, **request)
    equal(c.read_response().status, want, "status beyond the limit")
    c.wire.close()


def admitted(p):
    return scrape(p).sum("sluice_sessions_admitted")


def exactly_as_many(p, path="/said", **request):
    """All that was taken is free again, and no more than that."""
    guests = [guest(p, path, **request) for _ in range(MOST)]
    beyond(p, path, **request)
    for c in guests:
        c.send_raw(b"" if path == "/known" else frame(TEXT, TOKEN))
        c.text("in")
        equal(c.recv_message()[1], b"in", "echo")
    equal(admitted(p), MOST, "sessions that count")
    for c in guests:
        c.end_cleanly()
    wait_until(lambda: admitted(p) == 0, "no session that counts")


# The first message is due

def is_refused(c):
    """The client leaves the Close unanswered, and its connection open."""
    c.recv_close(1008)


def says_a_wrong_token(c):
    c.text("no such token")
    is_refused(c)


def says_nothing(c):
    c.text("")
    is_refused(c)


@case(rows=[("wrong_token", says_a_wrong_token), ("malformed", says_nothing),
            ("timeout", is_refused), ("fin", lambda c: c.wire.half_close()),
            ("reset", lambda c: c.wire.reset()), ("close", lambda c: c.end_cleanly())])
def a_first_message_is_due(t, end):
    p = start(t)
    guests = [guest(p) for _ in range(MOST)]
    beyond(p, "/said")
    equal(admitted(p), 0, "sessions that count")
    for c in guests:
        end(c)
    if end not in (says_a_wrong_token, says_nothing, is_refused):
        p.log.wait("session.end", 1 + MOST)
    exactly_as_many(p)


# A password is being checked

@contextmanager
def standstill(p):
    """The process that hashes does nothing meanwhile."""
    pid = int(p.log.wait("hasher.start")[0]["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: status_of(pid)["State"][0] == "T", "a stopped process")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@case(rows=[("fin", lambda c: c.wire.half_close()), ("reset", lambda c: c.wire.reset()),
            ("bytes_behind", lambda c: c.send_raw(b"x")), ("too_long", lambda c: None)])
def a_password_is_checked(t, end):
    p = start(t, "request_timeout = 3s")
    with standstill(p):
        waiting = [ask(p, "/known", **by_password()) for _ in range(MOST)]
        wait_until(lambda: admitted(p) == MOST, "all wait")
        for c in waiting:
            end(c)
        p.log.wait("session.end", MOST)
        equal(admitted(p), 0, "sessions that count")
    exactly_as_many(p, "/known", **by_password())


@case(rows=[("wrong", "/known", 401), ("wrong_before_a_token", "/both", 401)])
def a_wrong_password(t, path, status):
    """Whoever is refused gives back at once, although the connection lingers."""
    p = start(t)
    refused = [ask(p, path, **by_password("wrong")) for _ in range(MOST)]
    for c in refused:
        equal(c.read_response().status, status, "status")
    exactly_as_many(p, path, **by_password())


@case()
def a_place_for_another(t):
    """Those whose password is checked are put out: they leave their connections open."""
    p = start(t, "max_pending = 3")
    with standstill(p):
        waiting = [ask(p, "/both", **by_password()) for _ in range(MOST)]
        wait_until(lambda: admitted(p) == MOST, "all wait")
        time.sleep(1.1)
        others = [p.client("plain") for _ in range(3)]
        for c in others:
            c.send_raw(b"GET /both HTTP/1.1\r\n")
        for c in waiting:
            equal(c.read_response().status, 503, "status")
        equal(admitted(p), 0, "sessions that count")
    for c in others:
        c.wire.close()
    exactly_as_many(p, "/both", **by_password())


@case()
def a_password_and_then_a_token(t):
    """Between the two the client is no session; it asks for its place a second time."""
    p = start(t)
    guests = [guest(p, "/both", **by_password()) for _ in range(MOST)]
    equal(admitted(p), 0, "sessions that count")
    beyond(p, "/both", **by_password())
    for c in guests:
        says_a_wrong_token(c)
    exactly_as_many(p, "/both", **by_password())
