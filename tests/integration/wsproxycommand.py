#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh's ProxyCommand over a WebSocket: standard input and output are the payload.

    ssh -o ProxyCommand="wsproxycommand.py ADDRESS PORT PATH CA.pem" user@name
"""

import os
import select
import sys

sys.dont_write_bytecode = True

import certs  # noqa: E402
from wsclient import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client,  # noqa: E402
                      Wire, close_payload, frame)

QUEUE_BYTES = 1 << 18


class Relay:
    """Both directions at once, never blocked by one of them."""

    def __init__(self, client):
        self.client, self.wire = client, client.wire
        self.out = bytearray()
        self.is_stdin_open, self.is_closed = True, False
        self.wire.sock.setblocking(False)

    def queue(self, opcode, payload):
        self.wire.tls.write(frame(opcode, payload))
        self.out += self.wire.outgoing.read()

    def run(self):
        self.take_frames()
        while not self.is_closed:
            reads = [self.wire.sock]
            if self.is_stdin_open and len(self.out) < QUEUE_BYTES:
                reads.append(0)
            ready, writable, _ = select.select(reads, [self.wire.sock] if self.out else [], [])
            if 0 in ready:
                self.read_stdin()
            if writable:
                del self.out[:self.wire.sock.send(self.out)]
            if self.wire.sock in ready:
                self.read_wire()

    def read_stdin(self):
        data = os.read(0, 65536)
        if data:
            self.queue(BINARY, data)
        else:
            self.is_stdin_open = False
            self.queue(CLOSE, close_payload(1000))

    def read_wire(self):
        data = self.wire.sock.recv(1 << 18)
        if not data:
            self.is_closed = True
            return
        self.wire.incoming.write(data)
        self.take_frames()

    def take_frames(self):
        client = self.client
        try:
            while data := self.wire.tls.read(1 << 18):  # nothing: close_notify
                client.pending += data
        except OSError:  # it wants more
            pass
        while (got := next_frame(client.pending)) is not None:
            opcode, payload = got
            if opcode in (BINARY, CONTINUATION, TEXT):
                write_all(1, payload)
            elif opcode == PING:
                self.queue(PONG, payload)
            elif opcode == CLOSE:
                self.is_closed = True


def next_frame(pending):
    """(opcode, payload), taken off the front; None as long as it is not whole."""
    if len(pending) < 2:
        return None
    size, at = pending[1] & 0x7F, 2
    if size > 125:
        at = 4 if size == 126 else 10
        if len(pending) < at:
            return None
        size = int.from_bytes(pending[2:at], "big")
    if len(pending) < at + size:
        return None
    opcode, payload = pending[0] & 0x0F, bytes(pending[at:at + size])
    del pending[:at + size]
    return opcode, payload


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def main():
    address, port, path, authority = sys.argv[1:]
    context = certs.context(os.path.dirname(authority))
    client = Client(Wire((address, int(port)), context))
    client.open(path, subprotocols="binary")
    Relay(client).run()


if __name__ == "__main__":
    main()
