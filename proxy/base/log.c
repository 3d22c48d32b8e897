/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

#define VALUE_MAX_BYTES 256
/* Every byte as \u00NN, the mark of a cut value with the largest length, a NUL. */
#define ESCAPED_MAX_BYTES (VALUE_MAX_BYTES * 6 + 32)
enum log_level log_level_now;
enum log_format log_format_now;

static char process[16];

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* ---- escaping ---- */

/* Controls, and the characters that make a viewer show another order or another line than the text
 * has: C1 controls, line and paragraph separators, bidirectional controls. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The letter of a two-character escape, or 0. */
static char short_escape(uint32_t c)
{
    switch (c) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '"':
    case '\\':
        return (char)c;
    default:
        return 0;
    }
}

static size_t escape_bytes(const uint8_t *text, size_t len, char out[20])
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = digits[text[i] >> 4];
        out[used++] = digits[text[i] & 0x0f];
    }
    return used;
}

/* Escapes the first character, or a first byte that belongs to none. Returns how many bytes of
 * `text` that was. */
static size_t escape_char(enum log_format format, struct span text, char out[20], size_t *out_len)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    uint32_t c = 0;
    size_t taken = utf8_decode(text, &c);
    if (taken == 0) {
        *out_len = 3;
        memcpy(out, "\xef\xbf\xbd", 3);
        if (format == LOG_KEY_VALUE) {
            *out_len = escape_bytes(bytes, 1, out);
        }
        return 1;
    }
    if (short_escape(c) != 0) {
        out[0] = '\\';
        out[1] = short_escape(c);
        *out_len = 2;
    } else if (!is_unsafe(c)) {
        memcpy(out, bytes, taken);
        *out_len = taken;
    } else if (format == LOG_KEY_VALUE) {
        *out_len = escape_bytes(bytes, taken, out);
    } else {
        *out_len = (size_t)snprintf(out, 20, "\\u%04" PRIx32, c);
    }
    return taken;
}

/* The mark of a cut value shows `whole_bytes`, which is >= value.len. */
static size_t escape_value(enum log_format format, struct span value, size_t whole_bytes, char *out,
                           size_t size)
{
    size_t used = 0;
    size_t pos = 0;
    assert(size > 0);
    while (pos < value.len) {
        char piece[20];
        size_t piece_len = 0;
        struct span left = {value.data + pos, value.len - pos};
        size_t taken = escape_char(format, left, piece, &piece_len);
        if (pos + taken > VALUE_MAX_BYTES || used + piece_len >= size) {
            break;
        }
        memcpy(out + used, piece, piece_len);
        used += piece_len;
        pos += taken;
    }
    out[used] = '\0';
    if (whole_bytes > VALUE_MAX_BYTES) {
        char mark[32];
        size_t mark_len = (size_t)snprintf(mark, sizeof(mark), "\xe2\x80\xa6(%zu)", whole_bytes);
        if (used + mark_len < size) {
            memcpy(out + used, mark, mark_len + 1);
            used += mark_len;
        }
    }
    return used;
}

size_t log_escape(enum log_format format, struct span value, char *out, size_t size)
{
    return escape_value(format, value, value.len, out, size);
}

/* ---- building a line ---- */

static void put(struct log_line *line, const char *text, size_t len)
{
    assert(len <= sizeof(line->text) - line->len);
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void put_str(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_key(struct log_line *line, const char *key)
{
    bool is_first = line->len == LINE_START;
    if (log_format_now == LOG_JSON) {
        put_str(line, is_first ? "{\"" : ",\"");
        put_str(line, key);
        put_str(line, "\":");
    } else {
        put_str(line, is_first ? "" : " ");
        put_str(line, key);
        put_str(line, "=");
    }
}

static void note_field(struct log_line *line, size_t key_len, size_t value_len, bool is_quoted)
{
    size_t value_at = line->len - value_len - (is_quoted ? 1 : 0);
    /* In JSON `":` stands between key and value, in text `=`. */
    size_t between = (log_format_now == LOG_JSON ? 2 : 1) + (is_quoted ? 1U : 0U);
    if (line->field_count < LOG_FIELDS_MAX) {
        line->fields[line->field_count++] = (struct log_field){
            .key_at = (uint16_t)(value_at - between - key_len),
            .key_len = (uint16_t)key_len,
            .value_at = (uint16_t)value_at,
            .value_len = (uint16_t)value_len,
        };
    }
}

/* `value` is escaped already. */
static void append_field(struct log_line *line, const char *key, struct span value, bool is_quoted)
{
    put_key(line, key);
    put_str(line, is_quoted ? "\"" : "");
    put(line, value.data, value.len);
    put_str(line, is_quoted ? "\"" : "");
    note_field(line, strlen(key), value.len, is_quoted);
}

/* Puts the whole field or nothing. */
static void put_field(struct log_line *line, const char *key, struct span value, bool is_quoted)
{
    size_t need = strlen(key) + value.len + 6; /* at most {"": and two quotes around the value */
    if (line->len + need > LOG_LINE_MAX - TAIL_MAX_BYTES) {
        line->is_cut = true;
        return;
    }
    append_field(line, key, value, is_quoted);
}

/* Every escape has a backslash. */
static bool needs_quotes(struct span escaped)
{
    return log_format_now == LOG_JSON || escaped.len == 0 ||
           span_find(escaped, ' ') < escaped.len || span_find(escaped, '=') < escaped.len ||
           span_find(escaped, '\\') < escaped.len;
}

static void put_text(struct log_line *line, const char *key, struct span value, size_t whole_bytes)
{
    char escaped[ESCAPED_MAX_BYTES];
    if (line->len == 0) {
        return;
    }
    size_t len = escape_value(log_format_now, value, whole_bytes, escaped, sizeof(escaped));
    struct span text = {escaped, len};
    put_field(line, key, text, needs_quotes(text));
}

static void put_time(struct log_line *line)
{
    struct timespec now = {0};
    struct tm utc = {0};
    char date[32];
    char text[40];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text, sizeof(text), "%s.%03dZ", date, (int)(now.tv_nsec / 1000000));
    log_str(line, "ts", text);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    line->level = level;
    line->is_cut = false;
    line->len = 0;
    line->field_count = 0;
    /* The length 0 tells the other calls that nobody wants this line. */
    if (!log_is_on(level)) {
        return;
    }
    line->text[0] = '\n';
    line->len = LINE_START;
    put_time(line);
    log_str(line, "level", level_names[level]);
    if (process[0] != '\0') {
        log_str(line, "proc", process);
    }
    log_str(line, "event", event);
}

void log_text(struct log_line *line, const char *key, struct span value)
{
    put_text(line, key, value, value.len);
}

void log_str(struct log_line *line, const char *key, const char *value)
{
    log_text(line, key, span_from_str(value));
}

void log_u64(struct log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    if (line->len > 0) {
        put_field(line, key, (struct span){digits, (size_t)len}, false);
    }
}

void log_put_tail(struct log_line *line, uint64_t dropped)
{
    char digits[24];
    if (line->is_cut) {
        append_field(line, "cut", SPAN_LIT("1"), false);
    }
    if (dropped > 0) {
        (void)snprintf(digits, sizeof(digits), "%" PRIu64, dropped);
        append_field(line, "log_dropped", span_from_str(digits), false);
    }
    put_str(line, log_format_now == LOG_JSON ? "}\n" : "\n");
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    char msg[VALUE_MAX_BYTES * 2];
    struct log_line line;
    va_list args;
    if (!log_is_on(level)) {
        return;
    }
    va_start(args, format);
    int len = vsnprintf(msg, sizeof(msg), format, args);
    va_end(args);
    size_t whole = len > 0 ? (size_t)len : 0;
    log_begin(&line, level, event);
    put_text(&line, "msg", (struct span){msg, whole < sizeof(msg) ? whole : sizeof(msg) - 1},
             whole);
    log_end(&line);
}

void log_set_process(const char *name)
{
    (void)span_copy(span_from_str(name), process, sizeof(process));
}

bool log_is_on(enum log_level level)
{
    return log_has_sink() && level <= log_level_now;
}
