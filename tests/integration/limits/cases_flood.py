# SPDX-License-Identifier: GPL-3.0-or-later
"""Small floods: thousands of strangers from many addresses. `make flood` has the large ones.

No case asserts a speed: each says what every stranger got, that a bystander's session goes on, and
that the program keeps a bounded memory.
"""

import hashlib
import os
import ssl

import floods
from harness import case, equal, scale, wait_until
from processes import ECHO, both_started, echo
from scrape import scrape
from threads import in_thread, join
from upgrades import HEALTH

HTTP = "on_refuse = http\n" + ECHO
# No deadline ends what a stranger keeps, however slow the machine is.
SERVER = "workers = 2\nlog_limit = 5\nmax_sessions = 8000\nmax_pending = 2000\n" \
    "tls_timeout = 1h\nrequest_timeout = 1h\n"
GROWTH_KIB = 40 * 1024  # at most, for 1,000 connections over TLS of 21 KiB each and all tables


def no_proof():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def flood(t, p, count, addresses, listen="tls", **what):
    """Lets strangers come while a bystander talks. Returns how they went, and the flood."""
    bystander = p.client(listen, source=("127.0.0.1", 0)).open("/b")
    crowd = floods.Flood(p.ports[listen], addresses, **what)
    t.cleanup(crowd.close)
    before = floods.resident_kib(p.workers())
    thread = in_thread(crowd.run, count)
    while thread.is_alive():
        echo(bystander)
    join(thread)
    echo(bystander)
    grown = floods.resident_kib(p.workers()) - before
    assert grown < GROWTH_KIB * scale(), "%d KiB more" % grown
    return crowd.results, crowd


def started(t, text):
    return both_started(t.start(text + HEALTH))


@case(timeout=120, rows=[("handshakes", "handshake"), ("hellos", "hello")])
def from_many_addresses(t, kind):
    """Whatever costs a key exchange: each source gets its 5, and all others a reset."""
    p = started(t, t.config(server=SERVER + "max_connections_per_source = 5", b=ECHO))
    what = {"context": no_proof()} if kind == "handshake" else {"said": floods.hello()}
    results, _ = flood(t, p, 2000, floods.sources(100), **what)
    equal(dict(results), {"answered": 500, "reset": 1500}, "how they went")
    equal(scrape(p).sum("sluice_connections_refused_total", listen="tls"), 1500,
          "refused connections")


@case(timeout=120)
def wrong_tokens(t):
    """Of each source the first eleven are looked at, and one after each pause: 1 s, 2 s, 4 s."""
    path = t.write("tokens", "ann:%s\n" % hashlib.sha256(b"a token of ann").hexdigest())
    os.chmod(path, 0o600)
    p = started(t, t.config(server=SERVER + "auth_pause = 1h", b=ECHO, r=HTTP +
                            "\nauth = staff\nauth_from = bearer") +
                "[auth staff]\ntype = tokens\nfile = %s\n" % path)
    said = floods.request("/r", "Authorization: Bearer wrong-0123456789\r\n")
    results, _ = flood(t, p, 2200, floods.sources(40), "plain", said=said, at_once=10)
    equal(sum(results.values()), 2200, "strangers")
    equal(set(results), {"401", "429"}, "statuses")
    assert 11 * 40 <= results["401"] <= 16 * 40, results


@case(timeout=120)
def sources_at_their_limit(t):
    """A thousand sources, each with all that it may have, come again and again."""
    p = started(t, t.config(server=SERVER, b=ECHO, r=HTTP + "\nmax_sessions_per_source = 2"))
    everybody = floods.sources(1000)
    results, crowd = flood(t, p, 4000, everybody, "plain", said=floods.request("/r"), keep=3000)
    equal(dict(results), {"101": 2000, "429": 2000}, "how they went")
    equal(scrape(p).sum("sluice_sessions", route="r", phase="open"), 2000, "sessions")
    crowd.close()
    wait_until(lambda: scrape(p).sum("sluice_sessions", route="r") == 0, "the end of all", 60)
    again = floods.Flood(p.ports["plain"], everybody, said=floods.request("/r"), keep=3000)
    t.cleanup(again.close)
    equal(dict(again.run(2000)), {"101": 2000}, "how they went later")
