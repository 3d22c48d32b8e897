/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dial_kit.h"
#include "give_up.h"
#include "suites.h"

struct row {
    const char *name;
    struct zone zone;
    unsigned last;           /* the server listens on 127.0.0.LAST */
    const char *literals[2]; /* candidates behind the name */
    enum dial_result result;
    size_t candidate;   /* the candidate that the dial reports */
    const char *detail; /* NULL with DIAL_OK */
};

#define LO .is_loopback = true

static const struct row rows[] = {
    {"one address", {.a = 1, LO}, 1, {NULL}, DIAL_OK, 0, NULL},
    {"the last of four", {.a = 4, LO}, 4, {NULL}, DIAL_OK, 0, NULL},
    {"the last of sixteen", {.a = 16, LO}, 16, {NULL}, DIAL_OK, 0, NULL},
    {"IPv6 refuses, IPv4 answers", {.a = 1, .aaaa = 1, LO}, 1, {NULL}, DIAL_OK, 0, NULL},
    {"an alias", {.a = 1, LO, .is_alias = true}, 1, {NULL}, DIAL_OK, 0, NULL},
    {"over TCP", {.a = 3, LO, .is_truncated = true}, 3, {NULL}, DIAL_OK, 0, NULL},
    {"all refuse", {.a = 3, .aaaa = 1, LO}, 9, {NULL}, DIAL_REFUSED, 0, "connection refused"},
    {"no such name", {.way = STUB_NXDOMAIN}, 1, {NULL}, DIAL_NAME, 0, "name does not exist"},
    {"no address", {.a = 0}, 1, {NULL}, DIAL_NAME, 0, "name has no address"},
    {"a server's fault", {.way = STUB_SERVFAIL}, 1, {NULL}, DIAL_NAME, 0, "name server failed"},
    {"no such name, then an address", {.way = STUB_NXDOMAIN}, 1, {"127.0.0.1"}, DIAL_OK, 1, NULL},
    {"refused, then an address", {.a = 1, LO}, 7, {"127.0.0.7"}, DIAL_OK, 1, NULL},
    {"the third candidate",
     {.way = STUB_SERVFAIL},
     8,
     {"127.0.0.7", "127.0.0.8"},
     DIAL_OK,
     2,
     NULL},
    {"the last one is told",
     {.way = STUB_NXDOMAIN},
     8,
     {"127.0.0.6", "::1"},
     DIAL_REFUSED,
     2,
     "connection refused"},
    {"unreachable tells more than no name",
     {.way = STUB_NXDOMAIN},
     8,
     {"255.255.255.255"},
     DIAL_UNREACHABLE,
     1,
     "network unreachable"},
    {"refused tells more than unreachable",
     {.a = 1, LO},
     8,
     {"255.255.255.255"},
     DIAL_REFUSED,
     0,
     "connection refused"},
};

static void test_results(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        size_t blocks = mem_live_blocks();
        struct world w;
        world_open(&w, &row->zone, row->last);
        add_name(&w);
        for (size_t k = 0; k < 2 && row->literals[k] != NULL; k++) {
            add_literal(&w, row->literals[k]);
        }
        (void)dial(&w);
        CHECK_EQ_INT(row->name, w.result, row->result);
        CHECK_EQ_INT(row->name, conn_is_open(&w.conn), row->result == DIAL_OK);
        CHECK_EQ_U64(row->name, w.candidate, row->candidate);
        CHECK_EQ_STR(row->name, w.detail, row->detail);
        world_close(row->name, &w);
        CHECK_EQ_U64(row->name, mem_live_blocks(), blocks);
    }
}

/* A dial to an address of this machine is decided at once. */
static void test_at_once(void)
{
    static const struct {
        const char *name;
        const char *literals[2];
        enum dial_result result;
        size_t candidate;
    } instant[] = {
        {"one", {"127.0.0.1"}, DIAL_OK, 0},
        {"refused", {"127.0.0.2"}, DIAL_REFUSED, 0},
        {"refused, then one", {"127.0.0.2", "127.0.0.1"}, DIAL_OK, 1},
    };
    for (size_t i = 0; i < sizeof(instant) / sizeof(instant[0]); i++) {
        struct zone zone = {0};
        struct world w;
        size_t blocks = mem_live_blocks();
        world_open(&w, &zone, 1);
        for (size_t k = 0; k < 2 && instant[i].literals[k] != NULL; k++) {
            add_literal(&w, instant[i].literals[k]);
        }
        CHECK_TRUE(instant[i].name, dial(&w));
        CHECK_EQ_INT(instant[i].name, w.result, instant[i].result);
        CHECK_EQ_INT(instant[i].name, conn_is_open(&w.conn), instant[i].result == DIAL_OK);
        CHECK_EQ_U64(instant[i].name, w.candidate, instant[i].candidate);
        world_close(instant[i].name, &w);
        CHECK_EQ_U64(instant[i].name, mem_live_blocks(), blocks);
    }
}

/* An address that refuses, tried behind a silent one, adds no head start of its own. A busy machine
 * makes the wait longer, so the shortest of five waits counts; one head start too many would make
 * each of them long. */
static void test_refused_behind_silent(void)
{
    struct zone zone = {.a = 3, .is_loopback = true};
    uint64_t shortest_ms = UINT64_MAX;
    for (int i = 0; i < 5 && shortest_ms >= 500; i++) {
        struct world w;
        int fillers[2];
        world_open(&w, &zone, 3);
        int silent = open_silent(1, w.port, fillers);
        if (silent >= 0) {
            uint64_t begin_ms = reactor_now_ms(w.reactor);
            add_name(&w);
            CHECK_FALSE("waits", dial(&w));
            CHECK_EQ_INT("answers", w.result, DIAL_OK);
            uint64_t took_ms = reactor_now_ms(w.reactor) - begin_ms;
            shortest_ms = took_ms < shortest_ms ? took_ms : shortest_ms;
            net_close(fillers[0]);
            net_close(fillers[1]);
            net_close(silent);
        }
        world_close("behind silent", &w);
    }
    CHECK_TRUE("one head start", shortest_ms >= 250 && shortest_ms < 500);
}

/* A silent candidate uses only its own share of the time. */
static void test_silent_name(void)
{
    struct zone zone = {.way = STUB_SILENT};
    struct world w;
    world_open(&w, &zone, 1);
    w.plan.timeout_ms = 1000;
    add_name(&w);
    add_literal(&w, "127.0.0.1");
    CHECK_TRUE("silent", !dial(&w));
    CHECK_EQ_INT("silent", w.result, DIAL_OK);
    CHECK_TRUE("silent", w.candidate == 1);
    world_close("silent", &w);

    world_open(&w, &zone, 1);
    w.plan.timeout_ms = 300;
    add_name(&w);
    (void)dial(&w);
    CHECK_EQ_INT("only silent", w.result, DIAL_NAME);
    CHECK_EQ_STR("only silent", w.detail, "name server did not answer");
    world_close("only silent", &w);
}

/* After a cancel, at any turn, no callback comes and nothing is left. */
static void test_cancel(void)
{
    struct zone zone = {.a = 3, .aaaa = 1, .is_loopback = true};
    for (int turns = 0; turns < 12; turns++) {
        size_t blocks = mem_live_blocks();
        struct world w;
        world_open(&w, &zone, 3);
        add_name(&w);
        struct dial *d = dial_start(w.reactor, w.resolver, &w.scratch, &w.plan, on_decided, &w);
        if (d == NULL) {
            GIVE_UP();
        }
        for (int i = 0; i < turns && w.calls == 0; i++) {
            reactor_turn(w.reactor, true);
        }
        CHECK_TRUE("cancel", dial_cancel(d) == 0);
        world_close("cancel", &w);
        CHECK_EQ_U64("cancel", mem_live_blocks(), blocks);
    }
}

CU_TestInfo dial_tests[] = {
    {"addresses and candidates in turn", test_results},
    {"decided at once", test_at_once},
    {"refused behind a silent one", test_refused_behind_silent},
    {"a name that nobody answers for", test_silent_name},
    {"cancelled at any turn", test_cancel},
    CU_TEST_INFO_NULL,
};
