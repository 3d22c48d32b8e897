/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_escape: the text that comes out is clean, and says what went in. The first byte of the input
 * chooses the room. */
#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEPT_MAX = 256, OUT_MAX = 4096 };

/* Follows the grammar of RFC 3629 section 4. Returns the length of a character, or 0. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t len;
    } rules[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        size_t need = rules[i].len;
        if (s[0] < rules[i].first_low || s[0] > rules[i].first_high || len < need) {
            continue;
        }
        bool is_good = need == 1 || (s[1] >= rules[i].second_low && s[1] <= rules[i].second_high);
        for (size_t k = 2; k < need; k++) {
            is_good = is_good && s[k] >= 0x80 && s[k] <= 0xbf;
        }
        return is_good ? need : 0;
    }
    return 0;
}

static bool is_forbidden(const char *s, size_t len)
{
    static const char *const bidi[] = {
        "\xd8\x9c",     "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",
        "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9",
    };
    unsigned char first = (unsigned char)s[0];
    if (len == 1) {
        return first < 0x20 || first == 0x7f || first == '"';
    }
    if (len == 2 && first == 0xc2 && (unsigned char)s[1] < 0xa0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(bidi) / sizeof(bidi[0]); i++) {
        if (strlen(bidi[i]) == len && memcmp(s, bidi[i], len) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned hex_value(const char *s, size_t digits)
{
    char text[5] = "";
    char *end = NULL;
    assert(digits < sizeof(text) && strspn(s, "0123456789abcdef") >= digits);
    memcpy(text, s, digits);
    unsigned value = (unsigned)strtoul(text, &end, 16);
    assert(end == text + digits);
    return value;
}

static size_t put_char(unsigned c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    assert(c < 0xd800 || c > 0xdfff);
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

/* Reads one escape as a JSON parser or a reader of key=value does. Returns its length. */
static size_t read_escape(enum log_format format, const char *s, char *out, size_t *used)
{
    static const char from[] = "nrt\"\\";
    static const char to[] = "\n\r\t\"\\";
    const char *found = s[1] == '\0' ? NULL : strchr(from, s[1]);
    if (found != NULL) {
        out[(*used)++] = to[found - from];
        return 2;
    }
    if (format == LOG_JSON) {
        assert(s[1] == 'u');
        *used += put_char(hex_value(s + 2, 4), out + *used);
        return 6;
    }
    assert(s[1] == 'x');
    out[(*used)++] = (char)hex_value(s + 2, 2);
    return 4;
}

/* Asserts that the text is clean, and writes what it stands for to `out`. Returns the length of
 * that. */
static size_t read_back(enum log_format format, const char *text, size_t len, char *out)
{
    size_t used = 0;
    for (size_t pos = 0; pos < len;) {
        if (text[pos] == '\\') {
            pos += read_escape(format, text + pos, out, &used);
            continue;
        }
        size_t step = utf8_len((const unsigned char *)text + pos, len - pos);
        assert(step > 0 && !is_forbidden(text + pos, step));
        memcpy(out + used, text + pos, step);
        used += step;
        pos += step;
    }
    return used;
}

/* What JSON must say: each byte that belongs to no character is U+FFFD. */
static size_t replace_bad(struct span raw, char *out)
{
    size_t used = 0;
    for (size_t pos = 0; pos < raw.len;) {
        size_t step = utf8_len((const unsigned char *)raw.data + pos, raw.len - pos);
        memcpy(out + used, step > 0 ? raw.data + pos : "\xef\xbf\xbd", step > 0 ? step : 3);
        used += step > 0 ? step : 3;
        pos += step > 0 ? step : 1;
    }
    return used;
}

static void check_whole(enum log_format format, struct span raw)
{
    char out[OUT_MAX];
    char back[OUT_MAX];
    char want[OUT_MAX];
    size_t len = log_escape(format, raw, out, sizeof(out));
    assert(len < sizeof(out) && strlen(out) == len);
    size_t back_len = read_back(format, out, len, back);
    if (raw.len > KEPT_MAX) {
        char mark[32];
        struct span all = {back, back_len};
        (void)snprintf(mark, sizeof(mark), "\xe2\x80\xa6(%zu)", raw.len);
        assert(span_ends_with(all, span_from_str(mark)));
        back_len -= strlen(mark);
        raw.len = KEPT_MAX;
        assert(format == LOG_JSON || (back_len <= KEPT_MAX && back_len + 4 > KEPT_MAX));
    }
    size_t want_len = raw.len;
    if (format == LOG_JSON) {
        want_len = replace_bad(raw, want);
    } else if (raw.len > 0) {
        memcpy(want, raw.data, raw.len);
    }
    /* The escaped text leaves out a character that the cut would split. */
    assert(back_len == want_len || (raw.len == KEPT_MAX && back_len < want_len));
    assert(memcmp(back, want, back_len) == 0);
}

static void check_room(enum log_format format, struct span raw, size_t room)
{
    char back[OUT_MAX];
    char *out = malloc(room);
    if (out == NULL) {
        return;
    }
    size_t len = log_escape(format, raw, out, room);
    assert(len < room && out[len] == '\0' && strlen(out) == len);
    (void)read_back(format, out, len, back);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span raw = {size > 1 ? (const char *)data + 1 : NULL, size - 1};
    size_t room = 1 + (size_t)data[0] * 8;
    check_whole(LOG_KEY_VALUE, raw);
    check_whole(LOG_JSON, raw);
    check_room(LOG_KEY_VALUE, raw, room);
    check_room(LOG_JSON, raw, room);
    return 0;
}
