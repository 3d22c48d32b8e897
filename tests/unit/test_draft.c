/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/draft.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct reading {
    struct draft draft;
    struct arena texts;
    struct report report;
};

static void reading_begin(struct reading *r, struct span text)
{
    *r = (struct reading){0};
    draft_read(&r->draft, text, &r->texts, &r->report);
}

static void reading_end(struct reading *r)
{
    draft_done(&r->draft);
    arena_done(&r->texts);
    report_done(&r->report);
}

// Writes the items of a value, each with its line: "9:a 9:b 10:c".
static const char *write_items(const struct draft_value *value, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (const struct draft_item *i = value->items; i != NULL && used < size; i = i->next) {
        used += (size_t)snprintf(out + used, size - used, "%s%u:%s", used > 0 ? " " : "", i->line,
                                 i->text.data);
    }
    return out;
}

static void check_items(const struct draft_section *section, const char *key, const char *want)
{
    char text[256] = "";

    CHECK_EQ_STR(key, write_items(draft_value(section, key), text, sizeof(text)), want);
}

static void test_lines(void)
{
    static const char text[] = "\n"
                               "[listen a]\r\n"
                               "; x\n"
                               " # y\n"
                               "address=v;w # z\n"
                               "tls_key = a , b;c\t; d, e\n"
                               "[ route \t b.c ]\t; z\n"
                               "path\t=  = /x\n"
                               "origins = a, b\n"
                               "origins=;c\n"
                               "max_age = 1";
    struct reading r;
    const struct draft_section *listen;
    const struct draft_section *route;

    reading_begin(&r, SPAN_LIT(text));
    CHECK_EQ_U64("errors", r.report.count, 0);
    if (CHECK_EQ_U64("sections", r.draft.count, 2)) {
        listen = r.draft.sections;
        route = listen->next;
        CHECK_EQ_STR("listen", listen->name.data, "a");
        CHECK_EQ_U64("listen", listen->line, 2);
        check_items(listen, "address", "5:v;w # z");
        check_items(listen, "tls_key", "6:a 6:b;c");
        CHECK_EQ_STR("route", route->name.data, "b.c");
        CHECK_EQ_U64("route", route->line, 7);
        check_items(route, "path", "8:= /x");
        check_items(route, "origins", "9:a 9:b 10:;c");
        check_items(route, "max_age", "11:1");
        check_items(route, "host", "");
        CHECK_EQ_U64("host", draft_value(route, "host")->line, 0);
    }
    CHECK_FALSE("lost", r.draft.has_lost_section);
    reading_end(&r);
}

// A line that is too long brings no key: the reader takes no part of it for a line of its own.
static void test_longest_line(void)
{
    for (size_t len = DRAFT_LINE_BYTES_MAX - 2; len <= DRAFT_LINE_BYTES_MAX + 2; len++) {
        static const char front[] = "[route a]\nhost = ";
        static const char back[] = "\r\nmax_age = 1\n";
        char *text = malloc(sizeof(front) + len + sizeof(back));
        size_t start = sizeof(front) - 1;
        struct reading r;

        memset(text, 'x', sizeof(front) + len);
        memcpy(text, front, start);
        memcpy(text + len - 12, "\tmax_age = 2", 12); // inih's own buffers end before this text
        memcpy(text + 10 + len, back, sizeof(back));
        reading_begin(&r, span_from_str(text));
        CHECK_EQ_U64("line", r.report.count, len <= DRAFT_LINE_BYTES_MAX ? 0 : 1);
        if (len > DRAFT_LINE_BYTES_MAX && r.report.count > 0) {
            CHECK_EQ_U64("line", r.report.errors[0].line, 2);
            CHECK_TRUE("line", strstr(r.report.errors[0].message, "4096 bytes") != NULL);
        } else if (r.draft.count == 1) {
            const struct draft_value *host = draft_value(r.draft.sections, "host");

            CHECK_EQ_U64("host", host->count, 1);
            CHECK_EQ_MEM("host", host->items->text.data, host->items->text.len, text + start,
                         len - 7);
        }
        check_items(r.draft.sections, "max_age", "3:1");
        reading_end(&r);
        free(text);
    }
}

static void test_longest_name(void)
{
    for (size_t len = DRAFT_NAME_BYTES_MAX - 1; len <= 60; len++) {
        char text[80];
        struct reading r;

        memset(text, 'x', sizeof(text));
        memcpy(text, "[route ", 7);
        memcpy(text + 1 + len, "]\n", 3);
        reading_begin(&r, span_from_str(text));
        CHECK_EQ_U64("name", r.draft.count, len <= DRAFT_NAME_BYTES_MAX ? 1 : 0);
        CHECK_EQ_U64("name", r.report.count, len <= DRAFT_NAME_BYTES_MAX ? 0 : 1);
        CHECK_EQ_INT("name", r.draft.has_lost_section, len > DRAFT_NAME_BYTES_MAX);
        reading_end(&r);
    }
}

// Every line stands alone: inih keeps no state from one line to the next.
static void test_every_cut(void)
{
    static const char text[] =
        "[server]\nworkers = 3\n[route a]\norigins = a,b ; c\n  x\nhost = h\n";

    for (size_t cut = 0; cut < sizeof(text); cut++) {
        char *copy = calloc(1, cut + 1);
        struct reading r;

        if (copy == NULL) {
            GIVE_UP();
        }
        memcpy(copy, text, cut);
        copy[cut] = 'x';
        reading_begin(&r, (struct span){copy, cut});
        for (const struct draft_section *s = r.draft.sections; s != NULL; s = s->next) {
            CHECK_TRUE("line", s->line == 1 || s->line == 3);
            if (s->kind == KEY_ROUTE && draft_value(s, "host")->count > 0) {
                check_items(s, "host", "6:h");
                check_items(s, "origins", "4:a 4:b");
            }
        }
        reading_end(&r);
        free(copy);
    }
}

// Keys below a header that was refused are not errors of their own.
static void test_lost_section(void)
{
    struct reading r;

    reading_begin(&r,
                  SPAN_LIT("[what]\nx = 1\nno key\n[route\ny = 1\n\xef\xbb\xbf[server]\nz = 1\n"));
    CHECK_EQ_U64("errors", r.report.count, 4);
    CHECK_EQ_U64("sections", r.draft.count, 0);
    CHECK_TRUE("lost", r.draft.has_lost_section);
    for (size_t i = 0; i < r.report.count; i++) {
        static const unsigned lines[] = {1, 3, 4, 6};

        CHECK_EQ_U64("line", r.report.errors[i].line, lines[i % COUNT(lines)]);
    }
    reading_end(&r);
}

CU_TestInfo draft_tests[] = {
    {"lines and what they say", test_lines},
    {"the longest line", test_longest_line},
    {"the longest name", test_longest_name},
    {"a text that is cut anywhere", test_every_cut},
    {"headers that were refused", test_lost_section},
    CU_TEST_INFO_NULL,
};
