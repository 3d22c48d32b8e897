/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/policy.h"

#include "base/host.h"
#include "check.h"
#include "policy_rows.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { LIST_MAX = 8 };

static struct span span_of(const char *text)
{
    return span_from_str(text);
}

static void test_entries(void)
{
    for (size_t i = 0; i < COUNT(policy_entry_rows); i++) {
        const struct policy_entry_row *row = &policy_entry_rows[i];
        struct policy_origin entry = {.port = 7};

        if (!CHECK_EQ_INT(row->text, policy_origin_parse(span_of(row->text), &entry),
                          row->is_legal)) {
            continue;
        }
        CHECK_EQ_U64(row->text, entry.port, row->is_legal ? row->port : 7);
        CHECK_EQ_INT(row->text, entry.kind, row->kind);
        CHECK_TRUE(row->text, span_is_equal(entry.scheme, span_of(row->scheme)));
        CHECK_TRUE(row->text, span_is_equal(entry.host, span_of(row->host)));
    }
}

static bool matches(const char *row, const char *entry_text, const char *host, const char *origin,
                    bool is_secure)
{
    struct policy_origin entry;
    struct request asked = {
        .authority = span_of(host), .has_origin = origin != NULL, .origin = span_of(origin)};
    struct policy_request request = {.asked = &asked, .is_secure = is_secure};

    CHECK_TRUE(row, host_split(asked.authority, &asked.host_name, &asked.host_port));
    return CHECK_TRUE(row, policy_origin_parse(span_of(entry_text), &entry)) &&
           policy_origin_matches(&entry, &request);
}

static void test_origins(void)
{
    for (size_t i = 0; i < COUNT(policy_origin_rows); i++) {
        const struct policy_origin_row *row = &policy_origin_rows[i];

        CHECK_EQ_INT(row->name,
                     matches(row->name, row->entry, "app.example.com", row->origin, true),
                     row->want);
    }
}

static void test_same(void)
{
    for (size_t i = 0; i < COUNT(policy_same_rows); i++) {
        const struct policy_same_row *row = &policy_same_rows[i];
        char name[96];

        snprintf(name, sizeof(name), "%s %s %s", row->host, row->is_secure ? "TLS" : "plain",
                 row->origin);
        CHECK_EQ_INT(name, matches(name, "same", row->host, row->origin, row->is_secure),
                     row->want);
    }
}

// An origin with a NUL inside is not the origin that ends there.
static void test_origin_with_nul(void)
{
    struct request asked = {.has_origin = true, .origin = SPAN_LIT("https://a.b\0.c")};
    struct policy_request request = {.asked = &asked};
    struct policy_origin entry;

    CHECK_TRUE("entry", policy_origin_parse(SPAN_LIT("https://a.b"), &entry));
    CHECK_FALSE("NUL", policy_origin_matches(&entry, &request));
    CHECK_FALSE("NUL", policy_origin_parse(asked.origin, &entry));
}

/* --- routes ---------------------------------------------------------------------------------- */

static struct policy_origin any_origin = {.kind = POLICY_ORIGIN_ANY};

#define ROUTE(path_text, prefix, host_text) \
    {.path = {(path_text), sizeof(path_text) - 1}, \
     .is_prefix = (prefix), \
     .host = {(host_text), sizeof(host_text) - 1}, \
     .origins = &any_origin, \
     .origin_count = 1}

static const struct policy_route routes[] = {
    ROUTE("/", true, ""),               // 0
    ROUTE("/app", false, ""),           // 1
    ROUTE("/app/", true, ""),           // 2
    ROUTE("/app/deep/", true, ""),      // 3
    ROUTE("/app/", true, "a.example"),  // 4
    ROUTE("/app", false, "*.example"),  // 5
    ROUTE("/app", false, "a.example"),  // 6
    ROUTE("/app", false, "a.example"),  // 7, never reached
    ROUTE("/", true, "*.b.example"),    // 8
    ROUTE("/", true, "x.b.example"),    // 9
    ROUTE("/only", false, "c.example"), // 10
    ROUTE("/a/b", false, ""),           // 11
};

static const struct {
    const char *path;
    const char *host;
    const char *sni;
    size_t want; // COUNT(routes): none
} route_rows[] = {
    {"/", "z", "", 0},
    {"/other", "z", "", 0},
    {"/app", "z", "", 1},
    {"/app", "app", "app", 1},
    {"/app/", "z", "", 2},
    {"/app/x", "z", "", 2},
    {"/app/deep", "z", "", 2},
    {"/app/deep/", "z", "", 3},
    {"/app/deep/x", "z", "", 3},
    {"/apple", "z", "", 0},
    {"/App", "z", "", 0},
    {"/app%20", "z", "", 0},
    {"/a/b", "z", "", 11},
    {"/a/b/", "z", "", 0},
    {"//a/b", "z", "", 0},
    {"/%61pp", "z", "", 0},
    // hosts: an exact path goes before a prefix, a host before none, a name before a wildcard
    {"/app", "a.example", "", 6},
    {"/app", "A.EXAMPLE", "", 6},
    {"/app", "d.example", "", 5},
    {"/app", "d.d.example", "", 1},
    {"/app", "example", "", 1},
    {"/app", ".example", "", 1},
    {"/app", "a.example.", "", 1},
    {"/app", "xa.example", "", 5},
    {"/app", "a.example.evil", "", 1},
    {"/app/deep/x", "a.example", "", 4},
    {"/app/deep/x", "y.b.example", "", 8},
    {"/q", "y.b.example", "", 8},
    {"/q", "x.b.example", "", 9},
    {"/q", "b.example", "", 0},
    {"/only", "c.example", "", 10},
    {"/only", "z", "", 0},
    // the name that the client asked for in TLS
    {"/app", "a.example", "a.example", 6},
    {"/app", "a.example", "A.Example", 6},
    {"/app", "a.example", "b.example", COUNT(routes)},
    {"/app", "a.example", "a.example.evil", COUNT(routes)},
    {"/only", "c.example", "z", COUNT(routes)},
    {"/q", "x.b.example", "y.b.example", COUNT(routes)},
    {"/app", "z", "a.example", 1},
};

static void test_route_choice(void)
{
    struct addr source = {.len = 0};

    for (size_t i = 0; i < COUNT(route_rows); i++) {
        struct request asked = {.path = span_of(route_rows[i].path),
                                .host_name = span_of(route_rows[i].host)};
        struct policy_request request = {.asked = &asked,
                                         .source = &source,
                                         .is_secure = route_rows[i].sni[0] != '\0',
                                         .sni = span_of(route_rows[i].sni)};
        struct policy_decision got = policy_decide(routes, COUNT(routes), &request);
        char name[96];

        snprintf(name, sizeof(name), "%s at %s, SNI '%s'", route_rows[i].path, route_rows[i].host,
                 route_rows[i].sni);
        if (route_rows[i].want == COUNT(routes)) {
            CHECK_EQ_INT(name, got.verdict, POLICY_NO_ROUTE);
        } else {
            CHECK_EQ_INT(name, got.verdict, POLICY_OK);
            CHECK_EQ_U64(name, got.route, route_rows[i].want);
        }
    }
}

static void test_no_route(void)
{
    struct addr source = {.len = 0};
    struct request asked = {.path = SPAN_LIT("/ap"), .host_name = SPAN_LIT("z")};
    struct policy_request request = {.asked = &asked, .source = &source};

    CHECK_EQ_INT("no routes", policy_decide(NULL, 0, &request).verdict, POLICY_NO_ROUTE);
    CHECK_EQ_INT("none fits", policy_decide(&routes[1], 3, &request).verdict, POLICY_NO_ROUTE);
    CHECK_EQ_INT("another host", policy_decide(&routes[10], 1, &request).verdict, POLICY_NO_ROUTE);
    asked.path = SPAN_LIT("/only");
    CHECK_EQ_INT("another host", policy_decide(&routes[10], 1, &request).verdict, POLICY_NO_ROUTE);
}

// Routes that fit equally well: the order of the table does not change which kind wins.
static void test_route_order(void)
{
    struct addr source = {.len = 0};
    struct request asked = {.path = SPAN_LIT("/app"), .host_name = SPAN_LIT("a.example")};
    struct policy_request request = {.asked = &asked, .source = &source};
    struct policy_route reversed[COUNT(routes)];

    for (size_t i = 0; i < COUNT(routes); i++) {
        reversed[i] = routes[COUNT(routes) - 1 - i];
    }
    // Route 7 now comes before route 6.
    CHECK_EQ_U64("reversed", policy_decide(reversed, COUNT(routes), &request).route,
                 COUNT(routes) - 1 - 7);
    asked.path = SPAN_LIT("/app/deep/x");
    CHECK_EQ_U64("reversed", policy_decide(reversed, COUNT(routes), &request).route,
                 COUNT(routes) - 1 - 4);
}

/* --- sources --------------------------------------------------------------------------------- */

static const struct {
    const char *allow;
    const char *deny;
    const char *source; // empty: a Unix socket
    bool want;
} source_rows[] = {
    {"", "", "192.0.2.1", true},
    {"", "", "2001:db8::1", true},
    {"", "", "", true},
    {"10.0.0.0/8", "", "10.1.2.3", true},
    {"10.0.0.0/8", "", "11.0.0.0", false},
    {"10.0.0.0/8", "", "9.255.255.255", false},
    {"10.0.0.0/8", "", "::a00:1", false},
    {"10.0.0.0/8", "", "::ffff:10.1.2.3", true},
    {"10.0.0.0/8", "", "", false},
    {"10.0.0.0/8 192.168.0.0/16", "", "192.168.7.7", true},
    {"192.0.2.1", "", "192.0.2.1", true},
    {"192.0.2.1", "", "192.0.2.2", false},
    {"0.0.0.0/0", "", "2001:db8::1", false},
    {"0.0.0.0/0 ::/0", "", "2001:db8::1", true},
    {"2001:db8::/32", "", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "", "2001:db9::1", false},
    {"", "10.0.0.0/8", "10.1.2.3", false},
    {"", "10.0.0.0/8", "192.0.2.1", true},
    {"", "0.0.0.0/0 ::/0", "192.0.2.1", false},
    {"", "::1", "::1", false},
    {"10.0.0.0/8", "10.9.0.0/16", "10.9.1.1", false},
    {"10.0.0.0/8", "10.9.0.0/16", "10.8.1.1", true},
    {"10.9.0.0/16", "10.0.0.0/8", "10.9.1.1", false},
    {"10.0.0.1", "10.0.0.1", "10.0.0.1", false},
};

static size_t parse_blocks(const char *text, struct addr_cidr *out)
{
    struct span rest = span_of(text);
    struct span item;
    size_t count = 0;

    while (span_next(&rest, ' ', &item)) {
        CHECK_TRUE(text, addr_cidr_parse(item, &out[count]));
        count++;
    }
    return count;
}

static void test_sources(void)
{
    for (size_t i = 0; i < COUNT(source_rows); i++) {
        struct addr_cidr allow[LIST_MAX];
        struct addr_cidr deny[LIST_MAX];
        struct policy_route route = ROUTE("/", true, "");
        struct request asked = {.path = SPAN_LIT("/"), .host_name = SPAN_LIT("z")};
        struct addr source;
        struct policy_request request = {.asked = &asked, .source = &source};
        char name[96];

        snprintf(name, sizeof(name), "allow '%s' deny '%s' source '%s'", source_rows[i].allow,
                 source_rows[i].deny, source_rows[i].source);
        if (source_rows[i].source[0] == '\0') {
            CHECK_TRUE(name, addr_from_unix_path(SPAN_LIT("/run/x"), &source));
        } else {
            CHECK_TRUE(name, addr_parse_host(span_of(source_rows[i].source), 1, &source));
        }
        route.allow = allow;
        route.allow_count = parse_blocks(source_rows[i].allow, allow);
        route.deny = deny;
        route.deny_count = parse_blocks(source_rows[i].deny, deny);
        CHECK_EQ_INT(name, policy_decide(&route, 1, &request).verdict,
                     source_rows[i].want ? POLICY_OK : POLICY_SOURCE);
    }
}

/* --- subprotocols ---------------------------------------------------------------------------- */

static const struct {
    const char *configured;
    const char *offered;
    const char *want; // NULL: POLICY_SUBPROTOCOL
} subprotocol_rows[] = {
    {"", "", ""},      {"", "a", "a"},      {"", "a b", "a"},     {"", "b a", "b"},
    {"a", "a", "a"},   {"a b", "b a", "a"}, {"b a", "a b", "b"},  {"a b c", "x c b", "b"},
    {"a b", "b", "b"}, {"a", "", NULL},     {"a", "b", NULL},     {"a", "A", NULL},
    {"ab", "a", NULL}, {"a", "ab", NULL},   {"a b", "c d", NULL},
};

static size_t split(const char *text, struct span *out)
{
    struct span rest = span_of(text);
    size_t count = 0;

    while (span_next(&rest, ' ', &out[count])) {
        count++;
    }
    return count;
}

static void test_subprotocols(void)
{
    for (size_t i = 0; i < COUNT(subprotocol_rows); i++) {
        struct span configured[LIST_MAX];
        struct policy_route route = ROUTE("/", true, "");
        struct request asked = {.path = SPAN_LIT("/"), .host_name = SPAN_LIT("z")};
        struct addr source = {.len = 0};
        struct policy_request request = {.asked = &asked, .source = &source};
        const char *want = subprotocol_rows[i].want;
        struct policy_decision got;
        char name[64];

        snprintf(name, sizeof(name), "'%s', offered '%s'", subprotocol_rows[i].configured,
                 subprotocol_rows[i].offered);
        asked.offer_count = split(subprotocol_rows[i].offered, asked.offers);
        route.subprotocols = configured;
        route.subprotocol_count = split(subprotocol_rows[i].configured, configured);
        got = policy_decide(&route, 1, &request);
        CHECK_EQ_INT(name, got.verdict, want == NULL ? POLICY_SUBPROTOCOL : POLICY_OK);
        CHECK_TRUE(name, span_is_equal(got.subprotocol, span_of(want)));
        got = policy_decide_plain(&route, 1, &request);
        CHECK_EQ_INT(name, got.verdict, POLICY_OK);
        CHECK_EQ_U64(name, got.subprotocol.len, 0);
    }
}

static void test_subprotocol_order(void)
{
    static const struct {
        const char *configured;
        const char *offered;
        const char *want; // NULL: POLICY_SUBPROTOCOL
    } rows[] = {
        {"a b", "b a", "b"}, {"a b", "x b a", "b"}, {"a b", "a b", "a"}, {"a b", "b", "b"},
        {"a b", "x", NULL},  {"a b", "", NULL},     {"", "b a", "b"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span configured[LIST_MAX];
        struct policy_route route = ROUTE("/", true, "");
        struct request asked = {.path = SPAN_LIT("/"), .host_name = SPAN_LIT("z")};
        struct addr source = {.len = 0};
        struct policy_request request = {.asked = &asked, .source = &source};
        asked.offer_count = split(rows[i].offered, asked.offers);
        route.subprotocols = configured;
        route.subprotocol_count = split(rows[i].configured, configured);
        route.is_client_order = true;
        struct policy_decision got = policy_decide(&route, 1, &request);
        CHECK_EQ_INT(rows[i].offered, got.verdict,
                     rows[i].want == NULL ? POLICY_SUBPROTOCOL : POLICY_OK);
        CHECK_TRUE(rows[i].offered, span_is_equal(got.subprotocol, span_of(rows[i].want)));
    }
}

// Source, then origin, then subprotocol: the first refusal wins.
static void test_first_refusal(void)
{
    struct span configured = SPAN_LIT("a");
    struct addr_cidr deny;
    struct policy_origin origins[2];
    struct policy_route route = {.path = SPAN_LIT("/"),
                                 .origins = origins,
                                 .origin_count = 2,
                                 .subprotocols = &configured,
                                 .subprotocol_count = 1,
                                 .deny = &deny,
                                 .deny_count = 1};
    struct request asked = {.path = SPAN_LIT("/"),
                            .host_name = SPAN_LIT("z"),
                            .has_origin = true,
                            .origin = SPAN_LIT("https://c")};
    struct addr source;
    struct policy_request request = {.asked = &asked, .source = &source};

    CHECK_TRUE("deny", addr_cidr_parse(SPAN_LIT("10.0.0.1"), &deny));
    CHECK_TRUE("source", addr_parse_host(SPAN_LIT("10.0.0.1"), 1, &source));
    CHECK_TRUE("origin", policy_origin_parse(SPAN_LIT("https://a"), &origins[0]));
    CHECK_TRUE("origin", policy_origin_parse(SPAN_LIT("https://b"), &origins[1]));
    CHECK_EQ_INT("source", policy_decide(&route, 1, &request).verdict, POLICY_SOURCE);
    route.deny_count = 0;
    CHECK_EQ_INT("origin", policy_decide(&route, 1, &request).verdict, POLICY_ORIGIN);
    asked.origin = SPAN_LIT("https://b");
    CHECK_EQ_INT("subprotocol", policy_decide(&route, 1, &request).verdict, POLICY_SUBPROTOCOL);
    asked.offers[asked.offer_count++] = SPAN_LIT("a");
    CHECK_EQ_INT("none", policy_decide(&route, 1, &request).verdict, POLICY_OK);
    route.origin_count = 0;
    CHECK_EQ_INT("no origins", policy_decide(&route, 1, &request).verdict, POLICY_ORIGIN);
}

CU_TestInfo policy_tests[] = {
    {"entries of origins", test_entries},
    {"origins", test_origins},
    {"origins: same", test_same},
    {"an origin with NUL", test_origin_with_nul},
    {"which route", test_route_choice},
    {"no route", test_no_route},
    {"the order of routes", test_route_order},
    {"sources", test_sources},
    {"subprotocols", test_subprotocols},
    {"the client's order", test_subprotocol_order},
    {"the first refusal", test_first_refusal},
    CU_TEST_INFO_NULL,
};
