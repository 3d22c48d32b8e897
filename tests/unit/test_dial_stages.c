/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stages behind connecting: the preamble, TLS, and the next candidate when either fails. */
#include "base/mem.h"
#include "check.h"
#include "dial_server.h"
#include "gate/dial.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVERS 2

/* What must happen soon must happen within so many turns. */
#define TURNS_MAX 100000

struct world {
    size_t descriptors;
    size_t blocks;
    struct reactor *reactor;
    struct scratch scratch;
    struct server servers[SERVERS];
    struct tls_context *client; /* NULL: no TLS */
    struct dial_candidate candidates[SERVERS];
    struct dial_plan plan;
    int calls;
    struct conn conn;
    unsigned ready;
    size_t candidate;
    const char *detail;                    /* of the outcome that the dial reports */
    struct dial_outcome outcomes[SERVERS]; /* of each candidate that was tried */
    size_t outcome_count;
};

static void on_ready(struct conn *c, unsigned ready)
{
    container_of(c, struct world, conn)->ready |= ready;
}

static void on_decided(void *owner)
{
    struct world *w = owner;
    w->calls++;
}

static struct tls_context *server_context(enum who who)
{
    struct tls_pair pair = kit_as_pair(pair_of(who));
    return kit_server(&pair, 1, TLS_1_2);
}

/* version 0: no TLS. Each server is one candidate. */
static void world_open(struct world *w, int version, enum manner first, enum manner second)
{
    static const struct row row = {.name = "client", CALL(GOOD, AUTHORITY, "desk.example")};
    memset(w, 0, sizeof(*w));
    w->blocks = mem_live_blocks();
    w->descriptors = count_descriptors();
    w->reactor = reactor_new();
    if (w->reactor == NULL || !scratch_init(&w->scratch)) {
        GIVE_UP();
    }
    w->client = version != 0 ? client_of(&row, version) : NULL;
    w->servers[0].manner = first;
    w->servers[1].manner = second;
    for (size_t i = 0; i < SERVERS; i++) {
        struct server *s = &w->servers[i];
        s->context = server_context(GOOD);
        server_open(s, w->reactor, NULL);
        w->candidates[i] = (struct dial_candidate){.addresses = &s->addr,
                                                   .address_count = 1,
                                                   .tls = w->client,
                                                   .tls_name = SPAN_LIT("desk.example")};
    }
    w->plan = (struct dial_plan){
        .candidates = w->candidates, .candidate_count = SERVERS, .timeout_ms = 20000};
    conn_init(&w->conn, &w->scratch, 100000, on_ready);
}

static void world_preamble(struct world *w, const char *text, size_t len)
{
    w->plan.preamble = (struct span){text, len};
    w->servers[0].preamble_len = len;
    w->servers[1].preamble_len = len;
}

static void world_close(const char *row, struct world *w)
{
    int calls = w->calls;
    conn_close(&w->conn);
    reactor_turn(w->reactor, true);
    for (size_t i = 0; i < SERVERS; i++) {
        server_close(&w->servers[i]);
    }
    tls_context_free(w->client);
    reactor_free(w->reactor);
    scratch_done(&w->scratch);
    CHECK_EQ_INT(row, w->calls, calls);
    CHECK_EQ_U64(row, mem_live_blocks(), w->blocks);
    CHECK_EQ_U64(row, count_descriptors(), w->descriptors);
}

static struct dial *start(struct world *w)
{
    struct dial *d = dial_start(w->reactor, NULL, &w->scratch, &w->plan, on_decided, w);
    if (d == NULL) {
        GIVE_UP();
    }
    return d;
}

static enum dial_result dial(const char *row, struct world *w)
{
    struct dial *d = start(w);
    bool is_instant = dial_is_decided(d);
    while (!dial_is_decided(d)) {
        reactor_turn(w->reactor, false);
    }
    CHECK_EQ_INT(row, w->calls, is_instant ? 0 : 1);
    const struct dial_outcome *outcomes = dial_outcomes(d, &w->outcome_count);
    memcpy(w->outcomes, outcomes, w->outcome_count * sizeof(*outcomes));
    const struct dial_outcome outcome = dial_finish(d, &w->conn, &w->candidate);
    w->detail = outcome.detail;
    CHECK_EQ_INT(row, conn_is_open(&w->conn), outcome.result == DIAL_OK);
    return outcome.result;
}

/* Turns until the connection has read as many bytes as `want` has. */
static void check_read(const char *row, struct world *w, const char *want)
{
    struct kit_queue got = {0};
    conn_want(&w->conn, REACTOR_READ);
    for (int i = 0; i < TURNS_MAX && got.len < strlen(want); i++) {
        uint8_t *data = NULL;
        size_t len = 0;
        reactor_turn(w->reactor, true);
        if (w->ready & REACTOR_READ) {
            w->ready = 0;
            CHECK_TRUE(row, conn_read(&w->conn, SCRATCH_WIRE_IN, &data, &len) <= CONN_AGAIN);
            kit_put(&got, data, len);
        }
    }
    CHECK_EQ_MEM(row, got.data, got.len, want, strlen(want));
    conn_want(&w->conn, 0);
    kit_empty(&got);
}

static void check_heard(const char *row, struct world *w, size_t server, const char *want)
{
    struct kit_queue *heard = &w->servers[server].heard;
    for (int i = 0; i < 100 && heard->len < strlen(want); i++) {
        reactor_turn(w->reactor, true);
    }
    CHECK_EQ_MEM(row, heard->data, heard->len, want, strlen(want));
}

static void say(struct world *w, const char *text)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    CHECK_EQ_INT("say", conn_send(&w->conn, &piece, 1), CONN_OK);
}

/* ---------------------------------------------------------------------------------- success */

static const int versions[] = {0, WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};

/* The server hears first the preamble, then TLS, then what the connection sends. The bytes that the
 * server sends with the end of its handshake arrive too. */
static void check_success(int version, const char *preamble, const char *greeting)
{
    char row[100];
    struct world w;
    snprintf(row, sizeof(row), "version %d, '%s', '%s'", version, preamble, greeting);
    world_open(&w, version, version != 0 ? SPEAKS_TLS : SPEAKS_PLAIN, SPEAKS_PLAIN);
    world_preamble(&w, preamble, strlen(preamble));
    w.servers[0].greeting = greeting[0] != '\0' ? greeting : NULL;
    CHECK_EQ_INT(row, dial(row, &w), DIAL_OK);
    CHECK_EQ_U64(row, w.candidate, 0);
    CHECK_EQ_INT(row, w.calls, version != 0);
    CHECK_TRUE(row, w.conn.sent_bytes >= strlen(preamble) + (version != 0 ? 200 : 0));
    CHECK_TRUE(row, conn_acked_bytes(&w.conn) <= w.conn.sent_bytes);
    CHECK_EQ_INT(row, w.conn.tls != NULL, version != 0);
    if (greeting[0] != '\0') {
        check_read(row, &w, greeting);
    }
    say(&w, "hello");
    char want[100];
    snprintf(want, sizeof(want), "%shello", preamble);
    check_heard(row, &w, 0, want);
    CHECK_EQ_U64(row, w.servers[1].calls, 0);
    world_close(row, &w);
}

static void test_success(void)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        check_success(versions[i], "", "");
        check_success(versions[i], "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "");
        check_success(versions[i], "", "220 ready");
        check_success(versions[i], "PROXY UNKNOWN\r\n", "220 ready");
    }
}

/* Plain candidates on this machine are decided at once, with and without a preamble. */
static void test_at_once(void)
{
    for (size_t len = 0; len < 30; len += 20) {
        struct world w;
        world_open(&w, 0, SPEAKS_PLAIN, SPEAKS_PLAIN);
        world_preamble(&w, "twenty bytes of it..", len);
        struct dial *d = start(&w);
        CHECK_TRUE("at once", dial_is_decided(d));
        CHECK_EQ_INT("at once", dial_finish(d, &w.conn, &w.candidate).result, DIAL_OK);
        CHECK_EQ_U64("counted", w.conn.sent_bytes, len);
        world_close("at once", &w);
    }
}

/* ---------------------------------------------------------------------------------- failures */

struct bad_row {
    const char *name;
    enum manner manner;
    enum who who; /* the certificate that the first server shows */
    bool is_slow; /* the first server uses up its share of the time */
    const char *detail;
};

static const struct bad_row bad_rows[] = {
    {"unknown CA", SPEAKS_TLS, FOREIGN, false, "certificate is from an unknown CA"},
    {"expired", SPEAKS_TLS, EXPIRED, false, "certificate has expired"},
    {"other name", SPEAKS_TLS, ADDRESS, false, "certificate is for another name"},
    {"hangs up", HANGS_UP, GOOD, false, "the server broke off the handshake"},
    {"another protocol", SPEAKS_ANOTHER, GOOD, false, "the server does not speak TLS"},
    {"silent", SAYS_NOTHING, GOOD, true, "the server does not go on with the TLS handshake"},
};

static void open_bad(struct world *w, const struct bad_row *row, int version)
{
    world_open(w, version, row->manner, SPEAKS_TLS);
    world_preamble(w, "PROXY UNKNOWN\r\n", 15);
    tls_context_free(w->servers[0].context);
    w->servers[0].context = server_context(row->who);
    w->plan.timeout_ms = row->is_slow ? 400 : 20000;
}

static void check_next_candidate(const struct bad_row *row, int version)
{
    struct world w;
    open_bad(&w, row, version);
    CHECK_EQ_INT(row->name, dial(row->name, &w), DIAL_OK);
    CHECK_EQ_U64(row->name, w.candidate, 1);
    CHECK_EQ_U64(row->name, w.outcome_count, 2);
    CHECK_EQ_INT(row->name, w.outcomes[0].result, row->is_slow ? DIAL_TIMEOUT : DIAL_TLS);
    CHECK_EQ_STR(row->name, w.outcomes[0].detail, row->detail);
    CHECK_EQ_INT(row->name, w.outcomes[1].result, DIAL_OK);
    CHECK_TRUE(row->name, w.detail == NULL && w.outcomes[1].detail == NULL);
    CHECK_EQ_U64(row->name, w.servers[0].calls, 1);
    say(&w, "hello");
    check_heard(row->name, &w, 1, "PROXY UNKNOWN\r\nhello");
    world_close(row->name, &w);
}

/* When two addresses belong to one candidate, a silent one costs the head start and not the
 * share. */
static void check_next_address(const struct bad_row *row, int version)
{
    struct world w;
    open_bad(&w, row, version);
    w.plan.timeout_ms = 20000;
    struct addr both[2] = {w.servers[0].addr, w.servers[1].addr};
    w.candidates[0].addresses = both;
    w.candidates[0].address_count = 2;
    w.plan.candidate_count = 1;
    uint64_t begin_ms = reactor_now_ms(w.reactor);
    CHECK_EQ_INT(row->name, dial(row->name, &w), DIAL_OK);
    CHECK_EQ_U64(row->name, w.candidate, 0);
    CHECK_EQ_U64(row->name, w.servers[1].calls, 1);
    CHECK_TRUE(row->name, reactor_now_ms(w.reactor) - begin_ms >= (row->is_slow ? 250 : 0));
    say(&w, "hello");
    check_heard(row->name, &w, 1, "PROXY UNKNOWN\r\nhello");
    world_close(row->name, &w);
}

static void check_alone(const struct bad_row *row, int version)
{
    struct world w;
    open_bad(&w, row, version);
    w.plan.candidate_count = 1;
    CHECK_EQ_INT(row->name, dial(row->name, &w), row->is_slow ? DIAL_TIMEOUT : DIAL_TLS);
    CHECK_EQ_U64(row->name, w.candidate, 0);
    CHECK_EQ_STR(row->name, w.detail, row->detail);
    world_close(row->name, &w);
}

static void test_failures(void)
{
    for (size_t i = 0; i < COUNT(bad_rows) * 2; i++) {
        const struct bad_row *row = &bad_rows[i / 2];
        check_next_candidate(row, versions[1 + i % 2]);
        check_next_address(row, versions[1 + i % 2]);
        check_alone(row, versions[1 + i % 2]);
    }
}

/* One candidate refuses, the other one fails at TLS, which tells more. Each keeps its reason. */
static void test_refused_and_bad(void)
{
    for (size_t first = 0; first < 2; first++) {
        struct world w;
        open_bad(&w, &bad_rows[0], WOLFSSL_TLSV1_3);
        struct addr nobody;
        char text[ADDR_TEXT_MAX];
        snprintf(text, sizeof(text), "127.0.0.9:%u", addr_port(&w.servers[1].addr));
        CHECK_TRUE("address", addr_parse(span_from_str(text), &nobody));
        w.candidates[1].addresses = &nobody;
        if (first == 1) {
            struct dial_candidate c = w.candidates[0];
            w.candidates[0] = w.candidates[1];
            w.candidates[1] = c;
        }
        CHECK_EQ_INT("mixed", dial("mixed", &w), DIAL_TLS);
        CHECK_EQ_U64("the one that came further is told", w.candidate, first);
        CHECK_EQ_STR("mixed", w.detail, "certificate is from an unknown CA");
        CHECK_EQ_U64("both", w.outcome_count, 2);
        CHECK_EQ_INT("both", w.outcomes[1 - first].result, DIAL_REFUSED);
        CHECK_EQ_STR("both", w.outcomes[1 - first].detail, "connection refused");
        world_close("mixed", &w);
    }
}

/* --------------------------------------------------------------------------------- the preamble */

/* The preamble is longer than what the kernel takes for a server that reads nothing. */
static void open_stuck(struct world *w, const char *path, enum manner manner)
{
    static char preamble[300 * 1024];
    memset(preamble, 'p', sizeof(preamble));
    world_open(w, WOLFSSL_TLSV1_3, manner, SPEAKS_TLS);
    server_close(&w->servers[0]);
    w->servers[0].context = server_context(GOOD);
    server_open(&w->servers[0], w->reactor, path);
    world_preamble(w, preamble, sizeof(preamble));
}

static void test_stuck_preamble(void)
{
    char path[64];
    struct world w;
    snprintf(path, sizeof(path), "/tmp/sluice-dial-%ld.sock", (long)getpid());
    open_stuck(&w, path, TAKES_NOTHING);
    w.plan.timeout_ms = 400;
    CHECK_EQ_INT("next candidate", dial("stuck", &w), DIAL_OK);
    CHECK_EQ_U64("next candidate", w.candidate, 1);
    world_close("stuck", &w);

    open_stuck(&w, path, TAKES_NOTHING);
    w.plan.timeout_ms = 200;
    w.plan.candidate_count = 1;
    CHECK_EQ_INT("alone", dial("stuck", &w), DIAL_TIMEOUT);
    world_close("stuck", &w);

    open_stuck(&w, path, SPEAKS_TLS);
    CHECK_EQ_INT("slow", dial("slow", &w), DIAL_OK);
    CHECK_EQ_U64("slow", w.candidate, 0);
    CHECK_EQ_U64("all of it", w.servers[0].heard.len, w.plan.preamble.len);
    world_close("slow", &w);
    unlink(path);
}

/* ---------------------------------------------------------------------------------- cancel */

/* After a cancel, at any turn, no callback comes and nothing is left. */
static void check_cancel(const char *row, const struct bad_row *bad, int turns)
{
    struct world w;
    open_bad(&w, bad, versions[1 + turns % 2]);
    struct dial *d = start(&w);
    for (int i = 0; i < turns && w.calls == 0; i++) {
        reactor_turn(w.reactor, true);
    }
    CHECK_TRUE(row, dial_cancel(d) < SERVERS);
    world_close(row, &w);
}

static void test_cancel(void)
{
    static const struct bad_row good = {"good", SPEAKS_TLS, GOOD, false, NULL};
    char path[64];
    struct world w;
    for (int turns = 0; turns < 12; turns++) {
        check_cancel("good", &good, turns);
        for (size_t i = 0; i < COUNT(bad_rows); i++) {
            check_cancel(bad_rows[i].name, &bad_rows[i], turns);
        }
    }
    snprintf(path, sizeof(path), "/tmp/sluice-dial-%ld.sock", (long)getpid());
    open_stuck(&w, path, TAKES_NOTHING);
    struct dial *d = start(&w);
    reactor_turn(w.reactor, true);
    CHECK_EQ_U64("in the preamble", dial_cancel(d), 0);
    world_close("in the preamble", &w);
    unlink(path);
}

/* The dial is decided, but nobody fetches the connection. */
static void test_cancel_when_decided(void)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct world w;
        world_open(&w, versions[i], versions[i] != 0 ? SPEAKS_TLS : SPEAKS_PLAIN, SPEAKS_PLAIN);
        struct dial *d = start(&w);
        while (!dial_is_decided(d)) {
            reactor_turn(w.reactor, false);
        }
        CHECK_EQ_U64("decided", dial_cancel(d), 0);
        world_close("decided", &w);
    }
}

/* Fails the n-th allocation of a dial. */
static void test_no_memory(void)
{
    for (uint64_t n = 1; n < 40; n++) {
        struct world w;
        world_open(&w, WOLFSSL_TLSV1_3, SPEAKS_TLS, SPEAKS_TLS);
        mem_fail_after(n);
        struct dial *d = dial_start(w.reactor, NULL, &w.scratch, &w.plan, on_decided, &w);
        mem_fail_after(0);
        CHECK_EQ_INT("the dial itself", d == NULL, n == 1);
        while (d != NULL && !dial_is_decided(d)) {
            reactor_turn(w.reactor, false);
        }
        if (d != NULL) {
            enum dial_result result = dial_finish(d, &w.conn, &w.candidate).result;
            CHECK_TRUE("any end",
                       result == DIAL_OK || result == DIAL_TLS || result == DIAL_NO_MEMORY);
        }
        world_close("no memory", &w);
    }
}

CU_TestInfo dial_stages_tests[] = {
    {"preamble, TLS, greeting", test_success},
    {"plain ones at once", test_at_once},
    {"the next one after a failure", test_failures},
    {"refused and bad", test_refused_and_bad},
    {"a preamble that nobody reads", test_stuck_preamble},
    {"cancelled in any stage", test_cancel},
    {"cancelled when decided", test_cancel_when_decided},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
