/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One question of the resolver: what answers there are, and how long each takes. */
#include "resolver_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    struct zone zone;
    enum resolver_status status[FAMILIES];
    size_t v6;
    size_t v4;
} answers[] = {
    {"A", {.a = 2}, {RESOLVER_NO_ADDRESS, RESOLVER_OK}, 0, 2},
    {"AAAA", {.aaaa = 2}, {RESOLVER_OK, RESOLVER_NO_ADDRESS}, 2, 0},
    {"both", {.a = 3, .aaaa = 1}, {RESOLVER_OK, RESOLVER_OK}, 1, 3},
    {"none", {.a = 0}, {RESOLVER_NO_ADDRESS, RESOLVER_NO_ADDRESS}, 0, 0},
    {"alias", {.a = 1, .aaaa = 1, .is_alias = true}, {RESOLVER_OK, RESOLVER_OK}, 1, 1},
    {"alias, A only", {.a = 1, .is_alias = true}, {RESOLVER_NO_ADDRESS, RESOLVER_OK}, 0, 1},
    {"alias to nothing", {.is_alias = true}, {RESOLVER_NO_ADDRESS, RESOLVER_NO_ADDRESS}, 0, 0},
    {"NXDOMAIN", {.way = STUB_NXDOMAIN}, {RESOLVER_NO_NAME, RESOLVER_NO_NAME}, 0, 0},
    {"SERVFAIL", {.way = STUB_SERVFAIL}, {RESOLVER_FAILED, RESOLVER_FAILED}, 0, 0},
    {"A, SERVFAIL", {.a = 1, .aaaa_way = STUB_SERVFAIL}, {RESOLVER_FAILED, RESOLVER_OK}, 0, 1},
    {"A, NXDOMAIN", {.a = 1, .aaaa_way = STUB_NXDOMAIN}, {RESOLVER_NO_NAME, RESOLVER_OK}, 0, 1},
    {"AAAA, SERVFAIL", {.aaaa = 1, .a_way = STUB_SERVFAIL}, {RESOLVER_OK, RESOLVER_FAILED}, 1, 0},
    {"AAAA, NXDOMAIN", {.aaaa = 1, .a_way = STUB_NXDOMAIN}, {RESOLVER_OK, RESOLVER_NO_NAME}, 1, 0},
    {"none, SERVFAIL", {.aaaa_way = STUB_SERVFAIL}, {RESOLVER_FAILED, RESOLVER_NO_ADDRESS}, 0, 0},
    {"40 addresses", {.a = 25, .aaaa = 15}, {RESOLVER_OK, RESOLVER_OK}, 15, 25},
    {"25 of one family", {.a = 25}, {RESOLVER_NO_ADDRESS, RESOLVER_OK}, 0, 25},
    {"100 of each over TCP",
     {.a = 100, .aaaa = 100, .is_truncated = true},
     {RESOLVER_OK, RESOLVER_OK},
     RESOLVER_ADDRS_MAX,
     RESOLVER_ADDRS_MAX},
    {"the same address",
     {.a = 5, .aaaa = 5, .is_repeated = true},
     {RESOLVER_OK, RESOLVER_OK},
     1,
     1},
};

static void test_answers(void)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        const char *row = answers[i].name;
        struct world w;
        world_open(&w, &answers[i].zone);
        CHECK_TRUE(row, look_up(&w, "backend.example.") < 4000);
        CHECK_EQ_INT(row, w.asker.status[IPV6], answers[i].status[IPV6]);
        CHECK_EQ_INT(row, w.asker.status[IPV4], answers[i].status[IPV4]);
        CHECK_EQ_U64(row, w.asker.count[IPV6], answers[i].v6);
        CHECK_EQ_U64(row, w.asker.count[IPV4], answers[i].v4);
        for (size_t f = 0; f < FAMILIES; f++) {
            for (size_t j = 0; j < w.asker.count[f]; j++) {
                const struct addr *a = &w.asker.addrs[f][j];
                CHECK_EQ_U64(row, addr_port(a), 4711);
                CHECK_EQ_INT(row, a->u.sa.sa_family, f == IPV6 ? AF_INET6 : AF_INET);
            }
        }
        world_close(row, &w);
        check_no_leak(row, &w);
    }
}

/* An answer of AAAA may have IPv4 addresses in it (::ffff:10.0.0.1): nobody has asked for them. */
static void test_mapped(void)
{
    struct world w;
    world_open(&w, &(struct zone){.a = 2, .aaaa = 2, .is_mapped = true});
    (void)look_up(&w, "backend.example.");
    CHECK_EQ_U64("mapped", w.asker.count[IPV6], 0);
    CHECK_EQ_U64("mapped", w.asker.count[IPV4], 2);
    world_close("mapped", &w);
    check_no_leak("mapped", &w);
}

static const struct {
    const char *name;
    struct zone zone;
    enum resolver_status status[FAMILIES];
    size_t questions_min; /* the versions of c-ares differ */
    size_t questions_max;
    uint64_t first_at_least_ms; /* the first call */
    uint64_t first_before_ms;
    uint64_t at_least_ms; /* the last call */
} bad_answers[] = {
    {"silence", {.way = STUB_SILENT}, {RESOLVER_SILENT, RESOLVER_SILENT}, 6, 6, 1200, 9000, 1200},
    {"no answer for AAAA",
     {.a = 2, .aaaa_way = STUB_SILENT},
     {RESOLVER_SILENT, RESOLVER_OK},
     2,
     4,
     0,
     1000,
     1200},
    {"no answer for A",
     {.aaaa = 2, .a_way = STUB_SILENT},
     {RESOLVER_OK, RESOLVER_SILENT},
     2,
     4,
     0,
     1000,
     1200},
    {"garbage for AAAA",
     {.a = 2, .aaaa_way = STUB_GARBAGE},
     {RESOLVER_FAILED, RESOLVER_OK},
     2,
     SIZE_MAX,
     0,
     1000,
     0},
    {"wrong id",
     {.way = STUB_WRONG_ID, .a = 1},
     {RESOLVER_SILENT, RESOLVER_SILENT},
     6,
     6,
     1200,
     9000,
     1200},
};

/* What the good family says does not wait for the other one. */
static void test_no_good_answer(void)
{
    enum { ROWS = COUNT(bad_answers) };
    static struct world w[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        world_open(&w[i], &bad_answers[i].zone);
        (void)ask(&w[i], "backend.example.");
    }
    /* All bad_answers wait at the same time, each with a reactor of its own. */
    uint64_t start = reactor_now_ms(w[0].reactor);
    uint64_t first_ms[ROWS] = {0};
    uint64_t took_ms[ROWS] = {0};
    for (size_t done = 0; done < ROWS;) {
        usleep(2000);
        for (size_t i = 0; i < ROWS; i++) {
            reactor_turn(w[i].reactor, true);
            if (w[i].asker.calls > 0 && first_ms[i] == 0) {
                first_ms[i] = reactor_now_ms(w[i].reactor) - start + 1;
            }
            if (w[i].asker.is_over && took_ms[i] == 0) {
                took_ms[i] = reactor_now_ms(w[i].reactor) - start + 1;
                done++;
            }
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        const char *row = bad_answers[i].name;
        for (size_t f = 0; f < FAMILIES; f++) {
            bool is_garbage = bad_answers[i].status[f] == RESOLVER_FAILED;
            /* One version takes garbage for an answer, another one for none. */
            CHECK_TRUE(row, w[i].asker.status[f] == bad_answers[i].status[f] ||
                                (is_garbage && w[i].asker.status[f] == RESOLVER_SILENT));
        }
        CHECK_TRUE(row, first_ms[i] > bad_answers[i].first_at_least_ms);
        CHECK_TRUE(row, first_ms[i] < bad_answers[i].first_before_ms);
        CHECK_TRUE(row, took_ms[i] > bad_answers[i].at_least_ms);
        CHECK_TRUE(row, took_ms[i] < 9000);
        CHECK_TRUE(row, w[i].stub.questions >= bad_answers[i].questions_min);
        CHECK_TRUE(row, w[i].stub.questions <= bad_answers[i].questions_max);
        world_close(row, &w[i]);
    }
    check_no_leak("all", &w[0]);
}

/* The second server answers what the first one does not. */
static void test_second_server(void)
{
    static const struct {
        const char *name;
        struct zone first;
    } rows[] = {
        {"silent", {.way = STUB_SILENT}},
        {"fails", {.way = STUB_SERVFAIL}},
        {"garbage", {.way = STUB_GARBAGE}},
        {"silent for AAAA", {.a = 1, .aaaa_way = STUB_SILENT}},
    };
    enum { ROWS = COUNT(rows) };
    static struct world w[ROWS];
    static struct stub second[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        char servers[2 * ADDR_TEXT_MAX];
        char texts[2][ADDR_TEXT_MAX];
        world_open(&w[i], &rows[i].first);
        stub_open(&second[i], w[i].reactor);
        second[i].zone = (struct zone){.a = 1, .aaaa = 1};
        addr_print(&w[i].stub.addr, texts[0], sizeof(texts[0]));
        addr_print(&second[i].addr, texts[1], sizeof(texts[1]));
        snprintf(servers, sizeof(servers), "%s,%s", texts[0], texts[1]);
        CHECK_TRUE(rows[i].name, resolver_set_servers(w[i].resolver, servers));
        (void)ask(&w[i], "backend.example.");
    }
    uint64_t start = reactor_now_ms(w[0].reactor);
    for (size_t done = 0; done < ROWS && reactor_now_ms(w[0].reactor) - start < 9000;) {
        usleep(2000);
        done = 0;
        for (size_t i = 0; i < ROWS; i++) {
            reactor_turn(w[i].reactor, true);
            done += w[i].asker.is_over ? 1 : 0;
        }
    }
    CHECK_TRUE("within a short connect_timeout", reactor_now_ms(w[0].reactor) - start < 1900);
    for (size_t i = 0; i < ROWS; i++) {
        CHECK_EQ_INT(rows[i].name, w[i].asker.status[IPV6], RESOLVER_OK);
        CHECK_EQ_INT(rows[i].name, w[i].asker.status[IPV4], RESOLVER_OK);
        stub_close(&second[i]);
        world_close(rows[i].name, &w[i]);
    }
    check_no_leak("all", &w[0]);
}

/* The deadline comes before all servers were asked often enough. Each server has a port of its own,
 * because c-ares of Debian 13 asks a server once that is in the list twice. */
static void test_deadline(void)
{
    static struct world w;
    static struct stub more[2];
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
    uint64_t took_ms = look_up(&w, "backend.example.");
    CHECK_TRUE("deadline", took_ms >= 4500 && took_ms < 9000);
    CHECK_EQ_INT("silent", w.asker.status[IPV6], RESOLVER_SILENT);
    CHECK_EQ_INT("silent", w.asker.status[IPV4], RESOLVER_SILENT);
    for (size_t i = 0; i < 2; i++) {
        stub_close(&more[i]);
    }
    world_close("deadline", &w);
    check_no_leak("deadline", &w);
}

static void test_hosts_file(void)
{
    static const char *const rows[] = {"localhost", "LocalHost"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct world w;
        bool is_all_loopback = true;
        world_open(&w, &(struct zone){.way = STUB_SILENT});
        CHECK_TRUE(rows[i], look_up(&w, rows[i]) < 4000);
        CHECK_TRUE(rows[i], w.asker.count[IPV4] + w.asker.count[IPV6] > 0);
        for (size_t f = 0; f < FAMILIES; f++) {
            for (size_t j = 0; j < w.asker.count[f]; j++) {
                is_all_loopback = is_all_loopback && addr_is_loopback(&w.asker.addrs[f][j]);
            }
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
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct world w;
        world_open(&w, &(struct zone){.way = STUB_NXDOMAIN});
        CHECK_TRUE(rows[i], look_up(&w, rows[i]) < 4000);
        CHECK_EQ_U64(rows[i], w.asker.count[IPV4] + w.asker.count[IPV6], 0);
        CHECK_TRUE(rows[i], w.asker.status[IPV4] <= RESOLVER_FAILED);
        world_close(rows[i], &w);
        check_no_leak(rows[i], &w);
    }
}

static void test_environment(void)
{
    static struct world w;
    setenv("LOCALDOMAIN", "evil.example", 1);
    setenv("RES_OPTIONS", "ndots:9", 1);
    setenv("HOSTALIASES", "/dev/null", 1);
    setenv("CARES_HOSTS", "/dev/null", 1);
    world_open(&w, &(struct zone){.a = 1});
    (void)look_up(&w, "localhost");
    CHECK_TRUE("hosts file", w.asker.count[IPV4] + w.asker.count[IPV6] > 0);
    (void)look_up(&w, "backend.example");
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
    static struct world w;
    world_open(&w, &(struct zone){.a = 1});
    resolver_cancel(ask(&w, "localhost")); /* answered, but not delivered */
    resolver_cancel(ask(&w, "one.example"));
    struct resolver_query *late = ask(&w, "two.example");
    reactor_turn(w.reactor, false);
    resolver_cancel(late);
    let_pass(&w, 40);
    CHECK_EQ_INT("no callback", w.asker.calls, 0);
    (void)look_up(&w, "three.example");
    CHECK_EQ_U64("others go on", w.asker.count[IPV4], 1);
    world_close("cancel", &w);
    check_no_leak("cancel", &w);

    world_open(&w, &(struct zone){.a = 1, .aaaa_way = STUB_SILENT});
    struct resolver_query *half = ask(&w, "half.example");
    (void)wait_for_calls(&w, 1);
    resolver_cancel(half);
    let_pass(&w, 40);
    CHECK_EQ_INT("no second call", w.asker.calls, 1);
    world_close("between the calls", &w);
    check_no_leak("between the calls", &w);

    world_open(&w, &(struct zone){.way = STUB_SILENT});
    (void)ask(&w, "localhost");
    (void)ask(&w, "one.example");
    resolver_cancel(ask(&w, "two.example"));
    reactor_turn(w.reactor, false);
    world_close("freed with queries under way", &w);
    check_no_leak("freed with queries under way", &w);
}

/* The n-th allocation fails: no query, or a query that ends. */
static void test_out_of_memory(void)
{
    static struct world w;
    world_open(&w, &(struct zone){.a = 1, .aaaa = 1});
    for (uint64_t n = 1; n <= 12; n++) {
        char name[20];
        snprintf(name, sizeof(name), "a%u.example.", (unsigned)n);
        memset(&w.asker, 0, sizeof(w.asker));
        mem_fail_after(n);
        struct resolver_query *q = resolver_start(w.resolver, name, 1, on_answer, &w.asker);
        CHECK_EQ_INT("NULL for the query's own blocks", q == NULL, n <= 2);
        for (int i = 0; i < 30 && q != NULL; i++) {
            usleep(500);
            reactor_turn(w.reactor, true);
        }
        mem_fail_after(0);
        if (q != NULL && !w.asker.is_over) {
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

/* Without a descriptor nothing is known of the name, and the next question asks. */
static void test_no_descriptors(void)
{
    static struct world w;
    struct rlimit old;
    world_open(&w, &(struct zone){.a = 1});
    getrlimit(RLIMIT_NOFILE, &old);
    const struct rlimit low = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    (void)look_up(&w, "backend.example.");
    setrlimit(RLIMIT_NOFILE, &old);
    CHECK_EQ_INT("no descriptors", w.asker.status[IPV6], RESOLVER_EXHAUSTED);
    CHECK_EQ_INT("no descriptors", w.asker.status[IPV4], RESOLVER_EXHAUSTED);
    CHECK_EQ_U64("nothing asked", w.stub.questions, 0);
    (void)look_up(&w, "backend.example.");
    CHECK_EQ_U64("not kept", w.asker.count[IPV4], 1);
    world_close("no descriptors", &w);
    check_no_leak("no descriptors", &w);
}

CU_TestInfo resolver_tests[] = {
    {"answers", test_answers},
    {"mapped addresses", test_mapped},
    {"no good answer", test_no_good_answer},
    {"a second server", test_second_server},
    {"the deadline over all servers", test_deadline},
    {"the hosts file", test_hosts_file},
    {"names that cannot be", test_bad_names},
    {"the environment is ignored", test_environment},
    {"cancel and free are silent", test_cancel},
    {"out of memory", test_out_of_memory},
    {"out of descriptors", test_no_descriptors},
    CU_TEST_INFO_NULL,
};
