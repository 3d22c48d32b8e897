# SPDX-License-Identifier: GPL-3.0-or-later
"""Framing in front of services that expect it: an IRC server (lines) and a resolver (records)."""

import collections
import socket
import struct

import harness
from harness import case, equal
from irc import CHANNEL, IrcNative, IrcPage, ngircd
from services import start_service, wait_for_port
from sessions import WIRES, end_after_close
from wsclient import BINARY, CONTINUATION, PING, PONG, TEXT, frame

# IRC: ngircd, two pages, and beside them a client of the old kind.

IRC_ROUTE = """
framing = line
line_end = crlf
subprotocols = text.ircv3.net, binary.ircv3.net
backend = tcp://127.0.0.1:%d
"""


def irc(t):
    port = ngircd(t)
    return port, t.gateway(irc=IRC_ROUTE % port)


@case(timeout=90, rows=WIRES)
def irc_channel(t, listen):
    """Two pages, one for each subprotocol, and a native client talk in a channel."""
    port, p = irc(t)
    alice = IrcPage(p, "alice", "text.ircv3.net", listen).log_in("Alice Zo\u00eb \u20ac").join()
    bob = IrcPage(p, "bob", "binary.ircv3.net", listen).log_in("Bob").join()
    carol = IrcNative(t, port, "carol").log_in("Carol").join()
    alice.wait_for("JOIN", "carol")
    bob.wait_for("JOIN", "carol")
    everybody = [alice, bob, carol]
    texts = ["hello", "na\u00efve \u20ac \U0001f600", ":) :(", "  spaces  stay", "x" * 400]
    for number in range(10):
        for speaker in everybody:
            text = "%d %s" % (number, texts[number % len(texts)])
            speaker.tell(text)
            for listener in everybody:
                if listener is not speaker:
                    line, before = listener.wait_for("PRIVMSG")
                    equal(before, [], "lines before it")
                    want = " PRIVMSG %s :%s" % (CHANNEL, text)
                    assert line.endswith(want.encode()), (line, want)
                    assert line.startswith(b":" + speaker.nick.encode() + b"!"), line
    bob.say("WHOIS alice")
    bob.wait_for(" 311 ", "Alice Zo\u00eb \u20ac")
    carol.say("QUIT :bye")
    alice.wait_for("QUIT", "carol", "bye")
    alice.say("QUIT :enough")
    alice.wait_for("ERROR")
    alice.c.recv_close(1000, has_reason=False)
    end_after_close(alice.c)
    bob.wait_for("QUIT", "alice", "enough")
    bob.c.end_cleanly()
    p.log.wait("session.end", ending="backend_close")
    p.log.wait("session.end", ending="client_close")


@case(timeout=90)
def irc_lines_in_fragments(t):
    """A line comes in fragments cut at every place, with frames chopped, and many lines in one
    write."""
    _, p = irc(t)
    alice = IrcPage(p, "alice", "text.ircv3.net", "plain").log_in("Alice").join()
    bob = IrcPage(p, "bob", "binary.ircv3.net", "tls").log_in("Bob").join()
    alice.wait_for("JOIN", "bob")
    line = ("PRIVMSG %s :\u20ac!" % CHANNEL).encode()
    for cut in range(len(line) + 1):
        wire = frame(TEXT, line[:cut], is_fin=False) + frame(PING, b"") + frame(
            CONTINUATION, line[cut:])
        for at in range(0, len(wire), 7):
            alice.c.send_raw(wire[at:at + 7])
        got, before = bob.wait_for("PRIVMSG")
        assert got.endswith(line) and not before, (got, before)
        equal(alice.c.recv_frame().opcode, PONG, "opcode")
    bob.c.send_raw(b"".join(frame(BINARY, line + b" %d" % n) for n in range(200)))
    for number in range(200):
        got, before = alice.wait_for("PRIVMSG")
        assert got.endswith(b"! %d" % number) and not before, (got, before)


@case(timeout=90)
def irc_not_utf8(t):
    """An old client sends bytes. A page for bytes gets them, and a page for text gets 1011."""
    port, p = irc(t)
    alice = IrcPage(p, "alice", "text.ircv3.net", "plain").log_in("Alice").join()
    bob = IrcPage(p, "bob", "binary.ircv3.net", "plain").log_in("Bob").join()
    carol = IrcNative(t, port, "carol").log_in("Carol").join()
    alice.wait_for("JOIN", "carol")
    carol.tell(b"gr\xfc\xdfe")
    line, _ = bob.wait_for("PRIVMSG")
    assert line.endswith(b" :gr\xfc\xdfe"), line
    alice.c.recv_close(1011)
    end_after_close(alice.c, 1011)
    bob.wait_for("QUIT", "alice")
    line = p.log.wait("session.end")[0]
    equal((line["ending"], line["code"]), ("backend_data", "1011"), "the end")
    assert line["detail"], "no detail"
    bob.tell(b"\xfc")
    line, _ = carol.wait_for("PRIVMSG")
    assert line.endswith(b" :\xfc"), line


@case(timeout=90, rows=[("crlf", b"\r\n", TEXT), ("lf", b"\n", TEXT), ("cr", b"\r", TEXT),
                        ("crlf_binary", b"\r\n", BINARY)])
def irc_injection(t, terminator, opcode):
    """The text that somebody smuggles into a page becomes no second command, nor a first one."""
    _, p = irc(t)
    subprotocol = "text.ircv3.net" if opcode == TEXT else "binary.ircv3.net"
    alice = IrcPage(p, "alice", subprotocol, "tls").log_in("Alice").join()
    bob = IrcPage(p, "bob", "text.ircv3.net", "tls").log_in("Bob").join()
    alice.wait_for("JOIN", "bob")
    alice.tell(b"hello" + terminator + b"QUIT :injected")
    alice.c.recv_close(1008)
    end_after_close(alice.c, 1008)
    line, before = bob.wait_for("QUIT", "alice")
    assert b"injected" not in line, line
    equal(before, [], "what reached the channel")
    p.one_end("framing", code=1008)


# DNS over TCP: unbound with a zone of its own.

UNBOUND_CONFIG = """
server:
    directory: "{dir}"
    chroot: ""
    username: ""
    pidfile: ""
    logfile: ""
    use-syslog: no
    do-daemonize: no
    num-threads: 1
    interface: 127.0.0.1
    port: {port}
    do-ip6: no
    do-udp: no
    incoming-num-tcp: 50
    access-control: 127.0.0.0/8 allow
    module-config: "iterator"
    local-zone: "zone.test." static
    {data}
remote-control:
    control-enable: no
"""

A, TXT, AAAA = 1, 16, 28
TEXTS = [b"%02d-" % n + b"text" * 60 for n in range(40)]

DNS_ROUTE = """
framing = length16
subprotocols = dns
backend = tcp://127.0.0.1:%d
"""


def unbound(t):
    port = harness.free_port()
    records = ["a.zone.test. A 192.0.2.1", "a.zone.test. AAAA 2001:db8::1"]
    records += ["n%d.zone.test. A 192.0.2.%d" % (n, n) for n in range(1, 255)]
    records += ['big.zone.test. TXT "%s"' % text.decode() for text in TEXTS]
    data = "\n    ".join("local-data: '%s'" % record for record in records)
    config = t.write("unbound.conf", UNBOUND_CONFIG.format(dir=t.dir, port=port, data=data))
    process = start_service(t, ["/usr/sbin/unbound", "-d", "-p", "-c", config], "unbound.log")
    wait_for_port(t, port, process, "unbound.log")
    return port


Answer = collections.namedtuple("Answer", "id rcode data")


def query(number, name, kind=A):
    """Returns a query as it stands in a record."""
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b"."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack(
        "!BHH", 0, kind, 1)


def skip_name(message, at):
    while message[at] != 0:
        if message[at] >= 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1


def answer(message):
    """Takes a whole answer apart; every byte must belong to it."""
    number, flags, questions, answers, authorities, more = struct.unpack("!HHHHHH", message[:12])
    assert flags & 0x8000, "no answer: %r" % message[:80]
    at, data = 12, []
    for _ in range(questions):
        at = skip_name(message, at) + 4
    for index in range(answers + authorities + more):
        at = skip_name(message, at)
        _, _, _, size = struct.unpack("!HHIH", message[at:at + 10])
        if index < answers:
            data.append(message[at + 10:at + 10 + size])
        at += 10 + size
    equal(at, len(message), "end of the answer")
    return Answer(number, flags & 15, data)


def big_answer(got):
    equal((got.rcode, sorted(got.data)), (0, [bytes([len(text)]) + text for text in TEXTS]),
          "the long answer")


def dns(t, keys=""):
    return t.gateway(dns=DNS_ROUTE % unbound(t) + keys)


def ask(c, *question):
    c.binary(query(*question))
    opcode, message = c.recv_message()
    equal(opcode, BINARY, "opcode")
    return answer(message)


@case(timeout=90, rows=WIRES)
def dns_one_by_one(t, listen):
    """A message is a query, and a message is its answer."""
    p = dns(t)
    c = p.client(listen).open("/dns", subprotocols="dns")
    equal(ask(c, 1, "a.zone.test"), (1, 0, [bytes([192, 0, 2, 1])]), "A")
    equal(ask(c, 2, "a.zone.test", AAAA), (2, 0, [socket.inet_pton(socket.AF_INET6,
                                                                   "2001:db8::1")]), "AAAA")
    equal(ask(c, 3, "missing.zone.test"), (3, 3, []), "a name that does not exist")
    big_answer(ask(c, 4, "big.zone.test", TXT))
    for number in range(1, 255):
        want = (number + 1000, 0, [bytes([192, 0, 2, number])])
        equal(ask(c, number + 1000, "n%d.zone.test" % number), want, "A")
    c.end_cleanly()
    p.one_end("client_close")


@case(timeout=90, rows=WIRES)
def dns_pipelined(t, listen):
    """Many queries come in one write, some with long answers; each gets one answer."""
    p = dns(t)
    c = p.client(listen).open("/dns", subprotocols="dns")
    wire = b""
    for number in range(1, 201):
        wire += frame(BINARY, query(number, "n%d.zone.test" % number))
        if number % 10 == 0:
            wire += frame(BINARY, query(number + 1000, "big.zone.test", TXT))
    c.send_raw(wire)
    got = {}
    for _ in range(220):
        one = answer(c.recv_message()[1])
        assert one.id not in got, "%d is answered twice" % one.id
        got[one.id] = one
    for number in range(1, 201):
        equal(got[number].data, [bytes([192, 0, 2, number])], "answer %d" % number)
        if number % 10 == 0:
            big_answer(got[number + 1000])
    c.end_cleanly()


@case(timeout=90, rows=WIRES)
def dns_in_fragments(t, listen):
    """A query comes cut at every place, and byte by byte; answers come in frames of 128 bytes."""
    p = dns(t, "max_frame_out = 128\n")
    c = p.client(listen).open("/dns", subprotocols="dns")
    question = query(7, "a.zone.test")
    for cut in range(len(question) + 1):
        c.send(BINARY, question[:cut], is_fin=False)
        c.send(CONTINUATION, question[cut:])
        equal(answer(c.recv_message()[1]).data, [bytes([192, 0, 2, 1])], "answer")
    for byte in b"".join(frame(BINARY if at == 0 else CONTINUATION, question[at:at + 1],
                               is_fin=at == len(question) - 1) for at in range(len(question))):
        c.send_raw(bytes([byte]))
    equal(answer(c.recv_message()[1]).data, [bytes([192, 0, 2, 1])], "answer")
    c.binary(query(8, "big.zone.test", TXT))
    frames = [c.recv_frame()]
    while not frames[-1].is_fin:
        frames.append(c.recv_frame())
    assert max(len(f.payload) for f in frames) <= 128, "a frame is too long"
    equal([f.opcode for f in frames], [BINARY] + [CONTINUATION] * (len(frames) - 1), "opcodes")
    big_answer(answer(b"".join(f.payload for f in frames)))
    c.end_cleanly()


@case(timeout=90)
def dns_resolver_hangs_up(t):
    """A record is no query: what the resolver then does reaches the page in order."""
    p = dns(t)
    c = p.client().open("/dns", subprotocols="dns")
    equal(ask(c, 1, "a.zone.test").rcode, 0, "rcode")
    c.binary(b"")
    c.recv_close(1000, has_reason=False)
    end_after_close(c)
    p.one_end("backend_close", code=1000)
