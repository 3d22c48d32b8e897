# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a target may lead: classes of addresses, target_allow and target_deny, names that lead to
several addresses or change what they lead to, Unix sockets."""

import os
import socket
import time

from harness import Skip, case, equal
from nameserver import NO_DATA, Etc, NameServer
from peers import Backend
from sessions import end_after_close

SERVER = "127.0.0.2"
FROM = "origins = *\ntarget_from = query:t\n"


def asks(p, token, code):
    """A session that ends by itself; returns its line in the log."""
    before = len(p.ends())
    c = p.client("plain").open("/r?t=" + token)
    c.recv_close(code)
    end_after_close(c, code)
    return p.log.wait("session.end", before + 1)[-1]


def meets(p, token, backend):
    before = len(p.ends())
    c = p.client("plain").open("/r?t=" + token)
    backend.accept().close()
    c.recv_close(1000)
    end_after_close(c)
    return p.log.wait("session.end", before + 1)[-1]


def start(t, lines, keys="", **options):
    path = t.write("targets", "".join("%s: %s\n" % line for line in lines))
    return t.start(t.config(defaults="connect_timeout = 2s",
                            r="%s%s\ntargets = %s" % (FROM, keys, path)), **options)


# Each class is denied by itself. The address stands in the file, so nothing is looked up.

DENIED = [
    ("loopback", "127.0.0.1:{port}", "loopback"),
    ("loopback_far", "127.255.1.2:{port}", "loopback"),
    ("loopback_ipv6", "[::1]:{port}", "loopback"),
    ("unspecified", "0.0.0.0:{port}", "unspecified"),
    ("unspecified_ipv6", "[::]:{port}", "unspecified"),
    ("private", "10.1.2.3:80", "private"),
    ("private_ipv6", "[fd12::1]:80", "private"),
    ("shared", "100.64.0.1:80", "100.64.0.0/10"),
    ("link_local", "169.254.7.7:80", "link-local"),
    ("metadata", "169.254.169.254:80", "metadata"),
    ("metadata_ipv6", "[fd00:ec2::254]:80", "metadata"),
    ("multicast", "224.0.0.1:80", "multicast"),
    ("broadcast", "255.255.255.255:80", "broadcast"),
    ("documentation", "192.0.2.1:80", "documentation"),
    ("mapped", "[::ffff:127.0.0.1]:{port}", "loopback"),
    ("compatible", "[::127.0.0.1]:{port}", "reserved"),
    ("nat64", "[64:ff9b::7f00:1]:{port}", "within the address"),
    ("six_to_four", "[2002:7f00:1::1]:{port}", "within the address"),
    ("unix", "unix:{dir}/service.sock", "does not list the Unix socket"),
]


@case()
def denied_by_default(t):
    backend = t.backend()
    p = start(t, [(name, where.format(port=backend.port, dir=t.dir))
                  for name, where, _ in DENIED])
    for name, where, detail in DENIED:
        line = asks(p, name, 1008)
        equal(line["ending"], "target", name)
        assert detail in line["detail"], (name, line)
        assert line["backend"].startswith(("tcp://", "unix:/")), line
    backend.expect_not_dialled()
    warned = [e["detail"] for e in p.log.find("config.warning")]
    equal(len([text for text in warned if "/targets:" in text]), len(DENIED), "warnings")


ALLOWED = [
    ("as_listed", "127.0.0.0/8", "", "a", None),
    ("narrower", "127.0.0.1/32", "", "a", None),
    ("another_one", "127.0.0.2", "", "a", "loopback"),
    ("wider", "0.0.0.0/0, ::/0", "", "a", "loopback"),
    ("denied_again", "127.0.0.0/8", "127.0.0.1", "a", "target_deny"),
    ("not_in_the_list", "10.0.0.0/8", "", "global", "target_allow does not list the address"),
    ("mapped", "127.0.0.0/8", "", "mapped", None),
    ("mapped_rule", "::ffff:127.0.0.0/104", "", "a", None),
]


@case(rows=[(row[0], *row) for row in ALLOWED])
def rules(t, name, allow, deny, token, detail):
    backend = t.backend()
    lines = [("a", "127.0.0.1:%d" % backend.port), ("global", "8.8.8.8:53"),
             ("mapped", "[::ffff:127.0.0.1]:%d" % backend.port)]
    p = start(t, lines, "target_allow = " + allow + ("\ntarget_deny = " + deny if deny else ""))
    if detail is None:
        meets(p, token, backend)
        return
    line = asks(p, token, 1008)
    equal(line["ending"], "target", "ending")
    assert detail in line["detail"], line
    backend.expect_not_dialled()


# Names. In their network nothing but loopback can be reached: 8.8.8.8 is "network unreachable".

def named(t, a, aaaa=NO_DATA, allow="127.0.0.3", ttl=60):
    etc = Etc(t)
    server = NameServer(t, SERVER, a, aaaa, ttl)
    etc.use(SERVER)
    backend = t.backend(host="0.0.0.0")  # it would accept at a denied address too
    p = start(t, [("a", "desk.example:%d" % backend.port),
                  ("dot", "desk.example.:%d" % backend.port),
                  ("local", "localhost:%d" % backend.port)],
              "target_allow = " + allow if allow else "", preexec_fn=etc.enter)
    return p, server, backend


DENIED_NAMES = [
    ("loopback", "127.0.0.1", NO_DATA, "loopback"),
    ("loopback_ipv6", NO_DATA, "::1", "loopback"),
    ("both", "127.0.0.1", "::1", "loopback"),
    ("metadata", "169.254.169.254", NO_DATA, "metadata"),
    ("private", ("10.0.0.1", "192.168.0.1"), "fd00::1", "private"),
    ("nat64", NO_DATA, "64:ff9b::7f00:1", "within the address"),
]


@case(rows=[(row[0], *row) for row in DENIED_NAMES])
def name_is_denied(t, name, a, aaaa, detail):
    p, _, backend = named(t, a, aaaa, allow=None)
    for token in ("a", "dot"):
        line = asks(p, token, 1008)
        equal(line["ending"], "target", "ending")
        assert detail in line["detail"], line
    equal(asks(p, "local", 1008)["ending"], "target", "localhost, which no name server decides")
    backend.expect_not_dialled()


@case()
def denied_ones_are_passed_over(t):
    """Of several addresses the allowed one is dialled, wherever it stands."""
    p, server, backend = named(t, ("127.0.0.1", "10.0.0.1", "127.0.0.3", "169.254.169.254"), "::1",
                               ttl=0)
    started = time.monotonic()
    for _ in range(3):
        meets(p, "a", backend)
    assert len(server.questions) >= 2
    assert time.monotonic() - started < 30


@case()
def denied_and_unreachable(t):
    """One address is allowed and fails: the backend's failure is what ended the session."""
    p, _, _ = named(t, ("10.0.0.1", "8.8.8.8"), allow=None)
    line = asks(p, "a", 1011)
    equal((line["ending"], line["detail"]), ("backend_refused", "network unreachable"), "ending")


@case()
def rebinding(t):
    """A name that first leads where it may, and then to this machine, gains nothing."""
    p, server, backend = named(t, "127.0.0.3", ttl=0)
    meets(p, "a", backend)
    server.zone[1] = "127.0.0.1"
    asked = len(server.questions)
    time.sleep(1.1)  # the resolver keeps an answer for a second at least
    line = asks(p, "a", 1008)
    equal(line["ending"], "target", "ending")
    assert len(server.questions) > asked, "the old answer was kept"
    server.zone[1] = "127.0.0.3"
    time.sleep(1.1)
    meets(p, "a", backend)


@case()
def one_lookup_for_check_and_connect(t):
    """The server gives a good address once, and a denied one to whoever asks again."""
    p, server, backend = named(t, "127.0.0.3", ttl=0)
    answer = server.answer

    def flip(message):
        reply = answer(message)
        if server.questions[-1] == 1:
            server.zone[1] = "127.0.0.1"
        return reply

    server.answer = flip
    meets(p, "a", backend)
    equal(server.questions.count(1), 1, "questions for an IPv4 address")


# Unix sockets

@case()
def unix_sockets(t):
    os.chmod(t.dir, 0o755)
    os.mkdir(t.path("desks"), 0o755)
    inside, beside = t.path("desks/one.sock"), t.path("other.sock")
    backends = {}
    for path in (inside, beside):
        backends[path] = Backend(path=path)
        t.cleanup(backends[path].close)
        os.chmod(path, 0o666)
    lines = [("in", "unix:" + inside), ("old", "unix_socket:" + inside), ("out", "unix:" + beside),
             ("tcp", "8.8.8.8:1"), ("gone", "unix:%s/desks/two.sock" % t.dir)]
    p = start(t, lines, "target_allow = unix:%s/desks/" % t.dir)
    equal(meets(p, "in", backends[inside])["backend"], "unix:" + inside, "the target in the log")
    meets(p, "old", backends[inside])
    equal(asks(p, "out", 1008)["ending"], "target", "a socket elsewhere")
    equal(asks(p, "tcp", 1008)["ending"], "target", "what the list does not have")
    equal(asks(p, "gone", 1011)["ending"], "backend_refused", "no such socket")
    backends[beside].expect_not_dialled()


@case()
def ipv6(t):
    try:
        backend = t.backend(family=socket.AF_INET6)
    except OSError:
        raise Skip("needs IPv6 on loopback") from None
    p = start(t, [("a", "[::1]:%d" % backend.port), ("b", "tcp://[0:0::1]:%d" % backend.port)],
              "target_allow = ::1")
    equal(meets(p, "a", backend)["backend"], "tcp://[::1]:%d" % backend.port, "in the log")
    meets(p, "b", backend)
