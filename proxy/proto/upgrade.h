/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upgrade.h: the opening handshake over HTTP/1.1, server side (RFC 6455 4.2).
 *
 * For: telling whether a request head is a legal WebSocket opening, making a struct request out of
 * the head, the accept key and the 101. Not for: policy. What a request holds points into the
 * parser's text. Pure; the only user of wolfCrypt's SHA-1 and base64. */
#ifndef PROTO_UPGRADE_H
#define PROTO_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/http.h"
#include "proto/request.h"

#define UPGRADE_101_MAX 768 /* bytes of a 101 at most: an offer of up to 256, extensions too */

enum upgrade_result {
    UPGRADE_OK = 0,
    UPGRADE_BAD,        /* 400 */
    UPGRADE_BAD_METHOD, /* 405, Allow: GET */
    UPGRADE_REQUIRED    /* 426, Upgrade: websocket, Sec-WebSocket-Version: 13: a plain request or
                           another version */
};

/* Checks, in this order: method (405); Host exactly once and well-formed; no Content-Length,
 * Transfer-Encoding, Expect; HTTP/1.1; Upgrade has "websocket" and Connection has "upgrade" as list
 * members over all lines (426 when neither header is there or websocket is not asked for);
 * Sec-WebSocket-Version exactly once and 13 (426 when other); Sec-WebSocket-Key exactly once and
 * canonical base64 of 16 bytes; Origin at most once; Sec-WebSocket-Protocol a list of at most 16
 * distinct tokens over all lines; Sec-WebSocket-Extensions is not looked at (deflate_negotiate
 * does, where a route wants it). A path with an encoded slash or control byte, dot segment
 * ("/../", "/./", also encoded), backslash (also encoded) or bad %-encoding is refused (400), so
 * that no two readings of a path exist. *out_key is the key, 24 characters of canonical base64.
 * *out_detail is a constant for the log; *out and *out_key are untouched on failure. */
MUST_CHECK enum upgrade_result upgrade_check(const struct http_parser *p, struct request *out,
                                             struct span *out_key, const char **out_detail);

/* A request that wants a page: method GET or HEAD, a well-formed Host, no body. The request then
 * has method, authority and path; the offers and the origin stay empty. False: something else;
 * *out is untouched. */
MUST_CHECK bool upgrade_check_page(const struct http_parser *p, struct request *out);

/* base64(SHA-1(key + GUID)): 28 characters and NUL. */
void upgrade_accept_key(struct span key, char out[29]);

/* The whole 101; subprotocol and extensions empty = none. Returns its length (0: they are too
 * long). */
size_t upgrade_write_101(char out[UPGRADE_101_MAX], struct span key, struct span subprotocol,
                         struct span extensions);

#endif
