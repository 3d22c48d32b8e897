# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits per source and route over all workers: never exceeded, reached exactly, given back."""

import hashlib
import os
import signal
import time

from harness import case, equal, scale, wait_until
from processes import ECHO, both_started, echo, is_alive
from reloads import reload
from scrape import scrape
from threads import in_thread, join
from upgrades import HEALTH, Upgradable, upgrade
from wsclient import RESET, Client, Ended

FOUR = "workers = 4"
HTTP = "on_refuse = http\n" + ECHO


def ask(p, source="127.0.0.1", path="/r", listen="plain"):
    """Asks for a session. Returns (client, response)."""
    c = p.client(listen, source=(source, 0))
    c.send_raw(c.request(path))
    return c, c.read_response()


def open_some(p, count, source="127.0.0.1", path="/r", listen="plain"):
    """Opens so many sessions, all of which must be."""
    found = []
    for _ in range(count):
        c, response = ask(p, source, path, listen)
        equal(response.status, 101, "status of a session within the limit")
        echo(c)
        found.append(c)
    return found


def refused(p, status, source="127.0.0.1", path="/r", retry=None):
    """Asks, and must be refused. Returns the seconds of Retry-After."""
    _, response = ask(p, source, path)
    equal(response.status, status, "status of a session beyond the limit")
    after = int(response.get("Retry-After"))
    assert retry is None or after in retry, "Retry-After: %d" % after
    return after


def may(p, *arguments):
    """Asks once. True: there is a session."""
    c, response = ask(p, *arguments)
    if response.status != 101:
        c.wire.reset()
    return response.status == 101


def wait_for_one(p, *arguments):
    wait_until(lambda: may(p, *arguments), "a place that is free again")


# Exact over all workers

@case()
def exactly_as_many(t):
    """Callers of all workers at once: never more than the limit, and in the end exactly that."""
    p = both_started(t.start(t.config(server=FOUR, r=HTTP + "\nmax_sessions = 17",
                                      s=HTTP + "\nmax_sessions_per_source = 11") + HEALTH), 4)

    def call(path, source, held):
        for _ in range(12):
            c, response = ask(p, source, path)
            if response.status == 101:
                held.append(c)
            else:
                c.wire.reset()

    for path, limit, status, word in (("/r", 17, 503, "limit_route"),
                                      ("/s", 11, 429, "limit_source")):
        held = []
        for thread in [in_thread(call, path, "127.0.0.1", held) for _ in range(8)]:
            join(thread)
        assert len(held) <= limit, "%d sessions of %d" % (len(held), limit)
        while len(held) < limit:  # two that wanted the last place may both have failed
            held += open_some(p, 1, path=path)
        refused(p, status, path=path)
        got = scrape(p)
        equal(got.sum("sluice_sessions", route=path[1:], phase="open"), limit, "open sessions")
        held[0].end_cleanly()
        wait_for_one(p, "127.0.0.1", path)
        refused(p, status, path=path)
        p.log.wait("session.end", ending=word, route=path[1:], status=str(status))
        for c in held[1:]:
            c.wire.reset()
    p.log.wait("session.end", detail="max_sessions", ending="limit_route")
    p.log.wait("session.end", detail="max_sessions_per_source", ending="limit_source")


@case()
def sources_and_routes_apart(t):
    """A source's limit holds on its route alone, and for no other source; a Close says it."""
    p = t.gateway(r=ECHO + "\nmax_sessions_per_source = 2", s=ECHO)
    held = open_some(p, 2) + open_some(p, 3, path="/s") + open_some(p, 2, "127.0.0.2")
    c = p.client(source=("127.0.0.1", 0)).open("/r")
    c.recv_close(1013)
    c.wire.reset()
    line = p.log.wait("session.end")[0]
    for key, value in (("ending", "limit_source"), ("detail", "max_sessions_per_source"),
                       ("code", "1013"), ("route", "r")):
        equal(line[key], value, key)
    open_some(p, 1, "127.0.0.3")
    equal(len(held), 7, "sessions")


@case()
def a_network_is_a_source(t):
    p = t.gateway(server="source_prefix_v4 = 24\nmax_connections_per_source = 6",
                  r=HTTP + "\nmax_sessions_per_source = 2")
    open_some(p, 1, "127.0.1.1")
    open_some(p, 1, "127.0.1.200")
    refused(p, 429, "127.0.1.77")
    open_some(p, 2, "127.0.2.1")


@case()
def new_sessions(t):
    """As many at once as the rate says, then one after the other; the answer says when."""
    p = both_started(t.start(t.config(
        server=FOUR, r=HTTP + "\nnew_sessions_per_source = 4/m", s=HTTP +
        "\nnew_sessions_per_source = 60/m\nmax_sessions = 3")), 4)
    for c in open_some(p, 4):
        c.wire.reset()
    refused(p, 429, retry=range(1, 16))
    open_some(p, 4, "127.0.0.2")
    p.log.wait("session.end", detail="new_sessions_per_source", ending="limit_source")
    held = open_some(p, 3, path="/s")
    for _ in range(100):
        refused(p, 503, path="/s")  # a full route takes nothing of the rate
    held[0].end_cleanly()
    wait_for_one(p, "127.0.0.1", "/s")


@case()
def a_rate_comes_back(t):
    p = t.gateway(r=HTTP + "\nnew_sessions_per_source = 2/s")
    began, count = time.monotonic(), 0
    while time.monotonic() - began < 2.5:
        count += may(p)
        time.sleep(0.01)
    passed = time.monotonic() - began
    assert 5 <= count <= 2 + 2 * passed, "%d sessions in %.1f s" % (count, passed)


# Who it is

def token_of(name):
    return "token-of-%s-0123456789abcdef" % name


def with_auth(t, server="", keys=""):
    """Returns the text of a configuration with a route that wants a token of its own file."""
    lines = ["%s:%s" % (name, hashlib.sha256(token_of(name).encode()).hexdigest())
             for name in ("ann", "bob")]
    path = t.write("tokens", "\n".join(lines) + "\n")
    os.chmod(path, 0o600)
    return t.config(server=server, r=HTTP + "\nauth = staff\nauth_from = bearer\n" + keys,
                    s=HTTP) + HEALTH + "[auth staff]\ntype = tokens\nfile = %s\n" % path


def ask_as(p, token, source="127.0.0.1"):
    c = p.client("plain", source=(source, 0))
    c.send_raw(c.request("/r", headers=[("Authorization", "Bearer " + token)] if token else []))
    return c, c.read_response()


@case()
def identities(t):
    """From whatever source: as many as one subject may have, over all workers."""
    p = both_started(t.start(with_auth(t, FOUR, "max_sessions_per_identity = 3")), 4)
    held = []
    for number in range(3):
        c, response = ask_as(p, token_of("ann"), "127.0.0.%d" % (number + 1))
        equal(response.status, 101, "status of a session of ann")
        held.append(c)
    equal(ask_as(p, token_of("ann"), "127.0.0.9")[1].status, 429, "a fourth one")
    p.log.wait("session.end", ending="limit_source", detail="max_sessions_per_identity",
               identity="ann")
    equal(ask_as(p, token_of("bob"))[1].status, 101, "a session of bob")
    held[0].end_cleanly()
    wait_until(lambda: ask_as(p, token_of("ann"))[1].status == 101, "a free place")


@case()
def a_pause_that_grows(t):
    """Whoever guesses waits, with a right token too, and only where tokens count; all workers
    know; whoever shows no token has guessed nothing."""
    p = both_started(t.start(with_auth(t, FOUR + "\nauth_failures = 3\nauth_pause = 2s")), 4)
    for _ in range(8):
        equal(ask_as(p, None)[1].status, 401, "status without a token")
    for _ in range(4):
        equal(ask_as(p, "wrong")[1].status, 401, "status of a wrong token")
    for token in ("wrong", token_of("ann")) * 3:
        _, response = ask_as(p, token)
        equal(response.status, 429, "status within the pause")
        equal(response.get("Retry-After"), "1", "Retry-After")
    p.log.wait("session.end", ending="limit_source", detail="auth_pause")
    equal(ask_as(p, token_of("ann"), "127.0.0.2")[1].status, 101, "status of another source")
    open_some(p, 1, path="/s")
    wait_until(lambda: ask_as(p, "wrong")[1].status == 401, "the end of the pause")
    equal(ask_as(p, "wrong")[1].get("Retry-After"), "2", "Retry-After")
    wait_until(lambda: ask_as(p, token_of("ann"))[1].status == 101, "the end of the pause")


# Before TLS

def is_turned_away(p, source, listen):
    try:
        c = p.client(listen, host="localhost", source=(source, 0))
        c.send_raw(c.request("/r"))
        c.read_response()
    except Ended as end:
        equal(end.how, RESET, "how it is turned away")
        return True
    except OSError:  # a reset that comes before the next call
        return True
    c.wire.reset()
    return False


@case(rows=[("tls", "tls"), ("plain", "plain")])
def connections(t, listen):
    """The connection beyond the limit is reset before a handshake; [health] counts not."""
    p = both_started(t.start(t.config(server="workers = 2\nmax_connections_per_source = 3",
                                      r=ECHO) + HEALTH))
    held = open_some(p, 3, listen=listen)
    assert is_turned_away(p, "127.0.0.1", listen), "a fourth one"
    open_some(p, 3, "127.0.0.2", listen=listen)
    line = p.log.wait("accept.refused")[0]
    for key, value in (("ending", "limit_source"), ("detail", "max_connections_per_source"),
                       ("name", listen)):
        equal(line[key], value, key)
    assert line["client"].startswith("127.0.0.1:"), line
    got = scrape(p)
    equal(got.sum("sluice_connections_refused_total", listen=listen,
                  limit="max_connections_per_source"), 1, "refused connections")
    equal(got.sum("sluice_connections_refused_total"), 1, "refused connections of all kinds")
    held[0].end_cleanly()
    wait_until(lambda: not is_turned_away(p, "127.0.0.1", listen), "a free place")


@case()
def pending(t):
    """Connections without a session have a limit of their own; a session takes no part in it."""
    p = t.gateway(server="max_pending_per_source = 2", r=ECHO)
    held = open_some(p, 5)
    quiet = [p.wire("plain", source=("127.0.0.1", 0)) for _ in range(2)]
    for wire in quiet:
        wire.send(b"GET ")
    wait_until(lambda: is_turned_away(p, "127.0.0.1", "plain"), "a third one that is refused")
    equal(p.log.wait("accept.refused")[0]["detail"], "max_pending_per_source", "detail")
    quiet[0].reset()
    wait_until(lambda: not is_turned_away(p, "127.0.0.1", "plain"), "a free place")
    equal(len(held), 5, "sessions")


# Behind proxies

def listens(t, keys):
    certificate, key = t.certificate()
    return ("[listen plain]\naddress = 127.0.0.1:0\n%s\n[listen tls]\naddress = 127.0.0.1:0\n"
            "tls_certificate = %s\ntls_key = %s\n%s\n" % (keys, certificate, key, keys))


def ask_behind(p, header, listen, context=None):
    """Asks behind a PROXY header. Returns the status, or None for a connection that ends."""
    wire = p.wire(listen, context=None)
    wire.send(header.encode())
    try:
        if context:
            wire.begin_tls(context)
        c = Client(wire, "localhost")
        c.send_raw(c.request("/r"))
        return c.read_response().status
    except (Ended, OSError):
        return None


@case(rows=[("tls", "tls"), ("plain", "plain")])
def whom_a_proxy_tells(t, listen):
    """Behind PROXY headers the clients count, by network, and not the proxy."""
    p = t.start(t.config(server="max_connections_per_source = 2", r=HTTP, listens=listens(
        t, "proxy_protocol = on\ntrusted_proxies = 127.0.0.1")))
    context = t.context if listen == "tls" else None

    def status(kind, source):
        to = "203.0.113.1" if kind == "TCP4" else "2001:db8::1"
        return ask_behind(p, "PROXY %s %s %s 4711 443\r\n" % (kind, source, to), listen, context)

    beyond = None if listen == "tls" else 429
    for kind, sources, want in (
            ("TCP4", ("198.51.100.7", "198.51.100.7"), 101), ("TCP4", ("198.51.100.7",), beyond),
            ("TCP4", ("198.51.100.8",), 101),
            ("TCP6", ("::ffff:198.51.100.8",), 101), ("TCP4", ("198.51.100.8",), beyond),
            ("TCP6", ("2001:db8:1::1", "2001:db8:1::ffff:1:2:3"), 101),
            ("TCP6", ("2001:db8:1::9",), beyond), ("TCP6", ("2001:db8:1:1::9",), 101)):
        for source in sources:
            equal(status(kind, source), want, "status for %s" % source)
    for _ in range(3):
        equal(ask_behind(p, "PROXY UNKNOWN\r\n", listen, context), 101, "status for UNKNOWN")
    line = p.log.wait("session.end", ending="limit_source")[0]
    equal(line["detail"], "max_connections_per_source", "detail")
    assert line["client"].startswith("198.51.100.7:"), line


@case()
def whom_a_request_tells(t):
    """The same for X-Forwarded-For; whoever is no trusted proxy counts himself."""
    p = t.start(t.config(
        server="max_connections_per_source = 2", r=HTTP + "\nmax_sessions_per_source = 1",
        listens=listens(t, "forwarded = x-forwarded-for\ntrusted_proxies = 127.0.0.1")))

    def status(told, source="127.0.0.1"):
        c = p.client("plain", source=(source, 0))
        c.send_raw(c.request("/r", headers=[("X-Forwarded-For", told)]))
        return c.read_response().status

    for number in range(5):
        equal(status("198.51.100.%d" % number), 101, "status of a client of its own")
    equal(status("198.51.100.1"), 429, "status of a second session")
    equal(p.log.wait("session.end")[0]["detail"], "max_sessions_per_source", "detail")
    equal(status("198.51.100.7", "127.0.0.2"), 101, "status of a stranger")
    equal(status("198.51.100.8", "127.0.0.2"), 429, "status of the same stranger")


# Deaths, reloads, upgrades

@case()
def a_worker_is_killed(t):
    """What its sessions held is free again, and nothing else."""
    p = both_started(t.start(t.config(server="workers = 2\nmax_connections_per_source = 40",
                                      r=HTTP + "\nmax_sessions = 12\nmax_sessions_per_source = 8")))
    p.may_lose_workers = True
    held = open_some(p, 8) + open_some(p, 4, "127.0.0.2")
    victim = p.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not is_alive(victim), "the death")
    p.log.wait("worker.start", 3)
    living = []
    for c in held:
        try:
            echo(c)
            living.append(c)
        except (Ended, OSError):
            pass
    again = []
    for source, most in (("127.0.0.1", 8), ("127.0.0.2", 4)):
        there = sum(c.wire.local.startswith(source + ":") for c in living)
        again += open_some(p, most - there, source)
    refused(p, 503)
    equal(len(living) + len(again), 12, "sessions")


@case()
def a_reload(t):
    """What is held stays counted: a limit that comes, falls or rises counts from then on."""
    def text(keys):
        return t.config(server="workers = 2", r=HTTP + keys)

    p = both_started(t.start(text("")))
    held = open_some(p, 5)
    reload(p, text("\nmax_sessions = 5"))
    refused(p, 503)
    reload(p, text("\nmax_sessions_per_source = 6"))
    held += open_some(p, 1)
    refused(p, 429)
    reload(p, text("\nmax_sessions_per_source = 2"))
    for c in held[:4]:
        c.end_cleanly()
    wait_until(lambda: len(p.ends(ending="client_close")) == 4, "the end of four")
    refused(p, 429)
    held[4].end_cleanly()
    wait_for_one(p)
    echo(held[5])
    reload(p, text(""))
    open_some(p, 3)


@case()
def an_upgrade(t):
    """Sessions of the old generation count in the new one, and give back when they end."""
    u = Upgradable(t, t.config(server="workers = 2\nmax_connections_per_source = 7",
                               r=HTTP + "\nmax_sessions = 6\nnew_sessions_per_source = 7/d"))
    p = both_started(u.p)
    old = open_some(p, 4)
    upgrade(p)
    new = open_some(p, 2)
    refused(p, 503)
    new[0].end_cleanly()
    old[0].end_cleanly()
    wait_for_one(p)
    refused(p, 429, retry=range(3600, 86400))
    for c in old[1:] + new[1:]:
        echo(c)


# Floods

@case()
def a_source_that_floods(t):
    """One source knocks without end: it gets what it may, its neighbours notice nothing, and the
    program keeps no more memory or descriptors than before."""
    p = both_started(t.start(t.config(server="workers = 2\nmax_connections_per_source = 10\n"
                                      "log_limit = 5", r=ECHO) + HEALTH))
    held = open_some(p, 10)
    descriptors = sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in p.workers())

    def knock():
        for _ in range(400):
            assert is_turned_away(p, "127.0.0.1", "plain"), "one more got in"

    threads = [in_thread(knock) for _ in range(4)]
    for _ in range(20):
        c = open_some(p, 1, "127.0.0.2")[0]
        c.end_cleanly()
    for thread in threads:
        join(thread)
    for c in held:
        echo(c)
    wait_until(lambda: sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in p.workers())
               <= descriptors, "descriptors that are closed")
    equal(scrape(p).sum("sluice_connections_refused_total"), 1600, "refused connections")
    lines = len(p.log.find("accept.refused"))
    p.log.wait("log.suppressed", of="accept.refused", timeout=20 * scale())
    assert lines < 1600, "%d lines" % lines


@case()
def more_than_the_first_start_allowed(t):
    """A reload raises max_sessions far above what the table was made for: without limits everybody
    comes in, also whom the table counts by halves."""
    def text(most):
        return t.config(server="max_sessions = %d\nmax_pending = %d" % (most, most), r=ECHO)
    p = t.start(text(4))
    reload(p, text(500))
    for at in range(150):
        open_some(p, 1, "127.0.1.%d" % (at + 1))
