/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host.h: what a host is, wherever one is written.
 *
 * For: the Host header, origins, SNI and certificate names, a route's `host`, backends. Not for:
 * looking names up, ports of listeners (they may be 0: addr_parse). Pure; owns nothing.
 *
 * A host is one of three:
 *   - an IPv4 address in its one good spelling: four decimal numbers without leading zeros;
 *   - an IPv6 address without a zone (RFC 4291 2.2), in brackets wherever a port may follow;
 *   - a name: labels of 1 to 63 letters, digits, hyphens and underscores (RFC 1123 2.1), at most
 *     253 bytes, not counting one dot that may stand at its end. Hyphens and underscores may stand
 *     anywhere in a label: names of Docker, Compose and Windows have them.
 * A name never ends in a number (WHATWG URL 3.5, "ends in a number"): its last label is neither
 * digits alone nor 0x with hexadecimal digits or nothing behind. Browsers and resolvers read such a
 * text ("127.1", "a.0x1") as an IPv4 address, so here it is one in its good spelling, or no host.
 *
 * Letter case does not matter. "a.example." is another name than "a.example" here. Text that is not
 * ASCII is no host: write it as xn--. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define HOST_NAME_BYTES_MAX 253
#define HOST_LABEL_BYTES_MAX 63

enum host_kind { HOST_NONE = 0, HOST_NAME, HOST_IPV4, HOST_IPV6 };

/* What `text`, without brackets and port, is; HOST_NONE when it is no host. */
enum host_kind host_kind(struct span text);

/* The same, and the address in network order: four bytes of HOST_IPV4, sixteen of HOST_IPV6. */
enum host_kind host_address(struct span text, uint8_t out_bytes[16]);

/* A port: 1 to 65535, decimal, without sign and leading zeros. */
MUST_CHECK bool host_parse_port(struct span text, uint16_t *out);

/* HOST or HOST:PORT, as in a Host header or behind the "//" of a URL. *out_host has no brackets;
 * *out_port is 0 when there is none. Userinfo, an empty port and %-encoding are refused. */
MUST_CHECK bool host_split(struct span text, struct span *out_host, uint16_t *out_port);

/* True when a host, of any kind but HOST_NONE, is spelt as browsers spell it in Host and Origin
 * headers, but for letter case: without a dot at the end, IPv6 as the serializer of WHATWG URL 3.5
 * writes it. */
bool host_is_canonical(struct span host);

bool host_is_equal(struct span a, struct span b);

/* True for hosts that no name server decides about: addresses, localhost and what is below it
 * (RFC 6761 6.3). A page cannot make a name of its own lead here (DNS rebinding). */
bool host_is_local_or_address(struct span host);

/* A pattern is a host without a dot at the end, or "*." and a name: one label more than the name.
 */
bool host_is_pattern(struct span text);

enum host_match { HOST_DIFFERS = 0, HOST_FITS_WILDCARD, HOST_FITS_EXACTLY };

/* The better a pattern fits, the larger the value. */
enum host_match host_match(struct span pattern, struct span host);

#endif
