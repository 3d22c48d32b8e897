# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: every form of file loads and serves, or the message says what to do."""

import re
import subprocess

import zoo
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from harness import case, equal
from zoo import CLIENT, CLIENTS, ROUTES, TRADITIONAL, Zoo, errors_of, key_pem, pem, write_root


# Forms of files

def with_crlf(text):
    return text.replace(b"\n", b"\r\n")


def odd_names(number):
    return ["name-%d.of-many.zoo.test" % i for i in range(number)] + ["zoo.test"]


def explicit_curve(t):
    path = t.path("explicit.key")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit", "-out", path],
                   check=True, capture_output=True)
    return self_signed(t, path)


def self_signed(t, path):
    done = subprocess.run(["openssl", "req", "-x509", "-new", "-key", path, "-days", "9", "-subj",
                           "/CN=zoo", "-addext", "subjectAltName=DNS:zoo.test"], check=True,
                          capture_output=True)
    with open(path, "rb") as file:
        return done.stdout, file.read()


def rsa_pss(t):
    path = t.path("pss.key")
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt",
                    "rsa_keygen_bits:2048", "-out", path], check=True, capture_output=True)
    return self_signed(t, path)


def forms(z):
    """Yields (row, certificate file, key file) of what must load and serve."""
    make, root, middle = z.make, z.root, z.middle
    leaf, key = make.make(issuer=middle)
    chain, private = pem(leaf, middle), key_pem(key)
    yield "plain", chain, private
    yield "crlf", with_crlf(chain), with_crlf(private)
    yield "byte_order_mark", b"\xef\xbb\xbf" + chain, b"\xef\xbb\xbf" + private
    yield "text_around", b"Certificate:\n    Data: 1\n" + chain + b"bye\n", b"# key\n" + private
    yield "no_line_at_end", chain.rstrip(), private.rstrip()
    yield "blank_lines", chain.replace(b"-----\n-----", b"-----\n\n \n-----"), b"\n\n" + private
    yield "one_long_line", one_line(chain), one_line(private)
    yield "sec1", chain, key_pem(key, TRADITIONAL)
    yield "sec1_parameters", chain, EC_PARAMETERS + key_pem(key, TRADITIONAL)
    yield "dsa_parameters_first", chain, DSA_PARAMETERS + private
    yield "several_keys", chain, private + key_pem(make.key("p256", "other"))
    yield "key_before_certificate", private + chain, private
    yield "key_behind_certificate", chain + private, private + chain
    yield "with_root", pem(leaf, middle, root), private
    yield "twice", pem(leaf, middle, middle), private
    yield "trusted_label", chain.replace(b" CERT", b" TRUSTED CERT"), private
    yield "x509_label", chain.replace(b" CERT", b" X509 CERT"), private
    for kind in ("rsa2048", "rsa3072", "rsa4096", "p384", "p521", "ed25519"):
        own = make.key(kind)
        yield kind, pem(make.make(issuer=middle, key=own), middle), key_pem(own)
    own = make.key("rsa2048")
    of_rsa = pem(make.make(issuer=middle, key=own), middle)
    yield "pkcs1", of_rsa, key_pem(own, TRADITIONAL)
    for number in (129, 1000, 1300):
        names = odd_names(number)
        yield "names_%d" % number, pem(make.make(issuer=middle, names=names), middle), private
    yield "odd_names", pem(make.make(issuer=middle, extra=ODD_EXTENSIONS, names=(
        "zoo.test", "*.zoo.test", "under_score.zoo.test", "xn--bcher-kva.test", "10.1.2.3",
        "2001:db8::1")), middle), private
    issuer, chain = root, []
    for i in range(12):
        issuer = make.ca("zoo level %d" % i, issuer)
        chain.insert(0, issuer)
    yield "chain_of_13", pem(make.make(issuer=issuer), *chain), private


def one_line(text):
    """Removes the line ends inside the base64."""
    return re.sub(rb"(?<![-])\n(?!-)", b"", text)


EC_PARAMETERS = (b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                 b"-----END EC PARAMETERS-----\n")
DSA_PARAMETERS = (b"-----BEGIN DSA PARAMETERS-----\nMAkCAgEXAgEHAgEF\n"
                  b"-----END DSA PARAMETERS-----\n")
ODD_EXTENSIONS = [
    x509.IssuerAlternativeName([x509.RFC822Name("ca@zoo.test"),
                                x509.UniformResourceIdentifier("https://ca.zoo.test/")]),
    x509.CertificatePolicies([x509.PolicyInformation(
        x509.ObjectIdentifier("2.23.140.1.2.1"), ["https://ca.zoo.test/cps"])]),
    x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x04\x01\x00"),
]


def bad_forms(z):
    """Yields (row, certificate file, key file, a word of the message)."""
    make, middle = z.make, z.middle
    leaf, key = make.make(issuer=middle)
    chain, private = pem(leaf, middle), key_pem(key)
    other = key_pem(make.key("p256", "other"))
    yield "empty", b"", private, "the file is empty"
    yield "empty_key", chain, b"", "the file is empty"
    yield "only_text", b"hello\n", private, "not PEM"
    yield "der", leaf.public_bytes(zoo.DER), private, "the file is DER"
    yield "der_key", chain, key_pem(key, encoding=zoo.DER), "the file is DER"
    yield "pkcs12", pkcs12.serialize_key_and_certificates(
        b"zoo", key, leaf, None, zoo.NO_PASSPHRASE), private, "PKCS #12"
    yield "pkcs7", pkcs7.serialize_certificates([leaf], zoo.PEM), private, "PKCS #7"
    yield "utf16", chain.decode().encode("utf-16"), private, "UTF-16"
    yield "request", request(key), private, "CSR"
    yield "exchanged", private, chain, "exchanged"
    yield "key_is_certificate", chain, chain, "exchanged"
    yield "public_key", chain, key.public_key().public_bytes(
        zoo.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), "public key"
    yield "passphrase_pkcs8", chain, key_pem(
        key, encryption=serialization.BestAvailableEncryption(b"secret")), "encrypted"
    yield "passphrase_sec1", chain, key_pem(
        key, TRADITIONAL, serialization.BestAvailableEncryption(b"secret")), "encrypted"
    yield "openssh_key", chain, key_pem(key, serialization.PrivateFormat.OpenSSH), "ssh-keygen"
    yield "dsa_key", chain, key_pem(make.key("dsa"), TRADITIONAL), "DSA"
    yield "other_key", chain, other, "does not belong"
    yield "other_kind_of_key", chain, key_pem(make.key("rsa2048")), "does not belong"
    yield "cut_off", chain[:len(chain) // 3], private, "damaged"
    yield "second_cut_off", chain[:-40], private, "damaged"
    yield "letters_lost", chain[:40] + chain[41:], private, "damaged"
    yield "issuer_first", pem(middle, leaf), private, "does not belong"
    yield "names_4097", pem(make.make(issuer=middle, names=["a%d" % i for i in range(4097)])), \
        private, "more than 4096 names"
    yield "certificates_22", pem(leaf, *[middle] * 21), private, "more than 21"
    yield "too_long", pem(make.make(issuer=middle, names=odd_names(3900)), middle), private, \
        "100 KiB"
    yield "secp256k1", pem(make.make(key=make.key("k256"))), key_pem(make.key("k256")), "P-256"
    number = (1 << 8191) + 12345
    yield "rsa8192", pem(make.make(issuer=middle, public_key=rsa.RSAPublicNumbers(
        65537, number).public_key())), private, "8192 bits"
    yield "client_only", pem(make.make(issuer=middle, extended=(CLIENT,)), middle), private, \
        "lacks serverAuth"
    yield "cert_sign_only", pem(make.make(issuer=middle, uses=("key_cert_sign",)), middle), \
        private, "keyCertSign"
    yield "rsa_pss", *rsa_pss(z.t), "plain RSA"
    yield "explicit_curve", *explicit_curve(z.t), "by its name"


def request(key):
    return (x509.CertificateSigningRequestBuilder().subject_name(zoo.name_of("zoo"))
            .sign(key, hashes.SHA256()).public_bytes(zoo.PEM))


def failures_of(z, p, rows, refused=()):
    """Connects each client to each row's listener. Returns what is not as it should be."""
    root = z.t.path("root.pem")
    failures = []
    for row in rows:
        for client, connect in CLIENTS.items():
            good, output = connect(p.ports[row][1], root)
            if good == ((row, client) in refused):
                failures.append("%s, %s: %s" % (row, client, output[-600:]))
    return failures


@case(timeout=120)
def every_form_serves(t):
    z = Zoo(t)
    write_root(z)
    for row, certificate, key in forms(z):
        z.add(row, certificate, key)
    certificate, key = z.make.make(issuer=z.middle)
    z.add("one_file", pem(certificate, z.middle) + key_pem(key), b"", one_file=True)
    with open(t.path("one_file.pem"), "wb") as file:
        file.write(key_pem(key) + pem(certificate, z.middle))
    code, messages = z.check()
    equal((code, errors_of(messages)), (0, []), "--check")
    p = t.start(z.text + ROUTES)
    failures = failures_of(z, p, z.lines)
    assert not failures, "\n".join(failures)


@case()
def bad_forms_say_what_to_do(t):
    z = Zoo(t)
    wanted = {}
    for row, certificate, key, word in bad_forms(z):
        z.add(row, certificate, key)
        wanted[row] = word
    code, messages = z.check()
    equal(code, 1, "exit code")
    for row, word in wanted.items():
        errors = [m for m in messages[row] if not m.startswith("warning")]
        assert len(errors) == 1 and word in errors[0], "%s: %s" % (row, messages[row])
