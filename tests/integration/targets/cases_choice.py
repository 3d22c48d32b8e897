# SPDX-License-Identifier: GPL-3.0-or-later
"""Which target a request chooses: each place of the token, and what becomes of a token that is
missing, unknown or malformed. No log has a token in it."""

import base64
import os

from harness import case, equal
from scrape import ask, scrape
from sessions import WIRES, end_after_close
from wsclient import FIN

LOCAL = "origins = *\ntarget_allow = 127.0.0.0/8, ::1\n"
SECRET = "kx7Qh2-secret-desk"


def targets(t, text, name="targets"):
    return "targets = %s\n" % t.write(name, text)


def two(t):
    """Two services, and the lines that lead to them."""
    one, other = t.backend(), t.backend()
    address = "127.0.0.1:%d"
    return one, other, "%s: %s\nother: tcp://%s\n" % (SECRET, address % one.port,
                                                     address % other.port)


def meets(c, backend):
    """The client of this session speaks with this service."""
    peer = backend.accept()
    c.binary(b"hello")
    peer.expect(b"hello")
    peer.send(b"world")
    equal(c.recv_bytes(5), b"world", "the answer")
    peer.close()
    c.recv_close(1000)
    end_after_close(c)


def hidden(p):
    assert SECRET not in p.log.text(), "the log has the token"


ENCODED = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")

PLACES = [
    ("query", "target_from = query:token", {"path": "/r?x=1&token=" + SECRET}),
    ("query_escaped", "target_from = query:token", {"path": "/r?token=kx7Qh2%2dsecret%2Ddesk"}),
    ("query_of_another_name", "target_from = query:desk.1", {"path": "/r?desk.1=" + SECRET}),
    ("path", "path = /r/*\ntarget_from = path", {"path": "/r/" + SECRET}),
    ("path_escaped", "path = /r/*\ntarget_from = path", {"path": "/r/kx7Qh2%2Dsecret-desk?x"}),
    ("offer", "target_from = subprotocol", {"subprotocols": "binary, sluice.token." + ENCODED}),
    ("offer_itself", "target_from = subprotocol", {"subprotocols": SECRET}),
    ("offer_behind", "target_from = subprotocol\nsubprotocols = binary",
     {"subprotocols": "binary, " + SECRET}),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row) for row in PLACES for wire, listen in WIRES])
def place(t, listen, name, keys, request):
    one, other, text = two(t)
    p = t.gateway(server="log_level = debug", r=LOCAL + keys + "\n" + targets(t, text))
    c = p.client(listen).open(**{"path": "/r", **request})
    if "subprotocols" in request:  # Chromium wants one of its offers in the answer
        equal(c.subprotocol, request["subprotocols"].split(",")[0], "subprotocol")
    meets(c, one)
    other.expect_not_dialled()
    line = p.one_end("backend_close", code=1000)
    equal(line["backend"], "tcp://127.0.0.1:%d" % one.port, "the target in the log")
    equal(p.log.find("session.open")[0]["backend"], line["backend"], "the target at its opening")
    hidden(p)


@case(rows=WIRES)
def host(t, listen):
    """The first label, in any letter case; an address and a lone name have none."""
    one, other, text = two(t)
    p = t.gateway(r=LOCAL + "target_from = host\n" + targets(t, text))
    good = p.client(listen, host="OTHER.desks.example").open("/r")
    meets(good, other)
    for name in ("other", "127.0.0.1", "[::1]:80", "third.desks.example",
                 SECRET + ".desks.example"):
        c = p.client(listen, host=name).open("/r")
        c.recv_close(1008)
        end_after_close(c, 1008)
    p.log.wait("session.end", 5, ending="target", code="1008")
    one.expect_not_dialled()


REFUSED = [
    ("missing", "target_from = query:token", {}),
    ("missing_name", "target_from = query:token", {"path": "/r?desk=" + SECRET}),
    ("unknown", "target_from = query:token", {"path": "/r?token=" + SECRET + "x"}),
    ("empty", "target_from = query:token", {"path": "/r?token="}),
    ("twice", "target_from = query:token", {"path": "/r?token=%s&token=%s" % (SECRET, SECRET)}),
    ("other_case", "target_from = query:token", {"path": "/r?token=" + SECRET.upper()}),
    ("path_missing", "path = /r/*\ntarget_from = path", {"path": "/r/"}),
    ("path_unknown", "path = /r/*\ntarget_from = path", {"path": "/r/" + SECRET + "2"}),
    ("path_of_two", "path = /r/*\ntarget_from = path", {"path": "/r/%s/x" % SECRET}),
    ("offer_missing", "target_from = subprotocol", {}),
    ("offer_unknown", "target_from = subprotocol", {"subprotocols": "binary, " + SECRET + "3"}),
    ("offer_malformed", "target_from = subprotocol", {"subprotocols": "binary, sluice.token.!"}),
]


@case(rows=[("%s.%s" % (row[0], how), how, *row) for row in REFUSED for how in ("close", "http")])
def refused(t, how, name, keys, request):
    one, other, text = two(t)
    p = t.gateway(r=LOCAL + keys + "\non_refuse = %s\n" % how + targets(t, text))
    request = {"path": "/r", **request}
    if how == "close":
        c = p.client().open(**request)
        equal(c.recv_close(1008)[0], "target not allowed", "reason")
        end_after_close(c, 1008)
        line = p.one_end("target", code=1008)
    else:
        c = p.client()
        c.send_raw(c.request(**request))
        equal(c.read_response().status, 403, "status")
        c.recv_end(FIN)
        c.wire.finish()
        line = p.one_end("target", status=403)
    assert len(line["detail"]) > 20, line
    equal(line.get("backend"), None, "a backend in the log")
    one.expect_not_dialled()
    other.expect_not_dialled()
    hidden(p)


@case()
def counted(t):
    """/metrics counts the ending, /sessions names the target, and no page has the token."""
    one, other, text = two(t)
    listens = ("[listen tls]\naddress = 127.0.0.1:0\ntls_certificate = %s\ntls_key = %s\n"
               % t.certificate())
    listens += "[health]\naddress = 127.0.0.1:0\n[admin]\naddress = 127.0.0.1:0\n"
    p = t.start(t.config(listens=listens, r=LOCAL + "target_from = query:token\n"
                         + targets(t, text)))
    c = p.client().open("/r?token=" + SECRET)
    peer = one.accept()
    refused_one = p.client().open("/r?token=nothing")
    refused_one.recv_close(1008)
    end_after_close(refused_one, 1008)
    p.log.wait("session.end", ending="target")
    equal(scrape(p).sum("sluice_sessions_ended_total", route="r", ending="target"), 1, "the number")
    _, _, body = ask(p.ports["admin"], "/sessions")
    assert '"backend":"tcp://127.0.0.1:%d"' % one.port in body.replace(" ", ""), body
    for page in ("/sessions", "/config", "/metrics"):
        assert SECRET not in ask(p.ports["admin"], page)[2], page
    peer.close()
    c.recv_close(1000)
    end_after_close(c)


@case()
def guesses_make_a_pause(t):
    """Whoever tries unknown tokens must wait, as with wrong credentials; a missing one is none."""
    one, other, text = two(t)
    p = t.gateway(server="auth_failures = 3\nauth_pause = 1h",
                  r=LOCAL + "target_from = query:token\n" + targets(t, text))
    tries = [("", 1008)] * 5 + [("?token=guess", 1008)] * 4 + [("?token=" + SECRET, 1013)]
    for query, code in tries:
        c = p.client().open("/r" + query)
        c.recv_close(code)
        end_after_close(c, code)
    p.log.wait("session.end", ending="limit_source")
    one.expect_not_dialled()


@case()
def target_refuses(t):
    """A target that cannot be reached ends as a backend does, and its name is in the log."""
    p = t.gateway(r=LOCAL + "target_from = query:token\n"
                  + targets(t, "a: %s\n" % t.closed_port()))
    c = p.client().open("/r?token=a")
    c.recv_close(1011)
    end_after_close(c, 1011)
    line = p.log.wait("session.end")[0]
    equal((line["ending"], line["detail"]), ("backend_refused", "connection refused"), "ending")
    assert line["backend"].startswith("tcp://127.0.0.1:"), line


@case()
def with_a_first_message(t):
    """Who it is comes first: an unknown target is told to nobody else."""
    one, other, text = two(t)
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # of "one"
    tokens = t.write("tokens", "ada:%s\n" % digest)
    os.chmod(tokens, 0o600)
    auth = "[auth staff]\ntype = tokens\nfile = %s\n" % tokens
    p = t.start(t.config(r=LOCAL + "target_from = query:token\nauth = staff\n"
                         "auth_from = first_message\n" + targets(t, text)) + auth)
    for query, message, code in (("other", "wrong", 1008), ("nothing", "one", 1008)):
        c = p.client().open("/r?token=" + query)
        c.text(message)
        c.recv_close(code)
        end_after_close(c, code)
    equal([line["ending"] for line in p.log.wait("session.end", 2)], ["auth", "target"], "endings")
    c = p.client().open("/r?token=other")
    c.text("one")
    meets(c, other)
    one.expect_not_dialled()


BAD_CONFIGS = [
    ("both", "backend = echo:\n{targets}target_from = path\npath = /r/*",
     "has backend and targets"),
    ("neither", "", "has no backend, and no targets"),
    ("no_place", "{targets}", "target_from = query:NAME, path, subprotocol or host"),
    ("place", "{targets}target_from = cookie:x", "query:NAME, path, subprotocol or host"),
    ("place_without_name", "{targets}target_from = query:", "query:NAME"),
    ("path_without_star", "{targets}target_from = path", "path = /NAME/*"),
    ("from_alone", "backend = echo:\ntarget_from = path", "means nothing without targets"),
    ("allow_alone", "backend = echo:\ntarget_allow = 10.0.0.0/8", "means nothing without targets"),
    ("deny_alone", "backend = echo:\ntarget_deny = 10.0.0.0/8", "means nothing without targets"),
    ("network", "{targets}target_from = host\ntarget_allow = 10.0.0.1/8", "bad network"),
    ("socket", "{targets}target_from = host\ntarget_allow = unix:run", "bad network"),
    ("dots", "{targets}target_from = host\ntarget_allow = unix:/run/../etc/", "bad network"),
    ("no_file", "targets = /nowhere/targets\ntarget_from = host", "cannot read /nowhere/targets"),
]


@case(rows=[(row[0], *row) for row in BAD_CONFIGS])
def bad_configuration(t, name, keys, message):
    keys = keys.replace("{targets}", targets(t, "a: 10.0.0.1:1\n"))
    code, _, errors, path = t.check(t.config(r="origins = *\n" + keys))
    equal(code, 1, "exit code")
    assert message in errors and errors.startswith(path + ":"), errors
