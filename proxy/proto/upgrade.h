/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upgrade.h: the opening handshake over HTTP/1.1, server side (RFC 6455 4.2).
 *
 * For: checking that a request head is a legal WebSocket opening; making a struct request out of
 * the head; the accept key and the 101. Not for: who may have which route (policy). The spans of a
 * request point into the parser's text. Pure; the only user of wolfCrypt's SHA-1 and base64. */
#ifndef PROTO_UPGRADE_H
#define PROTO_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/http.h"
#include "proto/request.h"

#define UPGRADE_101_MAX 768 /* bytes of a 101 with a subprotocol and extensions of 256 bytes each */

enum upgrade_result {
    UPGRADE_OK = 0,
    UPGRADE_BAD,        /* 400 */
    UPGRADE_BAD_METHOD, /* 405, Allow: GET */
    UPGRADE_REQUIRED    /* 426, Upgrade: websocket, Sec-WebSocket-Version: 13: a plain request or
                           another version of WebSocket */
};

/* Checks, in this order (400 where no other status stands):
 *   - the method is GET (405);
 *   - Host comes once and is well-formed;
 *   - Content-Length, Transfer-Encoding and Expect do not come;
 *   - the version is HTTP/1.1;
 *   - the list in all lines of Upgrade has "websocket" (426), and that of Connection "upgrade";
 *   - Sec-WebSocket-Version comes once and is 13 (426 when it is another);
 *   - Sec-WebSocket-Key comes once and is canonical base64 of 16 bytes;
 *   - Origin comes at most once;
 *   - the list in all lines of Sec-WebSocket-Protocol has at most 16 tokens, each one once and of
 *     at most 256 bytes;
 *   - the path can be read in one way only: it has no encoded slash or control byte, no dot segment
 *     ("/../", "/./") or backslash, encoded or not, and no bad %-encoding.
 * deflate_negotiate checks Sec-WebSocket-Extensions, where a route wants compression. *out_key is
 * the key: 24 characters. *out_detail is a constant text for the log. A failure leaves *out and
 * *out_key as they were. */
MUST_CHECK enum upgrade_result upgrade_check(const struct http_parser *p, struct request *out,
                                             struct span *out_key, const char **out_detail);

/* True for a request that wants a page: method GET or HEAD, one well-formed Host, no body. *out
 * then has method, authority, path and query, but neither offers nor origin. False leaves *out as
 * it was. */
MUST_CHECK bool upgrade_check_page(const struct http_parser *p, struct request *out);

/* Writes base64(SHA-1(key + GUID)), 28 characters, and a NUL. `key` is one of upgrade_check. */
void upgrade_accept_key(struct span key, char out[29]);

/* Writes the whole 101; an empty subprotocol or extensions means that the header is not there.
 * Returns the length of the 101, or 0 when one of the two has more than 256 bytes. */
size_t upgrade_write_101(char out[UPGRADE_101_MAX], struct span key, struct span subprotocol,
                         struct span extensions);

#endif
