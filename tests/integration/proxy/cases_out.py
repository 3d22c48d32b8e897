# SPDX-License-Identifier: GPL-3.0-or-later
"""proxy_protocol_out: what a backend hears before the client's first byte, by the byte; nginx and
HAProxy as backends that expect it."""

import socket

import fronts
from fronts import (ALPN, AUTHORITY, CLIENT, LOCAL, PROXY_KEYS, TLS, TLS_CIPHER, TLS_NAME,
                    TLS_VERSION, UNIQUE_ID, Header, call, gateway, haproxy, nginx, tls_tlv, tlv,
                    v1, v2)
from harness import TLS12, TLS13, case, equal, free_port
from sessions import WIRES
from wsclient import BINARY, Client, Wire

KEYS = "origins = none\nproxy_protocol_out = %s\nbackend = %s\n"


def session_id(p):
    return p.log.wait("session.end")[0]["id"].encode()


def talk(t, c, peer):
    """The client's bytes come right behind the header, and the backend's way back is free."""
    c.binary(b"hello")
    peer.expect(b"hello")
    peer.send(b"world")
    equal(c.recv_message(), (BINARY, b"world"), "back")
    c.close(1000)
    peer.expect_fin()
    peer.fin()
    c.recv_close(1000, has_reason=False)
    c.wire.finish()


BACKENDS = [("ipv4", {}), ("ipv6", {"family": socket.AF_INET6}), ("unix", {"path": "s"})]


@case(rows=[("%s.%s.%s" % (version, name, wire), version, listen, options)
            for version in ("v1", "v2") for name, options in BACKENDS for wire, listen in WIRES])
def header(t, version, listen, options):
    if "path" in options:
        options = {"path": t.path("s")}
    backend = t.backend(**options)
    p = t.gateway(r=KEYS % (version, backend.url))
    c = p.client(listen, source=(CLIENT, 0)).open("/r", origin=None)
    host, port = c.wire.sock.getsockname()
    peer = backend.accept()
    got = Header(peer)
    equal((got.version, got.family, got.source, got.destination),
          (int(version[1]), "TCP4", (host, port), p.ports[listen]), "the header")
    talk(t, c, peer)
    if version == "v1":
        return
    wanted = {AUTHORITY: b"localhost", UNIQUE_ID: session_id(p)}
    equal({kind: value for kind, value in got.tlvs.items() if kind not in (TLS, ALPN)}, wanted,
          "TLVs")
    equal(got.tls is not None, listen == "tls", "TLS is told")


@case(rows=[("1_2", TLS12, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("1_3", TLS13, "TLSv1.3", None)])
def tls_facts(t, version, name, suite):
    """SNI, ALPN, version and suite of the client's own handshake."""
    backend = t.backend()
    p = t.gateway(r=KEYS % ("v2", backend.url))
    context = t.tls_context(low=version, high=version, ciphers=suite, alpn=["http/1.1"])
    c = Client(p.wire(context=context, server_name="a.test"), "a.test:1")
    c.open("/r", origin=None)
    peer = backend.accept()
    got = Header(peer)
    equal((got.tlvs[AUTHORITY], got.tlvs[ALPN]), (b"a.test", b"http/1.1"), "TLVs")
    equal(got.tlvs[TLS][:5], b"\1\0\0\0\1", "client and verify: TLS, and no certificate")
    equal(got.tls[TLS_VERSION].decode(), name, "version")
    cipher = c.wire.tls.cipher()[0]
    assert got.tls[TLS_CIPHER].startswith(b"TLS_"), got.tls
    if version == TLS13:
        equal(got.tls[TLS_CIPHER].decode(), cipher, "suite")
    talk(t, c, peer)


IN = [
    # name, header in, source, destination, authority, version of the client's TLS
    ("v1", v1(), ("198.51.100.7", 4711), ("203.0.113.1", 443), b"localhost", None),
    ("v2_ipv6", v2(source="2001:db8::7", destination="2001:db8::1"), ("2001:db8::7", 4711),
     ("2001:db8::1", 443), b"localhost", None),
    ("tls", v2(tls_tlv(tlv(TLS_VERSION, b"TLSv1.3"), tlv(TLS_CIPHER, b"S"), tlv(TLS_NAME, b"joe"),
                       client=3, verify=0), tlv(AUTHORITY, b"localhost")),
     ("198.51.100.7", 4711), ("203.0.113.1", 443), b"localhost", b"TLSv1.3"),
    ("unknown", b"PROXY UNKNOWN\r\n", None, None, None, None),
    ("local", LOCAL, "peer", "listener", b"localhost", None),
]


@case(rows=IN)
def passed_on(t, data, source, destination, authority, version):
    """What came in is what goes out, with our own id; of the client's certificate too."""
    backend = t.backend()
    p = gateway(t, r=KEYS % ("v2", backend.url))
    c = call(t, p, "plain", data)
    c.host = "localhost"
    c.open("/r", origin=None)
    if source == "peer":
        source, destination = c.wire.sock.getsockname(), p.ports["plain"]
    peer = backend.accept()
    got = Header(peer)
    equal((got.source, got.destination), (source, destination), "addresses")
    equal(got.tlvs.get(AUTHORITY), authority, "authority")
    equal(got.tls and got.tls[TLS_VERSION], version, "version")
    if version:
        equal((got.tls[TLS_NAME], got.tlvs[TLS][:5]), (b"joe", b"\7\0\0\0\0"), "certificate")
    talk(t, c, peer)
    equal(got.tlvs.get(UNIQUE_ID), session_id(p) if source else None, "id")


@case(rows=[("v1", "v1"), ("v2", "v2")])
def two_families(t, version):
    """An IPv6 client, told by a proxy to an IPv4 listener: both are told as IPv6."""
    backend = t.backend()
    p = gateway(t, keys="trusted_proxies = 127.0.0.1\nforwarded = forwarded\n",
                r=KEYS % (version, backend.url))
    c = p.client("plain")
    c.open("/r", origin=None, headers=[
        ("Forwarded", 'for="[2001:db8::7]:99";host=app.example;proto=https')])
    peer = backend.accept()
    got = Header(peer)
    equal((got.family, got.source, got.destination),
          ("TCP6", ("2001:db8::7", 99), ("::ffff:127.0.0.1", p.ports["plain"][1])), "addresses")
    if version == "v2":
        equal((got.tlvs[AUTHORITY], got.tlvs[TLS][:5], got.tls),
              (b"app.example", b"\1\0\0\0\1", {}), "TLVs")
    talk(t, c, peer)


@case()
def every_backend_hears_it(t):
    """A backend that is down is not the last word: the next one gets the header too."""
    backend = t.backend()
    p = t.gateway(r=KEYS % ("v1", "%s, %s" % (t.closed_port(), backend.url)))
    c = p.client(source=(CLIENT, 0)).open("/r", origin=None)
    peer = backend.accept()
    equal(Header(peer).source, c.wire.sock.getsockname(), "source")
    talk(t, c, peer)


@case(rows=[("v1", "v1"), ("v2", "v2")])
def in_pieces(t, version):
    """The kernel takes one byte of the first header, two of the second, and so on to the last:
    what the client says comes behind the whole header."""
    backend = t.backend()
    p = t.start(t.config(r=KEYS % (version, backend.url)), env=fronts.short_sends(t))
    count = 0
    while True:
        count += 1
        c = p.client("plain").open("/r", origin=None)
        peer = backend.accept()
        got = Header(peer)
        equal(got.source, c.wire.sock.getsockname(), "source")
        talk(t, c, peer)
        if count > got.size:
            break
    p.log.wait("session.end", count, ending="client_close")


ANSWER = """frontend f
    mode http
    bind 127.0.0.1:%d accept-proxy
    timeout client 20s
    http-request return status 200 content-type text/plain lf-string \
"%%[src]:%%[src_port] %%[dst]:%%[dst_port] %%[fc_pp_authority] %%[fc_pp_unique_id]"
"""


@case(rows=[("v1.wss", "v1", "tls"), ("v1.ws", "v1", "plain"), ("v2.wss", "v2", "tls"),
            ("v2.ws", "v2", "plain")])
def haproxy_takes_it(t, version, listen):
    port = free_port()
    haproxy(t, ANSWER % port, port)
    p = t.gateway(r=KEYS % (version, "tcp://127.0.0.1:%d" % port))
    c = p.client(listen, source=(CLIENT, 0)).open("/r", origin=None)
    c.binary(b"GET / HTTP/1.0\r\n\r\n")
    answer = c.recv_close(1000)[1].partition(b"\r\n\r\n")[2].split()
    wanted = ["%s:%d" % c.wire.sock.getsockname(), "%s:%d" % p.ports[listen]]
    c.close(1000)
    c.wire.finish()
    if version == "v2":
        wanted += ["localhost", session_id(p).decode()]
    equal([word.decode() for word in answer], wanted, "what HAProxy says")


@case(rows=[("v1", "v1"), ("v2", "v2")])
def nginx_takes_it(t, version):
    port, backend = free_port(), t.backend()
    nginx(t, """stream {
        server {
            listen 127.0.0.1:%d proxy_protocol;
            return "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr";
        }
    }""" % port, port)
    p = t.gateway(r=KEYS % (version, "tcp://127.0.0.1:%d" % port))
    c = p.client(source=(CLIENT, 0)).open("/r", origin=None)
    answer = c.recv_close(1000)[1]
    equal(answer.decode(), "%s:%d 127.0.0.1" % c.wire.sock.getsockname(), "what nginx says")
    c.close(1000)
    c.wire.finish()
