/* SPDX-License-Identifier: GPL-3.0-or-later */
// Shares of sessions by weight, and which clients move when backends come and go.
#include "proto/balance.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PICKS 10000
#define MOST 6

static struct balance_backend backends[MOST];

static void set(const unsigned *weights, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "tcp://10.0.0.%zu:5900", i);
        backends[i] = (struct balance_backend){.weight = (uint64_t)weights[i] * BALANCE_UNIT,
                                               .key = balance_key(span_from_str(name))};
    }
}

static uint64_t source_of(unsigned number)
{
    char text[32];
    struct addr a;
    snprintf(text, sizeof(text), "10.%u.%u.%u:1", number >> 16 & 255, number >> 8 & 255,
             number & 255);
    if (!addr_parse(span_from_str(text), &a)) {
        GIVE_UP();
    }
    return balance_source(&a, (struct limit_prefix){32, 64});
}

static const struct {
    const char *name;
    size_t count;
    unsigned weights[MOST];
} shares[] = {
    {"one", 1, {1}},
    {"equal", 3, {1, 1, 1}},
    {"three to one", 2, {3, 1}},
    {"many", 4, {5, 1, 1, 3}},
    {"one is out", 3, {2, 0, 1}},
    {"a thousand to one", 2, {1000, 1}},
    {"six", 6, {1, 2, 3, 4, 5, 6}},
};

static double wanted(size_t row, size_t i)
{
    unsigned total = 0;
    for (size_t k = 0; k < shares[row].count; k++) {
        total += shares[row].weights[k];
    }
    return (double)PICKS * shares[row].weights[i] / total;
}

// In turns the shares are exact; by hash they are those of chance (four standard deviations).
static void check_shares(size_t row, enum balance_kind kind)
{
    unsigned got[MOST] = {0};
    set(shares[row].weights, shares[row].count);
    for (unsigned n = 0; n < PICKS; n++) {
        size_t at = balance_pick(kind, backends, shares[row].count, source_of(n));
        if (!CHECK_TRUE(shares[row].name, at < shares[row].count)) {
            return;
        }
        got[at]++;
        backends[at].sessions++;
    }
    for (size_t i = 0; i < shares[row].count; i++) {
        double want = wanted(row, i);
        double off = got[i] - want;
        double most = kind == BALANCE_SOURCE ? 16 * want : 4;
        CHECK_TRUE(shares[row].name, off * off <= most);
        CHECK_TRUE("none without a weight", want > 0 || got[i] == 0);
    }
}

static void test_shares(void)
{
    static const enum balance_kind kinds[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_SESSIONS,
                                              BALANCE_SOURCE};
    for (size_t row = 0; row < COUNT(shares); row++) {
        for (size_t k = 0; k < COUNT(kinds); k++) {
            check_shares(row, kinds[k]);
        }
    }
}

// Smooth: nobody waits longer for its turn than its weight says, and one more.
static void test_smooth(void)
{
    static const unsigned weights[] = {5, 1, 1, 3};
    unsigned last[4] = {0};
    set(weights, 4);
    for (unsigned n = 1; n <= PICKS; n++) {
        size_t at = balance_pick(BALANCE_ROUND_ROBIN, backends, 4, 0);
        CHECK_TRUE("not longer", n - last[at] <= 10 / weights[at] + 2);
        last[at] = n;
    }
}

static void test_first_and_none(void)
{
    static const unsigned some[] = {0, 7, 1};
    static const unsigned none[] = {0, 0, 0};
    set(some, 3);
    CHECK_EQ_U64("the first", balance_pick(BALANCE_FIRST, backends, 3, 0), 1);
    set(none, 3);
    for (enum balance_kind kind = BALANCE_FIRST; kind <= BALANCE_SOURCE; kind++) {
        CHECK_EQ_U64("none", balance_pick(kind, backends, 3, 1), 3);
        CHECK_EQ_U64("of none", balance_pick(kind, backends, 0, 1), 0);
    }
}

// Sessions that ended elsewhere bring the next ones; among equals they take turns.
static void test_least(void)
{
    static const unsigned weights[] = {1, 2, 1};
    set(weights, 3);
    backends[0].sessions = 4;
    backends[1].sessions = 4;
    backends[2].sessions = 4;
    CHECK_EQ_U64("fewer for its weight", balance_pick(BALANCE_LEAST_SESSIONS, backends, 3, 0), 1);
    backends[2].sessions = 1;
    CHECK_EQ_U64("fewest", balance_pick(BALANCE_LEAST_SESSIONS, backends, 3, 0), 2);
    unsigned got[3] = {0};
    static const unsigned equal[] = {1, 1, 1};
    set(equal, 3);
    for (unsigned n = 0; n < 300; n++) { // each session ends before the next one begins
        got[balance_pick(BALANCE_LEAST_SESSIONS, backends, 3, 0)]++;
    }
    CHECK_TRUE("turns", got[0] == 100 && got[1] == 100 && got[2] == 100);
}

// When one goes only its clients move; when it comes they come back, and nobody else moves.
static void test_stable(void)
{
    static const unsigned weights[] = {1, 2, 3, 1};
    for (size_t gone = 0; gone < 4; gone++) {
        unsigned moved = 0;
        for (unsigned n = 0; n < PICKS; n++) {
            set(weights, 4);
            size_t before = balance_pick(BALANCE_SOURCE, backends, 4, source_of(n));
            backends[gone].weight = 0;
            size_t after = balance_pick(BALANCE_SOURCE, backends, 4, source_of(n));
            CHECK_TRUE("not to the one that is gone", after != gone);
            CHECK_TRUE("only its clients", before == gone || before == after);
            moved += before != after ? 1 : 0;
        }
        CHECK_TRUE("its share", moved > PICKS * weights[gone] / 7 * 9 / 10 &&
                                    moved < PICKS * weights[gone] / 7 * 11 / 10);
    }
}

// A weight that grows takes clients from the others and gives none away.
static void test_growing(void)
{
    static const unsigned weights[] = {1, 1, 1};
    for (unsigned n = 0; n < 2000; n++) {
        bool was_picked = false;
        set(weights, 3);
        for (uint64_t share = 1; share <= BALANCE_UNIT; share += 37) {
            backends[1].weight = share;
            bool is_picked = balance_pick(BALANCE_SOURCE, backends, 3, source_of(n)) == 1;
            CHECK_TRUE("stays", is_picked || !was_picked);
            was_picked = is_picked;
        }
    }
}

// What counts as one client; and the same numbers in every version.
static void test_sources(void)
{
    const struct limit_prefix prefix = {32, 64};
    struct addr a;
    struct addr b;
    if (!addr_parse(SPAN_LIT("[2001:db8::1]:1"), &a) ||
        !addr_parse(SPAN_LIT("[2001:db8::2]:2"), &b)) {
        GIVE_UP();
    }
    CHECK_TRUE("a network", balance_source(&a, prefix) == balance_source(&b, prefix));
    CHECK_TRUE("an address", balance_source(&a, (struct limit_prefix){32, 128}) !=
                                 balance_source(&b, (struct limit_prefix){32, 128}));
    CHECK_EQ_U64("nobody knows", balance_source(&(struct addr){.len = 0}, prefix), 0);
    CHECK_TRUE("names", balance_key(SPAN_LIT("tcp://a:1")) != balance_key(SPAN_LIT("tcp://a:2")));
    CHECK_EQ_U64("for ever", balance_key(SPAN_LIT("tcp://a:1")), UINT64_C(3040438947011511974));
}

CU_TestInfo balance_tests[] = {
    {"shares by weight", test_shares},
    {"turns are smooth", test_smooth},
    {"the first, and none", test_first_and_none},
    {"fewest sessions", test_least},
    {"clients stay when a backend goes and comes", test_stable},
    {"a weight that grows", test_growing},
    {"what one client is", test_sources},
    CU_TEST_INFO_NULL,
};
