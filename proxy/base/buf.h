/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buf.h: bounded byte queue.
 *
 * For: the one place where a byte waits (the out queue of a connection). Not for: parsing in
 * place, scratch. First in, first out. The queue cuts its one block to what it holds and gives it
 * back when it is empty, so that an idle queue owns no memory. buf_init sets the limit; the queue
 * refuses an append beyond it whole and never cuts one.
 *
 *      block:  | taken |  waiting bytes (len)  | slack |
 *
 * Slack is at most a sixteenth of the block and 1 KiB (15 bytes in a small block). After an append
 * less than a quarter of what waits is taken bytes. The queue cuts a block of more than 16 KiB at
 * once when more than half of it is taken.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/span.h"

struct buf {
    uint8_t *block; /* NULL when empty */
    size_t head;    /* bytes of the block already taken */
    size_t len;     /* bytes waiting */
    size_t limit;   /* most bytes that may wait */
    size_t peak;    /* most bytes that ever waited */
};

enum buf_result { BUF_OK = 0, BUF_FULL, BUF_NO_MEMORY };

/* `limit_bytes` > 0. Owns nothing yet. */
void buf_init(struct buf *b, size_t limit_bytes);
/* Frees what waits; the queue is empty and usable afterwards. */
void buf_clear(struct buf *b);

/* Appends all bytes of the pieces or nothing. */
MUST_CHECK enum buf_result buf_append(struct buf *b, const void *data, size_t len);
MUST_CHECK enum buf_result buf_append_pieces(struct buf *b, const struct iovec *iov, size_t count);

/* The waiting bytes, contiguous; valid until the next append, consume or clear. */
struct span buf_peek(const struct buf *b);
/* Takes `len` <= b->len bytes off the front. */
void buf_consume(struct buf *b, size_t len);

#endif
