# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed messages for the differential test: all forms of RFC 7692 7.2, and spoilt ones."""

import struct
import zlib

TAIL = b"\0\0\xff\xff"


class Packer:
    """Compresses the messages of one client."""

    def __init__(self, rng, bits, is_no_takeover):
        self.rng, self.bits, self.is_no_takeover = rng, bits, is_no_takeover
        self.compressor = None

    def fresh(self):
        level = self.rng.choice((0, 1, 6, 6, 9))
        strategy = self.rng.choice((zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY))
        return zlib.compressobj(level, zlib.DEFLATED, -self.bits, 8, strategy)

    def pack(self, payload):
        """Returns the payload of a compressed message."""
        rng = self.rng
        if self.compressor is None or self.is_no_takeover:
            self.compressor = self.fresh()
        how = rng.random()
        if how < 0.1:
            return self.pack_final(payload)
        out, cut = b"", len(payload)
        if how < 0.4:
            cut = rng.randint(0, len(payload))
            flush = rng.choice((zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH))
            out = self.compressor.compress(payload[:cut]) + self.compressor.flush(flush)
            payload = payload[cut:]
        out += self.compressor.compress(payload) + self.compressor.flush(zlib.Z_SYNC_FLUSH)
        assert out.endswith(TAIL)
        return out[:-4]

    def pack_final(self, payload):
        """7.2.3.4: a block with BFINAL, and the byte that makes an empty block of the rest. Not
        every implementation can look back over it, so the context starts anew."""
        one = zlib.compressobj(6, zlib.DEFLATED, -self.bits)
        out = one.compress(payload) + one.flush(zlib.Z_FINISH)
        self.compressor = None
        return out + b"\0"

    def spoil(self, payload):
        """Returns the payload of a message with a mistake."""
        rng = self.rng
        data = bytearray(self.pack(payload))
        how = rng.randrange(7)
        if how == 0:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif how == 1:
            del data[rng.randrange(len(data)):]
        elif how == 2:
            data += TAIL
        elif how == 3:
            data = bytearray(rng.choice((
                b"\x06", b"\x07\0", b"\x01\x05\0\0\0hello", b"\0\x05\0\xfa\xffhel", b"\xff" * 4,
                b"\x02", b"\x03", b"", b"\x05\xc0\xff\xff", b"\x00\x01\x00\xfe\xffx\0")))
        elif how == 4:
            data += rng.randbytes(rng.randrange(1, 6))
        elif how == 5:
            at = rng.randrange(len(data))
            data[at:at] = rng.randbytes(1)
        else:  # a stored block whose length takes in the tail
            size = len(payload) + rng.choice((0, 1, 3, 4, 4, 4, 5, 8))
            data = bytearray(struct.pack("<BHH", 0, size, size ^ 0xFFFF) + payload)
        self.compressor = None
        return bytes(data)
