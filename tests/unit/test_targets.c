/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/targets.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http_feed.h"
#include "proto/upgrade.h"
#include "suites.h"

static const uint8_t key[SIPHASH_KEY_BYTES] = {1, 2, 3};

/* What a reading has told. */
struct told {
    size_t count;
    unsigned line; /* of the last one */
    const char *detail;
};

static void take_fault(void *owner, unsigned line, const char *detail)
{
    struct told *told = owner;
    told->count++;
    told->line = line;
    told->detail = detail;
}

/* Adds a copy that ends where the text ends and is gone afterwards. */
static void add_copy(struct targets *targets, struct span text, struct told *told)
{
    char *copy = malloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    *told = (struct told){.count = 0};
    CHECK_TRUE(text.data,
               targets_add(targets, key, (struct span){copy, text.len}, take_fault, told));
    memset(copy, '!', text.len);
    free(copy);
}

#define T "1.1.1.1:1"

static const struct {
    struct span text;
    size_t count;
} good_rows[] = {
    {SPAN_LIT(""), 0},
    {SPAN_LIT(" \r\n\t\n# a: " T "\n"), 0},
    {SPAN_LIT("a: " T), 1},
    {SPAN_LIT("a: " T "\n"), 1},
    {SPAN_LIT("a:\t" T "\r\nb: tls://" T "\r\n"), 2},
    {SPAN_LIT("  a :  tcp://" T "  \n"), 1},
    {SPAN_LIT("\xef\xbb\xbf"
              "a: desk:1\n"),
     1},
    {SPAN_LIT("a:b: [::1]:1\na: unix:/run/a\nA: " T "\n"), 3},
    {SPAN_LIT("{\"a\":1}: " T "\n##: x\n"), 1},
};

static void test_good(void)
{
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        size_t before = mem_live_blocks();
        struct targets targets = {.count = 0};
        struct told told;
        add_copy(&targets, good_rows[i].text, &told);
        CHECK_EQ_U64(good_rows[i].text.data, told.count, 0);
        CHECK_EQ_U64(good_rows[i].text.data, targets.count, good_rows[i].count);
        CHECK_TRUE(good_rows[i].text.data, targets_bytes(&targets) >= good_rows[i].text.len);
        targets_done(&targets);
        CHECK_EQ_U64(good_rows[i].text.data, mem_live_blocks(), before);
    }
}

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64

static const struct {
    struct span text;
    unsigned line;
    const char *part;
} bad_rows[] = {
    {SPAN_LIT("a"), 1, "blank behind"},
    {SPAN_LIT("\n\na:" T "\n"), 3, "blank behind"},
    {SPAN_LIT("a " T "\n"), 1, "blank behind"},
    {SPAN_LIT("#\r\n: " T "\r\n"), 2, "no token"},
    {SPAN_LIT("a:\n"), 1, "no target"},
    {SPAN_LIT("a: \t\n"), 1, "no target"},
    {SPAN_LIT(X256 "x: " T "\n"), 1, "256"},
    {SPAN_LIT("a b: " T "\n"), 1, "visible ASCII"},
    {SPAN_LIT("\xc3\xa9: " T "\n"), 1, "visible ASCII"},
    {SPAN_LIT("a\0b: " T "\n"), 1, "visible ASCII"},
    {SPAN_LIT("a\x1b[2J: " T "\n"), 1, "visible ASCII"},
    {SPAN_LIT("a\rb: " T "\n"), 1, "visible ASCII"},
    {SPAN_LIT("a: 127.1:80\n"), 1, "four decimal numbers"},
    {SPAN_LIT("a: 1.1.1.1\0:80\n"), 1, "control"},
    {SPAN_LIT("z: " T "\nz: " T "\n"), 2, "earlier line"},
};

/* The line in front and the line behind count all the same. */
static void test_bad(void)
{
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        struct targets targets = {.count = 0};
        struct told told;
        struct target target;
        add_copy(&targets, SPAN_LIT("first: 2.2.2.2:2\n"), &told);
        add_copy(&targets, bad_rows[i].text, &told);
        CHECK_EQ_U64(bad_rows[i].text.data, told.count, 1);
        CHECK_EQ_U64(bad_rows[i].text.data, told.line, bad_rows[i].line);
        CHECK_TRUE(bad_rows[i].text.data,
                   told.detail != NULL && strstr(told.detail, bad_rows[i].part) != NULL);
        add_copy(&targets, SPAN_LIT("last: 3.3.3.3:3"), &told);
        CHECK_TRUE("first", targets_find(&targets, SPAN_LIT("first"), &target));
        CHECK_TRUE("last", targets_find(&targets, SPAN_LIT("last"), &target));
        CHECK_EQ_U64("last", target.port, 3);
        targets_done(&targets);
    }
}

static void test_longest(void)
{
    struct targets targets = {.count = 0};
    struct told told;
    struct target target;
    add_copy(&targets, SPAN_LIT(X256 ": " T "\n"), &told);
    CHECK_TRUE("256", targets_find(&targets, SPAN_LIT(X256), &target));
    CHECK_FALSE("257", targets_find(&targets, SPAN_LIT(X256 "x"), &target));
    CHECK_FALSE("none", targets_find(&targets, SPAN_LIT(""), &target));
    targets_done(&targets);
    CHECK_FALSE("nothing", targets_find(&targets, SPAN_LIT(X256), &target));
}

/* The first of two lines counts, over all files. */
static void test_twice(void)
{
    struct targets targets = {.count = 0};
    struct told told;
    struct target target;
    struct span token;
    add_copy(&targets, SPAN_LIT("a: h:1\nb: h:2\na: h:3\n"), &told);
    add_copy(&targets, SPAN_LIT("c: h:5\nb: h:4\n"), &told);
    CHECK_EQ_U64("line", told.line, 2);
    CHECK_EQ_U64("count", targets.count, 3);
    CHECK_TRUE("a", targets_find(&targets, SPAN_LIT("a"), &target) && target.port == 1);
    CHECK_TRUE("b", targets_find(&targets, SPAN_LIT("b"), &target) && target.port == 2);
    CHECK_EQ_U64("line of b", targets_at(&targets, 1, &token, &target), 2);
    CHECK_TRUE("b", span_is_equal(token, SPAN_LIT("b")));
    targets_done(&targets);
}

static void test_many(void)
{
    enum { MANY = 100000, LINE = 32 };
    char *text = malloc((size_t)MANY * LINE);
    size_t len = 0;
    struct targets targets = {.count = 0};
    struct told told;
    size_t wrong = 0;
    for (unsigned i = 0; i < MANY; i++) {
        len += (size_t)sprintf(text + len, "d-%u: h:%u\n", i, i % 65535 + 1);
    }
    add_copy(&targets, (struct span){text, len}, &told);
    CHECK_EQ_U64("count", targets.count, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        char token[LINE];
        struct target target;
        sprintf(token, "d-%u", i);
        bool is_right =
            targets_find(&targets, span_from_str(token), &target) && target.port == i % 65535 + 1;
        sprintf(token, "e-%u", i);
        is_right = is_right && !targets_find(&targets, span_from_str(token), &target);
        wrong += is_right ? 0 : 1;
    }
    CHECK_EQ_U64("wrong", wrong, 0);
    targets_done(&targets);
    free(text);
}

/* Cut anywhere, what is whole counts, and nothing is read that is not there. */
static void test_cuts(void)
{
    static const struct span text = SPAN_LIT("# c\r\na: h:1\r\n\nb: tls://[::1]:2\nc: unix:/a");
    size_t before = mem_live_blocks();
    for (size_t len = 0; len <= text.len; len++) {
        struct targets targets = {.count = 0};
        struct told told;
        struct target target;
        add_copy(&targets, (struct span){text.data, len}, &told);
        CHECK_TRUE("cut", told.count <= 1);
        CHECK_EQ_INT("a", targets_find(&targets, SPAN_LIT("a"), &target), len >= 11);
        CHECK_EQ_INT("b", targets_find(&targets, SPAN_LIT("b"), &target), len >= 30);
        CHECK_EQ_U64("b", targets.tls_count, len >= 30 ? 1 : 0);
        targets_done(&targets);
        CHECK_EQ_U64("cut", mem_live_blocks(), before);
    }
}

static void test_no_memory(void)
{
    size_t before = mem_live_blocks();
    for (uint64_t n = 1; n <= 4; n++) {
        struct targets targets = {.count = 0};
        struct told told = {.count = 0};
        mem_fail_after(n);
        bool is_good = targets_add(&targets, key, SPAN_LIT("a: h:1\nb: h:2"), take_fault, &told);
        mem_fail_after(0);
        CHECK_EQ_INT("the fourth time", is_good, n == 4);
        CHECK_EQ_U64("targets", targets.count, n == 4 ? 2 : 0);
        CHECK_EQ_U64("told", told.count, 0);
        targets_done(&targets);
        CHECK_EQ_U64("blocks", mem_live_blocks(), before);
    }
    (void)mem_recover();
}

/* --- what a request chooses ------------------------------------------------------------------ */

#define OPENING \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define OFFERS "Sec-WebSocket-Protocol: "

/* The tokens: a is of port 1, a/b of port 2, a-b of port 3. */
static const struct choice_row {
    const char *name;
    const char *source; /* behind "!" where sluice.token. proves who somebody is */
    const char *target;
    const char *host;
    const char *lines;
    enum targets_result want;
    uint16_t port;
} choice_rows[] = {
    {"query", "query:t", "/p/?t=a", "h", "", TARGETS_FOUND, 1},
    {"query, encoded", "query:t", "/p/?x&t=%61%2fb", "h", "", TARGETS_FOUND, 2},
    {"query, none", "query:t", "/p/", "h", "", TARGETS_MISSING, 0},
    {"query, another", "query:t", "/p/?tt=a", "h", "", TARGETS_MISSING, 0},
    {"query, unknown", "query:t", "/p/?t=c", "h", "", TARGETS_UNKNOWN, 0},
    {"query, empty", "query:t", "/p/?t=", "h", "", TARGETS_UNKNOWN, 0},
    {"query, bad escape", "query:t", "/p/?t=%6", "h", "", TARGETS_UNKNOWN, 0},
    {"query, twice", "query:t", "/p/?t=a&t=a", "h", "", TARGETS_UNKNOWN, 0},
    {"path", "path", "/p/a", "h", "", TARGETS_FOUND, 1},
    {"path, and a query", "path", "/p/a?t=c", "h", "", TARGETS_FOUND, 1},
    {"path, encoded", "path", "/p/a%2Db", "h", "", TARGETS_FOUND, 3},
    {"path, a slash", "path", "/p/a/b", "h", "", TARGETS_UNKNOWN, 0},
    {"path, a slash at its end", "path", "/p/a/", "h", "", TARGETS_UNKNOWN, 0},
    {"path, unknown", "path", "/p/A", "h", "", TARGETS_UNKNOWN, 0},
    {"path, nothing", "path", "/p/", "h", "", TARGETS_MISSING, 0},
    {"path, elsewhere", "path", "/q/a", "h", "", TARGETS_MISSING, 0},
    {"path, long", "path", "/p/" X256 "x", "h", "", TARGETS_UNKNOWN, 0},
    {"offer", "subprotocol", "/", "h", OFFERS "a\r\n", TARGETS_FOUND, 1},
    {"offer behind others", "subprotocol", "/", "h", OFFERS "x, y, a-b\r\n", TARGETS_FOUND, 3},
    {"offers, two", "subprotocol", "/", "h", OFFERS "a-b, a\r\n", TARGETS_FOUND, 3},
    {"offers, none", "subprotocol", "/", "h", "", TARGETS_MISSING, 0},
    {"offers, unknown", "subprotocol", "/", "h", OFFERS "x, y\r\n", TARGETS_UNKNOWN, 0},
    {"token offer", "subprotocol", "/", "h", OFFERS "x, sluice.token.YS9i\r\n", TARGETS_FOUND, 2},
    {"token offer first", "subprotocol", "/", "h", OFFERS "a, sluice.token.YS9i\r\n", TARGETS_FOUND,
     2},
    {"token offer, unknown", "subprotocol", "/", "h", OFFERS "a, sluice.token.YQo\r\n",
     TARGETS_UNKNOWN, 0},
    {"token offer, malformed", "subprotocol", "/", "h", OFFERS "a, sluice.token.!\r\n",
     TARGETS_UNKNOWN, 0},
    {"token offer for auth", "!subprotocol", "/", "h", OFFERS "a, sluice.token.YS9i\r\n",
     TARGETS_FOUND, 1},
    {"token offer for auth alone", "!subprotocol", "/", "h", OFFERS "sluice.token.YS9i\r\n",
     TARGETS_MISSING, 0},
    {"host", "host", "/", "a.example", "", TARGETS_FOUND, 1},
    {"host, capitals and port", "host", "/", "A-B.EXAMPLE:8443", "", TARGETS_FOUND, 3},
    {"host, unknown", "host", "/", "c.example", "", TARGETS_UNKNOWN, 0},
    {"host, one label", "host", "/", "a", "", TARGETS_MISSING, 0},
    {"host, an address", "host", "/", "10.0.0.1", "", TARGETS_MISSING, 0},
    {"host, IPv6", "host", "/", "[::1]:80", "", TARGETS_MISSING, 0},
};

static void test_choose(void)
{
    static struct http_fed fed;
    struct targets targets = {.count = 0};
    struct told told;
    size_t before = mem_live_blocks();
    add_copy(&targets, SPAN_LIT("a: h:1\na/b: h:2\na-b: h:3\n"), &told);
    for (size_t i = 0; i < COUNT(choice_rows); i++) {
        const struct choice_row *row = &choice_rows[i];
        bool is_for_auth = row->source[0] == '!';
        char head[2048];
        struct request request;
        struct span ws_key;
        struct target target = {.port = 0};
        const char *detail = NULL;
        int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %s\r\n" OPENING "%s\r\n",
                           row->target, row->host, row->lines);
        http_feed(&fed, head, (size_t)len, 0);
        CHECK_EQ_INT(row->name, upgrade_check(&fed.parser, &request, &ws_key, &detail), UPGRADE_OK);
        struct targets_question question = {
            .request = &request, .prefix = SPAN_LIT("/p/"), .is_offer_for_auth = is_for_auth};
        CHECK_TRUE(row->name, targets_source_parse(span_from_str(row->source + is_for_auth),
                                                   &question.source));
        CHECK_EQ_INT(row->name, targets_choose(&targets, &question, &target, &detail), row->want);
        CHECK_EQ_INT(row->name, detail == NULL, row->want == TARGETS_FOUND);
        CHECK_EQ_U64(row->name, row->want == TARGETS_FOUND ? target.port : 0, row->port);
    }
    http_feed_done(&fed);
    targets_done(&targets);
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

static void test_source(void)
{
    static const struct {
        const char *text;
        bool is_good;
    } sources[] = {
        {"query:token", true}, {"query:a.b", true}, {"path", true},    {"subprotocol", true},
        {"host", true},        {"", false},         {"query", false},  {"query:", false},
        {"query:a b", false},  {"path:a", false},   {"Path", false},   {"host ", false},
        {"cookie:a", false},   {"bearer", false},   {"hosts", false},  {"sub", false},
        {"query:a=b", false},  {"query:a&b", true}, {"queries", false}};
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct targets_source source;
        CHECK_EQ_INT(sources[i].text, targets_source_parse(span_from_str(sources[i].text), &source),
                     sources[i].is_good);
    }
}

CU_TestInfo targets_tests[] = {
    {"good files", test_good},
    {"bad lines", test_bad},
    {"the longest token", test_longest},
    {"a token twice", test_twice},
    {"100,000 lines", test_many},
    {"cut anywhere", test_cuts},
    {"no memory", test_no_memory},
    {"target_from", test_source},
    {"what a request chooses", test_choose},
    CU_TEST_INFO_NULL,
};
