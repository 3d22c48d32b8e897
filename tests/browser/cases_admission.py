# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in: pages of different origins, and the subprotocols that they may speak."""

from harness import case, equal
from pages import ECHO, start, url_of, wants_close, without_id

REFUSED = "origin not allowed"


def gets_in(page, url, *protocols):
    """Makes an echo through the gateway. Returns the chosen subprotocol."""
    probe = page.dial(url, *protocols)
    result = probe.opened()
    equal(result["opened"], True, "opened")
    probe.do("sendText", "hello")
    equal(probe.do("takeText", 5), "hello", "the echo")
    probe.do("close", 1000)
    wants_close(probe, 1000, "", protocol=result["protocol"])
    return result["protocol"]


@case()
def two_origins(t):
    """The same page comes from two ports: the gateway refuses the one that is not in the list."""
    good, other = t.site(), t.site()
    backend = t.backend()
    p = t.gateway(r="origins = %s\nsubprotocols = binary\nbackend = %s" % (
        good.origin, backend.url))
    refused = t.page(other).dial(url_of(p), "binary")
    wants_close(refused, 1008, REFUSED, protocol="binary")
    p.one_end("origin", code=1008, status=101)
    backend.expect_not_dialled()
    probe = t.page(good).dial(url_of(p), "binary")
    peer = backend.accept()
    equal(probe.opened()["protocol"], "binary", "the protocol")
    probe.do("sendText", "hello")
    peer.expect(b"hello")
    peer.send(b"welcome")
    equal(probe.do("takeText", 7), "welcome", "the answer")


@case()
def http_is_not_https(t):
    """The same host and port without TLS is another origin."""
    site = t.site(is_tls=False)
    p = t.gateway(r="%s\norigins = %s" % (ECHO, site.origin.replace("http:", "https:")),
                  s="%s\norigins = %s" % (ECHO, site.origin))
    page = t.page(site)
    wants_close(page.dial(url_of(p)), 1008, REFUSED)
    gets_in(page, url_of(p, "/s"))


@case()
def same_origin_only(t):
    """With the default, a page from another port is a stranger."""
    p = t.gateway(r=ECHO)
    wants_close(t.page().dial(url_of(p)), 1008, REFUSED)


@case()
def sandboxed_frame(t):
    """A sandboxed frame has the origin null, which `same` and the page's origin keep out."""
    site = t.site()
    p = t.gateway(r=ECHO, page="%s\norigins = %s" % (ECHO, site.origin),
                  null=ECHO + "\norigins = null")
    page = t.page(site)
    for path in ("/r", "/page"):
        end = page.call("sandboxed", url_of(p, path), [])
        end["reason"] = without_id(end["reason"], REFUSED)
        equal(end, {"opened": True, "code": 1008, "reason": REFUSED, "wasClean": True}, path)
    equal(page.call("sandboxed", url_of(p, "/null"), []),
          {"opened": True, "code": 1000, "reason": "", "wasClean": True}, "/null")
    wants_close(page.dial(url_of(p, "/null")), 1008, REFUSED)


@case()
def subprotocols_without_list(t):
    """The gateway takes the page's first offer: a page gives up when none is taken."""
    _, page, url = start(t, ECHO)
    equal(gets_in(page, url), "", "the protocol for no offer")
    equal(gets_in(page, url, "one"), "one", "the protocol for one")
    equal(gets_in(page, url, "c", "a", "b"), "c", "the protocol for three")


@case()
def subprotocols_with_list(t):
    """The route's order decides. Without a match the gateway refuses, and the page sees why."""
    _, page, url = start(t, ECHO + "\nsubprotocols = binary, base64")
    equal(gets_in(page, url, "base64", "binary"), "binary", "the protocol")
    equal(gets_in(page, url, "mqtt", "base64"), "base64", "the protocol")
    reason = "no acceptable subprotocol"
    wants_close(page.dial(url, "mqtt", "stomp"), 1008, reason, protocol="mqtt")
    wants_close(page.dial(url, "Binary"), 1008, reason, protocol="Binary")
    wants_close(page.dial(url), 1008, reason)


@case()
def no_such_route(t):
    p, page, url = start(t, ECHO)
    for path in ("/", "/R", "/r/", "/nowhere?x=1"):
        wants_close(page.dial(url_of(p, path), "binary"), 1008, "no such route", protocol="binary")
    gets_in(page, url + "?x=1")


@case()
def address_not_allowed(t):
    _, page, url = start(t, ECHO + "\ndeny = 127.0.0.0/8")
    wants_close(page.dial(url), 1008, "address not allowed")


@case()
def plain_from_loopback(t):
    """A page without TLS uses a listener without TLS."""
    p = t.gateway(defaults="origins = *", r=ECHO)
    page = t.page(t.site(is_tls=False))
    equal(gets_in(page, "ws://127.0.0.1:%d/r" % p.ports["plain"][1], "binary"), "binary",
          "the protocol")
