/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/resource.h"

#include <string.h>

/* ---- the path ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* The byte at `at`, decoded once; -1 for a bad encoding. *out_len is the length of its text. */
static int byte_at(struct span text, size_t at, size_t *out_len)
{
    *out_len = 1;
    if (text.data[at] != '%') {
        return (unsigned char)text.data[at];
    }
    if (text.len - at < 3) {
        return -1;
    }
    int high = hex_value(text.data[at + 1]);
    int low = hex_value(text.data[at + 2]);
    *out_len = 3;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static enum resource_path_result refuse(struct resource_path *out, enum resource_path_result result,
                                        const char *detail)
{
    out->detail = detail;
    return result;
}

/* The detail of a byte that no name has, or NULL. */
static const char *byte_detail(int c, size_t len)
{
    if (c < 0) {
        return "bad %-encoding in the path";
    }
    if (c == '\0') {
        return "NUL byte in the path";
    }
    if (c < ' ' || c == 0x7f) {
        return "control byte in the path";
    }
    if (c == '\\') {
        return "backslash in the path";
    }
    return c == '/' && len > 1 ? "encoded slash in the path" : NULL;
}

/* Judges one segment. An empty one is legal only as the last one. */
static enum resource_path_result check_segment(struct resource_path *out, struct span segment,
                                               bool is_last)
{
    if (segment.len == 0) {
        return is_last ? RESOURCE_PATH_OK
                       : refuse(out, RESOURCE_PATH_NONE, "empty segment in the path");
    }
    if (span_is_equal(segment, SPAN_LIT(".."))) {
        return refuse(out, RESOURCE_PATH_ESCAPE, "the path tries to leave its root");
    }
    if (segment.data[0] == '.') {
        return refuse(out, RESOURCE_PATH_NONE, "hidden file or dot segment in the path");
    }
    return segment.len > RESOURCE_SEGMENT_MAX
               ? refuse(out, RESOURCE_PATH_NONE, "a segment of the path is too long")
               : RESOURCE_PATH_OK;
}

static enum resource_path_result check_segments(struct resource_path *out)
{
    enum resource_path_result first = RESOURCE_PATH_OK;
    const char *detail = NULL;
    size_t begin = 0;

    for (size_t i = 0; i <= out->len; i++) {
        if (i < out->len && out->text[i] != '/') {
            continue;
        }
        struct span segment = {out->text + begin, i - begin};
        enum resource_path_result result = check_segment(out, segment, i == out->len);
        /* An attempt to leave goes before every other fault. */
        if (result != RESOURCE_PATH_OK &&
            (first == RESOURCE_PATH_OK || result == RESOURCE_PATH_ESCAPE)) {
            first = result;
            detail = out->detail;
        }
        begin = i + 1;
    }
    out->detail = detail;
    return first;
}

enum resource_path_result resource_read_path(struct span rest, struct resource_path *out)
{
    const char *detail = NULL;
    size_t step = 0;

    out->len = 0;
    out->detail = NULL;
    for (size_t i = 0; i < rest.len; i += step) {
        int c = byte_at(rest, i, &step);
        if (detail == NULL) {
            detail = byte_detail(c, step);
        }
        if (c == '\\' || (c == '/' && step > 1)) {
            c = '/'; /* what others take for a slash shows where the path wants to go */
        }
        if (out->len == RESOURCE_PATH_MAX) {
            return refuse(out, RESOURCE_PATH_NONE, "the path is too long");
        }
        out->text[out->len++] = c > 0 ? (char)c : '?';
    }
    out->text[out->len] = '\0';
    out->is_directory = out->len == 0 || out->text[out->len - 1] == '/';
    enum resource_path_result result = check_segments(out);
    if (result == RESOURCE_PATH_ESCAPE || detail == NULL) {
        return result;
    }
    return refuse(out, RESOURCE_PATH_NONE, detail);
}

/* ---- content codings ---- */

#define WEIGHT_ONE 1000

/* "1", "0.5", "0.123": thousandths; what is malformed weighs nothing. */
static unsigned read_weight(struct span text)
{
    unsigned weight = 0;
    unsigned unit = WEIGHT_ONE;

    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.len > 1 && text.data[1] != '.')) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1) {
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
        weight += (unsigned)(text.data[i] - '0') * unit;
        unit /= 10;
    }
    return weight <= WEIGHT_ONE ? weight : 0;
}

/* One item: "br", "gzip;q=0.5". */
static void read_item(struct span item, struct span *out_name, unsigned *out_weight)
{
    struct span parameters = item;

    *out_weight = WEIGHT_ONE;
    if (!span_next(&parameters, ';', out_name)) {
        *out_name = (struct span){NULL, 0};
        return;
    }
    struct span parameter;
    while (span_next(&parameters, ';', &parameter)) {
        if (span_starts_with(parameter, SPAN_LIT("q=")) ||
            span_starts_with(parameter, SPAN_LIT("Q="))) {
            *out_weight = read_weight((struct span){parameter.data + 2, parameter.len - 2});
        }
    }
}

size_t resource_codings(const struct request *request, enum resource_coding out[2])
{
    unsigned brotli = 0;
    unsigned gzip = 0;
    unsigned any = 0;
    bool has_brotli = false;
    bool has_gzip = false;
    struct span value;
    size_t at = 0;
    size_t count = 0;

    while (request_next_header(request, SPAN_LIT("Accept-Encoding"), &at, &value)) {
        struct span item;
        while (span_next(&value, ',', &item)) {
            struct span name;
            unsigned weight;
            read_item(item, &name, &weight);
            if (span_is_equal_nocase(name, SPAN_LIT("br"))) {
                brotli = weight;
                has_brotli = true;
            } else if (span_is_equal_nocase(name, SPAN_LIT("gzip")) ||
                       span_is_equal_nocase(name, SPAN_LIT("x-gzip"))) {
                gzip = weight;
                has_gzip = true;
            } else if (span_is_equal(name, SPAN_LIT("*"))) {
                any = weight;
            }
        }
    }
    brotli = has_brotli ? brotli : any;
    gzip = has_gzip ? gzip : any;
    if (brotli > 0 && brotli >= gzip) {
        out[count++] = RESOURCE_BROTLI;
    }
    if (gzip > 0) {
        out[count++] = RESOURCE_GZIP;
    }
    if (brotli > 0 && brotli < gzip) {
        out[count++] = RESOURCE_BROTLI;
    }
    return count;
}
