# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as they are asked for: whole, in part, only when they have changed, compressed, one after
the other on one connection."""

import socket

import sites
import wsclient
from harness import case, equal, wait_until
from memory import MIB, pss_of
from scrape import scrape
from sites import BIG, DATE, PAGE, SCRIPT, ask, ask_alone, head_of, is_over

LISTENS = ("plain", "tls")


@case()
def one_after_the_other(t):
    """One connection, over ws and wss: files, refusals among them, and a session at the end."""
    p = sites.start(t, sites.site(t), "page_kit = on\nheaders = X-Frame-Options: DENY")
    for listen in LISTENS:
        c = p.client(listen)
        for path, status, kind, body in [
                ("/", 200, "text/html; charset=utf-8", PAGE),
                ("/index.html", 200, "text/html; charset=utf-8", PAGE),
                ("/app/ui.js?v=1", 200, "text/javascript; charset=utf-8", SCRIPT),
                ("/nothing", 404, "text/plain; charset=utf-8", b"404 Not Found\n"),
                ("/big.bin", 200, "application/octet-stream", BIG),
                ("/a%20b.txt", 200, "text/plain; charset=utf-8", b"blank"),
                ("/empty.txt", 200, "text/plain; charset=utf-8", b""),
                ("/app", 301, "text/plain; charset=utf-8", b"301 Moved Permanently\n"),
                ("/app/", 404, "text/plain; charset=utf-8", b"404 Not Found\n")]:
            got = ask(c, path)
            equal((got.status, got.get("Content-Type")), (status, kind), path)
            equal(got.body, body, path)
            equal(got.get("X-Content-Type-Options"), "nosniff", path)
            equal(got.get("X-Frame-Options"), "DENY", path)
            equal(got.get("Connection"), None, path)
            equal(got.get("Cache-Control"), "no-store" if status == 404 else "no-cache", path)
        equal(ask(c, "/app?x=1").get("Location"), "/app/?x=1", "the redirect")
        assert b"export" in ask(c, "/sluice.js").body
        c.open("/r")
        c.text(b"hello")
        equal(c.recv_message()[1], b"hello", "echo")
        c.end_cleanly()
    ends = p.log.wait("session.end", 2)
    equal({e["ending"] for e in ends}, {"client_close"}, "endings")
    equal({e["requests"] for e in ends}, {"11"}, "requests")
    equal(len(p.log.find("files.refused", status="404", files="site", method="GET")), 4,
          "refusals in the log")


@case()
def pipelined(t):
    """Sixty requests at once, in one segment and split anywhere, get sixty answers in order."""
    p = sites.start(t, sites.site(t))
    names = ["/app/ui.js", "/nothing", "/index.html", "/big.bin?%d", "/empty.txt", "/packed.js"]
    paths = [names[i % len(names)] % i if "%d" in names[i % len(names)] else names[i % len(names)]
             for i in range(60)]
    bodies = {"/app/ui.js": SCRIPT, "/nothing": b"404 Not Found\n", "/index.html": PAGE,
              "/big.bin": BIG, "/empty.txt": b"", "/packed.js": SCRIPT}
    data = b"".join(head_of(path) for path in paths)
    for listen, pieces in (("plain", [data]), ("tls", [data]), ("plain", [data[:100], data[100:]]),
                           ("plain", [data[i:i + 37] for i in range(0, len(data), 37)])):
        c = p.client(listen)
        for piece in pieces:
            c.send_raw(piece)
        for path in paths:
            equal(c.read_response().body, bodies[path.partition("?")[0]], path)
        c.wire.half_close()
        assert is_over(c)
    equal({(e["ending"], e["requests"]) for e in p.log.wait("session.end", 4)}, {("files", "60")},
          "ends")


@case()
def pipelined_small(t):
    """Thousands of requests in one read hold up nobody, and end in order with a FIN behind them."""
    p = sites.start(t, sites.site(t))
    other = p.client("plain").open("/r")
    c = p.client("plain")
    c.send_raw(head_of("/empty.txt") * 1500)
    other.text(b"beside")
    equal(other.recv_message()[1], b"beside", "echo")
    c.wire.half_close()
    for _ in range(1500):
        equal(c.read_response().status, 200, "status")
    assert is_over(c)
    other.end_cleanly()


@case()
def how_a_connection_ends(t):
    """What says that it is the last request; a connection that stays, and one that does not."""
    p = sites.start(t, sites.site(t))
    for listen in LISTENS:
        for path, options in [("/", {"version": "1.0"}), ("/", {"header": "Connection: close"}),
                              ("/big.bin", {"header": "connection: foo, CLOSE"}),
                              ("/nothing", {"header": "Connection: close"})]:
            headers = [options.pop("header")] if "header" in options else []
            c = p.client(listen)
            got = ask(c, path, *headers, **options)
            equal(got.get("Connection"), "close", path)
            assert is_over(c)
    # HEAD has no content, and what follows is the next answer.
    c = p.client("plain")
    c.send_raw(head_of("/big.bin", method="HEAD") + head_of("/"))
    equal(c.read_response(has_body=False).get("Content-Length"), str(len(BIG)), "HEAD")
    equal(c.read_response().body, PAGE, "behind HEAD")
    # Half of a second head, and then nothing more.
    c.send_raw(b"GET / HT")
    c.wire.half_close()
    assert is_over(c)
    p.log.wait("session.end", 1, ending="client_cut")
    equal(ask_alone(p, "/", method="POST").get("Allow"), "GET, HEAD", "POST")
    equal(ask_alone(p, "/", "Content-Length: 5").status, 400, "a body")


@case()
def keep_alive(t):
    """A connection waits for a further request, but not for ever, and ends without a word."""
    p = sites.start(t, sites.site(t), "keep_alive = 1s", server="request_timeout = 2s")
    kept = [p.client(listen) for listen in LISTENS]
    slow = p.client("plain")
    for c in [*kept, slow]:
        ask(c, "/")
    slow.send_raw(b"GET /")  # a head that begins has its own time
    for c in kept:
        assert is_over(c)
        c.wire.close()
    equal({e["ending"] for e in p.log.wait("session.end", 2)}, {"files"}, "endings")
    equal(slow.read_response().status, 408, "a slow head")
    slow.wire.close()
    p.log.wait("session.end", 1, ending="head_too_slow")


@case()
def parts(t):
    """Ranges, and the conditions on them."""
    p = sites.start(t, sites.site(t))
    c = p.client("plain")
    size = len(BIG)
    etag = ask(c, "/big.bin").get("ETag")
    for value, first, last in [("bytes=0-0", 0, 0), ("bytes=5-9", 5, 9),
                               ("bytes=%d-" % (size - 3), size - 3, size - 1),
                               ("bytes=-7", size - 7, size - 1),
                               ("bytes=9-%d" % (9 * size), 9, size - 1)]:
        got = ask(c, "/big.bin", "Range: " + value)
        equal(got.status, 206, value)
        equal(got.get("Content-Range"), "bytes %d-%d/%d" % (first, last, size), value)
        equal(got.body, BIG[first:last + 1], value)
    for value in ("bytes=0-1,5-6", "bytes=x", "lines=0-1", "bytes=5-1"):
        equal(ask(c, "/big.bin", "Range: " + value).status, 200, value)
    for value in ("bytes=%d-" % size, "bytes=-0"):
        got = ask(c, "/big.bin", "Range: " + value)
        equal((got.status, got.get("Content-Range")), (416, "bytes */%d" % size), value)
    for condition, status in [(etag, 206), (DATE, 206), ('"other"', 200), ("W/" + etag, 200)]:
        equal(ask(c, "/big.bin", "Range: bytes=0-1", "If-Range: " + condition).status, status,
              condition)
    equal(ask(c, "/big.bin", "Range: bytes=0-1", method="HEAD").status, 200, "HEAD")
    equal(ask(c, "/empty.txt", "Range: bytes=0-").status, 416, "an empty file")


@case()
def conditions(t):
    """304 and 412, without content; and a file that changes has another tag."""
    root = sites.site(t)
    p = sites.start(t, root, "cache = 1h")
    c = p.client("plain")
    whole = ask(c, "/app/ui.js")
    etag = whole.get("ETag")
    equal(whole.get("Last-Modified"), DATE, "Last-Modified")
    equal(whole.get("Cache-Control"), "max-age=3600", "Cache-Control")
    for header, status in [("If-None-Match: " + etag, 304), ("If-None-Match: W/" + etag, 304),
                           ('If-None-Match: "x", ' + etag, 304), ("If-None-Match: *", 304),
                           ('If-None-Match: "x"', 200), ("If-Modified-Since: " + DATE, 304),
                           ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200),
                           ("If-Match: " + etag, 200), ('If-Match: "x"', 412),
                           ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 412)]:
        got = ask(c, "/app/ui.js", header)
        equal(got.status, status, header)
        if status == 304:
            equal((got.get("ETag"), got.get("Content-Type"), got.get("Content-Length")),
                  (etag, None, None), header)
    sites.put(root, "app/ui.js", SCRIPT, sites.TIME + 1)
    got = ask(c, "/app/ui.js", "If-None-Match: " + etag)
    equal(got.status, 200, "a file that changed")
    assert got.get("ETag") != etag


@case()
def compressed(t):
    """A compressed sibling goes to whoever takes it, unless it is older."""
    p = sites.start(t, sites.site(t))
    c = p.client("plain")
    tags = set()
    for accepted, coding in [("gzip, deflate, br", "br"), ("gzip", "gzip"),
                             ("br;q=0.1, gzip", "gzip"), ("br;q=0", None), ("identity", None)]:
        got = ask(c, "/packed.js", "Accept-Encoding: " + accepted)
        equal(got.get("Content-Encoding"), coding, accepted)
        equal(got.get("Vary"), "Accept-Encoding", accepted)
        equal(got.get("Content-Type"), "text/javascript; charset=utf-8", accepted)
        tags.add(got.get("ETag"))
    equal(len(tags), 3, "tags")
    equal(ask(c, "/packed.js").body, SCRIPT, "without the header")
    equal(ask(c, "/stale.js", "Accept-Encoding: gzip").body, SCRIPT, "an older sibling")
    equal(ask(c, "/app/ui.js", "Accept-Encoding: gzip").body, SCRIPT, "no sibling")


@case()
def routes_and_files(t):
    """Which request is whose, by the most specific path; who opens a WebSocket is for routes."""
    root = sites.site(t)
    echo = "origins = *\nbackend = echo:\npath = "
    text = sites.text_of(t, root, path="/app/*", exact=echo + "/app/exact",
                         longer=echo + "/app/longer/*", all=echo + "/*")
    text += "[files other]\npath = /app/sub/*\nroot = %s/app\n" % root
    p = t.start(text)
    for path, status in [("/app/", 200), ("/app", 301), ("/app/sub/ui.js", 200),
                         ("/app/sub/nothing", 404), ("/app/exact", 426), ("/app/longer/x", 426),
                         ("/app/longer", 404), ("/other", 426), ("/r", 426)]:
        equal(ask_alone(p, path).status, status, path)
    c = p.client("plain").open("/app/index.html")
    c.end_cleanly()
    # Without a route, the usual refusal; and what is no legal opening gets its 400.
    q = sites.start(t, root, path="/app/*")
    c = q.client("plain")
    c.open("/app/index.html")
    c.recv_close(1008)
    c.close(1008)
    q.log.wait("session.end", 1, ending="no_route")
    equal(ask_alone(q, "/app/", "Upgrade: websocket", "Connection: Upgrade").status, 400,
          "half an opening")
    equal(ask_alone(q, "/app/", "Upgrade: h2c", "Connection: Upgrade").status, 200, "h2c")
    equal(ask_alone(q, "/").status, 426, "outside")


@case()
def counted(t):
    """What monitoring sees."""
    root = sites.site(t)
    port = "127.0.0.1:0"
    p = t.start(sites.text_of(t, root) + "[health]\naddress = %s\n" % port)
    c = p.client("plain")
    ask(c, "/big.bin")
    ask(c, "/nothing")
    ask(c, "/app")
    ask(c, "/app/ui.js", method="HEAD")
    numbers = scrape(p)
    for status, count in (("2xx", 2), ("3xx", 1), ("4xx", 1), ("5xx", 0)):
        equal(numbers.sum("sluice_files_requests_total", status=status), count, status)
    equal(numbers.sum("sluice_files_sent_bytes_total"), len(BIG) + 14 + 22, "bytes")


@case()
def a_slow_reader(t):
    """A large file for a client that takes its time: the worker serves others, and holds little."""
    root = sites.folder(t)
    size = 64 * MIB
    with open(sites.put(root, "large.bin", b"x"), "r+b") as file:
        file.truncate(size)
    p = sites.start(t, root, defaults="write_timeout = 60s")
    beside = p.client("tls").open("/r")
    for listen in LISTENS:
        before = pss_of(p)
        slow = p.client(listen, receive_buffer=65536)
        slow.send_raw(head_of("/large.bin") + head_of("/nothing"))
        for i in range(50):
            beside.binary(b"%d" % i * 100)
            equal(beside.recv_message()[1], b"%d" % i * 100, "echo")
        assert pss_of(p) - before < 4 * MIB, "%d bytes more" % (pss_of(p) - before)
        while b"\r\n\r\n" not in slow.pending:
            slow.read_more()
        left = size - (len(slow.pending) - slow.pending.index(b"\r\n\r\n") - 4)
        while left > 0:
            got = slow.wire.recv()
            assert got, "the stream ended early"
            left -= len(got)
            slow.pending = bytearray(got[left:]) if left < 0 else bytearray()
        equal(slow.read_response().status, 404, "behind it")
        slow.wire.close()
    beside.end_cleanly()


@case()
def a_client_that_does_not_read(t):
    """It is cut off with a reset once it has taken nothing for write_timeout."""
    root = sites.folder(t)
    with open(sites.put(root, "large.bin", b"x"), "r+b") as file:
        file.truncate(256 << 20)
    p = sites.start(t, root, defaults="write_timeout = 300ms")
    c = p.client("plain", receive_buffer=4096)
    c.send_raw(head_of("/large.bin"))
    p.log.wait("session.end", 1, ending="client_stalled")
    c.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    while c.wire.recv():
        pass
    equal(c.wire.ended, wsclient.RESET, "the end")


@case()
def a_client_that_goes(t):
    """In the middle of a file: by a reset, or by a FIN, behind which it still reads."""
    root = sites.site(t)
    with open(sites.put(root, "large.bin", b"x"), "r+b") as file:
        file.truncate(64 << 20)
    p = sites.start(t, root)
    c = p.client("plain", receive_buffer=4096)
    c.send_raw(head_of("/large.bin"))
    c.wire.recv(100)
    c.wire.reset()
    p.log.wait("session.end", 1, ending="client_reset")
    c = p.client("plain")
    c.send_raw(head_of("/big.bin"))
    c.wire.half_close()
    equal(c.read_response().body, BIG, "behind the FIN")
    assert is_over(c)


@case()
def a_file_that_becomes_shorter(t):
    """What was promised cannot come: the client sees a reset, no short file."""
    root = sites.folder(t)
    path = sites.put(root, "large.bin", b"x")
    with open(path, "r+b") as file:
        file.truncate(64 << 20)
    p = sites.start(t, root)
    c = p.client("plain", receive_buffer=4096)
    c.send_raw(head_of("/large.bin"))
    c.wire.recv(100)
    with open(path, "r+b") as file:
        file.truncate(100)
    while c.wire.recv():
        pass
    equal(c.wire.ended, wsclient.RESET, "the end")
    line = p.log.wait("session.end", 1, ending="internal")[0]
    equal(line["detail"], "a file became shorter while it was sent", "detail")


@case()
def a_stop(t):
    """A drain lets the file that has begun leave, answers what was asked, and ends what waits."""
    root = sites.folder(t)
    sites.put(root, "large.bin", bytes(32 << 20))
    p = sites.start(t, root, server="drain_timeout = 8s")
    kept, busy = p.client("plain"), p.client("plain", receive_buffer=65536)
    ask(kept, "/nothing")
    busy.send_raw(head_of("/large.bin"))
    busy.read_more()
    p.send_signal(15)
    p.log.wait("drain.begin")
    equal(len(busy.read_response().body), 32 << 20, "the file")
    assert is_over(busy)
    assert is_over(kept)
    wait_until(lambda: p.process.poll() is not None, "the end", 30)
