# SPDX-License-Identifier: GPL-3.0-or-later
"""Names with many addresses: a set of backends that is followed as it changes."""

import collections

from backends import states
from checked import GREETS, HELLO, WRONG, Checked
from harness import case, equal, wait_until
from nameserver import NXDOMAIN, Etc, NameServer
from processes import both_started
from reloads import reload
from wsclient import BINARY

ADMIN = "[admin]\naddress = 127.0.0.1:0\n"
SERVER, OTHER = "127.0.0.2", "127.0.0.3"


class Pods:
    """Services on one port of several loopback addresses, and the name that has some of them."""

    def __init__(self, t, count, ttl=1):
        self.etc = Etc(t)
        self.server = NameServer(t, SERVER, ttl=ttl)
        self.etc.use(SERVER)
        self.pods, port = {}, 0
        for number in range(1, count + 1):
            pod = Checked(t, host="127.0.1.%d" % number, port=port)
            port = pod.port
            self.pods[number] = pod
        self.url = "tcp://pods.example:%d" % port
        self.set(*self.pods)

    def set(self, *numbers):
        self.server.set(a=["127.0.1.%d" % number for number in numbers])

    def address(self, number):
        return "127.0.1.%d:%d" % (number, self.pods[number].port)

    def start(self, t, keys="balance = round_robin", server="", more=""):
        config = t.config(server=server, r="origins = *\nbackend = %s\n%s" % (self.url, keys))
        config += more
        self.text = config
        return t.start(config, preexec_fn=self.etc.enter)

    def spread(self, p, count):
        """How many of so many sessions each pod has got. All of them must have got one."""
        before = {number: pod.count for number, pod in self.pods.items()}
        for _ in range(count):
            c = p.client("plain").open("/r")
            equal(c.recv_message(), (BINARY, HELLO), "what the page gets")
            c.wire.reset()
        return collections.Counter({number: pod.count - before[number]
                                    for number, pod in self.pods.items()
                                    if pod.count > before[number]})

    def wait_spread(self, p, *numbers):
        """Waits until new sessions go to all of these, and to nobody else."""
        wait_until(lambda: set(self.spread(p, 2 * len(numbers))) == set(numbers),
                   "sessions go to %r" % (numbers,))


@case()
def pods_come_and_go(t):
    pods = Pods(t, 4)
    pods.set(1, 2, 3)
    p = pods.start(t)
    pods.wait_spread(p, 1, 2, 3)
    equal(pods.spread(p, 9), {1: 3, 2: 3, 3: 3}, "round_robin")
    c = p.client("plain").open("/r")  # a session of a pod that leaves goes on
    c.recv_message()
    pods.set(2, 3, 4)
    pods.wait_spread(p, 2, 3, 4)
    pods.server.set(a=NXDOMAIN, aaaa=NXDOMAIN)
    asked = len(pods.server.questions)
    wait_until(lambda: len(pods.server.questions) >= asked + 2, "questions")
    equal(set(pods.spread(p, 6)), {2, 3, 4}, "for a moment the name is gone")
    pods.set(4)
    pods.wait_spread(p, 4)
    c.wire.reset()
    equal(p.log.find("backend.down"), [], "backend.down")
    usual = ("client_reset", "backend_close")  # whichever side of a session of `spread` was first
    equal([e["ending"] for e in p.ends() if e["ending"] not in usual], [], "other endings")


@case()
def another_resolv_conf(t):
    """A long TTL does not matter when the file changes."""
    pods = Pods(t, 3, ttl=3000)
    pods.set(1, 2)
    p = pods.start(t)
    pods.wait_spread(p, 1, 2)
    NameServer(t, OTHER, a=["127.0.1.2", "127.0.1.3"], ttl=3000)
    pods.etc.use(OTHER)
    pods.wait_spread(p, 2, 3)


@case()
def dead_pods(t):
    """With two of three pods dead no session fails; each is named once, and comes back."""
    pods = Pods(t, 3)
    p = pods.start(t, "balance = round_robin\neject_pause = 200ms\neject_pause_max = 500ms")
    pods.wait_spread(p, 1, 2, 3)
    port = pods.pods[1].port
    for number in (1, 3):
        pods.pods[number].close()
    equal(set(pods.spread(p, 12)), {2}, "who serves")
    down = p.log.wait("backend.down", 2)
    equal({(e["route"], e["backend"], e["address"], e["detail"]) for e in down},
          {("r", pods.url, pods.address(number), "connection refused") for number in (1, 3)},
          "backend.down")
    pods.pods[3] = Checked(t, host="127.0.1.3", port=port)
    pods.wait_spread(p, 2, 3)
    wait_until(lambda: pods.spread(p, 2) and p.log.find("backend.up"), "backend.up")
    equal({e["address"] for e in p.log.find("backend.up")}, {pods.address(3)}, "backend.up")


@case()
def a_silent_pod(t):
    """A check finds the pod that accepts and does not serve, for all workers, and a reload keeps
    that."""
    pods = Pods(t, 3)
    p = both_started(pods.start(t, """
        balance = round_robin
        health_interval = 100ms
        health_timeout = 20s
        health_fall = 2
        health_expect = SSH-""", server="workers = 2"), 2)
    for pod in pods.pods.values():
        pod.wait(2)
    equal(p.log.find("backend.down"), [], "down at first")
    pods.pods[2].manner = WRONG
    equal([e["address"] for e in p.log.wait("backend.down")], [pods.address(2)], "backend.down")
    for _ in range(12):
        c = p.client("plain").open("/r")
        equal(c.recv_message(), (BINARY, HELLO), "what the page gets")
        c.wire.reset()
    reload(p, pods.text.replace("100ms", "150ms"))
    for number in (1, 3):
        pods.pods[number].wait(2)
    equal([e["address"] for e in p.log.find("backend.down")], [pods.address(2)], "backend.down")
    equal(p.log.find("backend.up"), [], "backend.up")
    pods.pods[2].manner = GREETS
    equal([e["address"] for e in p.log.wait("backend.up")], [pods.address(2)], "backend.up")
    pods.set(1)
    wait_until(lambda: is_quiet(pods.pods[3]), "nobody checks a pod that has left")


def is_quiet(pod):
    before = pod.count
    pod.rest_quietly(0.4)
    return pod.count == before


@case()
def all_pods_down(t):
    """When checks find all addresses down, sessions go to the next backend of the route."""
    pods = Pods(t, 2)
    spare = Checked(t)
    p = pods.start(t, """
        backend = %s backup
        health_interval = 100ms
        health_timeout = 20s
        health_fall = 2
        health_expect = SSH-""" % spare.url)
    for pod in pods.pods.values():
        pod.wait(2)
        pod.manner = WRONG
    wait_until(lambda: [e for e in p.log.find("backend.down") if "address" not in e],
               "the name is down")
    for _ in range(3):
        c = p.client("plain").open("/r")
        equal(c.recv_message(), (BINARY, HELLO), "what the page gets")
        c.wire.reset()
    for pod in pods.pods.values():
        pod.manner = GREETS
    wait_until(lambda: [e for e in p.log.find("backend.up") if "address" not in e],
               "the name is up")


# What /sessions tells

def told(p, pods):
    """Returns what /sessions says of each address."""
    return {a["address"]: a for a in states(p)[pods.url]["addresses"]}


@case()
def addresses_in_sessions(t):
    """Each address with its state, as they come and go."""
    pods = Pods(t, 3)
    p = pods.start(t, """
        health_interval = 100ms
        health_timeout = 20s
        health_fall = 2
        health_expect = SSH-""", more=ADMIN)
    wait_until(lambda: {k: a["state"] for k, a in told(p, pods).items()} ==
               {pods.address(n): "up" for n in (1, 2, 3)}, "three addresses")
    pods.pods[2].manner = WRONG
    wait_until(lambda: told(p, pods)[pods.address(2)]["state"] == "down", "one is down")
    got = told(p, pods)
    equal(got[pods.address(2)]["detail"], "the answer is not health_expect", "why")
    assert got[pods.address(2)]["since_ms"] is not None, got
    equal((got[pods.address(1)]["state"], got[pods.address(1)]["detail"]), ("up", None), "another")
    equal(states(p)[pods.url]["state"], "up", "the name")
    pods.set(3)
    wait_until(lambda: told(p, pods) == {}, "one address is no set")


@case()
def many_addresses_in_sessions(t):
    """All of them, each once."""
    pods = Pods(t, 1)
    pods.server.set(a=["127.0.2.%d" % n for n in range(1, 31)])
    p = pods.start(t, more=ADMIN)
    wait_until(lambda: len(told(p, pods)) == 30, "30 addresses")
    equal(set(a["state"] for a in told(p, pods).values()), {"up"}, "states")
