/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/span.h"

#include <assert.h>
#include <string.h>

/* span_next leaves this in *rest when one last, empty item is still to come. Its address tells such
 * a list from one that is used up. */
static const char last_item_is_empty[1] = "";

static const struct span span_empty = {NULL, 0};

static unsigned char ascii_lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return (byte >= 'A' && byte <= 'Z') ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_from_str(const char *str)
{
    if (str == NULL) {
        return span_empty;
    }
    return (struct span){str, strlen(str)};
}

bool span_is_equal(struct span a, struct span b)
{
    /* memcmp does not take NULL, not even for no bytes. */
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_is_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool span_starts_with(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_is_equal((struct span){s.data, prefix.len}, prefix);
}

bool span_ends_with(struct span s, struct span suffix)
{
    if (s.len < suffix.len || suffix.len == 0) {
        return suffix.len == 0;
    }
    return span_is_equal((struct span){s.data + (s.len - suffix.len), suffix.len}, suffix);
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool span_next(struct span *rest, char separator, struct span *out_item)
{
    if (rest->len == 0) {
        bool is_last = rest->data == last_item_is_empty;
        *rest = span_empty;
        if (is_last) {
            *out_item = (struct span){last_item_is_empty, 0};
        }
        return is_last;
    }
    size_t end = span_find(*rest, separator);
    *out_item = span_trim((struct span){rest->data, end});
    if (end == rest->len) {
        *rest = span_empty;
    } else if (end + 1 == rest->len) {
        *rest = (struct span){last_item_is_empty, 0};
    } else {
        *rest = (struct span){rest->data + end + 1, rest->len - end - 1};
    }
    return true;
}

size_t span_find(struct span s, char c)
{
    if (s.len == 0) {
        return 0;
    }
    const char *found = memchr(s.data, (unsigned char)c, s.len);
    return found == NULL ? s.len : (size_t)(found - s.data);
}

bool span_parse_u64(struct span s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(s.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static bool parse_scaled(struct span digits, uint64_t scale, uint64_t *out)
{
    uint64_t value = 0;
    if (!span_parse_u64(digits, &value) || value > UINT64_MAX / scale) {
        return false;
    }
    *out = value * scale;
    return true;
}

bool span_parse_size(struct span s, uint64_t *out_bytes)
{
    if (s.len == 0) {
        return false;
    }
    uint64_t scale = 1;
    switch (ascii_lower(s.data[s.len - 1])) {
    case 'k':
        scale = UINT64_C(1) << 10;
        break;
    case 'm':
        scale = UINT64_C(1) << 20;
        break;
    case 'g':
        scale = UINT64_C(1) << 30;
        break;
    default:
        break;
    }
    if (scale != 1) {
        s.len--;
    }
    return parse_scaled(s, scale, out_bytes);
}

bool span_parse_duration(struct span s, uint64_t *out_ms)
{
    /* "ms" stands before "s" and "m": the first suffix that matches wins. */
    static const struct {
        struct span suffix;
        uint64_t scale_ms;
    } units[] = {
        {{"ms", 2}, 1},
        {{"s", 1}, 1000},
        {{"m", 1}, 60 * 1000},
        {{"h", 1}, 60 * 60 * 1000},
        {{"d", 1}, 24 * 60 * 60 * 1000},
    };
    if (span_is_equal(s, SPAN_LIT("0"))) {
        *out_ms = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (span_ends_with(s, units[i].suffix)) {
            s.len -= units[i].suffix.len;
            return parse_scaled(s, units[i].scale_ms, out_ms);
        }
    }
    return false;
}

static bool is_tchar(char c)
{
    unsigned char lower = ascii_lower(c);
    if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9')) {
        return true;
    }
    /* strchr would find the NUL that ends the literal. */
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool span_is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_tchar(s.data[i])) {
            return false;
        }
    }
    return s.len > 0;
}

bool span_copy(struct span s, char *out, size_t size)
{
    assert(size > 0);
    size_t len = s.len < size ? s.len : size - 1;
    if (len > 0) {
        memcpy(out, s.data, len);
    }
    out[len] = '\0';
    return len == s.len;
}
