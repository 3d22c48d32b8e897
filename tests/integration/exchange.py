# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of what a client sends and what exactly must come back.

A row is (name, step...). A step that is bytes is sent as it is; Chops are sent one after the other;
a function is given the client and returns such a step, or None; the other steps are awaited, in
this order and with nothing in between. A row that does not end the session is followed by a Ping of
its own, and nothing but its Pong may come then; its connection serves the next row. Failures name
their rows.
"""

import select
import ssl
from collections import namedtuple

from harness import case, scale
from sessions import WIRES
from wsclient import (BINARY, CLOSE, CONTINUATION, CUT, FIN, PING, PONG, TEXT, Client, Ended, frame)

# What a step may wait for.
Message = namedtuple("Message", "opcode payload")
Pong = namedtuple("Pong", "payload")
# These bytes of a message whose end has not come; an empty frame of it may come or not.
Piece = namedtuple("Piece", "payload")
Closed = namedtuple("Closed", "code is_echo")  # a Close, then FIN, without a byte from us
Hold = namedtuple("Hold", "")  # the row's session is thrown away (something is left half-sent)

Chops = namedtuple("Chops", "data size")

MOST_FAILURES = 8
SMALL_BYTES = 16384  # what the kernel takes without being read from


def text(payload):
    return Message(TEXT, payload.encode() if isinstance(payload, str) else payload)


def binary(payload):
    return Message(BINARY, payload)


def failed(code):
    """The program ends it: a Close of this code with a reason."""
    return Closed(code, False)


def closed(code=None):
    """The program answers our Close with the same code and nothing else."""
    return Closed(code, True)


def start(opcode, payload=b"", **options):
    """The first frame of several."""
    return frame(opcode, payload, is_fin=False, **options)


def more(payload=b"", **options):
    return frame(CONTINUATION, payload, is_fin=False, **options)


def last(payload=b"", **options):
    return frame(CONTINUATION, payload, **options)


def fragments(opcode, pieces):
    """One message in so many frames."""
    end = len(pieces) - 1
    return b"".join(frame(opcode if at == 0 else CONTINUATION, piece, is_fin=at == end)
                    for at, piece in enumerate(pieces))


def pieces_of(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


def brief(event):
    """An event for a message."""
    if isinstance(event, tuple) and event and isinstance(event[-1], bytes):
        payload = event[-1]
        shown = repr(payload) if len(payload) <= 40 else "%r... (%d)" % (payload[:40], len(payload))
        return "%s%s %s" % (type(event).__name__, "".join(" %s" % f for f in event[:-1]), shown)
    return repr(event)


class Talk:
    """An open session: sends without ever waiting for room, reads events in order."""

    def __init__(self, client):
        self.client = client
        self.opcode, self.parts, self.size = None, [], 0
        self.is_over = False

    # sending

    def send(self, pieces):
        """Each piece in a write (and TLS record) of its own."""
        wire = self.client.wire
        for piece in pieces:
            if len(piece) <= SMALL_BYTES and not self.is_over:
                wire.send(piece)
                if len(pieces) > 16 and select.select([wire], [], [], 0)[0]:
                    self.absorb()
                continue
            view = memoryview(piece)
            for at in range(0, len(view), 1 << 20):
                self.push(self.sealed(view[at:at + (1 << 20)]))

    def sealed(self, data):
        if not self.client.wire.tls:
            return data
        self.client.wire.tls.write(data)
        return self.client.wire.outgoing.read()

    def push(self, data):
        """Wire bytes, reading what comes meanwhile."""
        sock, view = self.client.wire.sock, memoryview(data)
        while view and not self.is_over:
            readable, writable, _ = select.select([sock], [sock], [], sock.gettimeout())
            assert readable or writable, "nothing moves"
            if writable:
                try:
                    view = view[sock.send(view[:1 << 18]):]
                except (BrokenPipeError, ConnectionResetError):
                    self.is_over = True
            if readable:
                self.absorb()

    def absorb(self):
        """What has arrived, into the client's pending bytes."""
        wire = self.client.wire
        if not wire.tls:
            data = wire.raw_recv(1 << 18)
            self.client.pending += data
            self.is_over = self.is_over or not data
            return
        self.is_over = self.is_over or not wire.fill()
        try:
            data = True
            while data:
                data = wire.tls.read(1 << 18)
                self.client.pending += data
            if wire.ended == CUT:  # behind close_notify
                wire.ended = FIN
        except (ssl.SSLWantReadError, ssl.SSLEOFError):
            pass

    # receiving

    def next_frame(self):
        """Takes one frame; returns a whole Message, a Pong, a Close frame, or None for a piece."""
        got = self.client.recv_frame()
        if got.opcode == CLOSE:
            assert got.is_fin, "a fragmented Close"
            return got
        if got.opcode in (PING, PONG):
            assert got.opcode == PONG, "an unexpected Ping"
            assert got.is_fin and len(got.payload) <= 125, "a bad Pong"
            return Pong(got.payload)
        if self.opcode is None:
            assert got.opcode in (TEXT, BINARY), "opcode %d begins a message" % got.opcode
            self.opcode, self.parts, self.size = got.opcode, [], 0
        else:
            assert got.opcode == CONTINUATION, "opcode %d inside a message" % got.opcode
        self.parts.append(got.payload)
        self.size += len(got.payload)
        if not got.is_fin:
            return None
        payload, opcode = b"".join(self.parts), self.opcode
        if opcode == TEXT:
            payload.decode()
        self.opcode, self.parts, self.size = None, [], 0
        return Message(opcode, payload)

    def next_event(self):
        while True:
            got = self.next_frame()
            if got is not None:
                return got

    def wait(self, step):
        if isinstance(step, Piece):
            while self.size < len(step.payload):
                got = self.next_frame()
                assert got is None, "%s instead of %s" % (brief(got), brief(step))
            have = b"".join(self.parts)
            assert have == step.payload, "%s instead of %s" % (brief(Piece(have)), brief(step))
        elif isinstance(step, Closed):
            self.wait_close(step)
        else:
            got = self.next_event()
            assert got == step, "%s instead of %s" % (brief(got), brief(step))

    def wait_close(self, step):
        before = self.size
        got = self.next_event()
        assert getattr(got, "opcode", None) == CLOSE, "%s instead of %s" % (brief(got), step)
        assert before == self.size, "more of the message: %r" % self.parts
        payload = got.payload
        if step.code is None:
            assert payload == b"", "Close %r instead of an empty one" % payload
        else:
            code = int.from_bytes(payload[:2], "big")
            assert len(payload) >= 2 and code == step.code, "%s instead of %s" % (payload, step)
            payload[2:].decode()
            assert not step.is_echo or len(payload) == 2, "a reason: %r" % payload
            assert step.is_echo or len(payload) > 2, "no reason"
        self.client.recv_end(FIN)
        self.is_over = True

    # a row

    def run(self, steps, mark):
        """True when the session can be used further."""
        for step in steps:
            if callable(step):
                step = step(self.client)
            if step is None:
                continue
            if isinstance(step, bytes):
                self.send([step])
            elif isinstance(step, Chops):
                self.send(pieces_of(step.data, step.size))
            elif isinstance(step, Hold):
                return False
            else:
                self.wait(step)
        if self.is_over:
            self.client.wire.finish()
            return False
        self.send([frame(PING, mark)])
        self.wait(Pong(mark))
        return True

    def close(self):
        self.client.wire.close()


def run_rows(t, listen, rows, keys="", make_client=Client, gateway=None, is_silent=False):
    """All rows over one program with an echo: route; fails with the list of those that failed."""
    p = gateway or t.gateway(r="backend = echo:\n" + keys)
    problems, talk, done = [], None, 0
    for name, *steps in rows:
        done += 1
        try:
            if talk is None:
                wire = p.wire(listen, timeout=5.0 * scale())
                talk = Talk(make_client(wire).open("/r"))
            is_usable = talk.run(steps, name.encode()[:125])
        except (AssertionError, Ended, OSError, ValueError) as error:
            problems.append("%s: %s %s" % (name, type(error).__name__, error))
            is_usable = False
        if not is_usable and talk is not None:
            talk.close()
            talk = None
        if len(problems) == MOST_FAILURES:
            break
    if talk is not None:
        talk.client.end_cleanly()
    if not is_silent:
        print("%d rows" % done)
    assert not problems, "%d of %d rows failed\n%s" % (len(problems), done, "\n".join(problems))


def table(timeout=60, keys=""):
    """Makes a case for ws and for wss of a function that yields rows."""

    def register(function):
        def both(t, listen):
            rows = list(function())
            assert len({row[0] for row in rows}) == len(rows), "two rows have one name"
            run_rows(t, listen, rows, keys)

        both.__module__, both.__name__ = function.__module__, function.__name__
        case(timeout=timeout, rows=WIRES)(both)
        return function

    return register
