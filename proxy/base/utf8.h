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

/* Makes UTF-8 of any bytes, as a browser's decoder does (WHATWG Encoding 8.1.1, "replacement").
 * Each longest beginning of a character that cannot go on, and each byte that begins none, becomes
 * one U+FFFD. Good text does not change. */
struct utf8_repair {
    struct utf8 state;
    uint8_t held[4]; /* the character that is not complete yet */
    uint8_t held_len;
};

#define UTF8_REPLACEMENT "\xef\xbf\xbd"
/* Room for what `len` bytes become, with what was held before them. */
#define UTF8_REPAIR_ROOM(len_) (3 * (len_) + 3)

void utf8_repair_init(struct utf8_repair *r);
/* Writes whole characters to `out` and returns their bytes. What may still become a character is
 * held until the next call. */
size_t utf8_repair(struct utf8_repair *r, const uint8_t *data, size_t len, uint8_t *out);
/* The text has ended: writes a U+FFFD for what is held, if anything is. Returns its bytes. */
size_t utf8_repair_end(struct utf8_repair *r, uint8_t *out);

#endif
