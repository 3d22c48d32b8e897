# SPDX-License-Identifier: GPL-3.0-or-later
"""The measured proxies: a class finds, configures, starts and stops each of them.

Each proxy serves one certificate (ECDSA P-256) and TLS 1.3 with AES-128-GCM only, with one worker
or thread and no log of connections. A class names everything else in which its proxy differs from
its defaults, with the reason. Each sample gets a new process in a directory of its own.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import machine

# HAProxy starts only when it may open two descriptors for each session, and many machines allow
# 20,000 descriptors.
SESSIONS_MAX = 9500


class Failed(Exception):
    """A sample failed; the text says why."""


def free_port(address):
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def make_certificate(folder):
    """Writes cert.pem, key.pem and both.pem."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    both = (folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes()
    (folder / "both.pem").write_bytes(both)


class Server:
    """One running proxy. It listens on `address`. `backends` are ports of 127.0.0.1; the second
    port serves the path /bulk. `latency` is sluice's key, and
    `pings` its `ping_interval`. With `is_tls_out` the backends speak TLS with the same certificate,
    and must prove it."""
    name = ""
    title = ""
    programs = ()  # start() runs the first that exists
    is_raw = False  # it relays bytes: the client speaks no WebSocket
    can_resume = True
    version_args = ("-v",)

    def __init__(self, program, certificate, is_tls, backends, workers=1, address="127.0.0.1",
                 latency=None, is_tls_out=False, pings="0"):
        self.program = program
        self.certificate = certificate
        self.is_tls = is_tls
        self.backends = backends
        self.workers = workers
        self.address = address
        self.latency = latency
        self.is_tls_out = is_tls_out
        self.pings = pings
        self.ports = [free_port(address) for _ in backends]
        self.process = None
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
        self.folder.chmod(0o755)

    @classmethod
    def find(cls):
        """Returns the program's path, or None."""
        path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
        for name in cls.programs:
            found = shutil.which(name, path=path)
            if found:
                return found
        return None

    @classmethod
    def version(cls, program):
        result = subprocess.run([program, *cls.version_args], capture_output=True, text=True,
                                check=False)
        found = re.search(r"\d+\.\d+(\.\d+)?[\w.+~-]*", result.stdout + result.stderr)
        return found.group() if found else "unknown"

    def command(self):
        """Writes the configuration and returns the command line."""
        raise NotImplementedError

    def port(self, is_bulk=False):
        return self.ports[-1] if is_bulk and self.is_raw else self.ports[0]

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def start(self, pin, group=None):
        def prepare():
            os.sched_setaffinity(0, pin)
            if group:
                group.enter()
        log = self.folder / "log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, cwd=self.folder, start_new_session=True,
                                            preexec_fn=prepare)
        ports = self.ports if self.is_raw else self.ports[:1]
        if not machine.wait_for(lambda: self.process.poll() is not None or
                                all(machine.is_listening(self.address, port) for port in ports),
                                20):
            raise Failed(f"{self.title} does not listen")
        if self.process.poll() is not None:
            last = " ".join(log.read_text(errors="replace").split())[-400:]
            raise Failed(f"{self.title} did not start: {last}")

    def stop(self):
        if self.process is not None:
            pids = [pid for pid in machine.tree(self.process.pid) if pid != self.process.pid]
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            for pid in pids:  # a moment ago these were children of our process
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        shutil.rmtree(self.folder, ignore_errors=True)


class Sluice(Server):
    """The defaults, but without log lines about sessions, pings and the idle timeout: no other
    proxy has any of these in the measured time."""
    name = "sluice"
    title = "sluice"
    version_args = ("--version",)

    @classmethod
    def knows(cls, program, key):
        """Says whether this program has that key of a route."""
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            file.write("[listen a]\naddress = 127.0.0.1:1\n"
                       "[route a]\npath = /\nbackend = tcp://127.0.0.1:1\n")
            file.flush()
            found = subprocess.run([program, "-c", file.name, "--print-config"], check=False,
                                   capture_output=True, text=True)
        return re.search(rf"^{key} *=", found.stdout, re.MULTILINE) is not None

    def command(self):
        tls = (f"tls_certificate = {self.certificate}/cert.pem\n"
               f"tls_key = {self.certificate}/key.pem\ntls_min_version = 1.3\n")
        latency = f"latency = {self.latency}\n" if self.latency else ""
        scheme = "tls" if self.is_tls_out else "tcp"
        latency += f"backend_ca = {self.certificate}/cert.pem\n" if self.is_tls_out else ""
        routes = "".join(f"[route {path}]\npath = /{path}\n"
                         f"backend = {scheme}://127.0.0.1:{port}\n{latency}"
                         for path, port in zip(("bench", "bulk"), self.backends))
        return [self.program, "-c", self.write(
            "sluice.ini",
            f"[server]\nworkers = {self.workers}\nmax_sessions = {SESSIONS_MAX}\n"
            f"log_level = warn\n[listen bench]\naddress = {self.address}:{self.ports[0]}\n"
            f"{tls if self.is_tls else ''}[defaults]\nidle_timeout = 0\n"
            f"ping_interval = {self.pings}\n" + routes)]


class Before(Sluice):
    """Another sluice, given by --before: what a change costs."""
    name = "before"
    title = "before"


class Haproxy(Server):
    """A plain relay of TLS or TCP: mode tcp. Buffers (16 KiB), TLS records and TCP_NODELAY have
    their defaults. maxconn is there because its default follows the descriptors, and the timeouts
    because HAProxy warns without them. Splicing is off by default, and impossible with TLS."""
    name = "haproxy"
    title = "HAProxy"
    programs = ("haproxy",)
    is_raw = True

    def command(self):
        tls = f" ssl crt {self.certificate}/both.pem curves P-256"
        out = (f" ssl verify required ca-file {self.certificate}/cert.pem verifyhost localhost"
               if self.is_tls_out else "")
        services = "".join(
            f"listen l{port}\n    bind {self.address}:{port}{tls if self.is_tls else ''}\n"
            f"    server backend 127.0.0.1:{backend}{out}\n"
            for port, backend in zip(self.ports, self.backends))
        return [self.program, "-db", "-f", self.write(
            "haproxy.cfg",
            f"global\n    nbthread 1\n    maxconn {SESSIONS_MAX}\n"
            "    ssl-default-bind-options ssl-min-ver TLSv1.3\n"
            "    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256\n"
            f"defaults\n    mode tcp\n    maxconn {SESSIONS_MAX}\n    timeout connect 10s\n"
            "    timeout client 1h\n    timeout server 1h\n" + services)]


class Nginx(Server):
    """A plain relay: the stream module. Buffer (16 KiB) and TCP_NODELAY have their defaults. It has
    one worker, two connections a session, and the session cache that its documentation advises."""
    name = "nginx"
    title = "nginx"
    programs = ("nginx",)
    is_raw = True
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

    @classmethod
    def find(cls):
        return super().find() if cls.module.exists() else None

    def command(self):
        tls = (f"ssl_certificate {self.certificate}/cert.pem;\n"
               f"ssl_certificate_key {self.certificate}/key.pem;\n"
               "ssl_protocols TLSv1.3;\nssl_ecdh_curve prime256v1;\n"
               "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;\n"
               "ssl_session_cache shared:TLS:10m;\n")
        out = ("proxy_ssl on;\nproxy_ssl_protocols TLSv1.3;\nproxy_ssl_verify on;\n"
               "proxy_ssl_name localhost;\n"
               f"proxy_ssl_trusted_certificate {self.certificate}/cert.pem;\n"
               if self.is_tls_out else "")
        services = "".join(
            f"server {{\nlisten {self.address}:{port}{' ssl' if self.is_tls else ''};\n"
            f"{tls if self.is_tls else ''}{out}"
            f"proxy_pass 127.0.0.1:{backend};\nproxy_timeout 1h;\n}}\n"
            for port, backend in zip(self.ports, self.backends))
        return [self.program, "-e", "stderr", "-p", str(self.folder), "-c", self.write(
            "nginx.conf",
            f"load_module {self.module};\nworker_processes 1;\ndaemon off;\npid nginx.pid;\n"
            f"error_log stderr crit;\nevents {{ worker_connections {2 * SESSIONS_MAX + 100}; }}\n"
            f"stream {{\n{services}}}\n")]


class Lighttpd(Server):
    """mod_wstunnel. It sends binary frames, because text cannot carry every byte, and no pings; it
    has room for the sessions, and timeouts that no idle session meets."""
    name = "lighttpd"
    title = "lighttpd"
    programs = ("lighttpd",)

    @classmethod
    def find(cls):
        folder = Path("/usr/lib/lighttpd")
        has_modules = all((folder / f"{m}.so").exists() for m in ("mod_wstunnel", "mod_openssl"))
        return super().find() if has_modules else None

    def command(self):
        tls = (f'ssl.engine = "enable"\nssl.pemfile = "{self.certificate}/both.pem"\n'
               'ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.3", "Curves" => "P-256", '
               '"Ciphersuites" => "TLS_AES_128_GCM_SHA256")\n')
        services = ", ".join(
            f'"/{path}" => (("host" => "127.0.0.1", "port" => {port}))'
            for path, port in zip(("bench", "bulk"), self.backends))
        modules = '"mod_openssl", "mod_wstunnel"' if self.is_tls else '"mod_wstunnel"'
        return [self.program, "-D", "-f", self.write(
            "lighttpd.conf",
            f'server.modules = ({modules})\nserver.document-root = "{self.folder}"\n'
            f'server.bind = "{self.address}"\nserver.port = {self.ports[0]}\n'
            f"server.max-fds = {2 * SESSIONS_MAX + 100}\nserver.max-connections = {SESSIONS_MAX}\n"
            "server.max-read-idle = 3600\nserver.max-write-idle = 3600\n"
            f"{tls if self.is_tls else ''}wstunnel.server = ({services})\n"
            'wstunnel.frame-type = "binary"\n')]


class Websockify(Server):
    """All defaults: one process for each connection."""
    name = "websockify"
    title = "websockify"
    programs = ("websockify",)
    can_resume = False  # each process has ticket keys of its own

    @classmethod
    def version(cls, program):
        result = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "websockify"],
                                capture_output=True, text=True, check=False)
        return result.stdout or "unknown"

    def command(self):
        tls = [f"--cert={self.certificate}/cert.pem", f"--key={self.certificate}/key.pem",
               "--ssl-only", "--ssl-version=tlsv1_3"]
        return [self.program, *(tls if self.is_tls else []), f"{self.address}:{self.ports[0]}",
                f"127.0.0.1:{self.backends[0]}"]


PEERS = (Haproxy, Nginx, Lighttpd, Websockify)
ALL = (Sluice, Before, *PEERS)
