# SPDX-License-Identifier: GPL-3.0-or-later
"""Reloads as probes and monitoring see them: [health] comes, moves and goes; what is counted."""

import time

from harness import case, equal, free_port, wait_until
from processes import ECHO, both_started, clients_by_worker, echo
from reloads import reload
from scrape import ask, scrape
from threads import in_thread, join


def config(t, workers=2, more="", health="127.0.0.1:0", **routes):
    text = t.config(server="workers = %d\n%s" % (workers, more), **(routes or {"r": ECHO}))
    return text + ("[health]\naddress = %s\n" % health if health else "")


class Probes:
    """Threads that ask one address again and again; nothing but 200 is right."""

    def __init__(self, address, count=2):
        self.address, self.is_over, self.asked = address, False, 0
        self.threads = [in_thread(self.run) for _ in range(count)]

    def run(self):
        while not self.is_over:
            equal(ask(self.address)[0], 200, "status")
            self.asked += 1
            time.sleep(0.002)

    def wait_more(self, count):
        wanted = self.asked + count
        wait_until(lambda: self.asked >= wanted or any(t.error for t in self.threads), "probes", 60)

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            join(thread)


@case()
def results_are_counted(t):
    p = both_started(t.start(config(t)))

    def numbers():
        got = scrape(p, "?name=sluice_config_*")
        return [got.sum("sluice_config_reloads_total", result="success"),
                got.sum("sluice_config_reloads_total", result="failure"),
                got.sum("sluice_config_last_reload_successful")]

    def loaded():
        return scrape(p).sum("sluice_config_last_reload_success_timestamp_seconds")

    begun = time.time()
    equal(numbers(), [0, 0, 1], "at the start")
    assert abs(loaded() - begun) < 60, loaded()
    reload(p)
    reload(p, config(t, n=ECHO))
    equal(numbers(), [2, 0, 1], "after two")
    good = loaded()
    time.sleep(1.1)
    reload(p, "[nonsense]\n", "reload.failed")
    equal(numbers(), [2, 1, 0], "after one that failed")
    equal(loaded(), good, "the time of the last that was good")
    reload(p, config(t))
    equal(numbers(), [3, 1, 1], "at the end")
    assert loaded() > good, "the time of the last reload"
    p.stop()


@case()
def health_comes_moves_and_goes(t):
    p = both_started(t.start(config(t, health=None)))
    workers = p.workers()
    held = p.client("plain").open("/r")
    one, other = free_port(), free_port()
    line = reload(p, config(t, health="127.0.0.1:%d" % one))
    equal((line["listens_new"], line["listens_gone"]), ("1", "0"), "listeners that came")
    equal(ask(("127.0.0.1", one))[0], 200, "status")
    equal(ask(("127.0.0.1", one), host="a.example")[0], 421, "another name")
    line = reload(p, config(t, health="127.0.0.1:%d\nhosts = a.example" % one))
    equal((line["listens_new"], line["listens_changed"]), ("0", "1"), "listeners that changed")
    for _ in range(6):
        equal(ask(("127.0.0.1", one), host="a.example")[0], 200, "its new name")
    reload(p, config(t, health="127.0.0.1:%d" % other))
    for _ in range(6):
        equal(ask(("127.0.0.1", other))[0], 200, "where it has moved")
    reload(p, config(t, health=None))
    for port in (one, other):
        def is_refused(port=port):
            try:
                ask(("127.0.0.1", port))
            except OSError:
                return True
            return False
        wait_until(is_refused, "the end of port %d" % port)
    equal(p.workers(), workers, "workers")
    echo(held)
    p.stop()


@case()
def a_public_address_becomes_health(t):
    """The socket stays, what is served there changes."""
    port = free_port()
    public = "[listen other]\naddress = 127.0.0.1:%d\n" % port
    p = both_started(t.start(config(t, health=None) + public))
    held = p.client("other").open("/r")
    reload(p, config(t, health="127.0.0.1:%d" % port))
    for _ in range(12):
        equal(ask(("127.0.0.1", port))[0], 200, "status")
        equal(ask(("127.0.0.1", port), "/r")[0], 404, "a route")
    echo(held)
    held.end_cleanly()
    reload(p, config(t, health=None) + public)
    for _ in range(12):
        c = p.client("other").open("/r")
        echo(c)
        c.wire.reset()
    p.stop()


@case(timeout=90)
def workers_that_come_and_retire(t):
    """Every probe is answered. A worker that retires serves [health] until the next reload, and its
    socket swallows no probe of an address that goes and comes back."""
    address = "127.0.0.1:%d" % free_port()
    p = both_started(t.start(config(t, 1, health=address)), 1)
    probes = Probes(p.ports["health"])

    def workers():
        got = scrape(p, "?name=sluice_worker*")
        return (got.sum("sluice_workers"), got.sum("sluice_worker_up"),
                got.sum("sluice_worker_restarts_total"))

    reload(p, config(t, 4, health=address))
    p.log.wait("worker.start", 4)
    probes.wait_more(40)
    wait_until(lambda: workers() == (4, 4, 0), "four workers")
    got = scrape(p, "?name=process_start_time_seconds")
    equal(len([1 for _, labels in got.series]), 4, "workers that tell of themselves")
    found = clients_by_worker(p, 1)
    reload(p, config(t, 2, health=address))
    p.log.wait("worker.retired", 2)
    probes.wait_more(80)
    wait_until(lambda: workers() == (2, 2, 0), "two workers that take sessions")
    probes.stop()
    clients = sum(found.values(), [])
    equal(scrape(p).sum("sluice_sessions", route="r", phase="open"), len(clients), "sessions")
    reload(p, config(t, 2, health=None))
    time.sleep(0.3)
    reload(p, config(t, 2, health=address))
    for _ in range(40):
        equal(ask(p.ports["health"])[0], 200, "status")
    time.sleep(3.2)
    for _ in range(20):
        equal(ask(p.ports["health"])[0], 200, "status")
    for c in clients:
        echo(c)
        c.end_cleanly()
    wait_until(lambda: len(p.workers()) == 2, "the end of those that retired")
    equal(scrape(p).sum("sluice_sessions", route="r", phase="open"), 0, "sessions at the end")
    p.stop()


@case()
def a_session_counts_at_its_name(t):
    """Whatever reload comes while it is open, and wherever its route stands then."""
    down = t.closed_port()
    p = both_started(t.start(config(t, 1, a=ECHO, r=ECHO)), 1)
    held = p.client("plain").open("/r")
    left = p.client("plain").open("/a")
    begun = p.wire("plain")
    reload(p, config(t, 1, x=ECHO, y=ECHO, r=ECHO + "\nidle_timeout = 5m",
                     d="origins = *\nbackend = " + down))
    c = p.client("plain").open("/d")
    c.recv_close(1011)
    for c in (held, left):
        echo(c)
        c.end_cleanly()
    begun.close()
    p.log.wait("session.end", 2, ending="client_close")
    got = scrape(p)
    for name in ("a", "r"):
        equal(got.sum("sluice_sessions_ended_total", route=name, ending="client_close"), 1, name)
        equal(got.sum("sluice_sessions", route=name), 0, "open at " + name)
    equal(got.sum("sluice_sessions_total", route="x"), 0, "a route that came")
    equal(got.sum("sluice_backend_connect_failures_total", route="d"), 1, "its backend")
    equal(got.sum("sluice_backend_up", route="d"), 0, "its backend")
    p.stop()
