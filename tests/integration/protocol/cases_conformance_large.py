# SPDX-License-Identifier: GPL-3.0-or-later
"""Large messages against an echo: route.

They come back whole in every cut, in memory that does not grow with them, and the program takes
them no faster than the client reads their echo.
"""

import functools
import hashlib
import os

from exchange import Chops, Talk, binary, fragments, pieces_of, table, text
from harness import Settings, case, equal
from memory import (CEILING_BYTES, KERNEL_MIB, open_without_reading, pss_of, start_sending,
                    wait_until_flat)
from sessions import WIRES
from threads import in_thread, join
from wsclient import BINARY, CONTINUATION, TEXT, frame, frame_header, mask

MIB = 1 << 20
KEY = b"\x37\xfa\x21\x3d"


@functools.lru_cache(None)
def content(opcode, size):
    if opcode == BINARY:
        return os.urandom(size)
    unit = "The quick brown f\u00f6x \u20ac\U0001f98a jumps over the lazy dog. ".encode()
    whole = unit * (size // len(unit))
    return whole + b"." * (size - len(whole))


@table(timeout=120)
def messages():
    for opcode, kind, wanted in ((TEXT, "text", text), (BINARY, "binary", binary)):
        for size in (MIB, 4 * MIB, 16 * MIB):
            data = content(opcode, size)
            yield "%s.%d.one_frame" % (kind, size), frame(opcode, data, key=KEY), wanted(data)
        data = content(opcode, MIB)
        for part in (64, 256, 1024, 4096, 16384, 65536, 262144):
            yield ("%s.1m.fragments_of_%d" % (kind, part), fragments(opcode, pieces_of(data, part)),
                   wanted(data))
        for chop in (512, 1460, 4096, 65536):
            yield ("%s.1m.chops_of_%d" % (kind, chop), Chops(frame(opcode, data), chop),
                   wanted(data))
        yield ("%s.1m.fragments_and_chops" % kind,
               Chops(fragments(opcode, pieces_of(data, 1000)), 997), wanted(data))
        data = content(opcode, 4 * MIB)
        for part in (4096, 65536, MIB):
            yield ("%s.4m.fragments_of_%d" % (kind, part),
                   fragments(opcode, pieces_of(data, part)), wanted(data))
        data = content(opcode, 16 * MIB)
        yield ("%s.16m.fragments_of_4m" % kind, fragments(opcode, pieces_of(data, 4 * MIB)),
               wanted(data))
        yield "%s.16m.chops_of_64k" % kind, Chops(frame(opcode, data), 65536), wanted(data)
    data = content(BINARY, 4 * MIB)
    yield ("four_in_a_row", frame(BINARY, data) * 4, *[binary(data)] * 4)


class EchoReader(Talk):
    """Reads the echo while it sends, and keeps only a hash of it."""

    def __init__(self, client):
        super().__init__(client)
        self.hash, self.taken, self.opcodes, self.fins = hashlib.sha256(), 0, [], 0

    def take_ready(self):
        """Takes every frame that has come whole."""
        pending, at = self.client.pending, 0
        while len(pending) >= at + 2:
            size, head = pending[at + 1], 2
            if size > 125:
                head = 4 if size == 126 else 10
                size = int.from_bytes(pending[at + 2:at + head], "big")
            if len(pending) < at + head + size:
                break
            self.opcodes = [*self.opcodes, pending[at] & 0x0F][:3]
            self.fins += pending[at] >> 7
            assert len(self.opcodes) < 3 or self.opcodes[2] == CONTINUATION, self.opcodes
            self.hash.update(memoryview(pending)[at + head:at + head + size])
            self.taken += size
            at += head + size
        del pending[:at]

    def take_all(self, size):
        self.take_ready()
        while self.taken < size:
            self.client.read_more()
            self.take_ready()


@case(timeout=120, rows=[("%s.%s" % (name, wire), listen, name) for wire, listen in WIRES
                         for name in ("one_frame", "fragments", "text_fragments")])
def echo_in_little_memory(t, listen, name):
    size = 256 if not Settings.is_asan else 32
    p = t.gateway(r="backend = echo:")
    c = p.client(listen).open("/r")
    talk, wanted = EchoReader(c), hashlib.sha256()
    opcode = TEXT if name == "text_fragments" else BINARY
    block = content(opcode, MIB)
    before, highest = pss_of(p), 0
    if name == "one_frame":
        c.send_raw(frame_header(opcode, size * MIB, key=KEY))
    masked = mask(block, KEY)
    later = b"".join(frame(CONTINUATION, piece, is_fin=False, key=KEY)
                     for piece in pieces_of(block, 65536 - 1))
    for number in range(size):
        if name == "one_frame":
            data = masked
        elif number == 0:
            data = bytes([opcode]) + later[1:]
        else:
            data = later
        talk.push(talk.sealed(data))
        talk.take_ready()
        wanted.update(block)
        if number % 16 == 0:
            highest = max(highest, pss_of(p))
    if name != "one_frame":
        c.send(CONTINUATION)
    talk.take_all(size * MIB)
    equal(talk.hash.hexdigest(), wanted.hexdigest(), "hash")
    equal(talk.opcodes, [opcode, CONTINUATION, CONTINUATION], "opcodes")
    if name == "one_frame":
        equal(talk.fins, 1, "frames with FIN")
    print("%d MiB, %+d KiB" % (size, (highest - before) // 1024))
    if not Settings.is_asan:
        assert highest - before <= MIB, "%d bytes more" % (highest - before)
    c.end_cleanly()
    p.one_end("client_close", up_bytes=size * MIB, down_bytes=size * MIB)


@case(timeout=120, rows=[("%s.%s" % (name, wire), listen, name) for wire, listen in WIRES
                         for name in ("one_frame", "fragments")])
def echo_of_one_message_without_reading(t, listen, name):
    """The program stops the sender inside one message; once the client reads, every byte comes."""
    p = t.gateway(r="write_timeout = 10m\nbackend = echo:")
    c = open_without_reading(p, listen)
    before = pss_of(p)
    block = content(BINARY, MIB)
    if name == "one_frame":
        first, later = frame_header(BINARY, KERNEL_MIB * MIB, key=KEY) + mask(block, KEY), mask(
            block, KEY)
    else:
        later = frame(CONTINUATION, block, is_fin=False, key=KEY)
        first = bytes([BINARY]) + later[1:]
    sent, rest = 0, None
    while rest is None:
        assert sent < KERNEL_MIB, "the program took %d MiB though nobody reads" % sent
        rest = start_sending(c, later if sent else first)
        sent += 1
    samples = wait_until_flat(p)
    print("%d MiB taken, %+d KiB" % (sent, (max(samples) - before) // 1024))
    if not Settings.is_asan:
        assert max(samples) - before <= MIB, "%d bytes more" % (max(samples) - before)
    c.wire.sock.settimeout(20)
    up = in_thread(c.wire.sock.sendall, rest)
    talk, wanted = EchoReader(c), hashlib.sha256()
    talk.take_all(sent * MIB)
    join(up)
    for _ in range(sent):
        wanted.update(block)
    equal(talk.hash.hexdigest(), wanted.hexdigest(), "hash")
    equal(talk.fins, 0, "frames with FIN")
    if name == "fragments":
        c.send(CONTINUATION, b"the end")
        talk.take_all(sent * MIB + 7)
        equal(talk.fins, 1, "frames with FIN")
        c.end_cleanly()
    else:
        c.wire.reset()
    line = p.one_end("client_close" if name == "fragments" else "client_reset")
    assert int(line["queue_peak_client_bytes"]) <= CEILING_BYTES, line
