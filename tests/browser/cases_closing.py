# SPDX-License-Identifier: GPL-3.0-or-later
"""Every close code that a configuration can show to a page, with its reason and wasClean."""

import hashlib
import os
import re
import signal

from harness import case, equal, wait_until
from pages import ECHO, start, url_of, wants_close, without_id
from services import ROOT
from threads import in_thread, join

MIB = 1 << 20


# What the page sends

@case()
def text_where_only_binary(t):
    p, page, url = start(t, ECHO + "\naccept = binary")
    probe = page.dial(url)
    probe.opened()
    probe.do("sendText", "hello")
    wants_close(probe, 1003, "message type not accepted")
    p.one_end("opcode", code=1003)


@case()
def binary_where_only_text(t):
    p, page, url = start(t, ECHO + "\naccept = text")
    probe = page.dial(url)
    probe.opened()
    probe.do("sendText", "\u20ac")
    equal(probe.do("takeText", 3), "\u20ac", "the echo")
    equal(probe.do("lastType"), "text", "its type")
    probe.do("sendZeros", 1)
    wants_close(probe, 1003, "message type not accepted")
    p.one_end("opcode", code=1003)


@case()
def too_big(t):
    p, page, url = start(t, ECHO + "\nmax_message = 1k")
    probe = page.dial(url)
    probe.opened()
    probe.do("sendZeros", 1024)
    equal(probe.do("takeHash", 1024), hashlib.sha256(bytes(1024)).hexdigest(), "the echo")
    probe.do("sendZeros", 1025)
    wants_close(probe, 1009, "message longer than max_message")
    p.one_end("too_big", code=1009)


@case(rows=[("code_and_reason", [4000, "done \u2713"], 4000),
            ("normal", [1000], 1000),
            ("empty", [], 1005)])
def by_the_page(t, arguments, code):
    """The gateway echoes the page's code, or no code for no code; the backend gets FIN."""
    backend = t.backend()
    p, page, url = start(t, "backend = " + backend.url)
    probe = page.dial(url)
    peer = backend.accept()
    probe.opened()
    probe.do("sendText", "last words")
    probe.do("close", *arguments)
    wants_close(probe, code, "")
    peer.expect_fin(b"last words")
    peer.close()
    p.one_end("client_close")


# The clock

@case(rows=[("idle", "idle_timeout = 300ms", "idle"),
            ("max_age", "max_age = 300ms", "max age")])
def time_is_up(t, key, reason):
    p, page, url = start(t, ECHO + "\n" + key)
    wants_close(page.dial(url), 1001, reason)
    p.one_end(reason.replace(" ", "_"), code=1001)


# The program

@case()
def shutdown(t):
    """SIGTERM: every page gets 1001, and the program exits with 0."""
    p, page, url = start(t, ECHO)
    probes = [page.dial(url) for _ in range(3)]
    for probe in probes:
        equal(probe.opened()["opened"], True, "opened")
    p.send_signal(signal.SIGTERM)
    for probe in probes:
        wants_close(probe, 1001, "shutting down")
    equal(p.wait_exit(), 0, "exit code")


@case()
def full(t):
    """The session that is one too many gets 1013, and gets in once there is room."""
    p, page, url = start(t, ECHO, server="max_sessions = 1")
    first = page.dial(url)
    equal(first.opened()["opened"], True, "opened")
    wants_close(page.dial(url, "binary"), 1013, "try again later", protocol="binary")
    first.do("close", 1000)
    wants_close(first, 1000, "")
    p.log.wait("session.end", ending="client_close")
    again = page.dial(url)
    again.opened()
    again.do("sendText", "room")
    equal(again.do("takeText", 4), "room", "the echo")


# The backend

@case()
def backend_ends(t):
    """After a FIN the page gets every byte and then 1000."""
    backend = t.backend()
    p, page, url = start(t, "subprotocols = binary\nbackend = " + backend.url)
    probe = page.dial(url, "binary")
    peer = backend.accept()
    data = os.urandom(5 * MIB)

    def serve():
        peer.send(data)
        peer.fin()

    thread = in_thread(serve)
    got = wants_close(probe, 1000, "backend closed", protocol="binary")
    join(thread)
    equal(got["bytes"], len(data), "bytes before the Close")
    equal(got["sha256"], hashlib.sha256(data).hexdigest(), "their SHA-256")
    p.one_end("backend_close", code=1000)


@case(rows=[("1011", ""), ("1014", "backend_code = 1014")])
def backend_resets(t, key):
    backend = t.backend()
    p, page, url = start(t, "backend = %s\n%s" % (backend.url, key))
    probe = page.dial(url)
    peer = backend.accept()
    probe.opened()
    probe.do("sendText", "hello")
    peer.expect(b"hello")
    peer.reset()
    wants_close(probe, 1014 if key else 1011, "backend reset")
    p.one_end("backend_reset")


@case()
def backend_stalls(t):
    """The backend takes nothing for write_timeout. Unsent bytes make the page's Close unclean."""
    backend = t.backend(receive_buffer=4096)
    p, page, url = start(t, "write_timeout = 500ms\nbackend = " + backend.url)
    probe = page.dial(url)
    backend.accept()
    probe.opened()
    probe.do("sendZeros", 16 * MIB)
    end = probe.closed()
    reason = "backend stalled"
    equal((end["code"], without_id(end["reason"], reason)), (1011, reason), "the close event")
    equal(end["wasClean"], end["buffered"] == 0, "wasClean with %(buffered)d bytes unsent" % end)
    p.one_end("backend_stalled", code=1011)


@case()
def backend_comes_back(t):
    """While the backend is down, the page gets 1011; the next try gets through."""
    holder = t.backend(backlog=None)
    p, page, url = start(t, "backend = " + holder.url)
    wants_close(page.dial(url), 1011, "backend unavailable")
    holder.sock.listen(8)
    probe = page.dial(url)
    peer = holder.accept()
    equal(probe.opened()["opened"], True, "opened")
    peer.send(b"back")
    equal(probe.do("takeText", 4), "back", "what the backend says")
    wait_until(lambda: p.ends(ending="backend_refused"), "the log line of the refusal")


# Refusals by HTTP: the page learns nothing

@case(rows=[("origin", "origins = https://good.example\nbackend = echo:", "origin", 403),
            ("subprotocol", "subprotocols = x\nbackend = echo:", "subprotocol", 400),
            ("backend", "backend = tcp://127.0.0.1:{closed}", "backend_refused", 502)])
def refused_by_status(t, keys, ending, status):
    holder = t.backend(backlog=None)
    p, page, url = start(t, keys.format(closed=holder.port) + "\non_refuse = http")
    wants_close(page.dial(url), 1006, "", was_clean=False)
    p.one_end(ending, status=status)


@case()
def a_reason_in_two(t):
    """README.md's line takes text and id apart, and leaves the page's own reasons alone."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        line = re.search(r"`(const \[, text, id\] = event\.reason.*?)`", file.read()).group(1)
    p, page, _ = start(t, "backend = echo:")
    probe = page.dial(url_of(p, "/nowhere"))
    reason = probe.closed()["reason"]
    told = p.one_end("no_route")["id"]
    take = "const event = {reason: args[0]};\n" + line + ";\nreturn [text, id];"
    assert reason.endswith(" " + told), reason
    equal(page.browser.run(take, reason), [reason.removesuffix(" " + told), told], "sluice's")
    for own in ("", "done", "ready 2", "\u2713 1-2x"):
        equal(page.browser.run(take, own), [own, ""], "the page's own")
