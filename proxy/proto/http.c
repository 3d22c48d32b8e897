/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/http.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define METHOD_MAX 32        /* longer than any registered method */
#define FIRST_TEXT_BYTES 512 /* of a head that comes in small pieces */
#define FIRST_HEADERS 16

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
    STATE_EMPTY_LF,
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
    [STATE_METHOD] = IN_TOKEN,  [STATE_EMPTY_LF] = 0,    [STATE_TARGET_START] = 0,
    [STATE_TARGET] = IN_TARGET, [STATE_VERSION] = 0,     [STATE_LINE_LF] = 0,
    [STATE_HEADER_START] = 0,   [STATE_NAME] = IN_TOKEN, [STATE_VALUE_START] = IN_BLANK,
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
    p->token_at = p->len + 1;
    return HTTP_NEED_MORE;
}

static enum http_result step_method(struct http_parser *p, uint8_t c)
{
    if (byte_class[c] & IN_TOKEN) {
        return refuse(p, HTTP_METHOD_TOO_LONG, "method too long");
    }
    if (p->len == p->method_at && c == '\r') {
        return enter(p, STATE_EMPTY_LF);
    }
    if (p->len == p->method_at && c == '\n') {
        p->method_at++; /* no request stands before this one, so LF alone can hide none */
        return HTTP_NEED_MORE;
    }
    if (c == '\r') {
        return refuse(p, HTTP_BAD, "request line without a target");
    }
    if (c != ' ' || p->len == p->method_at) {
        return refuse_byte(p, c, "bad byte in the method");
    }
    p->method_len = p->len - p->method_at;
    return enter(p, STATE_TARGET_START);
}

static enum http_result step_empty_lf(struct http_parser *p, uint8_t c)
{
    if (c != '\n') {
        return refuse(p, HTTP_BAD, "bare CR");
    }
    p->method_at = p->len + 1;
    return enter(p, STATE_METHOD);
}

static enum http_result step_target_start(struct http_parser *p, uint8_t c)
{
    if (c == ' ') {
        return refuse(p, HTTP_BAD, "more than one blank in the request line");
    }
    if (c == '\r') {
        return refuse(p, HTTP_BAD, "request line without a target");
    }
    if (!(byte_class[c] & IN_TARGET)) {
        return refuse_byte(p, c, "bad byte in the target");
    }
    p->state = STATE_TARGET;
    p->target_at = p->len;
    return HTTP_NEED_MORE;
}

static enum http_result step_target(struct http_parser *p, uint8_t c)
{
    if (c == '\r') {
        return refuse(p, HTTP_BAD, "request line without a version");
    }
    if (c == '#') {
        return refuse(p, HTTP_BAD, "fragment in the target");
    }
    if (c != ' ') {
        return refuse_byte(p, c, "bad byte in the target");
    }
    p->target_len = p->len - p->target_at;
    return enter(p, STATE_VERSION);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/" DIGIT "." DIGIT (RFC 9112 2.3). */
static enum http_result step_version(struct http_parser *p, uint8_t c)
{
    static const char form[] = "HTTP/0.0"; /* 0 stands for any digit */
    const size_t major = 5;
    const size_t end = sizeof(form) - 1;
    size_t at = p->len - p->token_at;

    if (at == end) {
        return c == '\r' ? enter(p, STATE_LINE_LF) : refuse_byte(p, c, "text after the version");
    }
    if (at == 0 && c == ' ') {
        return refuse(p, HTTP_BAD, "more than one blank in the request line");
    }
    if (form[at] == '0' ? !is_digit(c) : c != (uint8_t)form[at]) {
        return refuse_byte(p, c, "malformed version");
    }
    if (at == major) {
        p->version_major = (uint8_t)(c - '0');
    } else if (at == end - 1) {
        p->version_minor = (uint8_t)(c - '0');
        if (p->version_major != 1) {
            return refuse(p, HTTP_OTHER_VERSION, "version not HTTP/1.x");
        }
    }
    return HTTP_NEED_MORE;
}

/* Makes room for one header more. */
static enum http_result reserve_header(struct http_parser *p)
{
    size_t size = size_min(p->header_size == 0 ? FIRST_HEADERS : (size_t)2 * p->header_size,
                           p->limits.header_count);

    if (p->header_count == p->limits.header_count) {
        return refuse(p, HTTP_TOO_BIG, "more headers than max_headers");
    }
    if (p->header_count < p->header_size) {
        return HTTP_NEED_MORE;
    }
    struct http_header *headers = mem_resize(p->headers, size * sizeof(*headers));
    if (headers == NULL) {
        return refuse(p, HTTP_NO_MEMORY, "out of memory");
    }
    p->headers = headers;
    p->header_size = (uint32_t)size;
    return HTTP_NEED_MORE;
}

static enum http_result step_header_start(struct http_parser *p, uint8_t c)
{
    if (c == '\r') {
        return enter(p, STATE_END_LF);
    }
    if (byte_class[c] & IN_TOKEN) {
        enum http_result result = reserve_header(p);

        if (result == HTTP_NEED_MORE) {
            p->state = STATE_NAME;
            p->headers[p->header_count].name_at = p->len;
        }
        return result;
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
        h->name_len = p->len - h->name_at;
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
static void finish_value(struct http_parser *p, uint32_t at)
{
    struct http_header *h = &p->headers[p->header_count];
    uint32_t end = p->len;

    while (end > at && (byte_class[(uint8_t)p->text[end - 1]] & IN_BLANK)) {
        end--;
    }
    h->value_at = at;
    h->value_len = end - at;
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
    if (p->len == p->limits.head_bytes) {
        return p->state == STATE_TARGET
                   ? refuse(p, HTTP_TARGET_TOO_LONG, "target longer than max_head")
                   : refuse(p, HTTP_TOO_BIG, "head larger than max_head");
    }
    switch ((enum http_state)p->state) {
    case STATE_METHOD:
        return step_method(p, c);
    case STATE_EMPTY_LF:
        return step_empty_lf(p, c);
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
    size_t room = p->limits.head_bytes - p->len;

    if (p->state == STATE_METHOD) {
        room = size_min(room, (size_t)METHOD_MAX - (p->len - p->method_at));
    }
    return room;
}

static size_t take_run(struct http_parser *p, const uint8_t *data, size_t len)
{
    const uint8_t mask = state_run[p->state];
    size_t limit = size_min(run_limit(p), len);
    size_t n = 0;

    if (mask == 0) {
        return 0;
    }
    while (n < limit && (byte_class[data[n]] & mask)) {
        n++;
    }
    memcpy(p->text + p->len, data, n);
    p->len += (uint32_t)n;
    return n;
}

void http_parser_init(struct http_parser *p, const struct http_limits *limits)
{
    assert(limits->head_bytes > 0 && limits->head_bytes <= HTTP_HEAD_BYTES_MAX);
    assert(limits->header_count > 0);
    *p = (struct http_parser){.limits = *limits, .result = HTTP_NEED_MORE, .detail = ""};
}

/* Cookies and tokens stand in heads. */
static void wipe(struct http_parser *p)
{
    if (p->text != NULL) {
        explicit_bzero(p->text, p->len);
        mem_free(p->text);
    }
}

void http_parser_done(struct http_parser *p)
{
    wipe(p);
    mem_free(p->headers);
    p->text = NULL;
    p->headers = NULL;
}

/* Makes room for the part of `len` bytes more that the limit allows: just enough for a head that
 * comes at once, twice as much as before for one that comes in small pieces. */
static bool reserve_text(struct http_parser *p, size_t len)
{
    size_t limit = p->limits.head_bytes;
    size_t need = p->len + size_min(len, limit - p->len);
    size_t size = size_min(p->size == 0 ? FIRST_TEXT_BYTES : (size_t)2 * p->size, limit);

    if (need <= p->size) {
        return true;
    }
    size = size < need ? need : size;
    char *text = mem_alloc(size);
    if (text == NULL) {
        return false;
    }
    if (p->len > 0) {
        memcpy(text, p->text, p->len);
    }
    wipe(p);
    p->text = text;
    p->size = (uint32_t)size;
    return true;
}

enum http_result http_parse(struct http_parser *p, const uint8_t *data, size_t len,
                            size_t *out_consumed)
{
    size_t at = 0;

    if (p->result == HTTP_NEED_MORE && !reserve_text(p, len)) {
        p->result = refuse(p, HTTP_NO_MEMORY, "out of memory");
    }
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
    /* A parser that got no memory has no text either. */
    return p->method_len > 0 ? (struct span){p->text + p->method_at, p->method_len}
                             : (struct span){NULL, 0};
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
