# SPDX-License-Identifier: GPL-3.0-or-later
"""The factors of a combination, what fits together, and the choice of combinations.

pairwise() covers every pair of levels of two factors that can stand together, with few
combinations; everything() runs what happens to one side with every shape, scheme and kind of
backend. Both are the same in every run.
"""

import itertools
import random

from shapes import SHAPES

NOTHING = "nothing"
ENDS = ("fin", "rst")


def client_scripts():
    """Every order of a client's events. What TCP and TLS forbid is left out: nothing follows a
    reset, and only a reset follows a FIN."""
    scripts = [[]]
    bodies = ([], ["payload"], ["big"], ["part", "rest"])
    closes = ([], ["close"], ["close", "late"])
    tails = ([], ["fin"], ["rst"], ["notify"], ["notify", "fin"], ["notify", "rst"])
    for body, close, tail in itertools.product(bodies, closes, tails):
        scripts.append(body + close + tail)
    for body in (["part"], ["fragment"], ["payload", "part"]):
        for tail in (["notify"], ["fin"], ["notify", "fin"], ["rst"], ["silence"]):
            scripts.append(body + tail)
    for bad in ("bad_frame", "bad_close", "bad_text", "bad_opcode", "bad_line", "too_big"):
        for tail in ([], ["close", "notify", "fin"], ["fin"], ["rst"]):
            scripts.append(["payload", bad] + tail)
    scripts += [["big", "bad_frame"], ["big", "too_big", "notify", "fin"],
                ["payload", "fin", "rst"], ["empty"], ["payload", "empty", "notify", "fin"],
                ["big", "empty", "fin"],
                ["silence"], ["payload", "silence"], ["close", "silence"], ["bad_text", "silence"],
                ["mute"], ["payload", "mute"], ["close", "mute"]]
    scripts += [["stall"] + rest for rest in (
        [], ["payload"], ["close"], ["fin"], ["notify", "fin"], ["close", "notify", "fin"],
        ["rst"])]
    scripts += [["stuck"], ["stuck", "flood"], ["stall", "flood"], ["stall", "flood", "close"],
                ["stall", "flood", "notify", "fin"]]
    scripts += [["flood"] + rest for rest in (
        [], ["close"], ["fin"], ["notify", "fin"], ["close", "notify", "fin"], ["rst"])]
    return unique(scripts)


def backend_scripts():
    return [[], ["payload"], ["big"], ["fin"], ["payload", "fin"], ["big", "fin"], ["rst"],
            ["payload", "rst"], ["last"], ["last", "fin"], ["bad_data"], ["silence"],
            ["payload", "silence"], ["stall"], ["stuck"], ["flood"], ["flood", "fin"],
            ["flood", "rst"]]


def unique(scripts):
    return [list(script) for script in dict.fromkeys(map(tuple, scripts))]


def word(script):
    return "+".join(script) or NOTHING


def script_of(text):
    return [] if text == NOTHING else text.split("+")


CLIENTS = [word(script) for script in client_scripts()]
BACKENDS = [word(script) for script in backend_scripts()]
FACTORS = {
    "client": CLIENTS,
    "backend": BACKENDS,
    "shape": list(SHAPES),
    "order": ["client_first", "backend_first", "in_turns", "at_once"],
    "flights": ["apart", "one"],
    "scheme": ["ws", "wss12", "wss13"],
    "kind": ["tcp", "unix", "name", "echo", "tls"],
    "half_close": ["close", "keep"],
}
NAMES = list(FACTORS)


def has(script, *events):
    return script is not None and any(event in script for event in events)


def can_be(row):
    """True unless what the row has so far cannot stand together."""
    client = None if "client" not in row else script_of(row["client"])
    backend = None if "backend" not in row else script_of(row["backend"])
    shape = SHAPES.get(row.get("shape"))
    kind = row.get("kind")
    if has(client, "notify") and row.get("scheme") == "ws":
        return False
    if has(backend, "rst") and kind == "unix":
        return False  # a Unix socket knows no reset
    if kind == "echo":
        if backend or (shape and shape.name not in ("stream", "deflate")):
            return False
        if has(client, "stall", "stuck", "flood") and not is_own_flood(client):
            return False
        if has(client, "stuck") and shape and shape.is_deflate:
            return False  # what it does not read is too little for a queue
        if row.get("half_close") == "keep":
            return False
        if row.get("order") not in (None, "client_first"):
            return False
    elif kind and is_own_flood(client):
        return False
    if shape:
        bads = [event for event in client or () if event in (
            "bad_frame", "bad_close", "bad_text", "bad_opcode", "bad_line", "too_big")]
        if bads and shape.bad(bads[0]) is None:
            return False
        if has(backend, "last") and shape.last() is None:
            return False
        if has(backend, "bad_data") and shape.bad_data() is None:
            return False
    if client is not None and backend is not None:
        return is_paired(client, backend)
    return True


def is_own_flood(client):
    """The client does not read the echo of its flood."""
    return has(client, "flood") and has(client, "stall", "stuck")


def is_paired(client, backend):
    """A flood needs somebody who does not read, and a stall needs a flood."""
    if is_own_flood(client):
        return not backend
    if has(client, "stall") and not has(backend, "flood"):
        return False
    if has(client, "stuck") and backend not in (["flood"], ["flood", "fin"]):
        return False
    if has(backend, "flood") and not has(client, "stall", "stuck"):
        return False
    if has(backend, "stall", "stuck") != has(client, "flood"):
        return False
    if has(backend, "stuck") and has(client, "rst"):
        return False  # which comes first is open
    return True


def identity(row):
    return ".".join(row[name] for name in NAMES)


def of_identity(text):
    parts = text.split(".")
    if len(parts) != len(NAMES) or any(part not in FACTORS[name]
                                       for name, part in zip(NAMES, parts)):
        raise SystemExit("no such combination: %s" % text)
    return dict(zip(NAMES, parts))


class Chooser:
    """Builds rows that cover many pairs which no row has covered yet."""

    def __init__(self, factors):
        self.levels = FACTORS
        self.open = set()
        for first, second in factors:
            for a, b in itertools.product(FACTORS[first], FACTORS[second]):
                if can_be({first: a, second: b}):
                    self.open.add((first, a, second, b))
        self.turn = 0

    def gain(self, row, name, level):
        count = 0
        for other, chosen in row.items():
            first, second = sorted(((other, chosen), (name, level)),
                                   key=lambda item: NAMES.index(item[0]))
            count += (*first, *second) in self.open
        return count

    def fill(self, row):
        """Completes a row; None where nothing fits."""
        name = next((name for name in NAMES if name not in row), None)
        if name is None:
            return row
        levels = self.levels[name]
        at = random.Random("%d %s" % (self.turn, name)).randrange(len(levels))
        fitting = [level for level in levels[at:] + levels[:at] if can_be({**row, name: level})]
        for level in sorted(fitting, key=lambda level: -self.gain(row, name, level)):
            done = self.fill({**row, name: level})
            if done:
                return done
        return None

    def cover(self, row):
        for (first, a), (second, b) in itertools.combinations(row.items(), 2):
            if NAMES.index(first) > NAMES.index(second):
                first, a, second, b = second, b, first, a
            self.open.discard((first, a, second, b))

    def rows(self):
        order = sorted(self.open, key=lambda pair: [
            (NAMES.index(pair[0]), FACTORS[pair[0]].index(pair[1])),
            (NAMES.index(pair[2]), FACTORS[pair[2]].index(pair[3]))])
        for pair in order:
            if pair not in self.open:
                continue
            self.turn += 1
            row = self.fill({pair[0]: pair[1], pair[2]: pair[3]})
            self.open.discard(pair)  # where it stands in no row, nothing can cover it
            if row:
                row = {name: row[name] for name in NAMES}
                self.cover(row)
                yield row


def pairwise():
    """Every pair of levels of two factors. The two sides' scripts are long lists of their own: of
    them, every script of one side with every level of the other factors."""
    return list(Chooser(itertools.combinations(NAMES, 2)).rows())


def everything():
    """Every script of either side with every shape, scheme, kind of backend and way of flights;
    the other factors take turns."""
    rows, turn = {}, 0
    chooser = Chooser([])
    for side in ("client", "backend"):
        names = [side, "shape", "scheme", "kind", "flights"]
        for levels in itertools.product(*(FACTORS[name] for name in names)):
            turn += 1
            chooser.turn = turn
            row = dict(zip(names, levels))
            row = chooser.fill(row) if can_be(row) else None
            if row:
                rows[identity(row)] = {name: row[name] for name in NAMES}
    return list(rows.values())
