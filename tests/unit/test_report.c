/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/report.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "report_kit.h"
#include "suites.h"

static void test_lines(void)
{
    struct report report = {0};
    char *text;

    CHECK_FALSE("empty", report.is_failed);
    report_add(&report, 9, "nine %d", 1);
    report_add(&report, 2, "two");
    report_add(&report, 9, "nine %d", 2);
    report_add(&report, 0, "whole");
    report_sort(&report);
    CHECK_TRUE("failed", report.is_failed);
    text = report_text(&report);
    CHECK_EQ_STR("sorted", text, "f.ini: whole\nf.ini:2: two\nf.ini:9: nine 1\nf.ini:9: nine 2\n");
    free(text);
    report_done(&report);
    CHECK_TRUE("done", report.errors == NULL && report.count == 0 && !report.is_failed);
}

static void test_end(void)
{
    struct report report = {0};

    for (unsigned i = 0; i < 3 * REPORT_ERRORS_MAX; i++) {
        report_add(&report, i, "x");
    }
    CHECK_EQ_U64("count", report.count, REPORT_ERRORS_MAX + 1);
    CHECK_TRUE("last", strstr(report.errors[REPORT_ERRORS_MAX].message, "too many errors") != NULL);
    report_done(&report);
}

static void test_warnings(void)
{
    struct report report = {0};
    char *text;

    report_warn(&report, 7, "seven");
    CHECK_FALSE("a warning fails nothing", report.is_failed);
    report_add(&report, 7, "an error");
    report_warn(&report, 0, "whole");
    report_sort(&report);
    CHECK_TRUE("failed", report.is_failed);
    text = report_text(&report);
    CHECK_EQ_STR("printed", text,
                 "f.ini: warning: whole\nf.ini:7: warning: seven\nf.ini:7: an error\n");
    free(text);
    report_done(&report);
}

static void test_quote(void)
{
    char text[100];
    struct span quoted;

    memset(text, 'x', sizeof(text));
    CHECK_EQ_U64("short", report_quote((struct span){text, 60}).len, 60);
    CHECK_EQ_U64("long", report_quote((struct span){text, 100}).len, 60);
    memcpy(text + 58, "\xe2\x82\xac", 3);
    quoted = report_quote((struct span){text, 100});
    CHECK_EQ_U64("inside a letter", quoted.len, 58);
}

CU_TestInfo report_tests[] = {
    {"errors are printed by line", test_lines},
    {"warnings", test_warnings},
    {"the list has an end", test_end},
    {"quotes end between letters", test_quote},
    CU_TEST_INFO_NULL,
};
