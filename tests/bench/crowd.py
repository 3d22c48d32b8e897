#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sluice with as many idle wss sessions as asked for, from the first to the last.

    crowd.py --sluice build/sluice --tools build/bench [--sessions N] [--seconds N]

It opens the sessions, waits while they are idle, reloads a changed configuration, and stops sluice
by SIGTERM; each page must be told. It prints what each stage took, as a Markdown table. A process
may often open fewer descriptors than the sessions need: then there are more workers, backends and
load generators. README.md in this folder tells the rest.
"""
import argparse
import math
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import group  # noqa: E402
import machine  # noqa: E402
import servers  # noqa: E402
from loads import Backend, Load  # noqa: E402

PING_S = 30
DRAIN_S = 60
PORTS = 16000  # sessions of a backend, and of an address of the load: fewer than there are ports


class Crowd(servers.Sluice):
    """The defaults, but for `max_sessions`, `idle_timeout` and `drain_timeout`."""
    extra = ""

    def command(self):
        self.write_config()
        return [self.program, "-c", str(self.folder / "sluice.ini")]

    def write_config(self):
        backends = "".join(f"backend = tcp://127.0.0.1:{port}\n" for port in self.backends)
        self.write("sluice.ini",
                   f"[server]\nworkers = {self.workers}\nmax_sessions = {self.sessions}\n"
                   f"drain_timeout = {DRAIN_S}s\n"
                   f"[listen bench]\naddress = 0.0.0.0:{self.ports[0]}\n"
                   f"tls_certificate = {self.certificate}/cert.pem\n"
                   f"tls_key = {self.certificate}/key.pem\ntls_min_version = 1.3\n"
                   f"[route bench]\npath = /bench\n{backends}balance = least_sessions\n"
                   f"idle_timeout = 0\nping_interval = {PING_S}s\n{self.extra}")

    def logged(self, event):
        return f"event={event}" in (self.folder / "log").read_text(errors="replace")


class Run:
    """The stages; `rows` gets what they took."""

    def __init__(self, arguments, folder):
        self.count = arguments.sessions
        self.seconds = arguments.seconds
        self.tools = Path(arguments.tools).resolve()
        self.cores = machine.cores()
        self.rows = []
        self.running = []
        limit = machine.raise_descriptors(int(2.2 * self.count) + 1000)
        workers = max(2, math.ceil(2.3 * self.count / limit))
        parts = math.ceil(self.count / min(PORTS, limit - 1000))
        self.sizes = [self.count // parts + (i < self.count % parts) for i in range(parts)]
        backends = [self.keep(Backend(str(self.tools / "backend"), self.cores[1]))
                    for _ in self.sizes]
        self.group = self.keep(group.Group()) if not group.missing() else None
        self.server = Crowd(str(Path(arguments.sluice).resolve()), folder, True,
                            [b.port for b in backends], workers, "0.0.0.0")
        self.server.sessions = int(1.1 * self.count)
        self.keep(self.server).start({self.cores[0]}, self.group)
        self.loads = []
        self.tell("sessions, workers, descriptors a process", f"{self.count:,}, {workers}, {limit}")

    def keep(self, thing):
        self.running.append(thing)
        return thing

    def stop(self):
        while self.running:
            self.running.pop().stop()

    def tell(self, what, text):
        self.rows.append(f"| {what} | {text} |")
        print(self.rows[-1], flush=True)

    def root(self):
        return self.server.process.pid

    def memory(self):
        return (sum(machine.pss_kib(self.root(), f"Pss_{what}") for what in ("Anon", "Shmem")),
                self.group.kernel_kib() if self.group else 0)

    def timed(self, act):
        """Returns (seconds, CPU seconds) of what `act` does."""
        begin, cpu = time.monotonic(), machine.cpu_ns(self.root())
        act()
        return time.monotonic() - begin, (machine.cpu_ns(self.root()) - cpu) / 1e9

    def _open(self):
        for i, size in enumerate(self.sizes):
            self.server.address = f"127.0.0.{i + 1}"  # each has ports of its own
            load = Load(str(self.tools / "load"), self.cores[1], self.server, "rest",
                        {"connections": size, "seconds": 3600})
            self.loads.append(self.keep(load))
            load.ready()
            print(f"  {sum(self.sizes[:i + 1]):,} are open", file=sys.stderr, flush=True)

    def open(self):
        before = self.memory()
        seconds, cpu = self.timed(self._open)
        time.sleep(3)  # a second after a burst sluice gives memory back
        own, kernel = (now - then for now, then in zip(self.memory(), before))
        self.tell("opening them", f"{self.count / seconds:,.0f} a second; "
                  f"{1e3 * cpu / self.count:.2f} CPU ms each")
        self.tell("memory a session, process and kernel", f"{own / self.count:.2f} and "
                  f"{kernel / self.count:.2f} KiB; {(own + kernel) / 1024:,.0f} MiB in all")
        self.tell("of these the master", f"{machine.pss_kib_of(self.root(), 'Pss_Anon') / 1024:.1f}"
                  " MiB")

    def idle(self):
        time.sleep(PING_S)  # the first Pings have passed
        for load in self.loads:
            load.go()
        seconds, cpu = self.timed(lambda: time.sleep(self.seconds))
        pings = self.count * seconds / PING_S
        self.tell(f"idle, a Ping each {PING_S} s", f"{100 * cpu / seconds:.1f} % of a core; "
                  f"{1e6 * cpu / pings:.1f} CPU µs a Ping and its Pong")

    def reload(self):
        self.server.extra = "[route more]\npath = /more\nbackend = echo:\n"
        self.server.write_config()

        def act():
            self.server.process.send_signal(signal.SIGHUP)
            if not machine.wait_for(lambda: self.server.logged("reload.done"), 60, 0.002):
                raise servers.Failed("no reload.done")
        seconds, cpu = self.timed(act)
        self.tell("a reload (SIGHUP) that adds a route", f"{1e3 * seconds:.0f} ms, "
                  f"{1e3 * cpu:.0f} CPU ms")

    def drain(self):
        begin, cpu = time.monotonic(), machine.cpu_ns(self.root()) / 1e9
        self.server.process.send_signal(signal.SIGTERM)
        told = sum(load.result()["told"] for load in self.loads)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.server.process.wait(DRAIN_S)
        seconds = time.monotonic() - begin
        now = resource.getrusage(resource.RUSAGE_CHILDREN)  # with all of sluice's life
        cpu = now.ru_utime - before.ru_utime + now.ru_stime - before.ru_stime - cpu
        if told != self.count or self.server.process.returncode != 0:
            raise servers.Failed(f"{told} of {self.count} were told, and the exit code is "
                                 f"{self.server.process.returncode}")
        self.tell(f"SIGTERM, drain_timeout = {DRAIN_S}s", f"all {told:,} were told; exit 0 after "
                  f"{seconds:.1f} s; {1e6 * cpu / told:.0f} CPU µs each")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sluice", default="build/sluice")
    parser.add_argument("--tools", default="build/bench", help="where load and backend are")
    parser.add_argument("--sessions", type=int, default=50000)
    parser.add_argument("--seconds", type=int, default=60, help="how long they are idle")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    Load.DEADLINE = 3600
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    folder.chmod(0o755)
    run = None
    try:
        servers.make_certificate(folder)
        run = Run(arguments, folder)
        run.open()
        run.idle()
        run.reload()
        run.drain()
    except (servers.Failed, subprocess.TimeoutExpired) as failure:
        print(f"crowd: {failure}", file=sys.stderr)
        return 1
    finally:
        if run:
            run.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
