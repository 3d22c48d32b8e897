/* SPDX-License-Identifier: GPL-3.0-or-later */
/* siphash.h: SipHash-2-4 (Aumasson, Bernstein 2012), a short hash with a secret key.
 *
 * For: tables whose keys strangers choose: who does not know the key cannot find two inputs that
 * meet in one place. Not for: signatures, passwords. Pure; owns nothing. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

struct siphash {
    uint64_t v[4];
    uint64_t pending; /* bytes that do not fill a word yet */
    uint64_t len;     /* bytes so far */
};

void siphash_begin(struct siphash *h, const uint8_t key[SIPHASH_KEY_BYTES]);
/* The hash is that of all bytes, however the calls split them. */
void siphash_add(struct siphash *h, const void *data, size_t len);
uint64_t siphash_end(struct siphash *h);

#endif
