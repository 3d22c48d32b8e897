# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients with certificates: whom a listener with tls_client_ca takes, and what others hear."""

import os
import re
import subprocess
import warnings

from clientcerts import VERSIONS, World, call, half_shaken
from cryptography import utils, x509
from cryptography.hazmat.primitives import hashes
from harness import TLS12, case, equal
from zoo import CLIENT, SERVER, key_pem, pem

ECHO = "origins = *\nbackend = echo:"
# SHA-1 is in a test because sluice refuses it.
warnings.simplefilter("ignore", utils.CryptographyDeprecationWarning)


# Who is taken

def good_clients(w):
    middle = w.middle
    for kind in ("p256", "p384", "p521", "rsa2048", "rsa4096", "ed25519"):
        yield kind, w.client(kind=kind), ()
    yield "behind_a_middle", w.client(issuer=middle), (middle,)
    yield "with_the_root_too", w.client(issuer=middle), (middle, w.root)
    yield "no_extended_use", w.client(extended=None), ()
    yield "any_use", w.client(extended=(x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), ()
    yield "both_uses", w.client(extended=(SERVER, CLIENT)), ()
    # wolfSSL takes the common name of a CA below one with names of hosts for such a name.
    narrow = w.make.ca("narrow", w.root, permitted=("x://prod", "10.0.0.0/8", "x@good.example"))
    below = w.make.ca("below narrow", narrow)
    yield "inside_the_constraints", w.client(issuer=below, names=(
        "spiffe://prod/a", "10.1.2.3", "a@good.example", "www.test")), (below, narrow)
    hosts = w.make.ca("hosts", w.root, permitted=("good.example",), excluded=("x.good.example",))
    yield "inside_of_hosts", w.client(issuer=hosts, names=("www.good.example",)), (hosts,)
    yield "large", w.client(issuer=middle, names=["n%d.example" % i for i in range(250)]), (middle,)


@case(timeout=120)
def good(t):
    w = World(t)
    p = t.gateway(tls=w.tls(), r=ECHO)
    rows = list(good_clients(w))
    for row, pair, chain in rows:
        for name, version in VERSIONS:
            equal(call(p, w.context(pair, *chain, version=version)), "taken", row + " " + name)
    lines = p.log.wait("session.end", 2 * len(rows))
    equal({line.get("tls_client") for line in lines}, {"cn:alice"}, "tls_client in the log")


def bad_clients(w):
    """Yields (row, certificate, chain, the detail in the log)."""
    make, root, middle = w.make, w.root, w.middle
    stranger = make.ca("stranger")
    yield "unknown_ca", w.client(issuer=stranger), (), "unknown CA"
    yield "unknown_ca_shown", w.client(issuer=stranger), (stranger,), "unknown CA"
    yield "self_signed", make.make("alice", names=(), extended=(CLIENT,)), (), "unknown CA"
    yield "middle_is_missing", w.client(issuer=middle), (), "unknown CA"
    namesake = make.ca("clients root", key=make.key("p256", "namesake"))
    yield "ca_of_the_same_name", w.client(issuer=namesake), (), "unknown CA|wrong signature"
    yield "expired", w.client(first=-30, days=10), (), "has expired"
    yield "not_yet", w.client(first=5), (), "not valid yet"
    old = make.ca("old middle", root, first=-30, days=10)
    yield "middle_expired", w.client(issuer=old), (old,), "has expired"
    yield "for_servers", w.client(extended=(SERVER,)), (), "extendedKeyUsage"
    served = make.make("server middle", root, key=make.key("p256", "served"), is_ca=True,
                       names=(), uses=("key_cert_sign",), extended=(SERVER,))
    yield "middle_for_servers", w.client(issuer=served), (served,), "extendedKeyUsage"
    yield "no_signing", w.client(uses=("key_encipherment",)), (), "digitalSignature"
    deep = make.ca("too deep", middle)
    yield "path_too_long", w.client(issuer=deep), (deep, middle), "pathlen|unknown CA"
    no_ca = make.ca("no ca", root, is_ca=False)
    yield "signed_by_no_ca", w.client(issuer=no_ca), (no_ca,), "unknown CA"
    unsigned = make.ca("not for certificates", root, uses=("crl_sign",))
    yield "ca_may_not_sign", w.client(issuer=unsigned), (unsigned,), "may not sign others"
    yield "rsa_1024", w.client(kind="rsa1024"), (), "RSA key"
    weak = make.ca("weak middle", root, key=make.key("rsa1024", "weak"))
    yield "middle_rsa_1024", w.client(issuer=weak), (weak,), "RSA key"
    yield "sha1", w.client(algorithm=hashes.SHA1), (), "SHA-1"
    narrow = make.ca("narrow", root, permitted=("good.example",))
    yield "outside_the_constraints", w.client(issuer=narrow, names=("bad.example",)), (narrow,), \
        "nameConstraints|unknown CA"
    mails = make.ca("mails", root, permitted=("x@good.example",))
    below = make.ca("below mails", mails)
    yield "outside_those_above", w.client(issuer=below, names=("a@bad.example",)), (below, mails), \
        "nameConstraints"
    for row, permitted, name in (("uri", "x://prod.example", "spiffe://dev.example/a"),
                                 ("ip", "10.0.0.0/8", "11.0.0.1"),
                                 ("email", "x@good.example", "a@bad.example")):
        ca = make.ca("narrow " + row, root, permitted=(permitted,))
        yield "outside_" + row, w.client(issuer=ca, names=(name,)), (ca,), "nameConstraints"
        ca = make.ca("excluding " + row, root, excluded=(
            {"uri": "x://dev.example", "ip": "11.0.0.0/8", "email": "x@bad.example"}[row],))
        yield "excluded_" + row, w.client(issuer=ca, names=(name,)), (ca,), "nameConstraints"
    first = make.ca("first", root, path_length=1)
    second = make.ca("second", first)
    third = make.ca("third", second)
    yield "path_too_long_above", w.client(issuer=third), (third, second, first), "pathlen|unknown"
    yield "line_end_in_the_name", w.client(common_name="alice\nroot"), (), "no text"
    yield "nul_in_the_name", w.client(common_name="alice\0.example"), (), "no text"


@case(timeout=180, rows=[(mode, mode) for mode in ("required", "optional")])
def bad(t, mode):
    """A bad certificate is refused in both modes, with an alert, and the log says why."""
    w = World(t)
    p = t.gateway(tls=w.tls(mode), r=ECHO)
    count = 0
    for row, pair, chain, detail in bad_clients(w):
        for name, version in VERSIONS:
            got = call(p, w.context(pair, *chain, version=version))
            count += 1
            line = p.log.wait("session.end", count)[-1]
            what = "%s %s: %s, %s" % (row, name, got, line.get("detail"))
            equal(line["ending"], "tls_failed", what)
            assert re.search(detail, line.get("detail", "")), what
            assert re.fullmatch("BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_EXPIRED|"
                                "UNSUPPORTED_CERTIFICATE|CERTIFICATE_UNKNOWN", got), what
    equal(call(p, w.context(w.client())), "taken", "a good one afterwards")


@case()
def none_is_shown(t):
    w = World(t)
    p = t.gateway(tls=w.tls(), r=ECHO)
    for (_, version), alert in zip(VERSIONS, ("HANDSHAKE_FAILURE", "CERTIFICATE_REQUIRED")):
        got = call(p, w.context(None, version=version))
        assert alert in got, got
    for line in p.log.wait("session.end", 2):
        equal((line["ending"], line["detail"]), ("tls_failed", "no certificate was shown"), "line")


@case()
def none_need_be_shown(t):
    w = World(t)
    p = t.gateway(tls=w.tls("optional"), r=ECHO)
    for _, version in VERSIONS:
        equal(call(p, w.context(None, version=version)), "taken", "without")
        equal(call(p, w.context(w.client(), version=version)), "taken", "with")
    equal([line.get("tls_client") for line in p.log.wait("session.end", 4)],
          [None, "cn:alice"] * 2, "tls_client")


@case()
def a_chain_is_not_kept(t):
    """What one client has sent does not help another one to a trusted chain."""
    w = World(t)
    p = t.gateway(server="workers = 1", tls=w.tls(), r=ECHO)
    pair = w.client(issuer=w.middle)
    for _ in range(3):
        equal(call(p, w.context(pair, w.middle)), "taken", "with its chain")
        equal(call(p, w.context(pair)), "UNKNOWN_CA", "without")


@case()
def several_cas(t):
    w = World(t)
    other = w.make.ca("other root", key=w.make.key("rsa2048", "other"))
    p = t.gateway(tls="tls_client_ca = %s, %s" % (w.file("one.pem", pem(w.root)),
                                                  w.file("two.pem", pem(other, w.middle))), r=ECHO)
    for issuer in (w.root, other, w.middle):
        equal(call(p, w.context(w.client(issuer=issuer))), "taken", issuer[0].subject)


@case()
def a_certificate_that_trusts_itself(t):
    w = World(t)
    own = w.make.make("robot", names=(), is_ca=True, uses=None, extended=None)
    p = t.gateway(tls=w.tls(trusted=[own]), r=ECHO)
    equal(call(p, w.context(own)), "taken", "itself")
    equal(call(p, w.context(w.client())), "UNKNOWN_CA", "another")


@case()
def a_ca_that_has_expired(t):
    """--check warns of it, and no certificate of it is good any more."""
    w = World(t)
    old = w.make.ca("old root", first=-30, days=10)
    p = t.gateway(tls=w.tls(trusted=[old, w.root]), r=ECHO)
    equal(call(p, w.context(w.client())), "taken", "of the other")
    equal(call(p, w.context(w.client(issuer=old))), "BAD_CERTIFICATE", "of the old one")
    line = p.log.wait("session.end", 2)[1]
    assert "CA has expired" in line["detail"], line
    assert "cn:old root expired" in p.log.text(), "no warning"


# The proof

def s_client(p, w, pair, *options, text=b"Q\n"):
    host, port = p.ports["tls"]
    path = w.file("own.pem", pem(pair) + key_pem(pair[1])) if pair else None
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % (host, port), "-servername", "localhost",
         *(["-cert", path, "-key", path] if path else []), *options],
        input=text, capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode(errors="replace")


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ANSWER = "HTTP/1.1 4"


@case(rows=[(name, "-tls" + name.replace(".", "_")) for name, _ in VERSIONS])
def no_ticket_instead(t, version):
    """Neither is a ticket given out, nor is one of an open listener of the same program taken."""
    w = World(t)
    certificate, key = t.certificate()
    text = ("[server]\nworkers = 1\n[listen open]\naddress = 127.0.0.1:0\ntls_certificate = %s\n"
            "tls_key = %s\n" % (certificate, key))
    text += text[text.index("[listen"):].replace("listen open", "listen tls") + w.tls() + "\n"
    p = t.start(text + "[route r]\npath = /r\n" + ECHO + "\n")
    own, given = t.path("own.session"), t.path("open.session")
    taken = s_client(p, w, w.client(), version, "-sess_out", own, "-ign_eof", text=GET)
    assert ANSWER in taken and "TLS session ticket:" not in taken, taken
    assert not os.path.exists(own), "a session to resume was given out"
    p.ports["tls"], closed = p.ports["open"], p.ports["tls"]
    got = s_client(p, w, None, version, "-sess_out", given, "-ign_eof", text=GET)
    assert ANSWER in got and "TLS session ticket:" in got, got
    p.ports["tls"] = closed
    for pair in (None, w.client()):
        got = s_client(p, w, pair, version, "-sess_in", given, "-ign_eof", text=GET)
        equal((ANSWER in got, "Reused" in got), (pair is not None, False), got)


def records(flight):
    while flight:
        size = 5 + int.from_bytes(flight[3:5], "big")
        yield flight[:size]
        flight = flight[size:]


def proof_first(certificate, exchange, proof, *rest):
    return (certificate, proof, exchange, *rest)


def proof_by_sha1(certificate, exchange, proof, *rest):
    return (certificate, exchange, proof[:9] + b"\x02\x03" + proof[11:], *rest)


def proof_by_another(certificate, exchange, proof, *rest):
    return (certificate, exchange, proof[:-1] + bytes([proof[-1] ^ 1]), *rest)


def no_proof(certificate, exchange, _, *rest):
    return (certificate, exchange, *rest)


@case(rows=[("none", no_proof, "not proven|Finished|verify|key does not belong"),
            ("first", proof_first, "handshake messages in a wrong order"),
            # sluice's words, or those of wolfSSL 5.9, which sees it by itself
            ("sha1", proof_by_sha1, "proves its certificate with SHA-1|parameter is invalid"),
            ("wrong", proof_by_another, "key does not belong to the certificate")])
def proofs_of_tls_1_2(t, change, detail):
    """What wolfSSL 5.7.2 takes for a proof, or might."""
    w = World(t)
    p = t.gateway(tls=w.tls(), r=ECHO)
    wire, _, flight = half_shaken(p, w.context(w.client(), version=TLS12))
    parts = list(records(flight))
    equal([(part[0], part[5]) for part in parts[:3]], [(22, 11), (22, 16), (22, 15)], "messages")
    wire.send_raw(b"".join(change(*parts)))
    line = p.one_end("tls_failed")
    assert re.search(detail, line["detail"]), line


@case()
def many_small_records(t):
    """A chain of 20 certificates in records of 512 bytes."""
    w = World(t)
    chain = [w.root]
    for number in range(18):
        chain.insert(0, w.make.ca("middle %d" % number, chain[0]))
    pair = w.client(issuer=chain[0])
    p = t.gateway(tls=w.tls(), r=ECHO)
    path = w.file("chain.pem", pem(pair, *chain[:-1]) + key_pem(pair[1]))
    for version in ("-tls1_2", "-tls1_3"):
        got = s_client(p, w, None, version, "-cert", path, "-key", path, "-cert_chain", path,
                       "-max_send_frag", "512", "-ign_eof", text=GET)
        assert ANSWER in got, got


@case()
def too_many_certificates(t):
    w = World(t)
    chain = [w.root]
    for number in range(30):
        chain.insert(0, w.make.ca("middle %d" % number, chain[0]))
    pair = w.client(issuer=chain[0])
    p = t.gateway(tls=w.tls(), r=ECHO)
    for number, (_, version) in enumerate(VERSIONS, 1):
        got = call(p, w.context(pair, *chain, version=version))
        assert got != "taken", got
        line = p.log.wait("session.end", number)[-1]
        equal((line["ending"], line["detail"]), ("tls_failed", "more than 20 certificates"), "line")
    equal(call(p, w.context(w.client())), "taken", "another")
