# SPDX-License-Identifier: GPL-3.0-or-later
"""Request heads: malformed, slow, cut, pipelined, plain; and what an answer may look like."""

import base64
import email.utils
import os
import time

from harness import case, equal
from wsclient import FIN, TEXT, frame

KEY = base64.b64encode(bytes(16)).decode()
LINES = ["GET /r HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
         "Sec-WebSocket-Key: " + KEY, "Sec-WebSocket-Version: 13"]


def head(change=None, add=(), end="\r\n", drop=None):
    """Returns the legal head with one line changed ({old: new}), lines added or one left out."""
    text = [line for line in LINES if not drop or not line.startswith(drop)]
    for old, new in (change or {}).items():
        text = [line.replace(old, new) for line in text]
    return (end.join([*text, *add]) + end + end).encode("latin-1")


# Name, what the client sends, the status.
HEADS = [
    ("legal", head(), 101),
    ("legal_case", head({"Upgrade: websocket": "uPGRADE: WebSocket",
                         "Connection: Upgrade": "connection: keep-alive, UPGRADE"}), 101),
    ("legal_query", head({"/r": "/r?token=secret"}), 101),
    ("legal_extensions", head(add=["Sec-WebSocket-Extensions: permessage-deflate; x=\"y\""]), 101),
    ("legal_empty_value", head(add=["X-Empty:"]), 101),
    ("legal_obs_text", head(add=["X-Name: caf\xe9"]), 101),
    ("bare_lf", head(end="\n"), 400),
    ("bare_cr", head(end="\r"), 400),
    ("bare_lf_in_the_middle", head(add=["X: a\nY: b"]), 400),
    ("bare_cr_in_a_value", head(add=["X: a\rb"]), 400),
    ("nul", head(add=["X: a\0b"]), 400),
    ("control_byte", head(add=["X: a\x07b"]), 400),
    ("delete_byte", head(add=["X: a\x7fb"]), 400),
    ("obs_fold", head(add=["X: a\r\n b"]), 400),
    ("blank_before_colon", head(add=["X : a"]), 400),
    ("blank_before_name", head({"Host:": " Host:"}), 400),
    ("no_colon", head(add=["Nonsense"]), 400),
    ("empty_name", head(add=[": a"]), 400),
    ("name_not_a_token", head(add=["X(y): a"]), 400),
    ("name_not_ascii", head(add=["X\xe9: a"]), 400),
    ("leading_empty_line", b"\r\n" + head(), 101),
    ("leading_empty_lines", b"\r\n\r\n\r\n" + head(), 101),
    ("leading_bare_lf", b"\n" + head(), 101),
    ("two_blanks", head({"GET /r": "GET  /r"}), 400),
    ("tab_for_blank", head({"GET /r": "GET\t/r"}), 400),
    ("trailing_blank", head({"HTTP/1.1": "HTTP/1.1 "}), 400),
    ("no_version", head({" HTTP/1.1": ""}), 400),
    ("version_0_9", head({"HTTP/1.1": "HTTP/0.9"}), 505),
    ("version_2", head({"HTTP/1.1": "HTTP/2.0"}), 505),
    ("version_1_2", head({"HTTP/1.1": "HTTP/1.2"}), 101),
    ("version_lower_case", head({"HTTP/1.1": "http/1.1"}), 400),
    ("version_1_10", head({"HTTP/1.1": "HTTP/1.10"}), 400),
    ("version_1_0", head({"HTTP/1.1": "HTTP/1.0"}), 426),
    ("absolute_form", head({"/r": "http://localhost/r"}), 101),
    ("absolute_form_wss", head({"/r": "WSS://other.test:81/r"}), 101),
    ("absolute_form_with_user", head({"/r": "http://a@localhost/r"}), 400),
    ("absolute_form_ftp", head({"/r": "ftp://localhost/r"}), 400),
    ("authority_form", head({"/r": "localhost:1"}), 400),
    ("asterisk", head({"/r": "*"}), 400),
    ("fragment", head({"/r": "/r#x"}), 400),
    ("target_not_ascii", head({"/r": "/r\xe9"}), 400),
    ("target_control", head({"/r": "/r\x01"}), 400),
    ("dot_segments", head({"/r": "/x/../r"}), 400),
    ("encoded_dot_segments", head({"/r": "/x/%2e%2e/r"}), 400),
    ("encoded_slash", head({"/r": "/x%2fr"}), 400),
    ("backslash", head({"/r": "/x\\r"}), 400),
    ("bad_percent", head({"/r": "/r%zz"}), 400),
    ("percent_at_the_end", head({"/r": "/r%2"}), 400),
    ("lower_case_method", head({"GET": "get"}), 501),
    ("unknown_method", head({"GET": "BREW"}), 501),
    ("options", head({"GET": "OPTIONS"}), 405),
    ("options_asterisk", head({"GET /r": "OPTIONS *"}), 405),
    ("connect_authority", head({"GET /r": "CONNECT localhost:443"}), 405),
    ("post", head({"GET": "POST"}), 405),
    ("head_method", head({"GET": "HEAD"}), 426),
    ("head_malformed", head({"GET": "HEAD"}, add=["X : a"]), 400),
    ("head_plain", b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 426),
    ("head_1_0_no_host", b"HEAD / HTTP/1.0\r\n\r\n", 426),
    ("get_1_0_no_host", b"GET / HTTP/1.0\r\n\r\n", 426),
    ("options_1_0_no_host", b"OPTIONS / HTTP/1.0\r\n\r\n", 405),
    ("connect", head({"GET /r": "CONNECT /r"}), 405),
    ("no_host", head(drop="Host"), 400),
    ("two_hosts", head(add=["Host: localhost"]), 400),
    ("empty_host", head({"Host: localhost": "Host:"}), 400),
    ("host_with_user", head({"Host: localhost": "Host: a@localhost"}), 400),
    ("host_with_path", head({"Host: localhost": "Host: localhost/x"}), 400),
    ("host_bad_port", head({"Host: localhost": "Host: localhost:99999"}), 400),
    ("host_empty_port", head({"Host: localhost": "Host: localhost:"}), 101),
    ("content_length_0", head(add=["Content-Length: 0"]), 101),
    ("content_length_1", head(add=["Content-Length: 1"]), 400),
    ("content_length_twice", head(add=["Content-Length: 0", "Content-Length: 0"]), 400),
    ("content_length_negative", head(add=["Content-Length: -0"]), 400),
    ("transfer_encoding", head(add=["Transfer-Encoding: chunked"]), 400),
    ("expect", head(add=["Expect: 100-continue"]), 101),
    ("expect_else", head(add=["Expect: tea"]), 101),
    ("no_upgrade", head(drop="Upgrade"), 426),
    ("no_connection", head(drop="Connection"), 400),
    ("lists_with_empty_items", head({"Upgrade: websocket": "Upgrade: , websocket,",
                                     "Connection: Upgrade": "Connection: ,,Upgrade"}), 101),
    ("extensions_empty", head(add=["Sec-WebSocket-Extensions:"]), 101),
    ("upgrade_h2c", head({"Upgrade: websocket": "Upgrade: h2c"}), 426),
    ("upgrade_h2c_too", head({"Upgrade: websocket": "Upgrade: h2c, websocket"}), 101),
    ("connection_close", head({"Connection: Upgrade": "Connection: close"}), 400),
    ("no_key", head(drop="Sec-WebSocket-Key"), 400),
    ("two_keys", head(add=["Sec-WebSocket-Key: " + KEY]), 400),
    ("short_key", head({KEY: "AAAA"}), 400),
    ("long_key", head({KEY: base64.b64encode(bytes(17)).decode()}), 400),
    ("key_not_base64", head({KEY: "!" * 22 + "=="}), 400),
    ("key_not_canonical", head({KEY: "A" * 21 + "B=="}), 101),
    ("no_ws_version", head(drop="Sec-WebSocket-Version"), 400),
    ("ws_version_8", head({"Version: 13": "Version: 8"}), 426),
    ("ws_version_013", head({"Version: 13": "Version: 013"}), 426),
    ("ws_version_list", head({"Version: 13": "Version: 13, 8"}), 426),
    ("two_ws_versions", head(add=["Sec-WebSocket-Version: 13"]), 400),
    ("two_origins", head(add=["Origin: https://a", "Origin: https://a"]), 400),
    ("subprotocol_not_a_token", head(add=["Sec-WebSocket-Protocol: a b"]), 400),
    ("subprotocol_twice", head(add=["Sec-WebSocket-Protocol: a, a"]), 400),
    ("subprotocol_empty", head(add=["Sec-WebSocket-Protocol:"]), 101),
    ("subprotocol_commas", head(add=["Sec-WebSocket-Protocol: ,a,, b,"]), 101),
    ("subprotocol_token", head(add=["Sec-WebSocket-Protocol: x, " + "t" * 4096]), 101),
    ("subprotocol_token_first", head(add=["Sec-WebSocket-Protocol: " + "t" * 4096]), 101),
    ("subprotocol_too_long", head(add=["Sec-WebSocket-Protocol: " + "t" * 4097]), 400),
    ("subprotocols_32", head(add=["Sec-WebSocket-Protocol: " + ", ".join(
        "p%d" % i for i in range(32))]), 101),
    ("subprotocols_33", head(add=["Sec-WebSocket-Protocol: " + ", ".join(
        "p%d" % i for i in range(33))]), 400),
    ("subprotocol_injection", head(add=["Sec-WebSocket-Protocol: a\r\nSet-Cookie: x"]), 101),
    ("headers_128", head(add=["X-%d: a" % i for i in range(123)]), 101),
    ("headers_129", head(add=["X-%d: a" % i for i in range(124)]), 431),
    ("cookie_8718", head(add=["Cookie: s=" + "x" * 8706]), 101),
    ("target_8000", head({"/r": "/r?" + "r" * 8000}), 101),
    ("target_too_long", head({"/r": "/" + "r" * 33000}), 414),
    ("head_of_32k", head(add=["X: " + "x" * (32768 - len(head()) - 5)]), 101),
    ("head_too_long", head(add=["X: " + "x" * (32768 - len(head()) - 4)]), 431),
    ("method_too_long", b"G" * 9000, 501),
    ("name_too_long", head(add=["x" * 33000 + ": a"]), 431),
    ("garbage", b"\x00\x01\x02\x03\xff\xfe\r\n\r\n", 400),
    ("tls_hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400),
]


def answer_to(p, listen, pieces, status):
    """Sends the pieces, then checks the answer and the end of the stream."""
    c = p.client(listen)
    sent = b""
    for piece in pieces:
        c.send_raw(piece)
        sent += piece
    is_to_head = sent.startswith(b"HEAD ")
    response = c.read_response(has_body=not is_to_head)
    wanted = status if isinstance(status, tuple) else (status,)
    assert response.status in wanted, "%d instead of %r" % (response.status, status)
    if response.status == 101:
        c.wire.reset()
        return response
    check_error(response, is_to_head)
    c.recv_end(FIN)
    c.wire.finish()
    c.wire.close()
    return response


def check_error(response, is_to_head=False):
    """Checks that an error shows no version, reflects nothing, and allows no cache or further
    request."""
    equal(response.version, "HTTP/1.1", "version")
    equal(response.get("Connection"), "Upgrade, close" if response.status == 426 else "close",
          "Connection")
    sent_at = email.utils.parsedate_to_datetime(response.get("Date"))
    assert abs(sent_at.timestamp() - time.time()) < 60, "Date: " + response.get("Date")
    equal(response.get("Cache-Control"), "no-store", "Cache-Control")
    equal(response.get("X-Content-Type-Options"), "nosniff", "X-Content-Type-Options")
    assert "server" not in response.headers and "set-cookie" not in response.headers
    assert 0 < int(response.get("Content-Length")) < 200
    equal(len(response.body), 0 if is_to_head else int(response.get("Content-Length")), "body")
    if response.status == 405:
        equal(response.get("Allow"), "GET, HEAD", "Allow")
    if response.status == 426:
        equal(response.get("Upgrade"), "websocket", "Upgrade")
        equal(response.get("Sec-WebSocket-Version"), "13", "Sec-WebSocket-Version")


def each_head(t, listen, cut):
    """Sends every head above to one program, and names all that go wrong."""
    p = t.gateway(r="origins = *\nbackend = echo:")
    wrong = []
    for name, data, status in HEADS:
        try:
            answer_to(p, listen, cut(data), status)
        except Exception as error:  # the case reports all of them, not only the first
            wrong.append("%s: %s %s" % (name, type(error).__name__, error))
    assert not wrong, "\n".join(wrong)
    ends = p.log.wait("session.end", len(HEADS))
    equal(len(ends), len(HEADS), "session.end lines")
    for line in ends:
        assert line["ending"] in ("bad_request", "head_too_big", "client_reset"), line


@case(rows=[("wss", "tls"), ("ws", "plain")])
def heads_whole(t, listen):
    each_head(t, listen, lambda data: [data])


@case()
def limits_of_heads(t):
    """Both limits can be set, and the log names the key."""
    p = t.gateway(server="max_head = 1k\nmax_headers = 16", r="origins = *\nbackend = echo:")
    for data, status, detail in (
            (head(add=["X-%d: a" % i for i in range(11)]), 101, None),
            (head(add=["X-%d: a" % i for i in range(12)]), 431, "more headers than max_headers"),
            (head(add=["X: " + "x" * 1024]), 431, "head larger than max_head"),
            (head({"/r": "/" + "r" * 1024}), 414, "target longer than max_head")):
        answer_to(p, "plain", [data], status)
        if detail:
            line = p.log.wait("session.end", detail=detail)[-1]
            equal((line["ending"], line["status"]), ("head_too_big", str(status)), "the log")


@case(timeout=120)
def heads_in_two_pieces(t):
    """A pause lets the program read the first half by itself."""
    def cut(data):
        yield data[:len(data) // 2]
        time.sleep(0.02)
        yield data[len(data) // 2:]

    each_head(t, "plain", cut)


@case()
def head_by_the_byte(t):
    p = t.gateway(r="origins = *\nbackend = echo:")
    c = p.client()
    for byte in c.request("/r"):
        c.send_raw(bytes([byte]))
    equal(c.read_response().status, 101, "status")
    c.text("x")
    equal(c.recv_message(), (TEXT, b"x"), "echo")
    c.end_cleanly()


@case()
def heads_that_never_end(t):
    """Progress does not buy time: the deadline counts from the start."""
    p = t.gateway(server="request_timeout = 1s\nlog_level = debug", r="backend = echo:")
    slow, silent = p.client(), p.client("plain")
    began = time.monotonic()
    for byte in slow.request("/r")[:-2]:
        try:
            slow.send_raw(bytes([byte]))
        except Exception:
            break
        time.sleep(0.1)
        if p.ends():
            break
    assert time.monotonic() - began < 20, "a slow head lives on"
    equal(slow.read_response().status, 408, "status")
    equal(silent.read_response().status, 408, "status of a silent client")
    ends = p.log.wait("session.end", 2)
    equal({line["ending"] for line in ends}, {"head_too_slow"}, "endings")


@case(rows=[("wss", "tls"), ("ws", "plain")])
def bytes_behind_the_head(t, listen):
    """A client waits for the answer; bytes that come with the head could smuggle a request."""
    backend = t.backend()
    p = t.gateway(r="origins = *\nbackend = " + backend.url)
    for more in (frame(TEXT, b"x"), b"x", b"GET / HTTP/1.1\r\n\r\n"):
        c = p.client(listen)
        c.send_raw(c.request("/r") + more)
        equal(c.read_response().status, 400, "status")
        c.recv_end(FIN)
        c.wire.finish()
    p.log.wait("session.end", 3, ending="bad_request")
    backend.expect_not_dialled()


@case()
def plain_requests(t):
    """The listener serves no page, and the answer does not show which routes exist."""
    p = t.gateway(r="backend = echo:")
    answers = set()
    for path in ("/", "/r", "/nowhere", "/favicon.ico"):
        response = answer_to(p, "tls", [b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                        % path.encode()], 426)
        answers.add(response.body)
    equal(len(answers), 1, "different answers")


@case()
def nothing_is_reflected(t):
    p = t.gateway(defaults="on_refuse = http", r="backend = echo:")
    mark = "reflect" + os.urandom(4).hex()
    c = p.client(host=mark + ".example")
    c.send_raw(c.request("/r?" + mark, headers=[("X-" + mark, mark), ("Cookie", mark)],
                         origin="https://%s.evil" % mark, subprotocols=mark))
    response = c.read_response()
    equal(response.status, 403, "status")
    check_error(response)
    assert mark not in str(dict(response.headers)) + response.body.decode()
    line = p.one_end("origin")
    assert mark not in line.get("path", ""), "the query is in the log: %r" % line


@case()
def subprotocol_choice(t):
    """The server's order decides; without a list the program takes the first offer."""
    p = t.gateway(r="subprotocols = binary, base64\nbackend = echo:", any="backend = echo:")
    for path, offer, want in (("/r", "base64, binary", "binary"), ("/r", "x, base64", "base64"),
                              ("/any", "x, y", "x"), ("/any", None, None)):
        c = p.client().open(path, subprotocols=offer)
        equal(c.subprotocol, want, "subprotocol for %r" % offer)
        c.end_cleanly()


@case()
def routes_by_path_and_host(t):
    """Exact comes before prefix, a host before none, the longest prefix first; Close codes tell."""
    p = t.gateway(defaults="max_message = 1\norigins = *",
                  exact="path = /a\nbackend = echo:", prefix="path = /a/*\nbackend = echo:",
                  deeper="path = /a/b/*\nbackend = echo:",
                  hosted="path = /a\nhost = localhost\nbackend = echo:",
                  wild="path = /w\nhost = *.b.test\nbackend = echo:")
    table = [("/a", "other.test", "exact"), ("/a", "localhost", "hosted"), ("/a/", None, "prefix"),
             ("/a/x", None, "prefix"), ("/a/b/", None, "deeper"), ("/a/b/c?d", None, "deeper"),
             ("/w", "x.b.test", "wild"), ("/w", "b.test", None), ("/w", "x.y.b.test", None),
             ("/A", None, None), ("/ab", None, None), ("/", None, None)]
    for path, host, route in table:
        c = p.client("plain", host=host).open(path)
        if route:
            c.end_cleanly()
        else:
            c.recv_close(1008)
            c.wire.reset()
        end = p.log.wait("session.end", 1 + table.index((path, host, route)))[-1]
        equal(end.get("route"), route, "the route of %s on %s" % (path, host))
