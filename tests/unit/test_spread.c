/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/spread.h"

#include "check.h"
#include "suites.h"

#define BEGIN_MS 5000

struct row {
    const char *name;
    uint64_t over_ms;
    size_t count;
    size_t tick_most; /* the largest group of one tick */
};

static const struct row rows[] = {
    {"nobody", 20000, 0, 0},     {"one", 20000, 1, 1},
    {"a few", 20000, 7, 1},      {"one a tick", 1000, 20, 2},
    {"a crowd", 20000, 2000, 7}, {"a larger crowd", 22500, 100000, 224},
    {"at once", 0, 50, 50},      {"hours", 75 * 60 * 1000, 3, 1},
};

/* Asks whenever spread_next_ms says. All end in time, and no tick has more than its share. */
static void test_even(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct spread s;
        uint64_t now_ms = BEGIN_MS;
        size_t half = 0;
        size_t most = 0;
        size_t sum = 0;
        spread_begin(&s, now_ms, row->over_ms, row->count, 4711 + i);
        while (now_ms != UINT64_MAX) {
            size_t due = spread_take(&s, now_ms);
            CHECK_TRUE(row->name, due > 0 || row->count == 0);
            most = due > most ? due : most;
            sum += due;
            half += now_ms < BEGIN_MS + row->over_ms / 2 ? due : 0;
            CHECK_TRUE(row->name, now_ms <= BEGIN_MS + row->over_ms + SPREAD_TICK_MS);
            now_ms = spread_next_ms(&s, now_ms);
        }
        CHECK_EQ_U64(row->name, sum, row->count);
        CHECK_TRUE(row->name, most <= row->tick_most);
        CHECK_TRUE(row->name, row->over_ms == 0 || half <= row->count / 2 + 2);
        CHECK_TRUE(row->name, row->over_ms == 0 || half + 2 + row->count / 50 >= row->count / 2);
    }
}

/* The first one does not wait, and a late timer brings all that are due. */
static void test_late(void)
{
    struct spread s;
    spread_begin(&s, BEGIN_MS, 10000, 100, 1);
    CHECK_EQ_U64("first", spread_take(&s, BEGIN_MS), 1);
    CHECK_EQ_U64("nothing twice", spread_take(&s, BEGIN_MS), 0);
    size_t half = spread_take(&s, BEGIN_MS + 5000);
    CHECK_TRUE("half", half == 49 || half == 50);
    CHECK_EQ_U64("rest", spread_take(&s, BEGIN_MS + 600000), 99 - half);
    CHECK_EQ_U64("no more", spread_next_ms(&s, BEGIN_MS), UINT64_MAX);
}

/* Two workers with the same number of sessions do not end them at the same moments. */
static void test_chance(void)
{
    struct spread a;
    struct spread b;
    size_t same = 0;
    spread_begin(&a, 0, 100000, 100, 1);
    spread_begin(&b, 0, 100000, 100, 2);
    for (size_t i = 0; i < 100; i++) {
        uint64_t at_ms = i * 1000;
        a.taken = b.taken = i;
        same += spread_next_ms(&a, 0) == spread_next_ms(&b, 0);
        CHECK_TRUE("in its own part", i == 0 || (spread_next_ms(&a, 0) >= at_ms &&
                                                 spread_next_ms(&a, 0) < at_ms + 1000));
    }
    CHECK_TRUE("apart", same < 10);
}

static void test_share(void)
{
    static const struct {
        const char *name;
        uint64_t drain_ms;
        uint64_t over_ms;
    } shares[] = {
        {"default", 30000, 22500}, {"none", 0, 0}, {"least", 1, 1}, {"day", 86400000, 64800000}};
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        CHECK_EQ_U64(shares[i].name, spread_of_drain(shares[i].drain_ms), shares[i].over_ms);
    }
}

CU_TestInfo spread_tests[] = {
    {"even, from the first to the last", test_even},
    {"a late timer", test_late},
    {"chance", test_chance},
    {"the share of a drain", test_share},
    CU_TEST_INFO_NULL,
};
