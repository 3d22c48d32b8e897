/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config_draft.h"

#include <assert.h>
#include <ini.h>
#include <string.h>

#include "conf/config_scan.h"

#define LIST_KEYS_HINT "a key that holds a list may be repeated"

/* What inih's two callbacks share. inih tells neither line numbers nor where a section begins, so
 * the reader, which hands it the lines, remembers both. */
struct draft_reader {
    struct config_scan scan;
    unsigned line;
    struct config_section *section; /* NULL: none yet, or its header could not be read */
    bool is_skipping;               /* keys below a header that was refused */
    struct config_draft *draft;
    struct config_arena *texts;
    struct config_report *report;
};

struct section_word {
    const char *word;
    enum config_section_kind kind;
    bool has_name;
};

static const struct section_word section_words[] = {
    {"server", CONFIG_SERVER, false},
    {"listen", CONFIG_LISTEN, true},
    {"defaults", CONFIG_DEFAULTS, false},
    {"route", CONFIG_ROUTE, true},
};
static const size_t section_word_count = sizeof(section_words) / sizeof(section_words[0]);

static const struct section_word *find_section_word(struct span word)
{
    for (size_t i = 0; i < section_word_count; i++) {
        if (span_is_equal(span_from_str(section_words[i].word), word)) {
            return &section_words[i];
        }
    }
    return NULL;
}

static const char *nearest_section_word(struct span word)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;

    for (size_t i = 0; i < section_word_count; i++) {
        struct span known = span_from_str(section_words[i].word);
        size_t distance = config_word_distance(word, known);

        if (distance < best_distance && config_word_is_near(word, known, distance)) {
            best = section_words[i].word;
            best_distance = distance;
        }
    }
    return best;
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            strchr("._-", c) == NULL) {
            return false;
        }
    }
    return name.len > 0;
}

static const struct config_section *find_section(const struct config_draft *draft,
                                                 enum config_section_kind kind, struct span name)
{
    for (const struct config_section *s = draft->sections; s != NULL; s = s->next) {
        if (s->kind == kind && span_is_equal(s->name, name)) {
            return s;
        }
    }
    return NULL;
}

static void report_unknown_section(struct draft_reader *reader, struct span header,
                                   struct span word)
{
    const char *nearest = nearest_section_word(word);

    if (nearest != NULL) {
        config_report_add(reader->report, reader->line,
                          "unknown section [%.*s]; did you mean '%s'?", CONFIG_SHOW(header),
                          nearest);
    } else {
        config_report_add(reader->report, reader->line,
                          "unknown section [%.*s]; there are [server], [listen NAME], [defaults] "
                          "and [route NAME]",
                          CONFIG_SHOW(header));
    }
}

static bool check_header(struct draft_reader *reader, struct span header,
                         const struct section_word **out_word, struct span *out_name)
{
    size_t gap = 0;
    const struct section_word *word;

    while (gap < header.len && header.data[gap] != ' ' && header.data[gap] != '\t') {
        gap++;
    }
    *out_name = span_trim((struct span){header.data + gap, header.len - gap});
    word = find_section_word((struct span){header.data, gap});
    *out_word = word;
    if (word == NULL) {
        report_unknown_section(reader, header, (struct span){header.data, gap});
        return false;
    }
    if (!word->has_name && out_name->len > 0) {
        config_report_add(reader->report, reader->line, "[%s] takes no name", word->word);
        return false;
    }
    if (word->has_name && out_name->len == 0) {
        config_report_add(reader->report, reader->line, "[%s NAME] needs a name", word->word);
        return false;
    }
    if (word->has_name && !is_name(*out_name)) {
        config_report_add(reader->report, reader->line,
                          "bad name '%.*s': letters, digits, '.', '_' and '-' only",
                          CONFIG_SHOW(*out_name));
        return false;
    }
    return true;
}

/* A second section of the same name is still read, so that its own errors are told too. */
static bool begin_section(struct draft_reader *reader, struct span header)
{
    struct config_draft *draft = reader->draft;
    const struct section_word *word;
    const struct config_section *other;
    struct config_section *section;
    struct span name;

    if (!check_header(reader, header, &word, &name)) {
        return false;
    }
    other = find_section(draft, word->kind, name);
    if (other != NULL) {
        config_report_add(reader->report, reader->line,
                          "duplicate section [%.*s] (first on line %u)", CONFIG_SHOW(header),
                          other->line);
    }
    if (draft->count >= CONFIG_SECTIONS_MAX) {
        config_report_add(reader->report, reader->line, "more than %d sections",
                          CONFIG_SECTIONS_MAX);
        return false;
    }
    section = config_arena_alloc(&draft->arena, sizeof(*section));
    if (section == NULL || !config_arena_copy(reader->texts, name, &section->name)) {
        config_report_no_memory(reader->report);
        return false;
    }
    section->kind = word->kind;
    section->line = reader->line;
    if (draft->last == NULL) {
        draft->sections = section;
    } else {
        draft->last->next = section;
    }
    draft->last = section;
    draft->count++;
    reader->section = section;
    return true;
}

/* Does inih get to see this line? */
static bool take_line(struct draft_reader *reader, const struct config_line *line)
{
    switch (line->kind) {
    case CONFIG_LINE_BLANK:
        return false;
    case CONFIG_LINE_BAD:
        config_report_add(reader->report, line->number, "%s", line->problem);
        if (line->is_header) {
            reader->section = NULL;
            reader->is_skipping = true;
            reader->draft->has_lost_section = true;
        }
        return false;
    case CONFIG_LINE_SECTION:
        reader->section = NULL;
        reader->is_skipping = !begin_section(reader, line->name);
        reader->draft->has_lost_section |= reader->is_skipping;
        return !reader->is_skipping;
    case CONFIG_LINE_KEY:
        if (reader->section == NULL && !reader->is_skipping) {
            config_report_add(reader->report, line->number,
                              "'%.*s' stands before the first section; put it below [server], "
                              "[listen NAME], [defaults] or [route NAME]",
                              CONFIG_SHOW(line->name));
        }
        return reader->section != NULL;
    }
    return false;
}

/* inih's line source, after fgets. Lines that it must not see become empty. */
static char *give_line(char *out, int size, void *stream)
{
    struct draft_reader *reader = stream;
    struct config_line line;
    size_t len = 0;

    if (!config_scan_next(&reader->scan, &line)) {
        return NULL;
    }
    reader->line = line.number;
    if (take_line(reader, &line)) {
        len = line.text.len;
    }
    if (size < 0 || len + 2 > (size_t)size) {
        config_report_add(reader->report, line.number,
                          "the line is too long for this build of inih (%d bytes); " LIST_KEYS_HINT,
                          size);
        len = 0;
    }
    if (len > 0) {
        memcpy(out, line.text.data, len);
    }
    out[len] = '\n';
    out[len + 1] = '\0';
    return out;
}

static void report_unknown_key(struct draft_reader *reader, struct span name)
{
    const struct config_key *nearest = config_key_nearest(reader->section->kind, name);
    const struct config_key *elsewhere = config_key_find_anywhere(name);

    if (elsewhere != NULL) {
        bool is_route = strcmp(elsewhere->section, "route") == 0;
        bool has_name = is_route || strcmp(elsewhere->section, "listen") == 0;

        config_report_add(reader->report, reader->line, "'%s' does not belong here but in [%s%s]%s",
                          elsewhere->name, elsewhere->section, has_name ? " NAME" : "",
                          is_route && !elsewhere->is_route_only ? " or [defaults]" : "");
    } else if (nearest != NULL) {
        config_report_add(reader->report, reader->line, "unknown key '%.*s'; did you mean '%s'?",
                          CONFIG_SHOW(name), nearest->name);
    } else {
        config_report_add(reader->report, reader->line, "unknown key '%.*s'", CONFIG_SHOW(name));
    }
}

static void add_items(struct draft_reader *reader, const struct config_key *key,
                      struct config_value *value, struct span text)
{
    struct span part;

    while (span_next(&text, ',', &part)) {
        struct config_item *item;

        if (part.len == 0) {
            config_report_add(reader->report, reader->line, "an item of '%s' is empty", key->name);
            continue;
        }
        item = config_arena_alloc(&reader->draft->arena, sizeof(*item));
        if (item == NULL || !config_arena_copy(reader->texts, part, &item->text)) {
            config_report_no_memory(reader->report);
            return;
        }
        item->line = reader->line;
        if (value->last == NULL) {
            value->items = item;
        } else {
            value->last->next = item;
        }
        value->last = item;
        value->count++;
    }
}

static void set_value(struct draft_reader *reader, const struct config_key *key,
                      struct config_value *value, struct span text)
{
    char range[CONFIG_RANGE_TEXT];

    if (key->type == CONFIG_TYPE_LIST) {
        add_items(reader, key, value, text);
    } else if (!config_key_is_number(key)) {
        if (!config_arena_copy(reader->texts, text, &value->text)) {
            config_report_no_memory(reader->report);
        }
    } else if (!config_key_parse(key, text, &value->number)) {
        config_report_add(reader->report, reader->line, "bad value '%.*s' for '%s'; %s",
                          CONFIG_SHOW(text), key->name,
                          config_key_describe(key, range, sizeof(range)));
        /* Goes on with the default, so that one mistake does not show as several. */
        bool is_parsed = config_key_parse(key, span_from_str(key->fallback), &value->number);

        assert(is_parsed);
    }
}

/* inih's handler. Always reports success: what is wrong goes into our own list. */
static int on_pair(void *user, const char *section_name, const char *name_text,
                   const char *value_text)
{
    struct draft_reader *reader = user;
    struct span name = span_from_str(name_text);
    struct span text = span_from_str(value_text);
    const struct config_key *key;
    struct config_value *value;

    (void)section_name;
    if (reader->section == NULL) {
        config_report_add(reader->report, reader->line, "the line was misread");
        return 1;
    }
    key = config_key_find(reader->section->kind, name);
    if (key == NULL) {
        report_unknown_key(reader, name);
        return 1;
    }
    value = &reader->section->values[config_key_index(key)];
    if (value->line != 0 && key->type != CONFIG_TYPE_LIST) {
        config_report_add(reader->report, reader->line, "duplicate key '%s' (first on line %u)",
                          key->name, value->line);
    } else if (text.len == 0) {
        config_report_add(reader->report, reader->line,
                          "'%s' has no value; leave the line out for the default", key->name);
    } else {
        set_value(reader, key, value, text);
    }
    if (value->line == 0) {
        value->line = reader->line;
    }
    return 1;
}

void config_draft_read(struct config_draft *out, struct span text, struct config_arena *texts,
                       struct config_report *report)
{
    struct draft_reader reader = {.draft = out, .texts = texts, .report = report};
    int result;

    *out = (struct config_draft){0};
    config_scan_init(&reader.scan, text);
    result = ini_parse_stream(give_line, &reader, on_pair, &reader);
    if (result != 0 && !report->is_failed) {
        config_report_add(report, result > 0 ? (unsigned)result : 0, "the line was misread");
    }
}

void config_draft_done(struct config_draft *draft)
{
    config_arena_done(&draft->arena);
    *draft = (struct config_draft){0};
}

const struct config_value *config_section_value(const struct config_section *section,
                                                const char *key_name)
{
    const struct config_key *key = config_key_find(section->kind, span_from_str(key_name));

    assert(key != NULL);
    return &section->values[config_key_index(key)];
}
