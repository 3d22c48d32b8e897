#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault test: what happens to one side, in every order, against every kind of session.

A test is one combination of factors (factors.py). It plays a script of payload, Close,
close_notify, FIN, RST, silence and stalls on both sides of a real session. model.py says which
ending it must come to, README.md's endings table what each side must have seen then.
"""

import argparse
import asyncio
import collections
import os
import resource
import shutil
import socket
import ssl
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "fixture"))

import certs  # noqa: E402
import factors  # noqa: E402
import harness  # noqa: E402
import session  # noqa: E402
import table  # noqa: E402
from harness import TLS12, TLS13, Settings  # noqa: E402
from judge import Judge  # noqa: E402

BATCH = 2500  # combinations that one start of the program serves
AT_ONCE, SLOW_AT_ONCE = 32, 120
TRIES = 3
ADDRESS = "127.79.1.1"  # of backends: no other program dials it by mistake
SHOWN_FAILURES = 12


class Lines:
    """The session.end lines of a run, by their route: each combination has one of its own."""

    def __init__(self, program):
        self.program, self.taken = program, 0
        self.by_route = collections.defaultdict(list)
        self.waiting = {}

    def lines_of(self, route):
        return self.by_route.get(route, [])

    async def follow(self):
        while True:
            self.take()
            await asyncio.sleep(0.01)

    def take(self):
        events = self.program.log.events
        while self.taken < len(events):
            line = events[self.taken]
            self.taken += 1
            route = line.get("route")
            if line.get("event") == "session.end" and route:
                self.by_route[route].append(line)
                if route in self.waiting:
                    self.waiting[route].wake()


class Batch:
    """Some combinations and the program that serves them."""

    def __init__(self, test, combinations, judge):
        self.test, self.combinations, self.judge = test, combinations, judge
        self.failed, self.late = {}, []
        self.listeners = {}
        self.took = []

    def listen(self, c):
        """Returns the URL of a combination's backend, which listens from now on."""
        kind = c.row["kind"]
        if kind == "echo":
            self.listeners[c.number] = None
            return "echo:"
        if kind == "unix":
            listener = socket.socket(socket.AF_UNIX)
            path = self.test.path("b%d" % c.number)
            listener.bind(path)
            os.chmod(path, 0o777)
            url = "unix:" + path
        else:
            listener = socket.socket()
            listener.bind(("127.0.0.1" if kind == "name" else ADDRESS, 0))
            url = "%s://%s:%d" % ("tls" if kind == "tls" else "tcp",
                                  "localhost" if kind == "name" else ADDRESS,
                                  listener.getsockname()[1])
        if kind == "tls":
            certificate, _ = self.test.certificate()
            url += "\nbackend_name = localhost\nbackend_ca = " + certificate
        listener.setblocking(False)
        listener.listen(8)
        self.listeners[c.number] = listener
        return url

    def start(self):
        routes = {}
        for c in self.combinations:
            routes[c.route] = "%sbackend = %s\norigins = none, *\n" % (
                c.keys(harness.scale()), self.listen(c))
        self.program = self.test.gateway(**routes)
        self.lines = Lines(self.program)

    async def one(self, c, gate):
        async with gate:
            played = session.Played(c, self.program.ports, self.listeners[c.number], self.lines)
            played.judge = self.judge
            self.lines.waiting[c.route] = played
            try:
                await self.play(c, played)
            except (session.Missing, OSError) as error:
                self.fail(c, played, ["waited in vain for %s" % error])
            except Exception:  # a fault of the test fails this test alone
                self.failed[c.number] = (c, [traceback.format_exc()], [])
            finally:
                del self.lines.waiting[c.route]
                played.close()

    async def play(self, c, played):
        began = time.monotonic()
        await played.play(self.contexts)
        self.took.append((time.monotonic() - began, c.identity))
        faults = self.judge.verdict(played)
        if faults and (played.is_disturbed or self.is_late(c, played)):
            self.late.append(c)
        elif faults:
            self.fail(c, played, faults)

    def is_late(self, c, played):
        """The script took so long that its deadline may have passed meanwhile."""
        times = session.TIMES[c.profile]
        limit = min(times.values(), default=None)
        took = (played.scripted - played.opened) * 1000
        return c.profile in ("idle", "mute") and took > limit * harness.scale() / 2

    def fail(self, c, played, faults):
        self.failed[c.number] = (c, faults, self.story(played))

    def story(self, played):
        """Returns lines that tell what was wanted and what was seen."""
        out = []
        for outcome in played.c.outcomes()[:4]:
            out.append("may be: %s" % (outcome,))
        for who, side in (("client", played.client), ("backend", played.backend)):
            if side:
                out.append("%s: ended=%s sent=%d%s" % (
                    who, side.ended, side.sent_bytes, " reset by the test" if side.is_gone else ""))
        if played.client:
            out.append("client: %d messages of %d bytes, close=%s" % (
                len(played.client.messages), sum(len(p) for _, p in played.client.messages),
                played.client.close_code if played.client.has_close else "none"))
        if played.backend:
            out.append("backend: %d bytes" % len(played.backend.got))
        for line in self.lines.lines_of(played.c.route):
            out.append("log: " + " ".join("%s=%s" % item for item in line.items()))
        return out

    async def run(self):
        self.contexts = {
            "ws": None,
            "wss12": certs.context(Settings.certificates, high=TLS12),
            "wss13": certs.context(Settings.certificates, low=TLS13),
            "backend": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}
        self.contexts["backend"].load_cert_chain(*self.test.certificate())
        follower = asyncio.ensure_future(self.lines.follow())
        gates = {True: asyncio.Semaphore(SLOW_AT_ONCE), False: asyncio.Semaphore(AT_ONCE)}
        await asyncio.gather(*(self.one(c, gates[c.is_slow]) for c in sorted(
            self.combinations, key=lambda c: not c.is_slow)))
        follower.cancel()
        if self.is_verbose:
            for seconds, name in sorted(self.took)[:-6:-1]:
                print("%5.1f s %s" % (seconds, name))

    def warm_up(self):
        """Has a request answered, so that the worker is there with all it keeps."""
        with socket.create_connection(self.program.ports["plain"], 20) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while sock.recv(4096):
                pass

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.program.workers()[0]))

    def play_all(self):
        """Runs all of it. Returns faults that belong to no combination."""
        self.start()
        self.warm_up()
        worker, before = self.program.workers(), self.descriptors()
        asyncio.run(self.run())
        faults = []
        if self.program.workers() != worker:
            faults.append("the worker is another one")
        else:
            end = time.monotonic() + 10 * harness.scale()
            while self.descriptors() > before and time.monotonic() < end:
                time.sleep(0.05)
            after = self.descriptors()
            if after > before:
                faults.append("%d descriptors more than before" % (after - before))
        lines = self.program.log.find("session.end")
        if len({line["id"] for line in lines}) != len(lines):
            faults.append("two session.end lines with the same id")
        self.program.stop()
        return faults


def run_batch(options, directory, combinations, judge):
    """Returns (failed, late, faults of the batch)."""
    test = harness.Test(tempfile.mkdtemp(dir=directory))
    os.chmod(test.dir, 0o755)
    batch = Batch(test, combinations, judge)
    batch.is_verbose = options.verbose
    try:
        faults = batch.play_all()
        test.finish()
    except BaseException:
        test.tell()
        test.abandon()
        raise
    return batch.failed, batch.late, faults


def tell(c, faults, story):
    print("FAIL %s" % c.identity)
    for fault in faults:
        print("    %s" % fault)
    for line in story:
        print("      %s" % line[:600])


def run(options, rows, directory):
    judge = Judge(table.read(HERE.parent.parent / "README.md"))
    todo = [session.Combination(row, number) for number, row in enumerate(rows)]
    failed, others = {}, []
    for attempt in range(TRIES):
        late = []
        for at in range(0, len(todo), BATCH):
            began = time.monotonic()
            got = run_batch(options, directory, todo[at:at + BATCH], judge)
            if options.verbose:
                print("try %d: %d played, %d failed, %d again, %.1f s" % (
                    attempt + 1, len(todo[at:at + BATCH]), len(got[0]), len(got[1]),
                    time.monotonic() - began))
            failed.update(got[0])
            late += got[1]
            others += got[2]
        todo = late
        if not todo:
            break
    for c in todo:
        why = ("disturbed %d times: a deadline passed before the script was played, or somebody "
               "dialled the backend twice" % TRIES)
        failed[c.number] = (c, [why], [])
    for shown, (c, faults, story) in enumerate(failed.values()):
        if shown < SHOWN_FAILURES or options.verbose:
            tell(c, faults, story)
        else:
            print("FAIL %s: %s" % (c.identity, faults[0]))
    for fault in others:
        print("FAIL the run as a whole: %s" % fault)
    return len(failed) + len(others)


def select(options):
    if options.only:
        return [factors.of_identity(text) for text in options.only]
    rows = factors.everything() if options.all else factors.pairwise()
    if options.k:
        rows = [row for row in rows if options.k in factors.identity(row)]
    return rows


def raise_limit():
    """Each combination has a listening socket of its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sluice", default="build/sluice", metavar="PATH")
    parser.add_argument("--all", action="store_true",
                        help="every script of either side in every kind of session")
    parser.add_argument("--only", nargs="+", metavar="ID", help="these combinations, by name")
    parser.add_argument("-k", metavar="PATTERN", help="those with this in their name")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("-v", "--verbose", action="store_true",
                        help="tell all of each failure, and what took longest")
    options = parser.parse_args()
    rows = select(options)
    if options.list:
        print("\n".join(map(factors.identity, rows)))
        return 0
    Settings.program = os.path.abspath(options.sluice)
    with open(Settings.program, "rb") as file:
        Settings.is_asan = b"__asan_init" in file.read()
    raise_limit()
    directory = tempfile.mkdtemp(prefix="sluice-faults-")
    os.chmod(directory, 0o755)
    began = time.monotonic()
    try:
        Settings.certificates = os.path.join(directory, "certificates")
        os.mkdir(Settings.certificates)
        os.chmod(Settings.certificates, 0o755)
        certs.make(Settings.certificates)
        failed = run(options, rows, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("%.1f s" % (time.monotonic() - began))
    print("%d passed, %d failed" % (max(0, len(rows) - failed), failed), flush=True)
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
