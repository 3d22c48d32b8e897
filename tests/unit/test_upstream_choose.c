/* SPDX-License-Identifier: GPL-3.0-or-later */
// Which backend a session dials next, when some are out, full, on trial or backups.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "check.h"
#include "gate/upstream.h"
#include "give_up.h"
#include "quota_kit.h"
#include "suites.h"

#define T0 UINT64_C(1000000)
#define TRIAL_MS 5000

static struct config_backend four[] = {
    {.text = SPAN_LIT("tcp://a:1"), .weight = 1},
    {.text = SPAN_LIT("tcp://b:1"), .weight = 2},
    {.text = SPAN_LIT("tcp://c:1"), .weight = 1},
    {.text = SPAN_LIT("tcp://s:1"), .weight = 1, .is_backup = true},
};
static struct config_route route = {.policy = {.name = SPAN_LIT("r")},
                                    .backends = four,
                                    .backend_count = 4,
                                    .eject_after = 1,
                                    .eject_pause_ms = 1000,
                                    .eject_pause_max_ms = 1000,
                                    .slow_start_ms = 10000};
static const struct config config = {.routes = &route, .route_count = 1};
static struct upstream *u;
static const struct limits nobody_counts = {.quota = NULL};

static void begin(enum config_balance balance)
{
    route.balance = balance;
    upstream_free(u);
    u = upstream_new(&config, NULL);
    if (u == NULL) {
        GIVE_UP();
    }
}

static void put_out(size_t index, uint64_t now_ms)
{
    const struct dial_outcome refused = {DIAL_REFUSED, "connection refused"};
    upstream_note(u, &route, index, &refused, now_ms);
}

static void accept_one(size_t index, uint64_t now_ms)
{
    const struct dial_outcome fine = {DIAL_OK, NULL};
    upstream_note(u, &route, index, &fine, now_ms);
}

// The letters of the backends that a session dials, when all of them fail; nothing is noted.
static const char *order(struct upstream *upstream, uint64_t now_ms)
{
    static const char letters[] = "abcs";
    static char text[8];
    const struct addr nobody = {.len = 0};
    const struct upstream_question question = {.route = &route,
                                               .client = &nobody,
                                               .prefix = {32, 64},
                                               .limits = &nobody_counts,
                                               .now_ms = now_ms,
                                               .trial_ms = TRIAL_MS};
    struct upstream_tried tried = {.tried = 0};
    struct limits_holds holds = {.backend = {0}};
    size_t len = 0;
    size_t index = 0;
    while (upstream_choose(upstream, &question, &tried, &holds, &index)) {
        text[len++] = letters[index];
        CHECK_EQ_U64("untried", upstream_untried(&route, &tried), 4 - len);
    }
    text[len] = '\0';
    return text;
}

static void test_tiers(void)
{
    begin(CONFIG_BALANCE_FIRST);
    CHECK_EQ_STR("all up", order(u, T0), "abcs");
    CHECK_EQ_STR("nobody knows", order(NULL, T0), "abcs");
    put_out(0, T0);
    CHECK_EQ_STR("one out comes last", order(u, T0), "bcsa");
    put_out(1, T0);
    put_out(2, T0);
    CHECK_EQ_STR("the backup first", order(u, T0), "sabc");
    put_out(3, T0);
    CHECK_EQ_STR("none is left out", order(u, T0), "abcs");
    accept_one(2, T0 + 1);
    CHECK_EQ_STR("one is back", order(u, T0 + 1), "cabs");
}

static void test_trials(void)
{
    begin(CONFIG_BALANCE_FIRST);
    put_out(0, T0);
    CHECK_EQ_STR("in the pause", order(u, T0 + 100), "bcsa");
    CHECK_EQ_STR("one tries it", order(u, T0 + 1000), "abcs");
    CHECK_EQ_STR("the others do not", order(u, T0 + 1000), "bcsa");
    put_out(0, T0 + 2000);
    CHECK_EQ_STR("it failed", order(u, T0 + 2500), "bcsa");
    CHECK_EQ_STR("the next trial", order(u, T0 + 3000), "abcs");
    upstream_note_left(u, &route, 0, T0 + 3000);
    CHECK_EQ_STR("whoever tried has left", order(u, T0 + 3000), "abcs");
    CHECK_EQ_STR("nobody hears of it", order(u, T0 + 3000 + TRIAL_MS - 1), "bcsa");
    CHECK_EQ_STR("any more", order(u, T0 + 3000 + TRIAL_MS), "abcs");
    const struct dial_outcome poor = {DIAL_EXHAUSTED, "too many open files"};
    upstream_note(u, &route, 0, &poor, T0 + 9000);
    CHECK_EQ_STR("this machine is at fault", order(u, T0 + 9000), "abcs");
    begin(CONFIG_BALANCE_ROUND_ROBIN);
    put_out(2, T0);
    CHECK_EQ_U64("in turns a trial comes at once", (unsigned char)order(u, T0 + 1000)[0], 'c');
}

// How many of 400 sessions come to b, when each is accepted.
static unsigned count_b(uint64_t now_ms)
{
    const struct addr nobody = {.len = 0};
    const struct upstream_question question = {.route = &route,
                                               .client = &nobody,
                                               .limits = &nobody_counts,
                                               .now_ms = now_ms,
                                               .trial_ms = TRIAL_MS};
    unsigned count = 0;
    for (int i = 0; i < 400; i++) {
        struct upstream_tried tried = {.tried = 0};
        struct limits_holds holds = {.backend = {0}};
        size_t index = 0;
        CHECK_TRUE("chosen", upstream_choose(u, &question, &tried, &holds, &index));
        count += index == 1 ? 1 : 0;
    }
    return count;
}

static void test_slow_start(void)
{
    begin(CONFIG_BALANCE_ROUND_ROBIN);
    unsigned before = count_b(T0);
    CHECK_TRUE("its share", before > 150 && before < 250);
    put_out(1, T0);
    accept_one(1, T0 + 1000);
    CHECK_TRUE("nearly nothing", count_b(T0 + 1000) <= 2);
    unsigned half = count_b(T0 + 6000); // weights 1, 1 and 1
    CHECK_TRUE("the half of its weight", half > 100 && half < 170);
    unsigned whole = count_b(T0 + 11000);
    CHECK_TRUE("all of it", whole > 150 && whole < 250);
}

static void test_checks(void)
{
    begin(CONFIG_BALANCE_FIRST);
    upstream_note_check(u, &route, 0, false, "no answer to the check", T0);
    CHECK_EQ_STR("out", order(u, T0 + 100000), "bcsa");
    accept_one(0, T0 + 100000);
    CHECK_EQ_STR("until a check is good", order(u, T0 + 100000), "bcsa");
    upstream_note_check(u, &route, 0, true, NULL, T0 + 100001);
    CHECK_EQ_STR("back", order(u, T0 + 100001), "abcs");
    upstream_note_check(u, &route, 1, false, "no answer to the check", T0 + 200000);
    upstream_drop_checks(u, &route, 1, T0 + 200001);
    CHECK_EQ_STR("nobody checks any more", order(u, T0 + 200001), "abcs");
}

// Each holds a place until it leaves; who is full is passed over.
static void test_max_sessions(void)
{
    struct quota *quota = kit_quota_new(64, 1);
    const struct limits limits = {.quota = quota};
    const struct addr nobody = {.len = 0};
    const struct upstream_question question = {
        .route = &route, .client = &nobody, .limits = &limits, .now_ms = T0, .trial_ms = TRIAL_MS};
    static const size_t wanted[] = {0, 0, 1, 2, 2, 2};
    struct limits_holds holds[7] = {{.backend = {0}}};
    size_t index = 9;
    begin(CONFIG_BALANCE_FIRST);
    four[0].max_sessions = 2;
    four[1].max_sessions = 1;
    for (size_t i = 0; i < 6; i++) {
        struct upstream_tried tried = {.tried = 0};
        CHECK_TRUE("one more", upstream_choose(u, &question, &tried, &holds[i], &index));
        CHECK_EQ_U64("which", index, wanted[i]);
    }
    CHECK_EQ_U64("held", limits_backend_sessions(&limits, &route, 0), 2);
    four[2].max_sessions = 3;
    four[3].max_sessions = 3;
    struct upstream_tried tried = {.tried = 8}; // the backup has failed
    CHECK_FALSE("all full", upstream_choose(u, &question, &tried, &holds[6], &index));
    CHECK_TRUE("and so it is told", tried.is_some_full);
    limits_leave_backend(&limits, &holds[2]);
    CHECK_TRUE("a place", upstream_choose(u, &question, &tried, &holds[6], &index));
    CHECK_EQ_U64("of the one that left", index, 1);
    for (size_t i = 0; i < 7; i++) {
        limits_leave_backend(&limits, &holds[i]);
    }
    CHECK_EQ_U64("none is held", limits_backend_sessions(&limits, &route, 0), 0);
    for (size_t i = 0; i < 4; i++) {
        four[i].max_sessions = 0;
    }
    quota_free(quota);
}

static void test_all(void)
{
    log_init(-1, LOG_ERROR, LOG_KEY_VALUE);
    test_tiers();
    test_trials();
    test_slow_start();
    test_checks();
    test_max_sessions();
    log_init(-1, LOG_WARN, LOG_KEY_VALUE);
    upstream_free(u);
    u = NULL;
}

CU_TestInfo upstream_choose_tests[] = {
    {"tiers, trials, slow start, checks, max_sessions", test_all},
    CU_TEST_INFO_NULL,
};
