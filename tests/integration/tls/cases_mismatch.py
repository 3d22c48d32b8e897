# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes that fail: the client gets the right alert, and the log names what decided."""

import http.client
import socket
import ssl
import subprocess

import zoo
from harness import TLS12, TLS13, case, equal
from wsclient import Ended
from zoo import key_pem, pem

ECHO = "origins = *\nbackend = echo:"
LISTEN = "[listen %s]\naddress = 127.0.0.1:0\ntls_certificate = %s\ntls_key = %s\n%s\n"


class Listeners:
    """One program with a listener for each kind of key, and one for TLS 1.3 only."""

    def __init__(self, t):
        make = zoo.Maker()
        text = "[server]\nworkers = 1\nlog_limit = 0\nlog_level = debug\n"
        for name, kind, more in (("ec", "p256", ""), ("rsa", "rsa2048", ""),
                                 ("new", "p256", "tls_min_version = 1.3"),
                                 ("p521", "p521", ""), ("ed25519", "ed25519", "")):
            certificate, key = make.make(key=make.key(kind))
            files = [t.write(name + end, content.decode())
                     for end, content in ((".pem", pem(certificate)), (".key", key_pem(key)))]
            subprocess.run(["chmod", "600", files[1]], check=True)
            text += LISTEN % (name, *files, more)
        self.p = t.start(text + "[route r]\npath = /r\n" + ECHO + "\n")
        self.seen = 0

    def s_client(self, listen, *options, name="zoo.test"):
        """Returns the output of openssl s_client."""
        done = subprocess.run(["openssl", "s_client", "-connect",
                               "127.0.0.1:%d" % self.p.ports[listen][1], "-servername", name,
                               *options], input=b"Q\n", capture_output=True, timeout=30)
        return (done.stdout + done.stderr).decode(errors="replace")

    def end(self):
        """Returns the fields of the next session.end line."""
        self.seen += 1
        return self.p.log.wait("session.end", self.seen)[-1]


NEW = ["-tls1_3"]
OLD = ["-tls1_2", "-cipher", "ALL:@SECLEVEL=0"]

# Listener, options of s_client, the alert that it gets, words of the detail.
MISMATCHES = [
    ("ec", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "protocol version", "TLS 1.1 at most"),
    ("ec", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "protocol version", "TLS 1.1 at most"),
    ("new", ["-tls1_2"], "protocol version", "tls_min_version is 1.3"),
    ("ec", ["-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
     "handshake failure", "only old ones"),
    ("ec", ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "handshake failure",
     "another kind of certificate key"),
    ("rsa", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "handshake failure",
     "another kind of certificate key"),
    ("ec", ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"], "handshake failure",
     "no common cipher suite"),
    ("ec", ["-tls1_2", "-groups", "P-521"], "handshake failure", "no common group"),
    ("ec", ["-tls1_3", "-groups", "P-521"], "handshake failure", "no common group"),
    ("rsa", ["-tls1_2", "-groups", "P-521"], "handshake failure", "no common group"),
    ("ec", ["-groups", "P-521:X448"], "handshake failure", "no common group"),
    ("ec", ["-sigalgs", "RSA-PSS+SHA256"], "handshake failure", "signature algorithm"),
    ("rsa", ["-sigalgs", "ECDSA+SHA256"], "handshake failure", "signature algorithm"),
    ("ed25519", ["-sigalgs", "ECDSA+SHA256"], "handshake failure", "signature algorithm"),
    ("p521", ["-tls1_3", "-sigalgs", "ECDSA+SHA256"], "handshake failure", "signature algorithm"),
    ("ec", ["-alpn", "h2"], "no application protocol", "ALPN"),
    ("ec", ["-alpn", "h2,http/1.0"], "no application protocol", "ALPN"),
]

# Listener, options, what s_client must say.
MATCHES = [
    ("ec", ["-tls1_2", "-groups", "P-521:P-256"], "ECDH, prime256v1"),
    ("rsa", ["-tls1_2", "-groups", "P-521:P-384"], "ECDH, secp384r1"),
    ("rsa", ["-tls1_2", "-groups", "P-521:X25519"], "X25519"),
    ("ec", ["-tls1_3", "-groups", "P-521:P-256"], "ECDH, prime256v1"),
    ("ec", ["-alpn", "h2,http/1.1"], "ALPN protocol: http/1.1"),
    ("p521", [], "Server public key is 521 bit"),
    ("ed25519", [], "d25519"),
    ("ed25519", ["-tls1_2"], "d25519"),
]


@case()
def mismatches(t):
    listeners = Listeners(t)
    for listen, options, alert, words in MISMATCHES:
        output = listeners.s_client(listen, *options)
        what = "%s %s" % (listen, options)
        assert "alert " + alert in output, "%s: %s" % (what, output)
        line = listeners.end()
        equal((line["ending"], line["sni"]), ("tls_failed", "zoo.test"), what)
        assert words in line["detail"], "%s: %s" % (what, line)
    for listen, options, words in MATCHES:
        output = listeners.s_client(listen, *options)
        assert words in output, "%s %s: %s" % (listen, options, output)
        line = listeners.end()
        assert line["ending"] != "tls_failed", (options, line)


# What a client says of our certificate; `name` is the SNI.
@case(rows=[("tls_1_2", TLS12), ("tls_1_3", TLS13)])
def alerts_of_clients(t, version):
    listeners = Listeners(t)
    for name, words in (("zoo.test", "alert unknown_ca received"),
                        ("other.test", "alert unknown_ca received: no certificate is for")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = version
        try:
            listeners.p.wire("ec", context=context, server_name=name)
            raise AssertionError("the client takes the certificate")
        except (ssl.SSLError, Ended):
            pass
        line = listeners.end()
        equal((line["ending"], line["sni"]), ("tls_failed", name), "ending")
        assert line["detail"].startswith(words), line


@case()
def every_alert_has_its_name(t):
    """A client may send any alert instead of its Finished."""
    listeners = Listeners(t)
    for number, name in ((42, "bad_certificate"), (44, "certificate_revoked"),
                         (45, "certificate_expired"), (46, "certificate_unknown"),
                         (48, "unknown_ca"), (90, "user_canceled"),
                         (113, "bad_certificate_status")):
        hello = client_hello()
        with socket.create_connection(listeners.p.ports["ec"], 30) as sock:
            sock.sendall(hello)
            equal(sock.recv(1), b"\x16", "ServerHello")
            sock.sendall(b"\x15\x03\x03\x00\x02\x02" + bytes([number]))
            while sock.recv(65536):
                pass
        line = listeners.end()
        equal(line["ending"], "tls_failed", name)
        assert name in line["detail"], line


def client_hello(name="zoo.test", high=TLS12):
    """Returns the first flight of Python's client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = high
    out = ssl.MemoryBIO()
    wrapped = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    try:
        wrapped.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


@case()
def sni_in_the_log_is_escaped_and_bounded(t):
    listeners = Listeners(t)
    hello = client_hello("x" * 60 + ".test")
    old = b"x" * 60 + b".test"
    for new in (b'a"b=c\\d' + b"y" * 53 + b".test", b"-" * 65):
        assert len(new) == len(old)
        changed = hello.replace(old, new)
        with socket.create_connection(listeners.p.ports["ec"], 30) as sock:
            sock.sendall(changed)
            sock.recv(1)
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x30")
            while sock.recv(65536):
                pass
        line = listeners.end()
        equal(line["sni"], new.decode(), "sni")


# Other protocols on the TLS port

HTTP = "plain HTTP"
FOREIGN = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP), (b"GET /a HTTP/1.0\r\n\r\n", HTTP),
    (b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", HTTP),
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP), (b"CONNECT a:443 HTTP/1.1\r\n\r\n", HTTP),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"), (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
    (b"EHLO mail.example\r\n", "SMTP"), (b"RFB 003.008\n", "VNC"), (b"NICK me\r\n", "IRC"),
    (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "PROXY protocol, version 1"),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12), "PROXY protocol, version 2"),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", "PostgreSQL"), (b"\x05\x01\x00", "SOCKS"),
    (b"\x03\x00\x00\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", "RDP"),
    (b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + bytes(37), "SSL 2.0"),
    (b"hello\n", "not TLS"), (b"\xff\xfb\x01\xff\xfb\x03", "not TLS"), (b"GETTY", "not TLS"),
    (b"\x15\x03\x03\x00\x02\x01\x00", "not TLS"),
]


@case(rows=[("whole", 0), ("by_bytes", 1), ("cut_at_2", 2)])
def other_protocols(t, cut):
    listeners = Listeners(t)
    for data, words in FOREIGN:
        with socket.create_connection(listeners.p.ports["ec"], 30) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in [data[i:i + cut] for i in range(0, 6, cut)] if cut else []:
                sock.sendall(piece)
            rest = len(range(0, 6, cut)) * cut if cut else 0
            sock.sendall(data[rest:])
            answer = b""
            while piece := recv_some(sock):
                answer += piece
        line = listeners.end()
        equal(line["ending"], "tls_failed", data)
        assert words in line["detail"], (data, line)
        equal(answer.startswith(b"HTTP/1.1 400 "), words == HTTP, data)
        equal(answer == b"", words != HTTP, data)


def recv_some(sock):
    try:
        return sock.recv(65536)
    except ConnectionResetError:  # the rest of the bytes came after our end
        return b""


@case()
def http_on_the_tls_port(t):
    """A client of HTTP reads the answer, also when its own request is longer than we look."""
    listeners = Listeners(t)
    for method, body in (("GET", None), ("HEAD", None), ("POST", b"x" * 300000), ("PUT", b"y")):
        connection = http.client.HTTPConnection(*listeners.p.ports["ec"], timeout=30)
        try:
            connection.request(method, "/r", body=body, headers={"Upgrade": "websocket"})
        except (BrokenPipeError, ConnectionResetError):
            assert body is not None and len(body) > 1000
        answer = connection.getresponse()
        text = answer.read()
        equal((answer.status, answer.getheader("Connection")), (400, "close"), method)
        equal(b"https:// or wss://" in text, method != "HEAD", method)
        equal(text == b"", method == "HEAD", method)
        connection.close()
        equal(listeners.end()["ending"], "tls_failed", method)


@case()
def first_bytes_that_never_go_on(t):
    """A few bytes that could become HTTP wait for the deadline like half a ClientHello."""
    p = t.gateway(server="tls_timeout = 300ms", r=ECHO)
    with socket.create_connection(p.ports["tls"], 30) as sock:
        sock.sendall(b"GE")
        equal(sock.recv(100), b"", "answer")
    p.one_end("tls_failed", phase="tls",
              detail="the TLS handshake took longer than tls_timeout")


@case()
def no_first_byte(t):
    """The log says that the client, and not the handshake, kept the program waiting: at debug, for
    such a connection asked for nothing."""
    p = t.gateway(server="tls_timeout = 300ms\nlog_level = debug", r=ECHO)
    with socket.create_connection(p.ports["tls"], 30) as sock:
        equal(sock.recv(100), b"", "answer")
    p.one_end("tls_failed", phase="tls", detail="the client sent nothing within tls_timeout")
