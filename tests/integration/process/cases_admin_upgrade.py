# SPDX-License-Identifier: GPL-3.0-or-later
"""[admin] over an upgrade: one listing of both generations, and ends by hand in the older one."""

import json
import os
import signal

from harness import case, equal, wait_until
from processes import ECHO, both_started, echo
from scrape import ask
from upgrades import Upgradable, generation, upgrade

PLACES = [("unix", "unix:%s/admin.sock"), ("tcp", "127.0.0.1:0")]


def listing(p):
    status, _, body = ask(p.ports["admin"], "/sessions")
    equal(status, 200, "/sessions")
    return {row["id"]: row for row in json.loads(body)["sessions"]}


def end(p, session):
    return ask(p.ports["admin"], "/sessions/" + session, method="DELETE",
               headers="Authorization: Bearer a-token-of-the-tests-0123456789\r\n")[0]


@case(rows=PLACES, timeout=60)
def both_generations(t, address):
    token = t.write("token", "a-token-of-the-tests-0123456789\n")
    os.chmod(token, 0o600)
    address = address % t.dir if "%s" in address else address
    u = Upgradable(t, t.config(server="workers = 2\ndrain_timeout = 1s", r=ECHO) +
                   "[admin]\naddress = %s\ntoken_file = %s\n" % (address, token))
    p = u.p
    both_started(p)
    p.may_lose_workers = True
    old = [p.client().open("/r") for _ in range(6)]
    before = wait_until(lambda: len(listing(p)) == 6 and listing(p), "rows")
    upgrade(p)
    generation(p, 2)
    new = [p.client().open("/r") for _ in range(4)]
    rows = wait_until(lambda: len(listing(p)) == 10 and listing(p), "rows of both generations")
    assert set(before) < set(rows), (sorted(before), sorted(rows))
    equal({row["generation"] for row in before.values()}, {1}, "the only generation")
    equal(sorted(row["generation"] for row in rows.values()), [1] * 6 + [2] * 4, "generations")

    gone = min(before)
    port = int(rows[gone]["client"].rsplit(":", 1)[1])
    equal(end(p, gone), 202, "DELETE of a session of the old generation")
    victim = next(c for c in old if c.wire.sock.getsockname()[1] == port)
    victim.recv_close(1008)
    victim.wire.reset()
    equal(p.log.wait("session.end", id=gone)[0]["ending"], "kicked", "ending")

    # An old worker that dies leaves no row behind.
    died = next(c for c in old if c is not victim)
    mark = rows[next(i for i in rows if rows[i]["client"].endswith(
        ":%d" % died.wire.sock.getsockname()[1]))]["id"]
    seat = mark.split("-")[0]
    pid = next(int(e["pid"]) for e in p.log.find("worker.start") if e["proc"] == "w" + seat)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(i.split("-")[0] == seat for i in listing(p)), "rows of the dead")
    for c in new:
        echo(c)
    p.stop()
