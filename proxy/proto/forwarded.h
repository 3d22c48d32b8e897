/* SPDX-License-Identifier: GPL-3.0-or-later */
/* forwarded.h: who the client is, as HTTP proxies in front tell it.
 *
 * For: X-Forwarded-For with X-Forwarded-Host and X-Forwarded-Proto, and Forwarded (RFC 7239). Not
 * for: the PROXY protocol (proxy_header), choosing the header (the listener's `forwarded` does; the
 * other one is not looked at), refusing anybody (admission).
 *
 * Every proxy writes whom it has seen behind what is there already, and anybody may write anything
 * in front of that. So the scan goes from right to left, and believes an element only when a
 * trusted proxy wrote it: the peer the last one, whom it names the one before, and so on. It ends
 * at the first address that is no trusted proxy: that is the client. What stands further left does
 * not matter, however it looks; it cannot change how the rest is read, either, because quotes are
 * looked for from the right too.
 *
 * Pure. Spans point into the header values. */
#ifndef PROTO_FORWARDED_H
#define PROTO_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/span.h"
#include "proto/request.h"

#define FORWARDED_LINES_MAX 16 /* header lines of one name that are looked at: the last ones */
#define FORWARDED_HOPS_MAX 32  /* elements that are read */

struct forwarded_trust {
    const struct addr_cidr *blocks;
    size_t count; /* a block of family AF_UNIX: whoever comes over a Unix socket */
};

/* True: this address may speak for others. */
bool forwarded_is_trusted(const struct forwarded_trust *trust, const struct addr *a);

/* The values of all header lines of one name, in their order; together they are one list. */
struct forwarded_lines {
    struct span values[FORWARDED_LINES_MAX];
    size_t count;
    bool is_cut; /* there were more in front */
};
void forwarded_collect(const struct request *request, struct span name,
                       struct forwarded_lines *out);

enum forwarded_kind { FORWARDED_X = 0, FORWARDED_RFC7239 };

enum forwarded_end {
    FORWARDED_PEER = 0,  /* the peer is the client: it is not trusted, or tells nothing */
    FORWARDED_FOUND,     /* a proxy named the client; or all it named are trusted, and the client is
                            the leftmost */
    FORWARDED_HIDDEN,    /* a proxy does not tell for whom it speaks ("unknown", "_secret") */
    FORWARDED_MALFORMED, /* a proxy wrote what cannot be read */
    FORWARDED_TOO_MANY   /* more trusted proxies than FORWARDED_HOPS_MAX, or too many lines */
};

struct forwarded {
    enum forwarded_end end;
    /* Its port is 0 when nobody told it. With HIDDEN, MALFORMED and TOO_MANY it is the proxy whose
     * word could not be followed, so it is an address that may have rights which the client has
     * not: look at `end` before granting any. */
    struct addr client;
    struct span host;   /* HOST[:PORT] that the client asked for, in the word of the proxy that is
                           nearest to it; empty: no trusted proxy told */
    struct span scheme; /* "https": how the client came to that proxy; empty: nobody told */
    size_t hops;        /* elements that were believed */
    const char *detail; /* a constant text, for the log; empty with PEER and FOUND */
};

/* `lines`: of X-Forwarded-For or Forwarded; `hosts` and `schemes`: of X-Forwarded-Host and
 * X-Forwarded-Proto, NULL with Forwarded. Of these two each element belongs to the element of
 * X-Forwarded-For at the same place from the right; proxies often write only one.
 *
 * Addresses may have ports, and in X-Forwarded-For IPv6 needs no brackets. Empty elements do not
 * count (RFC 9110 5.6.1.2). Forwarded is read as RFC 7239 4 says, but blanks may stand around a
 * pair, and `for=1.2.3.4:80` and `for=[::1]` need no quotes, because their meaning is clear. */
void forwarded_find(enum forwarded_kind kind, const struct forwarded_lines *lines,
                    const struct forwarded_lines *hosts, const struct forwarded_lines *schemes,
                    const struct addr *peer, const struct forwarded_trust *trust,
                    struct forwarded *out);

#endif
