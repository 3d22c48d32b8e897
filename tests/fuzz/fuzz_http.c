/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parses a request head in three chunkings: whole, byte by byte, and in chunks that follow from the
 * input's own bytes. All must give the same result and the same head. A head that the parser
 * accepts must pass a second, slow check of the grammar, and must be the same after writing and
 * parsing it again.
 *
 * Input: the bytes of a connection, as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_parser whole;
static struct http_parser pieces;
static struct http_parser again;

static const struct http_limits limits = {.head_bytes = 8192, .header_count = 64};

static void restart(struct http_parser *p)
{
    http_parser_done(p);
    http_parser_init(p, &limits);
}

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void expect_same(const struct http_parser *p, const struct http_parser *q)
{
    expect(p->result == q->result && strcmp(p->detail, q->detail) == 0);
    expect(p->len == q->len && (p->len == 0 || memcmp(p->text, q->text, p->len) == 0));
    expect(p->method_at == q->method_at && p->method_len == q->method_len);
    expect(p->version_major == q->version_major && p->version_minor == q->version_minor);
    expect(p->target_at == q->target_at && p->target_len == q->target_len);
    expect(p->header_count == q->header_count);
    expect(p->header_count == 0 ||
           memcmp(p->headers, q->headers, p->header_count * sizeof(p->headers[0])) == 0);
}

/* Parses one chunk in memory of just its size, so that the sanitizer sees a read past its end. */
static enum http_result feed_copy(struct http_parser *p, const uint8_t *data, size_t len,
                                  size_t *out_consumed)
{
    uint8_t *chunk = malloc(len);
    enum http_result result;

    expect(chunk != NULL);
    memcpy(chunk, data, len);
    result = http_parse(p, chunk, len, out_consumed);
    free(chunk);
    return result;
}

/* Parses in chunks; `seed` 0 = byte by byte. Returns how many bytes the parser consumed. */
static size_t feed(struct http_parser *p, const uint8_t *data, size_t size, uint32_t seed)
{
    enum http_result result = HTTP_NEED_MORE;
    size_t at = 0;

    restart(p);
    while (at < size && result == HTTP_NEED_MORE) {
        size_t len = 1;
        size_t consumed = SIZE_MAX;

        if (seed == 0) {
            result = http_parse(p, data + at, len, &consumed);
        } else {
            seed = seed * 1664525U + 1013904223U;
            len = 1 + (seed >> 24) % (size - at);
            result = feed_copy(p, data + at, len, &consumed);
        }
        expect(result == p->result);
        expect(result == HTTP_NEED_MORE ? consumed == len : consumed <= len);
        at += consumed;
    }
    return at;
}

static bool is_within(const struct http_parser *p, struct span s)
{
    return s.data >= p->text && s.data + s.len <= p->text + p->len;
}

static void expect_visible(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        expect(s.data[i] > 0x20 && s.data[i] < 0x7f && s.data[i] != '#');
    }
}

static void expect_value(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.data[i];

        expect((c >= 0x20 && c != 0x7f) || c == '\t');
    }
    expect(span_trim(s).len == s.len);
}

static void expect_grammar(const struct http_parser *p)
{
    struct span target = http_target(p);

    expect(is_within(p, target) && span_is_token(http_method(p)));
    expect(target.len > 0);
    expect_visible(target);
    expect(p->version_major == 1 && p->version_minor <= 9);
    expect(p->header_count <= limits.header_count);
    for (size_t i = 0; i < p->header_count; i++) {
        struct span name = http_header_name(p, i);
        size_t found = http_find(p, name, 0);

        expect(is_within(p, name) && span_is_token(name));
        expect(is_within(p, http_header_value(p, i)));
        expect_value(http_header_value(p, i));
        expect(found <= i && http_find(p, name, i) == i);
    }
    expect(p->len >= 4 && memcmp(p->text + p->len - 4, "\r\n\r\n", 4) == 0);
}

static void append(char *out, size_t *len, struct span s)
{
    expect(s.len <= limits.head_bytes - *len);
    memcpy(out + *len, s.data, s.len);
    *len += s.len;
}

/* Writes the head with no more blanks than it needs, so that it is never longer than the input. */
static void expect_again(const struct http_parser *p)
{
    static char text[8192];
    const char minor = (char)('0' + p->version_minor);
    size_t len = 0;

    append(text, &len, http_method(p));
    append(text, &len, SPAN_LIT(" "));
    append(text, &len, http_target(p));
    append(text, &len, SPAN_LIT(" HTTP/1."));
    append(text, &len, (struct span){&minor, 1});
    append(text, &len, SPAN_LIT("\r\n"));
    for (size_t i = 0; i < p->header_count; i++) {
        append(text, &len, http_header_name(p, i));
        append(text, &len, SPAN_LIT(":"));
        append(text, &len, http_header_value(p, i));
        append(text, &len, SPAN_LIT("\r\n"));
    }
    append(text, &len, SPAN_LIT("\r\n"));
    expect(feed(&again, (const uint8_t *)text, len, 1) == len && again.result == HTTP_DONE);
    expect(span_is_equal(http_method(p), http_method(&again)));
    expect(span_is_equal(http_target(p), http_target(&again)));
    expect(p->version_minor == again.version_minor && p->header_count == again.header_count);
    for (size_t i = 0; i < p->header_count; i++) {
        expect(span_is_equal(http_header_name(p, i), http_header_name(&again, i)));
        expect(span_is_equal(http_header_value(p, i), http_header_value(&again, i)));
    }
}

static uint32_t seed_of(const uint8_t *data, size_t size)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * 16777619U;
    }
    return hash == 0 ? 1 : hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t consumed = 0;
    size_t again_consumed = 0;

    restart(&whole);
    expect(http_parse(&whole, data, size, &consumed) == whole.result);
    expect(feed(&pieces, data, size, 0) == consumed);
    expect_same(&whole, &pieces);
    expect(feed(&pieces, data, size, seed_of(data, size)) == consumed);
    expect_same(&whole, &pieces);
    expect(whole.len == consumed && (consumed == 0 || memcmp(whole.text, data, consumed) == 0));
    expect(pieces.size <= limits.head_bytes && pieces.header_size <= limits.header_count);
    if (whole.result == HTTP_NEED_MORE) {
        expect(consumed == size);
        return 0;
    }
    /* The result stays. */
    expect(http_parse(&whole, data, size, &again_consumed) == pieces.result);
    expect(again_consumed == 0);
    expect_same(&whole, &pieces);
    if (whole.result == HTTP_DONE) {
        expect(whole.detail[0] == '\0');
        expect_grammar(&whole);
        expect_again(&whole);
    } else {
        expect(whole.detail[0] != '\0');
    }
    return 0;
}
