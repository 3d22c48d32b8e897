/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_print.c: the table of keys as rows of a Markdown table, for `sluice --keys`. */
#include <stdio.h>
#include <string.h>

#include "conf/key.h"

/* A '|' would end the cell. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void print_choices(const struct key *key, FILE *out)
{
    for (const struct key_choice *c = key->choices; c->word != NULL; c++) {
        fprintf(out, "%s`%s`", c == key->choices ? "" : ", ", c->word);
    }
}

/* "0 (off), 10ms to 1h" */
static void print_range(const struct key *key, FILE *out)
{
    char low[KEY_NUMBER_TEXT];
    char high[KEY_NUMBER_TEXT];

    if (key->zero_word != NULL) {
        fprintf(out, "0 (%s), ", key->zero_word);
    }
    if (key->choices != NULL) {
        print_choices(key, out);
        fprintf(out, ", ");
    }
    fprintf(out, "%s to %s", key_format(key, key->min, low, sizeof(low)),
            key_format(key, key->max, high, sizeof(high)));
}

static void print_list(const struct key *key, FILE *out)
{
    if (key->noun != NULL) {
        fprintf(out, "list of %ss", key->noun);
    } else {
        fprintf(out, "list of %s", key->names_files ? "files" : "texts");
    }
}

static void print_values(const struct key *key, FILE *out)
{
    if (key->values != NULL) {
        fprintf(out, "%s", key->values);
        return;
    }
    switch (key->type) {
    case KEY_TYPE_CHOICE:
        print_choices(key, out);
        break;
    case KEY_TYPE_COUNT:
    case KEY_TYPE_SIZE:
    case KEY_TYPE_DURATION:
        print_range(key, out);
        break;
    case KEY_TYPE_TEXT:
        fprintf(out, "%s", key->names_files ? "a file" : "a text");
        break;
    case KEY_TYPE_LIST:
        print_list(key, out);
        break;
    }
}

static void print_default(const struct key *key, FILE *out)
{
    if (key->fallback != NULL) {
        fprintf(out, "`%s`", key->fallback);
    } else if (key->is_required) {
        fprintf(out, "required");
    } else {
        print_cell(out, key->empty != NULL ? key->empty : "none");
    }
}

void key_print(FILE *out)
{
    fprintf(out, "| section | key | values | default | help |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);

        fprintf(out, "| `%s` | `%s` | ", key_section_header(key->section)->word, key->name);
        print_values(key, out);
        fprintf(out, " | ");
        print_default(key, out);
        fprintf(out, " | ");
        print_cell(out, key->help);
        fprintf(out, " |\n");
    }
}
