/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/change.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "conf/config.h"
#include "suites.h"

static struct config *parse(const char *text)
{
    struct report report;
    struct config *config = config_parse(span_from_str(text), &report);

    if (!CHECK_TRUE(text, config != NULL)) {
        report_print(&report, "change", stdout);
    }
    report_done(&report);
    return config;
}

#define BEFORE \
    "[listen a]\naddress = 127.0.0.1:1\n[listen b]\naddress = 127.0.0.1:0\n" \
    "[listen c]\naddress = 127.0.0.1:0\n" \
    "[route one]\npath = /one\nbackend = tcp://h:1, unix:/x\norigins = https://a.example\n" \
    "[route two]\npath = /two\nbackend = echo:\n"

static void test_rows(void)
{
    static const struct {
        const char *name;
        const char *text;
        struct change want;
    } rows[] = {
        {"nothing", BEFORE, {0}},
        {"only its text",
         "[route two]\npath = /two ; the other\nbackend = echo:\nidle_timeout = 600s\n"
         "[route one]\npath = /one\nbackend = tcp://h:1\nbackend = unix:/x\n"
         "origins = https://a.example\n[listen c]\naddress = 127.0.0.1:0\n"
         "[listen b]\naddress = 127.0.0.1:0\n[listen a]\naddress = 127.0.0.1:1\n",
         {0}},
        {"a default", BEFORE "[defaults]\nidle_timeout = 7s\n", {.routes_changed = 2}},
        {"server", "[server]\nlog_level = debug\nmax_sessions = 7\n" BEFORE, {.server = 2}},
        {"another name at the address",
         "[listen z]\naddress = 127.0.0.1:1\n[listen b]\naddress = 127.0.0.1:0\n"
         "[listen d]\naddress = 127.0.0.1:0\n"
         "[route one]\npath = /one\nbackend = tcp://h:1\norigins = https://a.example\n"
         "[route three]\npath = /two\nbackend = echo:\n",
         {.listens_changed = 1,
          .listens_new = 1,
          .listens_gone = 1,
          .routes_changed = 1,
          .routes_new = 1,
          .routes_gone = 1}},
        {"origins",
         "[listen a]\naddress = 127.0.0.1:1\n"
         "[route one]\npath = /one\nbackend = tcp://h:1, unix:/x\norigins = https://b.example\n",
         {.listens_gone = 2, .routes_changed = 1, .routes_gone = 1}},
    };
    struct config *before = parse(BEFORE);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *now = parse(rows[i].text);
        struct change got;

        if (before != NULL && now != NULL) {
            change_count(before, now, &got);
            CHECK_EQ_MEM(rows[i].name, &got, sizeof(got), &rows[i].want, sizeof(got));
        }
        config_free(now);
    }
    config_free(before);
}

static void test_health(void)
{
#define HEALTH BEFORE "[health]\naddress = 127.0.0.1:2\nhosts = "
    struct config *before = parse(HEALTH "a.example\n");
    struct config *same = parse(HEALTH "a.example\n");
    struct config *hosts = parse(HEALTH "b.example\n");
    struct config *none = parse(BEFORE);
    struct config *public = parse(BEFORE "[listen z]\naddress = 127.0.0.1:2\n");
    struct change got;

    change_count(before, same, &got);
    CHECK_EQ_U64("nothing", got.listens_changed, 0);
    change_count(before, hosts, &got);
    CHECK_EQ_U64("hosts", got.listens_changed, 1);
    change_count(before, public, &got);
    CHECK_EQ_U64("another kind", got.listens_changed, 1);
    change_count(before, none, &got);
    CHECK_EQ_U64("gone", got.listens_gone, 1);
    config_free(before);
    config_free(same);
    config_free(hosts);
    config_free(none);
    config_free(public);
}

static void test_tls(void)
{
    static struct config_pair pairs[] = {{SPAN_LIT("cert"), SPAN_LIT("key")},
                                         {SPAN_LIT("cert"), SPAN_LIT("other")}};
    const struct config_listen plain = {.is_tls = false};
    const struct config_listen one = {.is_tls = true, .pairs = pairs, .pair_count = 1};
    const struct config_listen two = {.is_tls = true, .pairs = pairs, .pair_count = 2};
    const struct config_listen other = {.is_tls = true, .pairs = pairs + 1, .pair_count = 1};
    struct config_listen newer = one;

    newer.tls_min_version = CONFIG_TLS_1_3;
    CHECK_TRUE("itself", change_is_tls_same(&one, &one));
    CHECK_TRUE("plain", change_is_tls_same(&plain, &plain));
    CHECK_FALSE("plain or not", change_is_tls_same(&one, &plain));
    CHECK_FALSE("count", change_is_tls_same(&one, &two));
    CHECK_FALSE("key", change_is_tls_same(&one, &other));
    CHECK_FALSE("version", change_is_tls_same(&one, &newer));
}

CU_TestInfo change_tests[] = {
    {"what differs between two configurations", test_rows},
    {"certificates", test_tls},
    {"[health]", test_health},
    CU_TEST_INFO_NULL,
};
