# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the READMEs, each driven by the page that it is for."""

import functools
import http.server
import os
import re
import shutil
import ssl
import threading

import harness
from harness import case, equal, wait_until
from pages import HERE, Server
from services import start_service, wait_for_port

NOVNC = "/usr/share/novnc"
ROOT = os.path.dirname(os.path.dirname(HERE))


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(t, directory):
    """Serves the files of a directory over https. Returns the origin."""
    server = Server(("127.0.0.1", 0), functools.partial(Files, directory=directory))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*t.certificate())
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    t.cleanup(lambda: (server.shutdown(), server.server_close(), thread.join()))
    return "https://127.0.0.1:%d" % server.server_port


def example(path, route):
    """Returns the first example in the file that has this route."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        blocks = re.findall(r"^```ini\n(.*?)^```", file.read(), re.M | re.S)
    return next(block for block in blocks if "[route %s]" % route in block)


def fitted(t, text, **values):
    """Returns the example with the values of this machine for some of its keys."""
    certificate, key = t.certificate()
    values = {"address": "127.0.0.1:0", "tls_certificate": certificate, "tls_key": key, **values}
    for name, value in values.items():
        text, count = re.subn(r"^%s = [^;\n]*" % name, "%s = %s " % (name, value), text, flags=re.M)
        assert count > 0, "the example has no key " + name
    return text


def vnc(t):
    """Starts a VNC server without a password. Returns its port."""
    port = harness.free_port()
    display = 100 + port % 10000
    process = start_service(t, ["Xtigervnc", ":%d" % display, "-rfbport", str(port), "-localhost",
                                "-SecurityTypes", "None", "-geometry", "640x400", "-depth", "24",
                                "-nolisten", "unix"], "vnc.log")
    wait_for_port(t, port, process, "vnc.log")
    return port


@case(timeout=120)
def novnc(t):
    """noVNC as Debian ships it, with its own settings, against the example of the README."""
    assert shutil.which("Xtigervnc") and os.path.isdir(NOVNC), "apt-get install novnc tigervnc"
    origin = serve(t, NOVNC)
    text = example("README.md", "desk").split("[route cache]")[0]
    p = t.start(fitted(t, text, origins=origin, allow="127.0.0.0/8",
                       backend="tcp://127.0.0.1:%d" % vnc(t)))
    path = re.search(r"^path = /(\S+)", text, re.M).group(1)
    t.browser.go("%s/vnc.html?autoconnect=1&host=127.0.0.1&port=%d&path=%s"
                 % (origin, p.ports["public"][1], path))
    # The screen has its size, and something was painted in its middle.
    look = """const canvas = document.querySelector('canvas');
        if (!canvas) return null;
        const middle = canvas.getContext('2d').getImageData(320, 200, 1, 1).data;
        return [canvas.width, canvas.height, middle[3]];"""
    wait_until(lambda: t.browser.run(look) == [640, 400, 255], "a screen of 640 x 400", 30)
    t.browser.run("document.getElementById('noVNC_disconnect_button').click()")
    line = p.one_end("client_close")
    equal(line["route"], "desk", "the route")
    assert int(line["down_bytes"]) > 100, line
