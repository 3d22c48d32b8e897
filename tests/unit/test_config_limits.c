/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of limits per source and route. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "conf/config.h"
#include "conf/value.h"
#include "suites.h"

#define LISTEN "[listen a]\naddress = 127.0.0.1:1\n"
#define ROUTE "[route r]\npath = /r\nbackend = echo:\n"

static struct config *parse(const char *server, const char *route)
{
    char text[1024];
    struct report report;
    snprintf(text, sizeof(text), "[server]\n%s\n" LISTEN ROUTE "%s\n", server, route);
    struct config *config = config_parse(span_from_str(text), &report);
    report_done(&report);
    return config;
}

static void test_rates(void)
{
    static const struct {
        const char *value;
        uint64_t count; // 0 and a period of 0: no limit
        uint64_t period_ms;
        bool is_good;
    } rows[] = {
        {"0", 0, 0, true},          {"1/s", 1, 1000, true},
        {"20/m", 20, 60000, true},  {"1000000/h", 1000000, 3600000, true},
        {"7/d", 7, 86400000, true}, {"1000001/s", 0, 0, false},
        {"0/s", 0, 0, false},       {"20", 0, 0, false},
        {"/m", 0, 0, false},        {"20/", 0, 0, false},
        {"20/min", 0, 0, false},    {"20 / m", 0, 0, false},
        {"-1/s", 0, 0, false},      {"1.5/s", 0, 0, false},
        {"20/ms", 0, 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[128];
        char scratch[VALUE_BYTES_MAX + 1];
        snprintf(line, sizeof(line), "new_sessions_per_source = %s\nmessages = %s", rows[i].value,
                 rows[i].value);
        struct config *config = parse("", line);
        CHECK_EQ_INT(rows[i].value, config != NULL, rows[i].is_good);
        if (config != NULL) {
            const struct limit_rate *rate = &config->routes[0].new_sessions_per_source;
            CHECK_EQ_U64(rows[i].value, rate->count, rows[i].count);
            CHECK_EQ_U64(rows[i].value, rate->period_ms, rows[i].period_ms);
            CHECK_EQ_MEM("messages", &config->routes[0].messages, sizeof(*rate), rate,
                         sizeof(*rate));
            struct span shown = value_show_rate(rate, scratch);
            const char *want = rate->count > 0 ? rows[i].value : "";
            CHECK_EQ_MEM("shown", shown.data, shown.len, want, strlen(want));
        }
        config_free(config);
    }
}

static void test_defaults(void)
{
    struct config *config = parse("", "");
    if (!CHECK_TRUE("config", config != NULL)) {
        return;
    }
    CHECK_EQ_U64("connections", config->max_connections_per_source, 0);
    CHECK_EQ_U64("pending", config->max_pending_per_source, 0);
    CHECK_EQ_INT("v4", config->source_prefix.v4_bits, 32);
    CHECK_EQ_INT("v6", config->source_prefix.v6_bits, 64);
    CHECK_EQ_U64("failures", config->auth_failures, 10);
    CHECK_EQ_U64("pause", config->auth_pause_ms, 60000);
    CHECK_EQ_U64("sessions", config->routes[0].max_sessions, 0);
    CHECK_EQ_U64("of a source", config->routes[0].max_sessions_per_source, 0);
    CHECK_EQ_U64("new", config->routes[0].new_sessions_per_source.count, 0);
    CHECK_EQ_U64("up", config->routes[0].rate_up_bytes, 0);
    CHECK_EQ_U64("down", config->routes[0].rate_down_bytes, 0);
    CHECK_EQ_U64("messages", config->routes[0].messages.count, 0);
    config_free(config);
}

static void test_bytes_a_second(void)
{
    static const struct {
        const char *value;
        uint64_t bytes;
        bool is_good;
    } rows[] = {
        {"0", 0, true},
        {"1", 1, true},
        {"1m", 1024 * 1024, true},
        {"1024g", (uint64_t)1 << 40, true},
        {"1025g", 0, false},
        {"1m/s", 0, false},
        {"-1", 0, false},
        {"", 0, false},
    };
    static const char *const keys[] = {"rate_up", "rate_down"};
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s = %s", keys[i % 2], rows[i / 2].value);
        struct config *config = parse("", line);
        CHECK_EQ_INT(line, config != NULL, rows[i / 2].is_good);
        if (config != NULL) {
            const struct config_route *route = &config->routes[0];
            CHECK_EQ_U64(line, i % 2 == 0 ? route->rate_up_bytes : route->rate_down_bytes,
                         rows[i / 2].bytes);
            CHECK_EQ_U64(line, i % 2 == 1 ? route->rate_up_bytes : route->rate_down_bytes, 0);
        }
        config_free(config);
    }
}

static void test_values(void)
{
    struct config *config = parse("max_connections_per_source = 7\nmax_pending_per_source = 3\n"
                                  "source_prefix_v4 = 24\nsource_prefix_v6 = 48",
                                  "max_sessions = 9\nmax_sessions_per_source = 2");
    if (!CHECK_TRUE("config", config != NULL)) {
        return;
    }
    CHECK_EQ_U64("connections", config->max_connections_per_source, 7);
    CHECK_EQ_U64("pending", config->max_pending_per_source, 3);
    CHECK_EQ_INT("v4", config->source_prefix.v4_bits, 24);
    CHECK_EQ_INT("v6", config->source_prefix.v6_bits, 48);
    CHECK_EQ_U64("sessions", config->routes[0].max_sessions, 9);
    CHECK_EQ_U64("of a source", config->routes[0].max_sessions_per_source, 2);
    config_free(config);
    static const char *const bad[] = {
        "source_prefix_v4 = 0",       "source_prefix_v4 = 33",
        "source_prefix_v6 = 129",     "auth_failures = 0",
        "auth_pause = 999ms",         "max_connections_per_source = 1000001",
        "max_pending_per_source = -1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        config = parse(bad[i], "");
        CHECK_TRUE(bad[i], config == NULL);
        config_free(config);
    }
}

CU_TestInfo config_limits_tests[] = {
    {"events per time", test_rates},
    {"without a key", test_defaults},
    {"bytes a second", test_bytes_a_second},
    {"values", test_values},
    CU_TEST_INFO_NULL,
};
