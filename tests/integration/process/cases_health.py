# SPDX-License-Identifier: GPL-3.0-or-later
"""[health]: probes, who may ask, strangers at the door, the drain; health_path; --health."""

import contextlib
import os
import signal
import socket

from harness import case, equal, free_port, wait_until
from scrape import ask
from threads import in_thread, join
from wsclient import TEXT

ECHO = "origins = *\nbackend = echo:"
HEALTH = "[health]\naddress = 127.0.0.1:0\nhosts = sluice.example\n"


def echo(c):
    c.text(b"x")
    equal(c.recv_message(), (TEXT, b"x"), "echo")


ASKED = [
    ("livez", {"path": "/livez"}, 200, "ok\n"),
    ("readyz", {}, 200, "ready\n"),
    ("head", {"method": "HEAD"}, 200, ""),
    ("http_1_0", {"version": "1.0", "host": None}, 200, "ready\n"),
    ("head_http_1_0", {"method": "HEAD", "version": "1.0", "host": None}, 200, ""),
    ("name", {"host": "sluice.example:9090"}, 200, "ready\n"),
    ("another_name", {"host": "evil.example"}, 421, None),
    ("another_origin", {"headers": "Origin: https://evil.example\r\n"}, 403, None),
    ("another_path", {"path": "/"}, 404, None),
    ("route", {"path": "/echo", "headers": "Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"},
     404, None),
    ("post", {"method": "POST"}, 405, None),
    ("options", {"method": "OPTIONS"}, 405, None),
    ("unknown_method", {"method": "FETCH"}, 501, None),
]


@case(rows=ASKED)
def asked(t, request, status, body):
    """What is answered, and that probes that are answered make no line at info."""
    program = t.start(t.config(echo=ECHO) + HEALTH)
    got = ask(program.ports["health"], **request)
    equal(got[0], status, "status")
    equal(got[1]["content-type"], "text/plain; charset=utf-8", "type")
    equal(got[1]["connection"], "close", "connection")
    if body is not None:
        equal(got[2], body, "body")
    if status == 405:
        equal(got[1]["allow"], "GET, HEAD", "what is allowed")
    if status in (200, 404):
        equal(ask(program.ports["health"], path="/livez")[0], 200, "the next")
        equal(program.ends(), [], "lines")
    else:
        program.one_end(listen="health", status=status)


@case(rows=[("plain", "plain"), ("tls", "tls")])
def health_path(t, listen):
    """A balancer's plain request gets 200, and a page that opens the same path its route."""
    text = t.config(tls="health_path = /echo", echo=ECHO)
    text = text.replace("[listen plain]\n", "[listen plain]\nhealth_path = /echo\n")
    program = t.start(text)
    for method, version in (("GET", "1.1"), ("HEAD", "1.1"), ("GET", "1.0"), ("HEAD", "1.0")):
        wire = program.wire(listen)
        host = "Host: any.example\r\n" if version == "1.1" else ""
        wire.send(("%s /echo HTTP/%s\r\n%s\r\n" % (method, version, host)).encode())
        answer = b""
        while chunk := wire.recv():
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
        equal(answer.endswith(b"\r\n\r\nready\n"), method == "GET", "content of " + method)
    equal(program.ends(), [], "lines")
    c = program.client(listen)
    c.open("/echo")
    echo(c)


@case()
def silent_probes(t):
    """A balancer that connects and closes, or resets, on any port."""
    program = t.start(t.config(echo=ECHO) + HEALTH)
    for name in ("health", "plain", "tls"):
        for is_reset in (False, True):
            sock = socket.create_connection(program.ports[name])
            if is_reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
    equal(ask(program.ports["health"])[0], 200, "status")
    equal(program.ends(), [], "lines")


@case()
def strangers_at_the_door(t):
    """Connections that fill every place of the public listeners keep no probe out."""
    program = t.start(t.config(server="max_pending = 1", echo=ECHO) + HEALTH)
    socks = []
    for _ in range(8):
        sock = socket.create_connection(program.ports["plain"])
        sock.sendall(b"GET /echo HTTP/1.1\r\n")
        socks.append(sock)
    t.cleanup(lambda: [sock.close() for sock in socks])
    program.log.wait("listen.paused", name="plain")
    for _ in range(20):
        equal(ask(program.ports["health"])[0], 200, "status")


@case()
def many_probes(t):
    """More connections than [health] has places: the silent ones make room."""
    program = t.start(t.config(echo=ECHO) + HEALTH)
    socks = [socket.create_connection(program.ports["health"]) for _ in range(40)]
    t.cleanup(lambda: [sock.close() for sock in socks])
    equal(ask(program.ports["health"])[0], 200, "status")
    c = program.client("plain")
    c.open("/echo")
    echo(c)


@case()
def drain(t):
    """A program that drains is not ready, but lives and says so until it ends."""
    program = t.start(t.config(server="workers = 2\ndrain_timeout = 6s",
                               defaults="close_timeout = 10s", echo=ECHO) + HEALTH)
    clients = [program.client("plain") for _ in range(4)]
    for c in clients:
        c.open("/echo")
    equal(ask(program.ports["health"])[0], 200, "before")
    program.send_signal(signal.SIGTERM)
    program.log.wait("drain.begin", count=2)
    got = ask(program.ports["health"])
    equal((got[0], got[1]["retry-after"]), (503, "5"), "while it drains")
    equal(ask(program.ports["health"], "/livez")[0], 200, "it lives")
    for c in clients:
        c.recv_close(1001)
        c.close(1001)
        c.wire.finish()
    equal(program.wait_exit(), 0, "exit code")
    program.is_stopped = True
    program.check_log()


@case()
def lost_workers(t):
    """One worker of two is enough; after the death of one the other answers."""
    program = t.start(t.config(server="workers = 2", echo=ECHO) + HEALTH)
    program.may_lose_workers = True
    for _ in range(3):
        with contextlib.suppress(ProcessLookupError):  # the list may have one that has just gone
            os.kill(program.workers()[0], signal.SIGKILL)
        equal(ask(program.ports["health"])[0], 200, "at once")
    wait_until(lambda: len(program.workers()) == 2, "both are back")
    equal(ask(program.ports["health"])[0], 200, "at the end")


def health_option(t, address, more=""):
    """Returns (exit code, stdout, stderr) of --health with this address in the file."""
    path = t.write("probe.ini", more + "[health]\naddress = %s\n" % address)
    return t.run_program("--health", "-c", path)


@case(rows=[("address", "127.0.0.1"), ("any", "0.0.0.0"), ("ipv6", "[::1]"), ("any_ipv6", "[::]")])
def option(t, host):
    """--health asks the address of the file, or this machine where that is every address."""
    address = "%s:%d" % (host, free_port())
    program = t.start(t.config(server="drain_timeout = 20s", echo=ECHO)
                      + "[health]\naddress = %s\n" % address)
    c = program.client("plain")
    c.open("/echo")
    equal(health_option(t, address), (0, "ready\n", ""), "while it serves")
    program.send_signal(signal.SIGTERM)
    c.recv_close(1001)
    code, stdout, stderr = health_option(t, address)
    equal((code, stdout), (1, ""), "while it drains")
    assert stderr.startswith("sluice: not ready: sluice stops"), stderr
    c.close(1001)
    c.wire.finish()
    equal(program.wait_exit(), 0, "exit code")
    program.is_stopped = True
    program.check_log()
    code, stdout, stderr = health_option(t, address)
    equal((code, stdout), (1, ""), "when it is gone")
    assert "connection refused" in stderr, stderr


@case()
def option_in_a_bad_file(t):
    """A file that is being edited does not make a sluice that runs look ill."""
    program = t.start(t.config(echo=ECHO) + HEALTH)
    address = "127.0.0.1:%d" % program.ports["health"][1]
    broken = "[listen a]\naddress = nonsense\ntls_certificate = /nowhere\n[what]\n"
    equal(health_option(t, address, broken), (0, "ready\n", ""), "--health")


NOBODY = [
    ("no_section", "[server]\n", "there is neither [health] nor [admin]"),
    ("no_address", "[health]\nhosts = a\n", "[health] has no address"),
    ("bad_address", "[health]\naddress = x\n", "bad value 'x' for 'address'"),
    ("port_0", "[health]\naddress = 127.0.0.1:0\n", "port 0"),
]


@case(rows=NOBODY)
def option_without_address(t, text, message):
    path = t.write("probe.ini", text)
    code, stdout, stderr = t.run_program("--health", "-c", path)
    equal((code, stdout), (1, ""), "--health")
    assert stderr.startswith(path + ":") and message in stderr, stderr
    code, _, stderr = t.run_program("--health", "-c", t.path("none.ini"))
    equal(code, 1, "without a file")
    assert "none.ini: cannot read" in stderr, stderr


ANSWERS = [
    ("nothing", b"", "the answer is no HTTP"),
    ("no_http", b"SSH-2.0-OpenSSH\r\n", "the answer is no HTTP"),
    ("cut", b"HTTP/1.1 200 OK\r\n", "the answer is no HTTP"),
    ("another_status", b"HTTP/1.1 404 Not Found\r\n\r\nno\r\nmore", "not ready: no\n"),
    ("endless", b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100000), "too long"),
]


@case(rows=ANSWERS)
def option_and_strangers(t, answer, message):
    """Something else listens there."""
    other = t.backend()

    def be_asked():
        peer = other.accept()
        peer.expect(b"GET /readyz HTTP/1.0\r\n\r\n")
        try:
            peer.send(answer)
        except OSError:
            pass
        peer.close()

    thread = in_thread(be_asked)
    code, stdout, stderr = health_option(t, other.url.removeprefix("tcp://"))
    join(thread)
    equal((code, stdout), (1, ""), "--health")
    assert message in stderr, stderr


@case()
def option_has_a_deadline(t):
    """Nobody answers at all."""
    other = t.backend()
    code, stdout, stderr = health_option(t, other.url.removeprefix("tcp://"))
    equal((code, stdout), (1, ""), "--health")
    assert "timeout" in stderr, stderr
