/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resolver.h: names to addresses, with c-ares on the worker's own loop: no threads.
 *
 * For: the backends' names. Not for: literals (addr_parse_host), choosing among the answers. Every
 * answer comes from the loop, never from inside resolver_start, and never after resolver_cancel. */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "io/reactor.h"

#define RESOLVER_ADDRS_MAX 16 /* the resolver ignores more answers */

/* The resolver heeds no environment variables: it removes LOCALDOMAIN and RES_OPTIONS from the
 * environment. It reads resolv.conf when it is made, and the hosts file at each query. c-ares of
 * Debian 13 keeps answers for as long as their TTL says. */
struct resolver;
/* NULL: no memory, or a resolv.conf that cannot be read. */
MUST_CHECK struct resolver *resolver_new(struct reactor *r);
/* Cancels every query. Not for use inside a callback of the resolver. */
void resolver_free(struct resolver *resolver);
/* For tests: asks these name servers ("127.0.0.1:5353,[::1]:53") instead of the system's. False
 * when `csv` is no such list, or while a query is under way. */
MUST_CHECK bool resolver_set_servers(struct resolver *resolver, const char *csv);

struct resolver_query;
/* count 0: the name has no address, does not exist, or nobody answered. IPv6 and IPv4 alternate,
 * beginning with the family that the system prefers (RFC 8305 section 4). */
typedef void resolver_fn(void *owner, const struct addr *addrs, size_t count);

/* Looks up A and AAAA (and the hosts file). NULL: no memory. The query ends by itself within 5 s;
 * the caller has its own deadline. The callback ends the query, whose handle is then gone. */
MUST_CHECK struct resolver_query *resolver_start(struct resolver *resolver, const char *name,
                                                 uint16_t port, resolver_fn *callback, void *owner);
/* The callback of the query never comes. */
void resolver_cancel(struct resolver_query *query);

#endif
