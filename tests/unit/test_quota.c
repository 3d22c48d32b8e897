/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/quota.h"

#include <stdlib.h>

#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "gate/shared.h"
#include "quota_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_sizes(void)
{
    static const struct {
        size_t held;
        size_t keys;
    } rows[] = {
        {0, 16}, {8, 16}, {9, 32}, {1000, 2048}, {1024, 2048}, {1025, 4096}, {SIZE_MAX, 1 << 22},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_U64("keys", quota_keys_for(rows[i].held), rows[i].keys);
    }
    struct quota *quota = kit_quota_new(16, 1);
    CHECK_EQ_MEM("secret", quota_secret(quota), SIPHASH_KEY_BYTES, kit_secret, SIPHASH_KEY_BYTES);
    quota_free(quota);
}

static size_t resident_kib(int fd)
{
    struct stat status;
    CHECK_EQ_INT("fstat", fstat(fd, &status), 0);
    return (size_t)status.st_blocks / 2;
}

// What nobody needs is not there: neither tables of slots without keys, nor their clearing.
static void test_memory(void)
{
    struct quota_hold hold = {0};
    struct quota *quota = kit_quota_new(QUOTA_KEYS_MAX, 3);
    for (size_t slot = 0; slot < 3; slot++) {
        kit_clear(quota, slot);
    }
    CHECK_EQ_INT("take", kit_take(quota, 1, 7, 5, &hold), QUOTA_OK);
    CHECK_EQ_U64("held", quota_held(quota, 7), 1);
    CHECK_TRUE("pages", resident_kib(quota_fd(quota)) <= 64);
    quota_free(quota);
}

// Another process finds what is held; a worker of a later slot too, without anybody's help.
static void test_handed_on(void)
{
    const char *detail = NULL;
    struct quota_hold holds[3] = {{0}};
    struct quota *first = kit_quota_new(1024, 2);
    CHECK_EQ_INT("take", kit_take(first, 1, 7, 2, &holds[0]), QUOTA_OK);
    struct quota *next = quota_open(dup(quota_fd(first)), &detail);
    if (!CHECK_TRUE("open", next != NULL)) {
        return;
    }
    CHECK_EQ_MEM("secret", quota_secret(next), SIPHASH_KEY_BYTES, kit_secret, SIPHASH_KEY_BYTES);
    quota_set_slots(next, QUOTA_SLOTS_MAX);
    quota_set_slots(next, 4);
    kit_clear(next, QUOTA_SLOTS_MAX - 1);
    CHECK_EQ_INT("the last slot", kit_take(next, QUOTA_SLOTS_MAX - 1, 7, 2, &holds[1]), QUOTA_OK);
    CHECK_EQ_INT("the old one sees it", kit_take(first, 0, 7, 2, &holds[2]), QUOTA_HELD);
    quota_give(first, 1, &holds[0]);
    CHECK_EQ_U64("given back", quota_held(next, 7), 1);
    quota_free(first);
    quota_free(next);
}

static void test_not_handed_on(void)
{
    const char *detail = NULL;
    struct shared file;
    CHECK_TRUE("another file", shared_new(&file, "another", 4096, 1));
    CHECK_TRUE("refused", quota_open(dup(file.fd), &detail) == NULL && detail != NULL);
    shared_close(&file);
}

static void test_held(void)
{
    struct quota *quota = kit_quota_new(64, 3);
    struct quota_hold holds[4] = {{0}};
    CHECK_EQ_INT("first", kit_take(quota, 0, 7, 2, &holds[0]), QUOTA_OK);
    CHECK_EQ_INT("second, of another worker", kit_take(quota, 2, 7, 2, &holds[1]), QUOTA_OK);
    CHECK_EQ_U64("held", quota_held(quota, 7), 2);
    for (size_t slot = 0; slot < 3; slot++) {
        CHECK_EQ_INT("third", kit_take(quota, slot, 7, 2, &holds[2]), QUOTA_HELD);
        CHECK_EQ_U64("nothing held", holds[2].place, 0);
    }
    CHECK_EQ_INT("another key", kit_take(quota, 1, 8, 2, &holds[2]), QUOTA_OK);
    quota_give(quota, 2, &holds[1]);
    quota_give(quota, 2, &holds[1]);
    CHECK_EQ_U64("given once", quota_held(quota, 7), 1);
    CHECK_EQ_INT("third, later", kit_take(quota, 1, 7, 2, &holds[3]), QUOTA_OK);
    quota_give(quota, 0, &holds[0]);
    quota_give(quota, 1, &holds[2]);
    quota_give(quota, 1, &holds[3]);
    CHECK_EQ_U64("none", quota_held(quota, 7) + quota_held(quota, 8), 0);
    quota_free(quota);
}

/* What was taken without a limit counts when there is one. */
static void test_limit_comes_later(void)
{
    struct quota *quota = kit_quota_new(64, 2);
    struct quota_hold holds[6] = {{0}};
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ_INT("no limit", kit_take(quota, i % 2, 7, 0, &holds[i]), QUOTA_OK);
    }
    CHECK_EQ_INT("a limit", kit_take(quota, 0, 7, 5, &holds[5]), QUOTA_HELD);
    CHECK_EQ_INT("a higher one", kit_take(quota, 0, 7, 6, &holds[5]), QUOTA_OK);
    quota_free(quota);
}

static void test_rate(void)
{
    static const struct quota_limits limits = {.rate = {.count = 3, .period_ms = 30000}};
    struct quota *quota = kit_quota_new(64, 3);
    struct quota_answer answer;
    for (size_t i = 0; i < 3; i++) {
        struct quota_hold hold = {0};
        answer = quota_take(quota, i, 7, &limits, 1000, &hold);
        CHECK_EQ_INT("one for each worker", answer.verdict, QUOTA_OK);
        quota_give(quota, i, &hold);
    }
    for (size_t i = 0; i < 6; i++) {
        struct quota_hold hold = {0};
        answer = quota_take(quota, i % 3, 7, &limits, 4000, &hold);
        CHECK_EQ_INT("a fourth", answer.verdict, QUOTA_OFTEN);
        CHECK_EQ_U64("wait", answer.wait_ms, 7000);
        CHECK_EQ_U64("nothing held", quota_held(quota, 7), 0);
    }
    struct quota_hold hold = {0};
    answer = quota_take(quota, 1, 7, &limits, 11000, &hold);
    CHECK_EQ_INT("ten seconds later", answer.verdict, QUOTA_OK);
    quota_give(quota, 1, &hold);
    answer = quota_take(quota, 1, 8, &limits, 11000, &hold);
    CHECK_EQ_INT("another key", answer.verdict, QUOTA_OK);
    quota_free(quota);
}

/* Who may not hold more has not come. */
static void test_both_limits(void)
{
    static const struct quota_limits limits = {.held_max = 1,
                                               .rate = {.count = 2, .period_ms = 60000}};
    struct quota *quota = kit_quota_new(64, 1);
    struct quota_hold one = {0};
    struct quota_hold two = {0};
    CHECK_EQ_INT("one", quota_take(quota, 0, 7, &limits, 0, &one).verdict, QUOTA_OK);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ_INT("two", quota_take(quota, 0, 7, &limits, 0, &two).verdict, QUOTA_HELD);
    }
    quota_give(quota, 0, &one);
    CHECK_EQ_INT("two", quota_take(quota, 0, 7, &limits, 0, &two).verdict, QUOTA_OK);
    quota_give(quota, 0, &two);
    CHECK_EQ_INT("three", quota_take(quota, 0, 7, &limits, 0, &two).verdict, QUOTA_OFTEN);
    quota_free(quota);
}

static void test_failures(void)
{
    static const struct limit_pause pause = {
        .free = 2, .first_ms = 1000, .most_ms = 4000, .forget_ms = 60000};
    struct quota *quota = kit_quota_new(64, 4);
    CHECK_EQ_U64("unknown", quota_pause_ms(quota, 7, &pause, 100), 0);
    for (size_t slot = 0; slot < 3; slot++) {
        CHECK_EQ_U64("not yet", quota_pause_ms(quota, 7, &pause, 100), 0);
        quota_fail(quota, slot, 7, &pause, 100);
    }
    CHECK_EQ_U64("one too many", quota_pause_ms(quota, 7, &pause, 100), 1000);
    quota_fail(quota, 0, 7, &pause, 1100);
    CHECK_EQ_U64("two", quota_pause_ms(quota, 7, &pause, 1100), 2000);
    CHECK_EQ_U64("another key", quota_pause_ms(quota, 8, &pause, 1100), 0);
    kit_clear(quota, 0);
    CHECK_EQ_U64("a worker died", quota_pause_ms(quota, 7, &pause, 1100), 2000);
    CHECK_EQ_U64("forgotten", quota_pause_ms(quota, 7, &pause, 70000), 0);
    quota_free(quota);
}

static void test_clear(void)
{
    static const struct quota_limits limits = {.held_max = 4,
                                               .rate = {.count = 5, .period_ms = 60000}};
    struct quota *quota = kit_quota_new(1024, 2);
    struct quota_hold holds[6] = {{0}};
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ_INT("take", quota_take(quota, i == 0 ? 0 : 1, 7, &limits, 0, &holds[i]).verdict,
                     QUOTA_OK);
    }
    kit_clear(quota, 1);
    CHECK_EQ_U64("the other worker's", quota_held(quota, 7), 1);
    CHECK_EQ_INT("the next worker", quota_take(quota, 1, 7, &limits, 0, &holds[4]).verdict,
                 QUOTA_OK);
    CHECK_EQ_INT("the rate stays", quota_take(quota, 1, 7, &limits, 0, &holds[5]).verdict,
                 QUOTA_OFTEN);
    quota_free(quota);
}

/* --- places ---------------------------------------------------------------------------------- */

static const struct quota_limits once = {.rate = {.count = 1, .period_ms = LIMIT_PERIOD_MS_MAX}};

/* Takes and gives back; returns whether the quota had forgotten the key. */
static bool comes_first(struct quota *quota, uint64_t key, uint64_t now_ms)
{
    struct quota_hold hold = {0};
    enum quota_verdict verdict = quota_take(quota, 0, key, &once, now_ms, &hold).verdict;
    CHECK_TRUE("verdict", verdict == QUOTA_OK || verdict == QUOTA_OFTEN);
    quota_give(quota, 0, &hold);
    return verdict == QUOTA_OK;
}

static void test_full(void)
{
    struct quota *quota = kit_quota_new(16, 2);
    struct quota_hold holds[17] = {{0}};
    /* Keys of the first bucket alone, then of the second one. */
    for (uint64_t i = 0; i < 16; i++) {
        uint64_t key = (i + 1) << 33 | (i / 8) << 32 | i / 8;
        CHECK_EQ_INT("a place", kit_take(quota, 0, key, 1, &holds[i]), QUOTA_OK);
    }
    CHECK_EQ_INT("none", kit_take(quota, 0, 99, 0, &holds[16]), QUOTA_FULL);
    CHECK_EQ_INT("none for a limit", kit_take(quota, 0, 99, 1, &holds[16]), QUOTA_FULL);
    const struct limit_pause pause = {.first_ms = 1, .most_ms = 1, .forget_ms = 1};
    quota_fail(quota, 0, 99, &pause, 0);
    CHECK_EQ_U64("nothing counted", quota_pause_ms(quota, 99, &pause, 0), 0);
    CHECK_EQ_INT("another worker", kit_take(quota, 1, 99, 1, &holds[16]), QUOTA_OK);
    quota_give(quota, 1, &holds[16]);
    quota_give(quota, 0, &holds[15]);
    CHECK_EQ_INT("the place of another", kit_take(quota, 0, (uint64_t)99 << 33 | 1, 1, &holds[16]),
                 QUOTA_OK);
    for (uint64_t i = 0; i < 15; i++) {
        CHECK_EQ_U64("still held", quota_held(quota, (i + 1) << 33 | (i / 8) << 32 | i / 8), 1);
    }
    quota_free(quota);
}

/* Keys (n << 33) stand in the first bucket only. */
static void test_oldest_goes(void)
{
    struct quota *quota = kit_quota_new(16, 1);
    struct quota_hold busy = {0};
    CHECK_EQ_INT("busy", kit_take(quota, 0, (uint64_t)100 << 33, 1, &busy), QUOTA_OK);
    for (uint64_t i = 1; i <= 7; i++) {
        CHECK_TRUE("new", comes_first(quota, i << 33, 1000 + i));
    }
    CHECK_FALSE("known, and used again", comes_first(quota, (uint64_t)1 << 33, 1010));
    CHECK_TRUE("one more", comes_first(quota, (uint64_t)8 << 33, 1011));
    CHECK_FALSE("used again: it is there", comes_first(quota, (uint64_t)1 << 33, 1012));
    for (uint64_t i = 3; i <= 8; i++) {
        CHECK_FALSE("there", comes_first(quota, i << 33, 1012 + i));
    }
    CHECK_TRUE("the oldest is not", comes_first(quota, (uint64_t)2 << 33, 1030));
    CHECK_EQ_U64("the busy one is", quota_held(quota, (uint64_t)100 << 33), 1);
    quota_free(quota);
}

static void test_failed_go_last(void)
{
    static const struct limit_pause pause = {
        .free = 0, .first_ms = 1000, .most_ms = 1000, .forget_ms = 60000};
    struct quota *quota = kit_quota_new(16, 1);
    quota_fail(quota, 0, (uint64_t)50 << 33, &pause, 1);
    for (uint64_t i = 1; i <= 100; i++) {
        CHECK_TRUE("a flood", comes_first(quota, (100 + i) << 33, 1 + i));
    }
    CHECK_TRUE("still known", quota_pause_ms(quota, (uint64_t)50 << 33, &pause, 101) > 0);
    for (uint64_t i = 1; i <= 100; i++) {
        CHECK_TRUE("a flood when it is forgotten", comes_first(quota, (300 + i) << 33, 61000 + i));
    }
    quota_fail(quota, 0, (uint64_t)50 << 33, &pause, 70000);
    for (uint64_t i = 1; i <= 100; i++) {
        quota_fail(quota, 0, (300 + i) << 33, &pause, 70000 + i);
    }
    CHECK_EQ_U64("failures push failures out",
                 quota_pause_ms(quota, (uint64_t)50 << 33, &pause, 70101), 0);
    quota_free(quota);
}

/* Two thirds of the places hold something before a key finds none. */
static void test_half_full(void)
{
    enum { KEYS = 16384 };
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct quota *quota = kit_quota_new(KEYS, 1);
        uint64_t state = seed;
        size_t taken = 0;
        for (bool is_full = false; !is_full; taken++) {
            struct quota_hold hold = {0};
            is_full = kit_take(quota, 0, kit_key(&state), 1, &hold) == QUOTA_FULL;
        }
        CHECK_TRUE("places", taken > KEYS * 65 / 100);
        quota_free(quota);
    }
}

/* Strangers with as many keys as they like push nobody out. */
static void test_flood(void)
{
    enum { KEYS = 1024, HOLDERS = 500, FLOOD = 300000 };
    static struct quota_hold holds[HOLDERS];
    static uint64_t keys[HOLDERS];
    struct quota *quota = kit_quota_new(KEYS, 2);
    uint64_t state = 5;
    size_t refused = 0;
    memset(holds, 0, sizeof(holds));
    for (size_t i = 0; i < HOLDERS; i++) {
        keys[i] = kit_key(&state);
        CHECK_EQ_INT("holder", kit_take(quota, 0, keys[i], 1, &holds[i]), QUOTA_OK);
    }
    for (size_t i = 0; i < FLOOD; i++) {
        struct quota_hold hold = {0};
        refused += kit_take(quota, 0, kit_key(&state), 1, &hold) != QUOTA_OK;
        quota_give(quota, 0, &hold);
    }
    CHECK_EQ_U64("refused", refused, 0);
    for (size_t i = 0; i < HOLDERS; i++) {
        struct quota_hold hold = {0};
        CHECK_EQ_U64("holder", quota_held(quota, keys[i]), 1);
        CHECK_EQ_INT("holder", kit_take(quota, 1, keys[i], 1, &hold), QUOTA_HELD);
    }
    quota_free(quota);
}

CU_TestInfo quota_tests[] = {
    {"memory", test_memory},
    {"handed on", test_handed_on},
    {"not handed on", test_not_handed_on},
    {"sizes", test_sizes},
    {"what a key holds", test_held},
    {"a limit that comes later", test_limit_comes_later},
    {"how often a key comes", test_rate},
    {"both limits", test_both_limits},
    {"failures", test_failures},
    {"a worker that died", test_clear},
    {"no place", test_full},
    {"the oldest idle key goes", test_oldest_goes},
    {"keys that failed go last", test_failed_go_last},
    {"half of the places", test_half_full},
    {"a flood of keys", test_flood},
    CU_TEST_INFO_NULL,
};
