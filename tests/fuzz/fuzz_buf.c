/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buf against a plain array. The first two bytes are the limit. Each operation is three bytes: what
 * to do and how many bytes. */
#include "base/buf.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERATIONS_MAX = 48, APPEND_MAX = 65536 };

/* Everything that the target ever appended, in a row. What waits is a window that moves over this
 * row. */
struct model {
    uint8_t bytes[OPERATIONS_MAX * APPEND_MAX];
    size_t start;
    size_t len;
    size_t peak;
};

static struct model model;

static void fill_once(void)
{
    static bool is_filled;
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(model.bytes) && !is_filled; i++) {
        x = x * 1664525 + 1013904223;
        model.bytes[i] = (uint8_t)(x >> 24);
    }
    is_filled = true;
}

static void check_same(const struct buf *b)
{
    struct span got = buf_peek(b);
    assert(b->len == model.len && got.len == model.len && b->peak == model.peak);
    assert(model.len == 0 || memcmp(got.data, model.bytes + model.start, model.len) == 0);
    assert((b->block == NULL) == (model.len == 0));
    assert(model.len > 0 || b->head == 0);
}

static void append(struct buf *b, size_t len, unsigned pieces, bool is_failing)
{
    struct iovec iov[3];
    size_t done = 0;
    uint8_t *fresh = model.bytes + model.start + model.len;
    for (unsigned i = 0; i < pieces; i++) {
        size_t part = i + 1 == pieces ? len - done : len / pieces;
        iov[i] = (struct iovec){.iov_base = part > 0 ? fresh + done : NULL, .iov_len = part};
        done += part;
    }
    mem_fail_after(is_failing ? 1 : 0);
    enum buf_result result =
        pieces == 1 ? buf_append(b, fresh, len) : buf_append_pieces(b, iov, pieces);
    mem_fail_after(0);
    assert((result == BUF_FULL) == (len > b->limit - model.len));
    assert(result != BUF_NO_MEMORY || is_failing);
    if (result == BUF_OK) {
        model.len += len;
        model.peak = model.len > model.peak ? model.len : model.peak;
    }
}

static void consume(struct buf *b, size_t len, bool is_failing)
{
    len = len < model.len ? len : model.len;
    mem_fail_after(is_failing ? 1 : 0);
    buf_consume(b, len);
    mem_fail_after(0);
    model.len -= len;
    model.start += len;
    assert(b->head + b->len <= 16384 || b->head <= b->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b;
    size_t before = mem_live_blocks();
    if (size < 2) {
        return 0;
    }
    fill_once();
    model.start = 0;
    model.len = 0;
    model.peak = 0;
    buf_init(&b, 1 + (data[0] | (size_t)data[1] << 8) * 3);
    for (size_t i = 2; i + 3 <= size && i < 2 + 3 * OPERATIONS_MAX; i += 3) {
        size_t len = data[i + 1] | (size_t)data[i + 2] << 8;
        bool is_failing = (data[i] & 0x10) != 0;
        switch (data[i] & 0x07) {
        case 0:
        case 1:
        case 2:
            append(&b, len, 1 + (data[i] & 0x07), is_failing);
            break;
        case 3:
            append(&b, data[i + 1], 1, is_failing);
            break;
        case 4:
            consume(&b, data[i + 1], is_failing);
            break;
        case 7:
            buf_clear(&b);
            model.start += model.len;
            model.len = 0;
            break;
        default:
            consume(&b, len, is_failing);
            break;
        }
        check_same(&b);
        assert(mem_live_blocks() == before + (model.len > 0 ? 1 : 0));
    }
    buf_clear(&b);
    assert(mem_live_blocks() == before);
    return 0;
}
