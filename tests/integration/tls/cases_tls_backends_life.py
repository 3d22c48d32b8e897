# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a session over a backend's TLS: handshakes that fail, ends, resumption, reloads."""

import hashlib
import os
import random
import socket
import ssl

import services
from harness import case, equal, free_port, wait_until
from nameserver import Etc
from reloads import reload
from scrape import ask
from threads import in_thread, join
from tlsbackends import (VERSIONS, Authority, Server, refused, route, server_context, talk)
from wsclient import BINARY, CUT, FIN, RESET, TEXT
from zoo import pem

MIB = 1 << 20


# Handshakes that come to nothing

ANSWERS = [
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", "the server does not speak TLS"),
    ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n", "the server does not speak TLS"),
    ("zeros", bytes(4000), "the server does not speak TLS"),
    ("alert", b"\x15\x03\x03\x00\x02\x02\x28", "alert handshake_failure received"),
    ("hello_cut", b"\x16\x03\x03\x00\x40\x02\x00", "the server broke off the handshake"),
    ("fin", b"", "the server broke off the handshake"),
]


@case()
def no_tls(t):
    """What a server says that is no TLS, or is cut off."""
    a = Authority(t)
    backends = {name: t.backend() for name, _, _ in ANSWERS}
    p = t.gateway(**{name: "backend = tls://localhost:%d\nbackend_ca = %s" % (
        backend.port, a.ca()) for name, backend in backends.items()})
    for name, said, detail in ANSWERS:
        def serve(backend=backends[name], said=said):
            peer = backend.accept()
            equal(peer.recv(1), b"\x16", "the first byte is a handshake's")
            peer.send(said)
            peer.fin()
        thread = in_thread(serve)
        equal(refused(p, "/" + name)["detail"], detail, name)
        join(thread)
    down = p.log.find("backend.down")
    equal([line["detail"] for line in down], [row[2] for row in ANSWERS], "lines of backend.down")


@case()
def hostile(t):
    """Random answers, and good ones with a byte changed: the word is backend_tls, or the bytes that
    changed nothing. Nobody else notices."""
    a = Authority(t)
    draw = random.Random(1)
    pair = a.pair()
    backend = t.backend()
    good = Server(t, server_context(pair))
    p = t.gateway(bad="connect_timeout = 1s\nbackend = tls://localhost:%d\nbackend_ca = %s" % (
        backend.port, a.ca()), good=route(good, a.ca()))

    def spoil(data):
        data = bytearray(data)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        return bytes(data)

    def serve():
        for number in range(60):
            peer = backend.accept()
            hello = peer.recv_some()
            if number % 3 == 0:
                head = b"\x16\x03\x03" + draw.randbytes(2) if number % 2 else b""
                said = head + draw.randbytes(draw.randrange(1, 3000))
            else:
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = server_context(pair, high=VERSIONS["1.2"] if number % 2 else None).wrap_bio(
                    incoming, outgoing, server_side=True)
                incoming.write(hello)
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                said = spoil(outgoing.read())
            try:
                peer.send(said)
                peer.fin()
            except OSError:
                pass  # the gateway has seen enough

    thread = in_thread(serve)
    for _ in range(60):
        line = refused(p, "/bad")
        assert line["detail"], line
    join(thread)
    talk(p, "/good", good)


@case()
def stalled(t):
    """A server that accepts and says nothing, or stops in the middle of its hello."""
    a = Authority(t)
    backends = [t.backend(), t.backend()]
    p = t.gateway(**{name: "connect_timeout = 300ms\nbackend = tls://localhost:%d\n"
                           "backend_ca = %s" % (backend.port, a.ca())
                     for name, backend in zip(("mute", "half"), backends)})
    detail = "the server does not go on with the TLS handshake"
    equal(refused(p, "/mute", "backend_timeout")["detail"], detail, "detail")
    thread = in_thread(lambda: backends[1].accept().send(b"\x16\x03\x03\x00\x40\x02\x00"))
    equal(refused(p, "/half", "backend_timeout")["detail"], detail, "detail")
    join(thread)
    backends[0].accept().recv_some()


@case()
def next_backend(t):
    """A backend whose certificate is bad is passed over; sluice sends it no byte of the page."""
    a = Authority(t)
    bad = Server(t, server_context(a.pair(names=("other.test",))))
    good = Server(t, server_context(a.pair()))
    p = t.gateway(r="backend = %s, %s\nbackend_ca = %s" % (bad.url, good.url, a.ca()))
    talk(p, "/r", good)
    equal(p.ends()[0]["backend"], good.url, "backend")
    assert isinstance(bad.result(), ssl.SSLError)


# Ends

def opened(t, listen="plain", keys="", version=None, **options):
    a = Authority(t)
    server = Server(t, server_context(a.pair(), low=version, high=version), **options)
    p = t.gateway(r=route(server, a.ca(), keys))
    c = p.client(listen).open("/r")
    return p, c, server.accept()


def leave(c, code, **options):
    """Answers the Close that comes, unless it is an answer itself, and ends. Returns what came
    before it."""
    _, before = c.recv_close(code, **options)
    if options.get("has_reason", True):
        c.close(code)
    c.recv_end(FIN)
    c.wire.finish()
    return before


ROWS = [("%s.%s" % (listen, name), listen, version) for listen in ("plain", "tls")
        for name, version in VERSIONS.items()]


@case(rows=ROWS)
def clean_end(t, listen, version):
    """close_notify and FIN are the backend's end; close_notify alone is it too."""
    p, c, peer = opened(t, listen, version=version)
    peer.send(b"last")
    peer.notify()
    equal(c.recv_message(), (BINARY, b"last"), "what came before")
    leave(c, 1000)
    peer.expect_end(FIN)
    p.one_end("backend_close")


@case(rows=ROWS)
def truncated(t, listen, version):
    """FIN without close_notify is no end that a page may trust."""
    p, c, peer = opened(t, listen, version=version)
    peer.send(b"half of")
    equal(c.recv_message(), (BINARY, b"half of"), "what came before")
    peer.fin()
    leave(c, 1011)
    p.one_end("backend_reset", detail="FIN without close_notify")


@case()
def aborted(t):
    p, c, peer = opened(t)
    peer.reset()
    leave(c, 1011)
    p.one_end("backend_reset")


@case()
def forged(t):
    """Bytes that were not sealed by the backend end the session, and never reach the page."""
    p, c, peer = opened(t)
    peer.send(b"true")
    equal(c.recv_message(), (BINARY, b"true"), "what came before")
    peer.sock.sendall(b"\x17\x03\x03\x00\x40" + os.urandom(64))
    equal(leave(c, 1011), b"", "what came before the Close")
    line = p.one_end("backend_reset")
    assert line["detail"], line


@case(rows=[("page_leaves", FIN), ("page_is_lost", RESET)])
def client_ends(t, how):
    """Behind the page's Close the backend gets close_notify; a lost page is a reset."""
    p, c, peer = opened(t)
    c.binary(b"last")
    peer.expect(b"last")
    if how == FIN:
        c.close(1000)
        peer.expect_end(FIN)
        peer.end_cleanly()
        leave(c, 1000, has_reason=False)
        p.one_end("client_close")
    else:
        c.wire.reset()
        equal(peer.recv_all(), b"", "bytes behind it")
        assert peer.ended in (RESET, CUT), peer.ended
        p.one_end("client_reset")


@case(rows=list(VERSIONS.items()))
def half_close(t, version):
    """half_close = keep: the page goes on after the backend's close_notify."""
    p, c, peer = opened(t, keys="half_close = keep\n", version=version)
    peer.send(b"all of mine")
    peer.notify()
    equal(c.recv_message(), (BINARY, b"all of mine"), "message")
    more = os.urandom(300000)
    c.binary(more)
    equal(peer.recv(len(more)), more, "what the page sent behind it")
    c.close(1000)
    peer.expect_end(FIN)
    peer.fin()
    leave(c, 1000, has_reason=False)
    p.one_end("client_close")


@case(timeout=120, rows=ROWS)
def transfer(t, listen, version):
    """32 MiB each way; one way after the other, because an object of ssl takes one thread."""
    size = 32 * MIB
    p, c, peer = opened(t, listen, version=version)
    up, down = random.Random(1).randbytes(size), random.Random(2).randbytes(size)

    def send_up():
        for at in range(0, size, MIB):
            c.binary(up[at:at + MIB])

    def send_down():
        for at in range(0, size, 100000):
            peer.tls.write(down[at:at + 100000])
            peer.flush()

    thread = in_thread(send_down)
    equal(hashlib.sha256(c.recv_bytes(size)).digest(), hashlib.sha256(down).digest(), "down")
    join(thread)
    thread = in_thread(send_up)
    equal(hashlib.sha256(peer.recv(size)).digest(), hashlib.sha256(up).digest(), "up")
    join(thread)
    c.close(1000)
    peer.expect_end(FIN)
    peer.end_cleanly()
    leave(c, 1000, has_reason=False)
    p.one_end("client_close", up_bytes=size, down_bytes=size)


@case()
def lines_over_tls(t):
    """A route that cuts lines: one record of TLS has several of them, and one line several."""
    p, c, peer = opened(t, keys="framing = line\npayload = text\nline_end = crlf\n")
    c.text(b"hello")
    peer.expect(b"hello\r\n")
    peer.send(b"one\r\ntwo\r\nth")
    peer.send(b"r")
    peer.send(b"ee\r\n")
    for word in (b"one", b"two", b"three"):
        equal(c.recv_message(), (TEXT, word), "message")


@case()
def header_before_tls(t):
    """The PROXY header comes in the clear, in front of the handshake."""
    a = Authority(t)
    backend = t.backend()
    p = t.gateway(r="backend = tls://localhost:%d\nbackend_ca = %s\nproxy_protocol_out = v1" % (
        backend.port, a.ca()))
    thread = in_thread(lambda: p.client("plain").open("/r"))
    peer = backend.accept()
    head = b""
    while not head.endswith(b"\r\n"):
        head += peer.recv(1)
    assert head.startswith(b"PROXY TCP4 127.0.0.1 "), head
    equal(peer.recv(2), b"\x16\x03", "the handshake behind it")
    peer.reset()
    join(thread)


# Resumption

@case(rows=list(VERSIONS.items()))
def resumption(t, version):
    """A worker takes up the newest session of a server, and of no other route's rules."""
    a = Authority(t)
    server = Server(t, server_context(a.pair(), low=version, high=version))
    text = t.config(r=route(server, a.ca()), same=route(server, a.ca()),
                    off=route(server, None, "backend_verify = off\n"))
    p = t.start(text)
    wanted = [("r", False), ("r", True), ("r", True), ("same", True), ("off", False),
              ("off", True), ("r", True)]
    for number, (path, is_reused) in enumerate(wanted):
        equal(talk(p, "/" + path, server).tls.session_reused, is_reused,
              "reused (%d, %s)" % (number, path))
    reload(p, text.replace("[route r]\n", "[route r]\nidle_timeout = 77s\n"))
    for is_reused in (False, True):
        equal(talk(p, "/r", server).tls.session_reused, is_reused, "reused after a reload")
    # The server starts anew, and knows nothing.
    server.context = server_context(a.pair(), low=version, high=version)
    for is_reused in (False, True):
        equal(talk(p, "/r", server).tls.session_reused, is_reused, "reused by a new server")


@case()
def nothing_resumes_for_others(t):
    """A session is taken up only under the name and with the server it was made with."""
    a = Authority(t)
    context = server_context(a.pair(names=("a.test", "b.test")))
    one, other = Server(t, context, "127.0.0.1"), Server(t, context, "127.0.0.1")
    p = t.gateway(a=route(one, a.ca(), "backend_name = a.test\n"),
                  b=route(one, a.ca(), "backend_name = b.test\n"),
                  c=route(other, a.ca(), "backend_name = a.test\n"))
    for path, server, is_reused in (("a", one, False), ("b", one, False), ("c", other, False),
                                    ("a", one, True), ("b", one, True), ("c", other, True)):
        equal(talk(p, "/" + path, server).tls.session_reused, is_reused, path)


# Keys and reloads

@case()
def verify_off(t):
    """backend_verify = off warns at the start, and is seen in /config."""
    a = Authority(t)
    server = Server(t, server_context(a.pair(first=-30, days=10, names=("other.test",))))
    text = t.config(r=route(server, None, "backend_verify = off\n"))
    text += "[admin]\naddress = unix:%s/admin.sock\n" % t.dir
    code, _, errors, _ = t.check(text)
    equal((code, errors.count("backend_verify = off")), (0, 1), errors)
    p = t.start(text)
    warnings = p.log.find("config.warning")
    assert len(warnings) == 1 and "backend_verify = off" in warnings[0]["detail"], warnings
    assert "backend_verify = off\n" in ask(p.ports["admin"], "/config")[2]
    talk(p, "/r", server)


@case()
def new_ca(t):
    """A reload takes a new CA; sessions go on. A file without a CA changes nothing."""
    a, b = Authority(t), Authority(t, "new root")
    server = Server(t, server_context(a.pair()))
    path = a.ca()
    p = t.gateway(server="watch = 0", r=route(server, path))
    c = p.client("plain").open("/r")
    peer = server.accept()
    with open(path, "wb") as file:
        file.write(pem(b.root))
    reload(p)
    equal(refused(p, "/r")["detail"], "certificate is from an unknown CA", "detail")
    assert isinstance(server.result(), ssl.SSLError)
    server.context = server_context(b.pair())
    with open(path, "wb") as file:
        file.write(b"nothing\n")
    reload(p, event="reload.failed")
    talk(p, "/r", server)
    c.binary(b"still here")
    peer.expect(b"still here")
    c.wire.reset()


@case()
def system_ca(t):
    """Without backend_ca the system's file says whom to trust; without it nothing starts."""
    etc = Etc(t)
    a = Authority(t)
    server = Server(t, server_context(a.pair()))
    text = t.config(r=route(server))
    code, _, errors = t.run_program("-c", t.write("none.ini", text), "--check",
                                    preexec_fn=etc.enter)
    assert code == 1 and "ca-certificates.crt: No such file" in errors, (code, errors)
    code, _, errors = t.run_program("-c", t.write("off.ini", text + "backend_verify = off\n"),
                                    "--check", preexec_fn=etc.enter)
    equal(code, 0, "without verification nobody asks for the file: " + errors)
    os.makedirs(etc.path("ssl/certs"))
    weak = a.make.ca("weak", key=a.make.key("rsa1024", "weak"))
    # Debian's file has more than a hundred CAs.
    others = [a.make.ca("other %d" % i, key=a.make.key("p256", "other")) for i in range(120)]
    etc.write("ssl/certs/ca-certificates.crt", pem(weak, *others, a.root).decode())
    p = t.start(text, preexec_fn=etc.enter)
    talk(p, "/r", server)
    etc.write("ssl/certs/ca-certificates.crt", pem(Authority(t, "other").root).decode())
    reload(p)
    equal(refused(p, "/r")["detail"], "certificate is from an unknown CA", "detail")


# A service

def resp(*words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


@case(timeout=90)
def redis(t):
    """A redis-server that speaks nothing but TLS, and wants a certificate: SET and GET of 5 MiB."""
    a = Authority(t)
    port, pair = free_port(), a.pair()
    process = services.start_service(t, [
        "redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--appendonly", "no", "--dir", t.dir, "--daemonize", "no", "--tls-cert-file", pair,
        "--tls-key-file", pair, "--tls-ca-cert-file", a.ca(), "--tls-auth-clients", "yes"],
        "redis.log")
    services.wait_for_port(t, port, process, "redis.log")
    url = "backend = tls://localhost:%d\nbackend_ca = %s\n" % (port, a.ca())
    p = t.gateway(r=url + a.client_lines(), none=url)
    value = os.urandom(5 * MIB)
    for _ in range(2):
        c = p.client().open("/r")
        c.binary(resp(b"SET", b"big", value))
        equal(c.recv_bytes(5), b"+OK\r\n", "answer")
        c.binary(resp(b"GET", b"big"))
        want = b"$%d\r\n%s\r\n" % (len(value), value)
        assert c.recv_bytes(len(want)) == want, "the value differs"
        c.binary(resp(b"QUIT"))
        _, before = c.recv_close(1000, has_reason=False)
        equal(before, b"+OK\r\n", "answer")
        c.close(1000)
        c.recv_end(FIN)
        c.wire.finish()
    wait_until(lambda: len(p.ends(ending="backend_close")) == 2, "two ends")
    assert "certificate" in refused(p, "/none")["detail"]
