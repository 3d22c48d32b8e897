/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What those who ask share: questions, and answers that are kept. */
#include "resolver_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- questions ----------------------------------------------------------------------------- */

static void test_one_question_for_all(void)
{
    static struct world w;
    static struct asker askers[1000];
    world_open(&w, &(struct zone){.a = 2, .aaaa = 1});
    for (size_t i = 0; i < COUNT(askers); i++) {
        (void)ask_for(&w, &askers[i], i % 2 == 0 ? "backend.example." : "Backend.Example.");
        if (i == 500) {
            reactor_turn(w.reactor, false);
        }
    }
    (void)look_up(&w, "backend.example.");
    let_pass(&w, 20);
    for (size_t i = 0; i < COUNT(askers); i++) {
        CHECK_TRUE("all are told", askers[i].is_over && askers[i].count[IPV4] == 2);
    }
    CHECK_EQ_U64("a thousand", w.stub.questions, 2);
    world_close("a thousand", &w);
    check_no_leak("a thousand", &w);
}

/* Questions that overlap have different ports. */
static void test_ports(void)
{
    enum { NAMES = 32 };
    static struct world w;
    static struct asker askers[NAMES];
    world_open(&w, &(struct zone){.way = STUB_SILENT});
    for (size_t i = 0; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%zu.example.", i);
        (void)ask_for(&w, &askers[i], name);
    }
    while (w.stub.questions < 2UL * NAMES) {
        reactor_turn(w.reactor, false);
    }
    CHECK_TRUE("a port for each question", w.stub.port_count >= 2UL * NAMES);
    world_close("ports", &w);
    check_no_leak("ports", &w);
}

/* --- kept answers -------------------------------------------------------------------------- */

/* Each row asks again and again for 2.6 s, all rows at the same time. */
static void test_ttl(void)
{
    static const struct {
        const char *name;
        struct zone zone;
        const char *asked;
        size_t questions_min; /* a busy machine asks less often, but never more often */
        size_t questions_max; /* c-ares asks a server that fails three times */
    } rows[] = {
        {"a second", {.a = 1, .ttl_s = 1}, "backend.example.", 4, 6},
        {"two seconds", {.a = 1, .ttl_s = 2}, "backend.example.", 4, 4},
        {"a minute", {.a = 1}, "backend.example.", 2, 2},
        {"the alias has one too", {.a = 1, .is_alias = true, .ttl_s = 2}, "b.example.", 4, 4},
        {"failure", {.way = STUB_SERVFAIL}, "backend.example.", 4, 12},
        {"no such name", {.way = STUB_NXDOMAIN}, "backend.example.", 4, 4},
        {"one family fails", {.a = 1, .aaaa_way = STUB_SERVFAIL}, "backend.example.", 2, 4},
    };
    enum { ROWS = COUNT(rows) };
    static struct world w[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        world_open(&w[i], &rows[i].zone);
        (void)look_up(&w[i], rows[i].asked);
    }
    uint64_t start = reactor_now_ms(w[0].reactor);
    while (reactor_now_ms(w[0].reactor) - start < 2600) {
        for (size_t i = 0; i < ROWS; i++) {
            usleep(5000);
            (void)look_up(&w[i], rows[i].asked);
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        CHECK_TRUE(rows[i].name, w[i].stub.questions >= rows[i].questions_min);
        CHECK_TRUE(rows[i].name, w[i].stub.questions <= rows[i].questions_max);
        world_close(rows[i].name, &w[i]);
    }
    check_no_leak("all", &w[0]);
}

/* Addresses that were no good are asked for again, but not more than once a second. */
static void test_doubt(void)
{
    static struct world w;
    world_open(&w, &(struct zone){.a = 1});
    resolver_doubt(w.resolver, "backend.example.");
    (void)look_up(&w, "backend.example.");
    resolver_doubt(w.resolver, "backend.example.");
    (void)look_up(&w, "backend.example.");
    CHECK_EQ_U64("fresh", w.stub.questions, 2);
    let_pass(&w, RESOLVER_KEPT_MIN_MS + 10);
    (void)look_up(&w, "backend.example.");
    CHECK_EQ_U64("kept", w.stub.questions, 2);
    resolver_doubt(w.resolver, "BACKEND.example.");
    (void)look_up(&w, "backend.example.");
    CHECK_EQ_U64("doubted", w.stub.questions, 4);
    world_close("doubt", &w);
    check_no_leak("doubt", &w);
}

static size_t questions_for(struct world *w, size_t number)
{
    char name[32];
    size_t before = w->stub.questions;
    snprintf(name, sizeof(name), "n%zu.example.", number);
    (void)look_up(w, name);
    return w->stub.questions - before;
}

static void test_ceiling(void)
{
    static struct world w;
    world_open(&w, &(struct zone){.a = 1});
    for (size_t i = 0; i < RESOLVER_NAMES_MAX + 10; i++) {
        (void)questions_for(&w, i);
    }
    size_t blocks = mem_live_blocks();
    for (size_t i = 0; i < 20; i++) {
        (void)questions_for(&w, 1000 + i);
    }
    CHECK_EQ_U64("bounded", mem_live_blocks(), blocks);
    CHECK_EQ_U64("the last one is kept", questions_for(&w, 1019), 0);
    CHECK_EQ_U64("the first one is not", questions_for(&w, 0), 2);
    world_close("ceiling", &w);
    check_no_leak("ceiling", &w);
}

CU_TestInfo resolver_kept_tests[] = {
    {"one question for all", test_one_question_for_all},
    {"a port for each question", test_ports},
    {"answers are kept for their TTL", test_ttl},
    {"addresses that were no good", test_doubt},
    {"no more than so many names", test_ceiling},
    CU_TEST_INFO_NULL,
};
