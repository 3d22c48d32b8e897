/* SPDX-License-Identifier: GPL-3.0-or-later */
/* addr.h: socket addresses and CIDR sets.
 *
 * For: parsing, printing, comparing and matching addresses. Not for: names (host.h), resolving,
 * sockets. IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) count as IPv4 everywhere. Pure; owns
 * nothing. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/span.h"

struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
    socklen_t len; /* 0 = no address */
};

#define ADDR_TEXT_MAX 128 /* bytes that addr_print needs at most, NUL included */

/* "127.0.0.1:80", "[::1]:80": a numeric address as host.h spells it, and a port from 0 to 65535
 * without leading zeros. */
MUST_CHECK bool addr_parse(struct span text, struct addr *out);
/* A numeric address without port ("10.0.0.1", "::1", "[::1]") and a port. */
MUST_CHECK bool addr_parse_host(struct span host, uint16_t port, struct addr *out);
/* A Unix socket path; false when empty or longer than sun_path holds. */
MUST_CHECK bool addr_from_unix_path(struct span path, struct addr *out);
/* Takes what accept() or getsockname() gave and maps ::ffff:a.b.c.d to IPv4. An unknown family
 * makes no address (len 0). */
void addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out);

/* Writes "127.0.0.1:80", "[::1]:80", "unix:/path" or "-"; always NUL-terminated; returns `out`. */
const char *addr_print(const struct addr *a, char *out, size_t size);

bool addr_is_equal(const struct addr *a, const struct addr *b); /* port included */
uint16_t addr_port(const struct addr *a);                       /* 0 for Unix sockets */
bool addr_is_loopback(const struct addr *a);                    /* Unix sockets count */

/* One CIDR block. */
struct addr_cidr {
    uint8_t bytes[16]; /* network order; IPv4 uses the first four */
    uint8_t bits;      /* prefix length */
    uint8_t family;    /* AF_INET or AF_INET6; AF_UNIX: all Unix sockets, with bits = 0 */
};

/* "10.0.0.0/8", "2001:db8::/32", a lone address = /32 or /128. Bits beyond the prefix are an error:
 * 10.0.0.1/8 is more often a slip than a wish. */
MUST_CHECK bool addr_cidr_parse(struct span text, struct addr_cidr *out);
bool addr_cidr_contains(const struct addr_cidr *cidr, const struct addr *a);

#endif
