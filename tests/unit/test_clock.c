/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <time.h>

#include "check.h"
#include "suites.h"

static void test_now(void)
{
    uint64_t before_ms = clock_now_ms();
    struct timespec now;
    uint64_t now_ms;

    CHECK_EQ_INT("clock", clock_gettime(CLOCK_MONOTONIC, &now), 0);
    now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    CHECK_TRUE("not before", before_ms > 0 && before_ms <= now_ms);
    CHECK_TRUE("not after", clock_now_ms() >= now_ms);
}

CU_TestInfo clock_tests[] = {
    {"the time is CLOCK_MONOTONIC's", test_now},
    CU_TEST_INFO_NULL,
};
