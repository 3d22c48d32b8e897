/* SPDX-License-Identifier: GPL-3.0-or-later */
// The parts of the configuration that stand alone: the table of keys, the line scanner, what --demo
// runs with and the files that are shipped.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "conf/config.h"
#include "conf/config_draft.h"
#include "conf/config_keys.h"
#include "conf/config_scan.h"
#include "io/cert.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_table(void)
{
    CHECK_TRUE("ceiling", config_key_count() <= CONFIG_KEYS_MAX);
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        char text[CONFIG_RANGE_TEXT];
        char value[CONFIG_VALUE_TEXT];
        uint64_t number = 0;

        CHECK_EQ_U64(key->name, config_key_index(key), i);
        CHECK_TRUE(key->name, config_key_find_anywhere(span_from_str(key->name)) == key);
        CHECK_TRUE(key->name, strlen(key->name) <= CONFIG_NAME_MAX && key->help != NULL);
        if (!config_key_is_number(key)) {
            continue;
        }
        CHECK_TRUE(key->name, config_key_parse(key, span_from_str(key->fallback), &number));
        config_key_format(key, number, value, sizeof(value));
        CHECK_EQ_STR(key->name, value, key->fallback);
        CHECK_TRUE(key->name,
                   strlen(config_key_describe(key, text, sizeof(text))) < sizeof(text) - 1);
        if (key->type == CONFIG_TYPE_CHOICE) {
            continue;
        }
        for (uint64_t n = key->min; n <= key->max;
             n = n >= key->max / 7 * 6 ? n + key->max / 7 + 1 : n + key->max / 7) {
            uint64_t again = 0;

            config_key_format(key, n, value, sizeof(value));
            CHECK_TRUE(key->name, config_key_parse(key, span_from_str(value), &again));
            CHECK_EQ_U64(key->name, again, n);
        }
        snprintf(value, sizeof(value), "%llu%s", (unsigned long long)key->max + 1,
                 key->type == CONFIG_TYPE_DURATION ? "ms" : "");
        CHECK_FALSE(key->name, config_key_parse(key, span_from_str(value), &number));
    }
}

static void test_nearest(void)
{
    static const struct {
        enum config_section_kind kind;
        const char *word;
        const char *want; // NULL: nothing is near
    } rows[] = {
        {CONFIG_ROUTE, "orgins", "origins"},
        {CONFIG_ROUTE, "origin", "origins"},
        {CONFIG_ROUTE, "backends", "backend"},
        {CONFIG_ROUTE, "Path", "path"},
        {CONFIG_ROUTE, "subprotocol", "subprotocols"},
        {CONFIG_ROUTE, "idletimeout", "idle_timeout"},
        {CONFIG_ROUTE, "conect_timeout", "connect_timeout"},
        {CONFIG_ROUTE, "buffer_hihg", "buffer_high"},
        {CONFIG_DEFAULTS, "pat", NULL},
        {CONFIG_DEFAULTS, "alow", "allow"},
        {CONFIG_LISTEN, "adress", "address"},
        {CONFIG_LISTEN, "tls_cert", NULL},
        {CONFIG_SERVER, "worker", "workers"},
        {CONFIG_SERVER, "origins", NULL},
        {CONFIG_SERVER, "", NULL},
        {CONFIG_ROUTE, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct config_key *key =
            config_key_nearest(rows[i].kind, span_from_str(rows[i].word));

        CHECK_EQ_STR(rows[i].word, key == NULL ? NULL : key->name, rows[i].want);
    }
}

static void test_distance(void)
{
    static const struct {
        const char *a;
        const char *b;
        size_t want;
    } rows[] = {
        {"", "", 0},       {"", "abc", 3},    {"abc", "", 3},           {"abc", "abc", 0},
        {"abc", "acb", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span a = span_from_str(rows[i].a);
        struct span b = span_from_str(rows[i].b);

        CHECK_EQ_U64(rows[i].a, config_word_distance(a, b), rows[i].want);
        CHECK_EQ_U64(rows[i].b, config_word_distance(b, a), rows[i].want);
    }
}

static void test_scan(void)
{
    static const char text[] = "\n[a]\r\n; x\n # y\nk=v;w\nk = ; v\n[ b c ]\t; z\nlast = 1";
    static const struct {
        enum config_line_kind kind;
        const char *name;
    } rows[] = {
        {CONFIG_LINE_BLANK, ""},      {CONFIG_LINE_SECTION, "a"}, {CONFIG_LINE_BLANK, ""},
        {CONFIG_LINE_BLANK, ""},      {CONFIG_LINE_KEY, "k"},     {CONFIG_LINE_KEY, "k"},
        {CONFIG_LINE_SECTION, "b c"}, {CONFIG_LINE_KEY, "last"},
    };
    struct config_scan scan;
    struct config_line line;

    config_scan_init(&scan, SPAN_LIT(text));
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!CHECK_TRUE(rows[i].name, config_scan_next(&scan, &line))) {
            return;
        }
        CHECK_EQ_U64(rows[i].name, line.number, i + 1);
        CHECK_EQ_INT(rows[i].name, line.kind, rows[i].kind);
        CHECK_EQ_MEM(rows[i].name, line.name.data, line.name.len, rows[i].name,
                     strlen(rows[i].name));
    }
    CHECK_FALSE("end", config_scan_next(&scan, &line));
}

// The longest legal line and name, and one byte more.
static void test_scan_limits(void)
{
    for (size_t len = CONFIG_LINE_MAX - 1; len <= CONFIG_LINE_MAX + 1; len++) {
        char text[256];
        struct config_scan scan;
        struct config_line line;

        memset(text, 'x', sizeof(text));
        memcpy(text, "key=", 4);
        text[len] = '\n';
        config_scan_init(&scan, (struct span){text, len + 1});
        CHECK_TRUE("line", config_scan_next(&scan, &line));
        CHECK_EQ_INT("line", line.kind, len <= CONFIG_LINE_MAX ? CONFIG_LINE_KEY : CONFIG_LINE_BAD);
    }
    for (size_t len = CONFIG_NAME_MAX; len <= CONFIG_NAME_MAX + 1; len++) {
        char text[128];
        struct config_scan scan;
        struct config_line line;

        memset(text, 'x', sizeof(text));
        text[0] = '[';
        text[len + 1] = ']';
        config_scan_init(&scan, (struct span){text, len + 2});
        CHECK_TRUE("header", config_scan_next(&scan, &line));
        CHECK_EQ_INT("header", line.kind,
                     len <= CONFIG_NAME_MAX ? CONFIG_LINE_SECTION : CONFIG_LINE_BAD);
        CHECK_EQ_INT("header", line.is_header, len > CONFIG_NAME_MAX);
    }
}

static void test_quote(void)
{
    char text[100];
    struct span quoted;

    memset(text, 'x', sizeof(text));
    CHECK_EQ_U64("short", config_quote((struct span){text, 60}).len, 60);
    CHECK_EQ_U64("long", config_quote((struct span){text, 100}).len, 60);
    memcpy(text + 58, "\xe2\x82\xac", 3);
    quoted = config_quote((struct span){text, 100});
    CHECK_EQ_U64("inside a letter", quoted.len, 58);
}

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

static void report(const char *row, struct config_errors *errors)
{
    if (errors->count > 0) {
        config_errors_print(row, errors, stdout);
    }
    config_errors_free(errors);
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
    struct config_errors errors = {NULL, 0};
    struct config *demo;
    struct config *file;

    CHECK_TRUE("pair", cert_make_throw_away(&pair));
    certificate = (struct span){pair.certificate, pair.certificate_len};
    key = (struct span){pair.key, pair.key_len};
    demo = config_demo((struct span){NULL, 0}, certificate, key, &errors);
    if (!CHECK_TRUE("demo", demo != NULL)) {
        report("demo", &errors);
        return;
    }
    check_demo(demo, 2);
    CHECK_EQ_U64("port", addr_port(&demo->listens[0].address), 8443);

    file = config_load("config/demo.ini", &errors);
    if (CHECK_TRUE("file", file != NULL)) {
        char *of_demo = print_routes(demo);
        char *of_file = print_routes(file);

        CHECK_EQ_STR("config/demo.ini", of_file, of_demo);
        free(of_demo);
        free(of_file);
    }
    report("config/demo.ini", &errors);
    config_free(file);
    config_free(demo);
}

static void test_demo_address(void)
{
    static struct cert_pair pair;
    struct span certificate;
    struct span key;
    struct config_errors errors = {NULL, 0};
    struct config *demo;

    CHECK_TRUE("pair", cert_make_throw_away(&pair));
    certificate = (struct span){pair.certificate, pair.certificate_len};
    key = (struct span){pair.key, pair.key_len};
    demo = config_demo(SPAN_LIT("[::1]:0"), certificate, key, &errors);
    if (CHECK_TRUE("demo", demo != NULL)) {
        check_demo(demo, 1);
        config_free(demo);
    }
    config_errors_free(&errors);

    CHECK_TRUE("name", config_demo(SPAN_LIT("localhost:1"), certificate, key, &errors) == NULL);
    CHECK_EQ_U64("name", errors.count, 1);
    config_errors_free(&errors);
    CHECK_TRUE("no pem", config_demo(SPAN_LIT("127.0.0.1:0"), key, key, &errors) == NULL);
    CHECK_EQ_U64("no pem", errors.count, 1);
    config_errors_free(&errors);
}

// On a machine that has no /etc/sluice, config/sluice.ini names what must be edited, and no more.
static void test_sample(void)
{
    struct config_errors errors;
    struct config *config = config_load("config/sluice.ini", &errors);

    for (size_t i = 0; i < errors.count; i++) {
        CHECK_TRUE("sample", errors.items[i].line > 0);
        CHECK_TRUE("sample", strstr(errors.items[i].message, "cannot read /etc/sluice/") != NULL);
    }
    CHECK_TRUE("sample", config != NULL || errors.count > 0);
    config_errors_free(&errors);
    config_free(config);
}

CU_TestInfo config_parts_tests[] = {
    {"the table of keys", test_table},
    {"the nearest key", test_nearest},
    {"distance of words", test_distance},
    {"lines", test_scan},
    {"limits of lines and names", test_scan_limits},
    {"quotes end between letters", test_quote},
    {"--demo and demo.ini", test_demo},
    {"--demo --listen", test_demo_address},
    {"sluice.ini", test_sample},
    CU_TEST_INFO_NULL,
};
