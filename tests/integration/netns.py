# SPDX-License-Identifier: GPL-3.0-or-later
"""Two network namespaces with a cable between them, for clients that vanish without a word.

The case lives in the one, together with the program and its backends; the far end of the cable is
in the other. Neither has a name: both go away with the process of the case, however it ends, and
the machine's own network is not touched.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess

from harness import Skip

CLONE_NEWNET = 0x40000000
NEAR, FAR = "10.231.7.1", "10.231.7.2"

SILENCE = """
table inet vanished {
    chain in { type filter hook input priority 0; policy drop; }
    chain out { type filter hook output priority 0; policy drop; }
}
"""

libc = ctypes.CDLL(None, use_errno=True)


def tool(name, *arguments, text=None, **options):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip("needs %s" % name)
    done = subprocess.run([path, *arguments], input=text, capture_output=True, text=True, **options)
    if done.returncode:
        raise OSError("%s %s: %s" % (name, " ".join(arguments), done.stderr.strip()))


def new_namespace():
    """This thread is in it from now on. Returns a descriptor that stands for it."""
    if libc.unshare(CLONE_NEWNET):
        raise Skip("no network namespace: " + os.strerror(ctypes.get_errno()))
    tool("ip", "link", "set", "lo", "up")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Link:
    """Made before the program is started: what this thread starts and opens is at the near end."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skip("network namespaces need root")
        try:
            self.near = new_namespace()
            self.far = new_namespace()
            tool("ip", "link", "add", "far", "type", "veth", "peer", "name", "near",
                 "netns", "/proc/self/fd/%d" % self.near, pass_fds=[self.near])
            self.raise_link("far", FAR)
            self.vanish()  # only to see whether it is permitted
            self.come_back()
            enter(self.near)
            self.raise_link("near", NEAR)
        except OSError as error:
            raise Skip("not permitted: %s" % error) from None

    @staticmethod
    def raise_link(name, address):
        tool("ip", "address", "add", address + "/30", "dev", name)
        tool("ip", "link", "set", name, "up")

    @contextlib.contextmanager
    def at_far_end(self):
        """Sockets made in here stay there."""
        enter(self.far)
        try:
            yield
        finally:
            enter(self.near)

    def vanish(self):
        """From now on no packet gets in or out of the far end: neither FIN nor RST."""
        with self.at_far_end():
            tool("nft", "-f", "-", text=SILENCE)

    def come_back(self):
        with self.at_far_end():
            tool("nft", "delete", "table", "inet", "vanished")
