# SPDX-License-Identifier: GPL-3.0-or-later
"""The works that the benchmark measures, and how it takes one sample of each.

CPU is the user and system time of all processes of the proxy while the load runs. Before that, the
load opens its connections and warms them up, unless opening is the work.
"""
import contextlib
import time
from dataclasses import dataclass, field

import group
import lines
import machine
from loads import Backend, Load
from servers import Failed

EVERYBODY = ("sluice", "haproxy", "nginx", "lighttpd", "websockify")
NOT_PYTHON = EVERYBODY[:4]
RELAYS = EVERYBODY[:3]
OURS = EVERYBODY[:1]

# figure -> (unit, digits)
FIGURES = {"cpu_gb": ("CPU s/GB", 3), "cpu_us": ("CPU µs/message", 2), "p50": ("p50 µs", 0),
           "p99": ("p99 µs", 0), "cpu_ms": ("CPU ms", 3), "kib": ("KiB/session", 2),
           "age50": ("age p50 ms", 0), "age90": ("age p90 ms", 0), "age99": ("age p99 ms", 0),
           "mbit": ("Mbit/s", 2),
           "held": ("KiB/session, process and kernel", 1), "own": ("of these process", 1),
           "kernel": ("of these kernel", 1), "machine": ("TCP of the machine, more MiB", 1),
           "uneven": ("busiest worker ÷ even share", 3)}


MORE_IS_BETTER = ("mbit",)


@dataclass(frozen=True)
class Work:
    key: str
    title: str
    mode: str
    figures: tuple
    options: dict
    is_tls: bool = True
    servers: tuple = EVERYBODY
    slow: float = 0.1  # websockify gets this part of the amount
    quick: float = 0.0  # QUICK=1 gets this part of it; 0 = the work is left out
    workers: int = 1
    has_bulk: bool = False  # meanwhile another session moves data at full speed
    sessions: int = 1
    line: str = ""  # of lines.py, between the proxy and the load generator; "" = loopback
    latency: str = ""  # sluice's key
    pings: str = "0"  # its `ping_interval`
    is_grouped: bool = False  # the proxy is in a cgroup, which tells the kernel's memory
    is_tls_out: bool = False  # the backend speaks TLS too, and is verified
    rounds: int = 100  # the work is done after so many
    is_in_short: bool = False  # a row of the README's table

    def runs_on(self, server, limit):
        """Says whether this server takes part. It needs two descriptors a session."""
        name = "sluice" if server.name == "before" and not self.latency else server.name
        return (name in self.servers and 2 * self.sessions + 200 <= limit and
                (server.can_resume or "resume" not in self.options))

    def is_due(self, server, is_quick, round_number):
        """websockify is slow: a quick run measures it once, and so does a run over a line."""
        once = server.name == "websockify" and (is_quick or self.line)
        return round_number <= (1 if once else self.rounds)

    def options_for(self, server_name, is_quick):
        part = self.slow if server_name == "websockify" else 1
        options = dict(self.options)
        if self.mode == "idle":  # all of them also in a quick run: they share the fixed cost
            options["connections"] = int(options["connections"] * part)
        if is_quick:
            part *= self.quick or 0.3  # -k asked for this work by name
        for name in ("bytes", "messages"):
            if name in options:
                options[name] = max(int(options[name] * part), options.get("connections", 1), 10)
        if "seconds" in options and is_quick:
            options["seconds"] = max(1, round(options["seconds"] * (self.quick or 0.3)))
        return options


LINE_ROUNDS = 3  # works over a line take long, and little of what they show is noise
MB = 1_000_000
KIB = 1024


def _bulk(scheme):
    """Works in which only bytes count."""
    is_tls = scheme == "wss"
    amount = 500 * MB if is_tls else 800 * MB
    common = {"is_tls": is_tls, "figures": ("cpu_gb",)}
    echo = {"message": 16 * KIB, "in-flight": 512 * KIB, "warm": 8 * MB, "bytes": amount}
    yield Work(f"{scheme}-echo-16k", f"{scheme} echo, 16 KiB messages, 512 KiB in flight", "echo",
               options=echo, quick=0.3, is_in_short=True, **common)
    yield Work(f"{scheme}-download-64k", f"{scheme} download, 64 KiB messages", "download",
               options={"warm": 8 * MB, "bytes": 2 * amount}, quick=0.3 if is_tls else 0,
               is_in_short=is_tls, **common)
    for size in (64, 1) if is_tls else (64,):
        yield Work(f"{scheme}-upload-{size}k", f"{scheme} upload, {size} KiB messages", "upload",
                   options={"message": size * KIB, "warm": 8 * MB, "bytes": 2 * amount},
                   quick=0.3 if is_tls and size == 64 else 0, slow=0.1 if size == 64 else 0.02,
                   is_in_short=is_tls and size == 64, **common)
    yield Work(f"{scheme}-echo-64", f"{scheme} echo of 64-byte messages, pipelined", "echo",
               options={**echo, "message": 64, "warm": 2 * MB, "bytes": 200 * MB}, slow=0.01,
               quick=0.3 if is_tls else 0, is_in_short=is_tls, **common)


def _trips():
    """Round trips, with 1 to 9,000 sessions."""
    # lighttpd stops accepting at nine tenths of its descriptors: for 9,000 sessions it needs more
    # than many machines allow.
    for count, messages, quick in ((1, 30000, 0), (10, 50000, 0), (100, 60000, 0.5),
                                   (1000, 60000, 0), (9000, 90000, 0)):
        yield Work(f"wss-trip-{count}", f"wss round trip, 128 B on {count:,} connection"
                   f"{'s' if count > 1 else ''}", "trip",
                   ("cpu_us", "p50", "p99"),
                   {"connections": count, "message": 128, "messages": messages},
                   servers={1: EVERYBODY, 100: EVERYBODY, 9000: RELAYS}.get(count, NOT_PYTHON),
                   quick=quick, sessions=count, is_in_short=count in (100, 1000))


def _opens():
    options = {"messages": 1500, "concurrency": 4}
    yield Work("wss-open-full", "full TLS handshake + upgrade + backend connect + first byte",
               "open", ("cpu_ms", "p50"), options, quick=0.3, is_in_short=True)
    yield Work("wss-open-resumed", "the same with a resumed handshake", "open",
               ("cpu_ms", "p50"), {**options, "resume": True})


def _tls_out():
    """TLS on both sides: the proxy verifies its backend, and may resume."""
    common = {"servers": RELAYS, "is_tls_out": True}
    yield Work("wss-tls-echo-16k", "wss in, tls out: echo, 16 KiB messages, 512 KiB in flight",
               "echo", ("cpu_gb",), {"message": 16 * KIB, "in-flight": 512 * KIB, "warm": 8 * MB,
                                     "bytes": 500 * MB}, quick=0.3, is_in_short=True, **common)
    yield Work("wss-tls-download-64k", "wss in, tls out: download, 64 KiB messages", "download",
               ("cpu_gb",), {"warm": 8 * MB, "bytes": 1000 * MB}, **common)
    yield Work("wss-tls-upload-64k", "wss in, tls out: upload, 64 KiB messages", "upload",
               ("cpu_gb",), {"message": 64 * KIB, "warm": 8 * MB, "bytes": 1000 * MB}, **common)
    yield Work("wss-tls-trip-100", "wss in, tls out: round trip, 128 B on 100 connections", "trip",
               ("cpu_us", "p50", "p99"), {"connections": 100, "message": 128, "messages": 60000},
               sessions=100, **common)
    yield Work("wss-tls-open", "full TLS handshake + upgrade + resumed TLS with the backend + "
               "first byte", "open", ("cpu_ms", "p50"), {"messages": 1500, "concurrency": 4},
               **common)


def _idle():
    for scheme in ("wss", "ws"):
        yield Work(f"{scheme}-idle", f"idle {scheme} session", "idle", ("kib",),
                   {"connections": 2000}, is_tls=scheme == "wss", quick=1 if scheme == "wss" else 0,
                   sessions=2000, is_in_short=True)


def _idle_whole():
    """What idle sessions cost in all: the kernel's memory too, and the time for Pings."""
    for scheme in ("wss", "ws"):
        yield Work(f"{scheme}-idle-whole", f"9,000 idle {scheme} sessions, in a cgroup", "idle",
                   ("held", "own", "kernel"), {"connections": 9000}, is_tls=scheme == "wss",
                   servers=RELAYS, sessions=9000, is_grouped=True, rounds=LINE_ROUNDS)
        yield Work(f"{scheme}-idle-ping", f"9,000 idle {scheme} sessions with a Ping each 5 s",
                   "rest", ("cpu_us",), {"connections": 9000, "seconds": 20},
                   is_tls=scheme == "wss", servers=OURS, sessions=9000, pings="5s",
                   rounds=LINE_ROUNDS)


def _beside():
    """How sessions delay each other."""
    # These runs are long, because the p99 of one second says little.
    busy = {"connections": 100, "message": 128, "messages": 240000}
    yield Work("wss-busy-alone", "100 busy wss sessions", "trip", ("p99", "cpu_us"), busy,
               servers=OURS, sessions=100)
    yield Work("wss-busy-idle", "the same beside 9,000 idle ones", "trip", ("p99", "cpu_us"),
               {**busy, "idle": 9000}, servers=OURS, sessions=9100)
    quiet = {"connections": 100, "message": 128, "messages": 8000, "think-us": 25000}
    yield Work("wss-quiet-alone", "100 quiet wss sessions", "trip", ("p99", "p50"), quiet,
               servers=NOT_PYTHON, sessions=100)
    yield Work("wss-quiet-bulk", "the same beside one at full speed (16 KiB echo)", "trip",
               ("p99", "p50"), quiet, servers=NOT_PYTHON, sessions=100, has_bulk=True)


def _workers():
    options = {"connections": 1000, "message": 16 * KIB, "in-flight": 16 * KIB, "warm": 32 * KIB,
               "bytes": 500 * KIB}
    for count in (1, 2):
        yield Work(f"wss-workers-{count}", f"1,000 wss sessions, 16 KiB echo, {count} worker"
                   f"{'s' if count > 1 else ''}", "echo",
                   ("cpu_gb", "uneven") if count > 1 else ("cpu_gb",), options, servers=OURS,
                   workers=count, sessions=1000)


def _ages():
    """How old the bytes of a backend that never stops are when they arrive over a slow line."""
    options = {"warm-ms": 3000, "seconds": 8}
    for scheme in ("wss", "ws"):
        common = {"mode": "age", "figures": ("age50", "age90", "age99", "mbit"),
                  "options": options, "is_tls": scheme == "wss", "rounds": LINE_ROUNDS}
        yield Work(f"{scheme}-age", f"{scheme} download over 20 Mbit/s and 50 ms", line="slow",
                   **common)
        yield Work(f"{scheme}-age-low", "the same, latency = low", line="slow", servers=OURS,
                   latency="low", **common)
    common["is_tls"] = True
    yield Work("wss-age-reno", "wss download over 20 Mbit/s and 50 ms, Reno", line="slow-reno",
               servers=RELAYS, **common)
    yield Work("wss-age-reno-low", "the same, latency = low", line="slow-reno", servers=OURS,
               latency="low", **common)


def _stalls():
    """What waits in proxy and kernel when one side does not read."""
    for scheme, count, mode in (("wss", 1, "stall"), ("wss", 1000, "stall"), ("ws", 1, "stall"),
                                ("wss", 1, "stall-up"), ("wss", 1000, "stall-up")):
        what = "page" if mode == "stall" else "backend"
        common = {"mode": mode, "figures": ("held", "own", "kernel", "machine"),
                  "options": {"connections": count, "buffer": 16 * KIB, "warm": 16 * KIB},
                  "is_tls": scheme == "wss", "sessions": count, "rounds": LINE_ROUNDS}
        key = f"{scheme}-{mode}-{count}"
        title = (f"{count:,} {scheme} session{'s' if count > 1 else ''} with a {what} that reads "
                 "nothing")
        yield Work(key, title, servers=RELAYS, **common)
        yield Work(f"{key}-low", "the same, latency = low", servers=OURS, latency="low", **common)


def _speeds():
    """How fast one session is over lines that need large windows."""
    texts = {"far": "200 Mbit/s and 50 ms", "lossy": "1 Gbit/s, 10 ms and 0.1 % loss"}
    for scheme, line, mode, amount in (("wss", "far", "download", 150 * MB),
                                       ("wss", "far", "upload", 150 * MB),
                                       ("ws", "far", "download", 150 * MB),
                                       ("wss", "lossy", "download", 400 * MB),
                                       ("wss", "lossy", "upload", 400 * MB),
                                       ("ws", "lossy", "download", 400 * MB)):
        common = {"mode": mode, "figures": ("mbit", "cpu_gb"), "line": line,
                  "is_tls": scheme == "wss", "rounds": LINE_ROUNDS,
                  "options": {"message": 64 * KIB, "warm": 20 * MB, "bytes": amount}}
        key = f"{scheme}-{line}-{mode}"
        yield Work(key, f"{scheme} {mode} over {texts[line]}", servers=RELAYS, **common)
        if scheme == "wss":
            yield Work(f"{key}-low", "the same, latency = low", servers=OURS, latency="low",
                       **common)


WORKS = (*_bulk("wss"), *_bulk("ws"), *_trips(), *_opens(), *_tls_out(), *_idle(), *_idle_whole(),
         *_beside(), *_workers(), *_ages(), *_speeds(), *_stalls())


@dataclass
class Bench:
    """The paths of the programs, and the cores where they run."""
    load: str
    backend: str
    certificate: str
    is_quick: bool
    proxy_core: int
    load_core: int
    second_core: int
    programs: dict = field(default_factory=dict)  # server name -> path


def _evenness(server, before):
    """Returns the busiest worker's descriptors divided by an even share of them."""
    now = machine.descriptors(server.process.pid)
    counts = [now[pid] - before.get(pid, 0) for pid in now]
    return max(counts) * len(counts) / sum(counts) if sum(counts) > 0 else 0


def _figures(work, result, cpu_ns, kib, kernel_kib, machine_kib, uneven):
    per_message = cpu_ns / max(result["messages"], 1)
    every = {"cpu_gb": cpu_ns / max(result["bytes"], 1), "cpu_us": per_message / 1e3,
             "cpu_ms": per_message / 1e6, "p50": result["p50_us"], "p99": result["p99_us"],
             "kib": kib, "uneven": uneven,
             "held": kib + kernel_kib, "own": kib, "kernel": kernel_kib,
             "machine": machine_kib / 1024,
             "age50": result["p50_us"] / 1e3, "age90": result["p90_us"] / 1e3,
             "age99": result["p99_us"] / 1e3,
             "mbit": result["bytes"] * 8 / max(result["seconds"], 1e-6) / 1e6}
    return {name: every[name] for name in work.figures}


class Sample:
    """Takes one sample: one work on one server in new processes."""

    def __init__(self, bench, work, kind):
        self.bench = bench
        self.work = work
        self.kind = kind
        self.line = None
        self.group = None
        self.running = []  # take() stops these in the reverse order

    def take(self):
        try:
            return self._take()
        finally:
            while self.running:
                self.running.pop().stop()

    def _backend(self, is_background=False):
        backend = Backend(self.bench.backend, self.bench.load_core, is_background,
                          self.bench.certificate if self.work.is_tls_out else None)
        self.running.append(backend)
        return backend

    def _load(self, server, mode, options, is_bulk=False):
        with self.line.at_far_end() if self.line else contextlib.nullcontext():
            load = Load(self.bench.load, self.bench.load_core, server, mode, options, is_bulk)
        self.running.append(load)
        load.ready()
        return load

    def _server(self, backends):
        pin = {self.bench.proxy_core}
        if self.work.workers > 1:
            pin.add(self.bench.second_core)
        server = self.kind(self.bench.programs[self.kind.name], self.bench.certificate,
                           self.work.is_tls, [b.port for b in backends], self.work.workers,
                           lines.ADDRESS if self.line else "127.0.0.1", self.work.latency,
                           self.work.is_tls_out, self.work.pings)
        if self.work.is_grouped:
            self.group = group.Group()
            self.running.append(self.group)
        self.running.append(server)
        server.start(pin, self.group)
        time.sleep(0.1)  # the server may finish its start, which is not the work
        return server

    def _first_session(self, server):
        """What a proxy allocates once, for its first session, is not the next session's memory."""
        load = self._load(server, "open", {})
        load.go()
        load.result()
        self.running.remove(load)
        load.stop()

    def _take(self):
        work = self.work
        if work.line:
            self.line = lines.Line(self.bench.certificate, work.line)
            self.running.append(self.line)
        backends = [self._backend()]
        if work.has_bulk:
            backends.append(self._backend(is_background=True))
        server = self._server(backends)
        root = server.process.pid
        is_stall = work.mode.startswith("stall")
        if is_stall or self.group:
            self._first_session(server)
        machine_before = machine.tcp_kib()
        group_before = self.group.kernel_kib() if self.group else 0
        pages = "Pss_Anon" if is_stall else "Pss"
        kib_before = machine.pss_kib(root, pages)
        descriptors_before = machine.descriptors(root)
        options = work.options_for(self.kind.name, self.bench.is_quick)
        load = self._load(server, work.mode, options)
        bulk = None
        if work.has_bulk:
            bulk = self._load(server, "echo", {"message": 16 * KIB, "warm": MB,
                                               "bytes": 10 ** 15}, is_bulk=True)
            bulk.go()
        time.sleep(0.2 if work.mode == "idle" or bulk else 0.02)
        connections = options.get("connections", 1)
        kernel_kib = machine.settled(lambda: machine.socket_kib(
            server.port(), backends[0].port), 20) / connections if is_stall else 0
        if self.group:
            kernel_kib = (self.group.kernel_kib() - group_before) / connections
        machine_kib = machine.tcp_kib() - machine_before
        kib = (machine.pss_kib(root, pages) - kib_before) / connections
        uneven = _evenness(server, descriptors_before)

        cpu_before, ticks_before = machine.cpu_ns(root), machine.core_ticks(self.bench.proxy_core)
        load.go()
        result = load.result()
        time.sleep(0.02)  # the proxy does what is left; its waiting costs no CPU time
        cpu_ns = machine.cpu_ns(root) - cpu_before
        ticks = machine.core_ticks(self.bench.proxy_core)
        sample = {"figures": _figures(work, result, cpu_ns, kib, kernel_kib, machine_kib,
                                      uneven),
                  "cpu_s": cpu_ns / 1e9, "seconds": result["seconds"],
                  "bytes": result["bytes"], "messages": result["messages"]}
        sample.update(self._noise(ticks_before, ticks, cpu_ns))
        if bulk:
            bulk.end_input()
            moved = bulk.result()
            sample["bulk_mb_s"] = moved["bytes"] / moved["seconds"] / 1e6
        self._check(sample)
        return sample

    @staticmethod
    def _noise(before, after, cpu_ns):
        """Returns the parts of the proxy's core that other processes used and the host took."""
        busy, stolen, total = (b - a for a, b in zip(before, after))
        if total <= 0:
            return {"others": 0.0, "stolen": 0.0}
        others = max(0.0, busy - cpu_ns / machine.TICK_NS)
        return {"others": round(others / total, 3), "stolen": round(stolen / total, 3)}

    def _check(self, sample):
        """Checks the clock; the load generator checks the content."""
        if self.work.mode not in ("idle", "stall", "stall-up") and sample["cpu_s"] <= 0:
            raise Failed("the proxy used no CPU time; is this process tree the right one?")
        if sample["cpu_s"] > 1.5 * (sample["seconds"] + 0.1) * self.work.workers:
            raise Failed(f"{sample['cpu_s']:.2f} s of CPU in {sample['seconds']:.2f} s")
