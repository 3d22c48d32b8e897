/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/build.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void *build_array(struct build *build, size_t count, size_t size)
{
    void *array = arena_alloc(build->texts, count * size);

    if (array == NULL) {
        report_no_memory(build->report);
    }
    return array;
}

const struct bundle_file *build_file(struct build *build, const struct draft_item *item)
{
    const struct bundle_file *file = bundle_find(build->bundle, item->text);

    if (file != NULL && file->problem.len == 0) {
        return file;
    }
    report_add(build->report, item->line, "cannot read %.*s: %s", REPORT_SHOW_PATH(item->text),
               file != NULL ? file->problem.data : "the bundle lacks it");
    return NULL;
}

void build_check_exposure(struct build *build, const struct draft_item *item, const char *secret,
                          enum file_exposure exposure)
{
    struct report *report = build->report;

    switch (exposure) {
    case FILE_PRIVATE:
        break;
    case FILE_READABLE_MOUNT:
        report_warn(report, item->line,
                    "%.*s: every user of this machine or container can read the %s: mount it with "
                    "mode 0400 or 0440 (defaultMode in Kubernetes)",
                    REPORT_SHOW_PATH(item->text), secret);
        break;
    case FILE_READABLE:
        report_add(report, item->line,
                   "%.*s: every user of this machine can read the %s: chmod o= FILE (a group may "
                   "read it)",
                   REPORT_SHOW_PATH(item->text), secret);
        break;
    case FILE_WRITABLE:
        report_add(report, item->line,
                   "%.*s: every user of this machine can change the %s: chmod o= FILE",
                   REPORT_SHOW_PATH(item->text), secret);
        break;
    }
}

/* Says what a value or item is called, and of which key unless its name says the same. */
static void report_bad(struct build *build, const struct key *key, const struct draft_item *item,
                       const char *detail)
{
    const char *noun = key->noun != NULL ? key->noun : "value";

    if (strncmp(key->name, noun, strlen(noun)) == 0) {
        report_add(build->report, item->line, "bad %s '%.*s'; %s", noun, REPORT_SHOW(item->text),
                   detail);
    } else {
        report_add(build->report, item->line, "bad %s '%.*s' for '%s'; %s", noun,
                   REPORT_SHOW(item->text), key->name, detail);
    }
}

static void build_number(struct build *build, const struct key *key, const struct draft_item *item,
                         void *base)
{
    char range[KEY_RANGE_TEXT];
    uint64_t number;

    if (key_parse(key, item->text, &number)) {
        key_store(key, base, number);
    } else {
        report_bad(build, key, item, key_describe(key, range, sizeof(range)));
    }
}

static void build_text(struct build *build, const struct key *key, const struct draft_item *item,
                       void *base)
{
    const char *detail;

    if (!key->read(item->text, build->texts, (char *)base + key->offset, &detail)) {
        report_bad(build, key, item, detail);
    }
}

static void build_list(struct build *build, const struct key *key, const struct draft_value *value,
                       void *base)
{
    char *items = build_array(build, value->count, key->width);
    size_t count = 0;

    if (items == NULL) {
        return;
    }
    if (key->max != 0 && value->count > key->max) {
        report_add(build->report, value->last->line, "more than %" PRIu64 " %ss", key->max,
                   key->noun);
    }
    for (const struct draft_item *item = value->items; item != NULL; item = item->next) {
        char *place = items + count * key->width;
        const char *detail;

        if (key->read(item->text, build->texts, place, &detail)) {
            count++;
        } else {
            report_bad(build, key, item, detail);
            memset(place, 0, key->width);
        }
    }
    memcpy((char *)base + key->offset, &items, sizeof(items));
    memcpy((char *)base + key->count_offset, &count, sizeof(count));
}

static void build_value(struct build *build, const struct key *key, const struct draft_value *value,
                        void *base)
{
    if (key->type == KEY_TYPE_LIST) {
        build_list(build, key, value, base);
    } else if (value->items != NULL && key_is_number(key)) {
        build_number(build, key, value->items, base);
    } else if (value->items != NULL) {
        build_text(build, key, value->items, base);
    }
}

void build_fallbacks(struct build *build, enum key_section kind, void *base)
{
    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);

        if (key_is_at_home(key, kind) && key->fallback != NULL) {
            struct draft_item item = {.text = span_from_str(key->fallback)};
            struct draft_value value = {.items = &item, .last = &item, .count = 1};

            build_value(build, key, &value, base);
        }
    }
}

void build_section(struct build *build, const struct draft_section *section, void *base)
{
    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);
        const struct draft_value *value = &section->values[i];

        if (value->line != 0) {
            build_value(build, key, value, base);
        } else if (key->is_required && key->section == section->kind) {
            report_add(build->report, section->line, "[%s%s%.*s] has no %s",
                       key_section_header(section->kind)->word, section->name.len > 0 ? " " : "",
                       REPORT_SHOW(section->name), key->name);
        }
    }
}

void build_check_needs(struct build *build, const struct draft_section *section, const void *base)
{
    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);

        if (section->values[i].line != 0 && key->need != NULL && !key->need->is_met(base)) {
            report_add(build->report, section->values[i].line, "'%s' means nothing without %s",
                       key->name, key->need->text);
        }
    }
}
