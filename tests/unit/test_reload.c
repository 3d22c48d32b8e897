/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/reload.h"

#include "check.h"
#include "suites.h"

#define NOW 1000u

static struct reload asked(size_t slots)
{
    struct reload r = {.number = 6};
    reload_begin(&r, NOW);
    for (size_t i = 0; i < slots; i++) {
        reload_ask(&r, i);
    }
    return r;
}

static void test_good(void)
{
    struct reload r = asked(3);
    CHECK_EQ_U64("number", r.number, 7);
    reload_answer(&r, 0, 7);
    reload_answer(&r, 0, 7);
    reload_answer(&r, 1, 6); // of an earlier reload
    CHECK_EQ_INT("two to come", reload_next(&r, NOW), RELOAD_WAIT);
    CHECK_EQ_U64("late", reload_late_slot(&r), 1);
    reload_answer(&r, 1, 7);
    reload_answer(&r, 2, 7);
    CHECK_EQ_INT("all", reload_next(&r, NOW + RELOAD_ANSWER_MS), RELOAD_COMMIT);
    reload_commit(&r, NOW + 5);
    CHECK_EQ_INT("swap", reload_next(&r, NOW + 5), RELOAD_WAIT);
    for (size_t i = 0; i < 3; i++) {
        reload_answer(&r, i, 7);
    }
    CHECK_EQ_INT("done", reload_next(&r, NOW + 5), RELOAD_DONE);
    reload_end(&r);
    CHECK_EQ_INT("idle", reload_next(&r, NOW + 1000000), RELOAD_WAIT);
    reload_begin(&r, NOW);
    CHECK_EQ_U64("next number", r.number, 8);
}

static void test_late(void)
{
    struct reload r = asked(2);
    reload_answer(&r, 0, 7);
    CHECK_EQ_INT("in time", reload_next(&r, NOW + RELOAD_ANSWER_MS - 1), RELOAD_WAIT);
    CHECK_EQ_INT("late", reload_next(&r, NOW + RELOAD_ANSWER_MS), RELOAD_LATE);
    CHECK_EQ_U64("who", reload_late_slot(&r), 1);
    reload_answer(&r, 1, 7);
    reload_commit(&r, NOW);
    CHECK_EQ_INT("what is in force stays so", reload_next(&r, NOW + RELOAD_ANSWER_MS), RELOAD_DONE);
}

// A worker dies before it answers, after it, and in the second phase.
static void test_death(void)
{
    struct reload r = asked(3);
    reload_answer(&r, 0, 7);
    reload_forget(&r, 0);
    reload_forget(&r, 1);
    CHECK_EQ_INT("one to come", reload_next(&r, NOW), RELOAD_WAIT);
    reload_answer(&r, 2, 7);
    CHECK_EQ_INT("the others go on", reload_next(&r, NOW), RELOAD_COMMIT);
    reload_commit(&r, NOW);
    CHECK_TRUE("part", !r.takes_part[0] && !r.takes_part[1] && r.takes_part[2]);
    reload_forget(&r, 2);
    CHECK_EQ_INT("nobody is left", reload_next(&r, NOW), RELOAD_DONE);
}

static void test_nobody(void)
{
    struct reload r = asked(0);
    CHECK_EQ_INT("no worker lives", reload_next(&r, NOW), RELOAD_COMMIT);
    reload_commit(&r, NOW);
    CHECK_EQ_INT("done", reload_next(&r, NOW), RELOAD_DONE);
}

CU_TestInfo reload_tests[] = {
    {"two phases", test_good},
    {"a worker does not answer", test_late},
    {"a worker dies", test_death},
    {"nobody serves", test_nobody},
    CU_TEST_INFO_NULL,
};
