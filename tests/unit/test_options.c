/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/options.h"

#include <string.h>

#include "check.h"
#include "suites.h"

#define WORDS_MAX 12

/* Cuts a command line at its blanks. */
static bool read_line(const char *line, struct options *out, const char **out_fault)
{
    static char text[256];
    static char name[] = "sluice";
    char *argv[WORDS_MAX + 1] = {name};
    int argc = 1;

    CHECK_TRUE(line, span_copy(span_from_str(line), text, sizeof(text)));
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    return options_read(argc, argv, out, out_fault);
}

static void test_tasks(void)
{
    static const struct {
        const char *line;
        enum options_task task;
    } rows[] = {
        {"", OPTIONS_SERVE},
        {"-c x.ini", OPTIONS_SERVE},
        {"--check", OPTIONS_CHECK},
        {"-c x.ini --print-config", OPTIONS_PRINT_CONFIG},
        {"--check --print-config", OPTIONS_PRINT_CONFIG},
        {"--demo --check", OPTIONS_CHECK},
        {"--to a:1 --check", OPTIONS_CHECK},
        {"--health -c x.ini", OPTIONS_HEALTH},
        {"--keys", OPTIONS_KEYS},
        {"--version", OPTIONS_VERSION},
        {"--help", OPTIONS_HELP},
        {"-h", OPTIONS_HELP},
        {"-h --nonsense", OPTIONS_HELP},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options;
        const char *fault;

        CHECK_TRUE(rows[i].line, read_line(rows[i].line, &options, &fault));
        CHECK_EQ_INT(rows[i].line, options.task, rows[i].task);
    }
}

static void test_values(void)
{
    struct options options;
    const char *fault;

    CHECK_TRUE("none", read_line("", &options, &fault));
    CHECK_EQ_STR("default", options.config_path, OPTIONS_DEFAULT_CONFIG);
    CHECK_TRUE("none", !options.is_to && !options.is_demo && options.to.target == NULL);

    CHECK_TRUE("all", read_line("--to a:1 --listen 127.0.0.1:2 --files /f --origins none "
                                "--certificate c --key k",
                                &options, &fault));
    CHECK_TRUE("all", options.is_to && !options.is_demo && !options.to.is_plain);
    CHECK_EQ_STR("all", options.to.target, "a:1");
    CHECK_EQ_STR("all", options.to.listen, "127.0.0.1:2");
    CHECK_EQ_STR("all", options.to.files, "/f");
    CHECK_EQ_STR("all", options.to.origins, "none");
    CHECK_EQ_STR("all", options.to.certificate, "c");
    CHECK_EQ_STR("all", options.to.key, "k");

    CHECK_TRUE("plain", read_line("--plain --to=a:1", &options, &fault));
    CHECK_TRUE("plain", options.is_to && options.to.is_plain);
    CHECK_TRUE("demo", read_line("--demo --listen [::1]:0", &options, &fault));
    CHECK_TRUE("demo", options.is_demo && !options.is_to);
    CHECK_EQ_STR("demo", options.to.listen, "[::1]:0");
}

static void test_faults(void)
{
    static const char *const rows[] = {
        "stray",
        "--to a:1 stray",
        "--to a:1 -c x.ini",
        "--to a:1 --demo",
        "--to a:1 --health",
        "--to a:1 --plain --certificate c --key k",
        "--to a:1 --certificate c",
        "--to a:1 --key k",
        "--listen 127.0.0.1:1",
        "--files /f",
        "--demo --plain",
        "--demo --origins none",
        "--demo -c x.ini",
        "--health --check",
        "--health --print-config",
        "--health --demo",
        "--health --keys",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options;
        const char *fault;

        CHECK_TRUE(rows[i], !read_line(rows[i], &options, &fault));
        CHECK_TRUE(rows[i], fault != NULL);
    }
}

CU_TestInfo options_tests[] = {
    {"tasks", test_tasks},
    {"values", test_values},
    {"faults", test_faults},
    CU_TEST_INFO_NULL,
};
