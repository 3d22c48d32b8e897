/* SPDX-License-Identifier: GPL-3.0-or-later */
// When a backend is out, for how long, and how it comes back.
#include "proto/fitness.h"

#include "check.h"
#include "suites.h"

static const struct fitness_rules rules = {
    .eject_after = 1, .pause_ms = 1000, .pause_max_ms = 8000, .slow_start_ms = 10000};
static const struct fitness_rules patient = {
    .eject_after = 3, .pause_ms = 1000, .pause_max_ms = 8000, .slow_start_ms = 0};
#define T0 UINT64_C(1000000)

static uint64_t fail(uint64_t word, uint64_t now_ms)
{
    return fitness_fail(word, &rules, FITNESS_NOT_REACHED, now_ms, 0);
}

static unsigned state(uint64_t word, uint64_t now_ms)
{
    return fitness_state(word, &rules, now_ms);
}

static void test_pauses(void)
{
    static const uint64_t pauses[] = {1000, 2000, 4000, 8000, 8000, 8000};
    uint64_t word = 0;
    uint64_t now_ms = T0;
    CHECK_EQ_U64("up from the start", state(word, now_ms), FITNESS_UP);
    CHECK_EQ_U64("with its whole weight", fitness_share(word, &rules, now_ms), FITNESS_WHOLE);
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        word = fail(word, now_ms);
        CHECK_EQ_U64("down", state(word, now_ms), FITNESS_DOWN);
        CHECK_TRUE("not yet", !fitness_is_trial_due(word, now_ms + pauses[i] - 1));
        word = fail(word, now_ms + 1); // of a dial that was under way
        now_ms += pauses[i];
        CHECK_TRUE("now", fitness_is_trial_due(word, now_ms));
        word = fitness_try(word, now_ms, 5000);
        CHECK_EQ_U64("trial", state(word, now_ms), FITNESS_TRIAL);
        CHECK_TRUE("one at a time", !fitness_is_trial_due(word, now_ms + 4999));
    }
    CHECK_TRUE("whoever tried is gone", fitness_is_trial_due(word, now_ms + 5000));
    CHECK_TRUE("or left", fitness_is_trial_due(fitness_leave(word, now_ms + 1), now_ms + 1));
}

static void test_jitter(void)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (uint32_t random = 0; random < 5000; random++) {
        uint64_t word = fitness_fail(0, &rules, FITNESS_NOT_REACHED, T0, random * 2654435761U);
        uint64_t pause_ms = 0;
        while (!fitness_is_trial_due(word, T0 + pause_ms)) {
            pause_ms++;
        }
        least = pause_ms < least ? pause_ms : least;
        most = pause_ms > most ? pause_ms : most;
    }
    CHECK_TRUE("from three quarters to the whole", least >= 750 && least < 760);
    CHECK_TRUE("from three quarters to the whole", most <= 1000 && most > 990);
}

static void test_return(void)
{
    uint64_t word = fail(0, T0);
    uint64_t back = T0 + 1500;
    word = fitness_accept(fitness_try(word, back, 5000), back);
    CHECK_EQ_U64("starting", state(word, back), FITNESS_STARTING);
    CHECK_EQ_U64("little", fitness_share(word, &rules, back), 1);
    CHECK_EQ_U64("a quarter", fitness_share(word, &rules, back + 2500), 250);
    CHECK_EQ_U64("half", fitness_share(word, &rules, back + 5000), 500);
    CHECK_EQ_U64("all", fitness_share(word, &rules, back + 10000), FITNESS_WHOLE);
    CHECK_EQ_U64("up", state(word, back + 10000), FITNESS_UP);
    CHECK_EQ_U64("at once", fitness_state(word, &patient, back), FITNESS_UP);
    // It fails again soon: the pause is longer. After a good time it is the first one.
    uint64_t soon = fail(word, back + 7000);
    CHECK_TRUE("longer", !fitness_is_trial_due(soon, back + 8999));
    uint64_t late = fail(word, back + 8000);
    CHECK_TRUE("forgiven", fitness_is_trial_due(late, back + 9000));
    // One that is out may be tried by force, when all are.
    CHECK_EQ_U64("by force", state(fitness_accept(fail(0, T0), T0 + 1), T0 + 1), FITNESS_STARTING);
}

static uint64_t happen(uint64_t word, const char *events)
{
    uint64_t now_ms = T0;
    for (; *events != '\0'; events++) {
        now_ms++;
        switch (*events) {
        case 'f':
            word = fitness_fail(word, &patient, FITNESS_NOT_REACHED, now_ms, 0);
            break;
        case 'r':
            word = fitness_fail(word, &patient, FITNESS_RESET, now_ms, 0);
            break;
        case 'a':
            word = fitness_accept(word, now_ms);
            break;
        default:
            word = fitness_speak(word);
            break;
        }
    }
    return word;
}

// Failures in a row: a dial that is accepted ends a row of dials that were not, and a byte ends a
// row of resets.
static void test_rows(void)
{
    static const struct {
        const char *events;
        bool is_down;
    } rows[] = {
        {"ff", false},      {"fff", true},      {"ffaff", false},   {"ffafff", true},
        {"arar", false},    {"ararar", true},   {"ararsar", false}, {"ararasarar", false},
        {"aaaaaaa", false}, {"ararf", true},    {"arfaff", false},  {"arara", false},
        {"ararara", false}, {"arararar", true}, {"ararars", true},  {"arararasar", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_down = fitness_state(happen(0, rows[i].events), &patient, T0 + 20) == FITNESS_DOWN;
        CHECK_EQ_U64(rows[i].events, is_down, rows[i].is_down);
    }
}

static void test_checks(void)
{
    uint64_t word = fitness_check(fail(0, T0), false, T0 + 1);
    CHECK_EQ_U64("down", state(word, T0 + 100000), FITNESS_DOWN);
    CHECK_TRUE("down by checks", fitness_is_down_by_check(word));
    CHECK_TRUE("no trial", !fitness_is_trial_due(word, T0 + 100000));
    word = fitness_accept(word, T0 + 2);
    word = fail(word, T0 + 3);
    CHECK_EQ_U64("whatever sessions find", state(word, T0 + 100000), FITNESS_DOWN);
    word = fitness_check(word, true, T0 + 200000);
    CHECK_EQ_U64("anew", state(word, T0 + 200000), FITNESS_STARTING);
    uint64_t out = fail(word, T0 + 200001);
    CHECK_TRUE("the first pause", fitness_is_trial_due(out, T0 + 201001));
    CHECK_EQ_U64("a good check says nothing of sessions",
                 state(fitness_check(out, true, T0 + 200002), T0 + 200002), FITNESS_DOWN);
    CHECK_EQ_U64("of one that is up", fitness_check(0, true, T0), 0);
}

// Any word is one: another version may have written it.
static void test_any_word(void)
{
    uint64_t word = 88172645463325252U;
    for (int i = 0; i < 100000; i++) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        uint64_t now_ms = word >> 20;
        uint64_t share = fitness_share(word, &rules, now_ms);
        CHECK_TRUE("share", share >= 1 && share <= FITNESS_WHOLE);
        CHECK_TRUE("state", fitness_state(word, &rules, now_ms) <= FITNESS_DOWN);
        uint64_t next = fail(word, now_ms);
        CHECK_TRUE("down", fitness_is_down_by_check(word) || state(next, now_ms) == FITNESS_DOWN);
        CHECK_TRUE("up", fitness_is_down_by_check(word) ||
                             fitness_is_up(state(fitness_accept(word, now_ms), now_ms)));
    }
}

CU_TestInfo fitness_tests[] = {
    {"pauses double, and one tries at a time", test_pauses},
    {"pauses differ", test_jitter},
    {"it comes back slowly", test_return},
    {"failures in a row", test_rows},
    {"active checks", test_checks},
    {"any word", test_any_word},
    CU_TEST_INFO_NULL,
};
