# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS below the library: hand-made ClientHellos, and forged records of an established session.

A record is forged with the traffic secret that Python's ssl writes to a key log, so it is
authentic: it reaches the code behind the decryption. AES-GCM is done here in a few slow lines.
"""

import hashlib
import hmac
import os
import struct

HANDSHAKE, APPLICATION, ALERT = 22, 23, 21
HANDSHAKE_FAILURE, PROTOCOL_VERSION, NO_APPLICATION_PROTOCOL = 40, 70, 120


def record(kind, payload, version=0x0303):
    return struct.pack("!BHH", kind, version, len(payload)) + payload


def vector(width, data):
    return len(data).to_bytes(width, "big") + data


def extension(kind, data):
    return struct.pack("!H", kind) + vector(2, data)


def client_hello(alpn=None, key_shares=None, extra=b"", server_name=b"localhost"):
    """A TLS 1.3 ClientHello message with the given raw ALPN list and key shares."""
    shares = key_shares if key_shares is not None else [(0x001D, os.urandom(32))]
    extensions = extension(0, vector(2, b"\0" + vector(2, server_name)))
    extensions += extension(10, vector(2, b"\x00\x1d\x00\x17"))
    extensions += extension(13, vector(2, b"\x04\x03\x08\x04\x04\x01"))
    extensions += extension(43, vector(1, b"\x03\x04"))
    listed = b"".join(struct.pack("!H", group) + vector(2, key) for group, key in shares)
    extensions += extension(51, vector(2, listed))
    if alpn is not None:
        extensions += extension(16, alpn)
    body = b"\x03\x03" + os.urandom(32) + vector(1, os.urandom(32))
    body += vector(2, b"\x13\x01\x13\x02\x13\x03") + vector(1, b"\0")
    body += vector(2, extensions + extra)
    return b"\x01" + vector(3, body)


def records_of(message, size=16384):
    """A handshake message over as many records as it needs."""
    return b"".join(record(HANDSHAKE, message[at:at + size], 0x0301)
                    for at in range(0, len(message), size))


def alert_of(data):
    """The description of a plain alert record among `data`, or None."""
    at = 0
    while at + 5 <= len(data):
        kind, _, size = struct.unpack("!BHH", data[at:at + 5])
        if kind == ALERT and size == 2:
            return data[at + 6]
        at += 5 + size
    return None


# AES (FIPS 197) and GCM (SP 800-38D), encryption only


def _times2(a):
    return (a << 1 ^ (0x11B if a & 0x80 else 0)) & 0xFF


def _make_box():
    log, power, a = [0] * 256, [0] * 256, 1
    for i in range(255):
        power[i], log[a] = a, i
        a ^= _times2(a)
    box = []
    for value in range(256):
        inverse = power[(255 - log[value]) % 255] if value else 0
        out = 0x63
        for shift in range(5):
            out ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
        box.append(out)
    return box


BOX = _make_box()


def aes_block(key, block):
    """One block under a key of 16 or 32 bytes."""
    words = [key[i:i + 4] for i in range(0, len(key), 4)]
    n, constant = len(words), 1
    for i in range(n, 4 * (n + 7)):
        word = words[-1]
        if i % n == 0:
            word = bytes(BOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _times2(constant)
        elif n > 6 and i % n == 4:
            word = bytes(BOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[i - n])))
    keys = [b"".join(words[i:i + 4]) for i in range(0, len(words), 4)]
    state = bytes(a ^ b for a, b in zip(block, keys[0]))
    for number, round_key in enumerate(keys[1:], 1):
        state = bytes(BOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16))
        if number < len(keys) - 1:
            state = b"".join(_mix(state[i:i + 4]) for i in range(0, 16, 4))
        state = bytes(a ^ b for a, b in zip(state, round_key))
    return state


def _mix(c):
    every = c[0] ^ c[1] ^ c[2] ^ c[3]
    return bytes(c[i] ^ every ^ _times2(c[i] ^ c[(i + 1) % 4]) for i in range(4))


def gcm_seal(key, nonce, plain, extra):
    """Ciphertext and tag."""
    sealed = b""
    for at in range(0, len(plain), 16):
        stream = aes_block(key, nonce + struct.pack("!I", at // 16 + 2))
        sealed += bytes(a ^ b for a, b in zip(plain[at:at + 16], stream))
    subkey = int.from_bytes(aes_block(key, bytes(16)), "big")
    digest = 0
    hashed = _pad(extra) + _pad(sealed) + struct.pack("!QQ", 8 * len(extra), 8 * len(sealed))
    for at in range(0, len(hashed), 16):
        digest = _multiply(digest ^ int.from_bytes(hashed[at:at + 16], "big"), subkey)
    mask = int.from_bytes(aes_block(key, nonce + b"\0\0\0\1"), "big")
    return sealed + (digest ^ mask).to_bytes(16, "big")


def _pad(data):
    return data + bytes(-len(data) % 16)


def _multiply(a, b):
    product = 0
    for bit in range(127, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (0xE1 << 120 if b & 1 else 0)
    return product


class Forger:
    """Writes records of a TLS 1.3 session from its client's side."""

    def __init__(self, key_log, cipher, sequence=0):
        self.digest = hashlib.sha384 if cipher.endswith("SHA384") else hashlib.sha256
        assert "AES" in cipher and "GCM" in cipher, cipher
        self.key_size = 32 if "256_GCM" in cipher else 16
        self.use(self.find(key_log), sequence)

    @staticmethod
    def find(key_log):
        with open(key_log) as file:
            for line in file:
                if line.startswith("CLIENT_TRAFFIC_SECRET_0 "):
                    return bytes.fromhex(line.split()[2])
        raise AssertionError("no secret in the key log")

    def use(self, secret, sequence=0):
        self.secret = secret
        self.key = self.expand(b"key", self.key_size)
        self.nonce = int.from_bytes(self.expand(b"iv", 12), "big")
        self.sequence = sequence

    def expand(self, label, size):
        info = struct.pack("!H", size) + vector(1, b"tls13 " + label) + vector(1, b"")
        return hmac.new(self.secret, info + b"\1", self.digest).digest()[:size]

    def record(self, inner):
        """An authentic record of these inner plaintext bytes (content, type, padding)."""
        head = struct.pack("!BHH", APPLICATION, 0x0303, len(inner) + 16)
        nonce = (self.nonce ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return head + gcm_seal(self.key, nonce, inner, head)

    def key_update(self, asks_for_theirs=True):
        """A KeyUpdate; what follows is sealed with the next key."""
        sealed = self.record(b"\x18\0\0\1" + bytes([asks_for_theirs, HANDSHAKE]))
        self.use(self.expand(b"traffic upd", self.digest().digest_size))
        return sealed
