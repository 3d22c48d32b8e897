# SPDX-License-Identifier: GPL-3.0-or-later
"""Random client streams: valid ones, and ones with mistakes of one kind, in random chunks.

The same seed and number always give the same stream.
"""

import collections
import random
import struct

import deflated

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA

LETTERS = ("a", "b", "z", " ", "\n", "\0", "\x7f", "\u0080", "\u00e9", "\u07ff", "\u0800", "\u20ac",
           "\ud7ff", "\ue000", "\ufdd0", "\ufeff", "\ufffd", "\uffff", "\U00010000", "\U0001f98a",
           "\U0003ffff", "\U00100000", "\U0010ffff")
BAD_TEXT = (b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
            b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",
            b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff",
            b"\xc2", b"\xe2\x82", b"\xf0\x9f\x98", b"\xe2A", b"\xf0\x9fA", b"\xc2\xc2")
CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
         4999)
BAD_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535)

Stream = collections.namedtuple("Stream",
                                "kind is_deflate client_bits is_no_takeover data chunks")


class Frame:
    """A frame that encode() writes as it is, right or wrong."""

    def __init__(self, opcode, payload=b"", is_fin=True, rsv=0, key=b""):
        self.opcode, self.payload, self.is_fin, self.rsv, self.key = (
            opcode, payload, is_fin, rsv, key)
        self.length = None  # (code, value), if not the real length

    def copy(self):
        other = Frame(self.opcode, self.payload, self.is_fin, self.rsv, self.key)
        other.length = self.length
        return other

    def encode(self):
        size = len(self.payload)
        code = size if size < 126 else 126 if size < 65536 else 127
        if self.length:
            code, size = self.length
        out = bytes([self.is_fin << 7 | self.rsv << 4 | self.opcode,
                     (0x80 if self.key else 0) | code])
        if code == 126:
            out += struct.pack("!H", size & 0xFFFF)
        elif code == 127:
            out += struct.pack("!Q", size)
        if not self.key:
            return out + self.payload
        key = (self.key * (len(self.payload) // 4 + 1))[:len(self.payload)]
        masked = int.from_bytes(self.payload, "big") ^ int.from_bytes(key, "big")
        return out + self.key + masked.to_bytes(len(self.payload), "big")


class Maker:
    """Makes the frames of one stream."""

    def __init__(self, rng, is_deflate):
        self.rng, self.is_deflate = rng, is_deflate
        self.client_bits = rng.choice((15, 15, 12, 10, 9)) if is_deflate else 0
        self.is_no_takeover = is_deflate and rng.random() < 0.3
        self.packer = deflated.Packer(rng, self.client_bits, self.is_no_takeover)

    def key(self):
        return b"\0\0\0\0" if self.rng.random() < 0.1 else self.rng.randbytes(4)

    def size(self, small=False):
        at = self.rng.random()
        if at < 0.7 or small:
            return self.rng.randrange(24)
        if at < 0.9:
            return self.rng.choice((124, 125, 126, 127, 128, 200))
        return self.rng.randrange(2000) if at < 0.995 else self.rng.choice((65535, 65536, 70000))

    def text(self, size):
        rng = self.rng
        if rng.random() < 0.3:
            return (b"abcdefghij" * (size // 10 + 1))[:size]
        return "".join(rng.choices(LETTERS, k=size)).encode()

    def control(self, opcode=None):
        opcode = opcode or self.rng.choice((PING, PONG))
        size = self.rng.choice((0, 1, 5, 124, 125)) if self.rng.random() < 0.2 else 3
        return Frame(opcode, self.rng.randbytes(size), key=self.key())

    def close(self):
        rng = self.rng
        if rng.random() < 0.2:
            return Frame(CLOSE, key=self.key())
        reason = self.text(self.rng.randrange(30)) if rng.random() < 0.5 else b""
        return Frame(CLOSE, struct.pack("!H", rng.choice(CODES)) + reason, key=self.key())

    def message(self, payload=None, opcode=None):
        """Returns the frames of a message, sometimes with control frames between them."""
        rng = self.rng
        opcode = opcode or rng.choice((TEXT, BINARY))
        if payload is None:
            size = self.size()
            payload = self.text(size) if opcode == TEXT else rng.randbytes(size)
        rsv = 0
        if self.is_deflate and rng.random() < 0.8:
            payload, rsv = self.packer.pack(payload), 4
        cuts = []
        if rng.random() < 0.5:
            cuts = sorted(rng.randint(0, len(payload)) for _ in range(rng.randint(1, 4)))
        frames = []
        for at, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(payload)])):
            frames.append(Frame(CONTINUATION if at else opcode, payload[begin:end],
                                at == len(cuts), 0 if at else rsv, self.key()))
            if at < len(cuts) and rng.random() < 0.3:
                frames.append(self.control())
        return frames

    def frames(self):
        rng, out = self.rng, []
        for _ in range(rng.randint(1, 5)):
            out += [self.control()] if rng.random() < 0.25 else self.message()
        if rng.random() < 0.5:
            out.append(self.close())
        return out


# The kinds of mistakes. Each function takes the maker and the frames of a valid stream, and returns
# frames, or bytes when the mistake is below the frames.


def valid(maker, frames):
    return frames


def flipped_bits(maker, frames):
    data = bytearray(encode(frames))
    for _ in range(maker.rng.randint(1, 3)):
        data[maker.rng.randrange(len(data))] ^= 1 << maker.rng.randrange(8)
    return bytes(data)


def flipped_header(maker, frames):
    chosen = maker.rng.choice(frames)
    head = bytearray(chosen.encode())
    head[maker.rng.randrange(min(len(head), 2))] ^= 1 << maker.rng.randrange(8)
    at = frames.index(chosen)
    return encode(frames[:at]) + bytes(head) + encode(frames[at + 1:])


def wrong_length(maker, frames):
    rng, chosen = maker.rng, maker.rng.choice(frames)
    size = len(chosen.payload)
    chosen.length = rng.choice((
        (126, size), (127, size), (126, rng.randrange(126)), (127, rng.randrange(65536)),
        (126, 125), (126, 126), (127, 65535), (127, 65536),
        (127, 1 << 63 | size), (127, (1 << 64) - 1), (127, (1 << 63) - 1),
        (127, rng.randrange(1 << 48, 1 << 63)), (127, (1 << 53) - 1), (127, 1 << 53),
        (126, 126 + rng.randrange(200)), (min(size + 1, 125), 0), (max(min(size, 125) - 1, 0), 0),
        (rng.randrange(126), 0), (127, 65536 + rng.randrange(100))))
    return frames


def bad_opcode(maker, frames):
    chosen = maker.rng.choice(frames)
    chosen.opcode = maker.rng.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15))
    return frames


def reserved_bit(maker, frames):
    chosen = maker.rng.choice(frames)
    chosen.rsv ^= maker.rng.choice((1, 2, 4, 4, 4, 7))
    return frames


def unmasked(maker, frames):
    maker.rng.choice(frames).key = b""
    return frames


def bad_text(maker, frames):
    """Returns a text message with a mistake, whole or in fragments, and messages behind it."""
    rng = maker.rng
    text = maker.text(rng.randrange(20))
    at = rng.randint(0, len(text))
    payload = text[:at] + rng.choice(BAD_TEXT) + text[at:] * rng.randrange(2)
    return maker.message(payload, TEXT) + maker.frames()


def closes(maker, frames):
    rng = maker.rng
    code = struct.pack("!H", rng.choice(CODES + BAD_CODES + BAD_CODES))
    payload = rng.choice((
        b"", code[:1], code, code, code + b"x" * rng.choice((1, 122, 123)),
        code + maker.text(20) + rng.choice(BAD_TEXT) + b"x" * rng.randrange(3),
        b"\x03\xe8" + rng.choice(BAD_TEXT), b"\x03\xe8" + maker.text(10),
        struct.pack("!H", rng.randrange(65536)), code + b"x" * 124,
        rng.randbytes(rng.randrange(9))))
    frame = Frame(CLOSE, payload, key=maker.key())
    at = rng.randint(0, len(frames))
    return frames[:at] + [frame] + frames[at:]


def bad_control(maker, frames):
    frame = maker.control(maker.rng.choice((PING, PONG, CLOSE)))
    if maker.rng.random() < 0.5:
        frame.is_fin = False
    else:
        frame.payload = b"x" * maker.rng.choice((126, 127, 200, 65536))
    at = maker.rng.randint(0, len(frames))
    return frames[:at] + [frame] + frames[at:]


def moved_frames(maker, frames):
    rng, frames = maker.rng, [*maker.message(), *frames]
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(frames))
        what = rng.randrange(4)
        if what == 0 and len(frames) > 1:
            del frames[at]
        elif what == 1:
            frames.insert(rng.randint(0, len(frames)), frames[at].copy())
        elif what == 2:
            frames.insert(rng.randint(0, len(frames)), frames.pop(at))
        else:
            frames[at].is_fin = not frames[at].is_fin
    return frames


def wrong_start(maker, frames):
    """Makes a continuation of nothing, or a start inside a message."""
    rng = maker.rng
    chosen = rng.choice([f for f in frames if f.opcode < 8] or maker.message())
    chosen.opcode = rng.choice((CONTINUATION, TEXT, BINARY))
    return frames if chosen in frames else [*frames, chosen]


def cut_off(maker, frames):
    data = encode(frames)
    return data[:maker.rng.randrange(len(data))]


def with_garbage(maker, frames):
    return encode(frames) + maker.rng.randbytes(maker.rng.randrange(1, 40))


def noise(maker, frames):
    """Returns random bytes, behind first bytes that are often legal."""
    rng, out = maker.rng, b""
    for _ in range(rng.randint(1, 4)):
        first = rng.choice((0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0x89, 0x8A, 0x88, 0xC1, 0x41))
        out += bytes([first, 0x80 | rng.randrange(128)]) + rng.randbytes(rng.randrange(30))
    return out


def replaced_bytes(maker, frames):
    data = bytearray(encode(frames))
    for _ in range(maker.rng.randint(1, 4)):
        at = maker.rng.randrange(len(data))
        if maker.rng.random() < 0.5:
            data[at] = maker.rng.randrange(256)
        else:
            del data[at]
            data = data or bytearray(1)
    return bytes(data)


def bad_compressed(maker, frames):
    """Puts a compressed message with a mistake among other messages."""
    rng = maker.rng
    payload = maker.text(rng.randrange(60))
    bad = maker.packer.spoil(payload)
    opcode, cut = rng.choice((TEXT, BINARY)), rng.randint(0, len(bad))
    if rng.random() < 0.5:
        message = [Frame(opcode, bad, rsv=4, key=maker.key())]
    else:
        message = [Frame(opcode, bad[:cut], False, 4, maker.key()),
                   Frame(CONTINUATION, bad[cut:], key=maker.key())]
    return [*maker.message(), *message, *maker.frames()]


KINDS = (valid, flipped_bits, flipped_header, wrong_length, bad_opcode, reserved_bit, unmasked,
         bad_text, closes, bad_control, moved_frames, wrong_start, cut_off, with_garbage, noise,
         replaced_bytes)
DEFLATE_KINDS = (*KINDS, bad_compressed)


def encode(frames):
    return b"".join(frame.encode() for frame in frames)


def chop(rng, data):
    how = rng.random()
    if how < 0.2 or len(data) < 2:
        return [data]
    if how < 0.35 and len(data) <= 300:
        return [data[at:at + 1] for at in range(len(data))]
    if how < 0.6:
        size = rng.choice((2, 3, 7, 64, 997))
        if len(data) // size < 400:
            return [data[at:at + size] for at in range(0, len(data), size)]
    cuts = sorted(rng.randrange(1, len(data)) for _ in range(rng.randint(1, 8)))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)])]


def make(seed, number, is_deflate):
    """Returns stream `number` of this seed. Its kind follows from the number."""
    kinds = DEFLATE_KINDS if is_deflate else KINDS
    kind = kinds[number % len(kinds)]
    rng = random.Random("%d %d %d" % (seed, number, is_deflate))
    maker = Maker(rng, is_deflate)
    made = kind(maker, maker.frames())
    data = made if isinstance(made, bytes) else encode(made)
    return Stream(kind.__name__, is_deflate, maker.client_bits, maker.is_no_takeover, data,
                  chop(rng, data))
