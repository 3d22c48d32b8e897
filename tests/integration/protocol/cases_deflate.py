# SPDX-License-Identifier: GPL-3.0-or-later
"""permessage-deflate (RFC 7692) against an echo: route: the answer to every kind of offer, and
messages of every size, window, context and cut, both ways.
"""

import functools
import itertools
import os
import random

from deflateclient import DeflateClient, check, squeezed
from exchange import Pong, binary, run_rows, text
from harness import case, equal
from sessions import WIRES
from wsclient import BINARY, FIN, PING, TEXT, Client, frame

ON = "compression = on\n"
NAME = "permessage-deflate"
CLIENT, SERVER = "client_max_window_bits", "server_max_window_bits"
CLIENT_ANEW, SERVER_ANEW = "client_no_context_takeover", "server_no_context_takeover"


def offer(*params):
    return "; ".join([NAME, *params])


# The route's keys, the offer (a list: several lines), the answer. None: the program agrees to
# nothing.
AGREED = [
    ("plain", "", NAME, NAME),
    ("client_bits", "", offer(CLIENT), offer(CLIENT + "=12")),
    *(("client_bits_%d" % bits, "", offer("%s=%d" % (CLIENT, bits)),
       offer("%s=%d" % (CLIENT, min(bits, 12)))) for bits in range(8, 16)),
    ("client_bits.window_15", "compression_window = 15", offer(CLIENT), NAME),
    ("client_bits_15.window_15", "compression_window = 15", offer(CLIENT + "=15"),
     offer(CLIENT + "=15")),
    ("client_bits.window_9", "compression_window = 9", offer(CLIENT), offer(CLIENT + "=9")),
    ("plain.window_9", "compression_window = 9", NAME, NAME),
    *(("server_bits_%d" % bits, "", offer("%s=%d" % (SERVER, bits)),
       offer("%s=%d" % (SERVER, bits))) for bits in range(8, 16)),
    ("server_bits_15.window_9", "compression_window = 9", offer(SERVER + "=15"),
     offer(SERVER + "=15")),
    ("server_anew", "", offer(SERVER_ANEW), offer(SERVER_ANEW)),
    ("client_anew", "", offer(CLIENT_ANEW), offer(CLIENT_ANEW)),
    ("both_anew", "", offer(CLIENT_ANEW, SERVER_ANEW), offer(SERVER_ANEW, CLIENT_ANEW)),
    ("no_takeover_here", "compression_takeover = no", NAME, offer(SERVER_ANEW, CLIENT_ANEW)),
    ("no_takeover_here_nor_there", "compression_takeover = no", offer(SERVER_ANEW),
     offer(SERVER_ANEW, CLIENT_ANEW)),
    ("everything", "", offer(CLIENT, SERVER + "=10", CLIENT_ANEW, SERVER_ANEW),
     offer(SERVER_ANEW, CLIENT_ANEW, SERVER + "=10", CLIENT + "=12")),
    ("quoted", "", offer(CLIENT + '="11"'), offer(CLIENT + "=11")),
    ("quoted_escape", "", offer(SERVER + '="1\\1"'), offer(SERVER + "=11")),
    ("blanks", "", "permessage-deflate ;  client_max_window_bits = 10 ", offer(CLIENT + "=10")),
    ("no_blanks", "", "permessage-deflate;client_max_window_bits;server_max_window_bits=9",
     offer(SERVER + "=9", CLIENT + "=12")),
    ("tabs", "", "permessage-deflate\t;\tserver_no_context_takeover", offer(SERVER_ANEW)),
    # several offers: the first that can be accepted
    ("two_offers", "", "%s, %s" % (offer(CLIENT), NAME), offer(CLIENT + "=12")),
    ("second_of_two", "", "%s, %s" % (offer("unknown"), offer(SERVER_ANEW)), offer(SERVER_ANEW)),
    ("second_after_bad_bits", "", "%s, %s" % (offer(SERVER + "=7"), NAME), NAME),
    ("after_another_extension", "", "x-webkit-deflate-frame, %s" % NAME, NAME),
    ("before_another_extension", "", "%s, foo; bar=\"a, b; c\"" % NAME, NAME),
    ("after_a_quoted_comma", "", "foo; bar=\"a, permessage-deflate\", %s" % offer(CLIENT_ANEW),
     offer(CLIENT_ANEW)),
    ("two_lines", "", ["foo", offer(CLIENT)], offer(CLIENT + "=12")),
    ("two_lines_of_offers", "", [offer(SERVER_ANEW), NAME], offer(SERVER_ANEW)),
    ("empty_elements", "", " , ,%s, " % NAME, NAME),
    # declined: an offer with a mistake in it is as good as none (7.1.2)
    ("other_name", "", "x-permessage-deflate", None),
    ("upper_case", "", "Permessage-Deflate", None),
    ("deflate_frame", "", "deflate-frame", None),
    ("unknown_parameter", "", offer("foo"), None),
    ("unknown_parameter_with_value", "", offer("foo=1"), None),
    ("repeated_parameter", "", offer(CLIENT, CLIENT), None),
    ("repeated_anew", "", offer(CLIENT_ANEW, CLIENT_ANEW), None),
    ("server_bits_without_value", "", offer(SERVER), None),
    *(("%s_%s" % (side, name), "", offer("%s=%s" % (key, value)), None)
      for side, key in (("server_bits", SERVER), ("client_bits", CLIENT))
      for name, value in (("0", "0"), ("7", "7"), ("16", "16"), ("08", "08"), ("015", "015"),
                          ("999", "999"), ("word", "ten"), ("huge", "99999999999999999999"),
                          ("empty_quotes", '""'), ("float", "10.0"))),
    ("server_anew_with_value", "", offer(SERVER_ANEW + "=1"), None),
    ("client_anew_with_value", "", offer(CLIENT_ANEW + "=true"), None),
    ("off", "compression = off", NAME, None),
    ("off.everything", "compression = off", offer(CLIENT, SERVER_ANEW), None),
]

MALFORMED = ("permessage-deflate; ", "permessage-deflate; client_max_window_bits=",
             "permessage-deflate; =10", "permessage-deflate client_max_window_bits",
             "permessage-deflate; a=\"b", "permessage-deflate; a=\"b\\", ";", "=", "a b", "a;b c",
             "\"permessage-deflate\"", "permessage-deflate, ;", "permessage-deflate; a=b=c", "a/b")


@case(rows=WIRES)
def offers(t, listen):
    """Every form of offer gets its answer, and the agreed parameters work."""
    settings = list(dict.fromkeys(row[1] for row in AGREED))
    p = t.gateway(**{"r%d" % number: "backend = echo:\n%s%s" % (
        "" if keys.startswith("compression = ") else ON, keys)
        for number, keys in enumerate(settings)})
    problems = []
    for name, keys, offered, wanted in AGREED:
        try:
            one_offer(p, listen, "/r%d" % settings.index(keys), offered, wanted)
        except AssertionError as error:
            problems.append("%s: %s" % (name, error))
    assert not problems, "\n".join(problems)
    for offered in MALFORMED:
        c = p.client(listen)
        c.send_raw(c.request("/r0", headers=[("Sec-WebSocket-Extensions", offered)]))
        equal(c.read_response().status, 400, "status for %r" % offered)
        c.wire.close()
    print("%d offers" % (len(AGREED) + len(MALFORMED)))


def one_offer(p, listen, path, offered, wanted):
    data = b"twice the same words, twice the same words" * 30
    c = DeflateClient(p.wire(listen), offer=offered)
    if wanted is not None:
        c.open(path, wanted=wanted)
        for _ in range(3):
            c.send_raw(squeezed(BINARY, data)(c))
            equal(c.recv_message(), (BINARY, data), "echo")
        equal(c.compressed, 3, "compressed messages")
        c.end_cleanly()
        return
    lines = [offered] if isinstance(offered, str) else offered
    c = Client(c.wire).open(path, headers=[("Sec-WebSocket-Extensions", line) for line in lines])
    c.text("hello")
    equal(c.recv_message(), (TEXT, b"hello"), "echo")
    c.send_raw(frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=4))
    c.recv_close(1002)
    c.recv_end(FIN)
    c.wire.close()


# Messages.

SIZES = (0, 1, 2, 3, 63, 64, 65, 125, 126, 127, 1000, 4095, 4096, 4097, 16384, 32768, 65535, 65536,
         131072)


def prose(size):
    words = random.Random(4)
    whole = " ".join(words.choice(("gateway", "fox", "na\u00efve", "\u20ac", "socket", "the", "of"))
                     for _ in range(size // 4 + 1))
    return whole.encode()[:size].decode("utf-8", "ignore").encode()


CONTENTS = (("prose", TEXT, prose), ("zeroes", BINARY, bytes), ("random", BINARY, os.urandom))


def messages():
    for size, (kind, opcode, make) in itertools.product(SIZES, CONTENTS):
        data = make(size)
        wanted = text(data) if opcode == TEXT else binary(data)
        yield "%s.%d" % (kind, size), squeezed(opcode, data), wanted
        for parts in (2, 5):
            yield "%s.%d.in_%d" % (kind, size, parts), squeezed(opcode, data, parts), wanted
        for chop in (1, 3, 64, 997, 1460):
            if size // chop <= 1500:
                yield ("%s.%d.chops_of_%d" % (kind, size, chop), squeezed(opcode, data, chop=chop),
                       wanted)
        yield ("%s.%d.in_3.chops_of_997" % (kind, size), squeezed(opcode, data, 3, 997), wanted)
        yield ("%s.%d.with_pings" % (kind, size),
               squeezed(opcode, data, 3, between=frame(PING, b"p")), Pong(b"p"), Pong(b"p"), wanted)
    data = prose(200)
    for parts in range(1, 40):
        yield "prose.200.in_%d_frames" % parts, squeezed(TEXT, data, parts), text(data)
    many = [prose(10 + number % 90) for number in range(1000)]
    yield ("a_thousand", lambda c: b"".join(squeezed(TEXT, data)(c) for data in many),
           *map(text, many))
    yield "all_of_it_was_compressed", check(lambda c: equal(c.uncompressed, 0, "uncompressed"))


@case(timeout=120, rows=[("%s.%s" % (name, wire), listen, keys, offered, window)
                         for wire, listen in WIRES for name, keys, offered, window in (
                             ("defaults", "", NAME, 15), ("browser", "", offer(CLIENT), 15),
                             ("largest", "compression_window = 15", NAME, 15),
                             ("smallest", "compression_window = 9",
                              offer(CLIENT + "=9", SERVER + "=9"), 9),
                             ("anew", "compression_takeover = no", NAME, 15))])
def sizes(t, listen, keys, offered, window):
    run_rows(t, listen, messages(), ON + keys,
             functools.partial(DeflateClient, offer=offered, window=window))


def repeats(bits):
    """Repeats at distances just inside and outside a window, in one message and over several."""
    size = 1 << bits
    for distance in (size - 263, size - 262, size - 1, size, size + 1, size + 300):
        if distance > 0:
            data = random.Random(distance).randbytes(distance)
            yield "distance_%d" % distance, squeezed(BINARY, data * 2 + b"end"), binary(
                data * 2 + b"end")
            yield ("distance_%d.in_two_messages" % distance, squeezed(BINARY, data),
                   squeezed(BINARY, data), binary(data), binary(data))
    yield "zeroes", squeezed(BINARY, bytes(3 * size)), binary(bytes(3 * size))
    yield "prose", squeezed(TEXT, prose(size + 5000)), text(prose(size + 5000))


ANEW = ((), (CLIENT_ANEW,), (SERVER_ANEW,), (CLIENT_ANEW, SERVER_ANEW))


@case(timeout=120, rows=WIRES)
def windows(t, listen):
    """Windows both ways, with and without contexts. The client inflates everything, byte by byte,
    with exactly the agreed window."""
    p = t.gateway(r="backend = echo:\ncompression_window = 15\n" + ON)
    pairs = [(server, client) for server in (None, *range(8, 16)) for client in (None, 9, 12, 15)]
    for number, (server, client) in enumerate(pairs if listen == "plain" else pairs[::5]):
        params = [*(["%s=%d" % (SERVER, server)] if server else []),
                  *(["%s=%d" % (CLIENT, client)] if client else []),
                  *ANEW[(0, 0, 1, 2, 3)[number % 5]]]

        def make(wire, params=params):
            client = DeflateClient(wire, offer=offer(*params))
            client.is_bytewise = True
            return client

        rows = [(";".join(params) + "." + name, *steps)
                for name, *steps in repeats(min(server or 15, 13))]
        run_rows(t, listen, rows, make_client=make, gateway=p, is_silent=True)
    print("%d pairs" % (number + 1))
