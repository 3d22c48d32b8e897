# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGUSR2 with what routes may have: files of targets, several backends with health checks, TLS
behind them, and [files]; sessions of each live through it."""

import os

import sites
from backends import Service, begin, urls, visit, wait_state
from harness import case, equal, wait_until
from processes import both_started
from tlsbackends import Authority, Server, route, server_context, talk
from upgrades import Upgradable, upgrade
from wsclient import BINARY

CHECKS = ("eject_pause = 1s\neject_pause_max = 1s\n"
          "health_interval = 100ms\nhealth_timeout = 20s\nhealth_fall = 2\n")
TARGETS = "origins = *\ntarget_from = query:t\ntarget_allow = 127.0.0.0/8\ntargets = "


class World:
    """A gateway with all of it, and its services."""

    def __init__(self, t):
        self.t, a = t, Authority(t)
        self.desk, self.other = t.backend(), t.backend()
        self.sets = [Service(t, name) for name in ("a", "b", "c")]
        self.tls = Server(t, server_context(a.pair()))
        self.root = sites.site(t)
        self.write_targets("one: 127.0.0.1:%d" % self.desk.port)
        config = sites.text_of(
            t, self.root, server="workers = 2\nwatch = 200ms\ndrain_timeout = 2s",
            desk=TARGETS + t.path("targets"),
            set="origins = *\nbalance = round_robin\n%sbackend = %s" % (CHECKS, urls(self.sets)),
            safe="origins = *\n" + route(self.tls, a.ca()))
        self.u = Upgradable(t, config + "[admin]\naddress = unix:%s/admin.sock\n" % t.dir)
        self.p = both_started(self.u.p)

    def write_targets(self, text):
        self.t.write("targets.new", text + "\n")
        os.rename(self.t.path("targets.new"), self.t.path("targets"))

    def open(self, path, service):
        client = self.p.client("plain").open(path)
        return client, service.accept()


def move(client, peer, word):
    client.binary(word)
    equal(peer.recv(len(word)), word, "what the service gets")
    peer.send(word[::-1])
    equal(client.recv_message(), (BINARY, word[::-1]), "what the page gets")


@case(timeout=180)
def under_sessions(t):
    w = World(t)
    p = w.p
    held = [w.open("/desk?t=one", w.desk), w.open("/safe", w.tls)]
    of_set = [begin(p, "/set") for _ in range(6)]  # each of the two workers takes turns
    equal({name for _, name in of_set} | {visit(p, "/set") for _ in range(30)}, {"a", "b", "c"},
          "who serves")
    equal(sites.ask_alone(p, "/").body, sites.PAGE, "the page")
    dead = w.sets[2]
    dead.stop()
    wait_state(p, dead, "down")
    upgrade(p)
    for client, peer in held:
        move(client, peer, b"as before")
    # New callers of each kind; who is down stays out.
    wait_state(p, dead, "down")
    equal({visit(p, "/set") for _ in range(30)}, {"a", "b"}, "who serves")
    held.append(w.open("/desk?t=one", w.desk))
    move(*held[-1], b"new")
    talk(p, "/safe", w.tls)
    equal(sites.ask_alone(p, "/app/ui.js").body, sites.SCRIPT, "a file")
    equal(p.ends(ending="backend_refused"), [], "sessions that a dead backend ended")
    # The newest master watches the targets, and its checks find who is back.
    w.write_targets("two: 127.0.0.1:%d" % w.other.port)
    p.log.wait("reload.done")
    move(*w.open("/desk?t=two", w.other), b"elsewhere")
    dead.start()
    wait_state(p, dead, "up")
    wait_until(lambda: visit(p, "/set") == "c", "a session of the backend that is back")
    for client, _ in [*held, *of_set]:
        client.close(1000)
        client.recv_close(1000, has_reason=False)
    p.stop()
