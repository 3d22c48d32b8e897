# SPDX-License-Identifier: GPL-3.0-or-later
"""A page says who it is, by the snippets of config/README.md, with tokens of an identity
provider."""

import json
import os
import re
import time

import provider
from harness import case, equal
from pages import HERE, Handler, Site, url_of

README = os.path.join(os.path.dirname(os.path.dirname(HERE)), "config/README.md")
GATEWAY = "wss://gateway.example.com/vnc"
ROUTE = ("origins = %s\nbackend = echo:\nauth = idp\n"
         "auth_from = cookie:__Host-session, subprotocol, query:ticket")
# What becomes of the socket of a snippet.
ECHO = """
    return new Promise(resolve => {
      socket.addEventListener("open", () => socket.send("hello"));
      socket.addEventListener("message", event =>
        resolve({got: event.data, protocol: socket.protocol}));
      socket.addEventListener("close", event => resolve([event.code, event.reason]));
    });"""


class Login(Handler):
    """GET /login?seconds=N gives the page a token, and the browser a cookie with it."""

    def do_GET(self):
        if not self.path.startswith("/login"):
            return super().do_GET()
        seconds = int(self.path.partition("seconds=")[2] or 3600)
        token = provider.token("ES256", exp=int(time.time()) + seconds)
        body = json.dumps(token).encode()
        self.send_response(200)
        if "cookie" in self.path:
            self.send_header("Set-Cookie", self.server.cookie.replace("TOKEN", token))
        if "forget" in self.path:
            self.send_header("Set-Cookie", self.server.cookie + "; Max-Age=0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def section():
    with open(README, encoding="utf-8") as file:
        return file.read().partition("## Saying who one is\n")[2].partition("\n## ")[0]


def snippet(place, kind="js"):
    """The first block of code behind the paragraph about this place."""
    text = section()
    return re.search(r"```%s\n(.*?)```" % kind, text[text.index(place):], re.S).group(1)


def begin(t):
    """Returns the program, and what runs a snippet in a page of the provider's."""
    site = Site(*t.certificate())
    t.cleanup(site.close)
    site.server.RequestHandlerClass = Login
    site.server.cookie = snippet("**A cookie**", "").strip().removeprefix("Set-Cookie: ")
    p = t.start(t.config(r=ROUTE % site.origin) + provider.signed(
        t, provider.jwk("ES256"), more=["leeway = 0"]))
    page = t.page(site)

    def run(code, *arguments):
        return page.browser.run(code.replace(GATEWAY, url_of(p)), *arguments)
    return p, run


def login(run, query=""):
    return run("return fetch('/login?%s').then(answer => answer.json());" % query)


@case()
def by_subprotocol(t):
    """The page gets the real subprotocol; with a forged token it learns that it may not."""
    p, run = begin(t)
    token = login(run)
    code = "const TOKEN = args[0];" + snippet("**A subprotocol**") + ECHO
    equal(run(code, token), {"got": "hello", "protocol": "binary"}, "the session")
    forged = provider.by_hand({"alg": "ES256", "kid": "ES256-0"}, provider.claims(sub="root"),
                              provider.signer("ES256", 1))
    equal(run(code, forged), [1008, "not authorised"], "the refusal")
    p.log.wait("session.end", ending="auth")
    assert not p.log.find("session.end", identity="root")


@case()
def by_cookie(t):
    """The login sets it; before, and after it is gone, the page is refused."""
    p, run = begin(t)
    code = snippet("**A cookie**") + ECHO
    equal(run(code), [1008, "not authorised"], "the refusal")
    login(run, "cookie")
    equal(run(code), {"got": "hello", "protocol": ""}, "the session")
    equal(run("return document.cookie;"), "", "what the page can read")
    login(run, "forget")
    equal(run(code), [1008, "not authorised"], "the refusal without it")


@case()
def by_query(t):
    p, run = begin(t)
    code = "const TOKEN = args[0];" + snippet("**The query**") + ECHO
    equal(run(code, login(run)), {"got": "hello", "protocol": ""}, "the session")
    equal(run(code, "a ticket + that is none"), [1008, "not authorised"], "the refusal")


@case()
def a_new_token(t):
    """The session ends with its token, and the page comes back with another one."""
    p, run = begin(t)
    listener = snippet("When the\ntime of the token is over")
    code = """
      const open = TOKEN => { %s return socket; };
      return new Promise(async (resolve) => {
        const connectWithNewToken = async () => {
          const again = open(await fetch('/login').then(answer => answer.json()));
          again.addEventListener("open", () => again.send("back"));
          again.addEventListener("message", event => resolve(event.data));
        };
        const socket = open(args[0]);
        %s
      });""" % (snippet("**A subprotocol**"), listener)
    equal(run(code, login(run, "seconds=2")), "back", "the echo of the second session")
    end = p.log.wait("session.end", ending="auth_expired")[0]
    equal((end["code"], end["client_code"], end["identity"]), ("1008", "1008", "alice"), "the end")
