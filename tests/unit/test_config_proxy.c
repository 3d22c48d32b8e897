/* SPDX-License-Identifier: GPL-3.0-or-later */
// What a configuration says of proxies: those in front of a listener, and the PROXY header for
// backends.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "conf/change.h"
#include "conf/config.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LISTEN "[route r]\npath = /r\nbackend = echo:\n[listen a]\naddress = 127.0.0.1:8080\n"

static struct config *parse(const char *front, const char *lines, struct report *report)
{
    char text[4096];
    snprintf(text, sizeof(text), "%s%s", front, lines);
    return config_parse(span_from_str(text), report);
}

static void test_listen(void)
{
    static const struct {
        const char *lines;
        const char *message; // at line 6; NULL: good
    } rows[] = {
        {"proxy_protocol = off\n", NULL},
        {"forwarded = off\n", NULL},
        {"trusted_proxies = 10.0.0.0/8\n", NULL},
        {"proxy_protocol = on\ntrusted_proxies = 10.0.0.0/8, 2001:db8::/32\n", NULL},
        {"proxy_protocol = on\ntrusted_proxies = unix\n", NULL},
        {"forwarded = forwarded\ntrusted_proxies = 127.0.0.1, unix\n", NULL},
        {"forwarded = x-forwarded-for\ntrusted_proxies = ::1\nproxy_protocol = on\n", NULL},
        {"proxy_protocol = on\n", "'proxy_protocol' means nothing without trusted_proxies"},
        {"forwarded = forwarded\n", "'forwarded' means nothing without trusted_proxies"},
        {"forwarded = x-real-ip\n", "x-forwarded-for"},
        {"proxy_protocol = v1\n", "on or off"},
        {"trusted_proxies = 10.0.0.1/8\n", "no bit set behind the prefix, or unix"},
        {"trusted_proxies = proxy.example\n", "no bit set behind the prefix, or unix"},
        {"trusted_proxies = unix:/run/x\n", "no bit set behind the prefix, or unix"},
        {"trusted_proxies = UNIX\n", "no bit set behind the prefix, or unix"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        struct config *config = parse(LISTEN, rows[i].lines, &report);
        CHECK_EQ_INT(rows[i].lines, config != NULL, rows[i].message == NULL);
        if (rows[i].message != NULL) {
            CHECK_EQ_U64(rows[i].lines, report.count, 1);
            CHECK_EQ_U64(rows[i].lines, report.count > 0 ? report.errors[0].line : 0, 6);
            CHECK_TRUE(report.count > 0 ? report.errors[0].message : "",
                       report.count > 0 &&
                           strstr(report.errors[0].message, rows[i].message) != NULL);
        }
        report_done(&report);
        config_free(config);
    }
}

/* Whoever speaks for clients has no place where no client comes. */
static void test_elsewhere(void)
{
    static const char *const keys[] = {"proxy_protocol = on\n", "trusted_proxies = ::1\n",
                                       "forwarded = forwarded\n"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct report report;
        struct config *config =
            parse(LISTEN "[health]\naddress = 127.0.0.1:8081\n", keys[i], &report);
        CHECK_TRUE(keys[i], config == NULL && report.count == 1 && report.errors[0].line == 8);
        report_done(&report);
    }
}

static void test_values(void)
{
    struct report report;
    struct config *config = parse(LISTEN,
                                  "proxy_protocol = on\nforwarded = forwarded\n"
                                  "trusted_proxies = 10.0.0.0/8, unix, ::1\n",
                                  &report);
    if (!CHECK_TRUE("good", config != NULL)) {
        return;
    }
    const struct config_listen *listen = &config->listens[0];
    CHECK_TRUE("header", listen->has_proxy_header);
    CHECK_EQ_INT("forwarded", listen->forwarded, CONFIG_FORWARDED_RFC7239);
    CHECK_EQ_U64("proxies", listen->trusted_proxy_count, 3);
    CHECK_EQ_INT("unix", listen->trusted_proxies[1].family, AF_UNIX);
    struct buf out;
    buf_init(&out, 1024 * 1024);
    CHECK_TRUE("printed", config_print_to(config, &out));
    struct span printed = buf_peek(&out);
    static const char *const lines[] = {"\ntrusted_proxies = 10.0.0.0/8, unix, ::1/128\n",
                                        "\nproxy_protocol = on\n", "\nforwarded = forwarded\n"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        CHECK_TRUE(lines[i], memmem(printed.data, printed.len, lines[i], strlen(lines[i])) != NULL);
    }
    buf_clear(&out);
    report_done(&report);
    config_free(config);
}

static void test_out(void)
{
    static const struct {
        const char *lines;
        const char *message; // NULL: good
        enum config_proxy_out out;
    } rows[] = {
        {"backend = unix:/s\n", NULL, CONFIG_PROXY_OFF},
        {"backend = unix:/s\nproxy_protocol_out = off\n", NULL, CONFIG_PROXY_OFF},
        {"backend = unix:/s\nproxy_protocol_out = v1\n", NULL, CONFIG_PROXY_V1},
        {"backend = unix:/s\nproxy_protocol_out = v2\n", NULL, CONFIG_PROXY_V2},
        {"backend = echo:\n[defaults]\nproxy_protocol_out = v2\n", NULL, CONFIG_PROXY_V2},
        {"backend = unix:/s\nproxy_protocol_out = on\n", "off, v1 or v2", 0},
        {"backend = echo:\nproxy_protocol_out = v2\n", "means nothing without a backend", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        struct config *config = parse(
            "[listen a]\naddress = 127.0.0.1:8080\n[route r]\npath = /r\n", rows[i].lines, &report);
        if (CHECK_EQ_INT(rows[i].lines, config != NULL, rows[i].message == NULL) &&
            config != NULL) {
            CHECK_EQ_INT(rows[i].lines, config->routes[0].proxy_out, rows[i].out);
        } else {
            CHECK_TRUE(report.count > 0 ? report.errors[0].message : "",
                       report.count == 1 && rows[i].message != NULL &&
                           strstr(report.errors[0].message, rows[i].message) != NULL);
        }
        report_done(&report);
        config_free(config);
    }
}

CU_TestInfo config_proxy_tests[] = {
    {"proxies in front", test_listen},
    {"proxies elsewhere", test_elsewhere},
    {"their values", test_values},
    {"a header for backends", test_out},
    CU_TEST_INFO_NULL,
};
