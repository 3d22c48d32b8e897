/* SPDX-License-Identifier: GPL-3.0-or-later */
// The configuration of --demo, and the files in config/.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "conf/config.h"
#include "io/cert.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *print_routes(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    char *routes;

    config_print(config, out);
    fclose(out);
    routes = strdup(strstr(text, "[route "));
    free(text);
    return routes;
}

static void end_report(const char *row, struct report *report)
{
    if (report->count > 0) {
        report_print(report, row, stdout);
    }
    report_done(report);
}

static void check_demo(const struct config *config, size_t most_listens)
{
    static const char *const paths[] = {"/echo", "/echo-binary", "/refused", "/down"};

    CHECK_EQ_U64("workers", config->workers, 1);
    CHECK_EQ_U64("user", config->user.len, 0);
    CHECK_TRUE("listens", config->listen_count >= 1 && config->listen_count <= most_listens);
    for (size_t i = 0; i < config->listen_count; i++) {
        CHECK_TRUE("tls", config->listens[i].is_tls && config->listens[i].has_pages);
        CHECK_EQ_U64("pair", config->listens[i].pair_count, 1);
    }
    CHECK_EQ_U64("routes", config->route_count, COUNT(paths));
    for (size_t i = 0; i < COUNT(paths); i++) {
        CHECK_EQ_STR(paths[i], config->routes[i].policy.path.data, paths[i]);
    }
}

static void test_demo(void)
{
    static struct cert_pair pair;
    struct span certificate;
    struct span key;
    struct report report = {0};
    struct config *demo;
    struct config *file;

    CHECK_TRUE("pair", cert_make_throw_away(&pair));
    certificate = (struct span){pair.certificate, pair.certificate_len};
    key = (struct span){pair.key, pair.key_len};
    demo = config_demo((struct span){NULL, 0}, certificate, key, &report);
    if (!CHECK_TRUE("demo", demo != NULL)) {
        end_report("demo", &report);
        return;
    }
    check_demo(demo, 2);
    CHECK_EQ_U64("port", addr_port(&demo->listens[0].address), 8443);

    file = config_load("config/demo.ini", &report);
    if (CHECK_TRUE("file", file != NULL)) {
        char *of_demo = print_routes(demo);
        char *of_file = print_routes(file);

        CHECK_EQ_STR("config/demo.ini", of_file, of_demo);
        free(of_demo);
        free(of_file);
    }
    end_report("config/demo.ini", &report);
    config_free(file);
    config_free(demo);
}

static void test_demo_address(void)
{
    static struct cert_pair pair;
    struct span certificate;
    struct span key;
    struct report report = {0};
    struct config *demo;

    CHECK_TRUE("pair", cert_make_throw_away(&pair));
    certificate = (struct span){pair.certificate, pair.certificate_len};
    key = (struct span){pair.key, pair.key_len};
    demo = config_demo(SPAN_LIT("[::1]:0"), certificate, key, &report);
    if (CHECK_TRUE("demo", demo != NULL)) {
        check_demo(demo, 1);
        config_free(demo);
    }
    report_done(&report);

    CHECK_TRUE("name", config_demo(SPAN_LIT("localhost:1"), certificate, key, &report) == NULL);
    CHECK_EQ_U64("name", report.count, 1);
    report_done(&report);
    CHECK_TRUE("no pem", config_demo(SPAN_LIT("127.0.0.1:0"), key, key, &report) == NULL);
    CHECK_EQ_U64("no pem", report.count, 1);
    report_done(&report);
}

// On a machine without /etc/sluice, config/sluice.ini names the files that the user must provide,
// and has no other error.
static void test_sample(void)
{
    struct report report;
    struct config *config = config_load("config/sluice.ini", &report);

    for (size_t i = 0; i < report.count; i++) {
        CHECK_TRUE("sample", report.errors[i].line > 0);
        CHECK_TRUE("sample", strstr(report.errors[i].message, "cannot read /etc/sluice/") != NULL);
    }
    CHECK_TRUE("sample", config != NULL || report.count > 0);
    report_done(&report);
    config_free(config);
}

CU_TestInfo config_demo_tests[] = {
    {"--demo and demo.ini", test_demo},
    {"--demo --listen", test_demo_address},
    {"sluice.ini", test_sample},
    CU_TEST_INFO_NULL,
};
