/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "conf/words.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_table(void)
{
    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);
        char text[KEY_RANGE_TEXT];
        char value[KEY_NUMBER_TEXT];
        uint64_t number = 0;

        CHECK_EQ_U64(key->name, key_index(key), i);
        CHECK_EQ_STR(key->name, key_find_anywhere(span_from_str(key->name))->name, key->name);
        CHECK_TRUE(key->name, key_find(key->section, span_from_str(key->name)) == key);
        CHECK_TRUE(key->name, key->help != NULL && key->width > 0);
        CHECK_TRUE(key->name, key->need == NULL || key->need->text != NULL);
        if (!key_is_number(key)) {
            CHECK_TRUE(key->name, key->read != NULL && key->show != NULL);
            CHECK_TRUE(key->name, key->max == 0 || key->noun != NULL);
            CHECK_TRUE(key->name, key->is_required || key->empty != NULL);
            continue;
        }
        if (!CHECK_TRUE(key->name, key->is_required == (key->fallback == NULL))) {
            continue;
        }
        if (key->fallback != NULL) {
            CHECK_TRUE(key->name, key_parse(key, span_from_str(key->fallback), &number));
            key_format(key, number, value, sizeof(value));
            CHECK_EQ_STR(key->name, value, key->fallback);
        }
        CHECK_TRUE(key->name, strlen(key_describe(key, text, sizeof(text))) < sizeof(text) - 1);
        if (key->type == KEY_TYPE_CHOICE) {
            continue;
        }
        for (uint64_t n = key->min; n <= key->max;
             n = n >= key->max / 7 * 6 ? n + key->max / 7 + 1 : n + key->max / 7) {
            uint64_t again = 0;

            key_format(key, n, value, sizeof(value));
            CHECK_TRUE(key->name, key_parse(key, span_from_str(value), &again));
            CHECK_EQ_U64(key->name, again, n);
        }
        snprintf(value, sizeof(value), "%llu%s", (unsigned long long)key->max + 1,
                 key->type == KEY_TYPE_DURATION ? "ms" : "");
        CHECK_FALSE(key->name, key_parse(key, span_from_str(value), &number));
    }
}

static void test_nearest(void)
{
    static const struct {
        enum key_section kind;
        const char *word;
        const char *want; // NULL: no key is near
    } rows[] = {
        {KEY_ROUTE, "orgins", "origins"},
        {KEY_ROUTE, "origin", "origins"},
        {KEY_ROUTE, "backends", "backend"},
        {KEY_ROUTE, "Path", "path"},
        {KEY_ROUTE, "subprotocol", "subprotocols"},
        {KEY_ROUTE, "idletimeout", "idle_timeout"},
        {KEY_ROUTE, "conect_timeout", "connect_timeout"},
        {KEY_ROUTE, "buffer_hihg", "buffer_high"},
        {KEY_DEFAULTS, "pat", NULL},
        {KEY_DEFAULTS, "alow", "allow"},
        {KEY_LISTEN, "adress", "address"},
        {KEY_LISTEN, "certificate_file", NULL},
        {KEY_SERVER, "worker", "workers"},
        {KEY_SERVER, "origins", NULL},
        {KEY_SERVER, "", NULL},
        {KEY_ROUTE, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct key *key = key_nearest(rows[i].kind, span_from_str(rows[i].word));

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

        CHECK_EQ_U64(rows[i].a, words_distance(a, b), rows[i].want);
        CHECK_EQ_U64(rows[i].b, words_distance(b, a), rows[i].want);
    }
}

static void test_sections(void)
{
    enum key_section found = KEY_SERVER;

    for (size_t i = 0; i < KEY_SECTIONS; i++) {
        const struct key_header *header = key_section_header((enum key_section)i);

        CHECK_TRUE(header->word, key_section_find(span_from_str(header->word), &found));
        CHECK_EQ_INT(header->word, found, i);
    }
    CHECK_FALSE("Route", key_section_find(SPAN_LIT("Route"), &found));
    CHECK_FALSE("empty", key_section_find(SPAN_LIT(""), &found));
    CHECK_EQ_STR("routes", key_section_nearest(SPAN_LIT("routes")), "route");
    CHECK_EQ_STR("what", key_section_nearest(SPAN_LIT("what")), NULL);
}

/* A row has five cells, and none is empty. */
static void test_print(void)
{
    static const char *const wanted[] = {
        "| `server` | `workers` | `auto`, 1 to 256 | `auto` | worker processes",
        "| `listen` | `tls_key` | list of PEM files | no file | PEM files",
        "| `health` | `address` | `IP:PORT`, `[IPv6]:PORT` | required | numeric",
        "| `route` | `idle_timeout` | 0 (off), 10ms to 30d | `10m` | time without",
        "| `route` | `allow` | list of networks | all | client networks",
    };
    char *text = NULL;
    size_t len = 0;
    size_t lines = 0;
    FILE *out = open_memstream(&text, &len);

    key_print(out);
    fclose(out);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        CHECK_TRUE(wanted[i], strstr(text, wanted[i]) != NULL);
    }
    CHECK_TRUE("empty cell", strstr(text, "|  |") == NULL);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t cells = 0;

        for (const char *c = line; *c != '\n'; c++) {
            cells += *c == '|' && (c == line || c[-1] != '\\');
        }
        CHECK_EQ_U64("cells", cells, 6);
        lines++;
    }
    CHECK_EQ_U64("rows", lines, key_count() + 2);
    free(text);
}

CU_TestInfo key_tests[] = {
    {"the table of keys", test_table},
    {"the nearest key", test_nearest},
    {"distance of words", test_distance},
    {"sections", test_sections},
    {"print", test_print},
    CU_TEST_INFO_NULL,
};
