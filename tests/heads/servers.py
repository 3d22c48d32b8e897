# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx and HAProxy in front of a backend that answers with what arrived.

All sockets are Unix sockets in a directory of the run, so nothing else can be in the way. A server
ends a head that never ends after WAIT_S by itself.
"""

import asyncio
import os
import re
import subprocess
import time

WAIT_S = 2
GENEROUS_S = 60
AT_ONCE = 300
INTERIM = re.compile(rb"\AHTTP/1.1 1\d\d [^\n]*\r\n\r\n")
SAW = re.compile(rb"SAW ([0-9a-f]*) ([0-9a-f]*) END")

NGINX = """
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log crit;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_header_timeout {wait}s;
    client_body_timeout {wait}s;
    client_header_buffer_size 1k;
    large_client_header_buffers 4 32k;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen unix:{dir}/nginx.sock backlog=1024;
        location / {{
            proxy_pass http://unix:{dir}/backend.sock;
            proxy_http_version 1.1;
            proxy_buffer_size 64k;
            proxy_buffers 4 64k;
            proxy_busy_buffers_size 128k;
            proxy_set_header Host $host;
        }}
    }}
}}
"""

HAPROXY = """
global
    maxconn 2000
    nbthread 1
    tune.bufsize 65536
    tune.http.maxhdr 200
defaults
    mode http
    timeout connect {generous}s
    timeout server {generous}s
    timeout client {wait}s
    timeout http-request {wait}s
    timeout http-keep-alive {wait}s
frontend heads
    bind unix@{dir}/haproxy.sock backlog 1024
    default_backend seen
backend seen
    server seen unix@{dir}/backend.sock
"""


class Backend(asyncio.Protocol):
    """Answers a head with its target and its Host."""

    def connection_made(self, transport):
        self.transport, self.data, self.is_answered = transport, b"", False

    def data_received(self, data):
        self.data += data
        if self.is_answered or b"\r\n\r\n" not in self.data:
            return
        self.is_answered = True
        lines = self.data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        host = b"".join(line.partition(b":")[2].strip() for line in lines
                        if line.lower().startswith(b"host:"))
        target = (lines[0].split(b" ") + [b""])[1]
        saw = b"SAW %s %s END" % (host.hex().encode(), target.hex().encode())
        self.transport.write(b"HTTP/1.1 200 OK\r\nX-Saw: %s\r\nContent-Length: %d\r\n"
                             b"Connection: close\r\n\r\n%s" % (saw, len(saw), saw))


def is_whole(got):
    """An answer of the backend, or a head of the server's own."""
    return SAW.search(got) or (b"\r\n\r\n" in got and b"SAW" not in got)


class Client(asyncio.Protocol):
    """Sends a head in one write, and keeps what comes until the answer is whole or the end."""

    def __init__(self, head):
        self.head, self.got = head, b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.head)

    def data_received(self, data):
        self.got = INTERIM.sub(b"", self.got + data)
        if is_whole(self.got):
            self.transport.close()

    def connection_lost(self, error):
        """A server that has not read all of the head resets behind its answer."""
        if not self.done.done():
            self.done.set_result(None)


async def ask(path, head):
    """Returns what a server made of a head: (outcome, status, host, target)."""
    _, client = await asyncio.get_running_loop().create_unix_connection(
        lambda: Client(head), path)
    await asyncio.wait_for(client.done, GENEROUS_S)
    return verdict(client.got)


def verdict(got):
    seen = SAW.search(got)
    status = int(got[9:12]) if re.match(rb"HTTP/1.[01] \d\d\d", got) else 0
    if seen:
        return ("taken", status, *(bytes.fromhex(text.decode()) for text in seen.groups()))
    if not got or status == 408:
        return ("waits", status, b"", b"")
    return ("refused", status, b"", b"")


async def ask_all(directory, names, heads):
    """Returns for each name the verdicts of its server."""
    backend = await asyncio.get_running_loop().create_unix_server(
        Backend, os.path.join(directory, "backend.sock"), backlog=1024)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name, head):
        async with gate:
            return await ask(os.path.join(directory, name + ".sock"), head)

    async with backend:
        return [await asyncio.gather(*(one(name, head) for head in heads)) for name in names]


class Servers:
    """Starts both servers in `directory`, and stops them."""

    NAMES = ("nginx", "haproxy")

    def __init__(self, directory):
        self.directory, self.started = directory, []
        for name, text in (("nginx", NGINX), ("haproxy", HAPROXY)):
            with open(self.path(name + ".conf"), "w") as file:
                file.write(text.format(dir=directory, wait=WAIT_S, generous=GENEROUS_S))
        self.start("nginx", ["-c", self.path("nginx.conf"), "-e", self.path("nginx.log")])
        self.start("haproxy", ["-db", "-f", self.path("haproxy.conf")])
        for name in self.NAMES:
            self.wait_for(name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, name, arguments):
        path = os.environ.get("PATH", "") + ":/usr/sbin"
        with open(self.path(name + ".out"), "wb") as out:
            self.started.append(subprocess.Popen(
                [name, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, "PATH": path}))

    def wait_for(self, name):
        end = time.monotonic() + GENEROUS_S
        while not os.path.exists(self.path(name + ".sock")):
            if time.monotonic() > end or any(p.poll() is not None for p in self.started):
                with open(self.path(name + ".out"), errors="replace") as file:
                    raise RuntimeError("%s does not start: %s" % (name, file.read()))
            time.sleep(0.02)

    def ask(self, heads):
        """Returns a tuple (nginx's, HAProxy's) for each head."""
        try:
            os.unlink(self.path("backend.sock"))
        except FileNotFoundError:
            pass
        return list(zip(*asyncio.run(ask_all(self.directory, self.NAMES, heads))))

    def stop(self):
        for process in self.started:
            process.terminate()
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
