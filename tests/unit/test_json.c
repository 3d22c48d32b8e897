/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"

#include <stdlib.h>

#include "base/mem.h"
#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct json_limits limits = {.bytes = 4096, .depth = 4};

/* Reads a copy that ends where the text ends, so that a read beyond it is seen. */
static struct json_value *read_copy(struct span text, struct json_fault *fault)
{
    char *copy = malloc(text.len + 1);
    json_doc_start(7);
    memcpy(copy, text.data, text.len);
    struct json_value *top = json_doc_read((struct span){copy, text.len}, &limits, fault);
    free(copy);
    return top;
}

static void test_refused(void)
{
    static const struct {
        struct span text;
        const char *detail; /* a part of it */
        unsigned line;
    } rows[] = {
        {SPAN_LIT(""), "nothing", 0},
        {SPAN_LIT(" "), "", 1},
        {SPAN_LIT("{"), "ends too early", 1},
        {SPAN_LIT("{\"a\":1"), "ends too early", 1},
        {SPAN_LIT("{}{}"), "behind the end", 1},
        {SPAN_LIT("{}\0"), "behind the end", 1},
        {SPAN_LIT("{}}"), "behind the end", 1},
        {SPAN_LIT("1"), "malformed", 1},
        {SPAN_LIT("\"a\""), "malformed", 1},
        {SPAN_LIT("null"), "malformed", 1},
        {SPAN_LIT("{'a':1}"), "malformed", 1},
        {SPAN_LIT("{\"a\":1,}"), "malformed", 1},
        {SPAN_LIT("[1,]"), "malformed", 1},
        {SPAN_LIT("{\"a\":01}"), "malformed", 1},
        {SPAN_LIT("{\"a\":NaN}"), "malformed", 1},
        {SPAN_LIT("{\"a\":Infinity}"), "malformed", 1},
        {SPAN_LIT("{\"a\":+1}"), "malformed", 1},
        {SPAN_LIT("{\"a\":.5}"), "malformed", 1},
        {SPAN_LIT("{\"a\":1} // c"), "behind the end", 1},
        {SPAN_LIT("\n\n{\n\"a\" 1}"), "malformed", 4},
        {SPAN_LIT("\xef\xbb\xbf{}"), "malformed", 1},
        {SPAN_LIT("{\"a\":\"\xff\"}"), "not UTF-8", 1},
        {SPAN_LIT("{\"a\":\"\xed\xa0\x80\"}"), "not UTF-8", 1},
        {SPAN_LIT("{\"a\":\"\xc0\x80\"}"), "not UTF-8", 1},
        {SPAN_LIT("{\"a\":\"\\ud800\"}"), "malformed", 1},
        {SPAN_LIT("{\"a\":\"\n\"}"), "malformed", 1},
        {SPAN_LIT("{\"a\":\"\\u0000\"}"), "U+0000", 1},
        {SPAN_LIT("{\"\\u0000\":1}"), "U+0000", 1},
        {SPAN_LIT("{\"a\":1,\"a\":1}"), "twice", 1},
        {SPAN_LIT("{\"a\":1,\"\\u0061\":2}"), "twice", 1},
        {SPAN_LIT("[{\"b\":{\"a\":1,\"a\":2}}]"), "twice", 1},
        {SPAN_LIT("{\"a\":9223372036854775808}"), "too large", 1},
        {SPAN_LIT("{\"a\":-9223372036854775809}"), "too large", 1},
        {SPAN_LIT("{\"a\":1e999}"), "too large", 1},
        {SPAN_LIT("[[[[[]]]]]"), "too deep", 0},
        {SPAN_LIT("[[[[["), "too deep", 0},
        {SPAN_LIT("{\"a\":[{\"a\":[{}]}]}"), "too deep", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_fault fault;
        size_t before = mem_live_blocks();
        struct json_value *top = read_copy(rows[i].text, &fault);
        CHECK_TRUE(rows[i].text.data, top == NULL);
        if (CHECK_TRUE(rows[i].text.data, fault.detail != NULL)) {
            CHECK_TRUE(fault.detail, strstr(fault.detail, rows[i].detail) != NULL);
        }
        CHECK_EQ_U64(rows[i].text.data, fault.line, rows[i].line);
        json_doc_done(top);
        CHECK_EQ_U64(rows[i].text.data, mem_live_blocks(), before);
    }
}

static void test_values(void)
{
    static const char text[] = " {\"t\":\"a\\u00e9\\\"{[\", \"\":1, \"i\":-9223372036854775808,"
                               "\"r\":1.5, \"e\":1e3, \"y\":true, \"n\":false, \"z\":null,"
                               "\"l\":[1,\"b\",{}], \"o\":{\"l\":[[]]}}\r\n";
    struct json_fault fault;
    struct json_value *top = read_copy(span_from_str(text), &fault);
    if (!CHECK_TRUE("good", top != NULL)) {
        return;
    }
    CHECK_EQ_INT("object", json_value_kind(top), JSON_KIND_OBJECT);
    CHECK_EQ_U64("object", json_value_count(top), 10);
    static const struct {
        const char *name;
        enum json_kind kind;
        size_t count;
        const char *member_text;
        int64_t integer;
        double number;
    } rows[] = {
        {"t", JSON_KIND_TEXT, 0, "a\xc3\xa9\"{[", 0, 0},
        {"i", JSON_KIND_INTEGER, 0, NULL, INT64_MIN, (double)INT64_MIN},
        {"r", JSON_KIND_REAL, 0, NULL, 0, 1.5},
        {"e", JSON_KIND_REAL, 0, NULL, 0, 1000},
        {"y", JSON_KIND_BOOLEAN, 0, NULL, 0, 0},
        {"n", JSON_KIND_BOOLEAN, 0, NULL, 0, 0},
        {"z", JSON_KIND_NULL, 0, NULL, 0, 0},
        {"l", JSON_KIND_LIST, 3, NULL, 0, 0},
        {"o", JSON_KIND_OBJECT, 1, NULL, 0, 0},
        {"T", JSON_KIND_NONE, 0, NULL, 0, 0},
        {"tt", JSON_KIND_NONE, 0, NULL, 0, 0},
        {"", JSON_KIND_NONE, 0, NULL, 0, 0}, /* no name that we ask for is empty */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *row = rows[i].name;
        const struct json_value *v = json_value_member(top, span_from_str(row));
        struct span got = json_value_text(v);
        CHECK_EQ_INT(row, json_value_kind(v), rows[i].kind);
        CHECK_EQ_U64(row, json_value_count(v), rows[i].count);
        CHECK_EQ_STR(row, got.data, rows[i].member_text);
        CHECK_EQ_U64(row, got.len, rows[i].member_text == NULL ? 0 : strlen(rows[i].member_text));
        CHECK_EQ_I64(row, json_value_integer(v), rows[i].integer);
        CHECK_TRUE(row, json_value_number(v) == rows[i].number);
        CHECK_TRUE(row, json_value_is_true(v) == (row[0] == 'y'));
        CHECK_TRUE(row, json_value_member(v, SPAN_LIT("x")) == NULL);
    }
    const struct json_value *list = json_value_member(top, SPAN_LIT("l"));
    CHECK_EQ_I64("item", json_value_integer(json_value_item(list, 0)), 1);
    CHECK_EQ_INT("item", json_value_kind(json_value_item(list, 2)), JSON_KIND_OBJECT);
    CHECK_TRUE("no item", json_value_item(list, 3) == NULL && json_value_item(top, 0) == NULL);
    json_doc_done(top);
}

static void test_limits(void)
{
    struct json_fault fault;
    static char text[4098];
    memset(text, ' ', sizeof(text));
    text[0] = '{';
    text[4095] = '}';
    struct json_value *top = read_copy((struct span){text, 4096}, &fault);
    CHECK_TRUE("4096 bytes", top != NULL);
    json_doc_done(top);
    CHECK_TRUE("4097 bytes", read_copy((struct span){text, 4097}, &fault) == NULL);
    CHECK_TRUE("4097 bytes", strstr(fault.detail, "too long") != NULL);
    /* Brackets in texts are no depth, whatever is escaped in front of them. */
    top = read_copy(SPAN_LIT("[[[[\"[[{{\\\\\\\"[[\",\"[\"]]]]"), &fault);
    CHECK_TRUE("brackets in texts", top != NULL);
    json_doc_done(top);
    /* Closed lists beside each other are no depth either. */
    top = read_copy(SPAN_LIT("[[],[],[],[],[],[]]"), &fault);
    CHECK_EQ_U64("lists side by side", json_value_count(top), 6);
    json_doc_done(top);
}

/* Each front of a good text, and each of its bytes replaced, is a document or a named fault. */
static void test_cuts(void)
{
    static const char text[] = "{\"a\":[1,-2.5e-3,\"\\u20ac\\n\"],\"b\":{\"c\":null,\"d\":true}}";
    static const char others[] = "\"\\{}[],:0\xff ";
    const size_t len = sizeof(text) - 1;
    size_t before = mem_live_blocks();
    for (size_t cut = 0; cut < len; cut++) {
        struct json_fault fault;
        CHECK_TRUE("cut", read_copy((struct span){text, cut}, &fault) == NULL);
        CHECK_TRUE("cut", fault.detail != NULL);
        for (size_t k = 0; k < sizeof(others); k++) {
            char changed[sizeof(text)];
            memcpy(changed, text, sizeof(text));
            changed[cut] = others[k];
            struct json_value *top = read_copy((struct span){changed, len}, &fault);
            CHECK_TRUE("changed", (top == NULL) == (fault.detail != NULL));
            json_doc_done(top);
        }
    }
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

/* Whichever allocation fails, nothing stays behind. */
static void test_no_memory(void)
{
    static const struct span text = SPAN_LIT(
        "{\"a\":[1,2,3,4,5,6,7,8,9,\"a text that is longer than the first block\"],"
        "\"b\":{\"c\":1,\"d\":2,\"e\":3,\"f\":4,\"g\":5,\"h\":6,\"i\":7,\"j\":8,\"k\":9}}");
    size_t before = mem_live_blocks();
    bool is_read = false;
    for (uint64_t n = 1; n < 200 && !is_read; n++) {
        struct json_fault fault;
        mem_fail_after(n);
        struct json_value *top = read_copy(text, &fault);
        mem_fail_after(0);
        is_read = top != NULL;
        CHECK_TRUE("a detail", is_read || fault.detail != NULL);
        json_doc_done(top);
        CHECK_EQ_U64("blocks", mem_live_blocks(), before);
    }
    CHECK_TRUE("read at last", is_read);
    (void)mem_recover();
}

CU_TestInfo json_tests[] = {
    {"what is refused, and where", test_refused},
    {"values", test_values},
    {"limits", test_limits},
    {"cut and changed everywhere", test_cuts},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
