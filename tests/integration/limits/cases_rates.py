# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates of a session: as much as the key says, evenly, and nothing is lost."""

import itertools
import json
import os
import random
import time

from deflateclient import DeflateClient, squeezed
from harness import case, equal, scale, wait_until
from processes import ECHO
from scrape import ask, scrape
from sessions import WIRES, end_after_close, open_pair
from threads import in_thread, join
from upgrades import HEALTH
from wsclient import BINARY, FIN, PING, PONG, frame

KIB = 1024
RATE = 256 * KIB
SECONDS = 2  # behind the burst
SIZE = RATE * (1 + SECONDS)
SLACK = 24 * KIB  # of a wait and of a record of TLS
PIECE = 16000
WINDOW = 12  # messages under way: more than a portion
TOKEN = "a-token-of-the-tests-0123456789"


class Arrivals:
    """When how many bytes or messages had come, from just before the first was sent."""

    def __init__(self):
        self.start = time.monotonic()
        self.total, self.seen = 0, []

    def add(self, count):
        self.total += count
        self.seen.append((time.monotonic() - self.start, self.total))

    def judge(self, rate, burst, slack):
        """Never more than the rate lets through; not much later; no long gap."""
        for at, total in self.seen:
            assert total <= burst + rate * at + slack, "%d after %.3f s" % (total, at)
        wanted = (self.total - burst) / rate
        took = self.seen[-1][0]
        assert took <= wanted * 1.25 + scale() - 0.5, "%.2f s instead of %.2f s" % (took, wanted)
        behind = [at for at, total in self.seen if total >= burst]
        gaps = [b - a for a, b in itertools.pairwise(behind)]
        assert max(gaps) < 0.25 * scale(), "a gap of %.3f s" % max(gaps)
        # half of what flows comes in half of the time
        half = next(at for at, total in self.seen if total >= (burst + self.total) / 2)
        assert half >= wanted * 0.4 and half <= wanted * 0.65 + scale() - 0.5, "half: %.2f s" % half


def receive(arrivals, get, size):
    out = bytearray()
    while len(out) < size:
        data = get()
        out += data
        arrivals.add(len(data))
    return bytes(out)


def messages_of(data):
    return b"".join(frame(BINARY, data[at:at + PIECE]) for at in range(0, len(data), PIECE))


def finish_both(c, peer):
    """The page closes, then its backend ends."""
    c.close(1000)
    peer.expect_fin()
    peer.fin()
    c.recv_close(1000, has_reason=False)
    c.recv_end(FIN)
    c.wire.finish()


def at_once(t, function, rows):
    """Runs the rows side by side, so that all of them take the time of one: first what comes before
    the yield of each, then the rest."""
    begun = [function(t, *row) for row in rows]
    for one in begun:
        next(one)
    for thread in [in_thread(next, one, None) for one in begun]:
        join(thread)


def flow(t, listen, way):
    p, c, peer = open_pair(t, "rate_%s = 256k" % way, listen)
    data = random.Random(7).randbytes(SIZE)
    yield
    arrivals = Arrivals()
    if way == "up":
        thread = in_thread(c.send_raw, messages_of(data))
        got = receive(arrivals, peer.recv_some, SIZE)
    else:
        thread = in_thread(peer.send, data)
        got = receive(arrivals, c.recv_data, SIZE)
    join(thread)
    equal(got == data, True, "the bytes are the same")
    arrivals.judge(RATE, RATE, SLACK)
    finish_both(c, peer)
    p.one_end("client_close")


@case(alone=True)
def bytes_a_second(t):
    at_once(t, flow, [(listen, way) for _, listen in WIRES for way in ("up", "down")])


def flow_of_an_echo(t, listen, key):
    p = t.gateway(r=ECHO + "\n%s = 256k" % key)
    c = p.client(listen).open("/r")
    data = random.Random(8).randbytes(SIZE)
    messages = [data[at:at + PIECE] for at in range(0, SIZE, PIECE)]
    yield
    arrivals = Arrivals()
    got = bytearray()
    for message in messages[:WINDOW]:
        c.binary(message)
    for at in range(len(messages)):
        message = c.recv_message()[1]
        got += message
        arrivals.add(len(message))
        if at + WINDOW < len(messages):
            c.binary(messages[at + WINDOW])
    equal(got == data, True, "the bytes are the same")
    arrivals.judge(RATE, RATE, SLACK)
    c.end_cleanly()
    p.one_end("client_close")


@case(alone=True)
def bytes_of_an_echo(t):
    at_once(t, flow_of_an_echo,
            [(listen, key) for _, listen in WIRES for key in ("rate_up", "rate_down")])


def count(t, listen, kind):
    """All are sent at once, in one packet or a few, and come back evenly."""
    p = t.gateway(r=ECHO + "\nmessages = 100/s" + "\ncompression = on" * (kind == "compressed"))
    c = DeflateClient(p.wire(listen)) if kind == "compressed" else p.client(listen)
    c.open("/r")
    texts = [b"%d" % n * 3 for n in range(300)]
    yield
    arrivals = Arrivals()
    if kind == "compressed":
        c.send_raw(b"".join(squeezed(BINARY, text)(c) for text in texts))
    else:
        c.send_raw(b"".join(frame(PING if kind == "pings" else BINARY, text) for text in texts))
    for text in texts:
        got = c.recv_frame()
        equal((got.opcode, got.payload), (PONG if kind == "pings" else BINARY, text), "an answer")
        arrivals.add(1)
    arrivals.judge(100, 100, 2)
    c.end_cleanly()
    p.one_end("client_close")


@case(alone=True)
def messages_a_second(t):
    at_once(t, count, [(listen, kind) for _, listen in WIRES
                       for kind in ("messages", "pings", "compressed")])


@case()
def lines_a_second(t):
    """A framing, both bytes and messages limited; the page's Close comes behind all of them."""
    _, c, peer = open_pair(t, "framing = line\nmessages = 50/s\nrate_up = 4k")
    peer.expect(b"\n")
    texts = [b"line %d" % n for n in range(100)]
    start = time.monotonic()
    c.send_raw(b"".join(frame(BINARY, text) for text in texts))
    c.close(1000)
    peer.expect_fin(b"".join(text + b"\n" for text in texts))
    assert time.monotonic() - start > 0.9, "too early"
    peer.fin()
    c.recv_close(1000, has_reason=False)
    c.recv_end(FIN)
    c.wire.finish()


@case()
def shown_and_ended(t):
    """An operator sees who waits, and ends a session that waits for a day."""
    token = t.write("token", TOKEN + "\n")
    os.chmod(token, 0o600)
    text = t.config(r=ECHO + "\nmessages = 1/d\nidle_timeout = 300ms\nping_interval = 100ms\n"
                    "pong_timeout = 200ms\nwrite_timeout = 200ms")
    p = t.start(text + "[admin]\naddress = 127.0.0.1:0\ntoken_file = %s\n" % token + HEALTH)
    c = p.client("tls").open("/r")
    c.send_raw(frame(BINARY, b"one") + frame(BINARY, b"two"))
    equal(c.recv_message(), (BINARY, b"one"), "the first")

    def row():
        rows = json.loads(ask(p.ports["admin"], "/sessions")[2])["sessions"]
        return rows[0] if rows and rows[0]["client_paused"] == "rate" else None

    found = wait_until(row, "a session that waits for its rate")
    equal(found["backend_paused"], None, "the backend")
    time.sleep(1)  # longer than every deadline; nobody is idle, lost or stuck
    equal(len(p.ends()), 0, "ends")
    status = ask(p.ports["admin"], "/sessions/" + found["id"], method="DELETE",
                 headers="Authorization: Bearer %s\r\n" % TOKEN)[0]
    assert status in (200, 202, 204), status
    c.recv_close(1008)
    end_after_close(c, 1008)
    p.one_end("kicked")
    wait_until(lambda: scrape(p).sum("sluice_paused_seconds_total", route="r",
                                     side="client") >= 0.5, "the time in the metrics")


@case()
def own_pings(t):
    """A page that has used up its day answers Pings, which costs it nothing; one that does not is
    lost."""
    p, c, _ = open_pair(t, "messages = 1/d\nping_interval = 50ms\npong_timeout = 500ms")
    for _ in range(5):
        equal(c.recv_frame()[:2], (True, PING), "a Ping")
        c.send(PONG)
    p.one_end("client_lost")


@case(rows=[("close", True), ("eof", False)])
def close_without_room(t, is_close):
    """A page that has used up its day may still go."""
    p, c, peer = open_pair(t, "messages = 1/d")
    if is_close:
        finish_both(c, peer)
    else:
        c.wire.finish()
        peer.expect_fin()
        peer.fin()
    p.one_end("client_close" if is_close else "client_eof")


@case()
def drained_while_it_waits(t):
    """A drain ends a session that waits."""
    p, c, peer = open_pair(t, "messages = 1/d\nrate_down = 1")
    c.binary(b"never")
    peer.send(bytes(10000))
    equal(len(c.recv_bytes(4096)), 4096, "the burst")
    p.send_signal(15)
    c.recv_close(1001)
    end_after_close(c, 1001)
    peer.recv_all()
    peer.close()
    p.wait_exit()
    p.one_end("shutdown")
