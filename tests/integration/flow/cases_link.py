# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits, waits at its source: how many bytes wait in the program and its kernel, and how old
bytes are, when one side is far away behind a slow line.

The bounds are numbers of bytes, or what a connection without the program does on such a line.
"""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time

import netns
from deflateclient import DeflateClient
from endless import (ClientEnd, Flow, SocketEnd, Stream, do_not_hoard, drain, drive, finish,
                     keys, run)
from harness import case, equal, scale
from memory import HOARD_BYTES
from services import ssh_command, sshd
from sessions import WIRES
from slowlink import NEAR
from threads import in_thread, join
from wsclient import Client

KIB = 1024
# 20 Mbit/s and a round trip of 50 ms: 122 KiB are under way, and the queue takes 256 KiB.
LINE = {"delay": 25, "rate": 20, "queue": 256}
MODES = ("auto", "low")
DRAIN = "drain_timeout = 10ms"  # a line that has ended brings no Close
OWN_BYTES = 64 * KIB  # what the test's own sockets and a piece hold at most


def connect(line):
    """Returns (near, far) of a TCP connection over the line, without the program."""
    with socket.create_server((NEAR, 0)) as listener:
        with line.at_far_end():
            far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    return near, far


def new_flow(near, far, is_down, **end):
    """Returns a flow between a socket and a client or a second socket, whose writer is modest."""
    stream = Stream()
    make_far = SocketEnd if isinstance(far, socket.socket) else ClientEnd
    if is_down:
        writer, reader = SocketEnd(near, writes=stream), make_far(far, reads=stream, **end)
    else:
        writer, reader = make_far(far, writes=stream, **end), SocketEnd(near, reads=stream)
    do_not_hoard(writer.sock)
    return Flow(writer, reader, stream)


def echo_flow(far):
    """Returns a flow from an end to itself."""
    stream = Stream()
    make = SocketEnd if isinstance(far, socket.socket) else ClientEnd
    both = make(far, writes=stream, reads=stream)
    do_not_hoard(both.sock)
    return Flow(both, both, stream)


def open_far(line, p, listen, route="r", is_compressed=False, **options):
    """Opens a session from the far end."""
    with line.at_far_end():
        wire = p.wire(listen, **options)
    if is_compressed:
        return DeflateClient(wire).open("/" + route)
    return Client(wire).open("/" + route)


# Streams

LINES = "framing = line\nline_multi = yes\npayload = text\n"
KINDS = {  # name: (kind of backend, keys, how the client's end works, bytes for one that is held)
    "tcp": ("tcp", "", {}, 1),
    "unix": ("unix", "", {}, 1),
    "lines": ("tcp", LINES, {"is_lines": True}, 1),
    "compressed": ("tcp", "compression = on\n", {"is_compressed": True}, 4 / 3),
    "echo": ("echo", "", {}, 1),
}
ROWS = [("wss", "tcp", "down"), ("ws", "tcp", "down"), ("wss", "tcp", "up"), ("ws", "unix", "up"),
        ("wss", "unix", "down"), ("wss", "lines", "down"), ("ws", "lines", "up"),
        ("wss", "compressed", "down"), ("wss", "echo", "both")]


def answer(sock):
    """Echoes until the end."""
    try:
        while data := sock.recv(16 * KIB):
            sock.sendall(data)
    except OSError:
        pass


@case(timeout=90, rows=[(".".join(row), *row) for row in ROWS])
def fresh_bytes(t, scheme, kind, direction):
    """One side never stops and the other reads all: the bytes are as fresh as without the program,
    but for a bounded number of them, and as many arrive. Three lines carry at once: one without
    the program, one with the default, one with `latency = low`."""
    way, more, end, factor = KINDS[kind]
    listen = "tls" if scheme == "wss" else "plain"
    is_down = direction == "down"
    flows = {}
    for mode in ("direct", *MODES):
        line = netns.slow_link(t, **LINE)
        if mode == "direct":
            near, far = connect(line)
            if way == "echo":
                do_not_hoard(near)
                in_thread(answer, near)
            flows[mode] = echo_flow(far) if way == "echo" else new_flow(near, far, is_down)
            continue
        backend = None if way == "echo" else t.backend(
            path=t.path(mode) if way == "unix" else None)
        p = t.gateway(server=DRAIN, listens=netns.listens(t),
                      r=keys(backend.url if backend else "echo:", mode, more))
        c = open_far(line, p, listen, is_compressed=kind == "compressed")
        flows[mode] = (new_flow(backend.accept().sock, c, is_down, **end) if backend
                       else echo_flow(c))
    every = list(flows.values())
    complaint = "not measured"
    for _ in range(5):  # the machine may be busy for a while
        if complaint:
            drain(every)  # what heaps up in such a while stays, where as much goes as comes
            drive(every, 1.0)
            for flow in every:
                flow.begin()
            drive(every, 0.7)
            complaint = stale_or_slow(flows, factor, 0.2 if kind == "echo" else 0.5)
    for mode, flow in flows.items():
        print("%s: %s" % (mode, flow))
    assert not complaint, complaint
    finish(every)


def stale_or_slow(flows, factor, share):
    """Returns what is wrong with the flows through the program beside the direct one, or None.
    `factor` bytes are one that the program holds; `share` of the direct flow's bytes must come."""
    base = flows["direct"]
    for mode in MODES:
        flow, bound = flows[mode], HOARD_BYTES[mode] * factor
        older = flow.stream.age() - base.stream.age()
        if flow.waiting > base.waiting + bound or older > 1.5 * bound / flow.moved:
            return "%s is stale: %s" % (mode, flow)
        if flow.moved < share * base.moved:
            return "%s is slow: %s" % (mode, flow)
    return None


@case(timeout=90, rows=WIRES)
def slow_backend(t, listen):
    """A far client uploads as fast as it can to a backend that reads 100 KB/s: after what the
    program may hold, the bytes wait at the client."""
    flows = {}
    for mode in MODES:
        line = netns.slow_link(t, **LINE)
        backend = t.backend(receive_buffer=8192)
        p = t.gateway(server=DRAIN, listens=netns.listens(t), r=keys(backend.url, mode))
        c = open_far(line, p, listen)
        flows[mode] = new_flow(backend.accept().sock, c, is_down=False)
        flows[mode].reader.pace(100e3)
    drive(flows.values(), 2.0)
    for mode, flow in flows.items():
        print("%s: %s" % (mode, flow))
        waits = flow.stream.on_the_way
        assert waits <= HOARD_BYTES[mode] + OWN_BYTES, "%s: %d KiB wait" % (mode, waits / KIB)
    finish(flows.values())


@case(timeout=90, alone=True, rows=WIRES)
def changing_reader(t, listen):
    """Five times the client reads 1 MB/s for a while and then as fast as it can, beside a client
    without the program that does the same: its bytes come as fast, and no more than bounded many
    wait while it is slow."""
    line = {"delay": 10, "rate": 60, "queue": 256}
    near, far = connect(netns.slow_link(t, **line))
    base = new_flow(near, far, is_down=True)
    slow_line = netns.slow_link(t, **line)
    backend = t.backend()
    p = t.gateway(server=DRAIN, listens=netns.listens(t), r=keys(backend.url, "auto"))
    c = open_far(slow_line, p, listen)
    flow = new_flow(backend.accept().sock, c, is_down=True)
    both, most, fast, fast_base = [base, flow], [], [], []
    drive(both, 0.4)
    for _ in range(5):
        for rate in (1e6, None):
            for one in both:
                one.reader.pace(rate)
            drive(both, 0.15)  # to get used to it
            for one in both:
                one.begin()
            drive(both, 0.25)
            if rate:
                most.append(flow.waiting - base.waiting)
            else:
                fast.append(flow.moved)
                fast_base.append(base.moved)
    print("%s KiB more wait; fast %s KiB, without the program %s" % tuple(
        "/".join("%d" % (value / KIB) for value in row) for row in (most, fast, fast_base)))
    usual = sorted(most)[2]  # the machine may be busy for a while
    # It was fast before, so its service was given more room, as in cases_stalled.
    assert usual <= 2 * HOARD_BYTES["auto"] + OWN_BYTES, "%d KiB more wait" % (usual / KIB)
    assert sum(fast) >= 0.5 * sum(fast_base), "the fast reader is slow"
    finish(both)


# A service that answers

FRAME = bytes(range(256)) * 160  # 40 KiB, a VNC server's update
REQUEST = b"update 1"


def serve_frames(sock):
    """Sends a frame for each request."""
    try:
        left = b""
        while data := sock.recv(4096):
            left += data
            while len(left) >= len(REQUEST):
                left = left[len(REQUEST):]
                sock.sendall(FRAME)
    except OSError:
        pass


def frames_a_second(send, recv, depth, seconds=0.8):
    """A client asks for so many frames, and for another whenever one is in."""
    def ask():
        send(REQUEST)
        return len(FRAME)

    owed, count = 0, 0
    for _ in range(depth):
        owed += ask()
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        before = -(-owed // len(FRAME))
        owed -= len(recv())
        for _ in range(before - -(-owed // len(FRAME))):
            count += 1
            owed += ask()
    rate = count / (time.monotonic() - began)
    while owed > 0:
        owed -= len(recv())
    return rate


@case(timeout=90, rows=[("wss", "auto"), ("wss.low", "low")])
def request_and_frame(t, mode):
    """A client asks for a frame of 40 KiB when one is in, as VNC viewers do, or keeps two on their
    way: the rate is the line's. With a session beside it that takes all it can get, it moves on."""
    line = netns.slow_link(t, **LINE)
    near, far = connect(line)
    for sock in (near, far):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    in_thread(serve_frames, near)
    backend, flood = t.backend(), t.backend()
    p = t.gateway(server=DRAIN, listens=netns.listens(t), r=keys(backend.url, mode),
                  bulk=keys(flood.url, mode))
    c = open_far(line, p, "tls")
    in_thread(serve_frames, backend.accept().sock)
    far.settimeout(20 * scale())
    for depth in (1, 2):
        base = frames_a_second(far.sendall, lambda: far.recv(1 << 18), depth)
        rate = frames_a_second(c.binary, c.recv_data, depth)
        print("%d at a time: %.1f frames a second, %.1f without the program" % (depth, rate, base))
        assert rate >= 0.6 * base, "%.1f frames a second instead of %.1f" % (rate, base)
    other = open_far(line, p, "tls", "bulk")
    flow = new_flow(flood.accept().sock, other, is_down=True)
    bulk = in_thread(drive, [flow], 1.8)
    time.sleep(0.7)
    beside = frames_a_second(c.binary, c.recv_data, 1)
    print("%.1f beside %s" % (beside, flow))
    join(bulk)
    # The two share the line as the kernel's congestion control sees fit, and that may be unfair.
    assert beside >= 0.02 * rate, "%.1f frames a second beside a bulk session" % beside
    finish([flow])


# Ctrl-C

class Heard:
    """What a backend hears while it writes: when each byte came."""

    def __init__(self):
        self.times = []

    def note_read(self, data):
        self.times += [time.monotonic()] * len(data)


@case(timeout=90, rows=[("wss", "tls", "auto"), ("wss.low", "tls", "low"), ("ws", "plain", "auto")])
def heard_in_a_flood(t, listen, mode):
    """A service writes without end, and the client says something now and then: the service hears
    each byte at once, though what it writes fills every queue towards the client."""
    line = netns.slow_link(t, **LINE)
    backend = t.backend()
    p = t.gateway(server=DRAIN, listens=netns.listens(t), r=keys(backend.url, mode))
    c = open_far(line, p, listen)
    flow, heard, said = new_flow(backend.accept().sock, c, is_down=True), Heard(), []
    flow.writer.reads = heard
    drive([flow], 0.8)
    for _ in range(9):
        said.append(time.monotonic())
        flow.reader.say(b"x")
        drive([flow], 0.1)
    end = time.monotonic() + 2 * scale()
    run(flow.ends, lambda: len(heard.times) == len(said) or time.monotonic() > end, "the last byte")
    equal(len(heard.times), len(said), "the bytes that the service heard in the flood")
    finish([flow])
    waits = sorted(at - since for at, since in zip(heard.times, said))
    print("heard after %.0f ms, at worst %.0f ms" % (1000 * waits[4], 1000 * waits[-1]))
    assert waits[4] < 0.3 * scale() and waits[-1] < scale(), "heard after %.2f to %.2f s" % (
        waits[4], waits[-1])


FLOOD = b"yes 0123456789012345678901234567890123456789\n"
PROMPT = b"ready> "


def relay(sock, terminal):
    """Moves bytes between a socket and a terminal until one of them ends."""
    out = b""
    while True:
        readable, writable, _ = select.select(
            [sock] if out else [sock, terminal], [sock] if out else [], [])
        if terminal in readable:
            out = os.read(terminal, 1 << 16)
        if writable:
            out = out[sock.send(out, socket.MSG_DONTWAIT):]
        if sock in readable:
            data = sock.recv(4096)
            if not data:
                return
            os.write(terminal, data)


class Shell:
    """A shell on a terminal behind a socket, as telnetd and ttyd serve one, in a process."""

    def __init__(self, t, sock):
        do_not_hoard(sock)
        sock.setblocking(True)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.serve(sock)
            finally:
                os._exit(1)
        t.cleanup(self.stop)

    @staticmethod
    def serve(sock):
        shell, terminal = pty.fork()
        if shell == 0:
            # Whoever runs the tests in the background may have them ignored.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            os.execve("/bin/sh", ["sh", "-i"], {"PS1": PROMPT.decode(), "PATH": os.environ["PATH"]})
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            relay(sock, terminal)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.close(terminal)  # SIGHUP to the shell and what it started
            os.waitpid(shell, 0)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


def interrupt(send, recv, seconds):
    """Lets `yes` run for so long, and presses Ctrl-C. Returns (seconds until the prompt is back,
    bytes that came before it)."""
    seen = b""
    while PROMPT not in seen:
        seen = seen[-len(PROMPT):] + recv()
    send(FLOOD)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        recv()
    began, seen, count = time.monotonic(), b"", 0
    send(b"\x03")
    while PROMPT not in seen:
        data = recv()
        count += len(data)
        seen = seen[-len(PROMPT):] + data
    return time.monotonic() - began, count


@case(timeout=90, rows=[("wss", "auto"), ("wss.low", "low")])
def terminal(t, mode):
    """A terminal of which the service itself holds little: the prompt is back within a second."""
    line = netns.slow_link(t, **LINE)
    backend = t.backend()
    p = t.gateway(server=DRAIN, listens=netns.listens(t), r=keys(backend.url, mode))
    c = open_far(line, p, "tls")
    Shell(t, backend.accept().sock)
    took, count = interrupt(c.binary, c.recv_data, 2.5)
    print("the prompt is back after %.2f s and %d KiB" % (took, count / KIB))
    assert count <= HOARD_BYTES[mode] + 384 * KIB + OWN_BYTES, "%d KiB" % (count / KIB)
    assert took < scale(), "the prompt is back after %.2f s" % took


@case(timeout=90, rows=[("wss", "auto"), ("wss.low", "low")])
def ssh(t, mode):
    """The same with a whole ssh through a WebSocket. Here the window of ssh's channel decides: sshd
    reads 1 MiB ahead of a terminal's client, whoever is between them, so the prompt takes as long
    as 1 MiB on the line without the program too. What sluice holds is a part of that MiB."""
    line = netns.slow_link(t, **LINE)
    p = t.gateway(server=DRAIN, listens=netns.listens(t),
                  r=keys("tcp://127.0.0.1:%d" % sshd(t), mode, "subprotocols = binary\n"))
    words = ssh_command(t, p, options=["-tt"]) + ["PS1='%s' sh -i" % PROMPT.decode()]
    client = line.popen_far(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, bufsize=0)

    def recv():
        assert select.select([client.stdout], [], [], 20 * scale())[0], "ssh is silent"
        data = client.stdout.read(1 << 16)
        assert data, "ssh has ended"
        return data

    try:
        took, count = interrupt(client.stdin.write, recv, 2)
        client.stdin.write(b"exit\n")
        while client.stdout.read(1 << 16):
            pass
        equal(client.wait(20 * scale()), 130, "exit code of the shell, whose last word was Ctrl-C")
    finally:
        client.kill()
        client.wait()
    print("the prompt is back after %.2f s and %d KiB" % (took, count / KIB))
    assert took < scale(), "the prompt is back after %.2f s" % took
