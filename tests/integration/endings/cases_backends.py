# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends that cannot be reached, and names: the reason in the log, and what is tried instead."""

import os
import resource
import socket
import time

from harness import Skip, case, equal, wait_until
from nameserver import GARBAGE, NO_DATA, NXDOMAIN, SERVFAIL, SILENT, Etc, NameServer
from peers import Backend

OLD, NEW = "127.0.0.2", "127.0.0.3"


def refused(p, path, code=1011):
    """A session that gets nowhere; returns its line in the log."""
    before = len(p.ends())
    c = p.client("plain").open(path)
    c.recv_close(code)
    c.wire.reset()
    return p.log.wait("session.end", before + 1)[-1]


def opened(p, path, backend):
    """A session that opens and ends; returns its line in the log."""
    before = len(p.ends())
    c = p.client("plain").open(path)
    backend.accept()
    c.wire.reset()
    return p.log.wait("session.end", before + 1)[-1]


def unix_socket(t, mode):
    path = t.path("mode-%o.sock" % mode)
    backend = Backend(path=path)
    t.cleanup(backend.close)
    os.chmod(path, mode)
    os.chmod(t.dir, 0o755)
    return backend.url


# Each reason by itself.

REASONS = [
    ("refused", lambda t: t.closed_port(), "backend_refused", "connection refused"),
    ("missing", lambda t: "unix:" + t.path("nothing.sock"), "backend_refused",
     "no such file: is the service running?"),
    ("permission", lambda t: unix_socket(t, 0o600), "backend_refused", "permission denied"),
    ("unreachable", lambda t: "tcp://192.0.2.1:22", "backend_refused", "network unreachable"),
    ("silent", lambda t: t.deaf().url, "backend_timeout", "no answer within connect_timeout"),
]


@case(rows=[(row[0], *row) for row in REASONS])
def reasons(t, name, make_url, word, detail):
    etc = Etc(t)  # in its network nothing but loopback can be reached
    etc.use(OLD)
    p = t.start(t.config(r="connect_timeout = 500ms\nbackend = " + make_url(t)),
                preexec_fn=etc.enter)
    line = refused(p, "/r")
    equal((line["ending"], line.get("detail")), (word, detail), "ending and detail")


NAMES = [
    ("no_such_name", NXDOMAIN, NXDOMAIN, "name does not exist"),
    ("no_address", NO_DATA, NO_DATA, "name has no address"),
    ("failed", SERVFAIL, SERVFAIL, "name server failed"),
    ("no_address_and_failed", NO_DATA, SERVFAIL, "name server failed"),
    ("silent", SILENT, SILENT, "name server did not answer"),
    ("silent_for_a", SILENT, NO_DATA, "name server did not answer"),
]


@case(rows=[(row[0], *row) for row in NAMES])
def names(t, name, a, aaaa, detail):
    etc = Etc(t)
    NameServer(t, OLD, a, aaaa)
    etc.use(OLD)
    p = t.start(t.config(r="connect_timeout = 1s\nbackend = tcp://db.example:80"),
                preexec_fn=etc.enter)
    line = refused(p, "/r")
    equal((line["ending"], line.get("detail")), ("backend_name", detail), "ending and detail")


@case()
def no_name_server(t):
    """Nobody listens on the name server's port."""
    etc = Etc(t)
    etc.use(OLD)
    p = t.start(t.config(r="backend = tcp://db.example:80"), preexec_fn=etc.enter)
    line = refused(p, "/r")
    equal((line["ending"], line.get("detail")), ("backend_name", "name server did not answer"),
          "ending and detail")


# Half an answer is enough.

HALVES = [
    ("a_and_silence", "127.0.0.1", SILENT),
    ("a_and_failure", "127.0.0.1", SERVFAIL),
    ("a_and_nxdomain", "127.0.0.1", NXDOMAIN),
    ("a_and_garbage", "127.0.0.1", GARBAGE),
    ("a_alone", "127.0.0.1", NO_DATA),
    ("aaaa_and_silence", SILENT, "::1"),
    ("aaaa_and_failure", SERVFAIL, "::1"),
    ("aaaa_alone", NO_DATA, "::1"),
    ("aaaa_refuses", "127.0.0.1", "::2"),
]


@case(rows=[(row[0], *row) for row in HALVES])
def half_answers(t, name, a, aaaa):
    etc = Etc(t)
    try:
        backend = t.backend(family=socket.AF_INET if a == "127.0.0.1" else socket.AF_INET6)
    except OSError:
        raise Skip("needs IPv6 on loopback") from None
    NameServer(t, OLD, a, aaaa)
    etc.use(OLD)
    p = t.start(t.config(r="connect_timeout = 2s\nbackend = tcp://db.example:%d" % backend.port),
                preexec_fn=etc.enter)
    for _ in range(3):
        line = opened(p, "/r", backend)
        assert int(line["connect_ms"]) < 1500, line


@case()
def dead_first_server(t):
    """Nothing answers at the first name server's address, and a short connect_timeout is enough."""
    etc = Etc(t)
    backend = t.backend()
    NameServer(t, OLD, SILENT, SILENT)
    NameServer(t, NEW, "127.0.0.1", NO_DATA)
    etc.use(OLD, NEW)
    p = t.start(t.config(r="connect_timeout = 2s\nbackend = tcp://db.example:%d" % backend.port),
                preexec_fn=etc.enter)
    opened(p, "/r", backend)


# The system's files change while the program runs.

def in_place(etc):
    etc.use(NEW)


def by_rename(etc):
    etc.write("new.conf", "nameserver %s\n" % NEW)
    os.rename(etc.path("new.conf"), etc.path("resolv.conf"))


def by_symlink(etc):
    """As systemd-resolved and NetworkManager have it: resolv.conf points elsewhere."""
    etc.write("elsewhere", "nameserver %s\n" % NEW)
    os.symlink("elsewhere", etc.path("link"))
    os.rename(etc.path("link"), etc.path("resolv.conf"))


def twice(etc):
    """As a DHCP client may: a wrong one, and at once the right one, as long as before."""
    etc.use("127.0.0.4")
    etc.use(NEW)


def gone_for_a_while(etc):
    os.unlink(etc.path("resolv.conf"))
    time.sleep(1.2)
    etc.use(NEW)


CHANGES = [in_place, by_rename, by_symlink, twice, gone_for_a_while]


@case(rows=[(change.__name__, change) for change in CHANGES])
def name_servers_replaced(t, change):
    """The old server is dead; a dial that waits for it is not lost, and none comes late."""
    etc = Etc(t)
    backend = t.backend()
    old = NameServer(t, OLD, "127.0.0.1", NO_DATA)
    old.mute = {b"b"}  # who follows it does not know it either
    new = NameServer(t, NEW, "127.0.0.1", NO_DATA)
    etc.use(OLD)
    url = "backend = tcp://%%s.example:%d" % backend.port
    p = t.start(t.config(defaults="connect_timeout = 8s", a=url % "a", b=url % "b"),
                preexec_fn=etc.enter)
    opened(p, "/a", backend)
    equal(new.questions, [], "questions to the new server")
    old.set(SILENT, SILENT)
    c = p.client("plain")
    c.send_raw(c.request("/b"))
    time.sleep(0.3)
    change(etc)
    backend.accept()
    equal(c.read_response().status, 101, "status")
    assert new.labels.count(b"b") >= 2, "the new server was not asked"
    c.wire.reset()
    opened(p, "/a", backend)
    wait_until(lambda: new.labels.count(b"a") >= 2, "the answer of the old server to be dropped")


@case()
def name_servers_in_another_directory(t):
    """resolv.conf points out of /etc from the start, and a new file replaces the one there."""
    etc = Etc(t)
    backend = t.backend()
    NameServer(t, OLD, NXDOMAIN, NXDOMAIN)
    NameServer(t, NEW, "127.0.0.1", NO_DATA)
    os.chmod(t.dir, 0o755)
    folder = t.path("resolver")
    os.mkdir(folder, 0o755)
    for name, address in (("resolv.conf", OLD), ("new.conf", NEW)):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write("nameserver %s\n" % address)
        os.chmod(os.path.join(folder, name), 0o644)
    os.symlink(os.path.join(folder, "resolv.conf"), etc.path("resolv.conf"))
    p = t.start(t.config(r="backend = tcp://db.example:%d" % backend.port), preexec_fn=etc.enter)
    equal(refused(p, "/r")["ending"], "backend_name", "ending")
    os.rename(os.path.join(folder, "new.conf"), os.path.join(folder, "resolv.conf"))
    time.sleep(1.1)
    opened(p, "/r", backend)


@case()
def hosts_file_changes(t):
    etc = Etc(t)
    backend = t.backend()
    etc.use(OLD)
    NameServer(t, OLD, NXDOMAIN, NXDOMAIN)
    etc.write("hosts", "127.0.0.1 localhost\n127.0.0.9 db.internal\n")
    p = t.start(t.config(r="backend = tcp://db.internal:%d" % backend.port), preexec_fn=etc.enter)
    equal(refused(p, "/r")["ending"], "backend_refused", "ending")
    etc.write("hosts", "127.0.0.1 localhost db.internal\n")
    time.sleep(1.1)
    opened(p, "/r", backend)


# A backend that fails is named once, and once more when it is back.

@case()
def down_and_up(t):
    dead = Backend(backlog=None)
    t.cleanup(dead.close)
    good = t.backend()
    missing = "unix:" + t.path("nothing.sock")
    p = t.gateway(r="eject_pause = 100ms\neject_pause_max = 100ms\nbackend = %s, %s, %s" %
                  (missing, dead.url, good.url))
    for _ in range(10):
        equal(opened(p, "/r", good)["backend"], good.url, "backend")
    down = p.log.find("backend.down")
    equal([(e["level"], e["route"], e["backend"], e["detail"]) for e in down], [
        ("warn", "r", missing, "no such file: is the service running?"),
        ("warn", "r", dead.url, "connection refused")], "backend.down")
    equal(p.log.find("backend.up"), [], "backend.up")
    dead.sock.listen(16)
    time.sleep(0.6)
    for _ in range(10):
        equal(opened(p, "/r", dead)["backend"], dead.url, "backend")
    up = p.log.find("backend.up")
    equal([(e["level"], e["backend"]) for e in up], [("warn", dead.url)], "backend.up")
    equal(len(p.log.find("backend.down")), 2, "backend.down")


@case()
def the_telling_one(t):
    """Of several that fail, the line names the one whose reason tells most."""
    etc = Etc(t)
    etc.use(OLD)
    NameServer(t, OLD, NXDOMAIN, NXDOMAIN)
    dead = t.closed_port()
    name, far = "tcp://db.example:80", "tcp://192.0.2.1:22"
    p = t.start(t.config(a="backend = %s, %s" % (name, far), b="backend = %s, %s" % (far, dead),
                         c="backend = %s, %s" % (dead, name)), preexec_fn=etc.enter)
    for path, backend, detail in (("/a", far, "network unreachable"),
                                  ("/b", dead, "connection refused"),
                                  ("/c", dead, "connection refused")):
        line = refused(p, path)
        equal((line["backend"], line["detail"]), (backend, detail), path)


# What this machine lacks is not the backend's fault.

@case(rows=[("address", lambda t, b: b.url), ("name", lambda t, b: "tcp://localhost:%d" % b.port)],
      timeout=60)
def no_descriptors(t, make_url):
    backend = t.backend()
    seen = []
    for spare in range(2):  # the client's own descriptor is the last one, or the one before
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60 + spare, 60 + spare))
        p = t.start(t.config(r="backend = " + make_url(t, backend)), preexec_fn=limit)
        clients = []
        while len(clients) < 40 and not p.log.find("listen.paused"):
            c = p.client("plain", timeout=2)
            c.send_raw(c.request("/r"))
            clients.append(c)
            time.sleep(0.02)
        time.sleep(0.2)
        for c in clients:
            c.wire.reset()
        p.log.wait("session.end", len(clients) - 1)
        told = [e for e in p.ends() if e["ending"] not in ("client_reset", "client_eof")]
        for line in told:
            equal((line["ending"], line["code"]), ("full", "1013"), "ending and code")
            assert "open files" in line["detail"] or "descriptors" in line["detail"], line
        equal(p.log.find("backend.down"), [], "backend.down")
        seen += told
    assert seen, "no session ran out of descriptors"


@case()
def no_local_ports(t):
    """Every local port that could reach the backend is in use."""
    etc = Etc(t)
    backend = t.backend()
    p = t.start(t.config(r="backend = " + backend.url), preexec_fn=etc.enter)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write("40000 40003")
    for _ in range(8):
        try:
            holder = socket.create_connection(("127.0.0.1", backend.port))
            t.cleanup(holder.close)
        except OSError:
            break
    line = refused(p, "/r", 1013)
    equal((line["ending"], line["detail"]), ("full", "no free local port"), "ending and detail")
    equal(p.log.find("backend.down"), [], "backend.down")
