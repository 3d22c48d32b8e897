# SPDX-License-Identifier: GPL-3.0-or-later
"""Real proxies in front, with the examples of config/README.md: HAProxy and nginx, which pass bytes
on or speak HTTP. The client comes from 127.0.0.9, the proxy from 127.0.0.1."""

import fronts
from fronts import CLIENT, PROXY_KEYS, client_of, gateway, haproxy, http_block, nginx, snippet
from harness import case, equal, free_port
from wsclient import CUT, FIN, TEXT

ALLOWED = "backend = echo:\nallow = %s\n" % CLIENT
FORWARDED_KEYS = "trusted_proxies = 127.0.0.1\nforwarded = x-forwarded-for\n"


def sluice_port(p, listen):
    return "127.0.0.1:%d" % p.ports[listen][1]


def pem(t):
    """Certificate and key in one file, as HAProxy wants them."""
    both = b""
    for path in t.certificate():
        with open(path, "rb") as file:
            both += file.read()
    return t.write("gateway.pem", both)


def start_haproxy(t, p, word, listen, port, **more):
    """The example with this word, between a port and a listener of sluice."""
    changes = {":443": "127.0.0.1:%d" % port,
               "127.0.0.1:8443" if listen == "tls" else "127.0.0.1:8080": sluice_port(p, listen)}
    if "bind :443 ssl" in snippet(word, {}):
        changes["/etc/haproxy/gateway.pem"] = pem(t)
    haproxy(t, snippet(word, {**changes, **more}), port)


def start_nginx(t, p, word, port):
    text = snippet(word, {"listen 443": "listen 127.0.0.1:%d" % port})
    if word == "stream {":
        nginx(t, text.replace("127.0.0.1:8443", sluice_port(p, "tls")), port)
        return
    certificate, key = t.certificate()
    text = text.replace("127.0.0.1:8080", sluice_port(p, "plain"))
    text = text.replace("/etc/nginx/gateway.pem", certificate)
    nginx(t, http_block(t, text.replace("/etc/nginx/gateway.key", key)), port)


def echo(c, host, path="/r"):
    """A page of the host that it asked for is let in, though nobody names it. The client says
    nothing behind its Close: nginx ends with a reset when it has not read all."""
    c.open(path, origin="https://" + host)
    c.text("hello")
    equal(c.recv_message(), (TEXT, b"hello"), "echo")
    c.close(1000)
    c.recv_close(1000, has_reason=False)
    c.recv_end(FIN)
    c.wire.close()


def one_client(p):
    """The line of the only session: its client is not the proxy."""
    line = p.log.wait("session.end", ending="client_close")[0]
    equal(line["client"].partition(":")[0], CLIENT, "client")
    equal(line["proxy"].partition(":")[0], "127.0.0.1", "proxy")
    return line


def no_other_line(p):
    """Probes of the balancer are quiet."""
    equal([line for line in p.ends() if line["level"] != "debug"], p.ends(ending="client_close"),
          "lines")


FRONTS = [
    # name, kind, the example's word, keys of sluice, listener, context of the client
    ("haproxy_tcp", "haproxy", "send-proxy-v2 check", PROXY_KEYS, "tls"),
    ("haproxy_tls", "haproxy", "proxy-v2-options", PROXY_KEYS, "plain"),
    ("haproxy_http", "haproxy", "option forwardfor", FORWARDED_KEYS, "plain"),
    ("nginx_stream", "nginx", "stream {", PROXY_KEYS, "tls"),
    ("nginx_http", "nginx", "proxy_add_x_forwarded_for", FORWARDED_KEYS, "plain"),
]


def start_front(t, p, kind, word, listen):
    """Returns the port of the proxy."""
    port = free_port()
    if kind == "haproxy":
        start_haproxy(t, p, word, listen, port)
    else:
        start_nginx(t, p, word, port)
    return port


@case(rows=FRONTS)
def example(t, kind, word, keys, listen):
    """The client's address is known, and `same` compares with what the client asked for."""
    p = gateway(t, keys=keys, r=ALLOWED)
    port = start_front(t, p, kind, word, listen)
    host = "localhost:%d" % port
    echo(client_of(t, port, host, t.context), host)
    one_client(p)
    no_other_line(p)


LIES = [
    [("X-Forwarded-For", "198.51.100.7")],
    [("X-Forwarded-For", "198.51.100.7, 127.0.0.1")],
    [("X-Forwarded-For", "\"<;,=\\")],
    [("X-Forwarded-For", "198.51.100.7")] * 10,
    [("Forwarded", "for=198.51.100.7")],
]


@case(rows=[row for row in FRONTS if row[3] == FORWARDED_KEYS])
def spoofed(t, kind, word, keys, listen):
    """What the client wrote left of the proxy's word opens nothing, nor do its other headers."""
    p = gateway(t, keys=keys, r="backend = echo:\nallow = 198.51.100.7\norigins = *",
                same="backend = echo:\n")
    port = start_front(t, p, kind, word, listen)
    evil = {"headers": [("X-Forwarded-Host", "evil.example")], "origin": "https://evil.example"}
    for path, request in [("/r", {"headers": lie}) for lie in LIES] + [("/same", evil)]:
        c = client_of(t, port, "localhost:%d" % port, t.context).open(path, **request)
        c.recv_close(1008)
        c.close(1008)
        c.recv_end(FIN, CUT)
        c.wire.finish()
    lines = p.log.wait("session.end", len(LIES) + 1)
    equal([line["ending"] for line in lines], ["source"] * len(LIES) + ["origin"], "endings")
    equal({line["client"].partition(":")[0] for line in lines}, {CLIENT}, "clients")


CHECKS = [
    ("v1", "tls", "send-proxy check"), ("v1_plain", "plain", "send-proxy check"),
    ("v2", "tls", "send-proxy-v2 check"), ("v2_plain", "plain", "send-proxy-v2 check"),
    ("v2_tls", "tls", "send-proxy-v2 check check-ssl verify none"),
    ("v1_tls", "tls", "send-proxy check check-ssl verify none"),
]


@case(rows=CHECKS)
def haproxy_checks(t, listen, options):
    """HAProxy looks whether sluice lives, ten times a second: quiet, and sluice is up."""
    p = gateway(t, server="log_level = debug", r=ALLOWED)
    port = free_port()
    haproxy(t, "frontend f\n    bind 127.0.0.1:%d\n    default_backend b\nbackend b\n"
            "    server s %s %s inter 100ms\n" % (port, sluice_port(p, listen), options), port)
    lines = p.log.wait("session.end", 5)
    assert all(line["level"] == "debug" for line in lines), lines
    host = "localhost:%d" % port
    client_of(t, port, host, t.context if listen == "tls" else None).open("/r").end_cleanly()
    line = p.log.wait("session.end", ending="client_close")[0]
    equal(line["client"].partition(":")[0], CLIENT, "client")
    no_other_line(p)


@case()
def haproxy_in_two_rows(t):
    """A balancer that passes bytes on, in front of one that speaks HTTP, in front of sluice: the
    first tells its client to the second, that one to sluice."""
    p = gateway(t, keys=FORWARDED_KEYS, r=ALLOWED)
    port, inner = free_port(), free_port()
    start_haproxy(t, p, "option forwardfor", "plain", inner,
                  **{"ssl crt": "accept-proxy ssl crt"})
    haproxy(t, "frontend f\n    bind 127.0.0.1:%d\n    default_backend b\nbackend b\n"
            "    server s 127.0.0.1:%d send-proxy\n" % (port, inner), port)
    host = "localhost:%d" % port
    echo(client_of(t, port, host, t.context), host)
    one_client(p)


@case()
def both_kinds(t):
    """A proxy that speaks HTTP writes the client into the request, and HAProxy behind it tells of
    that proxy by a PROXY header."""
    p = gateway(t, keys=PROXY_KEYS + "forwarded = x-forwarded-for\n", r=ALLOWED)
    port, inner = free_port(), free_port()
    haproxy(t, "frontend f\n    bind 127.0.0.1:%d\n    default_backend b\nbackend b\n"
            "    server s %s send-proxy-v2\n" % (inner, sluice_port(p, "plain")), inner)
    text = snippet("option forwardfor", {":443": "127.0.0.1:%d" % port,
                                         "/etc/haproxy/gateway.pem": pem(t),
                                         "127.0.0.1:8080": "127.0.0.1:%d" % inner})
    haproxy(t, text, port)
    host = "localhost:%d" % port
    echo(client_of(t, port, host, t.context), host)
    one_client(p)
