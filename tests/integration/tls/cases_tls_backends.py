# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends over TLS: which of them a route takes, and what becomes of the others' sessions."""

import re
import ssl

import zoo
from harness import case, equal
from tlsbackends import VERSIONS, Authority, Server, refused, route, server_context, talk
from zoo import CLIENT, SERVER, pem

# Which certificates are good

def good_servers(a):
    """Yields (row, pair, host, keys)."""
    middle = a.make.ca("backends middle", a.root, path_length=0)
    for kind in ("p256", "p384", "rsa2048", "ed25519"):
        yield kind, a.pair(kind=kind), "localhost", ""
    yield "behind_a_middle", a.pair(middle, issuer=middle), "localhost", ""
    yield "with_the_root_too", a.pair(middle, a.root, issuer=middle), "localhost", ""
    yield "address", a.pair(names=("127.0.0.1",)), "127.0.0.1", ""
    yield "other_name", a.pair(names=("desk.test",)), "127.0.0.1", "backend_name = desk.test\n"
    yield "address_as_name", a.pair(names=("10.9.8.7",)), "127.0.0.1", "backend_name = 10.9.8.7\n"
    yield "wildcard", a.pair(names=("*.desk.test",)), "127.0.0.1", "backend_name = a.desk.test\n"
    yield "no_extended_use", a.pair(extended=None), "localhost", ""
    yield "both_uses", a.pair(extended=(SERVER, CLIENT)), "localhost", ""
    narrow = a.make.ca("narrow", a.root, permitted=("desk.test",))
    yield "inside_the_constraints", a.pair(narrow, issuer=narrow, names=("*.desk.test",)), \
        "127.0.0.1", "backend_name = a.desk.test\n"
    own = a.make.make("own", names=("localhost",), key=a.make.key("p256", "own"))
    path = a.file(pem(own) + zoo.key_pem(own[1]))
    yield "signed_by_itself", path, "localhost", "backend_ca = %s\n" % a.ca(own)


@case(timeout=120)
def good(t):
    a = Authority(t)
    routes, servers = {}, {}
    for row, pair, host, keys in good_servers(a):
        servers[row] = Server(t, server_context(pair), host)
        routes[row] = route(servers[row], None if "backend_ca" in keys else a.ca(), keys)
    p = t.gateway(**routes)
    for row, server in servers.items():
        talk(p, "/" + row, server)
        name = re.search("backend_name = (.*)", routes[row])
        name = name.group(1) if name else server.url[6:].rpartition(":")[0]
        is_address = re.fullmatch("[0-9.]+", name)
        equal(server.names, [None if is_address else name], row + ": SNI")


def bad_servers(a):
    """Yields (row, pair, detail, keys)."""
    make, root = a.make, a.root
    stranger = make.ca("stranger")
    yield "unknown_ca", a.pair(issuer=stranger), "unknown CA", ""
    yield "unknown_ca_shown", a.pair(stranger, issuer=stranger), "unknown CA", ""
    own = make.make("own", names=("localhost",), key=make.key("p256", "own"))
    own_pem = pem(own) + zoo.key_pem(own[1])
    yield "signed_by_itself", a.file(own_pem), "unknown CA", ""
    signed = make.make("below own", own, make.key("p256", "below own"), names=("localhost",))
    yield "signed_by_no_ca", a.file(pem(signed, own) + zoo.key_pem(signed[1])), \
        "unknown CA|may not sign", "backend_ca = %s\n" % a.ca(own)
    namesake = make.ca("backends root", key=make.key("p256", "namesake"))
    yield "ca_of_the_same_name", a.pair(issuer=namesake), "unknown CA|wrong signature", ""
    yield "other_name", a.pair(names=("other.test",)), "for another name", ""
    yield "no_name", a.pair(names=(), common_name="localhost"), "for another name", ""
    yield "name_for_an_address", a.pair(names=("localhost",)), "for another name", \
        "backend_name = 127.0.0.1\n"
    yield "expired", a.pair(first=-30, days=10), "has expired", ""
    yield "not_yet", a.pair(first=5), "not valid yet", ""
    yield "for_clients", a.pair(extended=(CLIENT,)), "extendedKeyUsage", ""
    yield "no_signing", a.pair(uses=("key_encipherment",)), "digitalSignature", ""
    middle = make.ca("middle", root, path_length=0)
    yield "middle_is_missing", a.pair(issuer=middle), "unknown CA", ""
    deep = make.ca("too deep", middle)
    yield "path_too_long", a.pair(deep, middle, issuer=deep), "pathlen|unknown CA", ""
    old = make.ca("old middle", root, first=-30, days=10)
    yield "middle_expired", a.pair(old, issuer=old), "has expired", ""
    no_ca = make.ca("no ca", root, is_ca=False)
    yield "signed_by_an_end", a.pair(no_ca, issuer=no_ca), "unknown CA", ""
    narrow = make.ca("narrow", root, permitted=("desk.test",))
    yield "outside_the_constraints", a.pair(narrow, issuer=narrow), "nameConstraints|unknown", ""
    below = make.ca("below narrow", narrow)
    yield "outside_those_above", a.pair(below, narrow, issuer=below, names=("localhost",)), \
        "nameConstraints|unknown", ""
    yield "wildcard_outside", a.pair(narrow, issuer=narrow, names=("*.evil.test",)), \
        "nameConstraints|unknown", "backend_name = a.evil.test\n"
    excluding = make.ca("excluding", root, excluded=("10.0.0.0/8",))
    yield "excluded_address", a.pair(excluding, issuer=excluding, names=("10.1.2.3",)), \
        "nameConstraints", "backend_name = 10.1.2.3\n"
    expired = make.ca("expired root", key=make.key("p256", "expired"), first=-30, days=10)
    yield "ca_expired", a.pair(issuer=expired), "expired", "backend_ca = %s\n" % a.ca(expired)


@case(timeout=180)
def bad(t):
    """A bad certificate gets an alert, and its session 1011; the log says why."""
    a = Authority(t)
    routes, servers, details = {}, {}, {}
    for row, pair, detail, keys in bad_servers(a):
        servers[row], details[row] = Server(t, server_context(pair)), detail
        servers[row].context.set_ciphers("DEFAULT:@SECLEVEL=0")
        routes[row] = route(servers[row], None if "backend_ca" in keys else a.ca(), keys)
        if row == "expired":
            routes["unverified"] = route(servers[row], None, "backend_verify = off\n")
    p = t.gateway(**routes)
    for row, server in servers.items():
        line = refused(p, "/" + row)
        assert re.search(details[row], line["detail"]), (row, line["detail"])
        error = server.result()
        assert isinstance(error, ssl.SSLError) and "ALERT" in error.reason, (row, error)
        equal(line["backend"], server.url, row + ": backend")
    talk(p, "/unverified", servers["expired"])


# Which TLS

@case(rows=[(name, name) for name in VERSIONS])
def versions(t, name):
    a = Authority(t)
    server = Server(t, server_context(a.pair(), low=VERSIONS[name], high=VERSIONS[name]))
    p = t.gateway(r=route(server, a.ca()))
    equal(talk(p, "/r", server).tls.version(), "TLSv" + name, "version")


@case()
def old_versions(t):
    """A backend that speaks TLS 1.1 at most."""
    a = Authority(t)
    context = server_context(a.pair(), low=ssl.TLSVersion.TLSv1, high=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = Server(t, context)
    p = t.gateway(r=route(server, a.ca()))
    assert re.search("protocol_version|no common TLS version", refused(p, "/r")["detail"])
    assert isinstance(server.result(), ssl.SSLError)


@case()
def protocols(t):
    """ALPN: what both know, and what happens when they know nothing in common."""
    a = Authority(t)
    both = Server(t, server_context(a.pair(), alpn=["h2", "redis"]))
    silent = Server(t, server_context(a.pair()))
    p = t.gateway(both=route(both, a.ca(), "backend_alpn = mqtt, redis\n"),
                  silent=route(silent, a.ca(), "backend_alpn = redis\n"),
                  nothing=route(both, a.ca()))
    equal(talk(p, "/both", both).tls.selected_alpn_protocol(), "redis", "protocol")
    equal(talk(p, "/silent", silent).tls.selected_alpn_protocol(), None, "protocol")
    equal(talk(p, "/nothing", both).tls.selected_alpn_protocol(), None, "protocol")


# The gateway's own certificate

@case(rows=[(name, name) for name in VERSIONS])
def own_certificate(t, name):
    """A backend that asks for a certificate: of its CA, of another one, none."""
    a, stranger = Authority(t), Authority(t, "stranger")
    version = VERSIONS[name]
    server = Server(t, server_context(a.pair(), low=version, high=version, asks=a.ca()))
    asked = Server(t, server_context(a.pair(), low=version, high=version, asks=a.ca(), needs=False))
    middle = a.make.ca("clients middle", a.root)
    p = t.gateway(good=route(server, a.ca(), a.client_lines()),
                  chain=route(server, a.ca(), a.client_lines(issuer=middle, chain=[middle])),
                  none=route(server, a.ca()),
                  wrong=route(server, a.ca(), stranger.client_lines()),
                  maybe=route(asked, a.ca()))
    for path in ("good", "chain"):
        peer = talk(p, "/" + path, server)
        assert peer.tls.getpeercert()["issuer"], "no certificate was shown"
    equal(talk(p, "/maybe", asked).tls.getpeercert(), None, "certificate")
    wanted = {"none": "certificate_required|handshake_failure", "wrong": "unknown_ca"}
    for path, alert in wanted.items():
        line = refused(p, "/" + path)
        assert re.search(alert, line["detail"]), line["detail"]
        assert isinstance(server.result(), ssl.SSLError)
