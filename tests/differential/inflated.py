# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 7692 7.2.2 over Python's zlib, for wsproto's frames.

wsproto's own extension forgets that a message is compressed when a control frame comes inside it,
loses what comes behind a final block, and takes messages that end inside a block.
"""

import zlib

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, Opcode

TAIL = b"\0\0\xff\xff"
EMPTY_FINAL_BLOCK = b"\x01\0\0\xff\xff"


class Unfinished(zlib.error):
    """The message ends inside a block."""


class Inflater:
    def __init__(self, bits, is_no_takeover):
        self.bits, self.is_no_takeover = bits, is_no_takeover
        self.history, self.zlib, self.has_input, self.facts = b"", None, False, set()
        self.open()

    def open(self):
        self.zlib = zlib.decompressobj(-self.bits, zdict=self.history)

    def feed(self, data):
        """Inflates bytes of a message and returns what comes out."""
        out = b""
        self.has_input = self.has_input or bool(data)
        while data:
            if self.zlib.eof:  # 7.2.3.4: the message goes on behind a final block
                self.open()
            made = self.zlib.decompress(data)
            self.history = (self.history + made)[-(1 << self.bits):]
            out += made
            data = self.zlib.unused_data if self.zlib.eof else b""
            if self.zlib.eof:
                self.facts.add("final")
        return out

    def end(self):
        """Ends the message: it has no more bytes."""
        if not self.has_input:
            self.facts.add("empty")
        elif not self.zlib.eof:
            if self.feed(TAIL) or not self.is_between_blocks():
                raise Unfinished("the message ends inside a block")
        self.has_input = False
        if self.is_no_takeover:
            self.history = b""
            self.open()

    def is_between_blocks(self):
        if self.zlib.eof:
            return True
        copy = self.zlib.copy()
        try:
            return copy.decompress(EMPTY_FINAL_BLOCK) == b"" and copy.eof and not copy.unused_data
        except zlib.error:
            return False


class Extension(PerMessageDeflate):
    """wsproto's extension, but with the Inflater."""

    def __init__(self, bits, is_no_takeover):
        super().__init__(client_no_context_takeover=is_no_takeover, client_max_window_bits=bits)
        self._enabled = True
        self.inflater = Inflater(bits, is_no_takeover)
        self.is_left_alone, self.in_message, self.is_compressed = False, False, False

    def frame_inbound_header(self, proto, opcode, rsv, payload_length):
        result = super().frame_inbound_header(proto, opcode, rsv, payload_length)
        # wsproto calls this again when the header was not whole. It refuses a message that begins
        # inside another one, but only after this call.
        is_wrong = self.in_message and opcode is not Opcode.CONTINUATION
        self.is_left_alone = opcode.iscontrol() or is_wrong
        if not self.is_left_alone and not self.in_message:
            self.is_compressed = rsv.rsv1
        return result

    def frame_inbound_payload_data(self, proto, data):
        if self.is_left_alone or not self.is_compressed:
            return data
        try:
            return self.inflater.feed(bytes(data))
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA

    def frame_inbound_complete(self, proto, fin):
        if self.is_left_alone:
            return None
        self.in_message = not fin
        if not fin or not self.is_compressed:
            return None
        try:
            self.inflater.end()
        except zlib.error as error:
            if isinstance(error, Unfinished):
                self.inflater.facts.add("unfinished")
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        return b""
