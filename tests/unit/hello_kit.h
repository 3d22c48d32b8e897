/* SPDX-License-Identifier: GPL-3.0-or-later */
// Makes ClientHello messages by hand, valid and invalid ones.
#ifndef TESTS_UNIT_HELLO_KIT_H
#define TESTS_UNIT_HELLO_KIT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "give_up.h"

#define HELLO_KIT __attribute__((unused)) static

enum { HELLO_KIT_MAX = 80 * 1024 };

// `data` is the message with its 4-byte header; hello_end fills in the lengths.
struct hello_kit {
    uint8_t data[HELLO_KIT_MAX];
    size_t len;
    size_t extensions_at; // where the length of the extensions stands
};

HELLO_KIT void hello_raw(struct hello_kit *h, const void *bytes, size_t len)
{
    if (h->len + len > sizeof(h->data)) {
        GIVE_UP();
    }
    memcpy(h->data + h->len, bytes, len);
    h->len += len;
}

HELLO_KIT void hello_number(struct hello_kit *h, size_t number, size_t width)
{
    while (width > 0) {
        width--;
        uint8_t byte = (uint8_t)(number >> (8 * width));
        hello_raw(h, &byte, 1);
    }
}

HELLO_KIT void hello_set(struct hello_kit *h, size_t at, size_t number, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        h->data[at + i] = (uint8_t)(number >> (8 * (width - 1 - i)));
    }
}

// `suites` are 16-bit numbers in network order.
HELLO_KIT void hello_begin(struct hello_kit *h, unsigned version, const char *suites, size_t len)
{
    h->len = 0;
    hello_number(h, 0x01000000, 4);
    hello_number(h, version, 2);
    for (size_t i = 0; i < 32; i++) {
        hello_number(h, i * 7 % 256, 1);
    }
    hello_number(h, 0, 1);
    hello_number(h, len, 2);
    hello_raw(h, suites, len);
    hello_raw(h, "\x01\x00", 2);
    h->extensions_at = h->len;
    hello_number(h, 0, 2);
}

HELLO_KIT void hello_extension(struct hello_kit *h, size_t type, const void *body, size_t len)
{
    hello_number(h, type, 2);
    hello_number(h, len, 2);
    hello_raw(h, body, len);
}

HELLO_KIT void hello_end(struct hello_kit *h)
{
    hello_set(h, h->extensions_at, h->len - h->extensions_at - 2, 2);
    hello_set(h, 1, h->len - 4, 3);
}

// Begins with what every client sends: TLS 1.3 and 1.2, groups, signature algorithms.
HELLO_KIT void hello_begin_usual(struct hello_kit *h)
{
    hello_begin(h, 0x0303, "\x13\x01\x13\x02\xc0\x2b\xc0\x2f", 8);
    hello_extension(h, 43, "\x04\x03\x04\x03\x03", 5);
    hello_extension(h, 10, "\x00\x04\x00\x1d\x00\x17", 6);
    hello_extension(h, 13, "\x00\x04\x04\x03\x08\x04", 6);
}

HELLO_KIT void hello_key_share(struct hello_kit *h)
{
    uint8_t share[2 + 4 + 32] = {0, 36, 0, 0x1d, 0, 32};
    memset(share + 6, 9, 32);
    hello_extension(h, 51, share, sizeof(share));
}

// Cuts the message into records of at most `cut` bytes; returns how many bytes it wrote to `out`.
HELLO_KIT size_t hello_records(const struct hello_kit *h, size_t cut, uint8_t *out, size_t size)
{
    size_t len = 0;
    for (size_t at = 0; at < h->len;) {
        size_t piece = h->len - at < cut ? h->len - at : cut;
        const uint8_t header[] = {22, 3, 1, (uint8_t)(piece >> 8), (uint8_t)piece};
        if (len + sizeof(header) + piece > size) {
            GIVE_UP();
        }
        memcpy(out + len, header, sizeof(header));
        memcpy(out + len + sizeof(header), h->data + at, piece);
        len += sizeof(header) + piece;
        at += piece;
    }
    return len;
}

#endif
