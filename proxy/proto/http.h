/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.h: request heads in, response heads out (RFC 9112), as much as an opening handshake needs.
 *
 * For: parsing one request head strictly and in a single pass; the parser checks the limits as the
 * bytes arrive, and a cut anywhere changes no result. Not for: bodies, trailers, keep-alive, a
 * second request (every connection speaks HTTP once). The parser holds the text of the head, so it
 * must outlive all that points into the head. The caller allocates it and frees it. Pure. */
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
    HTTP_NEED_MORE, /* the parser consumed all bytes */
    HTTP_BAD,       /* malformed: answer 400; has a detail */
    HTTP_TOO_BIG    /* above a limit: answer 431; has a detail */
};

struct http_header {
    uint16_t name_at; /* offsets into text */
    uint16_t name_len;
    uint16_t value_at;
    uint16_t value_len; /* without the blanks at both ends */
};

struct http_parser {
    char text[HTTP_HEAD_MAX];
    uint16_t len;
    uint8_t state;     /* private to http.c */
    uint16_t token_at; /* private: where the current part begins */
    enum http_result result;
    const char *detail; /* a constant text, for the log */

    uint16_t method_len; /* the method starts at offset 0 */
    uint16_t target_at;
    uint16_t target_len;
    uint8_t version_minor; /* HTTP/1.x; any other major version is HTTP_BAD */
    uint16_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
};

void http_parser_init(struct http_parser *p);

/* Consumes bytes up to the end of the head. The parser refuses bare LF or CR, NUL and control
 * bytes, obs-fold, blanks before the colon or before the first header, empty names, more than one
 * blank between the parts of the request line, empty lines before it, a target that is not
 * origin-form ("/...") or has '#', control or non-ASCII bytes, and HTTP other than 1.x. It keeps
 * non-ASCII bytes in header values (obs-text). When it refuses a byte, it has consumed the bytes
 * before that one. After HTTP_DONE, HTTP_BAD or HTTP_TOO_BIG a further call repeats the result and
 * consumes nothing. */
MUST_CHECK enum http_result http_parse(struct http_parser *p, const uint8_t *data, size_t len,
                                       size_t *out_consumed);

struct span http_method(const struct http_parser *p);
struct span http_target(const struct http_parser *p);
struct span http_header_name(const struct http_parser *p, size_t i);
struct span http_header_value(const struct http_parser *p, size_t i);
/* The index of the first header called `name` (any case) from index `from` on, or header_count. */
size_t http_find(const struct http_parser *p, struct span name, size_t from);

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* Writes the head of a response into `out`: the Content-Type, Content-Length, Connection: close,
 * Cache-Control: no-store, X-Content-Type-Options: nosniff, and `extra`, which is empty or header
 * lines with a CRLF behind each. With HTTP_LENGTH_UNKNOWN there is no Content-Length, and the end
 * of the connection ends the body (RFC 9112 6.3). Returns the length of the head, or 0 when the
 * head does not fit. */
size_t http_write_head(char *out, size_t size, unsigned status, struct span content_type,
                       uint64_t body_bytes, struct span extra);
/* "Bad Request" and so on; "Unknown" for a status that we never send. */
const char *http_status_text(unsigned status);

#endif
