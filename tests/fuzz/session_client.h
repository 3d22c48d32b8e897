/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_client.h: what the client of the fuzzed session sends. The input says what, and the model
 * hears of it. */
#ifndef FUZZ_SESSION_CLIENT_H
#define FUZZ_SESSION_CLIENT_H

#include "proto/mask.h"
#include "session_heads.h"

#define CONTENT_MAX ((size_t)64 * 1024)
#define SPENT_MAX ((size_t)700 * 1024) /* content of one input */

#define HOW_BINARY 1
#define HOW_FRAGMENTS 6 /* one less than the number of fragments */
#define HOW_ANEW 8      /* without what came before */
#define HOW_STORED 16   /* not compressed */
#define HOW_PING 32     /* a Ping between two fragments */

struct reader {
    const uint8_t *data;
    size_t len;
};

static z_stream client_deflater;
static size_t spent_bytes;

static uint8_t take_byte(struct reader *r)
{
    if (r->len == 0) {
        return 0;
    }
    r->len--;
    return *r->data++;
}

static struct span take_span(struct reader *r, size_t most)
{
    struct span taken = {(const char *)r->data, r->len < most ? r->len : most};
    r->data += taken.len;
    r->len -= taken.len;
    spent_bytes += taken.len;
    return taken;
}

UNUSED static struct span take_content(struct reader *r)
{
    static uint8_t content[CONTENT_MAX];
    static const size_t sizes[] = {125,  126,  127,  200,   300,   600,   1000,  2000,
                                   4000, 4096, 5000, 10000, 16384, 20000, 65535, CONTENT_MAX};
    uint8_t n = take_byte(r);
    if (n < 0xf0) {
        return take_span(r, n);
    }
    uint8_t what = take_byte(r);
    size_t len = sizes[n & 15];
    len = spent_bytes + len <= SPENT_MAX ? len : 0;
    spent_bytes += len;
    if (what < 0x80) {
        memset(content, what, len);
        return (struct span){(char *)content, len};
    }
    struct span pattern = take_span(r, (size_t)(what & 0x7f) + 1);
    if (pattern.len == 0) {
        return pattern;
    }
    size_t done = pattern.len < len ? pattern.len : len;
    memcpy(content, pattern.data, done);
    while (done < len) { /* repeats what is there */
        size_t part = done < len - done ? done : len - done;
        memcpy(content + done, content, part);
        done += part;
    }
    return (struct span){(char *)content, len};
}

static bool client_has_room(size_t len)
{
    return world.tls.end == TLS_END_NONE && memory_has_room(&world.client, len);
}

static void push_frame(uint8_t first, struct span payload)
{
    static const uint8_t key[4] = {0xa5, 0x00, 0x3c, 0xff};
    uint8_t head[WS_HEADER_MAX];
    size_t head_len = ws_encode_header(head, WS_BINARY, true, payload.len);
    world.is_early = world.is_early || wire.status == 0;
    head[0] = first;
    head[1] |= 0x80;
    memory_push(&world.client, head, head_len);
    memory_push(&world.client, key, sizeof(key));
    uint8_t *masked = world.client.in + world.client.in_len;
    memory_push(&world.client, payload.data, payload.len);
    mask_apply(masked, payload.len, key, 0);
}

static void send_frame(uint8_t first, struct span payload)
{
    if (client_has_room(payload.len + 14)) {
        push_frame(first, payload);
        model_frame(first, payload);
    }
}

static void push_head(const struct head_parts *parts)
{
    static char text[HEAD_MAX];
    bool is_first = !world.is_headed && !model.is_spoiled;
    size_t len = head_write(parts, text);
    if (!client_has_room(len)) {
        return;
    }
    world.is_headed = true;
    memory_push(&world.client, text, len);
    if (is_first) {
        head_model(parts);
    } else {
        model_spoil();
    }
}

UNUSED static void send_head(struct reader *r)
{
    uint8_t route = take_byte(r);
    uint8_t how = take_byte(r);
    uint8_t more = take_byte(r);
    struct head_parts parts = {.route = route % (ROUTE_COUNT + 1),
                               .is_token_first = (how & 8) != 0,
                               .flaw = how >> 4,
                               .extensions = how & 7,
                               .subprotocols = more & 15,
                               .origin = more >> 4};
    push_head(&parts);
}

UNUSED static void send_raw(struct span data)
{
    if (client_has_room(data.len)) {
        memory_push(&world.client, data.data, data.len);
        model_spoil();
    }
}

/* Deflates as a client may, with a window that suits every agreement. Returns the length. */
static size_t deflate_content(uint8_t how, struct span data, uint8_t *out, size_t cap)
{
    int level = how & HOW_STORED ? Z_NO_COMPRESSION : 1;
    if (client_deflater.state == NULL) {
        expect(deflateInit2(&client_deflater, 1, Z_DEFLATED, -9, 1, Z_DEFAULT_STRATEGY) == Z_OK,
               "memory");
    }
    if (!world.has_deflated || (how & HOW_ANEW) != 0 || wire.params.is_client_no_takeover) {
        deflateReset(&client_deflater);
        world.has_deflated = true;
    }
    client_deflater.next_in = NULL;
    client_deflater.avail_in = 0;
    client_deflater.next_out = out;
    client_deflater.avail_out = (uInt)cap;
    (void)deflateParams(&client_deflater, level, Z_DEFAULT_STRATEGY);
    client_deflater.next_in = (const uint8_t *)data.data;
    client_deflater.avail_in = (uInt)data.len;
    int status = deflate(&client_deflater, Z_SYNC_FLUSH);
    expect(status == Z_OK || status == Z_BUF_ERROR, "zlib");
    expect(client_deflater.avail_in == 0 && client_deflater.avail_out > 0, "room");
    size_t len = cap - client_deflater.avail_out;
    return len >= 4 ? len - 4 : 0;
}

static void send_deflated(uint8_t how, struct span data)
{
    static uint8_t deflated[CONTENT_MAX + CONTENT_MAX / 16];
    if (!client_has_room(sizeof(deflated) + 1000)) {
        return;
    }
    enum ws_opcode opcode = how & HOW_BINARY ? WS_BINARY : WS_TEXT;
    size_t fragments = (size_t)(how & HOW_FRAGMENTS) / 2 + 1;
    size_t len = deflate_content(how, data, deflated, sizeof(deflated));
    size_t at = 0;
    for (size_t i = 1; i <= fragments; i++) {
        size_t part = i == fragments ? len - at : len / fragments;
        uint8_t first = (uint8_t)(i == 1 ? WS_RSV1 | (unsigned int)opcode : WS_CONTINUATION);
        push_frame((uint8_t)(first | (i == fragments ? 0x80 : 0)),
                   (struct span){(char *)deflated + at, part});
        at += part;
        if ((how & HOW_PING) != 0 && i < fragments) {
            push_frame(0x89, SPAN_LIT("ping"));
            model_frame(0x89, SPAN_LIT("ping"));
        }
    }
    model_deflated(opcode, data, wire.is_deflate);
}

#endif
