/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encodes the input and decodes it again; decodes the input itself, cut anywhere and in place. A
 * text that the decoder accepts is the one encoding of its bytes.
 *
 * Input: 1 byte for the chunk sizes, the text. */
#include <stdlib.h>
#include <string.h>

#include "proto/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LEN_MAX ((size_t)600)
#define GUARD 0xa5

struct decoded {
    uint8_t bytes[BASE64_LEN(LEN_MAX)];
    size_t len;
    bool is_good; /* and complete */
};

/* Decodes chunks of `step` and `other` characters in turn, in place, with a guard at the end. */
static void decode(const uint8_t *text, size_t size, size_t step, size_t other, struct decoded *out)
{
    static uint8_t chunk[BASE64_LEN(LEN_MAX) + 1];
    struct base64_decoder d;
    base64_decoder_init(&d);
    out->len = 0;
    out->is_good = false;
    for (size_t at = 0; at < size;) {
        size_t len = step < size - at ? step : size - at;
        size_t written = 0;
        memcpy(chunk, text + at, len);
        chunk[len] = GUARD;
        bool is_good = base64_decode(&d, chunk, len, chunk, &written);
        if (written > len || chunk[len] != GUARD) {
            abort();
        }
        memcpy(out->bytes + out->len, chunk, written);
        out->len += written;
        if (!is_good) {
            return;
        }
        at += len;
        size_t used = step;
        step = other;
        other = used;
    }
    out->is_good = base64_is_complete(&d);
}

static bool is_same(const struct decoded *a, const struct decoded *b)
{
    return a->is_good == b->is_good && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Decodes in several chunkings, which must agree. Returns the result. */
static const struct decoded *decode_cut(const uint8_t *text, size_t size, size_t first,
                                        size_t second)
{
    static struct decoded whole;
    static struct decoded cut;
    decode(text, size, size + 1, 1, &whole);
    const size_t steps[][2] = {{1, 1}, {first, second}, {first + 16, second}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        decode(text, size, steps[i][0], steps[i][1], &cut);
        if (!is_same(&whole, &cut)) {
            abort();
        }
    }
    return &whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[BASE64_LEN(LEN_MAX)];
    if (size < 1) {
        return 0;
    }
    size = size < LEN_MAX ? size : LEN_MAX;
    size_t first = 1U + data[0] % 16U;
    size_t second = 1U + data[0] / 16U;
    data++;
    size--;

    const struct decoded *got = decode_cut(data, size, first, second);
    if (got->is_good) {
        size_t len = base64_encode(got->bytes, got->len, text);
        if (len != size || memcmp(text, data, len) != 0) {
            abort();
        }
    }

    size_t len = base64_encode(data, size, text);
    got = decode_cut((const uint8_t *)text, len, first, second);
    if (len != BASE64_LEN(size) || !got->is_good || got->len != size ||
        memcmp(got->bytes, data, size) != 0) {
        abort();
    }
    return 0;
}
