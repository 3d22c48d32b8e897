/* SPDX-License-Identifier: GPL-3.0-or-later */
/* permessage-deflate: offers, a client's messages, and our own messages both ways.
 *
 * Input: 1 byte what (its low two bits) and how, 1 byte windows, then
 *   0, 1   the value of a header. Our response to it is an offer that we accept, with the same
 *          parameters.
 *   2      messages: 1 byte length, 1 byte how (last piece, park behind it, size of the output),
 *          the piece. In pieces and in one, a message gives the same bytes and the same result.
 *   3      data in such pieces. We deflate it; we and plain zlib inflate it again. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "proto/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX ((size_t)1 << 16)
#define CAP_MAX ((size_t)1 << 12)
#define WIRE_MAX ((size_t)1 << 9)

struct bytes {
    uint8_t data[OUT_MAX];
    size_t len;
};

struct reader {
    const uint8_t *data;
    size_t len;
};

struct piece {
    struct span data;
    bool is_end;
    bool is_park;
    size_t cap;
};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint8_t take_byte(struct reader *r)
{
    if (r->len == 0) {
        return 0;
    }
    r->len--;
    return *r->data++;
}

static struct piece take_piece(struct reader *r)
{
    size_t len = take_byte(r);
    uint8_t how = take_byte(r);
    struct piece piece = {
        .is_end = (how & 1) != 0,
        .is_park = (how & 2) != 0,
        .cap = how < 64 ? CAP_MAX : 1 + (size_t)(how & 0x3c) * 4,
    };
    len = len < r->len ? len : r->len;
    piece.data = (struct span){(const char *)r->data, len};
    r->data += len;
    r->len -= len;
    return piece;
}

/* --- offers ---------------------------------------------------------------------------------*/

static void fuzz_offer(uint8_t how, uint8_t windows, struct span value)
{
    struct deflate_settings settings = {
        .window_bits = (uint8_t)(9 + windows % 7),
        .is_takeover = (how & 4) != 0,
    };
    struct deflate_params params = {0};
    char response[DEFLATE_RESPONSE_MAX];
    switch (deflate_negotiate(&settings, value, &params)) {
    case DEFLATE_NONE:
    case DEFLATE_MALFORMED:
        return;
    case DEFLATE_AGREED:
        break;
    }
    expect(params.server_bits >= 8 && params.server_bits <= 15);
    expect(params.client_bits >= 8 && params.client_bits <= 15);
    expect(params.has_server_bits || params.server_bits == 15);
    expect(params.has_client_bits || params.client_bits == 15);
    size_t len = deflate_response(&params, response);
    expect(len == strlen(response));
    struct deflate_params again = {0};
    expect(deflate_negotiate(&settings, (struct span){response, len}, &again) == DEFLATE_AGREED);
    expect(memcmp(&params, &again, sizeof(params)) == 0);
}

/* --- inflate --------------------------------------------------------------------------------*/

/* Inflates to the end of a block, so that the sanitizer sees a byte too far. DEFLATE_TOO_BIG when
 * `out` is full. */
static enum deflate_result inflate_piece(struct deflate *d, const struct piece *piece,
                                         struct bytes *out)
{
    static uint8_t room[CAP_MAX];
    struct span rest = piece->data;
    enum deflate_result result;
    do {
        size_t len = 0;
        size_t cap = piece->cap < OUT_MAX - out->len ? piece->cap : OUT_MAX - out->len;
        uint8_t *block = room + sizeof(room) - cap;
        if (cap == 0) {
            return DEFLATE_TOO_BIG;
        }
        result = deflate_inflate(d, &rest, piece->is_end, block, cap, &len);
        expect(len <= cap && (result != DEFLATE_FULL || len == cap));
        expect(result != DEFLATE_OK || rest.len == 0);
        memcpy(out->data + out->len, block, len);
        out->len += len;
    } while (result == DEFLATE_FULL);
    expect(result != DEFLATE_NO_MEMORY);
    return result;
}

/* `is_whole`: inflates the pieces of a message as one, with the largest output and without parking.
 */
static enum deflate_result inflate_all(struct deflate *d, struct reader r, bool is_whole,
                                       struct bytes *out)
{
    static uint8_t message[1 << 16];
    enum deflate_result result = DEFLATE_OK;
    size_t len = 0;
    out->len = 0;
    while (r.len > 0 && result == DEFLATE_OK) {
        struct piece piece = take_piece(&r);
        if (is_whole) {
            expect(piece.data.len <= sizeof(message) - len);
            memcpy(message + len, piece.data.data, piece.data.len);
            len += piece.data.len;
            if (!piece.is_end && r.len > 0) {
                continue;
            }
            piece.data = (struct span){(char *)message, len};
            piece.cap = CAP_MAX;
            len = 0;
        }
        result = inflate_piece(d, &piece, out);
        if (piece.is_park && !is_whole) {
            deflate_park(d);
            expect(!piece.is_end || result != DEFLATE_OK || !deflate_can_park(d));
        }
    }
    return result;
}

static void fuzz_inflate(const struct deflate_settings *settings,
                         const struct deflate_params *params, struct reader r)
{
    static struct bytes whole;
    static struct bytes parts;
    enum deflate_result results[2];
    struct deflate d;
    deflate_init(&d, settings, params);
    results[0] = inflate_all(&d, r, false, &parts);
    deflate_done(&d);
    deflate_init(&d, settings, params);
    results[1] = inflate_all(&d, r, true, &whole);
    deflate_done(&d);
    /* With a smaller window zlib may accept a reference in one call that it refuses in two. */
    if (params->client_bits == 15 && whole.len < OUT_MAX && parts.len < OUT_MAX) {
        expect(results[0] == results[1]);
        expect(whole.len == parts.len && memcmp(whole.data, parts.data, whole.len) == 0);
    }
}

/* --- both ways ------------------------------------------------------------------------------*/

/* One byte of output a call, because only then zlib refuses each reference that is too far back. */
static void check_with_zlib(z_stream *peer, struct span wire, bool is_end, struct span want)
{
    uint8_t in[WIRE_MAX + 4];
    size_t got = 0;
    memcpy(in, wire.data, wire.len);
    memcpy(in + wire.len, "\x00\x00\xff\xff", 4);
    peer->next_in = in;
    peer->avail_in = (uInt)(wire.len + (is_end ? 4 : 0));
    for (;;) {
        uint8_t byte;
        peer->next_out = &byte;
        peer->avail_out = 1;
        int status = inflate(peer, Z_SYNC_FLUSH);
        expect(status == Z_OK || status == Z_BUF_ERROR);
        if (peer->avail_out > 0) {
            expect(got == want.len && peer->avail_in == 0);
            return;
        }
        expect(got < want.len && byte == (uint8_t)want.data[got]);
        got++;
    }
}

static void fuzz_both_ways(const struct deflate_settings *settings,
                           const struct deflate_params *params, struct reader r)
{
    static struct bytes out;
    static uint8_t room[WIRE_MAX];
    struct deflate server;
    struct deflate client;
    z_stream peer = {0};
    bool is_start = true;
    struct deflate_params swapped = *params;
    swapped.client_bits = params->server_bits;
    swapped.is_client_no_takeover = params->is_server_no_takeover;
    deflate_init(&server, settings, params);
    deflate_init(&client, settings, &swapped);
    expect(inflateInit2(&peer, -(int)params->server_bits) == Z_OK);
    while (r.len > 0) {
        struct piece piece = take_piece(&r);
        struct span text = piece.data;
        size_t cap = deflate_bound(text.len);
        size_t len = 0;
        uint8_t *wire = room + sizeof(room) - cap;
        expect(cap <= sizeof(room));
        if (is_start && params->is_server_no_takeover) {
            inflateReset(&peer);
        }
        expect(deflate_deflate(&server, text, piece.is_end, wire, cap, &len) == DEFLATE_OK);
        expect(len <= cap);
        piece.data = (struct span){(char *)wire, len};
        check_with_zlib(&peer, piece.data, piece.is_end, text);
        out.len = 0;
        expect(inflate_piece(&client, &piece, &out) == DEFLATE_OK);
        expect(out.len == text.len && memcmp(out.data, text.data, text.len) == 0);
        is_start = piece.is_end;
        if (piece.is_park) {
            deflate_park(&server);
            deflate_park(&client);
        }
    }
    inflateEnd(&peer);
    deflate_done(&server);
    deflate_done(&client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = {data, size};
    uint8_t how = take_byte(&r);
    uint8_t windows = take_byte(&r);
    struct deflate_settings settings = {
        .window_bits = (uint8_t)(9 + how / 32 % 7),
        .max_message_bytes = how & 16 ? 1000 : 0,
    };
    struct deflate_params params = {
        .server_bits = (uint8_t)(15 - windows % 8),
        .client_bits = (uint8_t)(15 - windows / 8 % 8),
        .is_server_no_takeover = (how & 4) != 0,
        .is_client_no_takeover = (how & 8) != 0,
    };
    if ((how & 3) < 2) {
        fuzz_offer(how, windows, (struct span){(const char *)r.data, r.len});
    } else if ((how & 3) == 2) {
        fuzz_inflate(&settings, &params, r);
    } else {
        settings.max_message_bytes = 0;
        fuzz_both_ways(&settings, &params, r);
    }
    expect(mem_live_blocks() == 0);
    return 0;
}
