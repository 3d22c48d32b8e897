# SPDX-License-Identifier: GPL-3.0-or-later
"""A page logs in: a small identity provider signs its token, and config/README.md says what the
page does with it. The cases run the snippets that stand there."""

import hashlib
import os
import re
import subprocess
import time

import fronts
import provider
from harness import case, equal, free_port
from pages import ECHO, HERE, Page, Probe, url_of, wants_close
from services import ROOT

URL = "wss://gateway.example.com/vnc"
PLACES = {"cookie": "cookie:__Host-session", "subprotocol": "subprotocol",
          "first": "first_message", "query": "query:ticket"}
TITLES = {"cookie": "A cookie", "subprotocol": "A subprotocol", "first": "The first message",
          "query": "The query"}


def section():
    with open(os.path.join(ROOT, "config", "README.md"), encoding="utf-8") as file:
        return file.read().split("\n## Saying who one is\n")[1].split("\n## ")[0]


def block(text, language):
    return re.search(r"```%s\n(.*?)```" % language, text, re.S).group(1)


def snippet(place, url):
    """What the page does for this place of auth_from."""
    text = block(section().split("**%s**" % TITLES[place])[1], "js")
    assert URL in text, text
    return text.replace(URL, url)


def reconnecting():
    return block(section().split("A page learns of a refusal")[1], "js")


class Login:
    """The identity provider of a page: /token signs a token for `seconds`, /login makes a cookie of
    one. A forged token is signed with a key that nobody has published."""

    def __init__(self, t, alg):
        self.alg = alg
        header = re.search(r"Set-Cookie: (.*)", section()).group(1)
        self.site = t.site(answers={
            "/token": lambda **query: (self.sign(**query).encode(), {}),
            "/login": lambda **query: (b"in", {
                "Set-Cookie": header.replace("TOKEN", self.sign(**query))}),
            "/logout": lambda: (b"out", {"Set-Cookie": header + "; Max-Age=0"}),
        })

    def sign(self, seconds="3600", forged=""):
        exp = int(time.time()) + int(seconds)
        if not forged:
            return provider.token(self.alg, exp=exp)
        return provider.token("ES256", 1, {"kid": "ES256-0"}, exp=exp)


def start(t, backend=None, alg="ES256"):
    """A route for each place of auth_from. Returns (program, provider, page)."""
    login = Login(t, alg)
    more = provider.signed(t, provider.jwk("ES256"), more=["leeway = 0"])
    if alg == "HS256":
        more = provider.auth(
            "idp", "type = jwt", "algorithms = HS256", "leeway = 0", "secret_file = "
            + provider.write_secret(t, "secret", provider.SECRET + "\n"),
            "issuer = " + provider.ISSUER, "audience = " + provider.AUDIENCE)
    routes = {name: "%s\norigins = %s\nauth = idp\nauth_from = %s" % (
        "backend = " + backend.url if backend else ECHO, login.site.origin, place)
        for name, place in PLACES.items()}
    p = t.start(t.config(**routes) + more)
    return p, login, t.page(login.site)


def dial(page, p, place, query=""):
    """Logs in and runs the snippet."""
    if place == "cookie":
        equal(page.call("get", "/login?" + query), "in", "login")
    token = page.call("get", "/token?" + query) if place != "cookie" else None
    return Probe(page, page.call("snippet", snippet(place, url_of(p, "/" + place)), token))


@case(rows=[(alg, alg) for alg in ("ES256", "HS256")])
def each_place(t, alg):
    """The page gets in by each place; the program names who it is."""
    p, _, page = start(t, alg=alg)
    for place in PLACES:
        probe = dial(page, p, place)
        result = probe.opened()
        protocol = "binary" if place == "subprotocol" else ""
        equal((result["opened"], result["protocol"]), (True, protocol), place)
        probe.do("sendText", "hello")
        equal(probe.do("takeText", 5), "hello", place)
        probe.do("close", 1000)
        wants_close(probe, 1000, "", protocol=protocol)
    lines = p.log.wait("session.end", len(PLACES))
    equal({(e["ending"], e["identity"]) for e in lines}, {("client_close", "alice")}, "ends")


@case()
def a_cookie_that_goes(t):
    """The page cannot read the token; once the cookie is gone, nothing holds any more."""
    p, _, page = start(t)
    dial(page, p, "cookie").opened()
    equal(page.browser.run("return document.cookie;"), "", "what the page can read")
    page.call("get", "/logout")
    wants_close(page.dial(url_of(p, "/cookie")), 1008, "not authorised")


@case()
def forged(t):
    """Signed by somebody else: the page sees 1008, and no more."""
    backend = t.backend()
    p, _, page = start(t, backend)
    for place in PLACES:
        probe = dial(page, p, place, "forged=yes")
        wants_close(probe, 1008, "not authorised",
                    protocol="binary" if place == "subprotocol" else "")
    lines = p.log.wait("session.end", len(PLACES))
    equal({(e["ending"], e["detail"]) for e in lines},
          {("auth", lines[0]["detail"])}, "ends")
    assert "signature" in lines[0]["detail"], lines[0]
    backend.expect_not_dialled()


@case()
def no_token(t):
    """A page that nobody has told what to do, and one that forgets its first message."""
    p, _, page = start(t)
    for place in ("cookie", "subprotocol", "query"):
        wants_close(page.dial(url_of(p, "/" + place), "binary"), 1008, "not authorised",
                    protocol="binary")
    probe = page.dial(url_of(p, "/first"))
    probe.opened()
    probe.do("sendText", "hello")
    wants_close(probe, 1008, "not authorised")


@case()
def tickets(t):
    """The page asks for a ticket each time it connects. A ticket that somebody has seen opens
    nothing; a page may use its own again only within the window."""
    with open(os.path.join(ROOT, "config", "README.md"), encoding="utf-8") as file:
        text = block(file.read().split("\n### Tickets\n")[1], "js")
    given = []

    def give():
        given.append(provider.token(jti="ticket-%d" % len(given), exp=int(time.time()) + 300))
        return given[-1].encode(), {}
    site = t.site(answers={"/ticket": give})
    section = provider.signed(t, provider.jwk("ES256"), more=["single_use = yes"])
    p = t.start(t.config(r="%s\norigins = %s\nauth = idp\nauth_from = query:ticket" % (
        ECHO, site.origin)) + section)
    page = t.page(site)
    assert URL in text, text
    for number in range(2):
        probe = Probe(page, page.call("connecting", text.replace(URL, url_of(p, "/r"))))
        equal(probe.opened()["opened"], True, "ticket %d" % number)
        probe.do("sendText", "hello")
        equal(probe.do("takeText", 5), "hello", "echo")
        wants_close(page.dial(url_of(p, "/r?ticket=" + given[number])), 1008, "not authorised")
        probe.do("close", 1000)
        wants_close(probe, 1000, "")
    equal(len(given), 2, "tickets")


@case()
def sends_on_at_once(t):
    """Behind its first message a page does not wait: the service gets all in order, no token."""
    backend = t.backend()
    p, _, page = start(t, backend)
    probe = dial(page, p, "first")
    probe.opened()
    probe.do("sendText", "one")
    digest = probe.do("sendRandom", 100000, 3)
    peer = backend.accept()
    peer.expect(b"one")
    got = peer.recv(300000)
    equal(hashlib.sha256(got).hexdigest(), digest, "what the service got")
    peer.send(b"welcome")
    equal(probe.do("takeText", 7), "welcome", "the answer")
    probe.do("close", 1000)
    peer.expect_fin()
    peer.fin()
    wants_close(probe, 1000, "")


@case(rows=[(place, place) for place in ("cookie", "subprotocol", "first")])
def ends_with_the_token(t, place):
    """At exp the page sees 1008, gets a new token as the snippet says, and is in again."""
    p, _, page = start(t)
    url = url_of(p, "/" + place)
    probe = dial(page, p, place, "seconds=2")
    equal(probe.opened()["opened"], True, place)
    if place == "cookie":
        page.call("get", "/login")
    protocol = "binary" if place == "subprotocol" else ""
    number = probe.do("reconnect", reconnecting(), snippet(place, url), "seconds=3600")
    assert number is not None, "the page did not connect again"
    wants_close(probe, 1008, "authorisation expired", protocol=protocol)
    probe = Probe(page, number)
    equal(probe.opened()["opened"], True, place)
    probe.do("sendText", "hello")
    equal(probe.do("takeText", 5), "hello", place)
    probe.do("close", 1000)
    wants_close(probe, 1000, "", protocol=protocol)
    endings = [e["ending"] for e in p.log.wait("session.end", 2)]
    equal(sorted(endings), ["auth_expired", "client_close"], "endings")


class Front:
    """nginx serves the page to whoever knows the password, and has sluice behind the same port."""

    def __init__(self, t, p, port, file):
        self.origin = "https://alice:sesame@127.0.0.1:%d" % port
        certificate, key = t.certificate()
        own = "listen 127.0.0.1:%d ssl;\n    ssl_certificate %s;\n    ssl_certificate_key %s;\n" \
            "    location = / { root %s; index page.html;\n" \
            "        auth_basic x; auth_basic_user_file %s; }\n" \
            "    location = /page.html { root %s; default_type text/html; }\n"
        text = fronts.snippet("proxy_add_x_forwarded_for", {
            "listen 443 ssl;": own % (port, certificate, key, HERE, file, HERE),
            "127.0.0.1:8080": "127.0.0.1:%d" % p.ports["plain"][1],
            "    ssl_certificate /etc/nginx/gateway.pem;\n": "",
            "    ssl_certificate_key /etc/nginx/gateway.key;\n": ""})
        fronts.nginx(t, fronts.http_block(t, text), port)


@case()
def a_password(t):
    """A page that its user has given the password for, and one that nobody was asked about."""
    port = free_port()
    file = provider.write_secret(t, "htpasswd", "alice:" + subprocess.check_output(
        ["openssl", "passwd", "-6", "sesame"], text=True))
    site = t.site()
    keys = "origins = https://127.0.0.1:%d, %s\nauth = people\n%s" % (port, site.origin, ECHO)
    p = t.start(t.config(r=keys, http=keys + "\non_refuse = http")
                + provider.auth("people", "type = basic", "file = " + file))
    front = Front(t, p, port, file)
    page = Page(t.browser, site)
    wants_close(page.dial(url_of(p)), 1008, "not authorised")
    wants_close(page.dial(url_of(p, "/http")), 1006, "", was_clean=False)
    page = Page(t.browser, front)
    probe = page.dial("wss://127.0.0.1:%d/r" % port)
    equal(probe.opened()["opened"], True, "the page that knows the password")
    probe.do("sendText", "hello")
    equal(probe.do("takeText", 5), "hello", "the echo")
    probe.do("close", 1000)
    wants_close(probe, 1000, "")
    p.log.wait("session.end", ending="client_close", identity="alice")
