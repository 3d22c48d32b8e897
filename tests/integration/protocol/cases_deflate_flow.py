# SPDX-License-Identifier: GPL-3.0-or-later
"""permessage-deflate over time: what it costs, backpressure inside the inflater, services behind
it, and other people's clients.
"""

import asyncio
import functools
import hashlib
import os
import ssl
import time
import zlib

import harness
from deflateclient import DeflateClient, cut, squeezed
from exchange import Talk, binary, pieces_of
from harness import Settings, case, equal, wait_until
from memory import CEILING_BYTES, pss_of, start_sending, wait_until_flat
from services import run_node_client
from sessions import WIRES, end_after_close
from threads import hash_bytes, in_thread, join
from wsclient import BINARY, CLOSE, FIN, PING, PONG, TEXT, close_payload, frame

ON = "compression = on\n"
MIB = 1 << 20
RSV1 = 4
# proto/deflate.h: with a window of 12 bits.
SQUEEZER_BYTES = (1 << 14) + (1 << 14) + 6 * 1024
INFLATER_BYTES = (1 << 12) + 7 * 1024


@functools.lru_cache(None)
def bomb(size):
    """Returns a compressed message of `size` zeroes."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = b"".join(squeezer.compress(bytes(MIB)) for _ in range(size // MIB))
    return (out + squeezer.compress(bytes(size % MIB)) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def connect(p, listen, path="/r", **options):
    return DeflateClient(p.wire(listen, **options)).open(path)


def send_in_one_flight(c, data):
    """Sends bytes and the orderly end of the stream: the gateway's kernel has both at once."""
    if c.wire.tls:
        c.wire.tls.write(data)
        try:
            c.wire.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLError):
            pass
        c.wire.flush()
    else:
        c.wire.sock.sendall(data)
    c.wire.half_close()


@case(rows=WIRES)
def everything_in_one_flight(t, listen):
    """A message that inflates far, a Close and the end of the stream come at once. The backend gets
    every byte and then the FIN, also when the backend reads slowly."""
    backend = t.backend()
    far = ON + "compression_ratio = 0\nbackend = %s\n" % backend.url
    p = t.gateway(r=far, line=far + "framing = line\nframing_max = 16m")
    for path, letters, end in (("/r", 8 * MIB, b""), ("/line", 897 * 1024, b"\n")):
        for pause in (0, 0.5):
            c = connect(p, listen, path)
            message = b"a" * letters
            peer = backend.accept()
            send_in_one_flight(c, frame(BINARY, c.squeeze(message), rsv=RSV1) +
                               frame(CLOSE, close_payload(1000)))
            time.sleep(pause)
            peer.expect_fin(message + end)
            peer.close()
            c.wire.close()
    wait_until(lambda: len(p.log.find("session.end")) == 4, "four lines")
    for line in p.log.find("session.end"):
        equal(line["ending"], "client_close", "ending")


@case(rows=WIRES)
def bomb_is_refused(t, listen):
    """Beyond its first MiB a session may have 100 times its bytes, or what the route says."""
    backend = t.backend()
    p = t.gateway(r="backend = echo:\n" + ON, up=ON + "backend = " + backend.url,
                  two=ON + "backend = echo:\ncompression_ratio = 2",
                  any=ON + "backend = echo:\ncompression_ratio = 0")
    for parts in (1, 7):
        c = connect(p, listen)
        c.send_raw(cut(BINARY, bomb(40 * MIB), parts))
        _, before = c.recv_close(1009)
        assert MIB - 65536 <= len(before) <= 2 * MIB, "%d bytes came" % len(before)
        assert not before.strip(b"\0")
        end_after_close(c, 1009)
    c = connect(p, listen, "/up")
    c.send_raw(frame(TEXT, bomb(40 * MIB), rsv=RSV1))
    peer, got = backend.accept(), 0
    try:
        while data := peer.recv_some():
            got += len(data)
        raise AssertionError("FIN instead of RST")
    except ConnectionResetError:
        pass
    assert got <= 2 * MIB, "%d bytes for the backend" % got
    c.recv_close(1009)
    c.wire.close()
    c = connect(p, listen)
    c.send_raw(frame(BINARY, bomb(MIB), rsv=RSV1))
    equal(c.recv_message(), (BINARY, bytes(MIB)), "echo below the limit")
    c.end_cleanly()
    noise = os.urandom(MIB)
    c = connect(p, listen, "/two")
    talk = Talk(c)
    talk.send([squeezed(BINARY, noise * 20, level=1)(c)])
    equal(talk.next_event() == binary(noise * 20), True, "echo of what cannot be compressed")
    c.end_cleanly()
    c = connect(p, listen, "/any")
    c.send_raw(frame(BINARY, bomb(40 * MIB), rsv=RSV1))
    equal(c.recv_message() == (BINARY, bytes(40 * MIB)), True, "echo without a limit")
    c.end_cleanly()
    words = [line["ending"] for line in p.log.wait("session.end", 6)]
    equal(sorted(words), ["client_close"] * 3 + ["too_big"] * 3, "endings")


@case(rows=WIRES)
def many_small_bombs(t, listen):
    """Messages that inflate to 60,000 zeros each come no further together than one does."""
    backend = t.backend()
    p = t.gateway(r=ON + "backend = " + backend.url)
    c = connect(p, listen)
    peer = backend.accept()
    message = frame(BINARY, bomb(60000), rsv=RSV1)
    sent, got = 10000 * len(message), 0

    def flood():
        try:
            for _ in range(10000):
                c.send_raw(message)
        except OSError:
            pass  # the session has ended

    thread = in_thread(flood)
    try:
        while data := peer.recv_some():
            got += len(data)
    except ConnectionResetError:
        pass
    join(thread)
    assert got <= 2 * MIB + 100 * sent, "%d bytes for the backend" % got
    assert got <= 2 * MIB, "the session went on to %d bytes" % got
    p.one_end("too_big", code=1009, detail="messages inflate beyond compression_ratio")


@case(timeout=120, rows=[("%s.%s" % (name, wire), listen, parts) for wire, listen in WIRES
                         for name, parts in (("one_frame", 1), ("fragments", 50))])
def inflating_waits_for_the_backend(t, listen, parts):
    """Messages inflate to 64 MiB each, towards backends that do not read. Each session holds its
    ceiling, the compressed bytes, and no more. Then the backends read, and nothing is missing."""
    size, count = 64 * MIB, 10
    backend = t.backend(receive_buffer=65536)
    p = t.gateway(r="write_timeout = 10m\ncompression_ratio = 0\nbackend = %s\n%s" % (
        backend.url, ON))
    clients = [connect(p, listen) for _ in range(count)]
    found = [backend.accept() for _ in range(count)]
    before = pss_of(p)
    for c in clients:
        c.send_raw(cut(BINARY, bomb(size), parts, between=frame(PONG)))
    samples = wait_until_flat(p)
    each = (max(samples) - before) // count
    print("%d KiB for a session" % (each // 1024))
    if not Settings.is_asan:
        assert each <= CEILING_BYTES + SQUEEZER_BYTES + 2 * INFLATER_BYTES + len(bomb(size)), each
    wanted = hashlib.sha256(bytes(size)).hexdigest()
    for c, peer in zip(clients[:3], found):
        got = hashlib.sha256()
        hash_bytes(peer.sock, size, got)
        equal(got.hexdigest(), wanted, "hash")
        c.send(BINARY, b"more")
        peer.expect(b"more")
        peer.close()
        c.recv_close(1000, has_reason=False)
        c.wire.close()
    for line in p.log.wait("session.end", 3):
        assert int(line["queue_peak_backend_bytes"]) <= CEILING_BYTES, line


@case(timeout=60, rows=WIRES)
def what_is_held_is_not_idle(t, listen):
    """One read inflates for longer than idle_timeout because the backend is slow."""
    size = 8 * MIB
    backend = t.backend(receive_buffer=65536)
    p = t.gateway(r="backend = %s\nidle_timeout = 1s\ncompression_ratio = 0\n%s" % (
        backend.url, ON))
    c = connect(p, listen)
    peer = backend.accept()
    c.send_raw(frame(BINARY, bomb(size), rsv=RSV1))
    got, begin = 0, time.monotonic()
    while got < size and (data := peer.recv_some()):
        got += len(data)
        # never faster than everything in three seconds
        time.sleep(max(0.0, begin + 3 * got / size - time.monotonic()))
    equal(got, size, "bytes for the backend")
    assert not p.ends(), p.ends()
    c.wire.close()
    peer.close()


@case(timeout=60, rows=WIRES)
def a_close_behind_what_is_held(t, listen):
    """The session ends while it holds bytes: it still looks for the answer to its Close."""
    backend = t.backend()
    p = t.gateway(r="backend = %s\nhalf_close = keep\nclose_timeout = 20s\n"
                  "connect_timeout = 1m\n%s" % (backend.url, ON))
    c = connect(p, listen)
    peer = backend.accept()
    peer.fin()
    c.binary(b"x")
    peer.expect(b"x")
    peer.close()
    c.send_raw(frame(BINARY, bomb(8 * MIB), rsv=RSV1))
    c.recv_close(1011)
    begin = time.monotonic()
    c.close(1011)
    c.recv_end(FIN)
    assert time.monotonic() - begin < 5, "the program did not read the client's Close"
    c.wire.close()
    p.one_end("backend_reset", code=1011)


@case(timeout=120, rows=WIRES)
def inflating_does_not_starve_others(t, listen):
    """Two sessions inflate a lot; a third goes on."""
    size = 128 * MIB if not Settings.is_asan else 64 * MIB
    p = t.gateway(r="compression_ratio = 0\nbackend = echo:\n" + ON)
    busy = [connect(p, listen) for _ in range(2)]
    other = connect(p, listen)
    readers = []
    for c in busy:
        c.send_raw(frame(BINARY, bomb(size), rsv=RSV1))
        readers.append(in_thread(read_all, c, size))
    rounds = 0
    while any(reader.is_alive() for reader in readers):
        other.send(PING, b"%d" % rounds)
        equal(other.recv_frame().payload, b"%d" % rounds, "pong")
        other.send_raw(squeezed(TEXT, b"still here, still here")(other))
        equal(other.recv_message(), (TEXT, b"still here, still here"), "echo")
        rounds += 1
    for reader in readers:
        join(reader)
    print("%d rounds" % rounds)
    assert rounds >= 10, "%d rounds meanwhile" % rounds
    for c in (*busy, other):
        c.end_cleanly()


def read_all(c, size):
    """Reads a message of zeroes, piece by piece."""
    while size > 0:
        got = c.recv_frame()
        assert not got.payload.strip(b"\0"), "other bytes"
        size -= len(got.payload)
    while not got.is_fin:
        got = c.recv_frame()
    equal(size, 0, "bytes too few")


@case(timeout=120, rows=WIRES)
def echo_without_reading(t, listen):
    """The program holds compressed echoes back while nobody reads, and all come later."""
    p = t.gateway(r="write_timeout = 10m\nbackend = echo:\n" + ON)
    c = connect(p, listen, receive_buffer=8192)
    c.wire.sock.settimeout(0.7)
    before, noise = pss_of(p), os.urandom(100000)
    sent, rest = 0, None
    while rest is None:
        message = sent.to_bytes(4, "big") + noise
        rest = start_sending(c, squeezed(BINARY, message, level=1)(c))
        sent += 1
        assert sent < 2000, "the program takes messages without end"
    samples = wait_until_flat(p)
    if not Settings.is_asan:
        assert max(samples) - before <= MIB, "%d bytes more" % (max(samples) - before)
    c.wire.sock.settimeout(20)
    up = in_thread(c.wire.sock.sendall, rest)
    for number in range(sent):
        equal(c.recv_message() == (BINARY, number.to_bytes(4, "big") + noise), True,
              "message %d" % number)
    join(up)
    c.end_cleanly()
    line = p.one_end("client_close")
    assert int(line["queue_peak_client_bytes"]) <= CEILING_BYTES, line
    print("%d messages, highest queue %s bytes" % (sent, line["queue_peak_client_bytes"]))


@case(timeout=120, alone=True, rows=WIRES)
def memory_is_given_back(t, listen):
    """Quiet sessions give memory back. They lose nothing by it, not even their contexts."""
    count, data = 300, os.urandom(1500)
    p = t.gateway(r="compression_idle = 400ms\nbackend = echo:\n" + ON,
                  kept="compression_idle = 1h\nbackend = echo:\n" + ON)

    def talk(clients):
        for c in clients:
            c.send_raw(squeezed(BINARY, data)(c))
        for c in clients:
            equal(c.recv_message(), (BINARY, data), "echo")

    quiet = [connect(p, listen) for _ in range(count)]
    before = pss_of(p)
    talk(quiet)
    held = pss_of(p) - before
    if not Settings.is_asan:
        wait_until(lambda: pss_of(p) - before < held / 3, "less than a third of %d" % held, 10)
        rested = pss_of(p) - before
        print("%d B a session while it speaks, %d B at rest" % (held // count, rested // count))
        assert held // count <= SQUEEZER_BYTES + INFLATER_BYTES + 4096, held
    else:
        time.sleep(1)
    for _ in range(3):
        talk(quiet)
    equal({c.uncompressed for c in quiet}, {0}, "uncompressed messages")
    assert quiet[0].wire_bytes < 2 * len(data) + 400, "the context was lost"
    for c in quiet:
        c.wire.close()
    kept = [connect(p, listen, "/kept") for _ in range(20)]
    talk(kept)
    talk(kept)
    for c in kept:
        c.end_cleanly()


@case(timeout=120, rows=[("%s.%s.%s" % (name, kind, wire), listen, keys, kind)
                         for wire, listen in WIRES for kind in ("prose", "random")
                         for name, keys in (
                             ("binary", "payload = binary"), ("text", "payload = text"),
                             ("frames", "payload = binary\nmax_frame_out = 1000"))])
def service(t, listen, keys, kind):
    """The service sees what the page wrote, and the page sees what the service wrote."""
    prose = b"The quick brown f\xc3\xb6x jumps over the lazy dog \xe2\x82\xac. "
    data = prose * (4 * MIB // len(prose)) if kind == "prose" else (
        os.urandom(2 * MIB).hex().encode())
    backend = t.backend()
    p = t.gateway(r="%s\nbackend = %s\ncompression_ratio = 0\n%s" % (keys, backend.url, ON))
    c = connect(p, listen)
    peer = backend.accept()
    up = in_thread(peer.expect, data)
    for piece in pieces_of(data, len(prose) * 20000):
        c.send_raw(squeezed(TEXT if kind == "prose" else BINARY, piece, 5)(c))
    join(up)
    down = in_thread(peer.send, data)
    equal(c.recv_bytes(len(data)) == data, True, "what came down")
    join(down)
    assert c.wire_bytes < len(data) * 0.7, "%d bytes for %d" % (c.wire_bytes, len(data))
    peer.send(b"short")
    equal(c.recv_message(), (TEXT if "text" in keys else BINARY, b"short"), "a short message")
    peer.send(b"last words " * 100)
    peer.fin()
    _, before = c.recv_close(1000, has_reason=False)
    equal(before, b"last words " * 100, "what came before the Close")
    c.close(1000)
    c.recv_end(FIN)
    c.wire.finish()
    peer.expect_fin()
    line = p.one_end("backend_close")
    equal(int(line["up_bytes"]), len(data), "up_bytes")
    equal(int(line["down_bytes"]), len(data) + 1105, "down_bytes")


# Other people's clients

CLIENT_ROUTES = {
    "echo": "origins = *\nbackend = echo:\n" + ON,
    "large": "origins = *\nbackend = echo:\ncompression_window = 15\n" + ON,
    "anew": "origins = *\nbackend = echo:\ncompression_takeover = no\n" + ON,
    "off": "origins = *\nbackend = echo:",
}


@case(timeout=120)
def node_ws(t):
    p = t.gateway(**CLIENT_ROUTES)
    run_node_client(p, "deflate_client.js")
    for line in p.log.wait("session.end", 6):
        equal(line["ending"], "client_close", "ending")


@case(timeout=120)
def python_websockets(t):
    import websockets
    from websockets.extensions import permessage_deflate

    p = t.gateway(**CLIENT_ROUTES)
    uri = "wss://127.0.0.1:%d" % p.ports["tls"][1]
    factory = permessage_deflate.ClientPerMessageDeflateFactory
    offers = {"default": {}, "smallest": {"extensions": [factory(
        server_max_window_bits=9, client_max_window_bits=9)]}, "anew": {"extensions": [factory(
            server_no_context_takeover=True, client_no_context_takeover=True)]}}

    async def echoes(path, options, is_on):
        async with websockets.connect(uri + path, ssl=t.context, max_size=None, **options) as ws:
            agreed = getattr(ws, "protocol", ws).extensions  # websockets 14 moved the extensions
            equal([e.name for e in agreed], ["permessage-deflate"] * is_on, "extensions")
            for data in ("hello", "", b"", "na\u00efve \u20ac " * 1000, b"\0" * 100000,
                         os.urandom(65536), os.urandom(MIB), "again and again " * 100000):
                for _ in range(2):
                    await ws.send(data)
                    equal(await ws.recv() == data, True, "the echo")
            await ws.send(["one ", "two ", "three"])
            equal(await ws.recv(), "one two three", "the echo of fragments")
            await asyncio.wait_for(await ws.ping(), 30)

    async def run():
        for path in ("/echo", "/large", "/anew"):
            for options in offers.values():
                await echoes(path, options, 1)
        await echoes("/off", {}, 0)
        await echoes("/echo", {"compression": None}, 0)

    asyncio.run(asyncio.wait_for(run(), 90 * harness.scale()))
    for line in p.log.wait("session.end", 11):
        equal(line["ending"], "client_close", "ending")
