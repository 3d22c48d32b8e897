# SPDX-License-Identifier: GPL-3.0-or-later
"""framing = line, length16, length32: messages and the backend's lines or records.

Most cases run over plain ws://; those with WIRES over TLS too.
"""

import os

from framed import (backend_ends, bad_backend, fragments, open_route, refused, send_chopped,
                    send_slowly)
from harness import case, equal
from sessions import WIRES, end_after_close
from threads import in_thread, join
from wsclient import BINARY, CONTINUATION, PONG, TEXT, frame

MIB = 1 << 20
PLAIN = [("ws", "plain")]

# framing = line

LINE_ENDS = [("lf", b"\n"), ("crlf", b"\r\n")]
LINE_ROWS = [("%s.%s" % (name, wire), listen, name, end) for name, end in LINE_ENDS
             for wire, listen in WIRES]


@case(rows=LINE_ROWS)
def line_both_ways(t, listen, name, end):
    p, c, peer = open_route(t, "framing = line\nline_end = %s\npayload = text" % name, listen)
    for line in (b"hello", b"", b"x", "na\u00efve \u20ac".encode(), b" \t ", b"\0", b"x" * 125,
                 b"y" * 126, b"z" * 65535, b"z" * 65536):
        c.text(line)
        peer.expect(line + end)
        c.binary(line)
        peer.expect(line + end)
        peer.send(line + end)
        equal(c.recv_message() == (TEXT, line), True, "line of %d bytes" % len(line))
    many = [b"line %d" % number * (number % 7) for number in range(1000)]
    c.send_raw(b"".join(frame(TEXT, line) for line in many))
    peer.expect(b"".join(line + end for line in many))
    thread = in_thread(peer.send, b"".join(line + end for line in many))
    for line in many:
        equal(c.recv_message(), (TEXT, line), "line")
    join(thread)
    peer.send(b"last words")
    equal(recv_first_fragment(c), b"last words", "an unfinished line")
    peer.fin()
    equal(c.recv_frame(), (True, CONTINUATION, b""), "its end")
    c.recv_close(1000, has_reason=False)
    end_after_close(c)
    peer.expect_fin()
    peer.close()
    p.one_end("backend_close", code=1000)


def recv_first_fragment(c):
    got = c.recv_frame()
    equal((got.is_fin, got.opcode), (False, TEXT), "the beginning of a line")
    return got.payload


@case(rows=[(name, name, end) for name, end in LINE_ENDS])
def line_cut_at_every_byte(t, name, end):
    """The backend's bytes come with terminators, CR and characters torn apart."""
    _, c, peer = open_route(t, "framing = line\npayload = text\nline_end = " + name)
    lines = ["one", "", "\u20ac\U0001f600", "a\rb", "\r", "c\r" if name == "crlf" else "c", ""]
    lines = [line.encode() for line in lines]
    data = b"".join(line + end for line in lines)
    for cut in range(1, len(data)):
        send_slowly(peer, data, [cut])
        for line in lines:
            equal(c.recv_message(), (TEXT, line), "line, cut at %d" % cut)
    send_slowly(peer, data, range(1, len(data)))
    for line in lines:
        equal(c.recv_message(), (TEXT, line), "line, byte by byte")


@case()
def line_terminators_of_others(t):
    """With lf a CR is a byte of the line; with crlf LF alone ends a line too."""
    _, c, peer = open_route(t, "framing = line\nline_end = lf")
    c.binary(b"a\r")
    peer.expect(b"a\r\n")
    peer.send(b"a\r\nb\n")
    equal([c.recv_message() for _ in range(2)], [(BINARY, b"a\r"), (BINARY, b"b")], "lines")
    _, c, peer = open_route(t, "framing = line\nline_end = crlf")
    peer.send(b"a\nb\r\nc\r\r\n\rd\n")
    equal([c.recv_message()[1] for _ in range(4)], [b"a", b"b", b"c\r", b"\rd"], "lines")


@case(rows=WIRES)
def line_from_fragments(t, listen):
    """A message in fragments at every cut, with Pings and chopped, is one line once it is whole."""
    _, c, peer = open_route(t, "framing = line\nline_end = crlf", listen)
    line = "hello \u20ac".encode()
    for cut in range(len(line) + 1):
        c.send_raw(fragments(TEXT, line, cut))
        peer.expect(line + b"\r\n")
        equal(c.recv_frame().opcode, PONG, "opcode")
    for size in (1, 2, 3, 5, 8):
        send_chopped(c, fragments(BINARY, line, 2, 2, 7) + frame(BINARY, b"") +
                     fragments(TEXT, b"x" * 300, 150), size)
        peer.expect(line + b"\r\n" + b"\r\n" + b"x" * 300 + b"\r\n")
    c.send(TEXT, b"only a begin", is_fin=False)
    peer.expect_quiet(0.2)
    peer.sock.settimeout(20)
    c.send(CONTINUATION, b"ning")
    peer.expect(b"only a beginning\r\n")


TERMINATORS = [
    ("lf.lf", "lf", b"a\nb"), ("lf.lf_first", "lf", b"\na"), ("lf.lf_last", "lf", b"a\n"),
    ("lf.only_lf", "lf", b"\n"), ("lf.crlf", "lf", b"a\r\nb"),
    ("crlf.crlf", "crlf", b"a\r\nb"), ("crlf.crlf_last", "crlf", b"a\r\n"),
    ("crlf.lf", "crlf", b"a\nb"), ("crlf.cr", "crlf", b"a\rb"), ("crlf.cr_last", "crlf", b"a\r"),
    ("crlf.cr_first", "crlf", b"\ra"), ("crlf.only_crlf", "crlf", b"\r\n"),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row[1:]) for row in TERMINATORS
            for wire, listen in (WIRES if row[0].endswith(".crlf") else PLAIN)])
def line_with_a_terminator_inside(t, listen, name, data):
    """Nothing of the message reaches the backend, whole or in fragments at any cut."""
    keys = "framing = line\nline_end = " + name
    p, c, peer = open_route(t, keys, listen)
    c.text(b"good")
    peer.expect(b"good" + dict(LINE_ENDS)[name])
    c.text(data)
    refused(p, c, peer, 1008, "framing")
    peer.close()
    p.stop()
    backend = t.backend()
    p = t.gateway(r="origins = *\nbackend = %s\n%s" % (backend.url, keys))
    for number, cut in enumerate(range(len(data) + 1)):
        c = p.client(listen).open("/r")
        peer = backend.accept()
        c.send_raw(fragments(BINARY, data, cut))
        c.recv_close(1008)
        end_after_close(c, 1008)
        equal(peer.expect_reset(), b"", "what reached the backend")
        p.log.wait("session.end", number + 1, ending="framing", code="1008")


@case(rows=[(name, name, end) for name, end in LINE_ENDS])
def line_multi(t, name, end):
    """A message may have several lines, and the program does not double a terminator at its end, in
    whichever form. From the backend, each line is a message as before."""
    _, c, peer = open_route(t, "framing = line\nline_multi = yes\nline_end = " + name)
    for data, want in ((b"a" + end + b"b", b"a" + end + b"b" + end),
                       (b"a" + end + b"b" + end, b"a" + end + b"b" + end),
                       (b"a", b"a" + end), (b"", end), (end, end), (end + end, end + end),
                       (b"a\nb", b"a\nb" + end), (b"a\n", b"a\n"), (b"a\n\n", b"a\n\n"),
                       (b"a\r\n\n", b"a\r\n\n"), (b"a\r", b"a\r\n")):
        c.text(data)
        peer.expect(want)
        for cut in range(len(data) + 1):
            c.send_raw(fragments(BINARY, data, cut))
            peer.expect(want)
            equal(c.recv_frame().opcode, PONG, "opcode")
    peer.send(b"a" + end + b"b" + end)
    equal([c.recv_message()[1] for _ in range(2)], [b"a", b"b"], "lines")


@case(rows=[("default", "", 65536), ("1k", "framing_max = 1k", 1024)])
def line_limits(t, keys, size):
    """A line of exactly framing_max passes both ways; one more byte ends the session."""
    keys = "framing = line\nline_end = crlf\n" + keys
    p, c, peer = open_route(t, keys)
    line = b"x" * size
    c.binary(line)
    peer.expect(line + b"\r\n")
    peer.send(line + b"\r\n")
    equal(c.recv_message() == (BINARY, line), True, "the line")
    c.binary(line + b"x")
    refused(p, c, peer, 1009, "too_big")
    p, c, peer = open_route(t, keys)
    c.send_raw(fragments(BINARY, line + b"x", 1, size))
    c.recv_close(1009)
    end_after_close(c, 1009)
    equal(peer.expect_reset(), b"", "what reached the backend")
    p, c, peer = open_route(t, keys)
    peer.send(b"good\r\n" + line + b"x\r\n")
    equal(c.recv_message(), (BINARY, b"good"), "line")
    before = bad_backend(p, c, peer)
    assert line.startswith(before), before[-80:]


@case()
def line_that_never_ends(t):
    """The program gives up at framing_max and stores no more."""
    p, c, peer = open_route(t, "framing = line")
    thread = in_thread(send_until_reset, peer)
    _, before = c.recv_close(1011)
    end_after_close(c, 1011)
    p.one_end("backend_data", code=1011)
    assert len(before) <= 65536, "%d bytes" % len(before)
    join(thread)


def send_until_reset(peer):
    try:
        for _ in range(1024):
            peer.send(bytes(65536))
    except ConnectionError:
        return
    raise AssertionError("the program took 64 MiB without a terminator")


@case(rows=[("inside_a_line", b"good\r\n\xe2\x82 \r\n"),
            ("cut_by_the_end", b"good\r\n\xe2\x82\r\n"),
            ("completed_by_the_next", b"good\r\n\xe2\r\n\x82\xac\r\n")])
def line_that_is_not_utf8(t, data):
    """Each line must be text by itself."""
    p, c, peer = open_route(t, "framing = line\nline_end = crlf\npayload = text")
    peer.send(data)
    equal(c.recv_message(), (TEXT, b"good"), "line")
    bad_backend(p, c, peer)


# framing = length16 and length32

RECORD_KEYS = "framing = length%d\nlength_order = %s\nframing_max = 2m"
RECORD_KINDS = [(bits, order) for bits in (16, 32) for order in ("big", "little")]
RECORD_ROWS = [("%d_%s" % kind, *kind) for kind in RECORD_KINDS]


def record(data, bits, order):
    return len(data).to_bytes(bits // 8, order) + data


@case(rows=[("%s.%s" % (row[0], wire), listen, *row[1:]) for row in RECORD_ROWS
            for wire, listen in WIRES])
def record_both_ways(t, listen, bits, order):
    p, c, peer = open_route(t, RECORD_KEYS % (bits, order), listen)
    sizes = [0, 1, 125, 126, 258, 65535] + ([65536, MIB] if bits == 32 else [])
    for size in sizes:
        data = os.urandom(size)
        thread = in_thread(peer.expect, record(data, bits, order))
        c.binary(data)
        join(thread)
        thread = in_thread(peer.send, record(data, bits, order))
        equal(c.recv_message() == (BINARY, data), True, "the record of %d bytes" % size)
        join(thread)
    c.text("\u20ac")
    peer.expect(record("\u20ac".encode(), bits, order))
    many = [os.urandom(number * 7 % 300) for number in range(500)]
    c.send_raw(b"".join(frame(BINARY, data) for data in many))
    peer.expect(b"".join(record(data, bits, order) for data in many))
    thread = in_thread(peer.send, b"".join(record(data, bits, order) for data in many))
    for data in many:
        equal(c.recv_message(), (BINARY, data), "record")
    join(thread)
    equal(backend_ends(p, c, peer), b"", "what came before the Close")


@case(rows=RECORD_ROWS)
def record_cut_at_every_byte(t, bits, order):
    """Records both ways are cut everywhere. A message in fragments is one record when whole."""
    _, c, peer = open_route(t, RECORD_KEYS % (bits, order) + "\npayload = text")
    records = [b"abc", b"", "\u20ac".encode(), b"d" * 9]
    data = b"".join(record(one, bits, order) for one in records)
    for cuts in [[cut] for cut in range(1, len(data))] + [range(1, len(data))]:
        send_slowly(peer, data, cuts)
        for one in records:
            equal(c.recv_message(), (TEXT, one), "record")
    one = b"0123456789"
    for cut in range(len(one) + 1):
        c.send_raw(fragments(BINARY, one, cut))
        peer.expect(record(one, bits, order))
        equal(c.recv_frame().opcode, PONG, "opcode")
    send_chopped(c, fragments(BINARY, one, 1, 1, 5) + frame(TEXT, b"") + frame(BINARY, b"x"), 1)
    peer.expect(b"".join(record(part, bits, order) for part in (one, b"", b"x")))
    c.send(BINARY, b"only a begin", is_fin=False)
    peer.expect_quiet(0.2)


@case(rows=RECORD_ROWS)
def record_limits(t, bits, order):
    """The client's records: one that 16 bits of length cannot count is too big, whatever
    framing_max is."""
    size = 65535 if bits == 16 else 2 * MIB
    p, c, peer = open_route(t, RECORD_KEYS % (bits, order))
    data = os.urandom(size)
    thread = in_thread(peer.expect, record(data, bits, order))
    c.binary(data)
    join(thread)
    c.send_raw(frame(BINARY, data + b"x"))
    refused(p, c, peer, 1009, "too_big")


@case(rows=RECORD_ROWS)
def record_too_long(t, bits, order):
    """The backend's records: the length alone shows that one is too long."""
    keys = RECORD_KEYS.replace("2m", "1k") % (bits, order)
    p, c, peer = open_route(t, keys)
    data = os.urandom(1024)
    peer.send(record(data, bits, order))
    equal(c.recv_message() == (BINARY, data), True, "the record")
    peer.send((1025).to_bytes(bits // 8, order))
    equal(bad_backend(p, c, peer), b"", "what came before the Close")
    p, c, peer = open_route(t, keys)
    peer.send(record(b"good", bits, order) + b"\xff" * (bits // 8))
    equal(bad_backend(p, c, peer), b"good", "what came before the Close")


@case(rows=[("%s.%s" % (row[0], name), *row[1:], size) for row in RECORD_ROWS
            for name, size in (("in_the_length", -1), ("behind_the_length", 0), ("inside", 5))])
def record_cut_off(t, bits, order, size):
    p, c, peer = open_route(t, RECORD_KEYS % (bits, order))
    peer.send(record(b"good", bits, order))
    equal(c.recv_message(), (BINARY, b"good"), "record")
    peer.send(record(b"0123456789", bits, order)[:bits // 8 + size])
    peer.fin()
    before = bad_backend(p, c, peer)
    equal(before, b"01234"[:max(size, 0)], "what came before the Close")


@case()
def record_that_is_not_utf8(t):
    p, c, peer = open_route(t, "framing = length16\npayload = text")
    peer.send(record("\u20ac".encode(), 16, "big") + record(b"\xe2\x82", 16, "big")
              + record(b"\xac", 16, "big"))
    equal(c.recv_message(), (TEXT, "\u20ac".encode()), "record")
    bad_backend(p, c, peer)
