/* SPDX-License-Identifier: GPL-3.0-or-later */
// Which Host `same` believes, and why a request is refused.
#include <string.h>

#include "base/host.h"
#include "check.h"
#include "proto/policy.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct policy_origin any_origin = {.kind = POLICY_ORIGIN_ANY};
static const struct policy_route everything = {
    .path = {"/", 1}, .is_prefix = true, .origins = &any_origin, .origin_count = 1};

static struct span span_of(const char *text)
{
    return span_from_str(text);
}

static size_t split(const char *text, struct span *out)
{
    struct span rest = span_of(text);
    size_t count = 0;

    while (span_next(&rest, ' ', &out[count])) {
        count++;
    }
    return count;
}

// A page of http://evil.example whose name leads to sluice sends Origin and Host alike.
static const struct {
    const char *route_host;
    bool is_secure;
    const char *host;
    const char *origin;
    bool want;
} rebinding_rows[] = {
    {"", false, "evil.example:8080", "http://evil.example:8080", false},
    {"", false, "localhost.evil.example", "http://localhost.evil.example", false},
    {"", false, "evillocalhost", "http://evillocalhost", false},
    {"", false, "localhost:8080", "http://localhost:8080", true},
    {"", false, "LOCALHOST", "http://localhost", true},
    {"", false, "app.localhost:3000", "http://app.localhost:3000", true},
    {"", false, "127.0.0.1:8080", "http://127.0.0.1:8080", true},
    {"", false, "192.0.2.1", "http://192.0.2.1", true},
    {"", false, "[::1]:8080", "http://[::1]:8080", true},
    {"", false, "gw.example", "https://gw.example", true},              // behind a TLS front
    {"", true, "evil.example:8443", "https://evil.example:8443", true}, // no certificate for it
    {"evil.example", false, "evil.example", "http://evil.example", true},
    {"*.example", false, "gw.example:8080", "http://gw.example:8080", true},
};

static void test_rebinding(void)
{
    struct policy_origin same = {.kind = POLICY_ORIGIN_SAME};
    for (size_t i = 0; i < COUNT(rebinding_rows); i++) {
        struct policy_route route = everything;
        struct request asked = {
            .path = SPAN_LIT("/"), .has_origin = true, .origin = span_of(rebinding_rows[i].origin)};
        struct addr source = {.len = 0};
        struct policy_request request = {
            .asked = &asked, .source = &source, .is_secure = rebinding_rows[i].is_secure};
        route.host = span_of(rebinding_rows[i].route_host);
        route.origins = &same;
        CHECK_TRUE("Host",
                   host_split(span_of(rebinding_rows[i].host), &asked.host_name, &asked.host_port));
        CHECK_EQ_INT(rebinding_rows[i].host, policy_decide(&route, 1, &request).verdict,
                     rebinding_rows[i].want ? POLICY_OK : POLICY_ORIGIN);
    }
}

static const struct {
    const char *origins; // of the route
    bool is_secure;
    const char *origin; // NULL: none
    const char *offered;
    const char *want; // a part of the detail
} detail_rows[] = {
    {"same", true, NULL, "a", "has no Origin"},
    {"same", true, "null", "a", "does not list null"},
    {"same", true, "https://gw.example/", "a", "not SCHEME://HOST"},
    {"same", true, "https://gw.example:3001", "a", "same: Host has another port"},
    {"same", true, "http://gw.example", "a", "same: the page came over http"},
    {"same", true, "https://b.example", "a", "does not list this Origin"},
    {"same", true, "app://gw.example", "a", "does not list this Origin"},
    {"same", false, "http://gw.example", "a", "give the route a host"},
    {"https://b.example", true, "https://gw.example:3001", "a", "does not list this Origin"},
    {"*", true, "https://b.example", "", "offers no subprotocol, and"},
    {"*", true, "https://b.example", "b c", "no subprotocol of the route's list"},
};

static void test_details(void)
{
    for (size_t i = 0; i < COUNT(detail_rows); i++) {
        struct span configured = SPAN_LIT("a");
        struct policy_origin entry;
        struct policy_route route = everything;
        struct request asked = {.path = SPAN_LIT("/"),
                                .host_name = SPAN_LIT("gw.example"),
                                .has_origin = detail_rows[i].origin != NULL,
                                .origin = span_of(detail_rows[i].origin)};
        struct addr source = {.len = 0};
        struct policy_request request = {
            .asked = &asked, .source = &source, .is_secure = detail_rows[i].is_secure};
        asked.offer_count = split(detail_rows[i].offered, asked.offers);
        CHECK_TRUE("entry", policy_origin_parse(span_of(detail_rows[i].origins), &entry));
        route.origins = &entry;
        route.subprotocols = &configured;
        route.subprotocol_count = 1;
        struct policy_decision got = policy_decide(&route, 1, &request);
        CHECK_TRUE(detail_rows[i].want, got.verdict != POLICY_OK && got.detail != NULL &&
                                            strstr(got.detail, detail_rows[i].want) != NULL);
    }
}

static void test_route_details(void)
{
    const struct policy_route only = {.path = SPAN_LIT("/only"),
                                      .host = SPAN_LIT("c.example"),
                                      .origins = &any_origin,
                                      .origin_count = 1};
    static const struct {
        const char *path;
        const char *sni;
        const char *host;
        const char *want;
    } rows[] = {
        {"/ap", "", "c.example", "no route has this path"},
        {"/only", "", "d.example", "for this Host"},
        {"/only", "d.example", "c.example", "not the Host of the request"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr source = {.len = 0};
        struct request asked = {.path = span_of(rows[i].path), .host_name = span_of(rows[i].host)};
        struct policy_request request = {
            .asked = &asked, .source = &source, .sni = span_of(rows[i].sni)};
        struct policy_decision got = policy_decide(&only, 1, &request);
        CHECK_EQ_INT(rows[i].want, got.verdict, POLICY_NO_ROUTE);
        CHECK_TRUE(rows[i].want, got.detail != NULL && strstr(got.detail, rows[i].want) != NULL);
    }
}

CU_TestInfo policy_why_tests[] = {
    {"names that lead anywhere", test_rebinding},
    {"origins and subprotocols", test_details},
    {"routes", test_route_details},
    CU_TEST_INFO_NULL,
};
