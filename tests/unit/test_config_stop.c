/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys that say how sluice stops, and how much memory it takes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "give_up.h"
#include "suites.h"

#define ROUTES "[listen a]\naddress = 127.0.0.1:1\n[route r]\npath = /r\nbackend = echo:\n"

static void test_pre_drain(void)
{
    static const struct {
        const char *name;
        const char *text;
        bool is_good;
        uint64_t pre_drain_ms;
    } rows[] = {
        {"default", ROUTES, true, 0},
        {"off", "[server]\npre_drain = 0\n" ROUTES, true, 0},
        {"seconds", "[server]\npre_drain = 5s\n" ROUTES, true, 5000},
        {"a day", "[server]\npre_drain = 1d\n" ROUTES, true, 86400000},
        {"more", "[server]\npre_drain = 25h\n" ROUTES, false, 0},
        {"no unit", "[server]\npre_drain = 5\n" ROUTES, false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report report;
        struct config *config = config_parse(span_from_str(rows[i].text), &report);
        CHECK_EQ_INT(rows[i].name, config != NULL, rows[i].is_good);
        if (config != NULL) {
            CHECK_EQ_U64(rows[i].name, config->pre_drain_ms, rows[i].pre_drain_ms);
        }
        config_free(config);
        report_done(&report);
    }
}

#define LARGE \
    "[listen a]\naddress = 127.0.0.1:1\n[route r]\npath = /r\nbackend = echo:\n" \
    "buffer_high = 1m\n"

static void test_max_memory(void)
{
    static const struct {
        const char *name;
        const char *text;
        uint64_t bytes;
        const char *says; /* the only line about it; NULL = none */
    } rows[] = {
        {"default", ROUTES, 0, NULL},
        {"off", "[server]\nmax_memory = 0\n" ROUTES, 0, NULL},
        {"least", "[server]\nmax_memory = 8m\n" ROUTES, 8 << 20, NULL},
        {"less", "[server]\nmax_memory = 8191k\n" ROUTES, 0, "bad value '8191k' for 'max_memory'"},
        {"few slow sessions", "[server]\nmax_memory = 16m\n" LARGE, 16 << 20,
         "max_memory is reached by fewer than eight slow sessions of [route r]: each may queue "
         "2368k"},
        {"enough", "[server]\nmax_memory = 19m\n" LARGE, 19 << 20, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report report;
        struct config *config = config_parse(span_from_str(rows[i].text), &report);
        CHECK_EQ_U64(rows[i].name, report.count, rows[i].says != NULL ? 1 : 0);
        if (report.count > 0 && rows[i].says != NULL) {
            CHECK_EQ_U64(rows[i].name, report.errors[0].line, 2);
            CHECK_TRUE(report.errors[0].message,
                       strstr(report.errors[0].message, rows[i].says) != NULL);
        }
        CHECK_EQ_U64(rows[i].name, config != NULL ? config->max_memory_bytes : 0, rows[i].bytes);
        config_free(config);
        report_done(&report);
    }
}

/* A configuration that takes the memory itself. */
static void test_max_memory_of_many_routes(void)
{
    char *text = mem_alloc(1 << 20);
    struct report report;
    size_t len = 0;
    if (text == NULL) {
        GIVE_UP();
    }
    for (unsigned routes = 500; routes <= 3000; routes += 2500) {
        len =
            (size_t)sprintf(text, "[server]\nmax_memory = 8m\n[listen a]\naddress = 127.0.0.1:1\n");
        for (unsigned i = 0; i < routes; i++) {
            len += (size_t)sprintf(text + len, "[route r%u]\npath = /r%u\nbackend = echo:\n", i, i);
        }
        struct config *config = config_parse((struct span){text, len}, &report);
        CHECK_EQ_INT("too many", config == NULL, routes == 3000);
        CHECK_TRUE("says so", config != NULL || strstr(report.errors[0].message,
                                                       "max_memory is too small: this "
                                                       "configuration alone takes") != NULL);
        CHECK_TRUE("where", config != NULL || report.errors[0].line == 2);
        config_free(config);
        report_done(&report);
    }
    mem_free(text);
}

CU_TestInfo config_stop_tests[] = {
    {"pre_drain", test_pre_drain},
    {"max_memory", test_max_memory},
    {"max_memory of many routes", test_max_memory_of_many_routes},
    CU_TEST_INFO_NULL,
};
