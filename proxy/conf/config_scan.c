/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config_scan.h"

#include <string.h>

#include "base/utf8.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void config_scan_init(struct config_scan *scan, struct span text)
{
    scan->rest = text;
    scan->number = 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* NULL, or what is wrong with the bytes of a line, whatever they mean. */
static const char *find_bad_bytes(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

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
    if (!utf8_is_valid(text)) {
        return "the line is not valid UTF-8";
    }
    if (text.len > CONFIG_LINE_MAX) {
        return "the line is longer than 190 bytes; a key that holds a list may be repeated on the "
               "next line, each line adds items";
    }
    return NULL;
}

/* Where a comment inside the line begins, by inih's rule: ';' behind a blank. */
static size_t find_comment(struct span text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] == ';' && is_blank(text.data[i - 1])) {
            return i;
        }
    }
    return text.len;
}

static const char *scan_header(struct span text, struct span *out_name)
{
    struct span inside = {text.data + 1, find_comment(text) - 1};
    size_t end = span_find(inside, ']');
    struct span behind;

    if (end == inside.len) {
        return "the section header has no closing ']'";
    }
    behind = (struct span){inside.data + end + 1, inside.len - end - 1};
    if (span_trim(behind).len != 0) {
        return "there is text behind the section header's ']'";
    }
    *out_name = span_trim((struct span){inside.data, end});
    if (out_name->len == 0) {
        return "the section header is empty";
    }
    if (end > CONFIG_NAME_MAX) {
        return "the section name is longer than 45 bytes";
    }
    return NULL;
}

static const char *scan_key(struct span text, struct span *out_name)
{
    struct span part = {text.data, find_comment(text)};
    size_t equals = span_find(part, '=');

    if (equals == part.len || span_find(part, ':') < equals) {
        return "expected [section], key = value or a comment";
    }
    *out_name = span_trim((struct span){part.data, equals});
    if (out_name->len == 0) {
        return "there is no key before '='";
    }
    if (out_name->len > CONFIG_NAME_MAX) {
        return "the key is longer than 45 bytes";
    }
    return NULL;
}

static const char *scan_meaning(struct config_line *line)
{
    struct span content = span_trim(line->text);

    if (content.len == 0 || content.data[0] == ';' || content.data[0] == '#') {
        line->kind = CONFIG_LINE_BLANK;
        return NULL;
    }
    if (content.data != line->text.data) {
        return "the line is indented; values cannot be continued on the next line, but a key that "
               "holds a list may be repeated";
    }
    if (content.data[0] == '[') {
        line->kind = CONFIG_LINE_SECTION;
        return scan_header(line->text, &line->name);
    }
    line->kind = CONFIG_LINE_KEY;
    return scan_key(line->text, &line->name);
}

/* Cuts the next line off the rest, without its end. */
static struct span take_line(struct config_scan *scan)
{
    size_t end = span_find(scan->rest, '\n');
    struct span text = {scan->rest.data, end};
    size_t used = end < scan->rest.len ? end + 1 : end;

    if (used > end && text.len > 0 && text.data[text.len - 1] == '\r') {
        text.len--;
    }
    scan->rest.data += used;
    scan->rest.len -= used;
    return text;
}

bool config_scan_next(struct config_scan *scan, struct config_line *out)
{
    struct span content;

    if (scan->rest.len == 0) {
        return false;
    }
    scan->number++;
    *out = (struct config_line){.kind = CONFIG_LINE_BLANK, .number = scan->number};
    out->text = take_line(scan);
    if (scan->number == 1 && span_starts_with(out->text, SPAN_LIT(BYTE_ORDER_MARK))) {
        out->problem = "the file begins with a byte order mark; save it as plain UTF-8";
        out->text.data += sizeof(BYTE_ORDER_MARK) - 1;
        out->text.len -= sizeof(BYTE_ORDER_MARK) - 1;
    } else {
        out->problem = find_bad_bytes(out->text);
    }
    if (out->problem == NULL) {
        out->problem = scan_meaning(out);
    }
    if (out->problem != NULL) {
        out->kind = CONFIG_LINE_BAD;
        content = span_trim(out->text);
        out->is_header = content.len > 0 && content.data[0] == '[';
    }
    return true;
}
