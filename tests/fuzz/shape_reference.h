/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shape_reference.h: what a page must get of a backend's bytes, by code that shares nothing with
 * proto/framing and base/utf8. For fuzz_shape.c. */
#ifndef FUZZ_SHAPE_REFERENCE_H
#define FUZZ_SHAPE_REFERENCE_H

#include "../unit/shape_client.h"
#include "proto/framing.h"

/* The length of the character at the beginning, by the table of RFC 3629 section 4. 0: none begins
 * there, and *out_wrong bytes become one U+FFFD; or, with *out_is_open, they may become one. */
static size_t character(const uint8_t *at, size_t len, size_t *out_wrong, bool *out_is_open)
{
    uint8_t first = at[0];
    size_t want = first < 0x80                     ? 1
                  : first >= 0xc2 && first <= 0xdf ? 2
                  : first >= 0xe0 && first <= 0xef ? 3
                  : first >= 0xf0 && first <= 0xf4 ? 4
                                                   : 0;
    size_t have = 1;
    *out_is_open = false;
    *out_wrong = 1;
    while (have < want && have < len) {
        uint8_t low = have > 1 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t high = have > 1 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (at[have] < low || at[have] > high) {
            *out_wrong = have;
            return 0;
        }
        have++;
    }
    *out_wrong = want == 0 ? 1 : have;
    *out_is_open = have < want;
    return have == want ? want : 0;
}

/* Appends the text with U+FFFD for what is not UTF-8. What may still go on counts only at the end
 * of the text. */
static void put_replaced(struct client_bytes *out, struct span text, bool is_end)
{
    const uint8_t *at = (const uint8_t *)text.data;
    size_t left = text.len;
    while (left > 0) {
        size_t wrong = 0;
        bool is_open = false;
        size_t len = character(at, left, &wrong, &is_open);
        if (is_open && !is_end) {
            return;
        }
        if (len > 0) {
            client_put(out, at, len);
        } else {
            client_put(out, "\xef\xbf\xbd", 3);
            len = wrong;
        }
        at += len;
        left -= len;
    }
}

/* Takes the next message off *rest. False: it is not whole, or too long. */
static bool next_message(const struct framing *f, struct span *rest, struct span *out)
{
    if (f->kind == FRAMING_LINE) {
        size_t len = span_find(*rest, '\n');
        bool has_end = len < rest->len;
        *out = (struct span){rest->data, len};
        rest->data += len + has_end;
        rest->len -= len + has_end;
        if (has_end && f->line_end == FRAMING_CRLF && len > 0 && out->data[len - 1] == '\r') {
            out->len--;
        }
        return out->len <= f->max_bytes;
    }
    size_t field = f->kind == FRAMING_LENGTH16 ? 2 : 4;
    uint64_t len = 0;
    if (rest->len < field) {
        return false;
    }
    for (size_t i = 0; i < field; i++) {
        size_t place = f->length_order == FRAMING_LITTLE ? i : field - 1 - i;
        len |= (uint64_t)(uint8_t)rest->data[i] << (8 * place);
    }
    if (len > f->max_bytes || len > rest->len - field) {
        return false;
    }
    *out = (struct span){rest->data + field, (size_t)len};
    rest->data += field + len;
    rest->len -= field + (size_t)len;
    return true;
}

#endif
