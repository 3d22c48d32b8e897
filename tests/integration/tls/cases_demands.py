# SPDX-License-Identifier: GPL-3.0-or-later
"""Where real clients refuse a certificate, --check has said so; the same for hosts without a
certificate, and for keys that everybody can read."""

import os
import re
import shutil
import subprocess
import tempfile

import zoo
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from harness import case, equal
from zoo import (CLIENT, CLIENTS, ROUTES, SERVER, Zoo, errors_of, key_pem, pem, run_client,
                 write_root)


# What clients demand

STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])


def by_sha1(t, key, issuer, extensions, common_name="zoo"):
    """Signs by SHA-1, which new versions of python3-cryptography do not do."""
    request_ = (x509.CertificateSigningRequestBuilder().subject_name(zoo.name_of(common_name))
                .sign(key, hashes.SHA256()).public_bytes(zoo.PEM))
    contents = {"sha1.csr": request_, "sha1-ca.pem": pem(issuer), "sha1-ca.key": key_pem(issuer[1]),
                "sha1.ext": extensions.encode()}
    for name, content in contents.items():
        with open(t.path(name), "wb") as file:
            file.write(content)
    done = subprocess.run(
        ["openssl", "x509", "-req", "-in", t.path("sha1.csr"), "-CA", t.path("sha1-ca.pem"),
         "-CAkey", t.path("sha1-ca.key"), "-sha1", "-set_serial", "77", "-days", "30", "-extfile",
         t.path("sha1.ext")], check=True, capture_output=True)
    return x509.load_pem_x509_certificate(done.stdout), key


SHA1_LEAF = "subjectAltName=DNS:zoo.test\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n"
SHA1_CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"


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
    yield "sha1", pem(by_sha1(z.t, key, middle, SHA1_LEAF), middle), key, "SHA-1"
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
    sha1 = by_sha1(z.t, make.key("p256", "sha1"), root, SHA1_CA, "zoo sha1")
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
# Warnings that are for others than these clients.
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


# wolfSSL 5.9.2 makes no trial handshake with these, so sluice cannot use them; 5.7.2 does.
MAY_BE_USELESS = ("no_signature_use",)


def is_useless(t, row, certificates, key, word):
    """Asks the program whether the wolfSSL that it has refuses this certificate, and how."""
    alone = Zoo(t)
    alone.add(row, certificates, key)
    code, messages = alone.check()
    assert any(word in message for message in messages[row]), messages
    equal(code, 1 if errors_of(messages) else 0, "exit code")
    return code == 1


@case(timeout=180)
def what_clients_refuse_is_told(t):
    z = Zoo(t)
    write_root(z)
    wanted = {}
    for row, certificates, key, word in demands(z):
        if row in MAY_BE_USELESS and is_useless(t, row, certificates, key_pem(key), word):
            continue
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
    silent = {row for row, clients in refused.items() if clients and not messages[row]}
    assert silent <= set(UNTOLD), "clients refuse without a warning: %r of %r" % (silent, refused)
    alarms = {row for row, clients in refused.items() if messages[row] and not clients}
    assert alarms <= set(OTHERS), "all clients take in spite of a warning: %r" % alarms


def let_others_in(*directories):
    """The runner's directories are closed, and a key below a closed directory is nobody else's."""
    for directory in directories:
        while not os.stat(directory).st_mode & 0o001 or directory in directories:
            os.chmod(directory, os.stat(directory).st_mode | 0o011)
            directory = os.path.dirname(directory)


@case()
def a_key_below_a_closed_directory(t):
    """Its own mode does not matter while one of the directories above keeps others out."""
    certificate, key = zoo.Maker().make()
    os.makedirs(t.path("out/in"))
    for name, content in (("c.pem", pem(certificate)), ("k.pem", key_pem(key))):
        with open(t.path("out/in/" + name), "wb") as file:
            file.write(content)
        os.chmod(t.path("out/in/" + name), 0o644)
    os.symlink("out/in/k.pem", t.path("link.pem"))
    text = "[listen a]\naddress = 127.0.0.1:0\ntls_certificate = out/in/c.pem\ntls_key = %s\n"
    let_others_in(t.dir)
    for outer, inner in ((0o755, 0o750), (0o700, 0o755)):
        os.chmod(t.path("out"), outer)
        os.chmod(t.path("out/in"), inner)
        for name in ("out/in/k.pem", "link.pem"):
            code, _, stderr, _ = t.check(text % name + ROUTES)
            equal((code, "every user" in stderr), (0, False), "%o %o %s" % (outer, inner, name))
    os.chmod(t.path("out"), 0o711)
    os.chmod(t.path("out/in"), 0o711)
    code, _, stderr, _ = t.check(text % "link.pem" + ROUTES)
    assert "every user" in stderr, stderr


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
    let_others_in(t.dir, shm)
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


@case()
def hosts_without_a_certificate(t):
    make = zoo.Maker()
    one = make.make(names=("one.test", "*.wild.test", "10.1.2.3"))
    two = make.make(names=("two.test",))
    files = {}
    for name, (certificate, key) in (("one", one), ("two", two)):
        files[name] = [t.path(name + ".pem"), t.path(name + ".key")]
        for path, content in zip(files[name], (pem(certificate), key_pem(key))):
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o600)
    tls = "[listen %s]\naddress = 127.0.0.1:0\ntls_certificate = %s\ntls_key = %s\n"
    text = tls % ("a", *files["one"]) + tls % ("b", *files["two"])
    hosts = {"one.test": 0, "two.test": 0, "three.test": 1, "a.wild.test": 0, "*.test": 0,
             "wild.test": 1, "10.1.2.3": 0, "10.1.2.4": 1}
    for i, host in enumerate(hosts):
        text += "[route r%d]\npath = /r%d\nbackend = echo:\nhost = %s\n" % (i, i, host)
    for plain in ("", "[listen plain]\naddress = 127.0.0.1:0\n"):
        code, _, stderr, _ = t.check(text + plain)
        equal(code, 0, "--check")
        for host, count in hosts.items():
            equal(stderr.count("for the host '%s'" % host), 0 if plain else count, host)
    line = text.partition("three.test")[0].count("\n") + 1
    _, _, stderr, path = t.check(text)
    assert "%s:%d: warning: no listener has" % (path, line) in stderr, stderr
