# SPDX-License-Identifier: GPL-3.0-or-later
"""Random request heads: legal ones, and ones with mistakes of one kind, cut in two at random.

The same seed and number always give the same head.
"""

import base64
import collections
import random

HOSTS = ("gw.example", "GW.Example", "gw.example:8443", "localhost", "127.0.0.1", "127.0.0.1:80",
         "[::1]", "[2001:db8::7]:443", "my_service", "a-b.c-d.example", "xn--bcher-kva.example",
         "gw.example.", "x")
BAD_HOSTS = ("", "a b", "a,b", "u@gw.example", "gw.example/x", "gw.example:99999", "gw.example:-1",
             "gw.example:0", "gw.example:x", "gw.example:", "gw.example:0443", "[::1", "::1",
             "[::g]", "a..b", ".", "a%2eb", "b\xfccher", "a\\b", "127.1", "a?b", "a#b", "a\"b",
             "*.example", "gw.example:80:80", ":80", ":", "a;b", "a'b", "a(b)", "a<b", "a|b", "a~b")
PATHS = ("/", "/echo", "/vnc/1", "//a//b", "/a/b/c/", "/%C3%BC", "/%20", "/a%41", "/~u/_-.x",
         "/a:b@c", "/a;b=c", "/a,b", "/(a)", "/a!$&'*+", "/websockify", "/socket.io/")
QUERIES = ("", "", "", "?", "?a=b", "?token=a%2Fb", "?a=b&c=d", "?/../x", "??", "?a=%zz", "?[x]",
           "?a'b", "?a|b^c`{d}", "?u=http://x/y")
BAD_TARGETS = ("*", "a", "?a", "gw.example:80", "\\", "/a b", "/a#b", "/a\tb", "/\xe9", "/\x01",
               "/a\x7f", "/a%zz", "/a%2", "/a%", "/../x", "/a/../../b", "/a/..", "/./a",
               "/%2e%2e/a",
               "/a%2fb", "/a%2F..%2Fb", "/a%5cb", "/a\\b", "/a%00", "/a%0ab", "/a%7f", "/a\"b",
               "/<a>",
               "/{a}", "/a|b", "/a^b", "/a`b", "", "http:/a", "http:a", "http://", "http:///x",
               "http://u@a/x", "http://a:x/y", "http://a b/", "ftp://a/x", "://a/", "HTTP", "a/b")
SCHEMES = ("http", "https", "ws", "wss", "HTTP", "Ws")
METHODS = ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "HEAD", "CONNECT", "BREW", "get",
           "Get", "GETS", "M-SEARCH", "PROPFIND", "PRI", "x", "SOURCE", "X" * 40)
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/3.0",
            "HTTP/9.9", "http/1.1", "HTTP/1.10", "HTTP/1.", "HTTP/1", "HTTP/01.1", "HTTP/1.01",
            "HTTP",
            "HTTP/1,1", "HTTP/+1.1", "HTTP /1.1", "HTTP/ 1.1", "HTTPS/1.1", "RTSP/1.0", "ICE/1.0",
            "", "HTTP/1.x", "HTTP/1.1 ", "HTTP/1.1 x", "HTTP/11.1", "SIP/2.0")
EXTRA = ("Origin: https://app.example", "User-Agent: Client/1.0 (x; y)", "Accept: */*",
         "Cookie: a=\"b,c\"; d=e", "Pragma: no-cache", "Cache-Control: no-cache", "X-Empty:",
         "X-Blank: \t ", "X-Name: caf\xe9 \x80\xff", "Sec-WebSocket-Extensions: permessage-deflate",
         "Sec-WebSocket-Extensions: x; a=\"1,2\", permessage-deflate; client_max_window_bits",
         "Sec-WebSocket-Extensions:", "Sec-WebSocket-Protocol: binary, base64",
         "Sec-WebSocket-Protocol: a", "TE: trailers", "DNT: 1", "Via: 1.1 edge",
         "X-Forwarded-For: 203.0.113.9", "Forwarded: for=\"[2001:db8::1]\"",
         "Authorization: Basic eDp5",
         "!#$%&'*+-.^_`|~: odd", "Range: bytes=0-", "If-None-Match: \"x\"", "Date: yesterday",
         "Accept-Language: en-GB,en;q=0.5", "Upgrade-Insecure-Requests: 1", "Keep-Alive: 300",
         "Proxy-Connection: keep-alive", "Max-Forwards: 3", "X-Comma: ,,a,,")
FRAMING = ("Content-Length: 0", "Content-Length: 00", "Content-Length:\t0 ", "Content-Length: 5",
           "Content-Length: -1", "Content-Length: +0", "Content-Length: 0x0", "Content-Length: 0,0",
           "Content-Length: 0, 5", "Content-Length:", "Content-Length: 1 2",
           "Content-Length: 99999999999999999999", "Content-Length: a", "Content-Length: 0;x",
           "Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding:",
           "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked",
           "Transfer-Encoding: x", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked;a",
           "Expect: 100-continue", "Expect: 100-Continue", "Expect: tea", "Expect:",
           "Expect: 100-continue, tea", "Trailer: X", "Content-Type: text/plain", "TE: chunked")
OPENING = (("Upgrade", ("", ",", "h2c", "h2c, websocket", "websocket, h2c", "WebSocket",
                        ",websocket,",
                        "websocket/13", "websockets", "web socket", "\"websocket\"", "WEBSOCKET",
                        "websocket;x", "TLS/1.0, websocket")),
           ("Connection", ("", ",", "close", "keep-alive", "keep-alive, Upgrade", "upgrade",
                           "Upgrade, close", ",,Upgrade", "upgraded", "Upgrade;x", "websocket",
                           "Upgrade, Host", "TE, Upgrade, HTTP2-Settings")),
           ("Sec-WebSocket-Version", ("", "8", "13", "13, 8", "013", "0", "14", "13.0", "1 3", "x",
                                      "13,", "7")),
           ("Sec-WebSocket-Key", ("", "AAAA", "A" * 22 + "==", "A" * 21 + "B==", "A" * 20,
                                  "A" * 23 + "=", "A" * 24, "A" * 22, "!" * 22 + "==",
                                  "AAAAAAAAAA-_AAAAAAAAAA==", "A" * 22 + "== x", "=" * 24)),
           ("Sec-WebSocket-Protocol", ("", ",", ", ,", "a", "a, b", ",a,,b,", "a, a", "a b", "a/b",
                                       "a;q=1", "\"a\"", "\xe9", "a,\tb", "x" * 300, "x" * 5000,
                                       ",".join("p%d" % i for i in range(40)))),
           ("Sec-WebSocket-Extensions", ("", ",", ";", "permessage-deflate; ;", "\"x\"", "x; a=\"",
                                         "permessage-deflate; server_max_window_bits=99")),
           ("Origin", ("", "null", "https://a", "a b")))
BYTES = (b"\0", b"\t", b"\n", b"\r", b"\r\n", b" ", b"  ", b"\"", b"#", b"%", b",", b"/", b":",
         b";", b"?",
         b"\\", b"\x01", b"\x0b", b"\x0c", b"\x1b", b"\x7f", b"\x80", b"\xff", b"\xc3\xa9", b"A",
         b"0",
         b"(", b"{", b"\r\n\r\n")

Head = collections.namedtuple("Head", "kind data cut")


class Parts:
    """A head before it is written: request line, header lines, end of line."""

    def __init__(self, rng):
        self.rng = rng
        self.method, self.version, self.first = "GET", "HTTP/1.1", ""
        self.target = rng.choice(PATHS) + rng.choice(QUERIES)
        self.host = rng.choice(HOSTS)
        key = base64.b64encode(rng.randbytes(16)).decode()
        self.lines = ["Host: " + self.host, "Upgrade: websocket", "Connection: Upgrade",
                      "Sec-WebSocket-Key: " + key, "Sec-WebSocket-Version: 13"]
        self.lines += rng.sample(EXTRA, rng.randrange(5))
        if rng.random() < 0.5:
            rng.shuffle(self.lines)
        self.end, self.body = "\r\n", b""

    def drop(self, name):
        self.lines = [line for line in self.lines if not line.startswith(name + ":")]

    def replace(self, name, value):
        """Returns the place of the line, which is a new one where there was none."""
        line = "%s: %s" % (name, value)
        for at, old in enumerate(self.lines):
            if old.startswith(name + ":"):
                self.lines[at] = line
                return at
        self.lines.append(line)
        return len(self.lines) - 1

    def encode(self):
        first = self.first or " ".join(filter(None, (self.method, self.target, self.version)))
        text = self.end.join([first, *self.lines]) + self.end + self.end
        return text.encode("latin-1") + self.body


# A function for each kind; it changes the parts of a legal opening.


def legal(parts):
    rng = parts.rng
    for at, line in enumerate(parts.lines):
        name, _, value = line.partition(":")
        if rng.random() < 0.2:
            name = rng.choice((name.lower(), name.upper(), name.swapcase()))
        if rng.random() < 0.2:
            value = rng.choice(("", "\t", "   ")) + value.strip() + rng.choice(("", " ", "\t "))
        parts.lines[at] = name + ":" + value
    if rng.random() < 0.15:
        parts.lines += ["X-Trace-%d: v" % i for i in range(rng.choice((20, 60, 90)))]
    if rng.random() < 0.1:
        parts.lines.append("Cookie: s=" + "x" * rng.choice((1000, 5000, 9000)))
    if rng.random() < 0.1:
        parts.target += ("&" if "?" in parts.target else "?") + "x" * rng.choice((500, 4000, 8000))


def plain(parts):
    rng = parts.rng
    for name in ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"):
        if rng.random() < 0.8:
            parts.drop(name)
    parts.method = rng.choice(("GET", "GET", "HEAD", "OPTIONS", "POST"))
    if rng.random() < 0.3:
        parts.version = "HTTP/1.0"
        if rng.random() < 0.7:
            parts.drop("Host")
    if rng.random() < 0.2:
        parts.lines.append("Connection: " + rng.choice(("close", "keep-alive")))
    if parts.method == "POST" and rng.random() < 0.7:
        parts.lines.append("Content-Length: 3")
        parts.body = b"abc"


def absolute(parts):
    rng = parts.rng
    host = parts.host if rng.random() < 0.5 else rng.choice(HOSTS)
    path = rng.choice(("", *PATHS))
    parts.target = "%s://%s%s%s" % (rng.choice(SCHEMES), host, path, rng.choice(QUERIES))
    if rng.random() < 0.2:
        parts.replace("Host", rng.choice(BAD_HOSTS))
    if rng.random() < 0.1:
        parts.drop("Host")


def target(parts):
    parts.target = parts.rng.choice(BAD_TARGETS)
    if parts.rng.random() < 0.3:
        parts.method = parts.rng.choice(("OPTIONS", "CONNECT", "HEAD"))


def host(parts):
    rng = parts.rng
    if rng.random() < 0.1:
        parts.drop("Host")
    elif rng.random() < 0.15:
        parts.lines.append("Host: " + rng.choice((parts.host, "other.example", "")))
    else:
        parts.replace("Host", rng.choice(BAD_HOSTS))
    if rng.random() < 0.1:
        parts.version = "HTTP/1.0"


def first_line(parts):
    rng = parts.rng
    at = rng.random()
    if at < 0.35:
        parts.version = rng.choice(VERSIONS)
    elif at < 0.6:
        parts.method = rng.choice(METHODS)
    else:
        words = [parts.method, parts.target, parts.version]
        gaps = [rng.choice((" ", " ", " ", "  ", "\t", "", " \t", "\r", "\x0b")) for _ in range(2)]
        parts.first = (rng.choice(("", "", "", " ", "\r\n", "\r\n\r\n", "\n", "\t", "\0", "\r"))
                       + words[0] + gaps[0] + words[1] + gaps[1] + words[2]
                       + rng.choice(("", "", "", " ", "\t", " x", "\r")))


def framing(parts):
    rng = parts.rng
    if rng.random() < 0.2:
        parts.method = rng.choice(("POST", "HEAD"))
    for _ in range(rng.choice((1, 1, 1, 2))):
        parts.lines.insert(rng.randrange(len(parts.lines) + 1), rng.choice(FRAMING))
    text = "\n".join(parts.lines)
    if "Length: 5" in text:
        parts.body = b"hello"
    elif "chunked" in text:
        parts.body = b"0\r\n\r\n"


def opening(parts):
    rng = parts.rng
    for _ in range(rng.choice((1, 1, 2))):
        name, values = rng.choice(OPENING)
        at = rng.random()
        if at < 0.15:
            parts.drop(name)
        elif at < 0.35:
            parts.lines.append("%s: %s" % (name, rng.choice(values)))
        else:
            parts.replace(name, rng.choice(values))


def lines(parts):
    """Mistakes in a header line as a whole."""
    rng = parts.rng
    at = rng.randrange(len(parts.lines))
    line = parts.lines[at]
    name, _, value = line.partition(":")
    parts.lines[at:at + 1] = rng.choice((
        [name + " :" + value], [name + "\t:" + value], [" " + line], ["\t" + line], [name + value],
        [name], [":" + value], [name + ":" + value + "\r\n folded"], [line + "\r\n\tfolded"],
        [line + "\r\n "], [line + "\n"], [line + "\r"], [line + "\nX-More: y"],
        [line + "\rX-More: y"],
        ["X(y): z", line], ["X y: z", line], ["\xe9: z", line], ["X\0: y", line], ["X: y\0", line],
        ["X: \x0b", line], ["X: \x7f", line], ["X: \x01y", line], [" ", line], ["@: x", line],
        ["X/y: z", line], ["\"X\": z", line], ["X: y", "X: z", line], ["{}", line],
        ["X_y: z", line], ["X" * 300 + ": y", line], [line, line]))
    if rng.random() < 0.1:
        parts.end = rng.choice(("\n", "\r", "\r\r\n", "\n\r"))


def chopped(parts):
    legal(parts)


def mutated(parts):
    if parts.rng.random() < 0.5:
        legal(parts)


KINDS = (legal, plain, absolute, target, host, first_line, framing, opening, lines, chopped,
         mutated)


def chop(rng, data):
    data = data[:rng.randrange(1, len(data))]
    return data if rng.random() < 0.5 else data + b"\r\n\r\n"


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data))
        how = rng.random()
        if how < 0.35:
            data[at:at + 1] = rng.choice(BYTES)
        elif how < 0.7:
            data[at:at] = rng.choice(BYTES)
        elif how < 0.9:
            del data[at:at + rng.choice((1, 1, 2, 5))]
        else:
            data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def make(seed, number):
    rng = random.Random("%d/%d" % (seed, number))
    kind = KINDS[number % len(KINDS)]
    parts = Parts(rng)
    kind(parts)
    data = parts.encode()
    if kind is chopped:
        data = chop(rng, data)
    elif kind is mutated:
        data = mutate(rng, data)
    cut = rng.randrange(len(data) + 1) if rng.random() < 0.5 else 0
    return Head(kind.__name__, data, cut)
