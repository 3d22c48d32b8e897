# SPDX-License-Identifier: GPL-3.0-or-later
"""[admin]: who may ask and write, the sessions of all workers, ends by hand, the configuration."""

import json
import os
import signal
import socket
import stat
import struct
import time

from harness import case, equal, scale, wait_until
from reloads import reload
from scrape import Numbers, ask, connect
from threads import in_thread, join
from wsclient import BINARY, FIN, TEXT

ECHO = "origins = *\nbackend = echo:"
TOKEN = "a-token-of-the-tests-0123456789"
PLACES = [("unix", "unix:%s/admin.sock"), ("tcp", "127.0.0.1:0")]


def with_admin(t, address="unix:%s/admin.sock", keys="", **config):
    """Returns the text of a configuration with [admin]."""
    config.setdefault("echo", ECHO)
    config.setdefault("server", "workers = 2")
    if "%s" in address:
        address %= t.dir
    return t.config(**config) + "[admin]\naddress = %s\n%s" % (address, keys)


def token_file(t, text=TOKEN + "\n"):
    path = t.write("token", text)
    os.chmod(path, 0o600)
    return "token_file = %s\n" % path


def sessions(p, query=""):
    """Returns the rows of one page, and `next`."""
    status, headers, body = ask(p.ports["admin"], "/sessions" + query)
    equal((status, headers["content-type"]), (200, "application/json"), "/sessions")
    page = json.loads(body)
    return page["sessions"], page["next"]


def wait_row(p, what, condition, query=""):
    """Waits until the only row of the query fulfils the condition."""
    def found():
        rows, _ = sessions(p, query)
        return rows[0] if len(rows) == 1 and condition(rows[0]) else None
    return wait_until(found, what)


def end(p, session, token=None, headers=""):
    if token is not None:
        headers += "Authorization: Bearer %s\r\n" % token
    return ask(p.ports["admin"], "/sessions/" + session, method="DELETE", headers=headers)[0]


def open_many(p, count, path="/echo"):
    """One after the other: many that say nothing yet would put each other out."""
    return [p.client("plain").open(path) for _ in range(count)]


# Who may ask, and what

ASKED = [
    ("status", {"path": "/"}, 200, "text/html; charset=utf-8"),
    ("status_head", {"path": "/", "method": "HEAD"}, 200, "text/html; charset=utf-8"),
    ("sessions", {"path": "/sessions"}, 200, "application/json"),
    ("sessions_http_1_0", {"path": "/sessions", "version": "1.0", "host": None}, 200,
     "application/json"),
    ("config", {"path": "/config"}, 200, "text/plain; charset=utf-8"),
    ("metrics", {"path": "/metrics"}, 200, "text/plain; version=0.0.4; charset=utf-8"),
    ("livez", {"path": "/livez"}, 200, "text/plain; charset=utf-8"),
    ("readyz", {"path": "/readyz"}, 200, "text/plain; charset=utf-8"),
    ("own_page", {"path": "/sessions", "host": "localhost:9091",
                  "headers": "Origin: http://localhost:9091\r\nSec-Fetch-Site: same-origin\r\n"},
     200, "application/json"),
    ("own_name", {"path": "/sessions", "host": "Gate.Example:1"}, 200, "application/json"),
    ("nowhere", {"path": "/nowhere"}, 404, None),
    ("route", {"path": "/echo", "headers": "Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"},
     404, None),
    ("bad_query", {"path": "/sessions?limit=all"}, 400, None),
    ("rebound", {"path": "/sessions", "host": "evil.example"}, 421, None),
    ("rebound_target", {"path": "http://evil.example/sessions"}, 421, None),
    ("two_hosts", {"path": "/sessions", "headers": "Host: localhost\r\n"}, 400, None),
    ("origin", {"path": "/sessions", "headers": "Origin: https://evil.example\r\n"}, 403, None),
    ("origin_null", {"path": "/sessions", "headers": "Origin: null\r\n"}, 403, None),
    ("https_of_it", {"path": "/sessions", "headers": "Origin: https://127.0.0.1\r\n"}, 403, None),
    ("cross_site", {"path": "/", "headers": "Sec-Fetch-Site: cross-site\r\n"}, 403, None),
    ("same_site", {"path": "/", "headers": "Sec-Fetch-Site: same-site\r\n"}, 403, None),
    ("post", {"path": "/sessions", "method": "POST"}, 405, None),
    ("options", {"path": "/sessions", "method": "OPTIONS"}, 405, None),
    ("trace", {"path": "/", "method": "TRACE"}, 405, None),
    ("connect", {"path": "localhost:80", "method": "CONNECT"}, 405, None),
    ("put_one", {"path": "/sessions/0-1", "method": "PUT"}, 405, None),
    ("read_one", {"path": "/sessions/0-1"}, 405, None),
    ("end_all", {"path": "/sessions", "method": "DELETE"}, 405, None),
    ("unknown_method", {"path": "/", "method": "KICK"}, 501, None),
    ("body", {"path": "/sessions/0-1", "method": "DELETE", "headers": "Content-Length: 4\r\n"},
     400, None),
    ("long_path", {"path": "/" + "a" * 40000}, 414, None),
    ("long_id", {"path": "/sessions/" + "1" * 8000, "method": "DELETE"}, 404, None),
]


@case()
def asked(t):
    """Each answer, over a Unix socket and over TCP, and that a page can do nothing with it."""
    for place, address in PLACES:
        p = t.start(with_admin(t, address, "hosts = gate.example\n"))
        for name, request, status, kind in ASKED:
            if name == "long_id" and place == "tcp":
                status = 403  # nobody may end a session there
            got, headers, body = ask(p.ports["admin"], **request)
            equal(got, status, name)
            equal(headers["x-content-type-options"], "nosniff", name)
            equal(headers["cache-control"], "no-store", name)
            assert "access-control-allow-origin" not in headers, name
            if kind is not None:
                equal(headers["content-type"], kind, name)
            if name == "status":
                assert "frame-ancestors 'none'" in headers["content-security-policy"]
                assert "default-src 'none'" in headers["content-security-policy"]
                assert body.rstrip().endswith("</html>"), "the whole page"
            if status == 405:
                equal(headers["allow"], "DELETE" if name in ("put_one", "read_one")
                      else "GET, HEAD", name)
        for line in p.ends(ending="page"):
            assert line["status"] in ("400", "403", "421"), line
        p.stop()


# The sessions

@case()
def rows(t):
    """What a row tells of a session that speaks with a backend, over TLS, on either worker."""
    backend = t.backend()
    p = t.start(with_admin(t, vnc="origins = *\nbackend = %s" % backend.url))
    equal(sessions(p), ([], None), "nobody")
    c = p.client("tls").open("/vnc")
    peer = backend.accept()
    c.binary(b"hello")
    peer.expect(b"hello")
    peer.send(b"w" * 1000)
    equal(c.recv_message(), (BINARY, b"w" * 1000), "down")
    row = wait_row(p, "what has moved", lambda row: row["down_bytes"] == 1000)
    host, port = c.wire.sock.getsockname()
    wanted = {"route": "vnc", "listen": "tls", "client": "%s:%d" % (host, port), "identity": None,
              "backend": backend.url, "phase": "open", "up_bytes": 5, "up_messages": 1,
              "down_messages": 1, "buffered_client_bytes": 0, "buffered_backend_bytes": 0,
              "unsent_client_bytes": 0, "client_paused": None, "backend_paused": None}
    equal({key: row[key] for key in wanted}, wanted, "the row")
    assert row["client_rtt_us"] > 0, row
    assert 0 <= row["idle_ms"] <= row["age_ms"] < 60000 * scale(), row
    assert row["id"] == "%d-%s" % (row["worker"], row["id"].partition("-")[2]), row
    silent = socket.create_connection(p.ports["tls"])
    t.cleanup(silent.close)
    row = wait_row(p, "a connection without a session", lambda row: row["route"] is None,
                   "?phase=tls")
    equal((row["listen"], row["backend"]), ("tls", None), "what is known")
    c.close(1000)
    c.recv_close(1000, has_reason=False)
    c.wire.finish()
    peer.expect_fin()
    peer.fin()
    silent.close()
    wait_until(lambda: sessions(p) == ([], None), "rows that go")


@case()
def paused(t):
    """Who is not read and why: a backend that takes nothing, and a page that takes nothing."""
    backend = t.backend()
    p = t.start(with_admin(t, slow="origins = *\nbackend = " + backend.url))
    up = p.client("plain").open("/slow")
    backend.accept()
    echo = p.client("plain").open("/echo")
    for c in (up, echo):
        c.wire.send(b"\x82\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0")
        c.wire.sock.setblocking(False)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for c in (up, echo):
            try:
                c.wire.sock.send(b"x" * 65536)
            except BlockingIOError:
                time.sleep(0.01)
    row = wait_row(p, "a slow backend", lambda row: row["client_paused"], "?route=slow&paused=yes")
    equal((row["client_paused"], row["backend_paused"]), ("backend_slow", None), "why")
    assert row["buffered_backend_bytes"] > 0, row
    row = wait_row(p, "a slow page", lambda row: row["client_paused"], "?route=echo&paused=yes")
    equal(row["client_paused"], "client_slow", "why")
    assert row["buffered_client_bytes"] > 0, row
    equal(len(sessions(p, "?paused=yes")[0]), 2, "both")


@case()
def pages(t):
    """Filters, and pages of three over the sessions of two workers: each comes once."""
    p = t.start(with_admin(t, other=ECHO))
    clients = open_many(p, 8) + open_many(p, 5, "/other")
    wait_until(lambda: len(sessions(p)[0]) == 13, "all rows")
    equal(len(sessions(p, "?route=other")[0]), 5, "a route")
    equal(len(sessions(p, "?route=other&phase=open&listen=plain&client=127.0.0.1")[0]), 5, "all")
    equal(len(sessions(p, "?listen=tls")[0]), 0, "another listener")
    port = clients[0].wire.sock.getsockname()[1]
    equal(len(sessions(p, "?client=127.0.0.1:%d" % port)[0]), 1, "one client")
    ids, after = [], "0"
    while after is not None:
        got, after = sessions(p, "?limit=3&after=" + after)
        assert len(got) <= 3, got
        ids += [row["id"] for row in got]
    equal((len(ids), len(set(ids))), (13, 13), "once")


@case(timeout=120)
def slow_readers(t):
    """Many who ask for a long list and do not read it keep nobody else out, and cost little."""
    p = t.start(with_admin(t, server="workers = 1\nmax_sessions = 3000"))
    open_many(p, 1000)
    wait_until(lambda: len(sessions(p, "?limit=10000")[0]) == 1000, "all rows")
    slow = []
    for _ in range(60):
        sock = connect(p.ports["admin"])
        t.cleanup(sock.close)
        sock.sendall(b"GET /sessions HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        slow.append(sock)
    for _ in range(5):
        equal(len(sessions(p, "?limit=10000")[0]), 1000, "the list for others")
    c = p.client("plain").open("/echo")
    c.text(b"x")
    equal(c.recv_message(), (TEXT, b"x"), "echo")
    wait_until(lambda: len(sessions(p, "?limit=10000")[0]) == 1001, "one more")
    threads = [in_thread(lambda: equal(len(sessions(p, "?limit=10000")[0]), 1001, "at once"))
               for _ in range(8)]
    for thread in threads:
        join(thread)


@case()
def worker_dies(t):
    """The rows of a worker that dies go with it; those of the others stay."""
    p = t.start(with_admin(t))
    p.may_lose_workers = True
    open_many(p, 24)
    wait_until(lambda: len(sessions(p)[0]) == 24, "all rows")
    by_worker = {n: [row["id"] for row in sessions(p)[0] if row["worker"] == n] for n in (0, 1)}
    assert by_worker[0] and by_worker[1], by_worker
    pid = int(p.log.wait("worker.start", slot="0")[0]["pid"])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: [row["id"] for row in sessions(p)[0]] == by_worker[1], "only the others")
    p.log.wait("worker.start", slot="0", count=2)
    equal(end(p, by_worker[0][0]), 404, "one of the dead")
    open_many(p, 12)
    wait_until(lambda: len(sessions(p)[0]) == 12 + len(by_worker[1]), "new ones")
    equal(len({row["id"] for row in sessions(p)[0]} & set(by_worker[0])), 0, "ids that come again")


# Ends by hand

@case(rows=PLACES)
def kick(t, address):
    """Sessions of both workers end at once, whichever worker is asked; the log says who asked."""
    backend = t.backend()
    token = TOKEN if address == "127.0.0.1:0" else None
    p = t.start(with_admin(t, address, token_file(t) if token else "",
                           vnc="origins = *\nbackend = %s" % backend.url))
    pairs = []
    for _ in range(24):  # the kernel chooses the worker
        c = p.client("tls").open("/vnc")
        peer = backend.accept()
        c.binary(b"hello")
        peer.expect(b"hello")
        pairs.append((c, peer))
    found = wait_until(lambda: len(sessions(p)[0]) == 24 and sessions(p)[0], "all rows")
    equal({row["worker"] for row in found}, {0, 1}, "workers")
    by_port = {int(row["client"].rpartition(":")[2]): row["id"] for row in found}
    for c, peer in pairs[:6]:
        session = by_port[c.wire.sock.getsockname()[1]]
        began = time.monotonic()
        equal(end(p, session, token), 202, "answer")
        equal(c.recv_close(1008)[0], "ended by the operator", "what the page sees")
        assert time.monotonic() - began < 5 * scale(), "it took long"
        peer.expect_fin()
        peer.fin()
        c.close(1008)
        c.recv_end(FIN)
        c.wire.finish()
        p.log.wait("session.end", id=session, ending="kicked", code="1008", phase="open")
        line, = p.log.find("session.kick", id=session)
        equal(line["listen"], "admin", "where")
        assert line["client"] == "unix:uid=%d" % os.getuid() or \
            line["client"].startswith("127.0.0.1:"), line
        wait_until(lambda: end(p, session, token) == 404, "the row to go")
    for c, peer in pairs[6:]:
        c.binary(b"still")
        peer.expect(b"still")
    assert TOKEN not in p.log.text(), "the log has the token"


TOKENS = [
    ("none", "", 401),
    ("wrong", "Authorization: Bearer %s\r\n" % TOKEN.upper(), 401),
    ("cut", "Authorization: Bearer %s\r\n" % TOKEN[:-1], 401),
    ("longer", "Authorization: Bearer %sx\r\n" % TOKEN, 401),
    ("basic", "Authorization: Basic %s\r\n" % TOKEN, 401),
    ("bare", "Authorization: %s\r\n" % TOKEN, 401),
    ("twice", 2 * ("Authorization: Bearer %s\r\n" % TOKEN), 401),
    ("cookie", "Cookie: token=%s\r\n" % TOKEN, 401),
    ("foreign_page", "Authorization: Bearer %s\r\nOrigin: http://evil.example\r\n" % TOKEN, 403),
    ("foreign_site", "Authorization: Bearer %s\r\nSec-Fetch-Site: cross-site\r\n" % TOKEN, 403),
    ("good", "Authorization: bearer %s\r\n" % TOKEN, 202),
]


@case(rows=PLACES)
def tokens(t, address):
    """Without the right token nobody ends a session; a new token in the file is the only one."""
    p = t.start(with_admin(t, address, token_file(t), server="workers = 1\nwatch = 100ms"))
    c = p.client("plain").open("/echo")
    row = wait_row(p, "a session", lambda row: row["phase"] == "open")
    equal(ask(p.ports["admin"], "/sessions/" + row["id"], "DELETE")[1]["www-authenticate"],
          "Bearer", "what is wanted")
    for name, headers, status in TOKENS[:-1]:
        equal(end(p, row["id"], headers=headers), status, name)
    c.text(b"x")
    equal(c.recv_message(), (TEXT, b"x"), "it lives")
    early = connect(p.ports["admin"])
    t.cleanup(early.close)
    token_file(t, "another-token-of-the-tests")
    p.log.wait("reload.done", cause="watch")
    early.sendall(("DELETE /sessions/%s HTTP/1.1\r\nHost: localhost\r\n"
                   "Authorization: Bearer %s\r\n\r\n" % (row["id"], TOKEN)).encode())
    assert early.recv(100).startswith(b"HTTP/1.1 401 "), "the old token on an older connection"
    equal(end(p, row["id"], TOKEN), 401, "the old token")
    token_file(t, "short")
    p.log.wait("reload.failed")
    equal(end(p, row["id"], "short"), 401, "a token that is too short")
    token_file(t)
    wait_until(lambda: end(p, row["id"], headers=TOKENS[-1][1]) == 202, "the token again")
    c.recv_close(1008)
    c.close(1008)
    c.recv_end(FIN)
    c.wire.finish()
    text = p.log.text() + ask(p.ports["admin"], "/config")[2]
    assert TOKEN not in text and "another-token" not in text, "somebody tells the token"


@case()
def nobody_writes(t):
    """Over TCP without token_file everybody of the machine may read and nobody may write."""
    p = t.start(with_admin(t, "127.0.0.1:0"))
    open_many(p, 1)
    row = wait_row(p, "a session", lambda row: row["phase"] == "open")
    equal(end(p, row["id"]), 403, "without")
    equal(end(p, row["id"], ""), 403, "an empty one")
    equal(end(p, row["id"], "x"), 403, "any")


# The configuration

@case()
def config(t):
    """/config is what --print-config prints, and follows a reload."""
    text = with_admin(t, keys=token_file(t))
    p = t.start(text)
    path = t.path("sluice-0.ini")
    _, printed, _ = t.run_program("-c", path, "--print-config")
    equal(ask(p.ports["admin"], "/config")[2], printed, "the configuration")
    assert TOKEN not in printed and "PRIVATE KEY" not in printed, "a secret"
    reload(p, text.replace("[route echo]\n", "[route echo]\nidle_timeout = 77s\n"))
    body = ask(p.ports["admin"], "/config")[2]
    assert "idle_timeout = 77s\n" in body, "the new one"


@case()
def many_routes(t):
    """A long configuration comes whole."""
    routes = {"r%d" % n: ECHO + "\norigins = " + ", ".join(
        "https://p%d-%d.example" % (n, k) for k in range(40)) for n in range(200)}
    p = t.start(with_admin(t, **routes))
    _, printed, _ = t.run_program("-c", t.path("sluice-0.ini"), "--print-config")
    assert len(printed) > 300000, len(printed)
    equal(ask(p.ports["admin"], "/config")[2], printed, "the configuration")


# The listener

@case()
def unix_socket(t):
    """Its rights; what a program left that was killed is taken over; two programs do not share."""
    path = t.path("admin.sock")
    text = with_admin(t)
    p = t.start(text)
    mode = os.stat(path).st_mode
    equal((stat.S_ISSOCK(mode), stat.S_IMODE(mode)), (True, 0o660), "the file")
    code, _, error = t.run_program("-c", t.path("sluice-0.ini"))
    equal(code, 3, "exit code of a second program")
    assert "admin.sock" in error and "address already in use" in error, error
    equal(ask(p.ports["admin"], "/livez")[0], 200, "the first one")
    p.kill()
    p.is_stopped = True
    assert os.path.exists(path), "a file that is left"
    second = t.start(text)
    equal(ask(second.ports["admin"], "/livez")[0], 200, "the next one")
    second.stop()
    os.unlink(path)
    t.write("admin.sock", "precious")
    code, _, error = t.run_program("-c", t.path("sluice-0.ini"))
    equal(code, 3, "exit code where a file is")
    assert "a file that is no socket is there" in error, error
    with open(path) as file:
        equal(file.read(), "precious", "the file")


@case()
def comes_and_goes(t):
    """A reload brings [admin], moves it and takes it away; sessions stay and have rows."""
    without = t.config(server="workers = 2", echo=ECHO)
    p = t.start(without)
    clients = open_many(p, 6)
    reload(p, without + "[admin]\naddress = unix:%s/a.sock\n" % t.dir)
    wait_until(lambda: len(sessions(p)[0]) == 6, "rows of sessions that were there")
    reload(p, without + "[admin]\naddress = 127.0.0.1:0\n")
    wait_until(lambda: len(sessions(p)[0]) == 6, "at its new place")
    reload(p, without)
    wait_until(lambda: is_closed(p.ports["admin"]), "closed", 20)
    reload(p, without + "[admin]\naddress = unix:%s/a.sock\n" % t.dir)
    wait_until(lambda: len(sessions(p)[0]) == 6, "again")
    for c in clients:
        c.text(b"x")
        equal(c.recv_message(), (TEXT, b"x"), "echo")


def is_closed(address):
    try:
        with connect(address) as sock:
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: [::1]\r\n\r\n")
            return not sock.recv(1)
    except (ConnectionError, FileNotFoundError, TimeoutError):
        return True


@case()
def drain(t):
    """While it drains sluice tells who is left, and those can be ended by hand."""
    p = t.start(with_admin(t, server="workers = 2\ndrain_timeout = 20s",
                           defaults="close_timeout = 10s"))
    clients = open_many(p, 4)
    wait_until(lambda: len(sessions(p)[0]) == 4, "all rows")
    p.send_signal(signal.SIGTERM)
    p.log.wait("drain.begin", count=2)
    for c in clients:
        c.recv_close(1001)
    wait_until(lambda: {row["phase"] for row in sessions(p)[0]} == {"closing"}, "what they do")
    equal(ask(p.ports["admin"], "/readyz")[0], 503, "ready")
    for c in clients:
        c.close(1001)
        c.wire.finish()
    equal(p.wait_exit(), 0, "exit code")
    p.is_stopped = True
    p.check_log()


@case()
def health_option(t):
    """--health asks [admin] where there is no [health]."""
    p = t.start(with_admin(t))
    equal(t.run_program("--health", "-c", t.path("sluice-0.ini")), (0, "ready\n", ""), "--health")
    p.stop()
    code, _, error = t.run_program("--health", "-c", t.path("sluice-0.ini"))
    equal(code, 1, "exit code")
    assert "admin.sock" in error, error


@case()
def metrics(t):
    """The same numbers as [health] has."""
    p = t.start(with_admin(t))
    open_many(p, 3)
    numbers = Numbers(ask(p.ports["admin"], "/metrics")[2])
    equal(numbers.sum("sluice_sessions", route="echo", phase="open"), 3, "sessions")
