/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mask.h: the XOR of RFC 6455 5.3.
 *
 * For: unmasking in place; long payloads with the widest instructions that this processor has
 * (AVX2, SSE2 or NEON). Not for: finding frames. The payload may have any alignment; no function
 * touches a byte outside [data, data + len). Pure, but for one thing: the first long payload
 * chooses the implementation. */
#ifndef PROTO_MASK_H
#define PROTO_MASK_H

#include <stddef.h>
#include <stdint.h>

/* XORs data[i] with key[(key_at + i) % 4]; key_at is 0 to 3. */
void mask_apply(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at);

/* The same, one byte at a time; tests compare the other implementations with it. */
void mask_apply_scalar(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at);

/* The k-th implementation that this processor can run, so that tests can walk through all of them;
 * 0 = scalar. NULL behind the last one. */
typedef void mask_fn(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at);
mask_fn *mask_implementation(size_t k, const char **out_name);

#endif
