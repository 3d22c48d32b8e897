# SPDX-License-Identifier: GPL-3.0-or-later
"""Local Network Access: Chromium asks before a page of a public site reaches a private address. The
page comes from loopback and says of itself that it is public, which Chromium believes. Headless
Chromium shows no question and takes it for a no; the cases answer in its user's place."""

import os
import re

from harness import case, equal
from pages import Page, url_of
from services import ROOT

NAMES = ("local-network-access", "local-network", "loopback-network")
ECHO = """
  return new Promise(resolve => {
    const socket = new WebSocket(args[0]);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = event => { resolve(event.data); socket.close(); };
    socket.onclose = event => resolve(event.code);
  });"""
FETCH = "return fetch(...args).then(answer => answer.status, () => 0);"


def snippet(url):
    with open(os.path.join(ROOT, "config", "README.md"), encoding="utf-8") as file:
        text = file.read().split("\n### Pages of public sites and private addresses\n")[1]
    text = re.search(r"```js\n(.*?)```", text, re.S).group(1)
    assert "wss://gateway.example.com/vnc" in text, text
    return text.replace("wss://gateway.example.com/vnc", url)


def public_page(t):
    """Returns the site, and a page of it that its user has not been asked about."""
    site = t.site(answers={"/public": lambda: (
        site.server.body, {"Content-Security-Policy": "treat-as-public-address"})})
    t.cleanup(lambda: t.browser.devtools("Browser.resetPermissions"))
    t.browser.devtools("Browser.resetPermissions")
    page = Page(t.browser, site)
    t.browser.go(site.origin + "/public")
    return site, page


def answer(t, site, setting):
    """What the user says."""
    for name in NAMES:
        t.browser.devtools("Browser.setPermission", permission={"name": name}, setting=setting,
                           origin=site.origin)


def start(t, origin, keys="local_network = on"):
    return t.gateway(r="origins = %s\nbackend = echo:\n%s" % (origin, keys))


def reaches(t, p):
    """What the documentation's page gets: whether sluice answered, and an echo."""
    return t.browser.run(snippet(url_of(p)) + """
      if (socket === null) return [isReached, null];
      return new Promise(resolve => {
        socket.onopen = () => socket.send("hello");
        socket.onmessage = event => { resolve([isReached, event.data]); socket.close(); };
        socket.onclose = event => resolve([isReached, event.code]);
      });""")


@case()
def the_user_decides(t):
    """Without a yes sluice sees nothing; with one it answers, and the WebSocket opens."""
    site, _ = public_page(t)
    p = start(t, site.origin)
    for setting in (None, "denied"):
        if setting:
            answer(t, site, setting)
        equal(reaches(t, p), [False, None], "the page, %s" % setting)
        equal(t.browser.run(ECHO, url_of(p)), 1006, "a WebSocket alone, %s" % setting)
    equal([end for end in p.ends() if end["ending"] in ("page", "client_close")], [], "requests")
    answer(t, site, "granted")
    equal(reaches(t, p), [True, "hello"], "the page")
    p.log.wait("session.end", ending="page", status="204")
    p.log.wait("session.end", ending="client_close", route="r")


@case()
def plain_listener(t):
    """A page of https reaches ws:// at a private address and at a name that ends in .local; at
    another name it reaches wss:// alone, whatever it said to fetch."""
    site, _ = public_page(t)
    p = start(t, site.origin)
    answer(t, site, "granted")
    url = "http://127.0.0.1:%d/r" % p.ports["plain"][1]
    for options in ({}, {"targetAddressSpace": "loopback"}):
        equal(t.browser.run(FETCH, url, options), 204, "the request with %s" % options)
    equal(t.browser.run(FETCH, url, {"targetAddressSpace": "local"}), 0, "another address space")
    for host in ("127.0.0.1", "localhost", "gateway.local"):
        there = url.replace("127.0.0.1", host)
        equal(t.browser.run(FETCH, there, {}), 204, "the request to " + host)
        equal(t.browser.run(ECHO, there.replace("http", "ws")), "hello", "the echo of " + host)
    named = url.replace("127.0.0.1", "gateway.example")
    equal(t.browser.run(FETCH, named, {}), 0, "a request to a name")
    equal(t.browser.run(FETCH, named, {"targetAddressSpace": "loopback"}), 204, "with the option")
    equal(t.browser.run("try {%s} catch (error) { return error.name; }" % ECHO.replace(
        "return new", "return await new"), named.replace("http", "ws")), "SecurityError",
          "a WebSocket to a name")
    equal(t.browser.run(ECHO, url_of(p).replace("127.0.0.1", "gateway.example")), "hello",
          "the same over TLS")


@case()
def a_preflight(t):
    """A request that needs a preflight first gets it answered."""
    site, _ = public_page(t)
    p = start(t, site.origin)
    answer(t, site, "granted")
    url = url_of(p).replace("wss", "https")
    equal(t.browser.run(FETCH, url, {"headers": {"X-Page": "1"}}), 204, "with a header")
    p.log.wait("session.end", 2, ending="page", status="204")
    equal(t.browser.run(FETCH, url, {"method": "PUT"}), 0, "another method")


@case()
def not_for_others(t):
    """A page of another origin reads nothing, and neither does one where the key is not set."""
    site, _ = public_page(t)
    answer(t, site, "granted")
    for origin, keys in (("https://app.example.com", "local_network = on"), (site.origin, "")):
        p = start(t, origin, keys)
        equal(t.browser.run(FETCH, url_of(p).replace("wss", "https"), {}), 0, "the request")
        p.one_end("bad_request", status=426)
        p.stop()
