/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/mime.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define EXTENSION_MAX 16

struct known {
    const char *extension;
    const char *type;
};

/* Browsers refuse a module, a style or a program of another type, so no system's table decides. */
static const struct known firm[] = {
    {"css", "text/css"},       {"html", "text/html"},        {"htm", "text/html"},
    {"js", "text/javascript"}, {"mjs", "text/javascript"},   {"json", "application/json"},
    {"svg", "image/svg+xml"},  {"wasm", "application/wasm"},
};

/* Where the system has no table. */
static const struct known fallback[] = {
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"csv", "text/csv"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"map", "application/json"},
    {"md", "text/markdown"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"tar", "application/x-tar"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain"},
    {"wav", "audio/x-wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static struct span find_known(const struct known *table, size_t count, struct span extension)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is_equal(span_from_str(table[i].extension), extension)) {
            return span_from_str(table[i].type);
        }
    }
    return (struct span){NULL, 0};
}

/* ---- a table's text ---- */

static int compare(struct span a, struct span b)
{
    size_t len = size_min(a.len, b.len);
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Of two equal extensions the one that stands first in the text comes first. */
static int compare_entries(const void *one, const void *other)
{
    const struct mime_entry *a = one;
    const struct mime_entry *b = other;
    int order = compare(a->extension, b->extension);
    return order != 0
               ? order
               : (a->extension.data > b->extension.data) - (a->extension.data < b->extension.data);
}

/* The next word of the line. */
static bool next_word(struct span *line, struct span *out)
{
    *line = span_trim(*line);
    size_t len = 0;
    while (len < line->len && line->data[len] != ' ' && line->data[len] != '\t') {
        len++;
    }
    *out = (struct span){line->data, len};
    *line = (struct span){line->data + len, line->len - len};
    return len > 0;
}

/* "text/html": it goes into a header as it stands. */
static bool is_type(struct span text)
{
    size_t slash = span_find(text, '/');
    return text.len <= MIME_TYPE_MAX && slash < text.len &&
           span_is_token((struct span){text.data, slash}) &&
           span_is_token((struct span){text.data + slash + 1, text.len - slash - 1});
}

static size_t take_line(struct span line, struct mime_entry *out)
{
    struct span type;
    struct span extension;
    size_t count = 0;

    line.len = span_find(line, '#');
    if (line.len > 0 && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    if (!next_word(&line, &type) || !is_type(type)) {
        return 0;
    }
    while (next_word(&line, &extension)) {
        if (extension.len <= EXTENSION_MAX && span_is_token(extension)) {
            if (out != NULL) {
                out[count] = (struct mime_entry){extension, type};
            }
            count++;
        }
    }
    return count;
}

static size_t take_lines(struct span text, struct mime_entry *out)
{
    size_t count = 0;
    while (text.len > 0) {
        struct span line = {text.data, span_find(text, '\n')};
        count += take_line(line, out != NULL ? out + count : NULL);
        size_t used = size_min(line.len + 1, text.len);
        text = (struct span){text.data + used, text.len - used};
    }
    return count;
}

static void lower(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z') {
            text[i] = (char)(text[i] - 'A' + 'a');
        }
    }
}

bool mime_read(struct mime *out, struct span text)
{
    *out = (struct mime){.count = 0};
    text.len = size_min(text.len, MIME_BYTES_MAX);
    if (text.len == 0) {
        return true;
    }
    out->text = mem_alloc(text.len);
    if (out->text == NULL) {
        return false;
    }
    memcpy(out->text, text.data, text.len);
    lower(out->text, text.len);
    struct span copy = {out->text, text.len};
    size_t count = take_lines(copy, NULL);
    out->entries = mem_alloc((count + 1) * sizeof(*out->entries));
    if (out->entries == NULL) {
        mime_done(out);
        return false;
    }
    out->count = take_lines(copy, out->entries);
    qsort(out->entries, out->count, sizeof(*out->entries), compare_entries);
    return true;
}

void mime_done(struct mime *mime)
{
    mem_free(mime->text);
    mem_free(mime->entries);
    *mime = (struct mime){.count = 0};
}

/* ---- asking ---- */

/* The first entry with the extension. */
static struct span find_entry(const struct mime *mime, struct span extension)
{
    size_t low = 0;
    size_t high = mime->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(mime->entries[middle].extension, extension) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_found = low < mime->count && span_is_equal(mime->entries[low].extension, extension);
    return is_found ? mime->entries[low].type : (struct span){NULL, 0};
}

/* In small letters; empty: the name has none, or one that is too long to be known. */
static struct span extension_of(struct span path, char out[EXTENSION_MAX])
{
    size_t len = 0;
    while (len < path.len && path.data[path.len - 1 - len] != '.') {
        if (path.data[path.len - 1 - len] == '/' || len == EXTENSION_MAX) {
            return (struct span){NULL, 0};
        }
        len++;
    }
    if (len == path.len || len == 0) {
        return (struct span){NULL, 0};
    }
    memcpy(out, path.data + path.len - len, len);
    lower(out, len);
    return (struct span){out, len};
}

static bool is_text(struct span type)
{
    return span_starts_with(type, SPAN_LIT("text/"));
}

struct span mime_type_of(const struct mime *mime, struct span path, char scratch[MIME_VALUE_MAX])
{
    const struct span charset = SPAN_LIT("; charset=utf-8");
    char small[EXTENSION_MAX];
    struct span extension = extension_of(path, small);
    struct span type = find_known(firm, COUNT(firm), extension);

    if (type.len == 0 && extension.len > 0) {
        type = find_entry(mime, extension);
    }
    if (type.len == 0) {
        type = find_known(fallback, COUNT(fallback), extension);
    }
    if (type.len == 0) {
        return SPAN_LIT("application/octet-stream");
    }
    if (!is_text(type)) {
        return type;
    }
    memcpy(scratch, type.data, type.len);
    memcpy(scratch + type.len, charset.data, charset.len);
    return (struct span){scratch, type.len + charset.len};
}
