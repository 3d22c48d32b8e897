# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection of a page: TCP, TLS, the opening and frames, without ever blocking. Every
function that waits is a generator of loop.py."""

import random
import socket
import ssl
import struct
import time
import zlib

from loop import GONE, READ, WRITE, Late

from wsclient import frame

ANSWER_S = 60  # the longest wait for an answer: the machine may be busy, and a worker stopped
KEYS = [struct.pack("!I", 0x9E3779B9 * i & 0xFFFFFFFF) for i in range(1, 9)]
REQUEST = ("GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Origin: %s\r\n%s\r\n")
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
PING, PONG, CLOSE, TEXT, BINARY = 9, 10, 8, 1, 2
UNREAD = "end of a page that reads nothing"
TAIL = b"\0\0\xff\xff"


class Outcome(Exception):
    """How a session ended: "eof", "cut" (TLS without close_notify), "reset", "refused",
    "tls_alert", "close CODE", or "wrong ..." when something came that must not. "end ..." is the
    same when the page was waiting for its end."""


class Wire:
    """One connection. The page that has it runs as a task of the loop."""

    def __init__(self, loop):
        self.loop, self.task, self.sock = loop, None, None
        self.data = b""
        self.is_deflated, self.is_resting, self.has_closed = False, False, False
        self.pings = 0

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None

    def connect(self, address, source):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.sock.bind((source, 0))
        self.loop.attach(self.task, self.sock.fileno())
        try:
            self.sock.connect(address)
        except BlockingIOError:
            if not (yield WRITE, time.monotonic() + ANSWER_S):
                raise Late("connection") from None
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise Outcome("refused")

    def begin_tls(self, context):
        """Takes the place of the socket: its descriptor stays."""
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost",
                                        do_handshake_on_connect=False,
                                        suppress_ragged_eofs=False)
        yield from self.call(self.sock.do_handshake)

    def call(self, function, *arguments):
        """Calls until the socket neither has to wait for bytes nor for room."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                return function(*arguments)
            except (ssl.SSLWantReadError, BlockingIOError):
                mask = WRITE if function == self.sock.send else READ
            except ssl.SSLWantWriteError:
                mask = WRITE
            except Exception as error:
                raise Outcome(self.word(error)) from None
            if not (yield mask, deadline):
                raise Late(function.__name__)

    @staticmethod
    def word(error):
        if isinstance(error, (ConnectionResetError, BrokenPipeError)):
            return "reset"
        if isinstance(error, ssl.SSLEOFError) or "UNEXPECTED_EOF" in str(error):
            return "cut"
        if isinstance(error, ssl.SSLError):
            return "tls_alert" if "ALERT" in str(error) else "wrong tls: %s" % error
        return "wrong: %r" % error

    def send(self, data):
        while data:
            sent = yield from self.call(self.sock.send, data)
            data = data[sent:]

    def fill(self, deadline, size=65536):
        """Reads once. Returns False when nothing came in time."""
        while True:
            try:
                got = self.sock.recv(size)
            except (ssl.SSLWantReadError, BlockingIOError):
                if not (yield READ, deadline):
                    return False
                continue
            except Exception as error:
                raise Outcome(self.word(error)) from None
            if not got:
                raise Outcome("eof")
            self.data += got
            return True

    def open(self, path, origin="https://good.test", extra=""):
        """Asks for a session and wants one."""
        yield from self.send((REQUEST % (path, origin, extra)).encode())
        deadline = time.monotonic() + ANSWER_S
        while b"\r\n\r\n" not in self.data:
            if not (yield from self.fill(deadline)):
                raise Late("answer to the opening")
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Outcome("wrong: %r" % head[:40])
        self.is_deflated = b"permessage-deflate" in head

    def take_frame(self):
        """Returns (first byte, payload) once a whole frame is there, else None."""
        data = self.data
        if len(data) < 2:
            return None
        size, at = data[1], 2
        if size == 126:
            if len(data) < 4:
                return None
            size, at = data[2] << 8 | data[3], 4
        elif size == 127:
            if len(data) < 10:
                return None
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            return None
        self.data = data[at + size:]
        return data[0], data[at:at + size]

    def next(self, deadline, size=65536):
        """Returns (opcode, payload) of the next data frame and answers Pings before it. Returns
        None when the time is over. A Close is an Outcome, and was not answered."""
        while True:
            got = self.take_frame()
            if not got:
                if not (yield from self.fill(deadline, size)):
                    return None
                continue
            first, payload = got
            opcode = first & 15
            if opcode == PING:
                self.pings += 1
                yield from self.send(frame(PONG, payload, key=KEYS[0]))
            elif opcode == CLOSE:
                yield from self.answer_close(payload[:2])
                raise Outcome("close %d" % int.from_bytes(payload[:2], "big"))
            elif opcode != PONG:
                return first, payload

    def answer_close(self, code):
        if not self.has_closed:
            self.has_closed = True
            try:
                yield from self.send(frame(CLOSE, code, key=KEYS[0]))
            except Outcome:
                pass  # the Close that came is how the session ended

    def say_close(self, code):
        self.has_closed = True
        yield from self.send(frame(CLOSE, struct.pack("!H", code), key=KEYS[1]))

    def message(self, deadline=None):
        """Returns the payload of the next message."""
        whole, is_deflated = [], False
        deadline = deadline or time.monotonic() + ANSWER_S
        while True:
            got = yield from self.next(deadline)
            if not got:
                raise Late("message")
            is_deflated |= bool(got[0] & 0x40)
            whole.append(got[1])
            if got[0] & 0x80:
                break
        data = b"".join(whole)
        return zlib.decompressobj(-12).decompress(data + TAIL) if is_deflated else data

    def say(self, payload, opcode=BINARY):
        """Sends a message, compressed where that was agreed on."""
        rsv = 0
        if self.is_deflated and random.random() < 0.5:
            press = zlib.compressobj(1, zlib.DEFLATED, -12)
            payload = (press.compress(payload) + press.flush(zlib.Z_SYNC_FLUSH))[:-4]
            rsv = 4
        yield from self.send(frame(opcode, payload, rsv=rsv, key=random.choice(KEYS)))

    def rest(self, until):
        """Does nothing but answer Pings, until then. No message may come."""
        self.is_resting = True
        got = yield from self.next(until)
        self.is_resting = False
        if got:
            raise Outcome("wrong: a message that nobody said")

    def sleep(self, seconds):
        """Does not read. A connection that breaks is an Outcome."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (yield GONE, until):
                self.check_broken()

    def check_broken(self):
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        raise Outcome("reset" if error else "eof")

    def until_close(self, code):
        """Reads on to the Close with this code, and then to the end of the stream."""
        deadline = time.monotonic() + ANSWER_S
        try:
            while (yield from self.next(deadline)):
                pass
            raise Late("Close")
        except Outcome as outcome:
            if str(outcome) != "close %d" % code:
                raise
        yield from self.until_eof()

    def until_eof(self):
        """Throws away what comes, and raises how the stream ends, as an end that the page wants."""
        deadline = time.monotonic() + ANSWER_S
        try:
            while (yield from self.fill(deadline)):
                self.data = b""
        except Outcome as outcome:
            raise Outcome("end " + str(outcome)) from None
        raise Late("end of the stream")

    def until_broken(self, seconds):
        """Reads nothing until the connection breaks, which the page wants."""
        try:
            yield from self.sleep(seconds)
        except Outcome as outcome:
            raise Outcome("end " + str(outcome)) from None
        raise Late(UNREAD)

    def notify_and_fin(self):
        """Ends the stream in order: close_notify, if there is TLS, and FIN."""
        if isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock.unwrap()
            except ssl.SSLError:  # the peer's close_notify is not there yet
                pass
            except OSError as error:
                raise Outcome(self.word(error)) from None
        self.shut()

    def shut(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            raise Outcome("reset") from None

    def reset(self):
        """Ends the connection at once; the system sends RST."""
        self.loop.detach(self.task)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def drop(self):
        """Closes the socket without close_notify."""
        self.loop.detach(self.task)
        self.close()
