/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/mime.h"

#include "base/mem.h"
#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check_type(const struct mime *mime, const char *path, const char *want)
{
    char scratch[MIME_VALUE_MAX];
    struct span type = mime_type_of(mime, span_from_str(path), scratch);
    CHECK_EQ_MEM(path, type.data, type.len, want, strlen(want));
}

static void test_without_a_table(void)
{
    static const char *const rows[][2] = {
        {"vnc.html", "text/html; charset=utf-8"},
        {"a.HTM", "text/html; charset=utf-8"},
        {"app/ui.js", "text/javascript; charset=utf-8"},
        {"app/ui.mjs", "text/javascript; charset=utf-8"},
        {"styles/base.css", "text/css; charset=utf-8"},
        {"a.wasm", "application/wasm"},
        {"locale/de.json", "application/json"},
        {"images/icon.svg", "image/svg+xml"},
        {"a.PNG", "image/png"},
        {"a.woff2", "font/woff2"},
        {"a.oga", "audio/ogg"},
        {"a.b.txt", "text/plain; charset=utf-8"},
        {"a", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"", "application/octet-stream"},
        {"a.js/b", "application/octet-stream"},
        {"a.unheard", "application/octet-stream"},
        {"a.averylongextensionindeed", "application/octet-stream"},
    };
    const struct mime mime = {.count = 0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_type(&mime, rows[i][0], rows[i][1]);
    }
}

static const char table[] = "# a comment\n"
                            "\n"
                            "text/plain\t\tasc txt  text\n"
                            "application/x-bad-js js\n"
                            "application/x-one ONE two # three\r\n"
                            "application/x-later two\n"
                            "no-slash foo\n"
                            "evil/ty\"pe bar\n"
                            "application/x-none\n"
                            "  image/png  png\n"
                            "application/x-last last";

static void test_with_a_table(void)
{
    struct mime mime;

    CHECK_TRUE("memory", mime_read(&mime, span_from_str(table)));
    check_type(&mime, "a.one", "application/x-one");
    check_type(&mime, "a.two", "application/x-one");
    check_type(&mime, "a.three", "application/octet-stream");
    check_type(&mime, "a.asc", "text/plain; charset=utf-8");
    check_type(&mime, "a.js", "text/javascript; charset=utf-8");
    check_type(&mime, "a.foo", "application/octet-stream");
    check_type(&mime, "a.bar", "application/octet-stream");
    check_type(&mime, "a.last", "application/x-last");
    check_type(&mime, "a.gif", "image/gif");
    mime_done(&mime);
    mime_done(&mime);
}

// Cut anywhere, the table is a table, and the rest of it is right.
static void test_every_cut(void)
{
    for (size_t len = 0; len <= sizeof(table) - 1; len++) {
        struct mime mime;
        CHECK_TRUE("memory", mime_read(&mime, (struct span){table, len}));
        check_type(&mime, "a.js", "text/javascript; charset=utf-8");
        mime_done(&mime);
    }
}

static void test_no_memory(void)
{
    for (size_t i = 1; i <= 2; i++) {
        struct mime mime;
        mem_fail_after(i);
        CHECK_FALSE("memory", mime_read(&mime, span_from_str(table)));
        mem_fail_after(0);
    }
}

CU_TestInfo mime_tests[] = {
    {"without a table", test_without_a_table},
    {"with a table", test_with_a_table},
    {"every cut", test_every_cut},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
