# SPDX-License-Identifier: GPL-3.0-or-later
"""Masters that die in each phase of an upgrade; what the next one inherits, and what it refuses."""

import fcntl
import os
import pwd
import signal
import socket
import ssl
import time

from harness import Settings, Skip, case, equal, free_port, wait_until
from processes import ECHO, WorkerFault, both_started, echo, is_alive, status_of
from reloads import reload
from scrape import scrape
from upgrades import (CHECK, HEALTH, Callers, Upgradable, all_gone, ask, children, generation,
                      newest, upgrade, wait_result)
from wsclient import FIN, Client, Wire

TWO = "workers = 2\ndrain_timeout = 1s"
CANNOT_START = 3
F_SEALS = 0xf  # all of them


def start(t, server=TWO, extra=HEALTH, **config):
    u = Upgradable(t, t.config(server=server, r=ECHO, **config) + extra)
    both_started(u.p)
    u.p.may_lose_workers = True
    return u, u.p


def drained(p, clients):
    for c in clients:
        c.recv_close(1001)
        c.wire.reset()


# SIGKILL

@case()
def the_newest_is_killed(t):
    """As without an upgrade: the workers drain, and the supervisor hears of it at once."""
    u, p = start(t)
    old = p.client().open("/r")
    upgrade(p)
    new = p.client().open("/r")
    echo(new)
    os.kill(newest(p), signal.SIGKILL)
    p.is_stopped = True
    equal(p.wait_exit(), 128 + signal.SIGKILL, "exit code")
    drained(p, [old, new])
    wait_until(lambda: all_gone(p), "the end of every process")


@case()
def the_first_is_killed(t):
    u, p = start(t)
    old = p.client().open("/r")
    upgrade(p)
    new = p.client().open("/r")
    echo(new)
    os.kill(p.pid, signal.SIGKILL)
    p.is_stopped = True
    p.process.wait(10)
    drained(p, [old, new])
    wait_until(lambda: all_gone(p), "the end of every process")


@case()
def the_middle_one_is_killed(t):
    """The first master goes on with the newest, and the seats of the dead one's workers count no
    more."""
    u, p = start(t)
    upgrade(p)
    middle = newest(p)
    old = [p.client().open("/r") for _ in range(4)]
    upgrade(p)
    new = [p.client().open("/r") for _ in range(4)]
    for c in old + new:
        echo(c)
    equal(scrape(p).sum("sluice_sessions_admitted"), 8, "sessions that count")
    os.kill(middle, signal.SIGKILL)
    drained(p, old)
    wait_until(lambda: scrape(p).sum("sluice_sessions_admitted") == 4, "sessions that count")
    wait_until(lambda: scrape(p).sum("sluice_generations") == 1, "generations")
    reload(p)
    upgrade(p)
    for c in new:
        echo(c)
        c.end_cleanly()
    p.stop()
    assert all_gone(p)


@case()
def the_old_one_is_killed_meanwhile(t):
    """In the check and while the heir starts: neither outlives it."""
    for script in (CHECK % ("echo $$ > mark; exec sleep 60", "true"),
                   CHECK % ('exec $REAL "$@"', "echo $$ > mark; exec sleep 60")):
        if os.path.exists(t.path("mark")):
            os.unlink(t.path("mark"))
        u, p = start(t)
        u.put_script(script)
        ask(p)
        wait_until(lambda: os.path.exists(t.path("mark")) and open(t.path("mark")).read(), "it")
        child = int(open(t.path("mark")).read())
        os.kill(p.pid, signal.SIGKILL)
        p.is_stopped = True
        p.process.wait(10)
        wait_until(lambda: not is_alive(child), "the end of the child")
        wait_until(lambda: all_gone(p), "the end of every process")


@case()
def the_heir_is_killed_meanwhile(t):
    """And a worker of the old one: the old one goes on, with a worker in its place."""
    fault = WorkerFault(t)
    u, p = start(t)
    fault.set("hang")
    u.put_script("export LD_PRELOAD=%s WORKER_FAULT_FILE=%s ASAN_OPTIONS=%s\n" % (
        fault.environment["LD_PRELOAD"], fault.path,
        fault.environment.get("ASAN_OPTIONS", "''")) + 'exec $REAL "$@"\n')
    callers, workers = Callers(p, "/r", count=3), p.workers()
    ask(p)
    p.log.wait("upgrade.begin")
    heir = wait_until(lambda: [pid for pid in children(p.pid) if pid not in workers
                               and len(children(pid)) == 2], "an heir with workers")[0]
    orphans = children(heir)
    os.kill(heir, signal.SIGKILL)
    line = wait_result(p, 1, "upgrade.failed")
    assert "signal 9" in line["detail"], line
    wait_until(lambda: not any(map(is_alive, orphans)), "the end of its workers")
    callers.wait_more(10)
    callers.stop()
    os.kill(workers[0], signal.SIGKILL)
    p.log.wait("worker.start", 3)
    u.put_good()
    upgrade(p)
    got = scrape(p)
    equal(got.sum("sluice_worker_restarts_total"), 1, "restarts")
    p.stop()


# What is inherited

def other_layout(u):
    with open(u.real, "rb") as file:
        data = file.read()
    for name in (b"scoreboard 1", b"seats 5", b"roster 4", b"quota 1",
                 b"spent 1"):
        equal(data.count(name + b"\0"), 1, "places of %r" % name)
        data = data.replace(name + b"\0", name[:-1] + b"9\0")
    u.put_file(data)


@case()
def memory_of_another_layout(t):
    """The new version says so, and begins anew; no id of a session comes twice."""
    u, p = start(t)
    old = [p.client().open("/r") for _ in range(3)]
    other_layout(u)
    upgrade(p)
    equal(len(p.log.find("upgrade.memory", level="warn")), 5, "warnings")
    new = [p.client().open("/r") for _ in range(3)]
    for c in old + new:
        echo(c)
        c.end_cleanly()
    ends = p.log.wait("session.end", 6)
    equal(len({e["id"] for e in ends}), 6, "ids")
    equal(scrape(p).sum("sluice_sessions_total"), 3, "sessions of the new version")
    p.log.wait("generation.gone", generation="1")
    u.put_good()
    upgrade(p)
    p.stop()


@case()
def a_ticket_of_the_old_version(t):
    u, p = start(t, listens=None)
    context = t.tls_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    first = Client(Wire(p.ports["tls"], context=context)).open("/r")
    echo(first)
    session = first.wire.tls.session
    upgrade(p)
    for _ in range(6):
        c = Client(Wire(p.ports["tls"], context=context, session=session)).open("/r")
        echo(c)
        assert c.wire.tls.session_reused, "the ticket is not taken"
        c.wire.reset()
    p.stop()


def rights(pid):
    status = status_of(pid)
    return [status[key].strip() for key in ("CapPrm", "CapEff", "CapBnd", "NoNewPrivs")]


@case()
def another_user_and_a_low_port(t):
    """The master still is root and can bind low ports, the workers become whoever `user` says."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    u, p = start(t, TWO + "\nuser = nobody")
    before = rights(p.pid)
    port = next(n for n in range(1023, 900, -1) if is_free(n))
    t.write("sluice-0.ini", t.config(server=TWO + "\nuser = daemon", r=ECHO) + HEALTH +
            "[listen low]\naddress = 127.0.0.1:%d\n" % port)
    reload(p)
    assert p.log.find("reload.kept"), "no word about the user"
    upgrade(p)
    uid = str(pwd.getpwnam("daemon").pw_uid)
    for pid in generation(p, 2):
        equal(status_of(pid)["Uid"].split(), [uid] * 4, "Uid of a worker")
        equal(int(status_of(pid)["CapPrm"], 16), 0, "capabilities of a worker")
        equal(int(status_of(pid)["CapAmb"], 16), 0, "ambient capabilities of a worker")
    equal(rights(newest(p)), before, "rights of the master")
    p.ports["low"] = ("127.0.0.1", port)
    echo(p.client("low").open("/r"))
    another = next(n for n in range(port - 1, 900, -1) if is_free(n))
    t.write("sluice-0.ini", t.config(server=TWO + "\nuser = daemon", r=ECHO) + HEALTH +
            "[listen low]\naddress = 127.0.0.1:%d\n" % another)
    upgrade(p)
    p.ports["low"] = ("127.0.0.1", another)
    echo(p.client("low").open("/r"))
    p.stop()


def is_free(port):
    try:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False


@case()
def what_crosses_the_exec(t):
    """The listed descriptors and no other: no signals, no control sockets, nothing of a client."""
    u, p = start(t)
    u.put_script(CHECK % ('ls -l /proc/$$/fd > check; exec $REAL "$@"',
                          'ls -l /proc/$$/fd > heir; exec $REAL "$@"'))
    held = p.client().open("/r")
    upgrade(p)
    check, heir = ([line.split(" -> ")[1].strip() for line in open(t.path(name)) if " -> " in line]
                   for name in ("check", "heir"))
    others = [name for name in check if not name.startswith(("/dev/null", "pipe:"))
              and name != u.path]
    equal([name for name in others if "/fd" not in name and not name.endswith("check")], [],
          "descriptors of the check")
    equal(sum(name.startswith("socket:") for name in heir), 3 * 2 + 1, "sockets of the heir")
    equal(sorted(name.split(" ")[0] for name in heir if name.startswith("/memfd")),
          ["/memfd:sluice-handover", "/memfd:sluice-quota", "/memfd:sluice-roster",
           "/memfd:sluice-scoreboard", "/memfd:sluice-seats", "/memfd:sluice-spent"], "memory")
    equal([name for name in heir if name.startswith("anon_inode")], [], "other descriptors")
    echo(held)
    p.stop()


# What is refused

def listener(t, **options):
    sock = socket.create_server(("127.0.0.1", 0), reuse_port=options.get("reuse_port", True))
    t.cleanup(sock.close)
    return sock


def memory(t, text):
    fd = os.memfd_create("list", os.MFD_ALLOW_SEALING)
    os.write(fd, text.encode())
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEALS)
    t.cleanup(lambda: os.close(fd))
    return fd


def head(fd):
    return "sluice handover 1\ngeneration 2\nlink %d\nscoreboard %d\nseats %d\n" % (fd, fd, fd)


STRANGERS = [
    ("no_number", "x", None, "is no descriptor"),
    ("not_open", "77", None, "no sealed memory file"),
    ("standard_error", "2", None, "is no descriptor"),
    ("another_title", None, "sluice handover 9\n", "does not know"),
    ("no_link", None, "sluice handover 1\ngeneration 2\n", "lacks the link"),
    ("nonsense", None, "sluice handover 1\nsocket x\n", "cannot be read"),
    ("not_open_either", None, "sluice handover 1\ngeneration 2\nlink 78\n", "is not open"),
    ("twice", None, head(79), "twice"),
]


@case(rows=STRANGERS)
def a_list_of_a_stranger(t, variable, text, wanted):
    path = t.write("sluice.ini", t.config(r=ECHO))
    fds = [memory(t, text)] if text else []
    environment = dict(os.environ, SLUICE_HANDOVER=variable or str(fds[0]))
    code, _, stderr = t.run_program("-c", path, env=environment, pass_fds=fds)
    equal(code, CANNOT_START, "exit code")
    assert "cannot take over" in stderr and wanted in stderr, stderr


@case(rows=[("not_listening", False, True, "does not listen"),
            ("alone", True, False, "others cannot listen"),
            ("elsewhere", True, True, "another address")])
def a_socket_of_a_stranger(t, is_listening, is_shared, wanted):
    path = t.write("sluice.ini", t.config(r=ECHO))
    sock = socket.socket()
    t.cleanup(sock.close)
    if is_shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.2" if "address" in wanted else "127.0.0.1", 0))
    if is_listening:
        sock.listen()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    board, seats = memory(t, "nothing"), memory(t, "nothing")
    fd = memory(t, "sluice handover 1\ngeneration 2\nlink %d\nscoreboard %d\nseats %d\n"
                "group 0\nrelay 1\nsocket %d 0 tls 127.0.0.1:0\n"
                % (theirs.fileno(), board, seats, sock.fileno()))
    code, _, stderr = t.run_program(
        "-c", path, env=dict(os.environ, SLUICE_HANDOVER=str(fd)),
        pass_fds=[fd, board, seats, theirs.fileno(), sock.fileno()])
    equal(code, CANNOT_START, "exit code")
    assert wanted in stderr, stderr
    told = mine.recv(200)
    assert told[0] == 2 and wanted.encode() in told, told
