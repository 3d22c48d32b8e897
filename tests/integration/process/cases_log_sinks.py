# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the log goes: the daemons of syslog and journald, which start anew, are full, or are not
there; and lines that come without end."""

import ctypes
import os
import re
import signal
import socket
import time

from daemons import Daemon, start
from harness import Settings, Skip, case, equal, wait_until
from namespace import libc
from reloads import reload
from scrape import scrape

ECHO = "origins = *\nbackend = echo:"
HEALTH = "[health]\naddress = 127.0.0.1:0\n"
KINDS = [("syslog", "syslog"), ("journald", "journald")]
MS_BIND, MS_REC, MS_PRIVATE, CLONE_NEWNS = 4096, 16384, 1 << 18, 0x20000


def sink(daemon, more=""):
    return "log = %s\nlog_socket = %s\n%s" % (daemon.kind, daemon.path, more)


def use(p, path="/r"):
    c = p.client("plain").open(path)
    c.end_cleanly()
    c.wire.close()


def quiet(p):
    """Nothing is on standard error but what only a build with sanitizers says."""
    equal([line for line in p.stderr.lines if line], [], "standard error")


@case(rows=KINDS)
def lines_of_sessions(t, kind):
    """The same lines as ever, at the right priority, out of the sandbox."""
    daemon = Daemon(t, t.path("log"), kind)
    p = start(t, daemon, t.config(server=sink(daemon), r=ECHO, d="backend = " + t.closed_port()))
    use(p)
    line = p.one_end("client_close", code=1000, route="r", proc="w0", level="info")
    c = p.client("plain").open("/d")
    c.recv_close(1011)
    c.wire.close()
    p.log.wait("backend.down", level="warn")
    p.log.wait("session.end", 2)
    base = 24 if kind == "syslog" else 0  # the facility is daemon
    priorities = {p.log.events[i]["level"]: d[0] for i, d in enumerate(daemon.datagrams)}
    priorities.pop("error", None)
    equal(priorities, {"info": base + 6, "warn": base + 4}, "priorities")
    fields = [d[1] for d in daemon.datagrams if d[1].get("SLUICE_EVENT") == "session.end"]
    if kind == "journald":
        equal((fields[0]["SLUICE_ID"], fields[0]["SLUICE_ENDING"], fields[0]["SLUICE_CODE"],
               fields[0]["SYSLOG_IDENTIFIER"], fields[0]["SYSLOG_FACILITY"]),
              (line["id"], "client_close", "1000", "sluice", "3"), "fields")
    else:
        equal({d[1]["pid"] for d in daemon.datagrams}, {p.pid, *p.workers()}, "pids")
    p.stop()
    quiet(p)


@case(rows=KINDS)
def a_daemon_that_starts_anew(t, kind):
    """While it is gone, standard error has the lines; it then gets the next one, with a count."""
    daemon = Daemon(t, t.path("log"), kind)
    p = start(t, daemon, t.config(server=sink(daemon, "log_format = json"), r=ECHO))
    use(p)
    p.log.wait("session.end")
    daemon.stop()
    for _ in range(3):
        use(p)
    p.stderr.wait("session.end", 3)
    absent = p.stderr.wait("log.absent", level="error", sink=kind, socket=daemon.path)
    equal(len(absent), 1, "log.absent")
    daemon.start()
    use(p)
    lost = p.log.wait("session.end", 2)[1]["log_dropped"]
    equal(lost, "3", "lines that it did not get")
    os.unlink(daemon.path)
    use(p)
    p.stderr.wait("session.end", 4)
    daemon.start()
    for _ in range(2):
        use(p)
    ends = p.log.wait("session.end", 4)
    equal([e.get("log_dropped") for e in ends], [None, "3", "1", None], "counts")
    p.stop()


@case(rows=KINDS)
def nobody_listens_at_the_start(t, kind):
    """sluice starts nevertheless, says so once, and writes to standard error until then."""
    path = t.path("log")
    p = t.gateway(server="log = %s\nlog_socket = %s" % (kind, path), r=ECHO)
    use(p)
    p.log.wait("session.end")
    absent = p.log.find("log.absent")
    equal([(a["sink"], a["socket"], a["level"]) for a in absent], [(kind, path, "error")],
          "log.absent")
    equal(p.log.events[0]["event"], "log.absent", "the first line")
    daemon = Daemon(t, path, kind)
    use(p)
    assert int(daemon.log.wait("session.end")[0]["log_dropped"]) >= 1
    equal(len(p.log.find("session.end")), 1, "lines on standard error")
    p.stop()


@case(timeout=90, rows=KINDS)
def a_daemon_that_takes_nothing(t, kind):
    """Nobody waits for it, and what it lost is counted, in the log and for monitoring."""
    daemon = Daemon(t, t.path("log"), kind)
    text = t.config(server=sink(daemon), r=ECHO) + HEALTH
    p = start(t, daemon, text)
    daemon.stop()
    daemon.start(is_reading=False)
    queued = int(open("/proc/sys/net/unix/max_dgram_qlen").read()) + 1
    begin = time.monotonic()
    for _ in range(queued + 20):
        use(p)
    assert time.monotonic() - begin < 30, "sessions wait"

    def dropped():
        return scrape(p, "?name=sluice_log_lines_dropped_total").sum(
            "sluice_log_lines_dropped_total", sink=kind)
    wait_until(lambda: dropped() >= 15, "lines that are counted", 20)
    daemon.read()
    daemon.log.wait("session.end", queued - 10)
    use(p)
    told = wait_until(lambda: [e for e in daemon.log.find("session.end") if "log_dropped" in e],
                      "a count in the log")
    assert int(told[0]["log_dropped"]) >= 15, told
    equal(scrape(p).sum("sluice_log_lines_dropped_total", sink="stderr"), 0, "standard error")
    p.stop()
    quiet(p)


@case()
def another_sink_by_reload(t):
    """From standard error to syslog, to journald, to another place, and back: all processes."""
    daemons = [Daemon(t, t.path("one"), "syslog"), Daemon(t, t.path("two"), "journald"),
               Daemon(t, t.path("three"), "journald")]
    p = t.gateway(server="workers = 2", r=ECHO)
    stderr = p.log
    p.log.wait("worker.start", 2)

    def all_say_so(log):
        """Each session's line is in this log, whoever serves it."""
        before = len(log.find("session.end"))
        for _ in range(12):
            use(p)
        log.wait("session.end", before + 12)
        equal({e["proc"] for e in log.find("session.end")[before:]}, {"w0", "w1"}, "workers")
    all_say_so(stderr)
    for daemon in daemons:
        t.write("sluice-0.ini", t.config(server="workers = 2\n" + sink(daemon), r=ECHO))
        p.send_signal(signal.SIGHUP)
        daemon.log.wait("reload.done")
        all_say_so(daemon.log)
    counts = [len(d.log.find("session.end")) for d in daemons]
    equal(counts, [12, 12, 12], "lines of each")
    equal(len(stderr.find("session.end")), 12, "lines on standard error")
    reload(p, t.config(server="workers = 2", r=ECHO))
    all_say_so(stderr)
    p.stop()


@case()
def start_errors_are_on_stderr(t):
    daemon = Daemon(t, t.path("log"), "syslog")
    bad = t.write("bad.ini", t.config(server=sink(daemon), r="backend = nothing"))
    code, _, stderr = t.run_program("-c", bad)
    equal(code, 1, "exit code")
    assert "bad.ini:" in stderr, stderr
    holder = socket.create_server(("127.0.0.1", 0))
    t.cleanup(holder.close)
    taken = t.write("taken.ini", t.config(
        server=sink(daemon), r=ECHO,
        listens="[listen p]\naddress = 127.0.0.1:%d\n" % holder.getsockname()[1]))
    code, _, stderr = t.run_program("-c", taken)
    equal(code, 3, "exit code")
    assert "sluice: cannot listen" in stderr or "in use" in stderr, stderr


@case(rows=[("without_a_daemon", "log_socket = /x", "means nothing without log = syslog"),
            ("no_path", "log = syslog\nlog_socket = x", "begins with '/'"),
            ("too_long", "log = syslog\nlog_socket = /" + "x" * 107, "at most 107 bytes"),
            ("another_word", "log = file", "one of stderr, syslog or journald")])
def bad_keys(t, keys, message):
    path = t.write("c.ini", t.config(server=keys, r=ECHO))
    code, _, stderr = t.run_program("-c", path, "--check")
    equal(code, 1, "exit code")
    assert message in stderr, stderr


@case(rows=[("syslog", "syslog", "dev", "log"),
            ("journald", "journald", "run/systemd/journal", "socket")])
def where_they_usually_are(t, kind, folder, name):
    """Without log_socket, in a file system of the program's own."""
    if os.getuid() != 0:
        raise Skip("mounts need root")
    mount = folder.split("/", maxsplit=1)[0]
    os.makedirs(t.path(folder))
    for path in ("", *[folder.rsplit("/", n)[0] for n in range(2, -1, -1)]):
        os.chmod(t.path(path) if path else t.dir, 0o755)
    daemon = Daemon(t, os.path.join(t.path(folder), name), kind)

    def enter():
        if libc.unshare(CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), "unshare")
        for source, target, flags in ((b"none", b"/", MS_REC | MS_PRIVATE),
                                      (t.path(mount).encode(), b"/" + mount.encode(), MS_BIND)):
            if libc.mount(source, target, None, ctypes.c_ulong(flags), None):
                raise OSError(ctypes.get_errno(), "mount")
    p = start(t, daemon, t.config(server="log = " + kind, r=ECHO), preexec_fn=enter)
    use(p)
    p.one_end("client_close")
    p.stop()
    quiet(p)


# Lines that come without end

def told_and_counted(log, event):
    told = len(log.find(event))
    return told, sum(int(e["suppressed"]) for e in log.find("log.suppressed", of=event))


@case(timeout=90, rows=[("good", True), ("bad", False)])
def reloads_without_end(t, is_good):
    """Lines and counts add up to the number of reloads, also for monitoring."""
    config = t.config(server="log_limit = 1", r=ECHO) + HEALTH
    p = t.start(config)
    if not is_good:
        t.write("sluice-0.ini", config + "[route broken]\n")
    result = "success" if is_good else "failure"

    def count():
        return scrape(p, "?name=sluice_config_*").sum("sluice_config_reloads_total",
                                                      result=result)
    for number in range(1, 31):
        p.send_signal(signal.SIGHUP)
        wait_until(lambda n=number: count() == n, "reload %d" % number)
    suppressed = scrape(p).sum("sluice_log_lines_suppressed_total")
    p.stop()
    for event in ("reload.done",) if is_good else ("reload.failed", "config.error"):
        told, counted = told_and_counted(p.log, event)
        assert 10 <= told < 30, (event, told)
        equal(told + counted, 30 if event != "config.error" else told + counted, event)
    assert suppressed > 0, suppressed


@case(timeout=90)
def pauses_without_end(t):
    p = t.start(t.config(server="log_limit = 1\nmax_pending = 1", r=ECHO) + HEALTH)
    address = p.ports["plain"]

    def burst():
        socks = [socket.create_connection(address) for _ in range(3)]
        for sock in socks:
            sock.sendall(b"GET /r")
        time.sleep(0.02)
        for sock in socks:
            sock.close()
        return scrape(p, "?name=sluice_accept_pauses_total").sum(
            "sluice_accept_pauses_total", listen="plain") >= 20
    wait_until(burst, "pauses", 60)
    use(p)
    p.stop()
    told, counted = told_and_counted(p.log, "listen.paused")
    assert 1 <= told and told + counted >= 20, (told, counted)
    resumed = len(p.log.find("listen.resumed"))
    assert told - 1 <= resumed <= told, (told, resumed)


@case(timeout=90)
def a_backend_up_and_down_without_end(t):
    """A backend that fails every other time makes few lines, which count what they leave out."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    place = holder.getsockname()
    holder.close()
    p = t.gateway(server="log_limit = 1", d="backend = tcp://%s:%d" % place)
    changes = 0
    for _ in range(30):
        c = p.client("plain").open("/d")
        c.recv_close(1011)
        c.wire.reset()
        listener = socket.create_server(place)
        c = p.client("plain").open("/d")
        peer, _ = listener.accept()
        c.wire.reset()
        peer.close()
        listener.close()
        changes += 2
        time.sleep(0.05)
    wait_until(lambda: len(p.ends()) == changes, "sessions")
    lines = p.log.find("backend.down") + p.log.find("backend.up")
    counted = sum(int(e.get("suppressed", 0)) for e in lines)
    assert 2 <= len(lines) < 20, len(lines)
    assert changes // 8 <= len(lines) + counted <= changes, (len(lines), counted)
    p.stop()


@case()
def all_kinds_are_limited(t):
    """Whoever adds an event that a stranger can cause finds it here: each name of an event in the
    sources is either limited or one of these, with the reason why nobody can cause it at will."""
    unlimited = {
        # one for each admitted session: the account of what was served
        "session.end",
        # only with log_level = debug
        "session.open", "session.step", "session.proxy", "files.served",
        # once for each process or for an act of the operator
        "listen.failed", "limits", "user.shared", "sandbox.missing", "ready", "stop", "stopped",
        "worker.start", "worker.retired", "drain.begin", "drain.end", "master.gone",
        "listen.inherited", "upgrade.begin", "upgrade.done", "upgrade.failed", "upgrade.memory",
        "upgrade.tickets", "master.killed", "master.exit", "session.kick", "files.root",
        "reload.workers",
        # where the log has the pause that it ends
        "listen.resumed",
        # the process ends with it, and the master waits longer and longer with the next one
        "sandbox.violation", "worker.exit", "worker.respawn", "worker.failed", "worker.killed",
        # the master looks at intervals
        "worker.still", "worker.back",
        # as with workers: the master waits longer and longer
        "hasher.start", "hasher.exit", "hasher.failed", "hasher.killed",
        # upstream's own limit: less and less often
        "backend.down", "backend.up",
        # at debug, when a name server says something else than before
        "backend.addresses",
        # once until the daemon takes a line again
        "log.absent",
        # every 5 s at most for each kind
        "log.suppressed",
        # limited as config.error
        "config.warning",
    }
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../proxy")
    found, limited = set(), set()
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".c"):
                with open(os.path.join(place, name), encoding="utf-8") as file:
                    text = file.read()
                found |= set(re.findall(r'"((?:%s)\.[a-z]+|ready|stop|stopped|limits)"' %
                                        "session|listen|worker|backend|reload|config|memory|log|"
                                        "sandbox|accept|adopt|drain|master|user|upgrade|"
                                        "hasher|files", text))
                if name == "flood.c":
                    limited = set(re.findall(r'\{"([a-z.]+)", LOG_', text))
    assert "reload.done" in found and "memory.short" in limited, (found, limited)
    equal(found - limited - unlimited, set(), "events without a limit or a reason")
