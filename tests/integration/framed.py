# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions on routes that change messages on their way: opening them, cutting what goes through
them, and how they end."""

import socket
import time

from harness import equal
from sessions import end_after_close
from wsclient import CLOSE, CONTINUATION, PING, PONG, frame


def open_route(t, keys, listen="plain", **client):
    """A program with one route, an open session and its backend's end of it."""
    backend = t.backend()
    p = t.gateway(r="origins = *\nbackend = %s\n%s" % (backend.url, keys))
    c = p.client(listen).open("/r", **client)
    peer = backend.accept()
    peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return p, c, peer


def refused(p, c, peer, code, word, allowed=b""):
    """The client broke a rule: nothing of it reaches the backend, or a beginning of `allowed`."""
    _, before = c.recv_close(code)
    equal(before, b"", "what came before the Close")
    end_after_close(c, code)
    got = peer.expect_reset()
    assert allowed.startswith(got), "the backend got %r" % got[:80]
    p.one_end(word, code=code)


def bad_backend(p, c, peer):
    """The backend broke a rule; returns the payload before the Close."""
    _, before = c.recv_close(1011)
    end_after_close(c, 1011)
    try:
        equal(peer.recv_all(), b"", "what reached the backend")
    except ConnectionResetError:
        pass
    line = p.one_end("backend_data", code=1011)
    assert line.get("detail"), "no detail: %r" % line
    return before


def backend_ends(p, c, peer):
    """FIN from the backend; returns the payload before the Close."""
    peer.fin()
    _, before = c.recv_close(1000, has_reason=False)
    end_after_close(c)
    p.one_end("backend_close", code=1000)
    return before


def client_ends(p, c, peer):
    """The client's Close becomes FIN at the backend, which then ends too."""
    c.close(1000)
    peer.expect_fin()
    peer.close()
    c.recv_close(1000, has_reason=False)
    c.recv_end()
    c.wire.finish()
    p.one_end("client_close", code=1000)


def send_slowly(peer, data, cuts):
    """In pieces that end at the cuts, each likely to be read by itself."""
    at = 0
    for cut in [*cuts, len(data)]:
        peer.send(data[at:cut])
        at = cut
        time.sleep(0.003)


def send_chopped(c, wire, size):
    for at in range(0, len(wire), size):
        c.send_raw(wire[at:at + size])


def fragments(opcode, data, *cuts):
    """A message as frames that end at the cuts, with a Ping between them."""
    ends = [*cuts, len(data)]
    starts = [0, *cuts]
    return frame(PING, b"between").join(
        frame(CONTINUATION if index else opcode, data[starts[index]:end],
              is_fin=index == len(ends) - 1) for index, end in enumerate(ends))


def recv_frames(c):
    """The frames of one message."""
    frames = [c.recv_frame()]
    while frames[-1].opcode in (PING, PONG) or not frames[-1].is_fin:
        assert frames[-1].opcode != CLOSE, "Close %r" % frames[-1].payload
        frames.append(c.recv_frame())
    frames = [f for f in frames if f.opcode not in (PING, PONG)]
    equal([f.opcode for f in frames[1:]], [CONTINUATION] * (len(frames) - 1), "opcodes")
    return frames
