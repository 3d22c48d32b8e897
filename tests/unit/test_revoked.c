/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/revoked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a reading has told. */
struct told {
    size_t count;
    unsigned line; /* of the last one */
    const char *detail;
};

static void take_fault(void *owner, unsigned line, const char *detail)
{
    struct told *told = owner;
    told->count++;
    told->line = line;
    told->detail = detail;
}

/* Reads a copy that ends where the text ends and is gone afterwards. */
static bool read_copy(struct revoked *revoked, struct span text, struct told *told)
{
    char *copy = malloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    *told = (struct told){.count = 0};
    bool is_good = revoked_read(revoked, (struct span){copy, text.len}, take_fault, told);
    memset(copy, '!', text.len);
    free(copy);
    CHECK_EQ_INT(text.data, is_good, told->count == 0);
    return is_good;
}

static void test_good(void)
{
    static const struct {
        struct span text;
        size_t count;
        enum revoked_kind kind;
        struct span value;
    } rows[] = {
        {SPAN_LIT("# nobody\n"), 0, REVOKED_JTI, SPAN_LIT("")},
        {SPAN_LIT("jti:a\n"), 1, REVOKED_JTI, SPAN_LIT("a")},
        {SPAN_LIT("sub:a\r\n"), 1, REVOKED_SUB, SPAN_LIT("a")},
        {SPAN_LIT("kid:2026-01\n"), 1, REVOKED_KID, SPAN_LIT("2026-01")},
        {SPAN_LIT("\n \t\n#sub:no\n  sub: a b \t\n\n"), 1, REVOKED_SUB, SPAN_LIT("a b")},
        {SPAN_LIT("sub:#1\n"), 1, REVOKED_SUB, SPAN_LIT("#1")},
        {SPAN_LIT("sub:auth0|a:b\n"), 1, REVOKED_SUB, SPAN_LIT("auth0|a:b")},
        {SPAN_LIT("sub:\xc3\xa9ve\n"), 1, REVOKED_SUB, SPAN_LIT("\xc3\xa9ve")},
        {SPAN_LIT("\xef\xbb\xbfsub:a\n"), 1, REVOKED_SUB, SPAN_LIT("a")},
        {SPAN_LIT("sub:a\nsub:b\nsub:a\njti:a\n"), 3, REVOKED_SUB, SPAN_LIT("b")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct revoked revoked;
        struct told told;
        CHECK_TRUE(rows[i].text.data, read_copy(&revoked, rows[i].text, &told));
        CHECK_EQ_U64(rows[i].text.data, revoked.count, rows[i].count);
        CHECK_EQ_INT(rows[i].text.data, revoked_has(&revoked, rows[i].kind, rows[i].value),
                     rows[i].count > 0);
        revoked_done(&revoked);
    }
}

static void test_bad(void)
{
    static const struct {
        struct span text;
        unsigned line;
        const char *detail;
    } rows[] = {
        {SPAN_LIT(""), 0, "the file is empty: write a comment if nobody is revoked"},
        {SPAN_LIT(" \n\r\n"), 0, "the file is empty: write a comment if nobody is revoked"},
        {SPAN_LIT("\xef\xbb\xbf"), 0, "the file is empty: write a comment if nobody is revoked"},
        {SPAN_LIT("# a"), 1, "the last line has no line end: the file may be cut"},
        {SPAN_LIT("sub:a\nsub:b"), 2, "the last line has no line end: the file may be cut"},
        {SPAN_LIT("alice\n"), 1, "the line begins with none of jti:, sub: and kid:"},
        {SPAN_LIT("\n:\n"), 2, "the line begins with none of jti:, sub: and kid:"},
        {SPAN_LIT("SUB:a\n"), 1, "the line begins with none of jti:, sub: and kid:"},
        {SPAN_LIT("sub a\n"), 1, "the line begins with none of jti:, sub: and kid:"},
        {SPAN_LIT("sub :a\n"), 1, "the line begins with none of jti:, sub: and kid:"},
        {SPAN_LIT("sub:a\nsub: \n"), 2, "nothing stands behind the colon"},
        {SPAN_LIT("jti:\n"), 1, "nothing stands behind the colon"},
        {SPAN_LIT("sub:\xc3\n"), 1, "the line is not UTF-8"},
        {SPAN_LIT("sub:a\0b\n"), 1, "the line has a control character"},
        {SPAN_LIT("sub:a\x7f\n"), 1, "the line has a control character"},
        {SPAN_LIT("sub:a\rb\n"), 1, "the line has a control character"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct revoked revoked;
        struct told told;
        CHECK_FALSE(rows[i].text.data, read_copy(&revoked, rows[i].text, &told));
        CHECK_EQ_U64(rows[i].text.data, told.count, 1);
        CHECK_EQ_U64(rows[i].text.data, told.line, rows[i].line);
        CHECK_EQ_STR(rows[i].text.data, told.detail, rows[i].detail);
        CHECK_EQ_U64("empty", revoked.count, 0);
    }
}

/* Every fault is told, not only the first one. */
static void test_all_faults(void)
{
    struct revoked revoked;
    struct told told;
    CHECK_FALSE("bad", read_copy(&revoked, SPAN_LIT("a\nsub:b\njti:\nsub:\xff\nsub:c"), &told));
    CHECK_EQ_U64("faults", told.count, 4);
    CHECK_EQ_U64("line", told.line, 5);
}

/* A file that is cut anywhere revokes what whole lines of it say, or is refused. */
static void test_every_cut(void)
{
    static const struct span text = SPAN_LIT("# who\njti:one\nsub: ada l.\r\nkid:k\xc3\xa9\n");
    for (size_t len = 0; len <= text.len; len++) {
        struct revoked revoked;
        struct told told;
        bool is_whole_line = len > 0 && text.data[len - 1] == '\n';
        CHECK_EQ_INT("cut", read_copy(&revoked, (struct span){text.data, len}, &told),
                     is_whole_line);
        size_t lines = 0;
        for (size_t i = 0; i < len; i++) {
            lines += text.data[i] == '\n' ? 1 : 0;
        }
        CHECK_EQ_U64("entries", revoked.count, is_whole_line ? lines - 1 : 0);
        revoked_done(&revoked);
    }
}

static void test_longest(void)
{
    static char text[4 + REVOKED_VALUE_MAX + 3];
    for (size_t more = 0; more < 2; more++) {
        struct revoked revoked;
        struct told told;
        size_t len = REVOKED_VALUE_MAX + more;
        memcpy(text, "sub:", 4);
        memset(text + 4, 'x', len);
        text[4 + len] = '\n';
        CHECK_EQ_INT("longest", read_copy(&revoked, (struct span){text, len + 5}, &told),
                     more == 0);
        CHECK_EQ_INT("found", revoked_has(&revoked, REVOKED_SUB, (struct span){text + 4, len}),
                     more == 0);
        revoked_done(&revoked);
    }
}

static void test_kinds_are_apart(void)
{
    struct revoked revoked;
    struct told told;
    CHECK_TRUE("good", read_copy(&revoked, SPAN_LIT("jti:a\nsub:b\nkid:c\n"), &told));
    static const enum revoked_kind kinds[] = {REVOKED_JTI, REVOKED_SUB, REVOKED_KID};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            struct span value = {&"abc"[k], 1};
            CHECK_EQ_INT("kind", revoked_has(&revoked, kinds[i], value), i == k);
        }
        CHECK_FALSE("empty", revoked_has(&revoked, kinds[i], SPAN_LIT("")));
        CHECK_FALSE("part", revoked_has(&revoked, kinds[i], SPAN_LIT("ab")));
        CHECK_FALSE("case", revoked_has(&revoked, kinds[i], SPAN_LIT("A")));
    }
    revoked_done(&revoked);
    const struct revoked nobody = {.count = 0};
    CHECK_FALSE("nobody", revoked_has(&nobody, REVOKED_SUB, SPAN_LIT("a")));
}

#define MANY 100000

static void test_many(void)
{
    char *text = malloc((size_t)MANY * 16 + 1);
    size_t len = 0;
    size_t before = mem_live_blocks();
    /* In no order: 7919 and MANY have no common divisor. */
    for (size_t i = 0; i < MANY; i++) {
        len += (size_t)snprintf(text + len, 17, "jti:%zu\n", i * 7919 % MANY * 2);
    }
    struct revoked revoked;
    struct told told;
    CHECK_TRUE("good", read_copy(&revoked, (struct span){text, len}, &told));
    free(text);
    CHECK_EQ_U64("count", revoked.count, MANY);
    size_t wrong = 0;
    for (size_t i = 0; i < (size_t)2 * MANY; i++) {
        char value[16];
        struct span span = {value, (size_t)snprintf(value, sizeof(value), "%zu", i)};
        wrong += revoked_has(&revoked, REVOKED_JTI, span) != (i % 2 == 0);
    }
    CHECK_EQ_U64("wrong", wrong, 0);
    revoked_done(&revoked);
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

CU_TestInfo revoked_tests[] = {
    {"good", test_good},
    {"bad", test_bad},
    {"all_faults", test_all_faults},
    {"every_cut", test_every_cut},
    {"longest", test_longest},
    {"kinds_are_apart", test_kinds_are_apart},
    {"many", test_many},
    CU_TEST_INFO_NULL,
};
