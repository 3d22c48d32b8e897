/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/http.h"

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

static void test_malformed(void)
{
    for (size_t i = 0; i < COUNT(http_bad_rows); i++) {
        const struct http_row *row = &http_bad_rows[i];

        check_head(row->name, row->text, row->len, HTTP_BAD, row->detail);
        CHECK_EQ_U64(row->name, whole.consumed, row->at);
        // Nothing is wrong before that byte.
        http_feed(&whole, row->text, row->at, row->at);
        CHECK_EQ_INT(row->name, whole.result, HTTP_NEED_MORE);
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
    http_parser_init(&whole.parser);
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

static void test_limits(void)
{
    static char head[3 * HTTP_HEAD_MAX];
    static const struct {
        const char *name;
        size_t target_len;
        size_t headers;
        size_t total;
        enum http_result want;
        const char *detail;
    } rows[] = {
        {"the longest target", HTTP_TARGET_MAX, 1, 0, HTTP_DONE, ""},
        {"a target one too long", HTTP_TARGET_MAX + 1, 1, 0, HTTP_TOO_BIG, "target too long"},
        {"a target beyond everything", 2 * HTTP_HEAD_MAX, 1, 0, HTTP_TOO_BIG, "target too long"},
        {"as many headers as fit", 1, HTTP_HEADERS_MAX, 0, HTTP_DONE, ""},
        {"one header too many", 1, HTTP_HEADERS_MAX + 1, 0, HTTP_TOO_BIG, "too many headers"},
        {"the biggest head", 1, 1, HTTP_HEAD_MAX, HTTP_DONE, ""},
        {"the biggest head of many", HTTP_TARGET_MAX, HTTP_HEADERS_MAX, HTTP_HEAD_MAX, HTTP_DONE,
         ""},
        {"one byte too big", 1, 1, HTTP_HEAD_MAX + 1, HTTP_TOO_BIG, "head too big"},
        {"two bytes too big", 1, 1, HTTP_HEAD_MAX + 2, HTTP_TOO_BIG, "head too big"},
        {"four bytes too big", 1, 1, HTTP_HEAD_MAX + 4, HTTP_TOO_BIG, "head too big"},
        {"much too big", 1, 1, 2 * HTTP_HEAD_MAX, HTTP_TOO_BIG, "head too big"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len =
            make_head(head, sizeof(head), rows[i].target_len, rows[i].headers, rows[i].total);

        if (rows[i].total > 0) {
            CHECK_EQ_U64(rows[i].name, len, rows[i].total);
        }
        http_feed(&whole, head, len, len);
        CHECK_EQ_INT(rows[i].name, whole.result, rows[i].want);
        CHECK_EQ_STR(rows[i].name, whole.parser.detail, rows[i].detail);
        http_feed(&pieces, head, len, BYTE_BY_BYTE);
        CHECK_TRUE(rows[i].name, http_fed_is_equal(&whole, &pieces));
        // Every cut near a limit, and some others.
        for (size_t cut = 1; cut < len; cut += cut % 4096 < 16 || cut % 4096 > 4080 ? 1 : 7) {
            http_feed(&pieces, head, len, cut);
            CHECK_TRUE(rows[i].name, http_fed_is_equal(&whole, &pieces));
        }
    }
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
        {"", 'A', HTTP_BAD, "method too long"},
        {"GET /", 'a', HTTP_TOO_BIG, "target too long"},
        {GET, 'N', HTTP_TOO_BIG, "head too big"},
        {GET "N:", ' ', HTTP_TOO_BIG, "head too big"},
        {GET "N:", 'v', HTTP_TOO_BIG, "head too big"},
        {GET "N:v", '\t', HTTP_TOO_BIG, "head too big"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        http_feed(&whole, rows[i].start, strlen(rows[i].start), 0);
        for (size_t n = 0; n < 20000; n++) {
            http_feed_piece(&whole, &rows[i].fill, 1);
        }
        CHECK_EQ_INT(rows[i].start, whole.result, rows[i].want);
        CHECK_EQ_STR(rows[i].start, whole.parser.detail, rows[i].detail);
        CHECK_TRUE(rows[i].start, whole.consumed <= HTTP_HEAD_MAX);
    }
}

static void test_response(void)
{
    static const char want[] = "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\n"
                               "Content-Length: 3\r\nConnection: close\r\n"
                               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                               "Allow: GET\r\n\r\n";
    const size_t want_len = sizeof(want) - 1;
    char out[512];

    for (size_t size = 0; size <= sizeof(out); size++) {
        memset(out, '#', sizeof(out));
        size_t len =
            http_write_head(out, size, 405, SPAN_LIT("text/plain"), 3, SPAN_LIT("Allow: GET\r\n"));

        CHECK_EQ_U64("length", len, size <= want_len ? 0 : want_len);
        CHECK_TRUE("nothing behind", size == sizeof(out) || out[size] == '#');
        if (len > 0) {
            CHECK_EQ_MEM("response", out, len, want, want_len);
        }
    }
    const struct span none = {NULL, 0};
    size_t len = http_write_head(out, sizeof(out), 400, SPAN_LIT("text/plain"), 0, none);

    CHECK_TRUE("no body", len > 4 && memcmp(out + len - 4, "\r\n\r\n", 4) == 0);
    CHECK_TRUE("no body", strstr(out, "Content-Length: 0\r\n") != NULL);
    len = http_write_head(out, sizeof(out), 200, SPAN_LIT("text/plain"), HTTP_LENGTH_UNKNOWN, none);
    CHECK_TRUE("no length", len > 0 && strstr(out, "Content-Length") == NULL);
    CHECK_EQ_STR("unknown", http_status_text(299), "Unknown");
    CHECK_EQ_STR("426", http_status_text(426), "Upgrade Required");
}

CU_TestInfo http_tests[] = {
    {"malformed heads, at every cut", test_malformed},
    {"well-formed heads, at every cut", test_well_formed},
    {"method, target, version, headers", test_parts},
    {"finding headers", test_find},
    {"bytes behind the head", test_bytes_behind},
    {"every byte in target, value and name", test_every_byte},
    {"limits", test_limits},
    {"heads without end", test_endless},
    {"responses", test_response},
    CU_TEST_INFO_NULL,
};
