# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages of the soak do. A page has a route, a way to end, and what it must see at that
end. Everything that comes back to it is compared with what it said."""

import os
import random
import ssl
import time

import service
from wire import ANSWER_S, BINARY, DEFLATE, TEXT, Late, Outcome, Wire

from wsclient import frame

SIZES = (16, 16, 60, 200, 200, 1000, 4000, 16000, 60000)
LETTERS = service.CHUNK.replace(b"!", b"#")
CLEAN, BROKEN, GONE = {"end eof"}, {"end reset"}, {"done"}


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0x80)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


class Page(Wire):
    """`world` is the tide that the page belongs to: addresses, tallies and whether it ebbs."""

    def __init__(self, world, name):
        super().__init__(world.loop)
        self.world, self.name = world, name
        self.script, _, routes, self.want = SCRIPTS[name]
        self.route = random.choice(routes)
        self.began, self.stage = time.monotonic(), "connect"
        self.life = random.expovariate(1 / world.life)

    # What they have in common

    def run(self):
        is_plain = self.route != "token" and random.random() < 0.1 and self.name not in TLS_ONLY
        source = "127.%d.%d.%d" % (9 if self.name == "auth" else 2, random.randrange(16),
                                   random.randrange(1, 16))
        yield from self.connect(self.world.ports["plain" if is_plain else "tls"], source)
        if not is_plain and self.name not in RAW:
            self.stage = "tls"
            yield from self.begin_tls(self.world.context)
        self.stage = "opening"
        yield from self.script(self)

    def enter(self):
        """Opens the session and sends the first messages."""
        path = "/" + self.route + ("?ticket=" + self.world.ticket if self.route == "token" else "")
        yield from self.open(path, extra=DEFLATE if self.route == "press" else "")
        self.stage = "open"
        self.world.opened += 1
        if self.route not in ("down", "sink"):
            for _ in range(random.randrange(1, 3)):
                yield from self.echo()

    def kind(self):
        return TEXT if self.route == "lines" else BINARY

    def tell(self, payload):
        self.world.tally[self.route]["said"] += 1
        yield from self.say(payload, self.kind())

    def hear(self):
        payload = yield from self.message()
        self.world.tally[self.route]["heard"] += 1
        return payload

    def echo(self):
        """Says something and wants it back, in however many messages."""
        size = random.choice(SIZES)
        if self.route == "lines":
            size = min(size, 4000)
        at = random.randrange(1000)
        said = LETTERS[at:at + size]
        yield from self.tell(said)
        heard = b""
        while len(heard) < len(said):
            heard += yield from self.hear()
        self.world.payload += len(said)
        if heard != said:
            raise Outcome("wrong: an echo of %d bytes" % len(said))

    def order(self, text):
        yield from self.tell(text.encode())

    def live(self):
        """Rests and talks for the life of the page, or until the tide goes out."""
        end = time.monotonic() + self.life
        while True:
            now = time.monotonic()
            if now >= end or self.world.is_ebb:
                return
            yield from self.rest(min(end, now + random.uniform(0.3, 1) * self.world.quiet))
            if time.monotonic() < end and not self.world.is_ebb:
                yield from self.echo()

    def lived(self):
        yield from self.enter()
        yield from self.live()
        self.stage = "end"

    # Ways to end

    def closes(self):
        yield from self.lived()
        code = random.choice((1000, 1001, 4000))
        yield from self.say_close(code)
        yield from self.until_close(code)

    def leaves(self):
        yield from self.lived()
        self.notify_and_fin()
        yield from self.until_eof()

    def resets(self):
        yield from self.lived()
        self.reset()

    def cuts(self):
        yield from self.lived()
        whole = frame(self.kind(), LETTERS[:500], key=b"abcd")
        yield from self.send(whole[:random.randrange(1, 400)])
        self.drop()

    def lost(self):
        yield from self.lived()
        yield from self.until_broken(2 * self.world.lost_s)

    def service_ends(self):
        yield from self.lived()
        yield from self.order("!fin")
        yield from self.until_close(1000)

    def service_resets(self):
        yield from self.lived()
        yield from self.order("!rst")
        yield from self.until_close(1011)

    def downloads(self, nap_s=0.0):
        """Takes a stream, as fast as it can or with naps."""
        yield from self.enter()
        size, offset = random.choice((20000, 300000, 1500000)), 0
        yield from self.order("!down %d" % size)
        naps = 12 if nap_s else 0
        while offset < size:
            if naps:
                naps -= 1
                yield from self.sleep(nap_s)
            heard = yield from self.hear()
            if heard != service.flow(offset, len(heard)):
                raise Outcome("wrong: a stream at %d" % offset)
            offset += len(heard)
        self.world.payload += size
        yield from self.say_close(1000)
        yield from self.until_close(1000)

    def slow(self):
        yield from self.downloads(self.world.nap_s)

    def stalled(self):
        """Asks for more than fits on the way, and takes nothing of it."""
        yield from self.enter()
        yield from self.order("!down %d" % (20 << 20))
        yield from self.until_broken(2 * self.world.lost_s)

    def uploads(self):
        yield from self.enter()
        size = random.choice((1, 5, 20)) * 50000
        yield from self.order("!sink %d;" % size)
        for _ in range(size // 50000):
            yield from self.tell(LETTERS[:50000])
        if (yield from self.hear()) != b"taken":
            raise Outcome("wrong: the answer to an upload")
        self.world.payload += size
        yield from self.say_close(1000)
        yield from self.until_close(1000)

    def unheard(self):
        """Sends more than fits on the way to a service that reads nothing."""
        yield from self.enter()
        yield from self.order("!deaf")
        for _ in range(80):
            yield from self.tell(LETTERS[:50000])
        yield from self.until_close(1011)

    def waits(self):
        yield from self.enter()
        yield from self.until_close(1001)

    # Mistakes

    def breaks(self):
        yield from self.lived()
        yield from self.send(frame(self.kind(), b"unmasked", is_masked=False))
        yield from self.until_close(1002)

    def wrong_kind(self):
        yield from self.lived()
        yield from self.send(frame(TEXT, b"text", key=b"abcd"))
        yield from self.until_close(1003)

    def not_text(self):
        yield from self.lived()
        yield from self.send(frame(TEXT, b"\xff\xfe", key=b"abcd"))
        yield from self.until_close(1007)

    def two_lines(self):
        yield from self.lived()
        yield from self.send(frame(TEXT, b"one\ntwo", key=b"abcd"))
        yield from self.until_close(1008)

    def too_long(self):
        yield from self.lived()
        yield from self.send(frame(TEXT, LETTERS[:20000], key=b"abcd"))
        yield from self.until_close(1009)

    # Connections that get no session

    def origin(self):
        yield from self.open("/echo", origin="https://bad.test")
        yield from self.until_close(1008)

    def nowhere(self):
        yield from self.open("/nowhere")
        yield from self.until_close(1008)

    def auth(self):
        yield from self.open("/token?ticket=wrong-" + self.world.ticket)
        yield from self.refusal()
        yield from self.until_eof()

    def refusal(self):
        """A wrong ticket is refused (1008), and so is a source that has brought too many (1013)."""
        try:
            yield from self.next(time.monotonic() + ANSWER_S)
        except Outcome as outcome:
            if str(outcome) not in ("close 1008", "close 1013"):
                raise
        else:
            raise Late("refusal")

    def half_hello(self):
        yield from self.send(self.world.hello[:random.randrange(1, len(self.world.hello))])
        yield from self.sleep(random.random())
        self.reset() if random.random() < 0.5 else self.drop()

    def noise(self):
        yield from self.send(os.urandom(random.randrange(20, 400)))
        self.shut()
        yield from self.until_eof()

    def mute(self):
        yield from self.until_eof()

    def half_head(self):
        yield from self.send(b"GET /echo HTTP/1.1\r\nHost: lo")
        yield from self.until_eof()


ECHO = ("echo", "echo", "press", "lines", "token")
LOUD = ("echo", "echo", "press", "lines")
# name: what it does, its weight, its routes, how it must end. On "token" nothing is reset, so that
# its bytes can be counted on both sides.
SCRIPTS = {
    "closes": (Page.closes, 300, ECHO, CLEAN),
    "leaves": (Page.leaves, 100, ECHO, CLEAN),
    "resets": (Page.resets, 100, LOUD, GONE),
    "cuts": (Page.cuts, 60, LOUD, GONE),
    "lost": (Page.lost, 40, LOUD, BROKEN),
    "service_ends": (Page.service_ends, 100, ECHO, CLEAN),
    "service_resets": (Page.service_resets, 60, LOUD, CLEAN),
    "downloads": (Page.downloads, 20, ("down",), CLEAN),
    "slow": (Page.slow, 10, ("down",), CLEAN),
    "stalled": (Page.stalled, 6, ("down",), BROKEN),
    "uploads": (Page.uploads, 20, ("sink",), CLEAN),
    "unheard": (Page.unheard, 4, ("sink",), CLEAN | BROKEN | {"reset"}),
    "waits": (Page.waits, 20, ("brief",), CLEAN | {"close 1001"}),
    "breaks": (Page.breaks, 20, LOUD, CLEAN),
    "wrong_kind": (Page.wrong_kind, 10, ("echo",), CLEAN),
    "not_text": (Page.not_text, 10, ("lines",), CLEAN),
    "two_lines": (Page.two_lines, 10, ("lines",), CLEAN),
    "too_long": (Page.too_long, 10, ("lines",), CLEAN),
    "origin": (Page.origin, 20, ("none",), CLEAN),
    "nowhere": (Page.nowhere, 20, ("none",), CLEAN),
    "auth": (Page.auth, 20, ("none",), CLEAN),
    "half_hello": (Page.half_hello, 20, ("none",), GONE | {"eof", "reset"}),
    "noise": (Page.noise, 20, ("none",), CLEAN | BROKEN),
    "mute": (Page.mute, 5, ("none",), CLEAN | BROKEN),
    "half_head": (Page.half_head, 5, ("none",), CLEAN | BROKEN),
}
RAW = ("half_hello", "noise", "mute")
TLS_ONLY = ("half_hello",)
NAMES = list(SCRIPTS)
WEIGHTS = [row[1] for row in SCRIPTS.values()]


def choose(world):
    return Page(world, random.choices(NAMES, WEIGHTS)[0])
