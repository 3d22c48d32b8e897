/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/revoked.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

void revoked_done(struct revoked *revoked)
{
    mem_free(revoked->entries);
    mem_free(revoked->text);
    *revoked = (struct revoked){.count = 0};
}

/* --- reading -------------------------------------------------------------------------------- */

/* What a reading has found out so far. */
struct reading {
    struct revoked *out;
    revoked_fault_fn *fault;
    void *owner;
    size_t lines; /* with something in them */
    bool is_bad;
};

static void tell(struct reading *r, unsigned line, const char *detail)
{
    r->is_bad = true;
    r->fault(r->owner, line, detail);
}

static struct span cut_front(struct span text, size_t len)
{
    return (struct span){text.data + len, text.len - len};
}

static const struct {
    struct span prefix;
    enum revoked_kind kind;
} prefixes[] = {
    {SPAN_LIT("jti:"), REVOKED_JTI},
    {SPAN_LIT("sub:"), REVOKED_SUB},
    {SPAN_LIT("kid:"), REVOKED_KID},
};

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* NULL, or what is wrong with the line. */
static const char *read_line(struct span line, struct revoked_entry *out)
{
    size_t i = 0;
    size_t count = sizeof(prefixes) / sizeof(prefixes[0]);
    while (i < count && !span_starts_with(line, prefixes[i].prefix)) {
        i++;
    }
    if (i == count) {
        return "the line begins with none of jti:, sub: and kid:";
    }
    out->kind = prefixes[i].kind;
    out->value = span_trim(cut_front(line, prefixes[i].prefix.len));
    if (out->value.len == 0) {
        return "nothing stands behind the colon";
    }
    if (out->value.len > REVOKED_VALUE_MAX) {
        return "what stands behind the colon has more than 4096 bytes";
    }
    if (!utf8_is_valid(out->value)) {
        return "the line is not UTF-8";
    }
    return has_control(out->value) ? "the line has a control character" : NULL;
}

static void take_line(struct reading *r, struct span line, unsigned number)
{
    struct revoked_entry entry;
    line = span_trim(line);
    r->lines += line.len > 0 ? 1 : 0;
    if (line.len == 0 || line.data[0] == '#') {
        return;
    }
    const char *detail = read_line(line, &entry);
    if (detail != NULL) {
        tell(r, number, detail);
        return;
    }
    r->out->entries[r->out->count++] = entry;
}

static void take_lines(struct reading *r, struct span text)
{
    const struct span mark = SPAN_LIT("\xef\xbb\xbf"); /* some editors begin a file with it */
    if (span_starts_with(text, mark)) {
        text = cut_front(text, mark.len);
    }
    for (unsigned number = 1; text.len > 0; number++) {
        size_t len = span_find(text, '\n');
        if (len == text.len) {
            tell(r, number, "the last line has no line end: the file may be cut");
            return;
        }
        struct span line = {text.data, len};
        if (line.len > 0 && line.data[line.len - 1] == '\r') {
            line.len--;
        }
        take_line(r, line, number);
        text = cut_front(text, len + 1);
    }
}

/* By length first: most values differ there already. */
static int compare(const struct revoked_entry *a, const struct revoked_entry *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->value.len != b->value.len) {
        return a->value.len < b->value.len ? -1 : 1;
    }
    return a->value.len > 0 ? memcmp(a->value.data, b->value.data, a->value.len) : 0;
}

static int compare_entries(const void *left, const void *right)
{
    return compare(left, right);
}

static void sort(struct revoked *out)
{
    size_t kept = 0;
    if (out->count > 1) {
        qsort(out->entries, out->count, sizeof(out->entries[0]), compare_entries);
    }
    for (size_t i = 0; i < out->count; i++) {
        if (i == 0 || compare(&out->entries[kept - 1], &out->entries[i]) != 0) {
            out->entries[kept++] = out->entries[i];
        }
    }
    out->count = kept;
}

static size_t count_lines(struct span text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    return lines;
}

bool revoked_read(struct revoked *out, struct span text, revoked_fault_fn *fault, void *owner)
{
    struct reading r = {.out = out, .fault = fault, .owner = owner};
    *out = (struct revoked){
        .entries = mem_alloc(count_lines(text) * sizeof(out->entries[0])),
        .text = mem_alloc(text.len + 1),
        .text_size = text.len + 1,
    };
    if (out->entries == NULL || out->text == NULL) {
        tell(&r, 0, "out of memory");
    } else {
        if (text.len > 0) {
            memcpy(out->text, text.data, text.len);
        }
        take_lines(&r, (struct span){out->text, text.len});
        sort(out);
        if (r.lines == 0 && !r.is_bad) {
            tell(&r, 0, "the file is empty: write a comment if nobody is revoked");
        }
    }
    if (r.is_bad) {
        revoked_done(out);
    }
    return !r.is_bad;
}

/* --- looking up ----------------------------------------------------------------------------- */

bool revoked_has(const struct revoked *revoked, enum revoked_kind kind, struct span value)
{
    const struct revoked_entry wanted = {.kind = kind, .value = value};
    size_t low = 0;
    size_t high = revoked->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&wanted, &revoked->entries[middle]);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}
