# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the READMEs, each driven by the page that it is for."""

import functools
import http.server
import os
import re
import shutil
import ssl
import threading

import examples
from desktop import Desktop
from harness import case, equal, wait_until
from pages import HERE, Server

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


@case(timeout=120)
def novnc(t):
    """noVNC as Debian ships it, with its own settings, against the example of the README."""
    assert shutil.which("Xtigervnc") and os.path.isdir(NOVNC), "apt-get install novnc tigervnc"
    origin = serve(t, NOVNC)
    text = example("README.md", "desk").split("[route cache]")[0]
    p = t.start(fitted(t, text, origins=origin, allow="127.0.0.0/8",
                       backend="tcp://127.0.0.1:%d" % Desktop(t).port))
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


NOVNCS = [("debian", NOVNC), ("npm", os.path.join(examples.NODE_MODULES, "@novnc", "novnc"))]
COLOUR = 0x20c040
MIDDLE = """const canvas = document.querySelector('#screen canvas');
    return canvas && [canvas.width, canvas.height, ...canvas.getContext('2d').getImageData(
        canvas.width / 2, canvas.height / 2, 1, 1).data];"""
STATUS = "return document.getElementById('status').textContent;"


def put_page(t, folder):
    """Puts config/examples/novnc.html beside noVNC. Returns the folder."""
    site = t.path("site")
    for name in ("core", "vendor"):
        shutil.copytree(os.path.join(folder, name), os.path.join(site, name))
    shutil.copy(os.path.join(examples.FOLDER, "novnc.html"), site)
    return site


def shows(t, rgb):
    """Waits until the middle of the desktop has this colour."""
    want = [rgb >> 16, rgb >> 8 & 255, rgb & 255, 255]
    wait_until(lambda: (t.browser.run(MIDDLE) or [])[2:] == want, "the colour of the desktop", 30)


@case(timeout=120, rows=NOVNCS)
def novnc_page(t, folder):
    """The page of config/examples shows a desktop's pixels, the desktop hears a key, and people
    read why it ended: the desktop's end, a path that is none."""
    desktop = Desktop(t)
    desktop.paint(COLOUR)
    p = examples.start(t, "novnc.ini", root=put_page(t, folder),
                       backend="tcp://127.0.0.1:%d" % desktop.port)
    page = examples.url(p).replace("wss:", "https:") + "/novnc/novnc.html"
    t.browser.go(page)
    shows(t, COLOUR)
    equal(t.browser.run(STATUS), "Connected", "the status")
    t.browser.press("k")
    equal(desktop.next_key(), "k", "the key")
    desktop.process.terminate()
    wait_until(lambda: "1000" in t.browser.run(STATUS), "the end of the desktop")
    p.log.wait("session.end", ending="backend_close", route="vnc")
    t.browser.go(page + "?path=elsewhere")
    wait_until(lambda: "1008: " in t.browser.run(STATUS), "code and reason")
    assert t.browser.run(STATUS).startswith("You may not connect here."), t.browser.run(STATUS)
    p.log.wait("session.end", ending="no_route")


@case(timeout=120)
def desktops_by_token(t):
    """The same page twice: the token in its URL chooses the desktop that it shows."""
    colours = {"alice": 0xc02040, "bob": 0x2040c0}
    desktops = {name: Desktop(t, name) for name in colours}
    text = "".join("%s: 127.0.0.1:%d\n" % (name, one.port) for name, one in desktops.items())
    p = examples.start(t, "desktops.ini", root=put_page(t, NOVNC), target_allow="127.0.0.1",
                       targets=t.write("targets", text))
    for name, rgb in colours.items():
        desktops[name].paint(rgb)
        t.browser.go("%s/novnc/novnc.html?path=websockify%%3Ftoken=%s"
                     % (examples.url(p).replace("wss:", "https:"), name))
        shows(t, rgb)
        desktops[name].process.terminate()
        wait_until(lambda: "1000" in t.browser.run(STATUS), "the end of " + name)
    p.log.wait("session.end", 2, ending="backend_close")
