# SPDX-License-Identifier: GPL-3.0-or-later
"""The kit for pages, proxy/page/sluice.js, in a real browser against a real gateway."""

import os
import re
import signal

from cases_examples import NOVNC, serve
from desktop import Desktop
from harness import case, equal, wait_until
from pages import ECHO, HERE, Page, url_of
from provider import auth, digest, write_secret
from reloads import reload
from services import ROOT

MIB = 1 << 20
TOKEN = "Tr0ub4dor-and-3-sesame"
# The size of noVNC's screen, and whether something was painted in its middle.
SCREEN = """
const canvas = document.querySelector('canvas');
if (!canvas) return null;
const middle = canvas.getContext('2d').getImageData(320, 200, 1, 1).data;
return [canvas.width, canvas.height, middle[3]];"""
QUICK = {"backoff": {"firstMs": 100, "spreadMs": 300, "stableMs": 200}}


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def kit_page(t, **answers):
    """A page of a site of its own that has the kit."""
    script = {"Content-Type": "text/javascript; charset=utf-8"}
    site = t.site(answers={
        "/sluice.js": lambda: (read(ROOT, "proxy", "page", "sluice.js"), script),
        "/kit": lambda: (read(HERE, "kit.html"), {}),
        **{"/" + name: lambda body=body: (body.encode(), {}) for name, body in answers.items()}})
    page = Page(t.browser, site, "/kit")
    wait_until(lambda: page.browser.run("return 'tests' in window;"), "the page's module", 30)
    return page


def start(t, keys=ECHO, more="", **config):
    p = t.start(t.config(defaults="origins = *", r=keys, **config) + more)
    return p, kit_page(t), url_of(p)


@case(timeout=90)
def pipes_20_mib(t):
    """Every byte comes back, and no more waits in the browser than one write beyond the mark."""
    p, page, url = start(t)
    got = page.call("pipe", url, {"maxUnsent": MIB}, 20 * MIB, 256 * 1024)
    equal(got["came"], got["sent"], "SHA-256 of what came back")
    equal((got["writes"], got["code"], got["wasClean"], got["done"]), (80, 1000, True, True),
          "writes, and how it ended")
    assert got["highest"] <= MIB + 256 * 1024 + 1024, "bufferedAmount: %(highest)d" % got
    p.one_end("client_close", up_bytes=20 * MIB, down_bytes=20 * MIB)


@case()
def waits_for_a_slow_service(t):
    """While the service reads nothing, writes wait in the page, not in the browser."""
    backend = t.backend(receive_buffer=8192)
    p, page, url = start(t, "write_timeout = 10m\nbackend = " + backend.url)
    number = page.call("press", url, {"maxUnsent": MIB}, MIB // 4, 200)
    peer = backend.accept()
    wait_until(lambda: page.call("pressed", number)["highest"] > MIB, "a browser that is full", 30)
    last = page.call("pressed", number)
    assert last["done"] < 200, last
    assert last["highest"] <= MIB + MIB // 4 + 4096, last
    peer.recv(50 * MIB)
    wait_until(lambda: page.call("pressed", number)["done"] == 200, "all writes", 40)
    equal(page.call("pressed", number)["error"], "", "an error")
    highest = page.call("pressed", number)["highest"]
    assert highest <= MIB + MIB // 4 + 4096, highest


@case()
def comes_back_after_a_worker_died(t):
    p, page, url = start(t)
    p.may_lose_workers = True
    line = page.call("connections", url, QUICK)
    page.call("opened", line, 1)
    equal(page.call("ask", line, "one"), "one", "the echo")
    os.kill(p.workers()[0], signal.SIGKILL)
    page.call("opened", line, 2)
    equal(page.call("ask", line, "two"), "two", "the echo")
    ends = page.call("ended", line, 1)
    equal((ends[0]["code"], ends[0]["again"], ends[0]["reason"]), (1006, "later", ""), "the end")
    assert 0 <= ends[0]["waitMs"] <= 100, ends
    page.call("close", line)
    equal(page.call("isOver", line), "ended", "the state")
    assert page.call("ended", line, len(ends) + 1)[-1]["code"] == 1000


@case()
def comes_back_after_a_drain(t):
    """1012: at once, but spread; the first try gets through."""
    server = "reload = drain\ndrain_timeout = 1s"
    p, page, url = start(t, server=server)
    line = page.call("connections", url, QUICK)
    page.call("opened", line, 1)
    equal(page.call("ask", line, "one"), "one", "the echo")
    text = t.config(server=server, defaults="origins = *", r=ECHO + "\nmax_message = 1m")
    reload(p, re.sub(r"(\[listen tls\]\naddress = )127.0.0.1:0",
                     r"\g<1>127.0.0.1:%d" % p.ports["tls"][1], text))
    page.call("opened", line, 2)
    equal(page.call("ask", line, "two"), "two", "the echo")
    ends = page.call("ended", line, 1)
    equal([(e["code"], e["reason"], e["again"]) for e in ends], [(1012, "restarting", "spread")],
          "the ends")
    assert 0 <= ends[0]["waitMs"] <= 300, ends
    equal(ends[0]["id"], p.log.wait("session.end", ending="drain")[0]["id"], "the session's id")


@case()
def a_refusal_is_the_end(t):
    """1008 once, and no other try."""
    p, page, url = start(t, "origins = https://good.example\nbackend = echo:")
    line = page.call("connections", url, QUICK)
    equal(page.call("isOver", line), "ended", "the state")
    end = page.call("ended", line, 1)[0]
    equal((end["code"], end["reason"], end["waitMs"], end["wasClean"]),
          (1008, "origin not allowed", None, True), "the end")
    equal(end["words"], "Pages of this site may not connect here. (1008, origin not allowed %s)"
          % end["id"], "the words")
    equal(p.one_end("origin")["id"], end["id"], "the id")


@case()
def first_message(t):
    """A token that holds, as a function that waits; and one that does not."""
    more = auth("box", "type = tokens", "file = " + write_secret(
        t, "tokens", "alice:" + digest(TOKEN) + "\n"))
    p, page, url = start(t, ECHO + "\nauth = box\nauth_from = first_message", more)
    line = page.call("connections", url, {**QUICK, "token": TOKEN})
    page.call("opened", line, 1)
    equal(page.call("ask", line, "in"), "in", "the echo")  # the token itself does not come back
    page.call("close", line)
    line = p.log.wait("session.end", ending="client_close")[0]
    equal((line["identity"], line["up_bytes"]), ("alice", "2"), "who it was")
    line = page.call("connections", url, {**QUICK, "token": "wrong"})
    equal(page.call("isOver", line), "ended", "the state")
    equal(page.call("ended", line, 1)[0]["words"].split(" (")[0],
          "The gateway does not know who you are. Log in again.", "the words")


@case()
def the_raw_socket(t):
    """What noVNC is given: a WebSocket as it is; the page hears of code and reason all the same."""
    backend = t.backend()
    p, page, url = start(t, "backend = " + backend.url)
    page.browser.run("window.raw = tests.raw(args[0], {protocols: []});", url)
    peer = backend.accept()
    peer.send(b"RFB 003.008\n")
    peer.fin()
    got = page.browser.run("const got = await window.raw; got.seen = await Promise.all("
                           "got.seen.map(d => d instanceof Blob ? d.text() : d)); return got;")
    equal((got["code"], got["reason"], got["told"], got["isNative"], "".join(got["seen"])),
          (1000, "backend closed", 1000, True, "RFB 003.008\n"), "what the page saw")
    equal(got["id"], p.one_end("backend_close")["id"], "the id")


def scripts(name, language="js"):
    with open(os.path.join(ROOT, "config", name), encoding="utf-8") as file:
        return re.findall(r"```%s\n(.*?)```" % language, file.read(), re.S)


EXAMPLES = {
    "kit": ("PAGE_KIT.md", "html", 0, '"/vnc"'),
    "login": ("PAGE_KIT.md", "js", 0, '"/desk"'),
    "codes": ("CLOSE_CODES.md", "js", 0, '"/vnc"'),
    "without": ("CLOSE_CODES.md", "js", 1, '"wss://gateway.example.com/vnc"'),
}


@case(rows=[(name, name) for name in EXAMPLES])
def example(t, name):
    """The examples of the documentation run: they get bytes, and tell of the end."""
    path, language, number, written = EXAMPLES[name]
    text = scripts(path, language)[number]
    text = re.sub(r"</?script[^>]*>", "", text)
    assert written in text, text
    backend = t.backend()
    p = t.gateway(defaults="origins = *", r="subprotocols = binary, x\nbackend = " + backend.url,
                  bare="backend = " + backend.url)
    page = kit_page(t, token=TOKEN)
    url = url_of(p, "/bare" if name == "login" else "/r")
    text = text.replace(written, '"%s"' % url)
    if name == "without":
        text += "\nconnect();"
    page.call("script", text, {})
    peer = backend.accept()
    peer.expect({"kit": b"hello", "login": TOKEN.encode()}.get(name, b""))
    peer.send(b"hello")
    equal(page.call("shown", 1), [["bytes"]], "what came")
    peer.fin()
    shown = page.call("shown", 2)
    assert "backend closed" in shown[1][0], shown
    p.one_end("backend_close")


@case(timeout=90)
def novnc(t):
    """noVNC paints a screen over the socket that the kit made; the page tells why it ended."""
    folder = t.path("novnc")
    os.mkdir(folder)
    for name in ("core", "vendor"):
        os.symlink(os.path.join(NOVNC, name), os.path.join(folder, name))
    os.symlink(os.path.join(ROOT, "proxy", "page", "sluice.js"), os.path.join(folder, "sluice.js"))
    backend = "tcp://127.0.0.1:%d" % Desktop(t).port
    p = t.gateway(defaults="origins = *",
                  websockify="subprotocols = binary\nbackend = " + backend)
    text = scripts("PAGE_KIT.md")[1]
    assert '"/websockify"' in text, text
    with open(os.path.join(folder, "index.html"), "w", encoding="utf-8") as file:
        file.write("<!doctype html><div id=screen></div><p id=said></p><script>function show(words)"
                   " { document.getElementById('said').textContent = words; }</script>"
                   "<script type=module>%s</script>"
                   % text.replace('"/websockify"', '"%s"' % url_of(p, "/websockify")))
    t.browser.go(serve(t, folder) + "/index.html")
    wait_until(lambda: t.browser.run(SCREEN) == [640, 400, 255], "a screen of 640 x 400", 30)
    p.send_signal(signal.SIGTERM)
    wait_until(lambda: t.browser.text("said") != "", "why it ended", 30)
    end = p.one_end("shutdown")
    equal(t.browser.text("said"), "The gateway is being stopped. (1001, shutting down %s)"
          % end["id"], "what the page says")
    equal(p.wait_exit(), 0, "exit code")
