# SPDX-License-Identifier: GPL-3.0-or-later
"""A page in a Chromium with a client's certificate, and in one without. Chromium asks nobody for a
certificate when a WebSocket needs one: it breaks off, until another request to the same host and
port has settled which certificate, or none, it shows there."""

import os

import provider
from clientcerts import World
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from harness import Skip, case, equal
from pages import url_of, without_id
from webdriver import CertifiedBrowser

CODE = """
  if (args[1])
    await fetch(args[0].replace("wss:", "https:"), {mode: "no-cors", credentials: "include"})
      .catch(() => {});
  return new Promise(resolve => {
    const socket = new WebSocket(args[0]);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = event => { resolve(event.data); socket.close(); };
    socket.onclose = event => resolve([event.code, event.reason]);
  });"""


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
    equal(browser.run(CODE, url_of(p), False), [1006, ""], "a WebSocket alone")
    equal(browser.run(CODE, url_of(p), True), "hello", "the echo behind a request")
    equal(browser.run(CODE, url_of(p), False), "hello", "the echo of the next one")
    browser.go("about:blank")
    p.log.wait("session.end", 2, ending="client_close", identity="email:alice@example.com",
               tls_client="cn:alice")


@case()
def none(t):
    """With `optional` the page reads why; with `required` it learns nothing but 1006."""
    w, site = World(t), t.site()
    page = t.page(site)
    p = start(t, w, site, "optional")
    equal(page.browser.run(CODE, url_of(p), False), [1006, ""], "a WebSocket alone")
    for mode, code, reason in (("optional", 1008, "not authorised"), ("required", 1006, "")):
        p = start(t, w, site, mode)
        got = page.browser.run(CODE, url_of(p), True)
        equal([got[0], without_id(got[1], reason)], [code, reason], mode)
    p.log.wait("session.end", ending="tls_failed", detail="no certificate was shown")
