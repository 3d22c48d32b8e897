/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dial_addresses.h: the addresses of a dial's candidate, in the order in which the dial tries them.
 * A part of dial, for nobody else.
 *
 * The candidate's own addresses keep their order. Resolved ones alternate between the families (RFC
 * 8305 section 4): IPv6 begins, unless RFC 6724 prefers IPv4 or IPv4 was known 50 ms earlier. */
#ifndef GATE_DIAL_ADDRESSES_H
#define GATE_DIAL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "gate/dial.h"
#include "io/resolver.h"

struct dial_lane {
    const struct addr *addrs;
    size_t count;
    size_t next; /* index of the first one not handed out */
};

struct dial_addresses {
    struct dial_lane lanes[2]; /* IPv6 or the candidate's own; IPv4 */
    size_t turn;               /* the lane whose turn it is */
    bool has_begun;            /* an address was handed out */
    struct addr resolved[2][DIAL_ADDRS_MAX];
};

/* The candidate's own addresses; none when the dial resolves its name. */
void dial_addresses_init(struct dial_addresses *list, const struct addr *addrs, size_t count);
/* The same with a copy of `addrs`, at most RESOLVER_ADDRS_MAX. */
void dial_addresses_keep(struct dial_addresses *list, const struct addr *addrs, size_t count);
/* Adds a copy of what the resolver found. */
void dial_addresses_add(struct dial_addresses *list, const struct resolver_answer *answer);
bool dial_addresses_is_empty(const struct dial_addresses *list);
/* Hands out the next address; the list is not empty. */
const struct addr *dial_addresses_take(struct dial_addresses *list);

#endif
