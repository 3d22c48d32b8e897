# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the endings table of README.md: what each side gets from which ending.

The fault test knows no codes of its own. It knows which ending a script must come to (model.py),
and looks here for what the client and the backend must see then.
"""

import collections
import re

HEADING = "| log word | what happened | page sees | HTTP | backend gets |"

# What the client gets for a Close code: a number, one of these, or None for no Close.
SAME_CODE = "same"

FIN, RESET, NOTHING = "FIN", "RESET", "nothing"

# code: see above; is_client_reset: the client gets RST; backend: FIN, RESET or NOTHING.
Row = collections.namedtuple("Row", "word code is_client_reset backend")


class Unreadable(Exception):
    """The table in README.md does not look as this module expects."""


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def code_of(cell, word):
    number = re.match(r"(\d{4})\b", cell)
    if number:
        return int(number.group(1))
    if cell.startswith("the same code"):
        return SAME_CODE
    if cell.startswith("\u2013"):
        return None
    raise Unreadable("%s: the page sees %r" % (word, cell))


def backend_of(cell, word):
    ends = {"FIN": FIN, "queued bytes, FIN": FIN, "queued bytes and FIN": FIN, "RST": RESET,
            "\u2013": NOTHING, "never dialled": NOTHING}
    if cell not in ends:
        raise Unreadable("%s: the backend gets %r" % (word, cell))
    return ends[cell]


def read(path):
    """Returns the table as a dictionary: log word to Row."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    if HEADING not in lines:
        raise Unreadable("no line %r" % HEADING)
    rows = {}
    for line in lines[lines.index(HEADING) + 2:]:
        if not line.startswith("|"):
            break
        words, _, page, _, backend = cells_of(line)
        words = re.findall(r"`(\w+)`", words)
        ends = backend.split("; ") if len(backend.split("; ")) == len(words) else None
        for at, word in enumerate(words):
            rows[word] = Row(word, code_of(page, word), "(RST)" in page,
                             backend_of(ends[at] if ends else backend, word))
    return rows
