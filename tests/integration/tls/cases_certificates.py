# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: every form of file loads and serves real clients, or the message says what to do;
and where real clients refuse a certificate, --check has said so."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import warnings

import zoo
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import case, equal
from zoo import CLIENT, SERVER, TRADITIONAL, key_pem, pem

warnings.filterwarnings("ignore", "SHA1 signatures")
ROUTES = "[route r]\npath = /r\norigins = *\nbackend = echo:\n"


class Zoo:
    """Files for many listeners of one program."""

    def __init__(self, t):
        self.t = t
        self.make = zoo.Maker()
        self.root = self.make.ca("zoo root")
        self.middle = self.make.ca("zoo middle", self.root, path_length=0)
        self.text = "[server]\nworkers = 1\n"
        self.lines = {}  # row -> the line of its tls_certificate

    def add(self, row, certificate, key, mode=0o600, one_file=False):
        """Adds a listener with these files' contents."""
        paths = [self.t.path(row + ".pem"), self.t.path(row + ".key")]
        paths[1] = paths[0] if one_file else paths[1]
        for path, content in zip(paths, (certificate, key)):
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, mode)
        self.text += "[listen %s]\naddress = 127.0.0.1:0\n" % row
        self.lines[row] = self.text.count("\n") + 1
        self.text += "tls_certificate = %s\ntls_key = %s\n" % tuple(paths)

    def check(self):
        """Runs --check. Returns its exit code, and the messages of each row."""
        code, _, stderr, path = self.t.check(self.text + ROUTES)
        rows = {row: [] for row in self.lines}
        by_line = {line: row for row, line in self.lines.items()}
        for message in stderr.splitlines():
            found = re.match(re.escape(path) + r":(\d+): (.*)", message)
            assert found, "not FILE:LINE: message: %r" % message
            line = int(found.group(1))
            rows[by_line.get(line) or by_line[line - 1]].append(found.group(2))
        return code, rows


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
    yield "pkcs12", serialization.pkcs12.serialize_key_and_certificates(
        b"zoo", key, leaf, None, zoo.NO_PASSPHRASE), private, "PKCS #12"
    yield "pkcs7", serialization.pkcs7.serialize_certificates([leaf], zoo.PEM), private, "PKCS #7"
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
    yield "explicit_curve", *explicit_curve(z.t), "by its name"


# What clients demand

STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])


def demands(z):
    """Yields (row, certificates, key, a word of the warning or None)."""
    make, root, middle = z.make, z.root, z.middle
    key = make.key()

    def leaf(*chain, issuer=middle, **options):
        certificate, own = make.make(issuer=issuer, **options)
        return pem(certificate, *(chain or (middle,))), own

    def below(ca, **options):
        return leaf(ca, middle, issuer=ca, **options)

    yield "good", *leaf(), None
    yield "good_by_root", pem(make.make(issuer=root)), key, None
    yield "good_with_root", *leaf(middle, root), None
    yield "good_agreement", *leaf(uses=("digital_signature", "key_agreement")), None
    yield "good_no_usage", *leaf(uses=None), None
    yield "good_both_uses", *leaf(extended=(SERVER, CLIENT)), None
    yield "good_825_days", *leaf(days=825), None
    yield "good_wildcard", *leaf(names=("zoo.test", "*.zoo.test")), None
    yield "wildcard_on_top", *leaf(names=("*.test",)), "'*.test'"
    yield "wildcard_in_label", *leaf(names=("zo*.test",)), "'zo*.test'"
    yield "good_aia", *leaf(aia=True), None
    for_rsa = ("digital_signature", "key_encipherment")  # NSS's certutil wants both
    yield "good_rsa", *leaf(key=make.key("rsa2048"), uses=for_rsa), None
    yield "expired", *leaf(first=-30, days=29), "expired on"
    yield "expired_long_ago", *leaf(first=-9000, days=90), "expired on"
    yield "not_yet", *leaf(first=3), "not valid before"
    yield "rsa_1024", *leaf(key=make.key("rsa1024")), "1024 bits"
    yield "rsa_2047", *leaf(key=make.key("rsa2047"), uses=for_rsa), "2047 bits"
    yield "sha1", *leaf(digest=hashes.SHA1()), "SHA-1"
    yield "no_names", *leaf(names=()), "no names"
    yield "no_extended", *leaf(extended=None), "no extendedKeyUsage"
    yield "no_signature_use", *leaf(uses=("key_encipherment",)), "digitalSignature"
    yield "ca_as_leaf", *leaf(is_ca=True, uses=("digital_signature", "key_cert_sign")), "CA:TRUE"
    yield "long_life", *leaf(days=3650), "3650 days"
    yield "ed25519", *leaf(key=make.key("ed25519")), "browsers refuse"
    yield "p521", *leaf(key=make.key("p521")), "Chromium refuses"
    yield "must_staple", *leaf(extra=[STAPLE]), "must staple"
    yield "incomplete", pem(make.make(issuer=middle, aia=True)), key, "append its issuer"
    ca = make.ca("zoo deep", root)
    deep = make.ca("zoo deeper", ca)
    yield "good_deep", *leaf(deep, ca, issuer=deep), None
    yield "wrong_order", *leaf(ca, deep, issuer=deep), "wrong order"
    yield "stranger", *leaf(ca), "has not signed"
    yield "gap", *leaf(deep, root, issuer=deep), "has not signed"
    yield "behind_root", *leaf(middle, root, ca), "follow a root"
    yield "repeated", *leaf(middle, middle), "twice"
    impostor = make.ca("zoo middle", root, key=make.key("p256", "impostor"))
    yield "impostor", *leaf(impostor), "has not signed"
    no_ca = make.ca("zoo no ca", root, is_ca=False)
    yield "issuer_no_ca", *leaf(no_ca, issuer=no_ca), "no CA's"
    mute = make.ca("zoo mute", root, uses=("crl_sign",))
    yield "issuer_may_not_sign", *leaf(mute, issuer=mute), "may not sign"
    old = make.ca("zoo old", root, first=-30, days=29)
    yield "issuer_expired", *leaf(old, issuer=old), "certificate 2 of the file expired"
    weak = make.ca("zoo weak", root, key=make.key("rsa1024"))
    yield "issuer_rsa_1024", *leaf(weak, issuer=weak), "certificate 2 of the file has an RSA"
    sha1 = make.ca("zoo sha1", root, digest=hashes.SHA1())
    yield "issuer_sha1", *leaf(sha1, issuer=sha1), "certificate 2 of the file is signed with SHA-1"
    too_deep = make.ca("zoo too deep", middle)
    yield "path_length", *below(too_deep), "pathlen"
    tied = make.ca("zoo tied", root, permitted=("zoo.test", "10.0.0.0/8"))
    yield "good_constraint", *leaf(tied, issuer=tied, names=("zoo.test", "10.1.2.3")), None
    yield "constraint", *leaf(tied, issuer=tied, names=("zoo.test", "zoo.example")), "zoo.example"
    yield "constraint_address", *leaf(tied, issuer=tied, names=("zoo.test", "11.1.2.3")), None
    barred = make.ca("zoo barred", root, excluded=("zoo.test",))
    yield "constraint_excluded", *leaf(barred, issuer=barred), "nameConstraints"
    high = make.ca("zoo high", root, permitted=("other.test",))
    low = make.ca("zoo low", high)
    yield "constraint_above", *leaf(low, high, issuer=low), "nameConstraints"


def by_nss(z, row, root):
    """Asks NSS, which has rules of its own about keys, usages and CAs."""
    directory = z.t.path("nss-" + row)
    os.mkdir(directory)
    subprocess.run(["certutil", "-N", "-d", directory, "--empty-password"], check=True,
                   capture_output=True)
    subprocess.run(["certutil", "-A", "-d", directory, "-n", "root", "-t", "C,,", "-i", root],
                   check=True, capture_output=True)
    with open(z.t.path(row + ".pem"), "rb") as file:
        parts = re.findall(rb"-----BEGIN.*?-----END CERTIFICATE-----\n", file.read(), re.S)
    for i, part in enumerate(parts):
        if part == pem(z.root):
            continue
        subprocess.run(["certutil", "-A", "-d", directory, "-n", "c%d" % i, "-t", ",,"],
                       input=part, check=False, capture_output=True)
    code, output = run_client(["certutil", "-V", "-d", directory, "-n", "c0", "-u", "V", "-e"])
    return code == 0, output


# Rows that a client refuses without a warning, and why there is none.
UNTOLD = {
    "constraint_address": "wolfSSL does not read addresses in nameConstraints",
}
# Warnings for clients that are not among these.
OTHERS = {
    "no_extended": "Apple's systems", "long_life": "Apple's systems", "p521": "Chromium",
    "rsa_2047": "Apple's systems", "wrong_order": "clients of TLS 1.2 that keep to RFC 5246",
    "repeated": "nobody; it is waste", "behind_root": "clients that keep to RFC 5246",
}


def verdicts(z, p, rows):
    """Returns {row: the clients that refuse}."""
    root = z.t.path("root.pem")
    refused = {}
    for row in rows:
        refused[row] = [client for client, connect in CLIENTS.items()
                        if not connect(p.ports[row][1], root)[0]]
        if not by_nss(z, row, root)[0]:
            refused[row].append("nss")
    return refused


def request(key):
    return (x509.CertificateSigningRequestBuilder().subject_name(zoo.name_of("zoo"))
            .sign(key, hashes.SHA256()).public_bytes(zoo.PEM))


def run_client(command, text=b"Q\n"):
    done = subprocess.run(command, input=text, capture_output=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def by_openssl(port, root, name="zoo.test"):
    code, output = run_client(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-servername", name, "-CAfile",
         root, "-verify_hostname", name, "-verify_return_error", "-verify_quiet", "-verify", "30",
         "-x509_strict"])
    return code == 0 and "Verify return code: 0 (ok)" in output, output


def by_gnutls(port, root, name="zoo.test"):
    code, output = run_client(
        ["gnutls-cli", "--x509cafile", root, "--sni-hostname", name, "--verify-hostname", name,
         "-p", str(port), "127.0.0.1"], b"")
    return code == 0, output


def by_python(port, root, name="zoo.test"):
    context = ssl.create_default_context(cafile=root)
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as plain:
            with context.wrap_socket(plain, server_hostname=name):
                return True, ""
    except OSError as error:
        return False, str(error)


CLIENTS = {"openssl": by_openssl, "gnutls": by_gnutls, "python": by_python}


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


def write_root(z, *more):
    with open(z.t.path("root.pem"), "wb") as file:
        file.write(pem(z.root, *more))


def errors_of(messages):
    return [m for row in messages.values() for m in row if not m.startswith("warning")]


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


@case(timeout=180)
def what_clients_refuse_is_told(t):
    z = Zoo(t)
    write_root(z)
    wanted = {}
    for row, certificates, key, word in demands(z):
        z.add(row, certificates, key_pem(key))
        wanted[row] = word
    code, messages = z.check()
    equal((code, errors_of(messages)), (0, []), "--check")
    for row, word in wanted.items():
        if word is None:
            equal(messages[row], [], row)
        else:
            assert any(word in message for message in messages[row]), (row, messages[row])
    p = t.start(z.text + ROUTES)
    equal(len(p.log.find("config.warning")), sum(map(len, messages.values())), "logged warnings")
    refused = verdicts(z, p, z.lines)
    print("\n".join("%s: %s" % item for item in refused.items()))
    silent = {row for row, clients in refused.items() if clients and not messages[row]}
    equal(silent, set(UNTOLD), "rows that clients refuse without a warning")
    alarms = {row for row, clients in refused.items() if messages[row] and not clients}
    equal(alarms, set(OTHERS), "rows with a warning that each of these clients takes")


@case()
def who_may_read_the_key(t):
    """Owner and group may, others not; where a container's secrets are mounted, that is a warning.
    """
    make = zoo.Maker()
    certificate, key = make.make()
    files = {"c.pem": pem(certificate), "k.pem": key_pem(key), "both.pem": pem(certificate) +
             key_pem(key)}
    shm = tempfile.mkdtemp(dir="/dev/shm")
    t.cleanup(lambda: shutil.rmtree(shm))
    is_in_memory = subprocess.run(["stat", "-f", "-c", "%T", t.dir], capture_output=True,
                                  check=True, text=True).stdout.strip() == "tmpfs"
    for directory, is_mount in ((t.dir, is_in_memory), (shm, True)):
        for mode in (0o400, 0o600, 0o440, 0o640, 0o660, 0o644, 0o604, 0o444, 0o602, 0o666):
            for names in (("c.pem", "k.pem"), ("both.pem", "both.pem")):
                for name, content in files.items():
                    path = os.path.join(directory, name)
                    with open(path, "wb") as file:
                        file.write(content)
                    os.chmod(path, 0o644 if name == "c.pem" else mode)
                text = "[listen a]\naddress = 127.0.0.1:0\ntls_certificate = %s\ntls_key = %s\n" % (
                    tuple(os.path.join(directory, name) for name in names))
                code, _, stderr, path = t.check(text + ROUTES)
                what = "%s %o %s" % (directory, mode, names[0])
                is_bad = mode & 0o002 or (mode & 0o004 and not is_mount)
                equal(code, 1 if is_bad else 0, what)
                equal("every user" in stderr, bool(mode & 0o007), what)
                equal("warning" in stderr, bool(mode & 0o007) and not is_bad, what)
