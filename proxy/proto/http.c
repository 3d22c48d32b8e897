/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define METHOD_MAX 32 /* longer than any registered method */

/* Where a byte may stand. */
#define IN_TOKEN 1U  /* RFC 9110 5.6.2 tchar */
#define IN_TARGET 2U /* printable ASCII without blank and '#' */
#define IN_VALUE 4U  /* RFC 9110 5.5: field-vchar, blank, tab, obs-text */
#define IN_BLANK 8U

#define CLASS_WORD (IN_TOKEN | IN_TARGET | IN_VALUE)
#define CLASS_MARK (IN_TARGET | IN_VALUE)
#define CLASS_BLANK (IN_VALUE | IN_BLANK)

static const uint8_t byte_class[256] = {
    ['\t'] = CLASS_BLANK,       [' '] = CLASS_BLANK,         ['!'] = CLASS_WORD,
    ['"'] = CLASS_MARK,         ['#'] = IN_TOKEN | IN_VALUE, ['$' ... '\''] = CLASS_WORD,
    ['(' ... ')'] = CLASS_MARK, ['*' ... '+'] = CLASS_WORD,  [','] = CLASS_MARK,
    ['-' ... '.'] = CLASS_WORD, ['/'] = CLASS_MARK,          ['0' ... '9'] = CLASS_WORD,
    [':' ... '@'] = CLASS_MARK, ['A' ... 'Z'] = CLASS_WORD,  ['[' ... ']'] = CLASS_MARK,
    ['^' ... 'z'] = CLASS_WORD, ['{'] = CLASS_MARK,          ['|'] = CLASS_WORD,
    ['}'] = CLASS_MARK,         ['~'] = CLASS_WORD,          [0x80 ... 0xff] = IN_VALUE,
};

enum http_state {
    STATE_METHOD = 0,
    STATE_TARGET_START,
    STATE_TARGET,
    STATE_VERSION,
    STATE_LINE_LF,
    STATE_HEADER_START,
    STATE_NAME,
    STATE_VALUE_START,
    STATE_VALUE,
    STATE_END_LF
};

/* Bytes that keep the state as it is. The parser takes a run of them at once; any other byte is a
 * step. */
static const uint8_t state_run[] = {
    [STATE_METHOD] = IN_TOKEN,  [STATE_TARGET_START] = 0,
    [STATE_TARGET] = IN_TARGET, [STATE_VERSION] = 0,
    [STATE_LINE_LF] = 0,        [STATE_HEADER_START] = 0,
    [STATE_NAME] = IN_TOKEN,    [STATE_VALUE_START] = IN_BLANK,
    [STATE_VALUE] = IN_VALUE,   [STATE_END_LF] = 0,
};

static enum http_result refuse(struct http_parser *p, enum http_result result, const char *detail)
{
    p->detail = detail;
    return result;
}

static enum http_result refuse_byte(struct http_parser *p, uint8_t c, const char *detail)
{
    if (c == '\0') {
        return refuse(p, HTTP_BAD, "NUL byte");
    }
    if (c == '\n') {
        return refuse(p, HTTP_BAD, "bare LF");
    }
    return refuse(p, HTTP_BAD, detail);
}

/* The parser stores a byte after its step, so p->len is the byte's offset and the new part begins
 * behind it. */
static enum http_result enter(struct http_parser *p, enum http_state state)
{
    p->state = (uint8_t)state;
    p->token_at = (uint16_t)(p->len + 1);
    return HTTP_NEED_MORE;
}

static enum http_result step_method(struct http_parser *p, uint8_t c)
{
    if (byte_class[c] & IN_TOKEN) {
        return refuse(p, HTTP_BAD, "method too long");
    }
    if (p->len == 0 && (c == '\r' || c == '\n')) {
        return refuse(p, HTTP_BAD, "empty line before the request line");
    }
    if (c == '\r') {
        return refuse(p, HTTP_BAD, "request line without a target");
    }
    if (c != ' ' || p->len == 0) {
        return refuse_byte(p, c, "bad byte in the method");
    }
    p->method_len = p->len;
    return enter(p, STATE_TARGET_START);
}

static enum http_result step_target_start(struct http_parser *p, uint8_t c)
{
    if (c == ' ') {
        return refuse(p, HTTP_BAD, "more than one blank in the request line");
    }
    if (c == '\r') {
        return refuse(p, HTTP_BAD, "request line without a target");
    }
    if (c != '/') {
        return refuse_byte(p, c, "target not in origin form");
    }
    p->state = STATE_TARGET;
    p->target_at = p->len;
    return HTTP_NEED_MORE;
}

static enum http_result step_target(struct http_parser *p, uint8_t c)
{
    if (byte_class[c] & IN_TARGET) {
        return refuse(p, HTTP_TOO_BIG, "target too long");
    }
    if (c == '\r') {
        return refuse(p, HTTP_BAD, "request line without a version");
    }
    if (c == '#') {
        return refuse(p, HTTP_BAD, "fragment in the target");
    }
    if (c != ' ') {
        return refuse_byte(p, c, "bad byte in the target");
    }
    p->target_len = (uint16_t)(p->len - p->target_at);
    return enter(p, STATE_VERSION);
}

static enum http_result step_version(struct http_parser *p, uint8_t c)
{
    static const char prefix[] = "HTTP/1.";
    const size_t prefix_len = sizeof(prefix) - 1;
    size_t at = (size_t)(p->len - p->token_at);

    if (at < prefix_len) {
        if (c == (uint8_t)prefix[at]) {
            return HTTP_NEED_MORE;
        }
        if (at == 0 && c == ' ') {
            return refuse(p, HTTP_BAD, "more than one blank in the request line");
        }
        return refuse_byte(p, c, "version not HTTP/1.x");
    }
    if (at == prefix_len) {
        if (c < '0' || c > '9') {
            return refuse_byte(p, c, "version not HTTP/1.x");
        }
        p->version_minor = (uint8_t)(c - '0');
        return HTTP_NEED_MORE;
    }
    if (c != '\r') {
        return refuse_byte(p, c, "text after the version");
    }
    return enter(p, STATE_LINE_LF);
}

static enum http_result step_header_start(struct http_parser *p, uint8_t c)
{
    if (c == '\r') {
        return enter(p, STATE_END_LF);
    }
    if (byte_class[c] & IN_TOKEN) {
        if (p->header_count == HTTP_HEADERS_MAX) {
            return refuse(p, HTTP_TOO_BIG, "too many headers");
        }
        p->state = STATE_NAME;
        p->headers[p->header_count].name_at = p->len;
        return HTTP_NEED_MORE;
    }
    if (byte_class[c] & IN_BLANK) {
        return refuse(p, HTTP_BAD,
                      p->header_count == 0 ? "blank before the first header" : "folded header");
    }
    return refuse_byte(p, c, c == ':' ? "empty header name" : "bad byte in a header name");
}

static enum http_result step_name(struct http_parser *p, uint8_t c)
{
    struct http_header *h = &p->headers[p->header_count];

    if (c == ':') {
        h->name_len = (uint16_t)(p->len - h->name_at);
        return enter(p, STATE_VALUE_START);
    }
    if (c == '\r') {
        return refuse(p, HTTP_BAD, "header without a colon");
    }
    if (byte_class[c] & IN_BLANK) {
        return refuse(p, HTTP_BAD, "blank in or after a header name");
    }
    return refuse_byte(p, c, "bad byte in a header name");
}

/* Ends a value. Only here, at the end of the line, is it clear which blanks are the last ones. */
static void finish_value(struct http_parser *p, uint16_t at)
{
    struct http_header *h = &p->headers[p->header_count];
    uint16_t end = p->len;

    while (end > at && (byte_class[(uint8_t)p->text[end - 1]] & IN_BLANK)) {
        end--;
    }
    h->value_at = at;
    h->value_len = (uint16_t)(end - at);
    p->header_count++;
}

static enum http_result step_value_start(struct http_parser *p, uint8_t c)
{
    if (byte_class[c] & IN_VALUE) {
        p->state = STATE_VALUE;
        p->token_at = p->len;
        return HTTP_NEED_MORE;
    }
    if (c != '\r') {
        return refuse_byte(p, c, "control byte in a header value");
    }
    finish_value(p, p->len);
    return enter(p, STATE_LINE_LF);
}

static enum http_result step_value(struct http_parser *p, uint8_t c)
{
    if (c != '\r') {
        return refuse_byte(p, c, "control byte in a header value");
    }
    finish_value(p, p->token_at);
    return enter(p, STATE_LINE_LF);
}

/* Takes one byte that ends a run, or that is above the limit of the run. */
static enum http_result step(struct http_parser *p, uint8_t c)
{
    if (p->len == HTTP_HEAD_MAX) {
        return refuse(p, HTTP_TOO_BIG, "head too big");
    }
    switch ((enum http_state)p->state) {
    case STATE_METHOD:
        return step_method(p, c);
    case STATE_TARGET_START:
        return step_target_start(p, c);
    case STATE_TARGET:
        return step_target(p, c);
    case STATE_VERSION:
        return step_version(p, c);
    case STATE_LINE_LF:
        return c == '\n' ? enter(p, STATE_HEADER_START) : refuse(p, HTTP_BAD, "bare CR");
    case STATE_HEADER_START:
        return step_header_start(p, c);
    case STATE_NAME:
        return step_name(p, c);
    case STATE_VALUE_START:
        return step_value_start(p, c);
    case STATE_VALUE:
        return step_value(p, c);
    case STATE_END_LF:
        return c == '\n' ? HTTP_DONE : refuse(p, HTTP_BAD, "bare CR");
    }
    return refuse(p, HTTP_BAD, "");
}

static size_t run_limit(const struct http_parser *p)
{
    size_t head_room = (size_t)HTTP_HEAD_MAX - p->len;
    size_t room = head_room;

    if (p->state == STATE_METHOD) {
        room = (size_t)METHOD_MAX - p->len;
    } else if (p->state == STATE_TARGET) {
        room = (size_t)HTTP_TARGET_MAX - (size_t)(p->len - p->target_at);
    }
    return size_min(room, head_room);
}

static size_t take_run(struct http_parser *p, const uint8_t *data, size_t len)
{
    const uint8_t mask = state_run[p->state];
    size_t limit = run_limit(p);
    size_t n = 0;

    if (mask == 0) {
        return 0;
    }
    if (limit > len) {
        limit = len;
    }
    while (n < limit && (byte_class[data[n]] & mask)) {
        n++;
    }
    memcpy(p->text + p->len, data, n);
    p->len = (uint16_t)(p->len + n);
    return n;
}

void http_parser_init(struct http_parser *p)
{
    /* `text` and `headers` need no clearing: nobody reads beyond len and header_count. */
    p->len = 0;
    p->state = STATE_METHOD;
    p->token_at = 0;
    p->result = HTTP_NEED_MORE;
    p->detail = "";
    p->method_len = 0;
    p->target_at = 0;
    p->target_len = 0;
    p->version_minor = 0;
    p->header_count = 0;
}

enum http_result http_parse(struct http_parser *p, const uint8_t *data, size_t len,
                            size_t *out_consumed)
{
    size_t at = 0;

    while (at < len && p->result == HTTP_NEED_MORE) {
        at += take_run(p, data + at, len - at);
        if (at == len) {
            break;
        }
        p->result = step(p, data[at]);
        if (p->result == HTTP_NEED_MORE || p->result == HTTP_DONE) {
            p->text[p->len++] = (char)data[at++];
        }
    }
    *out_consumed = at;
    return p->result;
}

struct span http_method(const struct http_parser *p)
{
    return (struct span){p->text, p->method_len};
}

struct span http_target(const struct http_parser *p)
{
    return (struct span){p->text + p->target_at, p->target_len};
}

struct span http_header_name(const struct http_parser *p, size_t i)
{
    return (struct span){p->text + p->headers[i].name_at, p->headers[i].name_len};
}

struct span http_header_value(const struct http_parser *p, size_t i)
{
    return (struct span){p->text + p->headers[i].value_at, p->headers[i].value_len};
}

size_t http_find(const struct http_parser *p, struct span name, size_t from)
{
    for (size_t i = from; i < p->header_count; i++) {
        if (span_is_equal_nocase(http_header_name(p, i), name)) {
            return i;
        }
    }
    return p->header_count;
}

size_t http_write_head(char *out, size_t size, unsigned status, struct span content_type,
                       uint64_t body_bytes, struct span extra)
{
    char length[48] = "";
    int n;

    if (content_type.len >= size || extra.len >= size) {
        return 0;
    }
    if (body_bytes != HTTP_LENGTH_UNKNOWN) {
        snprintf(length, sizeof(length), "Content-Length: %" PRIu64 "\r\n", body_bytes);
    }
    n = snprintf(out, size,
                 "HTTP/1.1 %u %s\r\n"
                 "Content-Type: %.*s\r\n"
                 "%s"
                 "Connection: close\r\n"
                 "Cache-Control: no-store\r\n"
                 "X-Content-Type-Options: nosniff\r\n"
                 "%.*s\r\n",
                 status, http_status_text(status), (int)content_type.len,
                 content_type.len > 0 ? content_type.data : "", length, (int)extra.len,
                 extra.len > 0 ? extra.data : "");
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

const char *http_status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Unknown";
}
