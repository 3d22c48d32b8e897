# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's `wsproto` for the differential test: it makes the events that decode.c prints."""

from inflated import Extension
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

MOST_FILLING = 65536
EMPTY_END = b"\x80\x80\0\0\0\0"
NAMES = {Opcode.TEXT: "text", Opcode.BINARY: "binary", Opcode.PING: "ping", Opcode.PONG: "pong"}


def shown(data):
    return bytes(data).hex() or "-"


class Stream:
    """One stream. `events` come up to its end; `tail` follows when the end was neither an error nor
    a Close (see receiver.js). `facts` are things over which other decoders stumble, each with the
    number of events before it."""

    def __init__(self, is_deflate, client_bits, is_no_takeover):
        self.extension = Extension(client_bits, is_no_takeover) if is_deflate else None
        self.protocol = FrameProtocol(client=False,
                                      extensions=[self.extension] if is_deflate else [])
        self.frames, self.messages = self.protocol._frame_decoder, self.protocol._message_decoder
        self.events, self.tail, self.facts = [], None, {}
        self.message, self.is_over = b"", False

    def add(self, event):
        (self.events if self.tail is None else self.tail).append(event)

    def note(self, fact):
        self.facts.setdefault(fact, len(self.events))

    def fail(self, code, detail):
        self.is_over = True
        self.add("error %d %s" % (code, detail))

    def take(self, frame):
        if frame.opcode is Opcode.CLOSE:
            code, reason = frame.payload
            self.is_over = True
            self.add("close %d %s" % (code, shown(reason.encode())))
            return
        if frame.opcode.iscontrol():
            self.add("%s %s" % (NAMES[frame.opcode], shown(frame.payload)))
            return
        self.message += frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
        if frame.message_finished:
            self.add("%s %s" % (NAMES[frame.opcode], shown(self.message)))
            self.message = b""
        elif self.messages.decoder:
            # CPython's codec waits for the third byte of an encoded surrogate, but no text can go
            # on behind the second one.
            held, _ = self.messages.decoder.getstate()
            if held[:1] == b"\xed" and held[1:2] >= b"\xa0":
                self.note("surrogate")
                self.fail(1007, "an encoded surrogate")

    def feed(self, data):
        if self.is_over:
            return
        before = len(self.events)
        self.protocol.receive_bytes(data)
        try:
            for frame in self.protocol.received_frames():
                self.take(frame)
                if self.is_over:
                    break
        except ParseFailed as error:
            self.fail(int(error.code), str(error))
        if self.extension:
            for fact in self.extension.inflater.facts:
                self.facts.setdefault(fact, before)

    def complete(self):
        """Completes the last frame and message, and notes what wsproto says then."""
        if self.is_over:
            return
        self.tail = []
        while not self.is_over and (self.frames.header or len(self.frames.buffer)):
            size = 1
            if self.frames.header:
                size = (self.frames.header.payload_len - self.frames.payload_consumed
                        - len(self.frames.buffer))
            self.feed(bytes(min(size, MOST_FILLING)))
            if size > MOST_FILLING:
                if not self.is_over:
                    self.tail.append("endless")
                return
        if not self.is_over and self.messages.opcode is not None:
            self.feed(EMPTY_END)


def decode(stream):
    """Feeds a stream of streams.make(). Returns the Stream here."""
    out = Stream(stream.is_deflate, stream.client_bits, stream.is_no_takeover)
    for chunk in stream.chunks:
        if chunk:
            out.feed(chunk)
    out.complete()
    return out
