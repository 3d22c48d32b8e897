#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of an installed sluice: some stay, and new ones call all the time.

    callers.py PORT SESSIONS REPORT [CA]

Holds SESSIONS sessions of the route /echo, sends over each of them again and again, and meanwhile
opens further ones, each for one message. Writes to REPORT, as JSON, what came of it: when the
sessions are open, and again at SIGTERM, after a last message over each. With CA it speaks TLS.
"""
import json
import os
import signal
import socket
import ssl
import sys
import time

HOST = "127.0.0.1"
TIMEOUT = 20


class Session:
    def __init__(self, port, ca):
        self.sock = socket.create_connection((HOST, port), timeout=TIMEOUT)
        scheme = "http"
        if ca:
            scheme = "https"
            context = ssl.create_default_context(cafile=ca)
            self.sock = context.wrap_socket(self.sock, server_hostname=HOST)
        place = "%s:%d" % (HOST, port) if port != 443 else HOST
        self.sock.sendall(("GET /echo HTTP/1.1\r\nHost: %s\r\nOrigin: %s://%s\r\n"
                           "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                           % (place, scheme, place)).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(head.split(b"\r\n")[0].decode())

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise ConnectionError("the connection has ended")
            data += more
        return data

    def send(self, opcode, data):
        self.sock.sendall(bytes((0x80 | opcode, 0x80 | len(data), 0, 0, 0, 0)) + data)

    def echo(self, data):
        self.send(2, data)
        while True:
            first, length = self.take(2)
            payload = self.take(length)
            if first == 0x89:
                self.send(10, payload)
            elif first != 0x82 or payload != data:
                raise ConnectionError("unlike an echo: %02x %r" % (first, payload))
            else:
                return


def write(path, result):
    with open(path + ".new", "w") as report:
        json.dump(result, report)
    os.rename(path + ".new", path)


def main():
    port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ca = sys.argv[4] if len(sys.argv) > 4 else None
    result = {"held": 0, "lost": [], "calls": 0, "refused": []}
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    held = [Session(port, ca) for _ in range(count)]
    result["held"] = len(held)
    write(path, result)

    def echo_all(text):
        for session in list(held):
            try:
                session.echo(text)
            except (OSError, ValueError) as error:
                result["lost"].append(str(error))
                held.remove(session)

    while not ended:
        echo_all(b"still there")
        try:
            result["calls"] += 1
            caller = Session(port, ca)
            caller.echo(b"new")
            caller.sock.close()
        except (OSError, ValueError) as error:
            result["refused"].append(str(error))
        time.sleep(0.02)
    echo_all(b"and at the end")
    write(path, result)


main()
