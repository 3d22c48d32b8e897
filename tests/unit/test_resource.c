/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/resource.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal) {(literal), sizeof(literal) - 1}

// --- paths ---------------------------------------------------------------------------------------

struct path_row {
    const char *row;
    struct span rest;
    enum resource_path_result result;
    const char *text; // of a good path
    bool is_directory;
};

#define GOOD(rest_, text_) {rest_, TEXT(rest_), RESOURCE_PATH_OK, text_, false}
#define DIRECTORY(rest_, text_) {"dir " rest_, TEXT(rest_), RESOURCE_PATH_OK, text_, true}
#define NONE(rest_) {rest_, TEXT(rest_), RESOURCE_PATH_NONE, NULL, false}
#define ESCAPE(rest_) {rest_, TEXT(rest_), RESOURCE_PATH_ESCAPE, NULL, false}

static const struct path_row path_rows[] = {
    GOOD("a.js", "a.js"),
    GOOD("app/ui.js", "app/ui.js"),
    GOOD("a%20b.txt", "a b.txt"),
    GOOD("%61.js", "a.js"),
    GOOD("caf%C3%A9", "caf\xc3\xa9"),
    GOOD("a..b", "a..b"),
    GOOD("a...", "a..."),
    GOOD("a.", "a."),
    GOOD("%2561", "%61"),
    GOOD("%252e%252e", "%2e%2e"),
    GOOD("a:b", "a:b"),
    GOOD("~a", "~a"),
    GOOD("-", "-"),
    GOOD("CON", "CON"),
    DIRECTORY("", ""),
    DIRECTORY("a/", "a/"),
    DIRECTORY("a/b/", "a/b/"),
    // every way up
    ESCAPE(".."),
    ESCAPE("../"),
    ESCAPE("../etc/passwd"),
    ESCAPE("a/.."),
    ESCAPE("a/../b"),
    ESCAPE("a/../../b"),
    ESCAPE("%2e%2e"),
    ESCAPE("%2e%2e/x"),
    ESCAPE("%2E%2E/x"),
    ESCAPE(".%2e/x"),
    ESCAPE("%2e./x"),
    ESCAPE("..%2fx"),
    ESCAPE("..%2Fx"),
    ESCAPE("%2e%2e%2fx"),
    ESCAPE("a%2f..%2f..%2fx"),
    ESCAPE("..%5cx"),
    ESCAPE("..%5Cx"),
    ESCAPE("..\\x"),
    ESCAPE("a\\..\\x"),
    ESCAPE("a/%2e%2e/%2e%2e/x"),
    ESCAPE("//.."),
    ESCAPE("%00/.."),
    ESCAPE("%zz/.."),
    // what is no way up, and no name of a file either
    NONE("."),
    NONE("./"),
    NONE("./a"),
    NONE("a/."),
    NONE("a/./b"),
    NONE("%2e"),
    NONE("%2e/a"),
    NONE("..."),
    NONE(".../a"),
    NONE(".git/config"),
    NONE(".htpasswd"),
    NONE("a/.env"),
    NONE("%2egit"),
    NONE("..a"),
    NONE("..;/x"),
    NONE("..%00/x"),
    NONE("/"),
    NONE("/etc/passwd"),
    NONE("//etc/passwd"),
    NONE("a//b"),
    NONE("a//"),
    NONE("%2fetc%2fpasswd"),
    NONE("a%2fb"),
    NONE("a%2Fb"),
    NONE("a%5cb"),
    NONE("a\\b"),
    NONE("a%00.js"),
    NONE("%00"),
    NONE("a%0ab"),
    NONE("a%0d%0aX: y"),
    NONE("a%09"),
    NONE("a%1f"),
    NONE("a%7f"),
    NONE("%"),
    NONE("%2"),
    NONE("a%"),
    NONE("a%4"),
    NONE("a%zz"),
    NONE("a%4g"),
    NONE("a% 41"),
    NONE("a%+1"),
};

static void test_paths(void)
{
    for (size_t i = 0; i < COUNT(path_rows); i++) {
        const struct path_row *row = &path_rows[i];
        struct resource_path path;
        CHECK_EQ_INT(row->row, resource_read_path(row->rest, &path), row->result);
        CHECK_EQ_INT(row->row, path.detail != NULL, row->result != RESOURCE_PATH_OK);
        if (row->result == RESOURCE_PATH_OK) {
            CHECK_EQ_STR(row->row, path.text, row->text);
            CHECK_EQ_U64(row->row, path.len, strlen(row->text));
            CHECK_EQ_INT(row->row, path.is_directory, row->is_directory);
        }
    }
}

static void test_long_paths(void)
{
    char text[RESOURCE_PATH_MAX + 2];
    struct resource_path path;

    memset(text, 'a', sizeof(text));
    CHECK_EQ_INT("a segment", resource_read_path((struct span){text, RESOURCE_SEGMENT_MAX}, &path),
                 RESOURCE_PATH_OK);
    CHECK_EQ_INT("longer", resource_read_path((struct span){text, RESOURCE_SEGMENT_MAX + 1}, &path),
                 RESOURCE_PATH_NONE);
    for (size_t i = 100; i < sizeof(text); i += 100) {
        text[i] = '/';
    }
    CHECK_EQ_INT("a path", resource_read_path((struct span){text, RESOURCE_PATH_MAX}, &path),
                 RESOURCE_PATH_OK);
    CHECK_EQ_U64("a path", path.len, RESOURCE_PATH_MAX);
    CHECK_EQ_INT("longer", resource_read_path((struct span){text, RESOURCE_PATH_MAX + 1}, &path),
                 RESOURCE_PATH_NONE);
    CHECK_EQ_STR("longer", path.detail, "the path is too long");
}

// Whatever three bytes stand there, decoded or not, no good path has a segment that begins with a
// dot or is empty, nor a byte that is none of a name.
static void test_all_short_paths(void)
{
    static const char bytes[] = "./\\%0125afEFx\x01";
    size_t n = sizeof(bytes) - 1;
    char text[6];
    unsigned good = 0;

    for (size_t at = 0; at < n * n * n * n * n; at++) {
        size_t rest = at;
        for (size_t i = 0; i < 5; i++, rest /= n) {
            text[i] = bytes[rest % n];
        }
        struct resource_path path;
        if (resource_read_path((struct span){text, 5}, &path) != RESOURCE_PATH_OK) {
            continue;
        }
        good++;
        bool is_fine = path.text[0] != '.' && path.text[0] != '/' &&
                       strstr(path.text, "/.") == NULL && strstr(path.text, "//") == NULL &&
                       strpbrk(path.text, "\\\x01") == NULL && strlen(path.text) == path.len;
        if (!is_fine) {
            CHECK_EQ_MEM("a good path", path.text, path.len, text, 5);
        }
    }
    CHECK_TRUE("some are good", good > 1000);
}

// --- ranges --------------------------------------------------------------------------------------

static const struct {
    struct span value;
    uint64_t size;
    enum resource_range_result result;
    uint64_t first;
    uint64_t len;
} range_rows[] = {
    {TEXT("bytes=0-0"), 10, RESOURCE_RANGE_PART, 0, 1},
    {TEXT("bytes=0-9"), 10, RESOURCE_RANGE_PART, 0, 10},
    {TEXT("bytes=0-10"), 10, RESOURCE_RANGE_PART, 0, 10},
    {TEXT("bytes=5-"), 10, RESOURCE_RANGE_PART, 5, 5},
    {TEXT("bytes=9-"), 10, RESOURCE_RANGE_PART, 9, 1},
    {TEXT("bytes=-3"), 10, RESOURCE_RANGE_PART, 7, 3},
    {TEXT("bytes=-10"), 10, RESOURCE_RANGE_PART, 0, 10},
    {TEXT("bytes=-11"), 10, RESOURCE_RANGE_PART, 0, 10},
    {TEXT("BYTES=1-2"), 10, RESOURCE_RANGE_PART, 1, 2},
    {TEXT("bytes=1-2,"), 10, RESOURCE_RANGE_PART, 1, 2},
    {TEXT("bytes=,1-2"), 10, RESOURCE_RANGE_PART, 1, 2},
    {TEXT("bytes= 1-2 "), 10, RESOURCE_RANGE_PART, 1, 2},
    {TEXT("bytes=2-99999999999999999999999"), 10, RESOURCE_RANGE_PART, 2, 8},
    {TEXT("bytes=-99999999999999999999999"), 10, RESOURCE_RANGE_PART, 0, 10},
    {TEXT("bytes=0-18446744073709551615"), 10, RESOURCE_RANGE_PART, 0, 10},
    {TEXT("bytes=10-"), 10, RESOURCE_RANGE_OUTSIDE, 0, 0},
    {TEXT("bytes=10-20"), 10, RESOURCE_RANGE_OUTSIDE, 0, 0},
    {TEXT("bytes=99999999999999999999999-"), 10, RESOURCE_RANGE_OUTSIDE, 0, 0},
    {TEXT("bytes=-0"), 10, RESOURCE_RANGE_OUTSIDE, 0, 0},
    {TEXT("bytes=0-"), 0, RESOURCE_RANGE_OUTSIDE, 0, 0},
    {TEXT("bytes=-5"), 0, RESOURCE_RANGE_OUTSIDE, 0, 0},
    {TEXT(""), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes="), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=-"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=a-b"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=1"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=3-2"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=1-2,4-5"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=1-2-3"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=+1-2"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=1 -2"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes=0x1-2"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("lines=1-2"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
    {TEXT("bytes =1-2"), 10, RESOURCE_RANGE_WHOLE, 0, 0},
};

static void test_ranges(void)
{
    for (size_t i = 0; i < COUNT(range_rows); i++) {
        struct resource_range range;
        const char *row = range_rows[i].value.data;
        CHECK_EQ_INT(row, resource_read_range(range_rows[i].value, range_rows[i].size, &range),
                     range_rows[i].result);
        if (range_rows[i].result == RESOURCE_RANGE_PART) {
            CHECK_EQ_U64(row, range.first, range_rows[i].first);
            CHECK_EQ_U64(row, range.len_bytes, range_rows[i].len);
        }
    }
}

// --- dates ---------------------------------------------------------------------------------------

static const struct {
    struct span text;
    bool is_good;
    uint64_t date_s;
} date_rows[] = {
    {TEXT("Sun, 06 Nov 1994 08:49:37 GMT"), true, 784111777},
    {TEXT("Sunday, 06-Nov-94 08:49:37 GMT"), true, 784111777},
    {TEXT("Sun Nov  6 08:49:37 1994"), true, 784111777},
    {TEXT("Thu, 01 Jan 1970 00:00:00 GMT"), true, 0},
    {TEXT("Thu, 29 Feb 2024 12:00:00 GMT"), true, 1709208000},
    {TEXT("Fri, 01 Mar 2024 00:00:00 GMT"), true, 1709251200},
    {TEXT("Tue, 31 Dec 2069 23:59:59 GMT"), true, 3155759999},
    {TEXT("Tuesday, 31-Dec-69 23:59:59 GMT"), true, 3155759999},
    {TEXT("Fri, 31 Dec 9999 23:59:59 GMT"), true, 253402300799},
    {TEXT("Wed, 30 Jun 2027 23:59:60 GMT"), true, 1814400000},
    {TEXT("Thu, 29 Feb 2023 12:00:00 GMT"), false, 0},
    {TEXT("Wed, 31 Dec 1969 23:59:59 GMT"), false, 0},
    {TEXT("Sun, 00 Nov 1994 08:49:37 GMT"), false, 0},
    {TEXT("Sun, 31 Nov 1994 08:49:37 GMT"), false, 0},
    {TEXT("Sun, 06 Xyz 1994 08:49:37 GMT"), false, 0},
    {TEXT("Sun, 06 Nov 1994 24:49:37 GMT"), false, 0},
    {TEXT("Sun, 06 Nov 1994 08:60:37 GMT"), false, 0},
    {TEXT("Sun, 06 Nov 1994 08:49:61 GMT"), false, 0},
    {TEXT("Sun, 06 Nov 1994 08:49:37 UTC"), false, 0},
    {TEXT("Sun, 06 Nov 1994 08:49:37"), false, 0},
    {TEXT("Sun, 6 Nov 1994 08:49:37 GMT"), false, 0},
    {TEXT("1994-11-06T08:49:37Z"), false, 0},
    {TEXT(""), false, 0},
    {TEXT("0"), false, 0},
    {TEXT(","), false, 0},
};

static void test_dates(void)
{
    for (size_t i = 0; i < COUNT(date_rows); i++) {
        uint64_t date_s = 1;
        bool is_good = resource_read_date(date_rows[i].text, &date_s);
        CHECK_EQ_INT(date_rows[i].text.data, is_good, date_rows[i].is_good);
        CHECK_EQ_U64(date_rows[i].text.data, date_s, is_good ? date_rows[i].date_s : 1);
    }
}

// --- conditions ----------------------------------------------------------------------------------

// A request whose headers are "Name: value" lines, each with a '\n'.
static bool next_header(const void *head, struct span name, size_t *at, struct span *out_value)
{
    struct span text = span_from_str(head);

    while (*at < text.len) {
        struct span line = {text.data + *at, 0};
        line.len = span_find((struct span){line.data, text.len - *at}, '\n');
        *at += line.len + 1;
        size_t colon = span_find(line, ':');
        if (span_is_equal_nocase((struct span){line.data, colon}, name)) {
            *out_value = span_trim((struct span){line.data + colon + 1, line.len - colon - 1});
            return true;
        }
    }
    return false;
}

static struct request request_of(const char *headers)
{
    return (struct request){.head = headers, .next_header = next_header};
}

#define AT "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct resource_mark mark = {.etag = TEXT("\"abc\""), .modified_s = 784111777};

static const struct {
    const char *headers;
    enum resource_verdict verdict;
} judge_rows[] = {
    {"", RESOURCE_SEND},
    {"If-None-Match: \"abc\"\n", RESOURCE_NOT_MODIFIED},
    {"If-None-Match: W/\"abc\"\n", RESOURCE_NOT_MODIFIED},
    {"if-none-match: \"x\", \"abc\"\n", RESOURCE_NOT_MODIFIED},
    {"If-None-Match: \"x,\", \"abc\"\n", RESOURCE_NOT_MODIFIED},
    {"If-None-Match: \"x\"\nIf-None-Match: \"abc\"\n", RESOURCE_NOT_MODIFIED},
    {"If-None-Match: *\n", RESOURCE_NOT_MODIFIED},
    {"If-None-Match: \"x\"\n", RESOURCE_SEND},
    {"If-None-Match: abc\n", RESOURCE_SEND},
    {"If-None-Match: \"abc\n", RESOURCE_SEND},
    {"If-None-Match:\n", RESOURCE_SEND},
    {"If-None-Match: \"x\"\nIf-Modified-Since: " AFTER "\n", RESOURCE_SEND},
    {"If-Modified-Since: " AT "\n", RESOURCE_NOT_MODIFIED},
    {"If-Modified-Since: " AFTER "\n", RESOURCE_NOT_MODIFIED},
    {"If-Modified-Since: " BEFORE "\n", RESOURCE_SEND},
    {"If-Modified-Since: yesterday\n", RESOURCE_SEND},
    {"If-Modified-Since: " AT "\nIf-Modified-Since: " AT "\n", RESOURCE_SEND},
    {"If-Match: \"abc\"\n", RESOURCE_SEND},
    {"If-Match: *\n", RESOURCE_SEND},
    {"If-Match: W/\"abc\"\n", RESOURCE_PRECONDITION},
    {"If-Match: \"x\"\n", RESOURCE_PRECONDITION},
    {"If-Match: \"abc\"\nIf-Unmodified-Since: " BEFORE "\n", RESOURCE_SEND},
    {"If-Unmodified-Since: " BEFORE "\n", RESOURCE_PRECONDITION},
    {"If-Unmodified-Since: " AT "\n", RESOURCE_SEND},
    {"If-Match: \"x\"\nIf-None-Match: \"abc\"\n", RESOURCE_PRECONDITION},
};

static void test_conditions(void)
{
    for (size_t i = 0; i < COUNT(judge_rows); i++) {
        struct request request = request_of(judge_rows[i].headers);
        CHECK_EQ_INT(judge_rows[i].headers, resource_judge(&request, &mark), judge_rows[i].verdict);
    }
    // A file whose time nobody knows has neither changed nor stayed the same since.
    const struct resource_mark timeless = {.etag = TEXT("\"abc\""), .modified_s = UINT64_MAX};
    struct request since = request_of("If-Modified-Since: " AFTER "\n");
    struct request unmodified = request_of("If-Unmodified-Since: " BEFORE "\n");
    CHECK_EQ_INT("since", resource_judge(&since, &timeless), RESOURCE_SEND);
    CHECK_EQ_INT("unmodified", resource_judge(&unmodified, &timeless), RESOURCE_SEND);
}

static void test_range_conditions(void)
{
    static const struct {
        const char *headers;
        const char *range;
    } rows[] = {
        {"Range: bytes=1-2\n", "bytes=1-2"},
        {"Range: bytes=1-2\nIf-Range: \"abc\"\n", "bytes=1-2"},
        {"Range: bytes=1-2\nIf-Range: " AT "\n", "bytes=1-2"},
        {"Range: bytes=1-2\nIf-Range: W/\"abc\"\n", ""},
        {"Range: bytes=1-2\nIf-Range: \"x\"\n", ""},
        {"Range: bytes=1-2\nIf-Range: " AFTER "\n", ""},
        {"Range: bytes=1-2\nIf-Range: " BEFORE "\n", ""},
        {"Range: bytes=1-2\nRange: bytes=1-2\n", ""},
        {"If-Range: \"abc\"\n", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request = request_of(rows[i].headers);
        struct span range = resource_range_of(&request, &mark);
        CHECK_EQ_MEM(rows[i].headers, range.data, range.len, rows[i].range, strlen(rows[i].range));
    }
}

// --- codings -------------------------------------------------------------------------------------

static void test_codings(void)
{
    static const struct {
        const char *headers;
        const char *codings; // 'b' and 'g', the favourite first
    } rows[] = {
        {"", ""},
        {"Accept-Encoding: gzip, deflate, br\n", "bg"},
        {"Accept-Encoding: gzip, deflate, br, zstd\n", "bg"},
        {"Accept-Encoding: gzip\nAccept-Encoding: br\n", "bg"},
        {"Accept-Encoding: gzip\n", "g"},
        {"Accept-Encoding: x-gzip\n", "g"},
        {"Accept-Encoding: GZIP\n", "g"},
        {"Accept-Encoding: br\n", "b"},
        {"Accept-Encoding: br;q=0.5, gzip;q=0.8\n", "gb"},
        {"Accept-Encoding: br;q=0.8, gzip;q=0.5\n", "bg"},
        {"Accept-Encoding: br; q=0.001, gzip ;q=1\n", "gb"},
        {"Accept-Encoding: br;q=0, gzip\n", "g"},
        {"Accept-Encoding: br;q=0.000, gzip;Q=0\n", ""},
        {"Accept-Encoding: *\n", "bg"},
        {"Accept-Encoding: *;q=0\n", ""},
        {"Accept-Encoding: *;q=0.5, br;q=0\n", "g"},
        {"Accept-Encoding: identity\n", ""},
        {"Accept-Encoding: brotli, gzipped\n", ""},
        {"Accept-Encoding: gzip;q=2\n", ""},
        {"Accept-Encoding: gzip;q=-1\n", ""},
        {"Accept-Encoding: gzip;q=1.001\n", ""},
        {"Accept-Encoding: gzip;q=0.1234\n", ""},
        {"Accept-Encoding: gzip;q=\n", ""},
        {"Accept-Encoding: ,,gzip,;,\n", "g"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request = request_of(rows[i].headers);
        enum resource_coding codings[2];
        size_t count = resource_codings(&request, codings);
        char text[3] = "";
        for (size_t k = 0; k < count; k++) {
            text[k] = codings[k] == RESOURCE_BROTLI ? 'b' : 'g';
        }
        CHECK_EQ_STR(rows[i].headers, text, rows[i].codings);
    }
}

CU_TestInfo resource_tests[] = {
    {"paths", test_paths},
    {"long paths", test_long_paths},
    {"all short paths", test_all_short_paths},
    {"ranges", test_ranges},
    {"dates", test_dates},
    {"conditions", test_conditions},
    {"conditions of ranges", test_range_conditions},
    {"content codings", test_codings},
    CU_TEST_INFO_NULL,
};
