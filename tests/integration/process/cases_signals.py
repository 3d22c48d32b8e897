# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals that have no meaning for the program end neither the master nor a worker."""

import os
import signal

from harness import case, equal
from processes import ECHO, HARMLESS, both_started, clients_by_worker, echo


@case()
def every_signal_to_everybody(t):
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    workers = p.workers()
    clients = sum(clients_by_worker(p, 1).values(), [])
    for number in HARMLESS:
        # cases_upgrade.py is about a master that gets SIGUSR2.
        for pid in [p.pid, *workers] if number != signal.SIGUSR2 else workers:
            os.kill(pid, number)
        os.kill(p.pid, signal.SIGCONT)
        for c in clients:
            echo(c)
    equal(p.workers(), workers, "workers")
    new = p.client().open("/r")
    echo(new)
    new.end_cleanly()
    p.log.wait("reload.done")
    equal(p.log.find("upgrade.begin"), [], "upgrades")
    p.stop()
