# SPDX-License-Identifier: GPL-3.0-or-later
"""A route that asks for a signed token: a page says it first, a program in a header."""

import time

import examples
import provider
from harness import case, equal
from services import redis
from sessions import end_after_close
from wsclient import BINARY


def start(t):
    return examples.start(t, "jwt.ini", backend="tcp://127.0.0.1:%d" % redis(t),
                          keys=t.write("jwks.json", provider.jwks(provider.jwk("ES256"))))


def page(t, p):
    return p.client("public", context=t.context).open("/cache", origin=examples.ORIGIN)


@case()
def jwt(t):
    """A page speaks with the service behind its token; the service does not get the token."""
    p = start(t)
    c = page(t, p)
    c.text(provider.token())
    c.binary(b"PING\r\n")
    equal(c.recv_message(), (BINARY, b"+PONG\r\n"), "the answer")
    c.end_cleanly()
    c = p.client("public", context=t.context).open("/cache", origin=examples.ORIGIN,
                                                   **provider.bearer(provider.token()))
    c.binary(b"PING\r\n")
    equal(c.recv_message(), (BINARY, b"+PONG\r\n"), "the answer")
    c.end_cleanly()
    for line in p.log.wait("session.end", 2):
        equal((line["ending"], line["auth"], line["identity"]), ("client_close", "users", "alice"),
              "the end")


@case()
def wrong_tokens(t):
    """Forged, expired, for another service, of another role: 1008, and no session."""
    p = start(t)
    for token in (provider.token(which=1), provider.token(exp=int(time.time()) - 3600),
                  provider.token(aud="another"), provider.token(role="guest"), "no token"):
        c = page(t, p)
        c.text(token)
        c.recv_close(1008)
        end_after_close(c, 1008)
    for line in p.log.wait("session.end", 5):
        equal((line["ending"], "backend" in line), ("auth", False), "the end")


@case()
def token_ends(t):
    """The session ends with its token, and says so in the words that the example names."""
    p = start(t)
    c = page(t, p)
    c.text(provider.token(exp=int(time.time()) - 28))  # clocks may differ by 30 s
    reason, _ = c.recv_close(1008)
    assert reason.startswith("authorisation expired"), reason
    end_after_close(c, 1008)
    p.one_end("auth_expired", code=1008)
