/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/token.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http_feed.h"
#include "proto/upgrade.h"
#include "suites.h"

#define OPENING \
    "Host: gw\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

#define K8S "base64url.bearer.authorization.k8s.io."
#define SOURCES_MAX 8

struct row {
    const char *name;
    const char *sources; /* as auth_from has them; behind "!" only with a trusted proxy */
    const char *target;
    const char *lines; /* headers, with their CRLF */
    enum token_result want;
    const char *text;
    const char *user;
};

static const struct row rows[] = {
    {"nothing", "subprotocol, cookie:a, query:a, bearer", "/", "", TOKEN_NONE, NULL, NULL},
    {"no sources", "", "/?a=1", "Cookie: a=1\r\n", TOKEN_NONE, NULL, NULL},

    {"subprotocol", "subprotocol", "/", "Sec-WebSocket-Protocol: a, sluice.token.Zm9v, b\r\n",
     TOKEN_FOUND, "foo", NULL},
    {"subprotocol of Kubernetes", "subprotocol", "/",
     "Sec-WebSocket-Protocol: " K8S "Zm9v, v5.channel.k8s.io\r\n", TOKEN_FOUND, "foo", NULL},
    {"subprotocol alone", "subprotocol", "/", "Sec-WebSocket-Protocol: sluice.token.Zm8\r\n",
     TOKEN_FOUND, "fo", NULL},
    {"subprotocol, another", "subprotocol", "/",
     "Sec-WebSocket-Protocol: Sluice.token.Zm9v, sluice.tokens.Zm9v, sluice.token\r\n", TOKEN_NONE,
     NULL, NULL},
    {"subprotocol, two lines", "subprotocol", "/",
     "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: sluice.token.Zm9v\r\n", TOKEN_FOUND,
     "foo", NULL},
    {"subprotocol twice", "subprotocol", "/",
     "Sec-WebSocket-Protocol: sluice.token.Zm9v, " K8S "Zm9v\r\n", TOKEN_TWICE, NULL, NULL},
    {"subprotocol, empty", "subprotocol", "/", "Sec-WebSocket-Protocol: sluice.token.\r\n",
     TOKEN_BAD, NULL, NULL},
    {"subprotocol, dots", "subprotocol", "/", "Sec-WebSocket-Protocol: sluice.token.a.b.c\r\n",
     TOKEN_BAD, NULL, NULL},
    {"subprotocol, standard base64", "subprotocol", "/",
     "Sec-WebSocket-Protocol: sluice.token.Zm+v\r\n", TOKEN_BAD, NULL, NULL},
    {"subprotocol, spare bits", "subprotocol", "/", "Sec-WebSocket-Protocol: sluice.token.Zm9\r\n",
     TOKEN_BAD, NULL, NULL},
    {"subprotocol, CR LF inside", "subprotocol", "/",
     "Sec-WebSocket-Protocol: sluice.token.YQ0KYg\r\n", TOKEN_BAD, NULL, NULL},
    {"subprotocol, NUL inside", "subprotocol", "/", "Sec-WebSocket-Protocol: sluice.token.YQBi\r\n",
     TOKEN_BAD, NULL, NULL},
    {"subprotocol, no ASCII", "subprotocol", "/", "Sec-WebSocket-Protocol: sluice.token.w6k\r\n",
     TOKEN_BAD, NULL, NULL},

    {"cookie", "cookie:s", "/", "Cookie: a=1; s=x.y-z_; b=2\r\n", TOKEN_FOUND, "x.y-z_", NULL},
    {"cookie, no blank", "cookie:s", "/", "Cookie: a=1;s=x\r\n", TOKEN_FOUND, "x", NULL},
    {"cookie, equals signs", "cookie:s", "/", "Cookie: s=eA==; b=2\r\n", TOKEN_FOUND, "eA==", NULL},
    {"cookie, quotes", "cookie:s", "/", "Cookie: s=\"x\"\r\n", TOKEN_FOUND, "x", NULL},
    {"cookie, second line", "cookie:s", "/", "Cookie: a=1\r\nCookie: s=x\r\n", TOKEN_FOUND, "x",
     NULL},
    {"cookie, others are malformed", "cookie:s", "/", "Cookie: =; ;{\"a\":1, b}; c\xff; s=x;;\r\n",
     TOKEN_FOUND, "x", NULL},
    {"cookie, prefix", "cookie:__Host-s", "/", "Cookie: s=a; __Host-s=x\r\n", TOKEN_FOUND, "x",
     NULL},
    {"cookie, case", "cookie:s", "/", "Cookie: S=x\r\n", TOKEN_NONE, NULL, NULL},
    {"cookie, no value", "cookie:s", "/", "Cookie: s\r\n", TOKEN_NONE, NULL, NULL},
    {"cookie, a longer name", "cookie:s", "/", "Cookie: ss=x; xs=x\r\n", TOKEN_NONE, NULL, NULL},
    {"cookie in a value", "cookie:s", "/", "Cookie: a=s=x\r\n", TOKEN_NONE, NULL, NULL},
    {"cookie twice", "cookie:s", "/", "Cookie: s=x; s=y\r\n", TOKEN_TWICE, NULL, NULL},
    {"cookie twice, the same", "cookie:s", "/", "Cookie: s=x\r\nCookie: s=x\r\n", TOKEN_TWICE, NULL,
     NULL},
    {"cookie, empty", "cookie:s", "/", "Cookie: s=\r\n", TOKEN_BAD, NULL, NULL},
    {"cookie, empty quotes", "cookie:s", "/", "Cookie: s=\"\"\r\n", TOKEN_BAD, NULL, NULL},
    {"cookie, one quote", "cookie:s", "/", "Cookie: s=\"x\r\n", TOKEN_BAD, NULL, NULL},
    {"cookie, a blank inside", "cookie:s", "/", "Cookie: s=x y\r\n", TOKEN_BAD, NULL, NULL},
    {"cookie, a comma", "cookie:s", "/", "Cookie: s=x,y\r\n", TOKEN_BAD, NULL, NULL},
    {"cookie, a backslash", "cookie:s", "/", "Cookie: s=x\\y\r\n", TOKEN_BAD, NULL, NULL},
    {"cookie, no ASCII", "cookie:s", "/", "Cookie: s=\xc3\xa9\r\n", TOKEN_BAD, NULL, NULL},

    {"query", "query:t", "/a?t=x", "", TOKEN_FOUND, "x", NULL},
    {"query, among others", "query:t", "/?a=1&t=x.y&b=2", "", TOKEN_FOUND, "x.y", NULL},
    {"query, encoded", "query:t", "/?t=%78%2By%2f%3d", "", TOKEN_FOUND, "x+y/=", NULL},
    {"query, encoded name", "query:t", "/?%74=x", "", TOKEN_FOUND, "x", NULL},
    {"query, plus", "query:t", "/?t=a+b=", "", TOKEN_FOUND, "a+b=", NULL},
    {"query, a long name", "query:access_token", "/?access_token=x", "", TOKEN_FOUND, "x", NULL},
    {"query, case", "query:t", "/?T=x", "", TOKEN_NONE, NULL, NULL},
    {"query, a longer name", "query:t", "/?tt=x&at=x&t%00=x", "", TOKEN_NONE, NULL, NULL},
    {"query, a shorter name", "query:tt", "/?t=x&t%7=x", "", TOKEN_NONE, NULL, NULL},
    {"query, none", "query:t", "/t=x", "", TOKEN_NONE, NULL, NULL},
    {"query, others are malformed", "query:t", "/?%=%&%zz&&=&t=x", "", TOKEN_FOUND, "x", NULL},
    {"query twice", "query:t", "/?t=x&t=x", "", TOKEN_TWICE, NULL, NULL},
    {"query twice, encoded", "query:t", "/?t=x&%74=y", "", TOKEN_TWICE, NULL, NULL},
    {"query, empty", "query:t", "/?t=", "", TOKEN_BAD, NULL, NULL},
    {"query, no equals sign", "query:t", "/?t", "", TOKEN_BAD, NULL, NULL},
    {"query, half a code", "query:t", "/?t=x%7", "", TOKEN_BAD, NULL, NULL},
    {"query, no hex", "query:t", "/?t=x%7g", "", TOKEN_BAD, NULL, NULL},
    {"query, NUL", "query:t", "/?t=x%00", "", TOKEN_BAD, NULL, NULL},
    {"query, line end", "query:t", "/?t=x%0d%0ay", "", TOKEN_BAD, NULL, NULL},
    {"query, a blank", "query:t", "/?t=x%20y", "", TOKEN_BAD, NULL, NULL},

    {"bearer", "bearer", "/", "Authorization: Bearer a-Z.0_9~+/==\r\n", TOKEN_FOUND,
     "a-Z.0_9~+/==", NULL},
    {"bearer, case and blanks", "bearer", "/", "authorization:  bEARER   x \r\n", TOKEN_FOUND, "x",
     NULL},
    {"bearer, another scheme", "bearer", "/", "Authorization: Basic eDp5\r\n", TOKEN_NONE, NULL,
     NULL},
    {"bearer, no blank", "bearer", "/", "Authorization: BearerX\r\n", TOKEN_NONE, NULL, NULL},
    {"bearer, empty", "bearer", "/", "Authorization: Bearer\r\n", TOKEN_BAD, NULL, NULL},
    {"bearer, only padding", "bearer", "/", "Authorization: Bearer ==\r\n", TOKEN_BAD, NULL, NULL},
    {"bearer, padding inside", "bearer", "/", "Authorization: Bearer a=b\r\n", TOKEN_BAD, NULL,
     NULL},
    {"bearer, two words", "bearer", "/", "Authorization: Bearer a b\r\n", TOKEN_BAD, NULL, NULL},
    {"bearer, a comma", "bearer", "/", "Authorization: Bearer a,b\r\n", TOKEN_BAD, NULL, NULL},
    {"bearer, a letter below", "bearer", "/", "Authorization: Bearer a@b\r\n", TOKEN_BAD, NULL,
     NULL},
    {"bearer twice", "bearer", "/", "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n",
     TOKEN_TWICE, NULL, NULL},

    {"basic", "basic", "/", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n", TOKEN_FOUND,
     "open sesame", "Aladdin"},
    {"basic, UTF-8, RFC 7617", "basic", "/", "Authorization: basic dGVzdDoxMjPCow==\r\n",
     TOKEN_FOUND, "123\xc2\xa3", "test"},
    {"basic, colons", "basic", "/", "Authorization: Basic YTpiOmM=\r\n", TOKEN_FOUND, "b:c", "a"},
    {"basic, no password", "basic", "/", "Authorization: Basic YTo=\r\n", TOKEN_FOUND, "", "a"},
    {"basic, another scheme", "basic", "/", "Authorization: Bearer eDp5\r\n", TOKEN_NONE, NULL,
     NULL},
    {"basic, no user", "basic", "/", "Authorization: Basic OmI=\r\n", TOKEN_BAD, NULL, NULL},
    {"basic, no colon", "basic", "/", "Authorization: Basic YWI=\r\n", TOKEN_BAD, NULL, NULL},
    {"basic, no padding", "basic", "/", "Authorization: Basic YTo\r\n", TOKEN_BAD, NULL, NULL},
    {"basic, base64url", "basic", "/", "Authorization: Basic YTr_\r\n", TOKEN_BAD, NULL, NULL},
    {"basic, NUL", "basic", "/", "Authorization: Basic YTpiAGM=\r\n", TOKEN_BAD, NULL, NULL},
    {"basic, no UTF-8", "basic", "/", "Authorization: Basic YTr/\r\n", TOKEN_BAD, NULL, NULL},
    {"basic, empty", "basic", "/", "Authorization: Basic\r\n", TOKEN_BAD, NULL, NULL},
    {"basic twice", "basic", "/", "Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n",
     TOKEN_TWICE, NULL, NULL},

    {"header", "header:Cf-Access-Jwt-Assertion", "/", "cf-access-jwt-assertion: x.y.z\r\n",
     TOKEN_NONE, NULL, NULL},
    {"header of a trusted proxy", "!header:Cf-Access-Jwt-Assertion", "/",
     "cf-access-jwt-assertion: x.y.z\r\n", TOKEN_FOUND, "x.y.z", NULL},
    {"header with Bearer", "!header:Authorization", "/", "Authorization: Bearer x\r\n", TOKEN_FOUND,
     "x", NULL},
    {"header, empty", "!header:X-T", "/", "X-T:\r\n", TOKEN_BAD, NULL, NULL},
    {"header, a blank", "!header:X-T", "/", "X-T: a b\r\n", TOKEN_BAD, NULL, NULL},
    {"header twice", "!header:X-T", "/", "X-T: a\r\nX-T: b\r\n", TOKEN_TWICE, NULL, NULL},
    {"header, none", "!header:X-T", "/", "X-TT: a\r\n", TOKEN_NONE, NULL, NULL},

    {"the first place wins", "cookie:s, query:t", "/?t=q", "Cookie: s=c\r\n", TOKEN_FOUND, "c",
     NULL},
    {"the other order", "query:t, cookie:s", "/?t=q", "Cookie: s=c\r\n", TOKEN_FOUND, "q", NULL},
    {"the second place", "cookie:s, query:t", "/?t=q", "", TOKEN_FOUND, "q", NULL},
    {"malformed in the first", "cookie:s, query:t", "/?t=q", "Cookie: s=\r\n", TOKEN_BAD, NULL,
     NULL},
    {"a message", "first_message", "/", "", TOKEN_LATER, NULL, NULL},
    {"a message, but it is here", "first_message, query:t", "/?t=q", "", TOKEN_FOUND, "q", NULL},
    {"a message, and it is not here", "first_message, query:t", "/", "", TOKEN_LATER, NULL, NULL},
    {"another scheme, then a message", "bearer, first_message", "/", "Authorization: Digest x\r\n",
     TOKEN_LATER, NULL, NULL},
};

static struct http_fed fed;

/* False when the head is no legal opening. */
static bool make_request(const char *row, const char *target, const char *lines,
                         struct request *out)
{
    static char head[32768];
    struct span key;
    const char *detail = NULL;
    int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\n" OPENING "%s\r\n", target, lines);
    http_feed(&fed, head, (size_t)len, 0);
    if (!CHECK_EQ_INT(row, fed.result, HTTP_DONE)) {
        return false;
    }
    return CHECK_EQ_INT(row, upgrade_check(&fed.parser, out, &key, &detail), UPGRADE_OK);
}

static size_t parse_sources(const char *text, struct token_source out[SOURCES_MAX])
{
    struct span rest = span_from_str(text);
    struct span item;
    size_t count = 0;
    while (span_next(&rest, ',', &item)) {
        CHECK_TRUE(text, token_source_parse(item, &out[count]));
        count++;
    }
    return count;
}

static enum token_result find(const struct row *row, struct token *token)
{
    struct token_source sources[SOURCES_MAX];
    struct request request;
    bool is_trusted = row->sources[0] == '!';
    *token = (struct token){.detail = "no request"};
    if (!make_request(row->name, row->target, row->lines, &request)) {
        return TOKEN_NONE;
    }
    struct token_question question = {.request = &request,
                                      .sources = sources,
                                      .source_count =
                                          parse_sources(row->sources + is_trusted, sources),
                                      .wants_password = strstr(row->sources, "basic") != NULL,
                                      .is_from_trusted_proxy = is_trusted};
    return token_find(&question, token);
}

static void test_find(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct token token;
        enum token_result result = find(&rows[i], &token);
        CHECK_EQ_INT(rows[i].name, result, rows[i].want);
        CHECK_EQ_INT(rows[i].name, token.detail == NULL, result == TOKEN_FOUND);
        if (result == TOKEN_FOUND && rows[i].text != NULL) {
            CHECK_EQ_MEM(rows[i].name, token.text.data, token.text.len, rows[i].text,
                         strlen(rows[i].text));
        }
        if (rows[i].user != NULL) {
            CHECK_EQ_MEM(rows[i].name, token.user.data, token.user.len, rows[i].user,
                         strlen(rows[i].user));
        }
        token_done(&token);
        http_feed_done(&fed);
    }
}

/* Passwords and tokens do not mix. */
static void test_kinds(void)
{
    static const struct token_source sources[] = {
        {TOKEN_BASIC, {NULL, 0}}, {TOKEN_BEARER, {NULL, 0}}, {TOKEN_FIRST_MESSAGE, {NULL, 0}}};
    struct request request;
    struct token token;
    struct token_question q = {.request = &request, .sources = sources, .source_count = 3};
    if (make_request("kinds", "/", "Authorization: Basic YTpi\r\n", &request)) {
        CHECK_EQ_INT("no password wanted", token_find(&q, &token), TOKEN_LATER);
        q.wants_password = true;
        CHECK_EQ_INT("a password", token_find(&q, &token), TOKEN_FOUND);
        token_done(&token);
    }
    if (make_request("kinds", "/", "Authorization: Bearer YTpi\r\n", &request)) {
        CHECK_EQ_INT("none, and no message counts", token_find(&q, &token), TOKEN_NONE);
    }
    http_feed_done(&fed);
}

static void test_no_memory(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct token_source sources[SOURCES_MAX];
        struct request request;
        struct token token;
        bool is_trusted = rows[i].sources[0] == '!';
        if (!make_request(rows[i].name, rows[i].target, rows[i].lines, &request)) {
            continue;
        }
        struct token_question q = {.request = &request,
                                   .sources = sources,
                                   .wants_password = strstr(rows[i].sources, "basic") != NULL,
                                   .is_from_trusted_proxy = is_trusted};
        q.source_count = parse_sources(rows[i].sources + is_trusted, sources);
        size_t before = mem_live_blocks();
        mem_fail_after(1);
        enum token_result result = token_find(&q, &token);
        mem_fail_after(0);
        CHECK_TRUE(rows[i].name, result != TOKEN_FOUND);
        CHECK_EQ_U64(rows[i].name, mem_live_blocks(), before);
    }
    (void)mem_recover();
    http_feed_done(&fed);
}

/* upgrade_check keeps tokens apart from the offers. */
static void test_offers(void)
{
    static char lines[24000];
    struct request request;
    if (make_request("offers", "/",
                     "Sec-WebSocket-Protocol: a, sluice.token.x, b, " K8S "y, sluice.token\r\n",
                     &request)) {
        CHECK_EQ_U64("tokens", request.token_offer_count, 2);
        CHECK_TRUE("token", span_is_equal(request.token_offer, SPAN_LIT(K8S "y")));
        CHECK_EQ_U64("offers", request.offer_count, 3);
        CHECK_TRUE("a", span_is_equal(request.offers[0], SPAN_LIT("a")));
        CHECK_TRUE("b", span_is_equal(request.offers[1], SPAN_LIT("b")));
        CHECK_TRUE("c", span_is_equal(request.offers[2], SPAN_LIT("sluice.token")));
    }
    if (make_request("only", "/", "Sec-WebSocket-Protocol: sluice.token.x\r\n", &request)) {
        CHECK_EQ_U64("offers", request.offer_count, 0);
        CHECK_EQ_U64("no favourite", request_first_offer(&request).len, 0);
    }
    /* Of any length that the head may have; decoded they are 15,000 times "i". */
    size_t len = (size_t)snprintf(lines, sizeof(lines), "Sec-WebSocket-Protocol: sluice.token.");
    for (size_t i = 0; i < 5000; i++) {
        memcpy(lines + len + 4 * i, "aWlp", 4);
    }
    snprintf(lines + len + 20000, sizeof(lines) - len - 20000, ", a\r\n");
    if (make_request("long", "/", lines, &request)) {
        const struct token_source source = {TOKEN_SUBPROTOCOL, {NULL, 0}};
        struct token_question q = {.request = &request, .sources = &source, .source_count = 1};
        struct token token;
        CHECK_EQ_INT("long", token_find(&q, &token), TOKEN_FOUND);
        CHECK_EQ_U64("long", token.text.len, 15000);
        token_done(&token);
    }
    http_feed_done(&fed);
}

static void test_sources(void)
{
    static const char *const bad[] = {
        "",           "Bearer",       "bearer:x", "cookie",     "cookie:",        "cookie:a b",
        "cookie:a=b", "query:",       "header",   "header:a:b", "first_message:", "token:x",
        " bearer",    "first-message"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct token_source source;
        CHECK_FALSE(bad[i], token_source_parse(span_from_str(bad[i]), &source));
    }
}

/* A message, in three pieces cut anywhere. */
static void check_message(const char *text, size_t len, const char *want)
{
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct token token = {.len = 0};
            const uint8_t *data = (const uint8_t *)text;
            CHECK_EQ_INT(text, token_add_message(&token, data, first), TOKEN_LATER);
            CHECK_EQ_INT(text, token_add_message(&token, data + first, second - first),
                         TOKEN_LATER);
            CHECK_EQ_INT(text, token_add_message(&token, data + second, len - second), TOKEN_LATER);
            CHECK_EQ_INT(text, token_end_message(&token), want != NULL ? TOKEN_FOUND : TOKEN_BAD);
            if (want != NULL) {
                CHECK_EQ_MEM(text, token.text.data, token.text.len, want, strlen(want));
            }
            token_done(&token);
        }
    }
}

static void test_message(void)
{
    check_message(TEXT("x"), "x");
    check_message(TEXT("eyJhbGciOi.eyJ.c2ln"), "eyJhbGciOi.eyJ.c2ln");
    check_message(TEXT(" x\r\n"), "x");
    check_message(TEXT("{\"token\":\"x\"}"), "{\"token\":\"x\"}");
    check_message(TEXT(""), NULL);
    check_message(TEXT(" \r\n"), NULL);
    check_message(TEXT("a b"), NULL);
    check_message(TEXT("a\0b"), NULL);
    check_message(TEXT("\xff\xfe"), NULL);
    struct token token = {.len = 0};
    CHECK_EQ_INT("nothing came", token_end_message(&token), TOKEN_BAD);
}

static void test_message_sizes(void)
{
    static uint8_t text[TOKEN_MESSAGE_MAX + 1];
    size_t before = mem_live_blocks();
    memset(text, 'a', sizeof(text));
    for (size_t piece = 1; piece <= sizeof(text); piece *= 3) {
        struct token token = {.len = 0};
        enum token_result result = TOKEN_LATER;
        size_t at = 0;
        while (at < TOKEN_MESSAGE_MAX && result == TOKEN_LATER) {
            size_t len = size_min(piece, TOKEN_MESSAGE_MAX - at);
            result = token_add_message(&token, text + at, len);
            at += len;
        }
        CHECK_EQ_INT("the longest", token_end_message(&token), TOKEN_FOUND);
        CHECK_EQ_U64("the longest", token.text.len, TOKEN_MESSAGE_MAX);
        CHECK_EQ_INT("one more", token_add_message(&token, text, 1), TOKEN_TOO_LONG);
        CHECK_TRUE("wiped", token.bytes == NULL && token.detail != NULL);
        CHECK_EQ_U64("freed", mem_live_blocks(), before);
    }
    struct token token = {.len = 0};
    CHECK_EQ_INT("at once", token_add_message(&token, text, sizeof(text)), TOKEN_TOO_LONG);
    for (uint64_t n = 1; n <= 2; n++) {
        token = (struct token){.len = 0};
        mem_fail_after(n);
        enum token_result result = token_add_message(&token, text, 512);
        CHECK_EQ_INT("no memory", result, n == 1 ? TOKEN_NO_MEMORY : TOKEN_LATER);
        if (n == 2) {
            CHECK_EQ_INT("no memory", token_add_message(&token, text, 1), TOKEN_NO_MEMORY);
        }
        mem_fail_after(0);
        CHECK_EQ_U64("freed", mem_live_blocks(), before);
    }
    (void)mem_recover();
}

static void test_hide(void)
{
    static const struct {
        const char *target;
        const char *want;
    } targets[] = {
        {"/a", "/a"}, {"/a?", "/a?"},          {"/a?t=x", "/a?[hidden]"}, {"", ""},
        {"?", "?"},   {"/?x?y", "/?[hidden]"}, {"/a%3ft=x", "/a%3ft=x"},  {"/?eyJ", "/?[hidden]"},
    };
    for (size_t i = 0; i < COUNT(targets); i++) {
        size_t want_len = strlen(targets[i].want);
        for (size_t size = 0; size <= want_len + 1; size++) {
            char *out = malloc(size + 1);
            size_t len = token_hide_query(span_from_str(targets[i].target), out, size);
            CHECK_EQ_MEM(targets[i].target, out, len, targets[i].want, size_min(size, want_len));
            free(out);
        }
    }
}

CU_TestInfo token_tests[] = {
    {"find", test_find},
    {"passwords and tokens", test_kinds},
    {"no memory", test_no_memory},
    {"offers", test_offers},
    {"sources", test_sources},
    {"first message, every cut", test_message},
    {"first message, sizes", test_message_sizes},
    {"hidden queries", test_hide},
    CU_TEST_INFO_NULL,
};
