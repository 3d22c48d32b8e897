# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes between a page and a backend: flow control, and a real Redis."""

import hashlib
import subprocess
import time

import harness
import services
from harness import case, equal, wait_until
from pages import start
from threads import in_thread, join

MIB = 1 << 20
PIECE = 8 * MIB


@case(timeout=90)
def buffered_amount(t):
    """bufferedAmount grows while the backend does not read, and falls when it reads."""
    backend = t.backend(receive_buffer=8192)
    p, page, url = start(t, "write_timeout = 10m\nbackend = " + backend.url)
    probe = page.dial(url)
    peer = backend.accept()
    probe.opened()
    levels, hashes = [0], []
    # At first the buffers of the sockets take some. Once they are full, nothing leaves the page.
    while len(levels) < 4 or levels[-1] - levels[-3] < 2 * PIECE:
        assert len(levels) < 20, "the gateway takes more and more: %r" % levels
        hashes.append(probe.do("sendRandom", MIB, PIECE // MIB))
        levels.append(settled(probe))
    total = PIECE * len(hashes)

    got = []
    reader = in_thread(lambda: got.append(peer.recv(total)))
    seen = []

    def is_empty():
        seen.append(probe.do("buffered"))
        return seen[-1] == 0

    wait_until(is_empty, "an empty bufferedAmount", 40)
    assert seen == sorted(seen, reverse=True), "bufferedAmount grew again: %r" % seen
    join(reader)
    pieces = [hashlib.sha256(got[0][at:at + PIECE]).hexdigest()
              for at in range(0, total, PIECE)]
    equal(pieces, hashes, "SHA-256 of what the backend got")
    probe.do("close", 1000)
    equal(probe.closed()["code"], 1000, "the code")
    line = p.one_end("client_close", up_bytes=total)
    assert int(line["queue_peak_backend_bytes"]) <= (64 + 160) * 1024, line


def settled(probe):
    """Returns bufferedAmount once it has stood still for half a second."""
    last = {"level": None, "since": 0.0}

    def has_settled():
        level = probe.do("buffered")
        if level != last["level"]:
            last.update(level=level, since=time.monotonic())
        return time.monotonic() - last["since"] >= 0.5

    wait_until(has_settled, "a bufferedAmount that stands still", 30)
    return last["level"]


@case(timeout=90)
def both_ways_at_once(t):
    """16 MiB come down while large and tiny messages go up."""
    backend = t.backend()
    p, page, url = start(t, "subprotocols = binary\nbackend = " + backend.url)
    probe = page.dial(url, "binary")
    peer = backend.accept()
    probe.opened()
    data, got = bytes(range(256)) * 65536, []
    big, small = 160 * 100 * 1024, 10000
    down = in_thread(peer.send, data)
    up = in_thread(lambda: got.append(peer.recv(big + small)))
    hashes = [probe.do("sendRandom", 100 * 1024, 160), probe.do("sendRandom", 1, small)]
    equal(probe.do("takeHash", len(data)), hashlib.sha256(data).hexdigest(), "SHA-256 down")
    join(down)
    join(up)
    equal([hashlib.sha256(part).hexdigest() for part in (got[0][:big], got[0][big:])], hashes,
          "SHA-256 up")
    probe.do("close", 1000)
    probe.closed()
    p.one_end("client_close", up_bytes=big + small, down_bytes=len(data))


# Redis

def redis_cli(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, check=True,
                          timeout=30 * harness.scale()).stdout


@case(timeout=90)
def redis(t):
    """A page speaks RESP in binary messages: SET, GET, 10 MiB there and back, QUIT."""
    port = services.redis(t)
    p, page, url = start(t, "subprotocols = binary\naccept = binary\n"
                            "backend = tcp://127.0.0.1:%d" % port)
    probe = page.dial(url, "binary")
    equal(probe.opened()["protocol"], "binary", "the protocol")
    equal(probe.do("redisLine", "PING"), "+PONG", "the answer")
    equal(probe.do("redisLine", "SET", "greeting", "gr\u00fc\u00dfe \u2713"), "+OK", "the answer")
    equal(probe.do("redisGet", "greeting"), "gr\u00fc\u00dfe \u2713", "the value")
    equal(redis_cli(port, "GET", "greeting").decode().strip(), "gr\u00fc\u00dfe \u2713",
          "what a client beside the gateway finds")
    trip = probe.do("redisRoundTrip", "big", 10 * MIB)
    equal(trip["answer"], "+OK", "the answer")
    equal(trip["came"], trip["sent"], "SHA-256 of the 10 MiB value")
    stored = redis_cli(port, "GET", "big")[:-1]
    equal(len(stored), 10 * MIB, "the value's length in Redis")
    equal(hashlib.sha256(stored).hexdigest(), trip["sent"], "its SHA-256")
    equal(probe.do("redisLine", "QUIT"), "+OK", "the answer")
    end = probe.closed()
    equal((end["code"], end["wasClean"], end["bytes"]), (1000, True, 0), "the close event")
    p.one_end("backend_close", code=1000)
