# SPDX-License-Identifier: GPL-3.0-or-later
"""People at both ends: a chat in a page, and a login by Debian's ssh."""

import hashlib
import os
import subprocess

import examples
import harness
from harness import case, equal
from irc import CHANNEL, IrcNative, IrcPage, ngircd
from services import ssh_command, sshd
from sessions import end_after_close


@case(timeout=90)
def irc(t):
    """Each page gets the kind of messages that it named first. What an old client types in Latin-1
    ends nobody's session, and an empty message is no command."""
    port = ngircd(t)
    p = examples.start(t, "irc.ini", backend="tcp://127.0.0.1:%d" % port)

    def page(nick, *offers):
        return IrcPage(p, nick, offers[0], "public", offers=", ".join(offers), context=t.context,
                       origin=examples.ORIGIN).log_in(nick).join()

    alice = page("alice", "text.ircv3.net", "binary.ircv3.net")
    bob = page("bob", "binary.ircv3.net", "text.ircv3.net")
    carol = IrcNative(t, port, "carol").log_in("Carol").join()
    for listener in (alice, bob):
        listener.wait_for("JOIN", "carol")
    carol.tell(b"gr\xfc\xdfe")
    for listener, want in ((alice, "gr\ufffd\ufffde".encode()), (bob, b"gr\xfc\xdfe")):
        line, _ = listener.wait_for("PRIVMSG", CHANNEL)
        assert line.endswith(b" :" + want), line
    alice.send_line(b"")
    alice.tell("caf\u00e9 \U0001f600")
    for listener in (bob, carol):
        line, before = listener.wait_for("PRIVMSG", CHANNEL)
        assert line.endswith(" :caf\u00e9 \U0001f600".encode()) and not before, line
    for one in (alice, bob):
        one.c.end_cleanly()
    equal([line["ending"] for line in p.log.wait("session.end", 2)], ["client_close"] * 2, "ends")


@case(timeout=120)
def ssh(t):
    """A login, an exit code, 5 MiB there and back. A page gets in from nowhere."""
    p = examples.start(t, "ssh.ini", backend="tcp://127.0.0.1:%d" % sshd(t))
    command = ssh_command(t, p, "/ssh", listen="public")
    data = os.urandom(5 << 20)
    done = subprocess.run([*command, "sha256sum; exit 7"], input=data, capture_output=True,
                          timeout=60 * harness.scale(), check=False)
    equal((done.stdout.split()[:1], done.returncode),
          ([hashlib.sha256(data).hexdigest().encode()], 7), "the remote command")
    done = subprocess.run([*command, "cat"], input=data, capture_output=True, check=True,
                          timeout=60 * harness.scale())
    equal(done.stdout == data, True, "5 MiB there and back")
    c = p.client("public", context=t.context).open("/ssh", origin=examples.ORIGIN)
    c.recv_close(1008)
    end_after_close(c, 1008)
    p.log.wait("session.end", ending="origin")
    p.log.wait("session.end", 3)
