# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo page of `sluice --demo`, through its own fields and buttons."""

import os
import random
import re
import signal
import socket

import harness
from harness import case, equal, wait_until
from layout import LAYOUT, LOOKS, SHAPES
from pages import without_id

GREETING = "gr\u00fc\u00dfe \u2713"
NO_REASON = "\u2013"  # what the page shows in its place


class Demo:
    """The demo page, open in the browser."""

    def __init__(self, t, host="127.0.0.1", program=None):
        self.browser = t.browser
        self.program = program or t.demo()
        self.port = self.program.ports["demo"][1]
        self.browser.go("https://%s:%d/" % (host, self.port))

    def field(self, name):
        return self.browser.text(name)

    def wait(self, name, value, timeout=20.0):
        """Waits until the field shows the text, or fits the pattern."""
        matches = value.fullmatch if hasattr(value, "fullmatch") else value.__eq__
        try:
            return wait_until(lambda: matches(self.field(name)), name, timeout)
        except Exception as error:
            raise AssertionError("%s shows %r, not %r" % (name, self.field(name), value)) from error

    def wait_log(self, pattern, timeout=20.0):
        """Waits until a line of the page's log fits."""
        return wait_until(lambda: re.search(pattern, self.field("log")),
                          "a line like %r in the page's log" % pattern, timeout)

    def connect(self, path, protocols=""):
        self.browser.fill("path", path)
        self.browser.fill("protocols", protocols)
        self.browser.click("connect")

    def opens(self, path, protocols=""):
        self.connect(path, protocols)
        self.wait("state", "1 OPEN")

    def closed_with(self, code, reason, was_clean="true"):
        self.wait("code", str(code))
        self.wait("state", "3 CLOSED")
        shown = self.field("reason")
        if reason != NO_REASON:
            shown = without_id(shown, reason)
        equal((shown, self.field("clean")), (reason, was_clean), "reason and wasClean")

    def wants_quiet_console(self):
        equal(self.browser.console(), [], "the console")


ROUTE_BUTTONS = """
return Array.from(document.querySelectorAll('#routes button'), button => (
    {text: button.textContent, is_pressed: button.getAttribute('aria-pressed')}));"""


@case()
def loads(t):
    """The page loads over https at localhost, the address that the program prints."""
    demo = Demo(t, "localhost")
    browser = demo.browser
    printed = demo.program.output.text()
    assert "https://localhost:%d/" % demo.port in printed, printed
    equal(browser.run("return document.title"), "sluice demo", "the title")
    equal(browser.run("return isSecureContext"), True, "a secure context")
    equal(demo.field("state"), "3 CLOSED", "the state")
    equal([browser.is_enabled(name) for name in
           ("connect", "close", "send-text", "send-binary", "flood")],
          [True, False, False, False, False], "which buttons can be pressed")
    equal(browser.run("return performance.getEntriesByType('resource')"
                      ".map(entry => entry.name).filter(name => !name.startsWith('data:'))"),
          ["https://localhost:%d/sluice.js" % demo.port],
          "what else the page loaded")
    equal([(button["text"], button["is_pressed"]) for button in browser.run(ROUTE_BUTTONS)],
          [("/echo", "true"), ("/echo-binary", "false"), ("/refused", "false"),
           ("/down", "false")], "the buttons for routes")
    browser.run("document.querySelectorAll('#routes button')[2].click()")
    equal(browser.run("return document.getElementById('path').value"), "/refused", "the route")
    assert "1008" in demo.field("hint"), demo.field("hint")
    demo.opens("/echo")  # this name is the same origin too
    demo.wants_quiet_console()


@case()
def echo(t):
    demo = Demo(t)
    browser = demo.browser
    browser.click("connect")  # the fields have their first values
    demo.wait("state", "1 OPEN")
    equal(demo.field("protocol"), "binary", "the protocol")
    equal([browser.is_enabled(name) for name in
           ("connect", "close", "send-text", "send-binary", "flood")],
          [False, True, True, True, True], "which buttons can be pressed")
    browser.fill("text", GREETING)
    browser.click("send-text")
    demo.wait_log("\u2190 text .*" + GREETING)
    browser.click("send-binary")
    demo.wait_log("\u2190 binary .*67 72 c3 bc c3 9f 65 20 e2 9c 93")
    size = len(GREETING.encode())
    demo.wait("sent", "%d B" % (2 * size))
    demo.wait("received", "%d B" % (2 * size))
    equal(demo.field("buffered"), "0 B", "bufferedAmount")
    equal(demo.field("code"), "\u2013", "the code")
    browser.click("close")
    demo.closed_with(1000, NO_REASON)
    demo.wants_quiet_console()
    browser.click("connect")  # the page connects again
    demo.wait("state", "1 OPEN")
    equal((demo.field("code"), demo.field("clean")), ("\u2013", "\u2013"), "code and wasClean")
    browser.click("close")
    demo.closed_with(1000, NO_REASON)
    demo.program.log.wait("session.end", 2, ending="client_close", code="1000", route="echo")


# Counts the pixels well above the floor of the plot that have the colour of the received bytes.
# (The other two lines may lie below this one.) It reads a copy: the page's own canvas stays as is.
DRAWN = """
const plot = document.getElementById('plot'), copy = document.createElement('canvas');
[copy.width, copy.height] = [plot.width, plot.height];
const pen = copy.getContext('2d', {willReadFrequently: true});
pen.drawImage(plot, 0, 0);
const data = pen.getImageData(0, 0, copy.width, Math.floor(copy.height * 0.7)).data;
const css = getComputedStyle(document.documentElement);
const colour = parseInt(css.getPropertyValue('--down').trim().slice(1), 16);
let count = 0;
for (let i = 0; i < data.length; i += 4) {
    count += data[i + 3] === 255 && (data[i] << 16 | data[i + 1] << 8 | data[i + 2]) === colour;
}
return count;"""


@case(timeout=90)
def flood(t):
    """64 MiB go there and back; the page compares every byte."""
    demo = Demo(t)
    demo.opens("/echo-binary", "binary")
    demo.browser.click("flood")
    demo.wait_log("all 64.0 MiB came back intact", 60)
    demo.wait("sent", "64.0 MiB")
    demo.wait("received", "64.0 MiB")
    demo.wait("buffered", "0 B")
    demo.browser.fill("text", "still here")
    demo.browser.click("send-binary")
    demo.wait_log("\u2190 binary 10 B")
    wait_until(lambda: demo.browser.run(DRAWN) > 10, "the plot of what was received")
    demo.wants_quiet_console()


@case()
def refused(t):
    """The page can read the reason of a refusal, also when it offered a subprotocol."""
    demo = Demo(t)
    demo.connect("/refused", "binary")
    demo.closed_with(1008, "origin not allowed")
    demo.wait_log("open, protocol binary")
    demo.wait_log("closed: 1008 .origin not allowed [0-9]+-[0-9]+.*, clean")
    words = demo.field("words")
    assert re.fullmatch(r"Pages of this site may not connect here. \(1008, .* [0-9]+-[0-9]+\)",
                        words), words
    demo.connect("/refused")
    demo.closed_with(1008, "origin not allowed")
    demo.connect("/no-such-route", "binary")
    demo.closed_with(1008, "no such route")
    demo.wants_quiet_console()


@case()
def down(t):
    demo = Demo(t)
    demo.connect("/down", "binary")
    demo.closed_with(1011, "backend unavailable")
    demo.program.log.wait("session.end", ending="backend_refused", code="1011")
    demo.wants_quiet_console()


@case()
def subprotocols(t):
    """The page offers no subprotocol, several, an unknown one, and one that is no token."""
    demo = Demo(t)
    for offer, chosen in (("", "\u2013"), ("one, two ,three", "one")):
        demo.opens("/echo", offer)
        equal(demo.field("protocol"), chosen, "the protocol")
        demo.browser.click("close")
        demo.closed_with(1000, NO_REASON)
    demo.opens("/echo-binary", "base64, binary")
    equal(demo.field("protocol"), "binary", "the protocol")
    demo.browser.click("close")
    demo.closed_with(1000, NO_REASON)
    demo.connect("/echo-binary", "base64")
    demo.closed_with(1008, "no acceptable subprotocol")
    demo.connect("/echo", "not a token")
    demo.wait_log("cannot connect")
    equal(demo.browser.is_enabled("connect"), True, "connect can be pressed")
    demo.wants_quiet_console()


@case()
def text_to_binary_route(t):
    demo = Demo(t)
    demo.opens("/echo-binary", "binary")
    demo.browser.click("send-text")
    demo.closed_with(1003, "message type not accepted")
    demo.wants_quiet_console()


def quiet_port():
    """Returns a free port that the kernel gives to nobody by itself, so that it stays free."""
    while True:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", random.randrange(20000, 30000)))
                return sock.getsockname()[1]
            except OSError:
                pass


WATCH_RETRIES = """
window.retries = [];
new MutationObserver(() => {
    const found = document.getElementById('retry').textContent.match(/try (\\d+) in (\\d+) ms/);
    if (found && Number(found[1]) !== window.retries.at(-1)?.[0]) {
        window.retries.push(found.slice(1).map(Number));
    }
}).observe(document.getElementById('retry'),
           {childList: true, characterData: true, subtree: true});"""


def wants_retries(demo, ceilings):
    """Waits for a try under each of these ceilings of milliseconds."""
    wait_until(lambda: len(demo.browser.run("return window.retries")) >= len(ceilings),
               "%d tries" % len(ceilings), 40)
    tries = demo.browser.run("return window.retries")
    for index, ((number, wait_ms), ceiling) in enumerate(zip(tries, ceilings)):
        equal(number, index + 1, "the number of the try in %r" % tries)
        assert 0 <= wait_ms <= ceiling, "waits are %r" % tries


@case(timeout=120)
def comes_back(t):
    """sluice stops, and the page tries again, each time later; sluice starts: the page is back."""
    port = quiet_port()
    demo = Demo(t, program=t.demo(port))
    demo.opens("/echo", "binary")
    demo.browser.click("again")
    demo.browser.run(WATCH_RETRIES)
    demo.program.send_signal(signal.SIGTERM)
    # The page soon clears its fields.
    demo.wait_log("closed: 1001 .shutting down [0-9]+-[0-9]+., clean")
    demo.program.stop()
    wants_retries(demo, [3000, 1000, 2000])  # the first after 1001, at once but spread
    again = t.demo(port)
    demo.wait("state", "1 OPEN", 60)
    demo.browser.click("send-binary")
    demo.wait_log("\u2190 binary ")
    equal(demo.field("protocol"), "binary", "the protocol")
    demo.browser.click("close")  # this ends the tries
    demo.closed_with(1000, NO_REASON)
    equal(demo.field("retry"), "\u2013", "the next try")
    again.log.wait("session.end", ending="client_close", code="1000")


@case(timeout=90)
def retries_a_service_that_is_down(t):
    """A refusal by Close opens first. The waits grow all the same; the button ends the tries."""
    demo = Demo(t)
    demo.browser.run(WATCH_RETRIES)
    demo.browser.click("again")
    demo.connect("/down", "binary")
    wants_retries(demo, [500, 1000, 2000])
    demo.browser.click("close")
    wait_until(lambda: [demo.browser.is_enabled(name) for name in ("connect", "close")]
               == [True, False], "connect can be pressed, close cannot")
    equal(demo.field("retry"), "\u2013", "the next try")


@case()
def does_not_retry_a_refusal(t):
    """After 1008 the page does not try again: it would get 1008 again."""
    demo = Demo(t)
    demo.browser.run(WATCH_RETRIES)
    demo.browser.click("again")
    demo.connect("/refused", "binary")
    demo.closed_with(1008, "origin not allowed")
    equal(demo.field("retry"), "\u2013", "the next try")
    equal(demo.browser.is_enabled("close"), False, "close can be pressed")
    equal(demo.browser.run("return window.retries"), [], "tries")


# How it looks


def fill_page(demo):
    """Fills the page: a refusal, an echo of each kind and a flood."""
    demo.connect("/refused", "binary")
    demo.closed_with(1008, "origin not allowed")
    demo.opens("/echo", "binary")
    demo.browser.click("send-text")
    demo.wait_log("\u2190 text")
    demo.browser.click("send-binary")
    demo.wait_log("\u2190 binary")
    demo.browser.click("flood")
    demo.wait_log("came back intact", 60)


@case(rows=LOOKS)
def fits(t, shape, scheme):
    """Nothing sticks out, every text has contrast, every control is large enough."""
    width, height, is_phone = SHAPES[shape]
    t.browser.show_as(width, height, scheme, is_phone)
    demo = Demo(t)
    demo.connect("/refused", "binary")
    demo.closed_with(1008, "origin not allowed")
    demo.opens("/echo", "binary")
    demo.browser.fill("text", "a word without end " + "x" * 300)
    demo.browser.click("send-text")
    demo.wait_log("\u2190 text")
    equal(demo.browser.run("return matchMedia('(prefers-color-scheme: dark)').matches"),
          scheme == "dark", "a dark page")
    found = demo.browser.run(LAYOUT)
    assert found["count"] > 30, "the page has only %d texts" % found["count"]
    equal(found["problems"], [], "what is wrong with the page")


def take_pictures(t, directory):
    """Saves the page for desktop and phone, light and dark, after an echo and a flood."""
    program = t.demo()
    for name, shape, scheme in LOOKS:
        width, height, is_phone = SHAPES[shape]
        t.browser.show_as(width, height, scheme, is_phone)
        demo = Demo(t, program=program)
        fill_page(demo)
        t.browser.run("scrollTo(0, 0)")
        t.browser.screenshot(os.path.join(directory, name + ".png"))
        whole = t.browser.run("return document.documentElement.scrollHeight")
        t.browser.show_as(width, whole, scheme, is_phone)
        harness.wait_until(lambda: t.browser.run("return innerHeight") == whole, "the whole page")
        t.browser.screenshot(os.path.join(directory, name + "_whole.png"))
