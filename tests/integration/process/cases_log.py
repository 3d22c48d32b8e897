# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: one line a session, its fields, both formats, and what the network may not do to it."""

import json
import os
import re
import socket
import subprocess
import time

from harness import Program, Settings, case, equal, free_port, parse_line, wait_until
from wsclient import FIN, RESET

ECHO = "origins = *\nbackend = echo:"
NUMBERS = ("up_bytes", "down_bytes", "duration_ms", "connect_ms", "queue_peak_client_bytes",
           "queue_peak_backend_bytes", "unsent_peak_client_bytes", "unsent_peak_backend_bytes",
           "client_rtt_us", "code", "status")


@case(rows=[("text", "text"), ("json", "json")])
def fields_of_a_session(t, kind):
    backend = t.backend()
    p = t.gateway(server="log_format = " + kind, chat="backend = " + backend.url)
    c = p.client().open("/chat?token=secret", subprotocols="binary")
    peer = backend.accept()
    c.binary(b"x" * 1000)
    peer.expect(b"x" * 1000)
    peer.send(b"y" * 2000)
    c.recv_bytes(2000)
    time.sleep(0.1)
    c.close(4001, "done")
    c.recv_close(4001, has_reason=False)
    c.recv_end(FIN)
    c.wire.finish()
    peer.expect_fin()
    peer.close()
    line = p.one_end("client_close", client=c.wire.local, listen="tls", route="chat",
                     backend=backend.url, code=4001, status=101, phase="open", up_bytes=1000,
                     down_bytes=2000, tls="TLSv1.3", level="info")
    assert re.fullmatch(r"0-\d+", line["id"]), line["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"]), line["ts"]
    assert 100 <= int(line["duration_ms"]) < 60000, line["duration_ms"]
    assert 0 <= int(line["connect_ms"]) < 10000, line["connect_ms"]
    for name in NUMBERS:
        assert line[name].isdigit(), "%s is %r" % (name, line[name])
    raw = next(text for text in p.log.lines if "session.end" in text)
    assert "secret" not in raw, raw
    equal(raw.startswith("{"), kind == "json", "JSON")
    if kind == "json":
        fields = json.loads(raw)
        for name in NUMBERS:
            assert isinstance(fields[name], int), "%s is no number" % name
    for text in p.log.lines:
        assert len(text) < 2048, "a line of %d bytes" % len(text)


@case()
def a_session_can_be_watched(t):
    """At debug: one line when a session opens and one for each step of its life, in order."""
    backend = t.backend()
    p = t.gateway(server="log_level = debug", r="backend = " + backend.url)
    c = p.client("plain").open("/r")
    peer = backend.accept()
    c.close(1000)
    peer.expect_fin()
    peer.close()
    c.recv_close(1000, has_reason=False)
    c.recv_end(FIN)
    c.wire.finish()
    line = p.one_end("client_close")
    steps = p.log.find("session.step", id=line["id"])
    equal([(step["on"], step["phase"], step["client_side"], step["backend_side"],
            step.get("actions")) for step in steps][:5], [
        ("request_ok", "request>dial", "up", "gone", "dial"),
        ("backend_up", "dial>open", "up", "gone>up", "accept_101"),
        ("client_close", "open>half_closed", "up", "up>draining", None),
        ("backend_flushed", "half_closed", "up", "draining>lingering", "backend_finish"),
        ("backend_eof", "half_closed>closing", "up>draining", "lingering>gone",
         "send_close,backend_close"),
    ], "steps")
    equal(steps[-1]["phase"].endswith(">dead"), True, "the last step")
    opened = p.log.find("session.open", id=line["id"])
    equal([(o["client"], o["listen"], o["route"], o["backend"]) for o in opened],
          [(c.wire.local, "plain", "r", backend.url)], "session.open")
    c = p.client("plain").open("/nowhere")
    c.recv_close(1008)
    c.recv_end(FIN)
    c.wire.close()
    p.log.wait("session.end", 2)
    steps = p.log.find("session.step", id="0-1")
    equal((steps[0]["on"], steps[0]["ending"], steps[0]["phase"], steps[0]["actions"]),
          ("end", "no_route", "request>closing", "refuse_101,send_close"), "a refusal")
    equal(p.log.find("session.open", id="0-1"), [], "it never opened")


@case()
def an_info_log_has_no_steps(t):
    p = t.gateway(r=ECHO)
    c = p.client("plain").open("/r")
    c.end_cleanly()
    c.wire.close()
    p.one_end("client_close")
    equal(p.log.find("session.step") + p.log.find("session.open"), [], "debug lines")


@case()
def fields_without_a_value_are_left_out(t):
    p = t.gateway(r=ECHO)
    c = p.client("plain")
    c.send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    equal(c.read_response().status, 426, "status")
    c.wire.finish()
    line = p.one_end("bad_request", status=426)
    for name in ("route", "backend", "code", "tls", "connect_ms"):
        assert name not in line, "%s is in %r" % (name, line)
    assert line["detail"], line


NASTY = [
    ("newline_in_origin", "Origin", "https://a\u0080\u0085b\xe9"),
    ("quote_in_origin", "Origin", 'https://a" ending=client_close x="'),
    ("backslash_in_origin", "Origin", "https://a\\n\\x00"),
    ("equals_and_blanks", "Origin", "a=b c=d event=session.end"),
    ("long_origin", "Origin", "https://" + "o" * 3900),
    ("escape_sequences", "Origin", "\u009b31m"),
]


@case(rows=[("%s.%s" % (row[0], kind), kind, *row[1:]) for row in NASTY
            for kind in ("text", "json")])
def network_text_is_escaped(t, kind, header, value):
    p = t.gateway(server="log_format = " + kind,
                  r="origins = https://good.example\nbackend = echo:")
    c = p.client().open("/r", origin=None, headers=[(header, value)])
    c.recv_close(1008)
    c.wire.reset()
    line = p.one_end("origin")
    equal(len(p.log.find("session.end")), 1, "session.end lines")
    shown = line["origin"]
    raw = value.encode("latin-1")
    if len(value) > 256:
        assert len(shown) < 300 and shown.startswith("https://ooo"), shown
    elif kind == "text":
        equal(shown.encode("utf-8", "surrogateescape") if is_utf8(raw) else None,
              raw if is_utf8(raw) else None, "the origin in the log")
    for text in p.log.lines:
        assert all(0x20 <= ord(char) < 0x7f or ord(char) >= 0xa0 for char in text), repr(text)


def is_utf8(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


@case()
def path_and_host_are_escaped(t):
    p = t.gateway(r=ECHO)
    c = p.client("plain", host="a.test")
    c.open("/no%20where/x=1;ending='idle'")
    c.recv_close(1008)
    c.wire.reset()
    line = p.one_end("no_route")
    equal(line["path"], "/no%20where/x=1;ending='idle'", "path")
    equal(line["host"], "a.test", "host")


@case()
def one_line_for_each_connection(t):
    """Each connection has one line, however it went."""
    backend = t.backend()
    p = t.gateway(server="log_level = debug", e=ECHO, b="origins = *\nbackend = " + backend.url,
                  d="backend = " + t.closed_port())
    for _ in range(5):
        p.wire(context=None).close()
        p.wire("plain").reset()
        p.client().open("/e").end_cleanly()
        c = p.client().open("/b")
        backend.accept().reset()
        c.recv_close(1011)
        c.wire.reset()
        c = p.client().open("/d")
        c.recv_close(1011)
        c.wire.reset()
    p.log.wait("session.end", 25)
    p.stop()
    ends = p.ends()
    equal(len(ends), 25, "session.end lines")
    equal(len({line["id"] for line in ends}), 25, "ids")
    equal(len(p.ends(level="debug")), 10, "lines of those who asked for nothing")
    equal(len(p.ends(ending="backend_reset")), 5, "backend_reset")
    equal(len(p.ends(ending="backend_refused")), 5, "backend_refused")


@case(rows=[("error", "error"), ("warn", "warn")])
def level(t, name):
    """The program writes nothing below the level, so on a good day nothing at all."""
    backend = t.backend()
    port = free_port()
    path = t.write("c.ini", t.config(server="user = nobody\nlog_level = " + name,
                                     listens="[listen p]\naddress = 127.0.0.1:%d\n" % port, r=ECHO))
    p = Program(t, ["-c", path])
    t.programs.append(p)
    p.ports["plain"] = ("127.0.0.1", port)
    wait_until(lambda: connects(port), "it listens")
    p.client("plain").open("/r").end_cleanly()
    p.stop()
    # A build with sanitizers says at `warn` which parts of the sandbox it does without.
    lines = [line for line in p.log.lines
             if not (Settings.is_asan and "event=sandbox.missing" in line)]
    equal(lines, [], "the log")
    backend.close()


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


@case()
def into_a_file(t):
    """The old content of the file stays, and every line is whole although two workers write."""
    path = t.write("log", "what was here before\n")
    config = t.write("c.ini", t.config(server="workers = 2", r=ECHO))
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        process = subprocess.Popen([Settings.program, "-c", config], stdin=subprocess.DEVNULL,
                                   stderr=file)
    t.cleanup(process.wait)
    t.cleanup(process.terminate)

    def lines():
        with open(path) as log:
            return log.read().splitlines()

    wait_until(lambda: any("event=ready" in line for line in lines()), "it is ready")
    ports = {line["name"]: line["address"] for line in map(parse_line, lines()[1:])
             if line and line["event"] == "listen.ready"}
    p = FromPorts(t, ports)
    for _ in range(50):
        p.client().open("/r").end_cleanly()
    wait_until(lambda: sum("session.end" in line for line in lines()) == 50, "50 lines")
    process.terminate()
    equal(process.wait(20), 0, "exit code")
    got = lines()
    equal(got[0], "what was here before", "the first line")
    for line in got[1:]:
        assert parse_line(line), "not a log line: %r" % line


class FromPorts(Program):
    """A program that something else has started."""

    def __init__(self, test, addresses):
        self.test = test
        self.ports = {name: ("127.0.0.1", int(address.rpartition(":")[2]))
                      for name, address in addresses.items()}


@case(timeout=90)
def nobody_reads_it(t):
    """A full pipe loses lines, says how many, and delays nobody."""
    config = t.write("c.ini", t.config(r=ECHO))
    process = subprocess.Popen([Settings.program, "-c", config], stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, bufsize=0)
    t.cleanup(process.stderr.close)
    t.cleanup(process.wait)
    t.cleanup(process.kill)
    seen, addresses = b"", {}
    while b"event=ready" not in seen:
        seen += process.stderr.read(4096)
    for line in map(parse_line, seen.decode().splitlines()):
        if line and line["event"] == "listen.ready":
            addresses[line["name"]] = line["address"]
    p = FromPorts(t, addresses)
    for _ in range(400):  # a line has some 300 bytes, a pipe 64 KiB
        p.client("plain").open("/r").end_cleanly()
    os.set_blocking(process.stderr.fileno(), False)
    text = b""
    while chunk := process.stderr.read(1 << 20):
        text += chunk
    kept = text.count(b"event=session.end")
    assert kept < 400, "the pipe was not full: %d bytes" % len(text)
    p.client("plain").open("/r").end_cleanly()

    def told():
        nonlocal text
        text += process.stderr.read(1 << 20) or b""
        return b"log_dropped=" in text

    wait_until(told, "the next line says how many were lost")
    lost = sum(int(n) for n in re.findall(rb"log_dropped=(\d+)", text))
    wait_until(lambda: (told(), text.count(b"event=session.end") + lost == 401)[1],
               "401 lines: %d and %d lost" % (text.count(b"event=session.end"), lost))
    os.set_blocking(process.stderr.fileno(), True)
    process.terminate()
    process.stderr.read()
    equal(process.wait(20), 0, "exit code")


@case()
def its_reader_is_gone(t):
    """A closed pipe is no reason to die."""
    config = t.write("c.ini", t.config(r=ECHO))
    process = subprocess.Popen([Settings.program, "-c", config], stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, bufsize=0)
    t.cleanup(process.wait)
    t.cleanup(process.kill)
    seen = b""
    while b"event=ready" not in seen:
        seen += process.stderr.read(4096)
    address = {line["name"]: line["address"] for line in map(parse_line, seen.decode().splitlines())
               if line and line["event"] == "listen.ready"}
    process.stderr.close()
    p = FromPorts(t, address)
    for _ in range(5):
        p.client().open("/r").end_cleanly()
    process.terminate()
    equal(process.wait(20), 0, "exit code")


@case(rows=[("text", "text"), ("json", "json")])
def queries_are_hidden(t, kind):
    """What stands behind a "?" is in no line of any level, whatever becomes of the request."""
    backend = t.backend()
    p = t.gateway(server="log_level = debug\nlog_format = " + kind, r=ECHO,
                  chat="origins = *\nbackend = " + backend.url,
                  strict="origins = https://good.example\nbackend = echo:",
                  http="origins = https://good.example\non_refuse = http\nbackend = echo:",
                  down="origins = *\nbackend = " + t.closed_port())
    c = p.client().open("/r?ticket=hush", headers=[("Referer", "https://a.example/?t=hush")])
    c.end_cleanly()
    for path, code, origin in (("/strict?ticket=hush", 1008, "https://evil.example"),
                               ("/strict?ticket=hush", 1008, "https://good.example/?t=hush"),
                               ("/none?ticket=hush", 1008, None), ("/down?hush", 1011, None)):
        c = p.client().open(path, origin=origin)
        c.recv_close(code)
        c.close(code)
        c.recv_end()
        c.wire.finish()
        p.log.wait("session.end", id=c.close_id)
    for head in ("GET /r?hush HTTP/1.1\r\nHost: h\r\n\r\n", "GET /r?hush=\x01 HTTP/1.1\r\n\r\n",
                 "GET http://h/r?hush HTTP/1.1\r\nHost: h\r\n\r\n", "HUSH /r?hush HTTP/9\r\n\r\n",
                 "GET /r?%s HTTP/1.1\r\n\r\n" % ("hush" * 20000)):
        c = p.client()
        c.send_raw(head.encode())
        c.read_response()
        c.recv_end(FIN, RESET)
        c.wire.close()
        p.log.wait("session.end", client=c.wire.local)
    for text in p.log.lines:
        assert "hush" not in text, text
