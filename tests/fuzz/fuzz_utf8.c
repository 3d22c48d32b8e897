/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The UTF-8 check whole, byte by byte and in two chunkings, against a reference that decodes code
 * points; then decoding and cutting.
 *
 * Input: 1 byte for the chunk sizes, then the text. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum verdict { VERDICT_WRONG, VERDICT_INCOMPLETE, VERDICT_COMPLETE };

/* Can a sequence of `len` bytes, of which the first `have` give `value`, still become a legal code
 * point? Tries the smallest and the largest that may follow. */
static bool is_possible(uint32_t value, size_t have, size_t len)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t shift = (uint32_t)(6 * (len - have));
    uint32_t low = value << shift;
    uint32_t high = low | ((UINT32_C(1) << shift) - 1);
    bool is_surrogate = low >= 0xd800 && high <= 0xdfff;
    return high >= smallest[len] && low <= 0x10ffff && !is_surrogate;
}

/* Reads the sequence at data[*i] and moves behind it. */
static enum verdict reference_sequence(const uint8_t *data, size_t size, size_t *i)
{
    uint8_t lead = data[(*i)++];
    if (lead < 0x80) {
        return VERDICT_COMPLETE;
    }
    size_t len = lead >= 0xf8 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    uint32_t value = lead & (0x7fU >> len);
    if (len == 0 || !is_possible(value, 1, len)) {
        return VERDICT_WRONG;
    }
    for (size_t have = 2; have <= len; have++) {
        if (*i == size) {
            return VERDICT_INCOMPLETE;
        }
        uint8_t byte = data[(*i)++];
        value = value << 6 | (byte & 0x3fU);
        if (byte >> 6 != 2 || !is_possible(value, have, len)) {
            return VERDICT_WRONG;
        }
    }
    return VERDICT_COMPLETE;
}

static enum verdict reference(const uint8_t *data, size_t size)
{
    size_t i = 0;
    enum verdict verdict = VERDICT_COMPLETE;
    while (i < size && verdict == VERDICT_COMPLETE) {
        verdict = reference_sequence(data, size, &i);
    }
    return verdict;
}

/* Feeds chunks of `step` and `other` bytes in turn. */
static enum verdict feed(const uint8_t *data, size_t size, size_t step, size_t other)
{
    struct utf8 u;
    size_t at = 0;
    utf8_init(&u);
    while (at < size) {
        size_t len = step < size - at ? step : size - at;
        if (!utf8_feed(&u, data + at, len)) {
            return VERDICT_WRONG;
        }
        at += len;
        size_t used = step;
        step = other;
        other = used;
    }
    return utf8_is_complete(&u) ? VERDICT_COMPLETE : VERDICT_INCOMPLETE;
}

/* The characters that utf8_decode finds, one behind the other, are the text. Where it finds none,
 * the reference must find the text wrong or cut off. */
static enum verdict decode(const uint8_t *data, size_t size)
{
    size_t i = 0;
    while (i < size) {
        struct span rest = {(const char *)data + i, size - i};
        uint32_t value = 0;
        uint8_t again[4];
        size_t len = utf8_decode(rest, &value);
        if (len == 0) {
            enum verdict verdict = reference_sequence(data, size, &i);
            if (verdict == VERDICT_COMPLETE) {
                abort();
            }
            return verdict;
        }
        size_t tail = len - 1;
        for (size_t k = tail; k > 0; k--) {
            again[k] = (uint8_t)(0x80U | (value & 0x3fU));
            value >>= 6;
        }
        again[0] = (uint8_t)(value | (tail == 0 ? 0 : (0xf00U >> len & 0xffU)));
        if (memcmp(again, data + i, len) != 0) {
            abort();
        }
        i += len;
    }
    return VERDICT_COMPLETE;
}

/* A cut is as long as it may be and splits no character. */
static void check_cut(struct span text, size_t most)
{
    struct span cut = utf8_cut(text, most);
    struct span rest = {text.data + cut.len, text.len - cut.len};
    uint32_t unused;
    if (cut.len > most || (text.len <= most && cut.len != text.len)) {
        abort();
    }
    if (utf8_is_valid(text) && (!utf8_is_valid(cut) || (rest.len > 0 && most - cut.len >= 4) ||
                                (rest.len > 0 && cut.len + utf8_decode(rest, &unused) <= most))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    size_t first = 1U + data[0] % 16U;
    size_t second = 1U + data[0] / 16U;
    const uint8_t *text = data + 1;
    size_t len = size - 1;
    enum verdict want = reference(text, len);
    if (feed(text, len, len + 1, 1) != want || feed(text, len, 1, 1) != want ||
        feed(text, len, first, second) != want ||
        feed(text, len, 16 + first, 32 + second) != want) {
        abort();
    }
    if (decode(text, len) != want) {
        abort();
    }
    check_cut((struct span){(const char *)text, len}, first + second);
    bool is_valid = utf8_is_valid((struct span){(const char *)text, len});
    if (is_valid != (want == VERDICT_COMPLETE)) {
        abort();
    }
    return 0;
}
