# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers that do not read, or stop and go on, on loopback: how many bytes the program and its
kernel take before the writer stands still, and that nothing is lost or late behind that."""

import itertools
import socket

from endless import (ClientEnd, Flow, SocketEnd, Stream, do_not_hoard, drive, drive_until_still,
                     finish, keys, run)
from harness import case, scale
from memory import HOARD_BYTES
from sessions import WIRES

KIB = 1024
MIB = 1 << 20
SMALL = 8192  # the reader's own buffer, so that what waits waits in the program and its kernel
OWN_BYTES = 64 * KIB  # what the test's own sockets and a piece hold at most
ROUTES = list(itertools.product(("tcp", "unix"), ("auto", "low")))


def open_flows(t, listen):
    """Returns the flows, all through one program, by (kind of backend, latency, direction)."""
    backends = {(way, mode): t.backend(path=t.path(mode) if way == "unix" else None,
                                       receive_buffer=SMALL)
                for way, mode in ROUTES}
    p = t.gateway(**{way + mode: keys(backend.url, mode)
                     for (way, mode), backend in backends.items()})
    flows = {}
    for (way, mode), direction in itertools.product(ROUTES, ("down", "up")):
        c = p.client(listen, receive_buffer=SMALL).open("/" + way + mode)
        peer, stream = backends[way, mode].accept(), Stream()
        if direction == "down":
            flow = Flow(SocketEnd(peer.sock, writes=stream), ClientEnd(c, reads=stream), stream)
        else:
            flow = Flow(ClientEnd(c, writes=stream), SocketEnd(peer.sock, reads=stream), stream)
        do_not_hoard(flow.writer.sock)
        flows[way, mode, direction] = flow
    return flows


@case(timeout=90, rows=WIRES)
def readers_that_stop(t, listen):
    """Both directions, tcp and unix, the default and `latency = low`: a reader that reads nothing
    costs a bounded number of bytes. When it goes on it sees bytes at once, also beyond those that
    waited, again and again; every byte arrives in order."""
    flows = open_flows(t, listen)
    every = list(flows.values())
    worst = []
    for turn in range(3):
        for flow in every:
            flow.reader.pace(0)
        if turn:
            drive(every, 1.0)
        else:
            drive_until_still(every)
        waiting = {name: flow.stream.on_the_way for name, flow in flows.items()}
        print("%s wait" % ", ".join("at most %d KiB by %s" % (
            max(size for name, size in waiting.items() if name[1] == mode) / KIB, mode)
            for mode in HOARD_BYTES))
        for (way, mode, direction), size in waiting.items():
            # Behind the first stop `auto` has seen a fast reader, and has given it more room.
            bound = HOARD_BYTES[mode] * (2 if turn and mode == "auto" else 1)
            assert size <= bound + OWN_BYTES, "%s.%s.%s: %d KiB wait" % (
                way, mode, direction, size / KIB)
        for flow in every:
            flow.begin()
            flow.stream.read_at = flow.reader.pace(None)
        run([end for flow in every for end in flow.ends],
            lambda: all(flow.moved > waiting[name] + MIB for name, flow in flows.items()),
            "bytes beyond those that waited")
        worst.append(max(flow.stream.widest_s for flow in every))
    print("the longest waits for a byte: %s ms" % [int(1000 * seconds) for seconds in worst])
    assert max(worst) < 2 * scale(), "a reader that went on waited %.1f s" % max(worst)
    finish(every)


@case(timeout=60, rows=WIRES)
def bulk_leaves_the_kernel_alone(t, listen):
    """With `latency = bulk` a reader that reads nothing lets as many bytes wait as it does without
    the program."""
    backend, bare = t.backend(), t.backend()
    p = t.gateway(r=keys(backend.url, "bulk"))
    c = p.client(listen).open("/r")
    sender = socket.create_connection(("127.0.0.1", bare.port))
    flows = []
    for near, far, make in ((backend.accept().sock, c, ClientEnd),
                            (sender, bare.accept().sock, SocketEnd)):
        stream = Stream()
        flows.append(Flow(SocketEnd(near, writes=stream), make(far, reads=stream), stream))
        flows[-1].reader.pace(0)
    do_not_hoard(flows[0].writer.sock)
    drive_until_still(flows)
    bulk, alone = (flow.stream.on_the_way for flow in flows)
    print("%d KiB wait, %d without the program" % (bulk / KIB, alone / KIB))
    assert bulk >= 0.8 * alone, "%d KiB wait instead of %d" % (bulk / KIB, alone / KIB)
    finish(flows)
