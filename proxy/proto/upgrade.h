/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upgrade.h: the opening handshake over HTTP/1.1, server side (RFC 6455 4.2).
 *
 * For: checking that a request head is a legal WebSocket opening; making a struct request out of
 * the head (upgrade_request.c, upgrade.c); the accept key and the 101 (upgrade_101.c). Not for: who
 * may have which route (policy). The spans of a request point into the parser's text. Pure; the
 * only user of wolfCrypt's SHA-1 and base64. */
#ifndef PROTO_UPGRADE_H
#define PROTO_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/http.h"
#include "proto/request.h"

/* Bytes of a 101 with the longest subprotocol and extensions. */
#define UPGRADE_EXTENSIONS_MAX 256
#define UPGRADE_101_MAX (REQUEST_OFFER_LEN_MAX + UPGRADE_EXTENSIONS_MAX + 256)

/* The value of a refusal is the status of the answer. */
enum upgrade_result {
    UPGRADE_OK = 0,
    UPGRADE_BAD = 400,
    UPGRADE_BAD_METHOD = 405, /* a method of RFC 9110 other than GET and HEAD */
    UPGRADE_REQUIRED = 426,   /* a plain request, or another version of WebSocket */
    UPGRADE_NO_METHOD = 501   /* a method that nobody here knows (RFC 9110 9.1) */
};

/* Checks that a head is a legal request, and fills in what the target and Host say (400 where no
 * other status stands):
 *   - the target is in origin form ("/..."), in absolute form (http, https, ws or wss), whose
 *     authority replaces Host (RFC 9112 3.2.2), for OPTIONS "*", for CONNECT HOST:PORT;
 *   - Host comes once, with HTTP/1.0 at most once, and is empty or well-formed;
 *   - the method is GET or HEAD (405, 501);
 *   - there is no body: neither Transfer-Encoding nor a Content-Length other than 0. So an Expect
 *     has nothing to wait for, and means nothing (RFC 9110 10.1.1).
 * *out then has method, authority, path and query, but neither offers nor origin; the authority is
 * empty where the client named none. *out_detail is a constant text for the log. A failure leaves
 * *out as it was. */
MUST_CHECK enum upgrade_result upgrade_check_plain(const struct http_parser *p, struct request *out,
                                                   const char **out_detail);

/* The same for a request that may also have another method of RFC 9110 (501 for all others). */
MUST_CHECK enum upgrade_result upgrade_check_any(const struct http_parser *p, struct request *out,
                                                 const char **out_detail);

/* The same for a request that a page of another origin sends without opening a WebSocket (a CORS
 * request, Fetch 3.3): the method is GET, HEAD or OPTIONS (405, 501), Upgrade does not name
 * websocket, the authority is not empty, Origin comes once, and the path can be read in one way
 * only, as below. *out has the origin too. */
MUST_CHECK enum upgrade_result upgrade_check_cors(const struct http_parser *p, struct request *out,
                                                  const char **out_detail);

/* Checks that a head is a legal opening handshake: all of upgrade_check_plain, then in this order
 * (400 where no other status stands):
 *   - the method is GET, and the version HTTP/1.1 or a later 1.x (426: HTTP/1.0 knows no Upgrade,
 *     RFC 9110 7.8);
 *   - the list in all lines of Upgrade has "websocket" (426), and that of Connection "upgrade";
 *   - Sec-WebSocket-Version comes once and is 13 (426 when it is another);
 *   - Sec-WebSocket-Key comes once and is base64 of 16 bytes;
 *   - the authority is not empty;
 *   - Origin comes at most once;
 *   - the list in all lines of Sec-WebSocket-Protocol has at most REQUEST_OFFERS_MAX tokens, each
 *     one once and of at most REQUEST_OFFER_LEN_MAX bytes; those that carry a token stand apart
 *     in the request, and may be of any length;
 *   - the path can be read in one way only: it has no encoded slash or control byte, no dot segment
 *     ("/../", "/./") or backslash, encoded or not, and no bad %-encoding.
 * A recipient ignores empty items of lists (RFC 9110 5.6.1.2). deflate_negotiate checks
 * Sec-WebSocket-Extensions, where a route wants compression. *out_key is the key: 24 characters. A
 * failure leaves *out and *out_key as they were. */
MUST_CHECK enum upgrade_result upgrade_check(const struct http_parser *p, struct request *out,
                                             struct span *out_key, const char **out_detail);

/* The head names websocket in Upgrade, however much else is wrong with it. */
bool upgrade_asks_for_websocket(const struct http_parser *p);

/* Writes base64(SHA-1(key + GUID)), 28 characters, and a NUL. `key` is one of upgrade_check. */
void upgrade_accept_key(struct span key, char out[29]);

/* Writes the whole 101; an empty subprotocol or extensions means that the header is not there.
 * Returns the length of the 101, or 0 when one of the two is too long. */
size_t upgrade_write_101(char out[UPGRADE_101_MAX], struct span key, struct span subprotocol,
                         struct span extensions);

#endif
