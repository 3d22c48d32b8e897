/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/limits.h"

#include "check.h"
#include "quota_kit.h"
#include "suites.h"

static struct config config;
static struct config_route routes[2];
static struct limits limits;

static void begin(size_t keys)
{
    config = (struct config){.source_prefix = {.v4_bits = 32, .v6_bits = 64}};
    routes[0] = (struct config_route){.policy.name = SPAN_LIT("one")};
    routes[1] = (struct config_route){.policy.name = SPAN_LIT("two")};
    limits = (struct limits){.quota = kit_quota_new(keys, 1)};
    kit_clear(limits.quota, 0);
}

static void done(void)
{
    quota_free(limits.quota);
}

static struct addr address(const char *text)
{
    struct addr a;
    CHECK_TRUE(text, addr_parse(span_from_str(text), &a));
    return a;
}

static enum limits_entry enter(const char *text, struct limits_holds *holds)
{
    const struct addr source = address(text);
    const struct limits_question question = {.config = &config, .source = &source, .now_ms = 1000};
    return limits_enter(&limits, &question, holds);
}

static struct limits_refusal admit(const char *text, size_t route, uint64_t now_ms,
                                   struct limits_holds *holds)
{
    const struct addr source = address(text);
    const struct limits_question question = {
        .config = &config, .route = &routes[route], .source = &source, .now_ms = now_ms};
    return limits_admit(&limits, &question, holds);
}

static bool is_refused(const struct limits_refusal *refusal, enum life_ending ending,
                       const char *detail)
{
    return refusal->ending == ending && strcmp(refusal->detail, detail) == 0;
}

// Two addresses, and whether they are one source.
static void test_sources(void)
{
    static const struct {
        const char *first;
        const char *second;
        unsigned v4_bits;
        unsigned v6_bits;
        bool is_one;
    } rows[] = {
        {"192.0.2.1:1", "192.0.2.1:2", 32, 64, true},
        {"192.0.2.1:1", "192.0.2.2:1", 32, 64, false},
        {"192.0.2.1:1", "192.0.2.254:1", 24, 64, true},
        {"192.0.2.1:1", "192.0.3.1:1", 24, 64, false},
        {"[2001:db8::1]:1", "[2001:db8::ffff:ffff:ffff:ffff]:1", 32, 64, true},
        {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", 32, 64, false},
        {"[2001:db8::1]:1", "[2001:db8:0:ff::1]:1", 32, 56, true},
        {"[2001:db8::1]:1", "[2001:db8::2]:1", 32, 128, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct limits_holds one = {.connection = {0}};
        struct limits_holds two = {.connection = {0}};
        begin(64);
        config.source_prefix.v4_bits = (uint8_t)rows[i].v4_bits;
        config.source_prefix.v6_bits = (uint8_t)rows[i].v6_bits;
        config.max_connections_per_source = 1;
        CHECK_EQ_INT(rows[i].first, enter(rows[i].first, &one), LIMITS_ENTERED);
        CHECK_EQ_INT(rows[i].second, enter(rows[i].second, &two),
                     rows[i].is_one ? LIMITS_CONNECTIONS : LIMITS_ENTERED);
        done();
    }
}

// The kernel tells of IPv4 clients of a socket for both kinds in this form.
static void test_mapped(void)
{
    struct limits_holds one = {.connection = {0}};
    struct limits_holds two = {.connection = {0}};
    const struct sockaddr_in6 mapped = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(9),
        .sin6_addr.s6_addr = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};
    struct addr source;
    begin(64);
    config.max_connections_per_source = 1;
    CHECK_EQ_INT("IPv4", enter("192.0.2.1:1", &one), LIMITS_ENTERED);
    addr_from_sockaddr((const struct sockaddr *)&mapped, sizeof(mapped), &source);
    const struct limits_question question = {.config = &config, .source = &source, .now_ms = 1000};
    CHECK_EQ_INT("mapped", limits_enter(&limits, &question, &two), LIMITS_CONNECTIONS);
    done();
}

static void test_connections(void)
{
    struct limits_holds holds[4] = {{.connection = {0}}};
    begin(64);
    config.max_connections_per_source = 3;
    config.max_pending_per_source = 2;
    CHECK_EQ_INT("first", enter("192.0.2.1:1", &holds[0]), LIMITS_ENTERED);
    CHECK_EQ_INT("second", enter("192.0.2.1:2", &holds[1]), LIMITS_ENTERED);
    CHECK_EQ_INT("two are pending", enter("192.0.2.1:3", &holds[2]), LIMITS_PENDING);
    CHECK_EQ_U64("nothing is held", holds[2].connection.place + holds[2].pending.place, 0);
    limits_begin(&limits, &holds[0]);
    CHECK_EQ_INT("third", enter("192.0.2.1:3", &holds[2]), LIMITS_ENTERED);
    limits_begin(&limits, &holds[1]);
    CHECK_EQ_INT("three", enter("192.0.2.1:4", &holds[3]), LIMITS_CONNECTIONS);
    limits_leave(&limits, &holds[0]);
    limits_leave(&limits, &holds[0]);
    CHECK_EQ_INT("fourth", enter("192.0.2.1:4", &holds[3]), LIMITS_ENTERED);
    CHECK_EQ_STR("key", limits_entry_key(LIMITS_CONNECTIONS), "max_connections_per_source");
    CHECK_EQ_STR("key", limits_entry_key(LIMITS_PENDING), "max_pending_per_source");
    done();
}

static void test_sessions(void)
{
    struct limits_holds holds[5] = {{.connection = {0}}};
    struct limits_refusal refusal;
    begin(64);
    routes[0].max_sessions = 2;
    routes[0].max_sessions_per_source = 1;
    CHECK_EQ_INT("first", admit("192.0.2.1:1", 0, 0, &holds[0]).ending, LIFE_NOT_ENDED);
    refusal = admit("192.0.2.1:1", 0, 0, &holds[1]);
    CHECK_TRUE("source", is_refused(&refusal, LIFE_LIMIT_SOURCE, "max_sessions_per_source"));
    CHECK_EQ_U64("nobody knows when", refusal.wait_ms, 0);
    CHECK_EQ_U64("nothing is held", holds[1].route.place + holds[1].source.place, 0);
    CHECK_EQ_INT("another route", admit("192.0.2.1:1", 1, 0, &holds[1]).ending, LIFE_NOT_ENDED);
    CHECK_EQ_INT("second", admit("192.0.2.2:1", 0, 0, &holds[2]).ending, LIFE_NOT_ENDED);
    refusal = admit("192.0.2.3:1", 0, 0, &holds[3]);
    CHECK_TRUE("route", is_refused(&refusal, LIFE_LIMIT_ROUTE, "max_sessions"));
    limits_refuse(&limits, &holds[2]);
    CHECK_EQ_INT("in its place", admit("192.0.2.3:1", 0, 0, &holds[3]).ending, LIFE_NOT_ENDED);
    limits_leave(&limits, &holds[0]);
    CHECK_EQ_INT("in its place", admit("192.0.2.1:1", 0, 0, &holds[4]).ending, LIFE_NOT_ENDED);
    done();
}

static void test_new_sessions(void)
{
    struct limits_holds holds = {.connection = {0}};
    begin(64);
    routes[0].new_sessions_per_source = (struct limit_rate){.count = 2, .period_ms = 60000};
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_INT("within", admit("192.0.2.1:1", 0, 1000, &holds).ending, LIFE_NOT_ENDED);
        limits_leave(&limits, &holds);
    }
    struct limits_refusal refusal = admit("192.0.2.1:1", 0, 11000, &holds);
    CHECK_TRUE("often", is_refused(&refusal, LIFE_LIMIT_SOURCE, "new_sessions_per_source"));
    CHECK_EQ_U64("when", refusal.wait_ms, 20000);
    CHECK_EQ_INT("then", admit("192.0.2.1:1", 0, 31000, &holds).ending, LIFE_NOT_ENDED);
    done();
}

static struct limits_refusal admit_identity(const char *auth, const char *subject, size_t route,
                                            struct limits_holds *holds)
{
    const struct limits_question question = {.config = &config, .route = &routes[route]};
    return limits_admit_identity(&limits, &question, span_from_str(auth), span_from_str(subject),
                                 holds);
}

static void test_identities(void)
{
    struct limits_holds holds[6] = {{.connection = {0}}};
    begin(64);
    routes[0].max_sessions_per_identity = 1;
    CHECK_EQ_INT("ann", admit_identity("staff", "ann", 0, &holds[0]).ending, LIFE_NOT_ENDED);
    struct limits_refusal refusal = admit_identity("staff", "ann", 0, &holds[1]);
    CHECK_TRUE("again", is_refused(&refusal, LIFE_LIMIT_SOURCE, "max_sessions_per_identity"));
    CHECK_EQ_INT("bob", admit_identity("staff", "bob", 0, &holds[1]).ending, LIFE_NOT_ENDED);
    CHECK_EQ_INT("elsewhere", admit_identity("guests", "ann", 0, &holds[2]).ending, LIFE_NOT_ENDED);
    CHECK_EQ_INT("two", admit_identity("staff", "ann", 1, &holds[3]).ending, LIFE_NOT_ENDED);
    CHECK_EQ_INT("nobody", admit_identity("staff", "", 0, &holds[4]).ending, LIFE_NOT_ENDED);
    refusal = admit_identity("staff", "", 0, &holds[5]);
    CHECK_TRUE("nobody again", refusal.ending == LIFE_LIMIT_SOURCE);
    limits_refuse(&limits, &holds[0]);
    CHECK_EQ_INT("then", admit_identity("staff", "ann", 0, &holds[5]).ending, LIFE_NOT_ENDED);
    done();
}

static void fail(const char *text, uint64_t now_ms)
{
    const struct addr source = address(text);
    const struct limits_question question = {
        .config = &config, .route = &routes[0], .source = &source, .now_ms = now_ms};
    limits_fail(&limits, &question);
}

static uint64_t wait_of(const char *text, size_t route, uint64_t now_ms)
{
    struct limits_holds holds = {.connection = {0}};
    struct limits_refusal refusal = admit(text, route, now_ms, &holds);
    limits_leave(&limits, &holds);
    if (refusal.ending == LIFE_NOT_ENDED) {
        return 0;
    }
    CHECK_TRUE("key", is_refused(&refusal, LIFE_LIMIT_SOURCE, "auth_pause"));
    return refusal.wait_ms;
}

static void test_pause(void)
{
    static const uint64_t waits_ms[] = {1000, 2000, 4000, 8000, 10000, 10000};
    uint64_t now_ms = 1000;
    begin(64);
    routes[0].auth_count = 1;
    config.auth_failures = 3;
    config.auth_pause_ms = 10000;
    for (int i = 0; i < 3; i++) {
        fail("192.0.2.1:1", now_ms);
        CHECK_EQ_U64("free", wait_of("192.0.2.1:1", 0, now_ms), 0);
    }
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        fail("192.0.2.1:1", now_ms);
        CHECK_EQ_U64("wait", wait_of("192.0.2.1:1", 0, now_ms), waits_ms[i]);
        CHECK_EQ_U64("nobody else", wait_of("192.0.2.2:1", 0, now_ms), 0);
        CHECK_EQ_U64("a route that asks nobody", wait_of("192.0.2.1:1", 1, now_ms), 0);
        now_ms += waits_ms[i];
        CHECK_EQ_U64("over", wait_of("192.0.2.1:1", 0, now_ms), 0);
    }
    now_ms += 15 * 60 * 1000;
    fail("192.0.2.1:1", now_ms);
    CHECK_EQ_U64("forgotten", wait_of("192.0.2.1:1", 0, now_ms), 0);
    config.auth_failures = 0;
    CHECK_EQ_U64("another configuration", wait_of("192.0.2.1:1", 0, now_ms), 1000);
    config.auth_pause_ms = 0;
    CHECK_EQ_U64("off", wait_of("192.0.2.1:1", 0, now_ms), 0);
    done();
}

// Where a limit is set, nobody is admitted who cannot be counted; elsewhere everybody is.
static void test_full(void)
{
    static struct limits_holds holds[64];
    char text[32];
    size_t refused = 0;
    memset(holds, 0, sizeof(holds));
    begin(16);
    for (size_t i = 0; i < 64; i++) {
        snprintf(text, sizeof(text), "192.0.2.%zu:1", i);
        CHECK_EQ_INT(text, enter(text, &holds[i]), LIMITS_ENTERED);
        refused += holds[i].connection.place == 0;
    }
    CHECK_TRUE("the table is full", refused > 0);
    config.max_connections_per_source = 5;
    struct limits_holds more = {.connection = {0}};
    CHECK_EQ_INT("full", enter("192.0.2.200:1", &more), LIMITS_CONNECTIONS);
    routes[0].max_sessions_per_source = 5;
    struct limits_refusal refusal = admit("192.0.2.200:1", 0, 0, &more);
    CHECK_TRUE("full", is_refused(&refusal, LIFE_LIMIT_SOURCE,
                                  "there are too many sources to count this one"));
    for (size_t i = 0; i < 64; i++) {
        limits_leave(&limits, &holds[i]);
    }
    CHECK_EQ_INT("room again", enter("192.0.2.200:1", &more), LIMITS_ENTERED);
    done();
}

// The table has a place for one of a connection's keys and none for the other. The session asks
// again: a reload may have raised the number of connections above what the table was made for.
static void test_full_by_halves(void)
{
    static struct limits_holds holds[200];
    size_t halves = 0;
    begin(64);
    for (size_t i = 0; i < 200; i++) {
        char text[32];
        snprintf(text, sizeof(text), "192.0.2.%zu:1", i);
        holds[i] = (struct limits_holds){.connection = {0}};
        CHECK_EQ_INT(text, enter(text, &holds[i]), LIMITS_ENTERED);
        halves += (holds[i].connection.place == 0) != (holds[i].pending.place == 0);
        CHECK_EQ_INT("again", enter(text, &holds[i]), LIMITS_ENTERED);
    }
    CHECK_TRUE("some", halves > 0);
    for (size_t i = 0; i < 200; i++) {
        limits_leave(&limits, &holds[i]);
    }
    CHECK_EQ_INT("there is room again", enter("198.51.100.1:1", &holds[0]), LIMITS_ENTERED);
    CHECK_TRUE("there is room again",
               holds[0].connection.place != 0 && holds[0].pending.place != 0);
    done();
}

static void test_nobody_counts(void)
{
    const struct limits none = {.quota = NULL};
    struct limits_holds holds = {.connection = {0}};
    const struct addr source = address("192.0.2.1:1");
    routes[0].max_sessions = 1;
    config.max_connections_per_source = 1;
    const struct limits_question question = {
        .config = &config, .route = &routes[0], .source = &source};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_INT("enter", limits_enter(&none, &question, &holds), LIMITS_ENTERED);
        CHECK_EQ_INT("admit", limits_admit(&none, &question, &holds).ending, LIFE_NOT_ENDED);
    }
    limits_leave(&none, &holds);
}

CU_TestInfo limits_tests[] = {
    {"what a source is", test_sources},
    {"IPv4 in IPv6", test_mapped},
    {"connections", test_connections},
    {"sessions", test_sessions},
    {"new sessions", test_new_sessions},
    {"identities", test_identities},
    {"pauses", test_pause},
    {"a table that is full", test_full},
    {"a table that is full by halves", test_full_by_halves},
    {"nobody counts", test_nobody_counts},
    CU_TEST_INFO_NULL,
};
