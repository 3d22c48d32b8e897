# SPDX-License-Identifier: GPL-3.0-or-later
"""Many reloads beside callers and busy sessions, a tenth of them with a broken file."""

import os
import time

from harness import Settings, case, equal, free_port, wait_until
from processes import ECHO, both_started
from reloads import Busy, Callers, descriptors, reload

TWO = "workers = 2"
RELOADS = int(os.environ.get("RELOADS", "40"))


def rss(pid):
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private"))


@case(timeout=120 if RELOADS <= 100 else 3600, alone=RELOADS > 100)
def many_reloads(t):
    """A tenth of them broken, with callers and busy sessions. RELOADS=1000 is the long run: 500
    busy sessions and at least 10,000 callers."""
    count = 500 if RELOADS > 100 else 20
    port = free_port()

    def config(number):
        text = t.config(server=TWO + "\nwatch = 0\nmax_sessions = %d" % (2000 + number % 7),
                        r=ECHO + "\nidle_timeout = %ds" % (60 + number % 11), busy=ECHO,
                        tls="tls_certificate = %s\ntls_key = %s" % t.certificate(
                            ("ec", "rsa")[number % 2]))
        if number % 3 == 0:
            text += "[listen extra]\naddress = 127.0.0.1:%d\n" % port
        return text if number % 10 else text + "[route broken]\n"

    p = both_started(t.start(config(1)))
    workers = p.workers()
    at_start = [descriptors(pid) for pid in [p.pid, *workers]]
    busy = Busy(p, "/busy", count)
    callers = [Callers(p, "/r", count=3), Callers(p, "/r", "tls", count=1)]
    for number in range(2, 12):  # until every part has been used
        reload(p, config(number), "reload.done" if number % 10 else "reload.failed")
    before = None
    for number in range(12, 12 + RELOADS):
        reload(p, config(number), "reload.done" if number % 10 else "reload.failed")
        if number == 12 + RELOADS // 10:
            before = [rss(pid) for pid in [p.pid, *workers]]
    needed = 10000 if RELOADS > 100 else 100
    wait_until(lambda: sum(c.served for c in callers) >= needed, "callers", 1200)
    served, messages = sum(c.stop() for c in callers), busy.stop()
    time.sleep(4)  # addresses that left are closed
    after = [rss(pid) for pid in [p.pid, *workers]]
    print("reloads %d, callers %d, messages %d, private KiB %r to %r, descriptors %r" % (
        RELOADS, served, messages, before, after, [descriptors(x) for x in [p.pid, *workers]]))
    equal(p.workers(), workers, "workers")
    for c in busy.clients:
        c.end_cleanly()
    assert messages > count, messages
    reload(p, config(1))
    wait_until(lambda: [descriptors(pid) for pid in [p.pid, *workers]] == at_start,
               "the descriptors of the start")
    for one, other in zip(before, after) if not Settings.is_asan else ():  # it frees late
        slack = 512 if RELOADS <= 100 else 64
        assert other <= one * 1.02 + slack, "memory grew from %d to %d KiB" % (one, other)
    p.stop()
