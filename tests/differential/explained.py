# SPDX-License-Identifier: GPL-3.0-or-later
"""Where sluice, `ws` and `wsproto` may differ, who is right, and why. Anything else is a failure.

DIFFERENCES is the table; one class more is `later`: the stream ends inside a frame or a message,
sluice has seen the mistake at its byte, and the peer says the same once it is given the rest.
Each rule is narrow: what comes before the difference must be the same, and a difference of `ws`
counts only where `wsproto` says what sluice says.

How often each class comes in 100,000 streams without / with compression (run.py --streams 100000
--seed 7):

    later                  ws       2,107 / 2,935    wsproto  822 / 634
    utf8_at_the_end        ws       2,746 / 1,647
    never_whole            ws           0 / 153
    length_over_53_bits    ws         854 / 1,011
    length_not_minimal     ws       1,159 / 1,183
    unknown_1014           wsproto    661 / 629
    behind_a_final_block   ws           - / 936
    empty_compressed       ws           - / 59
    unfinished_block       ws           - / 2,306

CPython's UTF-8 codec takes the first two bytes of an encoded surrogate and complains about the
third; wsproto_receiver.py says so at the second, so this is no class.

Events are those of decode.c; those of a stream's end ("tail") are what a peer says once it is given
the rest of what it waits for.
"""

import collections

CONTROL = ("ping", "pong")
FAR = "Unsupported WebSocket frame: payload length > 2^53 - 1"


class Verdict:
    """What one decoder said about one stream."""

    def __init__(self, events, tail=None, facts=None):
        self.events, self.tail, self.facts = events, tail or [], facts or {}
        self.plain = [plain(event) for event in events]
        self.plain_tail = [plain(event) for event in self.tail]
        self.all, self.all_plain = events + self.tail, self.plain + self.plain_tail


def plain(event):
    """Without the words that each decoder chooses itself."""
    return " ".join(event.split(" ", 2)[:2]) if event.startswith("error ") else event


def kind(event):
    return event.partition(" ")[0]


def detail(verdict):
    """Returns why sluice gave up."""
    last = verdict.events[-1] if verdict.events else ""
    return last.split(" ", 2)[2] if last.startswith("error ") else ""


def is_same(sluice, peer):
    return sluice.plain == peer.plain


def is_later(sluice, peer):
    return (bool(sluice.events) and sluice.plain[:-1] == peer.plain
            and peer.plain_tail[:1] == sluice.plain[-1:])


def common(sluice, peer):
    """Returns how many events are the same."""
    pairs = enumerate(zip(sluice.plain, peer.all_plain))
    shortest = min(len(sluice.plain), len(peer.all_plain))
    return next((at for at, (ours, theirs) in pairs if ours != theirs), shortest)


def event_at(verdict, at):
    return verdict.all[at] if at < len(verdict.all) else ""


# A rule looks at the verdicts of sluice, of the peer and of wsproto; where the peer is ws, wsproto
# confirms sluice. `at` is the first event that differs.


def unknown_1014(sluice, peer, wsproto, at):
    ours, theirs = event_at(sluice, at), event_at(peer, at)
    return (theirs == "error 1002 CLOSE with unknown reserved code" and at == len(sluice.events) - 1
            and (ours.startswith("close 1014 ") or detail(sluice) == "close reason is not UTF-8"))


def utf8_at_the_end(sluice, peer, wsproto, at):
    """From the wrong byte to the end of its message, only control frames and an end may differ."""
    rest = peer.all[at:]
    middle = rest[:-1] if rest and kind(rest[-1]) in ("error", "close", "endless") else rest
    return (detail(sluice) == "text is not UTF-8" and at == len(sluice.events) - 1
            and rest and all(kind(event) in CONTROL for event in middle))


def never_whole(sluice, peer, wsproto, at):
    return (sluice.plain[-1:] == ["error 1007"] and at == len(sluice.events) - 1
            and peer.tail[-1:] == ["endless"] and at == len(peer.all) - 1)


def length_over_53_bits(sluice, peer, wsproto, at):
    ours = event_at(sluice, at)
    return (peer.all[at:] == ["error 1009 " + FAR]
            and (not ours or plain(ours) == "error 1007"
                 or detail(sluice) == "length has its top bit set"))


def length_not_minimal(sluice, peer, wsproto, at):
    return detail(sluice) == "length is not minimal" and at == len(sluice.events) - 1


def behind_a_final_block(sluice, peer, wsproto, at):
    return wsproto.facts.get("final", at + 1) <= at


def empty_compressed(sluice, peer, wsproto, at):
    return wsproto.facts.get("empty", at + 1) <= at


def unfinished_block(sluice, peer, wsproto, at):
    return (detail(sluice) == "malformed compressed message" and "unfinished" in wsproto.facts
            and at == len(sluice.events) - 1 and kind(event_at(peer, at)) in ("text", "binary"))


Difference = collections.namedtuple("Difference", "name peer rule right reference why")

DIFFERENCES = (
    Difference("utf8_at_the_end", "ws", utf8_at_the_end, "both", "RFC 6455 8.1",
               "ws looks at a text message when it is whole, so control frames or another mistake "
               "may come first; sluice ends at the first impossible byte"),
    Difference("never_whole", "ws", never_whole, "both", "RFC 6455 8.1",
               "ws waits for the whole frame, and this one is never whole"),
    Difference("length_over_53_bits", "ws", length_over_53_bits, "sluice", "RFC 6455 5.2",
               "a length may have 63 bits; ws refuses those over 53 with 1009, the ones with the "
               "top bit (1002) among them"),
    Difference("length_not_minimal", "ws", length_not_minimal, "sluice", "RFC 6455 5.2",
               "the least number of bytes must be used for a length; ws does not check it"),
    Difference("unknown_1014", "wsproto", unknown_1014, "sluice", "RFC 6455 7.4.2, 11.7",
               "1014 is registered; this wsproto does not know it yet"),
    Difference("behind_a_final_block", "ws", behind_a_final_block, "sluice", "RFC 7692 7.2.3.4",
               "a message and its context go on behind a block with BFINAL; ws loses the bytes "
               "behind it or its place in them"),
    Difference("empty_compressed", "ws", empty_compressed, "neither", "RFC 7692 7.2.2",
               "a compressed message without a byte is no deflate stream; both take it as empty, "
               "but ws then stands inside a block and misreads the next message"),
    Difference("unfinished_block", "ws", unfinished_block, "sluice", "RFC 7692 7.2.2",
               "a message that ends inside a block is not whole; ws hands out what there is"),
)


def explain(sluice, peer, name, wsproto):
    """Returns the class of this difference, "same" if there is none, or None if no class fits."""
    if is_same(sluice, peer):
        return "same"
    if is_later(sluice, peer):
        return "later"
    at = common(sluice, peer)
    for difference in DIFFERENCES:
        if difference.peer == name and difference.rule(sluice, peer, wsproto, at):
            return difference.name
    return None


def judge(sluice, ws, wsproto):
    """Returns (class for ws, class for wsproto). A difference of ws is explained only when wsproto
    says what sluice says."""
    of_wsproto = explain(sluice, wsproto, "wsproto", wsproto)
    of_ws = explain(sluice, ws, "ws", wsproto)
    if of_wsproto is None and of_ws not in ("same", "later"):
        of_ws = None
    return of_ws, of_wsproto
