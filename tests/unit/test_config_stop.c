/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys that say how sluice stops. */
#include "check.h"
#include "conf/config.h"
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

CU_TestInfo config_stop_tests[] = {
    {"pre_drain", test_pre_drain},
    CU_TEST_INFO_NULL,
};
