# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo of docker/compose.yaml: its page in Chromium, with its own configurations of sluice,
Redis, ngircd and Prometheus, but with the addresses and paths of this run."""

import os
import re
import shutil
import signal
import subprocess

import harness
import irc
from harness import case, equal, wait_until
from services import ROOT, start_service, wait_for_port

DOCKER = os.path.join(ROOT, "docker")


def read(*path):
    with open(os.path.join(DOCKER, *path), encoding="utf-8") as file:
        return file.read()


def replaced(text, *pairs):
    """Each of the texts stands there exactly once."""
    for old, new in pairs:
        equal(text.count(old), 1, "how often there is " + old)
        text = text.replace(old, new)
    return text


def redis(t):
    """Redis as compose.yaml starts it."""
    port = harness.free_port()
    shutil.copy(os.path.join(DOCKER, "redis.acl"), t.path("redis.acl"))
    process = start_service(t, ["redis-server", "--save", "", "--appendonly", "no", "--aclfile",
                                t.path("redis.acl"), "--port", str(port), "--bind", "127.0.0.1",
                                "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru",
                                "--dir", t.dir], "redis.log")
    wait_for_port(t, port, process, "redis.log")
    return port


def ngircd(t, port=0):
    """Returns its port and the process."""
    port = port or harness.free_port()
    config = t.write("ngircd.conf", replaced(
        read("irc", "ngircd.conf"),
        ("Ports = 6667", "Ports = %d\nListen = 127.0.0.1\nServerUID = 65534\nServerGID = 65534"
         % port)))
    process = start_service(t, ["/usr/sbin/ngircd", "--nodaemon", "--config", config], "ngircd.log")
    wait_for_port(t, port, process, "ngircd.log")
    return port, process


def start(t, redis_port, irc_port):
    certificate, key = t.certificate()
    return t.start(replaced(
        read("compose.ini"),
        ("pre_drain = 2s", "pre_drain = 0"), ("0.0.0.0:8443", "127.0.0.1:0"),
        ("/run/secrets/fullchain.pem", certificate), ("/run/secrets/privkey.pem", key),
        ("0.0.0.0:9090", "127.0.0.1:0"), ("/srv/page", os.path.join(DOCKER, "page")),
        ("tcp://redis:6379", "tcp://127.0.0.1:%d" % redis_port),
        ("tcp://irc:6667", "tcp://127.0.0.1:%d" % irc_port)))


class Page:
    def __init__(self, t, p):
        self.browser = t.browser
        self.browser.go("https://127.0.0.1:%d/" % p.ports["public"][1])

    def field(self, panel, name):
        return self.browser.run("return document.querySelector('#%s %s').textContent;"
                                % (panel, name))

    def wait_state(self, panel, text):
        wait_until(lambda: self.field(panel, ".state") == text, "%s is %s" % (panel, text), 30)

    def wait_log(self, panel, text):
        wait_until(lambda: text in self.field(panel, ".log"), "%s says %s" % (panel, text), 30)

    def send(self, panel, line):
        self.browser.run("""
            const form = document.querySelector(`#${arguments[0]} form`);
            form.elements.line.value = arguments[1];
            form.requestSubmit();""", panel, line)


@case(timeout=120)
def a_page_speaks_with_redis_and_irc(t):
    """The page speaks with both, the user of Redis may do nothing dangerous, and when a service
    comes back, so does the page."""
    redis_port = redis(t)
    irc_port, server = ngircd(t)
    p = start(t, redis_port, irc_port)
    page = Page(t, p)
    page.wait_state("redis", "open")
    page.wait_log("redis", "PONG")
    for command, answer in (("SET page:greeting hello", "OK"), ("GET page:greeting", "hello"),
                            ("GET other:key", "error: NOPERM"), ("FLUSHALL", "error: NOPERM")):
        page.send("redis", command)
        page.wait_log("redis", "> %s\n%s" % (command, answer))
    page.wait_state("irc", "open")
    page.wait_log("irc", "is here")
    friend = irc.IrcNative(t, irc_port, "friend")
    friend.log_in("A friend")
    friend.say("JOIN #sluice")
    page.wait_log("irc", "friend is here")
    page.send("irc", "good morning, caf\u00e9")
    friend.wait_for("PRIVMSG #sluice :good morning, caf\u00e9")
    friend.say("PRIVMSG #sluice :hello, page")
    page.wait_log("irc", "<friend> hello, page")
    picture = os.environ.get("SLUICE_PICTURE")
    if picture:
        t.browser.show_as(1100, 700, "light")
        t.browser.screenshot(picture)
    equal([line for line in t.browser.console() if "Content Security" in str(line)], [],
          "what the policy of contents refused")
    server.send_signal(signal.SIGTERM)
    page.wait_log("irc", "-- ")
    page.wait_state("irc", "connecting")
    server.wait(30)
    ngircd(t, irc_port)
    page.wait_state("irc", "open")
    page.wait_state("redis", "open")


@case()
def prometheus_takes_its_configuration(t):
    """The file of Prometheus is right, and names the port and the host that compose.ini serves."""
    shutil.copy(os.path.join(ROOT, "config", "prometheus", "alerts.yml"), t.path("alerts.yml"))
    path = t.write("prometheus.yml", read("prometheus.yml"))
    done = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True,
                          timeout=60, check=False)
    equal(done.returncode, 0, done.stdout + done.stderr)
    assert "rule files found" in done.stdout, done.stdout
    host, port = re.search(r'targets: \["([^:]+):(\d+)"\]', read("prometheus.yml")).groups()
    ini = read("compose.ini")
    equal(re.search(r"^hosts = (\S+)", ini, re.M)[1], host, "hosts of [health]")
    assert "\naddress = 0.0.0.0:%s " % port in ini, "no [health] at port " + port
