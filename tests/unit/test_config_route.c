/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several keys of a route mean together (conf/route.c), where it is no mistake. */
#include <stdio.h>

#include "check.h"
#include "conf/config.h"
#include "suites.h"

/* latency = low lowers the marks that nobody wrote. */
static void test_low_marks(void)
{
    static const struct {
        const char *name;
        const char *defaults;
        const char *route;
        uint64_t high;
        uint64_t low;
    } rows[] = {
        {"auto", "", "", 65536, 16384},
        {"bulk", "", "latency = bulk", 65536, 16384},
        {"low", "", "latency = low", 16384, 4096},
        {"low by default", "latency = low", "", 16384, 4096},
        {"taken back", "latency = low", "latency = auto", 65536, 16384},
        {"written", "", "latency = low\nbuffer_high = 64k", 65536, 16384},
        {"written by default", "buffer_low = 8k", "latency = low", 65536, 8192},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct report report;
        int len = snprintf(text, sizeof(text),
                           "[listen a]\naddress = 127.0.0.1:80\n[defaults]\n%s\n[route r]\n"
                           "path = /\norigins = *\nbackend = echo:\n%s\n",
                           rows[i].defaults, rows[i].route);
        struct config *config = config_parse((struct span){text, (size_t)len}, &report);
        CHECK_TRUE(rows[i].name, config != NULL);
        report_done(&report);
        if (config != NULL) {
            CHECK_EQ_U64(rows[i].name, config->routes[0].buffer_high_bytes, rows[i].high);
            CHECK_EQ_U64(rows[i].name, config->routes[0].buffer_low_bytes, rows[i].low);
            config_free(config);
        }
    }
}

CU_TestInfo config_route_tests[] = {
    {"the marks of latency = low", test_low_marks},
    CU_TEST_INFO_NULL,
};
