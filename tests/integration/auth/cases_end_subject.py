# SPDX-License-Identifier: GPL-3.0-or-later
"""DELETE /sessions?sub=NAME: all sessions of one subject end, and nobody else's."""

import json
import os
import threading
import urllib.parse

from harness import case, equal, wait_until
from processes import both_started
from provider import auth, bearer, digest, enter, jwk, signed, token, write_secret
from scrape import ask
from threads import in_thread, join
from upgrades import Upgradable, generation, upgrade
from wsclient import FIN, Ended

ROUTE = "origins = *\nbackend = echo:\nauth = idp\nauth_from = bearer, first_message\n"
STATIC = "A-token-out-of-a-file"
LONG = "auth0|" + "x" * 200
SUBJECTS = ["Zo\u00eb \"the boss\" O'Neil & co+1%", LONG + "-a", LONG + "-b"]


def with_admin(t, routes=None, more="", server="workers = 2", keys=""):
    return (t.config(server=server, **(routes or {"r": ROUTE})) + signed(t, jwk("ES256")) + more +
            "[admin]\naddress = unix:%s/admin.sock\n" % t.dir + keys)


def query(**parts):
    return "/sessions?" + urllib.parse.urlencode(parts)


def end(p, **parts):
    """Returns how many sessions sluice ends; 0 where it finds none."""
    status, headers, body = ask(p.ports["admin"], query(**parts), "DELETE")
    if status == 404:
        return 0
    equal((status, headers["content-type"]), (202, "application/json"), "the answer")
    equal(list(json.loads(body)), ["ended"], "what it says")
    return json.loads(body)["ended"]


def rows(p, **parts):
    status, _, body = ask(p.ports["admin"], query(**parts) if parts else "/sessions")
    equal(status, 200, "/sessions")
    return json.loads(body)["sessions"]


def wait_rows(p, count, **parts):
    return wait_until(lambda: len(got := rows(p, **parts)) == count and (got or True),
                      "%d rows" % count)


def ended(*clients):
    for c in clients:
        equal(c.recv_close(1008)[0], "ended by the operator", "reason")
        c.close(1008)
        c.recv_end(FIN)
        c.wire.finish()


def goes_on(*clients):
    for c in clients:
        c.text("still here")
        equal(c.recv_message()[1], b"still here", "echo")


@case()
def three_subjects(t):
    """20 sessions on two workers; subjects of any characters, also such that look the same where
    they are cut. A token that still holds opens the next session."""
    p = t.start(with_admin(t))
    both_started(p)
    held = {sub: [enter(p, token(sub=sub)) for _ in range(count)]
            for sub, count in zip(SUBJECTS, (6, 7, 7))}
    late = p.client("tls").open("/r")  # nobody knows yet whose session this will be
    found = wait_rows(p, 21)
    assert len({row["worker"] for row in found}) == 2, found
    shown = {row["identity"] for row in found}
    equal(len(shown), 3, "two subjects look the same, and one is not known")
    for sub, clients in held.items():
        mine = wait_rows(p, len(clients), sub=sub)
        equal(len({row["identity_key"] for row in mine}), 1, "their key")
    equal(len({row["identity_key"] for row in found}), 4, "keys")
    for wrong in (LONG, SUBJECTS[0][:3], SUBJECTS[0] + " ", SUBJECTS[0].upper(), "None"):
        equal(end(p, sub=wrong), 0, "the sessions of %r" % wrong)
    equal(p.log.find("session.kick"), [], "nobody was found")
    for number, sub in enumerate(SUBJECTS):
        equal(end(p, sub=sub), len(held[sub]), "sessions of " + sub)
        ended(*held[sub])
        line = p.log.wait("session.kick", number + 1)[number]
        equal((line["identity"], line["sessions"], line["listen"], line["client"]),
              (sub, str(len(held[sub])), "admin", "unix:uid=%d" % os.getuid()), "who asked")
        goes_on(*(c for other in SUBJECTS[number + 1:] for c in held[other]))
        wait_rows(p, 0, sub=sub)
        equal(end(p, sub=sub), 0, "a second time")
        enter(p, token(sub=sub)).end_cleanly()
    late.text(token(sub=SUBJECTS[1]))
    goes_on(late)
    wait_rows(p, 1, sub=SUBJECTS[1])
    lines = p.log.find("session.end", ending="kicked")
    equal(len(lines), 20, "a line for each session")
    equal({(e["code"], e["phase"], e["auth"]) for e in lines}, {("1008", "open", "idp")}, "ends")
    equal(len({e["id"] for e in lines}), 20, "ids")


@case()
def of_one_section(t):
    """Two [auth] sections know an alice each; a key out of a row means one of them."""
    box = auth("box", "type = tokens",
               "file = " + write_secret(t, "tokens", "alice:%s\n" % digest(STATIC)))
    p = t.start(with_admin(t, {"r": ROUTE, "box": ROUTE.replace("= idp", "= box")}, box))
    by_token = [enter(p, token(sub="alice")) for _ in range(3)]
    by_file = [enter(p, STATIC, path="/box") for _ in range(2)]
    bob = enter(p, token(sub="bob"))
    wait_rows(p, 5, sub="alice")
    equal(len(rows(p, sub="alice", auth="box")), 2, "rows of one section")
    equal(len(rows(p, sub="alice", auth="idp", route="box")), 0, "rows of nobody")
    equal(end(p, sub="alice", auth="none"), 0, "another section")
    equal(end(p, sub="alice", auth="box"), 2, "one section")
    ended(*by_file)
    goes_on(*by_token)
    by_file = [enter(p, STATIC, path="/box") for _ in range(2)]
    key = wait_rows(p, 2, sub="alice", auth="box")[0]["identity_key"]
    equal(len(rows(p, identity_key=key)), 2, "rows of the key")
    equal(end(p, identity_key=key), 2, "the key")
    equal(p.log.wait("session.kick", 2)[1]["identity"], "alice", "who it was")
    ended(*by_file)
    goes_on(*by_token)
    by_file = [enter(p, STATIC, path="/box") for _ in range(2)]
    wait_rows(p, 5, sub="alice")
    equal(end(p, sub="alice"), 5, "both sections")
    ended(*by_file, *by_token)
    goes_on(bob)


BAD = ["sub=", "sub", "auth=idp", "sub=alice&sub=alice", "sub=alice&auth=idp&auth=idp", "id=0-1",
       "sub=alice&route=r", "sub=alice&limit=1", "sub=%ff", "sub=alice%00", "sub=%4", "x=1",
       "identity_key=1", "sub=alice&identity_key=0123456789abcdef", "SUB=alice", "sub=alice&auth="]


@case()
def asked_badly(t):
    """Whatever does not say exactly whose sessions it means ends none; the token counts first."""
    keys = "token_file = %s\n" % write_secret(t, "token", "a-token-of-the-tests-0123\n")
    p = t.start(with_admin(t, keys=keys))
    alice = enter(p, token(sub="alice"))
    wait_rows(p, 1, sub="alice")
    right = "Authorization: Bearer a-token-of-the-tests-0123\r\n"
    for text in BAD:
        for headers, status in ((right, 400), ("", 401), (right + "Origin: http://a.example\r\n",
                                                          403)):
            got, _, body = ask(p.ports["admin"], "/sessions?" + text, "DELETE", headers=headers)
            equal(got, status, text)
            assert status != 400 or "sub=NAME" in body, body
    for method, status in (("DELETE", 401), ("PUT", 405), ("POST", 405)):
        equal(ask(p.ports["admin"], "/sessions?sub=alice", method)[0], status, method)
    equal(ask(p.ports["admin"], "/sessions?sub=alice", "DELETE", host="evil.example",
              headers=right)[0], 421, "another name")
    goes_on(alice)
    equal(ask(p.ports["admin"], "/sessions?sub=alice", "DELETE", headers=right)[::2],
          (202, '{"ended":1}\n'), "asked well")
    ended(alice)


@case(timeout=60)
def both_generations(t):
    """Sessions of the workers before and behind an upgrade end alike; others go on."""
    u = Upgradable(t, with_admin(t, server="workers = 2\ndrain_timeout = 1s"))
    p = u.p
    both_started(p)
    mine, others = [token(sub=SUBJECTS[1]), token(sub=SUBJECTS[2])]
    old = [enter(p, mine) for _ in range(5)]
    bystanders = [enter(p, others) for _ in range(3)]
    keys = {row["identity_key"] for row in wait_rows(p, 5, sub=SUBJECTS[1])}
    upgrade(p)
    generation(p, 2)
    new = [enter(p, mine) for _ in range(5)]
    bystanders += [enter(p, others) for _ in range(3)]
    found = wait_rows(p, 10, sub=SUBJECTS[1])
    equal({row["generation"] for row in found}, {1, 2}, "generations")
    equal({row["identity_key"] for row in found}, keys, "the key")
    equal(end(p, sub=SUBJECTS[1]), 10, "sessions")
    ended(*old, *new)
    goes_on(*bystanders)
    equal(len(p.log.wait("session.end", 10, ending="kicked")), 10, "lines")
    equal(end(p, sub=SUBJECTS[2], auth="idp"), 6, "the others")
    ended(*bystanders)
    p.stop()


@case(timeout=60)
def storm(t):
    """While sessions open: those that there were end, and no session of anybody else."""
    p = t.start(with_admin(t))
    both_started(p)
    mine, others = token(sub="alice"), token(sub="bob")
    before = [enter(p, mine, listen="plain") for _ in range(8)]
    wait_rows(p, 8, sub="alice")
    is_over, opened = threading.Event(), []

    def come(text):
        while not is_over.wait(0.01):
            try:
                c = p.client("plain").open("/r", **bearer(text))
                opened.append((text, c))
            except Ended:  # ended in the middle
                assert text == mine, "somebody else's session ended"

    threads = [in_thread(come, text) for text in (mine, others, mine, others)]
    wait_until(lambda: len(opened) > 40, "a storm")
    counts = [end(p, sub="alice") for _ in range(10)]
    assert counts[0] >= 8, counts
    ended(*before)
    is_over.set()
    for thread in threads:
        join(thread)
    wait_until(lambda: end(p, sub="alice") == 0, "the last of them")
    goes_on(*(c for text, c in opened if text == others))
    for text, c in opened:
        if text == mine:
            c.recv_close(1008)
        c.wire.reset()
    lines = p.log.find("session.end", ending="kicked")
    equal({e["identity"] for e in lines}, {"alice"}, "who was ended")
