# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox, from inside: a preloaded library (worker_tries.c) lets a worker try things."""

import ctypes
import errno
import mmap
import os
import shutil
import socket
import struct
import subprocess

import services
from harness import Settings, Skip, case, equal, wait_until
from processes import ECHO, both_started, status_of
from reloads import reload

WORD, BYTES = 240, 252
KEPT_BY_MASTER = 0x5e4  # what jail_master_rights() lists
BOUND = ["CapBnd"] if os.getuid() == 0 else []  # only root can change it
SIGSYS = "31"
ALLOWED, DENIED, NO_CALL = 0, errno.EACCES, errno.ENOSYS


class Worker:
    """A program with a worker that tries things."""

    def __init__(self, t, server="", workers=1, **popen):
        compiler = shutil.which("cc")
        if not compiler:
            raise Skip("needs cc")
        if Settings.is_asan:
            raise Skip("a build with sanitizers has neither Landlock nor seccomp")
        library = t.path("worker_tries.so")
        source = os.path.join(services.HERE, "worker_tries.c")
        subprocess.run([compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library,
                        source], check=True)
        path = t.write("tries", bytes(BYTES))
        os.chmod(t.dir, 0o755)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), BYTES)
        t.cleanup(self.map.close)
        environment = dict(os.environ, LD_PRELOAD=library, WORKER_TRIES_FILE=path, SECRET="hunter2")
        self.program = t.start(t.config(server="workers = %d\n%s" % (workers, server), r=ECHO),
                               env=environment, **popen)
        both_started(self.program, workers)
        self.host = self.program.ports["plain"]

    def begin(self, word):
        self.map[WORD:BYTES] = bytes(BYTES - WORD)
        self.map[:WORD] = word.encode().ljust(WORD, b"\0")
        sock = socket.create_connection(self.host, 20)
        return sock

    def attempt(self, word):
        """Returns (result, errno)."""
        with self.begin(word):
            def answer():
                result, error, is_done = struct.unpack("3i", self.map[WORD:BYTES])
                return (result, error) if is_done else None
            return wait_until(answer, word)

    def dies(self, word):
        log = self.program.log
        before = len(log.find("worker.exit"))
        with self.begin(word):
            return log.wait("worker.exit", before + 1)[before]["signal"]


def everything_readable(t):
    path = t.write("readable", "text")
    os.chmod(path, 0o644)
    return path


@case()
def what_fails_and_what_works(t):
    worker = Worker(t)
    backend = t.backend()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(t.path("unix"))
    listener.listen()
    t.cleanup(listener.close)
    os.chmod(t.path("unix"), 0o777)
    path = everything_readable(t)
    rows = [
        ("read /etc/hosts", ALLOWED), ("tcp %d" % backend.port, ALLOWED),
        ("unix " + t.path("unix"), ALLOWED), ("kill_self", ALLOWED),
        ("socket 2 1", ALLOWED), ("socket 10 2", ALLOWED), ("map 3", ALLOWED),
        ("signal 10", ALLOWED), ("environment", ALLOWED),
        # Landlock
        ("read " + path, DENIED), ("read /proc/self/maps", DENIED), ("read /dev/null", DENIED),
        ("list /", DENIED), ("list /etc", DENIED),
        # seccomp
        ("write " + path, NO_CALL), ("bind 0", NO_CALL), ("core", NO_CALL), ("signal 31", NO_CALL),
        ("kill_master", NO_CALL), ("map 4", NO_CALL), ("map 7", NO_CALL), ("protect 5", NO_CALL),
        ("socket 17 3", NO_CALL), ("socket 16 3", NO_CALL), ("socket 2 3", NO_CALL),
        ("socket 38 5", NO_CALL), ("socket 40 1", NO_CALL), ("socket 1 5", NO_CALL),
        *(("call %d" % number(name), NO_CALL) for name in (
            "unlinkat", "renameat2", "mkdirat", "symlinkat", "linkat", "fchmodat", "fchownat",
            "truncate", "ftruncate", "memfd_create", "memfd_secret", "listen", "inotify_init1",
            "fanotify_init", "landlock_create_ruleset", "seccomp", "prctl", "shmget", "msgget",
            "semget", "mq_open", "mlockall", "setpriority", "sched_setscheduler", "vhangup",
            "pkey_mprotect", "close_range", "openat2", "set_mempolicy", "remap_file_pages")),
    ]
    wrong = [(word, worker.attempt(word), wanted) for word, wanted in rows]
    wrong = [row for row in wrong if row[1][1] != row[2]]
    assert not wrong, "word, (result, errno), wanted errno: %r" % wrong
    equal(worker.attempt("environment"), (0, 0), "variables")
    # Only this line shows that it is the sandbox that refuses.
    equal(worker.program.log.find("sandbox.missing"), [], "lines about missing parts")


DEADLY = """execve execveat fork vfork clone clone3 ptrace process_vm_readv process_vm_writev
    pidfd_open pidfd_getfd setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid
    setfsgid capset personality unshare setns mount umount2 pivot_root chroot move_mount open_tree
    fsopen fsmount mount_setattr open_by_handle_at mknodat bpf perf_event_open userfaultfd
    io_uring_setup io_uring_enter io_uring_register init_module finit_module delete_module
    kexec_load add_key keyctl request_key syslog acct reboot swapon settimeofday clock_settime
    sethostname""".split()


@case(timeout=120)
def what_ends_the_worker(t):
    worker = Worker(t, workers=32)
    worker.program.may_lose_workers = True
    for name in DEADLY:
        equal(worker.dies("call %d" % number(name)), SIGSYS, "signal of the worker after " + name)
    found = [e["call"] for e in worker.program.log.find("sandbox.violation")]
    equal(found, DEADLY, "calls in the log")
    if os.uname().machine == "x86_64":
        equal(worker.dies("calls_of_32_bits"), SIGSYS, "signal of the worker")
    worker.program.client("plain").open("/r").end_cleanly()


@case()
def off(t):
    """What the sandbox takes away works without it, so the other cases can fail."""
    worker = Worker(t, "sandbox = off")
    line = worker.program.log.wait("config.warning")[0]
    assert line["detail"].startswith("sandbox = off: "), line
    path = everything_readable(t)
    for word in ("read " + path, "list /", "read /proc/self/stat", "write /dev/null", "map 7",
                 "signal 10", "bind 0", "socket 16 3"):
        equal(worker.attempt(word)[1], ALLOWED, word)
    assert worker.attempt("environment")[0] > 0, "no variables"
    equal(worker.attempt("call %d" % number("setuid"))[1] != NO_CALL, True, "a call")
    equal(status_of(worker.program.workers()[0])["Seccomp"].strip(), "0", "Seccomp")
    code, _, text, _ = t.check(t.config(server="sandbox = off", r=ECHO))
    equal(code, 0, "exit code of --check")
    assert ": warning: sandbox = off: " in text, text


@case()
def what_the_kernel_says(t):
    """Rights, filters and descriptors of master and workers."""
    p = both_started(t.start(t.config(server="workers = 2", r=ECHO),
                             env=dict(os.environ, SECRET="hunter2")))
    for pid in p.workers():
        status = status_of(pid)
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", *BOUND):
            equal(int(status[name], 16), 0, name + " of a worker")
        equal(status["NoNewPrivs"].strip(), "1", "NoNewPrivs of a worker")
        if not Settings.is_asan:
            equal(status["Seccomp"].strip(), "2", "Seccomp of a worker")
        if not os.getuid():
            with open("/proc/%d/environ" % pid, "rb") as file:
                equal(file.read().strip(b"\0"), b"", "environment of a worker")
    status = status_of(p.pid)
    for name in ("CapPrm", "CapEff", *BOUND):
        equal(int(status[name], 16) & ~KEPT_BY_MASTER, 0, name + " of the master")
    equal(status["NoNewPrivs"].strip(), "1", "NoNewPrivs of the master")
    for pid in [p.pid, *p.workers()]:
        for fd in os.listdir("/proc/%d/fd" % pid):
            with open("/proc/%d/fdinfo/%s" % (pid, fd)) as file:
                flags = next(line.split()[1] for line in file if line.startswith("flags:"))
            assert int(fd) <= 2 or int(flags, 8) & os.O_CLOEXEC, "descriptor %s stays open" % fd


@case()
def descriptors_of_others_are_closed(t):
    read_end, write_end = os.pipe()
    p = t.start(t.config(r=ECHO), pass_fds=[write_end])
    os.close(write_end)
    os.set_blocking(read_end, False)
    wait_until(lambda: os.read(read_end, 1) == b"", "the end of the pipe")
    os.close(read_end)
    p.stop()


# A kernel, or a container's engine, that refuses a part.

def libseccomp():
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int,
                                               ctypes.c_uint, ctypes.c_void_p]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    return library


def number(name):
    found = libseccomp().seccomp_syscall_resolve_name(name.encode())
    return found if found >= 0 else 999  # the machine does not have it


def refuse(action, *calls):
    def before_exec():
        library = libseccomp()
        context = library.seccomp_init(0x7fff0000)
        for call in calls:
            library.seccomp_rule_add_array(context, action, number(call), 0, None)
        if library.seccomp_load(context) != 0:
            os._exit(99)
    return before_exec


ERRNO, KILL = 0x00050000, 0x80000000


@case(rows=[
    ("landlock", ERRNO | errno.ENOSYS, ["landlock_create_ruleset"],
     "Landlock (Function not implemented): "),
    ("engine", ERRNO | errno.EPERM, ["landlock_create_ruleset", "seccomp"],
     "Landlock (Operation not permitted): "),
    ("killed", KILL, ["landlock_create_ruleset"], "Landlock (Operation not permitted): "),
    ("capset", ERRNO | errno.EPERM, ["capset"], "capabilities (Operation not permitted): "),
])
def a_part_is_refused(t, action, calls, told):
    if Settings.is_asan:
        raise Skip("a build with sanitizers has neither Landlock nor seccomp")
    p = t.start(t.config(server="workers = 2", r=ECHO), preexec_fn=refuse(action, *calls))
    p.may_lose_workers = True
    both_started(p)
    os.kill(p.workers()[0], 9)
    both_started(p, 3)
    lines = p.log.find("sandbox.missing")
    equal(len(lines), 1, "number of lines")
    assert lines[0]["msg"].startswith(told), lines
    p.client("plain").open("/r").end_cleanly()


@case()
def a_reload_does_not_change_it(t):
    """Workers that a reload brings are in the sandbox of the start, and the log says so."""
    p = both_started(t.start(t.config(server="workers = 1", r=ECHO)), 1)
    p.may_lose_workers = True
    reload(p, t.config(server="workers = 3\nsandbox = off", n=ECHO))
    assert "`sandbox`" in p.log.find("reload.kept")[0]["msg"]
    p.log.wait("worker.start", 3)
    for pid in p.workers():
        status = status_of(pid)
        equal(int(status["CapPrm"], 16), 0, "CapPrm of a worker")
        if not Settings.is_asan:
            equal(status["Seccomp"].strip(), "2", "Seccomp of a worker")
    p.client("plain").open("/n").end_cleanly()
    p.stop()
