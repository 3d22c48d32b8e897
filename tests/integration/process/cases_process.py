# SPDX-License-Identifier: GPL-3.0-or-later
"""The master and its workers: crashes, drains, limits, privileges, descriptors."""

import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

from harness import Settings, Skip, case, equal, wait_until
from processes import ECHO, both_started, clients_by_worker, echo, is_alive, status_of
from sessions import end_after_close
from threads import in_thread, join
from wsclient import FIN, RESET, TEXT, Ended, Timeout


# Crashes

@case(timeout=90)
def worker_killed(t):
    """A killed worker takes its sessions with it. The others go on, a new worker comes, and the
    gateway refuses nobody meanwhile."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    p.may_lose_workers = True
    victim, other = (found := clients_by_worker(p))
    stop, refused, served = threading.Event(), [], []

    def keep_connecting():
        while not stop.is_set():
            try:
                c = p.client().open("/r")
                echo(c)
                c.wire.reset()
                served.append(1)
            except ConnectionRefusedError as error:
                refused.append(error)
            except (Ended, OSError, Timeout):
                pass  # the killed worker had this connection

    threads = [in_thread(keep_connecting) for _ in range(3)]
    wait_until(lambda: len(served) > 10, "new sessions")
    os.kill(victim, signal.SIGKILL)
    for c in found[victim]:
        c.recv_end(RESET, FIN, "CUT")
    for c in found[other]:
        echo(c, b"untouched")
    p.log.wait("worker.exit", pid=str(victim), signal="9")
    p.log.wait("worker.respawn")
    p.log.wait("worker.start", 3)
    count = len(served)
    wait_until(lambda: len(served) > count + 50, "new sessions after the crash")
    stop.set()
    for thread in threads:
        join(thread, 60)
    assert not refused, "the gateway refused %d connections" % len(refused)
    for c in found[other]:
        echo(c, b"still untouched")
        c.end_cleanly()
    workers = p.workers()
    assert other in workers and victim not in workers and len(workers) == 2, workers
    clients_by_worker(p, 1)
    ids = [line["id"] for line in p.ends()]
    assert len(ids) > 50 and len(set(ids)) == len(ids), "an id came twice"


@case(timeout=90)
def worker_killed_again_and_again(t):
    """In a crash loop the master forks later each time, and then recovers."""
    p = both_started(t.gateway(r=ECHO), 1)
    p.may_lose_workers = True
    delays = []
    for number in range(1, 7):
        pid = int(p.log.wait("worker.start", number)[-1]["pid"])
        os.kill(pid, signal.SIGKILL)
        p.log.wait("worker.exit", number)
        delays.append(int(p.log.wait("worker.respawn", number)[-1]["in_ms"]))
    assert delays[0] <= 200, delays
    assert delays[-1] > delays[1] and delays[-1] >= 200, "no back-off: %r" % delays
    assert delays == sorted(delays), "the delay does not grow: %r" % delays
    c = p.client().open("/r")  # it waits in the queue of the master's socket
    echo(c)
    c.end_cleanly()


@case()
def worker_killed_while_it_serves_nobody(t):
    """The sessions of a killed worker do not count any more."""
    p = both_started(t.gateway(server="workers = 2\nmax_sessions = 4", r=ECHO))
    p.may_lose_workers = True
    clients = [p.client().open("/r") for _ in range(4)]
    for c in clients:
        echo(c)
    for pid in p.workers():
        os.kill(pid, signal.SIGKILL)
    p.log.wait("worker.start", 4)
    again = [p.client().open("/r") for _ in range(4)]
    for c in again:
        echo(c)


@case()
def master_killed(t):
    """The workers notice that the master is gone, and end; the port is free."""
    p = both_started(t.gateway(server="workers = 2", r=ECHO))
    clients = [p.client().open("/r") for _ in range(6)]
    workers = p.workers()
    os.kill(p.pid, signal.SIGKILL)
    p.process.wait()
    p.is_stopped = True
    for c in clients:
        try:
            while c.recv_frame().opcode != 8:
                pass
            c.close(1001)
        except Ended:
            pass
    wait_until(lambda: not any(map(is_alive, workers)), "the workers end", 20)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(p.ports["tls"])
    p.check_log()


# Stopping

@case(rows=[("term", signal.SIGTERM), ("int", signal.SIGINT)])
def drain(t, number):
    """Every client gets 1001, and the program ends with 0."""
    p = both_started(t.gateway(server="workers = 2\ndrain_timeout = 3s", r=ECHO))
    clients = [p.client().open("/r") for _ in range(40)]
    for c in clients:
        echo(c)
    p.send_signal(number)
    for c in clients:
        c.recv_close(1001)
        end_after_close(c, 1001)
    p.stop()
    equal(len(p.ends(ending="shutdown", code="1001")), 40, "shutdown lines")
    p.log.wait("drain.begin", 2)
    p.log.wait("stop")


@case()
def drain_does_not_wait_for_ever(t):
    """The program cuts off clients that neither answer nor read when drain_timeout is over."""
    p = both_started(t.gateway(server="drain_timeout = 1s",
                               r="close_timeout = 10m\n" + ECHO), 1)
    clients = [p.client().open("/r") for _ in range(5)]
    began = time.monotonic()
    p.stop()
    assert time.monotonic() - began < 15, "it took too long"
    equal(len(p.ends(ending="shutdown")), 5, "shutdown lines")
    for c in clients:
        c.recv_close(1001)


@case()
def drain_twice_is_at_once(t):
    p = both_started(t.gateway(server="drain_timeout = 10m", r="close_timeout = 10m\n" + ECHO), 1)
    c = p.client().open("/r")
    p.send_signal(signal.SIGTERM)
    c.recv_close(1001)
    p.send_signal(signal.SIGTERM)
    p.stop()


@case()
def drain_refuses_newcomers(t):
    p = both_started(t.gateway(server="drain_timeout = 10m", r="close_timeout = 10m\n" + ECHO), 1)
    c = p.client().open("/r")
    p.send_signal(signal.SIGTERM)
    c.recv_close(1001)
    wait_until(lambda: is_refused(p), "a newcomer is refused")
    end_after_close(c, 1001)
    p.stop()


def is_refused(p):
    try:
        with socket.create_connection(p.ports["tls"], 5):
            return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False


@case()
def quit_at_once(t):
    p = both_started(t.gateway(server="drain_timeout = 10m\nworkers = 2",
                               r="close_timeout = 10m\n" + ECHO))
    clients = [p.client().open("/r") for _ in range(5)]
    p.stop(signal_number=signal.SIGQUIT)
    equal(len(p.ends()), 5, "session.end lines")
    for c in clients:
        try:
            c.recv_frame()
        except Ended:
            pass


@case()
def stop_right_after_the_start(t):
    """Every worker ends, however early the signal comes."""
    for _ in range(5):
        p = t.start(t.config(server="workers = 2", r=ECHO))
        p.stop()


# Limits

@case()
def max_sessions(t):
    """The limit holds over all workers together, and a free place is good for a new session."""
    p = both_started(t.gateway(server="workers = 2\nmax_sessions = 5", r=ECHO))
    admitted, refused = [], 0
    for _ in range(20):
        c = p.client().open("/r")
        c.text(b"x")
        got = c.recv_frame()
        if got.opcode == TEXT:
            admitted.append(c)
        else:
            equal(got.payload[:2], (1013).to_bytes(2, "big"), "code")
            refused += 1
            c.wire.reset()
    equal((len(admitted), refused), (5, 15), "admitted and refused")
    admitted.pop().end_cleanly()
    p.log.wait("session.end", ending="client_close")
    echo(p.client().open("/r"))


@case(timeout=90, alone=True)
def out_of_descriptors(t):
    """Callers wait or get no connection, the program does not spin, and it serves again later."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
    p = t.start(t.config(r=ECHO), preexec_fn=limit)
    both_started(p, 1)
    worker = p.workers()[0]
    socks = [socket.create_connection(p.ports["plain"]) for _ in range(120)]
    time.sleep(0.5)
    before = cpu_seconds(worker)
    time.sleep(2)
    used = cpu_seconds(worker) - before
    assert used < 1, "accepting took %.2f s of 2 s" % used
    for sock in socks:
        sock.close()

    def is_served():
        try:
            c = p.client("plain", timeout=3).open("/r")
            echo(c)
            c.end_cleanly()
            return True
        except (Ended, OSError, Timeout):
            return False

    wait_until(is_served, "a new client is served", 30)
    assert p.log.find("listen.paused"), "the log does not tell"
    equal(p.workers(), [worker], "workers")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@case(timeout=90)
def descriptors_and_memory_come_back(t):
    """Descriptors and memory come back after 200 sessions of every kind."""
    backend = t.backend()
    p = both_started(t.gateway(server="tls_timeout = 1s", e=ECHO,
                               b="origins = *\nbackend = " + backend.url,
                               d="backend = " + t.closed_port()), 1)
    worker = p.workers()[0]

    def fds():
        return len(os.listdir("/proc/%d/fd" % worker))

    def forty_sessions():
        for number in range(10):
            c = p.client().open("/e")
            echo(c)
            c.wire.reset() if number % 2 else c.end_cleanly()
            c = p.client("plain").open("/b")
            peer = backend.accept()
            peer.reset() if number % 3 else peer.fin()
            c.wire.reset() if number % 2 else c.recv_frame()
            c.wire.close()
            c = p.client().open("/d")
            c.recv_close(1011)
            c.wire.close()
            wire = p.wire(context=None)
            wire.send(b"\x16\x03\x01")
            wire.close()

    forty_sessions()
    p.log.wait("session.end", 40)
    time.sleep(0.2)
    before, memory = fds(), int(status_of(worker)["VmRSS"].split()[0])
    for _ in range(4):
        forty_sessions()
    equal(len(p.log.wait("session.end", 200)), 200, "session.end lines")
    wait_until(lambda: fds() == before, "descriptors: %d before, %d now" % (before, fds()))
    grown = int(status_of(worker)["VmRSS"].split()[0]) - memory
    if not Settings.is_asan:
        assert grown < 2048, "%d KiB more memory" % grown


# Privileges

@case()
def user_is_given_up(t):
    if os.getuid() != 0:
        raise Skip("needs root")
    nobody = pwd.getpwnam("nobody")
    p = both_started(t.gateway(server="user = nobody\nworkers = 2", r=ECHO))
    for pid in p.workers():
        status = status_of(pid)
        equal(status["Uid"].split(), [str(nobody.pw_uid)] * 4, "Uid of a worker")
        equal(status["Gid"].split(), [str(nobody.pw_gid)] * 4, "Gid of a worker")
        equal(status["Groups"].split(), [], "Groups of a worker")
        equal(int(status["CapEff"], 16), 0, "capabilities of a worker")
        equal(int(status["CapPrm"], 16), 0, "permitted capabilities of a worker")
        equal(status["NoNewPrivs"].strip(), "1", "NoNewPrivs of a worker")
    c = p.client().open("/r")  # only root can read the key of the certificate
    echo(c)
    c.end_cleanly()


@case()
def started_by_a_user(t):
    """Without root the program can become nobody else; `user` may then only name its own user."""
    if os.getuid() != 0:
        raise Skip("needs root")
    nobody = pwd.getpwnam("nobody")

    def become():
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    # Only its owner may get into the folder of the checkout.
    program = shutil.copy(Settings.program, t.path("sluice"))
    listens = "[listen plain]\naddress = 127.0.0.1:0\n"
    p = t.start(t.config(listens=listens, r=ECHO), preexec_fn=become, executable=program)
    both_started(p, 1)
    c = p.client("plain").open("/r")
    echo(c)
    c.end_cleanly()


@case()
def closed_to_its_own_user(t):
    """A process of the same user can neither trace master and workers nor read their memory, and a
    crash leaves no core file with the key."""
    if os.getuid() != 0:
        raise Skip("needs root")
    nobody = pwd.getpwnam("nobody")

    def become():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    program = shutil.copy(Settings.program, t.path("sluice"))
    os.chmod(t.dir, 0o777)  # a core file would go there
    listens = "[listen plain]\naddress = 127.0.0.1:0\n"
    p = t.start(t.config(listens=listens, r=ECHO), preexec_fn=become, executable=program)
    p.may_lose_workers = True
    both_started(p, 1)
    everybody = [p.pid, *p.workers()]
    peeked = subprocess.run(["cat", *["/proc/%d/mem" % pid for pid in everybody]],
                            preexec_fn=become, capture_output=True, text=True)
    equal(peeked.stderr.count("Permission denied"), 2, "refusals: " + peeked.stderr)
    for pid in everybody:
        with open("/proc/%d/limits" % pid) as file:
            core = next(line for line in file if line.startswith("Max core file size"))
        equal(core.split()[4:6], ["0", "0"], "limits for a core file")
    os.kill(everybody[1], signal.SIGABRT)
    p.log.wait("worker.exit", signal="6")
    p.log.wait("worker.start", 2)
    equal([name for name in os.listdir(t.dir) if "core" in name], [], "core files")


@case()
def the_shared_user_is_named(t):
    """A warning says that nobody is a user whom others share, unless the file names it."""
    if os.getuid() != 0:
        raise Skip("needs root")
    p = both_started(t.gateway(r=ECHO), 1)
    equal([line["level"] for line in p.log.find("user.shared")], ["warn"], "warnings")
    p = both_started(t.gateway(server="user = nobody", r=ECHO), 1)
    equal(p.log.find("user.shared"), [], "warnings")


@case()
def no_descriptors_of_others(t):
    """A worker holds its listeners, epoll, the control socket, the channel to the process that
    hashes, and the log, but no socket of another one."""
    p = both_started(t.gateway(server="workers = 4", r=ECHO), 4)
    for pid in p.workers():
        folder = "/proc/%d/fd/" % pid
        links = [os.readlink(folder + fd) for fd in os.listdir(folder)]
        sockets = [link for link in links if link.startswith("socket:")]
        assert len(sockets) <= 4, links
        assert len(links) <= 20, links
