# SPDX-License-Identifier: GPL-3.0-or-later
"""What was proven once is taken back: whose sessions end, whose go on, who may not come back."""

import os
import time

from harness import case, equal
from provider import auth, bearer, digest, enter, jwk, jwks, refuse, signed, token, write_secret
from reloads import reload, wait_result
from scrape import scrape
from wsclient import FIN

ASKS = "origins = *\nbackend = echo:\nauth = idp\nauth_from = bearer, query:t"
WATCH = "watch = 100ms"
HEALTH = "[health]\naddress = 127.0.0.1:0\n"


def write(t, *lines):
    return write_secret(t, "revoked", "".join(line + "\n" for line in ("# who", *lines)))


def start(t, *lines, keys=("ES256",), server=WATCH, more="", config=None):
    section = signed(t, *map(jwk, keys), algorithms=", ".join(keys),
                     more=("revoked = " + write(t, *lines), *more))
    return t.start(config or t.config(server=server, r=ASKS) + section + HEALTH)


def ended(c, reason="authorisation revoked"):
    """The page learns that its session ends, and why."""
    equal(c.recv_close(1008)[0], reason, "reason")
    c.close(1008)
    c.recv_end(FIN)


def goes_on(*clients):
    for c in clients:
        c.text("still here")
        equal(c.recv_message()[1], b"still here", "echo")


REVOKED = [
    ("jti", "jti:one", {"jti": "one"}, {"jti": "two"}, "jti"),
    ("sub", "sub:alice", {"sub": "alice"}, {"sub": "alice2"}, "subject"),
    ("long_sub", "sub:" + "x" * 2000, {"sub": "x" * 2000}, {"sub": "x" * 1999}, "subject"),
    ("utf8_sub", "sub: Zo\u00eb:a| #1", {"sub": "Zo\u00eb:a| #1"}, {"sub": "Zo\u00eb"}, "subject"),
    ("kid", "kid:ES256-0", {"alg": "ES256"}, {"alg": "ES384"}, "kid"),
]


@case(rows=REVOKED)
def each_line(t, line, gone, stays, word):
    """Live sessions end within a second of the look at the file; nobody comes in with it again."""
    p = start(t, keys=("ES256", "ES384"))
    old, other = token(**{"sub": "s", **gone}), token(**{"sub": "t", **stays})
    held, bystander = enter(p, old), enter(p, other)
    began = time.monotonic()
    write(t, "", line, line)
    ended(held)
    assert time.monotonic() - began < 5, "late"
    end = p.log.wait("session.end", ending="auth_revoked", code="1008", phase="open")[0]
    assert word in end["detail"] and "revoked" in end["detail"], end
    refused = refuse(p, old, word)
    assert "identity" not in refused, refused
    goes_on(bystander)
    enter(p, other).end_cleanly()
    equal(scrape(p).sum("sluice_auth_refusals_total", reason="revoked"), 1, "refusals")
    write(t)
    wait_result(p, 2)
    enter(p, old).end_cleanly()
    bystander.end_cleanly()
    p.stop()


BROKEN = [
    ("empty", "", "revoked: the file is empty"),
    ("cut", "sub:alice\nsub:bo", "revoked:2: the last line has no line end"),
    ("no_kind", "sub:alice\nbob\n", "revoked:2: the line begins with none of jti:, sub: and kid:"),
    ("no_value", "sub:\n", "revoked:1: nothing stands behind the colon"),
]


@case()
def a_broken_file(t):
    """It is an error at the start; later the old content stays in force: nobody gets back in."""
    p = start(t, "sub:alice", server="watch = 0")
    held = enter(p, token(sub="bob"))
    for name, content, detail in BROKEN:
        write_secret(t, "revoked", content)
        reload(p, event="reload.failed")
        found = p.log.find("config.error")[-1]["detail"]
        assert detail in found, (name, found)
        refuse(p, token(sub="alice"), "subject")
    write(t, "sub:alice")
    os.chmod(t.path("revoked"), 0o666)
    reload(p, event="reload.failed")
    assert "every user of this machine can change who is revoked" in p.log.text()
    os.unlink(t.path("revoked"))
    reload(p, event="reload.failed")
    refuse(p, token(sub="alice"), "subject")
    goes_on(held)
    held.end_cleanly()


@case()
def many_lines_and_sessions(t):
    """10,000 lines, four workers: all sessions of one subject end, and no other one."""
    p = start(t, *("jti:%032x" % i for i in range(10000)), server=WATCH + "\nworkers = 4")
    gone = [enter(p, token(sub="mallory", jti="m%d" % i)) for i in range(60)]
    stay = [enter(p, token(sub="bob", jti="b%d" % i)) for i in range(10)]
    write(t, *("jti:%032x" % i for i in range(10000)), "sub:mallory", "jti:b3")
    for c in gone + [stay.pop(3)]:
        ended(c)
    goes_on(*stay)
    p.log.wait("session.end", 61, ending="auth_revoked")
    for c in stay:
        c.end_cleanly()


@case()
def a_token_goes_from_its_file(t):
    """Only its session ends. A line that changes its expiry moves the end of the session."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    lines = {name: "%s:%s" % (name, digest(name + ".sesame")) for name in ("ann", "bob", "eve")}
    lines["zoe"] = "zoe:%s:%s" % (digest("zoe.sesame"), soon)
    path = write_secret(t, "tokens", "".join(line + "\n" for line in lines.values()))
    p = t.start(t.config(server=WATCH, r=ASKS) +
                auth("idp", "type = tokens", "file = " + path, "revoked = " + write(t)))
    held = {name: enter(p, name + ".sesame") for name in lines}
    write_secret(t, "tokens", "%s\neve:%s:2020-01-01\nzoe:%s\n" % (
        lines["bob"], digest("eve.sesame"), digest("zoe.sesame")))
    ended(held.pop("ann"))
    ended(held.pop("eve"), "authorisation expired")
    goes_on(*held.values())
    line = p.log.wait("session.end", ending="auth_revoked", identity="ann")[0]
    assert "the file of tokens has the token no more" in line["detail"], line
    p.log.wait("session.end", ending="auth_expired", identity="eve")
    refuse(p, "ann.sesame", "does not have the token")
    write_secret(t, "tokens", "robert:%s\n%s\n" % (digest("bob.sesame"), lines["zoe"]))
    ended(held.pop("bob"))  # the token is somebody else's now
    write(t, "sub:zoe")
    ended(held.pop("zoe"))


@case()
def a_key_goes(t):
    """Sessions of its tokens go on, unless the section says that they end."""
    for word, alg in (("no", "ES256"), ("yes", "ES256"), ("yes", "RS256")):
        p = start(t, keys=(alg,), more=("revoke_on_key_removal = " + word,))
        held = enter(p, token(alg))
        t.write("jwks.json", jwks(jwk(alg), jwk(alg, 1)))
        wait_result(p, 1)
        later = enter(p, token(alg, 1))
        goes_on(held, later)
        # Another key under the old name.
        t.write("jwks.json", jwks(jwk(alg, 2, kid=alg + "-0"), jwk(alg, 1)))
        if word == "no":
            wait_result(p, 2)
            goes_on(held)
            held.end_cleanly()
        else:
            ended(held)
            line = p.log.wait("session.end", ending="auth_revoked")[0]
            assert "the key that has signed the token is gone" in line["detail"], line
        goes_on(later)
        later.end_cleanly()
        refuse(p, token(alg), "signature is wrong")
        p.stop()


@case()
def a_section_goes(t):
    """Its sessions end. A route that asks somebody else, or nobody, keeps those that it has."""
    idp = signed(t, jwk("ES256"))
    box = auth("box", "type = tokens",
               "file = " + write_secret(t, "tokens", "ann:%s\n" % digest("ann.sesame")))
    routes = {"r": ASKS, "b": ASKS.replace("idp", "box")}
    both = t.config(**routes) + idp + box
    p = t.start(both)
    held = enter(p, token())
    ann = enter(p, "ann.sesame", path="/b", **bearer("ann.sesame"))
    nobody = ASKS[:ASKS.index("auth")]
    reload(p, t.config(r=ASKS.replace("idp", "box"), b=nobody) + idp + box)
    goes_on(held, ann)
    reload(p, t.config(r=nobody, b=nobody) + box)
    ended(held)
    line = p.log.wait("session.end", ending="auth_revoked")[0]
    assert "the [auth] section is gone" in line["detail"], line
    goes_on(ann)
    reload(p, t.config(r=nobody, b=nobody) + auth("box", *idp.split("\n")[1:]))
    ended(ann)
    line = p.log.wait("session.end", 2, ending="auth_revoked")[1]
    assert "another type" in line["detail"], line


@case()
def a_new_worker_knows(t):
    p = start(t, server=WATCH + "\nworkers = 1")
    p.may_lose_workers = True
    write(t, "sub:alice")
    wait_result(p, 1)
    os.kill(p.workers()[0], 9)
    p.log.wait("worker.start", 2)
    refuse(p, token(), "subject")
    enter(p, token(sub="bob")).end_cleanly()
