/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64.h: base64 (RFC 4648 section 4) in pieces.
 *
 * For: the `base64` subprotocol of older VNC pages. Not for: Sec-WebSocket-Key (upgrade). Strict:
 * the standard alphabet only, groups of four, `=` only at the end and needed there, unused bits
 * zero. Pure. */
#ifndef PROTO_BASE64_H
#define PROTO_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Characters of the encoded form of `len` bytes. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters, no NUL; returns how many. */
size_t base64_encode(const uint8_t *data, size_t len, char *out);

struct base64_decoder {
    uint8_t group[4]; /* values of the characters of a group that is not complete */
    uint8_t have;
    uint8_t padding; /* `=` seen; nothing but `=` may follow */
};

void base64_decoder_init(struct base64_decoder *d);
/* Decodes a piece, cut anywhere. Writes at most (len + 3) / 4 * 3 bytes; `out` may be `data`
 * itself: never more has been written than was read. False at the first character that cannot be
 * there; *out_len bytes of what came before were written. */
MUST_CHECK bool base64_decode(struct base64_decoder *d, const uint8_t *data, size_t len,
                              uint8_t *out, size_t *out_len);
/* True when the text may end here. */
bool base64_is_complete(const struct base64_decoder *d);

#endif
