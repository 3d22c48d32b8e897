# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted TCP (or Unix) backend: accept, recv, send, FIN, RST, stall, expect.

It does what the test says, in the test's own order and thread. Doing nothing is a stall.
"""

import os
import socket
import struct

from wsclient import RESET, Timeout


class Peer:
    """One accepted connection."""

    def __init__(self, sock, timeout):
        self.sock = sock
        self.sock.settimeout(timeout)

    def recv(self, size):
        """Exactly `size` bytes."""
        out = bytearray()
        while len(out) < size:
            data = self.recv_some(size - len(out))
            if not data:
                raise AssertionError("FIN after %d of %d bytes: %r" % (len(out), size, out[:80]))
            out += data
        return bytes(out)

    def recv_some(self, size=1 << 18):
        """Some bytes; b"" is FIN; a reset is ConnectionResetError."""
        try:
            return self.sock.recv(size)
        except TimeoutError:
            raise Timeout("the backend got nothing") from None

    def expect(self, data):
        got = self.recv(len(data))
        assert got == data, "the backend got %r instead of %r" % (got[:80], data[:80])

    def send(self, data):
        self.sock.sendall(data)

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def recv_all(self):
        """Everything up to FIN."""
        out = bytearray()
        while True:
            data = self.recv_some()
            if not data:
                return bytes(out)
            out += data

    def expect_fin(self, data=b""):
        """These bytes, then FIN."""
        got = self.recv_all()
        assert got == data, "%d bytes before FIN instead of %d: %r" % (
            len(got), len(data), got[:80])

    def expect_reset(self):
        """RST, after whatever was still on its way; returns those bytes."""
        out = bytearray()
        try:
            while True:
                data = self.recv_some()
                if not data:
                    raise AssertionError("FIN instead of %s" % RESET)
                out += data
        except ConnectionResetError:
            return bytes(out)

    def expect_quiet(self, seconds):
        """Nothing comes for so long (used to let time pass where nothing must happen)."""
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(1)
        except TimeoutError:
            return
        raise AssertionError("the backend got %r" % got)

    def close(self):
        self.sock.close()


class Backend:
    """A listening socket; `port` is free when none is given."""

    def __init__(self, timeout=20.0, backlog=128, path=None, family=socket.AF_INET,
                 receive_buffer=None, send_buffer=None):
        self.timeout = timeout
        self.peers = []
        self.sock = socket.socket(socket.AF_UNIX if path else family)
        if receive_buffer:  # before listen: accepted sockets inherit it
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if send_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        if path:
            self.sock.bind(path)
            os.chmod(path, 0o777)
            self.url = "unix:" + path
        else:
            self.sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
            self.port = self.sock.getsockname()[1]
            host = "[::1]" if family == socket.AF_INET6 else "127.0.0.1"
            self.url = "tcp://%s:%d" % (host, self.port)
        if backlog is not None:
            self.sock.listen(backlog)

    def accept(self):
        self.sock.settimeout(self.timeout)
        try:
            sock, _ = self.sock.accept()
        except TimeoutError:
            raise Timeout("the backend was not dialled") from None
        peer = Peer(sock, self.timeout)
        self.peers.append(peer)
        return peer

    def expect_not_dialled(self):
        """Call it once the session has ended."""
        self.sock.setblocking(False)
        try:
            self.sock.accept()
        except BlockingIOError:
            return
        raise AssertionError("the backend was dialled")

    def close(self):
        for peer in self.peers:
            peer.close()
        self.sock.close()


class Deaf(Backend):
    """A port on which a dial is never answered: its accept queue is full."""

    def __init__(self):
        super().__init__(backlog=0)
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def close(self):
        for filler in self.fillers:
            filler.close()
        super().close()


def closed_port():
    """(holder, url): a port that refuses as long as the holder lives."""
    holder = Backend(backlog=None)
    return holder, holder.url
