# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page gets: text or binary, the subprotocols whose names say which, base64, and the size of
frames."""

import base64
import os
import random

from framed import (backend_ends, bad_backend, client_ends, fragments, open_route, recv_frames,
                    refused, send_chopped, send_slowly)
from harness import case, equal
from sessions import WIRES, end_after_close
from threads import in_thread, join
from wsclient import BINARY, PONG, TEXT, frame

MIB = 1 << 20

# payload = text

TEXT_SAMPLE = "a\u00e9\u20ac\U0001f600z\u00e9\U0010ffff\u0800\uffff".encode()


def recv_text(c, size):
    """Reads text messages of `size` bytes together. Each must be valid and none empty."""
    out = b""
    while len(out) < size:
        opcode, payload = c.recv_message()
        equal(opcode, TEXT, "opcode")
        assert payload, "an empty message"
        payload.decode()
        out += payload
    return out


@case(rows=WIRES)
def text_from_a_slow_backend(t, listen):
    """Characters cut at every place arrive whole, in messages that are valid by themselves."""
    p, c, peer = open_route(t, "payload = text", listen)
    data = TEXT_SAMPLE
    for cut in range(1, len(data)):
        send_slowly(peer, data, [cut])
        equal(recv_text(c, len(data)), data, "the text cut at %d" % cut)
    send_slowly(peer, data, range(1, len(data)))
    equal(recv_text(c, len(data)), data, "the text byte by byte")
    c.text("\u20ac")
    c.binary(b"\xff")
    peer.expect("\u20ac".encode() + b"\xff")
    client_ends(p, c, peer)


@case(rows=WIRES)
def text_in_bulk(t, listen):
    """3 MiB of characters of all lengths."""
    p, c, peer = open_route(t, "payload = text", listen)
    source = random.Random(6)
    data = "".join(source.choices("a\u00e9\u20ac\U0001f600", k=MIB * 6 // 5)).encode()
    thread = in_thread(lambda: (peer.send(data), peer.fin()))
    got = recv_text(c, len(data))
    equal(got == data, True, "the text")
    join(thread)
    c.recv_close(1000, has_reason=False)
    end_after_close(c)
    p.one_end("backend_close")


BAD_TEXT = [
    ("byte", b"\xff"), ("continuation", b"\x80"), ("overlong", b"\xc0\xaf"),
    ("surrogate", b"\xed\xa0\x80"), ("too_large", b"\xf4\x90\x80\x80"),
    ("wrong_second", b"\xe2\x28\xa1"), ("wrong_third", b"\xe2\x82\x28"), ("latin1", b"caf\xe9 "),
]


@case(rows=[(name, data) for name, data in BAD_TEXT])
def text_that_is_not_utf8(t, data):
    p, c, peer = open_route(t, "payload = text")
    peer.send(b"good")
    equal(recv_text(c, 4), b"good", "text")
    peer.send(data + b"more")
    before = bad_backend(p, c, peer)
    before.decode()
    assert data.startswith(before), before


@case()
def text_that_is_not_utf8_byte_by_byte(t):
    """The program keeps the beginning of a character, but the byte behind cannot follow it."""
    p, c, peer = open_route(t, "payload = text")
    send_slowly(peer, b"\xf0\x9f\x98\x41", [1, 2, 3])
    equal(bad_backend(p, c, peer), b"", "what came before the Close")


@case(rows=[("1_of_2", b"\xc3"), ("1_of_3", b"\xe2"), ("2_of_3", b"\xe2\x82"),
            ("3_of_4", b"\xf0\x9f\x98")])
def text_that_is_cut_off(t, data):
    """A character is not complete when the backend ends."""
    p, c, peer = open_route(t, "payload = text")
    peer.send(b"good" + data)
    equal(recv_text(c, 4), b"good", "text")
    peer.fin()
    equal(bad_backend(p, c, peer), b"", "what came before the Close")


@case()
def text_that_is_complete_at_the_end(t):
    p, c, peer = open_route(t, "payload = text")
    send_slowly(peer, "\u20ac".encode(), [1, 2])
    equal(recv_text(c, 3), "\u20ac".encode(), "text")
    equal(backend_ends(p, c, peer), b"", "what came before the Close")


# Text that is not UTF-8 and is replaced

BAD = (b"caf\xe9 \xff\xfe na\xc3\xafve \xe2\x82\xac \xe2\x82 \xf0\x9f\x98 \xed\xa0\x80 "
       b"\xf4\x90\x80\x80 \xc0\xaf end")


def replaced(data):
    return data.decode("utf-8", "replace").encode()


@case(rows=[(name, keys) for name, keys in (
    ("plain", ""), ("short_frames", "max_frame_out = 128"))])
def bad_text_of_a_stream(t, keys):
    """What is not UTF-8 becomes what a browser makes of it, wherever the stream is cut."""
    p, c, peer = open_route(t, "payload = text\nbad_utf8 = replace\n" + keys)
    for cut in range(1, len(BAD)):
        send_slowly(peer, BAD + b"|", [cut])
        want = replaced(BAD) + b"|"
        equal(recv_text(c, len(want)), want, "the text, cut at %d" % cut)
    noise = bytes(range(256)) * 2000 + b"|"
    peer.send(noise)
    equal(recv_text(c, len(replaced(noise))) == replaced(noise), True, "noise")
    peer.send(b"end \xe2\x82")
    equal(recv_text(c, 4), b"end ", "the text before an incomplete character")
    equal(backend_ends(p, c, peer), replaced(b"\xe2\x82"), "what came before the Close")


@case(rows=[("line", "framing = line", lambda b: b.replace(b"\n", b"?") + b"\n"),
            ("length16", "framing = length16", lambda b: len(b).to_bytes(2, "big") + b)])
def bad_text_in_messages(t, keys, wrap):
    """The same in lines and records: a message ends where it ended."""
    p, c, peer = open_route(t, "payload = text\nbad_utf8 = replace\nframing_max = 64k\n" + keys)
    noise = bytes(b for b in range(256) if b != 10) * 200
    for message in (BAD, b"", b"\xe2\x82", b"\xff", noise, b"good \xe2\x82\xac"):
        peer.send(wrap(message))
        opcode, got = c.recv_message()
        equal((opcode, got == replaced(message)), (TEXT, True), "message %r" % message[:20])
    equal(backend_ends(p, c, peer), b"", "what came before the Close")


@case()
def binary_is_not_looked_at(t):
    p, c, peer = open_route(t, "payload = binary")
    peer.send(b"\xff\xe2")
    equal(c.recv_message(), (BINARY, b"\xff\xe2"), "message")
    client_ends(p, c, peer)


# Subprotocols that say what a page is sent

@case(rows=[("%s.%s" % (name, payload), name, payload, opcode) for name, payload, opcode in (
    ("text.ircv3.net", "binary", TEXT), ("binary.ircv3.net", "text", BINARY),
    ("binary", "text", BINARY), ("chat", "text", TEXT), ("chat", "binary", BINARY))])
def payload_by_subprotocol(t, name, payload, opcode):
    """A name that the route lists decides; other names do not."""
    keys = "payload = %s\nsubprotocols = other, " % payload
    _, c, peer = open_route(t, keys + name, subprotocols="unknown, " + name)
    equal(c.subprotocol, name, "subprotocol")
    peer.send(b"abc")
    equal(c.recv_message(), (opcode, b"abc"), "message")
    for sent in (TEXT, BINARY):
        c.send(sent, b"up")
        peer.expect(b"up")


@case(rows=[("%s.%s" % row, *row) for row in (
    ("base64", "binary"), ("text.ircv3.net", "binary"), ("binary", "text"))])
def payload_of_a_route_without_subprotocols(t, name, payload):
    """Only names that the route lists mean something."""
    _, c, peer = open_route(t, "payload = " + payload, subprotocols=name)
    equal(c.subprotocol, name, "subprotocol")
    peer.send(b"abc")
    equal(c.recv_message(), (TEXT if payload == "text" else BINARY, b"abc"), "message")
    c.binary(b"Zg==")
    peer.expect(b"Zg==")


# base64

BASE64 = "subprotocols = binary, base64\n"


def encode(data):
    return base64.b64encode(data)


def decode(message):
    opcode, payload = message
    equal(opcode, TEXT, "opcode")
    data = base64.b64decode(payload, validate=True)
    equal(encode(data), payload, "the base64")
    return data


def recv_decoded(c, size):
    out = b""
    while len(out) < size:
        out += decode(c.recv_message())
    return out


@case(rows=WIRES)
def base64_both_ways(t, listen):
    """Each message is a whole base64 text."""
    p, c, peer = open_route(t, BASE64, listen, subprotocols="base64")
    equal(c.subprotocol, "base64", "subprotocol")
    c.text(b"")
    for size in (1, 2, 3, 4, 5, 6, 100, 255, 3000, 65535, 65536, 65537, 300000, MIB):
        data = os.urandom(size)
        thread = in_thread(peer.expect, data)
        c.text(encode(data))
        join(thread)
        thread = in_thread(peer.send, data)
        equal(recv_decoded(c, size) == data, True, "%d bytes" % size)
        join(thread)
    send_slowly(peer, bytes(range(256)), range(1, 256, 3))
    equal(recv_decoded(c, 256), bytes(range(256)), "bytes")
    client_ends(p, c, peer)


@case()
def base64_in_fragments(t):
    """Fragments cut groups at every place, with Pings, and chopped."""
    _, c, peer = open_route(t, BASE64, subprotocols="base64")
    for data in (b"hello world!", b"hello world", b"hello worl"):
        text = encode(data)
        for cut in range(len(text) + 1):
            c.send_raw(fragments(TEXT, text, cut))
            peer.expect(data)
            equal(c.recv_frame().opcode, PONG, "opcode")
        for size in (1, 2, 3, 5):
            send_chopped(c, fragments(TEXT, text, *range(1, len(text))) + frame(TEXT, b"")
                         + frame(TEXT, text), size)
            peer.expect(data + data)
            for _ in range(len(text) - 1):
                equal(c.recv_frame().opcode, PONG, "opcode")


BAD_BASE64 = [
    ("character", b"Zm9v!"), ("space", b"Zm9v Zm9v"), ("line_end", b"Zm9v\r\n"),
    ("url_alphabet", b"Zm9-"), ("not_complete", b"Zm9vZ"), ("no_padding", b"Zm8"),
    ("half_padding", b"Zg="), ("long_padding", b"Zm8=="), ("behind_padding", b"Zm8=Zg=="),
    ("unused_bits", b"Zm9="), ("only_padding", b"===="), ("character_utf8", "Zm9\u00e9".encode()),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, row[1]) for row in BAD_BASE64
            for wire, listen in WIRES if listen == "plain" or row[0] == "character"])
def base64_that_is_none(t, listen, text):
    """The bad text comes whole, and in fragments at every cut."""
    p, c, peer = open_route(t, BASE64, listen, subprotocols="base64")
    c.text(encode(b"good"))
    peer.expect(b"good")
    c.text(text)
    refused(p, c, peer, 1007, "bad_text", allowed=b"foof")
    peer.close()
    backend = t.backend()
    p = t.gateway(r="origins = *\nbackend = %s\n%s" % (backend.url, BASE64))
    for number in range(len(text) + 1):
        c = p.client(listen).open("/r", subprotocols="base64")
        peer = backend.accept()
        c.send_raw(fragments(TEXT, text, number))
        c.recv_close(1007)
        end_after_close(c, 1007)
        got = peer.expect_reset()
        assert b"foof".startswith(got), got
        p.log.wait("session.end", number + 1, ending="bad_text", code="1007")


@case(rows=[("%s.%s" % (name, wire), listen, data) for name, data in (
    ("empty", b""), ("bytes", b"\xff"), ("base64", b"Zm9v")) for wire, listen in WIRES])
def base64_in_binary_frames(t, listen, data):
    p, c, peer = open_route(t, BASE64, listen, subprotocols="base64")
    c.text(encode(b"good"))
    peer.expect(b"good")
    c.binary(data)
    refused(p, c, peer, 1003, "opcode")


@case(rows=[(kind, kind) for kind in ("line", "length16", "length32")])
def base64_with_framing(t, kind):
    """The program refuses this configuration: base64 is for pages of stream services."""
    text = t.config(r="backend = tcp://127.0.0.1:1\n%sframing = %s" % (BASE64, kind))
    code, _, errors, _ = t.check(text)
    equal(code != 0 and "base64" in errors, True, "the complaint")


# max_frame_out

def sizes_of(frames):
    return [len(f.payload) for f in frames]


def cut_sizes(size, limit):
    return [limit] * (size // limit) + ([size % limit] if size % limit or not size else [])


@case(rows=WIRES)
def frames_of_a_stream(t, listen):
    """One read becomes frames that are as large as they may be."""
    p, c, peer = open_route(t, "max_frame_out = 128", listen)
    for size in (1, 127, 128, 129, 256, 1000):
        data = os.urandom(size)
        peer.send(data)
        frames = []
        while sum(sizes_of(frames)) < size:
            frames += recv_frames(c)
        equal(b"".join(f.payload for f in frames), data, "bytes")
        equal(sizes_of(frames), cut_sizes(size, 128), "sizes of frames")
    c.binary(bytes(1000))
    peer.expect(bytes(1000))
    client_ends(p, c, peer)


@case(rows=[("%d.%s" % (limit, wire), listen, limit) for limit in (128, 1000, 65535, 65536, 200000)
            for wire, listen in WIRES if limit == 1000 or listen == "plain"])
def frames_in_bulk(t, listen, limit):
    p, c, peer = open_route(t, "max_frame_out = %d" % limit, listen)
    data = os.urandom(MIB)
    thread = in_thread(lambda: (peer.send(data), peer.fin()))
    got = bytearray()
    while len(got) < len(data):
        payload = c.recv_data()
        assert len(payload) <= limit, "a frame of %d bytes" % len(payload)
        got += payload
    equal(bytes(got) == data, True, "the bytes")
    join(thread)
    c.recv_close(1000, has_reason=False)
    end_after_close(c)
    p.one_end("backend_close", down_bytes=MIB)


@case(rows=WIRES)
def frames_of_lines(t, listen):
    p, c, peer = open_route(t, "max_frame_out = 128\nframing = line\npayload = text", listen)
    for size in (0, 1, 127, 128, 129, 255, 256, 257, 1000):
        line = b"x" * size
        peer.send(line + b"\n")
        frames = recv_frames(c)
        equal(frames[0].opcode, TEXT, "opcode")
        equal(b"".join(f.payload for f in frames), line, "line")
        equal(sizes_of(frames), cut_sizes(size, 128), "sizes of frames")
    client_ends(p, c, peer)


@case(rows=[("length16.%s" % wire, listen, 2) for wire, listen in WIRES]
      + [("length32.ws", "plain", 4)])
def frames_of_records(t, listen, width):
    keys = "max_frame_out = 200\nframing = length%d" % (8 * width)
    _, c, peer = open_route(t, keys, listen)
    for size in (0, 1, 199, 200, 201, 400, 1000):
        data = os.urandom(size)
        peer.send(size.to_bytes(width, "big") + data)
        frames = recv_frames(c)
        equal(frames[0].opcode, BINARY, "opcode")
        equal(b"".join(f.payload for f in frames), data, "record")
        equal(sizes_of(frames), cut_sizes(size, 200), "sizes of frames")
    thread = in_thread(peer.send, (60000).to_bytes(width, "big") + bytes(60000))
    frames = recv_frames(c)
    join(thread)
    equal((max(sizes_of(frames)), sum(sizes_of(frames))), (200, 60000), "sizes of frames")


@case()
def frames_of_text(t):
    """Messages are text by themselves, wherever frames end."""
    _, c, peer = open_route(t, "max_frame_out = 128\npayload = text")
    data = ("\u20ac\U0001f600\u00e9" * 500).encode()
    thread = in_thread(peer.send, data)
    got = b""
    while len(got) < len(data):
        frames = recv_frames(c)
        assert max(sizes_of(frames)) <= 128, sizes_of(frames)
        message = b"".join(f.payload for f in frames)
        message.decode()
        got += message
    equal(got, data, "text")
    join(thread)


@case()
def frames_of_base64(t):
    """The limit counts the characters on the wire."""
    _, c, peer = open_route(t, BASE64 + "max_frame_out = 130", subprotocols="base64")
    data = os.urandom(1000)
    peer.send(data)
    got = b""
    while len(got) < len(data):
        frames = recv_frames(c)
        assert max(sizes_of(frames)) <= 130, sizes_of(frames)
        got += decode((frames[0].opcode, b"".join(f.payload for f in frames)))
    equal(got, data, "bytes")


@case()
def frames_limit_in_the_configuration(t):
    for value, is_good in (("0", True), ("128", True), ("127", False), ("1", False)):
        text = t.config(r="backend = echo:\nmax_frame_out = " + value)
        code, _, errors, _ = t.check(text)
        equal(code == 0, is_good, "max_frame_out = %s is taken" % value)
        equal("max_frame_out" in errors, not is_good, "the complaint")
