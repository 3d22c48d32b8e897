# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a session must come to: from the script of what both sides did to the expected end.

A pure function of the events and a few facts. It is written from README.md, config/README.md and
RFC 6455, and knows nothing of proto/life. It says which ending it must be and which bytes are owed;
what the ending means for both sides stands in README's table (table.py).

Events. Of the client: payload, big, flood, part, rest, fragment, late (messages, or pieces of one),
close, empty, goodbye (Close frames), bad_* (a broken rule), notify (close_notify), fin, rst. Of the
backend: payload, big, flood, last (an incomplete line, record or character), bad_data, fin, rst. Of
the clock: idle, client_lost, client_stalled, backend_stalled.

An event is settled when the test has seen what it did before it went on. What is not settled may
cross with what the other side does, and a reset may overtake what its own side said before it.
"""

import collections

CLIENT, BACKEND, CLOCK = "client", "backend", "clock"

# number: the place in the script, by which the test finds the bytes.
Event = collections.namedtuple("Event", "number who name is_settled")

# is_keep: half_close = keep. last: what an incomplete last piece is at the backend's FIN: True = a
# message, False = an error, None = there is none. is_collected: the backend gets whole messages.
Facts = collections.namedtuple("Facts", "is_tls is_echo is_keep last is_collected")

SPEECH = ("payload", "big", "flood", "late", "part", "fragment", "last", "bad_data")
CLOSES = {"close": 4001, "empty": None, "goodbye": 1000}
BAD = {"bad_frame": "protocol", "bad_close": "bad_close", "bad_text": "bad_text",
       "bad_opcode": "opcode", "bad_line": "framing", "too_big": "too_big"}
# After these the decoder has lost its place in the client's stream and looks for no Close.
LOST = ("protocol", "bad_close")
QUIET = ("client_eof", "client_cut")  # the client gets what is queued, but no Close
ABORTS = ("client_reset", "client_lost", "client_stalled")

# word: the ending, None = there is none yet. by: who caused it. code: of the client's Close.
# up: the numbers of the events whose messages the backend must get, or, where the ending resets it,
# may get; up_settled: how many of them it has got for certain; up_more: what it may get beyond. The
# same for down, all of which is owed if is_heard. is_close_awaited: the program may not end the
# client's stream before its Close.
Outcome = collections.namedtuple(
    "Outcome", "word by code up up_settled up_more down down_settled down_more is_heard "
    "is_client_gone is_backend_gone is_backend_cut is_close_awaited")


class Session:
    """What the program must know after some of the events."""

    def __init__(self, facts):
        self.facts = facts
        self.word, self.by, self.code = None, None, None
        self.is_half_closed = False  # the client's Close has come, the backend may still speak
        self.has_close = self.has_eof = False  # of the client
        self.has_backend_eof = facts.is_echo
        self.inside = None  # the number of an incomplete message: a part or a fragment
        self.is_fragment = False
        self.last = None
        self.is_client_gone = self.is_backend_gone = self.is_backend_cut = False
        self.up, self.down, self.down_more = [], [], []
        self.up_settled = self.down_settled = 0

    def end(self, word, by):
        if self.word is None:
            self.word, self.by = word, by
        self.is_half_closed = False

    # the client

    def client(self, event):
        name = event.name
        if self.is_client_gone or (self.has_eof and name != "rst"):
            return
        if name == "rst":
            self.end("client_reset", CLIENT)
            self.is_client_gone = True
        elif name == "notify" or name == "fin":
            self.has_eof = True
            is_cut = self.inside is not None or (self.facts.is_tls and name == "fin")
            if self.word is None:
                self.end("client_cut" if is_cut else "client_eof", CLIENT)
        elif self.has_close:
            return
        elif name in CLOSES:
            self.has_close = True
            if self.word is None:
                self.code = CLOSES[name]
                self.end("client_close", CLIENT)
                self.is_half_closed = not self.has_backend_eof
        elif name in BAD:
            self.end(BAD[name], CLIENT)
            self.has_close = BAD[name] in LOST
        elif self.word is None:
            self.client_says(event)

    def client_says(self, event):
        name = event.name
        if name in ("part", "fragment"):
            self.inside, self.is_fragment = event.number, name == "fragment"
        else:
            self.up.append(self.inside if name == "rest" else event.number)
            self.inside = None
            if self.facts.is_echo:
                self.down.append(self.up[-1])

    # the backend

    def backend(self, event):
        name = event.name
        if self.is_backend_gone:
            return
        is_heard = self.word is None or self.is_half_closed
        if name == "rst":
            self.end("backend_reset", BACKEND)
            self.is_backend_gone = True
        elif name == "fin":
            self.has_backend_eof = True
            self.backend_fin(is_heard)
        elif name == "bad_data" or name == "last":
            if is_heard:
                self.down_more.append(event.number)
            if name == "bad_data" and is_heard:
                self.backend_data()
            self.last = event.number if is_heard else None
        elif is_heard:
            self.down.append(event.number)

    def backend_data(self):
        self.is_backend_cut = self.is_half_closed
        self.end("backend_data", BACKEND)

    def backend_fin(self, is_heard):
        if is_heard and self.last is not None:
            if self.facts.last:
                self.down.append(self.last)
                self.down_more.remove(self.last)
            else:
                self.backend_data()
                return
        if self.is_half_closed:
            self.is_half_closed = False
        elif not self.facts.is_keep:
            self.end("backend_close", BACKEND)

    # the clock

    def clock(self, event):
        if event.name == "idle" and self.word is not None:
            return
        self.end(event.name, CLOCK)

    def take(self, event):
        if event.is_settled and self.word is None:
            self.up_settled = len(self.up)
            self.down_settled = len(self.down)
        {CLIENT: self.client, BACKEND: self.backend, CLOCK: self.clock}[event.who](event)

    # the result

    def outcome(self):
        is_part_due = self.inside is not None and not self.facts.is_collected
        part = [self.inside] if is_part_due else []
        return Outcome(
            self.word, self.by, self.code, self.up, self.up_settled, part, self.down,
            self.down_settled, part if self.facts.is_echo else self.down_more,
            self.is_heard(), self.is_client_gone, self.is_backend_gone, self.is_backend_cut,
            not (self.has_close or self.has_eof))

    def is_heard(self):
        """The client is owed all of `down`: also by an echo, which has it before it sees the FIN.
        """
        if self.word in QUIET:
            return self.facts.is_echo
        return self.word not in ABORTS + ("backend_reset",)


def follow(events, facts):
    """Returns the Outcome of these events in this order. Its word is None: nothing has ended."""
    session = Session(facts)
    for event in events:
        session.take(event)
    return session.outcome()


def overtaken(events):
    """Yields (events, lost) for each way in which a reset may destroy what its side said before."""
    yield events, []
    for at, event in enumerate(events):
        if event.name != "rst" or event.is_settled:
            continue
        mine = []  # what the reset can destroy, the latest first
        for other in reversed(events[:at]):
            if other.who == event.who:
                mine.append(other)
            if other.is_settled:
                break
        for count in range(1, len(mine) + 1):
            yield [other for other in events if other not in mine[:count]], mine[:count]


def merges(first, second):
    """Yields every order in which two sides' events can come."""
    if not first or not second:
        yield first + second
        return
    for rest in merges(first[1:], second):
        yield first[:1] + rest
    for rest in merges(first, second[1:]):
        yield second[:1] + rest


def said(events, who):
    return [event.number for event in events if event.who == who and event.name in SPEECH]


def loosen(outcome, up, down):
    """What crossed, or was overtaken, may have been taken in part: up to all of it."""
    return outcome._replace(
        up_more=outcome.up_more + [n for n in up if n not in outcome.up + outcome.up_more],
        down_more=outcome.down_more + [n for n in down
                                       if n not in outcome.down + outcome.down_more])


def settle(events):
    """Marks the first event of a flight: what came before has been seen."""
    return [event._replace(is_settled=at == 0) for at, event in enumerate(events)]


def outcomes(flights, facts, ending=(), last=()):
    """Returns every Outcome that may be. `flights` are lists of what went out with nothing settled
    in between: [events] of one side, or [client's events, backend's events] of both at once. When
    they end nothing, the events `ending` follow; in any case the events `last` do."""
    paths = [[]]
    for flight in flights:
        orders = list(merges(*flight)) if len(flight) > 1 else [flight[0]]
        paths = [path + settle(order) for path in paths for order in orders]
    is_crossed = any(len(flight) > 1 for flight in flights)
    found = []
    for path in paths:
        for events, lost in overtaken(path):
            if follow(events, facts).word is None:
                events = events + settle(list(ending))
            got = follow(events + list(last), facts)
            up, down = said(lost, CLIENT), said(lost, BACKEND)
            if is_crossed:
                up += said(path, CLIENT) if got.by != CLIENT else []
                down += said(path, BACKEND) if got.by != BACKEND else []
            got = loosen(got, up, down)
            if got not in found:
                found.append(got)
    return found
