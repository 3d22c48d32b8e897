# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides of a session: a client and a backend on raw sockets, on asyncio's loop.

They do what a script says, event by event, and note everything that they see: bytes, the Close, how
the peer's stream ended. What one flight holds goes out in one send, a FIN in the same packet.
"""

import asyncio
import base64
import collections
import os
import socket
import ssl
import struct
import zlib

import wsclient
from wsclient import CLOSE, CONTINUATION, CUT, FIN, PING, PONG, RESET, close_payload, frame

from shapes import KEY

READ_BYTES = 1 << 18
BLOCK_SECONDS = 0.15  # a socket that takes nothing for so long is blocked


class Stream:
    """A socket that sends from a queue and gives what comes to feed()."""

    def __init__(self, sock, on_change):
        sock.setblocking(False)
        self.loop = asyncio.get_running_loop()
        self.sock, self.on_change = sock, on_change
        self.out = collections.deque()
        self.is_held = self.is_fin_due = self.is_fin_sent = self.is_gone = False
        self.is_broken = self.is_reset = self.is_waiting = False
        self.ended = None  # how the peer's stream ended
        self.sent_bytes = 0
        self.is_reading = True
        self.loop.add_reader(sock.fileno(), self.on_readable)

    # reading

    def on_readable(self):
        try:
            data = self.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, self.ended = b"", RESET
        if data:
            self.feed(data)
        else:
            self.ended = self.ended or (RESET if self.is_reset else FIN)
            self.stop_reading()
            self.at_end()
        self.on_change()

    def at_end(self):
        """The peer's stream has ended."""

    def stop_reading(self):
        if self.is_reading:
            self.is_reading = False
            self.loop.remove_reader(self.sock.fileno())

    def resume_reading(self):
        if not self.is_reading and not self.ended and not self.is_gone:
            self.is_reading = True
            self.loop.add_reader(self.sock.fileno(), self.on_readable)

    # sending

    def put(self, data):
        """Queues bytes and sends them, unless a flight is being put together."""
        if data and not self.is_gone and not self.is_fin_due:
            self.out.append(memoryview(data))
        if not self.is_held:
            self.flush()

    def hold(self):
        self.is_held = True

    def release(self):
        self.is_held = False
        if len(self.out) > 1:
            whole = b"".join(self.out)
            self.out.clear()
            self.out.append(memoryview(whole))
        self.flush()

    def flush(self):
        if self.is_gone:
            return
        try:
            while self.out:
                is_last = self.is_fin_due and len(self.out) == 1
                count = self.sock.send(self.out[0], socket.MSG_MORE if is_last else 0)
                self.sent_bytes += count
                if count == len(self.out[0]):
                    self.out.popleft()
                else:
                    self.out[0] = self.out[0][count:]
        except (BlockingIOError, InterruptedError):
            self.wait_writable(True)
            return
        except OSError as error:
            # The error of a reset is told once: to the send, and then recv sees an end.
            self.is_reset = self.is_reset or isinstance(error, ConnectionResetError)
            self.is_broken = True
            self.out.clear()
        self.wait_writable(False)
        if self.is_fin_due and not self.is_fin_sent:
            self.is_fin_sent = True
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.is_broken = True

    def wait_writable(self, is_wanted):
        if is_wanted != self.is_waiting:
            self.is_waiting = is_wanted
            if is_wanted:
                self.loop.add_writer(self.sock.fileno(), self.flush)
            else:
                self.loop.remove_writer(self.sock.fileno())

    def fin(self):
        self.is_fin_due = True
        if not self.is_held:
            self.flush()

    def rst(self):
        """Sends what a held flight has so far, and resets."""
        if self.is_gone:
            return
        if self.is_held:
            self.release()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        if not self.is_gone:
            self.stop_reading()
            self.wait_writable(False)
            self.is_gone = True
            self.sock.close()

    async def flood(self, blocks, most_bytes, is_over):
        """Sends blocks until the socket takes no more for a while, or all of `most_bytes`. With
        is_over(), a function, it goes on until that is true or all is sent."""
        count = total = 0
        while total < most_bytes and not (self.is_broken or self.is_gone or self.ended):
            if self.out:
                if not await self.is_moving(is_over):
                    break
                continue
            data, size = blocks(count)
            count += 1
            total += size
            self.put(data)
            if count % 4 == 0:
                await asyncio.sleep(0)

    async def is_moving(self, is_over):
        """Waits for the queue to move. False: it does not."""
        before, waited = self.sent_bytes, 0.0
        while self.out and self.sent_bytes == before:
            if waited >= BLOCK_SECONDS if is_over is None else is_over():
                return False
            await asyncio.sleep(0.02)
            waited += 0.02
        return True


class Backend(Stream):
    """An accepted connection of the program."""
    is_established = True

    def __init__(self, sock, on_change):
        self.got = bytearray()
        super().__init__(sock, on_change)

    def feed(self, data):
        self.got += data


class TlsBackend(Backend):
    """The same with TLS in memory: put() seals, fin() says close_notify first."""

    def __init__(self, sock, context, on_change):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.is_established = self.has_notify = False
        super().__init__(sock, on_change)

    def feed(self, data):
        self.incoming.write(data)
        try:
            if not self.is_established:
                self.tls.do_handshake()
                self.is_established = True
            while data := self.tls.read(READ_BYTES):
                self.got += data
            self.has_notify = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_notify = True
        super().put(self.outgoing.read())

    def put(self, data):
        for at in range(0, len(data), 1 << 20):
            self.tls.write(data[at:at + (1 << 20)])
        super().put(self.outgoing.read())

    def fin(self):
        if not self.is_fin_due:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            super().put(self.outgoing.read())
        super().fin()

    def at_end(self):
        if self.ended == FIN and not self.has_notify:
            self.ended = CUT


class Client(Stream):
    """A WebSocket client with its TLS in memory."""

    def __init__(self, sock, context, on_change):
        self.tls, self.is_established = None, context is None
        self.plain = bytearray()
        self.response, self.inflater = None, None
        self.bits, self.is_server_anew = 15, False
        self.messages, self.partial, self.opcode = [], bytearray(), None
        self.is_squeezed = False
        self.has_close, self.close_code = False, None  # None: an empty Close
        self.has_notify = self.has_said_close = self.has_said_notify = False
        self.ended_before_answer = None
        self.is_mute = False  # answers no Ping
        self.faults = []
        super().__init__(sock, on_change)
        if context:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=False,
                                        server_hostname="localhost")
            self.shake()

    # TLS

    def shake(self):
        try:
            self.tls.do_handshake()
            self.is_established = True
        except ssl.SSLWantReadError:
            pass
        self.put(self.outgoing.read())

    def feed(self, data):
        if not self.tls:
            self.plain += data
        else:
            if self.has_notify:
                self.faults.append("%d bytes behind close_notify" % len(data))
            self.incoming.write(data)
            if not self.is_established:
                self.shake()
            if self.is_established:
                self.decrypt()
        self.parse()

    def decrypt(self):
        try:
            while data := self.tls.read(READ_BYTES):
                self.plain += data
            self.has_notify = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_notify = True
        except ssl.SSLError as error:
            self.faults.append("TLS: %s" % error)
        self.put(self.outgoing.read())  # never a renegotiation, but an alert

    def at_end(self):
        if self.tls and self.ended == FIN and not self.has_notify:
            self.ended = CUT
        if not self.has_said_close and not self.has_said_notify and not self.is_fin_due:
            self.ended_before_answer = self.ended

    def say(self, data):
        if not self.tls:
            self.put(data)
            return
        view = memoryview(data)
        for at in range(0, len(view), 1 << 20):
            self.tls.write(view[at:at + (1 << 20)])
        self.put(self.outgoing.read())

    def say_close(self, code):
        self.has_said_close = True
        reason = b"bye" if code == 4001 else b""
        self.say(frame(CLOSE, close_payload(code, reason) if code else b"", key=KEY))

    def say_notify(self):
        if self.tls and not self.has_said_notify:
            self.has_said_notify = True
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self.put(self.outgoing.read())

    # WebSocket

    def request(self, path, is_deflate, subprotocol):
        port = self.sock.getpeername()[1]
        head = ("GET %s HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
                % (path, port, base64.b64encode(os.urandom(16)).decode()))
        if subprotocol:
            head += "Sec-WebSocket-Protocol: %s\r\n" % subprotocol
        if is_deflate:
            head += "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        self.say(head.encode() + b"\r\n")

    def parse(self):
        if self.response is None:
            head, end, rest = bytes(self.plain).partition(b"\r\n\r\n")
            if not end:
                return
            self.response = wsclient.Response(head)
            self.plain = bytearray(rest)
            self.take_extension(self.response.get("Sec-WebSocket-Extensions", ""))
        while self.parse_frame():
            pass

    def take_extension(self, answer):
        for part in answer.split(";"):
            name, _, value = part.strip().partition("=")
            if name == "client_max_window_bits" and value:
                self.bits = int(value)
            self.is_server_anew = self.is_server_anew or name == "server_no_context_takeover"

    def parse_frame(self):
        data = self.plain
        if len(data) < 2:
            return False
        size, at = data[1] & 0x7F, 2
        if size > 125:
            at = 4 if size == 126 else 10
            if len(data) < at:
                return False
            size = int.from_bytes(data[2:at], "big")
        if len(data) < at + size:
            return False
        first, is_masked = data[0], data[1] & 0x80
        payload = bytes(data[at:at + size])
        del data[:at + size]
        if is_masked or self.has_close:
            self.faults.append("a masked frame" if is_masked else "a frame behind the Close")
        self.take_frame(first, payload)
        return True

    def take_frame(self, first, payload):
        opcode, is_fin = first & 0x0F, bool(first & 0x80)
        if opcode == CLOSE:
            self.has_close = True
            self.close_code = int.from_bytes(payload[:2], "big") if payload else None
        elif opcode == PING:
            if not (self.is_mute or self.has_said_close or self.has_said_notify):
                self.say(frame(PONG, payload, key=KEY))
        elif opcode != PONG:
            if (opcode == CONTINUATION) != (self.opcode is not None):
                self.faults.append("opcode %d %s a message" % (
                    opcode, "outside" if self.opcode is None else "inside"))
            if opcode != CONTINUATION:
                self.opcode, self.is_squeezed = opcode, bool(first & 0x40)
            self.partial += self.inflate(payload, is_fin) if self.is_squeezed else payload
            if is_fin:
                self.messages.append((self.opcode, bytes(self.partial)))
                self.partial, self.opcode = bytearray(), None

    def inflate(self, payload, is_fin):
        if self.inflater is None:
            self.inflater = zlib.decompressobj(-15)
        try:
            out = self.inflater.decompress(payload + (b"\0\0\xff\xff" if is_fin else b""))
        except zlib.error as error:
            self.faults.append("zlib: %s" % error)
            return b""
        if is_fin and self.is_server_anew:
            self.inflater = None
        return out


def connect(address, receive_buffer, send_buffer):
    """Connects on loopback, where nothing waits for the network."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if send_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    sock.settimeout(20)
    sock.connect(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
