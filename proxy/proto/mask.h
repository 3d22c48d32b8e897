/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mask.h: the XOR of RFC 6455 5.3.
 *
 * For: unmasking in place, long payloads with the widest instructions of this processor (AVX2, SSE2
 * or NEON, chosen once at run time). Not for: finding frames. Any alignment; never touches a byte
 * outside [data, data+len). Pure but for the choice made at the first call with a long one. */
#ifndef PROTO_MASK_H
#define PROTO_MASK_H

#include <stddef.h>
#include <stdint.h>

/* XORs data[i] with key[(phase + i) % 4]; phase 0 to 3. */
void mask_apply(uint8_t *data, size_t len, const uint8_t key[4], size_t phase);

/* The same, one byte at a time: what the others are compared with. */
void mask_apply_scalar(uint8_t *data, size_t len, const uint8_t key[4], size_t phase);

/* The k-th implementation that this processor can run (0 = scalar), or NULL: tests walk them all.
 * */
typedef void mask_fn(uint8_t *data, size_t len, const uint8_t key[4], size_t phase);
mask_fn *mask_implementation(size_t k, const char **out_name);

#endif
