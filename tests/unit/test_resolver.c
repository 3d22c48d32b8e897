/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/resolver.h"

#include "base/mem.h"
#include "check.h"
#include "dns_stub.h"
#include "suites.h"

/* --- one question -------------------------------------------------------------------------- */

struct world {
    struct reactor *reactor;
    struct resolver *resolver;
    struct stub stub;
    size_t blocks;
    int calls;
    size_t count;
    struct addr addrs[RESOLVER_ADDRS_MAX];
};

static void on_answer(void *owner, const struct addr *addrs, size_t count)
{
    struct world *w = owner;
    w->calls++;
    w->count = count;
    for (size_t i = 0; i < count && i < RESOLVER_ADDRS_MAX; i++) {
        w->addrs[i] = addrs[i];
    }
}

static void world_open(struct world *w, const struct zone *zone)
{
    char servers[ADDR_TEXT_MAX];
    memset(w, 0, sizeof(*w));
    w->blocks = mem_live_blocks();
    w->reactor = reactor_new();
    w->resolver = w->reactor == NULL ? NULL : resolver_new(w->reactor);
    if (w->resolver == NULL) {
        abort();
    }
    stub_open(&w->stub, w->reactor);
    w->stub.zone = *zone;
    addr_print(&w->stub.addr, servers, sizeof(servers));
    if (!resolver_set_servers(w->resolver, servers)) {
        abort();
    }
}

static void world_close(const char *row, struct world *w)
{
    int calls = w->calls;
    resolver_free(w->resolver);
    stub_close(&w->stub);
    reactor_turn(w->reactor, true);
    reactor_free(w->reactor);
    CHECK_EQ_INT(row, w->calls, calls);
}

static void check_no_leak(const char *row, const struct world *first)
{
    CHECK_EQ_U64(row, mem_live_blocks(), first->blocks);
}

static struct resolver_query *ask(struct world *w, const char *name)
{
    struct resolver_query *q = resolver_start(w->resolver, name, 4711, on_answer, w);
    if (q == NULL) {
        abort();
    }
    CHECK_EQ_INT("never from inside", w->calls, 0);
    return q;
}

static uint64_t wait_for_answer(struct world *w)
{
    uint64_t start = reactor_now_ms(w->reactor);
    while (w->calls == 0) {
        reactor_turn(w->reactor, false);
    }
    return reactor_now_ms(w->reactor) - start;
}

static size_t count_family(const struct world *w, int family)
{
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++) {
        count += w->addrs[i].u.sa.sa_family == family ? 1 : 0;
    }
    return count;
}

static void test_answers(void)
{
    static const struct {
        const char *name;
        struct zone zone;
        size_t v4;
        size_t v6;
    } rows[] = {
        {"A", {.a = 2}, 2, 0},
        {"AAAA", {.aaaa = 2}, 0, 2},
        {"both", {.a = 3, .aaaa = 1}, 3, 1},
        {"none", {.a = 0}, 0, 0},
        {"alias", {.a = 1, .aaaa = 1, .is_alias = true}, 1, 1},
        {"alias to nothing", {.is_alias = true}, 0, 0},
        {"NXDOMAIN", {.way = STUB_NXDOMAIN}, 0, 0},
        {"SERVFAIL", {.way = STUB_SERVFAIL}, 0, 0},
        {"40 addresses", {.a = 25, .aaaa = 15}, 8, 8},
        {"25 of one family", {.a = 25}, 16, 0},
        {"many of one, few of the other", {.a = 25, .aaaa = 2}, 14, 2},
        {"40 of each over TCP", {.a = 40, .aaaa = 40, .is_truncated = true}, 8, 8},
        {"the same address", {.a = 5, .aaaa = 5, .is_repeated = true}, 1, 1},
        {"mapped", {.a = 2, .aaaa = 2, .is_mapped = true}, 2, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *row = rows[i].name;
        struct world w;
        world_open(&w, &rows[i].zone);
        (void)ask(&w, "backend.example");
        CHECK_TRUE(row, wait_for_answer(&w) < 4000);
        CHECK_EQ_U64(row, count_family(&w, AF_INET), rows[i].v4);
        CHECK_EQ_U64(row, count_family(&w, AF_INET6), rows[i].v6);
        size_t pairs = rows[i].v4 < rows[i].v6 ? rows[i].v4 : rows[i].v6;
        for (size_t j = 0; j < w.count; j++) {
            CHECK_EQ_U64(row, addr_port(&w.addrs[j]), 4711);
            if (j > 0 && j < 2 * pairs) {
                CHECK_TRUE(row, w.addrs[j].u.sa.sa_family != w.addrs[j - 1].u.sa.sa_family);
            }
        }
        CHECK_EQ_INT(row, w.calls, 1);
        world_close(row, &w);
        check_no_leak(row, &w);
    }
}

static void test_no_good_answer(void)
{
    static const struct {
        const char *name;
        struct zone zone;
        size_t count;
        size_t questions_min; /* the versions of c-ares differ */
        size_t questions_max;
        uint64_t at_least_ms;
    } rows[] = {
        {"silence: two tries", {.way = STUB_SILENT}, 0, 4, 4, 1900},
        /* Once A is answered, c-ares of Debian 13 asks for AAAA only once. */
        {"no answer for AAAA", {.a = 2, .is_aaaa_silent = true}, 2, 2, 3, 900},
        {"wrong id", {.way = STUB_WRONG_ID, .a = 1}, 0, 4, 4, 1900},
        {"garbage", {.way = STUB_GARBAGE}, 0, 1, SIZE_MAX, 0},
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct world w[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        world_open(&w[i], &rows[i].zone);
        (void)ask(&w[i], "backend.example.");
    }
    /* All rows wait at the same time, each with a reactor of its own. */
    uint64_t start = reactor_now_ms(w[0].reactor);
    uint64_t took_ms[ROWS] = {0};
    for (size_t done = 0; done < ROWS;) {
        usleep(2000);
        for (size_t i = 0; i < ROWS; i++) {
            reactor_turn(w[i].reactor, true);
            if (w[i].calls > 0 && took_ms[i] == 0) {
                took_ms[i] = reactor_now_ms(w[i].reactor) - start + 1;
                done++;
            }
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        CHECK_EQ_U64(rows[i].name, w[i].count, rows[i].count);
        CHECK_TRUE(rows[i].name, took_ms[i] >= rows[i].at_least_ms);
        CHECK_TRUE(rows[i].name, took_ms[i] < 9000);
        CHECK_TRUE(rows[i].name, w[i].stub.questions >= rows[i].questions_min);
        CHECK_TRUE(rows[i].name, w[i].stub.questions <= rows[i].questions_max);
        world_close(rows[i].name, &w[i]);
    }
    check_no_leak("all", &w[0]);
}

/* The deadline comes before all servers were asked, so c-ares still has the query then. Each server
 * has a port of its own, because c-ares of Debian 13 asks a server once that is in the list
 * twice. */
static void test_deadline(void)
{
    struct world w;
    struct stub more[2];
    char servers[4 * ADDR_TEXT_MAX];
    char texts[3][ADDR_TEXT_MAX];
    world_open(&w, &(struct zone){.way = STUB_SILENT});
    addr_print(&w.stub.addr, texts[0], sizeof(texts[0]));
    for (size_t i = 0; i < 2; i++) {
        stub_open(&more[i], w.reactor);
        more[i].zone.way = STUB_SILENT;
        addr_print(&more[i].addr, texts[i + 1], sizeof(texts[0]));
    }
    snprintf(servers, sizeof(servers), "%s,127.0.0.1:1,%s,%s", texts[0], texts[1], texts[2]);
    CHECK_FALSE("no list", resolver_set_servers(w.resolver, "nonsense"));
    CHECK_TRUE("list", resolver_set_servers(w.resolver, servers));
    (void)ask(&w, "backend.example.");
    CHECK_FALSE("under way", resolver_set_servers(w.resolver, servers));
    uint64_t took_ms = wait_for_answer(&w);
    CHECK_TRUE("deadline", took_ms >= 4500 && took_ms < 9000);
    CHECK_EQ_U64("nothing", w.count, 0);
    for (size_t i = 0; i < 2; i++) {
        stub_close(&more[i]);
    }
    world_close("deadline", &w);
    check_no_leak("deadline", &w);
}

static void test_hosts_file(void)
{
    static const char *const rows[] = {"localhost", "LocalHost"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        bool is_all_loopback = true;
        world_open(&w, &(struct zone){.way = STUB_SILENT});
        (void)ask(&w, rows[i]);
        CHECK_TRUE(rows[i], wait_for_answer(&w) < 4000);
        CHECK_TRUE(rows[i], w.count > 0);
        for (size_t j = 0; j < w.count; j++) {
            is_all_loopback = is_all_loopback && addr_is_loopback(&w.addrs[j]);
        }
        CHECK_TRUE(rows[i], is_all_loopback);
        CHECK_EQ_U64(rows[i], w.stub.questions, 0);
        world_close(rows[i], &w);
        check_no_leak(rows[i], &w);
    }
}

static void test_bad_names(void)
{
    static char label[80];
    static char endless[400];
    memset(label, 'a', sizeof(label) - 1);
    memset(endless, 'a', sizeof(endless) - 1);
    for (size_t i = 60; i < sizeof(endless) - 1; i += 60) {
        endless[i] = '.';
    }
    static const char *const rows[] = {"",    ".",     "..",      "a..b",
                                       label, endless, "x.onion", "\xff\x01"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_open(&w, &(struct zone){.way = STUB_NXDOMAIN});
        (void)ask(&w, rows[i]);
        CHECK_TRUE(rows[i], wait_for_answer(&w) < 4000);
        CHECK_EQ_U64(rows[i], w.count, 0);
        world_close(rows[i], &w);
        check_no_leak(rows[i], &w);
    }
}

static void test_environment(void)
{
    struct world w;
    setenv("LOCALDOMAIN", "evil.example", 1);
    setenv("RES_OPTIONS", "ndots:9", 1);
    setenv("HOSTALIASES", "/dev/null", 1);
    setenv("CARES_HOSTS", "/dev/null", 1);
    world_open(&w, &(struct zone){.a = 1});
    (void)ask(&w, "localhost");
    (void)wait_for_answer(&w);
    CHECK_TRUE("hosts file", w.count > 0);
    w.calls = 0;
    (void)ask(&w, "backend.example");
    (void)wait_for_answer(&w);
    CHECK_EQ_U64("asked as it is", w.stub.questions, 2);
    CHECK_TRUE("taken out", getenv("LOCALDOMAIN") == NULL && getenv("RES_OPTIONS") == NULL);
    unsetenv("HOSTALIASES");
    unsetenv("CARES_HOSTS");
    world_close("environment", &w);
    check_no_leak("environment", &w);
}

/* --- cancelling and running out ------------------------------------------------------------ */

static void test_cancel(void)
{
    struct world w;
    world_open(&w, &(struct zone){.a = 1});
    resolver_cancel(ask(&w, "localhost")); /* answered, but not delivered */
    resolver_cancel(ask(&w, "one.example"));
    struct resolver_query *late = ask(&w, "two.example");
    reactor_turn(w.reactor, false);
    resolver_cancel(late);
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        reactor_turn(w.reactor, true);
    }
    CHECK_EQ_INT("no callback", w.calls, 0);
    (void)ask(&w, "three.example");
    (void)wait_for_answer(&w);
    CHECK_EQ_U64("others go on", w.count, 1);
    world_close("cancel", &w);
    check_no_leak("cancel", &w);

    world_open(&w, &(struct zone){.way = STUB_SILENT});
    (void)ask(&w, "localhost");
    (void)ask(&w, "one.example");
    resolver_cancel(ask(&w, "two.example"));
    world_close("freed with queries under way", &w);
    check_no_leak("freed with queries under way", &w);
}

static void test_out_of_memory(void)
{
    struct world w;
    world_open(&w, &(struct zone){.a = 1});
    for (uint64_t n = 1; n <= 3; n++) {
        w.calls = 0;
        mem_fail_after(n);
        struct resolver_query *q = resolver_start(w.resolver, "a.example", 1, on_answer, &w);
        mem_fail_after(0);
        CHECK_EQ_INT("NULL for the query's own block", q == NULL, n == 1);
        if (q != NULL) {
            resolver_cancel(q);
        }
    }
    mem_fail_after(1);
    struct resolver *none = resolver_new(w.reactor);
    mem_fail_after(0);
    CHECK_TRUE("resolver_new", none == NULL);
    world_close("out of memory", &w);
    check_no_leak("out of memory", &w);
    resolver_free(NULL);
}

CU_TestInfo resolver_tests[] = {
    {"answers", test_answers},
    {"no good answer", test_no_good_answer},
    {"the deadline over all servers", test_deadline},
    {"the hosts file", test_hosts_file},
    {"names that cannot be", test_bad_names},
    {"the environment is ignored", test_environment},
    {"cancel and free are silent", test_cancel},
    {"out of memory", test_out_of_memory},
    CU_TEST_INFO_NULL,
};
