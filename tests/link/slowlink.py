# SPDX-License-Identifier: GPL-3.0-or-later
"""Two network namespaces and a line of packets between them (link.c).

    with SlowLink(directory, delay=25, rate=20, queue=256) as line:
        server = subprocess.Popen(...)                # this thread and its children: the near end
        client = line.popen_far([...])                # a program at the far end
        with line.at_far_end():
            socket.create_connection((NEAR, port))    # this socket stays at the far end

delay is one way in milliseconds, rate in Mbit/s, queue in KiB, loss in percent; each direction has
its own. Neither namespace has a name, so both end with the processes in them. Needs root and
/dev/net/tun.
"""
import contextlib
import ctypes
import json
import os
import subprocess

NEAR, FAR = "10.231.8.1", "10.231.8.2"
CLONE_NEWNET = 0x40000000
HERE = os.path.dirname(os.path.abspath(__file__))
libc = ctypes.CDLL(None, use_errno=True)


class NotHere(Exception):
    """This machine does not let us make a link; the text says why."""


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def current():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_namespace():
    """Moves this thread into a new namespace with a loopback. Returns a descriptor of it."""
    if libc.unshare(CLONE_NEWNET):
        raise NotHere("no network namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return current()


def build(directory):
    """Compiles link.c, once for each directory."""
    program = os.path.join(directory, "link")
    if not os.path.exists(program):
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, "-O2", "-o", program + ".new", os.path.join(HERE, "link.c")],
                       check=True)
        os.rename(program + ".new", program)
    return program


class SlowLink:
    """This thread moves to the near end, until close()."""

    def __init__(self, directory, congestion=None, **settings):
        if os.geteuid() != 0:
            raise NotHere("network namespaces need root")
        if not os.path.exists("/dev/net/tun"):
            raise NotHere("no /dev/net/tun")
        program = build(directory)
        self.home, self.carried = current(), None
        self.near = new_namespace()
        self.far = new_namespace()
        for namespace in (self.far, self.near):
            enter(namespace)
            if congestion:
                with open("/proc/sys/net/ipv4/tcp_congestion_control", "w", encoding="ascii") as f:
                    f.write(congestion)
        words = ["%s=%s" % setting for setting in settings.items()]
        ends = [self.near, self.far]
        self.process = subprocess.Popen(
            [program, *("/proc/self/fd/%d" % end for end in ends), *words], pass_fds=ends,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            said = self.process.stderr.read().strip()
            self.close()
            raise NotHere(said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @contextlib.contextmanager
    def at_far_end(self):
        """Sockets and children that this thread makes in here stay at the far end."""
        enter(self.far)
        try:
            yield
        finally:
            enter(self.near)

    def popen_far(self, command, **options):
        with self.at_far_end():
            return subprocess.Popen(command, **options)

    def close(self):
        """Ends the line and moves this thread back. Afterwards `carried` says what passed."""
        if self.process is None:
            return
        said, _ = self.process.communicate()
        self.process = None
        self.carried = json.loads(said) if said.startswith("{") else None
        enter(self.home)
        for descriptor in (self.near, self.far, self.home):
            os.close(descriptor)
