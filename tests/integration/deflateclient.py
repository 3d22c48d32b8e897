# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client that speaks permessage-deflate (RFC 7692) with zlib, to the letter of what was agreed.

It inflates with a window of exactly the size that was agreed, and byte by byte where a test wants
to be sure of that: zlib lets a longer distance pass when it has just written the bytes.
"""

import base64
import hashlib
import zlib

from exchange import Chops
from wsclient import (BINARY, CLOSE, CONTINUATION, GUID, PING, PONG, TEXT, Client, Frame, frame)

TAIL = b"\0\0\xff\xff"
OFFER = "permessage-deflate"
ANSWERED = ("server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits",
            "client_max_window_bits")


def params_of(answer):
    """The parameters of a response header as a dictionary; every oddity is an error."""
    name, *rest = [part.strip() for part in answer.split(";")]
    assert name == "permessage-deflate", answer
    params = {}
    for param in rest:
        key, _, value = param.partition("=")
        assert key in ANSWERED and key not in params, answer
        assert (value != "") == key.endswith("bits"), answer
        params[key] = int(value) if value else True
    return params


class DeflateClient(Client):
    def __init__(self, wire, host=None, offer=OFFER, window=15):
        super().__init__(wire, host)
        self.offer, self.window, self.is_bytewise = offer, window, False
        self.squeezer, self.inflater, self.in_squeezed = None, None, False
        self.in_message = False
        self.compressed, self.uncompressed = 0, 0  # messages that came
        self.wire_bytes = 0  # payload as it came

    def open(self, path="/", wanted=None, **request):
        """As Client's, with the offer; `wanted` is the answer to the letter."""
        offers = [self.offer] if isinstance(self.offer, str) else self.offer
        self.wire.send(self.request(path, headers=[("Sec-WebSocket-Extensions", offer)
                                                   for offer in offers], **request))
        response = self.read_response()
        assert response.status == 101, "%d instead of 101" % response.status
        want = base64.b64encode(hashlib.sha1(self.key.encode() + GUID).digest()).decode()
        assert response.get("Sec-WebSocket-Accept") == want, "the accept key is wrong"
        answers = response.headers["sec-websocket-extensions"]
        assert len(answers) == 1, "answers: %r" % answers
        assert wanted is None or answers[0] == wanted, "%r instead of %r" % (answers[0], wanted)
        self.use(params_of(answers[0]))
        return self

    def use(self, params):
        self.params = params
        self.server_bits = params.get("server_max_window_bits", 15)
        self.client_bits = max(9, min(params.get("client_max_window_bits", 15), self.window))
        self.is_server_anew = "server_no_context_takeover" in params
        self.is_client_anew = "client_no_context_takeover" in params

    # sending

    def squeeze(self, payload, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, flushes=()):
        """The payload of a compressed message; flushes: (position, kind) inside it."""
        if self.squeezer is None or self.is_client_anew:
            self.squeezer = zlib.compressobj(level, zlib.DEFLATED, -self.client_bits, 8, strategy)
        out, at = b"", 0
        for position, kind in flushes:
            out += self.squeezer.compress(payload[at:position]) + self.squeezer.flush(kind)
            at = position
        out += self.squeezer.compress(payload[at:]) + self.squeezer.flush(zlib.Z_SYNC_FLUSH)
        assert out.endswith(TAIL)
        return out[:-4]

    # receiving

    def recv_frame(self):
        """A frame as Client's, but inflated: what its bytes become, tail included at the end."""
        while len(self.pending) < 2:
            self.read_more()
        first = self.pending[0]
        assert first & 0x30 == 0, "RSV2 or RSV3 is set"
        if first & 0x40:
            assert first & 0x0F in (TEXT, BINARY), "RSV1 on opcode %d" % (first & 0x0F)
            self.pending[0] = first & ~0x40
        got = super().recv_frame()
        if got.opcode in (CLOSE, PING, PONG):
            return got
        self.wire_bytes += len(got.payload)
        if got.opcode != CONTINUATION:
            self.in_squeezed = bool(first & 0x40)
            self.compressed += self.in_squeezed
            self.uncompressed += not self.in_squeezed
        if not self.in_squeezed:
            return got
        return Frame(got.is_fin, got.opcode, self.inflate(got.payload, got.is_fin))

    def inflate(self, data, is_end):
        if self.inflater is None:
            self.inflater = zlib.decompressobj(-self.server_bits)
        data += TAIL if is_end else b""
        if self.is_bytewise:
            out = b"".join([self.inflater.decompress(data[at:at + 1]) for at in range(len(data))])
        else:
            out = self.inflater.decompress(data)
        assert not self.inflater.eof, "a block with BFINAL"
        if is_end and self.is_server_anew:
            self.inflater = None
        return out


def squeezed(opcode, payload, parts=1, chop=None, between=b"", **options):
    """A step: a compressed message in so many frames, `between` after each of them but the last."""

    def step(client):
        return cut(opcode, client.squeeze(payload, **options), parts, chop, between)

    return step


def cut(opcode, data, parts=1, chop=None, between=b""):
    """A message of these bytes with RSV1 on its first frame, in `parts` frames of like size."""
    size = -(-len(data) // parts) or 1
    pieces = [data[at * size:(at + 1) * size] for at in range(parts)]
    out = between.join(
        frame(opcode if at == 0 else CONTINUATION, piece, is_fin=at == parts - 1,
              rsv=4 if at == 0 else 0) for at, piece in enumerate(pieces))
    return Chops(out, chop) if chop else out


def check(function):
    """A step that only looks at the client."""

    def step(client):
        function(client)

    return step
