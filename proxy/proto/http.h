/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.h: request heads in, response heads out (RFC 9112), as much as an opening handshake needs.
 *
 * For: parsing one request head strictly and in a single pass; the parser checks the limits as the
 * bytes arrive, and a cut anywhere changes no result. Not for: what the parts of a head mean
 * (upgrade), bodies, trailers, keep-alive: each request has a parser of its own.
 *
 * The parser keeps the text of the head, and all that points into the head points there. Its
 * memory grows with what arrives, never to what the limits would allow: at most 768 bytes, or twice
 * as much as came and 32 bytes for each header. http_parser_done frees it. Pure, but for memory. */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* The value of a refusal is the status of the answer. */
enum http_result {
    HTTP_DONE = 0,      /* the head is complete */
    HTTP_NEED_MORE = 1, /* the parser consumed all bytes */
    HTTP_BAD = 400,     /* malformed */
    HTTP_TARGET_TOO_LONG = 414,
    HTTP_TOO_BIG = 431, /* above a limit */
    HTTP_NO_MEMORY = 500,
    HTTP_METHOD_TOO_LONG = 501, /* longer than any registered method (RFC 9112 3) */
    HTTP_OTHER_VERSION = 505    /* well-formed, but not HTTP/1.x */
};

struct http_limits {
    size_t head_bytes;   /* of the whole head: 1 to HTTP_HEAD_BYTES_MAX */
    size_t header_count; /* lines: at least 1 */
};
#define HTTP_HEAD_BYTES_MAX ((size_t)1024 * 1024)

struct http_header {
    uint32_t name_at; /* offsets into text */
    uint32_t name_len;
    uint32_t value_at;
    uint32_t value_len; /* without the blanks at both ends */
};

struct http_parser {
    char *text; /* what came so far; NULL before the first byte */
    uint32_t len;
    uint32_t size;     /* private: bytes of the block of `text` */
    uint8_t state;     /* private to http.c */
    uint32_t token_at; /* private: where the current part begins */
    struct http_limits limits;
    enum http_result result;
    const char *detail; /* a constant text, for the log; empty unless the parser refused */

    uint32_t method_at;  /* behind the empty lines before the request line */
    uint32_t method_len; /* 0 before the method is complete */
    uint32_t target_at;
    uint32_t target_len;
    uint8_t version_major; /* 1 in a complete head */
    uint8_t version_minor; /* 2 to 9 mean what 1 means (RFC 9110 2.5) */
    uint32_t header_count;
    uint32_t header_size; /* private: how many `headers` has room for */
    struct http_header *headers;
};

/* Owns no memory yet. */
void http_parser_init(struct http_parser *p, const struct http_limits *limits);
/* Frees what the parser keeps. */
void http_parser_done(struct http_parser *p);

/* Consumes bytes up to the end of the head. The parser skips empty lines before the request line,
 * also those of LF alone (RFC 9112 2.2). It refuses bare LF or CR elsewhere, NUL and control bytes,
 * obs-fold, blanks before the colon or before the first header, empty names, more than one blank
 * between the parts of the request line, and a target that has '#', control or non-ASCII bytes;
 * upgrade_check looks at the target's form. The parser keeps non-ASCII bytes in header values
 * (obs-text). When it refuses a byte, it has consumed the bytes before that one. After any result
 * but HTTP_NEED_MORE a further call repeats the result and consumes nothing. */
MUST_CHECK enum http_result http_parse(struct http_parser *p, const uint8_t *data, size_t len,
                                       size_t *out_consumed);

struct span http_method(const struct http_parser *p);
struct span http_target(const struct http_parser *p);
struct span http_header_name(const struct http_parser *p, size_t i);
struct span http_header_value(const struct http_parser *p, size_t i);
/* The index of the first header called `name` (any case) from index `from` on, or header_count. */
size_t http_find(const struct http_parser *p, struct span name, size_t from);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7) and a NUL; `unix_s` in seconds since 1970, up to
 * the year 9999. */
#define HTTP_DATE_MAX 30
void http_write_date(char out[HTTP_DATE_MAX], uint64_t unix_s);

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

struct http_response {
    unsigned status; /* a 204 or 304 has no content, so neither its type nor its length (RFC 9110
                        8.6) */
    uint64_t date_s; /* seconds since 1970 */
    struct span content_type;
    uint64_t body_bytes; /* HTTP_LENGTH_UNKNOWN: no Content-Length; the end of the connection ends
                            the body (RFC 9112 6.3) */
    struct span extra;   /* empty or header lines, each with its CRLF */
    struct span cache;   /* the value of Cache-Control; empty = no-store */
    bool is_kept;        /* the connection stays: no Connection: close */
};

/* Writes the head of a response into `out`: Date, Content-Type, Content-Length, Connection: close
 * unless the connection stays (with 426 also Upgrade, RFC 9110 7.8), Cache-Control,
 * X-Content-Type-Options: nosniff, and `extra`. Returns the length of the head, or 0 when the head
 * does not fit. */
size_t http_write_head(char *out, size_t size, const struct http_response *response);
/* "Bad Request" and so on; "Unknown" for a status that we never send. */
const char *http_status_text(unsigned status);

#endif
