# SPDX-License-Identifier: GPL-3.0-or-later
"""proxy_protocol = on: the PROXY header in front of a connection, good, malformed, cut and absent.

The test itself is the proxy. Each row runs over TLS and over plain ws://.
"""

import json
import time

import fronts
import wsclient
from fronts import LOCAL, SIGNATURE, call, gateway, tls_tlv, tlv, v1, v2
from harness import case, equal, scale, wait_until
from scrape import ask
from sessions import WIRES
from wsclient import FIN, TEXT, Wire

ECHO = "origins = none\nbackend = echo:\n"
ALLOWED = ECHO + "allow = 198.51.100.7\n"

GOOD = [
    # name, header, client in the log
    ("v1", v1(), "198.51.100.7:4711"),
    ("v1_ipv6", v1("2001:db8::7", "2001:db8::1"), "[2001:db8::7]:4711"),
    ("v1_107_bytes", ("PROXY UNKNOWN %s %s 65535 65535\r\n" % ((":".join(["ffff"] * 8),) * 2))
     .encode(), "-"),
    ("v1_unknown", b"PROXY UNKNOWN\r\n", "-"),
    ("v2", v2(), "198.51.100.7:4711"),
    ("v2_ipv6", v2(source="2001:db8::7", destination="2001:db8::1"), "[2001:db8::7]:4711"),
    ("v2_mapped", v2(source="::ffff:198.51.100.7", destination="::ffff:1.2.3.4"),
     "198.51.100.7:4711"),
    ("v2_unspec", v2(source=None), "-"),
    ("v2_unix", v2(b"x" * 216, source=None, family=0x31), "-"),
    ("v2_tlvs", v2(tlv(0x04, b"\0" * 99), tlv(0xE0, b"own"), tls_tlv(tlv(0x21, b"TLSv1.3")),
                   tlv(fronts.AUTHORITY, b"localhost"), tlv(fronts.UNIQUE_ID, b"\n\"id")),
     "198.51.100.7:4711"),
    ("v2_4096_bytes", v2(tlv(0x04, b"\0" * (4096 - 28 - 3))), "198.51.100.7:4711"),
]


@case(rows=[("%s.%s" % (row[0], wire), listen, *row) for row in GOOD for wire, listen in WIRES])
def good(t, listen, name, header, client):
    p = gateway(t, r=ECHO)
    for is_one_segment in (False, True):
        c = call(t, p, listen, header, is_one_segment)
        c.open("/r", origin=None)
        c.text("hello")
        equal(c.recv_message(), (TEXT, b"hello"), "echo")
        c.end_cleanly()
    for line in p.log.wait("session.end", 2):
        equal(line["client"], client, "client")
        equal(line["proxy"].partition(":")[0], "127.0.0.1", "proxy")


BAD = [
    # name, what comes, the detail
    ("nothing_of_it", b"GET / HTTP/1.1\r\n\r\n", "no PROXY header"),
    ("hello", b"\x16\x03\x01\x02\x00\x01", "no PROXY header"),
    ("lower_case", b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "no PROXY header"),
    ("no_family", b"PROXY \r\n", "PROXY line without a family"),
    ("family", b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
     "PROXY line of a family that is not TCP4, TCP6 or UNKNOWN"),
    ("few_words", b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
     "PROXY line without two addresses and two ports"),
    ("many_words", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
     "PROXY line with more than two addresses and two ports"),
    ("address", b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY line with a wrong address or port"),
    ("other_family", b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
     "PROXY line with a wrong address or port"),
    ("port", b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "PROXY line with a wrong address or port"),
    ("lone_lf", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY line with a lone CR or LF"),
    ("lone_cr", b"PROXY UNKNOWN\rx", "PROXY line with a lone CR or LF"),
    ("108_bytes", b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", "PROXY line of more than 107 bytes"),
    ("version", SIGNATURE + b"\x31\x11\0\x0c", "PROXY header of an unknown version"),
    ("command", SIGNATURE + b"\x22\x11\0\x0c", "PROXY header with an unknown command"),
    ("v2_family", SIGNATURE + b"\x21\x41\0\x0c", "PROXY header of an unknown family"),
    ("transport", SIGNATURE + b"\x21\x13\0\x0c", "PROXY header of an unknown family"),
    ("short", v2(b"\0" * 11, source=None, family=0x11), "PROXY header too short for its addresses"),
    ("4097_bytes", v2(tlv(0x04, b"\0" * (4097 - 28 - 3))), "PROXY header of more than 4096 bytes"),
    ("tlv", v2(b"\x02\0\x09short"), "PROXY header with a TLV that sticks out"),
    ("tlv_twice", v2(tlv(2, b"a"), tlv(2, b"b")), "PROXY header with a TLV twice"),
    ("id", v2(tlv(5, b"x" * 129)), "PROXY header with a unique id of more than 128 bytes"),
    ("tls", v2(tlv(0x20, b"\1\0\0\0")),
     "PROXY header with a TLS value of less than five bytes"),
    ("tls_tlv", v2(tls_tlv(b"\x21\0\x09TLS")),
     "PROXY header with a TLV that sticks out of the TLS value"),
    ("checksum", v2(tlv(3, b"\0\0\0\0")), "PROXY header with a wrong checksum"),
]


@case(rows=[(wire, listen) for wire, listen in WIRES])
def malformed(t, listen):
    """One line with the detail, and the connection ends: 400 where no TLS is due."""
    p = gateway(t, r=ECHO)
    for count, (name, data, detail) in enumerate(BAD, 1):
        c = wsclient.Client(Wire(p.ports[listen]))
        t.cleanup(c.wire.close)
        c.wire.send(data)
        if listen == "plain":
            equal(c.read_response().status, 400, name)
        c.recv_end(FIN)
        c.wire.finish()
        line = p.log.wait("session.end", count)[-1]
        equal((line["ending"], line.get("detail"), line["client"], line["level"]),
              ("bad_request", detail, "-", "info"), name)
    equal(len(p.ends()), len(BAD), "lines")


@case(rows=[(wire, listen) for wire, listen in WIRES])
def cut_everywhere(t, listen):
    """Every header in two pieces, at every place."""
    p = gateway(t, server="max_pending = 1000", r=ALLOWED)
    headers = [v1(), v2(tls_tlv(tlv(0x21, b"TLSv1.3")), tlv(2, b"localhost"))]
    wires = []
    for header in headers:
        for cut in range(1, len(header)):
            wire = Wire(p.ports[listen], timeout=20.0 * scale())
            t.cleanup(wire.close)
            wire.sock.sendall(header[:cut])
            wires.append((wire, header[cut:]))
    time.sleep(0.1)  # so that the program reads the first pieces alone; nothing depends on it
    for at, (wire, rest) in enumerate(wires):
        wire.sock.sendall(rest)
        if listen == "tls" and at % 8 == 0:
            wire.begin_tls(t.context)
        elif listen == "tls":
            continue
        c = wsclient.Client(wire).open("/r", origin=None)
        c.end_cleanly()
    wanted = len(wires) if listen == "plain" else len(range(0, len(wires), 8))
    for line in p.log.wait("session.end", wanted, ending="client_close"):
        equal(line["client"], "198.51.100.7:4711", "client")


@case(rows=[(wire, listen) for wire, listen in WIRES])
def byte_by_byte(t, listen):
    p = gateway(t, r=ALLOWED)
    wire = Wire(p.ports[listen], timeout=20.0 * scale())
    t.cleanup(wire.close)
    for byte in v2():
        wire.sock.sendall(bytes([byte]))
    if listen == "tls":
        wire.begin_tls(t.context)
    wsclient.Client(wire).open("/r", origin=None).end_cleanly()
    p.one_end("client_close", client="198.51.100.7:4711")


@case(rows=[(wire, listen) for wire, listen in WIRES])
def slow(t, listen):
    """The deadline runs from the accept on."""
    p = gateway(t, server="tls_timeout = 300ms\nrequest_timeout = 300ms", r=ECHO)
    c = wsclient.Client(Wire(p.ports[listen]))
    t.cleanup(c.wire.close)
    c.wire.send(v1()[:-1])
    if listen == "plain":
        equal(c.read_response().status, 408, "status")
    c.recv_end(FIN)
    c.wire.finish()
    word, key = (("tls_failed", "tls_timeout") if listen == "tls"
                 else ("head_too_slow", "request_timeout"))
    p.one_end(word, detail="the PROXY header took longer than " + key)


@case(rows=[(wire, listen) for wire, listen in WIRES])
def ends_inside(t, listen):
    p = gateway(t, r=ECHO)
    c = wsclient.Client(Wire(p.ports[listen]))
    t.cleanup(c.wire.close)
    c.wire.send(v2()[:20])
    c.wire.finish()
    c.recv_end(FIN)
    p.one_end("client_cut", detail="FIN inside the PROXY header")


@case(rows=[(wire, listen) for wire, listen in WIRES])
def stranger(t, listen):
    """A peer that is not listed: its header says nothing, and one line tells who it is."""
    p = gateway(t, r=ECHO)
    wire = Wire(p.ports[listen], source=(fronts.CLIENT, 0))
    t.cleanup(wire.close)
    c = wsclient.Client(wire)
    c.wire.send(v1())
    if listen == "plain":
        equal(c.read_response().status, 403, "status")
    c.recv_end(FIN)
    c.wire.finish()
    line = p.one_end("source", client=wire.local)
    equal(line["detail"], "proxy_protocol = on, and trusted_proxies does not list this address",
          "detail")
    assert "proxy" not in line, line


@case()
def nobody_expects_it(t):
    """Without the key nobody looks for a header, and a spoofed one opens nothing."""
    p = gateway(t, keys="trusted_proxies = 127.0.0.1\n", r=ALLOWED)
    for header in (v1(), v2()):
        c = wsclient.Client(Wire(p.ports["plain"]))
        t.cleanup(c.wire.close)
        c.wire.send(header + c.request("/r", origin=None))
        equal(c.read_response().status, 400, "status")
        c.recv_end(FIN)
        c.wire.finish()
    wire = Wire(p.ports["tls"])
    t.cleanup(wire.close)
    wire.sock.sendall(v1())
    c = wsclient.Client(wire)
    wire.recv()
    equal(wire.ended or FIN, FIN, "the end")
    wire.finish()
    lines = p.log.wait("session.end", 3)
    equal([line["ending"] for line in lines], ["bad_request", "bad_request", "tls_failed"], "words")
    assert all("proxy" not in line for line in lines), lines


PROBES = [("connects", b""), ("local", LOCAL), ("unknown", b"PROXY UNKNOWN\r\n"),
          ("for_a_client", v2())]


@case(rows=[(wire, listen) for wire, listen in WIRES])
def probes_are_quiet(t, listen):
    """Balancers look every second: nothing of that is in the log, by FIN or by reset."""
    p = gateway(t, server="log_level = debug", r=ECHO)
    for _, data in PROBES:
        for how in ("finish", "reset"):
            wire = Wire(p.ports[listen])
            t.cleanup(wire.close)
            wire.sock.sendall(data)
            getattr(wire, how)()
    for line in p.log.wait("session.end", 2 * len(PROBES)):
        equal(line["level"], "debug", "level of %r" % line)


@case(rows=[(wire, listen) for wire, listen in WIRES])
def who_may(t, listen):
    """allow and deny see whom the header names; an unknown client gets nothing by its address."""
    p = gateway(t, open=ECHO, allow=ALLOWED, deny=ECHO + "deny = 198.51.100.0/24",
                local=ECHO + "allow = 127.0.0.1")
    rows = [(v1(), "allow", True), (v1(), "deny", False), (v1(), "local", False),
            (v1("198.51.101.7"), "allow", False), (v1("198.51.101.7"), "deny", True),
            (LOCAL, "local", True), (LOCAL, "allow", False),
            (b"PROXY UNKNOWN\r\n", "open", True), (b"PROXY UNKNOWN\r\n", "local", False),
            (b"PROXY UNKNOWN\r\n", "allow", False), (b"PROXY UNKNOWN\r\n", "deny", False),
            (v2(source=None), "deny", False), (v2(source=None), "open", True)]
    for header, route, is_allowed in rows:
        c = call(t, p, listen, header).open("/" + route, origin=None)
        if is_allowed:
            c.end_cleanly()
        else:
            c.recv_close(1008)
            c.close(1008)
            c.recv_end(FIN)
            c.wire.finish()
    ends = [line["ending"] for line in p.log.wait("session.end", len(rows))]
    equal(ends, ["client_close" if row[2] else "source" for row in rows], "endings")


def sessions(p, query=""):
    return json.loads(ask(p.ports["admin"], "/sessions" + query)[2])["sessions"]


@case()
def client_in_the_list(t):
    """/sessions has the client, and the peer as its proxy."""
    p = t.start(t.config(listens="[listen plain]\naddress = 127.0.0.1:0\n" + fronts.PROXY_KEYS +
                         "[admin]\naddress = 127.0.0.1:0\n", r=ECHO))
    c = call(t, p, "plain", v1()).open("/r", origin=None)
    unknown = call(t, p, "plain", b"PROXY UNKNOWN\r\n").open("/r", origin=None)
    wait_until(lambda: len(sessions(p, "?phase=open")) == 2, "two rows")
    rows = sessions(p)
    equal(sorted((row["client"], row["proxy"]) for row in rows if row["client"]),
          [("198.51.100.7:4711", c.wire.local)], "the known client")
    equal([row["proxy"] for row in rows if row["client"] is None], [unknown.wire.local], "unknown")
    equal(len(sessions(p, "?client=198.51.100.7")), 1, "found by the address")
    c.end_cleanly()
    unknown.end_cleanly()


TLS_ENDED = v2(tls_tlv(tlv(0x21, b"TLSv1.3")), tlv(2, b"a.test"))


@case()
def tls_ended_in_front(t):
    """On a plain listener the client's TLS is the one that the proxy ended: `same` wants https,
    and its SNI must be the Host."""
    p = gateway(t, same="backend = echo:\n", named="host = a.test\norigins = none\nbackend = echo:")
    rows = [(TLS_ENDED, "/same", "a.test", "https://a.test", "client_close"),
            (TLS_ENDED, "/same", "a.test", "http://a.test", "origin"),
            (v2(), "/same", "a.test", "http://a.test", "origin"),
            (TLS_ENDED, "/named", "a.test", None, "client_close"),
            (v2(tls_tlv(), tlv(2, b"b.test")), "/named", "a.test", None, "no_route")]
    for header, path, host, origin, ending in rows:
        c = call(t, p, "plain", header)
        c.host = host
        c.open(path, origin=origin)
        if ending == "client_close":
            c.end_cleanly()
        else:
            c.recv_close(1008)
            c.close(1008)
            c.recv_end(FIN)
            c.wire.finish()
    equal([line["ending"] for line in p.log.wait("session.end", len(rows))],
          [row[4] for row in rows], "endings")


@case()
def reload(t):
    """Connections from before keep what they know; a new one is judged by the new list."""
    text = t.config(listens="[listen plain]\naddress = 127.0.0.1:0\n" + fronts.PROXY_KEYS, r=ECHO)
    p = t.start(text)
    c = call(t, p, "plain", v1()).open("/r", origin=None)
    t.write("sluice-0.ini", text.replace("127.0.0.1\nproxy", "10.0.0.1\nproxy"))
    p.send_signal(1)
    line = p.log.wait("reload.done")[0]
    equal(line["listens_changed"], "1", "changed")
    stranger = wsclient.Client(Wire(p.ports["plain"]))
    t.cleanup(stranger.wire.close)
    equal(stranger.read_response().status, 403, "status")
    stranger.wire.finish()
    c.end_cleanly()
    p.log.wait("session.end", client="198.51.100.7:4711", ending="client_close")
