# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients who prove by a certificate who they are: names, routes, what ends their sessions."""

import re
import time

from clientcerts import World
from cryptography.hazmat.primitives import hashes
from harness import TLS12, TLS13, case, equal
from provider import auth, bearer, digest, write_secret
from reloads import reload, wait_result
from wsclient import BINARY, FIN
from zoo import DER, PEM, pem, revocations

ROUTE = "origins = *\nbackend = echo:\nauth = robots"


def start(t, w, names=None, mode="required", server="", crl=None, more="", **routes):
    section = auth("robots", "type = certificate", *(["names = " + names] if names else []))
    routes = routes or {"r": ROUTE}
    return t.start(t.config(server=server, tls=w.tls(mode, crl=crl), **routes) + section + more)


def enter(p, w, pair, *chain, path="/r", listen="tls", version=None, **request):
    context = w.context(pair, *chain, version=version)
    options = {"context": context} if listen == "tls" else {}
    c = p.client(listen, **options).open(path, **request)
    c.binary(b"hello")
    equal(c.recv_message(), (BINARY, b"hello"), "echo")
    return c


def refused(p, w, pair, path="/r", listen="tls", **request):
    """The page reads why: the handshake is good, and the Close says so."""
    options = {"context": w.context(pair)} if listen == "tls" else {}
    c = p.client(listen, **options).open(path, **request)
    c.recv_close(1008, "not authorised")
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()


NAMES = [
    ("dns", "dns:arm7.robots.example", ["arm7.robots.example"], True),
    ("dns_group", "dns:*.robots.example", ["x.test", "Arm7.robots.example"], True),
    ("dns_deeper", "dns:*.robots.example", ["a.arm7.robots.example", "robots.example"], False),
    ("dns_wildcard_in_it", "dns:*.robots.example", ["*.robots.example"], False),
    ("email", "email:al@example.com", ["al@example.com"], True),
    ("email_group", "email:*@example.com", ["bo@example.com"], True),
    ("email_elsewhere", "email:*@example.com", ["bo@example.com.evil.test"], False),
    ("uri", "uri:spiffe://prod/ns/web", ["spiffe://prod/ns/web"], True),
    ("uri_group", "uri:spiffe://prod/ns/*", ["spiffe://prod/ns/web/1"], True),
    ("uri_up", "uri:spiffe://prod/ns/*", ["spiffe://prod/ns/../admin"], False),
    ("ip", "ip:10.0.0.5", ["10.0.0.5"], True),
    ("ip_as_text", "dns:10.0.0.5", ["10.0.0.5"], None),
    ("cn", "cn:arm seven", [], True),
    ("cn_is_no_dns", "dns:arm.example", [], False),
    ("several", "cn:nobody, email:al@example.com, dns:*.test", ["x.test"], True),
]


@case(rows=NAMES)
def names(t, patterns, alternatives, is_good):
    w = World(t)
    common_name = "arm.example" if patterns.startswith("dns:arm.") else "arm seven"
    if is_good is None:
        text = t.config(tls=w.tls(), r=ROUTE)
        code, _, stderr, _ = t.check(text + auth("robots", "type = certificate",
                                                 "names = " + patterns))
        assert code == 1 and "a dns name is" in stderr, stderr
        return
    p = start(t, w, patterns)
    pair = w.client(common_name, names=alternatives)
    if is_good:
        enter(p, w, pair).end_cleanly()
        line = p.one_end("client_close", auth="robots", tls_client="cn:" + common_name)
        word = patterns.split(",")[-1].strip().split(":")[0]
        assert line["identity"].startswith(word + ":"), line
    else:
        refused(p, w, pair)
        line = p.one_end("auth", tls_client="cn:" + common_name)
        assert "none of the names" in line["detail"], line


@case()
def fingerprint(t):
    w = World(t)
    pair, twin = w.client("arm"), w.client("arm")
    digits = pair[0].fingerprint(hashes.SHA256()).hex(":").upper()
    p = start(t, w, "fingerprint:" + digits)
    enter(p, w, pair).end_cleanly()
    refused(p, w, twin)
    equal(p.log.wait("session.end", 2)[0]["identity"],
          "fingerprint:" + digits.replace(":", "").lower(), "identity")


@case()
def any_name(t):
    w = World(t)
    p = start(t, w)
    for version in (TLS12, TLS13):
        enter(p, w, w.client("arm", w.middle), w.middle, version=version).end_cleanly()
    equal({e["identity"] for e in p.log.wait("session.end", 2)}, {"cn:arm"}, "identity")


@case()
def optional(t):
    """A client without a certificate reaches other routes, and is refused readably by this one."""
    w = World(t)
    p = start(t, w, mode="optional", r=ROUTE, open="origins = *\nbackend = echo:",
              http=ROUTE + "\non_refuse = http")
    enter(p, w, None, path="/open").end_cleanly()
    refused(p, w, None)
    c = p.client(context=w.context(None))
    c.send_raw(c.request("/http"))
    response = c.read_response()
    equal((response.status, response.get("WWW-Authenticate")), (403, None), "the answer")
    c.wire.finish()
    refused(p, w, None, listen="plain")
    enter(p, w, w.client("arm")).end_cleanly()
    ends = p.log.wait("session.end", 5)
    equal([e["ending"] for e in ends], ["client_close", "auth", "auth", "auth", "client_close"],
          "endings")
    equal(ends[2]["status"], "403", "the status of the log")
    equal({e["detail"] for e in ends[1:4]}, {"the client has shown no certificate"}, "details")


@case()
def with_a_token_too(t):
    """Both must hold; the first of the list says who it is."""
    w = World(t)
    token = "a-token-of-the-test-0123456789"
    section = auth("box", "type = tokens",
                   "file = " + write_secret(t, "tokens", "alice:%s\n" % digest(token)))
    p = start(t, w, "cn:arm", more=section,
              r=ROUTE + ", box\nauth_from = bearer",
              s=ROUTE.replace("robots", "box, robots") + "\nauth_from = bearer")
    arm, leg = w.client("arm"), w.client("leg")
    enter(p, w, arm, **bearer(token)).end_cleanly()
    enter(p, w, arm, path="/s", **bearer(token)).end_cleanly()
    refused(p, w, arm)
    refused(p, w, leg, **bearer(token))
    ends = p.log.wait("session.end", 4)
    equal([e.get("identity") for e in ends], ["cn:arm", "alice", None, None], "identities")
    assert "no token" in ends[2]["detail"] and "none of the names" in ends[3]["detail"], ends


@case()
def the_certificate_ends(t):
    w = World(t)
    day = 24 * 60 * 60
    p = start(t, w)
    left = 4 + time.time() - w.make.now.timestamp()
    pair = w.client("arm", first=-1, days=1 + left / day)
    c = enter(p, w, pair)
    c.recv_close(1008, "authorisation expired")
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()
    p.one_end("auth_expired", identity="cn:arm")


@case()
def names_change(t):
    """Whoever has no name any more is told so, and the others stay."""
    w = World(t)
    p = start(t, w, "cn:arm, cn:leg")
    arm, leg = (enter(p, w, w.client(name)) for name in ("arm", "leg"))
    with open(t.path("sluice-0.ini"), encoding="utf-8") as file:
        text = file.read()
    reload(p, text.replace("cn:arm, cn:leg", "cn:leg"))
    arm.recv_close(1008)
    arm.wire.finish()
    line = p.one_end("auth_revoked", identity="cn:arm")
    assert "none of the names any more" in line["detail"], line
    refused(p, w, w.client("arm"))
    leg.end_cleanly()


@case()
def a_certificate_is_revoked(t):
    w = World(t)
    arm, leg = w.client("arm"), w.client("leg")
    path = w.file("robots.crl", revocations(w.root).public_bytes(PEM))
    p = start(t, w, "cn:arm, cn:leg", server="workers = 2\nwatch = 200ms", crl=path)
    held = [enter(p, w, pair) for pair in (arm, leg)]
    w.file("robots.crl", revocations(w.root, arm).public_bytes(DER))
    equal(wait_result(p, 1)["event"], "reload.done", "the reload")
    held[0].recv_close(1008)
    held[0].wire.finish()
    p.one_end("auth_revoked", identity="cn:arm", detail="certificate is revoked")
    held[1].end_cleanly()


@case(rows=[
    ("malformed", "names = arm.example", "a name begins with dns:", True),
    ("wild", "names = dns:a.*.example", "a dns name is a host name", True),
    ("wild_uri", "names = uri:spiffe://*", "the . of a uri stands for", True),
    ("wild_email", "names = email:*", "an email is NAME@HOST", True),
    ("other_keys", "issuer = x", "'issuer' means nothing without type = jwt", True),
    ("nobody_asks", "", r"\[route r\] wants a certificate of the client, and no \[listen\] asks",
     False)])
def configuration(t, line, wanted, is_asking):
    w = World(t)
    text = t.config(tls=w.tls() if is_asking else "", r=ROUTE)
    code, _, stderr, _ = t.check(text + auth("robots", "type = certificate", line))
    assert code == 1 and re.search(wanted, stderr), stderr


@case()
def routes_that_name_too_much(t):
    w = World(t)
    text = t.config(tls=w.tls(), r=ROUTE + ", more", s=ROUTE + "\nauth_from = bearer")
    code, _, stderr, _ = t.check(text + auth("robots", "type = certificate")
                                 + auth("more", "type = certificate", "names = cn:x"))
    assert code == 1, stderr
    assert "a client brings one certificate only" in stderr, stderr
    assert "auth_from of [route s] is for a token" in stderr, stderr
    equal(len(stderr.splitlines()), 2, stderr)
