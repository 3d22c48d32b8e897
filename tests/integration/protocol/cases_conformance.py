# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 6455 by the byte against an echo: route: lengths, control frames, reserved bits, opcodes,
fragments, masks.

The program must refuse what is wrong at the byte that shows it. It must return what is right whole,
with the same opcode, and send nothing else.
"""

import os

from exchange import (Chops, Hold, Piece, Pong, binary, closed, failed, fragments, last, more,
                      start, table, text)
from wsclient import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame,
                      frame_header, mask)

LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 124, 125, 126, 127, 128, 129, 1000, 16383, 16384, 65534, 65535,
           65536, 65537, 131071, 131072)
CHOPS = (1, 3, 64, 997, 1460, 65536)
RESERVED_OPCODES = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
KEY = b"\x37\xfa\x21\x3d"


def letters(size):
    return (b"The quick brown fox. " * (size // 21 + 1))[:size]


def chops_for(size):
    """Leaves out the small pieces of a long frame: the cuts are there for the header."""
    return [chop for chop in CHOPS if size // chop <= 2500]


@table()
def framing():
    for size in LENGTHS:
        both = (("text", frame(TEXT, letters(size)), text(letters(size))),
                ("binary", *(lambda data: (frame(BINARY, data), binary(data)))(os.urandom(size))))
        for kind, data, wanted in both:
            yield "%s.%d.whole" % (kind, size), data, wanted
            for chop in chops_for(len(data)):
                yield "%s.%d.chops_of_%d" % (kind, size, chop), Chops(data, chop), wanted
            yield ("%s.%d.header_bytewise" % (kind, size), Chops(data[:16], 1), data[16:], wanted)
    many = b"".join(frame(TEXT, b"%d" % number) for number in range(500))
    yield ("many_in_one_write", many, *(text(b"%d" % number) for number in range(500)))
    yield ("many_in_chops_of_7", Chops(many, 7), *(text(b"%d" % number) for number in range(500)))
    yield ("many_empty", frame(TEXT) * 500, *[text(b"")] * 500)
    yield ("text_and_binary_in_one_write", frame(TEXT, b"a") + frame(BINARY, b"b"), text(b"a"),
           binary(b"b"))


@table()
def pings():
    for size in (0, 1, 2, 4, 63, 124, 125):
        data = os.urandom(size)
        yield "ping.%d" % size, frame(PING, data), Pong(data)
        yield "ping.%d.bytewise" % size, Chops(frame(PING, data), 1), Pong(data)
        yield "pong.%d" % size, frame(PONG, data)
        yield "pong.%d.bytewise" % size, Chops(frame(PONG, data), 1)
        yield ("pong_then_ping.%d" % size, frame(PONG, data) + frame(PING, b"x" + data[1:]),
               Pong(b"x" + data[1:]))
    yield "ping.binary_payload", frame(PING, b"\0\xff\xfe\xfd\0"), Pong(b"\0\xff\xfe\xfd\0")
    ten = [b"ping %d" % number for number in range(10)]
    all_ten = b"".join(frame(PING, data) for data in ten)
    yield ("ten_in_a_row", all_ten, *map(Pong, ten))
    yield ("ten_in_a_row.bytewise", Chops(all_ten, 1), *map(Pong, ten))
    yield ("ten_with_pongs_between",
           b"".join(frame(PONG, b"no") + frame(PING, data) for data in ten), *map(Pong, ten))
    yield ("a_thousand_in_one_write", b"".join(frame(PING, b"%d" % n) for n in range(1000)),
           *(Pong(b"%d" % n) for n in range(1000)))
    for name, before in (("", b""), ("after_text.", frame(TEXT, b"good"))):
        events = [text(b"good")] if before else []
        for opcode, kind in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
            for size in (126, 127, 65535, 65536):
                head = frame_header(opcode, size, key=KEY)
                yield ("%s%s_of_%d" % (name, kind, size), before + head[:2], *events, failed(1002))
    yield ("inside_a_message", start(TEXT, b"one ") + frame(PING, b"a"), Pong(b"a"),
           frame(PONG, b"b") + more(b"two ") + frame(PING) + last(b"three"), Pong(b""),
           text(b"one two three"))
    yield ("inside_a_message.bytewise",
           Chops(start(BINARY, b"one") + frame(PING, b"a" * 125) + last(b"two"), 1),
           Pong(b"a" * 125), binary(b"onetwo"))
    yield ("between_every_fragment",
           b"".join(frame(BINARY if at == 0 else CONTINUATION, b"%d" % at, is_fin=at == 9)
                    + frame(PING, b"p%d" % at) for at in range(10)),
           *(Pong(b"p%d" % at) for at in range(9)), binary(b"0123456789"), Pong(b"p9"))
    yield ("inside_empty_fragments",
           start(TEXT) + frame(PING, b"1") + more() + frame(PING, b"2") + last(),
           Pong(b"1"), Pong(b"2"), text(b""))
    yield "ping.fragmented", frame(PING, b"x", is_fin=False)[:1], failed(1002)
    yield "pong.fragmented", frame(PONG, b"x", is_fin=False)[:1], failed(1002)


@table()
def reserved_bits():
    kinds = ((TEXT, "text"), (BINARY, "binary"), (PING, "ping"), (PONG, "pong"), (CLOSE, "close"))
    for rsv in range(1, 8):
        for opcode, kind in kinds:
            for size in (0, 2, 126) if opcode < 8 else (0, 2, 125):
                payload = letters(size) if opcode != CLOSE else close_payload(1000) * (size > 0)
                bad = frame(opcode, payload, rsv=rsv)
                yield "rsv%d.%s_%d" % (rsv, kind, size), bad, failed(1002)
            yield ("rsv%d.%s.after_a_message" % (rsv, kind),
                   frame(TEXT, b"good") + frame(opcode, b"", rsv=rsv) + frame(PING, b"late"),
                   text(b"good"), failed(1002))
            yield ("rsv%d.%s.first_byte_is_enough" % (rsv, kind),
                   frame(opcode, b"", rsv=rsv)[:1], failed(1002))
        yield ("rsv%d.continuation" % rsv, start(TEXT, b"good"), Piece(b"good"),
               last(b"bad", rsv=rsv), failed(1002))
        yield ("rsv%d.middle_fragment" % rsv, start(BINARY, b"go") + more(b"od"), Piece(b"good"),
               more(b"bad", rsv=rsv)[:1], failed(1002))
        yield ("rsv%d.first_fragment" % rsv, start(TEXT, b"bad", rsv=rsv), failed(1002))
        yield ("rsv%d.ping_inside_a_message" % rsv, start(TEXT, b"good"), Piece(b"good"),
               frame(PING, b"x", rsv=rsv), failed(1002))
        yield ("rsv%d.after_fragments" % rsv, fragments(TEXT, [b"a", b"b"]), text(b"ab"),
               frame(TEXT, b"c", rsv=rsv), failed(1002))
        yield ("rsv%d.after_a_ping" % rsv, frame(PING, b"first"), Pong(b"first"),
               Chops(frame(TEXT, b"bad", rsv=rsv), 1), failed(1002))
        yield "rsv%d.with_reserved_opcode" % rsv, frame(3, b"", rsv=rsv), failed(1002)


@table()
def opcodes():
    for opcode in RESERVED_OPCODES:
        yield "%d.empty" % opcode, frame(opcode), failed(1002)
        yield "%d.payload" % opcode, frame(opcode, b"payload"), failed(1002)
        yield "%d.long" % opcode, frame(opcode, letters(70000)), failed(1002)
        yield "%d.not_fin" % opcode, frame(opcode, b"x", is_fin=False), failed(1002)
        yield "%d.first_byte" % opcode, bytes([0x80 | opcode]), failed(1002)
        yield ("%d.after_text" % opcode,
               frame(TEXT, b"good") + frame(opcode) + frame(PING, b"late"),
               text(b"good"), failed(1002))
        yield ("%d.after_text.bytewise" % opcode,
               Chops(frame(TEXT, b"good") + frame(opcode)[:1], 1), text(b"good"), failed(1002))
        yield ("%d.after_ping" % opcode, frame(PING, b"p") + frame(opcode, b"x"), Pong(b"p"),
               failed(1002))
        yield ("%d.inside_a_message" % opcode, start(BINARY, b"good"), Piece(b"good"),
               frame(opcode, b"bad"), failed(1002))


ORDERS = (
    ("two", [b"one", b"two"]), ("three", [b"a", b"bc", b"def"]), ("one_byte_each", list(b"byte")),
    ("first_empty", [b"", b"x"]), ("last_empty", [b"x", b""]), ("all_empty", [b"", b"", b""]),
    ("middle_empty", [b"x", b"", b"y"]), ("one_empty_of_two", [b"", b""]),
    ("sizes_at_borders", [b"a" * 125, b"b" * 126, b"c" * 65535, b"d" * 65536, b"e"]),
)


@table()
def fragmentation():
    for opcode, kind, wanted in ((TEXT, "text", text), (BINARY, "binary", binary)):
        for name, parts in ORDERS:
            parts = [bytes([part]) if isinstance(part, int) else part for part in parts]
            data = fragments(opcode, parts)
            whole = wanted(b"".join(parts))
            yield "%s.%s" % (kind, name), data, whole
            yield "%s.%s.twice" % (kind, name), data + data, whole, whole
            for chop in chops_for(len(data)):
                yield "%s.%s.chops_of_%d" % (kind, name, chop), Chops(data, chop), whole
        yield ("%s.200_one_byte_fragments" % kind, fragments(opcode, [b"x"] * 200),
               wanted(b"x" * 200))
        yield ("%s.fragment_by_fragment" % kind, start(opcode, b"ab"), Piece(b"ab"), more(b"cd"),
               Piece(b"abcd"), last(b"ef"), wanted(b"abcdef"))
    yield ("text_then_binary", fragments(TEXT, [b"a", b"b"]) + fragments(BINARY, [b"c", b"d"]),
           text(b"ab"), binary(b"cd"))

    for fin, end in ((True, "fin"), (False, "more")):
        for size in (0, 5):
            lone = frame(CONTINUATION, b"x" * size, is_fin=fin)
            yield "continuation_first.%s_%d" % (end, size), lone, failed(1002)
            yield ("continuation_after_a_message.%s_%d" % (end, size), frame(TEXT, b"good") + lone,
                   text(b"good"), failed(1002))
            yield ("continuation_after_fragments.%s_%d" % (end, size),
                   fragments(TEXT, [b"go", b"od"]) + lone + frame(TEXT, b"late"), text(b"good"),
                   failed(1002))
            yield ("continuation_after_a_ping.%s_%d" % (end, size), frame(PING) + lone, Pong(b""),
                   failed(1002))
            yield ("continuation.%s_%d.bytewise" % (end, size), Chops(lone[:1], 1), failed(1002))
        for opcode, kind in ((TEXT, "text"), (BINARY, "binary")):
            for first, name in ((TEXT, "text"), (BINARY, "binary")):
                yield ("%s_inside_%s.%s" % (kind, name, end), start(first, b"one"), Piece(b"one"),
                       frame(opcode, b"two", is_fin=fin)[:1], failed(1002))
            yield ("%s_inside.after_a_continuation.%s" % (kind, end),
                   start(TEXT, b"a") + more(b"b") + frame(PING, b"p"), Pong(b"p"), Piece(b"ab"),
                   frame(opcode, b"x", is_fin=fin), failed(1002))
    for opcode, kind in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        bad = frame(opcode, b"", is_fin=False)
        yield "%s_not_fin" % kind, bad, failed(1002)
        yield "%s_not_fin.payload" % kind, frame(opcode, b"\x03\xe8", is_fin=False), failed(1002)
        yield "%s_not_fin.first_byte" % kind, bad[:1], failed(1002)
        yield ("%s_not_fin.inside_a_message" % kind, start(TEXT, b"x"), Piece(b"x"), bad,
               failed(1002))
        yield ("%s_not_fin.with_its_continuation" % kind, bad + last(b"rest"), failed(1002))
    yield ("never_finished", start(TEXT, b"one") + frame(CLOSE, close_payload(1000)), Piece(b"one"),
           closed(1000))


@table()
def masks():
    keys = (("zero", bytes(4)), ("ones", b"\xff" * 4), ("first", b"\x80\0\0\0"),
            ("last", b"\0\0\0\x01"), ("usual", KEY))
    for name, key in keys:
        for size in (*range(18), 31, 32, 33, 63, 64, 65, 1000):
            data = os.urandom(size)
            sent = frame(BINARY, data, key=key)
            yield "key_%s.%d" % (name, size), sent, binary(data)
            yield "key_%s.%d.bytewise" % (name, size), Chops(sent, 1), binary(data)
        for cut in range(1, 9):
            data = os.urandom(100)
            sent = frame(BINARY, data, key=key)
            yield ("key_%s.cut_at_%d" % (name, cut), sent[:6 + cut], Piece(data[:cut]),
                   sent[6 + cut:], binary(data))
    yield ("another_key_in_every_fragment",
           start(TEXT, b"abc", key=b"1234") + more(b"defg", key=b"5678") + last(b"h", key=b"\0xyz"),
           text(b"abcdefgh"))

    for opcode, kind in ((TEXT, "text"), (BINARY, "binary"), (PING, "ping"), (PONG, "pong"),
                         (CLOSE, "close")):
        for size in (0, 2) if opcode == CLOSE else (0, 1, 125):
            bad = frame(opcode, b"\x03\xe8" * (size // 2) + b"x" * (size % 2), is_masked=False)
            yield "unmasked.%s_%d" % (kind, size), bad, failed(1002)
            yield "unmasked.%s_%d.two_bytes" % (kind, size), bad[:2], failed(1002)
            yield ("unmasked.%s_%d.after_a_message" % (kind, size), frame(TEXT, b"good") + bad,
                   text(b"good"), failed(1002))
    for size in (126, 65535, 65536):
        yield ("unmasked.binary_%d" % size, frame_header(BINARY, size), failed(1002))
    yield ("unmasked.continuation", start(TEXT, b"good"), Piece(b"good"),
           last(b"x", is_masked=False), failed(1002))
    yield ("unmasked.first_of_fragments", start(TEXT, b"x", is_masked=False), failed(1002))
    yield ("unmasked.ping_inside_a_message", start(TEXT, b"x"), Piece(b"x"),
           frame(PING, b"x", is_masked=False), failed(1002))


@table()
def lengths():
    kinds = ((0x81, "text", b"", ()), (0x82, "binary", b"", ()),
             (0x80, "continuation", start(TEXT, b"x"), (Piece(b"x"),)))
    for first, kind, before, events in kinds:
        for value in (0, 1, 5, 124, 125):
            head = bytes([first, 0xFE]) + value.to_bytes(2, "big")
            yield ("%s.16_bits_for_%d" % (kind, value), before, *events, head, failed(1002))
            whole = head + KEY + mask(b"x" * value, KEY)
            yield ("%s.16_bits_for_%d.whole" % (kind, value), before + whole, *events,
                   failed(1002))
        for value in (0, 1, 125, 126, 127, 32767, 65535):
            head = bytes([first, 0xFF]) + value.to_bytes(8, "big")
            yield ("%s.64_bits_for_%d" % (kind, value), before, *events, head, failed(1002))
            yield ("%s.64_bits_for_%d.bytewise" % (kind, value), before, *events, Chops(head, 1),
                   failed(1002))
        for value in (1 << 63, (1 << 64) - 1, (1 << 63) + 5):
            head = bytes([first, 0xFF]) + value.to_bytes(8, "big")
            yield ("%s.top_bit_%x" % (kind, value), before, *events, head, failed(1002))
            yield ("%s.top_bit_%x.third_byte" % (kind, value), before, *events, head[:3],
                   failed(1002))
        for value in ((1 << 63) - 1, 1 << 62, 1 << 53, 1 << 32):
            head = bytes([first, 0xFF]) + value.to_bytes(8, "big")
            sofar = b"x" * len(events) + b"only the beginning"
            yield ("%s.%x_is_legal" % (kind, value), before, *events,
                   head + KEY + mask(b"only the beginning", KEY), Piece(sofar), Hold())
    for value in (126, 127):
        for first in (0x88, 0x89, 0x8A):
            yield ("control_%x.length_code_%d" % (first, value), bytes([first, 0x80 | value]),
                   failed(1002))
