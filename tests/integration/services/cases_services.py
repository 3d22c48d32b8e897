# SPDX-License-Identifier: GPL-3.0-or-later
"""Real services behind routes, and clients that others wrote: two readings of the RFC meet."""

import asyncio
import hashlib
import os
import re
import shlex
import subprocess

import harness
import services
import wsclient
from harness import case, equal
from services import (redis, run_java_client, run_node_client, ssh_command, sshd, start_service,
                      wait_for_port)
from threads import in_thread, join
from wsclient import BINARY, FIN, frame

MIB = 1 << 20


# Redis

def resp(*words):
    """Returns a command as RESP."""
    out = b"*%d\r\n" % len(words)
    for word in words:
        word = word.encode() if isinstance(word, str) else word
        out += b"$%d\r\n%s\r\n" % (len(word), word)
    return out


@case(timeout=90)
def redis_by_hand(t):
    """SET and GET of 10 MiB, a pipeline, a subscription that waits, QUIT."""
    p = t.gateway(r="subprotocols = binary\nbackend = tcp://127.0.0.1:%d" % redis(t))
    c = p.client().open("/r", subprotocols="binary")
    c.binary(resp("PING"))
    equal(c.recv_bytes(7), b"+PONG\r\n", "answer")
    value = os.urandom(10 * MIB)
    c.binary(resp("SET", "big", value))
    equal(c.recv_bytes(5), b"+OK\r\n", "answer")
    c.binary(resp("GET", "big"))
    head = b"$%d\r\n" % len(value)
    got = c.recv_bytes(len(head) + len(value) + 2)
    assert got == head + value + b"\r\n", "the value differs"
    c.send_raw(b"".join(frame(BINARY, resp("INCR", "n")) for _ in range(1000)))
    want = b"".join(b":%d\r\n" % n for n in range(1, 1001))
    equal(c.recv_bytes(len(want)), want, "the answers of the pipeline")
    listener = p.client().open("/r", subprotocols="binary")
    listener.binary(resp("SUBSCRIBE", "news"))
    listener.recv_bytes(len(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
    c.binary(resp("PUBLISH", "news", "hello"))
    equal(c.recv_bytes(4), b":1\r\n", "subscribers")
    want = resp("message", "news", "hello")
    equal(listener.recv_bytes(len(want)), want, "what was published")
    listener.end_cleanly()
    c.binary(resp("QUIT"))
    _, before = c.recv_close(1000, has_reason=False)
    equal(before, b"+OK\r\n", "answer")
    c.close(1000)
    c.recv_end(FIN)
    p.log.wait("session.end", ending="backend_close", code="1000")


@case(timeout=90)
def redis_by_websockets(t):
    """The client is Python's `websockets`."""
    import websockets

    port = redis(t)
    p = t.gateway(r="origins = none\nsubprotocols = binary\nbackend = tcp://127.0.0.1:%d" % port)
    value = os.urandom(10 * MIB)

    async def run():
        uri = "wss://127.0.0.1:%d/r" % p.ports["tls"][1]
        async with websockets.connect(uri, ssl=t.context, subprotocols=["binary"],
                                      max_size=None) as ws:
            equal(ws.subprotocol, "binary", "subprotocol")
            got = bytearray()

            async def answer(size):
                while len(got) < size:
                    got.extend(await ws.recv())
                taken = bytes(got[:size])
                del got[:size]
                return taken

            await ws.send(resp("SET", "big", value))
            equal(await answer(5), b"+OK\r\n", "answer")
            await ws.send(resp("GET", "big"))
            head = b"$%d\r\n" % len(value)
            assert await answer(len(head) + len(value) + 2) == head + value + b"\r\n"

    asyncio.run(asyncio.wait_for(run(), 60 * harness.scale()))
    p.one_end("client_close", code=1000)


@case(timeout=90)
def redis_cli_agrees(t):
    """A client beside the gateway finds what came through the gateway."""
    port = redis(t)
    p = t.gateway(r="subprotocols = binary\nbackend = tcp://127.0.0.1:%d" % port)
    c = p.client().open("/r", subprotocols="binary")
    value = os.urandom(MIB).hex()
    c.binary(resp("SET", "k", value))
    equal(c.recv_bytes(5), b"+OK\r\n", "answer")
    found = subprocess.run(["redis-cli", "-p", str(port), "GET", "k"], capture_output=True,
                           text=True, check=True, timeout=30)
    equal(found.stdout.strip() == value, True, "the value")
    subprocess.run(["redis-cli", "-p", str(port), "SHUTDOWN", "NOSAVE"], timeout=30, check=False,
                   capture_output=True)
    c.recv_close(1000, has_reason=False)
    c.close(1000)
    c.recv_end(FIN)
    again = p.client().open("/r", subprotocols="binary")
    again.recv_close(1011)


# OpenSSH

@case(timeout=120)
def ssh_login(t):
    """The banner, a login, a command, 5 MiB each way."""
    port = sshd(t)
    p = t.gateway(r="subprotocols = binary\norigins = *\nbackend = tcp://127.0.0.1:%d" % port)
    c = p.client().open("/r", subprotocols="binary")
    banner = b""
    while not banner.endswith(b"\n"):
        banner += c.recv_data()
    assert banner.startswith(b"SSH-2.0-OpenSSH"), banner
    c.end_cleanly()

    def ssh(command, data=b""):
        return subprocess.run([*ssh_command(t, p), command], input=data, capture_output=True,
                              timeout=60 * harness.scale())

    done = ssh("echo hello from $0; exit 7")
    assert done.stdout.startswith(b"hello from"), done
    equal(done.returncode, 7, "exit code of the remote command")
    data = os.urandom(5 * MIB)
    done = ssh("sha256sum", data)
    equal(done.stdout.split()[0].decode(), hashlib.sha256(data).hexdigest(), "the hash there")
    path = t.write("data", data)
    done = ssh("cat " + shlex.quote(path))
    equal(done.stdout == data, True, "5 MiB from there")
    done = ssh("cat", data)
    equal(done.stdout == data, True, "5 MiB there and back")
    ends = p.log.wait("session.end", 5)
    for line in ends:
        assert line["ending"] in ("client_close", "backend_close", "client_eof", "client_cut"), line


# Other people's clients

CLIENT_ROUTES = {"echo": "origins = *\nbackend = echo:",
                 "binary": "origins = *\nsubprotocols = binary\naccept = binary\nbackend = echo:"}


@case(timeout=120)
def node_ws(t):
    p = t.gateway(down="origins = *\nbackend = " + t.closed_port(), **CLIENT_ROUTES)
    run_node_client(p, "echo_client.js")
    for line in p.ends():
        assert line["ending"] not in ("protocol", "internal", "tls_failed"), line


@case(timeout=120)
def jdk(t):
    """The JDK's client sends a Content-Length of 0."""
    p = t.gateway(defaults="origins = none", echo="subprotocols = binary\nbackend = echo:")
    run_java_client(p, "EchoClient.java")
    equal([line["ending"] for line in p.ends()], ["client_close", "no_route"], "endings")


@case(timeout=120)
def python_websockets(t):
    import websockets

    p = t.gateway(down="origins = *\nbackend = " + t.closed_port(), **CLIENT_ROUTES)
    uri = "wss://127.0.0.1:%d" % p.ports["tls"][1]

    async def echoes():
        async with websockets.connect(uri + "/echo", ssl=t.context, max_size=None) as ws:
            for data in ("hello", "na\u00efve \u20ac", "", b"", b"x" * 125, b"y" * 126,
                         os.urandom(65536), os.urandom(4 * MIB)):
                await ws.send(data)
                equal(await ws.recv() == data, True, "the echo")
            await ws.send(["one ", "two ", "three"])
            equal(await ws.recv(), "one two three", "the echo of fragments")
            await asyncio.wait_for(await ws.ping(), 30)
            await ws.close(4001, "enough")
            equal(ws.close_code, 4001, "close code")

    async def refusals():
        for path, code in (("/nowhere", 1008), ("/down", 1011), ("/binary", 1008)):
            async with websockets.connect(uri + path, ssl=t.context) as ws:
                await asyncio.wait_for(ws.wait_closed(), 30)
                equal(ws.close_code, code, "close code of " + path)
                assert ws.close_reason, "no reason"
        async with websockets.connect(uri + "/binary", ssl=t.context,
                                      subprotocols=["x", "binary"]) as ws:
            equal(ws.subprotocol, "binary", "subprotocol")
            await ws.send("text")
            await asyncio.wait_for(ws.wait_closed(), 30)
            equal(ws.close_code, 1003, "close code for text")

    async def many():
        sockets = await asyncio.gather(*(websockets.connect(uri + "/echo", ssl=t.context)
                                         for _ in range(50)))
        for number, ws in enumerate(sockets):
            await ws.send("session %d" % number)
        for number, ws in enumerate(sockets):
            equal(await ws.recv(), "session %d" % number, "the echo")
        await asyncio.gather(*(ws.close() for ws in sockets))

    async def run():
        await echoes()
        await refusals()
        await many()

    asyncio.run(asyncio.wait_for(run(), 90 * harness.scale()))
    for line in p.ends():
        assert line["ending"] not in ("protocol", "internal", "tls_failed"), line


@case(timeout=90)
def line_service(t):
    """An old service, line by line: it speaks first, answers slowly, and hangs up."""
    backend = t.backend()
    p = t.gateway(r="backend = " + backend.url)
    c = p.client().open("/r")
    peer = backend.accept()

    def serve():
        peer.send(b"220 ready\r\n")
        while (line := peer.recv_some()) != b"QUIT\r\n":
            peer.send(b"250 " + line)
        peer.send(b"221 bye\r\n")
        peer.fin()

    thread = in_thread(serve)
    equal(c.recv_bytes(11), b"220 ready\r\n", "banner")
    for number in range(100):
        c.text("NOOP %d\r\n" % number)
        want = b"250 NOOP %d\r\n" % number
        equal(c.recv_bytes(len(want)), want, "answer")
    c.text("QUIT\r\n")
    _, before = c.recv_close(1000, has_reason=False)
    equal(before, b"221 bye\r\n", "the last line")
    join(thread)
    c.close(1000)
    c.recv_end(FIN)
    p.one_end("backend_close")


# A proxy in front

@case(timeout=60)
def nginx_in_front(t):
    """The example of config/README.md: Host with its port, Upgrade, and a time-out that is longer
    than ping_interval. Without the Host line `same` compares with the wrong name, and says so."""
    with open(os.path.join(services.ROOT, "config", "README.md"), encoding="utf-8") as file:
        example = re.search(r"\n    (location / \{.*?\n    \})", file.read(), re.S).group(1)
    p = t.gateway(listens="[listen plain]\naddress = 127.0.0.1:0\n",
                  r="path = /websockify\nbackend = echo:\nping_interval = 500ms")
    example = example.replace("127.0.0.1:8080", "127.0.0.1:%d" % p.ports["plain"][1])
    example = example.replace("75s", "2s")
    certificate, key = t.certificate()
    for text, is_admitted in ((example, True), (re.sub(r".*Host.*\n", "", example), False)):
        port = harness.free_port()
        config = t.write("nginx-%d.conf" % port, """
            daemon off; pid %s; error_log stderr; worker_processes 1; user root;
            events {}
            http {
                access_log off; client_body_temp_path %s; proxy_temp_path %s;
                fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s;
                server { listen 127.0.0.1:%d ssl; ssl_certificate %s; ssl_certificate_key %s; %s }
            }""" % (t.path("nginx.pid"), *[t.path("nginx-temp")] * 5, port, certificate, key, text))
        process = start_service(t, ["nginx", "-c", config, "-p", t.dir], "nginx.log")
        wait_for_port(t, port, process, "nginx.log")
        wire = wsclient.Wire(("127.0.0.1", port), context=t.context, timeout=20.0 * harness.scale())
        t.cleanup(wire.close)
        c = wsclient.Client(wire, "127.0.0.1:%d" % port).open("/websockify")
        if is_admitted:
            for _ in range(5):  # longer than the proxy waits
                equal(c.recv_frame().opcode, wsclient.PING, "opcode")
                c.send(wsclient.PONG, b"")
            c.binary(b"hello")
            equal(c.recv_bytes(5), b"hello", "the echo")
            c.close(1000)
            c.recv_close(1000, has_reason=False)  # behind it nginx may reset the connection
        else:
            c.recv_close(1008)
            line = p.log.wait("session.end", ending="origin")[-1]
            assert "list this Origin" in line["detail"] or "another port" in line["detail"], line
