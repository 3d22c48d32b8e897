/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "give_up.h"

/* The kernel touches the byte for the test, and returns EFAULT where the test would crash. */
static bool is_readable(const uint8_t *p)
{
    int fds[2];
    if (pipe(fds) != 0) {
        GIVE_UP();
    }
    ssize_t wrote = write(fds[1], p, 1);
    close(fds[0]);
    close(fds[1]);
    return wrote == 1;
}

static void test_closed_pages(void)
{
    struct scratch s;
    CHECK_TRUE("memory", scratch_init(&s));
    const struct {
        const char *name;
        uint8_t *area;
        size_t size;
        size_t front;
    } rows[] = {
        {"wire_in", s.wire_in, SCRATCH_WIRE_IN, 0},
        {"plain", s.plain, SCRATCH_PLAIN, SCRATCH_HEADROOM},
        {"wire_out", s.wire_out, SCRATCH_WIRE_OUT, 0},
        {"gather", s.gather, SCRATCH_GATHER, 0},
        {"work", s.work, SCRATCH_WORK, 0},
        {"result", s.result, SCRATCH_RESULT, 0},
    };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(rows[i].area - rows[i].front, 0x5a, rows[i].front + rows[i].size);
        /* `plain` ends at a closed page; each other area begins behind one. */
        uintptr_t begin = (uintptr_t)rows[i].area;
        uintptr_t end = begin + rows[i].size;
        uintptr_t first = (begin - rows[i].front) / page * page;
        uintptr_t closed = (end + page - 1) / page * page;
        CHECK_EQ_U64(rows[i].name, rows[i].front > 0 ? end % page : begin % page, 0);
        CHECK_TRUE(rows[i].name, is_readable(rows[i].area + rows[i].size - 1));
        CHECK_FALSE(rows[i].name, is_readable((uint8_t *)closed));
        CHECK_FALSE(rows[i].name, is_readable((uint8_t *)first - 1));
    }
    scratch_done(&s);
}

/* AMD's Zen processors copy slowly near the border of a page; the header says why. */
static void test_plain_in_mid_page(void)
{
    struct scratch s;
    CHECK_TRUE("memory", scratch_init(&s));
    CHECK_EQ_U64("middle of a page", (uintptr_t)s.plain % 4096, 2048);
    scratch_done(&s);
}

/* A process that starts workers again and again must not keep their areas. */
static void test_all_is_released(void)
{
    struct scratch s;
    CHECK_TRUE("memory", scratch_init(&s));
    uint8_t *wire_in = s.wire_in;
    uint8_t *result = s.result;
    scratch_done(&s);
    CHECK_FALSE("first area", is_readable(wire_in));
    CHECK_FALSE("last area", is_readable(result + SCRATCH_RESULT - 1));
}

CU_TestInfo scratch_tests[] = {
    {"areas end at closed pages", test_closed_pages},
    {"plain begins in the middle of a page", test_plain_in_mid_page},
    {"all areas are released together", test_all_is_released},
    CU_TEST_INFO_NULL,
};
