/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/siphash.h"

static uint64_t turn(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = turn(v[1], 13) ^ v[0];
        v[0] = turn(v[0], 32);
        v[2] += v[3];
        v[3] = turn(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = turn(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = turn(v[1], 17) ^ v[2];
        v[2] = turn(v[2], 32);
    }
}

static void take_word(struct siphash *h, uint64_t word)
{
    h->v[3] ^= word;
    rounds(h->v, 2);
    h->v[0] ^= word;
}

static uint64_t read_word(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--) {
        word = word << 8 | bytes[i];
    }
    return word;
}

void siphash_begin(struct siphash *h, const uint8_t key[SIPHASH_KEY_BYTES])
{
    uint64_t k0 = read_word(key);
    uint64_t k1 = read_word(key + 8);
    h->v[0] = k0 ^ 0x736f6d6570736575U;
    h->v[1] = k1 ^ 0x646f72616e646f6dU;
    h->v[2] = k0 ^ 0x6c7967656e657261U;
    h->v[3] = k1 ^ 0x7465646279746573U;
    h->pending = 0;
    h->len = 0;
}

void siphash_add(struct siphash *h, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        h->pending |= (uint64_t)bytes[i] << 8 * (h->len % 8);
        h->len++;
        if (h->len % 8 == 0) {
            take_word(h, h->pending);
            h->pending = 0;
        }
    }
}

uint64_t siphash_end(struct siphash *h)
{
    take_word(h, h->pending | h->len << 56);
    h->v[2] ^= 0xff;
    rounds(h->v, 4);
    return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}
