/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mem.h"

#include "check.h"
#include "suites.h"

static void test_counts_blocks(void)
{
    size_t before = mem_live_blocks();
    uint8_t *a = mem_alloc(10);
    uint8_t *b = mem_alloc_zero(100);
    uint8_t *c = mem_resize(NULL, 5);
    if (!CHECK_TRUE("all there", a != NULL && b != NULL && c != NULL)) {
        return;
    }
    CHECK_EQ_U64("three", mem_live_blocks(), before + 3);
    for (size_t i = 0; i < 100; i++) {
        CHECK_EQ_U64("zero", b[i], 0);
    }
    memset(c, 7, 5);
    c = mem_resize(c, 5000);
    if (CHECK_TRUE("grown", c != NULL)) {
        CHECK_EQ_U64("content is kept", c[4], 7);
    }
    CHECK_EQ_U64("a resized block is the same block", mem_live_blocks(), before + 3);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
    CHECK_EQ_U64("back", mem_live_blocks(), before);
}

static void note_limit(void *owner)
{
    ++*(unsigned *)owner;
}

/* Every way to get, change and give back a block counts its bytes, and a limit is told of each
 * allocation beyond it. */
static void test_counts_bytes(void)
{
    unsigned calls = 0;
    void *old = mem_alloc(2000); /* nobody counts yet */
    mem_on_limit(SIZE_MAX, note_limit, &calls);
    size_t before = mem_live_bytes();
    void *a = mem_alloc(1000);
    void *b = mem_alloc_zero(3000);
    void *c = mem_resize_reserved(NULL, 5000);
    size_t most = mem_live_bytes();
    CHECK_TRUE("no less than asked for", most - before >= 9000);
    CHECK_TRUE("and little more", most - before <= 9000 + 3 * 64);
    mem_on_limit(most + 1000, note_limit, &calls);
    a = mem_resize(a, 500);
    a = mem_resize(a, 1500);
    CHECK_EQ_INT("below the limit", calls, 0);
    a = mem_resize(a, 2500);
    CHECK_EQ_INT("beyond it", calls, 1);
    void *d = mem_alloc(1);
    CHECK_TRUE("it succeeds", a != NULL && d != NULL);
    CHECK_EQ_INT("still beyond", calls, 2);
    c = mem_resize_reserved(c, 9000);
    CHECK_EQ_INT("the library's too", calls, 3);
    mem_free(b);
    CHECK_EQ_INT("less is no reason", calls, 3);
    c = mem_resize_reserved(c, 16);
    a = mem_resize(a, 10);
    mem_free(d);
    CHECK_TRUE("below again", mem_live_bytes() < most);
    mem_fail_after(1);
    CHECK_TRUE("fails", mem_resize(a, 100000) == NULL);
    mem_fail_after(0);
    CHECK_EQ_INT("what fails does not count", calls, 3);
    mem_free(a);
    c = mem_resize_reserved(c, 0);
    CHECK_TRUE("gone", c == NULL);
    CHECK_EQ_U64("back", mem_live_bytes(), before);
    mem_free(old);
    CHECK_TRUE("of before the count", before < 2000 || mem_live_bytes() <= before - 2000);
    mem_on_limit(0, NULL, NULL);
}

static void test_copy_str(void)
{
    size_t before = mem_live_blocks();
    char *text = mem_copy_str((struct span){"abcdef", 3});
    char *empty = mem_copy_str((struct span){NULL, 0});
    CHECK_EQ_STR("text", text, "abc");
    CHECK_EQ_STR("empty", empty, "");
    mem_free(text);
    mem_free(empty);
    CHECK_EQ_U64("freed", mem_live_blocks(), before);
    CHECK_TRUE("impossible length", mem_copy_str((struct span){"a", SIZE_MAX}) == NULL);
    CHECK_EQ_U64("nothing left behind", mem_live_blocks(), before);
}

/* The n-th allocation fails, and so does each later one, of every kind. */
static void test_fails_on_purpose(void)
{
    for (unsigned n = 1; n <= 4; n++) {
        size_t before = mem_live_blocks();
        void *blocks[4] = {NULL};
        void *old = mem_alloc(8);
        mem_fail_after(n);
        blocks[0] = mem_alloc(8);
        blocks[1] = mem_alloc_zero(8);
        blocks[2] = mem_copy_str(SPAN_LIT("a"));
        blocks[3] = mem_resize(old, 4096);
        mem_fail_after(0);
        for (unsigned i = 0; i < 4; i++) {
            CHECK_EQ_INT("only those before the n-th", blocks[i] != NULL, i + 1 < n);
        }
        mem_free(blocks[0]);
        mem_free(blocks[1]);
        mem_free(blocks[2]);
        mem_free(old); /* the resize failed in every round: the old block is still there */
        CHECK_EQ_U64("nothing is lost", mem_live_blocks(), before);
    }
    void *block = mem_alloc(1);
    CHECK_TRUE("works again", block != NULL);
    mem_free(block);
}

static unsigned told;

static void count_call(void *owner)
{
    CHECK_TRUE("the owner", owner == &told);
    told++;
}

static void test_shortage(void)
{
    told = 0;
    mem_recover();
    mem_on_short(count_call, &told);
    void *block = mem_alloc(8);
    CHECK_FALSE("no need", mem_is_short());
    mem_fail_after(1);
    CHECK_TRUE("fails", mem_resize(block, 100) == NULL);
    CHECK_TRUE("short", mem_is_short());
    CHECK_TRUE("fails", mem_alloc_zero(1) == NULL && mem_alloc(1) == NULL);
    CHECK_EQ_U64("told each time", told, 3);
    CHECK_FALSE("no memory yet", mem_recover());
    CHECK_TRUE("still", mem_is_short());
    mem_fail_after(0);
    CHECK_TRUE("over", mem_is_short() && mem_recover());
    CHECK_FALSE("over", mem_is_short());
    mem_on_short(NULL, NULL);
    mem_fail_after(1);
    CHECK_TRUE("fails", mem_alloc(1) == NULL);
    mem_fail_after(0);
    CHECK_EQ_U64("told no more", told, 3);
    mem_recover();
    mem_free(block);
}

/* Blocks keep their content on every way: malloc to malloc, into the reserve, within it, out. */
static void test_reserve(void)
{
    size_t before = mem_live_blocks();
    mem_recover();
    for (unsigned way = 0; way < 16; way++) {
        uint8_t *block = NULL;
        for (size_t size = 100, step = 0; step < 4; step++, size *= 7) {
            mem_fail_after((way >> step) & 1);
            block = mem_resize_reserved(block, size);
            if (!CHECK_TRUE("a block", block != NULL)) {
                return;
            }
            CHECK_EQ_U64("aligned", (uintptr_t)block % 16, 0);
            CHECK_TRUE("content", step == 0 || memcmp(block, "0123456789", 10) == 0);
            CHECK_TRUE("the end of it", step == 0 || block[size / 7 - 1] == step);
            memcpy(block, "0123456789", 10);
            block[size - 1] = (uint8_t)(step + 1);
        }
        CHECK_EQ_INT("short", mem_is_short(), way != 0);
        block = mem_resize_reserved(block, 10);
        CHECK_TRUE("smaller", block != NULL && memcmp(block, "0123456789", 10) == 0);
        CHECK_TRUE("freed", mem_resize_reserved(block, 0) == NULL);
        mem_fail_after(0);
        mem_recover();
    }
    CHECK_EQ_U64("not counted", mem_live_blocks(), before);
    CHECK_TRUE("nothing", mem_resize_reserved(NULL, 0) == NULL);
    CHECK_TRUE("too much", mem_resize_reserved(NULL, SIZE_MAX) == NULL);
}

/* A table that doubles up to half the reserve fits, and when it is gone the reserve is whole. */
static void test_reserve_ends(void)
{
    mem_fail_after(1);
    for (unsigned round = 0; round < 3; round++) {
        void *table = NULL;
        for (size_t size = 64; size < MEM_RESERVE_BYTES / 2; size *= 2) {
            table = mem_resize_reserved(table, size);
            CHECK_TRUE("fits", table != NULL);
        }
        CHECK_TRUE("no more", mem_resize_reserved(NULL, MEM_RESERVE_BYTES / 2) == NULL);
        CHECK_TRUE("freed", mem_resize_reserved(table, 0) == NULL);
    }
    mem_fail_after(0);
    mem_recover();
}

CU_TestInfo mem_tests[] = {
    {"counts live blocks", test_counts_blocks},
    {"counts bytes", test_counts_bytes},
    {"copies text", test_copy_str},
    {"fails on purpose", test_fails_on_purpose},
    {"tells of a shortage", test_shortage},
    {"a reserve", test_reserve},
    {"the reserve ends", test_reserve_ends},
    CU_TEST_INFO_NULL,
};
