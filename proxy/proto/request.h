/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request.h: what a client asks for, without how the client said it.
 *
 * For: the values that the policy, the admission and the log need of a request. proto/upgrade makes
 * a request out of an HTTP/1.1 head; the code that decides reads the request and never learns which
 * version of HTTP carried it. Not for: the WebSocket key, Upgrade and Connection, which are
 * HTTP/1.1's own way of asking (RFC 6455 4.1).
 *
 * Every span points into the head, so the head must outlive the request. Pure. */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define REQUEST_OFFERS_MAX 32      /* subprotocols that a client may offer */
#define REQUEST_OFFER_LEN_MAX 4096 /* bytes of one of them; some clients put a token there */

/* Finds the header `name` (any case) in `head`, from position *at on (0 at first), and moves *at
 * behind that header. False: there is no further one. */
typedef bool request_next_header_fn(const void *head, struct span name, size_t *at,
                                    struct span *out_value);

struct request {
    struct span method;    /* "GET" */
    struct span authority; /* of an absolute target, else the Host header, as the client wrote it */
    struct span host_name; /* the authority without its port; IPv6 without brackets; a trailing dot
                              stays */
    uint16_t host_port;    /* 0 = the authority has no port */
    struct span path;      /* as the client wrote it, without the query; "/" when there is none */
    struct span query;     /* behind the '?'; empty when there is none */
    bool has_origin;
    struct span origin;
    struct span offers[REQUEST_OFFERS_MAX]; /* subprotocols, the client's favourite first */
    size_t offer_count;
    /* Subprotocols that carry a token (token.h) are not among the offers, so that nobody chooses,
     * answers or logs one. */
    struct span token_offer; /* the last of them, as the client wrote it */
    size_t token_offer_count;

    /* Private: request_next_header reads all other headers through these. */
    const void *head;
    request_next_header_fn *next_header;
};

/* Gives the values of all headers called `name` (any case), one a call. Set *at to 0 first. False:
 * there is no further one. */
bool request_next_header(const struct request *request, struct span name, size_t *at,
                         struct span *out_value);

/* The client's favourite subprotocol; empty when the client offered none. */
struct span request_first_offer(const struct request *request);

#endif
