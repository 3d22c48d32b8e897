/* SPDX-License-Identifier: GPL-3.0-or-later */
// Feeds request heads to the parser in one piece, in two, or byte by byte.
#ifndef TESTS_UNIT_HTTP_FEED_H
#define TESTS_UNIT_HTTP_FEED_H

#include "check.h"
#include "proto/http.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
// A string literal that may hold NUL, as text and length.
#define TEXT(literal) (literal), sizeof(literal) - 1

#define BYTE_BY_BYTE SIZE_MAX

// The defaults of max_head and max_headers.
static const struct http_limits http_feed_limits = {.head_bytes = 32768, .header_count = 128};

// Zero at first. The next http_feed, or http_feed_done, frees what the parser keeps.
struct http_fed {
    struct http_parser parser;
    enum http_result result;
    size_t consumed; // over all pieces
};

// The last use of `fed`.
__attribute__((unused)) static void http_feed_done(struct http_fed *fed)
{
    http_parser_done(&fed->parser);
}

static void http_feed_piece(struct http_fed *fed, const char *text, size_t len)
{
    size_t consumed = 0;

    fed->result = http_parse(&fed->parser, (const uint8_t *)text, len, &consumed);
    fed->consumed += consumed;
}

// `cut` is where the second piece begins, or BYTE_BY_BYTE.
__attribute__((unused)) static void http_feed(struct http_fed *fed, const char *text, size_t len,
                                              size_t cut)
{
    http_parser_done(&fed->parser);
    http_parser_init(&fed->parser, &http_feed_limits);
    fed->result = HTTP_NEED_MORE;
    fed->consumed = 0;
    if (cut != BYTE_BY_BYTE) {
        http_feed_piece(fed, text, cut);
        http_feed_piece(fed, text + cut, len - cut);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        http_feed_piece(fed, text + i, 1);
    }
}

// True when both parsers gave the same result and the same head.
__attribute__((unused)) static bool http_fed_is_equal(const struct http_fed *a,
                                                      const struct http_fed *b)
{
    const struct http_parser *p = &a->parser;
    const struct http_parser *q = &b->parser;

    return a->result == b->result && a->consumed == b->consumed && p->result == q->result &&
           strcmp(p->detail, q->detail) == 0 && p->len == q->len &&
           (p->len == 0 || memcmp(p->text, q->text, p->len) == 0) && p->method_at == q->method_at &&
           p->method_len == q->method_len && p->target_at == q->target_at &&
           p->target_len == q->target_len && p->version_major == q->version_major &&
           p->version_minor == q->version_minor && p->header_count == q->header_count &&
           (p->header_count == 0 ||
            memcmp(p->headers, q->headers, p->header_count * sizeof(p->headers[0])) == 0);
}

#endif
