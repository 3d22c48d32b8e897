/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dial_addresses.h"

#include <assert.h>
#include <string.h>

#include "io/net.h"

void dial_addresses_init(struct dial_addresses *list, const struct addr *addrs, size_t count)
{
    list->lanes[0] = (struct dial_lane){.addrs = addrs, .count = count};
    list->lanes[1] = (struct dial_lane){.count = 0};
    list->turn = 0;
    list->has_begun = false;
}

void dial_addresses_keep(struct dial_addresses *list, const struct addr *addrs, size_t count)
{
    assert(count <= RESOLVER_ADDRS_MAX);
    if (count > 0) {
        memcpy(list->resolved[0], addrs, count * sizeof(addrs[0]));
    }
    dial_addresses_init(list, list->resolved[0], count);
}

static bool is_lane_empty(const struct dial_lane *lane)
{
    return lane->next == lane->count;
}

bool dial_addresses_is_empty(const struct dial_addresses *list)
{
    return is_lane_empty(&list->lanes[0]) && is_lane_empty(&list->lanes[1]);
}

/* The kinds of IPv6 addresses between which RFC 6724 makes a difference here. */
enum kind { KIND_GLOBAL = 0, KIND_LOOPBACK, KIND_BELOW_IPV4 };

static enum kind kind_of(const struct addr *a)
{
    const uint8_t *b = a->u.in6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr)) {
        return KIND_LOOPBACK;
    }
    /* Local ones, link-local ones, 6to4, Teredo. */
    bool is_below = (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0x80) == 0x80) ||
                    (b[0] == 0x20 && b[1] == 0x02) ||
                    (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0);
    return is_below ? KIND_BELOW_IPV4 : KIND_GLOBAL;
}

/* RFC 6724 section 6, rules 1, 2, 5 and 6: IPv6 comes first when it can be used, from an address of
 * the same kind, and that kind is preferred to IPv4. */
static bool is_ipv6_first(const struct addr *to)
{
    struct addr from;
    enum kind kind = kind_of(to);
    return kind != KIND_BELOW_IPV4 && net_source_addr(to, &from) &&
           from.u.sa.sa_family == AF_INET6 && kind_of(&from) == kind;
}

void dial_addresses_add(struct dial_addresses *list, const struct resolver_answer *answer)
{
    size_t which = answer->is_ipv6 ? 0 : 1;
    size_t count = size_min(answer->count, DIAL_ADDRS_MAX);
    if (count == 0) {
        return;
    }
    memcpy(list->resolved[which], answer->addrs, count * sizeof(answer->addrs[0]));
    list->lanes[which] = (struct dial_lane){.addrs = list->resolved[which], .count = count};
}

const struct addr *dial_addresses_take(struct dial_addresses *list)
{
    assert(!dial_addresses_is_empty(list));
    bool has_both = !is_lane_empty(&list->lanes[0]) && !is_lane_empty(&list->lanes[1]);
    if (!list->has_begun && has_both && !is_ipv6_first(&list->lanes[0].addrs[0])) {
        list->turn = 1;
    }
    list->has_begun = true;
    if (is_lane_empty(&list->lanes[list->turn])) {
        list->turn ^= 1;
    }
    struct dial_lane *lane = &list->lanes[list->turn];
    list->turn ^= 1;
    return &lane->addrs[lane->next++];
}
