/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"

#include <malloc.h>

#include "base/mem.h"
#include "check.h"
#include "suites.h"

#define KIB ((size_t)1024)

static uint8_t pattern[512 * 1024];

static void fill_pattern(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(pattern); i++) {
        x = x * 1664525 + 1013904223;
        pattern[i] = (uint8_t)(x >> 24);
    }
}

static void check_holds(const char *row, const struct buf *b, const void *want, size_t len)
{
    struct span got = buf_peek(b);
    CHECK_EQ_MEM(row, got.data, got.len, want, len);
    CHECK_EQ_U64(row, b->len, len);
    CHECK_EQ_INT(row, b->block == NULL, len == 0);
}

static void test_empty_owns_nothing(void)
{
    size_t before = mem_live_blocks();
    struct buf b;
    buf_init(&b, 100);
    check_holds("new", &b, "", 0);
    CHECK_EQ_INT("no bytes", buf_append(&b, NULL, 0), BUF_OK);
    CHECK_EQ_INT("no pieces", buf_append_pieces(&b, NULL, 0), BUF_OK);
    buf_consume(&b, 0);
    check_holds("still empty", &b, "", 0);
    CHECK_EQ_INT("append", buf_append(&b, "abc", 3), BUF_OK);
    CHECK_EQ_U64("one block", mem_live_blocks(), before + 1);
    buf_consume(&b, 3);
    check_holds("used up", &b, "", 0);
    CHECK_EQ_U64("given back", mem_live_blocks(), before);
    CHECK_EQ_INT("append again", buf_append(&b, "de", 2), BUF_OK);
    check_holds("usable", &b, "de", 2);
    buf_clear(&b);
    check_holds("cleared", &b, "", 0);
    CHECK_EQ_U64("peak stays", b.peak, 3);
    CHECK_EQ_U64("given back", mem_live_blocks(), before);
    CHECK_EQ_INT("append after clear", buf_append(&b, "f", 1), BUF_OK);
    buf_clear(&b);
    buf_clear(&b);
}

static void test_limit_refuses_whole(void)
{
    struct buf b;
    struct iovec two[2] = {{.iov_base = pattern, .iov_len = 4},
                           {.iov_base = pattern, .iov_len = 4}};
    struct iovec huge[2] = {{.iov_base = pattern, .iov_len = 1},
                            {.iov_base = pattern, .iov_len = SIZE_MAX}};
    buf_init(&b, 10);
    CHECK_EQ_INT("11 of 10", buf_append(&b, pattern, 11), BUF_FULL);
    check_holds("nothing taken", &b, "", 0);
    CHECK_EQ_INT("10 of 10", buf_append(&b, "0123456789", 10), BUF_OK);
    CHECK_EQ_INT("one more", buf_append(&b, "x", 1), BUF_FULL);
    check_holds("unchanged", &b, "0123456789", 10);
    buf_consume(&b, 3);
    CHECK_EQ_INT("8 of 10 in two pieces", buf_append_pieces(&b, two, 2), BUF_FULL);
    CHECK_EQ_INT("a sum that wraps", buf_append_pieces(&b, huge, 2), BUF_FULL);
    CHECK_EQ_INT("no bytes always fit", buf_append(&b, "x", 0), BUF_OK);
    check_holds("unchanged", &b, "3456789", 7);
    CHECK_EQ_INT("room was made", buf_append(&b, "abc", 3), BUF_OK);
    check_holds("full again", &b, "3456789abc", 10);
    CHECK_EQ_U64("peak", b.peak, 10);
    buf_clear(&b);
}

/* Appends the same bytes in two and three pieces, and consumes up to every position. */
static void test_every_split(void)
{
    enum { LEN = 24 };
    for (size_t cut = 0; cut <= LEN; cut++) {
        for (size_t taken = 0; taken <= cut; taken++) {
            struct buf b;
            struct iovec rest[3] = {{.iov_base = pattern + cut, .iov_len = (LEN - cut) / 2},
                                    {.iov_base = NULL, .iov_len = 0},
                                    {.iov_base = pattern + cut + (LEN - cut) / 2,
                                     .iov_len = LEN - cut - (LEN - cut) / 2}};
            buf_init(&b, LEN);
            CHECK_EQ_INT("first", buf_append(&b, pattern, cut), BUF_OK);
            buf_consume(&b, taken);
            CHECK_EQ_INT("rest", buf_append_pieces(&b, rest, 3), BUF_OK);
            check_holds("all", &b, pattern + taken, LEN - taken);
            buf_clear(&b);
        }
    }
}

/* Sends `size` bytes through a queue. For each step that leaves, two steps come in. */
static bool is_same_behind(size_t size, size_t step)
{
    struct buf b;
    size_t in = 0;
    size_t out = 0;
    bool is_same = true;
    buf_init(&b, size);
    while (out < size && is_same) {
        size_t give = size - in < step * 2 ? size - in : step * 2;
        is_same = buf_append(&b, pattern + in, give) == BUF_OK;
        in += give;
        struct span got = buf_peek(&b);
        size_t take = got.len < step ? got.len : step;
        is_same = is_same && got.len == in - out && memcmp(got.data, pattern + out, take) == 0;
        buf_consume(&b, take);
        out += take;
    }
    is_same = is_same && b.len == 0 && b.block == NULL;
    buf_clear(&b);
    return is_same;
}

/* These sizes cover every step of the block size and the cut of large blocks. */
static void test_sizes_in_and_out(void)
{
    static const size_t sizes[] = {1, 15, 16, 17, 255, 4096, 16384, 16385, 40000, 65536, 131072};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t step = 1; step <= sizes[i]; step = step * 3 + 1) {
            CHECK_TRUE("first in, first out", is_same_behind(sizes[i], step));
        }
    }
}

/* The block never holds much more than what waits. The test asks the allocator for its size. */
static void test_block_is_cut(void)
{
    struct buf b;
    buf_init(&b, 512 * KIB);
    CHECK_EQ_INT("fill", buf_append(&b, pattern, 100 * KIB), BUF_OK);
    CHECK_TRUE("no slack", malloc_usable_size(b.block) <= 101 * KIB);
    CHECK_EQ_INT("more", buf_append(&b, pattern, 20 * KIB), BUF_OK);
    CHECK_TRUE("grown by as much", malloc_usable_size(b.block) <= 121 * KIB);
    while (b.len > 16 * KIB) {
        buf_consume(&b, KIB);
        CHECK_TRUE("at most twice", malloc_usable_size(b.block) <= 2 * b.len + KIB);
    }
    buf_consume(&b, b.len - 1);
    CHECK_TRUE("one byte waits", malloc_usable_size(b.block) <= 17 * KIB);
    CHECK_EQ_INT("append", buf_append(&b, pattern, 10), BUF_OK);
    CHECK_TRUE("cut by the next append", malloc_usable_size(b.block) <= 64);
    buf_clear(&b);
}

/* A queue that always holds much and moves in small pieces must not move more bytes inside its
 * block than a small multiple of the bytes that pass. The test counts how often the front moves. */
static void test_no_quadratic_moves(void)
{
    struct buf b;
    size_t moved = 0;
    size_t passed = 0;
    buf_init(&b, 512 * KIB);
    CHECK_EQ_INT("fill", buf_append(&b, pattern, 400 * KIB), BUF_OK);
    for (size_t i = 0; i < 20000; i++) {
        size_t head = b.head + 100;
        buf_consume(&b, 100);
        moved += b.head < head ? b.len : 0;
        head = b.head;
        if (buf_append(&b, pattern, 100) != BUF_OK) {
            break;
        }
        moved += b.head < head ? b.len : 0;
        passed += 100;
    }
    CHECK_EQ_U64("all went through", passed, 2000000);
    CHECK_TRUE("at most five moves per byte", moved <= 5 * passed);
    buf_clear(&b);
}

/* Of many small appends without a consume, only few may need the allocator. */
static void test_few_reallocations(void)
{
    struct buf b;
    size_t grown = 0;
    buf_init(&b, 64 * KIB);
    for (size_t i = 0; i < 64 * KIB; i++) {
        mem_fail_after(1);
        if (buf_append(&b, pattern + i, 1) != BUF_OK) {
            mem_fail_after(0);
            grown++;
            CHECK_EQ_INT("with memory", buf_append(&b, pattern + i, 1), BUF_OK);
        }
    }
    mem_fail_after(0);
    check_holds("content", &b, pattern, 64 * KIB);
    CHECK_TRUE("one in several hundred", grown < 200);
    buf_clear(&b);
}

static void test_out_of_memory(void)
{
    struct buf b;
    buf_init(&b, 512 * KIB);
    mem_fail_after(1);
    CHECK_EQ_INT("first block", buf_append(&b, pattern, 100), BUF_NO_MEMORY);
    check_holds("nothing taken", &b, "", 0);
    mem_fail_after(0);
    CHECK_EQ_INT("again", buf_append(&b, pattern, 100 * KIB), BUF_OK);
    buf_consume(&b, 40 * KIB);
    mem_fail_after(1);
    CHECK_EQ_INT("grow", buf_append(&b, pattern, 200 * KIB), BUF_NO_MEMORY);
    check_holds("all still there", &b, pattern + 40 * KIB, 60 * KIB);
    CHECK_EQ_U64("peak counts what waited", b.peak, 100 * KIB);
    buf_consume(&b, 50 * KIB);
    check_holds("a cut that fails", &b, pattern + 90 * KIB, 10 * KIB);
    CHECK_EQ_INT("shrinking needs none", buf_append(&b, pattern + 100 * KIB, 1), BUF_NO_MEMORY);
    mem_fail_after(0);
    CHECK_EQ_INT("works again", buf_append(&b, pattern + 100 * KIB, 1), BUF_OK);
    check_holds("content", &b, pattern + 90 * KIB, 10 * KIB + 1);
    buf_clear(&b);
}

static void with_pattern(void (*test)(void))
{
    size_t before = mem_live_blocks();
    fill_pattern();
    test();
    mem_fail_after(0);
    CHECK_EQ_U64("no block is left", mem_live_blocks(), before);
}

#define WITH_PATTERN(name) \
    static void run_##name(void) \
    { \
        with_pattern(test_##name); \
    }

WITH_PATTERN(empty_owns_nothing)
WITH_PATTERN(limit_refuses_whole)
WITH_PATTERN(every_split)
WITH_PATTERN(sizes_in_and_out)
WITH_PATTERN(block_is_cut)
WITH_PATTERN(no_quadratic_moves)
WITH_PATTERN(few_reallocations)
WITH_PATTERN(out_of_memory)

CU_TestInfo buf_tests[] = {
    {"an empty queue owns nothing", run_empty_owns_nothing},
    {"the limit refuses whole appends", run_limit_refuses_whole},
    {"every split", run_every_split},
    {"sizes in and out", run_sizes_in_and_out},
    {"the block is cut to what waits", run_block_is_cut},
    {"moves stay in proportion", run_no_quadratic_moves},
    {"small appends share a block", run_few_reallocations},
    {"out of memory", run_out_of_memory},
    CU_TEST_INFO_NULL,
};
