/* SPDX-License-Identifier: GPL-3.0-or-later */
// The CORS answer on a route's path: who gets it, and each of its lines.
#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "gate/page.h"
#include "http_feed.h"
#include "proto/upgrade.h"
#include "suites.h"

static const char ini[] =
    "[listen a]\naddress = 127.0.0.1:1\nhealth_path = /healthz\ntrusted_proxies = 10.9.0.0/16\n"
    "forwarded = x-forwarded-for\n"
    "[defaults]\nbackend_code = 1014\n"
    "[route on]\npath = /on\norigins = https://good.example, app://desk, null\nbackend = echo:\n"
    "local_network = on\nsubprotocols = binary\ndeny = 192.0.2.0/24\n"
    "[route below]\npath = /below/*\norigins = *\nbackend = echo:\nlocal_network = on\n"
    "[route off]\npath = /off\norigins = *\nbackend = echo:\n"
    "[route same]\npath = /same\nbackend = echo:\nlocal_network = on\n"
    "[route hosted]\npath = /hosted\nhost = gate.example\norigins = *\nbackend = echo:\n"
    "local_network = on\n"
    "[route health]\npath = /healthz\norigins = *\nbackend = echo:\nlocal_network = on\n";

#define HEAD(method, path, lines) method " " path " HTTP/1.1\r\nHost: gate.example\r\n" lines "\r\n"
#define ASK(path, lines) HEAD("GET", path, lines)
#define GOOD "Origin: https://good.example\r\n"
#define BAD "Origin: https://bad.example\r\n"
#define ALLOW(origin) "Access-Control-Allow-Origin: " origin "\r\nVary: Origin\r\n"
#define METHODS "Access-Control-Allow-Methods: GET, HEAD\r\n"
#define PREFLIGHT GOOD "Access-Control-Request-Method: GET\r\n"
#define HEADERS(list) "Access-Control-Request-Headers: " list "\r\n"
#define MAY(list) "Access-Control-Allow-Headers: " list "\r\n"
#define PRIVATE(value) "Access-Control-Request-Private-Network: " value "\r\n"
#define MAY_PRIVATE "Access-Control-Allow-Private-Network: true\r\n"
#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define A256 A64 A64 A64 A64

static const struct {
    const char *name;
    const char *head;
    const char *source;
    const char *lines; // of the answer; NULL: none, so the request gets what it gets without a page
} rows[] = {
    {"GET", ASK("/on", GOOD), "127.0.0.1", ALLOW("https://good.example")},
    {"HEAD", HEAD("HEAD", "/on", GOOD), "127.0.0.1", ALLOW("https://good.example")},
    {"OPTIONS", HEAD("OPTIONS", "/on", GOOD), "127.0.0.1", ALLOW("https://good.example")},
    {"POST", HEAD("POST", "/on", GOOD), "127.0.0.1", NULL},
    {"a query", ASK("/on?ticket=x", GOOD), "127.0.0.1", ALLOW("https://good.example")},
    {"as the page wrote it", ASK("/on", "Origin: HTTPS://Good.example:443\r\n"), "127.0.0.1",
     ALLOW("HTTPS://Good.example:443")},
    {"an app", ASK("/on", "Origin: app://desk\r\n"), "127.0.0.1", ALLOW("app://desk")},
    {"null", ASK("/on", "Origin: null\r\n"), "127.0.0.1", ALLOW("null")},
    {"not its method of a preflight", ASK("/on", PREFLIGHT PRIVATE("true")), "127.0.0.1",
     ALLOW("https://good.example")},
    {"another page", ASK("/on", BAD), "127.0.0.1", NULL},
    {"no page", ASK("/on", ""), "127.0.0.1", NULL},
    {"two pages", ASK("/on", GOOD GOOD), "127.0.0.1", NULL},
    {"a handshake", ASK("/on", GOOD "Upgrade: websocket\r\n"), "127.0.0.1", NULL},
    {"denied", ASK("/on", GOOD), "192.0.2.7", NULL},
    {"a client behind a proxy", ASK("/on", GOOD "X-Forwarded-For: 192.0.2.7\r\n"), "10.9.0.1",
     NULL},
    {"another client behind it", ASK("/on", GOOD "X-Forwarded-For: 192.0.3.7\r\n"), "10.9.0.1",
     ALLOW("https://good.example")},
    {"what a stranger says", ASK("/on", GOOD "X-Forwarded-For: 192.0.3.7\r\n"), "192.0.2.7", NULL},
    {"a proxy that says nonsense", ASK("/on", GOOD "X-Forwarded-For: x\r\n"), "10.9.0.1", NULL},
    {"its host", HEAD("GET", "/hosted", GOOD), "127.0.0.1", ALLOW("https://good.example")},
    {"another host", "GET /hosted HTTP/1.1\r\nHost: b.example\r\n" GOOD "\r\n", "127.0.0.1", NULL},
    {"another path", ASK("/of", GOOD), "127.0.0.1", NULL},
    {"a route without the key", ASK("/off", GOOD), "127.0.0.1", NULL},
    {"below", ASK("/below/x/y", BAD), "127.0.0.1", ALLOW("https://bad.example")},
    {"two readings", ASK("/below/x/../y", BAD), "127.0.0.1", NULL},
    {"same, by a name that anybody can have", ASK("/same", "Origin: http://gate.example\r\n"),
     "127.0.0.1", NULL},
    {"same", "GET /same HTTP/1.1\r\nHost: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1\r\n\r\n",
     "127.0.0.1", ALLOW("http://127.0.0.1:1")},
    {"health goes first", ASK("/healthz", GOOD), "127.0.0.1", ""},
    {"but not for a preflight", HEAD("OPTIONS", "/healthz", GOOD), "127.0.0.1",
     ALLOW("https://good.example")},

    // `origins = *` admits what may not be repeated.
    {"a star", ASK("/below/x", "Origin: *\r\n"), "127.0.0.1", NULL},
    {"a word of ours", ASK("/below/x", "Origin: same\r\n"), "127.0.0.1", NULL},
    {"no origin", ASK("/below/x", "Origin: https://a.example/path\r\n"), "127.0.0.1", NULL},
    {"two in one", ASK("/below/x", "Origin: https://a.example https://b.example\r\n"), "127.0.0.1",
     NULL},
    {"bytes", ASK("/below/x", "Origin: app://\xc3\xa4\r\n"), "127.0.0.1", NULL},
    {"long", ASK("/below/x", "Origin: app://" A256 "\r\n"), "127.0.0.1", ALLOW("app://" A256)},
    {"too long", ASK("/below/x", "Origin: app://" A256 A64 "\r\n"), "127.0.0.1", NULL},

    {"a preflight", HEAD("OPTIONS", "/on", PREFLIGHT), "127.0.0.1",
     ALLOW("https://good.example") METHODS},
    {"of any method", HEAD("OPTIONS", "/on", GOOD "Access-Control-Request-Method: PUT\r\n"),
     "127.0.0.1", ALLOW("https://good.example") METHODS},
    {"with headers", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS("x-a, authorization")), "127.0.0.1",
     ALLOW("https://good.example") METHODS MAY("x-a, authorization")},
    {"with no list", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS("x a")), "127.0.0.1",
     ALLOW("https://good.example") METHODS},
    {"with a hole", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS("x,,a")), "127.0.0.1",
     ALLOW("https://good.example") METHODS},
    {"with two lists", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS("x") HEADERS("y")), "127.0.0.1",
     ALLOW("https://good.example") METHODS},
    {"with an empty list", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS("")), "127.0.0.1",
     ALLOW("https://good.example") METHODS},
    {"with a long list", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS(A256 A256)), "127.0.0.1",
     ALLOW("https://good.example") METHODS MAY(A256 A256)},
    {"with one too long", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS(A256 A256 "a")), "127.0.0.1",
     ALLOW("https://good.example") METHODS},
    {"the longest",
     HEAD("OPTIONS", "/below/x",
          "Origin: app://" A256 A16 A16 A16 "aaaaaaaaaa\r\n"
          "Access-Control-Request-Method: GET\r\n" HEADERS(A256 A256) PRIVATE("true")),
     "127.0.0.1", ALLOW("app://" A256 A16 A16 A16 "aaaaaaaaaa") METHODS MAY(A256 A256) MAY_PRIVATE},
    {"a private network", HEAD("OPTIONS", "/on", PREFLIGHT PRIVATE("true")), "127.0.0.1",
     ALLOW("https://good.example") METHODS MAY_PRIVATE},
    {"not a private one", HEAD("OPTIONS", "/on", PREFLIGHT PRIVATE("false")), "127.0.0.1",
     ALLOW("https://good.example") METHODS},
    {"all of it", HEAD("OPTIONS", "/on", PREFLIGHT HEADERS("x-a") PRIVATE("true")), "127.0.0.1",
     ALLOW("https://good.example") METHODS MAY("x-a") MAY_PRIVATE},
    {"a preflight of another page",
     HEAD("OPTIONS", "/on", BAD "Access-Control-Request-Method: GET\r\n" PRIVATE("true")),
     "127.0.0.1", NULL},
};

static void check_row(const struct config *config, const struct scoreboard *board, size_t i)
{
    static struct http_fed fed;
    struct request request;
    struct addr source;
    const char *detail;
    char address[64];
    struct page page = {.status = 0};

    http_feed(&fed, rows[i].head, strlen(rows[i].head), 0);
    CHECK_EQ_INT(rows[i].name, upgrade_check_any(&fed.parser, &request, &detail), UPGRADE_OK);
    snprintf(address, sizeof(address), "%s:1", rows[i].source);
    CHECK_TRUE(rows[i].name, addr_parse(span_from_str(address), &source));
    const struct request before = request;
    const struct page_question question = {.listen = &config->listens[0],
                                           .head = &fed.parser,
                                           .request = &request,
                                           .source = &source,
                                           .config = config,
                                           .scoreboard = board};
    bool is_found = page_find(&question, &page);

    CHECK_EQ_INT(rows[i].name, is_found, rows[i].lines != NULL);
    CHECK_EQ_MEM(rows[i].name, &request, sizeof(request), &before, sizeof(before));
    if (is_found && rows[i].lines != NULL) {
        CHECK_EQ_U64(rows[i].name, page.status, rows[i].lines[0] != '\0' ? 204 : 503);
        CHECK_EQ_MEM(rows[i].name, page.headers.data, page.headers.len, rows[i].lines,
                     strlen(rows[i].lines));
        CHECK_EQ_INT(rows[i].name, answer_is_done(&page.body), page.status == 204);
    } else {
        CHECK_EQ_U64(rows[i].name, page.status, 0);
    }
    page_done(&page);
    http_feed_done(&fed);
    fed = (struct http_fed){.consumed = 0};
}

static void test_who_gets_it(void)
{
    struct scoreboard *board = scoreboard_new(1, 0);
    struct report report = {NULL, 0, false};
    struct config *config = config_parse(SPAN_LIT(ini), &report);

    if (!CHECK_TRUE("configuration", config != NULL && board != NULL)) {
        report_print(&report, "test", stderr);
    }
    report_done(&report);
    for (size_t i = 0; config != NULL && board != NULL && i < COUNT(rows); i++) {
        check_row(config, board, i);
    }
    config_free(config);
}

// Without memory the request gets what it gets without a page.
static void test_no_memory(void)
{
    struct scoreboard *board = scoreboard_new(1, 0);
    struct report report = {NULL, 0, false};
    struct config *config = config_parse(SPAN_LIT(ini), &report);

    report_done(&report);
    if (!CHECK_TRUE("configuration", config != NULL && board != NULL)) {
        return;
    }
    for (uint64_t tries = 0; tries < 3; tries++) {
        struct http_fed fed = {.consumed = 0};
        struct request request;
        struct addr source;
        const char *detail;
        struct page page = {.status = 0};

        http_feed(&fed, rows[0].head, strlen(rows[0].head), 0);
        CHECK_EQ_INT("head", upgrade_check_any(&fed.parser, &request, &detail), UPGRADE_OK);
        CHECK_TRUE("source", addr_parse(SPAN_LIT("127.0.0.1:1"), &source));
        const struct page_question question = {.listen = &config->listens[0],
                                               .head = &fed.parser,
                                               .request = &request,
                                               .source = &source,
                                               .config = config,
                                               .scoreboard = board};
        mem_fail_after(tries);
        bool is_found = page_find(&question, &page);
        mem_fail_after(0);
        CHECK_TRUE("all or nothing",
                   is_found == (page.status == 204) && is_found == (page.headers.len > 0));
        page_done(&page);
        http_feed_done(&fed);
    }
    config_free(config);
}

CU_TestInfo page_local_tests[] = {
    {"who gets the CORS answer", test_who_gets_it},
    {"no memory for it", test_no_memory},
    CU_TEST_INFO_NULL,
};
