/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "conf/config.h"
#include "gate/admission.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// --- which section -------------------------------------------------------------------------------

static const char places[] = "[server]\nworkers = 1\n[listen a]\naddress = 127.0.0.1:0\n"
                             "[route r]\npath = /r\norigins = *\nbackend = echo:\n"
                             "[route long]\npath = /app/long/*\norigins = *\nbackend = echo:\n"
                             "[route exact]\npath = /app/exact\norigins = *\nbackend = echo:\n"
                             "[route short]\npath = /a/*\norigins = *\nbackend = echo:\n"
                             "[route equal]\npath = /equal/*\norigins = *\nbackend = echo:\n"
                             "[files app]\npath = /app/*\npage_kit = on\n"
                             "[files deep]\npath = /app/deep/*\npage_kit = on\n"
                             "[files a]\npath = /a/b/*\npage_kit = on\n"
                             "[files equal]\npath = /equal/*\npage_kit = on\n";

static const struct {
    const char *path;
    const char *section; // NULL: none
    const char *rest;
    bool is_bare;
} place_rows[] = {
    {"/app/x.js", "app", "x.js", false},
    {"/app/", "app", "", false},
    {"/app", "app", "", true},
    {"/ap", NULL, "", false},
    {"/apps", NULL, "", false},
    {"/App/", NULL, "", false},
    {"/%61pp/", NULL, "", false},
    {"/app/deep/x", "deep", "x", false},
    {"/app/deep", "deep", "", true},
    {"/app/deeper", "app", "deeper", false},
    {"/app/../x", "app", "../x", false},
    {"/app/exact", NULL, "", false},
    {"/app/exact/x", "app", "exact/x", false},
    {"/app/long/x", NULL, "", false},
    {"/app/long", "app", "long", false},
    {"/a/b/c", "a", "c", false},
    {"/a/c", NULL, "", false},
    {"/equal/x", NULL, "", false},
    {"/r", NULL, "", false},
    {"/", NULL, "", false},
};

static bool no_header(const void *head, struct span name, size_t *at, struct span *out_value)
{
    (void)head;
    (void)name;
    (void)at;
    (void)out_value;
    return false;
}

static struct request request_of(const char *method, const char *path)
{
    return (struct request){
        .method = span_from_str(method),
        .path = span_from_str(path),
        .next_header = no_header,
    };
}

static void test_places(void)
{
    struct report report;
    const struct config *config = config_parse(span_from_str(places), &report);
    struct addr source;

    CHECK_TRUE("address", addr_parse(SPAN_LIT("127.0.0.1:1"), &source));
    if (!CHECK_TRUE("configuration", config != NULL)) {
        report_done(&report);
        return;
    }
    for (size_t i = 0; i < COUNT(place_rows); i++) {
        const char *row = place_rows[i].path;
        struct request request = request_of("GET", row);
        struct admission_files found;
        const struct admission_question question = {
            .config = config,
            .listen = &config->listens[0],
            .request = &request,
            .source = &source,
        };
        admission_find_files(&question, &found);
        if (!CHECK_EQ_INT(row, found.section != NULL, place_rows[i].section != NULL) ||
            found.section == NULL) {
            continue;
        }
        CHECK_EQ_MEM(row, found.section->place.name.data, found.section->place.name.len,
                     place_rows[i].section, strlen(place_rows[i].section));
        CHECK_EQ_MEM(row, found.rest.data, found.rest.len, place_rows[i].rest,
                     strlen(place_rows[i].rest));
        CHECK_EQ_INT(row, found.is_bare, place_rows[i].is_bare);
    }
    config_free(config);
    report_done(&report);
}

// --- which file ----------------------------------------------------------------------------------

struct site {
    char root[64];
    const struct config *config;
    struct files *files;
};

static void put(const struct site *site, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", site->root, name);
    FILE *file = fopen(path, "wb");
    if (CHECK_TRUE(name, file != NULL)) {
        fputs(text, file);
        fclose(file);
    }
}

static void make_site(struct site *site)
{
    char text[512];
    char path[128];
    struct report report;

    snprintf(site->root, sizeof(site->root), "/tmp/sluice-test-files-XXXXXX");
    CHECK_TRUE("folder", mkdtemp(site->root) != NULL);
    put(site, "index.html", "<p>");
    put(site, "a.js", "0123456789");
    put(site, "b.js.gz", "gz");
    snprintf(path, sizeof(path), "%s/sub", site->root);
    CHECK_EQ_INT("sub", mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/out", site->root);
    CHECK_EQ_INT("out", symlink("../../etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/in", site->root);
    CHECK_EQ_INT("in", symlink("a.js", path), 0);
    snprintf(path, sizeof(path), "%s/fifo", site->root);
    CHECK_EQ_INT("fifo", mkfifo(path, 0644), 0);
    snprintf(text, sizeof(text),
             "[server]\nworkers = 1\n[listen a]\naddress = 127.0.0.1:0\n"
             "[route r]\npath = /r\nbackend = echo:\n"
             "[files s]\npath = /*\nroot = %s\npage_kit = on\n",
             site->root);
    site->config = config_parse(span_from_str(text), &report);
    report_done(&report);
    site->files = site->config != NULL ? files_new(site->config) : NULL;
    CHECK_TRUE("site", site->files != NULL);
}

static void remove_site(struct site *site)
{
    static const char *const names[] = {"index.html", "a.js", "b.js.gz", "out", "in", "fifo"};
    char path[128];

    files_free(site->files);
    config_free(site->config);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", site->root, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/sub", site->root);
    rmdir(path);
    rmdir(site->root);
}

static const struct {
    const char *method;
    const char *rest;
    unsigned status;
    uint64_t left_bytes;
    uint64_t content_bytes;
    const char *detail;
} file_rows[] = {
    {"GET", "a.js", 200, 10, 10, NULL},
    {"HEAD", "a.js", 200, 0, 10, NULL},
    {"GET", "", 200, 3, 3, NULL},
    {"GET", "in", 200, 10, 10, NULL},
    {"GET", "sluice.js", 200, 0, 0, NULL},
    {"GET", "sub", 301, 22, 22, NULL},
    {"HEAD", "sub", 301, 0, 22, NULL},
    {"GET", "sub/", 404, 14, 14, NULL},
    {"GET", "nothing", 404, 14, 14, NULL},
    {"GET", "a.js/", 404, 14, 14, NULL},
    {"GET", "out", 404, 14, 14, "a symbolic link leads out of the root"},
    {"GET", "fifo", 404, 14, 14, "it is no regular file"},
    {"GET", "../etc/passwd", 404, 14, 14, "the path tries to leave its root"},
    {"GET", "b.js", 404, 14, 14, NULL},
};

static void test_files(void)
{
    struct site site;

    make_site(&site);
    for (size_t i = 0; site.files != NULL && i < COUNT(file_rows); i++) {
        const char *row = file_rows[i].rest;
        struct request request = request_of(file_rows[i].method, "/");
        const struct files_question question = {
            .section = &site.config->files[0],
            .request = &request,
            .rest = span_from_str(row),
        };
        struct files_answer answer;
        bool is_kit = strcmp(row, "sluice.js") == 0;
        files_open(site.files, &question, &answer);
        CHECK_EQ_U64(row, answer.status, file_rows[i].status);
        CHECK_EQ_U64(row, answer.left_bytes, is_kit ? page_kit_len : file_rows[i].left_bytes);
        CHECK_EQ_U64(row, answer.content_bytes, is_kit ? page_kit_len : file_rows[i].content_bytes);
        CHECK_EQ_STR(row, answer.detail, file_rows[i].detail);
        CHECK_EQ_INT(row, answer.fd != -1, answer.status == 200 && !is_kit);
        files_done(&answer);
        files_done(&answer);
    }
    remove_site(&site);
}

CU_TestInfo files_tests[] = {
    {"which section", test_places},
    {"which file", test_files},
    CU_TEST_INFO_NULL,
};
