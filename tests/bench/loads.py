# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the load generator and the backend, both C programs (load_main.c, backend.c)."""
import json
import os
import select
import subprocess
import time

from servers import Failed


class Program:
    """A child that writes lines, and ends when its standard input ends."""

    def __init__(self, command, core, is_background=False):
        def prepare():
            os.sched_setaffinity(0, {core})
            if is_background:
                # The child runs only when nobody else wants the core, so it delays no message.
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        self.name = os.path.basename(command[0])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, preexec_fn=prepare)
        self.buffer = b""

    def line(self, seconds):
        end = time.monotonic() + seconds
        stdout = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise Failed(f"{self.name} said nothing for {seconds} s")
            got = os.read(stdout, 65536)
            if not got:
                error = self.process.stderr.read().decode(errors="replace")
                raise Failed(f"{self.name} ended: {error.strip()[-300:]}")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def end_input(self):
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass

    def stop(self):
        self.end_input()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class Backend(Program):
    def __init__(self, path, core, is_background=False, certificate=None):
        files = [f"{certificate}/cert.pem", f"{certificate}/key.pem"] if certificate else []
        super().__init__([path, *files], core, is_background)
        self.port = int(self.line(10).split()[1])


class Load(Program):
    """`options` are the options of load_main.c by name."""
    DEADLINE = 60

    def __init__(self, path, core, server, mode, options, is_bulk=False):
        command = [path, mode, "--wait", "--address", server.address, "--port",
                   str(server.port(is_bulk)), "--path",
                   "/bulk" if is_bulk else "/bench", "--deadline", str(self.DEADLINE)]
        if server.is_tls:
            command += ["--tls", "--ca", f"{server.certificate}/cert.pem"]
        if server.is_raw:
            command.append("--raw")
        for name, value in options.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        self.is_tls = server.is_tls
        super().__init__(command, core, is_bulk)

    def _say(self, line):
        if line.startswith("{") and "error" in json.loads(line):
            raise Failed(json.loads(line)["error"])
        return line

    def ready(self):
        line = self._say(self.line(self.DEADLINE + 10))
        if line != "READY":
            raise Failed(f"the load generator said {line!r}")

    def go(self):
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._say(self.line(1))  # it has said why it ended
            raise

    def result(self):
        result = json.loads(self._say(self.line(self.DEADLINE + 10)))
        if self.is_tls and result["tls"] != "TLSv1.3 TLS_AES_128_GCM_SHA256":
            raise Failed(f"negotiated {result['tls']!r}")
        return result
