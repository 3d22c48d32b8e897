/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.h: who may have which route.
 *
 * For: turning (host, path, source, origin, subprotocols) into a route or a named refusal. Not for:
 * reading configuration files, limits that count over time. Pure: the configuration builds the
 * tables once and nothing changes them. Spans in them live as long as the snapshot. */
#ifndef PROTO_POLICY_H
#define PROTO_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "proto/request.h"

enum policy_verdict {
    POLICY_OK = 0,
    POLICY_NO_ROUTE,
    POLICY_SOURCE,
    POLICY_ORIGIN,
    POLICY_SUBPROTOCOL
};

enum policy_origin_kind {
    POLICY_ORIGIN_HOST = 0, /* the pages of one host, or of all hosts that a pattern fits */
    POLICY_ORIGIN_APP,      /* an origin of another scheme: apps, extensions, files */
    POLICY_ORIGIN_SAME,     /* "same": Origin and Host have the same host and port */
    POLICY_ORIGIN_ANY,      /* "*": any value, also null, or no header */
    POLICY_ORIGIN_NULL,     /* the value "null" */
    POLICY_ORIGIN_NONE      /* "none": no header */
};

struct policy_origin {
    enum policy_origin_kind kind;
    struct span scheme;
    struct span host; /* HOST: a canonical host, or "*." and a name: one label more (host.h).
                         APP: all that stands behind "://", which may be nothing */
    uint16_t port;    /* HOST: never 0, the scheme's own port where the entry has none */
};

struct policy_route {
    struct span name;
    struct span path; /* without the '*' of a prefix */
    bool is_prefix;   // "/app/*": matches "/app/" and everything below, not "/app"
    struct span host; /* a pattern (host.h); empty = any */
    struct policy_origin *origins;
    size_t origin_count;
    struct span *subprotocols; /* the server's favourite first */
    size_t subprotocol_count;  /* 0 = the client's first offer wins */
    bool is_client_order;      /* the client's favourite of the list wins, not the server's */
    struct addr_cidr *allow;   /* empty = all */
    size_t allow_count;
    struct addr_cidr *deny; /* wins over allow */
    size_t deny_count;
};

struct policy_request {
    const struct request *asked;
    const struct addr *source; /* len 0: nobody knows it, so a route with allow or deny refuses */
    bool is_secure;            /* the request came over TLS */
    struct span sni;           /* empty = the client sent none */
};

struct policy_decision {
    enum policy_verdict verdict;
    size_t route;            /* index; meaningless with POLICY_NO_ROUTE */
    struct span subprotocol; /* POLICY_OK: what to answer, empty = none; points into the route's
                                 list or the client's offers */
    const char *detail;      /* a refusal: a constant text that says what decided */
};

/* The port of a scheme whose origins have hosts and ports: http, https, ws, wss. 0: another scheme,
 * which has no port that everybody knows. */
uint16_t policy_default_port(struct span scheme);

/* Reads one entry of `origins =`: a keyword, or scheme://host[:port] as RFC 6454 6.2 serialises an
 * origin, in any letter case and with or without the scheme's own port. Of another scheme than
 * those of policy_default_port it is scheme:// and printable ASCII without a path; app://. and
 * file:// are legal. False when the entry is not legal, or when no Origin could ever match it: a
 * path, userinfo, a query, a host that is not ASCII (an IDN is legal as xn--), a dot at its end, an
 * IP address that is not canonical, "*" anywhere but as the whole first label. *out points into
 * `text`. */
MUST_CHECK bool policy_origin_parse(struct span text, struct policy_origin *out);

/* True when the entry admits the request. RFC 6454 5 says when two origins are the same: scheme and
 * host compare without letter case, and no port is the scheme's own port. What is no serialised
 * origin (userinfo, a path, a dot at the end) never matches. An origin of another scheme compares
 * byte for byte behind its scheme. `same` wants a page of http or https, over TLS of https. Where
 * Host has no port, `same` takes the default of Origin's scheme, because a TLS front may stand
 * before our plain ws://. */
bool policy_origin_matches(const struct policy_origin *entry, const struct policy_request *request);

/* Chooses the route: an exact path with a matching host goes before an exact path without host,
 * then the longest prefix with a matching host, then the longest prefix without host. Of two routes
 * that fit equally, a full host name goes before a wildcard, and then the first of the table.
 * Checks source, origin and subprotocol, in this order; the first refusal wins. When the chosen
 * route has a host, and the client sent an SNI that is not the name in Host, the verdict is
 * POLICY_NO_ROUTE, even if another route fits.
 *
 * DNS rebinding: a page of http://evil.example may let its name lead to sluice, and then Origin and
 * Host are the same. So without TLS, and on a route without host, `same` believes only a Host that
 * no name server decides about (host_is_local_or_address). A page of https cannot open a plain
 * ws:// itself: a TLS front has brought it, and its certificate has proven the Host. */
struct policy_decision policy_decide(const struct policy_route *routes, size_t route_count,
                                     const struct policy_request *request);

/* The same for a request that opens no WebSocket, and so offers no subprotocol. */
struct policy_decision policy_decide_plain(const struct policy_route *routes, size_t route_count,
                                           const struct policy_request *request);

#endif
