# SPDX-License-Identifier: GPL-3.0-or-later
"""Real services chosen by token: two redis-servers, with a client of others."""

import socket

from harness import case, equal
from services import redis, run_node_client
from sessions import end_after_close


def two_servers(t):
    """Two redis-servers that each say which one they are; returns the path of the target file."""
    lines = ""
    for name in ("one", "two"):
        port = redis(t)
        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            sock.sendall(b"SET who %s\r\n" % name.encode())
            equal(sock.recv(5), b"+OK\r\n", "the answer of redis")
        lines += "%s: 127.0.0.1:%d\n" % (name, port)
    return t.write("targets", lines)


@case()
def redis_by_token(t):
    path = two_servers(t)
    keys = "target_allow = 127.0.0.0/8\ntargets = %s\ntarget_from = " % path
    p = t.gateway(query=keys + "query:token", path="path = /path/*\n" + keys + "path",
                  offers=keys + "subprotocol")
    for name in ("one", "two"):
        for path in ("/query?token=" + name, "/path/" + name):
            c = p.client().open(path)
            c.binary(b"GET who\r\n")
            equal(c.recv_bytes(9), b"$3\r\n%s\r\n" % name.encode(), "who answers")
            c.binary(b"QUIT\r\n")
            c.recv_close(1000)
            end_after_close(c)
    run_node_client(p, "target_client.js")
