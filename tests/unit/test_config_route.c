/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several keys of a route mean together (conf/route.c), where it is no mistake. */
#include <stdio.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "conf/route.h"
#include "report_kit.h"
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

#define TARGETS_FILE "/tmp/sluice-test-targets-XXXXXX"
#define ROUTE_TO(name_, keys_) "[route " name_ "]\npath = /" name_ "/*\norigins = *\n" keys_

static void write_targets(char *path, const char *text)
{
    int fd = mkstemp(path);
    CHECK_TRUE(path, fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

#define TWINS \
    "[listen a]\naddress = 127.0.0.1:80\n" ROUTE_TO( \
        "a", "target_from = path\ntargets = %s\ntarget_allow = 10.0.0.0/8\n") \
        ROUTE_TO("b", "target_from = path\ntargets = %s\n") \
            ROUTE_TO("c", "target_from = query:t\ntargets = %s\n") \
                ROUTE_TO("d", "target_from = host\ntargets = %s\ntarget_allow = 10.0.0.0/8\n") \
                    ROUTE_TO("e", "target_from = path\ntargets = %s\n")

/* The same file four times, then the other one. */
static struct config *build_twins(const char *one, const char *other, enum config_proof proof,
                                  char **out_text)
{
    char text[1024];
    struct bundle bundle;
    struct report report;
    int len = snprintf(text, sizeof(text), TWINS, one, one, one, one, other);
    bundle_read_text(&bundle, (struct span){text, (size_t)len});
    struct config *config = config_build(&bundle, proof, &report);
    *out_text = report_text(&report);
    report_done(&report);
    bundle_done(&bundle);
    return config;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        count++;
        text++;
    }
    return count;
}

/* A file is held once, its bad lines are told once, and what depends on a route's rules is told
 * for each route that has other ones. */
static void test_twins(void)
{
    const char *lines = "one: 10.0.0.1:1\nTWO: 10.0.0.2:1\nbad\nsix: tls://10.0.0.6:1\n";
    char one[] = TARGETS_FILE;
    char other[] = TARGETS_FILE;
    size_t blocks = mem_live_blocks();
    char *text = NULL;
    write_targets(one, lines);
    write_targets(other, lines);

    struct config *config = build_twins(one, other, CONFIG_TO_PROVE, &text);
    if (CHECK_TRUE(text, config != NULL)) {
        const struct config_route *routes = config->routes;
        for (size_t i = 0; i < 4; i++) {
            CHECK_TRUE("one table", routes[i].targets == routes[0].targets);
            CHECK_TRUE("tls", routes[i].needs_backend_tls);
        }
        CHECK_TRUE("another file", routes[4].targets != routes[0].targets);
        CHECK_EQ_U64("counted once", route_bytes(config),
                     targets_bytes(routes[0].targets) + targets_bytes(routes[4].targets));
        config_drop_targets(config);
        CHECK_EQ_U64("dropped", routes[0].targets->count, 0);
    }
    config_free(config);
    CHECK_EQ_U64(text, count_of(text, ":3: a line is"), 2); /* once for each file */
    /* Three addresses each for b and e; c is judged as b, and a and d allow them. */
    CHECK_EQ_U64(text, count_of(text, "does not list it"), 6);
    CHECK_EQ_U64(text, count_of(text, ":2: no Host begins"), 1);
    free(text);

    config = build_twins(one, other, CONFIG_PROVEN, &text);
    CHECK_TRUE("proven", config != NULL && config->routes[0].targets == config->routes[3].targets);
    CHECK_EQ_U64(text, count_of(text, "does not list it"), 0); /* the master has told it */
    config_free(config);
    free(text);
    unlink(one);
    unlink(other);
    CHECK_EQ_U64("blocks", mem_live_blocks(), blocks);
}

/* Which file an entry is of, also where the second route judges otherwise. */
static void test_twin_files(void)
{
    char one[] = TARGETS_FILE;
    char other[] = TARGETS_FILE;
    char want[128];
    char text[1024];
    struct report report;
    write_targets(one, "one: 1.1.1.1:1\n");
    write_targets(other, "# two\nTWO: 1.1.1.2:1\n");
    int len = snprintf(text, sizeof(text),
                       "[listen a]\naddress = 127.0.0.1:80\n" ROUTE_TO(
                           "a", "target_from = path\ntargets = %s, %s\n")
                           ROUTE_TO("b", "target_from = host\ntargets = %s, %s\n"),
                       one, other, one, other);
    struct config *config = config_parse((struct span){text, (size_t)len}, &report);
    char *told = report_text(&report);
    snprintf(want, sizeof(want), "%s:2: no Host begins", other);
    CHECK_TRUE(told, config != NULL && config->routes[0].targets == config->routes[1].targets);
    CHECK_EQ_U64(told, count_of(told, want), 1);
    CHECK_EQ_U64(told, report.count, 1);
    free(told);
    report_done(&report);
    config_free(config);
    unlink(one);
    unlink(other);
}

/* Exactly one error: a bad value is not a missing one too. */
static void test_target_from(void)
{
    static const struct {
        const char *route;
        const char *defaults;
        const char *wanted; /* NULL: all is well */
    } rows[] = {
        {"target_from = cookie:x\n", "", "target_from"},
        {"target_from = query:\n", "", "target_from"},
        {"", "target_from = cookie:x\n", "target_from"},
        {"", "", "does not say where the token of a target stands"},
        {"", "target_from = query:t\n", NULL},
        {"target_from = query:t\n", "", NULL},
    };
    char path[] = TARGETS_FILE;
    write_targets(path, "one: 1.1.1.1:1\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct report report;
        int len = snprintf(text, sizeof(text),
                           "[listen a]\naddress = 127.0.0.1:80\n[defaults]\n%s[route r]\n"
                           "path = /r\norigins = *\ntargets = %s\n%s",
                           rows[i].defaults, path, rows[i].route);
        struct config *config = config_parse((struct span){text, (size_t)len}, &report);
        char *told = report_text(&report);
        CHECK_EQ_U64(told, report.count, rows[i].wanted != NULL ? 1 : 0);
        CHECK_TRUE(told, rows[i].wanted == NULL || strstr(told, rows[i].wanted) != NULL);
        CHECK_EQ_INT(told, config != NULL, rows[i].wanted == NULL);
        free(told);
        report_done(&report);
        config_free(config);
    }
    unlink(path);
}

CU_TestInfo config_route_tests[] = {
    {"what is wrong with target_from", test_target_from},
    {"routes that name the same target files", test_twins},
    {"lines of several files, judged for each route", test_twin_files},
    {"the marks of latency = low", test_low_marks},
    CU_TEST_INFO_NULL,
};
