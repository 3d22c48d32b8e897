# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets that somebody hands over: socket units of systemd, and what a unit can do wrong."""

import os
import socket

from harness import Skip, case, equal, free_port, wait_until
from processes import ECHO, descriptors_of, echo
from systemd import Manager
from wsclient import Client, Wire

LISTEN = "[listen plain]\naddress = %s\n"


def listening(t, host="127.0.0.1", port=0, family=socket.AF_INET, kind=socket.SOCK_STREAM,
              has_group=False):
    """A socket as a socket unit makes it: it blocks, and has no SO_REUSEPORT by default."""
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if has_group:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((host, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(4096)
    t.cleanup(sock.close)
    return sock


def text_of(t, address, **options):
    return t.write("sluice.ini", t.config(listens=LISTEN % address, r=ECHO, **options))


def address_of(sock):
    host, port = sock.getsockname()[:2]
    return "%s:%d" % ("[%s]" % host if ":" in host else host, port)


def call(t, sock):
    """A client that has connected, and has not said anything."""
    wire = Wire(sock.getsockname()[:2], timeout=60)
    t.cleanup(wire.close)
    return Client(wire)


@case(rows=[("one_worker", 1), ("three_workers", 3)])
def by_connection(t, workers):
    """Callers that came before the program are served, and so are those after it, by all workers
    from the one socket."""
    sock = listening(t)
    early = [call(t, sock) for _ in range(20)]
    path = text_of(t, address_of(sock), server="workers = %d" % workers)
    p = Manager(t).start(path, [sock.fileno()]).wait_ready()
    (line,) = p.log.find("listen.inherited")
    equal((line["from_unit"], line["from_store"]), ("1", "0"), "inherited")
    for c in early + [call(t, sock) for _ in range(20)]:
        echo(c.open("/r"))
        c.end_cleanly()
    assert not p.log.find("inherit.unused")


@case()
def restart(t):
    """Callers while nobody serves, and while a program drains, wait for the next one: nobody is
    refused or reset."""
    sock = listening(t)
    manager, waiting = Manager(t), []
    path = text_of(t, address_of(sock), server="workers = 2")
    for _ in range(3):
        p = manager.start(path, [sock.fileno()]).wait_ready()
        for c in waiting:
            echo(c.open("/r"))
            c.end_cleanly()
        waiting = [call(t, sock).open("/r")]
        p.send_signal(15)
        p.log.wait("drain.begin", 2)
        waiting[0].recv_close(1001)
        waiting = [call(t, sock) for _ in range(20)]
        p.stop()
        waiting += [call(t, sock) for _ in range(20)]
    p = manager.start(path, [sock.fileno()]).wait_ready()
    for c in waiting:
        echo(c.open("/r"))


@case()
def ipv6_and_wildcard(t):
    """Each listener takes the socket with exactly its address."""
    six = listening(t, "::1", family=socket.AF_INET6)
    port = free_port()
    wide = listening(t, "0.0.0.0", port)
    text = t.config(listens="[listen wide]\naddress = 0.0.0.0:%d\n[listen six]\naddress = %s\n"
                            "[listen own]\naddress = 127.0.0.1:0\n" % (port, address_of(six)),
                    r=ECHO)
    p = Manager(t).start(t.write("sluice.ini", text), [wide.fileno(), six.fileno()]).wait_ready()
    equal({line["name"] for line in p.log.find("listen.inherited")}, {"wide", "six"}, "inherited")
    for name in ("wide", "six", "own"):
        echo(p.client(name).open("/r"))


@case()
def privileged_port(t):
    """A program that may not bind the port itself serves it."""
    sock = None
    for port in range(600, 1000):
        try:
            sock = listening(t, port=port)
            break
        except PermissionError:
            raise Skip("needs root") from None
        except OSError:
            continue
    os.chmod(t.dir, 0o755)
    path = text_of(t, address_of(sock))
    os.chmod(path, 0o644)
    manager = Manager(t)
    os.chmod(manager.address, 0o777)
    p = manager.start(path, [sock.fileno()], user=65534, group=65534, extra_groups=[])
    p.wait_ready()
    echo(p.client("plain").open("/r"))


@case()
def strangers(t):
    """What no listener can take is named and closed; the rest is served."""
    good, other = listening(t), listening(t)
    datagram = listening(t, kind=socket.SOCK_DGRAM)
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    reader, writer = os.pipe()
    handed = [other.fileno(), datagram.fileno(), good.fileno(), silent.fileno(), reader]
    p = Manager(t).start(text_of(t, address_of(good)), handed,
                         ["web:http", "dns", "good", "silent", "pipe"]).wait_ready()
    unused = {line["fd"]: line for line in p.log.find("inherit.unused")}
    equal(sorted(unused), ["3", "4", "6", "7"], "descriptors that nobody takes")
    equal(unused["3"]["address"], address_of(other), "address")
    for fd, part in (("3", "no [listen] has this address"), ("4", "no stream socket"),
                     ("6", "does not listen"), ("7", "no socket")):
        assert part in unused[fd]["detail"], unused[fd]
    os.close(reader)
    silent.close()
    os.close(writer)
    echo(p.client("plain").open("/r"))
    for pid in [p.pid, *p.workers()]:
        links = descriptors_of(pid)
        for sock in (other, datagram):
            assert "socket:[%d]" % os.fstat(sock.fileno()).st_ino not in links, links


@case()
def numbers_that_are_wrong(t):
    """A descriptor that is closed is named; variables for another process mean nothing."""
    sock = listening(t)
    path = text_of(t, address_of(sock))
    manager = Manager(t)
    p = manager.start(path, [sock.fileno()], environment={"LISTEN_FDS": "2"}).wait_ready()
    (line,) = p.log.find("inherit.unused")
    equal((line["fd"], line["detail"]), ("4", "it is not open"), "the closed one")
    echo(p.client("plain").open("/r"))
    p.stop()
    sock.close()
    own = text_of(t, "127.0.0.1:0")
    other = listening(t)
    p = manager.start(own, [other.fileno()], pids="", environment={"LISTEN_PID": "1"})
    p.wait_ready()
    assert not p.log.find("inherit.unused") and not p.log.find("listen.inherited")
    wait_until(lambda: p.workers(), "a worker")
    for pid in [p.pid, *p.workers()]:
        assert "socket:[%d]" % os.fstat(other.fileno()).st_ino not in descriptors_of(pid)


@case()
def workers_by_reload(t):
    """More and fewer workers share the one socket of a unit."""
    sock = listening(t)
    path = text_of(t, address_of(sock))
    p = Manager(t).start(path, [sock.fileno()]).wait_ready()
    for number, workers in enumerate((3, 1), 1):
        text_of(t, address_of(sock), server="workers = %d" % workers)
        p.send_signal(1)
        p.log.wait("reload.done", number)
        for _ in range(20):
            c = call(t, sock).open("/r")
            echo(c)
            c.end_cleanly()
