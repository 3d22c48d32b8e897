/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/limit.h"

#include "check.h"
#include "random.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t secret[SIPHASH_KEY_BYTES] = "sixteen bytes !!";

/* --- keys ------------------------------------------------------------------------------------ */

struct key_row {
    const char *name;
    const char *source; /* NULL: none; "": a Unix socket */
    const char *route;
    const char *auth;
    const char *identity;
    struct limit_prefix prefix;
};

#define USUAL {32, 64}

static uint64_t key_of(const struct key_row *row)
{
    struct addr source = {.len = 0};
    if (row->source != NULL && row->source[0] != '\0') {
        CHECK_TRUE(row->name, addr_parse(span_from_str(row->source), &source));
    } else {
        CHECK_TRUE(row->name, addr_from_unix_path(SPAN_LIT("/run/a"), &source));
    }
    const struct limit_subject subject = {
        .source = row->source == NULL ? NULL : &source,
        .prefix = row->prefix,
        .route = span_from_str(row->route),
        .auth = span_from_str(row->auth),
        .identity = span_from_str(row->identity),
    };
    return limit_key(secret, &subject);
}

static void test_same_key(void)
{
    static const struct key_row pairs[][2] = {
        {{"ports do not count", "192.0.2.1:1", NULL, NULL, NULL, USUAL},
         {"", "192.0.2.1:2", NULL, NULL, NULL, USUAL}},
        {{"IPv4-mapped", "[::ffff:192.0.2.1]:1", NULL, NULL, NULL, USUAL},
         {"", "192.0.2.1:1", NULL, NULL, NULL, USUAL}},
        {{"a /64", "[2001:db8::1]:1", NULL, NULL, NULL, USUAL},
         {"", "[2001:db8::ffff:ffff:ffff:ffff]:1", NULL, NULL, NULL, USUAL}},
        {{"a /24", "192.0.2.1:1", NULL, NULL, NULL, {24, 64}},
         {"", "192.0.2.255:1", NULL, NULL, NULL, {24, 64}}},
        {{"a /25", "192.0.2.0:1", NULL, NULL, NULL, {25, 64}},
         {"", "192.0.2.127:1", NULL, NULL, NULL, {25, 64}}},
        {{"all of IPv4", "192.0.2.1:1", NULL, NULL, NULL, {0, 64}},
         {"", "10.0.0.1:1", NULL, NULL, NULL, {0, 64}}},
        {{"all of IPv6", "[::1]:1", NULL, NULL, NULL, {32, 0}},
         {"", "[ffff::1]:1", NULL, NULL, NULL, {32, 0}}},
        {{"a Unix socket", "", NULL, NULL, NULL, USUAL}, {"", "", NULL, NULL, NULL, {0, 0}}},
        {{"a route", NULL, "vnc", NULL, NULL, USUAL}, {"", NULL, "vnc", NULL, NULL, {0, 0}}},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        CHECK_EQ_U64(pairs[i][0].name, key_of(&pairs[i][0]), key_of(&pairs[i][1]));
    }
}

/* Each of these is a key of its own. */
static void test_other_key(void)
{
    static const struct key_row rows[] = {
        {"a source", "192.0.2.1:1", NULL, NULL, NULL, USUAL},
        {"its neighbour", "192.0.2.0:1", NULL, NULL, NULL, USUAL},
        {"beyond a /25", "192.0.2.128:1", NULL, NULL, NULL, {25, 64}},
        {"a /64", "[2001:db8::1]:1", NULL, NULL, NULL, USUAL},
        {"the next /64", "[2001:db8:0:1::1]:1", NULL, NULL, NULL, USUAL},
        {"a whole address", "[2001:db8::1]:1", NULL, NULL, NULL, {32, 128}},
        {"a /127", "[2001:db8::1]:1", NULL, NULL, NULL, {32, 127}},
        {"all of IPv4", "192.0.2.1:1", NULL, NULL, NULL, {0, 0}},
        {"all of IPv6", "[::1]:1", NULL, NULL, NULL, {0, 0}},
        {"a Unix socket", "", NULL, NULL, NULL, USUAL},
        {"a route", NULL, "vnc", NULL, NULL, USUAL},
        {"a route in capitals", NULL, "VNC", NULL, NULL, USUAL},
        {"a route without a name", NULL, "", NULL, NULL, USUAL},
        {"a source on a route", "192.0.2.1:1", "vnc", NULL, NULL, USUAL},
        {"a source on another route", "192.0.2.1:1", "ssh", NULL, NULL, USUAL},
        {"an identity", NULL, NULL, "staff", "vnc", USUAL},
        {"another identity", NULL, NULL, "staff", "alice", USUAL},
        {"the same with another auth", NULL, NULL, "guests", "alice", USUAL},
        {"the bytes of both parted elsewhere", NULL, NULL, "staffa", "lice", USUAL},
        {"no identity", NULL, NULL, "staff", "", USUAL},
        {"an identity on a route", NULL, "vnc", "staff", "alice", USUAL},
        {"all", "192.0.2.1:1", "vnc", "staff", "alice", USUAL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_TRUE(rows[i].name, key_of(&rows[i]) != 0);
        for (size_t k = 0; k < i; k++) {
            CHECK_TRUE(rows[i].name, key_of(&rows[i]) != key_of(&rows[k]));
        }
    }
}

static void test_secret(void)
{
    uint8_t other[SIPHASH_KEY_BYTES];
    const struct limit_subject subject = {.route = SPAN_LIT("vnc")};
    memcpy(other, secret, sizeof(other));
    other[15] ^= 1;
    CHECK_TRUE("another secret", limit_key(secret, &subject) != limit_key(other, &subject));
}

/* --- events per time -------------------------------------------------------------------------- */

static bool take(uint64_t *word, const struct limit_rate *rate, uint64_t now_ms)
{
    uint64_t next = limit_rate_next(*word, rate, now_ms);
    if (!limit_rate_fits(next, rate, now_ms)) {
        return false;
    }
    *word = next;
    return true;
}

static unsigned take_all(uint64_t *word, const struct limit_rate *rate, uint64_t now_ms)
{
    unsigned count = 0;
    while (count < 2000000 && take(word, rate, now_ms)) {
        count++;
    }
    return count;
}

static void test_rate(void)
{
    static const struct limit_rate twenty_a_minute = {.count = 20, .period_ms = 60000};
    static const struct {
        const char *name;
        uint64_t now_ms;
        unsigned want;
        uint64_t wait_ms; /* then */
    } rows[] = {
        {"all at once", 1000, 20, 3000},
        {"not yet", 3999, 0, 1},
        {"one after three seconds", 4000, 1, 3000},
        {"two after six", 10000, 2, 3000},
        {"half of them", 40000, 10, 3000},
        {"all after a minute", 100000, 20, 3000},
        {"no more after a year", 31536000000, 20, 3000},
    };
    uint64_t word = 0;
    CHECK_EQ_U64("at first", limit_rate_wait_ms(word, &twenty_a_minute, 1000), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_U64(rows[i].name, take_all(&word, &twenty_a_minute, rows[i].now_ms), rows[i].want);
        CHECK_EQ_U64(rows[i].name, limit_rate_wait_ms(word, &twenty_a_minute, rows[i].now_ms),
                     rows[i].wait_ms);
    }
}

static void test_rate_extremes(void)
{
    static const struct limit_rate rates[] = {
        {.count = 1, .period_ms = 1},
        {.count = 1, .period_ms = LIMIT_PERIOD_MS_MAX},
        {.count = LIMIT_RATE_COUNT_MAX, .period_ms = 1},
        {.count = LIMIT_RATE_COUNT_MAX, .period_ms = LIMIT_PERIOD_MS_MAX},
        {.count = 7, .period_ms = 1000},
        {.count = 3, .period_ms = 7},
    };
    for (size_t i = 0; i < COUNT(rates); i++) {
        uint64_t century_ms = (uint64_t)100 * 365 * 24 * 3600 * 1000;
        for (uint64_t now_ms = 0; now_ms <= century_ms; now_ms += century_ms) {
            uint64_t word = 0;
            CHECK_EQ_U64("burst", take_all(&word, &rates[i], now_ms), rates[i].count);
            uint64_t wait_ms = limit_rate_wait_ms(word, &rates[i], now_ms);
            CHECK_TRUE("wait", wait_ms > 0 && wait_ms <= rates[i].period_ms + 1);
        }
    }
}

/* A word of a slower rate does no harm for longer than a period of the new one. */
static void test_rate_changes(void)
{
    static const struct limit_rate slow = {.count = 10, .period_ms = 3600000};
    static const struct limit_rate fast = {.count = 10, .period_ms = 10000};
    uint64_t word = 0;
    CHECK_EQ_U64("slow", take_all(&word, &slow, 1000), 10);
    CHECK_EQ_U64("wait", limit_rate_wait_ms(word, &fast, 1000), 1000);
    CHECK_FALSE("fast, at once", take(&word, &fast, 1000));
    word = 0;
    CHECK_EQ_U64("fast", take_all(&word, &fast, 1000), 10);
    CHECK_TRUE("slow", take_all(&word, &slow, 1000) <= 10);
}

/* Random callers against a bucket that counts in whole numbers; the writers take turns at random.
 */
static void test_rate_random(void)
{
    static const struct limit_rate rates[] = {{.count = 20, .period_ms = 60000},
                                              {.count = 1, .period_ms = 1000},
                                              {.count = 1000, .period_ms = 1000},
                                              {.count = 3, .period_ms = 300}};
    for (size_t i = 0; i < COUNT(rates); i++) {
        const struct limit_rate *rate = &rates[i];
        uint64_t seed = 42 + i;
        uint64_t words[4] = {0};
        uint64_t now_ms = 5;
        uint64_t level = rate->count * rate->period_ms; /* one event is a period */
        uint64_t admitted = 0;
        for (int k = 0; k < 20000; k++) {
            uint64_t step_ms = random_below(&seed, 2 * rate->period_ms / rate->count + 1);
            step_ms = random_below(&seed, 50) == 0  ? random_below(&seed, 2 * rate->period_ms)
                      : random_below(&seed, 3) == 0 ? 0
                                                    : step_ms;
            now_ms += step_ms;
            level += step_ms * rate->count;
            level = level < rate->count * rate->period_ms ? level : rate->count * rate->period_ms;
            uint64_t greatest = 0;
            for (size_t w = 0; w < 4; w++) {
                greatest = words[w] > greatest ? words[w] : greatest;
            }
            uint64_t next = limit_rate_next(greatest, rate, now_ms);
            bool is_good = limit_rate_fits(next, rate, now_ms);
            CHECK_EQ_INT("as the bucket says", is_good, level >= rate->period_ms);
            uint64_t wait_ms = limit_rate_wait_ms(greatest, rate, now_ms);
            CHECK_EQ_INT("no wait", wait_ms == 0, is_good);
            if (!is_good) {
                CHECK_EQ_U64("wait", wait_ms,
                             (rate->period_ms - level + rate->count - 1) / rate->count);
            } else {
                words[random_below(&seed, 4)] = next;
                level -= rate->period_ms;
                admitted++;
            }
        }
        CHECK_TRUE("in all", admitted * rate->period_ms <=
                                 (now_ms * rate->count) + rate->count * rate->period_ms);
        CHECK_TRUE("some", admitted > 1000);
    }
}

/* --- failures --------------------------------------------------------------------------------- */

static const struct limit_pause usual = {
    .free = 3, .first_ms = 1000, .most_ms = 60000, .forget_ms = 600000};

static uint64_t pause_of(const uint64_t *words, size_t count, uint64_t now_ms)
{
    struct limit_failure_sum sum = {0, 0};
    for (size_t i = 0; i < count; i++) {
        limit_failure_sum(&sum, words[i], &usual, now_ms);
    }
    return limit_pause_ms(&sum, &usual, now_ms);
}

static void test_pause(void)
{
    static const uint64_t want_ms[] = {0,    0,    0,     0,     1000,  2000,
                                       4000, 8000, 16000, 32000, 60000, 60000};
    uint64_t word = 0;
    uint64_t now_ms = 7;
    for (size_t failures = 0; failures < COUNT(want_ms); failures++) {
        char row[32];
        snprintf(row, sizeof(row), "%zu failures", failures);
        CHECK_EQ_U64(row, pause_of(&word, 1, now_ms), want_ms[failures]);
        if (want_ms[failures] > 0) {
            now_ms += want_ms[failures] - 1;
            CHECK_EQ_U64(row, pause_of(&word, 1, now_ms), 1);
            now_ms++;
        }
        CHECK_EQ_U64(row, pause_of(&word, 1, now_ms), 0);
        word = limit_failure_add(word, &usual, now_ms);
    }
    CHECK_TRUE("it lives", limit_failure_lives(word, now_ms + usual.forget_ms - 1));
    CHECK_FALSE("forgotten", limit_failure_lives(word, now_ms + usual.forget_ms));
    word = limit_failure_add(word, &usual, now_ms + usual.forget_ms);
    CHECK_EQ_U64("from the beginning", pause_of(&word, 1, now_ms + usual.forget_ms), 0);
}

static void test_pause_many(void)
{
    uint64_t words[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        words[i] = limit_failure_add(words[i], &usual, 1000 * (4 - i));
    }
    CHECK_EQ_U64("four writers, one failure each", pause_of(words, 4, 4000), 1000);
    words[3] = limit_failure_add(words[3], &usual, 4500);
    CHECK_EQ_U64("one more", pause_of(words, 4, 4500), 2000);
    for (int i = 0; i < 70000; i++) {
        words[0] = limit_failure_add(words[0], &usual, 5000);
    }
    CHECK_EQ_U64("no end", pause_of(words, 4, 5000), 60000);
    CHECK_EQ_U64("the others are forgotten one by one", pause_of(words, 4, 601500), 0);
    CHECK_EQ_U64("never", limit_failure_lives(0, 0), false);
}

static void test_pause_of_nothing(void)
{
    static const struct limit_pause at_once = {
        .free = 0, .first_ms = 1, .most_ms = UINT32_MAX, .forget_ms = UINT32_MAX};
    struct limit_failure_sum sum = {.count = UINT64_MAX, .last_ms = 10};
    CHECK_EQ_U64("as long as can be", limit_pause_ms(&sum, &at_once, 10), UINT32_MAX);
    sum = (struct limit_failure_sum){.count = 1, .last_ms = 10};
    CHECK_EQ_U64("the first failure", limit_pause_ms(&sum, &at_once, 10), 1);
    CHECK_EQ_U64("over", limit_pause_ms(&sum, &at_once, 11), 0);
}

CU_TestInfo limit_tests[] = {
    {"subjects that are one", test_same_key},
    {"subjects that are not", test_other_key},
    {"the secret counts", test_secret},
    {"twenty a minute", test_rate},
    {"the smallest and largest rates", test_rate_extremes},
    {"a rate that changes", test_rate_changes},
    {"random events of several writers", test_rate_random},
    {"a pause that grows", test_pause},
    {"failures of several writers", test_pause_many},
    {"the shortest and longest pause", test_pause_of_nothing},
    CU_TEST_INFO_NULL,
};
