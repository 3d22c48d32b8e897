# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients whose certificates were revoked, lists and CAs that change, and files that are none."""

import re
import warnings

from clientcerts import VERSIONS, World, call, half_shaken
from cryptography import utils, x509
from cryptography.hazmat.primitives import hashes
from harness import TLS12, case, equal
from reloads import reload, results, wait_result
from wsclient import BINARY, Client
from zoo import DER, PEM, key_pem, pem, revocations

ECHO = "origins = *\nbackend = echo:"
# SHA-1 is in a test because sluice refuses it.
warnings.simplefilter("ignore", utils.CryptographyDeprecationWarning)


# Revocation

def write_list(w, *revoked, name="clients.crl", encoding=PEM, **options):
    return w.file(name, revocations(w.root, *revoked, **options).public_bytes(encoding))


@case(rows=[("pem", PEM), ("der", DER)])
def revoked(t, encoding):
    w = World(t)
    good_one, bad_one = w.client("good"), w.client("bad")
    p = t.gateway(tls=w.tls(crl=write_list(w, w.client("x"), bad_one, encoding=encoding)), r=ECHO)
    for number, (_, version) in enumerate(VERSIONS, 1):
        equal(call(p, w.context(good_one, version=version)), "taken", "good")
        equal(call(p, w.context(bad_one, version=version)), "BAD_CERTIFICATE", "bad")
        line = p.log.wait("session.end", 2 * number)[-1]
        equal(line["detail"], "certificate is revoked", "detail")


@case()
def a_middle_is_revoked(t):
    w = World(t)
    lists = write_list(w, w.middle) + ", " + w.file(
        "middle.crl", revocations(w.middle).public_bytes(PEM))
    p = t.gateway(tls=w.tls(crl=lists, trusted=[w.root, w.middle]), r=ECHO)
    equal(call(p, w.context(w.client(issuer=w.middle), w.middle)), "BAD_CERTIFICATE", "below it")
    equal(p.log.wait("session.end")[0]["detail"], "certificate is revoked", "detail")


@case()
def no_list_of_the_issuer(t):
    w = World(t)
    p = t.gateway(tls=w.tls(crl=write_list(w)), r=ECHO)
    equal(call(p, w.context(w.client())), "taken", "of the root")
    equal(call(p, w.context(w.client(issuer=w.middle), w.middle)), "BAD_CERTIFICATE", "of another")
    assert "no revocation list" in p.log.wait("session.end", 2)[1]["detail"]


@case()
def a_list_comes_by_watch(t):
    """The client's session ends with 1008, new ones are refused, and a broken list changes nothing.
    """
    w = World(t)
    alice, bob = w.client("alice"), w.client("bob")
    path = write_list(w)
    p = t.gateway(server="workers = 2\nwatch = 200ms", tls=w.tls(crl=path), r=ECHO)
    held = [Client(p.wire(context=w.context(pair))).open("/r") for pair in (alice, bob, alice)]
    write_list(w, alice)
    equal(wait_result(p, 1)["event"], "reload.done", "the reload")
    for c in held[::2]:
        c.recv_close(1008)
        c.wire.finish()
    for line in p.log.wait("session.end", 2):
        equal((line["ending"], line["tls_client"], line["detail"]),
              ("auth_revoked", "cn:alice", "certificate is revoked"), "line")
    w.file("clients.crl", b"-----BEGIN X509 CRL-----\nMIIB")
    equal(wait_result(p, 2)["event"], "reload.failed", "the broken list")
    equal(call(p, w.context(alice)), "BAD_CERTIFICATE", "alice")
    held[1].binary(b"still here")
    equal(held[1].recv_message(), (BINARY, b"still here"), "bob")
    equal(call(p, w.context(bob)), "taken", "bob again")
    held[1].end_cleanly()


@case()
def revoked_between_handshake_and_request(t):
    """A handshake that began before the list came does not let its client in."""
    w = World(t)
    alice, path = w.client("alice"), write_list(w)
    p = t.gateway(server="workers = 1", tls=w.tls(crl=path), r=ECHO)
    wire, tls, flight = half_shaken(p, w.context(alice, version=TLS12))
    write_list(w, alice)
    reload(p)
    wire.send_raw(flight)
    wire.tls = tls
    wire.handshake()
    c = Client(wire).open("/r")
    c.recv_close(1008)
    wire.finish()
    line = p.one_end("auth", tls_client="cn:alice")
    equal(line["detail"], "certificate is revoked", "detail")


@case()
def a_ca_changes_by_reload(t):
    w = World(t)
    next_root = w.make.ca("next root")
    p = t.gateway(tls=w.tls(), r=ECHO)
    pairs = w.client(), w.client(issuer=next_root)
    held = p.client(context=w.context(pairs[0])).open("/r")
    equal([call(p, w.context(pair)) for pair in pairs], ["taken", "UNKNOWN_CA"], "before")
    w.file("ca.pem", pem(next_root))
    reload(p)
    equal([call(p, w.context(pair)) for pair in pairs], ["UNKNOWN_CA", "taken"], "after")
    held.end_cleanly()
    equal(len(results(p)), 1, "reloads")


# Files

def faults(w):
    """Yields (row, tls_client_ca, tls_client_crl, what the message says)."""
    root, leaf = w.root, w.client()
    good_list = revocations(root).public_bytes(PEM)
    yield "ca_is_no_ca", pem(leaf), None, r"cn:alice: certificate is no CA's"
    yield "ca_may_not_sign", pem(w.make.ca("mute", uses=("crl_sign",))), None, "keyCertSign"
    yield "ca_is_weak", pem(w.make.ca("weak", key=w.make.key("rsa1024"))), None, "2048 bits"
    yield "ca_is_a_key", key_pem(root[1]), None, "has only a key"
    yield "ca_is_empty", b"", None, "the file is empty"
    yield "ca_is_old", pem(w.make.ca("old", first=-9, days=3)), None, "warning: .*cn:old expired"
    yield "list_of_a_stranger", pem(root), revocations(w.make.ca("x")).public_bytes(PEM), \
        "not in tls_client_ca"
    namesake = w.make.ca("clients root", key=w.make.key("p256", "namesake"))
    yield "list_is_forged", pem(root), revocations(namesake).public_bytes(PEM), "not signed by"
    yield "list_is_sha1", pem(root), revocations(root, algorithm=hashes.SHA1).public_bytes(PEM), \
        "signed in a way"
    yield "list_is_old", pem(root), revocations(root, first=-9, days=3).public_bytes(DER), \
        "warning: .*revocation list is old"
    yield "list_of_the_future", pem(root), revocations(root, first=3).public_bytes(DER), \
        "warning: .*of the future"
    delta = revocations(root, extra=[(x509.DeltaCRLIndicator(1), True)])
    yield "list_of_changes", pem(root), delta.public_bytes(PEM), "critical extension"
    yield "list_is_cut", pem(root), revocations(root).public_bytes(DER)[:-3], "no revocation list"
    yield "list_is_a_certificate", pem(root), pem(root), "certificates and no revocation list"
    yield "ca_without_list", pem(root, w.make.ca("bare")), good_list, \
        "warning: .*no revocation list is of cn:bare"
    yield "nothing", pem(root), good_list, None
    yield "ed25519", pem(w.make.ca("ed", key=w.make.key("ed25519"))), revocations(
        w.make.ca("ed", key=w.make.key("ed25519"))).public_bytes(PEM), None
    for kind, algorithm in (("rsa2048", hashes.SHA512), ("p384", hashes.SHA384)):
        ca = w.make.ca(kind, key=w.make.key(kind, "ca"))
        yield kind, pem(ca), revocations(ca, algorithm=algorithm).public_bytes(PEM), None


@case()
def files(t):
    w = World(t)
    base = "[listen tls]\naddress = 127.0.0.1:0\ntls_certificate = %s\ntls_key = %s\n" % \
        t.certificate()
    for row, authorities, lists, wanted in faults(w):
        text = base + "tls_client_ca = %s\n" % w.file(row + ".pem", authorities)
        line = text.count("\n")
        if lists is not None:
            text += "tls_client_crl = %s\n" % w.file(row + ".crl", lists)
            line += 1
        code, _, stderr, path = t.check(text + "[route r]\npath = /r\n" + ECHO + "\n")
        is_good = wanted is None or wanted.startswith("warning")
        equal(code, 0 if is_good else 1, row + ": " + stderr)
        if wanted is None:
            equal(stderr, "", row)
        else:
            assert re.match(r"%s:%d: %s" % (re.escape(path), line, ""), stderr), row + ": " + stderr
            assert re.search(wanted, stderr), row + ": " + stderr


@case(rows=[
    ("without_tls", "tls_client_ca = ca.pem", "means nothing without tls_certificate", False),
    ("mode_without_ca", "tls_client = optional", "means nothing without tls_client_ca", True),
    ("list_without_ca", "tls_client_crl = x.crl", "means nothing without tls_client_ca", True),
    ("mode_is_wrong", "tls_client_ca = ca.pem\ntls_client = yes", "tls_client", True),
    ("no_file", "tls_client_ca = gone.pem", "cannot read gone.pem", True)])
def keys(t, lines, wanted, has_tls):
    w = World(t)
    w.file("ca.pem", pem(w.root))
    base = "[listen tls]\naddress = 127.0.0.1:0\n"
    if has_tls:
        base += "tls_certificate = %s\ntls_key = %s\n" % t.certificate()
    code, _, stderr, _ = t.check(base + lines + "\n[route r]\npath = /r\n" + ECHO + "\n")
    equal(code, 1, stderr)
    assert wanted in stderr, stderr
