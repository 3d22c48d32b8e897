/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/http.h"

#include <time.h>

#include "base/mem.h"
#include "check.h"
#include "handshakes.h"
#include "http_feed.h"
#include "http_rows.h"
#include "suites.h"

static struct http_fed whole;
static struct http_fed pieces;

static bool is_same_at_every_cut(const char *name, const char *text, size_t len)
{
    http_feed(&pieces, text, len, BYTE_BY_BYTE);
    if (!CHECK_TRUE(name, http_fed_is_equal(&whole, &pieces))) {
        return false;
    }
    for (size_t cut = 1; cut < len; cut++) {
        http_feed(&pieces, text, len, cut);
        if (!CHECK_TRUE(name, http_fed_is_equal(&whole, &pieces))) {
            return false;
        }
    }
    return true;
}

static void check_head(const char *name, const char *text, size_t len, enum http_result want,
                       const char *detail)
{
    http_feed(&whole, text, len, len);
    CHECK_EQ_INT(name, whole.result, want);
    CHECK_EQ_INT(name, whole.parser.result, want);
    CHECK_EQ_STR(name, whole.parser.detail, detail);
    is_same_at_every_cut(name, text, len);
}

static void check_refused(const struct http_row *row, enum http_result want)
{
    check_head(row->name, row->text, row->len, want, row->detail);
    CHECK_EQ_U64(row->name, whole.consumed, row->at);
    // Nothing is wrong before that byte.
    http_feed(&whole, row->text, row->at, row->at);
    CHECK_EQ_INT(row->name, whole.result, HTTP_NEED_MORE);
}

static void test_malformed(void)
{
    for (size_t i = 0; i < COUNT(http_bad_rows); i++) {
        check_refused(&http_bad_rows[i], HTTP_BAD);
    }
    for (size_t i = 0; i < COUNT(http_status_rows); i++) {
        check_refused(&http_status_rows[i].row, http_status_rows[i].want);
    }
}

static void test_well_formed(void)
{
    for (size_t i = 0; i < COUNT(handshake_rows); i++) {
        const struct handshake_row *row = &handshake_rows[i];

        check_head(row->name, row->text, row->len, HTTP_DONE, "");
        CHECK_EQ_U64(row->name, whole.consumed, row->len);
        CHECK_EQ_MEM(row->name, whole.parser.text, whole.parser.len, row->text, row->len);
        // The parser wants more after every beginning.
        for (size_t len = 0; len < row->len; len++) {
            http_feed(&whole, row->text, len, len);
            CHECK_TRUE(row->name, whole.result == HTTP_NEED_MORE && whole.consumed == len);
        }
    }
}

static void check_span(const char *row, struct span got, const char *want)
{
    CHECK_EQ_MEM(row, got.data, got.len, want, strlen(want));
}

static void test_parts(void)
{
    static const char head[] = "POST /a?b HTTP/1.0\r\nHost: x\r\nEmpty:\r\nBlank: \t \r\n"
                               "X-Text:\t a \xff b\t \r\nhOsT:y:z\r\n\r\n";
    static const char *const want[][2] = {
        {"Host", "x"}, {"Empty", ""}, {"Blank", ""}, {"X-Text", "a \xff b"}, {"hOsT", "y:z"},
    };
    const struct http_parser *p = &whole.parser;

    check_head("parts", head, sizeof(head) - 1, HTTP_DONE, "");
    check_span("method", http_method(p), "POST");
    check_span("target", http_target(p), "/a?b");
    CHECK_EQ_U64("version", p->version_minor, 0);
    if (!CHECK_EQ_U64("count", p->header_count, COUNT(want))) {
        return;
    }
    for (size_t i = 0; i < COUNT(want); i++) {
        check_span(want[i][0], http_header_name(p, i), want[i][0]);
        check_span(want[i][0], http_header_value(p, i), want[i][1]);
    }
}

// A client that sends the CRLF behind an earlier request's body late (RFC 9112 2.2).
static void test_empty_lines_first(void)
{
    static const char *const heads[] = {
        "\r\nGET /a HTTP/1.1\r\nA: b\r\n\r\n",
        "\r\n\r\n\r\n\r\nGET /a HTTP/1.1\r\nA: b\r\n\r\n",
        "\nGET /a HTTP/1.1\r\nA: b\r\n\r\n",
        "\r\n\n\n\r\nGET /a HTTP/1.1\r\nA: b\r\n\r\n",
    };

    for (size_t i = 0; i < COUNT(heads); i++) {
        check_head(heads[i], heads[i], strlen(heads[i]), HTTP_DONE, "");
        check_span(heads[i], http_method(&whole.parser), "GET");
        check_span(heads[i], http_target(&whole.parser), "/a");
        check_span(heads[i], http_header_value(&whole.parser, 0), "b");
    }
}

static void test_find(void)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: b\r\nHOST: c\r\n"
                               "Hos: d\r\nHostt: e\r\nhost: f\r\n\r\n";
    static const struct {
        const char *name;
        size_t from;
        size_t want;
    } rows[] = {
        {"Host", 0, 0},       {"host", 0, 0}, {"hOST", 1, 2},  {"Host", 3, 5},    {"Host", 6, 6},
        {"Host", 7, 6},       {"Hos", 0, 3},  {"Hostt", 0, 4}, {"upgrade", 0, 1}, {"upgrade", 2, 6},
        {"Connection", 0, 6}, {"", 0, 6},     {"Ho", 0, 6},    {"Host:", 0, 6},   {"Host ", 0, 6},
    };
    const struct http_parser *p = &whole.parser;

    check_head("find", head, sizeof(head) - 1, HTTP_DONE, "");
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_U64(rows[i].name, http_find(p, span_from_str(rows[i].name), rows[i].from),
                     rows[i].want);
    }
    http_feed(&whole, head, 0, 0);
    CHECK_EQ_U64("none yet", http_find(p, SPAN_LIT("Host"), 0), 0);
}

// The parser leaves the bytes behind the head to the next reader, after any cut.
static void test_bytes_behind(void)
{
    static const char text[] = "GET / HTTP/1.1\r\n\r\n\x81\x80GET";
    const size_t head_len = 18;

    for (size_t cut = 0; cut < sizeof(text); cut++) {
        http_feed(&whole, text, sizeof(text) - 1, cut);
        CHECK_EQ_INT("done", whole.result, HTTP_DONE);
        CHECK_EQ_U64("consumed", whole.consumed, head_len);
    }
    http_feed_piece(&whole, text, sizeof(text) - 1);
    CHECK_EQ_INT("again", whole.result, HTTP_DONE);
    CHECK_EQ_U64("again", whole.consumed, head_len);
}

static void test_every_byte(void)
{
    char head[] = "GET /? HTTP/1.1\r\nA:x?\r\nB: c\r\n\r\n";
    const size_t in_target = 5;
    const size_t in_value = 20;
    const size_t in_name = 23;

    for (unsigned c = 0; c < 256; c++) {
        char row[16];
        bool is_visible = c > 0x20 && c < 0x7f;
        bool is_tchar = is_visible && strchr("\"(),/:;<=>?@[\\]{}", (int)c) == NULL;
        const size_t at[] = {in_target, in_value, in_name};
        const bool is_good[] = {is_visible && c != '#',
                                c == '\t' || c == ' ' || is_visible || c > 0x7f, is_tchar};

        snprintf(row, sizeof(row), "byte %02x", c);
        for (size_t i = 0; i < COUNT(at); i++) {
            char saved = head[at[i]];

            head[at[i]] = (char)c;
            http_feed(&whole, head, sizeof(head) - 1, BYTE_BY_BYTE);
            CHECK_EQ_INT(row, whole.result, is_good[i] ? HTTP_DONE : HTTP_BAD);
            head[at[i]] = saved;
        }
    }
}

// Writes a head with a target of `target_len` bytes and `headers` headers. A head of less than
// `total` bytes gets `x` in its last header until it has so many. Returns the length.
static size_t make_head(char *out, size_t size, size_t target_len, size_t headers, size_t total)
{
    size_t len = (size_t)snprintf(out, size, "GET /");

    memset(out + len, 'a', target_len - 1);
    len += target_len - 1;
    len += (size_t)snprintf(out + len, size - len, " HTTP/1.1\r\n");
    for (size_t i = 0; i < headers; i++) {
        len += (size_t)snprintf(out + len, size - len, "N%zu: v\r\n", i);
    }
    if (len + 2 < total) {
        memset(out + len - 2, 'x', total - len - 2);
        len = total - 2;
        memcpy(out + len - 2, "\r\n", 2);
    }
    memcpy(out + len, "\r\n", 2);
    return len + 2;
}

static void feed_with(struct http_fed *fed, const struct http_limits *limits, const char *text,
                      size_t len, size_t cut)
{
    http_parser_done(&fed->parser);
    http_parser_init(&fed->parser, limits);
    fed->result = HTTP_NEED_MORE;
    fed->consumed = 0;
    for (size_t at = 0; at < len;) {
        size_t piece = cut == BYTE_BY_BYTE ? 1 : at == 0 && cut > 0 ? cut : len - at;
        http_feed_piece(fed, text + at, piece);
        at += piece;
    }
}

static void test_limits(void)
{
    enum { BYTES = 4096, LINES = 40 };
    static const struct http_limits limits = {.head_bytes = BYTES, .header_count = LINES};
    static char head[4 * BYTES];
    static const struct {
        const char *name;
        size_t target_len;
        size_t headers;
        size_t total;
        enum http_result want;
        const char *detail;
    } rows[] = {
        {"the longest target", BYTES - 17, 0, 0, HTTP_DONE, ""},
        {"a target that leaves no room", BYTES - 16, 0, 0, HTTP_TOO_BIG,
         "head larger than max_head"},
        {"a target one too long", BYTES - 3, 0, 0, HTTP_TARGET_TOO_LONG,
         "target longer than max_head"},
        {"a target beyond everything", 2 * BYTES, 1, 0, HTTP_TARGET_TOO_LONG,
         "target longer than max_head"},
        {"as many headers as may be", 1, LINES, 0, HTTP_DONE, ""},
        {"one header too many", 1, LINES + 1, 0, HTTP_TOO_BIG, "more headers than max_headers"},
        {"the biggest head", 1, 1, BYTES, HTTP_DONE, ""},
        {"the biggest head of many", BYTES / 2, LINES, BYTES, HTTP_DONE, ""},
        {"one byte too big", 1, 1, BYTES + 1, HTTP_TOO_BIG, "head larger than max_head"},
        {"two bytes too big", 1, 1, BYTES + 2, HTTP_TOO_BIG, "head larger than max_head"},
        {"four bytes too big", 1, 1, BYTES + 4, HTTP_TOO_BIG, "head larger than max_head"},
        {"much too big", 1, 1, 2 * BYTES, HTTP_TOO_BIG, "head larger than max_head"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len =
            make_head(head, sizeof(head), rows[i].target_len, rows[i].headers, rows[i].total);

        if (rows[i].total > 0) {
            CHECK_EQ_U64(rows[i].name, len, rows[i].total);
        }
        feed_with(&whole, &limits, head, len, 0);
        CHECK_EQ_INT(rows[i].name, whole.result, rows[i].want);
        CHECK_EQ_STR(rows[i].name, whole.parser.detail, rows[i].detail);
        feed_with(&pieces, &limits, head, len, BYTE_BY_BYTE);
        CHECK_TRUE(rows[i].name, http_fed_is_equal(&whole, &pieces));
        for (size_t cut = 1; cut < len; cut++) {
            feed_with(&pieces, &limits, head, len, cut);
            CHECK_TRUE(rows[i].name, http_fed_is_equal(&whole, &pieces));
        }
    }
}

// A connection pays for what it sent, not for what it may send, however it sends that.
static void test_memory(void)
{
    static const struct http_limits limits = {.head_bytes = HTTP_HEAD_BYTES_MAX,
                                              .header_count = 10000};
    struct http_parser p;
    size_t consumed;
    size_t before = mem_live_blocks();

    http_parser_init(&p, &limits);
    CHECK_EQ_U64("nothing yet", mem_live_blocks(), before);
    CHECK_EQ_INT("start", http_parse(&p, (const uint8_t *)GET, sizeof(GET) - 1, &consumed),
                 HTTP_NEED_MORE);
    for (size_t i = 0; i < 100000; i++) {
        const uint8_t byte = i % 8 == 0   ? 'N'
                             : i % 8 == 1 ? ':'
                             : i % 8 == 6 ? '\r'
                             : i % 8 == 7 ? '\n'
                                          : 'x';

        CHECK_TRUE("goes on", http_parse(&p, &byte, 1, &consumed) == HTTP_NEED_MORE ||
                                  p.header_count == limits.header_count);
        CHECK_TRUE("text", p.size <= 512 || p.size <= 2 * p.len);
        CHECK_TRUE("headers", p.header_size <= 16 || p.header_size <= 2 * p.header_count + 2);
    }
    CHECK_EQ_INT("too many", p.result, HTTP_TOO_BIG);
    http_parser_done(&p);
    CHECK_EQ_U64("nothing left", mem_live_blocks(), before);

    // A head that comes at once takes just what it is.
    http_parser_init(&p, &limits);
    static char head[20000];
    size_t len = make_head(head, sizeof(head), 10000, 3, 0);
    CHECK_EQ_INT("whole", http_parse(&p, (const uint8_t *)head, len, &consumed), HTTP_DONE);
    CHECK_EQ_U64("whole", p.size, len);
    http_parser_done(&p);
}

static void test_no_memory(void)
{
    struct http_fed fed = {.consumed = 0};
    size_t before = mem_live_blocks();

    for (uint64_t n = 1; n <= 3; n++) {
        mem_fail_after(n);
        http_feed(&fed, GET "A: b\r\n\r\n", sizeof(GET) + 7, 0);
        mem_fail_after(0);
        CHECK_EQ_INT("result", fed.result, n <= 2 ? HTTP_NO_MEMORY : HTTP_DONE);
        CHECK_EQ_STR("detail", fed.parser.detail, n <= 2 ? "out of memory" : "");
    }
    http_parser_done(&fed.parser);
    CHECK_EQ_U64("nothing left", mem_live_blocks(), before);
}

// Endless runs of one byte, in each part of the head.
static void test_endless(void)
{
    static const struct {
        const char *start;
        char fill;
        enum http_result want;
        const char *detail;
    } rows[] = {
        {"", 'A', HTTP_METHOD_TOO_LONG, "method too long"},
        {"GET /", 'a', HTTP_TARGET_TOO_LONG, "target longer than max_head"},
        {GET, 'N', HTTP_TOO_BIG, "head larger than max_head"},
        {GET "N:", ' ', HTTP_TOO_BIG, "head larger than max_head"},
        {GET "N:", 'v', HTTP_TOO_BIG, "head larger than max_head"},
        {GET "N:v", '\t', HTTP_TOO_BIG, "head larger than max_head"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        http_feed(&whole, rows[i].start, strlen(rows[i].start), 0);
        for (size_t n = 0; n < 40000; n++) {
            http_feed_piece(&whole, &rows[i].fill, 1);
        }
        CHECK_EQ_INT(rows[i].start, whole.result, rows[i].want);
        CHECK_EQ_STR(rows[i].start, whole.parser.detail, rows[i].detail);
        CHECK_TRUE(rows[i].start, whole.consumed <= http_feed_limits.head_bytes);
    }
}

static void test_response(void)
{
    static const char want[] = "HTTP/1.1 405 Method Not Allowed\r\n"
                               "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                               "Content-Type: text/plain\r\n"
                               "Content-Length: 3\r\nConnection: close\r\n"
                               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                               "Allow: GET\r\n\r\n";
    const size_t want_len = sizeof(want) - 1;
    struct http_response response = {
        .status = 405,
        .date_s = 784111777,
        .content_type = SPAN_LIT("text/plain"),
        .body_bytes = 3,
        .extra = SPAN_LIT("Allow: GET\r\n"),
    };
    char out[512];

    for (size_t size = 0; size <= sizeof(out); size++) {
        memset(out, '#', sizeof(out));
        size_t len = http_write_head(out, size, &response);

        CHECK_EQ_U64("length", len, size <= want_len ? 0 : want_len);
        CHECK_TRUE("nothing behind", size == sizeof(out) || out[size] == '#');
        if (len > 0) {
            CHECK_EQ_MEM("response", out, len, want, want_len);
        }
    }
    response = (struct http_response){.status = 400, .content_type = SPAN_LIT("text/plain")};
    size_t len = http_write_head(out, sizeof(out), &response);

    CHECK_TRUE("no body", len > 4 && memcmp(out + len - 4, "\r\n\r\n", 4) == 0);
    CHECK_TRUE("no body", strstr(out, "Content-Length: 0\r\n") != NULL);
    response.body_bytes = HTTP_LENGTH_UNKNOWN;
    len = http_write_head(out, sizeof(out), &response);
    CHECK_TRUE("no length", len > 0 && strstr(out, "Content-Length") == NULL);
    response.status = 204;
    for (size_t i = 0; i < 2; i++) {
        response.body_bytes = i == 0 ? 0 : HTTP_LENGTH_UNKNOWN;
        len = http_write_head(out, sizeof(out), &response);
        CHECK_TRUE("no content", len > 0 && strstr(out, "204 No Content\r\n") != NULL);
        CHECK_TRUE("nothing about it", strstr(out, "Content-Length") == NULL);
        CHECK_TRUE("nothing about it", strstr(out, "Content-Type:") == NULL);
    }
    response.status = 426;
    len = http_write_head(out, sizeof(out), &response);
    CHECK_TRUE("its Upgrade is named", len > 0 && strstr(out, "Connection: Upgrade, close\r\n"));
    CHECK_EQ_STR("unknown", http_status_text(299), "Unknown");
    CHECK_EQ_STR("426", http_status_text(426), "Upgrade Required");
}

static void test_date(void)
{
    static const struct {
        uint64_t unix_s;
        const char *want;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, // RFC 9110 5.6.7
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    char out[HTTP_DATE_MAX];

    for (size_t i = 0; i < COUNT(rows); i++) {
        http_write_date(out, rows[i].unix_s);
        CHECK_EQ_STR(rows[i].want, out, rows[i].want);
    }
    // Every day of 500 years, against the C library.
    for (time_t day = 0; day < (time_t)500 * 366; day++) {
        char want[HTTP_DATE_MAX];
        time_t now = day * 86400 + day % 86400;
        struct tm utc;

        (void)gmtime_r(&now, &utc);
        (void)strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &utc);
        http_write_date(out, (uint64_t)now);
        if (strcmp(out, want) != 0) {
            CHECK_EQ_STR("day", out, want);
            break;
        }
    }
}

static void test_nothing_left(void)
{
    http_feed_done(&whole);
    http_feed_done(&pieces);
    CHECK_EQ_U64("blocks", mem_live_blocks(), 0);
}

CU_TestInfo http_tests[] = {
    {"malformed heads, at every cut", test_malformed},
    {"well-formed heads, at every cut", test_well_formed},
    {"method, target, version, headers", test_parts},
    {"empty lines before the request line", test_empty_lines_first},
    {"finding headers", test_find},
    {"bytes behind the head", test_bytes_behind},
    {"every byte in target, value and name", test_every_byte},
    {"limits", test_limits},
    {"memory for what came, not for the limits", test_memory},
    {"no memory", test_no_memory},
    {"heads without end", test_endless},
    {"responses", test_response},
    {"dates", test_date},
    {"nothing is left", test_nothing_left},
    CU_TEST_INFO_NULL,
};
