/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/upgrade.h"

#include <ctype.h>

#include "base/mem.h"
#include "check.h"
#include "handshakes.h"
#include "http_feed.h"
#include "suites.h"
#include "upgrade_rows.h"

static struct http_fed fed;

static enum upgrade_result check_row(const struct upgrade_row *row, size_t cut, struct request *out,
                                     struct span *key, const char **detail)
{
    http_feed(&fed, row->text, row->len, cut);
    CHECK_EQ_INT(row->name, fed.result, HTTP_DONE);
    return upgrade_check(&fed.parser, out, key, detail);
}

static void check_span(const char *row, struct span got, const char *want)
{
    CHECK_EQ_MEM(row, got.data, got.len, want, strlen(want));
}

static void test_refused(void)
{
    for (size_t i = 0; i < COUNT(upgrade_bad_rows); i++) {
        const struct upgrade_row *row = &upgrade_bad_rows[i];
        struct request request;
        struct request untouched;
        struct span key = SPAN_LIT("untouched");
        const char *detail = NULL;

        memset(&request, 0x5a, sizeof(request));
        memset(&untouched, 0x5a, sizeof(untouched));
        CHECK_EQ_INT(row->name, check_row(row, BYTE_BY_BYTE, &request, &key, &detail), row->want);
        CHECK_EQ_STR(row->name, detail, row->detail);
        CHECK_EQ_MEM(row->name, &request, sizeof(request), &untouched, sizeof(untouched));
        check_span(row->name, key, "untouched");
        for (size_t cut = 0; cut < row->len; cut++) {
            enum upgrade_result got = check_row(row, cut, &request, &key, &detail);

            if (got != row->want || strcmp(detail, row->detail) != 0) {
                CHECK_TRUE(row->name, false);
                break;
            }
        }
    }
}

// The authority of an absolute target replaces Host.
static void test_absolute_target(void)
{
    static const struct {
        const char *target;
        const char *authority;
        const char *host_name;
        uint16_t port;
        const char *path;
        const char *query;
    } rows[] = {
        {"http://b.example/x?y", "b.example", "b.example", 0, "/x", "y"},
        {"HTTP://b.example/x", "b.example", "b.example", 0, "/x", ""},
        {"https://b.example:8443/", "b.example:8443", "b.example", 8443, "/", ""},
        {"ws://b.example:/x", "b.example:", "b.example", 0, "/x", ""},
        {"WsS://[::1]:7/x", "[::1]:7", "::1", 7, "/x", ""},
        {"http://b.example", "b.example", "b.example", 0, "/", ""},
        {"http://b.example?y=/z", "b.example", "b.example", 0, "/", "y=/z"},
        {"http://b.example//x/http://c", "b.example", "b.example", 0, "//x/http://c", ""},
        {"/http://b.example/", "a.example", "a.example", 0, "/http://b.example/", ""},
        {"//b.example/x", "a.example", "a.example", 0, "//b.example/x", ""},
    };
    char head[512];

    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        bool is_host_empty = i >= COUNT(rows);
        const char *target = rows[i % COUNT(rows)].target;
        struct request request;
        struct span key;
        const char *detail;
        int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost:%s\r\n" MINIMAL "\r\n",
                           target, is_host_empty ? "" : " a.example");

        http_feed(&fed, head, (size_t)len, BYTE_BY_BYTE);
        if (is_host_empty && target[0] == '/') {
            CHECK_EQ_INT(target, upgrade_check(&fed.parser, &request, &key, &detail), UPGRADE_BAD);
            continue;
        }
        if (CHECK_EQ_INT(target, upgrade_check(&fed.parser, &request, &key, &detail), UPGRADE_OK)) {
            check_span(target, request.authority, rows[i % COUNT(rows)].authority);
            check_span(target, request.host_name, rows[i % COUNT(rows)].host_name);
            CHECK_EQ_U64(target, request.host_port, rows[i % COUNT(rows)].port);
            check_span(target, request.path, rows[i % COUNT(rows)].path);
            check_span(target, request.query, rows[i % COUNT(rows)].query);
        }
    }
}

static void check_request(const struct handshake_row *row, const struct request *request)
{
    struct span offers = span_from_str(row->offers);
    struct span offer;
    size_t count = 0;

    check_span(row->name, request->host_name, row->host_name);
    CHECK_EQ_U64(row->name, request->host_port, row->host_port);
    check_span(row->name, request->path, row->path);
    check_span(row->name, request->method, "GET");
    CHECK_EQ_INT(row->name, request->has_origin, row->origin != NULL);
    if (row->origin != NULL) {
        check_span(row->name, request->origin, row->origin);
    }
    while (span_next(&offers, ' ', &offer)) {
        if (CHECK_TRUE(row->name, count < request->offer_count)) {
            CHECK_TRUE(row->name, span_is_equal(request->offers[count], offer));
        }
        count++;
    }
    CHECK_EQ_U64(row->name, request->offer_count, count);
}

static void test_accepted(void)
{
    for (size_t i = 0; i < COUNT(handshake_rows); i++) {
        const struct handshake_row *row = &handshake_rows[i];
        struct request request;
        struct span key = {NULL, 0};
        const char *detail = NULL;

        http_feed(&fed, row->text, row->len, BYTE_BY_BYTE);
        if (CHECK_EQ_INT(row->name, upgrade_check(&fed.parser, &request, &key, &detail),
                         UPGRADE_OK)) {
            check_request(row, &request);
            check_span(row->name, key, "dGhlIHNhbXBsZSBub25jZQ==");
        }
        CHECK_EQ_STR(row->name, detail, "");
        for (size_t cut = 0; cut < row->len; cut++) {
            http_feed(&fed, row->text, row->len, cut);
            CHECK_TRUE(row->name,
                       upgrade_check(&fed.parser, &request, &key, &detail) == UPGRADE_OK);
        }
    }
}

// Without any one of these headers, a head is no handshake; with one of them twice, only where that
// header is a list.
static void test_each_header_counts(void)
{
    static const char *const lines[] = {
        "Host: a.example\r\n", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n", KEY, VERSION,
    };
    static const bool may_be_twice[] = {false, true, true, false, false};
    char head[512];

    for (size_t i = 0; i < 2 * COUNT(lines); i++) {
        struct request request;
        struct span key = {NULL, 0};
        const char *detail = NULL;
        size_t odd = i % COUNT(lines);
        bool is_twice = i >= COUNT(lines);
        int len = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n");

        for (size_t j = 0; j < COUNT(lines); j++) {
            for (int n = j != odd ? 1 : is_twice ? 2 : 0; n > 0; n--) {
                len += snprintf(head + len, sizeof(head) - (size_t)len, "%s", lines[j]);
            }
        }
        len += snprintf(head + len, sizeof(head) - (size_t)len, "\r\n");
        http_feed(&fed, head, (size_t)len, 0);
        CHECK_EQ_INT(lines[odd], fed.result, HTTP_DONE);
        CHECK_EQ_INT(lines[odd], upgrade_check(&fed.parser, &request, &key, &detail) == UPGRADE_OK,
                     is_twice && may_be_twice[odd]);
    }
}

static void test_key_letters(void)
{
    char head[256];
    int len =
        snprintf(head, sizeof(head),
                 GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    char *key = strstr(head, "dGhl");

    for (unsigned at = 0; at < 24; at++) {
        char saved = key[at];

        for (unsigned c = 0x21; c < 256; c++) {
            struct request request;
            struct span taken = {NULL, 0};
            const char *detail = NULL;
            bool is_letter = c < 0x7f && (isalnum((int)c) || c == '+' || c == '/');
            bool want = at < 22 ? is_letter : c == '=';

            if (c == 0x7f) {
                continue;
            }
            key[at] = (char)c;
            http_feed(&fed, head, (size_t)len, 0);
            CHECK_EQ_INT(head, upgrade_check(&fed.parser, &request, &taken, &detail) == UPGRADE_OK,
                         want);
        }
        key[at] = saved;
    }
}

static void test_plain_get(void)
{
    static const struct {
        const char *name;
        const char *text;
        size_t len;
        bool want;
    } rows[] = {
        {"GET", TEXT("GET /page HTTP/1.1\r\n" HOST "\r\n"), true},
        {"HEAD", TEXT("HEAD /page HTTP/1.1\r\n" HOST "\r\n"), true},
        {"HTTP/1.0", TEXT("GET /page HTTP/1.0\r\n" HOST "\r\n"), true},
        {"a query", TEXT("GET /page?x=1 HTTP/1.1\r\n" HOST "\r\n"), true},
        {"curl with HTTP/2",
         TEXT("GET /page HTTP/1.1\r\n" HOST "Connection: Upgrade, "
              "HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"),
         true},
        {"POST", TEXT("POST /page HTTP/1.1\r\n" HOST "\r\n"), false},
        {"another path", TEXT("GET /pages HTTP/1.1\r\n" HOST "\r\n"), false},
        {"a path below", TEXT("GET /page/ HTTP/1.1\r\n" HOST "\r\n"), false},
        {"another case", TEXT("GET /Page HTTP/1.1\r\n" HOST "\r\n"), false},
        {"encoded", TEXT("GET /p%61ge HTTP/1.1\r\n" HOST "\r\n"), false},
        {"no Host", TEXT("GET /page HTTP/1.1\r\n\r\n"), false},
        {"two Hosts", TEXT("GET /page HTTP/1.1\r\n" HOST HOST "\r\n"), false},
        {"a bad Host", TEXT("GET /page HTTP/1.1\r\nHost: a b\r\n\r\n"), false},
        {"no Host with HTTP/1.0", TEXT("GET /page HTTP/1.0\r\n\r\n"), true},
        {"an empty Host", TEXT("GET /page HTTP/1.1\r\nHost:\r\n\r\n"), true},
        {"a URL", TEXT("GET http://a.example/page HTTP/1.1\r\n" HOST "\r\n"), true},
        {"a URL of another page", TEXT("GET http://a.example/ HTTP/1.1\r\n" HOST "\r\n"), false},
        {"a body", TEXT("GET /page HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n"), false},
        {"no body", TEXT("GET /page HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), true},
        {"chunks", TEXT("GET /page HTTP/1.1\r\n" HOST "Transfer-Encoding: x\r\n\r\n"), false},
        {"Expect", TEXT("GET /page HTTP/1.1\r\n" HOST "Expect: x\r\n\r\n"), true},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        http_feed(&fed, rows[i].text, rows[i].len, 0);
        CHECK_EQ_INT(rows[i].name, fed.result, HTTP_DONE);
        struct request page;
        const char *detail;
        bool is_page = upgrade_check_plain(&fed.parser, &page, &detail) == UPGRADE_OK &&
                       span_is_equal(page.path, SPAN_LIT("/page"));
        CHECK_EQ_INT(rows[i].name, is_page, rows[i].want);
    }
}

static void test_what_was_asked(void)
{
    static const char head[] = "GET /a/b?c=%2F&d=?e HTTP/1.1\r\nHost: h.example:81\r\n" MINIMAL
                               "Cookie: one\r\nX: y\r\ncookie: two\r\n\r\n";
    struct request request;
    struct span key;
    struct span value = {NULL, 0};
    const char *detail = NULL;
    size_t at = 0;

    http_feed(&fed, head, sizeof(head) - 1, BYTE_BY_BYTE);
    CHECK_EQ_INT("legal", upgrade_check(&fed.parser, &request, &key, &detail), UPGRADE_OK);
    check_span("authority", request.authority, "h.example:81");
    check_span("path", request.path, "/a/b");
    check_span("query", request.query, "c=%2F&d=?e");
    check_span("no offer", request_first_offer(&request), "");
    CHECK_TRUE("first", request_next_header(&request, SPAN_LIT("Cookie"), &at, &value));
    check_span("first", value, "one");
    CHECK_TRUE("second", request_next_header(&request, SPAN_LIT("Cookie"), &at, &value));
    check_span("second", value, "two");
    CHECK_FALSE("no third", request_next_header(&request, SPAN_LIT("Cookie"), &at, &value));
    at = 0;
    CHECK_FALSE("none", request_next_header(&request, SPAN_LIT("Cookies"), &at, &value));
}

static void test_accept_key(void)
{
    static const char *const rows[][2] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, // RFC 6455 1.3
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="}, // from another program
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[29];

        upgrade_accept_key(span_from_str(rows[i][0]), out);
        CHECK_EQ_STR(rows[i][0], out, rows[i][1]);
    }
}

static void test_101(void)
{
    static const char plain[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    static const char chosen[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                 "Sec-WebSocket-Protocol: binary\r\n\r\n";
    static const char extended[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                   "Sec-WebSocket-Protocol: binary\r\n"
                                   "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    static const char longest[] = LETTERS_1024 LETTERS_1024 LETTERS_1024 LETTERS_1024 "x";
    static const char long_extensions[] = LETTERS_256 "x";
    const struct span key = SPAN_LIT("dGhlIHNhbXBsZSBub25jZQ==");
    const struct span none = {NULL, 0};
    char out[UPGRADE_101_MAX];
    size_t len = upgrade_write_101(out, key, none, none);

    CHECK_EQ_MEM("no subprotocol", out, len, plain, sizeof(plain) - 1);
    len = upgrade_write_101(out, key, SPAN_LIT("binary"), none);
    CHECK_EQ_MEM("a subprotocol", out, len, chosen, sizeof(chosen) - 1);
    len = upgrade_write_101(out, key, (struct span){longest, REQUEST_OFFER_LEN_MAX}, none);
    CHECK_EQ_U64("the longest", len, sizeof(chosen) - 1 - 6 + REQUEST_OFFER_LEN_MAX);
    CHECK_EQ_U64("too long", upgrade_write_101(out, key, SPAN_LIT(longest), none), 0);
    CHECK_EQ_U64("too long", upgrade_write_101(out, key, none, SPAN_LIT(long_extensions)), 0);
    len = upgrade_write_101(out, key, SPAN_LIT("binary"), SPAN_LIT("permessage-deflate"));
    CHECK_EQ_MEM("an extension", out, len, extended, sizeof(extended) - 1);
}

#define PAGE "Origin: https://page.example\r\n"
#define CORS(method, path, lines) \
    method " " path " HTTP/1.1\r\n" HOST lines "\r\n", \
        sizeof(method " " path " HTTP/1.1\r\n" HOST lines "\r\n") - 1

/* What a page of another origin sends without opening a WebSocket. */
static void test_cors(void)
{
    static const struct upgrade_row rows[] = {
        {"GET", CORS("GET", "/r", PAGE), UPGRADE_OK, ""},
        {"HEAD", CORS("HEAD", "/r", PAGE), UPGRADE_OK, ""},
        {"a preflight", CORS("OPTIONS", "/r?x=1", PAGE "Access-Control-Request-Method: GET\r\n"),
         UPGRADE_OK, ""},
        {"another upgrade", CORS("GET", "/r", PAGE "Connection: upgrade\r\nUpgrade: h2c\r\n"),
         UPGRADE_OK, ""},
        {"no content", CORS("OPTIONS", "/r", PAGE "Content-Length: 0\r\n"), UPGRADE_OK, ""},
        {"POST", CORS("POST", "/r", PAGE), UPGRADE_BAD_METHOD, "method not GET, HEAD or OPTIONS"},
        {"DELETE", CORS("DELETE", "/r", PAGE), UPGRADE_BAD_METHOD,
         "method not GET, HEAD or OPTIONS"},
        {"an unknown method", CORS("FETCH", "/r", PAGE), UPGRADE_NO_METHOD, "unknown method"},
        {"content", CORS("OPTIONS", "/r", PAGE "Content-Length: 1\r\n"), UPGRADE_BAD,
         "Content-Length in a request without body"},
        {"a handshake", CORS("GET", "/r", PAGE UP), UPGRADE_BAD,
         "a handshake that opens no WebSocket"},
        {"a handshake in a list", CORS("GET", "/r", PAGE "Upgrade: h2c, WebSocket\r\n"),
         UPGRADE_BAD, "a handshake that opens no WebSocket"},
        {"no Origin", CORS("GET", "/r", ""), UPGRADE_BAD, "no Origin"},
        {"two Origins", CORS("GET", "/r", PAGE PAGE), UPGRADE_BAD, "more than one Origin"},
        {"two readings", CORS("GET", "/r/../s", PAGE), UPGRADE_BAD, "dot segment in the path"},
        {"empty Host", TEXT("GET /r HTTP/1.1\r\nHost:\r\n" PAGE "\r\n"), UPGRADE_BAD, "empty Host"},
        {"no path", TEXT("OPTIONS * HTTP/1.1\r\n" HOST PAGE "\r\n"), UPGRADE_OK, ""},
    };
    struct request untouched;

    memset(&untouched, 0x5a, sizeof(untouched));
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t cut = 0; cut <= rows[i].len; cut++) {
            struct request request = untouched;
            const char *detail = NULL;

            http_feed(&fed, rows[i].text, rows[i].len, cut < rows[i].len ? cut : BYTE_BY_BYTE);
            CHECK_EQ_INT(rows[i].name, upgrade_check_cors(&fed.parser, &request, &detail),
                         rows[i].want);
            CHECK_EQ_STR(rows[i].name, detail, rows[i].detail);
            if (rows[i].want == UPGRADE_OK) {
                check_span(rows[i].name, request.origin, "https://page.example");
                CHECK_TRUE(rows[i].name, request.has_origin);
            } else {
                CHECK_EQ_MEM(rows[i].name, &request, sizeof(request), &untouched,
                             sizeof(untouched));
            }
        }
    }
}

static void test_nothing_left(void)
{
    http_feed_done(&fed);
    CHECK_EQ_U64("blocks", mem_live_blocks(), 0);
}

CU_TestInfo upgrade_tests[] = {
    {"refused handshakes, at every cut", test_refused},
    {"legal handshakes, at every cut", test_accepted},
    {"absolute targets", test_absolute_target},
    {"each header counts", test_each_header_counts},
    {"every letter of the key", test_key_letters},
    {"plain requests", test_plain_get},
    {"what was asked for", test_what_was_asked},
    {"the accept key", test_accept_key},
    {"the 101", test_101},
    {"what a page asks without a WebSocket, at every cut", test_cors},
    {"nothing is left", test_nothing_left},
    CU_TEST_INFO_NULL,
};
