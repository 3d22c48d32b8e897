/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upgrade.h: the opening handshake, server side (RFC 6455 4.2).
 *
 * For: telling whether a request head is a legal WebSocket opening, taking out of it what the
 * policy needs, the accept key and the 101. Not for: policy. Spans point into the parser's text.
 * Pure; the only user of wolfCrypt's SHA-1 and base64. */
#ifndef PROTO_UPGRADE_H
#define PROTO_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/http.h"

#define UPGRADE_OFFERS_MAX 16 /* subprotocols a client may offer */
#define UPGRADE_101_MAX 768   /* bytes of a 101 at most: an offer of up to 256, extensions too */
#define UPGRADE_OFFER_LEN_MAX 256

enum upgrade_result {
    UPGRADE_OK = 0,
    UPGRADE_BAD,        /* 400 */
    UPGRADE_BAD_METHOD, /* 405, Allow: GET */
    UPGRADE_REQUIRED    /* 426, Upgrade: websocket, Sec-WebSocket-Version: 13: a plain request or
                           another version */
};

struct upgrade_request {
    struct span host;      /* the Host header, whole */
    struct span host_name; /* without port; IPv6 without brackets; a trailing dot stays */
    uint16_t host_port;    /* 0 = none given */
    struct span path;      /* raw, without the query; begins with '/' */
    bool has_origin;
    struct span origin;
    struct span key; /* 24 characters of canonical base64 */
    struct span offers[UPGRADE_OFFERS_MAX];
    size_t offer_count;
};

/* Checks, in this order: method (405); Host exactly once and well-formed; no Content-Length,
 * Transfer-Encoding, Expect; HTTP/1.1; Upgrade has "websocket" and Connection has "upgrade" as list
 * members over all lines (426 when neither header is there or websocket is not asked for);
 * Sec-WebSocket-Version exactly once and 13 (426 when other); Sec-WebSocket-Key exactly once and
 * canonical base64 of 16 bytes; Origin at most once; Sec-WebSocket-Protocol a list of at most 16
 * distinct tokens over all lines; Sec-WebSocket-Extensions is not looked at (deflate_negotiate
 * does, where a route wants it). A path with an encoded slash or control byte, dot segment
 * ("/../", "/./", also encoded), backslash (also encoded) or bad %-encoding is refused (400), so
 * that no two readings of a path exist. *out_detail is a constant for the log; *out is untouched on
 * failure. */
MUST_CHECK enum upgrade_result upgrade_check(const struct http_parser *p,
                                             struct upgrade_request *out, const char **out_detail);

/* Plain requests of the built-in pages: method GET (or HEAD), well-formed Host, no body. */
bool upgrade_is_plain_get(const struct http_parser *p, struct span path);

/* base64(SHA-1(key + GUID)): 28 characters and NUL. */
void upgrade_accept_key(struct span key, char out[29]);

/* The whole 101; subprotocol and extensions empty = none. Returns its length (0: they are too
 * long). */
size_t upgrade_write_101(char out[UPGRADE_101_MAX], struct span key, struct span subprotocol,
                         struct span extensions);

#endif
