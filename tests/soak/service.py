# SPDX-License-Identifier: GPL-3.0-or-later
"""The services behind the gateway, one process for all. A service sends back what it gets; a
message that begins with "!" is an order to it:

    !fin        sends FIN              !rst        resets the connection
    !down N     sends N bytes          !sink N;    takes N bytes and answers "taken"
    !deaf       reads no more

It takes orders of the soak too: a service can be away, come back, and reset all its sessions."""

import json
import os
import select
import socket
import struct

CHUNK = bytes(range(33, 127)) * 697  # 65,518 bytes without line ends
NAMES = ("echo", "press", "lines", "token", "down", "sink")


def flow(offset, size):
    """Returns that part of what "!down" sends."""
    at = offset % len(CHUNK)
    return (CHUNK[at:] + CHUNK * (size // len(CHUNK) + 1))[:size]


class Session:
    def __init__(self, service, sock):
        self.service, self.sock = service, sock
        self.out, self.offset, self.owed, self.sink = b"", 0, 0, 0
        self.is_deaf, self.mask = False, select.EPOLLIN


class Service:
    def __init__(self, name, address):
        self.name, self.address, self.listener = name, address, None
        self.sessions, self.got, self.sent = set(), 0, 0

    def listen(self):
        is_path = isinstance(self.address, str)
        if is_path and os.path.exists(self.address):
            os.unlink(self.address)
        self.listener = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.address)
        if is_path:
            os.chmod(self.address, 0o777)
        else:
            self.address = self.listener.getsockname()
        self.listener.listen(4096)
        self.listener.setblocking(False)


class Server:
    """All services and the loop. `control` is the socket to the soak."""

    def __init__(self, directory):
        self.epoll, self.by_fd = select.epoll(), {}
        self.services = {}
        for i, name in enumerate(NAMES):
            address = (os.path.join(directory, name + ".sock") if name == "sink"
                       else ("127.0.1.%d" % (i + 1), 0))
            self.services[name] = Service(name, address)
            self.begin(self.services[name])

    def begin(self, service):
        service.listen()
        self.by_fd[service.listener.fileno()] = service
        self.epoll.register(service.listener.fileno(), select.EPOLLIN)

    def url(self, name):
        address = self.services[name].address
        return "unix:" + address if isinstance(address, str) else "tcp://%s:%d" % address

    def go_away(self, service):
        self.epoll.unregister(service.listener.fileno())
        del self.by_fd[service.listener.fileno()]
        service.listener.close()

    def accept(self, service):
        try:
            while True:
                sock, _ = service.listener.accept()
                sock.setblocking(False)
                session = Session(service, sock)
                service.sessions.add(session)
                self.by_fd[sock.fileno()] = session
                self.epoll.register(sock.fileno(), select.EPOLLIN)
        except (BlockingIOError, ConnectionAbortedError):
            pass

    def end(self, session, is_reset=False):
        self.epoll.unregister(session.sock.fileno())
        del self.by_fd[session.sock.fileno()]
        session.service.sessions.discard(session)
        if is_reset:
            session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        session.sock.close()

    def obey(self, session, order):
        """Does what "!..." asks for. Returns False when the session has ended."""
        head, _, rest = order.partition(b";")
        word, _, number = head.strip().partition(b" ")
        if word == b"!rst":
            self.end(session, is_reset=True)
            return False
        if word == b"!fin":
            session.sock.shutdown(socket.SHUT_WR)
        elif word == b"!down":
            session.owed, session.offset = int(number), 0
        elif word == b"!sink":
            session.sink = int(number)
            self.take(session, rest)
        elif word.startswith(b"!deaf"):
            session.is_deaf = True
        else:
            raise AssertionError("no such order: %r" % order)
        return True

    @staticmethod
    def take(session, data):
        session.sink -= len(data)
        if not session.sink:
            session.out += b"taken"

    def read(self, session):
        try:
            data = session.sock.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            self.end(session)
            return False
        if not data:
            self.end(session)
            return False
        session.service.got += len(data)
        if session.sink:
            self.take(session, data)
        elif data[:1] == b"!":
            return self.obey(session, data)
        else:
            session.out += data
        return True

    def write(self, session):
        if session.owed and len(session.out) < 65536:
            size = min(session.owed, 65536)
            session.out += flow(session.offset, size)
            session.offset += size
            session.owed -= size
        if not session.out:
            return True
        try:
            sent = session.sock.send(session.out)
        except BlockingIOError:
            return True
        except OSError:
            self.end(session)
            return False
        session.out = session.out[sent:]
        session.service.sent += sent
        return True

    def serve(self, session, events):
        if events & (select.EPOLLERR | select.EPOLLHUP) and session.is_deaf:
            self.end(session)
            return
        if events & ~select.EPOLLOUT and not self.read(session):
            return
        if not self.write(session):
            return
        mask = ((0 if session.is_deaf else select.EPOLLIN)
                | (select.EPOLLOUT if session.out or session.owed else 0))
        if mask != session.mask:
            session.mask = mask
            self.epoll.modify(session.sock.fileno(), mask)

    def order(self, line):
        """Does what the soak asks for, and answers with what each service has seen."""
        if line["do"] == "away":
            self.go_away(self.services[line["name"]])
        elif line["do"] == "back":
            self.begin(self.services[line["name"]])
        elif line["do"] == "reset":
            for session in list(self.services[line["name"]].sessions):
                self.end(session, is_reset=True)
        return {name: {"open": len(s.sessions), "got": s.got, "sent": s.sent}
                for name, s in self.services.items()}

    def run(self, control):
        self.epoll.register(control.fileno(), select.EPOLLIN)
        lines = control.makefile("rw")
        while True:
            for fd, events in self.epoll.poll():
                if fd == control.fileno():
                    line = lines.readline()
                    if not line:
                        return
                    lines.write(json.dumps(self.order(json.loads(line))) + "\n")
                    lines.flush()
                    continue
                found = self.by_fd.get(fd)
                if isinstance(found, Service):
                    self.accept(found)
                elif found:
                    self.serve(found, events)
