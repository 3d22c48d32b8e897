#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large floods: sluice with its limits and without them, HAProxy with stick-tables and nginx with
limit_conn beside.

Each flood runs twice against a new server: beside a bystander, who has an open session and measures
how long each answer takes, and then alone, for the processor time of each refused connection. The
server has one core; flood and bystander have the other. Server and bystander run before everything
else on the machine while the bystander measures, where the user may ask for that. A test is one
flood against one server: what every stranger got, and that memory stays bounded. Times are figures
to read: the only one that fails a test is a bystander's p99 within limits beyond twice the quiet
one, in each of three attempts.
"""

import argparse
import base64
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "fixture"), str(HERE.parent / "bench")]

import floods  # noqa: E402
import servers  # noqa: E402
from wsclient import GUID, Client, Wire  # noqa: E402

SOURCES, LIMIT = 200, 5
CROWD, CROWD_LIMIT = 1000, 2
GROWTH_KIB = 64 * 1024
NOISE_S = 0.002  # below it a p99 says more about the machine than about the server
TRIES = 3


def context():
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    return found


USABLE = sorted(os.sched_getaffinity(0))
SERVER_CORES, FLOOD_CORES = {USABLE[0]}, {USABLE[-1]}


# The backend: it sends back what it gets

def serve(listener):
    floods.go_first()

    def one(sock):
        try:
            while data := sock.recv(65536):
                sock.sendall(data)
        except OSError:
            pass  # the server has gone
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


# The servers

class Server:
    def __init__(self, options, folder, backend, limits, flood):
        self.folder, self.backend, self.limits, self.flood = folder, backend, limits, flood
        self.tls, self.plain = (("127.0.0.1", servers.free_port("127.0.0.1")) for _ in range(2))
        self.process = subprocess.Popen(self.command(options), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=lambda: os.sched_setaffinity(0, SERVER_CORES))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(self.tls) == 0:
                    break
            time.sleep(0.05)
        time.sleep(0.3)

    def pids(self):
        with open("/proc/%d/task/%d/children" % (2 * (self.process.pid,))) as file:
            children = [int(pid) for pid in file.read().split()]
        return children or [self.process.pid]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Sluice(Server):
    name = "sluice"

    def command(self, options):
        path = self.folder / "sluice.ini"
        path.write_text(
            "[server]\nworkers = 1\nlog_level = warn\nmax_sessions = 9000\nmax_pending = 2000\n"
            "drain_timeout = 1s\ntls_timeout = 1h\nrequest_timeout = 1h\n%s"
            "[listen tls]\naddress = 127.0.0.1:%d\ntls_certificate = %s/cert.pem\n"
            "tls_key = %s/key.pem\n[listen plain]\naddress = 127.0.0.1:%d\n"
            "[defaults]\norigins = *\nidle_timeout = 0\nping_interval = 0\n"
            "[route b]\npath = /b\nbackend = tcp://127.0.0.1:%d\n"
            "[route r]\npath = /r\non_refuse = http\nbackend = echo:\n%s"
            "[route a]\npath = /a\non_refuse = http\nbackend = echo:\nauth = staff\n"
            "auth_from = bearer\n"
            "[auth staff]\ntype = jwt\nkeys = %s/public.pem\nalgorithms = ES256\n"
            % (self.server_keys(), self.tls[1], self.folder, self.folder, self.plain[1],
               self.backend, self.route_keys(), self.folder))
        return [options.sluice, "-c", str(path)]

    def server_keys(self):
        if not self.limits:
            return "auth_pause = 0\n"
        return "auth_pause = 1h\n" + ("max_connections_per_source = %d\n" % LIMIT
                                      if self.flood.is_before_tls else "")

    def route_keys(self):
        return "max_sessions_per_source = %d\n" % CROWD_LIMIT if self.limits else ""

    def bystander(self):
        c = Client(Wire(self.tls, context=context(), source=("127.0.0.1", 0))).open("/b")
        return lambda: c.text(b"x"), c.recv_message


class HAProxy(Server):
    name = "HAProxy"

    @staticmethod
    def is_here():
        return shutil.which("haproxy")

    def command(self, options):
        path = self.folder / "haproxy.cfg"
        mode = "tcp" if self.flood.is_before_tls else "http"
        table = "stick-table type ip size 100k expire 10m store conn_cur,gpc0"
        path.write_text(
            "global\n nbthread 1\n maxconn 9000\n"
            "defaults\n mode tcp\n timeout client 1h\n timeout server 1h\n timeout connect 5s\n"
            " timeout tunnel 1h\n"
            "frontend tls\n mode %s\n bind 127.0.0.1:%d ssl crt %s/both.pem\n"
            " %s\n%s default_backend %s\n"
            "frontend plain\n mode %s\n bind 127.0.0.1:%d\n %s\n%s default_backend e\n"
            "frontend side\n bind 127.0.0.1:%d ssl crt %s/both.pem\n default_backend b\n"
            "backend b\n server s 127.0.0.1:%d\n"
            "backend e\n mode %s\n server s 127.0.0.1:%d\n"
            % (mode, self.tls[1], self.folder, table, self.rules(), "b" if mode == "tcp" else "e",
               mode, self.plain[1], table, self.rules(), self.side()[1], self.folder, self.backend,
               mode, self.flood.upgrader))
        return ["haproxy", "-f", str(path)]

    def rules(self):
        """HAProxy counts wrong tokens by gpc0, and looks at none of a source that has had 10."""
        if self.flood.is_before_tls:
            return (" tcp-request connection track-sc0 src\n"
                    " tcp-request connection reject if { sc0_conn_cur gt %d }\n" % LIMIT)
        if self.flood.name == "tokens":
            return (" http-request track-sc0 src\n"
                    " http-request deny deny_status 429 if { sc0_get_gpc0 gt 10 }\n"
                    " http-request set-var(txn.token) http_auth_bearer\n"
                    " acl is_good var(txn.token),jwt_verify(ES256,\"%s/public.pem\") -m int 1\n"
                    " http-request sc-inc-gpc0(0) if !is_good\n"
                    " http-request deny deny_status 401 if !is_good\n" % self.folder)
        return (" http-request track-sc0 src\n"
                " http-request deny deny_status 429 if { sc0_conn_cur gt %d }\n" % CROWD_LIMIT)

    def side(self):
        """The bystander's own port: mode http would take what it says for a request."""
        if not hasattr(self, "of_bystander"):
            self.of_bystander = ("127.0.0.1", servers.free_port("127.0.0.1"))
        return self.of_bystander

    def bystander(self):
        wire = Wire(self.side(), context=context(), source=("127.0.0.1", 0))
        return lambda: wire.send(b"x"), lambda: wire.recv(1)


class Nginx(HAProxy):
    """limit_conn: before TLS in the stream module, behind the request's head in the http module."""
    name = "nginx"

    @staticmethod
    def is_here():
        return shutil.which("nginx") and servers.Nginx.module.exists()

    def command(self, options):
        path = self.folder / "nginx.conf"
        tls = "ssl_certificate %s/cert.pem;\nssl_certificate_key %s/key.pem;\n" % (
            self.folder, self.folder)
        of_source = ("limit_conn_zone $binary_remote_addr zone=all:10m;\nlimit_conn_log_level "
                     "info;\n")
        stream = (of_source + "server {\nlisten 127.0.0.1:%d ssl;\n%slimit_conn all %d;\n"
                  "ssl_handshake_timeout 1h;\nproxy_pass 127.0.0.1:%d;\nproxy_timeout 1h;\n}\n"
                  % (self.tls[1], tls, LIMIT, self.backend)) if self.flood.is_before_tls else ""
        http = "" if stream else (
            "http {\naccess_log off;\n%slimit_conn_status 429;\n"
            "server {\nlisten 127.0.0.1:%d ssl;\nlisten 127.0.0.1:%d;\n%slocation / {\n"
            "limit_conn all %d;\nproxy_pass http://127.0.0.1:%d;\nproxy_read_timeout 1h;\n"
            "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\n"
            "proxy_set_header Connection upgrade;\n}\n}\n}\n"
            % (of_source, self.tls[1], self.plain[1], tls, CROWD_LIMIT, self.flood.upgrader))
        path.write_text(
            "load_module %s;\nworker_processes 1;\nworker_rlimit_nofile 30000;\ndaemon off;\n"
            "pid %s/nginx.pid;\nerror_log /dev/null crit;\nevents { worker_connections 18000; }\n"
            "%sstream {\n%sserver {\nlisten 127.0.0.1:%d ssl;\n%sproxy_pass 127.0.0.1:%d;\n"
            "proxy_timeout 1h;\n}\n}\n"
            % (servers.Nginx.module, self.folder, http, stream, self.side()[1], tls, self.backend))
        return ["nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(path)]


# What both forward to in mode http: it accepts every WebSocket and keeps quiet

ACCEPT = base64.b64encode(hashlib.sha1(b"AAAAAAAAAAAAAAAAAAAAAA==" + GUID).digest())


def accept_all(listener):
    def one(sock):
        try:
            if sock.recv(4096):
                sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + ACCEPT +
                             b"\r\n\r\n")
                sock.recv(1)
        except OSError:
            pass  # the server has gone
    threading.stack_size(256 * 1024)
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


# The floods

class Kind:
    is_before_tls = False
    peers = (HAProxy, Nginx)
    upgrader = 0

    def __init__(self, count):
        self.count = count


class Handshakes(Kind):
    name, is_before_tls = "handshakes", True
    title = "TLS handshakes from 200 addresses"

    def make(self, server):
        return floods.Flood(server.tls, floods.sources(SOURCES), context=context(), keep=1500)

    def wanted(self, count, limits):
        return {"answered": SOURCES * LIMIT, "reset": count - SOURCES * LIMIT}


class Hellos(Handshakes):
    name, title = "hellos", "ClientHellos and then silence, from 200 addresses"

    def make(self, server):
        return floods.Flood(server.tls, floods.sources(SOURCES), said=floods.hello(), keep=1500)


class Tokens(Kind):
    name, peers = "tokens", (HAProxy,)
    title = "tokens with a wrong ES256 signature, from 200 addresses"

    def make(self, server):
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        token = ".".join((part(b'{"alg":"ES256"}'), part(json.dumps(
            {"sub": "ann", "exp": int(time.time()) + 86400}).encode()), part(b"\1" * 64)))
        said = floods.request("/a", "Authorization: Bearer %s\r\n" % token)
        return floods.Flood(server.plain, floods.sources(SOURCES), said=said, keep=1500)


class Crowd(Kind):
    name, title = "crowd", "requests of 1,000 addresses that have all their sessions"

    def make(self, server):
        return floods.Flood(server.plain, floods.sources(CROWD), said=floods.request("/r"),
                            keep=CROWD * CROWD_LIMIT)


# One flood against one server

def watch(server, pipe):
    floods.go_first()
    bystander = floods.Bystander(*server.bystander())
    bystander.run(0.5)
    bystander.times.clear()
    pipe.send("ready")
    while True:
        if pipe.poll():
            if pipe.recv() == "stop":
                return
            pipe.send([bystander.quantile(share) for share in (0.5, 0.99)])
            bystander.times.clear()
        bystander.once()


class Watch:
    """A bystander in a process of its own."""

    def __init__(self, server):
        self.pipe, end = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=watch, args=(server, end), daemon=True)
        self.process.start()
        assert self.pipe.poll(30) and self.pipe.recv() == "ready", "no bystander"

    def quantiles(self):
        self.pipe.send("tell")
        assert self.pipe.poll(60), "the bystander is stuck"
        return self.pipe.recv()

    def stop(self):
        self.pipe.send("stop")
        self.process.join(30)


def refusals(results):
    return sum(n for word, n in results.items() if word in ("reset", "closed", "429", "401"))


def attempt(options, folder, backend, kind, cls, limits):
    """Returns what one flood against one new server showed."""
    server = cls(options, folder, backend, limits, kind)
    crowd = kind.make(server)
    try:
        memory = floods.resident_kib(server.pids())
        for pid in server.pids():
            floods.go_first(pid)
        bystander = Watch(server)
        time.sleep(2)
        quiet = bystander.quantiles()
        cpu = floods.cpu_seconds(server.pids())
        first = dict(crowd.run(kind.count))
        busy_cpu = floods.cpu_seconds(server.pids()) - cpu
        busy = bystander.quantiles()
        bystander.stop()
        grown = floods.resident_kib(server.pids()) - memory
        crowd.results.clear()
        for pid in server.pids():
            floods.wait_in_line(pid)
        each = busy_cpu / kind.count
        if limits:
            cpu = floods.cpu_seconds(server.pids())
            crowd.run(kind.count)
            each = ((floods.cpu_seconds(server.pids()) - cpu) / max(1, refusals(crowd.results)))
        return {"first": first, "then": dict(crowd.results), "quiet": quiet, "busy": busy,
                "cpu_us": each * 1e6, "grown_kib": grown}
    finally:
        crowd.close()
        server.stop()


def faults(kind, cls, limits, got):
    """Returns what is wrong with it."""
    found = []
    if got["grown_kib"] > GROWTH_KIB:
        found.append("%d KiB more" % got["grown_kib"])
    if cls is Sluice and limits:
        if kind.is_before_tls and got["first"] != kind.wanted(kind.count, limits):
            found.append("strangers got %r" % got["first"])
        if refusals(got["then"]) != kind.count:
            found.append("later strangers got %r" % got["then"])
        if got["busy"][1] > max(2 * got["quiet"][1], NOISE_S):
            found.append("p99 %.2f ms instead of %.2f" % (1e3 * got["busy"][1],
                                                          1e3 * got["quiet"][1]))
    return found


def test(options, folder, backend, kind, cls, limits):
    for number in range(TRIES):
        got = attempt(options, folder, backend, kind, cls, limits)
        wrong = faults(kind, cls, limits, got)
        if not wrong:
            break
    print("%-10s %-8s %-7s %9.1f us  quiet %6.2f %6.2f ms  flood %6.2f %6.2f ms  %6d KiB  %s%s" % (
        kind.name, cls.name, "limits" if limits else "none", got["cpu_us"],
        *(1e3 * x for x in got["quiet"]), *(1e3 * x for x in got["busy"]), got["grown_kib"],
        got["first"], "  WRONG: " + ", ".join(wrong) if wrong else ""), flush=True)
    return not wrong, got


def start_process(function):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    process = multiprocessing.Process(target=function, args=(listener,), daemon=True)
    process.start()
    return listener.getsockname()[1], process


def prepare(folder):
    servers.make_certificate(folder)
    subprocess.run("openssl ecparam -genkey -name prime256v1 -noout | openssl ec -pubout -out %s"
                   % (folder / "public.pem"), shell=True, check=True, capture_output=True)
    folder.chmod(0o755)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--count", type=int, default=20000, help="strangers of each flood")
    parser.add_argument("-k", default="", help="floods whose name contains this")
    options = parser.parse_args()
    options.sluice = os.path.abspath(options.sluice)
    os.sched_setaffinity(0, FLOOD_CORES)
    Kind.upgrader, accepting = start_process(accept_all)
    backend, echoing = start_process(serve)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sluice-flood-") as name:
        prepare(Path(name))
        print("flood      server   with     CPU of each    bystander's p50 and p99        memory")
        for kind in [k(options.count) for k in (Handshakes, Hellos, Tokens, Crowd)]:
            runs = [(Sluice, False), (Sluice, True)]
            runs += [(peer, True) for peer in kind.peers if peer.is_here()]
            results = {}
            if options.k not in kind.name:
                continue
            print(kind.title)
            for cls, limits in runs:
                is_good, results[cls, limits] = test(options, Path(name), backend, kind, cls,
                                                     limits)
                passed, failed = passed + is_good, failed + (not is_good)
            for cls, limits in results:
                if cls is not Sluice:
                    print("           a refused one costs sluice %.2f of what it costs %s" % (
                        results[Sluice, True]["cpu_us"] / results[cls, limits]["cpu_us"],
                        cls.name))
    accepting.kill()
    echoing.kill()
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
