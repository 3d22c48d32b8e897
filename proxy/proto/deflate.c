/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/deflate.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* Makes the input pointers of zlib.h const. */
#define ZLIB_CONST
#include <zlib.h>

#include "base/mem.h"

/* The highest level at which zlib takes a match without trying one byte later: half the time of the
 * default level, for a few per cent more bytes. */
#define DEFLATE_LEVEL 3
/* zlib's smallest window for deflating without a header. */
#define DEFLATE_BITS_MIN 9

/* The sender takes these off a message's end (RFC 7692 7.2.1). */
static const char tail[4] = "\x00\x00\xff\xff";

struct deflate_inflater {
    z_stream stream;
    bool is_open; /* `stream` is in use; else the inflater is parked */
    bool in_message;
    bool is_final;      /* the last byte read ends a block with BFINAL set */
    bool in_tail;       /* zlib has read the whole message and now reads its tail */
    struct span tail;   /* what zlib has not read of the tail */
    uint64_t out_bytes; /* of the message */
    uint8_t *history;   /* parked: what the next message may refer to; NULL = nothing */
    unsigned int history_len;
};

struct deflate_deflater {
    z_stream stream;
    bool in_message;
};

static void *zlib_alloc(void *unused, unsigned int count, unsigned int size)
{
    (void)unused;
    return mem_alloc((size_t)count * size);
}

static void zlib_free(void *unused, void *block)
{
    (void)unused;
    mem_free(block);
}

static unsigned int min_uint(uint64_t a, uint64_t b)
{
    uint64_t smaller = a < b ? a : b;
    return smaller < UINT_MAX ? (unsigned int)smaller : UINT_MAX;
}

/* --- both -----------------------------------------------------------------------------------*/

void deflate_init(struct deflate *d, const struct deflate_settings *settings,
                  const struct deflate_params *params)
{
    *d = (struct deflate){
        .settings = *settings, .params = *params, .credit_bytes = DEFLATE_CREDIT_FIRST};
}

static void inflater_free(struct deflate *d)
{
    if (d->inflater == NULL) {
        return;
    }
    if (d->inflater->is_open) {
        (void)inflateEnd(&d->inflater->stream);
    }
    mem_free(d->inflater->history);
    mem_free(d->inflater);
    d->inflater = NULL;
}

static void deflater_free(struct deflate *d)
{
    if (d->deflater == NULL) {
        return;
    }
    (void)deflateEnd(&d->deflater->stream);
    mem_free(d->deflater);
    d->deflater = NULL;
}

void deflate_done(struct deflate *d)
{
    inflater_free(d);
    deflater_free(d);
}

bool deflate_can_park(const struct deflate *d)
{
    return d->deflater != NULL || (d->inflater != NULL && d->inflater->is_open);
}

/* Without memory for the copy of the history the inflater stays as it is. */
static void inflater_park(struct deflate *d)
{
    struct deflate_inflater *z = d->inflater;
    unsigned int len = 0;
    if (!d->params.is_client_no_takeover) {
        (void)inflateGetDictionary(&z->stream, NULL, &len);
    }
    if (len == 0) {
        inflater_free(d);
        return;
    }
    z->history = mem_alloc(len);
    if (z->history == NULL) {
        return;
    }
    (void)inflateGetDictionary(&z->stream, z->history, &z->history_len);
    (void)inflateEnd(&z->stream);
    z->is_open = false;
    z->is_final = false;
}

void deflate_park(struct deflate *d)
{
    if (d->deflater != NULL && !d->deflater->in_message) {
        deflater_free(d);
    }
    if (d->inflater != NULL && d->inflater->is_open && !d->inflater->in_message) {
        inflater_park(d);
    }
}

/* --- inflate --------------------------------------------------------------------------------*/

/* Makes the stream and gives a parked history to it. */
static bool inflater_open(struct deflate *d)
{
    struct deflate_inflater *z = d->inflater;
    if (z == NULL) {
        z = mem_alloc_zero(sizeof(*z));
        if (z == NULL) {
            return false;
        }
        z->stream.zalloc = zlib_alloc;
        z->stream.zfree = zlib_free;
        d->inflater = z;
    }
    if (z->is_open) {
        return true;
    }
    z->is_open = inflateInit2(&z->stream, -d->params.client_bits) == Z_OK;
    if (!z->is_open) {
        return false;
    }
    if (z->history != NULL) {
        if (inflateSetDictionary(&z->stream, z->history, z->history_len) != Z_OK) {
            return false;
        }
        mem_free(z->history);
        z->history = NULL;
    }
    return true;
}

static void inflater_start(struct deflate *d)
{
    struct deflate_inflater *z = d->inflater;
    z->in_message = true;
    z->in_tail = false;
    z->out_bytes = 0;
    if (d->params.is_client_no_takeover) {
        (void)inflateReset(&z->stream);
        z->is_final = false;
    }
}

/* False: the client inflates too far. */
static bool take_credit(struct deflate *d, size_t compressed, size_t inflated)
{
    uint64_t credit = d->credit_bytes + (uint64_t)compressed * d->settings.max_ratio;

    if (d->settings.max_ratio == 0) {
        return true;
    }
    if (inflated > credit) {
        return false;
    }
    credit -= inflated;
    d->credit_bytes = credit < DEFLATE_CREDIT_MAX ? credit : DEFLATE_CREDIT_MAX;
    return true;
}

/* One call of zlib. Never DEFLATE_FULL. */
static enum deflate_result inflate_step(struct deflate *d, struct span *source, uint8_t *out,
                                        size_t cap, size_t *out_len)
{
    struct deflate_inflater *z = d->inflater;
    uint64_t max = d->settings.max_message_bytes;
    uint64_t left = max == 0 ? UINT64_MAX : max - z->out_bytes;
    unsigned int room = min_uint(cap - *out_len, UINT_MAX);
    unsigned int given = min_uint(source->len, UINT_MAX);

    z->stream.next_in = (const uint8_t *)source->data;
    z->stream.avail_in = given;
    z->stream.next_out = out + *out_len;
    z->stream.avail_out = room;
    int status = inflate(&z->stream, Z_SYNC_FLUSH);
    size_t taken = given - z->stream.avail_in;
    size_t made = room - z->stream.avail_out;
    if (taken > 0) {
        source->data += taken;
        source->len -= taken;
    }
    if (z->in_tail && made > 0) {
        return DEFLATE_BAD; /* the message ended inside a block, which the tail now goes on with */
    }
    if (made > left) {
        *out_len += (size_t)left;
        return DEFLATE_TOO_BIG;
    }
    *out_len += made;
    z->out_bytes += made;
    if (!take_credit(d, z->in_tail ? 0 : taken, made)) {
        return DEFLATE_TOO_FAR;
    }
    if (status == Z_MEM_ERROR) {
        return DEFLATE_NO_MEMORY;
    }
    z->is_final = status == Z_STREAM_END;
    /* Z_BUF_ERROR: zlib had nothing to do. */
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR ? DEFLATE_OK
                                                                             : DEFLATE_BAD;
}

/* Inflates all of `source`, and the output that zlib still owes for earlier input. */
static enum deflate_result inflate_all(struct deflate *d, struct span *source, uint8_t *out,
                                       size_t cap, size_t *out_len)
{
    struct deflate_inflater *z = d->inflater;
    for (;;) {
        if (z->is_final) {
            if (source->len == 0) {
                return DEFLATE_OK;
            }
            /* Another block follows, which may refer to the history too. */
            (void)inflateResetKeep(&z->stream);
            z->is_final = false;
        }
        if (*out_len == cap) {
            return DEFLATE_FULL;
        }
        enum deflate_result result = inflate_step(d, source, out, cap, out_len);
        if (result != DEFLATE_OK) {
            return result;
        }
        if (source->len == 0 && z->stream.avail_out > 0) {
            return DEFLATE_OK;
        }
    }
}

enum deflate_result deflate_inflate(struct deflate *d, struct span *input, bool is_end,
                                    uint8_t *out, size_t cap, size_t *out_len)
{
    assert(cap > 0);
    *out_len = 0;
    bool in_message = d->inflater != NULL && d->inflater->in_message;
    if (!in_message) {
        if (input->len == 0) {
            return DEFLATE_OK;
        }
        if (!inflater_open(d)) {
            return DEFLATE_NO_MEMORY;
        }
        inflater_start(d);
    }
    struct deflate_inflater *z = d->inflater;
    if (!z->in_tail) {
        enum deflate_result result = inflate_all(d, input, out, cap, out_len);
        if (result != DEFLATE_OK || !is_end) {
            return result;
        }
        z->in_tail = true;
        /* A message that ends with a final block opened no other, and so has no tail. */
        z->tail = z->is_final ? (struct span){NULL, 0} : (struct span){tail, sizeof(tail)};
    }
    enum deflate_result result = inflate_all(d, &z->tail, out, cap, out_len);
    if (result != DEFLATE_OK) {
        return result;
    }
    /* 128: zlib stands between two blocks and has no bits left over. */
    if (!z->is_final && z->stream.data_type != 128) {
        return DEFLATE_BAD;
    }
    z->in_message = false;
    return DEFLATE_OK;
}

/* --- deflate --------------------------------------------------------------------------------*/

size_t deflate_bound(size_t len)
{
    /* zlib never writes a block that is longer than one with the fixed code, which has at most nine
     * bits for a byte. A block holds 2047 bytes or more and costs two bytes; a flush costs at most
     * six. */
    return len + (len >> 3) + (len >> 9) + 16;
}

static bool deflater_open(struct deflate *d)
{
    struct deflate_deflater *z = mem_alloc_zero(sizeof(*z));
    if (z == NULL) {
        return false;
    }
    z->stream.zalloc = zlib_alloc;
    z->stream.zfree = zlib_free;
    int bits = (int)min_uint(d->params.server_bits, d->settings.window_bits);
    /* zlib cannot deflate with a window of 256 bytes, but runs of one byte need no window. */
    int strategy = bits < DEFLATE_BITS_MIN ? Z_RLE : Z_DEFAULT_STRATEGY;
    bits = bits < DEFLATE_BITS_MIN ? DEFLATE_BITS_MIN : bits;
    int mem_level = bits <= 12 ? 5 : bits - 7;
    if (deflateInit2(&z->stream, DEFLATE_LEVEL, Z_DEFLATED, -bits, mem_level, strategy) != Z_OK) {
        mem_free(z);
        return false;
    }
    d->deflater = z;
    return true;
}

static bool deflater_start(struct deflate *d)
{
    if (d->deflater == NULL) {
        if (!deflater_open(d)) {
            return false;
        }
    } else if (d->params.is_server_no_takeover) {
        (void)deflateReset(&d->deflater->stream);
    }
    d->deflater->in_message = true;
    return true;
}

/* zlib writes nothing for no input. But every piece ends at a whole byte, so 0x00 can stand for an
 * empty block, whose other four bytes the peer adds (RFC 7692 7.2.3.6). */
static size_t deflate_nothing(struct deflate *d, bool is_end, uint8_t *out)
{
    if (!is_end) {
        return 0;
    }
    out[0] = 0x00;
    if (d->deflater != NULL) {
        d->deflater->in_message = false;
    }
    return 1;
}

enum deflate_result deflate_deflate(struct deflate *d, struct span piece, bool is_end, uint8_t *out,
                                    size_t cap, size_t *out_len)
{
    assert(cap >= deflate_bound(piece.len));
    *out_len = 0;
    if (piece.len == 0) {
        *out_len = deflate_nothing(d, is_end, out);
        return DEFLATE_OK;
    }
    bool in_message = d->deflater != NULL && d->deflater->in_message;
    if (!in_message && !deflater_start(d)) {
        return DEFLATE_NO_MEMORY;
    }
    z_stream *stream = &d->deflater->stream;
    while (piece.len > 0) {
        unsigned int given = min_uint(piece.len, UINT_MAX);
        unsigned int room = min_uint(cap - *out_len, UINT_MAX);
        stream->next_in = (const uint8_t *)piece.data;
        stream->avail_in = given;
        stream->next_out = out + *out_len;
        stream->avail_out = room;
        int status = deflate(stream, Z_SYNC_FLUSH);
        assert(status == Z_OK && stream->avail_in == 0 && stream->avail_out > 0);
        piece.data += given;
        piece.len -= given;
        *out_len += room - stream->avail_out;
    }
    if (is_end) {
        assert(*out_len > sizeof(tail) &&
               memcmp(out + *out_len - sizeof(tail), tail, sizeof(tail)) == 0);
        *out_len -= sizeof(tail);
        d->deflater->in_message = false;
    }
    return DEFLATE_OK;
}
