/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text format: https://prometheus.io/docs/instrumenting/exposition_formats/ */
#include "gate/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gate/metrics_parts.h"

#define CHUNK_MAX 8192 /* the longest row: a histogram with a long backend in each line */
_Static_assert(CHUNK_MAX <= ANSWER_PART_BYTES, "each row fits an empty part");

/* --- one series ------------------------------------------------------------------------------ */

static void put_bytes(struct sheet *sheet, const char *text, size_t len)
{
    if (len > sheet->size - sheet->len) {
        sheet->is_full = true;
        return;
    }
    memcpy(sheet->out + sheet->len, text, len);
    sheet->len += len;
}

static void put(struct sheet *sheet, const char *text)
{
    put_bytes(sheet, text, strlen(text));
}

static void put_number(struct sheet *sheet, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void put_number(struct sheet *sheet, const char *format, ...)
{
    char digits[64];
    va_list args;
    va_start(args, format);
    vsnprintf(digits, sizeof(digits), format, args);
    va_end(args);
    put(sheet, digits);
}

void sheet_begin(struct sheet *sheet, const char *suffix)
{
    put(sheet, sheet->name);
    put(sheet, suffix);
    sheet->has_labels = false;
}

static void put_escaped(struct sheet *sheet, char c)
{
    switch (c) {
    case '\\':
        put(sheet, "\\\\");
        break;
    case '"':
        put(sheet, "\\\"");
        break;
    case '\n':
        put(sheet, "\\n");
        break;
    default:
        put_bytes(sheet, &c, 1);
        break;
    }
}

void sheet_label(struct sheet *sheet, const char *key, const char *value)
{
    put(sheet, sheet->has_labels ? "," : "{");
    put(sheet, key);
    put(sheet, "=\"");
    for (const char *c = value; *c != '\0'; c++) {
        put_escaped(sheet, *c);
    }
    put(sheet, "\"");
    sheet->has_labels = true;
}

static void end_labels(struct sheet *sheet)
{
    put(sheet, sheet->has_labels ? "} " : " ");
}

void sheet_count(struct sheet *sheet, uint64_t value)
{
    end_labels(sheet);
    put_number(sheet, "%" PRIu64 "\n", value);
}

void sheet_milli(struct sheet *sheet, uint64_t value)
{
    end_labels(sheet);
    put_number(sheet, "%" PRIu64 ".%03" PRIu64 "\n", value / 1000, value % 1000);
}

/* --- what is asked for ----------------------------------------------------------------------- */

static bool fits(struct span pattern, struct span name)
{
    if (span_ends_with(pattern, SPAN_LIT("*"))) {
        return span_starts_with(name, (struct span){pattern.data, pattern.len - 1});
    }
    return span_is_equal(pattern, name);
}

/* Other parameters mean nothing. */
static bool is_wanted(const struct metrics *metrics, const struct metrics_family *family)
{
    static const struct span key = SPAN_LIT("name=");
    struct span rest = metrics->query;
    struct span part;
    bool is_asked = false;
    while (span_next(&rest, '&', &part)) {
        if (!span_starts_with(part, key)) {
            continue;
        }
        is_asked = true;
        if (fits((struct span){part.data + key.len, part.len - key.len},
                 span_from_str(family->name))) {
            return true;
        }
    }
    return !is_asked;
}

/* --- the body -------------------------------------------------------------------------------- */

static void write_head(struct sheet *sheet, const struct metrics_family *family)
{
    put(sheet, "# HELP ");
    put(sheet, family->name);
    put(sheet, " ");
    put(sheet, family->help);
    put(sheet, "\n# TYPE ");
    put(sheet, family->name);
    put(sheet, " ");
    put(sheet, family->type);
    put(sheet, "\n");
}

/* Writes the next row, and the family's head in front of its first. False: it did not fit. */
static bool write_row(struct metrics *metrics, const struct metrics_family *family, size_t count,
                      struct sheet *sheet)
{
    size_t before = sheet->len;
    sheet->name = family->name;
    if (metrics->row == 0) {
        write_head(sheet, family);
    }
    if (metrics->row < count) {
        family->write(metrics, family, metrics->row, sheet);
    }
    if (sheet->is_full) {
        sheet->len = before;
        return false;
    }
    metrics->row++;
    return true;
}

/* False: the part is full. */
static bool write_family(struct metrics *metrics, struct sheet *sheet)
{
    const struct metrics_family *family = metrics_family_at(metrics->family);
    size_t count = family->count != NULL ? family->count(metrics) : 1;
    if (is_wanted(metrics, family)) {
        do {
            if (!write_row(metrics, family, count, sheet)) {
                return false;
            }
        } while (metrics->row < count);
    }
    metrics->family++;
    metrics->row = 0;
    return true;
}

static size_t produce(struct answer_body *body, uint8_t *out, size_t size)
{
    struct metrics *metrics = body->state;
    struct sheet sheet = {.out = (char *)out, .size = size};
    while (metrics->family < metrics_family_count() && write_family(metrics, &sheet)) {
    }
    assert(sheet.len > 0 || metrics->family == metrics_family_count());
    return sheet.len;
}

struct answer_body metrics_body(struct metrics *metrics)
{
    return (struct answer_body){
        .produce = produce, .state = metrics, .len_bytes = ANSWER_LEN_UNKNOWN};
}
