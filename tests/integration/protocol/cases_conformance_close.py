# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 6455 5.5.1 and 7 by the byte against an echo: route.

The rows have Close codes and reasons, what comes behind a Close, and messages at their limit. The
program answers the client's Close with the same code, and ends TCP first and in order (7.1.1).
"""

import os

from exchange import (Chops, Hold, Piece, Pong, binary, closed, failed, fragments, last, more,
                      start, table, text)
from wsclient import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame,
                      frame_header)

KEY = b"\x37\xfa\x21\x3d"
LEGAL = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999,
         4000, 4001, 4998, 4999)
# 7.4: not in use, reserved, not for the wire, or of no range at all.
ILLEGAL = (0, 1, 2, 255, 256, 500, 998, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1099, 1100, 1500,
           1999, 2000, 2001, 2998, 2999, 5000, 5001, 9999, 32768, 65534, 65535)


@table()
def codes():
    for code in LEGAL:
        for size in (0, 1, 42, 122, 123):
            yield ("legal.%d.reason_%d" % (code, size),
                   frame(CLOSE, close_payload(code, b"x" * size)), closed(code))
        yield ("legal.%d.bytewise" % code, Chops(frame(CLOSE, close_payload(code, b"why")), 1),
               closed(code))
    for code in ILLEGAL:
        for size in (0, 1, 123):
            yield ("illegal.%d.reason_%d" % (code, size),
                   frame(CLOSE, close_payload(code, b"x" * size)), failed(1002))
        yield ("illegal.%d.second_byte" % code,
               frame(CLOSE, close_payload(code, b"some reason"), key=KEY)[:8], failed(1002))
        yield ("illegal.%d.inside_a_message" % code, start(TEXT, b"x"), Piece(b"x"),
               frame(CLOSE, close_payload(code)), failed(1002))
    yield "empty", frame(CLOSE), closed()
    yield "empty.bytewise", Chops(frame(CLOSE), 1), closed()
    yield "empty.key_zero", frame(CLOSE, key=bytes(4)), closed()
    for byte in (0x00, 0x03, 0xFF):
        yield "one_byte_%02x" % byte, frame(CLOSE, bytes([byte])), failed(1002)
    yield "one_byte.header_is_enough", frame(CLOSE, b"\x03")[:2], failed(1002)
    for size in (124, 125, 126, 65535):
        yield "reason_of_%d" % size, frame(CLOSE, close_payload(1000, b"x" * size)), failed(1002)
    yield "reason_of_124.header", frame(CLOSE, close_payload(1000, b"x" * 124))[:2], failed(1002)
    yield "reason_of_123_in_utf_8", frame(CLOSE, close_payload(1000, "\u20ac" * 41)), closed(1000)
    yield "reason_with_nul", frame(CLOSE, close_payload(1000, b"a\0b\r\n")), closed(1000)


@table()
def around():
    """What comes before a Close and what comes behind it."""
    bye = frame(CLOSE, close_payload(1000, b"bye"))
    bad = frame(3, b"\xff", rsv=7, is_masked=False)
    yield "after_nothing", bye, closed(1000)
    yield "after_text", frame(TEXT, b"a") + bye, text(b"a"), closed(1000)
    yield "after_ping", frame(PING, b"a") + bye, Pong(b"a"), closed(1000)
    yield ("after_ten_pings", b"".join(frame(PING, b"%d" % n) for n in range(10)) + bye,
           *(Pong(b"%d" % n) for n in range(10)), closed(1000))
    yield "after_pong", frame(PONG, b"a") + bye, closed(1000)
    for size in (65536, 262144, 1048576):
        data = os.urandom(size)
        yield ("after_%d" % size, frame(BINARY, data) + frame(TEXT, b"Hello") + bye
               + frame(PING, b"late"), binary(data), text(b"Hello"), closed(1000))
    for name, late in (("text", frame(TEXT, b"late")), ("ping", frame(PING, b"late")),
                       ("pong", frame(PONG, b"late")), ("close", bye),
                       ("other_close", frame(CLOSE, close_payload(4000))),
                       ("bad_close", frame(CLOSE, close_payload(1005))),
                       ("bad_frame", bad), ("garbage", os.urandom(3000)),
                       ("bad_text", frame(TEXT, b"\xff")), ("half_a_frame", frame(TEXT, b"x")[:3]),
                       ("continuation", last(b"x")), ("much", frame(BINARY, bytes(300000)))):
        yield "then_%s" % name, bye + late, closed(1000)
        if len(late) < 10000:
            yield "then_%s.bytewise" % name, Chops(bye + late[:200], 1), closed(1000)
        yield "empty_then_%s" % name, frame(CLOSE) + late, closed()
    for name, before, have in (("one", start(TEXT, b"frag"), b"frag"),
                               ("two", start(BINARY, b"a") + more(b"b"), b"ab"),
                               ("empty", start(TEXT), b"")):
        yield "inside_a_message.%s" % name, before, Piece(have), bye, closed(1000)
        yield ("inside_a_message.%s.then_its_end" % name, before, Piece(have), bye + last(b"rest"),
               closed(1000))
    yield ("inside_a_character", start(TEXT, b"\xe2\x82"), Piece(b"\xe2\x82"), bye, closed(1000))
    yield ("between_messages", fragments(TEXT, [b"a", b"b"]) + bye + frame(TEXT, b"late"),
           text(b"ab"), closed(1000))
    yield ("header_alone_is_no_close", frame(PING, b"p") + bye[:6], Pong(b"p"), bye[6:],
           closed(1000))


LIMIT = 1000


@table(keys="max_message = %d" % LIMIT)
def small_limit():
    for opcode, kind, wanted in ((TEXT, "text", text), (BINARY, "binary", binary)):
        exact = b"x" * LIMIT
        yield "%s.exact" % kind, frame(opcode, exact), wanted(exact)
        yield "%s.exact.twice" % kind, frame(opcode, exact) * 2, wanted(exact), wanted(exact)
        yield "%s.exact.bytewise" % kind, Chops(frame(opcode, exact), 1), wanted(exact)
        yield ("%s.exact_in_fragments" % kind, fragments(opcode, [b"x" * 400, b"x" * 600]),
               wanted(exact))
        yield ("%s.exact_in_1_byte_fragments" % kind, fragments(opcode, [b"x"] * LIMIT),
               wanted(exact))
        yield ("%s.exact_with_pings" % kind,
               start(opcode, b"x" * 500) + frame(PING, b"p" * 125) + last(b"x" * 500),
               Pong(b"p" * 125), wanted(exact))
        yield ("%s.exact_with_an_empty_end" % kind, fragments(opcode, [exact, b""]), wanted(exact))
        for size in (LIMIT + 1, 65535, 65536, (1 << 63) - 1):
            head = frame_header(opcode, size, key=KEY)
            yield "%s.%x.by_the_length_alone" % (kind, size), head[:-4], failed(1009)
            yield ("%s.%x.bytewise" % (kind, size), Chops(head[:-4], 1), failed(1009))
            yield ("%s.%x.not_fin" % (kind, size),
                   frame_header(opcode, size, is_fin=False, key=KEY)[:-4], failed(1009))
            yield ("%s.%x.after_a_message" % (kind, size), frame(opcode, exact) + head[:-4],
                   wanted(exact), failed(1009))
            if size < 100000:
                yield "%s.%x.whole" % (kind, size), frame(opcode, b"x" * size), failed(1009)
        yield ("%s.over_in_fragments" % kind, start(opcode, b"x" * 600), Piece(b"x" * 600),
               frame_header(CONTINUATION, 401, key=KEY)[:-4], failed(1009))
        yield ("%s.over_by_one_byte_behind" % kind, start(opcode, exact), Piece(exact),
               frame_header(CONTINUATION, 1, key=KEY)[:2], failed(1009))
        yield ("%s.over_in_small_fragments" % kind, start(opcode, b"x" * 100)
               + more(b"x" * 100) * 9, Piece(exact), more(b"x"), failed(1009))
        yield ("%s.over_with_a_ping_between" % kind, start(opcode, exact) + frame(PING, b"p"),
               Pong(b"p"), Piece(exact), last(b"x"), failed(1009))
        yield ("%s.sum_wraps_64_bits" % kind, start(opcode, b"xx"), Piece(b"xx"),
               frame_header(CONTINUATION, (1 << 63) - 1, key=KEY)[:-4], failed(1009))
        yield ("%s.non_minimal_is_the_first_mistake" % kind,
               bytes([0x80 | opcode, 0xFF]) + LIMIT.to_bytes(8, "big"), failed(1002))
    yield ("bad_text_before_the_limit", start(TEXT, b"x" * 600 + b"\xff"), Piece(b"x" * 600),
           failed(1007))


@table(keys="max_message = 0")
def no_limit():
    for opcode, kind in ((TEXT, "text"), (BINARY, "binary")):
        head = frame_header(opcode, (1 << 63) - 1, is_fin=False, key=bytes(4))
        yield ("%s.highest_length" % kind, head + b"x" * 5000, Piece(b"x" * 5000), Hold())
        yield ("%s.sum_over_63_bits" % kind, start(opcode, b"x"), Piece(b"x"),
               frame_header(CONTINUATION, (1 << 63) - 1, key=bytes(4)) + b"yz", Piece(b"xyz"),
               Hold())


@table(keys="max_message = 1")
def least_limit():
    yield "empty", frame(TEXT), text(b"")
    yield "one", frame(BINARY, b"x"), binary(b"x")
    yield "one_in_fragments", fragments(BINARY, [b"", b"x", b""]), binary(b"x")
    yield "two", frame(BINARY, b"xy")[:2], failed(1009)
    yield "pings_are_not_messages", frame(PING, b"x" * 125), Pong(b"x" * 125)


@table(keys="accept = text")
def only_text():
    yield "text", frame(TEXT, b"a"), text(b"a")
    yield "binary", frame(BINARY, b"a")[:1], failed(1003)
    yield "binary_fragment", start(BINARY, b"a")[:1], failed(1003)
    yield "binary_inside", start(TEXT, b"a"), Piece(b"a"), frame(BINARY, b"a")[:1], failed(1002)


@table(keys="accept = binary")
def only_binary():
    yield "binary", frame(BINARY, b"a"), binary(b"a")
    yield "text", frame(TEXT, b"a")[:1], failed(1003)
    yield "text_after_binary", frame(BINARY, b"a") + frame(TEXT, b"a"), binary(b"a"), failed(1003)
