# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that break a rule (the endings table): a Close with the code, and RST for the backend.
Where the place in the client's stream is known, the program awaits its Close.
"""

import os
import select

from harness import case
from sessions import WIRES, end_after_close, open_pair
from wsclient import BINARY, CLOSE, PING, TEXT, close_payload, frame

VIOLATIONS = [
    ("protocol.unmasked", "", frame(BINARY, b"x", is_masked=False), 1002),
    ("protocol.rsv1", "", frame(BINARY, b"x", rsv=4), 1002),
    ("protocol.rsv3", "", frame(BINARY, b"x", rsv=1), 1002),
    ("protocol.opcode_3", "", frame(3, b"x"), 1002),
    ("protocol.opcode_15", "", frame(15, b"x"), 1002),
    ("protocol.fragmented_ping", "", frame(PING, b"x", is_fin=False), 1002),
    ("protocol.long_ping", "", frame(PING, b"x" * 126), 1002),
    ("protocol.continuation", "", frame(0, b"x"), 1002),
    ("protocol.new_message_inside", "", frame(BINARY, b"x", is_fin=False) + frame(BINARY, b"y"),
     1002),
    ("protocol.length_not_minimal", "", b"\x82\xfe\x00\x05" + bytes(9), 1002),
    ("protocol.length_not_minimal_64", "", b"\x82\xff" + (65535).to_bytes(8, "big"), 1002),
    ("protocol.length_top_bit", "", b"\x82\xff" + (1 << 63).to_bytes(8, "big"), 1002),
    ("bad_close.one_byte", "", frame(CLOSE, b"\x03"), 1002),
    ("bad_close.1005", "", frame(CLOSE, close_payload(1005)), 1002),
    ("bad_close.1006", "", frame(CLOSE, close_payload(1006)), 1002),
    ("bad_close.1015", "", frame(CLOSE, close_payload(1015)), 1002),
    ("bad_close.999", "", frame(CLOSE, close_payload(999)), 1002),
    ("bad_close.2999", "", frame(CLOSE, close_payload(2999)), 1002),
    ("bad_close.5000", "", frame(CLOSE, close_payload(5000)), 1002),
    ("opcode.text", "accept = binary", frame(TEXT, b"x"), 1003),
    ("opcode.binary", "accept = text", frame(BINARY, b"x"), 1003),
    ("bad_text.byte", "", frame(TEXT, b"a\xff"), 1007),
    ("bad_text.surrogate", "", frame(TEXT, b"\xed\xa0\x80"), 1007),
    ("bad_text.cut_at_the_end", "", frame(TEXT, b"\xe2\x82"), 1007),
    ("bad_text.over_two_fragments", "",
     frame(TEXT, b"\xe2\x82", is_fin=False) + frame(0, b"\x41", is_fin=False), 1007),
    ("bad_text.close_reason", "", frame(CLOSE, close_payload(1000, b"\xff")), 1007),
    ("too_big.frame", "max_message = 1k", frame(BINARY, bytes(1025)), 1009),
    ("too_big.fragments", "max_message = 1k",
     frame(BINARY, bytes(1000), is_fin=False) + frame(0, bytes(25)), 1009),
    ("too_big.header_only", "max_message = 1k\nclose_timeout = 500ms",
     b"\x82\xff" + ((1 << 63) - 1).to_bytes(8, "big"), 1009),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row) for row in VIOLATIONS
            for wire, listen in WIRES if listen == "tls" or row[0].count(".") == 1])
def violation(t, listen, name, keys, data, code):
    word = name.partition(".")[0]
    backend = t.backend()
    p = t.gateway(r="%s\nbackend = %s" % (keys, backend.url))
    c = p.client(listen).open("/r")
    peer = backend.accept()
    c.send_raw(data)
    c.recv_close(code)
    end_after_close(c, code)
    peer.expect_reset()
    p.one_end(word, code=code)


# What is wrong, and what the client had still to say: the place in its stream is not lost.
LARGE = frame(BINARY, bytes(200000))
BEHIND = [("opcode", "accept = binary", frame(TEXT, b"text")[:1], frame(TEXT, b"text")[1:], 1003),
          ("bad_text", "", frame(TEXT, b"a\xffbc")[:8], frame(TEXT, b"a\xffbc")[8:], 1007),
          ("framing", "framing = line", frame(TEXT, b"a\nb"), b"", 1008),
          ("too_big", "max_message = 1k", LARGE[:14], LARGE[14:], 1009),
          ("too_big", "framing = line\nframing_max = 1k", LARGE[:2000], LARGE[2000:], 1009)]


@case(rows=[("%s.%d.%s" % (row[0], at, wire), listen, *row) for at, row in enumerate(BEHIND)
            for wire, listen in WIRES])
def close_behind_a_violation(t, listen, word, keys, data, rest, code):
    """The program awaits the client's Close before its own FIN, as Firefox wants it, and finds the
    Close behind the rest of the frame and whatever else was on its way."""
    p, c, peer = open_pair(t, keys + "\nclose_timeout = 1h", listen)
    c.send_raw(data)
    c.recv_close(code)
    assert not select.select([c.wire], [], [], 0.3)[0], "the program did not wait"
    c.send_raw(rest + frame(TEXT, b"\xff") + frame(BINARY, bytes(70000)) + frame(PING, b"p"))
    assert not select.select([c.wire], [], [], 0.3)[0], "the program did not wait"
    end_after_close(c, code)
    peer.expect_reset()
    p.one_end(word, code=code)


@case()
def violation_after_good_bytes(t):
    """The first bad byte ends the session; the program forwards what came before, or the RST loses
    it."""
    p, c, peer = open_pair(t)
    c.wire.send(frame(TEXT, b"good") + frame(3, b""))
    c.recv_close(1002)
    got = peer.expect_reset()
    assert b"good".startswith(got), got
    p.one_end("protocol", up_bytes=9)


@case(rows=[("limit_reached", 1024), ("no_limit", 1 << 20)])
def message_within_its_limit(t, size):
    keys = "max_message = 1k\n" if size == 1024 else ""
    p, c, peer = open_pair(t, keys)
    data = os.urandom(size)
    c.binary(data)
    peer.expect(data)
    c.end_cleanly()
    p.one_end("client_close")
