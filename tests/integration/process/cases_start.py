# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts that fail, each with exit code 3, one line and no process left, and odd surroundings in
which a start must not fail."""

import os
import resource
import shutil
import signal
import subprocess
import time

from harness import Settings, Skip, case, equal, free_port, wait_until
from processes import ECHO, WorkerFault, both_started, echo, group_is_gone
from wsclient import Client, Ended, Timeout, Wire

CANNOT_START = 3
PLAIN = "[listen plain]\naddress = 127.0.0.1:0\n"
LONELY_UID = 64123  # nobody else's, so that its processes can be counted


def try_start(t, command=(), config=None, **popen):
    """Starts the program and waits for its end or for a line that says "ready". Returns (exit code
    or None, stderr)."""
    path = t.write("start.ini", config or t.config(server="workers = 2", r=ECHO))
    program = popen.pop("program", Settings.program)
    # The leak checker needs a process and descriptors of its own, and dies badly.
    environment = dict(popen.pop("env", os.environ))
    environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    child = subprocess.Popen([*command, program, "-c", path], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=t.dir,
                             start_new_session=True, text=True, env=environment, **popen)
    lines = []
    try:
        for line in child.stderr:
            lines.append(line)
            if "event=ready" in line:
                child.send_signal(signal.SIGTERM)
        code = child.wait(30)
        wait_until(lambda: group_is_gone(child.pid), "every process of the start ends", 10)
    finally:
        if not group_is_gone(child.pid):
            os.killpg(child.pid, signal.SIGKILL)
    return (None if any("event=ready" in line for line in lines) else code), "".join(lines)


def failed_start(t, *words, **options):
    code, stderr = try_start(t, **options)
    equal(code, CANNOT_START, "exit code; " + stderr)
    said = [line for line in stderr.splitlines() if line.startswith("sluice: ")]
    assert len(said) == 1, stderr
    for word in words:
        assert word in said[0], said[0]
    for event in ("worker.respawn", "worker.exit", "worker.failed"):
        assert "event=" + event not in stderr, stderr


def as_root():
    if os.getuid() != 0:
        raise Skip("needs root")


@case(rows=[("all", "-all"), ("setuid", "-setuid"), ("setgid", "-setgid")])
def no_capabilities(t, dropped):
    """Root without the right to become somebody else, as in some containers and units."""
    as_root()
    command = ["setpriv", "--bounding-set", dropped, "--inh-caps", "-all"]
    failed_start(t, "cannot become user 'nobody'", "not permitted", command=command,
                 config=t.config(listens=PLAIN, r=ECHO))


@case()
def a_user_namespace_without_that_user(t):
    as_root()
    command = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        raise Skip("needs user namespaces")
    failed_start(t, "cannot become user 'nobody'", command=command,
                 config=t.config(listens=PLAIN, r=ECHO))


@case()
def no_more_processes(t):
    as_root()

    def become():
        os.setgroups([])
        os.setgid(LONELY_UID)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        os.setuid(LONELY_UID)

    os.chmod(t.dir, 0o755)
    failed_start(t, "cannot fork a worker", preexec_fn=become,
                 program=shutil.copy(Settings.program, t.path("sluice")),
                 config=t.config(listens=PLAIN, r=ECHO))


@case(rows=[("fail", "fail", "event loop"), ("kill", "kill", "signal 9"),
            ("poor", "poor", "out of memory")])
def a_worker_that_cannot_start(t, word, told):
    if word == "poor" and Settings.is_asan:
        raise Skip("a limited address space does not go with the sanitizer")
    fault = WorkerFault(t, word)
    failed_start(t, told, env=fault.environment)


@case()
def a_worker_that_hangs_when_it_starts(t):
    """Whoever hangs before it served makes a failed start too, and SIGTERM ends the wait."""
    fault = WorkerFault(t, "hang")
    path = t.write("start.ini", t.config(server="workers = 2", r=ECHO))
    for is_patient in (False, True):
        fault.set("hang")
        child = subprocess.Popen([Settings.program, "-c", path], stderr=subprocess.PIPE, text=True,
                                 env=fault.environment, start_new_session=True)
        time.sleep(1)
        if is_patient:
            fault.set("hang late")
        child.send_signal(signal.SIGHUP if is_patient else signal.SIGTERM)
        stderr = child.communicate(timeout=60)[1]
        equal(child.returncode, CANNOT_START if is_patient else 0, "exit code; " + stderr)
        assert "event=ready" not in stderr, stderr
        equal("does not serve after 30 s" in stderr, is_patient, stderr)
        assert group_is_gone(child.pid), "a process is left"


@case(timeout=90)
def few_descriptors(t):
    """However few descriptors there are, the program serves, or says that it cannot start."""
    codes = set()
    for count in range(4, 36):
        limit = lambda n=count: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
        code, stderr = try_start(t, preexec_fn=limit)
        codes.add(code)
        if "while loading shared libraries" in stderr:
            continue
        told = [line for line in stderr.splitlines() if not line.startswith("ts=")]
        equal((code, len(told)), (None, 0) if code is None else (code, 1), stderr)
        assert code in (None, 1, CANNOT_START), (count, code, stderr)
    assert codes >= {None, CANNOT_START}, codes


@case(timeout=120)
def little_memory(t):
    """The same for memory."""
    if Settings.is_asan:
        raise Skip("the sanitizer needs terabytes of addresses")
    codes = set()
    for size in range(8 << 20, 32 << 20, 768 << 10):
        limit = lambda n=size: resource.setrlimit(resource.RLIMIT_AS, (n, n))
        code, stderr = try_start(t, preexec_fn=limit)
        if code in (127, -signal.SIGSEGV):
            continue  # the kernel or the loader had too little
        codes.add(code)
        told = [line for line in stderr.splitlines() if not line.startswith("ts=")]
        assert code in (None, CANNOT_START), (size, code, stderr)
        equal(len(told), 0 if code is None else 1, "lines for %d bytes: %s" % (size, stderr))
    assert codes >= {None, CANNOT_START}, codes


# Odd surroundings

@case(timeout=90)
def a_failing_start_later_on(t):
    """After the first ready a worker that cannot start is tried again, and others serve."""
    fault = WorkerFault(t)
    p = both_started(t.start(t.config(server="workers = 2", r=ECHO), env=fault.environment))
    p.may_lose_workers = True
    fault.set("fail")
    os.kill(p.workers()[0], signal.SIGKILL)
    p.log.wait("worker.failed", 4, msg="a worker cannot make its event loop: out of memory or "
                                       "descriptors")
    for _ in range(10):
        c = p.client().open("/r")
        echo(c)
        c.wire.reset()
    equal(len(p.log.find("worker.start")), 2, "workers that started")
    fault.set("")
    p.log.wait("worker.start", 3, timeout=40)


@case(rows=[("closed", True), ("without_reader", False)])
def no_log(t, is_closed):
    """A program whose log nobody takes serves all the same."""
    port = free_port()
    listens = "[listen plain]\naddress = 127.0.0.1:%d\n" % port
    path = t.write("quiet.ini", t.config(server="workers = 2", r=ECHO, listens=listens))
    reader, writer = os.pipe()
    os.close(reader)

    def prepare():
        if is_closed:
            for fd in range(3):
                os.close(fd)

    child = subprocess.Popen([Settings.program, "-c", path], stderr=writer, preexec_fn=prepare,
                             start_new_session=True)
    os.close(writer)
    try:
        wait_until(lambda: serves(t, port), "it serves")
        child.send_signal(signal.SIGTERM)
        equal(child.wait(20), 0, "exit code")
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)


def serves(t, port):
    try:
        wire = Wire(("127.0.0.1", port), timeout=5)
        t.cleanup(wire.close)
        c = Client(wire).open("/r")
        echo(c)
        c.wire.reset()
        return True
    except (Ended, OSError, Timeout):
        return False


@case()
def inherited_signals(t):
    """Every signal is blocked and ignored at the start, SIGCHLD too: the program does not mind."""
    def prepare():
        for number in range(1, signal.SIGRTMAX + 1):
            if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, set(range(1, signal.SIGRTMAX + 1)) - {32, 33})

    p = both_started(t.start(t.config(server="workers = 2", r=ECHO), preexec_fn=prepare))
    p.may_lose_workers = True
    os.kill(p.workers()[0], signal.SIGKILL)
    p.log.wait("worker.start", 3)
    echo(p.client().open("/r"))
    p.stop()


@case()
def the_log_file_is_appended_to(t):
    """Text that does not come through the log must not overwrite what is in the file already."""
    path = t.write("log", "the first line\n" * 100)
    fault = WorkerFault(t, "fail")
    config = t.write("start.ini", t.config(r=ECHO))
    with open(path, "r+b") as file:  # like 2<>FILE: the position is at the beginning
        equal(subprocess.run([Settings.program, "-c", config], stderr=file,
                             env=fault.environment).returncode, CANNOT_START, "exit code")
    with open(path) as file:
        lines = file.read().splitlines()
    assert lines[:100] == ["the first line"] * 100, "it was overwritten: %r" % lines[:3]
    assert lines[-1].startswith("sluice: cannot start"), lines[100:]
