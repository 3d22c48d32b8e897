/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.h: request heads in, response heads out (RFC 9112), as much as an opening handshake needs.
 *
 * For: a strict, resumable, single-pass parse of one request head, limits checked as the bytes
 * arrive, the same verdict wherever the input is cut. Not for: bodies, trailers, keep-alive, a
 * second request: every connection speaks HTTP once. The parser keeps the head's text itself (one
 * allocation of the caller's, given back once the request is judged). Pure. */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define HTTP_HEAD_MAX 8192   /* bytes of the whole head */
#define HTTP_TARGET_MAX 4096 /* bytes of the request target */
#define HTTP_HEADERS_MAX 64

enum http_result {
    HTTP_DONE = 0,  /* the head is complete */
    HTTP_NEED_MORE, /* all bytes were consumed */
    HTTP_BAD,       /* malformed: answer 400; `detail` says why */
    HTTP_TOO_BIG    /* a limit: answer 431 */
};

struct http_header {
    uint16_t name_at; /* offsets into text */
    uint16_t name_len;
    uint16_t value_at;
    uint16_t value_len; /* blanks at both ends are off */
};

struct http_parser {
    char text[HTTP_HEAD_MAX];
    uint16_t len;
    uint8_t state;     /* private to http.c */
    uint16_t token_at; /* private: where the current part began */
    enum http_result result;
    const char *detail; /* constant text, for the log */

    uint16_t method_len; /* the method starts at offset 0 */
    uint16_t target_at;
    uint16_t target_len;
    uint8_t version_minor; /* HTTP/1.x; any other major version is HTTP_BAD */
    uint16_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
};

void http_parser_init(struct http_parser *p);

/* Consumes bytes up to the end of the head. Refused: bare LF or CR, NUL and control bytes,
 * obs-fold, blanks before the colon or before the first header, empty names, more than one blank
 * between the parts of the request line, leading empty lines, a target that is not origin-form
 * ("/...") or has '#', control or non-ASCII bytes, HTTP other than 1.x. Non-ASCII bytes in header
 * values are kept (obs-text). On a refusal *out_consumed ends before the byte that is refused.
 * After HTTP_DONE, HTTP_BAD or HTTP_TOO_BIG a further call repeats the verdict and consumes
 * nothing. */
MUST_CHECK enum http_result http_parse(struct http_parser *p, const uint8_t *data, size_t len,
                                       size_t *out_consumed);

struct span http_method(const struct http_parser *p);
struct span http_target(const struct http_parser *p);
struct span http_header_name(const struct http_parser *p, size_t i);
struct span http_header_value(const struct http_parser *p, size_t i);
/* The first header of that name (any case) from index `from` on; its index, or header_count. */
size_t http_find(const struct http_parser *p, struct span name, size_t from);

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* Writes the head of a response into out: Content-Type as given, Content-Length (none for
 * HTTP_LENGTH_UNKNOWN: the body then ends with the connection, RFC 9112 6.3), Connection: close,
 * Cache-Control: no-store, X-Content-Type-Options: nosniff, and `extra` (whole header lines, each
 * ending in CRLF, or empty). Returns its length, or 0 when it does not fit. */
size_t http_write_head(char *out, size_t size, unsigned status, struct span content_type,
                       uint64_t body_bytes, struct span extra);
/* "Bad Request" ...; "Unknown" for what we never send. */
const char *http_status_text(unsigned status);

#endif
