/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values that are bytes of a protocol: text with escapes. */
#include <stdio.h>
#include <string.h>

#include "conf/value.h"

#define BYTES_MAX 256

/* Pairs: what is written behind the backslash, and the byte that it stands for. */
static const char escapes[] = "r\rn\nt\t\\\\";

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The byte that `text` begins with, written as *out_len characters. False: no such escape. */
static bool read_byte(struct span text, char *out, size_t *out_len)
{
    *out = text.data[0];
    *out_len = 1;
    if (text.data[0] != '\\') {
        return true;
    }
    if (text.len >= 4 && text.data[1] == 'x') {
        int high = digit_of(text.data[2]);
        int low = digit_of(text.data[3]);

        *out = (char)(high * 16 + low);
        *out_len = 4;
        return high >= 0 && low >= 0;
    }
    *out_len = 2;
    for (size_t i = 0; text.len >= 2 && escapes[i] != '\0'; i += 2) {
        if (text.data[1] == escapes[i]) {
            *out = escapes[i + 1];
            return true;
        }
    }
    return false;
}

bool value_read_bytes(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct span *out = field;
    char bytes[BYTES_MAX];
    size_t count = 0;

    *out_detail = "1 to 256 bytes, in which \\r, \\n, \\t, \\\\ and \\xNN stand for what cannot be "
                  "written, such as PING\\r\\n";
    while (text.len > 0) {
        size_t len = 0;

        if (count == sizeof(bytes) || !read_byte(text, &bytes[count], &len)) {
            return false;
        }
        count++;
        text = (struct span){text.data + len, text.len - len};
    }
    char *copy = count > 0 ? arena_alloc(texts, count) : NULL;

    if (copy == NULL) {
        *out_detail = count > 0 ? "out of memory" : *out_detail;
        return false;
    }
    memcpy(copy, bytes, count);
    *out = (struct span){copy, count};
    return true;
}

/* A blank at an end would be cut off, and a ; might begin a comment. */
static bool is_plain(struct span bytes, size_t i)
{
    unsigned char c = (unsigned char)bytes.data[i];
    bool is_end = i == 0 || i + 1 == bytes.len;

    return c > ' ' ? c < 0x7f && c != '\\' && c != ';' : c == ' ' && !is_end;
}

struct span value_show_bytes(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct span *bytes = field;
    size_t len = 0;

    for (size_t i = 0; i < bytes->len && len + 5 <= VALUE_BYTES_MAX; i++) {
        char c = bytes->data[i];
        const char *escape = escapes;

        while (*escape != '\0' && escape[1] != c) {
            escape += 2;
        }
        if (is_plain(*bytes, i)) {
            scratch[len++] = c;
        } else if (*escape != '\0') {
            scratch[len++] = '\\';
            scratch[len++] = *escape;
        } else {
            len += (size_t)snprintf(scratch + len, 5, "\\x%02x", (unsigned char)c);
        }
    }
    return (struct span){scratch, len};
}
