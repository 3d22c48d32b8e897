# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces of a test's own: a near end, where the test lives, and a far end.

No namespace has a name, so each ends with the processes in it, however they end. The machine's own
network stays as it is. Only the thread that calls moves; what it starts and opens stays where it
began. Needs root.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess

CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


class NotHere(Exception):
    """This machine does not let us do that; the text says why."""


def tool(name, *arguments, text=None, **options):
    """Runs a program of the system to its end."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise NotHere("needs %s" % name)
    done = subprocess.run([path, *arguments], input=text, capture_output=True, text=True, **options)
    if done.returncode:
        raise OSError("%s %s: %s" % (name, " ".join(arguments), done.stderr.strip()))


def current():
    """Returns a descriptor of this thread's namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_namespace():
    """Moves this thread into a new namespace with a loopback. Returns a descriptor of it."""
    if libc.unshare(CLONE_NEWNET):
        raise NotHere("no network namespace: " + os.strerror(ctypes.get_errno()))
    tool("ip", "link", "set", "lo", "up")
    return current()


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Pair:
    """Two new namespaces. This thread moves to the near end, until close()."""

    def __init__(self):
        if os.geteuid() != 0:
            raise NotHere("network namespaces need root")
        self.home = current()
        self.far = new_namespace()
        self.near = new_namespace()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @contextlib.contextmanager
    def at_far_end(self):
        """Sockets and children that this thread makes in here stay at the far end."""
        before = current()
        enter(self.far)
        try:
            yield
        finally:
            enter(before)
            os.close(before)

    def popen_far(self, command, **options):
        with self.at_far_end():
            return subprocess.Popen(command, **options)

    def close(self):
        """Moves this thread back. What still lives at an end keeps that end."""
        if self.home is None:
            return
        enter(self.home)
        for descriptor in (self.near, self.far, self.home):
            os.close(descriptor)
        self.home = None
