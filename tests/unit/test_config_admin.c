/* SPDX-License-Identifier: GPL-3.0-or-later */
// [admin]: where it may listen, its token, and that nobody prints it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "conf/change.h"
#include "conf/config.h"
#include "give_up.h"
#include "http_feed.h"
#include "report_kit.h"
#include "suites.h"

#define GOOD \
    "[listen a]\naddress = 127.0.0.1:8080\n[route r]\npath = /r\nbackend = echo:\n[admin]\n"
#define TOKEN "0123456789abcdef-TOKEN"

static char folder[] = "/tmp/sluice-admin-XXXXXX";

static const char *write_token(const char *content, mode_t mode)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/token", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(content, file) == EOF || fclose(file) != 0 ||
        chmod(path, mode) != 0) {
        GIVE_UP();
    }
    return path;
}

static struct config *parse(const char *lines, struct report *report)
{
    char text[4096];
    snprintf(text, sizeof(text), GOOD "%s", lines);
    return config_parse(span_from_str(text), report);
}

static void test_addresses(void)
{
    static const struct {
        const char *lines;
        const char *message; // at line 7; NULL: good
    } rows[] = {
        {"address = unix:/run/admin.sock\n", NULL},
        {"address = 127.0.0.1:9091\n", NULL},
        {"address = 127.9.9.9:0\n", NULL},
        {"address = [::1]:9091\n", NULL},
        {"address = 0.0.0.0:9091\n", "one of this machine alone"},
        {"address = [::]:9091\n", "one of this machine alone"},
        {"address = 192.0.2.1:9091\n", "one of this machine alone"},
        {"address = localhost:9091\n", "one of this machine alone"},
        {"address = unix:run/admin.sock\n", "unix:/PATH"},
        {"address = unix://run/admin.sock\n", "unix:/PATH"},
        {"address = unix:\n", "unix:/PATH"},
        {"address = "
         "unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
         "at most 107 bytes"},
        {"address = 127.0.0.1:8080\n", "already the address of [listen a]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        struct config *config = parse(rows[i].lines, &report);
        CHECK_EQ_INT(rows[i].lines, config != NULL, rows[i].message == NULL);
        if (rows[i].message != NULL) {
            CHECK_EQ_U64(rows[i].lines, report.count, 1);
            CHECK_EQ_U64(rows[i].lines, report.count > 0 ? report.errors[0].line : 0, 7);
            CHECK_TRUE(rows[i].lines, report.count > 0 && strstr(report.errors[0].message,
                                                                 rows[i].message) != NULL);
        } else if (config != NULL) {
            CHECK_EQ_INT("kind", config->listens[1].kind, CONFIG_LISTEN_ADMIN);
            CHECK_EQ_U64("no token", config->listens[1].token.len, 0);
        }
        report_done(&report);
        config_free(config);
    }
}

static void test_sections(void)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {GOOD, "[admin] has no address"},
        {GOOD "address = unix:/a\n[admin]\naddress = unix:/b\n", "[admin]"},
        {GOOD "address = unix:/a\n[listen admin]\naddress = 127.0.0.1:1\n",
         "the name that the log gives to [admin]"},
        {GOOD "address = 127.0.0.1:9\n[health]\naddress = 127.0.0.1:9\n",
         "already the address of [health]"},
        {GOOD "address = unix:/a\ntls_key = k\n", "tls_key"},
        {"[admin]\naddress = unix:/a\n[route r]\npath = /r\nbackend = echo:\n", "no [listen NAME]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        CHECK_TRUE(rows[i].text, config_parse(span_from_str(rows[i].text), &report) == NULL);
        char *got = report_text(&report);
        CHECK_TRUE(got, strstr(got, rows[i].message) != NULL);
        free(got);
        report_done(&report);
    }
}

static void test_token(void)
{
    static const struct {
        const char *name;
        const char *content;
        mode_t mode;
        const char *message; // NULL: good
    } rows[] = {
        {"good", TOKEN, 0600, NULL},
        {"a line", TOKEN "\n", 0640, NULL},
        {"a line of Windows", TOKEN "\r\n", 0600, NULL},
        {"empty", "", 0600, "16 to 512 characters"},
        {"short", "0123456789abcde\n", 0600, "16 to 512 characters"},
        {"blank", TOKEN " x", 0600, "one line of printable ASCII"},
        {"two lines", TOKEN "\n" TOKEN "\n", 0600, "one line of printable ASCII"},
        {"not ASCII", TOKEN "\xc3\xa4", 0600, "one line of printable ASCII"},
        {"readable", TOKEN, 0644, "every user of this machine can read the token"},
        {"writable", TOKEN, 0622, "every user of this machine can change the token"},
    };
    chmod(folder, 0755);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char lines[512];
        struct report report;
        snprintf(lines, sizeof(lines), "address = unix:/a\ntoken_file = %s\n",
                 write_token(rows[i].content, rows[i].mode));
        struct config *config = parse(lines, &report);
        char *got = report_text(&report);
        if (rows[i].message == NULL) {
            CHECK_TRUE(got, config != NULL);
        } else if (config != NULL) { // in memory, so it may be a secret that a container mounts
            CHECK_TRUE(rows[i].name, strstr(got, "warning: ") != NULL && rows[i].mode == 0644);
        } else {
            CHECK_TRUE(got, strstr(got, rows[i].message) != NULL);
        }
        CHECK_TRUE("it is not told", strstr(got, "0123456789") == NULL);
        if (config != NULL) {
            CHECK_EQ_MEM(rows[i].name, config->listens[1].token.data, config->listens[1].token.len,
                         TOKEN, strlen(TOKEN));
        }
        free(got);
        report_done(&report);
        config_free(config);
    }
    struct report report;
    CHECK_TRUE("none", parse("address = unix:/a\ntoken_file = /nowhere/token\n", &report) == NULL);
    CHECK_EQ_U64("its line", report.count > 0 ? report.errors[0].line : 0, 8);
    report_done(&report);
}

// The configuration comes back whole, and without the token.
static void test_print(void)
{
    char lines[512];
    struct report report;
    struct buf out;
    struct buf none;
    snprintf(lines, sizeof(lines),
             "address = unix:/run/a.sock\nhosts = a.example\ntoken_file = %s\n",
             write_token(TOKEN, 0600));
    struct config *config = parse(lines, &report);
    report_done(&report);
    if (!CHECK_TRUE("config", config != NULL)) {
        return;
    }
    buf_init(&out, 1 << 20);
    CHECK_TRUE("printed", config_print_to(config, &out));
    CHECK_EQ_INT("NUL", buf_append(&out, "", 1), BUF_OK);
    const char *text = buf_peek(&out).data;
    CHECK_TRUE("address", strstr(text, "[admin]\n") != NULL &&
                              strstr(text, "address = unix:/run/a.sock\n") != NULL);
    CHECK_TRUE("no token", strstr(text, TOKEN) == NULL && strstr(text, "token_file = ") != NULL);
    struct config *again = config_parse(span_from_str(text), &report);
    report_done(&report);
    if (CHECK_TRUE("it can be read again", again != NULL)) {
        struct change change;
        change_count(config, again, &change);
        CHECK_EQ_U64("the same", change.listens_changed + change.server + change.routes_changed, 0);
        CHECK_TRUE("a new token is a change", write_token("another" TOKEN, 0600) != NULL);
        struct config *other = parse(lines, &report);
        report_done(&report);
        change_count(config, other, &change);
        CHECK_EQ_U64("changed", change.listens_changed, 1);
        config_free(other);
    }
    buf_init(&none, 1000);
    CHECK_FALSE("no room", config_print_to(config, &none));
    buf_clear(&none);
    buf_clear(&out);
    config_free(again);
    config_free(config);
}

static void test_all(void)
{
    char path[128];
    if (mkdtemp(folder) == NULL) {
        GIVE_UP();
    }
    test_addresses();
    test_sections();
    test_token();
    test_print();
    snprintf(path, sizeof(path), "%s/token", folder);
    unlink(path);
    rmdir(folder);
}

CU_TestInfo config_admin_tests[] = {
    {"[admin]", test_all},
    CU_TEST_INFO_NULL,
};
