#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the same random client streams to sluice's decoder, Node's ws and Python's wsproto.

Every difference must be one of explained.py. A test is one kind of streams (streams.py), without
or with permessage-deflate. --show NUMBER prints what each decoder said about one stream.
"""

import argparse
import collections
import os
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import explained  # noqa: E402
import streams  # noqa: E402
import wsproto_receiver  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 4000
SHOWN_FAILURES = 5
SHOWN_CHARACTERS = 300


def encode(stream):
    """Writes a stream as decode.c and receiver.js read it."""
    out = [bytes([stream.is_deflate, stream.client_bits, stream.is_no_takeover, 0]),
           struct.pack("<I", len(stream.chunks))]
    for chunk in stream.chunks:
        out += [struct.pack("<I", len(chunk)), chunk]
    return b"".join(out)


def environment():
    """Returns an environment with the places of Debian's and `make test-deps`' Node modules."""
    root = os.path.dirname(os.path.dirname(HERE))
    places = ["/usr/share/nodejs", os.path.join(root, "build/node/node_modules"),
              os.environ.get("NODE_PATH", "")]
    return {**os.environ, "NODE_PATH": ":".join(filter(None, places))}


def ask(command, data):
    """Returns the verdicts of a program that prints events."""
    done = subprocess.run(command, input=data, capture_output=True, env=environment())
    if done.returncode:
        print("%s ended with %d\n%s" % (command[0], done.returncode,
                                        done.stderr.decode("utf-8", "replace")))
        print("0 passed, 1 failed", flush=True)
        sys.exit(1)
    verdicts, events, tail = [], [], None
    for line in done.stdout.decode().splitlines():
        if line == "end":
            verdicts.append(explained.Verdict(events, tail))
            events, tail = [], None
        elif line == "tail":
            tail = []
        else:
            (events if tail is None else tail).append(line)
    return verdicts


def ask_wsproto(stream):
    got = wsproto_receiver.decode(stream)
    return explained.Verdict(got.events, got.tail, got.facts)


class Count:
    """The results of one kind of streams."""

    def __init__(self):
        self.streams, self.classes, self.failures = 0, collections.Counter(), []


def brief(events):
    return [event if len(event) <= SHOWN_CHARACTERS
            else "%s... (%d)" % (event[:SHOWN_CHARACTERS], len(event)) for event in events]


def show(number, stream, verdicts):
    print("    stream %d: %s, %d bytes%s" % (
        number, stream.kind, len(stream.data),
        ", deflate with a window of %d bits%s" % (
            stream.client_bits, ", no takeover" if stream.is_no_takeover else "")
        if stream.is_deflate else ""))
    for name, verdict in zip(("sluice", "ws", "wsproto"), verdicts):
        print("      %-8s %s%s%s" % (
            name, brief(verdict.events), " then %s" % brief(verdict.tail) if verdict.tail else "",
            " %s" % verdict.facts if verdict.facts else ""))
    print("      chunks: %s" % " ".join(brief([chunk.hex() for chunk in stream.chunks])[:100]))


def run_batch(options, numbers, is_deflate, counts, totals):
    made = [streams.make(options.seed, number, is_deflate) for number in numbers]
    data = b"".join(map(encode, made))
    of_sluice = ask([options.decoder], data)
    of_ws = ask(["node", os.path.join(HERE, "receiver.js")], data)
    assert len(of_sluice) == len(of_ws) == len(made), "a decoder lost a stream"
    for number, stream, sluice, ws in zip(numbers, made, of_sluice, of_ws):
        wsproto = ask_wsproto(stream)
        verdicts = (sluice, ws, wsproto)
        found = explained.judge(*verdicts)
        count = counts[stream.kind]
        count.streams += 1
        for peer, name in zip(("ws", "wsproto"), found):
            totals[peer, name or "unexplained"] += 1
            count.classes[name != "same"] += 1
        if None in found:
            count.failures.append((number, stream, verdicts))
        if options.show is not None:
            show(number, stream, verdicts)
            print("      ws: %s; wsproto: %s" % found)


def report(counts, word):
    """Prints one line for each kind. Returns how many kinds failed."""
    failed = 0
    for kind, count in counts.items():
        name = "%s.%s" % (word, kind)
        differ = count.classes[True]
        if not count.failures:
            print("ok %s: %d streams, %d explained differences" % (name, count.streams, differ))
            continue
        failed += 1
        print("FAIL %s: %d of %d streams differ without an explanation" % (
            name, len(count.failures), count.streams))
        for failure in count.failures[:SHOWN_FAILURES]:
            show(*failure)
    return failed


def run(options, is_deflate, totals):
    word = "deflate" if is_deflate else "plain"
    counts = collections.defaultdict(Count)
    if options.show is not None:
        numbers = range(options.show, options.show + 1)
    else:
        numbers = range(options.streams)
    for at in range(0, len(numbers), BATCH):
        run_batch(options, numbers[at:at + BATCH], is_deflate, counts, totals[word])
    return len(counts), report(counts, word)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--decoder", default="build/release/differential_decode", metavar="PATH",
                         help="sluice's decoder: decode.c")
    options.add_argument("--streams", type=int, default=2000, metavar="N",
                         help="N without and N with compression (2000)")
    options.add_argument("--seed", type=int, default=1, metavar="N", help="another set of streams")
    options.add_argument("--only", choices=("plain", "deflate"), help="one of the two")
    options.add_argument("--show", type=int, metavar="NUMBER",
                         help="what each decoder said about one stream")
    options = options.parse_args()
    began = time.monotonic()
    totals = {"plain": collections.Counter(), "deflate": collections.Counter()}
    kinds = failed = 0
    for is_deflate, word in ((False, "plain"), (True, "deflate")):
        if options.only in (None, word):
            ran, wrong = run(options, is_deflate, totals)
            kinds, failed = kinds + ran, failed + wrong
    for word, total in totals.items():
        for (peer, name), number in sorted(total.items()):
            print("%s, %s: %s %d" % (word, peer, name, number))
    print("%.1f s" % (time.monotonic() - began))
    print("%d passed, %d failed" % (kinds - failed, failed), flush=True)
    return 1 if failed or not kinds else 0


if __name__ == "__main__":
    sys.exit(main())
