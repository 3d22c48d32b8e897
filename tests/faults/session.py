# SPDX-License-Identifier: GPL-3.0-or-later
"""One combination: plays the script on both sides of a real session and notes what they see."""

import asyncio
import socket
import time

import model
from actors import Backend, Client, TlsBackend, connect
from factors import has, script_of
from model import BACKEND, CLIENT, CLOCK, Event
from shapes import SHAPES, hard_block

WAIT_SECONDS = 25.0  # for whatever must happen
SMALL_BUFFER = 16384
FLOOD_BYTES = 12 << 20
INFLATING_FLOOD_BYTES = 8 << 20
TIMES = {  # milliseconds; a run with sanitizers multiplies them
    "patient": {},
    "idle": {"idle_timeout": 1500, "close_timeout": 1500},
    "mute": {"ping_interval": 700, "pong_timeout": 700, "close_timeout": 1500},
    "client_stuck": {"write_timeout": 500},
    # The client answers every Ping that it gets: it is not to blame.
    "backend_stuck": {"write_timeout": 3000, "ping_interval": 500, "pong_timeout": 1500},
}
PATIENT = {"idle_timeout": 0, "ping_interval": 0, "write_timeout": 60000, "close_timeout": 60000}


class Combination:
    """A row of factors, and what follows from it before it runs."""

    def __init__(self, row, number):
        self.row, self.number = row, number
        self.identity, self.route = ".".join(row.values()), "r%d" % number
        self.client, self.backend = script_of(row["client"]), script_of(row["backend"])
        self.shape = SHAPES[row["shape"]]
        self.is_echo, self.is_keep = row["kind"] == "echo", row["half_close"] == "keep"
        self.is_tls, self.is_unix = row["scheme"] != "ws", row["kind"] == "unix"
        last = self.shape.last()
        self.facts = model.Facts(self.is_tls, self.is_echo, self.is_keep, last and last[1],
                                 self.shape.is_framed)
        self.is_stuck = has(self.client + self.backend, "stuck")
        if has(self.client, "mute"):
            self.profile = "mute"
        elif has(self.client, "silence") or has(self.backend, "silence"):
            self.profile = "idle"
        elif self.is_stuck:
            self.profile = "client_stuck" if has(self.client, "stuck") else "backend_stuck"
        else:
            self.profile = "patient"
        self.is_client_silent = has(self.client, "silence", "mute")
        self.is_backend_silent = has(self.backend, "silence")
        self.is_slow = self.profile != "patient"

    def keys(self, scale):
        """Returns the keys of its route; the backend's URL is not among them."""
        times = {key: ms * scale for key, ms in {**PATIENT, **TIMES[self.profile]}.items()}
        keys = self.shape.keys
        if not self.is_echo:
            keys += "half_close = %s\n" % self.row["half_close"]
        return keys + "".join("%s = %s\n" % (key, "%dms" % ms if ms else "0")
                              for key, ms in times.items())

    # the script as flights

    def events(self, who, names, first):
        return [Event(first + at, who, name, False) for at, name in enumerate(names)
                if name not in ("silence", "mute", "stall", "stuck")]

    def flights(self):
        """Returns lists of events that go out together: [events], or [client's, backend's]."""
        client = self.events(CLIENT, self.client, 0)
        backend = self.events(BACKEND, self.backend, 100)
        if has(self.client + self.backend, "stall", "stuck"):
            return [[client, backend]]
        order = self.row["order"]
        if order == "at_once" and client and backend:
            return [[client, backend]]
        if order == "client_first" or order == "at_once":
            turns = [client, backend]
        elif order == "backend_first":
            turns = [backend, client]
        else:
            turns = []
            for at in range(max(len(client), len(backend))):
                turns += [client[at:at + 1], backend[at:at + 1]]
        if self.row["flights"] == "apart":
            turns = [[event] for turn in turns for event in turn]
        return [[turn] for turn in turns if turn]

    def expected(self):
        """Returns (flights as the model takes them, the events at the end)."""
        flights = self.flights()
        if self.is_stuck:
            other = self.profile.replace("stuck", "stalled")
            events = flights[0][0] + flights[0][1]
            at = next(i for i, event in enumerate(events) if event.name == "flood")
            return [[events[:at + 1] + [Event(200, CLOCK, other, False)] + events[at + 1:]]], []
        ending = Event(200, CLIENT, "goodbye", False)
        if self.profile == "mute":
            ending = Event(200, CLOCK, "client_lost", False)
        elif self.profile == "idle":
            ending = Event(200, CLOCK, "idle", False)
        return flights, [ending]

    def polite(self):
        """What an obedient backend does at the end."""
        ends = has(self.backend, "fin", "rst") or self.is_backend_silent or self.is_echo
        return [] if ends else [Event(201, BACKEND, "fin", True)]

    def outcomes(self):
        flights, ending = self.expected()
        return model.outcomes(flights, self.facts, ending, self.polite())


class Missing(Exception):
    """What is owed did not come."""


class Played:
    """A session that runs, or has run."""

    def __init__(self, combination, addresses, listener, log):
        self.c, self.shape = combination, combination.shape
        self.addresses, self.listener, self.log = addresses, listener, log
        self.changed = asyncio.Event()
        self.client = self.backend = None
        self.said = {}  # number of an event: its messages, as the backend or the page has them
        self.deaf = None  # who does not read now
        self.opened = self.scripted = None
        self.is_disturbed = False
        self.notes = []
        self.is_flooded = self.is_stuck_over if combination.is_stuck else None

    def wake(self):
        self.changed.set()

    async def until(self, condition, what, seconds=WAIT_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            self.changed.clear()
            left = end - time.monotonic()
            if left <= 0:
                raise Missing(what)
            try:
                await asyncio.wait_for(self.changed.wait(), min(left, 1.0))
            except asyncio.TimeoutError:
                pass

    # opening

    def accept(self):
        """The loop calls this when somebody dials."""
        sock, _ = self.listener.accept()
        if self.backend is not None:
            self.is_disturbed = True  # by another program, or the program has dialled twice
            sock.close()
            return
        if self.c.row["kind"] == "tls":
            self.backend = TlsBackend(sock, self.contexts["backend"], self.wake)
        else:
            self.backend = Backend(sock, self.wake)
        self.wake()

    async def open(self, contexts):
        c, self.contexts = self.c, contexts
        small = has(c.client, "stall", "stuck")
        if self.listener:
            if has(c.backend, "stall", "stuck"):  # accepted sockets inherit it
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            if has(c.backend, "flood"):
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * SMALL_BUFFER)
            asyncio.get_running_loop().add_reader(self.listener.fileno(), self.accept)
        listen = "tls" if c.is_tls else "plain"
        sock = connect(self.addresses[listen],
                       SMALL_BUFFER if small else None,
                       4 * SMALL_BUFFER if has(c.client, "flood") else None)
        self.client = Client(sock, contexts[c.row["scheme"]], self.wake)
        self.client.is_mute = has(c.client, "mute")
        await self.until(lambda: self.client.is_established, "the TLS handshake")
        subprotocol = None if c.is_echo else self.shape.subprotocol
        self.client.request("/" + c.route, self.shape.is_deflate, subprotocol)
        await self.until(lambda: self.client.response, "the answer to the request")
        status = self.client.response.status
        if status != 101:
            raise Missing("101; the status was %d" % status)
        if not c.is_echo:
            await self.until(lambda: self.backend and self.backend.is_established, "the dial")
        self.opened = time.monotonic()

    # events

    async def do_client(self, name, number):
        client, shape = self.client, self.shape
        seed = self.c.number * 1000 + number
        if name in ("payload", "big", "late"):
            self.say_message(number, shape.text(seed, name))
        elif name in ("part", "fragment"):
            text = shape.text(seed, name)
            self.said[number] = [text]
            whole = shape.frame_of(text, client.bits, is_fin=name == "part")
            cut = len(whole) * 3 // 5 if name == "part" else len(whole)
            self.rest = whole[cut:]
            client.say(whole[:cut])
        elif name == "rest":
            client.say(self.rest)
        elif name == "flood":
            self.said[number] = said = []

            def block(count):
                text, data = shape.flood_block(count)
                said.append(text)
                if client.tls:
                    client.tls.write(data)
                    data = client.outgoing.read()
                return data, len(text)

            most = INFLATING_FLOOD_BYTES if shape.is_deflate else FLOOD_BYTES
            await client.flood(block, most, self.is_flooded)
        elif name in model.CLOSES:
            client.say_close(model.CLOSES[name])
        elif name == "notify":
            client.say_notify()
        elif name == "fin":
            client.fin()
        elif name == "rst":
            client.rst()
        else:
            client.say(shape.bad(name))

    def say_message(self, number, text):
        self.said[number] = [text]
        self.client.say(self.shape.frame_of(text, self.client.bits))

    async def do_backend(self, name, number):
        backend, shape = self.backend, self.shape
        if name in ("payload", "big"):
            text = shape.text(self.c.number * 1000 + number, name)
            self.said[number] = [text]
            backend.put(shape.framed(text))
        elif name == "last":
            data, is_message = shape.last()
            self.said[number] = [data] if is_message or not shape.is_framed else []
            if not is_message and shape.is_framed:
                self.said[number] = [b"half"]
            backend.put(data)
        elif name == "bad_data":
            data = shape.bad_data()
            self.said[number] = [data] if shape.framing in ("lf", "crlf") else []
            backend.put(data)
        elif name == "flood":
            self.said[number] = said = []

            def block(count):
                text = hard_block(count)
                said.append(text)
                return shape.framed(text), len(text)

            await backend.flood(block, FLOOD_BYTES, self.is_flooded)
        elif name == "fin":
            backend.fin()
        elif name == "rst":
            backend.rst()

    async def do_side(self, events):
        if not events:
            return
        is_client = events[0].who == CLIENT
        side = self.client if is_client else self.backend
        if not has([event.name for event in events], "flood"):
            side.hold()
        for event in events:
            await (self.do_client if is_client else self.do_backend)(event.name, event.number)
        side.release()

    # the whole

    async def play(self, contexts):
        c = self.c
        await self.open(contexts)
        stalled = self.client if has(c.client, "stall", "stuck") else \
            self.backend if has(c.backend, "stall", "stuck") else None
        flights = c.flights()
        if stalled:
            stalled.stop_reading()
            sides = flights[0]
            flooder = 0 if has(c.client, "flood") else 1
            await self.do_side(sides[flooder])
            await self.do_side(sides[1 - flooder])
            if c.is_stuck:
                await self.until(self.is_stuck_over, "the end of the stuck side")
            stalled.resume_reading()
        else:
            for at, flight in enumerate(flights):
                await asyncio.gather(*(self.do_side(side) for side in flight))
                if len(flight) == 1:
                    await self.barrier(flights[:at + 1])
        self.scripted = time.monotonic()
        await self.finish()

    def is_stuck_over(self):
        """The program has had enough of the side that does not read."""
        return bool(self.log.lines_of(self.c.route)) or self.client.has_close

    async def barrier(self, flights):
        """Waits until both sides have seen what they must see of the script so far."""
        wanted = model.outcomes(flights, self.c.facts)
        if len(wanted) > 1:
            await asyncio.sleep(0.02)  # a reset: nobody knows what it left
            wanted = sorted(wanted, key=lambda outcome: len(outcome.up) + len(outcome.down))
        try:
            await self.until(lambda: self.judge.is_reached(self, wanted[0]) or self.is_dead(),
                             "what flight %d must bring" % len(flights))
        except Missing as missing:
            self.notes.append("waited in vain for %s" % missing)

    async def finish(self):
        """Both sides obey, unless they are silent, until the log has the session's line."""
        c = self.c
        wanted = c.outcomes()
        if any(outcome.by == CLIENT and outcome.word == "client_close" for outcome in wanted) \
                and not has(c.client, *model.CLOSES):
            self.client.say_close(model.CLOSES["goodbye"])
            self.client.flush()
        await self.until(self.is_over, "the line session.end")
        await self.until(self.has_seen_the_end, "the end of both sides' streams")

    def is_over(self):
        """Does what is polite now. True when the log has the session's line."""
        client, backend, c = self.client, self.backend, self.c
        if backend and backend.ended and not backend.is_gone:
            if not c.is_backend_silent or backend.ended != "FIN":
                backend.fin()
        if not c.is_client_silent and not client.is_gone:
            if client.has_close and not client.has_said_close and not client.is_fin_due \
                    and not client.has_said_notify and not self.is_inside():
                client.say_close(client.close_code)
            if client.has_close and self.is_inside() and not client.is_fin_due:
                client.say_notify()
                client.fin()
            if client.ended and not client.is_fin_due:
                client.say_notify()
                client.fin()
        return bool(self.log.lines_of(self.c.route))

    def is_inside(self):
        """The client has begun a frame and cannot say a Close."""
        return has(self.c.client, "part") and not has(self.c.client, "rest") \
            or (has(self.c.client, "too_big") and not self.shape.is_small)

    def is_dead(self):
        """Nothing more can come: a deadline was sooner than this script."""
        return bool(self.log.lines_of(self.c.route)) and self.has_seen_the_end()

    def has_seen_the_end(self):
        client, backend = self.client, self.backend
        return (client.ended or client.is_gone) and \
            (backend is None or backend.ended or backend.is_gone)

    def close(self):
        if self.listener:
            asyncio.get_running_loop().remove_reader(self.listener.fileno())
            self.listener.close()
        for side in (self.client, self.backend):
            if side:
                side.close()
