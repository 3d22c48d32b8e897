/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check.h"
#include "proto/limit.h"
#include "random.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_steps(void)
{
    static const struct limit_flow flow = {.per_second = 1000, .burst = 100};
    static const struct {
        const char *name;
        uint64_t now_ms, room, take;
        uint64_t wanted, wait_ms; /* then */
    } rows[] = {
        {"full at first", 50, 100, 0, 100, 0},
        {"a part", 50, 100, 60, 40, 0},
        {"the rest", 50, 40, 40, 1, 1},
        {"empty", 50, 0, 0, 100, 100},
        {"a unit each millisecond", 51, 1, 1, 50, 50},
        {"fifty", 101, 50, 0, 51, 1},
        {"full again", 151, 100, 0, 1, 0},
        {"never more than full", 100000, 100, 100, 1000000, 100},
        {"a debt", 100001, 1, 201, 1, 201},
        {"still in debt", 100201, 0, 0, 1, 1},
        {"out of debt", 100202, 1, 0, 100, 99},
        {"a clock that stands still", 100202, 1, 0, 100, 99},
        {"a clock that went back", 100, 1, 0, 100, 99},
    };
    struct limit_bucket bucket;
    limit_bucket_init(&bucket, &flow, 50);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_U64(rows[i].name, limit_bucket_room(&bucket, &flow, rows[i].now_ms), rows[i].room);
        limit_bucket_take(&bucket, &flow, rows[i].take, rows[i].now_ms);
        CHECK_EQ_U64(rows[i].name,
                     limit_bucket_wait_ms(&bucket, &flow, rows[i].wanted, rows[i].now_ms),
                     rows[i].wait_ms);
    }
}

static void test_slow(void)
{
    static const struct limit_flow flow = {.per_second = 3, .burst = 2};
    struct limit_bucket bucket;
    limit_bucket_init(&bucket, &flow, 0);
    limit_bucket_take(&bucket, &flow, 2, 0);
    uint64_t passed = 0;
    uint64_t now_ms = 0;
    /* Who takes each unit as soon as it is there gets three a second for ever. */
    for (int i = 0; i < 30000; i++) {
        uint64_t wait_ms = limit_bucket_wait_ms(&bucket, &flow, 1, now_ms);
        CHECK_TRUE("wait", wait_ms == 0 || wait_ms == 333 || wait_ms == 334);
        now_ms += wait_ms;
        passed += limit_bucket_room(&bucket, &flow, now_ms);
        limit_bucket_take(&bucket, &flow, 1, now_ms);
    }
    CHECK_EQ_U64("units", passed, 30000);
    CHECK_EQ_U64("time", now_ms, 10000000);
}

static const struct limit_flow flows[] = {
    {.per_second = 1, .burst = 1},
    {.per_second = 7, .burst = 3},
    {.per_second = 200, .burst = 20},
    {.per_second = 999983, .burst = 65536},
    {.per_second = 1048576, .burst = 1048576},
    {.per_second = LIMIT_FLOW_MAX, .burst = 1},
    {.per_second = 1, .burst = LIMIT_FLOW_MAX},
    {.per_second = LIMIT_FLOW_MAX, .burst = LIMIT_FLOW_MAX},
};

/* Whatever a caller does: in any time at most a burst and what flowed in meanwhile. */
static void test_never_more(void)
{
    for (size_t i = 0; i < COUNT(flows); i++) {
        const struct limit_flow *flow = &flows[i];
        struct limit_bucket bucket;
        uint64_t seed = i;
        uint64_t now_ms = random_below(&seed, 1000000);
        uint64_t began_ms = now_ms;
        unsigned __int128 passed = 0;
        limit_bucket_init(&bucket, flow, now_ms);
        for (int k = 0; k < 20000; k++) {
            now_ms += random_below(&seed, 4) == 0 ? random_below(&seed, 3000) : 0;
            uint64_t room = limit_bucket_room(&bucket, flow, now_ms);
            CHECK_TRUE("room", room <= flow->burst);
            uint64_t part = room == 0 ? 0 : 1 + random_below(&seed, room);
            limit_bucket_take(&bucket, flow, part, now_ms);
            passed += part;
            unsigned __int128 most =
                flow->burst + (unsigned __int128)flow->per_second * (now_ms - began_ms) / 1000;
            CHECK_TRUE("never more", passed <= most);
        }
    }
}

/* Who takes all there is, at random times that are not too far apart, gets all that flows in. */
static void test_no_drift(void)
{
    for (size_t i = 0; i < COUNT(flows); i++) {
        const struct limit_flow *flow = &flows[i];
        struct limit_bucket bucket;
        uint64_t seed = 7 + i;
        uint64_t now_ms = 0;
        unsigned __int128 passed = 0;
        uint64_t step_max_ms = flow->burst / flow->per_second < 1000
                                   ? flow->burst * 1000 / flow->per_second / 2
                                   : 1000000;
        if (step_max_ms == 0 || flow->burst < 3) {
            continue; /* the burst is full again at once */
        }
        limit_bucket_init(&bucket, flow, now_ms);
        limit_bucket_take(&bucket, flow, flow->burst, now_ms);
        for (int k = 0; k < 20000; k++) {
            now_ms += random_below(&seed, step_max_ms + 1);
            uint64_t room = limit_bucket_room(&bucket, flow, now_ms);
            limit_bucket_take(&bucket, flow, room, now_ms);
            passed += room;
            unsigned __int128 flowed = (unsigned __int128)flow->per_second * now_ms / 1000;
            CHECK_TRUE("all", passed == flowed);
        }
    }
}

/* A wait is long enough, and a millisecond less would not be. */
static void test_wait(void)
{
    for (size_t i = 0; i < COUNT(flows); i++) {
        const struct limit_flow *flow = &flows[i];
        struct limit_bucket bucket;
        uint64_t seed = 99 + i;
        uint64_t now_ms = 12345;
        limit_bucket_init(&bucket, flow, now_ms);
        for (int k = 0; k < 5000; k++) {
            uint64_t wanted = 1 + random_below(&seed, flow->burst);
            limit_bucket_take(&bucket, flow, random_below(&seed, 2 * flow->burst), now_ms);
            uint64_t wait_ms = limit_bucket_wait_ms(&bucket, flow, wanted, now_ms);
            struct limit_bucket early = bucket;
            if (wait_ms > 0) {
                CHECK_TRUE("too early",
                           limit_bucket_room(&early, flow, now_ms + wait_ms - 1) < wanted);
            }
            now_ms += wait_ms;
            CHECK_TRUE("in time", limit_bucket_room(&bucket, flow, now_ms) >= wanted);
        }
    }
}

static void test_extremes(void)
{
    for (size_t i = 0; i < COUNT(flows); i++) {
        const struct limit_flow *flow = &flows[i];
        struct limit_bucket bucket;
        limit_bucket_init(&bucket, flow, 0);
        for (int k = 0; k < 3; k++) {
            limit_bucket_take(&bucket, flow, UINT64_MAX, 0);
        }
        CHECK_EQ_U64("no room", limit_bucket_room(&bucket, flow, 0), 0);
        uint64_t wait_ms = limit_bucket_wait_ms(&bucket, flow, UINT64_MAX, 0);
        CHECK_TRUE("a wait with an end", wait_ms > 0 && wait_ms < UINT64_MAX / 1000);
        CHECK_EQ_U64("the end", limit_bucket_wait_ms(&bucket, flow, UINT64_MAX, wait_ms), 0);
        limit_bucket_take(&bucket, flow, flow->burst, wait_ms);
        CHECK_EQ_U64("the end of time", limit_bucket_room(&bucket, flow, UINT64_MAX), flow->burst);
    }
}

/* A burst that became smaller: the bucket holds no more than it. */
static void test_other_flow(void)
{
    static const struct limit_flow big = {.per_second = 10, .burst = 1000};
    static const struct limit_flow small = {.per_second = 10, .burst = 5};
    struct limit_bucket bucket;
    limit_bucket_init(&bucket, &big, 0);
    CHECK_EQ_U64("smaller", limit_bucket_room(&bucket, &small, 1), 5);
    CHECK_EQ_U64("larger again", limit_bucket_room(&bucket, &big, 101), 6);
}

CU_TestInfo limit_bucket_tests[] = {
    {"step by step", test_steps},
    {"slower than a millisecond a unit", test_slow},
    {"never more than a burst and the flow", test_never_more},
    {"never less", test_no_drift},
    {"waits", test_wait},
    {"the smallest and largest flows", test_extremes},
    {"another flow", test_other_flow},
    CU_TEST_INFO_NULL,
};
