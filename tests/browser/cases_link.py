# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium at the far end of a slow line (root and /dev/net/tun): bytes that nobody takes yet wait
in the page, where bufferedAmount tells of them, and what arrives is fresh."""

import base64
import hashlib
import re
import select
import socket
import time

import netns
from endless import Stream, do_not_hoard, keys
from harness import case, scale
from memory import HOARD_BYTES
from pages import Page
from slowlink import NEAR
from threads import in_thread
from webdriver import FarBrowser
from wsclient import GUID

KIB = 1024
MIB = 1 << 20
LINE = {"delay": 25, "rate": 20, "queue": 256}
LINE_BYTES = (122 + 256) * KIB  # what is under way and in the queue, at most
SMALL = 8192  # a reader's buffer
OWN_BYTES = 64 * KIB  # the backend's own buffer and what changes between two looks
UPLOAD = 16 * MIB


def queues(port):
    """Returns (bytes that wait to be sent, bytes that wait to be read) of this thread's namespace,
    of all TCP connections with this port at either end."""
    out = unread = 0
    with open("/proc/thread-self/net/tcp") as file:
        for line in file.readlines()[1:]:
            words = line.split()
            if words[3] == "01" and "%04X" % port in (words[1][-4:], words[2][-4:]):
                out += int(words[4][:8], 16)
                unread += int(words[4][9:], 16)
    return out, unread


class Deaf:
    """A WebSocket server at the near end that answers the opening and reads nothing behind it."""

    def __init__(self, t):
        self.t, self.listener = t, socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self.listener.bind((NEAR, 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        t.cleanup(self.listener.close)
        self.thread = in_thread(self.run)

    def run(self):
        sock, _ = self.listener.accept()
        self.t.cleanup(sock.close)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        key = re.search(rb"(?i)sec-websocket-key: (\S+)", head).group(1)
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                     + base64.b64encode(hashlib.sha1(key + GUID).digest()) + b"\r\n\r\n")


class Scene:
    """The program and backends at the near end, Chromium and its page at the far end."""

    def __init__(self, t, line):
        self.t, self.line = t, line
        self.browser = FarBrowser(t, line)
        self.slow, self.endless = t.backend(receive_buffer=SMALL), t.backend()
        self.p = t.gateway(server="drain_timeout = 10ms", listens=netns.listens(t),
                           slow=keys(self.slow.url, "auto"), endless=keys(self.endless.url, "auto"))
        self.port = self.p.ports["tls"][1]

    def page(self, is_tls=True):
        """Loads the page anew, from a web server at the far end."""
        with self.line.at_far_end():
            site = self.t.site(is_tls)
        return Page(self.browser, site)

    def url(self, route):
        return "wss://%s:%d/%s" % (NEAR, self.port, route)

    def gone(self, probe, sent, port):
        """Returns (bytes that left the page and the sockets of its kernel, the latter's bytes)."""
        gone = sent - probe.do("buffered")
        with self.line.at_far_end():
            kernel = queues(port)[0]
        return gone - kernel, kernel


def own_bytes_of_chromium(scene):
    """Returns what Chromium takes besides its kernel when the server reads nothing at all."""
    deaf = Deaf(scene.t)
    probe = scene.page(is_tls=False).dial("ws://%s:%d/" % (NEAR, deaf.port))
    probe.opened()
    probe.do("sendZeros", UPLOAD)
    time.sleep(0.8 * scale())
    gone, kernel = scene.gone(probe, UPLOAD, deaf.port)
    own = gone - queues(deaf.port)[1]
    print("Chromium itself takes %d KiB, its kernel %d" % (own / KIB, kernel / KIB))
    return own


def upload(scene):
    """A page sends 16 MiB at once to a backend that reads 100 KB/s: after what the program may hold
    and what Chromium and its kernel take, the bytes stay in bufferedAmount."""
    own = own_bytes_of_chromium(scene)
    probe = scene.page().dial(scene.url("slow"))
    peer = scene.slow.accept()
    probe.opened()
    probe.do("sendZeros", UPLOAD)
    read = 0

    def read_slowly(seconds):
        nonlocal read
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            read += len(peer.recv_some(10000))
            time.sleep(0.1)

    read_slowly(2.5)
    gone, kernel = scene.gone(probe, UPLOAD, scene.port)
    held, before = gone - read - own, probe.do("buffered")
    print("%d KiB of an upload wait in the program and its kernel; %d in Chromium's kernel" % (
        held / KIB, kernel / KIB))
    assert held <= HOARD_BYTES["auto"] + OWN_BYTES, "%d KiB wait in the program" % (held / KIB)
    read = 0
    probe.do("sendZeros", MIB)
    read_slowly(0.5)
    lost = MIB - (probe.do("buffered") - before) - read
    print("of 1 MiB more, %d KiB left the page unread" % (lost / KIB))
    assert lost <= 128 * KIB, "%d KiB more left the page unread" % (lost / KIB)


# The page tells the ages of blocks (see endless.py), and how many bytes came.
DOWNLOAD = """
const [url, ahead_ms, seconds] = args;
const ws = new WebSocket(url), ages = [];
ws.binaryType = 'arraybuffer';
let count = 0;
const closed = new Promise(resolve => { ws.onclose = resolve; });
ws.onmessage = event => {
  const data = new Uint8Array(event.data), at = -count & (1024 - 1);
  if (at + 16 <= data.length) {
    const made_ms = Number(new TextDecoder().decode(data.subarray(at, at + 16))) / 1e6;
    ages.push({at: performance.now(), age: Date.now() - ahead_ms - made_ms});
  }
  count += data.length;
};
await Promise.race([closed, new Promise(resolve => setTimeout(resolve, 1000 * seconds))]);
ws.close();
const late = ages.filter(one => one.at > ages[0].at + 500 * seconds).map(one => one.age);
return {count, age: late.sort((a, b) => a - b)[late.length >> 1]};
"""


def download(scene):
    """A page reads what a service that never stops sends: it gets fresh bytes."""
    def serve():
        peer, stream = scene.endless.accept(), Stream()
        do_not_hoard(peer.sock)
        try:
            while True:
                select.select([], [peer.sock], [])
                peer.sock.sendall(stream.piece())
        except OSError:
            pass

    in_thread(serve)
    scene.page()
    seconds = 2.4
    got = scene.browser.run(DOWNLOAD, scene.url("endless"),
                            (time.time_ns() - time.monotonic_ns()) / 1e6, seconds)
    rate = got["count"] / seconds
    print("a download: %.0f ms old at %d KiB/s" % (got["age"], rate / KIB))
    waiting = got["age"] / 1000 * rate
    assert waiting <= LINE_BYTES + HOARD_BYTES["auto"] + OWN_BYTES, "%.0f ms old" % got["age"]


@case(timeout=90)
def chromium_far_away(t):
    """A page's upload to a slow backend, and a download."""
    with netns.slow_link(t, **LINE) as line:
        scene = Scene(t, line)
        download(scene)
        upload(scene)
        scene.browser.stop()
