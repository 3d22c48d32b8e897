# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed tokens: every algorithm by two makers, every rule about claims, attacks, and the end."""

import json
import os
import time

import provider
from cases_tokens import HEALTH
from harness import case, equal
from provider import (PUBLIC, SECRET, auth, bearer, by_hand, claims, encode, enter, hs256, jwk,
                      jwks, pem, refuse, signed, signer, token, write_secret)
from reloads import reload
from scrape import scrape
from wsclient import FIN

JOSE = os.path.join(os.path.dirname(provider.__file__), "jose_tokens.json")
ASKS = "origins = *\nbackend = echo:\nauth = idp\nauth_from = bearer, query:t"


def start(t, section, more="", server=""):
    return t.start(t.config(server=server, r=ASKS) + section + more)


def secret(t, *more):
    return auth("idp", "type = jwt", "secret_file = " + write_secret(t, "secret", SECRET + "\n"),
                "algorithms = HS256", "issuer = " + provider.ISSUER,
                "audience = " + provider.AUDIENCE, *more)


# Every algorithm


@case()
def pyjwt_with_a_jwks(t):
    p = start(t, signed(t, *map(jwk, PUBLIC), algorithms=", ".join(PUBLIC)))
    for alg in PUBLIC:
        enter(p, token(alg, sub="alice-" + alg)).end_cleanly()
        refuse(p, token(alg, 1, {"kid": alg + "-0"}), "signature is wrong")
    lines = p.log.wait("session.end", len(PUBLIC), ending="client_close")
    equal({e["identity"] for e in lines}, {"alice-" + alg for alg in PUBLIC}, "identities")


@case()
def pyjwt_with_pem(t):
    for alg in PUBLIC:
        path = t.write(alg + ".pem", pem(alg))
        p = start(t, auth("idp", "type = jwt", "keys = " + path, "algorithms = " + alg,
                          "audience = sluice"))
        enter(p, token(alg)).end_cleanly()
        refuse(p, token(alg, 1), "signature is wrong")
        p.stop()


@case()
def pyjwt_with_a_secret(t):
    p = start(t, secret(t))
    enter(p, token("HS256")).end_cleanly()
    refuse(p, by_hand({"alg": "HS256"}, claims(), hs256(SECRET + "x")), "signature is wrong")


@case()
def jose(t):
    """What npm's jose has made."""
    with open(JOSE, encoding="utf-8") as file:
        made = json.load(file)
    public = [alg for alg in made["tokens"] if alg != "HS256"]
    t.write("jwks.json", json.dumps(made["keys"]))
    more = ("issuer = https://login.example.com", "audience = sluice", "require = scope:write")
    p = t.start(t.config(r=ASKS, s=ASKS.replace("idp", "secret")) +
                auth("idp", "type = jwt", "keys = " + t.path("jwks.json"),
                     "algorithms = " + ", ".join(sorted(set(public) - {"Ed25519"})), *more) +
                auth("secret", "type = jwt", "algorithms = HS256",
                     "secret_file = " + write_secret(t, "secret", made["secret"]), *more))
    for alg in public:
        enter(p, made["tokens"][alg]).end_cleanly()
    enter(p, made["tokens"]["HS256"], path="/s", **bearer(made["tokens"]["HS256"])).end_cleanly()
    lines = p.log.wait("session.end", len(public) + 1)
    equal({e["identity"] for e in lines}, {"jose-" + alg for alg in made["tokens"]}, "identities")


# Claims

NOW = int(time.time())
RULES = ["leeway = 5s", "require = role:operator, realm.groups:staff"]
REALM = {"realm": {"groups": ["guests", "staff"]}}
HOLD = [
    ("as they are", {}),
    ("a list of audiences", {"aud": ["other", "sluice"]}),
    ("a list of roles", {"role": ["user", "operator"]}),
    ("nbf within the leeway", {"nbf": NOW + 4}),
    ("iat within the leeway", {"iat": NOW + 4}),
    ("without iat", {"iat": None}),
    ("a fraction", {"exp": NOW + 3600.5}),
    ("without sub", {"sub": None}),
]
FAIL = [
    ({"exp": None}, "has no exp"),
    ({"exp": NOW - 60}, "has expired"),
    ({"exp": str(NOW + 3600)}, "exp"),
    ({"exp": (NOW + 3600) * 1000}, "no number of seconds"),
    ({"nbf": NOW + 3600}, "not yet valid"),
    ({"iat": NOW + 3600}, "in the future"),
    ({"iss": None}, "another issuer"),
    ({"iss": "https://login.example.com/"}, "another issuer"),
    ({"iss": ["https://login.example.com"]}, ""),
    ({"aud": None}, "another audience"),
    ({"aud": "Sluice"}, "another audience"),
    ({"aud": ["a", "b"]}, "another audience"),
    ({"role": None}, "lacks a claim"),
    ({"role": "operators"}, "lacks a claim"),
    ({"role": ["user"]}, "lacks a claim"),
    ({"realm": {"groups": "nobody"}}, "lacks a claim"),
    ({"realm": None}, "lacks a claim"),
]


@case()
def each_claim(t):
    p = start(t, signed(t, jwk("ES256"), more=RULES))
    for _, changes in HOLD:
        body = claims(**{**REALM, **changes})
        enter(p, by_hand({"alg": "ES256"}, body, signer("ES256"))).end_cleanly()
    for changes, detail in FAIL:
        body = claims(**{**REALM, **changes})
        refuse(p, by_hand({"alg": "ES256"}, body, signer("ES256")), detail)


@case()
def other_rules(t):
    """typ, no exp, and a token with aud where the configuration has no audience."""
    p = start(t, auth("idp", "type = jwt", "keys = " + t.write("k.json", jwks(jwk("EdDSA"))),
                      "algorithms = EdDSA", "typ = at+jwt", "require_exp = no"))
    enter(p, token("EdDSA", 0, {"typ": "at+JWT"}, aud=None, exp=None)).end_cleanly()
    enter(p, token("EdDSA", 0, {"typ": "application/at+jwt"}, aud=None)).end_cleanly()
    refuse(p, token("EdDSA", aud=None), "typ")
    refuse(p, token("EdDSA", 0, {"typ": "at+jwt"}), "another audience")


# Attacks


def attacks():
    """(name, token, what the log says): all signed by somebody who does not have the key, or by one
    who has it and lies."""
    good, es256 = claims(), signer("ES256")
    head, body, signature = token("ES256").split(".")
    other = jwk("ES256", 1)

    def lie(header, sign=None):
        return by_hand({"alg": "ES256", "kid": "ES256-0", **header}, good, sign or es256)

    for word in ("none", "None", "NONE", "nOnE"):
        yield "alg " + word, by_hand({"alg": word}, good, lambda text: b""), "alg none"
    yield "no signature", head + "." + body + ".", "signature"
    yield "the public key as a secret", by_hand(
        {"alg": "HS256", "kid": "RS256-0"}, good, hs256(pem("RS256"))), "no key"
    yield "the same without an end of line", by_hand(
        {"alg": "HS256"}, good, hs256(pem("RS256").strip())), "no key"
    yield "another algorithm's name", by_hand(
        {"alg": "RS256", "kid": "ES256-0"}, good, es256), "kid"
    yield "a key of its own", lie({"jwk": other}, signer("ES256", 1)), "a key of its own"
    yield "an address of keys", lie({"jku": "https://evil.example/jwks"}), "a key of its own"
    yield "a certificate", lie({"x5u": "https://evil.example/c.pem"}), "a key of its own"
    yield "a chain", lie({"x5c": ["MIIB"]}), "a key of its own"
    yield "crit", lie({"crit": ["exp"]}), "crit"
    yield "b64", lie({"b64": False}), "crit"
    yield "compressed", lie({"zip": "DEF"}), "JWE"
    yield "encrypted", "a.b.c.d.e", "JWE"
    yield "unknown kid", lie({"kid": "ES256-9"}), "no key with the token's alg has the token's kid"
    yield "a kid that is a path", lie({"kid": "../../dev/null"}), "kid"
    yield "a kid that is a number", lie({"kid": 0}), "header"
    yield "alg twice", by_hand('{"alg":"none","alg":"ES256","kid":"ES256-0"}', good, es256), \
        "header"
    yield "sub twice", by_hand(
        {"alg": "ES256"}, json.dumps(good)[:-1] + ',"sub":"root"}', es256), "claims"
    yield "changed claims", ".".join(
        [head, encode(json.dumps({**good, "sub": "root"})), signature]), "signature is wrong"
    yield "padding", head + "." + body + "." + signature + "==", "length"
    yield "a line end", head + "." + body + "." + signature[:-1], ""
    yield "63 bytes", by_hand({"alg": "ES256"}, good, lambda text: es256(text)[:63]), "length"
    yield "65 bytes", by_hand({"alg": "ES256"}, good, lambda text: es256(text) + b"\0"), "length"
    yield "zeroes", by_hand({"alg": "ES256"}, good, lambda text: bytes(64)), "signature is wrong"
    yield "a nesting bomb", by_hand(
        {"alg": "ES256"}, '{"a":' + "[" * 2000 + "]" * 2000 + "}", es256), "claims"
    yield "a nesting bomb as header", by_hand("[" * 500 + "]" * 500, good, es256), "header"
    yield "a huge number", by_hand(
        {"alg": "ES256"}, '{"exp":1e999}', es256), "claims"
    yield "no JSON", by_hand("no JSON", good, es256), "header"
    yield "NUL", by_hand({"alg": "ES256"}, '{"sub":"a\\u0000b"}', es256), "claims"


def long_ones():
    """Longer than any token, and than a head of some servers."""
    head, body, signature = token("ES256").split(".")
    yield "a signature of 21,830 characters", head + "." + body + "." + "A" * 21830
    yield "claims of 9,000 bytes", by_hand(
        {"alg": "ES256"}, claims(x="y" * 9000), signer("ES256"))


@case()
def each_attack(t):
    p = start(t, signed(t, jwk("ES256"), jwk("RS256"), algorithms="ES256, RS256"), HEALTH)
    rows = list(attacks())
    for name, text, detail in rows:
        try:
            refuse(p, text, detail)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (name, error)) from error
    for name, text in long_ones():
        line = refuse(p, text, "")
        assert "8192" in line["detail"] or "long" in line["detail"], "%s: %r" % (name, line)
    numbers = scrape(p)
    equal(numbers.sum("sluice_auth_refusals_total"), len(rows) + 2, "refusals")
    equal(numbers.sum("sluice_auth_refusals_total", reason="unknown_kid"), 3, "unknown kid")
    equal(numbers.sum("sluice_auth_refusals_total", reason="alg_none"), 4, "alg none")
    enter(p, token("ES256")).end_cleanly()
    for _, text, _ in rows:
        for part in text.split("."):
            assert len(part) < 12 or part not in p.log.text(), "the log has %r" % part


@case()
def a_kid_chooses(t):
    """Two keys of one algorithm: a token without kid, or with the other's, is refused."""
    p = start(t, signed(t, jwk("ES256", 0), jwk("ES256", 1)))
    enter(p, token("ES256", 0)).end_cleanly()
    enter(p, token("ES256", 1)).end_cleanly()
    refuse(p, by_hand({"alg": "ES256"}, claims(), signer("ES256")), "no kid")
    refuse(p, token("ES256", 0, {"kid": "ES256-1"}), "signature is wrong")


# Time, and new keys


@case()
def exp_ends_a_session(t):
    """1008 to the page, FIN to the backend; a session without exp goes on."""
    backend = t.backend()
    p = t.start(t.config(r="origins = *\nbackend = %s\nauth = idp\nauth_from = bearer"
                         % backend.url) + secret(t, "leeway = 0", "require_exp = no"))
    forever = p.client("tls").open("/r", **bearer(token("HS256", exp=None)))
    quiet = backend.accept()
    ends = int(time.time()) + 2
    c = p.client("tls").open("/r", **bearer(token("HS256", exp=ends)))
    peer = backend.accept()
    c.binary(b"hello")
    peer.expect(b"hello")
    reason, _ = c.recv_close(1008)
    assert ends <= time.time(), "too early"
    equal(reason, "authorisation expired", "reason")
    peer.expect_fin()
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()
    peer.fin()
    p.one_end("auth_expired", code=1008, identity="alice", auth="idp")
    forever.binary(b"still here")
    quiet.expect(b"still here")
    forever.close(1000)
    quiet.expect_fin()
    quiet.fin()


@case()
def keys_rotate(t):
    """A key that comes counts at once; one that goes proves nothing new. Live sessions go on."""
    p = start(t, signed(t, jwk("ES256", 0)))
    held = enter(p, token("ES256", 0))
    refuse(p, token("ES256", 1), "no key with the token's alg has the token's kid")
    t.write("jwks.json", jwks(jwk("ES256", 1)))
    reload(p)
    enter(p, token("ES256", 1)).end_cleanly()
    refuse(p, token("ES256", 0), "kid")
    t.write("jwks.json", jwks(jwk("ES256", 1))[:-20])
    reload(p, event="reload.failed")
    enter(p, token("ES256", 1)).end_cleanly()
    held.text("still here")
    equal(held.recv_message()[1], b"still here", "echo")
    held.end_cleanly()


@case()
def an_upgrade_and_a_crash(t):
    """A worker that is born later checks tokens as well: it has all that it needs."""
    p = start(t, signed(t, *map(jwk, PUBLIC), algorithms=", ".join(PUBLIC)))
    p.may_lose_workers = True
    os.kill(p.workers()[0], 9)
    p.log.wait("worker.start", 2)
    for alg in PUBLIC:
        enter(p, token(alg)).end_cleanly()
