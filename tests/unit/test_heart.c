/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/heart.h"

#include "check.h"
#include "suites.h"

struct look {
    const char *name;
    struct heart_sight sight;
    enum heart_state wanted;
};

static void walk(const struct look *looks, size_t count)
{
    struct heart heart = {0};
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ_INT(looks[i].name, heart_look(&heart, &looks[i].sight), looks[i].wanted);
        CHECK_EQ_INT(looks[i].name, heart.state, looks[i].wanted);
    }
}

#define WALK(looks) walk(looks, sizeof(looks) / sizeof((looks)[0]))

static void test_idle(void)
{
    static const struct look looks[] = {
        {"new", {.now_ms = 1, .turns = 4}, HEART_BEATS},
        {"waits, nobody calls", {.now_ms = 1000, .turns = 4}, HEART_BEATS},
        {"for a day", {.now_ms = 86400000, .turns = 4}, HEART_BEATS},
        {"somebody calls", {.now_ms = 86401000, .turns = 4, .has_callers = true}, HEART_DOUBTED},
        {"it was not idle any more", {.now_ms = 86401200, .turns = 6}, HEART_BEATS},
        {"busy", {.now_ms = 86402000, .turns = 8, .has_callers = true}, HEART_BEATS},
        {"in a turn", {.now_ms = 86403000, .turns = 9, .has_callers = true}, HEART_BEATS},
        {"the count may wrap", {.now_ms = 86404000, .turns = 0}, HEART_BEATS},
    };
    WALK(looks);
}

static void test_waits_for_nothing(void)
{
    static const struct look looks[] = {
        {"new", {.now_ms = 1, .turns = 4}, HEART_BEATS},
        {"somebody calls", {.now_ms = 1000, .turns = 4, .has_callers = true}, HEART_DOUBTED},
        {"too soon", {.now_ms = 1199, .turns = 4, .has_callers = true}, HEART_DOUBTED},
        {"still", {.now_ms = 1200, .turns = 4, .has_callers = true}, HEART_STILL},
        {"others took the callers", {.now_ms = 2000, .turns = 4}, HEART_STILL},
        {"not yet", {.now_ms = 10999, .turns = 4}, HEART_STILL},
        {"dead", {.now_ms = 11000, .turns = 4}, HEART_DEAD},
        {"and stays so", {.now_ms = 12000, .turns = 4}, HEART_DEAD},
        {"or not", {.now_ms = 13000, .turns = 5}, HEART_BEATS},
    };
    WALK(looks);
}

static void test_hangs_in_a_turn(void)
{
    static const struct look looks[] = {
        {"begins a turn", {.now_ms = 1, .turns = 5}, HEART_BEATS},
        {"the same turn", {.now_ms = 1000, .turns = 5}, HEART_DOUBTED},
        {"still", {.now_ms = 1500, .turns = 5}, HEART_STILL},
        {"the next turn", {.now_ms = 2000, .turns = 7}, HEART_BEATS},
        {"the same", {.now_ms = 3000, .turns = 7}, HEART_DOUBTED},
        {"the time began anew", {.now_ms = 12999, .turns = 7}, HEART_STILL},
        {"dead", {.now_ms = 13000, .turns = 7}, HEART_DEAD},
    };
    WALK(looks);
}

static void test_stopped(void)
{
    static const struct look looks[] = {
        {"at once", {.now_ms = 1, .turns = 4, .is_stopped = true}, HEART_STILL},
        {"not yet", {.now_ms = 10000, .turns = 4, .is_stopped = true}, HEART_STILL},
        {"dead", {.now_ms = 10001, .turns = 4, .is_stopped = true}, HEART_DEAD},
        {"goes on", {.now_ms = 10002, .turns = 4}, HEART_DEAD},
        {"and turns", {.now_ms = 10202, .turns = 6}, HEART_BEATS},
        {"again, just after a turn",
         {.now_ms = 11000, .turns = 8, .is_stopped = true},
         HEART_STILL},
        {"turned in between", {.now_ms = 15000, .turns = 10, .is_stopped = true}, HEART_STILL},
        {"the time began anew", {.now_ms = 21000, .turns = 10, .is_stopped = true}, HEART_STILL},
    };
    WALK(looks);
}

static void test_stopped_for_a_moment(void)
{
    static const struct look looks[] = {
        {"at once", {.now_ms = 1, .turns = 4, .is_stopped = true}, HEART_STILL},
        {"goes on", {.now_ms = 50, .turns = 4, .has_callers = true}, HEART_STILL},
        {"and turns", {.now_ms = 100, .turns = 6}, HEART_BEATS},
    };
    WALK(looks);
}

CU_TestInfo heart_tests[] = {
    {"idle is no fault", test_idle},
    {"callers wait in vain", test_waits_for_nothing},
    {"hangs in a turn", test_hangs_in_a_turn},
    {"stopped", test_stopped},
    {"stopped for a moment", test_stopped_for_a_moment},
    CU_TEST_INFO_NULL,
};
