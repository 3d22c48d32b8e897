/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* Moving a smaller block would cost more than the memory it gives back. */
#define SMALL_BLOCK_BYTES (16U * 1024U)

/* The number of bytes in a block gives its size, so no field has to remember the size. The steps
 * spare a queue that grows by a few bytes at a time a reallocation for each of them. They waste at
 * most a sixteenth, and below 256 bytes no more than malloc itself does. */
static size_t block_size(size_t used)
{
    size_t step = 16;
    while (step < 1024 && step * 16 < used) {
        step *= 2;
    }
    return (used + step - 1) / step * step;
}

static void move_to_front(struct buf *b)
{
    assert(b->block != NULL);
    memmove(b->block, b->block + b->head, b->len);
    b->head = 0;
}

/* Cuts the block to its bytes. After a failure the block only stays larger. */
static void shrink(struct buf *b)
{
    uint8_t *block = mem_resize(b->block, block_size(b->head + b->len));
    if (block != NULL) {
        b->block = block;
    }
}

static enum buf_result make_room(struct buf *b, size_t extra)
{
    size_t old_size = b->block == NULL ? 0 : block_size(b->head + b->len);
    /* A move costs `len`. It waits until the reader has taken a quarter of that since the last
     * move, so the cost per byte is constant however small the pieces are. */
    if (b->head > 0 && b->head >= b->len / 4) {
        move_to_front(b);
    }
    size_t new_size = block_size(b->head + b->len + extra);
    if (new_size == old_size) {
        return BUF_OK;
    }
    uint8_t *block = mem_resize(b->block, new_size);
    if (block == NULL) {
        return new_size < old_size ? BUF_OK : BUF_NO_MEMORY;
    }
    b->block = block;
    return BUF_OK;
}

void buf_init(struct buf *b, size_t limit_bytes)
{
    /* Half the address space: sums of head, len and a step cannot wrap. */
    assert(limit_bytes > 0 && limit_bytes <= SIZE_MAX / 4);
    *b = (struct buf){.limit = limit_bytes};
}

void buf_clear(struct buf *b)
{
    mem_free(b->block);
    b->block = NULL;
    b->head = 0;
    b->len = 0;
}

enum buf_result buf_append(struct buf *b, const void *data, size_t len)
{
    /* iovec has no const; this only reads. */
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    return buf_append_pieces(b, &piece, 1);
}

enum buf_result buf_append_pieces(struct buf *b, const struct iovec *iov, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > b->limit - b->len - total) {
            return BUF_FULL;
        }
        total += iov[i].iov_len;
    }
    if (total == 0) {
        return BUF_OK;
    }
    enum buf_result result = make_room(b, total);
    if (result != BUF_OK) {
        return result;
    }
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > 0) {
            memcpy(b->block + b->head + b->len, iov[i].iov_base, iov[i].iov_len);
            b->len += iov[i].iov_len;
        }
    }
    if (b->len > b->peak) {
        b->peak = b->len;
    }
    return BUF_OK;
}

struct span buf_peek(const struct buf *b)
{
    if (b->block == NULL) {
        return (struct span){NULL, 0};
    }
    return (struct span){(const char *)b->block + b->head, b->len};
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= b->len);
    if (len == b->len) {
        buf_clear(b);
        return;
    }
    b->head += len;
    b->len -= len;
    /* This moves fewer bytes than the reader has taken since the last move, so its cost per byte is
     * constant too. */
    if (b->head > b->len && b->head + b->len > SMALL_BLOCK_BYTES) {
        move_to_front(b);
        shrink(b);
    }
}
