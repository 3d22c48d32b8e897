# SPDX-License-Identifier: GPL-3.0-or-later
"""Many desktops behind one route. The desktops are Redis servers here: what a token chooses is one
of them, whatever it speaks."""

import examples
from harness import case, equal
from services import redis
from sessions import end_after_close
from wsclient import BINARY


def page(t, p, query):
    return p.client("public", context=t.context).open("/websockify" + query)


@case()
def by_token(t):
    """Each token leads to its own desktop, an unknown one and none to 1008, and the log has none of
    them. Beyond target_allow nothing is reached, whatever the file says."""
    ports = {"alice": redis(t, "alice"), "bob": redis(t, "bob")}
    text = "".join("%s: 127.0.0.1:%d\n" % item for item in ports.items())
    p = examples.start(t, "desktops.ini", targets=t.write("targets", text + "eve: 127.8.0.1:22\n"),
                       target_allow="127.0.0.1", root=t.dir)
    for token, port in ports.items():
        c = page(t, p, "?token=" + token)
        c.binary(b"CONFIG GET port\r\n")
        want = b"*2\r\n$4\r\nport\r\n$%d\r\n%d\r\n" % (len(str(port)), port)
        equal(c.recv_message(), (BINARY, want), "the desktop of " + token)
        c.end_cleanly()
    for query in ("?token=mallory", "", "?token=eve"):
        c = page(t, p, query)
        c.recv_close(1008)
        end_after_close(c, 1008)
    lines = p.log.wait("session.end", 5)
    equal(sorted(line["ending"] for line in lines), ["client_close"] * 2 + ["target"] * 3,
          "endings")
    for token in (*ports, "mallory"):
        assert token not in p.log.text(), "the log has a token"
