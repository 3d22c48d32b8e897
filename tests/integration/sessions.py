# SPDX-License-Identifier: GPL-3.0-or-later
"""An open session with both of its ends in the test's hands."""

from wsclient import FIN

WIRES = [("wss", "tls"), ("ws", "plain")]


def open_pair(t, keys="", listen="tls", defaults="", backend=None, **client):
    """A program with one route, an open session and its backend's end of it."""
    backend = backend or t.backend()
    p = t.gateway(defaults=defaults, r="origins = *\nbackend = %s\n%s" % (backend.url, keys))
    c = p.client(listen, **client).open("/r")
    peer = backend.accept()
    c.binary(b"hello")
    peer.expect(b"hello")
    return p, c, peer


def end_after_close(c, code=1000):
    """Answers the program's Close as a browser does; TCP must then end in order."""
    c.close(code)
    c.recv_end(FIN)
    c.wire.finish()
