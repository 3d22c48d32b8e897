# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold at every low tide, and from the first one to the last."""

import statistics

ALLOCATED_KIB = 64  # how far what a worker has allocated may have grown with no session open
ANON_KIB, ANON_SHARE = 1024, 0.05  # the same for its memory as the system sees it
OLD = 5  # low tides; the heap of a younger process still settles
ZERO = ("sluice_sessions_admitted", "sluice_sessions_identified", "sluice_buffered_bytes",
        "sluice_unacknowledged_bytes", "sluice_backend_sessions")


class Verdict:
    def __init__(self):
        self.passed, self.failed = 0, 0
        self.texts = []

    def check(self, is_good, text):
        self.passed += bool(is_good)
        self.failed += not is_good
        if not is_good:
            self.texts.append(text)
            print("FAILED: " + text, flush=True)


def never_backwards(verdict, before, after):
    """Counters of two scrapes, one behind the other."""
    for key, value in before.series.items():
        name, labels = key
        if name.endswith(("_total", "_count", "_bucket")) and after.series.get(key, 0) < value:
            verdict.check(False, "%s %s went from %g to %g" % (
                name, dict(labels), value, after.series.get(key, 0)))


def endings(metrics):
    """Returns {ending: count}."""
    found = {}
    for (name, labels), value in metrics.series.items():
        if name == "sluice_sessions_ended_total":
            word = dict(labels)["ending"]
            found[word] = found.get(word, 0) + value
    return found


def ledger(tide):
    """Returns the sums of one low tide that must fit each other."""
    m, log = tide["metrics"], tide["log"]
    called = sum(m.sum("sluice_connections_total", listen=name) for name in ("tls", "plain"))
    probes = sum(m.sum("sluice_probes_total", listen=name) for name in ("tls", "plain"))
    ended = endings(m)
    return {
        "begun": tide["pages"]["begun"], "called": called, "probes": probes,
        "lines": log["session.end"], "ended": sum(ended.values()) - ended.get("page", 0) - probes,
        "without_end": called - probes - log["session.end"],
        "said": tide["pages"]["tally"]["token"]["said"],
        "messages": m.sum("sluice_messages_total", route="token", side="client"),
        "token_sent": m.sum("sluice_sent_bytes_total", route="token", side="backend"),
        "token_got": tide["services"]["token"]["got"],
        "token_back": tide["services"]["token"]["sent"],
        "token_read": m.sum("sluice_received_bytes_total", route="token", side="backend"),
    }


def count(verdict, before, tide):
    """Compares what the gateway counted in one cycle with what pages, services and log say."""
    now = ledger(tide)
    was = ledger(before) if before else dict.fromkeys(now, 0)
    new = {key: now[key] - was[key] for key in now}
    cycle, most = tide["cycle"], tide["most_live"]
    # Of sessions of a worker that was killed there is no line; all others have one.
    lost = most if tide["is_killed"] else 0
    verdict.check(0 <= new["without_end"] <= lost, "cycle %d: %d connections without a line" % (
        cycle, new["without_end"]))
    verdict.check(abs(new["begun"] - new["called"]) <= (lost and 200),
                  "cycle %d: %d pages, %d connections" % (cycle, new["begun"], new["called"]))
    verdict.check(abs(new["ended"] - new["lines"]) <= bool(lost),
                  "cycle %d: %d ends, %d lines: %s, %s" % (
                      cycle, new["ended"], new["lines"], endings(tide["metrics"]),
                      tide["endings"]))
    # A message that was on its way when its session had to end is said, but not counted.
    slack = lost + sum(tide["pages"]["excused"].values())
    for there, here, most in (("said", "messages", slack), ("token_sent", "token_got", 0),
                              ("token_back", "token_read", slack * 65536)):
        least = -lost * 65536
        most += lost * 65536
        verdict.check(least <= new[there] - new[here] <= most, "cycle %d: %s %d, %s %d" % (
            cycle, there, new[there], here, new[here]))
    here = sum(value for (name, labels), value in tide["metrics"].series.items()
               if name == "sluice_sessions" and ("route", "") not in labels)
    verdict.check(here == 0, "cycle %d: %d sessions" % (cycle, here))
    for name in ZERO:
        value = tide["metrics"].sum(name)
        verdict.check(not value, "cycle %d: %s is %s" % (cycle, name, value))


def sums(tides, which, field):
    """Returns what the processes of that kind hold at each low tide. An upgrade leaves the first
    master beside the newest one, which is the one that counts."""
    found = []
    for tide in tides:
        values = [p[field] for p in tide["processes"].values() if p["role"].startswith(which)]
        found.append(sum(values[-1:] if which == "master" else values))
    return found


def processes(verdict, tides):
    """Descriptors and threads at low tide are the same, whatever has been. It is the sum of the
    workers that counts: one of them has the sockets of a worker that is there no more."""
    for which in ("master", "worker", "helper"):
        for field in ("fds", "threads"):
            values = sums(tides, which, field)
            verdict.check(len(set(values)) == 1, "%s of %ss: %s" % (field, which, values))
    for tide in tides:
        verdict.check(not any(p["is_zombie"] for p in tide["processes"].values()),
                      "cycle %d: a zombie" % tide["cycle"])


def growth(values):
    """Returns from where to where: the medians of the first and of the last third."""
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


def memory(verdict, tides, is_fresh):
    """A process that lives through several low tides holds no more at the last ones. `is_fresh`:
    what /metrics says of the workers is of the low tide itself, for it may be ten seconds old."""
    lives = {}
    for tide in tides:
        for pid, p in tide["processes"].items():
            lives.setdefault(pid, []).append((p["role"], p["anon"], tide["allocated"].get(
                p["role"].removeprefix("worker "))))
    for pid, rows in sorted(lives.items()):
        if len(rows) < 2:
            continue
        role = "%s (pid %d, %d low tides)" % (rows[0][0], pid, len(rows))
        if len(rows) >= OLD:
            first, last = growth([row[1] for row in rows[1:]])
            verdict.check(last - first <= max(ANON_KIB, ANON_SHARE * first),
                          "memory of %s: from %d to %d KiB" % (role, first, last))
        if is_fresh and rows[0][2] is not None and len(rows) > 2:
            # Tables have the size of the highest tide, and double; the first tide is rarely that.
            first, last = growth([row[2] / 1024 for row in rows[1:]])
            most = ALLOCATED_KIB if len(rows) >= OLD else max(ALLOCATED_KIB, 1.2 * first)
            verdict.check(last - first <= most,
                          "allocated by %s: from %d to %d KiB" % (role, first, last))


def sockets(verdict, tides):
    """Sockets that the kernel has at low tide, where nobody else has any. Those that nobody holds
    any more (orphans) wait for the other side's last word, go by themselves, and are not in it."""
    values = [tide["kernel"].get("inuse", 0) for tide in tides]
    verdict.check(max(values) - min(values) <= 2, "TCP sockets: %s" % values)
