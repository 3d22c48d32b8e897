/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config: any bytes give a snapshot, or a list of errors in line order, and the reader ignores no
 * line. A snapshot prints as a text that the reader accepts and that prints the same again. */
#include "conf/config.h"

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "conf/draft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target knows two users and reads no file: looking users up took most of the time. */
struct passwd *getpwnam(const char *name)
{
    static struct passwd user = {.pw_uid = 65534, .pw_gid = 65534};

    return strcmp(name, "nobody") == 0 || strcmp(name, "sluice") == 0 ? &user : NULL;
}

static bool is_told(const struct report *report, unsigned line)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->errors[i].line == line) {
            return true;
        }
    }
    return report->count > REPORT_ERRORS_MAX;
}

static bool has_item(const struct draft_value *value, unsigned line)
{
    for (const struct draft_item *item = value->items; item != NULL; item = item->next) {
        assert(strlen(item->text.data) == item->text.len && item->text.len > 0);
        assert(item->text.len < DRAFT_LINE_BYTES_MAX && utf8_is_valid(item->text));
        if (item->line == line) {
            return true;
        }
    }
    return false;
}

static bool is_line_of(const struct draft_section *section, unsigned line)
{
    for (size_t i = 0; i < key_count(); i++) {
        if (has_item(&section->values[i], line)) {
            return true;
        }
    }
    return section->line == line;
}

/* The section of a line, when the draft has all sections of the file. */
static const struct draft_section *section_at(const struct draft *draft, unsigned line)
{
    const struct draft_section *found = NULL;

    for (const struct draft_section *s = draft->sections; s != NULL && s->line <= line;
         s = s->next) {
        found = s;
    }
    return found;
}

/* A header may follow a byte order mark; the report then names the mark. */
static bool is_header(struct span content)
{
    if (span_starts_with(content, SPAN_LIT("\xef\xbb\xbf"))) {
        content = span_trim((struct span){content.data + 3, content.len - 3});
    }
    return content.len > 0 && content.data[0] == '[';
}

/* The reader ignores no line. Each has a key or a header, or an error, or is a comment, or stands
 * below a header that was refused. */
static void check_lines(struct span text)
{
    struct arena texts = {0};
    struct report report = {0};
    struct draft draft;
    unsigned number = 0;
    bool is_lost = false;

    draft_read(&draft, text, &texts, &report);
    while (text.len > 0) {
        size_t end = span_find(text, '\n');
        struct span content = span_trim((struct span){text.data, end});
        size_t used = end < text.len ? end + 1 : end;
        const struct draft_section *section = section_at(&draft, ++number);
        bool is_section = section != NULL && section->line == number;

        if (content.len > 0 && content.data[content.len - 1] == '\r') {
            content = span_trim((struct span){content.data, content.len - 1});
        }
        if (is_header(content)) {
            is_lost = !is_section;
        }
        if (content.len > 0 && content.data[0] != ';' && content.data[0] != '#' && !is_lost) {
            assert((section != NULL && is_line_of(section, number)) || is_told(&report, number));
        }
        text = (struct span){text.data + used, text.len - used};
    }
    draft_done(&draft);
    arena_done(&texts);
    report_done(&report);
}

static void check_report(const struct report *report)
{
    assert(report->is_failed && report->count > 0);
    for (size_t i = 0; i < report->count; i++) {
        assert(report->errors[i].message[0] != '\0');
        assert(i == 0 || report->errors[i - 1].line <= report->errors[i].line);
        /* A message quotes no byte that a terminal would act on. */
        for (const char *c = report->errors[i].message; *c != '\0'; c++) {
            assert((unsigned char)*c >= 0x20 || *c == '\t');
        }
    }
}

static char *print(const struct config *config, size_t *out_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_len);

    assert(out != NULL);
    config_print(config, out);
    fclose(out);
    return text;
}

static void check_print(const struct config *config)
{
    struct report report;
    size_t first_len;
    size_t second_len;
    char *first = print(config, &first_len);
    struct config *again = config_parse((struct span){first, first_len}, &report);
    char *second;

    if (again == NULL) {
        report_print(&report, "again", stderr);
    }
    assert(again != NULL && !report.is_failed);
    report_done(&report);
    assert(again->listen_count == config->listen_count);
    assert(again->route_count == config->route_count);
    second = print(again, &second_len);
    assert(first_len == second_len && memcmp(first, second, first_len) == 0);
    config_free(again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {size > 0 ? (const char *)data : "", size};
    struct report report;
    struct config *config;
    size_t blocks = mem_live_blocks();

    check_lines(text);
    config = config_parse(text, &report);
    if (config == NULL) {
        check_report(&report);
    } else {
        assert(report.count == 0);
        assert(config->workers > 0 && config->listen_count > 0 && config->route_count > 0);
        check_print(config);
    }
    report_done(&report);
    config_free(config);
    assert(mem_live_blocks() == blocks);
    return 0;
}
