/* SPDX-License-Identifier: GPL-3.0-or-later */
/* span.h: pointer-and-length text.
 *
 * For: reading text that is not ours to change and need not end in NUL: header values, INI values,
 * lists. Not for: building text, owning memory. A span never owns what it points at; it lives as
 * long as the bytes do. All comparisons are ASCII; no locale. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

struct span {
    const char *data; /* may be NULL when len is 0 */
    size_t len;       /* bytes */
};

/* The smaller of the two. */
static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

#define SPAN_LIT(literal) ((struct span){(literal), sizeof(literal) - 1})

struct span span_from_str(const char *str); /* NULL gives the empty span */
bool span_is_equal(struct span a, struct span b);
bool span_is_equal_nocase(struct span a, struct span b);
bool span_starts_with(struct span s, struct span prefix);
bool span_ends_with(struct span s, struct span suffix);

/* Cuts spaces and tabs off both ends. */
struct span span_trim(struct span s);

/* Takes the next item of a list with this separator off *rest, and trims it. False when *rest is
 * used up. "a,,b" has an empty item in the middle; "" has none; "a," has two, the second empty. */
MUST_CHECK bool span_next(struct span *rest, char separator, struct span *out_item);

/* Position of the first `c`, or s.len. */
size_t span_find(struct span s, char c);

/* Decimal digits only, no sign, no blanks, no overflow. A failure leaves *out as it is. */
MUST_CHECK bool span_parse_u64(struct span s, uint64_t *out);

/* A size in bytes: digits with an optional k, m or g (powers of 1024, any case): "64k". */
MUST_CHECK bool span_parse_size(struct span s, uint64_t *out_bytes);

/* A duration: digits and a unit, which must be there: "250ms", "5s", "10m", "2h", "1d"; plain "0"
 * is allowed. */
MUST_CHECK bool span_parse_duration(struct span s, uint64_t *out_ms);

/* RFC 9110 5.6.2 token: one or more tchar. */
bool span_is_token(struct span s);

/* Copies at most size-1 bytes and always ends with NUL; returns false when it had to cut. */
bool span_copy(struct span s, char *out, size_t size);

#endif
