# SPDX-License-Identifier: GPL-3.0-or-later
"""What a case gets: a directory, certificates, backends and the program on free ports.

A case is a function taking a Test; its module's name without "cases_" and its own name are the
case's name. The runner (run.py) gives each case a process of its own with a hard timeout.
"""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import certs
import peers
import wsclient

SANITIZER = re.compile(r"\w+Sanitizer: |runtime error: |Assertion .* failed")


class Skip(Exception):
    """The case does not apply here (said with its reason)."""


class Settings:
    """Of the whole run; set by the runner before any case."""

    program = None
    certificates = None
    is_asan = False


def scale():
    """How much longer things may take."""
    return 4 if Settings.is_asan else 1


# The cases

CASES = []


class Case:
    def __init__(self, name, function, arguments, timeout, is_alone):
        self.name, self.function, self.arguments = name, function, arguments
        self.timeout, self.is_alone = timeout, is_alone


def case(timeout=60, alone=False, rows=None):
    """Marks a function as a case; with rows, one case for each: (name, argument...)."""

    def register(function):
        subject = function.__module__.removeprefix("cases_")
        name = "%s.%s" % (subject, function.__name__)
        for row in rows or [None]:
            CASES.append(Case(name if row is None else "%s.%s" % (name, row[0]), function,
                              row[1:] if row else (), timeout, alone))
        return function

    return register


def wait_until(condition, what, timeout=15.0):
    """Polls until condition() is true and returns what it returned."""
    end = time.monotonic() + timeout * scale()
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise wsclient.Timeout("waited in vain: " + what)
        time.sleep(0.02)


def equal(actual, wanted, what):
    assert actual == wanted, "%s is %r instead of %r" % (what, actual, wanted)


# The log

FIELD = re.compile(r'([a-z_0-9.]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s|$)')
ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)")


def unescape(text):
    plain = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}

    def one(match):
        code = match.group(1)
        return bytes([int(code[1:], 16)]) if len(code) > 1 else plain.get(code, code)

    return ESCAPE.sub(one, text.encode()).decode("utf-8", "backslashreplace")


def parse_line(line):
    """One log line as a dictionary of text; None when it is not one."""
    if line.startswith("{"):
        try:
            fields = json.loads(line)
        except ValueError:
            return None
        return {key: str(value) for key, value in fields.items()}
    if not line.startswith("ts="):
        return None
    fields, at = {}, 0
    while at < len(line):
        match = FIELD.match(line, at)
        if not match or match.group(1) in fields:
            return None
        value = match.group(2)
        fields[match.group(1)] = unescape(value[1:-1]) if value.startswith('"') else value
        at = match.end()
    return fields


class Log:
    """Collects a program's stderr on a thread of its own."""

    def __init__(self, pipe):
        self.lines, self.events, self.stray = [], [], []
        self.change = threading.Condition()
        self.is_closed = False
        self.thread = threading.Thread(target=self.run, args=(pipe,), daemon=True)
        self.thread.start()

    def run(self, pipe):
        for raw in pipe:
            line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            fields = parse_line(line)
            with self.change:
                self.lines.append(line)
                if fields:
                    self.events.append(fields)
                elif line:
                    self.stray.append(line)
                self.change.notify_all()
        with self.change:
            self.is_closed = True
            self.change.notify_all()

    def find(self, event, **fields):
        with self.change:
            return [e for e in self.events if e.get("event") == event
                    and all(e.get(key) == value for key, value in fields.items())]

    def wait(self, event, count=1, timeout=20.0, **fields):
        """The events of that kind once there are `count` of them."""
        end = time.monotonic() + timeout * scale()
        with self.change:
            while True:
                found = self.find(event, **fields)
                if len(found) >= count:
                    return found
                left = end - time.monotonic()
                if left <= 0 or self.is_closed:
                    raise wsclient.Timeout("%d of %d lines event=%s %s" % (
                        len(found), count, event, fields or ""))
                self.change.wait(min(left, 0.5))

    def text(self):
        with self.change:
            return "\n".join(self.lines)


# The program

class Program:
    """A running sluice."""

    def __init__(self, test, arguments, stop_timeout=25.0, **popen):
        self.test, self.stop_timeout = test, stop_timeout
        self.process = subprocess.Popen([Settings.program, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        cwd=test.dir, **popen)
        self.pid = self.process.pid
        self.log = Log(self.process.stderr)
        self.output = Log(self.process.stdout)
        self.ports, self.is_stopped = {}, False
        self.may_lose_workers = False

    def wait_ready(self):
        try:
            self.log.wait("ready")
        except wsclient.Timeout:
            raise AssertionError("the program is not ready (exit code %s)"
                                 % self.process.poll()) from None
        for line in self.log.find("listen.ready"):
            host, _, port = line["address"].rpartition(":")
            self.ports[line["name"]] = (host.strip("[]"), int(port))
        return self

    def workers(self):
        """The pids of the master's living children."""
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as file:
            return [int(pid) for pid in file.read().split()]

    def ends(self, **fields):
        return self.log.find("session.end", **fields)

    def one_end(self, ending=None, **fields):
        """The only session.end line so far; waits for it."""
        found = self.log.wait("session.end")
        assert len(found) == 1, "%d session.end lines" % len(found)
        if ending:
            equal(found[0]["ending"], ending, "ending")
        for key, value in fields.items():
            equal(found[0].get(key), str(value), key)
        return found[0]

    def wire(self, listen="tls", **options):
        if listen == "tls":
            options.setdefault("context", self.test.context)
        options.setdefault("timeout", 20.0 * scale())
        wire = wsclient.Wire(self.ports[listen], **options)
        self.test.cleanup(wire.close)
        return wire

    def client(self, listen="tls", host=None, **options):
        return wsclient.Client(self.wire(listen, **options), host)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait_exit(self, timeout=None):
        code = self.process.wait((timeout or self.stop_timeout) * scale())
        self.log.thread.join(10)
        return code

    def stop(self, code=0, signal_number=signal.SIGTERM):
        """Stops it and wants an orderly end."""
        if self.is_stopped:
            return
        self.is_stopped = True
        if self.process.poll() is None:
            self.send_signal(signal_number)
        try:
            actual = self.wait_exit()
        except subprocess.TimeoutExpired:
            raise AssertionError("the program does not stop") from None
        equal(actual, code, "exit code")
        self.check_log()

    def check_log(self):
        """What holds for every run: no report, no line that is not a log line, no lost worker."""
        text = self.log.text()
        found = SANITIZER.search(text)
        assert not found, "a sanitizer or an assertion reports: " + found.group(0)
        assert not self.log.stray, "not a log line: %r" % self.log.stray[0]
        if not self.may_lose_workers:
            lost = [e for e in self.log.find("worker.exit") if "signal" in e]
            assert not lost, "a worker was lost: %r" % lost

    def kill(self):
        """The end of a case that failed."""
        if self.process.poll() is None:
            try:
                workers = self.workers()
            except OSError:
                workers = []
            self.process.kill()
            self.process.wait()
            for pid in workers:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


class Test:
    """One run of one case."""

    def __init__(self, directory):
        self.dir = directory
        self.cleanups, self.programs = [], []
        self.context = certs.context(Settings.certificates)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def cleanup(self, function):
        self.cleanups.append(function)

    def tls_context(self, **options):
        return certs.context(Settings.certificates, **options)

    def certificate(self, name="ec"):
        """(certificate, key) paths."""
        base = os.path.join(Settings.certificates, name)
        return base + ".pem", base + ".key"

    def backend(self, **options):
        options.setdefault("timeout", 20.0 * scale())
        backend = peers.Backend(**options)
        self.cleanup(backend.close)
        return backend

    def deaf(self):
        backend = peers.Deaf()
        self.cleanup(backend.close)
        return backend

    def closed_port(self):
        holder, url = peers.closed_port()
        self.cleanup(holder.close)
        return url

    def config(self, server="", defaults="", listens=None, tls="", **routes):
        """The text of a configuration: listeners "tls" and "plain" on free ports and the routes,
        each given as its keys; a route's path is /NAME unless it says so."""
        certificate, key = self.certificate()
        text = "[server]\n" + lines(
            {"workers": "1", "max_sessions": "2000", "drain_timeout": "1s"}, server)
        if listens is None:
            text += "[listen tls]\n" + lines({
                "address": "127.0.0.1:0", "tls_certificate": certificate, "tls_key": key}, tls)
            text += "[listen plain]\naddress = 127.0.0.1:0\n"
        else:
            text += listens
        if defaults:
            text += "[defaults]\n" + lines({}, defaults)
        for name, keys in routes.items():
            text += "[route %s]\n" % name + lines({"path": "/" + name}, keys)
        return text

    def start(self, text, arguments=(), **popen):
        """Starts the program with this configuration and waits until it is ready."""
        path = self.write("sluice-%d.ini" % len(self.programs), text)
        return self.start_with(["-c", path, *arguments], **popen)

    def start_with(self, arguments, **popen):
        program = Program(self, arguments, **popen)
        self.programs.append(program)
        return program.wait_ready()

    def gateway(self, **config):
        return self.start(self.config(**config))

    def run_program(self, *arguments, timeout=20.0, **options):
        """Runs it to its end; returns (exit code, stdout, stderr)."""
        done = subprocess.run([Settings.program, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, cwd=self.dir, text=True, errors="replace",
                              timeout=timeout * scale(), **options)
        found = SANITIZER.search(done.stderr)
        assert not found, "a sanitizer reports: " + done.stderr
        return done.returncode, done.stdout, done.stderr

    def check(self, text, *arguments):
        """--check of this configuration; returns (exit code, stdout, stderr, path)."""
        path = self.write("check.ini", text)
        return (*self.run_program("-c", path, "--check", *arguments), path)

    def finish(self):
        """Closes what the case opened, stops the programs and checks their logs."""
        self.close_all()
        for program in self.programs:
            program.stop()

    def close_all(self):
        while self.cleanups:
            try:
                self.cleanups.pop()()
            except OSError:
                pass

    def abandon(self):
        self.close_all()
        for program in self.programs:
            program.kill()


def lines(keys, text):
    """The lines of a section: `keys` as far as `text` does not give them, then `text`."""
    text = "\n".join(line.strip() for line in text.strip().splitlines())
    given = {line.partition("=")[0].strip() for line in text.splitlines()}
    out = "".join("%s = %s\n" % item for item in keys.items() if item[0] not in given)
    return out + text + ("\n" if text else "")


def free_port():
    """A port that was free a moment ago (where port 0 will not do)."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
