# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 6455 8.1 by the byte against an echo: route.

UTF-8 comes back however it is cut. Anything else ends the session with 1007 at the first byte that
cannot be in it: the client sends no byte behind that one, and no byte in front of it ends anything.
"""

from exchange import (Chops, Piece, Pong, binary, closed, failed, fragments, last, more, start,
                      table, text)
from wsclient import BINARY, CLOSE, PING, TEXT, close_payload, frame, frame_header, mask

KEY = b"\x37\xfa\x21\x3d"
GREETING = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()

# The first and the last code point of every row of table 3-7 of the Unicode standard, and both
# sides of every length.
BORDERS = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD000, 0xD7FF,
           0xE000, 0xFDCF, 0xFDF0, 0xFFFC, 0xFFFD, 0x10000, 0x1FFFD, 0x3FFFF, 0x40000, 0xFFFFF,
           0x100000, 0x10FFFD, 0x10FFFF, 0xFEFF, 0x200B, 0x202E)
NONCHARACTERS = (*range(0xFDD0, 0xFDF0),
                 *(plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)))

# Name and bytes. good_bytes() finds the wrong byte from the definition.
WRONG = (
    ("lone_80", b"\x80"), ("lone_bf", b"\xbf"), ("two_continuations", b"\x80\xbf"),
    ("overlong_2_nul", b"\xc0\x80"), ("overlong_2_slash", b"\xc0\xaf"),
    ("overlong_2_highest", b"\xc1\xbf"), ("overlong_3_nul", b"\xe0\x80\x80"),
    ("overlong_3_slash", b"\xe0\x80\xaf"), ("overlong_3_highest", b"\xe0\x9f\xbf"),
    ("overlong_4_nul", b"\xf0\x80\x80\x80"), ("overlong_4_slash", b"\xf0\x80\x80\xaf"),
    ("overlong_4_highest", b"\xf0\x8f\xbf\xbf"), ("surrogate_d800", b"\xed\xa0\x80"),
    ("surrogate_db7f", b"\xed\xad\xbf"), ("surrogate_db80", b"\xed\xae\x80"),
    ("surrogate_dbff", b"\xed\xaf\xbf"), ("surrogate_dc00", b"\xed\xb0\x80"),
    ("surrogate_dfff", b"\xed\xbf\xbf"), ("surrogate_pair", b"\xed\xa0\xbd\xed\xb8\x80"),
    ("over_110000", b"\xf4\x90\x80\x80"), ("over_13ffff", b"\xf4\xbf\xbf\xbf"),
    ("over_f5", b"\xf5\x80\x80\x80"), ("over_f7", b"\xf7\xbf\xbf\xbf"),
    ("five_bytes", b"\xf8\x88\x80\x80\x80"), ("five_bytes_highest", b"\xfb\xbf\xbf\xbf\xbf"),
    ("six_bytes", b"\xfc\x84\x80\x80\x80\x80"), ("six_bytes_highest", b"\xfd" + b"\xbf" * 5),
    ("fe", b"\xfe"), ("ff", b"\xff"), ("fe_fe_ff_ff", b"\xfe\xfe\xff\xff"),
    ("2_then_ascii", b"\xc2A"), ("2_then_2", b"\xdf\xc2"), ("3_then_ascii", b"\xe2A"),
    ("3_cut_then_ascii", b"\xe2\x82A"), ("3_cut_then_lead", b"\xe2\x82\xe2"),
    ("4_then_ascii", b"\xf0A"), ("4_cut_1_then_ascii", b"\xf0\x9fA"),
    ("4_cut_2_then_ascii", b"\xf0\x9f\x98A"), ("4_cut_2_then_lead", b"\xf0\x9f\x98\xf0"),
    ("4_one_continuation_more", b"\xf0\x9f\x98\x80\x80"), ("2_one_more", b"\xc2\xb5\xb5"),
    ("latin_1", b"caf\xe9 "), ("utf_16", b"\xff\xfea\0"), ("greek_then_surrogate",
                                                          b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80e"),
)
CUT_SHORT = tuple(("%x_of_%x" % (size, point), chr(point).encode()[:size])
                  for point in (0x80, 0x7FF, 0x800, 0xD7FF, 0xFFFF, 0x10000, 0x10FFFF)
                  for size in range(1, len(chr(point).encode())))
ENDS = (b"", b"\x80", b"\xbf", b"\x80" * 2, b"\xbf" * 2, b"\x80" * 3, b"\xbf" * 3)


def can_go_on(data):
    """Says whether some text begins with these bytes."""
    for end in ENDS:
        try:
            (data + end).decode()
            return True
        except UnicodeDecodeError:
            pass
    return False


def good_bytes(data):
    """Returns how many bytes come before the first impossible one."""
    return next(at for at in range(len(data)) if not can_go_on(data[:at + 1]))


def pairs(data):
    """Cuts the data into two at every place."""
    return [(cut, [data[:cut], data[cut:]]) for cut in range(len(data) + 1)]


@table()
def valid():
    points = [("%04x" % point, chr(point).encode())
              for point in dict.fromkeys((*BORDERS, *NONCHARACTERS))]
    points += [("greeting", GREETING), ("mixed", "\u00e9\u20ac\U0001f600\0z".encode()),
               ("combining", "e\u0301\u0323".encode()), ("right_to_left", "\u05d0\u202ea".encode())]
    for name, data in points:
        yield "%s.whole" % name, frame(TEXT, data), text(data)
        yield "%s.bytewise" % name, Chops(frame(TEXT, data), 1), text(data)
        yield ("%s.a_byte_a_fragment" % name,
               fragments(TEXT, [data[at:at + 1] for at in range(len(data))]), text(data))
        padded = b"a" * 7 + data + b"z" * 9
        yield "%s.among_others" % name, frame(TEXT, padded), text(padded)
    for name, data in points[:len(BORDERS)] + points[-4:]:
        for cut, parts in pairs(data):
            yield "%s.cut_at_%d" % (name, cut), fragments(TEXT, parts), text(data)
            yield ("%s.cut_at_%d.with_a_ping" % (name, cut),
                   start(TEXT, parts[0]) + frame(PING, b"p") + last(parts[1]), Pong(b"p"),
                   text(data))
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x11000)))).encode()
    yield "all_of_the_first_planes", frame(TEXT, everything), text(everything)
    yield "all_of_the_first_planes.chops", Chops(frame(TEXT, everything), 997), text(everything)
    for size in range(0, 70):
        data = b"a" * size + "\u20ac".encode() + b"b" * 70
        yield "after_%d_ascii" % size, frame(TEXT, data), text(data)
    for name, data in WRONG + CUT_SHORT:
        yield "%s.in_binary" % name, frame(BINARY, data), binary(data)
        yield "%s.in_a_ping" % name, frame(PING, data), Pong(data)


@table(timeout=120)
def wrong():
    """The wrong bytes come in complete frames."""
    for name, data in WRONG:
        for place, before, after in (("alone", b"", b""), ("in_the_middle", GREETING, b"edited"),
                                     ("after_40_ascii", b"a" * 40, b"b" * 40)):
            whole = before + data + after
            good = whole[:good_bytes(whole)]
            yield ("%s.%s" % (name, place), frame(TEXT, whole),
                   *([Piece(good)] if good else []), failed(1007))
        whole = b"\xc2\xb5" + data + b"z"
        good = whole[:good_bytes(whole)]
        for cut, parts in pairs(whole):
            yield ("%s.cut_at_%d" % (name, cut), fragments(TEXT, parts), Piece(good), failed(1007))
        yield ("%s.after_a_message" % name, frame(TEXT, b"good") + frame(TEXT, data + b"..."),
               text(b"good"), *([Piece(data[:good_bytes(data)])] if good_bytes(data) else []),
               failed(1007))


@table(timeout=120)
def fail_fast():
    """Up to the first impossible byte nothing ends. Behind that byte, and no other, 1007 comes."""
    for name, data in WRONG:
        for place, before in (("alone", b""), ("after_text", GREETING), ("after_33", b"a" * 33)):
            whole = before + data
            good = whole[:good_bytes(whole)]
            head = frame_header(TEXT, len(whole) + 10, key=KEY)
            sent = head + mask(whole, KEY)
            upto = len(head) + len(good)
            waited = [Piece(good)] if good else []
            yield ("%s.%s.in_a_frame" % (name, place), sent[:upto], *waited, sent[upto:upto + 1],
                   failed(1007))
            yield ("%s.%s.in_a_fragment" % (name, place), start(TEXT, b"go"), Piece(b"go"),
                   bytes([sent[0] & 0xF0]) + sent[1:upto], Piece(b"go" + good),
                   sent[upto:upto + 1], failed(1007))
            yield ("%s.%s.a_byte_a_fragment" % (name, place), start(TEXT),
                   b"".join(more(good[at:at + 1]) for at in range(len(good))), Piece(good),
                   more(whole[len(good):len(good) + 1]), failed(1007))
    huge = frame_header(TEXT, 1 << 40, key=KEY) + mask(b"a" * 50000 + b"\xff", KEY)
    yield "in_a_frame_without_end", huge, Piece(b"a" * 50000), failed(1007)
    yield ("by_the_header_of_the_last_fragment", start(TEXT, b"\xe2\x82"), Piece(b"\xe2\x82"),
           last(), failed(1007))
    yield ("nothing_after_an_incomplete_one", start(TEXT, b"\xe2"), Piece(b"\xe2"),
           frame(PING, b"still open"), Pong(b"still open"), more(b"\x82"), Piece(b"\xe2\x82"),
           last(b"\xac"), text(b"\xe2\x82\xac"))


@table()
def cut_short():
    """Messages that end inside a sequence."""
    for name, data in CUT_SHORT:
        good = data[:-1]
        waited = [Piece(good)] if good else []
        yield "%s.alone" % name, frame(TEXT, data), *waited, failed(1007)
        yield ("%s.after_text" % name, frame(TEXT, b"good" + data), Piece(b"good" + good),
               failed(1007))
        yield "%s.bytewise" % name, Chops(frame(TEXT, data), 1), *waited, failed(1007)
        yield ("%s.before_an_empty_end" % name, start(TEXT, data), Piece(data), last(),
               failed(1007))
        for cut, parts in pairs(data)[1:-1]:
            yield ("%s.cut_at_%d" % (name, cut), fragments(TEXT, parts), Piece(good), failed(1007))
        yield ("%s.then_ascii" % name, start(TEXT, data), Piece(data), last(b"A"), failed(1007))
        yield ("%s.with_a_ping" % name, start(TEXT, data), frame(PING, b"p"), Pong(b"p"),
               Piece(data), last(), failed(1007))
        yield ("%s.then_another_message" % name, frame(TEXT, data) + frame(TEXT, b"late"), *waited,
               failed(1007))


@table()
def close_reasons():
    """The same rules hold for the reason of a Close."""
    for point in (*BORDERS, 0xFFFE, 0xFFFF, 0x1FFFE):
        reason = chr(point).encode()
        yield ("valid.%04x" % point, frame(CLOSE, close_payload(1000, reason * 3)), closed(1000))
    for name, data in WRONG:
        payload = close_payload(1000, b"why " + data)
        whole = frame(CLOSE, payload, key=KEY)
        yield "wrong.%s" % name, whole, failed(1007)
        bad = frame(CLOSE, payload + b" rest", key=KEY)
        yield ("wrong.%s.fail_fast" % name, frame(PING, b"x") + bad[:12 + good_bytes(data)],
               Pong(b"x"), bad[12 + good_bytes(data):13 + good_bytes(data)], failed(1007))
    for name, data in CUT_SHORT:
        yield "cut_short.%s" % name, frame(CLOSE, close_payload(3000, data)), failed(1007)
        yield ("cut_short.%s.bytewise" % name,
               Chops(frame(CLOSE, close_payload(3000, b"x" * 20 + data)), 1), failed(1007))
