# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that vanish without a word.

A packet filter drops everything to and from them, so neither FIN nor RST ever comes. The program
ends them in time, and nobody else notices.
"""

import time

from harness import Settings, case, equal, scale
from keepalive import EARLY_MS, check_duration, end_by_client, frames_for, settings
from memory import CEILING_BYTES, MIB, pss_of
from netns import NEAR, Link
from sessions import WIRES
from threads import in_thread, join
from wsclient import CLOSE, PING, PONG

LINGER_MS = 2000  # so long the program waits for a peer's EOF behind its own FIN


class Bystander:
    """Another session, which is busy all the while."""

    def __init__(self, p, listen, backend):
        self.p, self.count, self.widest = p, 0, 0
        self.client = p.client(listen).open("/r")
        self.peer = backend.accept()
        self.is_over = False
        self.thread = in_thread(self.run)

    def run(self):
        while not self.is_over:
            began = time.monotonic()
            self.client.binary(b"up")
            self.peer.expect(b"up")
            self.peer.send(b"down")
            equal(self.client.recv_bytes(4), b"down", "bytes")
            self.widest = max(self.widest, time.monotonic() - began)
            self.count += 1
            time.sleep(0.02)

    def check(self):
        """Checks that this session never had to wait, and ends it."""
        self.is_over = True
        join(self.thread)
        assert self.count > 10, "%d round trips" % self.count
        assert self.widest < 2 * scale(), "a round trip took %.3f s" % self.widest
        end_by_client(self.client, self.peer)
        self.p.log.wait("session.end", ending="client_close", code="1000")


class Scene:
    """The program with a bystander at the near end and a client at the far end."""

    def __init__(self, t, listen, keys, **backend):
        self.link, self.listen = Link(), listen
        self.backend = t.backend(**backend)
        certificate, key = t.certificate()
        listens = "[listen tls]\naddress = %s:0\ntls_certificate = %s\ntls_key = %s\n" % (
            NEAR, certificate, key)
        listens += "[listen plain]\naddress = %s:0\n" % NEAR
        self.p = t.gateway(listens=listens, r="origins = *\nbackend = %s\n%s" % (
            self.backend.url, keys))
        self.bystander = Bystander(self.p, listen, self.backend)
        with self.link.at_far_end():
            self.client = self.p.client(listen).open("/r")
        self.peer = self.backend.accept()
        self.vanished_at = None

    def vanish(self):
        """Cuts the link. It also drops the FIN or RST that the client's kernel sends."""
        self.vanished_at = time.monotonic()
        self.link.vanish()
        self.client.wire.close()

    def since_ms(self):
        return int((time.monotonic() - self.vanished_at) * 1000)

    def wait_end(self, ending, **fields):
        line = self.p.log.wait("session.end", ending=ending, timeout=30)[0]
        assert line["client"].startswith("10."), line
        for key, value in fields.items():
            equal(line.get(key), value, key)
        return line

    def finish(self):
        assert len(self.p.ends()) == 1, "others ended: %r" % self.p.ends()
        self.bystander.check()


def check_time(passed_ms, from_ms, to_ms):
    """Checks how long it took since the client vanished, or last spoke."""
    assert passed_ms >= from_ms, "after %d ms, not before %d" % (passed_ms, from_ms)
    assert passed_ms <= to_ms + 1500 * scale(), "after %d ms instead of %d" % (passed_ms, to_ms)


@case(rows=WIRES)
def idle(t, listen):
    """The session ends ping_interval and pong_timeout after the client's last word."""
    scene = Scene(t, listen, settings(ping_interval="400ms", pong_timeout="700ms"))
    for _ in range(2):
        got = scene.client.recv_frame()
        equal(got.opcode, PING, "opcode")
        scene.client.send(PONG, got.payload)
    pong_sent = time.monotonic()
    time.sleep(0.1)  # the Pong arrives
    scene.vanish()
    equal(scene.peer.expect_reset(), b"", "what the backend got")
    passed_ms = (time.monotonic() - pong_sent) * 1000
    check_time(passed_ms, 1100 - EARLY_MS, 1100)
    scene.wait_end("client_lost", phase="open", code=None)
    scene.finish()


def flood(peer):
    peer.sock.settimeout(60 * scale())
    try:
        while True:
            peer.send(bytes(65536))
    except ConnectionError:
        pass


def trickle(peer):
    try:
        while True:
            peer.send(b"tick")
            time.sleep(0.05)
    except ConnectionError:
        pass


def read_for(scene, seconds):
    """Reads and answers Pings. Returns how many bytes came."""
    size = 0
    for got in frames_for(scene.client, seconds):
        size += len(got.payload)
        if got.opcode == PING:
            scene.client.send(PONG, got.payload)
    return size


@case(rows=WIRES)
def flooded(t, listen):
    """When the backend sends without end, write_timeout decides; it may begin anew once. What waits
    for the client stays below its ceiling."""
    keys = settings(ping_interval="300ms", pong_timeout="30s") + "write_timeout = 1s\n"
    scene = Scene(t, listen, keys, send_buffer=65536)
    before = pss_of(scene.p)
    sender = in_thread(flood, scene.peer)
    size = read_for(scene, 0.4)
    assert size > MIB, "only %d bytes came" % size
    scene.vanish()
    highest = 0
    while sender.is_alive():
        highest = max(highest, pss_of(scene.p))
        time.sleep(0.05)
    join(sender)
    check_time(scene.since_ms(), 1000 - EARLY_MS, 2000)
    line = scene.wait_end("client_stalled", phase="open", code=None)
    peak = int(line["queue_peak_client_bytes"])
    assert peak <= CEILING_BYTES, "a queue held %d bytes" % peak
    if not Settings.is_asan:
        assert highest - before <= MIB, "the program holds %d bytes more" % (highest - before)
    scene.finish()


@case(rows=WIRES)
def sent_a_little_now_and_then(t, listen):
    """The kernel takes everything, so nothing stalls: only the Pong is missing."""
    keys = settings(ping_interval="300ms", pong_timeout="700ms") + "write_timeout = 30s\n"
    scene = Scene(t, listen, keys)
    sender = in_thread(trickle, scene.peer)
    assert read_for(scene, 0.5) > 0, "nothing came"
    scene.vanish()
    join(sender)
    check_time(scene.since_ms(), 700 - EARLY_MS, 1700)
    scene.wait_end("client_lost", phase="open", code=None)
    scene.finish()


@case(rows=[("before_our_close", "plain", "before"), ("after_our_close", "tls", "after")])
def closing(t, listen, when):
    """Nobody answers our Close: close_timeout passes, then the linger, then the memory comes back.
    The backend does not wait for any of it."""
    keys = settings(idle_timeout="600ms") + "close_timeout = 700ms\n"
    scene = Scene(t, listen, keys)
    if when == "before":
        time.sleep(0.3)
        scene.vanish()
    else:
        scene.client.recv_close(1001)
        scene.vanish()
    scene.peer.expect_fin()
    scene.peer.close()
    line = scene.wait_end("idle", phase="open", code="1001")
    check_duration(line, 1300 + LINGER_MS, 1300 + LINGER_MS)
    check_time(scene.since_ms(), 0, 1300 + LINGER_MS)
    scene.finish()


@case()
def half_closed(t):
    """The client has sent its Close and vanished, so nobody takes the backend's answer."""
    scene = Scene(t, "tls", settings() + "close_timeout = 20s\nwrite_timeout = 1s\n")
    scene.client.binary(b"question")
    scene.client.close(1000)
    scene.peer.expect_fin(b"question")
    scene.vanish()
    flood(scene.peer)
    check_time(scene.since_ms(), 1000 - EARLY_MS, 2000)
    scene.wait_end("client_close", phase="open", code=None)
    scene.finish()


@case()
def it_comes_back(t):
    """A gap that is shorter than the deadlines loses nothing."""
    scene = Scene(t, "tls", settings(ping_interval="500ms", pong_timeout="8s"))
    scene.link.vanish()
    scene.peer.send(b"missed")
    time.sleep(1.2)
    assert not scene.p.ends(), scene.p.ends()
    scene.link.come_back()
    data = b""
    while len(data) < 6:
        got = scene.client.recv_frame()
        assert got.opcode != CLOSE, got
        if got.opcode == PING:
            scene.client.send(PONG, got.payload)
        else:
            data += got.payload
    equal(data, b"missed", "payload")
    end_by_client(scene.client, scene.peer)
    scene.p.log.wait("session.end", ending="client_close")
    scene.finish()
