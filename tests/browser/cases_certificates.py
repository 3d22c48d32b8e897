# SPDX-License-Identifier: GPL-3.0-or-later
"""A page in a Chromium with a client's certificate, and in one without. Chromium asks nobody for a
certificate when a WebSocket needs one: it breaks off, until another request to the same host and
port has settled which certificate, or none, it shows there."""

import os
import re

import provider
from clientcerts import World
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from harness import Skip, case, equal
from pages import without_id
from services import ROOT
from webdriver import CertifiedBrowser

ECHO = """
  return new Promise(resolve => {
    socket.onopen = () => socket.send("hello");
    socket.onmessage = event => { resolve(event.data); socket.close(); };
    socket.onclose = event => resolve([event.code, event.reason]);
  });"""


def dial(browser, p, has_asked):
    """What config/README.md says that a page does; or only the second half of it."""
    with open(os.path.join(ROOT, "config", "README.md"), encoding="utf-8") as file:
        text = file.read().split("\n### Clients with certificates\n")[1]
    lines = re.search(r"```js\n(.*?)```", text, re.S).group(1).strip().splitlines()
    equal(len(lines), 2, "lines of the snippet")
    code = "\n".join(lines if has_asked else lines[1:])
    return browser.run(code.replace("gateway.example.com:9443", "127.0.0.1:%d" % p.ports["tls"][1])
                       .replace("/arm", "/r") + ECHO)


def start(t, w, site, mode):
    section = provider.auth("people", "type = certificate", "names = email:*@example.com")
    return t.start(t.config(tls=w.tls(mode), r="origins = %s\nbackend = echo:\nauth = people"
                            % site.origin) + section)


@case(timeout=120)
def shown(t):
    if os.geteuid() != 0:
        raise Skip("needs root, for a policy of Chromium")
    w, site = World(t), t.site()
    certificate, key = w.client("alice", names=("alice@example.com",))
    path = t.write("alice.p12", pkcs12.serialize_key_and_certificates(
        b"alice", key, certificate, None, serialization.NoEncryption()))
    p = start(t, w, site, "required")
    browser = CertifiedBrowser(t, path)
    browser.go(site.origin + "/")
    equal(dial(browser, p, False), [1006, ""], "a WebSocket alone")
    equal(dial(browser, p, True), "hello", "the echo behind a request")
    equal(dial(browser, p, False), "hello", "the echo of the next one")
    browser.go("about:blank")
    p.log.wait("session.end", 2, ending="client_close", identity="email:alice@example.com",
               tls_client="cn:alice")


@case()
def none(t):
    """With `optional` the page reads why; with `required` it learns nothing but 1006."""
    w, site = World(t), t.site()
    page = t.page(site)
    p = start(t, w, site, "optional")
    equal(dial(page.browser, p, False), [1006, ""], "a WebSocket alone")
    for mode, code, reason in (("optional", 1008, "not authorised"), ("required", 1006, "")):
        p = start(t, w, site, mode)
        got = dial(page.browser, p, True)
        equal([got[0], without_id(got[1], reason)], [code, reason], mode)
    p.log.wait("session.end", ending="tls_failed", detail="no certificate was shown")
