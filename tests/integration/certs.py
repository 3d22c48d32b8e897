# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates made at test time with the openssl command line, and contexts that trust them.

`ec` is the default certificate, `rsa` a second name, `other` fits to neither key: each is its own
root. Nothing made here outlives the run.
"""

import os
import ssl
import subprocess

NAMES = {
    "ec": ("ec", "DNS:localhost,IP:127.0.0.1,DNS:a.test,DNS:desk.a.test"),
    "rsa": ("rsa", "DNS:b.test,DNS:*.b.test"),
    "other": ("ec", "DNS:other.test"),
}
KEY_OPTIONS = {
    "ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
}


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


def make(directory):
    """NAME.pem and NAME.key for every name above, and all.pem with every certificate."""
    whole = b""
    for name, (kind, alternatives) in NAMES.items():
        key, certificate = (os.path.join(directory, name + end) for end in (".key", ".pem"))
        openssl("genpkey", *KEY_OPTIONS[kind], "-out", key)
        openssl("req", "-x509", "-new", "-key", key, "-out", certificate, "-days", "30",
                "-subj", "/CN=" + name, "-addext", "subjectAltName=" + alternatives)
        os.chmod(key, 0o600)
        with open(certificate, "rb") as file:
            whole += file.read()
    with open(os.path.join(directory, "all.pem"), "wb") as file:
        file.write(whole)


def context(directory, low=None, high=None, ciphers=None, alpn=None):
    """A client's context that trusts what make() made."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(os.path.join(directory, "all.pem"))
    if ciphers:
        made.set_ciphers(ciphers)
    if low:
        made.minimum_version = low
    if high:
        made.maximum_version = high
    if alpn:
        made.set_alpn_protocols(alpn)
    return made
