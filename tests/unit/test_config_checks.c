/* SPDX-License-Identifier: GPL-3.0-or-later */
// What a configuration says of health checks, and bytes with escapes.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "conf/change.h"
#include "conf/config.h"
#include "conf/value.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROUTE "[listen a]\naddress = 127.0.0.1:8080\n[route r]\npath = /r\n"
#define TCP ROUTE "backend = tcp://a:1\n"
#define ON TCP "health_interval = 5s\n"

static void test_keys(void)
{
    static const struct {
        const char *text;
        const char *message; // NULL: good
    } rows[] = {
        {TCP, NULL},
        {TCP "health_interval = 0\n", NULL},
        {ON, NULL},
        {ROUTE "backend = unix:/s\nhealth_interval = 50ms\n", NULL},
        {ON "health_timeout = 1s\nhealth_fall = 1\nhealth_rise = 100\n", NULL},
        {ON "health_expect = SSH-\n", NULL},
        {ON "health_expect = +PONG\nhealth_send = PING\\r\\n\n", NULL},
        {ROUTE "backend = echo:\n[defaults]\nhealth_interval = 5s\nhealth_expect = +\n", NULL},
        {ROUTE "backend = echo:\nhealth_interval = 5s\n", "without a backend other than echo:"},
        {TCP "health_interval = 49ms\n", "0 (off) or 50ms to 1h"},
        {TCP "health_timeout = 1s\n", "'health_timeout' means nothing without health_interval"},
        {TCP "health_fall = 1\n", "'health_fall' means nothing without health_interval"},
        {TCP "health_rise = 1\n", "'health_rise' means nothing without health_interval"},
        {TCP "health_expect = 1\n", "'health_expect' means nothing without health_interval"},
        {ON "health_send = 1\n", "'health_send' means nothing without health_expect"},
        {ON "health_fall = 0\n", "1 to 100"},
        {ON "health_rise = 101\n", "1 to 100"},
        {ON "health_timeout = 0\n", "10ms to 1h"},
        {ON "health_expect = \\q\n", "1 to 256 bytes, in which"},
        {ON "health_expect = a\\\n", "1 to 256 bytes, in which"},
        {ON "health_expect = \\x4\n", "1 to 256 bytes, in which"},
        {ON "health_expect = \\x4g\n", "1 to 256 bytes, in which"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        struct config *config = config_parse(span_from_str(rows[i].text), &report);
        CHECK_EQ_INT(rows[i].text, config != NULL, rows[i].message == NULL);
        if (rows[i].message != NULL) {
            const char *message = report.count > 0 ? report.errors[0].message : "";
            CHECK_EQ_U64(rows[i].text, report.count, 1);
            CHECK_TRUE(message, strstr(message, rows[i].message) != NULL);
        }
        report_done(&report);
        config_free(config);
    }
}

static void test_defaults(void)
{
    struct report report;
    struct config *config = config_parse(span_from_str(ON), &report);
    report_done(&report);
    if (!CHECK_TRUE("good", config != NULL)) {
        return;
    }
    const struct config_checks *checks = &config->routes[0].checks;
    CHECK_EQ_U64("interval", checks->interval_ms, 5000);
    CHECK_EQ_U64("timeout", checks->timeout_ms, 2000);
    CHECK_EQ_U64("fall", checks->fall, 3);
    CHECK_EQ_U64("rise", checks->rise, 2);
    CHECK_EQ_U64("send", checks->send.len, 0);
    CHECK_EQ_U64("expect", checks->expect.len, 0);
    config_free(config);
}

struct bytes_row {
    const char *written;
    const char *bytes;
    size_t len;
    const char *shown; // NULL: as written
};

static const struct bytes_row bytes_rows[] = {
    {"PING\\r\\n", "PING\r\n", 6, NULL},
    {"+PONG", "+PONG", 5, NULL},
    {"a b", "a b", 3, NULL},
    {"\\x20", " ", 1, NULL},
    {"RFB\\x20", "RFB ", 4, NULL},
    {"\\x00\\xff", "\0\xff", 2, NULL},
    {"\\x0D\\x0a\\x09", "\r\n\t", 3, "\\r\\n\\t"},
    {"\\\\x41", "\\x41", 4, NULL},
    {"\\x41\\x7f", "A\x7f", 2, "A\\x7f"},
    {"a;b", "a;b", 3, "a\\x3bb"},
    {"\xc3\xa4", "\xc3\xa4", 2, "\\xc3\\xa4"},
};

static void test_bytes(void)
{
    for (size_t i = 0; i < COUNT(bytes_rows); i++) {
        const struct bytes_row *row = &bytes_rows[i];
        struct arena arena = {0};
        struct span out = {NULL, 0};
        char scratch[VALUE_BYTES_MAX + 1];
        const char *detail = NULL;
        CHECK_TRUE(row->written,
                   value_read_bytes(span_from_str(row->written), &arena, &out, &detail));
        CHECK_EQ_MEM(row->written, out.data, out.len, row->bytes, row->len);
        struct span shown = value_show_bytes(&out, scratch);
        const char *wanted = row->shown != NULL ? row->shown : row->written;
        CHECK_EQ_MEM(row->written, shown.data, shown.len, wanted, strlen(wanted));
        arena_done(&arena);
    }
}

/* Each byte alone, at an end and in the middle, and as many as there may be. */
static void test_all_bytes(void)
{
    for (int c = 0; c < 256; c++) {
        char bytes[3] = {(char)c, (char)c, (char)c};
        struct span in = {bytes, sizeof(bytes)};
        struct span out = {NULL, 0};
        char scratch[VALUE_BYTES_MAX + 1];
        const char *detail = NULL;
        struct arena arena = {0};
        struct span shown = value_show_bytes(&in, scratch);
        CHECK_TRUE("all printable", shown.data[0] > ' ' && shown.data[shown.len - 1] > ' ');
        CHECK_TRUE("read", value_read_bytes(shown, &arena, &out, &detail));
        CHECK_EQ_MEM("the same", out.data, out.len, bytes, sizeof(bytes));
        arena_done(&arena);
    }
    for (size_t len = 255; len <= 257; len++) {
        char bytes[257 * 4];
        struct span out = {NULL, 0};
        const char *detail = NULL;
        struct arena arena = {0};
        for (size_t i = 0; i < len; i++) {
            memcpy(bytes + 4 * i, "\\x00", 4);
        }
        CHECK_EQ_INT("so many",
                     value_read_bytes((struct span){bytes, 4 * len}, &arena, &out, &detail),
                     len <= 256);
        arena_done(&arena);
    }
}

/* A reload sees another way to check. */
static void test_change(void)
{
    struct report report;
    struct config *a = config_parse(span_from_str(ON "health_expect = a\n"), &report);
    report_done(&report);
    struct config *b = config_parse(span_from_str(ON "health_expect = \\x61\n"), &report);
    report_done(&report);
    struct config *c = config_parse(span_from_str(ON "health_expect = b\n"), &report);
    report_done(&report);
    CHECK_TRUE("the same", change_is_route_same(&a->routes[0], &b->routes[0]));
    CHECK_FALSE("another", change_is_route_same(&a->routes[0], &c->routes[0]));
    config_free(a);
    config_free(b);
    config_free(c);
}

CU_TestInfo config_checks_tests[] = {
    {"keys", test_keys},           {"defaults", test_defaults}, {"bytes", test_bytes},
    {"all bytes", test_all_bytes}, {"a change", test_change},   CU_TEST_INFO_NULL,
};
