# SPDX-License-Identifier: GPL-3.0-or-later
"""Which group the two ends of TLS agree on, as a relay between them reads it: sluice with clients,
and with backends. A wolfSSL from 5.8 on has X25519MLKEM768; what an older one does is here too."""

import json
import re
import shutil
import socket
import ssl
import subprocess
from functools import partial

import tlsraw
import webdriver
from harness import case, equal, free_port, wait_until
from marionette import Firefox
from pages import Site
from tlstap import Tap
from wsclient import BINARY, Client, Wire

NEW = "X25519MLKEM768"


def has_new(t):
    """Whether the program's wolfSSL has the group."""
    said = t.run_program("--version")[1]
    version = re.search(r"wolfSSL (\d+)\.(\d+)", said)
    return tuple(map(int, version.groups())) >= (5, 8)


class ProgramWire(Wire):
    """A byte stream through `openssl s_client`, which does the TLS."""

    def __init__(self, t, program, port, *arguments):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(20)
        self.ended, self.tls = None, None
        self.errors = t.path("s_client-%d.log" % port)
        with open(self.errors, "wb") as log:
            self.process = subprocess.Popen(
                [program, "s_client", "-connect", "127.0.0.1:%d" % port, "-servername",
                 "localhost", "-quiet", *arguments], stdin=theirs, stdout=theirs, stderr=log)
        theirs.close()
        t.cleanup(self.close)

    def close(self):
        self.sock.close()
        self.process.terminate()
        self.process.wait(20)


def echo(wire, port, size=1000):
    """A session over this stream that moves a message each way."""
    c = Client(wire, host="localhost:%d" % port)
    c.scheme = "https"
    c.open("/r")
    c.binary(b"x" * size)
    equal(c.recv_message(), (BINARY, b"x" * size), "echo")
    return c


def server(t, **tap):
    p = t.gateway(defaults="origins = *", r="backend = echo:")
    return p, Tap(t, p.ports["tls"], **tap)


def talk_of(t, tap, program, *arguments):
    """Opens a session through the relay; returns what the relay heard."""
    before = len(tap.talks)
    wire = ProgramWire(t, program, tap.port, *arguments)
    echo(wire, tap.port)
    wire.close()
    equal(len(tap.talks), before + 1, "connections")
    return tap.talks[-1]


# Clients. Each row: the client's groups in OpenSSL's spelling (an asterisk: a key comes along), the
# group with the new wolfSSL and with the old one, for which groups the server asks again.

CLIENTS = [
    ("default", None, NEW, "X25519", [], []),
    ("only", NEW, NEW, None, [], None),
    ("classic", "X25519:P-256", "X25519", "X25519", [], []),
    ("p256", "P-256", "P-256", "P-256", [], []),
    ("p384", "P-384", "P-384", "P-384", [], []),
    ("two_keys", "*X25519:*X25519MLKEM768", NEW, "X25519", [], []),
    # One more round trip is not worth it: whoever sends one key wants an answer to it.
    ("classic_key", "X25519MLKEM768:*X25519", "X25519", "X25519", [], []),
    ("p256_key", "X25519MLKEM768:X25519:*P-256", "P-256", "P-256", [], []),
    # None of ours has a key: the server asks for its first.
    ("foreign_key", "*P-521:P-256:X25519:X25519MLKEM768", NEW, "X25519", [NEW], ["X25519"]),
    ("foreign_key_classic", "*P-521:P-256:X25519", "X25519", "X25519", ["X25519"], ["X25519"]),
]


@case(rows=CLIENTS)
def client(t, groups, new, old, new_retries, old_retries):
    p, tap = server(t)
    want, retries = (new, new_retries) if has_new(t) else (old, old_retries)
    arguments = ["-groups", groups] if groups else []
    if want is None:
        done = subprocess.run([t.openssl, "s_client", "-connect", "127.0.0.1:%d" % tap.port,
                               *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=20)
        assert done.returncode != 0
        p.log.wait("session.end", ending="tls_failed")
        return
    talk = talk_of(t, tap, t.openssl, *arguments)
    equal((talk.group(), talk.retries()), (want, retries), "group, HelloRetryRequests")


@case(rows=[("byte_by_byte", 1), ("in_segments", 700)])
def hello_in_pieces(t, piece):
    """A hello with this group is longer than the one segment that it used to need."""
    _, tap = server(t, piece=piece)
    talk = talk_of(t, tap, t.openssl)
    equal(talk.group(), NEW if has_new(t) else "X25519", "group")
    assert talk.hello_bytes()[0] > 1400, talk.hello_bytes()


@case(rows=[("byte_by_byte", 1), ("in_segments", 700)])
def second_hello_in_pieces(t, piece):
    _, tap = server(t, piece=piece)
    talk = talk_of(t, tap, t.openssl, "-groups", "*P-521:X25519:X25519MLKEM768")
    equal((talk.group(), len(talk.hello_bytes())), (NEW if has_new(t) else "X25519", 2), "group")


@case()
def tls_1_2(t):
    _, tap = server(t)
    equal(talk_of(t, tap, t.openssl, "-tls1_2").group(), "X25519", "group")


@case(rows=[("default",), ("p256", "-groups", "P-256")])
def machine_openssl(t, *arguments):
    """The machine's own OpenSSL, on Debian 12 one without the group."""
    program = shutil.which("openssl")
    _, tap = server(t)
    talk = talk_of(t, tap, program, *arguments)
    offered = talk.offers()[0]
    want = "P-256" if arguments else NEW if has_new(t) and NEW in offered[0] else "X25519"
    equal((talk.group(), talk.retries()), (want, []), "group")


@case(rows=[("one_key", NEW + ":X25519"), ("two_keys", "*%s:*X25519" % NEW),
            ("the_other_way", "*X25519:*" + NEW), ("a_third_key", "*P-256:*X25519:*" + NEW)])
def resumed(t, groups):
    """A ticket takes a session up again, with a new exchange by the same group."""
    p, tap = server(t)
    path = t.path("session.pem")
    talks = [talk_of(t, tap, t.openssl, "-groups", groups, option, path)
             for option in ("-sess_out", "-sess_in")]
    want = NEW if has_new(t) else "X25519"
    equal([(talk.group(), talk.is_resumed()) for talk in talks], [(want, False), (want, True)],
          "group, whether a session was taken up")
    wait_until(lambda: len(p.ends()) == 2, "both ends")


@case()
def broken_keys(t):
    """Keys for the group that are none: the handshake fails, the next one does not."""
    p, tap = server(t)
    for key in (b"x", b"\xff" * 1183, b"\xff" * 1184, b"\xff" * 1216, b"\xff" * 1217, bytes(1216),
                bytes(1120)):
        extra = tlsraw.client_hello(key_shares=[(0x11EC, key)])
        # the groups of that hello do not list it: put it in front
        hello = extra.replace(b"\x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17",
                              b"\x00\x0a\x00\x06\x00\x04\x11\xec\x00\x17")
        with socket.create_connection(p.ports["tls"], timeout=20) as sock:
            sock.sendall(tlsraw.records_of(hello))
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    assert talk_of(t, tap, t.openssl).group()


# Browsers

def page_of(t, browser, p, tap):
    """A page of another server opens a WebSocket through the relay."""
    before = len(tap.talks)
    site = Site()
    t.cleanup(site.close)
    browser.go(site.origin + "/")
    got = browser.run("""
      const socket = new WebSocket("wss://127.0.0.1:%d/r");
      return new Promise(resolve => {
        socket.onopen = () => socket.send("hello");
        socket.onmessage = event => { resolve(event.data); socket.close(1000); };
        socket.onclose = event => resolve([event.code, event.reason]);
      });""" % tap.port)
    equal(got, "hello", "what came back")
    p.log.wait("session.end")
    return tap.talks[before:]


class Chromium(webdriver.Browser):
    logs = {"browser": "ALL", "performance": "ALL"}


@case(timeout=120)
def chromium(t):
    want = NEW if has_new(t) else "X25519"
    p, tap = server(t)
    browser = Chromium(t.dir)
    t.cleanup(browser.stop)
    browser.go("https://127.0.0.1:%d/" % tap.port)
    told = set()
    for line in browser.command("/se/log", {"type": "performance"}):
        message = json.loads(line["message"])["message"]
        if message["method"] == "Network.responseReceived":
            details = message["params"]["response"].get("securityDetails")
            if details:
                told.add((details["protocol"], details["keyExchangeGroup"]))
    equal(told, {("TLS 1.3", want)}, "what Chromium says of the page")
    talks = page_of(t, browser, p, tap)
    equal([(talk.group(), talk.retries()) for talk in talks if talk.group()], [(want, [])],
          "the WebSocket's group")


@case(timeout=120)
def firefox(t):
    want = NEW if has_new(t) else "X25519"
    p, tap = server(t)
    browser = Firefox(t.dir)
    t.cleanup(browser.stop)
    talks = page_of(t, browser, p, tap)
    assert want in [talk.group() for talk in talks], [talk.group() for talk in talks]
    assert not any(talk.retries() for talk in talks)


# Backends. Each row: what the server takes, the group with the new wolfSSL and with the old one,
# for which groups the server asks again.

BACKENDS = [
    ("default", None, NEW, "X25519", [], []),
    ("only", NEW, NEW, None, [], None),
    ("classic", "X25519:P-256", "X25519", "X25519", [], []),
    ("p256", "P-256", "P-256", "P-256", ["P-256"], ["P-256"]),
]


def backend_server(t, program, groups, port=None):
    """An s_server that sends each line back, reversed; returns its port and how to end it."""
    certificate, key = t.certificate()
    port = port or free_port()
    with open(t.path("s_server.log"), "wb") as log:
        process = subprocess.Popen(
            [program, "s_server", "-accept", "127.0.0.1:%d" % port, "-cert", certificate, "-key",
             key, "-rev", *(["-groups", groups] if groups else [])],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    stop = partial(stop_process, process)
    t.cleanup(stop)

    def accepts():
        assert process.poll() is None, "s_server has ended"
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0
    wait_until(accepts, "s_server")
    return port, stop


def stop_process(process):
    process.terminate()
    process.wait(20)


def in_front_of(t, port):
    tap = Tap(t, ("127.0.0.1", port))
    p = t.gateway(defaults="origins = *", r="connect_timeout = 10s\nbackend = tls://localhost:%d\n"
                  "backend_ca = %s" % (tap.port, t.certificate()[0]))
    return p, tap


def backend_talk(p, tap):
    """A session with the backend; returns what the relay heard of it: the group, for which the
    server asked, whether it took a session up."""
    c = p.client("plain").open("/r")
    c.binary(b"abc\n")
    equal(c.recv_message()[1], b"cba\n", "what came back")
    talk = tap.talks[-1]
    c.end_cleanly()
    return talk.group(), talk.retries(), talk.is_resumed()


def check_backend(t, program, groups, want, retries):
    port, _ = backend_server(t, program, groups)
    p, tap = in_front_of(t, port)
    if want is None:
        p.client("plain").open("/r").recv_close(1011)
        return
    equal(backend_talk(p, tap), (want, retries, False), "the first session")
    # It takes up the session of the first: it knows the group from the start.
    equal(backend_talk(p, tap), (want, [], True), "the second session")


@case()
def backend_with_another_group(t):
    """A backend starts anew, does not know its sessions, and takes another group than before."""
    port, stop = backend_server(t, t.openssl, "X25519")
    p, tap = in_front_of(t, port)
    equal(backend_talk(p, tap), ("X25519", [], False), "the first session")
    stop()
    backend_server(t, t.openssl, "P-256", port)
    equal(backend_talk(p, tap), ("P-256", ["P-256"], False), "with the next backend")
    equal(backend_talk(p, tap), ("P-256", [], True), "and again")


@case(rows=BACKENDS)
def backend(t, groups, new, old, new_retries, old_retries):
    is_new = has_new(t)
    check_backend(t, t.openssl, groups, new if is_new else old,
                  new_retries if is_new else old_retries)


@case()
def backend_machine_openssl(t):
    want = NEW if has_new(t) and ssl.OPENSSL_VERSION_INFO >= (3, 5) else "X25519"
    check_backend(t, shutil.which("openssl"), None, want, [])
