/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dial.h"

#include "base/mem.h"
#include "check.h"
#include "dns_stub.h"
#include "suites.h"

#define CANDIDATES_MAX 3

struct world {
    struct reactor *reactor;
    struct scratch scratch;
    struct resolver *resolver;
    struct stub stub;
    int listener; /* it listens on 127.0.0.LAST */
    uint16_t port;
    struct addr addrs[CANDIDATES_MAX];
    struct dial_candidate candidates[CANDIDATES_MAX];
    struct dial_plan plan;
    int calls;
    enum dial_result result;
    struct conn conn;
    size_t candidate;
};

static void ignore(struct conn *c, unsigned ready)
{
    (void)c;
    (void)ready;
}

static void on_decided(void *owner)
{
    struct world *w = owner;
    w->calls++;
}

/* Listens on 127.0.0.`last` only; every other loopback address refuses that port. */
static void world_open(struct world *w, const struct zone *zone, unsigned last)
{
    char text[ADDR_TEXT_MAX];
    struct addr a;
    const char *error = NULL;
    memset(w, 0, sizeof(*w));
    w->reactor = reactor_new();
    w->resolver = w->reactor == NULL ? NULL : resolver_new(w->reactor);
    snprintf(text, sizeof(text), "127.0.0.%u:0", last);
    if (w->resolver == NULL || !scratch_init(&w->scratch) || !addr_parse(span_from_str(text), &a)) {
        abort();
    }
    w->listener = net_listen(&a, &error);
    if (w->listener < 0 || !net_local_addr(w->listener, &a)) {
        abort();
    }
    w->port = addr_port(&a);
    stub_open(&w->stub, w->reactor);
    w->stub.zone = *zone;
    addr_print(&w->stub.addr, text, sizeof(text));
    if (!resolver_set_servers(w->resolver, text)) {
        abort();
    }
    w->plan.candidates = w->candidates;
    w->plan.timeout_ms = 20000;
    conn_init(&w->conn, &w->scratch, 1000, ignore);
}

static void world_close(const char *row, struct world *w)
{
    int calls = w->calls;
    conn_close(&w->conn);
    resolver_free(w->resolver);
    stub_close(&w->stub);
    net_close(w->listener);
    reactor_turn(w->reactor, true);
    reactor_free(w->reactor);
    scratch_done(&w->scratch);
    CHECK_EQ_INT(row, w->calls, calls);
}

static void add_name(struct world *w)
{
    struct dial_candidate *c = &w->candidates[w->plan.candidate_count++];
    c->host = "backend.example";
    c->port = w->port;
}

static void add_literal(struct world *w, const char *host)
{
    struct addr *address = &w->addrs[w->plan.candidate_count];
    struct dial_candidate *c = &w->candidates[w->plan.candidate_count++];
    c->addresses = address;
    c->address_count = 1;
    if (!addr_parse_host(span_from_str(host), w->port, address)) {
        abort();
    }
}

/* Returns true when the dial was decided before dial_start returned. */
static bool dial(struct world *w)
{
    struct dial *d = dial_start(w->reactor, w->resolver, &w->scratch, &w->plan, on_decided, w);
    if (d == NULL) {
        abort();
    }
    bool is_instant = dial_is_decided(d);
    CHECK_EQ_INT("never from inside", w->calls, 0);
    while (!dial_is_decided(d)) {
        reactor_turn(w->reactor, false);
    }
    CHECK_EQ_INT("told", w->calls, is_instant ? 0 : 1);
    w->result = dial_finish(d, &w->conn, &w->candidate);
    return is_instant;
}

struct row {
    const char *name;
    struct zone zone;
    unsigned last;           /* the server listens on 127.0.0.LAST */
    const char *literals[2]; /* candidates behind the name */
    enum dial_result result;
    size_t candidate; /* the candidate that the dial reports */
};

static const struct row rows[] = {
    {"one address", {.a = 1, .is_loopback = true}, 1, {NULL}, DIAL_OK, 0},
    {"the last of four", {.a = 4, .is_loopback = true}, 4, {NULL}, DIAL_OK, 0},
    {"the last of sixteen", {.a = 16, .is_loopback = true}, 16, {NULL}, DIAL_OK, 0},
    {"IPv6 refuses, IPv4 answers", {.a = 1, .aaaa = 1, .is_loopback = true}, 1, {NULL}, DIAL_OK, 0},
    {"all refuse", {.a = 3, .aaaa = 1, .is_loopback = true}, 9, {NULL}, DIAL_REFUSED, 0},
    {"no such name", {.way = STUB_NXDOMAIN}, 1, {NULL}, DIAL_NAME, 0},
    {"no such name, then an address", {.way = STUB_NXDOMAIN}, 1, {"127.0.0.1"}, DIAL_OK, 1},
    {"refused, then an address", {.a = 1, .is_loopback = true}, 7, {"127.0.0.7"}, DIAL_OK, 1},
    {"the third candidate", {.way = STUB_SERVFAIL}, 8, {"127.0.0.7", "127.0.0.8"}, DIAL_OK, 2},
    {"the last one is told", {.way = STUB_NXDOMAIN}, 8, {"127.0.0.6", "::1"}, DIAL_REFUSED, 2},
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

/* Listens on 127.0.0.1 with a full queue: whoever dials this address hears nothing. Returns -1 when
 * the port is taken. */
static int open_silent(uint16_t port, int fillers[2])
{
    struct addr a;
    char text[ADDR_TEXT_MAX];
    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!addr_parse(span_from_str(text), &a) || fd < 0) {
        abort();
    }
    if (bind(fd, &a.u.sa, a.len) != 0 || listen(fd, 0) != 0) {
        net_close(fd);
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fillers[i] < 0) {
            abort();
        }
        (void)!connect(fillers[i], &a.u.sa, a.len);
    }
    return fd;
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
        int silent = open_silent(w.port, fillers);
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
    CHECK_EQ_INT("only silent", w.result, DIAL_TIMEOUT);
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
            abort();
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
