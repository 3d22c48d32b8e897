/* SPDX-License-Identifier: GPL-3.0-or-later */
// Sends messages through proto/deflate in pieces, and has plain zlib to compare with. For
// tests/unit/test_deflate.c and test_deflate_limits.c.
//
// Every piece and every output lies in memory of just its size, so that the sanitizer sees a byte
// too far.
#ifndef TESTS_UNIT_DEFLATE_KIT_H
#define TESTS_UNIT_DEFLATE_KIT_H

#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "proto/deflate.h"

#define KIT_UNUSED __attribute__((unused))
#define KIT_MAX ((size_t)1 << 17)

struct kit_bytes {
    uint8_t data[KIT_MAX];
    size_t len;
};

KIT_UNUSED static void kit_init(struct deflate *d, unsigned int server_bits,
                                unsigned int client_bits, bool is_takeover)
{
    struct deflate_settings settings = {.window_bits = 15, .is_takeover = is_takeover};
    struct deflate_params params = {
        .server_bits = (uint8_t)server_bits,
        .client_bits = (uint8_t)client_bits,
        .is_server_no_takeover = !is_takeover,
        .is_client_no_takeover = !is_takeover,
    };
    deflate_init(d, &settings, &params);
}

// Inflates a piece of a message and appends to *out.
KIT_UNUSED static enum deflate_result kit_inflate_piece(struct deflate *d, struct span piece,
                                                        bool is_end, size_t cap,
                                                        struct kit_bytes *out)
{
    uint8_t *copy = malloc(piece.len + 1);
    uint8_t *room = malloc(cap);
    struct span rest = {(const char *)copy + 1, piece.len};
    enum deflate_result result;
    if (piece.len > 0) {
        memcpy(copy + 1, piece.data, piece.len);
    }
    do {
        size_t len = SIZE_MAX;
        size_t before = rest.len;
        result = deflate_inflate(d, &rest, is_end, room, cap, &len);
        bool is_fit = rest.len <= before && len <= cap && out->len + len <= sizeof(out->data);
        if (!CHECK_TRUE("lengths", is_fit)) {
            GIVE_UP();
        }
        CHECK_TRUE("full or empty", result != DEFLATE_FULL || len == cap);
        CHECK_TRUE("all taken", result != DEFLATE_OK || rest.len == 0);
        memcpy(out->data + out->len, room, len);
        out->len += len;
    } while (result == DEFLATE_FULL);
    free(copy);
    free(room);
    return result;
}

// Inflates a message in two pieces (cut < len) or in one.
KIT_UNUSED static enum deflate_result kit_inflate(struct deflate *d, struct span message,
                                                  size_t cut, size_t cap, struct kit_bytes *out)
{
    out->len = 0;
    if (cut < message.len) {
        struct span first = {message.data, cut};
        enum deflate_result result = kit_inflate_piece(d, first, false, cap, out);
        if (result != DEFLATE_OK) {
            return result;
        }
        message.data += cut;
        message.len -= cut;
    }
    return kit_inflate_piece(d, message, true, cap, out);
}

KIT_UNUSED static enum deflate_result kit_deflate_piece(struct deflate *d, struct span piece,
                                                        bool is_end, struct kit_bytes *out)
{
    size_t cap = deflate_bound(piece.len);
    uint8_t *room = malloc(cap);
    size_t len = SIZE_MAX;
    enum deflate_result result = deflate_deflate(d, piece, is_end, room, cap, &len);
    if (!CHECK_TRUE("length", len <= cap && out->len + len <= sizeof(out->data))) {
        GIVE_UP();
    }
    memcpy(out->data + out->len, room, len);
    out->len += len;
    free(room);
    return result;
}

KIT_UNUSED static enum deflate_result kit_deflate(struct deflate *d, struct span message,
                                                  size_t cut, struct kit_bytes *out)
{
    out->len = 0;
    if (cut < message.len) {
        struct span first = {message.data, cut};
        enum deflate_result result = kit_deflate_piece(d, first, false, out);
        if (result != DEFLATE_OK) {
            return result;
        }
        message.data += cut;
        message.len -= cut;
    }
    return kit_deflate_piece(d, message, true, out);
}

KIT_UNUSED static struct span kit_span(const struct kit_bytes *bytes)
{
    return (struct span){(const char *)bytes->data, bytes->len};
}

/* --- plain zlib -----------------------------------------------------------------------------*/

// The receiver of RFC 7692 7.2.2, whose stream has a window of just the agreed size. Inflates one
// byte a call, because only then zlib refuses each reference that is too far back. False: the
// message is not `want`.
KIT_UNUSED static bool kit_zlib_is(z_stream *stream, struct span message, bool is_end,
                                   struct span want)
{
    static uint8_t in[KIT_MAX + 4];
    size_t got = 0;
    memcpy(in, message.data, message.len);
    memcpy(in + message.len, "\x00\x00\xff\xff", 4);
    stream->next_in = in;
    stream->avail_in = (uInt)(message.len + (is_end ? 4 : 0));
    for (;;) {
        uint8_t byte;
        stream->next_out = &byte;
        stream->avail_out = 1;
        int status = inflate(stream, Z_SYNC_FLUSH);
        if (stream->avail_out > 0) {
            return got == want.len && (status == Z_OK || status == Z_BUF_ERROR) &&
                   stream->avail_in == 0;
        }
        if (got == want.len || byte != (uint8_t)want.data[got]) {
            return false;
        }
        got++;
    }
}

// Deflates one message with zlib's largest window at its highest level.
KIT_UNUSED static void kit_zlib_deflate(z_stream *stream, struct span message,
                                        struct kit_bytes *out)
{
    stream->next_in = (Bytef *)(uintptr_t)message.data;
    stream->avail_in = (uInt)message.len;
    stream->next_out = out->data;
    stream->avail_out = sizeof(out->data);
    CHECK_EQ_INT("zlib", deflate(stream, Z_SYNC_FLUSH), Z_OK);
    out->len = sizeof(out->data) - stream->avail_out - 4;
}

/* --- messages -------------------------------------------------------------------------------*/

KIT_UNUSED static uint32_t kit_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

// Bytes with hardly a repeat.
KIT_UNUSED static void kit_noise(uint8_t *data, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(kit_random(&seed) >> 7);
    }
}

// Text that repeats itself at all distances.
KIT_UNUSED static void kit_text(uint8_t *data, size_t len, uint32_t seed)
{
    size_t at = 0;
    while (at < len) {
        size_t run = 1 + kit_random(&seed) % 20;
        size_t back = at == 0 ? 0 : 1 + kit_random(&seed) % at;
        bool is_new = kit_random(&seed) % 3 == 0 || at == 0;
        for (; run > 0 && at < len; run--, at++) {
            data[at] = is_new ? (uint8_t)('a' + kit_random(&seed) % 26) : data[at - back];
        }
    }
}

#endif
