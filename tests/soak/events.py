# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to the gateway and its services while the pages are there. Before an event the tide
hears which ends it may cause, so that any other end is a failure."""

import json
import os
import random
import signal
import time

BROKEN = ["reset", "cut", "eof", "tls_alert", "refused"]


class Events:
    def __init__(self, gateway, tide, services, pause_s):
        self.pause_s = pause_s  # how long a service is away, and a reload drains
        self.gateway, self.tide, self.services = gateway, tide, services
        self.counts, self.is_killed = {}, False
        self.certificate, self.workers = 0, 2
        self.spared = None  # this worker is never killed: its memory is watched

    def run(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1
        getattr(self, name)()

    def excuse(self, name, outcomes, seconds=10, routes=None):
        self.tide.ask(do="excuse", name=name, outcomes=outcomes, seconds=seconds, routes=routes)

    def reload(self, **changes):
        """Sends SIGHUP with changed keys, and waits until they are in force."""
        count = self.gateway.events.get("reload.done", 0)
        self.gateway.write_config(**changes)
        self.gateway.process.send_signal(signal.SIGHUP)
        self.gateway.wait_event("reload.done", count + 1)

    # Events

    def reload_same(self):
        self.reload()

    def reload_changed(self):
        """Another value of a key of one route; its sessions stay."""
        self.reload(connect=random.randrange(10, 20))

    def reload_drain(self):
        """The same with `reload = drain`: the sessions of that route end."""
        self.excuse("reload_drain", ["close 1012"], 15, ["echo"])
        self.reload(reload="drain")
        self.reload(reload="drain", connect=random.randrange(20, 60))
        time.sleep(self.pause_s)
        self.reload(reload="keep")

    def certificate_renewed(self):
        """`watch` finds it."""
        self.certificate ^= 1
        count = self.gateway.events.get("reload.done", 0)
        self.gateway.use_certificate(("ec", "rsa")[self.certificate])
        self.gateway.wait_event("reload.done", count + 1)

    def more_workers(self):
        self.workers = 3
        self.reload(workers=3)

    def fewer_workers(self):
        self.workers = 2
        self.reload(workers=2)

    def killed(self):
        workers = [pid for pid in self.gateway.serving() if pid != self.spared]
        self.is_killed = True
        self.excuse("killed", BROKEN)
        count = self.gateway.events.get("worker.start", 0)
        os.kill(random.choice(workers), signal.SIGKILL)
        self.gateway.wait_event("worker.start", count + 1)

    def stopped(self):
        """A worker that does nothing for a moment. Nobody must notice but by waiting."""
        pid = random.choice(self.gateway.serving())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(min(2, self.pause_s))
        os.kill(pid, signal.SIGCONT)

    def upgraded(self):
        """Another generation. Sessions of the one before the last must go."""
        self.excuse("upgraded", ["close 1012"], 30)
        count = self.gateway.events.get("upgrade.done", 0)
        self.gateway.process.send_signal(signal.SIGUSR2)
        self.gateway.wait_event("upgrade.done", count + 1)

    def services_reset(self):
        name = random.choice(("echo", "press", "lines", "down"))
        self.excuse("services_reset", ["close 1011"], 8, [name, "brief"])
        self.services.ask(do="reset", name=name)

    def service_away(self):
        name = random.choice(("echo", "press", "lines", "down", "sink"))
        self.excuse("service_away", ["close 1011"], 15, [name, "brief"])
        self.services.ask(do="away", name=name)
        time.sleep(self.pause_s)
        self.services.ask(do="back", name=name)

    def kicked(self):
        """The operator ends some sessions by hand."""
        self.excuse("kicked", ["close 1008"], 5)
        status, _, body = self.gateway.admin("GET", "/sessions?limit=500&phase=open")
        assert status == 200, "status %d of /sessions" % status
        rows = json.loads(body)["sessions"]
        for row in random.sample(rows, min(5, len(rows))):
            status, _, _ = self.gateway.admin("DELETE", "/sessions/" + row["id"])
            assert status in (202, 404), "status %d of DELETE" % status


ALWAYS = ["reload_same", "reload_changed", "reload_drain", "certificate_renewed", "stopped",
          "services_reset", "service_away", "kicked"]


def upgrades(cycles):
    """Returns the cycles with an upgrade: the first ones and the last, so that between them workers
    grow old. A short soak has one."""
    return (0, 1, cycles - 1) if cycles >= 6 else (0,)


def plan(cycle, cycles):
    """Returns the events of one cycle. In one of three nobody is killed, and there every sum must
    fit exactly."""
    chosen = list(ALWAYS)
    if cycle % 3 != 1:
        chosen += ["killed"]
    random.shuffle(chosen)
    at = random.randrange(len(chosen))
    if cycle in upgrades(cycles):
        chosen.insert(at, "upgraded")
    if "upgraded" in chosen or cycle % 3 == 2:
        # The sockets of a third worker stay once it has been there: so it has, in each generation,
        # before the first low tide.
        chosen.insert(at + 1, "more_workers")
        chosen.append("fewer_workers")
    return chosen
