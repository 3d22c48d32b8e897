/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/to.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "conf/value.h"
#include "suites.h"

static struct config *build(const struct to_options *options, struct report *report)
{
    struct bundle bundle;
    struct config *config = to_build(options, &bundle, report);

    /* A certificate that is in no file is nothing to read again. */
    CHECK_EQ_U64("bundle", bundle.count, config != NULL && options->is_plain ? 1 : bundle.count);
    bundle_done(&bundle);
    return config;
}

static void test_defaults(void)
{
    const struct to_options options = {.target = "localhost:5900"};
    static const char *const paths[] = {"/websockify", "/"};
    size_t before = mem_live_blocks();
    struct report report;
    struct config *config = build(&options, &report);

    if (!CHECK_TRUE("built", config != NULL)) {
        report_print(&report, "to", stdout);
        report_done(&report);
        return;
    }
    CHECK_EQ_U64("report", report.count, 0);
    CHECK_TRUE("listens", config->listen_count == 1 || config->listen_count == 2);
    for (size_t i = 0; i < config->listen_count; i++) {
        CHECK_TRUE("loopback", addr_is_loopback(&config->listens[i].address));
        CHECK_EQ_U64("port", addr_port(&config->listens[i].address), TO_PORT);
        CHECK_TRUE("tls", config->listens[i].is_tls && !config->listens[i].has_pages);
        CHECK_EQ_U64("pairs", config->listens[i].pair_count, 1);
    }
    CHECK_EQ_U64("routes", config->route_count, 2);
    for (size_t i = 0; i < config->route_count && i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct config_route *route = &config->routes[i];

        CHECK_EQ_STR("path", route->policy.path.data, paths[i]);
        CHECK_TRUE("exact", !route->policy.is_prefix);
        CHECK_EQ_U64("origins", route->policy.origin_count, 1);
        CHECK_EQ_INT("origin", route->policy.origins[0].kind, POLICY_ORIGIN_SAME);
        CHECK_EQ_U64("subprotocols", route->policy.subprotocol_count, 0);
        CHECK_EQ_U64("backends", route->backend_count, 1);
    }
    report_done(&report);
    config_free(config);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
}

/* The targets that people write, and what the backends of both routes are then. */
static void test_targets(void)
{
    static const struct {
        const char *target;
        const char *backend;
    } rows[] = {
        {"localhost:5900", "tcp://localhost:5900"},
        {"10.0.0.5:22", "tcp://10.0.0.5:22"},
        {"[::1]:5900", "tcp://[::1]:5900"},
        {"tcp://desk.internal:5900", "tcp://desk.internal:5900"},
        {"unix:/run/redis/redis.sock", "unix:/run/redis/redis.sock"},
        {"echo:", "echo:"},
        {"a:1, b:2", "tcp://a:1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct to_options options = {.target = rows[i].target, .is_plain = true};
        struct report report;
        struct config *config = build(&options, &report);
        char scratch[VALUE_BYTES_MAX + 1];

        CHECK_EQ_U64(rows[i].target, report.count, 0);
        report_done(&report);
        if (!CHECK_TRUE(rows[i].target, config != NULL)) {
            continue;
        }
        for (size_t k = 0; k < config->route_count; k++) {
            struct span shown = value_show_member(&config->routes[k].backends[0], scratch);

            CHECK_TRUE(rows[i].target, span_is_equal(shown, span_from_str(rows[i].backend)));
        }
        CHECK_TRUE("plain", !config->listens[0].is_tls);
        config_free(config);
    }
}

/* One message, without a line, that begins with the option. */
static void test_faults(void)
{
    static const struct {
        const char *option;
        struct to_options options;
    } rows[] = {
        {"--to: ", {.target = ""}},
        {"--to: ", {.target = "localhost"}},
        {"--to: ", {.target = "a:1,b"}},
        {"--to: ", {.target = "a:1\n[admin]"}},
        {"--to: ", {.target = " a:1"}},
        {"--listen: ", {.target = "a:1", .listen = "x"}},
        {"--origins: ", {.target = "a:1", .origins = "x"}},
        {"--origins: ", {.target = "a:1", .origins = "none ;"}},
        {"--certificate: ", {.target = "a:1", .certificate = "/no/file", .key = "README.md"}},
        {"--key: ", {.target = "a:1", .certificate = "README.md", .key = "/no/file"}},
        {"--plain: ", {.target = "a:1", .listen = "0.0.0.0:1", .is_plain = true}},
        {"--plain: ", {.target = "a:1", .listen = "[2001:db8::1]:1", .is_plain = true}},
        {"--files: ", {.target = "a:1", .files = "/\x7f"}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report report;

        CHECK_TRUE(rows[i].option, build(&rows[i].options, &report) == NULL);
        if (CHECK_EQ_U64(rows[i].option, report.count, 1)) {
            CHECK_EQ_U64(rows[i].option, report.errors[0].line, 0);
            CHECK_TRUE(report.errors[0].message, strncmp(report.errors[0].message, rows[i].option,
                                                         strlen(rows[i].option)) == 0);
        }
        report_done(&report);
    }
}

/* What the program prints once it serves at the address. */
static void test_announce(void)
{
    static const struct {
        struct to_options options;
        const char *address;
        const char *want;
    } rows[] = {
        {{.target = "a:1"},
         "127.0.0.1:6080",
         "wss://localhost:6080/websockify  and  wss://localhost:6080/\n"},
        {{.target = "a:1", .is_plain = true}, "[::1]:80", "ws://localhost:80/websockify  and"},
        {{.target = "a:1"}, "192.0.2.7:443", "wss://192.0.2.7:443/websockify"},
        {{.target = "a:1"}, "[2001:db8::7]:443", "wss://[2001:db8::7]:443/websockify"},
        {{.target = "a:1"}, "0.0.0.0:443", "wss://localhost:443/websockify"},
        {{.target = "a:1", .files = "/nowhere"}, "127.0.0.1:1", "open  https://localhost:1/\n"},
        {{.target = "a:1"}, "127.0.0.1:1", "go on.\n"},
        {{.target = "a:1", .origins = "none"}, "127.0.0.1:1", "Pages of none may connect"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct addr address;
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        CHECK_TRUE(rows[i].address, addr_parse(span_from_str(rows[i].address), &address));
        to_announce(&rows[i].options, &address, out);
        fclose(out);
        CHECK_TRUE(rows[i].want, strstr(text, rows[i].want) != NULL);
        free(text);
    }
}

static void test_no_memory(void)
{
    const struct to_options options = {.target = "localhost:5900"};
    size_t before = mem_live_blocks();

    for (uint64_t n = 1; n < 2000; n++) {
        struct report report;
        struct config *config;

        mem_fail_after(n);
        config = build(&options, &report);
        mem_fail_after(0);
        bool is_built = config != NULL;
        CHECK_TRUE("says so", is_built || report.is_failed);
        report_done(&report);
        config_free(config);
        CHECK_EQ_U64("memory", mem_live_blocks(), before);
        if (is_built) {
            CHECK_TRUE("fails at first", n > 1);
            return;
        }
    }
    CHECK_TRUE("succeeds in the end", false);
}

CU_TestInfo to_tests[] = {
    {"defaults", test_defaults}, {"targets", test_targets},     {"faults", test_faults},
    {"announce", test_announce}, {"no memory", test_no_memory}, CU_TEST_INFO_NULL,
};
