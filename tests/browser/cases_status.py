# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page of [admin]: what it shows, how it looks, and sessions that end from it."""

import os
import random
import struct
import threading
import time

from backends import Service
from harness import case, equal, free_port, wait_until
from layout import LAYOUT, LOOKS, SHAPES
from provider import auth, bearer, digest, write_secret
from wsclient import Client, Ended, Wire

TOKEN = "a-token-for-the-status-page"
ECHO = "origins = *\nbackend = echo:"
HOSTILE = "<img src=x onerror=document.title=1>"
TEXTS = """return Array.from(document.querySelectorAll(args[0]), node => node.textContent);"""


class Status:
    """The status page, open in the browser."""

    def __init__(self, t, keys="", address="127.0.0.1:0", **config):
        self.t, self.browser = t, t.browser
        config.setdefault("server", "workers = 2")
        config.setdefault("echo", ECHO)
        self.text = t.config(**config) + "[admin]\naddress = %s\n%s" % (address, keys)
        self.program = t.start(self.text)
        self.open()

    def open(self):
        self.browser.go("http://127.0.0.1:%d/" % self.program.ports["admin"][1])

    def texts(self, selector):
        return self.browser.run(TEXTS, selector)

    def wait(self, selector, condition, what):
        return wait_until(lambda: condition(got) and got if (got := self.texts(selector)) else
                          condition(got) and [True], what, 30)

    def rows(self):
        return self.browser.run("return Array.from(document.querySelectorAll('#rows tr'), row =>"
                                " Array.from(row.children, cell => cell.innerText));")

    def ids(self):
        return self.browser.run("return Array.from(document.querySelectorAll('#rows tr'),"
                                " row => row.dataset.key);")

    def wait_rows(self, count):
        wait_until(lambda: len(self.ids()) == count, "%d rows" % count, 30)

    def clients(self, count, path="/echo"):
        """One after the other: many that say nothing yet would put each other out."""
        return [self.program.client("plain").open(path) for _ in range(count)]

    def wants_quiet_console(self):
        equal(self.browser.console(), [], "the console")


def refuse(p, count, path="/nowhere"):
    for _ in range(count):
        c = p.client("plain")
        c.open(path)
        c.recv_close(1008)
        c.wire.reset()


def stall(c):
    """Sends until the program reads no more."""
    c.wire.send(b"\x82\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0")
    c.wire.sock.setblocking(False)
    quiet = 0
    while quiet < 30:
        try:
            c.wire.sock.send(b"x" * 65536)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.01)


@case()
def shows(t):
    """Refusals by word, who is paused and why, the sessions; and that it loads nothing else."""
    backend = t.backend()
    page = Status(t, slow="origins = *\nbackend = " + backend.url)
    browser = page.browser
    equal(browser.run("return document.title"), "sluice status", "the title")
    wait_until(lambda: browser.text("ready") == "takes sessions", "an answer", 30)
    equal(page.texts("#refused li, #paused li, #rows tr"), [], "nothing yet")
    refuse(page.program, 3)
    stalled = page.clients(1, "/slow")[0]
    backend.accept()
    stall(stalled)
    page.clients(2)
    wait_until(lambda: any("no_route" in text and "3 in all" in text
                           for text in page.texts("#refused li")), "the refusals", 30)
    wait_until(lambda: any("slow" in text and "the backend takes too little" in text
                           for text in page.texts("#paused li")), "who is paused", 30)
    page.wait_rows(3)
    facts = browser.text("facts")
    assert "3 of 2000 sessions" in facts and "2 of 2 workers" in facts, facts
    equal(len(page.texts("#workers tr")), 2, "workers")
    equal(sorted(page.texts("#listens tr td:first-child")), ["admin", "plain", "tls"], "listeners")
    assert any("up " + backend.url in text for text in page.texts("#routes tr")), "the backend"
    assert "in force since" in browser.text("reload"), browser.text("reload")
    labels = browser.run("return Array.from(document.querySelectorAll('canvas'),"
                         " plot => plot.getAttribute('aria-label'));")
    equal(len(labels), 6, "plots")
    assert labels[0].startswith("Sessions: open 3,"), labels
    assert "no_route" in labels[4], labels
    equal(browser.run("return performance.getEntriesByType('resource').map(e => e.name).filter("
                      "n => !n.startsWith('data:') && !n.startsWith(location.origin))"),
          [], "what else the page loaded")
    page.wants_quiet_console()


@case()
def backends(t):
    """How each backend is: one is up, one is full, one is down, with the reason, and is back."""
    up, full, down = [Service(t, name, is_up=name != "d") for name in "ufd"]
    page = Status(t, desks="origins = *\nbalance = round_robin\neject_pause = 10ms\n"
                  "eject_pause_max = 10ms\nbackend = %s weight=2, %s max_sessions=1, %s, "
                  "unix:/tmp/%s backup" % (up.url, full.url, down.url, HOSTILE))

    def rows():
        return {row[0]: row[1:] for row in page.browser.run(
            "return Array.from(document.querySelectorAll('#backends tr'), row =>"
            " Array.from(row.children, cell => cell.textContent));")}

    wait_until(lambda: len(rows()) == 4, "four backends", 30)
    equal([row[1] for row in rows().values()], ["● up"] * 4, "at first")
    equal(rows()["unix:/tmp/" + HOSTILE][4], "1 · backup", "a backup's weight")
    clients = page.clients(4, "/desks")
    wait_until(lambda: rows()[full.url][1] == "● full" and rows()[down.url][1] == "○ down",
               "their states", 30)
    got = rows()
    equal([got[up.url][i] for i in (0, 3, 4)], ["desks", "3", "2"], "the one that is up")
    equal(got[full.url][3], "1 of 1", "the one that is full")
    equal(got[down.url][5], "connection refused", "the one that is down")
    equal(page.browser.text("backends-sum"), "1 of 4 down", "the sum")
    down.start()
    wait_until(lambda: page.clients(1, "/desks") and rows()[down.url][1] == "◐ starting",
               "the one that is back", 30)
    equal(page.browser.text("backends-sum"), "4", "the sum")
    equal(len(clients), 4, "sessions")
    equal(page.browser.run("return document.images.length"), 0, "what the markup made")
    page.wants_quiet_console()


@case()
def text_alone(t):
    """Names that are markup are shown as text."""
    page = Status(t, x="origins = *\nbackend = unix:/tmp/" + HOSTILE)
    c = page.program.client("plain")
    c.open("/x")
    c.recv_close(1011)
    page.wait("#routes tr", lambda rows: any(HOSTILE in row for row in rows), "the route")
    wait_until(lambda: any("backend_refused" in text for text in page.texts("#refused li")),
               "the ending", 30)
    equal(page.browser.run("return [document.title, document.images.length]"),
          ["sluice status", 0], "what the markup made")
    page.wants_quiet_console()


@case()
def finds_and_sorts(t):
    """Filters and order, by mouse and by keyboard; what has focus keeps it."""
    page = Status(t, other=ECHO)
    browser = page.browser
    clients = page.clients(5) + page.clients(3, "/other")
    clients[2].binary(b"x" * 5000)
    clients[2].recv_message()
    page.wait_rows(8)
    browser.run("document.getElementById('route').value = 'other';"
                "document.getElementById('route').dispatchEvent(new Event('input'))")
    page.wait_rows(3)
    assert all("other" in row[1] for row in page.rows()), page.rows()
    browser.run("document.getElementById('route').value = '';"
                "document.getElementById('route').dispatchEvent(new Event('input'))")
    page.wait_rows(8)
    port = clients[2].wire.sock.getsockname()[1]
    browser.fill("find", ":%d" % port)
    page.wait_rows(1)
    wait_until(lambda: "4.9 KiB" in page.rows()[0][5], "what it has sent", 30)
    browser.fill("find", "nobody")
    page.wait_rows(0)
    equal(browser.run("return document.getElementById('no-rows').hidden"), False, "says so")
    browser.fill("find", "")
    browser.run("const all = document.getElementById('find'); all.value = '';"
                "all.dispatchEvent(new Event('input'))")
    page.wait_rows(8)
    heads = "const h = document.querySelectorAll('#heads button')[5]; h.focus(); h.click();"
    browser.run(heads)
    assert ":%d" % port in page.rows()[0][0], "the one that sent most comes first"
    equal(browser.run("return document.querySelectorAll('#heads th')[5].getAttribute('aria-sort')"),
          "descending", "the order")
    browser.run(heads)
    assert ":%d" % port in page.rows()[-1][0], "and last"
    button = page.ids()[0]
    browser.run("document.querySelector('#rows tr[data-key=\"%s\"] button').focus()" % button)
    time.sleep(4.5)  # two looks
    equal(browser.run("return document.activeElement.closest('tr').dataset.key"), button, "focus")
    page.wants_quiet_console()


@case()
def many(t):
    """More sessions than one page of the list has: all are counted, some shown, more on demand."""
    page = Status(t)
    page.clients(1200)
    wait_until(lambda: page.browser.text("count") == "1200", "all of them", 60)
    equal(len(page.ids()), 100, "rows at first")
    page.browser.click("more")
    equal(len(page.ids()), 200, "and more")


@case()
def ends(t):
    """A session ends after a question; the token is asked for once and kept nowhere."""
    token = t.write("token", TOKEN)
    os.chmod(token, 0o600)
    page = Status(t, "token_file = %s\n" % token)
    browser = page.browser
    first, second, third = page.clients(3)
    page.wait_rows(3)
    by_port = {row[0].split("\n")[0].rpartition(":")[2]: row[0].split("\n")[1]
               for row in page.rows()}

    def id_of(c):
        return by_port[str(c.wire.sock.getsockname()[1])]

    def press(c):
        browser.run("document.querySelector('#rows tr[data-key=\"%s\"] button').click()" % id_of(c))
        assert id_of(c) in browser.text("ask-who"), browser.text("ask-who")

    press(first)
    browser.click("ask-no")
    press(first)
    browser.click("ask-yes")
    wait_until(lambda: "wants its token" in browser.text("ask-fault"), "the question", 30)
    browser.fill("token", "wrong-token-0123456")
    browser.click("ask-yes")
    wait_until(lambda: "not the token" in browser.text("ask-fault"), "a refusal", 30)
    first.text(b"x")
    first.recv_message()
    browser.fill("token", TOKEN)
    browser.click("ask-yes")
    equal(first.recv_close(1008)[0], "ended by the operator", "the reason")
    first.close(1008)
    first.wire.finish()
    page.wait_rows(2)
    press(second)
    equal(browser.run("return document.getElementById('token').value"), "", "the field")
    browser.fill("token", TOKEN)
    browser.click("ask-yes")
    second.recv_close(1008)
    second.close(1008)
    second.wire.finish()
    page.wait_rows(1)
    third.text(b"x")
    third.recv_message()
    equal(browser.run("return [localStorage.length, sessionStorage.length, document.cookie]"),
          [0, 0, ""], "what is kept")
    page.program.log.wait("session.kick", 2)
    page.open()  # a new page knows nothing of it
    page.wait_rows(1)
    press(third)
    browser.click("ask-yes")
    wait_until(lambda: "wants its token" in browser.text("ask-fault"), "the question", 30)
    assert all("401" in text for _, text in browser.console()), "the console"


# Each has two sessions; the first two look the same where the list cuts them.
NAMES = [HOSTILE + " of the late shift, and a long name one", HOSTILE +
         " of the late shift, and a long name two", "bob"]


def with_identities(t, keys=""):
    """Returns the page, and two sessions of each of NAMES by its name."""
    box = auth("box", "type = tokens", "file = " + write_secret(t, "people", "".join(
        "%s:%s\n" % (name, digest(digest(name))) for name in NAMES)))
    page = Status(t, keys + box, known=ECHO + "\nauth = box\nauth_from = bearer")
    held = {name: [page.program.client("plain").open("/known", **bearer(digest(name)))
                   for _ in range(2)] for name in NAMES}
    page.wait_rows(6)
    return page, held


def press_row(page, c):
    """Opens the question for the row of this client."""
    page.browser.run("""
        Array.from(document.querySelectorAll('#rows tr')).find(row => row.children[0].innerText
            .split('\\n')[0].endsWith(':%d')).querySelector('button').click()"""
                     % c.wire.sock.getsockname()[1])


@case()
def ends_all_of_one(t):
    """All sessions of one identity end after a second question, by a token that is asked for once;
    not those of another one that looks the same, and nobody's who has no identity."""
    page, held = with_identities(t, "token_file = %s\n" % write_secret(t, "token", TOKEN + "\n"))
    browser = page.browser
    stranger = page.clients(1)[0]
    page.wait_rows(7)
    press_row(page, stranger)
    equal(browser.run("return document.getElementById('ask-all').hidden"), True, "of whom?")
    browser.click("ask-no")
    press_row(page, held[NAMES[0]][0])
    assert "late shift" not in browser.text("ask-all"), "the name is cut"
    texts = [browser.text(name) for name in ("ask-all", "ask-who")]
    assert all(HOSTILE in text for text in texts), texts
    browser.click("ask-all")
    assert HOSTILE in browser.text("ask-title") and "has 2 of" in browser.text("ask-who")
    equal(browser.run("return document.activeElement.id"), "ask-no", "what Enter would press")
    browser.click("ask-no")
    press_row(page, held[NAMES[0]][1])  # the first question again
    assert "this session" in browser.text("ask-title") and "End s" in browser.text("ask-yes")
    browser.click("ask-all")
    browser.click("ask-yes")
    wait_until(lambda: "wants its token" in browser.text("ask-fault"), "the question", 30)
    browser.fill("token", TOKEN)
    browser.click("ask-yes")
    for c in held[NAMES[0]]:
        equal(c.recv_close(1008)[0], "ended by the operator", "the reason")
        c.close(1008)
        c.wire.finish()
    page.wait_rows(5)
    equal(browser.run("return document.getElementById('ask').open"), False, "the question")
    for c in [stranger, *held[NAMES[1]], *held["bob"]]:
        c.text(b"x")
        c.recv_message()
    equal(page.program.log.wait("session.kick")[0]["sessions"], "2", "sessions")
    press_row(page, held["bob"][0])
    browser.click("ask-all")
    for c in held["bob"]:  # they go while somebody thinks
        c.close(1000)
        c.recv_close(1000, has_reason=False)
        c.wire.finish()
    page.program.log.wait("session.end", 2, ending="client_close")
    browser.fill("token", TOKEN)
    browser.click("ask-yes")
    wait_until(lambda: "nobody has" in browser.text("ask-fault"), "the news", 30)
    equal(browser.run("return document.title"), "sluice status", "what markup made")


@case(rows=LOOKS)
def fits_for_all(t, shape, scheme):
    """Both questions about a session with an identity fit, too."""
    width, height, is_phone = SHAPES[shape]
    t.browser.show_as(width, height, scheme, is_phone)
    page, held = with_identities(t)
    equal(page.browser.run(LAYOUT)["problems"], [], "what is wrong with the page")
    press_row(page, held[NAMES[0]][0])
    equal(page.browser.run(LAYOUT)["problems"], [], "what is wrong with the first question")
    page.browser.click("ask-all")
    equal(page.browser.run(LAYOUT)["problems"], [], "what is wrong with the second question")
    page.wants_quiet_console()


@case()
def nobody_may(t):
    """Without a token_file the page says why it can end nothing."""
    page = Status(t)
    page.clients(1)
    page.wait_rows(1)
    page.browser.run("document.querySelector('#rows button').click()")
    page.browser.click("ask-yes")
    wait_until(lambda: "no token_file" in page.browser.text("ask-fault"), "the reason", 30)


@case()
def comes_back(t):
    """The page says that sluice is gone, and goes on by itself when it is back."""
    page = Status(t, address="127.0.0.1:%d" % free_port())
    wait_until(lambda: page.browser.text("ready") == "takes sessions", "an answer", 30)
    page.program.stop()
    wait_until(lambda: "has not answered since" in page.browser.text("trouble"), "the news", 60)
    page.program = t.start(page.text)
    wait_until(lambda: page.browser.text("trouble") == "", "the return", 90)
    equal(page.browser.text("ready"), "takes sessions", "the state")


# How it looks

class Scene:
    """Something to look at: routes with traffic, refusals, a paused session."""

    def __init__(self, t):
        self.backends = {name: t.backend() for name in ("vnc", "shell", "telemetry")}
        down = t.closed_port()
        routes = {name: "origins = *\nbackend = " + b.url for name, b in self.backends.items()}
        routes["vnc"] += ", " + down
        routes["billing"] = "origins = *\nbackend = " + down
        routes["closed"] = "origins = https://app.example.com\nbackend = echo:"
        self.page = Status(t, defaults="write_timeout = 10m\nidle_timeout = 0", **routes)
        self.is_over = False
        p = self.page.program
        for path, reason in (("/nowhere", 1008), ("/closed", 1008), ("/billing", 1011)):
            for _ in range(random.randrange(2, 5)):
                c = p.client("plain")
                c.open(path, origin="https://evil.example")
                c.recv_close(reason)
                c.wire.reset()
        self.held = []
        for name, count in (("vnc", 9), ("shell", 14), ("telemetry", 2)):
            for _ in range(count):
                c = p.client("tls" if name == "vnc" else "plain").open("/" + name)
                self.held.append((name, c, self.backends[name].accept()))
        for name, c, _ in self.held:
            if name == "telemetry":
                stall(c)
        self.thread = threading.Thread(target=self.play, daemon=True)
        self.thread.start()
        t.cleanup(self.end)

    def play(self):
        """Screens that change, keys that are typed, pages that come and go."""
        try:
            while not self.is_over:
                for name, c, peer in self.held:
                    if name == "vnc":
                        peer.send(os.urandom(random.randrange(1000, 60000)))
                        c.recv_message()
                    elif name == "shell":
                        c.binary(b"ls\r")
                        peer.expect(b"ls\r")
                if random.randrange(8) == 0:
                    refuse(self.page.program, 1, random.choice(["/nowhere", "/old-app"]))
                for _ in range(random.randrange(3)):
                    c = Client(Wire(self.page.program.ports["plain"], timeout=20)).open("/shell")
                    peer = self.backends["shell"].accept()
                    c.close(1000)
                    c.wire.finish()
                    peer.fin()
                time.sleep(0.2)
        except (OSError, Ended, AssertionError):
            assert self.is_over

    def end(self):
        self.is_over = True
        self.thread.join(20)


def wait_full(page):
    wait_until(lambda: len(page.ids()) > 20 and page.texts("#paused li") and
               len(page.texts("#refused li")) >= 3, "a full page", 60)


@case(rows=LOOKS, timeout=120)
def fits(t, shape, scheme):
    """Nothing sticks out, every text has contrast, every control is large enough."""
    width, height, is_phone = SHAPES[shape]
    t.browser.show_as(width, height, scheme, is_phone)
    page = Scene(t).page
    wait_full(page)
    found = page.browser.run(LAYOUT)
    assert found["count"] > 150, "the page has only %d texts" % found["count"]
    equal(found["problems"], [], "what is wrong with the page")
    page.browser.run("document.querySelector('#rows button').click()")
    equal(page.browser.run(LAYOUT)["problems"], [], "what is wrong with the question")
    page.wants_quiet_console()


def take_pictures(t, directory):
    """Saves the page for desktop and phone, light and dark."""
    scene = Scene(t)
    for name, shape, scheme in LOOKS:
        width, height, is_phone = SHAPES[shape]
        t.browser.show_as(width, height, scheme, is_phone)
        scene.page.open()
        wait_full(scene.page)
        time.sleep(40 if name == LOOKS[0][0] else 8)
        t.browser.screenshot(os.path.join(directory, "status_%s.png" % name))
        whole = t.browser.run("return document.documentElement.scrollHeight")
        t.browser.show_as(width, min(whole, 4000), scheme, is_phone)
        time.sleep(0.5)
        t.browser.screenshot(os.path.join(directory, "status_%s_whole.png" % name))
