# SPDX-License-Identifier: GPL-3.0-or-later
"""Two network namespaces and a line of packets between them (link.c).

    with SlowLink(directory, delay=25, rate=20, queue=256) as line:
        server = subprocess.Popen(...)                # this thread and its children: the near end
        client = line.popen_far([...])                # a program at the far end
        with line.at_far_end():
            socket.create_connection((NEAR, port))    # this socket stays at the far end

delay is one way in milliseconds, rate in Mbit/s, queue in KiB, loss in percent; each direction has
its own. Needs root and /dev/net/tun; without them NotHere says so.
"""
import json
import os
import subprocess

from namespace import NotHere, Pair, enter

NEAR, FAR = "10.231.8.1", "10.231.8.2"
HERE = os.path.dirname(os.path.abspath(__file__))


def build(directory):
    """Compiles link.c, once for each directory; several processes may ask at once."""
    program = os.path.join(directory, "link")
    if not os.path.exists(program):
        compiler = os.environ.get("CC", "cc").split()
        fresh = "%s.%d" % (program, os.getpid())
        subprocess.run([*compiler, "-O2", "-D_GNU_SOURCE", "-o", fresh,
                        os.path.join(HERE, "link.c")], check=True)
        os.rename(fresh, program)
    return program


class SlowLink(Pair):
    """`congestion` names the congestion control of both ends; None leaves the kernel's own."""

    def __init__(self, directory, congestion=None, **settings):
        if not os.path.exists("/dev/net/tun"):
            raise NotHere("no /dev/net/tun")
        self.process, self.carried = None, None
        super().__init__()
        try:
            if congestion:
                self.control_congestion(congestion)
            self.start(build(directory), ["%s=%s" % setting for setting in settings.items()])
        except BaseException:
            self.close()
            raise

    def control_congestion(self, name):
        for namespace in (self.far, self.near):
            enter(namespace)
            try:
                with open("/proc/sys/net/ipv4/tcp_congestion_control", "w", encoding="ascii") as f:
                    f.write(name)
            except OSError as error:
                raise NotHere("congestion control %s: %s" % (name, error.strerror)) from None

    def start(self, program, words):
        ends = [self.near, self.far]
        self.process = subprocess.Popen(
            [program, *("/proc/self/fd/%d" % end for end in ends), *words], pass_fds=ends,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise NotHere(self.process.stderr.read().strip())

    def close(self):
        """Ends the line and moves this thread back. Afterwards `carried` says what passed."""
        if self.process is not None:
            said, _ = self.process.communicate()
            self.process = None
            self.carried = json.loads(said) if said.startswith("{") else None
        super().close()
