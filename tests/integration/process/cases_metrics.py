# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics: what Prometheus's own checker says, counts that are alive, workers that die; the alert
rules and the dashboard of config/."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

from harness import TLS12, TLS13, Settings, case, equal, wait_until
from scrape import scrape
from services import ROOT
from wsclient import BINARY, CONTINUATION, PING

ECHO = "origins = *\nbackend = echo:"
HEALTH = "[health]\naddress = 127.0.0.1:0\n"


def echo(c, data=b"x"):
    c.binary(data)
    equal(c.recv_message(), (BINARY, data), "echo")


def wait_for(program, want, name, /, **labels):
    """Polls until the sum of the series is `want`."""
    def is_there():
        got = scrape(program, "?name=" + name)
        return got if got.sum(name, **labels) == want else None
    return wait_until(is_there, "%s%r is %s" % (name, labels, want))


def busy(t):
    """Returns a program in which something of every kind has happened."""
    db = t.backend()
    program = t.start(t.config(
        server="workers = 2", echo=ECHO, db="origins = *\nbackend = " + db.url,
        down="origins = *\nhealth_interval = 1h\nbackend = %s" % t.closed_port(),
        odd="origins = *\nbackend = unix:/nowhere/\"a\\b'{}.sock") + HEALTH)
    for path, code in (("/db", None), ("/down", 1011), ("/odd", 1011), ("/none", 1008)):
        c = program.client("tls")
        c.open(path)
        if code is not None:
            c.recv_close(code)
    c = program.client("plain")
    c.open("/echo")
    c.end_cleanly()
    program.log.wait("session.end", ending="client_close")
    return program


@case()
def promtool(t):
    """Prometheus's own checker has nothing to say, whatever has happened before."""
    text = scrape(busy(t)).text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                          text=True, timeout=60)
    equal((done.returncode, done.stdout, done.stderr), (0, "", ""), "promtool")


@case()
def documented(t):
    """config/README.md names each family that is exported, and no other."""
    with open(os.path.join(ROOT, "config/README.md"), encoding="utf-8") as file:
        rows = [line.split("|")[1] for line in file
                if re.match(r"\| (sluice|process)_", line)]
    known = {name for row in rows for name in re.findall(r"\w+", row)}
    text = scrape(busy(t)).text
    equal(set(re.findall(r"^# TYPE (\w+) ", text, re.M)), known, "families")


@case()
def live(t):
    """A session counts while it lives, not only when it is over."""
    db = t.backend()
    program = t.start(t.config(db="origins = *\nbackend = " + db.url) + HEALTH)
    c = program.client("plain")
    c.open("/db")
    peer = db.accept()
    size = 1 << 20
    c.binary(bytes(size))
    peer.recv(size)
    got = scrape(program)
    equal(got.sum("sluice_sessions", route="db", phase="open"), 1, "open")
    equal(got.sum("sluice_sessions_admitted"), 1, "admitted")
    equal(got.sum("sluice_sessions_total", route="db"), 1, "opened")
    for name, side in (("received", "client"), ("sent", "backend")):
        count = got.sum("sluice_%s_bytes_total" % name, route="db", side=side)
        assert size - 65536 <= count <= size + 65536, (name, side, count)
    equal(got.sum("sluice_backend_connect_duration_seconds_count", route="db"), 1, "dials")
    c.close(1000)
    peer.expect_fin()
    peer.close()
    c.recv_close(1000, has_reason=False)
    c.wire.finish()
    got = wait_for(program, 1, "sluice_sessions_ended_total", route="db")
    equal(got.sum("sluice_sessions_ended_total", route="db", ending="client_close", code="1000"),
          1, "its ending")
    got = scrape(program)
    equal(got.sum("sluice_sent_bytes_total", route="db", side="backend"), size, "all of it")
    equal(got.sum("sluice_messages_total", route="db", side="client"), 1, "messages")
    equal(got.sum("sluice_sessions", route="db"), 0, "nothing is open")
    equal(got.sum("sluice_buffered_bytes", route="db"), 0, "nothing waits")
    equal(got.sum("sluice_unacknowledged_bytes", route="db"), 0, "nothing is on its way")


def fill(sock):
    """Sends until nobody takes anything for a while."""
    sock.setblocking(False)
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 0.2:
        try:
            sock.send(bytes(65536))
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)


@case()
def stuck(t):
    """A client that does not read: what waits for it, where, and who is paused."""
    db = t.backend()
    program = t.start(t.config(db="origins = *\nbackend = " + db.url) + HEALTH)
    c = program.client("plain", receive_buffer=8192)
    c.open("/db")
    peer = db.accept()
    fill(peer.sock)
    wait_until(lambda: scrape(program).sum("sluice_buffered_bytes", route="db", side="client")
               > 10000, "bytes wait")
    time.sleep(1.1)  # the kernel's share is asked for once a second
    fill(peer.sock)
    c.wire.close()
    wait_for(program, 0, "sluice_sessions", route="db")
    got = scrape(program)
    assert got.sum("sluice_paused_seconds_total", route="db", side="backend") > 0.5
    equal(got.sum("sluice_buffered_bytes"), 0, "nothing waits")
    equal(got.sum("sluice_unacknowledged_bytes", route="db"), 0, "nothing is on its way")


@case()
def backends(t):
    """A backend that is down, and up again."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    text = "tcp://127.0.0.1:%d" % holder.getsockname()[1]
    program = t.start(t.config(db="origins = *\nbackend = " + text) + HEALTH)
    equal(scrape(program).sum("sluice_backend_up", backend=text), 1, "not known to be down")
    c = program.client("plain")
    c.open("/db")
    c.recv_close(1011)
    got = scrape(program)
    equal(got.sum("sluice_backend_up", route="db", backend=text), 0, "up")
    equal(got.sum("sluice_backend_connect_failures_total", backend=text, reason="refused"), 1,
          "failures")
    equal(got.sum("sluice_backend_connect_failures_total"), 1, "all failures")
    c.close(1011)
    wait_for(program, 1, "sluice_sessions_ended_total", route="db", ending="backend_refused",
             code="1011")
    holder.listen()
    t.cleanup(holder.close)
    c = program.client("plain")
    c.open("/db")
    got = scrape(program)
    equal(got.sum("sluice_backend_up", route="db", backend=text), 1, "up again")
    equal(got.sum("sluice_backend_connect_duration_seconds_bucket", le="+Inf"), 1, "dials")


@case()
def handshakes(t):
    """TLS: versions, resumption, failures, and when the certificate expires."""
    program = t.start(t.config(echo=ECHO) + HEALTH)
    for version in (TLS12, TLS13):
        context = t.tls_context(low=version, high=version)
        c = program.client("tls", context=context)
        c.open("/echo")
        echo(c)
        again = program.client("tls", context=context, session=c.wire.tls.session)
        again.open("/echo")
        assert again.wire.tls.session_reused
    plain = program.client("tls", context=None)
    plain.wire.send(b"GET / HTTP/1.1\r\n\r\n")
    plain.wire.half_close()
    program.log.wait("session.end", ending="tls_failed")
    got = scrape(program)
    for version in ("1.2", "1.3"):
        for resumed in ("yes", "no"):
            equal(got.sum("sluice_tls_handshakes_total", listen="tls", version=version,
                          resumed=resumed), 1, version + resumed)
    equal(got.sum("sluice_tls_handshake_failures_total", listen="tls"), 1, "failures")
    equal(got.sum("sluice_tls_handshake_duration_seconds_count", listen="tls"), 4, "durations")
    equal(got.sum("sluice_tls_handshakes_total", listen="plain"), None, "of a plain listener")
    text = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", t.certificate()[0]],
                          capture_output=True, text=True, check=True, timeout=60).stdout
    expiry = ssl.cert_time_to_seconds(text.strip().partition("=")[2])
    equal(got.sum("sluice_tls_certificate_expiry_timestamp_seconds", listen="tls",
                  name="localhost", certificate="1"), expiry, "expiry")


@case()
def crash(t):
    """Workers that die take no count with them, and leave nothing open behind."""
    program = t.start(t.config(server="workers = 2", echo=ECHO) + HEALTH)
    program.may_lose_workers = True
    last = {}
    for turn in range(4):
        clients = [program.client("plain") for _ in range(8)]
        for c in clients:
            c.open("/echo")
            echo(c, bytes(70000))
        got = scrape(program)
        equal(got.sum("sluice_sessions", route="echo", phase="open"), 8, "open")
        equal(got.sum("sluice_sessions_total", route="echo"), 8 * (turn + 1), "opened")
        for pid in program.workers():
            os.kill(pid, signal.SIGKILL)
        wait_for(program, 2, "sluice_worker_up")
        wait_for(program, 2 * (turn + 1), "sluice_worker_restarts_total")
        got = scrape(program)
        equal(got.sum("sluice_sessions", route="echo"), 0, "nothing is open")
        equal(got.sum("sluice_sessions_admitted"), 0, "nothing is admitted")
        equal(got.sum("sluice_buffered_bytes"), 0, "nothing waits")
        assert got.sum("sluice_received_bytes_total", route="echo") >= 8 * 65000 * (turn + 1)
        now = {key: value for key, value in got.series.items() if key[0].endswith("_total")}
        fallen = [key for key in last if now.get(key, 0) < last[key]]
        equal(fallen, [], "counters that went down")
        last = now


@case()
def still(t):
    """A worker that is stopped is not up, and somebody else answers for it."""
    program = t.start(t.config(server="workers = 2", echo=ECHO) + HEALTH)
    equal(scrape(program).sum("sluice_worker_up"), 2, "at first")
    pid = program.workers()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        program.log.wait("worker.still")
        for _ in range(10):
            wait_for(program, 1, "sluice_worker_up")
    finally:
        os.kill(pid, signal.SIGCONT)
    program.log.wait("worker.back")
    wait_for(program, 2, "sluice_worker_up")


@case()
def strangers(t):
    """Probes, pauses and refusals."""
    program = t.start(t.config(server="max_pending = 1", echo=ECHO) + HEALTH)
    for _ in range(3):
        socket.create_connection(program.ports["plain"]).close()
    wait_for(program, 3, "sluice_probes_total", listen="plain")
    socks = []
    for _ in range(4):
        sock = socket.create_connection(program.ports["plain"])
        sock.sendall(b"GET /echo HTTP/1.1\r\n")
        socks.append(sock)
    t.cleanup(lambda: [sock.close() for sock in socks])
    program.log.wait("listen.paused")
    got = scrape(program)
    assert got.sum("sluice_accept_pauses_total", listen="plain") >= 1
    time.sleep(0.1)
    for sock in socks:
        sock.close()
    program.log.wait("listen.resumed")
    got = wait_for(program, 7, "sluice_connections_total", listen="plain")
    got = scrape(program)
    assert got.sum("sluice_accept_paused_seconds_total", listen="plain") > 0
    assert got.sum("process_open_fds", worker="0") in (None, *range(8, 100))
    assert got.sum("process_resident_memory_bytes", worker="0") > 100000
    assert abs(got.sum("process_start_time_seconds", worker="0") - time.time()) < 600


@case()
def large(t):
    """200 routes: below a mebibyte, whole, and through a kernel that takes little at a time."""
    routes = {"r%d" % i: "origins = *\nbackend = tcp://127.0.0.1:%d, tcp://127.0.0.1:%d"
              % (i + 1, i + 2) for i in range(200)}
    program = t.start(t.config(**routes) + HEALTH)
    got = scrape(program)
    assert 100000 < len(got.text) < 1 << 20, len(got.text)
    equal(got.sum("sluice_sessions_total"), 0, "sessions")
    equal(len([1 for name, _ in got.series if name == "sluice_sessions_total"]), 200, "routes")
    for route in ("r0", "r199"):
        own = [key for key in got.series if ("route", route) in key[1]]
        equal(len([k for k in own if dict(k[1]).get("backend")]), 46, "of two backends")
        assert len([k for k in own if not dict(k[1]).get("backend")]) <= 40
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(program.ports["health"])
        sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        time.sleep(0.3)
        body = b""
        while chunk := sock.recv(65536):
            body += chunk
    names = {line.split(b"{")[0] for line in body.splitlines() if line.startswith(b"sluice_")}
    assert b'\nprocess_start_time_seconds{worker="0"} ' in body, "its last lines"
    assert b"sluice_sessions" in names
    equal(scrape(program, "?name=sluice_workers&name=process_m*").names(),
          {"sluice_workers", "process_max_fds"}, "the filter")


PROMETHEUS, GRAFANA = os.path.join(ROOT, "config/prometheus"), os.path.join(ROOT, "config/grafana")
# Prometheus makes it itself.
OWN = {"up"}


def check_names(program, expressions):
    """Every series that they name is one that we export, and every label one that it has."""
    got = scrape(program)
    labels = {name: set() for name in got.names()}
    for name, pairs in got.series:
        labels[name] |= {key for key, _ in pairs} | {"job", "instance"}
    known = set(re.findall(r"^# TYPE (\w+) ", got.text, re.M)) | got.names() | OWN
    found = 0
    for text in expressions:
        for name, selector in re.findall(r"\b((?:sluice|process)_\w+)(?:\{([^}]*)\})?", text):
            assert name in known, "%s in %r is not exported" % (name, text)
            for label in re.findall(r"(\w+)[=!]~?\"", selector):
                assert label in labels[name], "%s has no %s: %r" % (name, label, text)
            found += 1
    assert found > 20, found


@case()
def rules(t):
    """Prometheus takes the alert rules, their tests pass, and they look at what there is."""
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"],
                      ["check", "config", "prometheus.yml"]):
        done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True,
                              text=True, timeout=120)
        equal((done.returncode, done.stderr), (0, ""), " ".join(arguments) + done.stdout)
    with open(os.path.join(PROMETHEUS, "alerts.yml")) as file:
        alerts = file.read()
    with open(os.path.join(PROMETHEUS, "alerts_test.yml")) as file:
        tested = file.read()
    untested = [name for name in re.findall(r"alert: (\w+)", alerts) if name not in tested]
    equal(untested, [], "alerts without a test")
    check_names(busy(t), [alerts, tested])


@case()
def dashboard(t):
    """The dashboard is whole, and each of its panels asks for what there is."""
    with open(os.path.join(GRAFANA, "sluice.json")) as file:
        board = json.load(file)
    panels = [p for p in board["panels"] if p["type"] != "row"]
    ids = [p["id"] for p in board["panels"]]
    equal(len(set(ids)), len(ids), "ids")
    places = set()
    for panel in board["panels"]:
        grid = panel["gridPos"]
        assert panel["title"] and grid["x"] + grid["w"] <= 24, panel["title"]
        cells = {(grid["x"] + i, grid["y"] + k) for i in range(grid["w"]) for k in range(grid["h"])}
        assert not cells & places, "%s lies over another panel" % panel["title"]
        places |= cells
    expressions = [target["expr"] for p in panels for target in p["targets"]]
    variables = board["templating"]["list"]
    names = {v["name"] for v in variables} | {"__rate_interval"}
    for text in expressions:
        assert set(re.findall(r"\$(\w+)", text)) <= names, text
    rows = [{"record": "a:%d" % i, "expr": text.replace("$__rate_interval", "5m")}
            for i, text in enumerate(expressions)]
    path = t.write("panels.yml", json.dumps({"groups": [{"name": "a", "rules": rows}]}))
    done = subprocess.run(["promtool", "check", "rules", path], text=True, capture_output=True,
                          timeout=60)
    equal(done.returncode, 0, done.stderr)
    check_names(busy(t), expressions + [v["definition"] for v in variables if "definition" in v])


@case()
def messages(t):
    """Messages each way, whatever the route makes of them: whole ones, not frames or reads."""
    db = t.backend()
    url = "origins = *\nbackend = " + db.url
    program = t.start(t.config(echo=ECHO, packed=ECHO + "\ncompression = on", stream=url,
                               lines=url + "\nframing = line") + HEALTH)
    for path in ("echo", "packed"):
        c = program.client("plain")
        c.send_raw(c.request("/" + path,
                             [("Sec-WebSocket-Extensions", "permessage-deflate")]))
        equal(c.read_response().status, 101, "status")
        for _ in range(3):
            c.send(BINARY, b"a" * 50, is_fin=False)
            c.send(CONTINUATION, b"b" * 50)
        c.send(PING, b"no message")
        c.close(1000)
        c.wire.finish()
        while c.wire.recv():
            pass
    for path in ("stream", "lines"):
        c = program.client("plain")
        c.open("/" + path)
        peer = db.accept()
        c.binary(b"one")
        c.binary(b"")
        peer.recv(3)
        peer.send(b"1\n2\n3\n")
        peer.fin()
        c.recv_close(1000)
        c.close(1000)
        c.wire.finish()
    program.log.wait("session.end", 4)
    got = scrape(program)
    counts = {route: tuple(got.sum("sluice_messages_total", route=route, side=side)
                           for side in ("client", "backend"))
              for route in ("echo", "packed", "stream", "lines")}
    equal(counts, {"echo": (3, 3), "packed": (3, 3), "stream": (2, 1), "lines": (2, 3)}, "counts")


@case()
def a_process_in_the_sandbox(t):
    """A worker goes on telling of its own process, though it can open no file any more."""
    program = t.start(t.config(server="workers = 1", echo=ECHO) + HEALTH)
    names = ("process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total")
    before = [scrape(program).sum(name) for name in names]
    clients = [program.client("tls") for _ in range(40)]
    for c in clients:
        c.open("/echo")
        echo(c, bytes(200000))

    def grown():
        now = [scrape(program).sum(name) for name in names]
        return all(b is None or n > b for b, n in zip(before, now))
    wait_until(grown, "numbers that grow")
    is_closed = 0 if Settings.is_asan else 1
    got = scrape(program, "?name=sluice_sandbox_part")
    for part, want in (("capabilities", 1), ("Landlock", is_closed), ("seccomp", is_closed)):
        equal(got.sum("sluice_sandbox_part", part=part), want, part)
    program.stop()
