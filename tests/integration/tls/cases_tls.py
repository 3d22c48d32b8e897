# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: versions, suites, names, ALPN, tickets, and everything that is not TLS on the TLS port."""

import os
import ssl
import subprocess
import time

import tlsraw
from harness import TLS12, TLS13, case, equal, wait_until
from sessions import end_after_close
from threads import in_thread, join
from wsclient import BINARY, CLOSE, FIN, TEXT, Client, Ended, Wire, frame

ECHO = "origins = *\nbackend = echo:"


def echo_once(client, path="/r", text="hello"):
    client.open(path)
    client.text(text)
    equal(client.recv_message(), (TEXT, text.encode()), "echo")
    client.end_cleanly()


def two_pairs(t, first="ec", second="rsa"):
    pairs = [t.certificate(first), t.certificate(second)]
    return "tls_certificate = %s\ntls_key = %s" % tuple(", ".join(part) for part in zip(*pairs))


def handshake_alert(p, context, listen="tls", **options):
    """Returns the name of the alert that refuses this handshake."""
    try:
        p.wire(listen, context=context, **options)
    except ssl.SSLError as error:
        return str(error.reason)
    except Ended as end:
        return "ended: " + end.how
    raise AssertionError("the handshake was accepted")


# Versions and suites

@case()
def versions(t):
    p = t.gateway(r=ECHO)
    for version, name in ((TLS12, "TLSv1.2"), (TLS13, "TLSv1.3")):
        c = p.client(context=t.tls_context(low=version, high=version))
        equal(c.wire.tls.version(), name, "version")
        echo_once(c)
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = t.tls_context(low=version, high=version, ciphers="ALL:@SECLEVEL=0")
        reason = handshake_alert(p, context)
        assert "PROTOCOL_VERSION" in reason, reason
    p.log.wait("session.end", 2, ending="tls_failed")


@case()
def minimum_version(t):
    p = t.gateway(tls="tls_min_version = 1.3", r=ECHO)
    echo_once(p.client())
    reason = handshake_alert(p, t.tls_context(high=TLS12))
    assert "PROTOCOL_VERSION" in reason, reason


ACCEPTED = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"]
REFUSED = ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-NULL-SHA",
           "ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-CCM", "ECDHE-RSA-AES128-SHA",
           "ECDHE-RSA-NULL-SHA", "AES128-GCM-SHA256", "AES128-SHA", "NULL-SHA256",
           "DHE-RSA-AES128-GCM-SHA256", "ADH-AES128-GCM-SHA256", "AECDH-AES128-SHA"]


@case()
def suites_of_tls_1_2(t):
    p = t.gateway(tls=two_pairs(t), r=ECHO)
    for suite in ACCEPTED:
        name = "b.test" if "RSA" in suite else "localhost"
        c = p.client(context=t.tls_context(high=TLS12, ciphers=suite), server_name=name)
        equal(c.wire.tls.cipher()[0], suite, "suite")
        echo_once(c)
    for suite in REFUSED:
        name = "localhost" if "ECDSA" in suite else "b.test"
        context = t.tls_context(high=TLS12, ciphers=suite + ":@SECLEVEL=0")
        reason = handshake_alert(p, context, server_name=name)
        assert "ALERT" in reason, "%s: %s" % (suite, reason)


def s_client(p, *options, data="Q\n"):
    """Runs openssl s_client against the TLS listener. Returns its output."""
    host, port = p.ports["tls"]
    done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % (host, port), "-servername",
                           "localhost", *options], input=data, capture_output=True, text=True,
                          timeout=30)
    return done.stdout + done.stderr


@case()
def suites_of_tls_1_3(t):
    p = t.gateway(r=ECHO)
    for suite, is_good in (("TLS_AES_128_GCM_SHA256", True), ("TLS_AES_256_GCM_SHA384", True),
                           ("TLS_CHACHA20_POLY1305_SHA256", True),
                           ("TLS_AES_128_CCM_SHA256", False), ("TLS_AES_128_CCM_8_SHA256", False)):
        output = s_client(p, "-tls1_3", "-ciphersuites", suite)
        equal("Cipher is " + suite in output, is_good, suite + " is accepted")


@case()
def no_renegotiation_no_compression_no_early_data(t):
    p = t.gateway(r=ECHO)
    output = s_client(p, "-tls1_2", data="R\n")
    assert "Compression: NONE" in output, output
    assert "RENEGOTIATING" in output, output
    assert "verify return" not in output.partition("RENEGOTIATING")[2], "it renegotiated"
    output = s_client(p, "-tls1_3")
    assert "Early data was not sent" in output or "Max Early Data: 0" in output, output


# Names

@case()
def certificate_by_name(t):
    p = t.gateway(tls=two_pairs(t), r=ECHO)
    for name, want in (("localhost", "ec"), ("a.test", "ec"), ("b.test", "rsa"),
                       ("x.b.test", "rsa"), ("B.Test", "rsa"), ("x.y.b.test", "ec"),
                       ("unknown.test", "ec"), (None, "ec")):
        context = t.tls_context()
        context.check_hostname = False
        wire = p.wire(context=context, server_name=name)
        equal(dict(item[0] for item in wire.tls.getpeercert()["subject"])["commonName"], want,
              "the certificate for %s" % name)
        wire.close()


@case()
def host_and_server_name_must_agree(t):
    p = t.gateway(r="host = desk.a.test\n" + ECHO)
    for name, host, is_good in (("desk.a.test", "desk.a.test", True),
                                ("desk.a.test", "desk.a.test:8443", True),
                                ("a.test", "desk.a.test", False),
                                ("desk.a.test", "a.test", False)):
        c = p.client(server_name=name, host=host)
        if is_good:
            echo_once(c)
        else:
            c.open("/r")
            c.recv_close(1008)
            end_after_close(c, 1008)
    p.log.wait("session.end", 2, ending="no_route")
    equal(len(p.ends(ending="client_close")), 2, "admitted sessions")


# ALPN

@case()
def alpn(t):
    p = t.gateway(r=ECHO)
    for offer, want in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), (None, None)):
        c = p.client(context=t.tls_context(alpn=offer))
        equal(c.wire.tls.selected_alpn_protocol(), want, "protocol for %r" % offer)
        echo_once(c)
    for version in (TLS12, TLS13):
        handshake_alert(p, t.tls_context(alpn=["h2"], low=version, high=version))
    wire = p.wire(context=None)
    offer = tlsraw.vector(2, tlsraw.vector(1, b"h2") + tlsraw.vector(1, b"http/1.0"))
    wire.send(tlsraw.records_of(tlsraw.client_hello(alpn=offer)))
    equal(tlsraw.alert_of(wire.recv()), tlsraw.NO_APPLICATION_PROTOCOL, "alert")


HELLOS = [
    ("alpn_trailing_8", {"alpn": tlsraw.vector(2, b"\x08http/1.1\x08")}),
    ("alpn_trailing_255", {"alpn": tlsraw.vector(2, b"\x08http/1.1\xff")}),
    ("alpn_empty_name", {"alpn": tlsraw.vector(2, b"\x00")}),
    ("alpn_empty_list", {"alpn": tlsraw.vector(2, b"")}),
    ("alpn_list_too_long", {"alpn": b"\x40\x00\x08http/1.1"}),
    ("key_shares_5000", {"key_shares": [(0x0A0A + i, b"x") for i in range(5000)]}),
    ("key_shares_duplicate", {"key_shares": [(0x1D, bytes(range(32)))] * 300}),
    ("key_share_short", {"key_shares": [(0x1D, b"short")]}),
    ("extension_cut", {"extra": b"\x00\x2b\x00\xff"}),
    ("name_with_nul", {"server_name": b"local\0host"}),
    ("name_too_long", {"server_name": b"a" * 60000}),
]


@case(rows=HELLOS)
def hostile_hello(t, options):
    """The program answers or refuses quickly, and does not crash."""
    p = t.gateway(server="tls_timeout = 2s", r=ECHO)
    wire = p.wire(context=None)
    try:
        wire.send(tlsraw.records_of(tlsraw.client_hello(**options)))
        while wire.recv():
            pass
    except Ended:
        pass
    wire.close()
    p.one_end("tls_failed")
    echo_once(p.client())


@case()
def hello_by_the_byte(t):
    """A whole handshake comes in pieces of one byte."""
    p = t.gateway(r=ECHO)

    class Slow(Wire):
        def flush(self):
            for byte in self.outgoing.read():
                self.sock.send(bytes([byte]))

    wire = Slow(p.ports["tls"], t.context)
    t.cleanup(wire.close)
    echo_once(Client(wire))


# Tickets

def resume_often(t, p, version, count=24):
    """Reconnects with the first session's ticket. Returns how many sessions were resumed."""
    context = t.tls_context(low=version, high=version)
    c = p.client(context=context)
    c.open("/r")
    c.text("x")
    c.recv_message()  # by now the tickets of TLS 1.3 are here
    session = c.wire.tls.session
    assert session is not None and session.has_ticket, "no ticket came"
    c.end_cleanly()
    resumed = 0
    for _ in range(count):
        c = p.client(context=context, session=session)
        resumed += c.wire.tls.session_reused
        echo_once(c)
    return resumed


@case(rows=[("tls_1_2", TLS12), ("tls_1_3", TLS13)])
def tickets_across_workers(t, version):
    p = t.gateway(server="workers = 2", r=ECHO)
    resumed = resume_often(t, p, version)
    ends = p.log.wait("session.end", 25)
    served = {line["id"].partition("-")[0] for line in ends}
    equal(served, {"0", "1"}, "workers that served")
    equal(resumed, 24, "resumed sessions")


# What is not TLS

GARBAGE = [
    ("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("ssh", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
    ("smtp", b"EHLO localhost\r\n"),
    ("sslv2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37)),
    ("zeros", bytes(1000)),
    ("ones", b"\xff" * 1000),
    ("random", os.urandom(5000)),
    ("record_too_long", b"\x16\x03\x01\xff\xff" + bytes(70000)),
    ("record_empty", b"\x16\x03\x01\x00\x00" * 1000),
    ("record_version", b"\x16\x09\x01\x00\x05hello"),
    ("alert_first", b"\x15\x03\x01\x00\x02\x02\x28"),
    ("data_first", b"\x17\x03\x03\x00\x20" + bytes(32)),
    ("server_hello", tlsraw.record(22, b"\x02" + tlsraw.vector(3, bytes(70)))),
]


@case(rows=GARBAGE)
def not_tls(t, data):
    """The program closes, after at most an alert or an answer to HTTP, logs one line, and serves
    the next client."""
    p = t.gateway(server="tls_timeout = 1500ms", r=ECHO)
    wire = p.wire(context=None)
    answer = b""
    try:
        wire.send(data)
        while True:
            more = wire.recv()
            if not more:
                break
            answer += more
    except Ended:
        pass
    is_told = answer.startswith(b"HTTP/1.1 400 ") if data.startswith(b"GET ") else (
        len(answer) <= 14 and (not answer or answer[0] == tlsraw.ALERT))
    assert is_told, answer
    wire.close()
    p.one_end("tls_failed", phase="tls")
    echo_once(p.client())


@case(rows=[("silent", b""), ("half_hello", None), ("one_byte", b"\x16")])
def handshake_too_slow(t, data):
    p = t.gateway(server="tls_timeout = 700ms\nlog_level = debug", r=ECHO)
    wire = p.wire(context=None)
    wire.send(tlsraw.records_of(tlsraw.client_hello())[:100] if data is None else data)
    while wire.recv():
        pass
    p.one_end("tls_failed", level="info" if data != b"" else "debug")


@case(rows=[("fin", "half_close"), ("rst", "reset")])
def client_leaves_in_the_handshake(t, end):
    p = t.gateway(r=ECHO)
    wire = p.wire(context=None)
    wire.send(tlsraw.records_of(tlsraw.client_hello())[:100])
    time.sleep(0.1)
    getattr(wire, end)()
    line = p.log.wait("session.end")[0]
    assert line["ending"] in ("tls_failed", "client_cut", "client_reset"), line
    equal(line["phase"], "tls", "phase")


@case()
def handshake_and_nothing_else(t):
    """A probe that ends the handshake and its stream in one flight has ended in order."""
    p = t.gateway(server="log_level = debug", r=ECHO)
    wire = p.wire(context=None)
    context, incoming, outgoing = t.tls_context(), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            wire.send(outgoing.read())
            incoming.write(wire.recv())
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass
    wire.send(outgoing.read())
    wire.half_close()
    p.one_end("client_eof", phase="request", tls="TLSv1.3")


# Hostile records

def start_handshake(t, p):
    """Returns a plain wire that has sent a ClientHello and read the server's flight."""
    wire = p.wire(context=None)
    wire.send(tlsraw.records_of(tlsraw.client_hello()))
    wait_until(lambda: wire.recv(), "the server's flight")
    return wire


@case(rows=[("tag_only", 16), ("shorter", 15), ("one_byte", 1), ("empty", 0), ("long", 16700)])
def unauthentic_record_in_the_handshake(t, size):
    """An encrypted record that holds only a tag made older libraries read out of bounds."""
    p = t.gateway(server="tls_timeout = 2s", r=ECHO)
    wire = start_handshake(t, p)
    try:
        wire.send(tlsraw.record(tlsraw.APPLICATION, os.urandom(size)))
        while wire.recv():
            pass
    except Ended:
        pass
    p.one_end("tls_failed")
    echo_once(p.client())


def forge(t, p, path="/r"):
    """Returns an open session and a forger of its next records."""
    context = t.tls_context(low=TLS13)
    context.keylog_filename = t.path("keys")
    c = p.client(context=context)
    c.open(path)  # the request was one record, number 0
    cipher = c.wire.tls.cipher()[0]
    return c, tlsraw.Forger(t.path("keys"), cipher, sequence=1)


INNER = [
    # The inner plaintext of an authentic record: content, type, padding; and whether the session
    # lives on.
    ("good", frame(BINARY, b"hello") + b"\x17", True),
    ("good_padded", frame(BINARY, b"hello") + b"\x17" + bytes(100), True),
    ("good_empty_then_data", b"\x17", True),
    ("tag_only", b"", False),
    ("all_zero", bytes(64), False),
    ("change_cipher_spec", b"\x01\x14", False),
    ("unknown_type", b"hello\x63", False),
    ("handshake_garbage", b"\xff\x00\x00\x04zzzz\x16", False),
    ("client_hello_again", tlsraw.client_hello() + b"\x16", False),
    ("warning_alert", b"\x01\x5a\x15", None),
    ("fatal_alert", b"\x02\x28\x15", False),
]


@case(rows=INNER)
def authentic_record(t, inner, lives):
    p = t.gateway(r=ECHO, server="drain_timeout = 1s")
    c, forger = forge(t, p)
    c.wire.send_raw(forger.record(inner))
    if lives:
        if inner == b"\x17":
            c.wire.send_raw(forger.record(frame(BINARY, b"hello") + b"\x17"))
        equal(c.recv_message(), (BINARY, b"hello"), "echo")
        c.wire.reset()
        p.one_end("client_reset")
    elif lives is False:
        try:
            while c.wire.recv():
                pass
        except (ssl.SSLError, Ended):
            pass
        c.wire.close()
        line = p.one_end()
        assert line["ending"] in ("client_reset", "client_cut", "tls_failed", "protocol"), line
    echo_once(p.client())


@case()
def key_updates(t):
    """A client may change its keys at any time, and ask us to change ours, also while a download
    fills the queues."""
    backend = t.backend()
    p = t.gateway(r="origins = *\nbackend = " + backend.url)
    c, forger = forge(t, p)
    peer = backend.accept()
    for number in range(1, 6):
        sender = in_thread(peer.send, bytes(1000000))
        c.wire.send_raw(forger.key_update())
        c.wire.send_raw(forger.record(frame(BINARY, b"after update %d" % number) + b"\x17"))
        assert c.recv_bytes(1000000) == bytes(1000000)
        peer.expect(b"after update %d" % number)
        join(sender)
    c.wire.send_raw(forger.record(frame(CLOSE, b"") + b"\x17"))
    c.recv_close(None)
    p.one_end("client_close", down_bytes=5000000)


@case()
def key_update_flood(t):
    """After a thousand key updates the program serves or ends the client; no queue grows, nothing
    crashes."""
    p = t.gateway(r=ECHO)
    c, forger = forge(t, p)
    try:
        for _ in range(20):
            c.wire.send_raw(b"".join(forger.key_update() for _ in range(50)))
        c.wire.send_raw(forger.record(frame(CLOSE, b"") + b"\x17"))
        c.recv_close(None)
    except (Ended, OSError, ssl.SSLError):
        pass
    c.wire.close()
    p.one_end()
    echo_once(p.client())


# The end of a session

@case(rows=[("wss", "tls"), ("ws", "plain")])
def close_is_readable_behind_junk(t, listen):
    """A megabyte in flight behind a bad frame must not turn the Close into a reset."""
    p = t.gateway(r=ECHO)
    junk = frame(3, b"x") + os.urandom(1 << 20)
    for _ in range(20):
        c = p.client(listen).open("/r")
        c.wire.sock.setblocking(True)
        c.wire.set_timeout(20)
        c.send_raw(junk)
        c.recv_close(1002)
        c.wire.finish()
        c.recv_end(FIN)
        c.wire.close()
    ends = p.log.wait("session.end", 20)
    equal({line["ending"] for line in ends}, {"protocol"}, "endings")


@case(rows=[("wss", "tls"), ("ws", "plain")])
def http_error_is_readable_behind_junk(t, listen):
    p = t.gateway(r=ECHO)
    for _ in range(20):
        c = p.client(listen)
        c.send_raw(b"NONSENSE\r\n\r\n" + os.urandom(1 << 18))
        equal(c.read_response().status, 400, "status")
        c.wire.finish()
        c.recv_end(FIN)
        c.wire.close()


@case(rows=[("tls_1_2", TLS12), ("tls_1_3", TLS13)])
def our_end_is_told(t, version):
    """close_notify comes before FIN, so that nobody can cut a stream short unnoticed."""
    p = t.gateway(r="idle_timeout = 300ms\n" + ECHO)
    c = p.client(context=t.tls_context(low=version, high=version)).open("/r")
    c.recv_close(1001)
    end_after_close(c, 1001)


@case()
def log_names_the_version(t):
    p = t.gateway(r=ECHO)
    for version, name in ((TLS12, "TLSv1.2"), (TLS13, "TLSv1.3")):
        echo_once(p.client(context=t.tls_context(low=version, high=version)))
        p.log.wait("session.end", tls=name)
    echo_once(p.client("plain"))
    assert "tls" not in p.log.wait("session.end", 3)[2]
