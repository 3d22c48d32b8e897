/* SPDX-License-Identifier: GPL-3.0-or-later */
/* utf8.h: UTF-8 (RFC 3629): checks a stream, or reads text character by character.
 *
 * For: telling at the first impossible byte that text is not UTF-8, wherever the stream was cut;
 * the characters of short text. Overlong forms, surrogates and values above U+10FFFF are
 * impossible. Not for: what characters mean. Pure. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct utf8 {
    uint8_t left; /* continuation bytes still expected */
    uint8_t low;  /* smallest legal value of the next one */
    uint8_t high; /* largest legal value of the next one */
};

void utf8_init(struct utf8 *u);
/* False at the first byte that no valid text can have here; the state is then of no use. */
MUST_CHECK bool utf8_feed(struct utf8 *u, const uint8_t *data, size_t len);
/* True when the text may end here (not inside a sequence). */
bool utf8_is_complete(const struct utf8 *u);
/* The whole of `text` at once. */
bool utf8_is_valid(struct span text);

/* The first character of `text`. Returns its bytes, 1 to 4, or 0 when no whole character stands
 * there. */
size_t utf8_decode(struct span text, uint32_t *out_char);
/* The front of `text`, at most `most_bytes` long. It never ends inside a character. */
struct span utf8_cut(struct span text, size_t most_bytes);

#endif
