# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker without memory: it takes nobody, and those whom it has live on."""

import os
import socket

from harness import Settings, Skip, case, equal, wait_until
from memory import limit_memory
from processes import ECHO, WorkerFault, both_started, echo
from wsclient import Ended, Timeout

CALLERS = 2500


def call(p):
    """Opens connections that send half a request."""
    socks = []
    for _ in range(CALLERS):
        sock = socket.create_connection(p.ports["plain"])
        sock.sendall(b"GET /r HTTP/1.1\r\nX: ")
        socks.append(sock)
    return socks


@case(timeout=120, alone=True, rows=[("%d_kib" % room, room << 10) for room in (0, 64, 256, 1024)])
def out_of_memory(t, room):
    if Settings.is_asan:
        raise Skip("a limited address space does not go with the sanitizer")
    p = both_started(t.gateway(server="request_timeout = 10m", r=ECHO), 1)
    worker = p.workers()[0]
    clients = [p.client("plain").open("/r") for _ in range(5)]
    limit_memory(worker, room)
    socks = call(p)
    p.log.wait("memory.short")
    for c in clients:
        echo(c, b"still here")
    equal(p.workers(), [worker], "workers")
    assert len(p.log.find("accept.failed")) <= len(p.log.find("memory.short")), "a flood of lines"
    for sock in socks:
        sock.close()

    def is_served():
        try:
            c = p.client("plain", timeout=3).open("/r")
            echo(c)
            c.end_cleanly()
            return True
        except (Ended, OSError, Timeout):
            return False

    limit_memory(worker, 8 << 20)
    p.log.wait("memory.back")
    wait_until(is_served, "a new client", 30)
    for c in clients:
        echo(c)


@case(timeout=120, alone=True)
def no_memory_for_the_event_loop(t):
    """There is room for sessions, but not for the growing tables of libev."""
    if Settings.is_asan:
        raise Skip("the sanitizer has an allocator of its own")
    fault = WorkerFault(t, flags=["-DFAULT_MEMORY"])
    p = both_started(t.start(t.config(server="request_timeout = 10m\nmax_pending = 100000", r=ECHO),
                             env=fault.environment), 1)
    worker = p.workers()[0]
    clients = [p.client("plain").open("/r") for _ in range(5)]
    fault.set("large")
    socks = call(p)
    p.log.wait("memory.short")
    for c in clients:
        echo(c, b"still here")
    equal(p.workers(), [worker], "workers")
    fault.set("")
    p.log.wait("memory.back")
    wait_until(lambda: served_by(worker) > CALLERS, "the callers are served")
    for c in clients:
        echo(c)
    for sock in socks:
        sock.close()


def served_by(pid):
    return len(os.listdir("/proc/%d/fd" % pid))
