# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway of the soak: its configuration, its log, its processes and its metrics."""

import hashlib
import os
import shutil
import signal
import subprocess
import time

import certs
import scrape
from harness import free_port, parse_line

TICKET = "a-ticket-of-the-soak"
ADMIN_TOKEN = "0123456789abcdef0123456789abcdef"

SERVER = """[server]
workers = %(workers)d
max_sessions = %(max_sessions)d
max_pending = 4000
log_limit = 0
log_level = info
drain_timeout = %(drain)s
watch = 1s
reload = %(reload)s
tls_timeout = %(hello)s
request_timeout = %(hello)s
max_memory = 1024m
auth_failures = 10
auth_pause = 5s
max_connections_per_source = 4000
max_pending_per_source = 2000
[listen tls]
address = 127.0.0.1:%(tls_port)d
tls_certificate = %(dir)s/live.pem
tls_key = %(dir)s/live.key
[listen plain]
address = 127.0.0.1:%(plain_port)d
[health]
address = 127.0.0.1:%(health_port)d
[admin]
address = unix:%(dir)s/admin.sock
token_file = %(dir)s/admin.token
[auth staff]
type = tokens
file = %(dir)s/tokens
[defaults]
origins = https://good.test
accept = binary
ping_interval = %(ping)s
pong_timeout = %(pong)s
write_timeout = %(write)s
close_timeout = 5s
idle_timeout = 1h
end_timeout = 20s
max_sessions_per_source = 4000
messages = 2000/s
eject_pause = 200ms
eject_pause_max = 1s
"""
ROUTES = {
    "echo": "connect_timeout = %(connect)ds",
    "press": "compression = on\ncompression_idle = 2s",
    "lines": "framing = line\naccept = text\nframing_max = 8k",
    "token": "auth = staff\nauth_from = query:ticket",
    "down": "rate_down = 20m",
    "sink": "rate_up = 20m",
    "brief": "idle_timeout = %(brief)s",
}


class Gateway:
    def __init__(self, program, directory, urls, scale):
        self.dir, self.log_path = directory, os.path.join(directory, "log")
        self.program = os.path.join(directory, "sluice")
        shutil.copy(program, self.program)
        certs.make(directory)
        self.keys = dict(scale, dir=directory, workers=2, reload="keep", connect=15,
                         **free_ports())
        self.urls, self.process, self.read_to = urls, None, 0
        self.rest, self.events, self.endings = b"", {}, {}
        # Of every worker that ever was, by pid; the seat is its number in /metrics.
        self.seats, self.generation = {}, {}
        self.noted = []  # lines of level error or warn, and those that are no log lines

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)

    def use_certificate(self, name):
        """Puts that certificate in place, the key first, as a renewal does."""
        for end in (".key", ".pem"):
            path = os.path.join(self.dir, "live" + end)
            shutil.copy(os.path.join(self.dir, name + end), path + ".new")
            os.chmod(path + ".new", 0o600)
            os.rename(path + ".new", path)

    def write_config(self, **changes):
        self.keys.update(changes)
        text = SERVER % self.keys
        for name, keys in ROUTES.items():
            text += "[route %s]\npath = /%s\nbackend = %s\n%s\n" % (
                name, name, self.urls["echo" if name == "brief" else name], keys % self.keys)
        self.write("sluice.ini", text)

    def start(self):
        self.write("tokens", "page:%s\n" % hashlib.sha256(TICKET.encode()).hexdigest(), 0o600)
        self.write("admin.token", ADMIN_TOKEN + "\n", 0o600)
        self.use_certificate("ec")
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-c", os.path.join(self.dir, "sluice.ini")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_event("ready", 1)

    def stop(self):
        """Returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            if self.process.poll() is None:
                self.process.kill()

    # The log

    def read_log(self):
        """Counts what is new in the log."""
        with open(self.log_path, "rb") as file:
            file.seek(self.read_to)
            data = file.read()
        self.read_to += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "backslashreplace")
            fields = parse_line(line)
            if not fields:
                self.noted.append(line)
                continue
            event = fields["event"]
            self.events[event] = self.events.get(event, 0) + 1
            if event == "worker.start":
                self.seats[int(fields["pid"])] = int(fields["seat"])
                self.generation[int(fields["pid"])] = int(fields["generation"])
            elif event == "session.end":
                word = fields["ending"]
                self.endings[word] = self.endings.get(word, 0) + 1
            elif fields["level"] not in ("info", "debug"):
                self.noted.append(line)

    def wait_event(self, event, count, seconds=120):
        end = time.monotonic() + seconds
        while True:
            self.read_log()
            if self.events.get(event, 0) >= count:
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("no %d lines event=%s:\n%s" % (
                    count, event, "\n".join(self.noted[-10:])))
            time.sleep(0.05)

    # Processes and numbers

    def address(self, name):
        return ("127.0.0.1", self.keys[name + "_port"])

    def metrics(self):
        status, _, body = scrape.ask(self.address("health"), "/metrics")
        assert status == 200, "status %d of /metrics" % status
        return scrape.Numbers(body)

    def admin(self, method, path):
        return scrape.ask(os.path.join(self.dir, "admin.sock"), path, method,
                          headers="Authorization: Bearer %s\r\nConnection: close\r\n" % ADMIN_TOKEN,
                          host="localhost")

    def tree(self):
        """Returns {pid: parent} of all processes of the gateway."""
        found, todo = {self.process.pid: 0}, [self.process.pid]
        while todo:
            parent = todo.pop()
            try:
                with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as file:
                    children = [int(pid) for pid in file.read().split()]
            except OSError:
                continue
            for pid in children:
                found[pid] = parent
                todo.append(pid)
        return found

    def serving(self):
        """Returns the pids of the workers of the newest generation that live."""
        self.read_log()
        workers = [pid for pid in self.tree() if pid in self.seats]
        newest = max(self.generation[pid] for pid in workers)
        return [pid for pid in workers if self.generation[pid] == newest]


def free_ports():
    """Ports that the gateway keeps over upgrades."""
    return {name + "_port": free_port() for name in ("tls", "plain", "health")}
