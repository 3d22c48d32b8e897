/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64.h: base64 (RFC 4648 section 4) in pieces, and base64url (section 5) of a whole text.
 *
 * For: the `base64` subprotocol of older VNC pages; Basic credentials; tokens and keys. Not for:
 * Sec-WebSocket-Key (upgrade). The decoders are strict, so that each byte string has one encoding.
 * That of base64 wants the standard alphabet, whole groups of four characters, `=` where a
 * character is missing at the end and nowhere else, and zero in unused bits. That of base64url
 * wants the alphabet of URLs, no `=` (RFC 7515 2), and zero in unused bits. Pure. */
#ifndef PROTO_BASE64_H
#define PROTO_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Characters that `len` bytes become. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters without a NUL, and returns their number. */
size_t base64_encode(const uint8_t *data, size_t len, char *out);

struct base64_decoder {
    uint8_t group[4]; /* values of the characters of an incomplete group */
    uint8_t have;     /* how many */
    uint8_t padding;  /* `=` read so far; after the first one only `=` may follow */
};

void base64_decoder_init(struct base64_decoder *d);
/* Decodes a piece that was cut anywhere. Writes at most (len + 3) / 4 * 3 bytes. `out` may be
 * `data`, because the decoder never writes more than it has read. False at the first character that
 * cannot stand there; `out` then has the *out_len bytes of what came before it. */
MUST_CHECK bool base64_decode(struct base64_decoder *d, const uint8_t *data, size_t len,
                              uint8_t *out, size_t *out_len);
/* True when the text may end here. */
bool base64_is_complete(const struct base64_decoder *d);

/* Most bytes that `len` characters of base64url become. */
#define BASE64URL_BYTES(len) (((len) + 3) / 4 * 3)
/* Writes at most BASE64URL_BYTES(text.len) bytes. `out` may be where the text is. False: the text
 * is no base64url; what stands in `out` is then of no use. */
MUST_CHECK bool base64url_decode(struct span text, uint8_t *out, size_t *out_len);

#endif
