# SPDX-License-Identifier: GPL-3.0-or-later
"""Reloads between a request and the proof of who it is: what has been taken back opens nothing."""

from cases_basic import SLOW, basic, closed, openssl
from harness import case, equal
from processes import echo
from provider import auth, digest, write_secret
from reloads import reload
from wsclient import FIN

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
    c = begin_page(p, basic("ann", "secret"))
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
