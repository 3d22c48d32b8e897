/* SPDX-License-Identifier: GPL-3.0-or-later */
// An independent WebSocket client for tests of proto/shape. The client reads frames without our
// code, inflates with plain zlib and just the agreed window, and deflates what it sends. No CUnit,
// because the fuzz target uses the client too.
#ifndef TESTS_UNIT_SHAPE_CLIENT_H
#define TESTS_UNIT_SHAPE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/utf8.h"
#include "give_up.h"

#define CLIENT_UNUSED __attribute__((unused))

struct client_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
};

// Appends bytes. `data` is not NULL afterwards, even without any.
CLIENT_UNUSED static void client_put(struct client_bytes *b, const void *data, size_t len)
{
    if (b->data == NULL || len > b->cap - b->len) {
        b->cap = 2 * b->cap + len + 64;
        b->data = realloc(b->data, b->cap);
        if (b->data == NULL) {
            GIVE_UP();
        }
        memset(b->data + b->len, 0, b->cap - b->len);
    }
    if (len > 0) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
}

CLIENT_UNUSED static void client_drop(struct client_bytes *b)
{
    free(b->data);
    *b = (struct client_bytes){0};
}

CLIENT_UNUSED static struct span client_span(const struct client_bytes *b)
{
    return (struct span){(const char *)b->data, b->len};
}

struct client_message {
    size_t start; // in content
    size_t len;
    size_t frames;
    uint8_t opcode;
    bool is_deflated;
    bool is_whole;
};

struct client_rules {
    bool is_deflate;
    int server_bits; // the window for the server's messages
    int client_bits; // the window for the client's
    bool is_server_no_takeover;
    bool is_client_no_takeover;
    uint64_t max_frame_bytes; // 0 = any
    size_t step;              // inflated bytes a call of zlib; 1 finds every reference too far
};

struct client {
    struct client_rules rules;
    z_stream in;
    z_stream out;
    bool has_in; // from the first compressed message on
    bool has_out;
    bool in_message;
    struct client_bytes content; // of all messages
    struct client_bytes marks;   // an array of struct client_message
    const char *wrong;           // the first thing that was wrong
};

CLIENT_UNUSED static void client_open(struct client *c, const struct client_rules *rules)
{
    *c = (struct client){.rules = *rules};
    if (c->rules.step == 0) {
        c->rules.step = 1;
    }
    client_put(&c->content, "", 0);
}

CLIENT_UNUSED static void client_close(struct client *c)
{
    if (c->has_in) {
        inflateEnd(&c->in);
    }
    if (c->has_out) {
        deflateEnd(&c->out);
    }
    client_drop(&c->content);
    client_drop(&c->marks);
}

CLIENT_UNUSED static size_t client_count(const struct client *c)
{
    return c->marks.len / sizeof(struct client_message);
}

CLIENT_UNUSED static struct client_message *client_message(const struct client *c, size_t i)
{
    return (struct client_message *)(void *)c->marks.data + i;
}

CLIENT_UNUSED static struct span client_text(const struct client *c, size_t i)
{
    const struct client_message *m = client_message(c, i);
    return (struct span){(const char *)c->content.data + m->start, m->len};
}

// --- what the server sends ----------------------------------------------------------------------

CLIENT_UNUSED static bool client_wrong(struct client *c, const char *what)
{
    c->wrong = c->wrong == NULL ? what : c->wrong;
    return false;
}

CLIENT_UNUSED static bool client_inflate(struct client *c, const uint8_t *data, size_t len)
{
    uint8_t block[4096];
    size_t step = c->rules.step < sizeof(block) ? c->rules.step : sizeof(block);
    c->in.next_in = (uint8_t *)(uintptr_t)data;
    c->in.avail_in = (unsigned int)len;
    do {
        c->in.next_out = block;
        c->in.avail_out = (unsigned int)step;
        int status = inflate(&c->in, Z_SYNC_FLUSH);
        if (status != Z_OK && status != Z_BUF_ERROR) {
            return client_wrong(c, "does not inflate");
        }
        client_put(&c->content, block, step - c->in.avail_out);
    } while (c->in.avail_out == 0);
    return c->in.avail_in == 0 || client_wrong(c, "not all inflated");
}

CLIENT_UNUSED static bool client_take(struct client *c, struct client_message *m,
                                      const uint8_t *data, size_t len, bool is_fin)
{
    if (!m->is_deflated) {
        client_put(&c->content, data, len);
    } else if (!client_inflate(c, data, len)) {
        return false;
    }
    if (is_fin && m->is_deflated) {
        size_t before = c->content.len;
        if (!client_inflate(c, (const uint8_t *)"\x00\x00\xff\xff", 4)) {
            return false;
        }
        // 128: zlib stands between two blocks.
        if (c->content.len != before || c->in.data_type != 128) {
            return client_wrong(c, "tail of a compressed message");
        }
    }
    m->len = c->content.len - m->start;
    if (is_fin && m->opcode == 1 &&
        !utf8_is_valid((struct span){(const char *)c->content.data + m->start, m->len})) {
        return client_wrong(c, "text is not UTF-8");
    }
    return true;
}

// Reads the first byte of a header. False: the byte is wrong.
CLIENT_UNUSED static bool client_start(struct client *c, uint8_t first)
{
    uint8_t opcode = first & 0x0f;
    bool is_deflated = (first & 0x40) != 0;
    if ((first & 0x30) != 0) {
        return client_wrong(c, "reserved bits");
    }
    if (c->in_message) {
        return (opcode == 0 && !is_deflated) || client_wrong(c, "not a continuation");
    }
    if (opcode != 1 && opcode != 2) {
        return client_wrong(c, "not the start of a message");
    }
    if (is_deflated && !c->rules.is_deflate) {
        return client_wrong(c, "RSV1 was not agreed on");
    }
    if (is_deflated && !c->has_in) {
        c->has_in = inflateInit2(&c->in, -c->rules.server_bits) == Z_OK;
    } else if (is_deflated && c->rules.is_server_no_takeover) {
        inflateReset(&c->in);
    }
    struct client_message m = {
        .start = c->content.len, .opcode = opcode, .is_deflated = is_deflated};
    client_put(&c->marks, &m, sizeof(m));
    return true;
}

// Reads whole frames. False: something is wrong.
CLIENT_UNUSED static bool client_read(struct client *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        uint64_t size = len > 1 ? data[1] : 0;
        size_t more = size == 126 ? 2 : size == 127 ? 8 : 0;
        if (len < 2 + more || (len > 1 && (data[1] & 0x80) != 0)) {
            return client_wrong(c, "header");
        }
        for (size_t i = 0; i < more; i++) {
            size = (i == 0 ? 0 : size << 8) | data[2 + i];
        }
        if ((more == 2 && size < 126) || (more == 8 && size < 65536)) {
            return client_wrong(c, "length is not minimal");
        }
        if (size > len - 2 - more) {
            return client_wrong(c, "half a frame");
        }
        if (c->rules.max_frame_bytes != 0 && size > c->rules.max_frame_bytes) {
            return client_wrong(c, "frame too long");
        }
        bool is_fin = (data[0] & 0x80) != 0;
        if (!client_start(c, data[0])) {
            return false;
        }
        struct client_message *m = client_message(c, client_count(c) - 1);
        m->frames++;
        m->is_whole = is_fin;
        c->in_message = !is_fin;
        if (!client_take(c, m, data + 2 + more, (size_t)size, is_fin)) {
            return false;
        }
        data += 2 + more + size;
        len -= 2 + more + (size_t)size;
    }
    return true;
}

// --- what the client sends ----------------------------------------------------------------------

// Deflates a piece of a message. The server can inflate each piece without the next one; the last
// piece ends as RFC 7692 wants it.
CLIENT_UNUSED static void client_deflate(struct client *c, struct span piece, bool is_end,
                                         struct client_bytes *out)
{
    uint8_t block[4096];
    size_t before = out->len;
    if (!c->has_out) {
        int bits = c->rules.client_bits;
        // zlib's smallest window is 9 bits; runs of one byte need no window.
        int strategy = bits < 9 ? Z_RLE : Z_DEFAULT_STRATEGY;
        c->has_out =
            deflateInit2(&c->out, 6, Z_DEFLATED, bits < 9 ? -9 : -bits, 8, strategy) == Z_OK;
    }
    if (piece.len == 0) {
        client_put(out, "", is_end ? 1 : 0);
    } else {
        c->out.next_in = (uint8_t *)(uintptr_t)piece.data;
        c->out.avail_in = (unsigned int)piece.len;
        do {
            c->out.next_out = block;
            c->out.avail_out = sizeof(block);
            (void)deflate(&c->out, Z_SYNC_FLUSH);
            client_put(out, block, sizeof(block) - c->out.avail_out);
        } while (c->out.avail_out == 0);
        out->len -= is_end && out->len - before >= 4 ? 4 : 0;
    }
    if (is_end && c->rules.is_client_no_takeover) {
        deflateReset(&c->out);
    }
}

#endif
