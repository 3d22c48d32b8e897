/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/draft.h"

#include <assert.h>
#include <ini.h>
#include <string.h>

#include "base/utf8.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define LIST_KEYS_HINT \
    "a key that holds a list may be repeated on the next line, each line adds items"

/* Debian's inih takes the length of a line at run time, upstream's when it is built. */
extern int ini_max_line __attribute__((weak));

/* What inih's two callbacks share. */
struct reader {
    struct draft *draft;
    struct arena *texts;
    struct report *report;

    unsigned number;  /* of the line */
    struct span line; /* without its end */
    bool is_header;
    bool is_given; /* to inih */
    bool is_asked; /* a header: inih got the line behind it, too */

    struct draft_section *section; /* NULL: none yet, or its header was refused */
    bool is_skipping;              /* keys below a header that was refused */
};

static struct span skip(struct span s, size_t len)
{
    return (struct span){s.data + len, s.len - len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- headers ---- */

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

static const struct draft_section *find_section(const struct draft *draft, enum key_section kind,
                                                struct span name)
{
    for (const struct draft_section *s = draft->sections; s != NULL; s = s->next) {
        if (s->kind == kind && span_is_equal(s->name, name)) {
            return s;
        }
    }
    return NULL;
}

static void report_unknown_section(struct reader *reader, struct span header, struct span word)
{
    const char *nearest = key_section_nearest(word);

    if (nearest != NULL) {
        report_add(reader->report, reader->number, "unknown section [%.*s]; did you mean '%s'?",
                   REPORT_SHOW(header), nearest);
    } else {
        report_add(reader->report, reader->number,
                   "unknown section [%.*s]; there are [server], [listen NAME], [health], [admin], "
                   "[auth NAME], [defaults] and [route NAME]",
                   REPORT_SHOW(header));
    }
}

/* Takes "route vnc" apart. */
static bool read_header(struct reader *reader, struct span header, enum key_section *out_kind,
                        struct span *out_name)
{
    size_t gap = 0;
    const struct key_header *known;

    while (gap < header.len && !is_blank(header.data[gap])) {
        gap++;
    }
    *out_name = span_trim(skip(header, gap));
    if (!key_section_find((struct span){header.data, gap}, out_kind)) {
        report_unknown_section(reader, header, (struct span){header.data, gap});
        return false;
    }
    known = key_section_header(*out_kind);
    if (!known->has_name && out_name->len > 0) {
        report_add(reader->report, reader->number, "[%s] takes no name", known->word);
        return false;
    }
    if (known->has_name && out_name->len == 0) {
        report_add(reader->report, reader->number, "[%s NAME] needs a name", known->word);
        return false;
    }
    if (known->has_name && !is_name(*out_name)) {
        report_add(reader->report, reader->number,
                   "bad name '%.*s': letters, digits, '.', '_' and '-' only",
                   REPORT_SHOW(*out_name));
        return false;
    }
    return true;
}

/* A second section of the same name is still read, so that its own errors are told too. */
static void begin_section(struct reader *reader, struct span header)
{
    struct draft *draft = reader->draft;
    const struct draft_section *other;
    struct draft_section *section;
    enum key_section kind;
    struct span name;

    if (!read_header(reader, header, &kind, &name)) {
        return;
    }
    other = find_section(draft, kind, name);
    if (other != NULL) {
        report_add(reader->report, reader->number, "duplicate section [%.*s] (first on line %u)",
                   REPORT_SHOW(header), other->line);
    }
    if (draft->count >= DRAFT_SECTIONS_MAX) {
        report_add(reader->report, reader->number, "more than %d sections", DRAFT_SECTIONS_MAX);
        return;
    }
    section = arena_alloc(&draft->arena, sizeof(*section));
    if (section == NULL || !arena_copy(reader->texts, name, &section->name)) {
        report_no_memory(reader->report);
        return;
    }
    section->kind = kind;
    section->line = reader->number;
    if (draft->last == NULL) {
        draft->sections = section;
    } else {
        draft->last->next = section;
    }
    draft->last = section;
    draft->count++;
    reader->section = section;
}

/* NULL, or what inih did not mind about a header; `inside` is what it took for the name. */
static const char *find_header_mistake(struct span line, struct span inside)
{
    struct span behind = skip(line, 1 + inside.len);

    if (inside.len > DRAFT_NAME_BYTES_MAX) {
        return "the section name is longer than 45 bytes";
    }
    if (behind.len == 0 || behind.data[0] != ']') {
        return "the section header has no closing ']'";
    }
    behind = skip(behind, 1);
    if (span_trim(behind).len > 0 &&
        !(is_blank(behind.data[0]) && span_trim(behind).data[0] == ';')) {
        return "there is text behind the section header's ']'";
    }
    return span_trim(inside).len == 0 ? "the section header is empty" : NULL;
}

static void take_header(struct reader *reader, struct span inside)
{
    const char *mistake = find_header_mistake(reader->line, inside);

    if (mistake != NULL) {
        report_add(reader->report, reader->number, "%s", mistake);
        return;
    }
    begin_section(reader, span_trim(inside));
}

/* ---- keys ---- */

static void report_unknown_key(struct reader *reader, struct span name)
{
    const struct key *nearest = key_nearest(reader->section->kind, name);
    const struct key *elsewhere = key_find_anywhere(name);

    if (elsewhere != NULL) {
        const struct key_header *home = key_section_header(elsewhere->section);

        report_add(reader->report, reader->number, "'%s' does not belong here but in [%s%s]%s",
                   elsewhere->name, home->word, home->has_name ? " NAME" : "",
                   key_is_at_home(elsewhere, KEY_DEFAULTS) ? " or [defaults]" : "");
    } else if (nearest != NULL) {
        report_add(reader->report, reader->number, "unknown key '%.*s'; did you mean '%s'?",
                   REPORT_SHOW(name), nearest->name);
    } else {
        report_add(reader->report, reader->number, "unknown key '%.*s'", REPORT_SHOW(name));
    }
}

/* The one way of a value from the file into the draft, whatever its key: what a value may be
 * written with stands here. */
static bool keep_value(struct reader *reader, struct span written, struct span *out)
{
    if (!arena_copy(reader->texts, written, out)) {
        report_no_memory(reader->report);
        return false;
    }
    return true;
}

static void add_item(struct reader *reader, struct draft_value *value, struct span text)
{
    struct draft_item *item = arena_alloc(&reader->draft->arena, sizeof(*item));

    if (item == NULL || !arena_copy(reader->texts, text, &item->text)) {
        report_no_memory(reader->report);
        return;
    }
    item->line = reader->number;
    if (value->last == NULL) {
        value->items = item;
    } else {
        value->last->next = item;
    }
    value->last = item;
    value->count++;
}

static void add_value(struct reader *reader, const struct key *key, struct draft_value *value,
                      struct span written)
{
    struct span text;
    struct span part;

    if (!keep_value(reader, written, &text)) {
        return;
    }
    if (key->type != KEY_TYPE_LIST) {
        add_item(reader, value, text);
        return;
    }
    while (span_next(&text, ',', &part)) {
        if (part.len > 0) {
            add_item(reader, value, part);
        } else {
            report_add(reader->report, reader->number, "an item of '%s' is empty", key->name);
        }
    }
}

static void take_known_key(struct reader *reader, const struct key *key, struct span text)
{
    struct draft_value *value = &reader->section->values[key_index(key)];

    if (value->line != 0 && key->type != KEY_TYPE_LIST) {
        report_add(reader->report, reader->number, "duplicate key '%s' (first on line %u)",
                   key->name, value->line);
        return;
    }
    if (value->line == 0) {
        value->line = reader->number;
    }
    if (text.len == 0) {
        report_add(reader->report, reader->number,
                   "'%s' has no value; leave the line out for the default", key->name);
        return;
    }
    add_value(reader, key, value, text);
}

static void take_pair(struct reader *reader, struct span name, struct span text)
{
    struct span behind = span_trim(skip(reader->line, name.len));
    const struct key *key;

    /* inih takes a ':' for a '=' too. */
    if (behind.len == 0 || behind.data[0] != '=') {
        report_add(reader->report, reader->number, "expected [section], key = value or a comment");
        return;
    }
    if (name.len == 0) {
        report_add(reader->report, reader->number, "there is no key before '='");
        return;
    }
    if (reader->section == NULL) {
        if (!reader->is_skipping) {
            report_add(reader->report, reader->number,
                       "'%.*s' stands before the first section; put it below [server], "
                       "[listen NAME], [health], [admin], [defaults] or [route NAME]",
                       REPORT_SHOW(name));
        }
        return;
    }
    key = key_find(reader->section->kind, name);
    if (key == NULL) {
        report_unknown_key(reader, name);
    } else {
        take_known_key(reader, key, text);
    }
}

/* ---- lines ---- */

/* inih's line source, after fgets: gives it one line. A header is followed by an empty key, because
 * inih tells of a section only with a key of it. */
static char *give_line(char *out, int size, void *stream)
{
    struct reader *reader = stream;
    struct span text = reader->line;

    if (reader->is_given) {
        if (!reader->is_header || reader->is_asked) {
            return NULL;
        }
        reader->is_asked = true;
        text = SPAN_LIT("=");
    }
    reader->is_given = true;
    if (size < 0 || text.len + 2 > (size_t)size) {
        report_add(reader->report, reader->number,
                   "the line is too long for this build of inih (%d bytes); " LIST_KEYS_HINT, size);
        return NULL;
    }
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = '\n';
    out[text.len + 1] = '\0';
    return out;
}

/* inih's handler. Always tells inih that all is well: what is wrong goes into the report. */
static int on_pair(void *user, const char *section, const char *name, const char *value)
{
    struct reader *reader = user;

    if (reader->is_header) {
        take_header(reader, span_from_str(section));
    } else {
        take_pair(reader, span_from_str(name), span_from_str(value));
    }
    return 1;
}

/* NULL, or what is wrong with the bytes of a line, whatever they mean. */
static const char *find_bad_bytes(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];

        if (c == '\0') {
            return "the line contains a NUL byte";
        }
        if (c == '\r') {
            return "the line contains a carriage return; lines end in LF or CR LF";
        }
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return "the line contains a control character";
        }
    }
    if (span_starts_with(line, SPAN_LIT(BYTE_ORDER_MARK))) {
        return "the line begins with a byte order mark; save the file as plain UTF-8";
    }
    if (!utf8_is_valid(line)) {
        return "the line is not valid UTF-8";
    }
    if (line.len > DRAFT_LINE_BYTES_MAX) {
        return "the line is longer than 4096 bytes; " LIST_KEYS_HINT;
    }
    return NULL;
}

/* A comment may be. */
static bool is_indented(struct span line, struct span content)
{
    return content.len > 0 && is_blank(line.data[0]) && strchr(";#", content.data[0]) == NULL;
}

static void read_line(struct reader *reader)
{
    const char *bad = find_bad_bytes(reader->line);
    struct span content = reader->line;

    if (span_starts_with(content, SPAN_LIT(BYTE_ORDER_MARK))) {
        content = skip(content, sizeof(BYTE_ORDER_MARK) - 1);
    }
    content = span_trim(content);
    reader->is_header = content.len > 0 && content.data[0] == '[';
    reader->is_given = false;
    reader->is_asked = false;
    if (reader->is_header) {
        reader->section = NULL;
    }
    if (bad == NULL && is_indented(reader->line, content)) {
        bad = "the line is indented; values cannot be continued on the next line, but a key that "
              "holds a list may be repeated";
    }
    if (bad != NULL) {
        report_add(reader->report, reader->number, "%s", bad);
    } else if (ini_parse_stream(give_line, reader, on_pair, reader) != 0 && !reader->is_header) {
        report_add(reader->report, reader->number, "expected [section], key = value or a comment");
    }
    if (reader->is_header) {
        reader->is_skipping = reader->section == NULL;
        reader->draft->has_lost_section |= reader->is_skipping;
    }
}

/* Cuts the next line off the rest. A carriage return in front of the line feed belongs to it. */
static struct span take_line(struct span *rest)
{
    size_t end = span_find(*rest, '\n');
    struct span line = {rest->data, end};

    if (end == rest->len) {
        *rest = skip(*rest, end);
        return line;
    }
    *rest = skip(*rest, end + 1);
    if (line.len > 0 && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

void draft_read(struct draft *out, struct span text, struct arena *texts, struct report *report)
{
    struct reader reader = {.draft = out, .texts = texts, .report = report};

    *out = (struct draft){0};
    if (&ini_max_line != NULL) {
        ini_max_line = DRAFT_LINE_BYTES_MAX + 3; /* and its LF, a CR in front of it, a NUL */
    }
    while (text.len > 0) {
        reader.line = take_line(&text);
        reader.number++;
        read_line(&reader);
    }
}

void draft_done(struct draft *draft)
{
    arena_done(&draft->arena);
    *draft = (struct draft){0};
}

const struct draft_value *draft_value(const struct draft_section *section, const char *key_name)
{
    const struct key *key = key_find(section->kind, span_from_str(key_name));

    assert(key != NULL);
    return &section->values[key_index(key)];
}

size_t draft_count(const struct draft *draft, enum key_section kind)
{
    size_t count = 0;

    for (const struct draft_section *s = draft->sections; s != NULL; s = s->next) {
        count += s->kind == kind ? 1 : 0;
    }
    return count;
}
