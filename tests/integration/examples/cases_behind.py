# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind HAProxy and nginx, with their side as the examples' comments have it. The client comes
from 127.0.0.9, the proxy from 127.0.0.1."""

import examples
import fronts
import harness
from harness import case, equal
from services import redis
from wsclient import BINARY, FIN


def replaced(text, **changes):
    for old, new in changes.values():
        assert old in text, "no %r in %s" % (old, text)
        text = text.replace(old, new)
    return text


def ping(c, origin):
    c.open("/app", origin=origin)
    c.binary(b"PING\r\n")
    equal(c.recv_message(), (BINARY, b"+PONG\r\n"), "the answer")
    c.close(1000)
    c.recv_close(1000, has_reason=False)
    c.recv_end(FIN)
    c.wire.close()


def client_is_known(p):
    line = p.one_end("client_close", route="app")
    equal((line["client"].partition(":")[0], line["proxy"].partition(":")[0]),
          (fronts.CLIENT, "127.0.0.1"), "client and proxy")


@case()
def haproxy(t):
    """By PROXY header in front of TLS, which ends in sluice. Nobody comes in without a header."""
    p = examples.start(t, "haproxy.ini", backend="tcp://127.0.0.1:%d" % redis(t))
    port = harness.free_port()
    text = replaced(examples.quoted("haproxy.ini", "frontend"),
                    bind=(":443", "127.0.0.1:%d" % port),
                    server=("127.0.0.1:8443", "127.0.0.1:%d" % p.ports["behind"][1]))
    fronts.haproxy(t, text, port)
    ping(fronts.client_of(t, port, "localhost:%d" % port, t.context), examples.ORIGIN)
    client_is_known(p)
    stranger = p.wire("behind", context=None)
    stranger.send(b"GET /app HTTP/1.1\r\n\r\n")
    stranger.finish()
    assert p.log.wait("session.end", ending="bad_request")[0]["detail"], "no detail"


@case()
def nginx(t):
    """By X-Forwarded-For, behind TLS that ends in nginx. What clients write there is no address."""
    p = examples.start(t, "nginx.ini", backend="tcp://127.0.0.1:%d" % redis(t))
    port = harness.free_port()
    certificate, key = t.certificate()
    location = replaced(examples.quoted("nginx.ini", "location"),
                        server=("127.0.0.1:8080", "127.0.0.1:%d" % p.ports["behind"][1]))
    fronts.nginx(t, fronts.http_block(t, "server {\n    listen 127.0.0.1:%d ssl;\n"
                                      "    ssl_certificate %s;\n    ssl_certificate_key %s;\n%s}\n"
                                      % (port, certificate, key, location)), port)
    host = "localhost:%d" % port
    ping(fronts.client_of(t, port, host, t.context), "https://" + host)
    client_is_known(p)
    c = fronts.client_of(t, port, host, t.context)
    c.open("/app", origin="https://" + host, headers=[("X-Forwarded-For", "198.51.100.7")])
    c.close(1000)
    c.recv_close(1000, has_reason=False)
    equal({line["client"].partition(":")[0] for line in p.log.wait("session.end", 2)},
          {fronts.CLIENT}, "clients")
