# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what both sides of a session saw with what README's table owes them.

An outcome of the model names the ending and the bytes that count. The row of README's table says
the rest: the Close code, whether the client is reset, and how the backend's stream ends. A row
whose backend gets FIN owes it every byte; a row with RST owes what was seen before the ending came,
because a reset destroys what it overtakes.
"""

import table
from wsclient import FIN, RESET


class Judge:
    def __init__(self, rows):
        self.rows = rows

    # bytes

    def up_stream(self, played, numbers):
        """Returns the bytes at the backend that these events' messages are."""
        return b"".join(played.shape.framed(text) for number in numbers
                        for text in played.said.get(number, ()))

    def up_bounds(self, played, outcome):
        """Returns (bytes the backend must have, bytes it may have)."""
        row = self.rows.get(outcome.word)
        is_whole = outcome.word is None or (
            row.backend == table.FIN and not outcome.is_backend_gone and not outcome.is_backend_cut)
        least = outcome.up if is_whole else outcome.up[:outcome.up_settled]
        most = sorted(set(outcome.up + outcome.up_more))
        must = self.up_stream(played, least)
        return must, must + self.up_stream(played, [n for n in most if n not in least])

    def up_faults(self, played, outcome):
        must, may = self.up_bounds(played, outcome)
        got = bytes(played.backend.got)
        if not may.startswith(got):
            at = next((i for i, (a, b) in enumerate(zip(got, may)) if a != b), len(may))
            return ["the backend got %d bytes, wrong from byte %d: %r" % (
                len(got), at, got[at:at + 40])]
        if len(got) < len(must):
            return ["the backend got %d of %d bytes" % (len(got), len(must))]
        return []

    def down_messages(self, played, numbers):
        return [text for number in numbers for text in played.said.get(number, ())]

    def down_faults(self, played, outcome):
        client, shape = played.client, played.shape
        is_whole = outcome.is_heard and not outcome.is_client_gone
        least = outcome.down if is_whole else outcome.down[:outcome.down_settled]
        most = sorted(set(outcome.down + outcome.down_more))
        must = self.down_messages(played, least)
        may = must + self.down_messages(played, [n for n in most if n not in least])
        try:
            if played.c.is_echo:
                got = [payload for _, payload in client.messages]
            else:
                got = [shape.message(*message) for message in client.messages]
        except (AssertionError, ValueError) as error:
            return ["the client got a wrong message: %s" % error]
        if not shape.is_framed and not played.c.is_echo:
            got, must, may = [b"".join(got)], [b"".join(must)], [b"".join(may)]
            if shape.payload != "base64":
                got = [got[0] + bytes(client.partial)]
            return self.span_faults(got[0], must[0], may[0])
        if got != may[:len(got)]:
            at = next(i for i, text in enumerate(got) if i >= len(may) or text != may[i])
            return ["message %d of %d at the client is wrong: %r" % (
                at + 1, len(got), got[at][:60])]
        if len(got) < len(must):
            return ["the client got %d of %d messages" % (len(got), len(must))]
        rest = may[len(got)] if len(got) < len(may) else b""
        if not rest.startswith(bytes(client.partial)) and shape.payload != "base64":
            return ["the client got a wrong piece: %r" % bytes(client.partial[:60])]
        return []

    def span_faults(self, got, must, may):
        if not may.startswith(got):
            return ["the client got %d bytes that nobody said: %r" % (len(got), got[-60:])]
        if len(got) < len(must):
            return ["the client got %d of %d bytes" % (len(got), len(must))]
        return []

    # ends

    def close_of(self, outcome):
        """Returns (whether the client gets a Close, its code: None is an empty one)."""
        code = self.rows[outcome.word].code
        if code == table.SAME_CODE:
            return True, outcome.code
        return code is not None, code

    def client_faults(self, played, outcome):
        client, row = played.client, self.rows[outcome.word]
        if outcome.is_client_gone:
            return []
        faults = []
        has_close, code = self.close_of(outcome)
        seen = client.close_code if client.has_close else "no Close"
        wanted = code if has_close else "no Close"
        if seen != wanted:
            faults.append("the client saw %s instead of %s" % (
                "an empty Close" if seen is None else seen,
                "an empty Close" if wanted is None else wanted))
        end = RESET if row.is_client_reset else FIN
        if client.ended != end:
            faults.append("the client's stream ended by %s instead of %s" % (client.ended, end))
        if has_close and outcome.is_close_awaited and client.ended_before_answer \
                and not played.c.is_client_silent and not played.is_inside():
            faults.append("the client's stream ended (%s) before it answered the Close"
                          % client.ended_before_answer)
        return faults

    def backend_faults(self, played, outcome):
        backend, row = played.backend, self.rows[outcome.word]
        if outcome.is_backend_gone or row.backend == table.NOTHING:
            return []
        if outcome.is_backend_cut:
            return []  # it got FIN, and then its own fault cut it off
        wanted = {table.FIN: (FIN,), table.RESET: (RESET,)}[row.backend]
        if played.c.is_unix and row.backend == table.RESET:
            wanted = (FIN, RESET)  # a Unix socket shows no difference
        if backend.ended not in wanted:
            return ["the backend's stream ended by %s instead of %s" % (backend.ended, wanted[0])]
        return []

    def log_faults(self, played, outcome):
        lines = played.log.lines_of(played.c.route)
        if len(lines) != 1:
            return ["%d lines session.end" % len(lines)]
        faults = []
        if lines[0]["ending"] != outcome.word:
            faults.append("the log says ending=%s instead of %s" % (
                lines[0]["ending"], outcome.word))
        has_close, code = self.close_of(outcome)
        logged = lines[0].get("code")
        if has_close and code and logged != str(code) and not outcome.is_client_gone:
            faults.append("the log says code=%s instead of %s" % (logged, code))
        if not has_close and logged is not None:
            faults.append("the log says code=%s of a Close that nobody may get" % logged)
        return faults

    def faults(self, played, outcome):
        """Returns what does not fit this outcome."""
        found = self.log_faults(played, outcome) + self.client_faults(played, outcome)
        found += self.down_faults(played, outcome)
        if played.backend:
            found += self.up_faults(played, outcome) + self.backend_faults(played, outcome)
        return found + played.client.faults + played.notes

    def verdict(self, played):
        """Returns the faults of the nearest outcome: none when the session ended as it must."""
        return min((self.faults(played, outcome) for outcome in played.c.outcomes()), key=len)

    # barriers

    def is_reached(self, played, outcome):
        """True when both sides have seen what this outcome owes them so far."""
        client, backend = played.client, played.backend
        if backend and not backend.is_gone:
            must, _ = self.up_bounds(played, outcome)
            if len(backend.got) < len(must):
                return False
        if not client.is_gone:
            must = self.down_messages(played, outcome.down)
            got = sum(len(payload) for _, payload in client.messages)
            if played.shape.payload == "base64" and not played.c.is_echo:
                got = got * 3 // 4
            if outcome.is_heard and got < sum(map(len, must)):
                return False
        if outcome.word is None:
            return True
        row = self.rows[outcome.word]
        if backend and not outcome.is_backend_gone and row.backend != table.NOTHING \
                and not backend.ended:
            return False
        if outcome.is_client_gone:
            return True
        has_close, _ = self.close_of(outcome)
        is_waiting = outcome.word == "client_close" and backend and not (
            backend.is_fin_due or backend.is_gone)
        if has_close and not client.has_close and not is_waiting:
            return False
        return bool(has_close or client.ended)
