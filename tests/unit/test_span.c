/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/span.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOTHING ((struct span){NULL, 0})

static void check_span(const char *row, struct span got, const char *want)
{
    CHECK_EQ_MEM(row, got.data, got.len, want, strlen(want));
}

static void test_from_str(void)
{
    CHECK_EQ_U64("NULL", span_from_str(NULL).len, 0);
    CHECK_EQ_U64("empty", span_from_str("").len, 0);
    check_span("text", span_from_str("abc"), "abc");
    CHECK_EQ_U64("a NUL inside a literal", SPAN_LIT("a\0b").len, 3);
}

static void test_compare(void)
{
    static const struct {
        const char *a;
        const char *b;
        bool is_equal, is_equal_nocase, starts, ends;
    } rows[] = {
        {"", "", true, true, true, true},
        {"a", "", false, false, true, true},
        {"", "a", false, false, false, false},
        {"abc", "abc", true, true, true, true},
        {"abc", "aBC", false, true, false, false},
        {"abc", "ab", false, false, true, false},
        {"abc", "bc", false, false, false, true},
        {"abc", "b", false, false, false, false},
        {"abab", "ab", false, false, true, true},
        {"[", "{", false, false, false, false},
        {"@", "`", false, false, false, false},
        {"\xc3\x84", "\xc3\xa4", false, false, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span a = span_from_str(rows[i].a);
        struct span b = span_from_str(rows[i].b);
        CHECK_EQ_INT(rows[i].a, span_is_equal(a, b), rows[i].is_equal);
        CHECK_EQ_INT(rows[i].a, span_is_equal_nocase(a, b), rows[i].is_equal_nocase);
        CHECK_EQ_INT(rows[i].a, span_starts_with(a, b), rows[i].starts);
        CHECK_EQ_INT(rows[i].a, span_ends_with(a, b), rows[i].ends);
    }
}

/* Undefined-behaviour checks see arithmetic and memory calls on NULL. */
static void test_null_is_empty(void)
{
    struct span item = SPAN_LIT("untouched");
    struct span rest = NOTHING;
    uint64_t value = 7;
    CHECK_TRUE("equal", span_is_equal(NOTHING, SPAN_LIT("")));
    CHECK_TRUE("nocase", span_is_equal_nocase(NOTHING, NOTHING));
    CHECK_TRUE("starts", span_starts_with(NOTHING, NOTHING));
    CHECK_TRUE("ends", span_ends_with(SPAN_LIT("a"), NOTHING));
    CHECK_EQ_U64("trim", span_trim(NOTHING).len, 0);
    CHECK_EQ_U64("find", span_find(NOTHING, 'x'), 0);
    CHECK_FALSE("next", span_next(&rest, ',', &item));
    check_span("next leaves the item", item, "untouched");
    CHECK_FALSE("u64", span_parse_u64(NOTHING, &value));
    CHECK_FALSE("size", span_parse_size(NOTHING, &value));
    CHECK_FALSE("duration", span_parse_duration(NOTHING, &value));
    CHECK_FALSE("token", span_is_token(NOTHING));
    CHECK_EQ_U64("values are untouched", value, 7);
}

static void test_trim(void)
{
    static const char *const rows[][2] = {
        {"", ""},       {" ", ""},          {" \t ", ""},   {"a", "a"},
        {" a ", "a"},   {"\ta b\t", "a b"}, {"a  ", "a"},   {"  a", "a"},
        {"\na", "\na"}, {"a\r\n", "a\r\n"}, {"\va", "\va"}, {"\xc2\xa0", "\xc2\xa0"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_span(rows[i][0], span_trim(span_from_str(rows[i][0])), rows[i][1]);
    }
}

static void test_next(void)
{
    static const struct {
        const char *list;
        const char *joined; /* every item in parentheses */
    } rows[] = {
        {"", ""},         {"a", "(a)"},      {"a,b", "(a)(b)"},     {"a,,b", "(a)()(b)"},
        {"a,", "(a)()"},  {",a", "()(a)"},   {",", "()()"},         {",,", "()()()"},
        {" ", "()"},      {" , ", "()()"},   {" a , b ", "(a)(b)"}, {"a b,c", "(a b)(c)"},
        {"a;b", "(a;b)"}, {"a,\t", "(a)()"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span rest = span_from_str(rows[i].list);
        struct span item;
        char joined[64] = "";
        while (span_next(&rest, ',', &item)) {
            size_t used = strlen(joined);
            snprintf(joined + used, sizeof(joined) - used, "(%.*s)", (int)item.len, item.data);
        }
        CHECK_EQ_STR(rows[i].list, joined, rows[i].joined);
        CHECK_FALSE("used up for good", span_next(&rest, ',', &item));
    }
}

/* In an empty list inside a list, the bytes in front of it must not matter. */
static void test_next_nested(void)
{
    static const char text[] = "a,";
    struct span rest = {text + 2, 0};
    struct span item;
    CHECK_FALSE("empty behind a separator", span_next(&rest, ',', &item));
}

static void test_find(void)
{
    CHECK_EQ_U64("first", span_find(SPAN_LIT("abcb"), 'b'), 1);
    CHECK_EQ_U64("none", span_find(SPAN_LIT("abc"), 'x'), 3);
    CHECK_EQ_U64("NUL", span_find(SPAN_LIT("a\0b"), '\0'), 1);
    CHECK_EQ_U64("high byte", span_find(SPAN_LIT("a\xff"), '\xff'), 1);
    CHECK_EQ_U64("only within", span_find((struct span){"abc", 2}, 'c'), 2);
}

struct number_row {
    const char *text;
    bool is_good;
    uint64_t value;
};

typedef bool parse_fn(struct span s, uint64_t *out);

static void check_numbers(const struct number_row *rows, size_t count, parse_fn *parse)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 4711;
        CHECK_EQ_INT(rows[i].text, parse(span_from_str(rows[i].text), &value), rows[i].is_good);
        CHECK_EQ_U64(rows[i].text, value, rows[i].is_good ? rows[i].value : 4711);
    }
}

static void test_parse_u64(void)
{
    static const struct number_row rows[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"0012", true, 12},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1a", false, 0},
        {"0x1", false, 0},
        {"1.0", false, 0},
        {":", false, 0},
        {"/", false, 0},
    };
    check_numbers(rows, COUNT(rows), span_parse_u64);
    uint64_t value = 0;
    CHECK_FALSE("NUL", span_parse_u64(SPAN_LIT("1\0"), &value));
}

static void test_parse_size(void)
{
    static const struct number_row rows[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"64k", true, 65536},
        {"64K", true, 65536},
        {"2m", true, 2097152},
        {"2M", true, 2097152},
        {"1g", true, 1073741824},
        {"1G", true, 1073741824},
        {"0k", true, 0},
        {"17179869183g", true, UINT64_C(17179869183) << 30},
        {"17179869184g", false, 0},
        {"18446744073709551615", true, UINT64_MAX},
        {"18014398509481984k", false, 0},
        {"", false, 0},
        {"k", false, 0},
        {"1kk", false, 0},
        {"1kb", false, 0},
        {"1t", false, 0},
        {"1b", false, 0},
        {"1 k", false, 0},
        {"-1k", false, 0},
        {"1.5k", false, 0},
        {" 1k", false, 0},
    };
    check_numbers(rows, COUNT(rows), span_parse_size);
}

static void test_parse_duration(void)
{
    static const struct number_row rows[] = {
        {"0", true, 0},
        {"0s", true, 0},
        {"0ms", true, 0},
        {"250ms", true, 250},
        {"5s", true, 5000},
        {"10m", true, 600000},
        {"2h", true, 7200000},
        {"1d", true, 86400000},
        {"18446744073709551615ms", true, UINT64_MAX},
        {"18446744073709551s", true, UINT64_C(18446744073709551000)},
        {"18446744073709552s", false, 0},
        {"18446744073709551616ms", false, 0},
        {"", false, 0},
        {"5", false, 0},
        {"00", false, 0},
        {"s", false, 0},
        {"ms", false, 0},
        {"5S", false, 0},
        {"5M", false, 0},
        {"5 s", false, 0},
        {"5sec", false, 0},
        {"1h30m", false, 0},
        {"-5s", false, 0},
        {"1.5s", false, 0},
        {"5us", false, 0},
        {"5mms", false, 0},
    };
    check_numbers(rows, COUNT(rows), span_parse_duration);
}

static void test_is_token(void)
{
    static const char tchars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'a'};
        bool want = c != 0 && strchr(tchars, c) != NULL;
        char row[32];
        snprintf(row, sizeof(row), "byte %d", c);
        CHECK_EQ_INT(row, span_is_token((struct span){text, 3}), want);
    }
    CHECK_TRUE("one byte", span_is_token(SPAN_LIT("a")));
    CHECK_FALSE("empty", span_is_token(SPAN_LIT("")));
}

static void test_copy(void)
{
    char out[4];
    CHECK_TRUE("fits", span_copy(SPAN_LIT("abc"), out, sizeof(out)));
    CHECK_EQ_STR("fits", out, "abc");
    CHECK_FALSE("cut", span_copy(SPAN_LIT("abcd"), out, sizeof(out)));
    CHECK_EQ_STR("cut", out, "abc");
    CHECK_TRUE("empty", span_copy(NOTHING, out, sizeof(out)));
    CHECK_EQ_STR("empty", out, "");
    CHECK_TRUE("empty into one byte", span_copy(NOTHING, out, 1));
    CHECK_FALSE("cut to one byte", span_copy(SPAN_LIT("a"), out, 1));
    CHECK_EQ_STR("cut to one byte", out, "");
}

CU_TestInfo span_tests[] = {
    {"from a string", test_from_str},
    {"compare", test_compare},
    {"NULL is the empty span", test_null_is_empty},
    {"trim", test_trim},
    {"next item of a list", test_next},
    {"empty list behind a separator", test_next_nested},
    {"find", test_find},
    {"parse a number", test_parse_u64},
    {"parse a size", test_parse_size},
    {"parse a duration", test_parse_duration},
    {"token", test_is_token},
    {"copy", test_copy},
    CU_TEST_INFO_NULL,
};
