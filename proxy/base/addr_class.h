/* SPDX-License-Identifier: GPL-3.0-or-later */
/* addr_class.h: what kind of network an address belongs to.
 *
 * For: telling addresses of the Internet from those that only mean something on this machine, in
 * this network or in a document, as the IANA registries for special purposes list them (RFC 6890),
 * and from those at which clouds hand out credentials; the IPv4 addresses that some IPv6 addresses
 * carry. Not for: whether anybody may connect to an address (proto/target). Pure; owns nothing.
 *
 * An IPv4-mapped address (::ffff:a.b.c.d) is the IPv4 address that it maps. */
#ifndef BASE_ADDR_CLASS_H
#define BASE_ADDR_CLASS_H

#include "base/addr.h"

enum addr_class {
    ADDR_GLOBAL = 0,
    ADDR_UNSPECIFIED, /* 0.0.0.0/8, :: */
    ADDR_LOOPBACK,
    ADDR_PRIVATE,    /* RFC 1918, RFC 4193, and site-local ones */
    ADDR_SHARED,     /* 100.64.0.0/10: behind a provider's address translation */
    ADDR_LINK_LOCAL, /* 169.254.0.0/16, fe80::/10 */
    ADDR_METADATA,   /* where a cloud's machine learns its credentials */
    ADDR_MULTICAST,
    ADDR_BROADCAST,
    ADDR_DOCUMENTATION,
    ADDR_BENCHMARKING,
    ADDR_RESERVED, /* for protocols, for the future, or for nobody */
    ADDR_CLASSES
};

struct addr_range {
    struct addr_cidr block;
    enum addr_class what;
};

/* The narrowest block of the registries that contains the address; NULL: no block does, or the
 * address is none of IPv4 or IPv6. */
const struct addr_range *addr_find_range(const struct addr *a);
/* ADDR_GLOBAL where addr_find_range finds nothing. */
enum addr_class addr_class(const struct addr *a);
/* "loopback", "link-local"; a constant. */
const char *addr_class_name(enum addr_class what);

#define ADDR_EMBEDDED_MAX 5
/* The IPv4 addresses to which a translator or a tunnel may send what is sent to `a`: 6to4 (RFC
 * 3056), Teredo (RFC 4380; the server's and the client's), NAT64 (RFC 6052, and RFC 8215 with each
 * length of prefix), SIIT (RFC 2765), IPv4-compatible (RFC 4291 2.5.5.1), ISATAP (RFC 5214). They
 * have the port of `a`. Returns how many. */
size_t addr_embedded(const struct addr *a, struct addr out[ADDR_EMBEDDED_MAX]);

#endif
