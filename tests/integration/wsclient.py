# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket client on plain sockets and ssl's memory interface, made to be able to misbehave.

Nothing here is helpful by itself: no Ping is answered, no Close is sent, no byte is read unless the
test says so. A Wire moves bytes and knows how its peer ended; a Client adds frames to a Wire.
"""

import base64
import collections
import hashlib
import os
import socket
import ssl
import struct

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
READ_BYTES = 1 << 18

# How a peer's stream can end.
FIN = "FIN"  # FIN; over TLS after a close_notify
CUT = "CUT"  # over TLS only: FIN without a close_notify
RESET = "RESET"

Frame = collections.namedtuple("Frame", "is_fin opcode payload")


class Ended(Exception):
    """The peer's stream ended where the test wanted bytes."""

    def __init__(self, how):
        super().__init__("the stream ended: " + how)
        self.how = how


class Timeout(AssertionError):
    """Nothing came for too long."""


def mask(payload, key):
    """XOR with a four-byte key, fast enough for megabytes."""
    size = len(payload)
    if not size:
        return b""
    stream = (key * (size // 4 + 1))[:size]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")
    return number.to_bytes(size, "little")


def frame_header(opcode, size, is_fin=True, rsv=0, key=None):
    """The header of a frame; key None means unmasked."""
    first = (0x80 if is_fin else 0) | rsv << 4 | opcode
    bit = 0 if key is None else 0x80
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + (key or b"")


def frame(opcode, payload=b"", is_fin=True, rsv=0, is_masked=True, key=None):
    """A whole frame as bytes."""
    if isinstance(payload, str):
        payload = payload.encode()
    if not is_masked:
        return frame_header(opcode, len(payload), is_fin, rsv) + payload
    key = key or os.urandom(4)
    return frame_header(opcode, len(payload), is_fin, rsv, key) + mask(payload, key)


def close_payload(code=None, reason=""):
    if code is None:
        return b""
    return struct.pack("!H", code) + (reason.encode() if isinstance(reason, str) else reason)


class Wire:
    """A byte stream to (host, port), plain or TLS, whose ending is told exactly."""

    def __init__(self, address, context=None, server_name="localhost", session=None,
                 receive_buffer=None, timeout=20.0, source=None):
        self.ended = None
        self.sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        if source:
            self.sock.bind(source)
        self.sock.connect(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = "%s:%d" % self.sock.getsockname()[:2]
        self.tls = None
        if context:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=False,
                                        server_hostname=server_name, session=session)
            self.handshake()

    def set_timeout(self, seconds):
        self.sock.settimeout(seconds)

    # TLS over memory

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                self.flush()
                return
            except ssl.SSLWantReadError:
                self.flush()
                if not self.fill():
                    raise Ended(self.ended) from None
            except ssl.SSLError:
                self.flush()
                raise

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def fill(self):
        """Wire bytes into ssl's memory; False once the peer's stream has ended."""
        data = self.raw_recv(READ_BYTES)
        if data:
            self.incoming.write(data)
            return True
        self.incoming.write_eof()
        return False

    def raw_recv(self, size):
        try:
            data = self.sock.recv(size)
        except ConnectionResetError:
            self.ended = RESET
            return b""
        except TimeoutError:
            raise Timeout("no byte came in %s s" % self.sock.gettimeout()) from None
        if not data:
            self.ended = self.ended or (CUT if self.tls else FIN)
        return data

    # what a test uses

    def send(self, data):
        """All of it; blocks. Raises Ended(RESET) when the peer has reset."""
        try:
            if not self.tls:
                self.sock.sendall(data)
                return
            view = memoryview(data)
            for at in range(0, len(view), 1 << 20):
                self.tls.write(view[at:at + (1 << 20)])
                self.flush()
        except (ConnectionResetError, BrokenPipeError):
            self.ended = RESET
            raise Ended(RESET) from None
        except TimeoutError:
            raise Timeout("%d bytes were not taken in time" % len(data)) from None

    def send_raw(self, data):
        """Past TLS: these very bytes on the socket."""
        self.sock.sendall(data)

    def recv(self, size=READ_BYTES):
        """Some bytes, or b"" when the stream has ended (see `ended`)."""
        if not self.tls:
            return self.raw_recv(size)
        while True:
            try:
                data = self.tls.read(size)
            except ssl.SSLWantReadError:
                self.flush()
                if self.ended:
                    return b""
                self.fill()
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
            if data:
                return data
            return self.after_notify()

    def after_notify(self):
        """After close_notify: only FIN may come now."""
        if not self.ended:
            rest = self.raw_recv(READ_BYTES)
            if rest:
                raise AssertionError("%d bytes after close_notify" % len(rest))
            if self.ended == CUT:
                self.ended = FIN
        return b""

    def finish(self):
        """The orderly end: close_notify, FIN."""
        if self.tls:
            try:
                self.tls.unwrap()
            except (ssl.SSLWantReadError, ssl.SSLError):
                pass
            try:
                self.flush()
            except OSError:
                return
        self.half_close()

    def half_close(self):
        """FIN, without a close_notify."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()


class Response:
    """A response head; names in lower case, values in order of arrival."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, self.reason = (lines[0].split(" ", 2) + [""])[:3]
        self.status = int(status)
        self.headers = collections.defaultdict(list)
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()].append(value.strip())
        self.body = b""

    def get(self, name, default=None):
        values = self.headers.get(name.lower())
        return values[0] if values else default


class Client:
    """Frames over a Wire."""

    def __init__(self, wire, host=None):
        self.wire = wire
        self.host = host or "localhost:%d" % wire.sock.getpeername()[1]
        self.scheme = "https" if wire.tls else "http"
        self.pending = bytearray()
        self.response = None

    # opening

    def request(self, path="/", headers=(), origin="", subprotocols=None, key=None, drop=()):
        """A legal opening handshake as bytes, with `headers` added and names in `drop` left out.
        origin "" means the same origin, None means no such header."""
        self.key = key or base64.b64encode(os.urandom(16)).decode()
        lines = [("Host", self.host), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
                 ("Sec-WebSocket-Key", self.key), ("Sec-WebSocket-Version", "13")]
        if origin is not None:
            lines.append(("Origin", origin or "%s://%s" % (self.scheme, self.host)))
        if subprotocols:
            lines.append(("Sec-WebSocket-Protocol", subprotocols))
        lines = [line for line in lines if line[0] not in drop] + list(headers)
        head = "GET %s HTTP/1.1\r\n" % path
        head += "".join("%s: %s\r\n" % line for line in lines) + "\r\n"
        return head.encode("latin-1")

    def open(self, path="/", after=b"", **request):
        """Sends the handshake and wants 101; `after` is sent together with the head."""
        self.wire.send(self.request(path, **request) + after)
        response = self.read_response()
        assert response.status == 101, "%d instead of 101: %r" % (response.status, response.body)
        want = base64.b64encode(hashlib.sha1(self.key.encode() + GUID).digest()).decode()
        assert response.get("Sec-WebSocket-Accept") == want, "the accept key is wrong"
        assert response.get("Upgrade", "").lower() == "websocket"
        assert response.get("Connection", "").lower() == "upgrade"
        assert not response.get("Sec-WebSocket-Extensions"), "no extension was offered"
        return self

    @property
    def subprotocol(self):
        return self.response.get("Sec-WebSocket-Protocol")

    def read_response(self):
        while b"\r\n\r\n" not in self.pending:
            self.read_more()
        head, _, rest = bytes(self.pending).partition(b"\r\n\r\n")
        self.response = Response(head)
        self.pending = bytearray(rest)
        if self.response.status != 101:
            size = int(self.response.get("Content-Length", "0"))
            while len(self.pending) < size:
                self.read_more()
            self.response.body = bytes(self.pending[:size])
            del self.pending[:size]
        return self.response

    # sending

    def send_raw(self, data):
        """Any bytes inside the (TLS) stream."""
        self.wire.send(data)

    def send(self, opcode, payload=b"", **options):
        self.wire.send(frame(opcode, payload, **options))

    def text(self, payload):
        self.send(TEXT, payload)

    def binary(self, payload):
        self.send(BINARY, payload)

    def close(self, code=None, reason=""):
        """Sends a Close frame."""
        self.send(CLOSE, close_payload(code, reason))

    # receiving

    def read_more(self):
        data = self.wire.recv()
        if not data:
            raise Ended(self.wire.ended)
        self.pending += data

    def recv_frame(self):
        """The next frame; raises Ended. Checks what a server's frame must look like."""
        while len(self.pending) < 2:
            self.read_more()
        first, second = self.pending[0], self.pending[1]
        assert first & 0x70 == 0, "reserved bits are set"
        assert second & 0x80 == 0, "a server's frame is masked"
        size, at = second & 0x7F, 2
        if size > 125:
            at = 4 if size == 126 else 10
            while len(self.pending) < at:
                self.read_more()
            size = int.from_bytes(self.pending[2:at], "big")
            assert size > (125 if at == 4 else 65535), "the length is not minimal"
        while len(self.pending) < at + size:
            self.read_more()
        payload = bytes(self.pending[at:at + size])
        del self.pending[:at + size]
        return Frame(bool(first & 0x80), first & 0x0F, payload)

    def recv_data(self):
        """The payload of the next data frame (Pings are passed over)."""
        while True:
            got = self.recv_frame()
            if got.opcode in (TEXT, BINARY, CONTINUATION):
                return got.payload
            assert got.opcode in (PING, PONG), "Close %r instead of data" % got.payload

    def recv_bytes(self, size):
        """Exactly so many payload bytes, in as many frames as they come."""
        out = bytearray()
        while len(out) < size:
            out += self.recv_data()
        assert len(out) == size, "%d payload bytes instead of %d" % (len(out), size)
        return bytes(out)

    def recv_message(self):
        """(opcode, payload) of a whole message."""
        first = self.recv_frame()
        while first.opcode in (PING, PONG):
            first = self.recv_frame()
        assert first.opcode in (TEXT, BINARY), "opcode %d begins a message" % first.opcode
        parts, last = [first.payload], first
        while not last.is_fin:
            last = self.recv_frame()
            if last.opcode in (PING, PONG):
                last = last._replace(is_fin=False)
                continue
            assert last.opcode == CONTINUATION, "opcode %d inside a message" % last.opcode
            parts.append(last.payload)
        return first.opcode, b"".join(parts)

    def recv_close(self, code, has_reason=True):
        """Wants a Close of this code (None: empty); returns (reason, payload bytes before it)."""
        before = bytearray()
        while True:
            got = self.recv_frame()
            if got.opcode == CLOSE:
                break
            if got.opcode not in (PING, PONG):
                before += got.payload
        if code is None:
            assert got.payload == b"", "Close %r instead of an empty one" % got.payload
            return "", bytes(before)
        assert len(got.payload) >= 2, "an empty Close instead of %d" % code
        actual = int.from_bytes(got.payload[:2], "big")
        reason = got.payload[2:].decode()
        assert actual == code, "Close %d (%s) instead of %d" % (actual, reason, code)
        assert reason or not has_reason, "Close %d gives no reason" % code
        return reason, bytes(before)

    def recv_end(self, *allowed):
        """Wants the end of the stream and no frame before it; returns how it ended."""
        try:
            got = self.recv_frame()
        except Ended as end:
            assert not self.pending, "%d bytes of a frame before the end" % len(self.pending)
            assert end.how in (allowed or (FIN,)), "%s instead of %s" % (end.how, allowed or FIN)
            return end.how
        raise AssertionError("a frame instead of the end: %r" % (got,))

    def end_cleanly(self, code=1000):
        """The whole close handshake, begun by us."""
        self.close(code)
        self.recv_close(code, has_reason=False)
        self.wire.finish()
        self.recv_end(FIN)
        self.wire.close()
