# SPDX-License-Identifier: GPL-3.0-or-later
"""Single-use tokens: each opens one session, whichever worker it comes to and whatever happens to
the workers; and another one only as far as its section lets it."""

import itertools
import json
import mmap
import os
import resource
import time

from harness import case, equal, wait_until
from processes import both_started, echo, owner_of
from provider import auth, bearer, encode, jwk, signed, token, write_secret
from reloads import reload, wait_result
from scrape import ask, scrape
from threads import in_thread, join
from upgrades import HEALTH, Upgradable, newest, upgrade
from wsclient import TEXT, Ended, frame

ORIGIN = "https://a.example"
ASKS = ("origins = %s\nbackend = %%s\nauth = %%s\n"
        "auth_from = first_message, subprotocol, cookie:s, query:t, bearer%%s\n") % ORIGIN
NUMBERS = itertools.count()
USED = "the token is good once, and has been used"


def ticket(**changes):
    return token(**{"jti": "ticket-%d" % next(NUMBERS), "exp": int(time.time()) + 600, **changes})


def text_of(t, *more, server="workers = 2", backend="echo:", auths="idp", keys=""):
    section = signed(t, jwk("ES256"), more=("single_use = yes", *more))
    return t.config(server=server, r=ASKS % (backend, auths, keys)) + section + HEALTH


def start(t, *more, **what):
    return t.start(text_of(t, *more, **what))


WAYS = [
    ("bearer", bearer),
    ("query", lambda text: {"path": "/r?t=" + text}),
    ("subprotocol", lambda text: {"subprotocols": "chat, sluice.token." + encode(text)}),
    ("cookie", lambda text: {"headers": [("Cookie", "s=" + text)]}),
    ("first_message", lambda text: {"message": text}),
]
BY_MESSAGE = WAYS[-1][1]


def begin(p, text, way=bearer, listen="plain", **more):
    request = {"path": "/r", "origin": ORIGIN, **way(text), **more}
    message = request.pop("message", None)
    c = p.client(listen).open(**request)
    if message is not None:
        c.text(message)
    return c


def come_in(p, text, way=bearer, **more):
    c = begin(p, text, way, **more)
    echo(c, b"hello")
    return c


def is_told(p, c, code=1008, reason="not authorised"):
    """The page learns no more than that. Returns the line of its session."""
    equal(c.recv_close(code), (reason, b""), "the Close")
    c.close(code)
    c.wire.finish()
    c.recv_end()
    line = p.log.wait("session.end", client=c.wire.local)[0]
    equal(line["code"], str(code), "code")
    return line


def stay_out(p, text, detail, way=bearer, ending="auth", **more):
    line = is_told(p, begin(p, text, way, **more))
    assert line["ending"] == ending and detail in line.get("detail", ""), line
    return line


def leave(p, c):
    c.end_cleanly()
    p.log.wait("session.end", client=c.wire.local)


def lose(p, c):
    c.wire.reset()
    p.log.wait("session.end", client=c.wire.local)


@case(rows=WAYS)
def each_place(t, way):
    """It opens one session, from whichever place; it is the same ticket in each of them."""
    p = start(t, "leeway = 5s")
    for _, other in WAYS:
        text = ticket()
        leave(p, come_in(p, text, way, listen="tls"))
        line = stay_out(p, text, USED, other, listen="tls")
        equal((line["auth"], line["identity"]), ("idp", "alice"), "who it was")
        assert text not in p.log.text()
    equal(scrape(p).sum("sluice_auth_refusals_total", reason="used"), len(WAYS), "refusals")
    equal(scrape(p).sum("sluice_sessions_identified"), 0, "sessions now")
    equal(scrape(p).sum("sluice_sessions_admitted"), 0, "places taken")


@case()
def answered_with_http(t):
    p = start(t, keys="\non_refuse = http")
    text = ticket()
    leave(p, come_in(p, text))
    c = p.client("plain")
    c.send_raw(c.request("/r", origin=ORIGIN, **bearer(text)))
    equal(c.read_response().status, 401, "status")


@case(rows=[("two", 2, bearer), ("four", 4, bearer), ("four_by_message", 4, BY_MESSAGE)])
def many_at_the_same_moment(t, workers, way):
    """Of all who come with one ticket one is let in. The others have guessed nothing: no source has
    to wait for it."""
    p = start(t, server="workers = %d\nauth_failures = 1" % workers)
    both_started(p, workers)
    for _ in range(4):
        text, clients, first = ticket(), [p.client("plain") for _ in range(32)], {}
        request = {"path": "/r", "origin": ORIGIN, **way(text)}
        message = request.pop("message", None)
        if message is not None:
            for c in clients:
                c.open(**request)
        wires = [(c, frame(TEXT, message) if message is not None else c.request(**request))
                 for c in clients]

        def call(some):
            for c, data in some:
                c.send_raw(data)
        for thread in [in_thread(call, wires[i::4]) for i in range(4)]:
            join(thread)
        for c in clients:
            if message is None:
                equal(c.read_response().status, 101, "status")
            c.text("hello")
            first[c] = c.recv_frame()
        won = [c for c, got in first.items() if got.payload == b"hello"]
        equal(len(won), 1, "sessions of one ticket")
        for c, got in first.items():
            assert c in won or got.payload[:2] == (1008).to_bytes(2, "big"), got
            c.wire.reset()
    lines = p.log.wait("session.end", 4 * 31, ending="auth")
    equal({line["detail"] for line in lines}, {USED}, "details")
    leave(p, come_in(p, ticket()))


@case()
def a_worker_dies(t):
    p = start(t, server="workers = 2")
    both_started(p)
    p.may_lose_workers = True
    text = ticket()
    c = come_in(p, text)
    os.kill(owner_of(p, c, "plain"), 9)
    try:
        c.recv_frame()
    except Ended:
        pass
    p.log.wait("worker.start", 3)
    for _ in range(8):
        stay_out(p, text, USED)
    leave(p, come_in(p, ticket()))


@case()
def reloads_and_upgrades(t):
    """What has been used stays used, also when the section's terms change."""
    text = text_of(t)
    u = Upgradable(t, text)
    p = u.p
    both_started(p)
    used, other = ticket(), ticket()
    held = come_in(p, used)
    leave(p, come_in(p, other))
    reload(p, text.replace("single_use", "leeway = 5m\nsingle_use"))
    stay_out(p, used, USED)
    reload(p, text.replace("single_use = yes", "single_use = no"))
    leave(p, come_in(p, used))
    reload(p, text)
    stay_out(p, used, USED)
    upgrade(p)
    for _ in range(4):
        stay_out(p, used, USED)
        stay_out(p, other, USED)
    text = ticket()
    leave(p, come_in(p, text))
    stay_out(p, text, USED)
    echo(held)
    held.end_cleanly()
    p.log.wait("generation.gone")
    equal(len({newest(p), p.pid}), 2, "masters")


@case()
def how_often(t):
    """A page that lost its session comes back with its ticket, at most reconnect_max times."""
    p = start(t, "reconnect_window = 1h", "reconnect_max = 3", server="workers = 4")
    text = ticket()
    for end in (lose, leave, lose):
        end(p, come_in(p, text))
    held = come_in(p, text)  # nobody has noticed yet that the first one is lost
    stay_out(p, text, "as often as reconnect_max says")
    lose(p, held)
    stay_out(p, text, "as often as reconnect_max says", BY_MESSAGE)
    reload(p, text_of(t, "reconnect_window = 1h", "reconnect_max = 4", server="workers = 4"))
    leave(p, come_in(p, text, BY_MESSAGE))
    stay_out(p, text, "as often as reconnect_max says")


@case()
def how_long(t):
    """The window begins with a use, and anew with the end of its session."""
    p = start(t, "reconnect_window = 2s")
    text = ticket()
    held = come_in(p, text)
    time.sleep(2.2)
    stay_out(p, text, "its reconnect_window has passed")
    echo(held)
    lose(p, held)
    leave(p, come_in(p, text))
    time.sleep(2.2)
    stay_out(p, text, "its reconnect_window has passed")


@case()
def a_short_ticket(t):
    """Its exp ends its session, unless the section says that it is for entering only; a reload of
    that counts for sessions that are there."""
    texts = {word: text_of(t, "leeway = 0", "exp_ends_session = " + word) for word in ("yes", "no")}
    p = t.start(texts["no"])
    exp = int(time.time()) + 3
    texts_of_clients = [ticket(exp=exp) for _ in range(2)]
    c, other = [come_in(p, text) for text in texts_of_clients]
    while time.time() < exp + 1.2:
        time.sleep(0.1)
    echo(c)
    stay_out(p, texts_of_clients[0], "the token has expired")
    leave(p, other)
    reload(p, texts["yes"])
    equal(is_told(p, c, reason="authorisation expired")["ending"], "auth_expired", "ending")
    c = come_in(p, ticket(exp=int(time.time()) + 2))
    equal(is_told(p, c, reason="authorisation expired")["ending"], "auth_expired", "ending")


@case()
def taken_back(t):
    """Whom an operator has ended does not come back with the ticket, whatever its window says."""
    lines = write_secret(t, "revoked", "# nobody\n")
    more = ("reconnect_window = 1h", "revoked = " + lines)
    p = t.start(text_of(t, *more, server="watch = 100ms\nworkers = 2") +
                "[admin]\naddress = unix:%s/admin.sock\n" % t.dir)
    kicked, revoked, bystander = ticket(), ticket(sub="mallory"), ticket(sub="bob")
    c = come_in(p, kicked)
    rows = json.loads(ask(p.ports["admin"], "/sessions")[2])["sessions"]
    equal(ask(p.ports["admin"], "/sessions/" + rows[0]["id"], method="DELETE")[0], 202, "kick")
    equal(is_told(p, c, reason="ended by the operator")["ending"], "kicked", "ending")
    stay_out(p, kicked, "somebody has ended the session")
    c, other = come_in(p, revoked), come_in(p, bystander)
    write_secret(t, "revoked", "sub:mallory\n")
    equal(is_told(p, c, reason="authorisation revoked")["ending"], "auth_revoked", "ending")
    stay_out(p, revoked, "the subject stands in the file")
    write_secret(t, "revoked", "# nobody\n")
    wait_result(p, 2)
    stay_out(p, revoked, "somebody has ended the session")
    lose(p, other)
    leave(p, come_in(p, bystander))
    shown = ask(p.ports["admin"], "/config")[2]
    for line in ("single_use = yes", "ticket_max_age = 1h", "reconnect_window = 1h",
                 "reconnect_max = 10"):
        assert line in shown, shown


@case()
def refusals_burn_none(t):
    """A ticket is used last: whatever else refuses a request leaves it good."""
    box = auth("box", "type = basic", "file = " + write_secret(
        t, "people", "ann:$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Z"
        "ok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/\n"))
    text = text_of(t, server="workers = 1\nmax_sessions = 2",
                   keys="\nmax_sessions_per_identity = 1\nsubprotocols = chat")
    text += box + "[route b]\npath = /b\n" + ASKS % ("echo:", "idp, box", ", basic")
    p = t.start(text)
    good = ticket()
    chat = {"subprotocols": "chat"}
    is_told(p, begin(p, good, origin="https://b.example", **chat), reason="origin not allowed")
    is_told(p, begin(p, good), reason="no acceptable subprotocol")
    held = come_in(p, ticket(), **chat)
    for way in (bearer, BY_MESSAGE):
        c = begin(p, good, way, **chat)
        equal(is_told(p, c, 1013, "too many sessions from this address")["ending"], "limit_source",
              "the identity's limit")
    second = come_in(p, ticket(sub="bob"), **chat)
    other = ticket(sub="carol")
    for way in (bearer, BY_MESSAGE):
        equal(is_told(p, begin(p, other, way, **chat), 1013, "try again later")["ending"], "full",
              "max_sessions")
    leave(p, held)
    leave(p, second)
    wrong = {"path": "/b?t=" + good, "headers": [("Authorization", "Basic YW5uOndyb25n")]}
    is_told(p, begin(p, "", lambda _: wrong))
    right = {"path": "/b?t=" + other, "headers": [("Authorization", "Basic YW5uOnNlY3JldA==")]}
    leave(p, come_in(p, "", lambda _: right))
    is_told(p, begin(p, "", lambda _: right))
    leave(p, come_in(p, good, BY_MESSAGE, **chat))
    stay_out(p, good, USED, **chat)
    stay_out(p, other, USED, **chat)


@case(rows=[WAYS[0], WAYS[-1]])
def no_place(t, way):
    """The last refusal before a session, a worker's descriptors, leaves the ticket good as well."""
    p = t.start(text_of(t, server="workers = 1"),
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120)))
    held = []
    while True:
        text = ticket()
        c = begin(p, text, way)
        c.text("hello")
        got = c.recv_frame()
        if got.payload != b"hello":
            break
        held.append(c)
    equal(got.payload[:2], (1013).to_bytes(2, "big"), "the Close")
    c.wire.reset()
    p.log.wait("session.end", ending="full", detail="the limit of descriptors")
    lose(p, held[0])
    leave(p, come_in(p, text, way))
    stay_out(p, text, USED, way)


@case()
def no_backend(t):
    """The ticket has been used when sluice dials; within its window the page tries again."""
    backend = t.backend()
    backend.close()
    for more, detail in (((), USED), (("reconnect_window = 1h", "reconnect_max = 1"), "as often")):
        p = start(t, *more, backend=backend.url)
        text = ticket()
        for way in (bearer, BY_MESSAGE)[:1 + bool(more)]:
            line = is_told(p, begin(p, text, way), 1011, "backend unavailable")
            equal(line["ending"], "backend_refused", "ending")
        stay_out(p, text, detail)
        p.stop()


TICKETS = [
    ("no_jti", {"jti": None}, "the token has no jti", "no_jti"),
    ("empty_jti", {"jti": ""}, "the token has no jti", "no_jti"),
    ("no_text", {"jti": 7}, "the claims of the token are malformed", "claims"),
    ("far", {"exp": 400}, "further away than ticket_max_age", "far_exp"),
    ("for_ever", {"exp": 200000000000}, "", None),
    ("no_exp", {"exp": None}, "the token has no exp", "no_expiry"),
    ("old", {"exp": -60}, "the token has expired", "expired"),
]


@case()
def no_tickets(t):
    """Tokens that cannot be good once are refused, and each by its word."""
    p = start(t, "ticket_max_age = 5m", "leeway = 30s", server="workers = 2\nauth_failures = 50")
    for _, changes, detail, word in TICKETS:
        if changes.get("exp"):
            changes = {"exp": int(time.time()) + changes["exp"]}
        for way in (bearer, BY_MESSAGE):
            stay_out(p, ticket(**changes), detail, way)
        if word:
            equal(scrape(p).sum("sluice_auth_refusals_total", reason=word),
                  4 if word == "no_jti" and changes["jti"] == "" else 2, word)
    leave(p, come_in(p, ticket(exp=int(time.time()) + 310)))
    soon = int(time.time()) + 60
    long = ticket(jti="x" * 2000, exp=soon)
    leave(p, come_in(p, long))
    stay_out(p, long, USED)
    leave(p, come_in(p, ticket(jti="x" * 1999, exp=soon)))


def fill(p):
    """Tickets of the same minute are everywhere in the table."""
    for fd in os.listdir("/proc/%d/fd" % p.pid):
        path = "/proc/%d/fd/%s" % (p.pid, fd)
        if "sluice-spent" in os.readlink(path):
            with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
                size = 16 * 2 ** 19
                epoch = int(time.time()) // 64 & 0xffffff
                slot = (1 << 24 | epoch).to_bytes(8, "little") + epoch.to_bytes(8, "little")
                memory[len(memory) - size:] = slot * 2 ** 19
                return
    raise AssertionError("the master has no table")


@case()
def a_full_table(t):
    """Where nobody could note the use of a ticket, it opens nothing, and may come again later."""
    p = start(t)
    used = ticket()
    leave(p, come_in(p, used))
    fill(p)
    for way in (bearer, BY_MESSAGE):
        line = is_told(p, begin(p, ticket(), way), 1013, "try again later")
        equal((line["ending"], line["detail"]),
              ("full", "too many single-use tokens have been used within the last hour"), "line")
    is_told(p, begin(p, used), 1013, "try again later")
    equal(scrape(p).sum("sluice_sessions_admitted"), 0, "places taken")
    wait_until(lambda: scrape(p).sum("sluice_sessions_identified") == 0, "nobody")
