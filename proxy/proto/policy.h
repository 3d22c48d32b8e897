/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.h: who may have which route.
 *
 * For: (host, path, source, origin, subprotocols) to a route or a named refusal. Not for: reading
 * configuration text files, limits that count over time. Pure: the tables are built once by the
 * configuration and never change; spans in them live as long as the snapshot. */
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
    POLICY_ORIGIN_SAME,     /* Origin's host and port are the Host header's */
    POLICY_ORIGIN_ANY,      /* "*": any, also null and an absent header */
    POLICY_ORIGIN_NULL,     /* the literal "null" */
    POLICY_ORIGIN_NONE      /* header absent */
};

struct policy_origin {
    enum policy_origin_kind kind;
    struct span scheme; /* lower case */
    struct span host;   /* a canonical host, or "*." and one: exactly one label in front (host.h) */
    uint16_t port;      /* always set: the scheme's default (80, 443) when none was written */
};

struct policy_route {
    struct span name;
    struct span path; /* without the '*' of a prefix */
    bool is_prefix;   // "/app/*": matches "/app/" and everything below, not "/app"
    struct span host; /* a pattern (host.h), lower case; empty = any */
    struct policy_origin *origins;
    size_t origin_count;
    struct span *subprotocols; /* the server's order */
    size_t subprotocol_count;  /* 0 = the client's first offer is taken */
    struct addr_cidr *allow;   /* empty = all */
    size_t allow_count;
    struct addr_cidr *deny; /* wins over allow */
    size_t deny_count;
};

struct policy_request {
    const struct request *asked;
    const struct addr *source;
    bool is_secure;  /* came over TLS */
    struct span sni; /* empty = none sent */
};

struct policy_decision {
    enum policy_verdict verdict;
    size_t route;            /* index; meaningful unless POLICY_NO_ROUTE */
    struct span subprotocol; /* POLICY_OK: what to answer, empty = none; points into the route's
                                 list or the client's offer */
};

/* One item of `origins =`: a keyword, or scheme://host[:port] with scheme http or https. False when
 * it is not a legal entry or could never match a browser's Origin: a path, userinfo, a query, an
 * upper-case or non-ASCII host (write an IDN as xn--), a trailing dot, an IP address not in its
 * usual writing, "*" elsewhere than as the whole first label. The scheme's own port may be written.
 * `text` must outlive *out. */
MUST_CHECK bool policy_origin_parse(struct span text, struct policy_origin *out);

/* Does one entry admit the request? `origin` as sent, compared byte for byte as an ASCII
 * serialisation (RFC 6454 6.2): upper case, userinfo, a path, a trailing dot or the scheme's own
 * port written out never match. `same` without a port in Host means 443 over TLS, and over plain
 * ws:// the default of Origin's own scheme (a TLS front may stand before us); over TLS it asks for
 * https. */
bool policy_origin_matches(const struct policy_origin *entry, const struct policy_request *request);

/* The first of: an exact path with a matching host, an exact path without host, the longest prefix
 * with a matching host, the longest prefix without host; a full host name goes before a wildcard,
 * else the order of the table decides. Then source, origin, subprotocol, in this order; the first
 * refusal wins. When the chosen route has a host and the TLS SNI (if one was sent) is another name
 * than the Host header's, it is POLICY_NO_ROUTE, whatever other route would have fitted. */
struct policy_decision policy_decide(const struct policy_route *routes, size_t route_count,
                                     const struct policy_request *request);

#endif
