# SPDX-License-Identifier: GPL-3.0-or-later
"""A small WebDriver client: headless Chromium through Debian's chromedriver, over plain HTTP.

Only what the cases need. Nothing the browser does leaves this machine: names other than localhost
are not looked up, and no proxy of the environment is used.
"""

import base64
import http.client
import json
import os
import re
import subprocess

import harness

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
STARTED = re.compile(r"started successfully on port (\d+)")
CHROMEDRIVERS = ("/usr/bin/chromedriver", "/usr/lib/chromium/chromedriver")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--ignore-certificate-errors", "--disable-dev-shm-usage", "--no-proxy-server",
    "--no-default-browser-check", "--disable-search-engine-choice-screen",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--window-size=1280,900",
]


class BrowserError(Exception):
    """What chromedriver answered instead of a result."""


class Browser:
    """One chromedriver and its Chromium, with a profile of their own in `directory`."""

    def __init__(self, directory):
        self.dir = directory
        self.session = None
        self.timeout = 60.0 * harness.scale()
        self.log_path = os.path.join(directory, "chromedriver.log")
        program = next((p for p in CHROMEDRIVERS if os.access(p, os.X_OK)), None)
        if program is None:
            raise BrowserError("no chromedriver: apt-get install chromium chromium-driver")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "--port=0"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, cwd=directory,
                env={**os.environ, "HOME": directory, "TMPDIR": directory})
        try:
            self.port = int(harness.wait_until(self.find_port, "chromedriver's port", 60))
            self.open_session()
        except BaseException:
            self.stop()
            raise

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def find_port(self):
        if self.process.poll() is not None:
            raise BrowserError("chromedriver has ended: " + self.log_text()[-2000:])
        found = STARTED.search(self.log_text())
        return found and found.group(1)

    def open_session(self):
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": True,
            "goog:chromeOptions": {"args": [
                *FLAGS, "--user-data-dir=" + os.path.join(self.dir, "profile")]},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": int(self.timeout * 900), "pageLoad": int(self.timeout * 900)},
        }}})
        self.session = "/session/" + answer["sessionId"]

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
        finally:
            connection.close()
        if response.status != 200:
            raise BrowserError("%s: %s" % (value["error"], value["message"].split("\n")[0]))
        return value

    def command(self, name, body=None):
        return self.call("POST", self.session + name, body if body is not None else {})

    def stop(self):
        """Ends Chromium in order, then chromedriver."""
        if self.session:
            try:
                self.call("DELETE", self.session)
            except (OSError, ValueError, BrowserError):
                pass
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # Pages

    def go(self, url):
        self.command("/url", {"url": url})

    def run(self, script, *arguments):
        """The body of an asynchronous function; returns what it returns, raises what it throws."""
        script = "return (async (...args) => {\n%s\n})(...arguments)" % script
        return self.command("/execute/sync", {"script": script, "args": list(arguments)})

    def console(self):
        """What the console got since the last call, as (level, text)."""
        return [(line["level"], line["message"])
                for line in self.command("/se/log", {"type": "browser"})]

    def devtools(self, name, **parameters):
        return self.command("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def screenshot(self, path):
        data = self.call("GET", self.session + "/screenshot")
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    # Elements, by their id, as a user meets them

    def element(self, name):
        found = self.command("/element", {"using": "css selector", "value": "#" + name})
        return "/element/" + found[ELEMENT]

    def click(self, name):
        self.command(self.element(name) + "/click")

    def fill(self, name, text):
        element = self.element(name)
        self.command(element + "/clear")
        if text:
            self.command(element + "/value", {"text": text})

    def text(self, name):
        return self.call("GET", self.session + self.element(name) + "/text")

    def is_enabled(self, name):
        return self.call("GET", self.session + self.element(name) + "/enabled")

    # How a page is shown

    def show_as(self, width, height, scheme, is_phone=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": scheme}])

    def show_plainly(self):
        self.devtools("Emulation.clearDeviceMetricsOverride")
        self.devtools("Emulation.setEmulatedMedia", features=[])
