# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of a session: what a message is on the wire, to the backend and to the page.

A shape has the route's keys and makes, from a payload, the client's frame, the bytes the backend
must get, the bytes a backend says, and the message the client must get for them.
"""

import base64
import functools
import random
import struct
import zlib

import wsclient
from wsclient import BINARY, CLOSE, TEXT, close_payload, frame

KEY = b"\x5a\xc3\x17\x88"
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 \u00e9\u2603\U0001f680"
FLOOD_BLOCKS = 61  # blocks of a flood that differ from each other
TOO_BIG_KEY = "max_message = 16m\n"


@functools.lru_cache(maxsize=4096)
def words(seed, size):
    """Returns `size` bytes of UTF-8 without line ends, the same for the same seed."""
    rng = random.Random(seed)
    unit = "".join(rng.choices(ALPHABET, k=997)).encode()
    data = (unit * (size // len(unit) + 1))[:size]
    cut = data.decode("utf-8", "ignore").encode()
    return cut + b"." * (size - len(cut))


def squeeze(payload, bits):
    squeezer = zlib.compressobj(1, zlib.DEFLATED, -max(9, bits))
    return (squeezer.compress(payload) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


@functools.lru_cache(maxsize=None)
def hard_block(number):
    """Returns a block of a backend's flood, which hardly compresses."""
    if number >= FLOOD_BLOCKS:
        return hard_block(number % FLOOD_BLOCKS)
    return base64.b64encode(random.Random(number).randbytes(30000))


class Shape:
    def __init__(self, name, keys, opcode=BINARY, framing="stream", is_deflate=False,
                 payload="binary", big=200000, order="big", subprotocol=None):
        self.name, self.opcode, self.framing, self.is_deflate = name, opcode, framing, is_deflate
        self.keys, self.payload, self.subprotocol = TOO_BIG_KEY + keys, payload, subprotocol
        self.order = order
        self.is_framed = framing != "stream"
        self.is_small = self.is_framed and "framing_max" not in keys  # 64 KiB
        self.sizes = {"payload": 2100, "part": 3300, "fragment": 1700, "big": big,
                      "last": 500, "late": 40}

    def text(self, seed, event):
        """Returns the payload of a message before any encoding: what the backend's side counts."""
        size = self.sizes[event]
        if event == "big" and self.is_deflate:
            return b"%08d" % (seed % 10 ** 8) + b"a" * (size - 8)
        return words(seed, size)

    # up: from the client

    def frame_of(self, text, bits, is_fin=True):
        """Returns the client's frame of a message."""
        rsv = 0
        if self.payload == "base64":
            text = base64.b64encode(text)
        if self.is_deflate:
            text, rsv = squeeze(text, bits), 4
        return frame(self.opcode, text, is_fin=is_fin, rsv=rsv, key=KEY)

    def framed(self, text):
        """Returns a message as the backend has it on its connection."""
        if self.framing == "lf":
            return text + b"\n"
        if self.framing == "crlf":
            return text + b"\r\n"
        if self.framing == "length16":
            return struct.pack(">H", len(text)) + text
        if self.framing == "length32":
            return struct.pack("<I" if self.order == "little" else ">I", len(text)) + text
        return text

    def bad(self, event):
        """Returns the client's bytes that break a rule, or None where this shape has no such."""
        if event == "bad_frame":
            return frame(3, b"x", key=KEY)
        if event == "bad_close":
            return frame(CLOSE, close_payload(1005), key=KEY)
        if event == "too_big":
            if self.is_small:
                return frame(self.opcode, b"x" * 70000, key=KEY)
            return wsclient.frame_header(self.opcode, 1 << 40, key=KEY)
        if event == "bad_opcode":
            return frame(TEXT, b"x", key=KEY) if "accept = binary" in self.keys else None
        if event == "bad_text":
            if "accept = binary" in self.keys:
                return None
            if self.is_deflate:
                return frame(self.opcode, b"\xff" * 20, rsv=4, key=KEY)
            return frame(TEXT, b"\xffa", key=KEY)
        if event == "bad_line":
            return frame(self.opcode, b"one\ntwo", key=KEY) if self.framing in ("lf", "crlf") \
                else None
        raise KeyError(event)

    # down: from the backend

    def last(self):
        """Returns what a backend leaves incomplete: (bytes, is it a message at the FIN?), or None.
        """
        if self.framing in ("lf", "crlf"):
            return b"no line end", True
        if self.framing == "length16":
            return b"\x00\x09half", False
        if self.framing == "length32":
            return (b"\x09\0\0\0" if self.order == "little" else b"\0\0\0\x09") + b"half", False
        if self.payload == "text":
            return b"half \xe2\x98", False
        return None

    def bad_data(self):
        """Returns the bytes of a backend that no page can get, or None."""
        if self.payload == "text":
            return b"\xff"
        if self.framing == "length32":
            return b"\xff\xff\xff\xff"
        if self.framing in ("lf", "crlf") and not self.is_deflate:
            return b"x" * 70000
        return None

    def message(self, opcode, payload):
        """Returns a message that the client got, without its encoding."""
        assert opcode == (TEXT if self.payload in ("text", "base64") else BINARY), \
            "a message has opcode %d" % opcode
        return base64.b64decode(payload, validate=True) if self.payload == "base64" else payload

    # floods

    @functools.lru_cache(maxsize=None)
    def flood_block(self, number):
        """Returns (payload, frame of the client) of a block; frames compress without a window of
        more than 9 bits."""
        size = 60000 if self.framing == "length16" or not self.is_deflate else 256 * 1024
        text = words(10 ** 6 + number % FLOOD_BLOCKS, 30000)
        if self.is_deflate and self.framing != "length16":
            text = b"%04d" % (number % FLOOD_BLOCKS) + b"f" * (size - 4)
        return text, self.frame_of(text, 9)


DEFLATE = "compression = on\n"
SHAPES = {shape.name: shape for shape in (
    Shape("stream", ""),
    Shape("text", "payload = text\n", TEXT, payload="text"),
    Shape("base64", "subprotocols = base64\n", TEXT, payload="base64", subprotocol="base64"),
    Shape("lf", "framing = line\n", framing="lf", big=60000),
    Shape("crlf", "framing = line\nline_end = crlf\npayload = text\n", TEXT, "crlf", payload="text",
          big=60000),
    Shape("length16", "framing = length16\naccept = binary\n", framing="length16", big=60000),
    Shape("length32", "framing = length32\nlength_order = little\nframing_max = 2m\n",
          framing="length32", big=900000, order="little"),
    Shape("deflate", DEFLATE, is_deflate=True, big=3000000),
    Shape("deflate_lf", DEFLATE + "framing = line\nframing_max = 4m\npayload = text\n", TEXT,
          "lf", True, "text", big=3000000),
    Shape("deflate_length32", DEFLATE + "framing = length32\nframing_max = 4m\n",
          framing="length32", is_deflate=True, big=1500000),
)}
