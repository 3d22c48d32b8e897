# SPDX-License-Identifier: GPL-3.0-or-later
"""permessage-deflate (RFC 7692) by the byte against an echo: route: every way of writing a
compressed message, every mistake in one, and the limits for what comes out of it.
"""

import os
import random
import zlib

from deflateclient import TAIL, DeflateClient, cut, squeezed
from exchange import (Chops, Hold, Piece, Pong, binary, closed, failed, fragments, last, more,
                      run_rows, start, text)
from harness import case
from sessions import WIRES
from wsclient import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client, close_payload, frame,
                      frame_header, mask)

ON = "compression = on\n"
RSV1 = 4
MIB = 1 << 20
KEY = b"\x37\xfa\x21\x3d"
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # 7.2.3.1: "Hello" with the fixed code
PROSE = b"The quick brown fox jumps over the lazy dog, and the lazy dog over the quick brown fox. "


def deflated(listens=WIRES, keys="", timeout=60):
    """Makes cases for ws and wss, with compression, of a function that yields rows."""

    def register(function):
        def both(t, listen):
            run_rows(t, listen, list(function()), ON + keys, DeflateClient)

        both.__module__, both.__name__ = function.__module__, function.__name__
        case(timeout=timeout, rows=listens)(both)
        return function

    return register


def raw(data, bits=15, level=6, flush=zlib.Z_SYNC_FLUSH):
    """Deflates without a context."""
    squeezer = zlib.compressobj(level, zlib.DEFLATED, -bits)
    out = squeezer.compress(data) + squeezer.flush(flush)
    return out[:-4] if flush == zlib.Z_SYNC_FLUSH else out


def stored(*pieces, is_final=False):
    """Writes stored blocks (RFC 1951 3.2.4)."""
    end = len(pieces) - 1
    return b"".join(bytes([is_final and at == end]) + len(piece).to_bytes(2, "little")
                    + (len(piece) ^ 0xFFFF).to_bytes(2, "little") + piece
                    for at, piece in enumerate(pieces))


@deflated()
def reserved_bits():
    hello = frame(TEXT, HELLO, rsv=RSV1)
    yield "text", hello, text(b"Hello")
    yield "binary", frame(BINARY, HELLO, rsv=RSV1), binary(b"Hello")
    yield "three_fragments", cut(TEXT, HELLO, 3), text(b"Hello")
    yield "not_compressed", frame(TEXT, b"Hello"), text(b"Hello")
    yield "not_compressed.fragments", fragments(TEXT, [b"He", b"llo"]), text(b"Hello")
    for rsv in (1, 2, 3, 5, 6, 7):
        for opcode, kind in ((TEXT, "text"), (BINARY, "binary"), (PING, "ping")):
            yield ("rsv%d.%s" % (rsv, kind), frame(opcode, HELLO, rsv=rsv)[:1], failed(1002))
    for opcode, kind in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        yield "%s" % kind, frame(opcode, b"", rsv=RSV1)[:1], failed(1002)
        yield ("%s.payload" % kind, frame(opcode, b"\x03\xe8", rsv=RSV1), failed(1002))
        yield ("%s.inside_a_message" % kind, frame(TEXT, HELLO[:3], is_fin=False, rsv=RSV1)
               + frame(opcode, b"", rsv=RSV1), failed_after_some(1002))
    for end in (True, False):
        yield ("second_frame.%s" % end, frame(TEXT, HELLO[:3], is_fin=False, rsv=RSV1)
               + frame(CONTINUATION, HELLO[3:], is_fin=end, rsv=RSV1), failed_after_some(1002))
        yield ("second_frame_of_plain.%s" % end, start(TEXT, b"He"), Piece(b"He"),
               frame(CONTINUATION, b"llo", is_fin=end, rsv=RSV1)[:1], failed(1002))
        yield ("first_continuation.%s" % end, frame(CONTINUATION, HELLO, is_fin=end, rsv=RSV1),
               failed(1002))
    yield ("inside_a_message", start(TEXT, b"x"), Piece(b"x"), hello[:1], failed(1002))
    yield ("reserved_opcode", frame(3, HELLO, rsv=RSV1), failed(1002))
    yield ("unmasked", frame(TEXT, HELLO, rsv=RSV1, is_masked=False)[:2], failed(1002))


def failed_after_some(code):
    """The inflater may have let out the beginning of the compressed message, or still hold it."""

    def step(client):
        _, before = client.recv_close(code)
        assert b"Hello".startswith(before), before
        client.recv_end()
        return Hold()

    return step


@case(rows=WIRES)
def not_agreed(t, listen):
    """RSV1 comes where the client offered nothing, or where the route does not want compression."""
    rows = [("rsv1." + kind, frame(opcode, HELLO, rsv=RSV1), failed(1002))
            for opcode, kind in ((TEXT, "text"), (BINARY, "binary"), (PING, "ping"))]
    run_rows(t, listen, rows, ON, Client)
    run_rows(t, listen, rows, "", Client)


# All ways to write "Hello" (RFC 7692 7.2.3), and other messages.
WRITTEN = (
    ("fixed_code", HELLO, b"Hello"),
    ("stored", b"\x00\x05\x00\xfa\xffHello\x00", b"Hello"),
    ("final_block", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
    ("final_block_without_the_byte_behind", b"\xf3\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
    ("two_blocks", b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello"),
    ("empty", b"\x00", b""), ("empty_fixed_block", b"\x02\x00", b""),
    ("empty_of_no_byte", b"", b""),
    ("empty_final_block", b"\x03\x00", b""), ("empty_final_block_and_byte", b"\x03\x00\x00", b""),
    ("many_empty_blocks", b"\0\0\0\xff\xff" * 50 + b"\0", b""),
    ("stored_of_nothing", stored(b"") + b"\0", b""),
    ("stored_in_pieces", stored(*(b"x" * at for at in range(20))) + b"\0", b"x" * 190),
    ("stored_of_65535", stored(b"s" * 65535) + b"\0", b"s" * 65535),
    ("stored_final", stored(b"He", b"llo", is_final=True), b"Hello"),
    ("stored_final_and_byte", stored(b"He", b"llo", is_final=True) + b"\0", b"Hello"),
    ("final_in_the_middle", stored(b"He", is_final=True) + stored(b"llo") + b"\0", b"Hello"),
    ("final_twice", stored(b"He", is_final=True) + stored(b"llo", is_final=True) + b"\0", b"Hello"),
    ("final_fixed_then_fixed", b"\xf3\x48\xcd\xc9\xc9\x07\x00" + HELLO, b"HelloHello"),
    ("run_of_one", raw(b"a" * 258), b"a" * 258), ("run_long", raw(b"a" * 10000), b"a" * 10000),
)


@deflated()
def writings():
    for name, data, wanted in WRITTEN:
        yield "%s.one_frame" % name, frame(TEXT, data, rsv=RSV1), text(wanted)
        if len(data) < 1000:
            yield "%s.bytewise" % name, Chops(frame(TEXT, data, rsv=RSV1), 1), text(wanted)
        for parts in range(2, min(len(data), 12) + 2):
            yield ("%s.in_%d" % (name, parts), cut(TEXT, data, parts, between=frame(PING, b"p")),
                   *[Pong(b"p")] * (parts - 1), text(wanted))
        yield ("%s.with_empty_fragments" % name, frame(BINARY, b"", is_fin=False, rsv=RSV1)
               + more(data) + more() + last(), binary(wanted))
        yield "%s.twice" % name, frame(TEXT, data, rsv=RSV1) * 2, text(wanted), text(wanted)
    for level in range(10):
        yield ("level_%d" % level, frame(BINARY, raw(PROSE * 50, level=level), rsv=RSV1),
               binary(PROSE * 50))
    for name, strategy in (("filtered", zlib.Z_FILTERED), ("huffman", zlib.Z_HUFFMAN_ONLY),
                           ("rle", zlib.Z_RLE), ("fixed", zlib.Z_FIXED)):
        squeezer = zlib.compressobj(6, zlib.DEFLATED, -15, 8, strategy)
        data = squeezer.compress(PROSE * 30) + squeezer.flush(zlib.Z_SYNC_FLUSH)
        yield "strategy_%s" % name, frame(TEXT, data[:-4], rsv=RSV1), text(PROSE * 30)
    for name, kind in (("partial", zlib.Z_PARTIAL_FLUSH), ("sync", zlib.Z_SYNC_FLUSH),
                       ("full", zlib.Z_FULL_FLUSH), ("block", zlib.Z_BLOCK)):
        flushes = [(at, kind) for at in range(0, 800, 37)]
        yield ("flush_%s" % name, lambda c, flushes=flushes: frame(
            TEXT, raw_with(PROSE * 10, flushes), rsv=RSV1), text(PROSE * 10))


def raw_with(data, flushes):
    squeezer, out, at = zlib.compressobj(6, zlib.DEFLATED, -15), b"", 0
    for position, kind in flushes:
        out += squeezer.compress(data[at:position]) + squeezer.flush(kind)
        at = position
    return (out + squeezer.compress(data[at:]) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


@deflated()
def contexts():
    """A message may refer to the messages before it, whatever comes between them."""
    data = random.Random(9).randbytes(2000)
    between = (("nothing", b"", ()), ("a_ping", frame(PING, b"p"), (Pong(b"p"),)),
               ("a_plain_message", frame(BINARY, b"plain"), (binary(b"plain"),)),
               ("plain_fragments", fragments(TEXT, [b"a", b"b"]), (text(b"ab"),)),
               ("an_empty_one", frame(TEXT, b"\0", rsv=RSV1), (text(b""),)),
               ("one_of_no_byte", frame(TEXT, b"", rsv=RSV1), (text(b""),)))
    for name, sent, events in between:
        yield (name, squeezed(BINARY, data), binary(data), sent, *events,
               squeezed(BINARY, data), binary(data))
    # "Hello" comes as such, and then as a copy over a distance of five, behind a final block.
    copy = b"\x02\x13\x00\x00"
    made = zlib.decompressobj(-15, zdict=b"Hello").decompress(copy + TAIL)
    assert made.startswith(b"Hello"), made
    for name, first in (("fixed", HELLO), ("final", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
                        ("final_alone", b"\xf3\x48\xcd\xc9\xc9\x07\x00"),
                        ("stored_final", stored(b"Hello", is_final=True))):
        yield ("copy_from_behind_%s" % name, frame(TEXT, first, rsv=RSV1), text(b"Hello"),
               frame(TEXT, copy, rsv=RSV1), text(made), Hold())


# Wrong data: name, bytes, what comes out before the program notices, and whether the last byte
# shows the mistake (or only the end of the message does).
WRONG = (
    ("block_type_3", b"\x06", b"", True), ("block_type_3_final", b"\x07", b"", True),
    ("stored_lengths_differ", b"\x00\x05\x00\x05\x00", b"", True),
    ("behind_a_block", stored(b"abc") + b"\x06", b"abc", True),
    ("behind_a_final_block", stored(b"abc", is_final=True) + b"\x06", b"abc", True),
    ("stored_cut_short", stored(b"abcdef")[:-3], b"abc", False),
    ("stored_that_wants_the_tail", stored(b"abcd____")[:-4], b"abcd", False),
    ("stored_that_wants_more", b"\x00\xff\xff\x00\x00x", b"x", False),
    ("length_cut_short", b"\x00\x05", b"", False),
    ("fixed_cut_short", HELLO[:4], b"Hel", False),
    ("fixed_without_end", b"\xf2\x48\xcd\xc9", b"Hel", False),
    ("dynamic_cut_short", raw(PROSE * 20, level=9)[:60], None, False),
    ("only_a_tail", TAIL, b"", False), ("tail_not_taken_off", HELLO + TAIL, b"Hello", False),
    ("plain_text", b"Hello, this is not compressed", None, None),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", None, None),
    ("zlib_header", zlib.compress(PROSE), None, None),
)


def failing(code=1007, beginning=None):
    """Wants a Close, with at most some of these bytes before it."""

    def step(client):
        _, before = client.recv_close(code)
        assert beginning is None or beginning.startswith(before), before
        client.wire.finish()  # the program waits for our Close, or for this
        client.recv_end()
        return Hold()

    return step


@deflated()
def wrong_data():
    for name, data, out, is_at_once in WRONG:
        for opcode, kind in ((TEXT, "text"), (BINARY, "binary")):
            yield ("%s.%s" % (name, kind), frame(opcode, data, rsv=RSV1), failing(1007, out))
            yield ("%s.%s.in_3" % (name, kind), cut(opcode, data, 3), failing(1007, out))
            yield ("%s.%s.bytewise" % (name, kind), Chops(frame(opcode, data, rsv=RSV1), 1),
                   failing(1007, out))
            yield ("%s.%s.then_more" % (name, kind), frame(opcode, data, rsv=RSV1)
                   + frame(PING, b"late"), failing(1007, out))
        if is_at_once:
            head = frame_header(BINARY, 5000, key=KEY, rsv=RSV1)
            yield "%s.fail_fast" % name, head + mask(data, KEY), failing(1007, out)
    far = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=b"0123456789" * 9)
    data = (far.compress(b"0123456789" * 4) + far.flush(zlib.Z_SYNC_FLUSH))[:-4]
    yield "distance_too_far", frame(BINARY, data, rsv=RSV1), failing(1007, b"")
    yield ("distance_too_far.after_a_message", frame(BINARY, HELLO, rsv=RSV1), binary(b"Hello"),
           frame(BINARY, data, rsv=RSV1), failing(1007, b""))
    noise = random.Random(11)
    for number in range(60):
        data = b"\x06" + noise.randbytes(noise.randrange(200))
        yield "noise_%d" % number, frame(BINARY, data, rsv=RSV1), failing(1007, b"")


BAD_TEXT = (("lone_80", b"\x80"), ("overlong", b"\xc0\xaf"), ("surrogate", b"\xed\xa0\x80"),
            ("over_110000", b"\xf4\x90\x80\x80"), ("ff", b"\xff"), ("cut_then_ascii", b"\xe2\x82A"))


@deflated()
def wrong_text():
    for name, bad in BAD_TEXT:
        for place, before in (("alone", b""), ("after_prose", PROSE * 3)):
            data = raw(before + bad + b"...")
            for parts in (1, 2, 3, 7):
                yield ("%s.%s.in_%d" % (name, place, parts), cut(TEXT, data, parts),
                       failing(1007, before + bad))
            # The bytes that show the mistake are there; the rest of the frame and of the message is
            # not.
            prefix = raw(before + bad) + TAIL
            head = frame_header(TEXT, len(prefix) + 100, key=KEY, rsv=RSV1)
            yield ("%s.%s.fail_fast" % (name, place), head + mask(prefix, KEY),
                   failing(1007, before + bad))
            yield ("%s.%s.fail_fast_in_a_fragment" % (name, place),
                   frame(TEXT, prefix, is_fin=False, rsv=RSV1), failing(1007, before + bad))
        yield "%s.as_binary" % name, frame(BINARY, raw(bad), rsv=RSV1), binary(bad)
    for bad in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"text\xe2"):
        yield "cut_short.%s" % bad.hex(), frame(TEXT, raw(bad), rsv=RSV1), failing(1007, bad)
        yield "cut_short.%s.in_2" % bad.hex(), cut(TEXT, raw(bad), 2), failing(1007, bad)
    euro = "\u20ac".encode() * 1000
    for parts in (2, 3, 10, 50):
        yield "cut_anywhere.in_%d" % parts, cut(TEXT, raw(euro), parts), text(euro)
        yield "cut_anywhere.stored.in_%d" % parts, cut(TEXT, raw(euro, level=0), parts), text(euro)


@deflated(keys="max_message = 1000")
def limits():
    """max_message counts what a message inflates to, and nothing else."""
    noise = os.urandom(1000)
    yield "exact", frame(BINARY, raw(noise), rsv=RSV1), binary(noise)
    yield "exact.in_5", cut(BINARY, raw(noise), 5), binary(noise)
    yield "exact.zeroes", frame(BINARY, raw(bytes(1000)), rsv=RSV1), binary(bytes(1000))
    padded = b"\0\0\0\xff\xff" * 400 + raw(noise)
    yield "exact.but_longer_on_the_wire", frame(BINARY, padded, rsv=RSV1), binary(noise)
    yield ("exact.twice", frame(BINARY, raw(noise), rsv=RSV1) * 2, binary(noise), binary(noise))
    yield ("over", frame(BINARY, raw(noise + b"x"), rsv=RSV1), failing(1009, noise))
    yield ("over.zeroes", frame(BINARY, raw(bytes(1001)), rsv=RSV1), failing(1009, bytes(1000)))
    yield ("over.in_9", cut(BINARY, raw(noise + b"x"), 9), failing(1009, noise))
    yield ("over.far", frame(TEXT, raw(b"a" * 10 * MIB), rsv=RSV1), failing(1009, b"a" * 1000))
    yield ("over.not_finished", frame(TEXT, raw(b"a" * 2000), is_fin=False, rsv=RSV1),
           failing(1009, b"a" * 1000))
    yield ("over.bytewise", Chops(frame(BINARY, raw(bytes(5000)), rsv=RSV1), 1),
           failing(1009, bytes(1000)))
    yield ("plain.exact", frame(BINARY, noise), binary(noise))
    yield ("plain.over", frame(BINARY, noise + b"x")[:4], failed(1009))
    yield "small", frame(TEXT, HELLO, rsv=RSV1), text(b"Hello")
    yield "closes", frame(CLOSE, close_payload(1000)), closed(1000)
