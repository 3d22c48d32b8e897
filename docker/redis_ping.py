# SPDX-License-Identifier: GPL-3.0-or-later
"""One PING to Redis over wss://, with the standard library only: redis_ping.py PORT CA_FILE."""
import base64
import os
import socket
import ssl
import struct
import sys
import time


def connect(port, seconds):
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 10)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def masked(opcode, payload):
    key = os.urandom(4)
    body = bytes(b ^ key[i % 4] for i, b in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + key + body


def main():
    port, ca_file = int(sys.argv[1]), sys.argv[2]
    context = ssl.create_default_context(cafile=ca_file)
    with context.wrap_socket(connect(port, 30), server_hostname="localhost") as s:
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            "GET /redis HTTP/1.1",
            f"Host: localhost:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"Origin: https://localhost:{port}",
            "Sec-WebSocket-Protocol: binary",
        ]
        s.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        stream = s.makefile("rb")
        status = stream.readline()
        while stream.readline() != b"\r\n":
            pass
        s.sendall(masked(2, b"PING\r\n"))
        frame = stream.read(2)
        answer = stream.read(frame[1])
        s.sendall(masked(8, struct.pack(">H", 1000)))
        closing = stream.read(4)
    print(status.decode().strip(), answer)
    return 0 if b"101" in status and answer == b"+PONG\r\n" and closing[:1] == b"\x88" else 1


sys.exit(main())
