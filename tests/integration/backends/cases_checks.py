# SPDX-License-Identifier: GPL-3.0-or-later
"""Active health checks: what makes a backend go down and come back, who checks, and how often."""

import os
import signal
import socket
import time

import services
from checked import ANSWERS, GREETS, HANGS_UP, HELLO, SILENT, WRONG, Checked, server_context
from harness import Settings, case, equal, scale, wait_until
from processes import both_started, descriptors_of
from reloads import reload
from scrape import scrape
from wsclient import BINARY

BANNER = "health_interval = 100ms\nhealth_timeout = %s\nhealth_fall = 2\nhealth_expect = SSH-"
HEALTH = "[health]\naddress = 127.0.0.1:0\n"
PATIENT = BANNER % "20s"  # a busy machine makes no check bad


def keys(*urls, checks=PATIENT):
    return "origins = *\nbackend = %s\n%s" % (", ".join(urls), checks)


def verdicts(p, event):
    return [(e["route"], e.get("detail")) for e in p.log.find(event)]


# What a check may find.

FINDINGS = {
    "silent": (SILENT, "no answer within health_timeout"),
    "wrong": (WRONG, "the answer is not health_expect"),
    "hangs": (HANGS_UP, "it hung up before health_expect"),
}


@case()
def findings(t):
    """Backends that accept and do not serve are found, and found again when they do."""
    servers = {name: Checked(t) for name in FINDINGS}
    good = Checked(t)
    checks = {"silent": BANNER % ("%dms" % (500 * scale()))}
    routes = {name: keys(server.url, checks=checks.get(name, PATIENT))
              for name, server in servers.items()}
    p = t.start(t.config(**routes, good=keys(good.url)) + HEALTH)
    for server in servers.values():
        server.wait(2)
    equal(verdicts(p, "backend.down"), [], "down at first")
    for name, server in servers.items():
        server.manner = FINDINGS[name][0]
    p.log.wait("backend.down", len(servers))
    good.wait(5)
    equal(sorted(verdicts(p, "backend.down")),
          sorted((name, detail) for name, (_, detail) in FINDINGS.items()), "down")
    equal(verdicts(p, "backend.up"), [], "up")
    for server in servers.values():
        server.manner = GREETS
    p.log.wait("backend.up", len(servers))
    good.wait(5)
    equal(sorted(verdicts(p, "backend.up")), sorted((name, None) for name in FINDINGS), "up")
    equal(len(p.log.find("backend.down")), len(servers), "backend.down")
    told = scrape(p)
    for name in servers:
        good_ones, bad_ones = [told.sum("sluice_backend_checks_total", route=name, result=result)
                               for result in ("success", "failure")]
        assert good_ones >= 4 and bad_ones >= 2, (name, good_ones, bad_ones)
    equal(told.sum("sluice_backend_checks_total", route="good", result="failure"), 0, "bad checks")


@case()
def fall_and_rise(t):
    """One bad check is not enough, nor is one good one."""
    server = Checked(t)
    p = t.gateway(server="log_level = debug", r=keys(server.url, checks="""
        health_interval = 100ms
        health_timeout = 10s
        health_fall = 3
        health_rise = 4
        health_expect = SSH-"""))
    server.wait(2)
    server.manner = WRONG
    p.log.wait("backend.down")
    equal(len(p.log.find("check.failed")), 3, "bad checks before the verdict")
    server.manner = GREETS
    server.wait(1)  # the last one may still have been a bad one
    before = server.count
    p.log.wait("backend.up")
    assert server.count - before >= 3, "up after %d good checks" % (server.count - before)


@case()
def refused(t):
    """Without health_expect a connection is enough, also over a Unix socket."""
    os.chmod(t.dir, 0o755)
    path = t.path("service.sock")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
    t.cleanup(listener.close)
    server = Checked(t)
    p = t.gateway(defaults="health_interval = 100ms\nhealth_fall = 2\nhealth_rise = 2",
                  tcp="backend = " + url, unix="backend = unix:" + path,
                  good="backend = " + server.url, echo="backend = echo:")
    p.log.wait("backend.down", 2)
    equal(sorted(verdicts(p, "backend.down")), [
        ("tcp", "connection refused"),
        ("unix", "no such file: is the service running?")], "down")
    listener.listen(64)
    late = Checked(t, path=path)
    p.log.wait("backend.up", 2)
    late.wait(2)
    equal(sorted(verdicts(p, "backend.up")), [("tcp", None), ("unix", None)], "up")
    equal(len(p.log.find("backend.down")), 2, "backend.down")


def expect_hello(p):
    c = p.client().open("/r")
    equal(c.recv_message(), (BINARY, HELLO), "what the page gets")
    c.wire.reset()


@case()
def sessions_go_elsewhere(t):
    """A backend that accepts and does not serve gets no session once a check has found it."""
    bad, good = Checked(t, WRONG), Checked(t)
    p = t.gateway(r=keys(bad.url, good.url))
    p.log.wait("backend.down", backend=bad.url)
    for _ in range(3):
        expect_hello(p)
    bad.manner, good.manner = GREETS, WRONG
    p.log.wait("backend.down", backend=good.url)
    p.log.wait("backend.up", backend=bad.url)
    for _ in range(3):
        expect_hello(p)


# Real services.

def pings_of(port):
    """How many PINGs a Redis has seen."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"INFO commandstats\r\nQUIT\r\n")
        text = b""
        while piece := sock.recv(4096):
            text += piece
    found = [line for line in text.split(b"\r\n") if line.startswith(b"cmdstat_ping:calls=")]
    return int(found[0].split(b"=")[1].split(b",")[0]) if found else 0


@case()
def real_services(t):
    redis, sshd = services.redis(t), services.sshd(t)
    wait = "health_interval = 100ms\nhealth_fall = 1\nhealth_timeout = 20s\n"
    p = t.gateway(
        redis=keys("tcp://127.0.0.1:%d" % redis,
                   checks=wait + "health_send = PING\\r\\n\nhealth_expect = +PONG\\x0d\\x0a"),
        ssh=keys("tcp://127.0.0.1:%d" % sshd, checks=wait + "health_expect = SSH-"),
        vnc=keys("tcp://127.0.0.1:%d" % sshd, checks=wait + "health_expect = RFB\\x20"))
    wait_until(lambda: pings_of(redis) >= 3, "PINGs")
    p.log.wait("backend.down")
    with open(t.path("sshd.log")) as file:
        wait_until(lambda: file.read().count("127.0.0.1") >= 1, "a line of sshd")
    equal(verdicts(p, "backend.down"), [("vnc", "the answer is not health_expect")], "down")


@case()
def over_tls(t):
    """A check of a tls:// backend proves it as a session does, and speaks inside."""
    server, plain = Checked(t, context=server_context(t)), Checked(t)
    ca = os.path.join(Settings.certificates, "all.pem")
    wait = "health_interval = 100ms\nhealth_timeout = 20s\nhealth_fall = 2\nbackend_ca = %s\n" % ca
    url = "tls://localhost:%d" % server.port
    p = t.gateway(good=keys(url, checks=wait + "health_expect = SSH-"),
                  name=keys(url, checks=wait + "backend_name = other.example"),
                  plain=keys("tls://localhost:%d" % plain.port, checks=wait))
    p.log.wait("backend.down", 2)
    server.wait(4)
    equal(sorted(verdicts(p, "backend.down")), [
        ("name", "certificate is for another name"),
        ("plain", "the server does not speak TLS")], "down")


# The PROXY header of a check speaks for nobody.

@case(rows=[("v1", "v1", b"PROXY UNKNOWN\r\n"),
            ("v2", "v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")])
def proxy_header(t, version, header):
    backend = t.backend()
    p = t.gateway(r=keys(backend.url, checks="""
        proxy_protocol_out = %s
        health_interval = 100ms
        health_timeout = 20s
        health_fall = 1
        health_send = PING\\r\\n
        health_expect = +PONG""" % version))
    for _ in range(2):
        peer = backend.accept()
        peer.expect(header + b"PING\r\n")
        peer.send(b"+PONG\r\n")
        peer.expect_fin()
        peer.close()
    equal(p.log.find("backend.down"), [], "backend.down")


# Who checks.

@case()
def one_worker_checks(t):
    """Four workers make no more checks than one."""
    server = Checked(t)
    p = both_started(t.gateway(server="workers = 4", r=keys(server.url)), 4)
    server.wait(2)
    before, began = server.count, time.monotonic()
    server.wait(10)
    most = (time.monotonic() - began) / 0.09 + 1
    assert server.count - before <= most, "%d checks, at most %f" % (server.count - before, most)
    equal(p.log.find("backend.down"), [], "backend.down")


def slot_pid(p, slot):
    return int(p.log.find("worker.start", slot=str(slot))[-1]["pid"])


@case(rows=[("killed", signal.SIGKILL), ("ended", signal.SIGTERM)])
def duty_moves(t, number):
    """The worker that checks goes: another one goes on."""
    server = Checked(t)
    p = both_started(t.gateway(server="workers = 3", r=keys(server.url)), 3)
    p.may_lose_workers = True
    server.wait(2)
    for slot in (0, 1):
        os.kill(slot_pid(p, slot), number)
        server.wait(3)
    server.manner = WRONG
    p.log.wait("backend.down")
    server.manner = GREETS
    p.log.wait("backend.up")
    p.log.wait("worker.start", 5)


@case()
def a_drain_ends_the_checks(t):
    server = Checked(t)
    p = both_started(t.gateway(server="workers = 2\ndrain_timeout = %ds" % (5 * scale()),
                               echo="origins = *\nbackend = echo:", r=keys(server.url)))
    server.wait(2)
    c = p.client().open("/echo")
    p.send_signal(signal.SIGTERM)
    p.log.wait("drain.begin", 2)
    server.rest()
    c.recv_close(1001)
    c.close(1001)
    p.stop()


# Reloads, and what checks cost.

@case()
def reloads_keep_what_checks_found(t):
    bad, good = Checked(t, WRONG), Checked(t)
    text = t.config(r=keys(bad.url, good.url))
    p = t.start(text)
    p.log.wait("backend.down")
    for number in range(3):
        reload(p, text + "max_message = %d\n" % (1000 + number))
        good.wait(2)
    equal(len(p.log.find("backend.down")), 1, "backend.down")
    equal(p.log.find("backend.up"), [], "backend.up")
    bad.manner = GREETS
    p.log.wait("backend.up")
    reload(p, text.replace("100ms", "1h"))
    time.sleep(0.3 * scale())  # the one that was due already
    good.rest()


@case()
def five_hundred_checks(t):
    """No descriptor stays open, whatever the checks find."""
    manners = [GREETS, ANSWERS, SILENT, WRONG, HANGS_UP]
    servers = [Checked(t, manner) for manner in manners]
    urls = [server.url for server in servers] + [t.closed_port()]
    checks = """
        health_interval = 50ms
        health_timeout = 100ms
        health_send = PING\\r\\n
        health_expect = +PONG"""
    off = t.config(**{"r%d" % i: keys(*urls, checks="") for i in range(4)})
    on = t.config(**{"r%d" % i: keys(*urls, checks=checks) for i in range(4)})
    p = t.start(off)
    pid = p.workers()[0]
    reload(p, off)
    before = len(descriptors_of(pid))
    reload(p, on)
    wait_until(lambda: sum(s.count for s in servers) >= 500, "500 checks", 60)
    reload(p, off)
    wait_until(lambda: len(descriptors_of(pid)) <= before, "as many descriptors as before")
    for server in servers:
        server.rest(0.1)
