/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/probe.h"

#include "base/mem.h"
#include "check.h"
#include "dial_server.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct world {
    size_t descriptors;
    size_t blocks;
    struct reactor *reactor;
    struct scratch scratch;
    struct server server;
    struct tls_context *client; /* NULL: no TLS */
    struct probe_plan plan;
    int calls;
    struct probe_outcome outcome;
};

static void on_probed(void *owner, const struct probe_outcome *outcome)
{
    struct world *w = owner;
    w->calls++;
    w->outcome = *outcome;
}

static void world_open(struct world *w, int version, enum manner manner, enum who who)
{
    static const struct row row = {.name = "client", CALL(GOOD, AUTHORITY, "desk.example")};
    struct tls_pair pair = kit_as_pair(pair_of(who));
    memset(w, 0, sizeof(*w));
    w->blocks = mem_live_blocks();
    w->descriptors = count_descriptors();
    w->reactor = reactor_new();
    if (w->reactor == NULL || !scratch_init(&w->scratch)) {
        GIVE_UP();
    }
    w->client = version != 0 ? client_of(&row, version) : NULL;
    w->server.manner = manner;
    w->server.context = kit_server(&pair, 1, TLS_1_2);
    server_open(&w->server, w->reactor, NULL);
    w->plan = (struct probe_plan){
        .candidate = {.addresses = &w->server.addr,
                      .address_count = 1,
                      .tls = w->client,
                      .tls_name = SPAN_LIT("desk.example")},
        .timeout_ms = 20000,
    };
}

static void world_close(const char *row, struct world *w)
{
    int calls = w->calls;
    reactor_turn(w->reactor, true);
    server_close(&w->server);
    tls_context_free(w->client);
    reactor_free(w->reactor);
    scratch_done(&w->scratch);
    CHECK_EQ_INT(row, w->calls, calls);
    CHECK_EQ_U64(row, mem_live_blocks(), w->blocks);
    CHECK_EQ_U64(row, count_descriptors(), w->descriptors);
}

static struct probe *start(struct world *w)
{
    struct probe *p = probe_start(w->reactor, NULL, &w->scratch, &w->plan, on_probed, w);
    if (p == NULL) {
        GIVE_UP();
    }
    CHECK_EQ_INT("never from inside", w->calls, 0);
    return p;
}

static void wait_outcome(struct world *w)
{
    while (w->calls == 0) {
        reactor_turn(w->reactor, false);
    }
}

/* Turns while nothing is about to happen. */
static void turn_some(struct world *w)
{
    for (int i = 0; i < 5; i++) {
        reactor_turn(w->reactor, true);
    }
}

static void wait_call(struct world *w)
{
    while (w->server.calls == 0) {
        reactor_turn(w->reactor, false);
    }
    turn_some(w);
}

struct probe_row {
    const char *name;
    enum manner manner;
    const char *greeting;
    const char *send;
    const char *expect;
    uint64_t timeout_ms;
    enum probe_result wanted;
    const char *detail;
};

static const struct probe_row rows[] = {
    {"a connection", SPEAKS_PLAIN, NULL, "", "", 20000, PROBE_GOOD, NULL},
    {"a banner", SPEAKS_PLAIN, "SSH-2.0-x\r\n", "", "SSH-", 20000, PROBE_GOOD, NULL},
    {"all of it", SPEAKS_PLAIN, "RFB 003.008\n", "", "RFB 003.008\n", 20000, PROBE_GOOD, NULL},
    {"another banner", SPEAKS_PLAIN, "HTTP/1.1 400 \r\n", "", "SSH-", 20000, PROBE_WRONG,
     "the answer is not health_expect"},
    {"not at its beginning", SPEAKS_PLAIN, "hello SSH-2.0", "", "SSH-", 20000, PROBE_WRONG,
     "the answer is not health_expect"},
    {"the last byte differs", SPEAKS_PLAIN, "SSH_", "", "SSH-", 20000, PROBE_WRONG,
     "the answer is not health_expect"},
    {"too little", SPEAKS_PLAIN, "SSH", "", "SSH-", 150, PROBE_SILENT,
     "no answer within health_timeout"},
    {"silent", SAYS_NOTHING, NULL, "PING\r\n", "+PONG", 150, PROBE_SILENT,
     "no answer within health_timeout"},
    {"hangs up", HANGS_UP, NULL, "PING\r\n", "+PONG", 20000, PROBE_HUNG_UP,
     "it hung up before health_expect"},
};

static void test_answers(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct probe_row *row = &rows[i];
        struct world w;
        world_open(&w, 0, row->manner, GOOD);
        w.server.greeting = row->greeting;
        w.plan.send = span_from_str(row->send);
        w.plan.expect = span_from_str(row->expect);
        w.plan.timeout_ms = row->timeout_ms;
        (void)start(&w);
        wait_outcome(&w);
        CHECK_EQ_INT(row->name, w.outcome.result, row->wanted);
        CHECK_EQ_STR(row->name, w.outcome.detail != NULL ? w.outcome.detail : "",
                     row->detail != NULL ? row->detail : "");
        world_close(row->name, &w);
    }
}

/* What is sent arrives behind the preamble, and the answer may come in two pieces, cut anywhere. */
static void test_splits(void)
{
    static const char answer[] = "+PONG\r\n";
    for (size_t cut = 0; cut < sizeof(answer); cut++) {
        struct world w;
        world_open(&w, 0, SPEAKS_PLAIN, GOOD);
        w.plan.preamble = SPAN_LIT("PROXY UNKNOWN\r\n");
        w.plan.send = SPAN_LIT("PING\r\n");
        w.plan.expect = (struct span){answer, sizeof(answer) - 1};
        (void)start(&w);
        wait_call(&w);
        CHECK_EQ_MEM("heard", w.server.heard.data, w.server.heard.len, "PROXY UNKNOWN\r\nPING\r\n",
                     21);
        server_send(&w.server, answer, cut);
        turn_some(&w);
        CHECK_EQ_INT("not yet", w.calls, cut == sizeof(answer) - 1);
        server_send(&w.server, answer + cut, sizeof(answer) - 1 - cut);
        wait_outcome(&w);
        CHECK_EQ_INT("good", w.outcome.result, PROBE_GOOD);
        turn_some(&w);
        CHECK_EQ_INT("closed", w.server.fd, -1);
        world_close("splits", &w);
    }
}

/* Any byte may be expected, a NUL too; what follows does not matter. */
static void test_bytes(void)
{
    struct world w;
    world_open(&w, 0, SPEAKS_PLAIN, GOOD);
    w.plan.expect = (struct span){"\0\xff", 2};
    (void)start(&w);
    wait_call(&w);
    server_send(&w.server, "\0\xff\0", 3);
    wait_outcome(&w);
    CHECK_EQ_INT("bytes", w.outcome.result, PROBE_GOOD);
    world_close("bytes", &w);
}

static void test_tls(void)
{
    static const struct {
        const char *name;
        int version;
        enum manner manner;
        enum who who;
        const char *greeting;
        const char *expect;
        uint64_t timeout_ms;
        enum probe_result wanted;
        const char *detail;
    } tls_rows[] = {
        {"a handshake", WOLFSSL_TLSV1_3, SPEAKS_TLS, GOOD, NULL, "", 20000, PROBE_GOOD, ""},
        {"an older one", WOLFSSL_TLSV1_2, SPEAKS_TLS, GOOD, NULL, "", 20000, PROBE_GOOD, ""},
        {"a banner", WOLFSSL_TLSV1_3, SPEAKS_TLS, GOOD, "220 ready", "220 ", 20000, PROBE_GOOD, ""},
        {"another one", WOLFSSL_TLSV1_2, SPEAKS_TLS, GOOD, "554 no", "220 ", 20000, PROBE_WRONG,
         "the answer is not health_expect"},
        {"expired", WOLFSSL_TLSV1_3, SPEAKS_TLS, EXPIRED, NULL, "", 20000, PROBE_TLS,
         "certificate has expired"},
        {"no TLS", WOLFSSL_TLSV1_3, SPEAKS_ANOTHER, GOOD, NULL, "", 20000, PROBE_TLS,
         "the server does not speak TLS"},
        {"stands still", WOLFSSL_TLSV1_3, SAYS_NOTHING, GOOD, NULL, "", 150, PROBE_TIMEOUT,
         "no connection within health_timeout"},
    };
    for (size_t i = 0; i < COUNT(tls_rows); i++) {
        struct world w;
        world_open(&w, tls_rows[i].version, tls_rows[i].manner, tls_rows[i].who);
        w.server.greeting = tls_rows[i].greeting;
        w.plan.expect = span_from_str(tls_rows[i].expect);
        w.plan.timeout_ms = tls_rows[i].timeout_ms;
        (void)start(&w);
        wait_outcome(&w);
        CHECK_EQ_INT(tls_rows[i].name, w.outcome.result, tls_rows[i].wanted);
        CHECK_EQ_STR(tls_rows[i].name, w.outcome.detail != NULL ? w.outcome.detail : "",
                     tls_rows[i].detail);
        world_close(tls_rows[i].name, &w);
    }
}

static void test_refused(void)
{
    struct world w;
    struct addr nobody;
    char text[ADDR_TEXT_MAX];
    world_open(&w, 0, SPEAKS_PLAIN, GOOD);
    snprintf(text, sizeof(text), "127.0.0.9:%u", addr_port(&w.server.addr));
    CHECK_TRUE("address", addr_parse(span_from_str(text), &nobody));
    w.plan.candidate.addresses = &nobody;
    (void)start(&w);
    wait_outcome(&w);
    CHECK_EQ_INT("refused", w.outcome.result, PROBE_REFUSED);
    CHECK_EQ_STR("refused", w.outcome.detail, "connection refused");
    world_close("refused", &w);
}

/* A probe may be cancelled whenever it is under way. */
static void test_cancel(void)
{
    for (int turns = 0; turns < 4; turns++) {
        struct world w;
        world_open(&w, WOLFSSL_TLSV1_3, SPEAKS_TLS, GOOD);
        w.plan.expect = SPAN_LIT("220");
        struct probe *p = start(&w);
        for (int i = 0; i < turns; i++) {
            reactor_turn(w.reactor, true);
        }
        CHECK_EQ_INT("not told", w.calls, 0);
        probe_cancel(p);
        turn_some(&w);
        CHECK_EQ_INT("never told", w.calls, 0);
        world_close("cancel", &w);
    }
}

static void test_no_memory(void)
{
    bool is_good = false;
    for (uint64_t n = 1; !is_good; n++) {
        struct world w;
        world_open(&w, 0, SPEAKS_PLAIN, GOOD);
        w.server.greeting = "SSH-";
        w.plan.expect = SPAN_LIT("SSH-");
        w.plan.preamble = SPAN_LIT("PROXY UNKNOWN\r\n");
        mem_fail_after(n);
        struct probe *p = probe_start(w.reactor, NULL, &w.scratch, &w.plan, on_probed, &w);
        mem_fail_after(0);
        if (p != NULL) {
            wait_outcome(&w);
            is_good = w.outcome.result == PROBE_GOOD;
            CHECK_TRUE("good or no word", is_good || w.outcome.result == PROBE_NO_WORD);
        }
        world_close("no memory", &w);
    }
    CHECK_TRUE("short again", mem_recover());
}

static void test_texts(void)
{
    CHECK_TRUE("good", probe_text(PROBE_GOOD) == NULL);
    for (int i = PROBE_GOOD + 1; i < PROBE_RESULTS; i++) {
        CHECK_TRUE("each has a text", probe_text((enum probe_result)i) != NULL);
    }
}

CU_TestInfo probe_tests[] = {
    {"answers", test_answers},
    {"answers in pieces", test_splits},
    {"any byte", test_bytes},
    {"over TLS", test_tls},
    {"refused", test_refused},
    {"cancelled", test_cancel},
    {"no memory", test_no_memory},
    {"texts", test_texts},
    CU_TEST_INFO_NULL,
};
