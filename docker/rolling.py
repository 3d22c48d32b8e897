#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearses a rolling deploy: rolling.py [--sluice PROGRAM] [--next PROGRAM] [--root DIRECTORY]

Three gateways in network namespaces of their own stand behind HAProxy (tcp mode, health checks on
/readyz). Under load each in turn gets SIGTERM, drains, and is replaced by the next version. Nobody
may be refused, every session that did not end by itself must have been told so (Close 1001 or
1012), and every other message must have come back. Then one gateway is killed, to show that this
measures.

--root is the root of an unpacked image, whose program then runs in it. Needs root, HAProxy,
iproute2 and Python's websockets. All that it makes is inside namespaces, and goes with them.
"""
import argparse
import asyncio
import collections
import contextlib
import csv
import io
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

import websockets

GATEWAYS = 3
SESSIONS = 300
FRONT = "10.232.0.1"
PRE_DRAIN, DRAIN = 3, 4  # seconds
TOLD = (1001, 1012)
WAIT = 60  # seconds, for what takes one

INI = """[server]
workers = 2
pre_drain = {pre_drain}s
drain_timeout = {drain}s
[listen public]
address = {address}:8443
tls_certificate = {place}/fullchain.pem
tls_key = {place}/privkey.pem
[health]
address = {address}:9090
hosts = {address}
[route echo]
path = /echo
origins = https://app.example.com
subprotocols = binary
backend = tcp://{front}:7000
"""

HAPROXY = """global
    maxconn 4000
    stats socket {work}/haproxy.sock mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    retries 3
    option redispatch
frontend public
    bind {front}:8443
    default_backend gateways
backend gateways
    balance roundrobin
    option httpchk GET /readyz
    default-server check port 9090 inter 500ms fall 2 rise 1
{servers}
"""


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=WAIT)


async def until(is_so, what):
    end = time.monotonic() + WAIT
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain until " + what)
        await asyncio.sleep(0.05)


class Gateway:
    """One place of a gateway: a namespace with an address, and the program that runs there."""

    def __init__(self, number, world):
        self.number, self.world, self.process = number, world, None
        self.address = "10.232.0.%d" % (10 + number)
        self.namespace = "sluice-%d-%d" % (os.getpid(), number)
        self.log = world.work / ("gateway-%d.log" % number)
        ini = INI.format(pre_drain=PRE_DRAIN, drain=DRAIN, address=self.address, front=FRONT,
                         place=world.place)
        (world.work / ("gateway-%d.ini" % number)).write_text(ini)

    def plug_in(self):
        cable, far = "cable%d" % self.number, "far%d" % self.number
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", far,
            "netns", self.namespace)
        run("ip", "link", "set", cable, "master", "bridge", "up")
        inside = ("ip", "-n", self.namespace)
        run(*inside, "address", "add", self.address + "/24", "dev", far)
        run(*inside, "link", "set", far, "up")
        run(*inside, "link", "set", "lo", "up")

    def start(self, program):
        """Starts it as a container does: as user 990, without any right."""
        right = ["setpriv", "--reuid", "990", "--regid", "990", "--clear-groups", "--no-new-privs",
                 "--bounding-set=-all"]
        chroot = ["chroot", self.world.root] if self.world.root else []
        ini = "%s/gateway-%d.ini" % (self.world.place, self.number)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *chroot, *right, program, "-c", ini],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("gateway %d has ended: %s" % (self.number, self.log.read_text()))
        try:
            with urllib.request.urlopen("http://%s:9090/readyz" % self.address, timeout=2) as got:
                return got.status == 200
        except OSError:
            return False

    def kill(self):
        """All at once, as when a machine dies; nobody is told."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(WAIT)

    def unplug(self):
        if self.process and self.process.poll() is None:
            self.kill()
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False)


class World:
    """The bridge, HAProxy, the service behind, and the gateways."""

    def __init__(self, work, root):
        self.work, self.root = work, root
        # Where the program sees the directory: an image has /run/sluice.
        self.place = "/run/sluice" if root else str(work)
        self.gateways = []
        self.haproxy = None

    def make(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", str(self.work / "privkey.pem"),
            "-out", str(self.work / "fullchain.pem"))
        os.chown(self.work / "privkey.pem", 990, 990)
        os.chmod(self.work, 0o755)
        if self.root:
            os.makedirs(self.root + self.place, exist_ok=True)
            run("mount", "--bind", str(self.work), self.root + self.place)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "bridge", "type", "bridge")
        run("ip", "address", "add", FRONT + "/24", "dev", "bridge")
        run("ip", "link", "set", "bridge", "up")
        for number in range(1, GATEWAYS + 1):
            self.gateways.append(Gateway(number, self))
            self.gateways[-1].plug_in()

    def start_haproxy(self):
        servers = "\n".join("    server g%d %s:8443" % (g.number, g.address) for g in self.gateways)
        config = self.work / "haproxy.cfg"
        config.write_text(HAPROXY.format(work=self.work, front=FRONT, servers=servers))
        with open(self.work / "haproxy.log", "wb") as log:
            self.haproxy = subprocess.Popen(["haproxy", "-f", str(config), "-db"], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)

    def is_up(self, gateway):
        """What HAProxy thinks of a gateway."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            try:
                s.connect(str(self.work / "haproxy.sock"))
            except OSError:
                return False
            s.sendall(b"show stat\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        name = "g%d" % gateway.number
        rows = csv.DictReader(io.StringIO(text.lstrip("# ")))
        return any((row["svname"], row["status"]) == (name, "UP") for row in rows)

    def close(self):
        for gateway in self.gateways:
            gateway.unplug()
        if self.haproxy:
            self.haproxy.kill()
            self.haproxy.wait(WAIT)


class Load:
    """Pages that come and go, and what became of their sessions."""

    def __init__(self, world):
        self.context = ssl.create_default_context(cafile=str(world.work / "fullchain.pem"))
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.counts = collections.Counter()
        self.faults = []
        self.is_over = False
        self.open = 0

    def begin(self):
        self.counts.clear()
        self.faults.clear()

    def fault(self, kind, text):
        self.counts[kind] += 1
        self.faults.append("%s: %s" % (kind, text))

    async def connect(self):
        return await asyncio.wait_for(
            websockets.connect("wss://%s:8443/echo" % FRONT, ssl=self.context,
                               server_hostname="localhost", subprotocols=["binary"],
                               origin="https://app.example.com", ping_interval=None,
                               compression=None), WAIT)

    async def talk(self, page, socket_):
        """Sends counters until the page has enough. Each must come back before the next goes."""
        end = time.monotonic() + random.expovariate(1 / 6)
        number = 0
        while not self.is_over and (number < 2 or time.monotonic() < end):
            number += 1
            sent = b"%d-%d " % (page, number) + os.urandom(random.randrange(3000))
            await socket_.send(sent)
            self.counts["messages"] += 1
            got = b""
            while len(got) < len(sent):  # a message may come back in parts
                got += await asyncio.wait_for(socket_.recv(), WAIT)
            if got != sent:
                raise AssertionError("page %d: another message came back" % page)
            self.counts["echoes"] += 1
            await asyncio.sleep(random.uniform(0.1, 0.7))
        await socket_.close()
        self.counts["ended by themselves"] += 1

    async def session(self, page):
        try:
            socket_ = await self.connect()
        except Exception as error:
            self.fault("refused", repr(error))
            await asyncio.sleep(0.2)
            return
        self.counts["sessions"] += 1
        self.open += 1
        try:
            await self.talk(page, socket_)
        except websockets.ConnectionClosed as ending:
            code = ending.rcvd.code if ending.rcvd else 1006
            if code in TOLD:
                self.counts["told %d" % code] += 1
                # As the kit for pages does: everybody at another time.
                await asyncio.sleep(random.uniform(0, 1))
            else:
                self.fault("cut off", "close code %d" % code)
        except (AssertionError, asyncio.TimeoutError, OSError) as error:
            self.fault("lost", repr(error))
        finally:
            self.open -= 1

    async def page(self, number):
        await asyncio.sleep(random.uniform(0, 3))
        while not self.is_over:
            await self.session(number)

    def report(self, what):
        print("%s: %s" % (what, ", ".join(
            "%d %s" % (self.counts[key], key) for key in
            ("sessions", "refused", "told 1001", "told 1012", "cut off", "lost", "messages",
             "echoes", "ended by themselves"))), flush=True)
        for text, count in collections.Counter(self.faults).most_common(3):
            print("    %d times %s" % (count, text))


async def echo(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def replace(world, gateway, program):
    """One step of the deploy. HAProxy must know the new one before the next step."""
    gateway.process.terminate()
    await until(lambda: gateway.process.poll() is not None, "a gateway has drained")
    if gateway.process.returncode != 0:
        raise RuntimeError("gateway %d ended with %d"
                           % (gateway.number, gateway.process.returncode))
    gateway.start(program)
    await until(gateway.is_ready, "the next version is ready")
    await until(lambda: world.is_up(gateway), "HAProxy sends it sessions")


async def rehearse(world, args):
    checks = []
    backend = await asyncio.start_server(echo, FRONT, 7000, backlog=1000)
    for gateway in world.gateways:
        gateway.start(args.sluice)
    for gateway in world.gateways:
        await until(gateway.is_ready, "the gateways are ready")
    world.start_haproxy()
    for gateway in world.gateways:
        await until(lambda g=gateway: world.is_up(g), "HAProxy sees the gateways")
    load = Load(world)
    pages = [asyncio.create_task(load.page(number)) for number in range(SESSIONS)]
    await until(lambda: load.open >= SESSIONS * 3 // 4, "the pages have come")
    load.begin()
    for gateway in world.gateways:
        await replace(world, gateway, args.next or args.sluice)
    await asyncio.sleep(2)
    load.report("rolling deploy")
    counts = load.counts
    told = sum(counts["told %d" % code] for code in TOLD)
    checks += [("nobody is refused", counts["refused"] == 0),
               ("sessions of the old gateways are told", told > GATEWAYS),
               ("no session ends untold", counts["cut off"] == 0),
               ("each message comes back, or its session is told", counts["lost"] == 0),
               ("the pages are back", load.open >= SESSIONS // 2)]
    load.begin()
    world.gateways[0].kill()
    await asyncio.sleep(4)
    load.report("a gateway killed")
    checks += [("without the drain sessions are cut off", load.counts["cut off"] > 0)]
    load.is_over = True
    await asyncio.wait(pages, timeout=20)
    backend.close()
    return checks


def main():
    top = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sluice", help="the program; of a --root, its path there")
    parser.add_argument("--next", help="the next version; the same without it")
    parser.add_argument("--root", help="the root of an unpacked image")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.sluice = args.sluice or ("/usr/bin/sluice" if args.root else str(top / "build/sluice"))
    if not args.inside:
        os.execvp("unshare", ["unshare", "--net", "--mount", "--", sys.executable, __file__,
                              "--inside", *sys.argv[1:]])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="sluice-rolling-") as work:
        world = World(pathlib.Path(work), args.root)
        try:
            world.make()
            checks = asyncio.run(rehearse(world, args))
        finally:
            world.close()
            if world.root:
                subprocess.run(["umount", world.root + world.place], check=False)
    for name, is_so in checks:
        print("%s %s" % ("ok  " if is_so else "FAIL", name))
    failed = sum(not is_so for _, is_so in checks)
    print("%d passed, %d failed" % (len(checks) - failed, failed))
    sys.exit(1 if failed else 0)


main()
