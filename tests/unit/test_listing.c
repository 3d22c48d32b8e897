/* SPDX-License-Identifier: GPL-3.0-or-later */
// What a query asks for, and the JSON of the sessions, page by page and part by part.
#include "gate/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "check.h"
#include "give_up.h"
#include "http_feed.h"
#include "proto/life.h"
#include "suites.h"

#define TEXT_MAX ((size_t)16 << 20)

static char text[TEXT_MAX];

static struct roster *make(void)
{
    const struct config config = {.max_sessions = 20000, .max_pending = 1};
    struct roster *roster = roster_new(&config, (const uint8_t[SIPHASH_KEY_BYTES]){7});
    if (roster == NULL) {
        GIVE_UP();
    }
    return roster;
}

// A session of alice, whom this section has proven; "": of nobody.
static uint32_t add_of(struct roster_writer *w, uint64_t number, const char *route,
                       const char *client, const char *auth)
{
    struct roster_entry entry = {.live = {.phase = LIFE_OPEN, .payload_ms = clock_now_ms()},
                                 .party = {.number = number,
                                           .started_ms = clock_now_ms(),
                                           .slot = (uint32_t)w->slot,
                                           .listen = "public",
                                           .backend = "tcp://127.0.0.1:5900"}};
    struct addr a;
    snprintf(entry.party.route, sizeof(entry.party.route), "%s", route);
    if (addr_parse(span_from_str(client), &a)) {
        memcpy(&entry.party.client, &a.u, sizeof(entry.party.client));
    }
    if (auth[0] != '\0') {
        entry.party.who = roster_who(w->roster, span_from_str(auth), SPAN_LIT("alice"));
    }
    return roster_take(w, &entry);
}

static uint32_t add(struct roster_writer *w, uint64_t number, const char *route, const char *client)
{
    return add_of(w, number, route, client, "");
}

// All of a body, in parts of the size that answer_more gives.
static const char *read_all(struct listing *listing, size_t *out_longest)
{
    static uint8_t part[ANSWER_PART_BYTES];
    struct answer_body body = listing_body(listing);
    size_t len = 0;
    size_t longest = 0;
    for (size_t got = body.produce(&body, part, sizeof(part)); got > 0;
         got = body.produce(&body, part, sizeof(part))) {
        CHECK_TRUE("room", got <= sizeof(part) && len + got < sizeof(text));
        memcpy(text + len, part, got);
        len += got;
        longest = got > longest ? got : longest;
    }
    text[len] = '\0';
    if (out_longest != NULL) {
        *out_longest = longest;
    }
    return text;
}

static size_t count_ids(const char *json)
{
    size_t found = 0;
    for (const char *at = strstr(json, "\"id\":"); at != NULL; at = strstr(at + 1, "\"id\":")) {
        found++;
    }
    return found;
}

static const char *ask(struct roster *roster, const char *query)
{
    static struct listing listing;
    const char *detail = NULL;
    if (!listing_init(&listing, roster, span_from_str(query), &detail)) {
        CHECK_TRUE(query, detail != NULL);
        return NULL;
    }
    return read_all(&listing, NULL);
}

static const struct {
    const char *query;
    int want; // sessions; -1: a mistake
} query_rows[] = {
    {"", 4},
    {"&", 4},
    {"route=vnc", 2},
    {"route=v%6Ec", 2},
    {"route=a+b", 1},
    {"route=a%20b", 1},
    {"route=", 4},
    {"route=vn", 0},
    {"listen=public", 4},
    {"listen=other", 0},
    {"phase=open", 4},
    {"phase=tls", 0},
    {"phase=opened", -1},
    {"client=192.0.2.1", 2},
    {"client=192.0.2.1:1", 1},
    {"client=192.0.2.11", 0},
    {"client=2001:db8::1", 1},
    {"client=[2001:db8::1]:9", 1},
    {"id=3-1", 1},
    {"id=3-1&route=vnc", 1},
    {"id=3-1&route=x", 0},
    {"paused=yes", 0},
    {"paused=no", -1},
    {"limit=2", 2},
    {"limit=0", -1},
    {"limit=10001", -1},
    {"limit=-1", -1},
    {"limit=", -1},
    {"after=0", 4},
    {"after=99999999999", -1},
    {"after=x", -1},
    {"sub=alice", 2},
    {"sub=%61lice", 2},
    {"sub=alice&route=vnc", 1},
    {"sub=bob", 0},
    {"sub=a+b", 0},
    {"sub=alice&auth=one", 1},
    {"auth=two&sub=alice", 1},
    {"sub=alice&auth=three", 0},
    {"sub=", -1},
    {"sub", -1},
    {"sub=alice&sub=alice", -1},
    {"sub=alice&auth=one&auth=two", -1},
    {"sub=alice&auth=", -1},
    {"auth=one", -1},
    {"sub=%ff", -1},
    {"sub=%00", -1},
    {"sub=alice%00", -1},
    {"sub=%c3", -1},
    {"identity_key=0123456789abcdef", 0},
    {"identity_key=0000000000000000", -1},
    {"identity_key=0123456789abcde", -1},
    {"identity_key=0123456789abcdef0", -1},
    {"identity_key=0123456789abcdeg", -1},
    {"identity_key=", -1},
    {"identity_key=0123456789abcdef&sub=alice", -1},
    {"identity_key=0123456789abcdef&auth=one", -1},
    {"what=1", -1},
    {"route", -1},
    {"route=%4", -1},
    {"route=%zz", -1},
    {"route=%00", -1},
    {"route=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -1},
};

static void test_queries(void)
{
    struct roster *roster = make();
    struct roster_writer w = {.roster = roster, .slot = 3};
    add_of(&w, 1, "vnc", "192.0.2.1:1", "one");
    add(&w, 2, "vnc", "192.0.2.1:2");
    add_of(&w, 3, "a b", "192.0.2.2:1", "two");
    add(&w, 4, "", "[2001:db8::1]:9");
    for (size_t i = 0; i < COUNT(query_rows); i++) {
        const char *json = ask(roster, query_rows[i].query);
        CHECK_EQ_INT(query_rows[i].query, json != NULL ? (int)count_ids(json) : -1,
                     query_rows[i].want);
    }
}

static void test_owners(void)
{
    static const struct {
        const char *query;
        const char *subject; // NULL: a mistake
        bool has_login;
    } rows[] = {
        {"sub=alice", "alice", false},
        {"sub=a%20b+c%2B%22%c3%A9", "a b c+\"\xc3\xa9", false},
        {"auth=one&sub=alice", "alice", true},
        {"identity_key=00000000000000fF", "", true},
        {"", NULL, false},
        {"sub=", NULL, false},
        {"sub", NULL, false},
        {"auth=one", NULL, false},
        {"sub=alice&", NULL, false},
        {"&sub=alice", NULL, false},
        {"sub=alice&sub=bob", NULL, false},
        {"sub=alice&route=r", NULL, false},
        {"sub=alice&limit=1", NULL, false},
        {"Sub=alice", NULL, false},
        {"sub=%f0%80%80%80", NULL, false},
        {"sub=a%00", NULL, false},
        {"sub=a%4", NULL, false},
        {"identity_key=ff", NULL, false},
        {"identity_key=00000000000000ff&sub=alice", NULL, false},
    };
    static char query[3 * LISTING_SUBJECT_MAX];
    static struct listing_owner owner;
    struct roster *roster = make();
    const char *detail = NULL;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_good = listing_parse_owner(&owner, roster, span_from_str(rows[i].query), &detail);
        CHECK_EQ_INT(rows[i].query, is_good, rows[i].subject != NULL);
        CHECK_TRUE("what would be right", detail != NULL);
        if (is_good) {
            CHECK_EQ_STR(rows[i].query, owner.subject, rows[i].subject);
            CHECK_EQ_INT(rows[i].query, owner.who.subject != 0, rows[i].subject[0] != '\0');
            CHECK_EQ_INT(rows[i].query, owner.who.login != 0, rows[i].has_login);
        }
    }

    // The longest subject, and one that is too long.
    size_t len = (size_t)snprintf(query, sizeof(query), "sub=");
    memset(query + len, 'x', LISTING_SUBJECT_MAX);
    CHECK_TRUE("longest",
               listing_parse_owner(&owner, roster,
                                   (struct span){query, len + LISTING_SUBJECT_MAX - 1}, &detail));
    CHECK_FALSE("longer",
                listing_parse_owner(&owner, roster, (struct span){query, len + LISTING_SUBJECT_MAX},
                                    &detail));
}

static void test_text(void)
{
    struct roster *roster = make();
    struct roster_writer w = {.roster = roster, .slot = 0};
    CHECK_EQ_STR("none", ask(roster, ""), "{\"sessions\":[\n],\"next\":null}\n");

    struct addr a;
    struct roster_entry entry = {.live = {.payload_ms = UINT64_MAX, // a clock that is ahead
                                          .up_bytes = UINT64_MAX,
                                          .down_bytes = 2,
                                          .up_messages = 3,
                                          .down_messages = 4,
                                          .queued_client_bytes = UINT32_MAX,
                                          .queued_backend_bytes = 6,
                                          .unsent_client_bytes = 7,
                                          .unsent_backend_bytes = 8,
                                          .client_rtt_us = 9,
                                          .phase = LIFE_OPEN,
                                          .client_pause = ROSTER_BACKEND_SLOW,
                                          .backend_pause = ROSTER_CLIENT_SLOW},
                                 .party = {.number = 12,
                                           .started_ms = UINT64_MAX,
                                           .slot = 0,
                                           .listen = "p",
                                           .route = "<b>\"\\\n\x01\xff",
                                           .backend = "unix:/s"}};
    CHECK_TRUE("address", addr_parse(SPAN_LIT("192.0.2.1:443"), &a));
    memcpy(&entry.party.client, &a.u, sizeof(entry.party.client));
    CHECK_TRUE("address", addr_parse(SPAN_LIT("10.0.0.1:5"), &a));
    memcpy(&entry.party.proxy, &a.u, sizeof(entry.party.proxy));
    CHECK_TRUE("row", roster_take(&w, &entry) != 0);
    CHECK_EQ_STR(
        "one", ask(roster, ""),
        "{\"sessions\":[\n{\"id\":\"0-12\",\"worker\":0,\"generation\":0,\"route\":\"<b>"
        "\\\"\\\\\\n\\u0001\xef\xbf\xbd\","
        "\"listen\":\"p\",\"client\":\"192.0.2.1:443\",\"identity\":null,\"identity_key\":null,"
        "\"backend\":\"unix:/s\","
        "\"phase\":\"open\",\"age_ms\":0,\"idle_ms\":0,\"up_bytes\":18446744073709551615,"
        "\"down_bytes\":2,\"up_messages\":3,\"down_messages\":4,"
        "\"buffered_client_bytes\":4294967295,\"buffered_backend_bytes\":6,"
        "\"unsent_client_bytes\":7,\"unsent_backend_bytes\":8,\"client_rtt_us\":9,"
        "\"client_paused\":\"backend_slow\",\"backend_paused\":\"client_slow\",\"proxy\":\"10.0.0."
        "1:5\"}\n],"
        "\"next\":null}\n");
    CHECK_EQ_U64("paused", count_ids(ask(roster, "paused=yes")), 1);

    entry.party.who = (struct roster_who){.subject = 1, .login = 0xabc};
    CHECK_TRUE("row", roster_take(&w, &entry) != 0);
    CHECK_TRUE("its key", strstr(ask(roster, "identity_key=0000000000000ABC"),
                                 "\"identity_key\":\"0000000000000abc\",") != NULL);
    CHECK_EQ_U64("alone", count_ids(ask(roster, "identity_key=0000000000000abc")), 1);
}

// Rows in which every text is as long as it may be.
static void test_longest(void)
{
    struct roster *roster = make();
    struct roster_writer w = {.roster = roster, .slot = 0};
    struct roster_entry entry = {.live = {.phase = LIFE_OPEN},
                                 .party = {.number = 1, .started_ms = 1}};

    memset(entry.party.route, 1, sizeof(entry.party.route));
    memset(entry.party.listen, 1, sizeof(entry.party.listen));
    memset(entry.party.backend, 1, sizeof(entry.party.backend));
    memset(entry.party.identity, 1, sizeof(entry.party.identity));
    for (int i = 0; i < 100; i++) {
        CHECK_TRUE("row", roster_take(&w, &entry) != 0);
    }
    const char *json = ask(roster, "");
    CHECK_EQ_U64("long", count_ids(json), 100);
    CHECK_TRUE("whole", strstr(json, "\"next\":null}\n") != NULL);
}

// 10,000 sessions in parts and in pages, while sessions come and go: each that stays comes once.
static void test_pages(void)
{
    struct roster *roster = make();
    struct roster_writer w[2] = {{.roster = roster, .slot = 0}, {.roster = roster, .slot = 1}};
    static uint32_t rows[10000];
    static unsigned seen[2][5000];
    struct listing listing;
    const char *detail;
    size_t longest = 0;
    uint64_t next = 0;

    for (uint64_t i = 0; i < 10000; i++) {
        rows[i] = add(&w[i % 2], i / 2, i % 1000 == 999 ? "rare" : "r", "192.0.2.1:1");
    }
    CHECK_TRUE("all", listing_init(&listing, roster, SPAN_LIT("limit=10000"), &detail));
    CHECK_EQ_U64("all", count_ids(read_all(&listing, &longest)), 10000);
    CHECK_TRUE("in parts", longest <= ANSWER_PART_BYTES);
    CHECK_EQ_U64("few of many", count_ids(ask(roster, "route=rare")), 10);

    for (size_t page = 0; page < 100; page++) {
        char query[64];
        snprintf(query, sizeof(query), "limit=700&after=%llu", (unsigned long long)next);
        const char *json = ask(roster, query);
        for (const char *at = strstr(json, "\"id\":\""); at != NULL;
             at = strstr(at + 1, "\"id\":\"")) {
            size_t slot = 0;
            uint64_t number = 0;
            const char *id = at + 6;
            CHECK_TRUE("id",
                       listing_parse_id((struct span){id, strcspn(id, "\"")}, &slot, &number));
            if (slot < 2 && number < 5000) {
                seen[slot][number]++;
            }
        }
        for (size_t i = page * 7; i < page * 7 + 7; i++) { // these go, and others come
            roster_give_back(&w[i % 2], rows[i]);
            add(&w[i % 2], 100000 + i, "new", "192.0.2.1:1");
        }
        const char *end = strstr(json, "\"next\":");
        if (strncmp(end, "\"next\":null", 11) == 0) {
            break;
        }
        next = strtoull(end + 8, NULL, 10);
    }
    for (size_t i = 700; i < 10000; i++) {
        CHECK_EQ_U64("once", seen[i % 2][i / 2], 1);
    }
}

static void test_ids(void)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "1",
                                      "1-",
                                      "-1",
                                      "a-1",
                                      "1-a",
                                      "1-1-1",
                                      "512-0",
                                      "+1-1",
                                      "1-18446744073709551616",
                                      "1 -1"};
    size_t slot = 0;
    uint64_t number = 0;
    CHECK_TRUE("good", listing_parse_id(SPAN_LIT("255-18446744073709551615"), &slot, &number));
    CHECK_EQ_U64("slot", slot, 255);
    CHECK_EQ_U64("number", number, UINT64_MAX);
    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_FALSE(bad[i], listing_parse_id(span_from_str(bad[i]), &slot, &number));
    }
}

CU_TestInfo listing_tests[] = {
    {"what a query asks for", test_queries},
    {"whose sessions end", test_owners},
    {"the text", test_text},
    {"the longest rows", test_longest},
    {"10,000 sessions", test_pages},
    {"ids", test_ids},
    CU_TEST_INFO_NULL,
};
