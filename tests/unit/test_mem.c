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

CU_TestInfo mem_tests[] = {
    {"counts live blocks", test_counts_blocks},
    {"copies text", test_copy_str},
    {"fails on purpose", test_fails_on_purpose},
    CU_TEST_INFO_NULL,
};
