# SPDX-License-Identifier: GPL-3.0-or-later
"""Reloads between a request and the proof of who it is: what has been taken back opens nothing."""

from cases_basic import SLOW, basic, closed, hasher, openssl
from clientcerts import World
from floods import cpu_seconds
from harness import case, equal, wait_until
from processes import echo
from provider import auth, digest, jwk, jwks, signed, token, write_secret
from reloads import reload
from wsclient import FIN
from zoo import PEM, revocations

TOKEN = "Tr0ub4dor-and-3-sesame"
AUTH_LATER = "first_message, basic"


def route(t, auths, auth_from, *sections):
    return t.config(r="origins = https://a.example\nbackend = echo:\nauth = %s\nauth_from = %s\n"
                    % (auths, auth_from)) + "".join(sections)


def tokens(t):
    return auth("box", "type = tokens",
                "file = " + write_secret(t, "tokens", "alice:%s\n" % digest(TOKEN)))


def people(t, line, name="people"):
    return auth(name, "type = basic", "file = " + write_secret(t, name, line + "\n"))


def refused(p, c, detail):
    reason, _ = c.recv_close(1008)
    equal(reason, "not authorised", "the reason")
    c.close(1008)
    c.wire.finish()
    c.recv_end(FIN)
    p.log.wait("session.end", ending="auth", detail=detail)


def begin_page(p, user):
    c = p.client("plain")
    c.send_raw(c.request("/r", **page(**user)))
    return c


def begin_slow_page(p):
    """Returns while the password is checked, which takes a quarter of a second."""
    pids = [hasher(p)]
    before = cpu_seconds(pids)
    c = begin_page(p, basic("ann", "secret"))
    wait_until(lambda: cpu_seconds(pids) > before + 0.002, "the password to be checked")
    return c


def page(**request):
    return {"origin": "https://a.example", **request}


@case()
def a_password_more(t):
    """The route asks for a password, too, when the token comes: nobody has looked at that of the
    request, right or wrong."""
    for user in (basic("ann", "secret"), basic("ann", "wrong"), {}):
        p = t.start(route(t, "box", "first_message", tokens(t)))
        c = p.client("plain").open("/r", **page(**user))
        t.write("sluice-%d.ini" % (len(t.programs) - 1), route(
            t, "box, people", AUTH_LATER, tokens(t), people(t, openssl("ann", "secret", "-5"))))
        reload(p)
        c.text(TOKEN)
        refused(p, c, "a reload brought a password, which nobody has asked about" if user
                else "the request has no user and password (Authorization: Basic)")
        p.stop()


@case()
def a_token_and_a_password(t):
    """A route that asks for both, in either order: the password first, then the first message."""
    line = openssl("ann", "secret", "-5")
    for auths in ("box, people", "people, box"):
        p = t.start(route(t, auths, AUTH_LATER, tokens(t), people(t, line)))
        for user in (basic("ann", "wrong"), {}):
            equal(closed(begin_page(p, user), 1008), "not authorised", "the reason")
        c = p.client("plain").open("/r", **page(**basic("ann", "secret")))
        c.text("another")
        refused(p, c, "the file of tokens does not have the token")
        c = p.client("plain").open("/r", **page(**basic("ann", "secret")))
        c.text(TOKEN)
        echo(c)
        c.end_cleanly()
        p.stop()


@case()
def the_route_is_gone(t):
    p = t.start(route(t, "box", "first_message", tokens(t)))
    c = p.client("plain").open("/r", **page())
    reload(p, t.config(o="origins = *\nbackend = echo:"))
    c.text(TOKEN)
    refused(p, c, "a reload took the route away")


@case(rows=[("another file", "people"), ("another section", "others")])
def another_password(t, name):
    """A password that was right before the reload, while it is checked and behind it."""
    other = openssl("ann", "other", "-5")
    p = t.start(route(t, "people", "basic", people(t, SLOW)))
    c = begin_slow_page(p)
    reload(p, route(t, name, "basic", people(t, other, name)))
    equal(closed(c, 1008), "not authorised", "the reason")
    p.log.wait("session.end", detail="a reload took the user or the password away")
    p.stop()


@case(rows=[("another file", "people"), ("another section", "others")])
def another_password_before_the_token(t, name):
    other = openssl("ann", "other", "-5")
    p = t.start(route(t, "box, people", AUTH_LATER, tokens(t),
                      people(t, openssl("ann", "secret", "-5"))))
    c = p.client("plain").open("/r", **page(**basic("ann", "secret")))
    reload(p, route(t, "box, " + name, AUTH_LATER, tokens(t), people(t, other, name)))
    c.text(TOKEN)
    refused(p, c, "a reload took the user or the password away")


ASKS = "origins = *\nbackend = echo:\nauth = %s\nauth_from = first_message\n"

STANDS = "stands in the file of what is revoked"

SIGNED = [
    ("its_key_goes", lambda t: t.write("jwks.json", jwks(jwk("ES256", 1))),
     "no key with the token's alg has the token's kid"),
    ("jti", lambda t: write_secret(t, "gone", "jti:one\n"), "the jti of the token " + STANDS),
    ("sub", lambda t: write_secret(t, "gone", "sub:alice\n"), "the subject " + STANDS),
    ("kid", lambda t: write_secret(t, "gone", "kid:ES256-0\n"),
     "the kid of the token's key " + STANDS),
]


@case(rows=SIGNED)
def a_signed_token(t, take_back, detail):
    p = t.start(t.config(r=ASKS % "idp") + signed(
        t, jwk("ES256"), more=["revoked = " + write_secret(t, "gone", "# nobody\n")]))
    c = p.client("plain").open("/r", **page())
    take_back(t)
    reload(p)
    c.text(token(jti="one"))
    refused(p, c, detail)


@case()
def a_listed_token(t):
    """Its line goes; its section becomes another one's."""
    p = t.start(route(t, "box", "first_message", tokens(t)))
    clients = [p.client("plain").open("/r", **page()) for _ in range(2)]
    write_secret(t, "tokens", "bob:%s\n" % digest("another"))
    reload(p)
    clients[0].text(TOKEN)
    refused(p, clients[0], "the file of tokens does not have the token")
    reload(p, t.config(r=ASKS % "box") + auth("box", *signed(t, jwk("ES256")).split("\n")[1:]))
    clients[1].text(TOKEN)
    refused(p, clients[1], "the token is no JWT: it has not three parts with dots between them")


@case(rows=[("names", True), ("list", False)])
def a_certificate(t, is_name):
    """Whoever has still to send the token hears at once that the certificate lets nobody in."""
    w = World(t)
    names = auth("robots", "type = certificate", "names = cn:arm")

    crl = w.file("robots.crl", revocations(w.root).public_bytes(PEM))
    arm = w.client("arm")
    text = t.config(r=ASKS % "box, robots", tls=w.tls("required", crl=crl)) + tokens(t) + names
    p = t.start(text)
    c = p.client("tls", context=w.context(arm)).open("/r", **page())
    if not is_name:
        w.file("robots.crl", revocations(w.root, arm).public_bytes(PEM))
    reload(p, text.replace("cn:arm", "cn:leg" if is_name else "cn:arm"))
    equal(c.recv_close(1008)[0], "authorisation revoked", "the reason")
    c.close(1008)
    c.wire.finish()
    line = p.one_end("auth_revoked", phase="token")
    assert ("none of the names" if is_name else "certificate is revoked") in line["detail"], line


@case()
def a_revoked_user(t):
    """The password is right, and still being checked when the user is taken back."""
    section = people(t, SLOW) + "revoked = %s\n" % write_secret(t, "gone", "# nobody\n")
    p = t.start(route(t, "people", "basic", section))
    c = begin_slow_page(p)
    write_secret(t, "gone", "sub:ann\n")
    reload(p)
    equal(closed(c, 1008), "not authorised", "the reason")
    p.log.wait("session.end", ending="auth",
               detail="the subject " + STANDS)


@case()
def a_limit_that_comes_meanwhile(t):
    """How many sessions one identity may have, the configuration in force says, over all
    workers."""
    keys = {"server": "workers = 4"}
    p = t.start(t.config(r=ASKS % "box", **keys) + tokens(t))
    waiting = [p.client("plain").open("/r", **page()) for _ in range(8)]
    waiting[0].text(TOKEN)
    echo(waiting[0])
    reload(p, t.config(r=ASKS % "box" + "max_sessions_per_identity = 3\n", **keys) + tokens(t))
    for c in waiting[1:3]:
        c.text(TOKEN)
        echo(c)
    for c in waiting[3:6]:
        c.text(TOKEN)
        c.recv_close(1013)
        c.close(1013)
    p.log.wait("session.end", 3, ending="limit_source", detail="max_sessions_per_identity")
    waiting[0].end_cleanly()
    p.log.wait("session.end", ending="client_close")
    waiting[6].text(TOKEN)
    echo(waiting[6])
