/* SPDX-License-Identifier: GPL-3.0-or-later */
// What stands behind a backend's address: weight=, max_sessions= and backup.
#include <string.h>

#include "check.h"
#include "conf/config.h"
#include "conf/value.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROUTE(backend) \
    "[listen a]\naddress = 127.0.0.1:8080\n[route r]\npath = /r\nbackend = " backend "\n"
#define WANTED "weight=1 to 1000, max_sessions=1 to 1000000 and backup, each once"

static void test_good(void)
{
    static const struct {
        const char *text;
        const char *address;
        uint64_t weight;
        uint64_t max_sessions;
        bool is_backup;
        const char *shown;
    } rows[] = {
        {ROUTE("tcp://a:1"), "tcp://a:1", 1, 0, false, "tcp://a:1"},
        {ROUTE("tcp://a:1 weight=1"), "tcp://a:1", 1, 0, false, "tcp://a:1"},
        {ROUTE("tls://a:1 weight=1000"), "tls://a:1", 1000, 0, false, "tls://a:1 weight=1000"},
        {ROUTE("tcp://a:1 max_sessions=1"), "tcp://a:1", 1, 1, false, "tcp://a:1 max_sessions=1"},
        {ROUTE("tcp://a:1 max_sessions=1000000"), "tcp://a:1", 1, 1000000, false,
         "tcp://a:1 max_sessions=1000000"},
        {ROUTE("tcp://a:1 backup, tcp://b:1"), "tcp://a:1", 1, 0, true, "tcp://a:1 backup"},
        {ROUTE("tcp://[::1]:1 \t backup  max_sessions=2\tweight=3, unix:/b"), "tcp://[::1]:1", 3, 2,
         true, "tcp://[::1]:1 weight=3 max_sessions=2 backup"},
        {ROUTE("unix:/a b weight=2"), "unix:/a b", 2, 0, false, "unix:/a b weight=2"},
        {ROUTE("unix:/backup"), "unix:/backup", 1, 0, false, "unix:/backup"},
        {ROUTE("unix:/a backup b"), "unix:/a backup b", 1, 0, false, "unix:/a backup b"},
        {ROUTE("echo:"), "echo:", 1, 0, false, "echo:"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        struct config *config = config_parse(span_from_str(rows[i].text), &report);
        report_done(&report);
        if (!CHECK_TRUE(rows[i].text, config != NULL)) {
            continue;
        }
        const struct config_backend *backend = &config->routes[0].backends[0];
        char scratch[VALUE_BYTES_MAX + 1];
        struct span shown = value_show_member(backend, scratch);
        CHECK_EQ_MEM(rows[i].text, backend->text.data, backend->text.len, rows[i].address,
                     strlen(rows[i].address));
        CHECK_EQ_U64(rows[i].text, backend->weight, rows[i].weight);
        CHECK_EQ_U64(rows[i].text, backend->max_sessions, rows[i].max_sessions);
        CHECK_EQ_INT(rows[i].text, backend->is_backup, rows[i].is_backup);
        CHECK_EQ_MEM(rows[i].text, shown.data, shown.len, rows[i].shown, strlen(rows[i].shown));
        config_free(config);
    }
}

static void test_bad(void)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {ROUTE("tcp://a:1 weight=0"), WANTED},
        {ROUTE("tcp://a:1 weight=1001"), WANTED},
        {ROUTE("tcp://a:1 weight="), WANTED},
        {ROUTE("tcp://a:1 weight=-1"), WANTED},
        {ROUTE("tcp://a:1 weight=1.5"), WANTED},
        {ROUTE("tcp://a:1 weight=99999999999999999999"), WANTED},
        {ROUTE("tcp://a:1 weight = 3"), WANTED},
        {ROUTE("tcp://a:1 weight=2 weight=2"), WANTED},
        {ROUTE("tcp://a:1 max_sessions=0"), WANTED},
        {ROUTE("tcp://a:1 max_sessions=1000001"), WANTED},
        {ROUTE("tcp://a:1 max_sessions=1 max_sessions=1"), WANTED},
        {ROUTE("tcp://a:1 backup backup"), WANTED},
        {ROUTE("tcp://a:1 Backup"), WANTED},
        {ROUTE("tcp://a:1 backup=yes"), WANTED},
        {ROUTE("tcp://a:1 tcp://b:1"), WANTED},
        {ROUTE("unix:/a backup backup"), WANTED},
        {ROUTE("backup"), "a backend is tcp://HOST:PORT"},
        {ROUTE("weight=3 tcp://a:1"), "a backend is tcp://HOST:PORT"},
        {ROUTE("tcp://a:1 backup, tcp://b:1 backup"), "every backend is a backup"},
        {ROUTE("echo: weight=1"), "echo: shares its sessions with nobody"},
        {ROUTE("echo: backup"), "echo: shares its sessions with nobody"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        struct config *config = config_parse(span_from_str(rows[i].text), &report);
        const char *message = report.count > 0 ? report.errors[0].message : "";
        CHECK_TRUE(rows[i].text, config == NULL);
        CHECK_EQ_U64(rows[i].text, report.count, 1);
        CHECK_TRUE(rows[i].text, strstr(message, rows[i].message) != NULL);
        report_done(&report);
        config_free(config);
    }
}

CU_TestInfo config_members_tests[] = {
    {"good", test_good},
    {"bad", test_bad},
    CU_TEST_INFO_NULL,
};
