/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/addr_class.h"

#include <arpa/inet.h>
#include <string.h>

#define V4(a_, b_, c_, d_, bits_, what_) \
    {{.bytes = {a_, b_, c_, d_}, .bits = (bits_), .family = AF_INET}, what_}
#define V6(bits_, what_, ...) {{.bytes = {__VA_ARGS__}, .bits = (bits_), .family = AF_INET6}, what_}

/* In any order: the narrowest block counts. */
static const struct addr_range ranges[] = {
    V4(0, 0, 0, 0, 8, ADDR_UNSPECIFIED), /* Linux takes 0.0.0.0 for 127.0.0.1 */
    V4(10, 0, 0, 0, 8, ADDR_PRIVATE),
    V4(100, 64, 0, 0, 10, ADDR_SHARED),
    V4(100, 100, 100, 200, 32, ADDR_METADATA), /* Alibaba Cloud */
    V4(127, 0, 0, 0, 8, ADDR_LOOPBACK),
    V4(168, 63, 129, 16, 32, ADDR_METADATA), /* Azure's WireServer */
    V4(169, 254, 0, 0, 16, ADDR_LINK_LOCAL),
    V4(169, 254, 169, 254, 32, ADDR_METADATA), /* nearly every cloud */
    V4(169, 254, 170, 2, 32, ADDR_METADATA),   /* Amazon's containers */
    V4(169, 254, 170, 23, 32, ADDR_METADATA),
    V4(172, 16, 0, 0, 12, ADDR_PRIVATE),
    V4(192, 0, 0, 0, 24, ADDR_RESERVED),
    V4(192, 0, 0, 192, 32, ADDR_METADATA), /* Oracle Cloud */
    V4(192, 0, 2, 0, 24, ADDR_DOCUMENTATION),
    V4(192, 88, 99, 0, 24, ADDR_RESERVED),
    V4(192, 168, 0, 0, 16, ADDR_PRIVATE),
    V4(198, 18, 0, 0, 15, ADDR_BENCHMARKING),
    V4(198, 51, 100, 0, 24, ADDR_DOCUMENTATION),
    V4(203, 0, 113, 0, 24, ADDR_DOCUMENTATION),
    V4(224, 0, 0, 0, 4, ADDR_MULTICAST),
    V4(240, 0, 0, 0, 4, ADDR_RESERVED),
    V4(255, 255, 255, 255, 32, ADDR_BROADCAST),

    V6(0, ADDR_RESERVED, 0), /* what nobody has been given */
    V6(128, ADDR_UNSPECIFIED, 0),
    V6(128, ADDR_LOOPBACK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    V6(96, ADDR_GLOBAL, 0, 0x64, 0xff, 0x9b), /* NAT64: the IPv4 address in it decides */
    V6(48, ADDR_PRIVATE, 0, 0x64, 0xff, 0x9b, 0, 1),
    V6(3, ADDR_GLOBAL, 0x20),
    V6(23, ADDR_RESERVED, 0x20, 0x01),
    V6(32, ADDR_GLOBAL, 0x20, 0x01), /* Teredo: the IPv4 addresses in it decide */
    V6(48, ADDR_BENCHMARKING, 0x20, 0x01, 0, 2),
    V6(32, ADDR_DOCUMENTATION, 0x20, 0x01, 0x0d, 0xb8),
    V6(20, ADDR_DOCUMENTATION, 0x3f, 0xff),
    V6(7, ADDR_PRIVATE, 0xfc),
    V6(128, ADDR_METADATA, 0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54),
    V6(128, ADDR_METADATA, 0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23),
    V6(128, ADDR_METADATA, 0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54),
    V6(10, ADDR_LINK_LOCAL, 0xfe, 0x80),
    V6(128, ADDR_METADATA, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0xfe, 0xa9, 0xfe),
    V6(10, ADDR_PRIVATE, 0xfe, 0xc0),
    V6(8, ADDR_MULTICAST, 0xff),
};

/* Maps ::ffff:a.b.c.d to IPv4, wherever the address comes from. */
static struct addr plain(const struct addr *a)
{
    struct addr out;
    addr_from_sockaddr(&a->u.sa, a->len, &out);
    return out;
}

const struct addr_range *addr_find_range(const struct addr *a)
{
    const struct addr_range *best = NULL;
    if (a->len == 0) {
        return NULL;
    }
    struct addr known = plain(a);
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (addr_cidr_contains(&ranges[i].block, &known) &&
            (best == NULL || ranges[i].block.bits > best->block.bits)) {
            best = &ranges[i];
        }
    }
    return best;
}

enum addr_class addr_class(const struct addr *a)
{
    const struct addr_range *range = addr_find_range(a);
    return range != NULL ? range->what : ADDR_GLOBAL;
}

const char *addr_class_name(enum addr_class what)
{
    static const char *const names[ADDR_CLASSES] = {
        [ADDR_GLOBAL] = "global",
        [ADDR_UNSPECIFIED] = "unspecified",
        [ADDR_LOOPBACK] = "loopback",
        [ADDR_PRIVATE] = "private",
        [ADDR_SHARED] = "shared",
        [ADDR_LINK_LOCAL] = "link-local",
        [ADDR_METADATA] = "metadata",
        [ADDR_MULTICAST] = "multicast",
        [ADDR_BROADCAST] = "broadcast",
        [ADDR_DOCUMENTATION] = "documentation",
        [ADDR_BENCHMARKING] = "benchmarking",
        [ADDR_RESERVED] = "reserved",
    };
    return names[what];
}

/* --- IPv4 addresses within IPv6 ones --------------------------------------------------------- */

/* A prefix, and where the four bytes stand behind it. */
struct embedding {
    struct addr_cidr prefix;
    uint8_t at[4];
    uint8_t flip; /* the bytes are inverted */
};

#define FORM(bits_, at_, flip_, ...) \
    {{.bytes = {__VA_ARGS__}, .bits = (bits_), .family = AF_INET6}, at_, flip_}
#define AT(a_, b_, c_, d_) {a_, b_, c_, d_}
#define LAST AT(12, 13, 14, 15)
#define LOCAL_NAT64 0, 0x64, 0xff, 0x9b, 0, 1

static const struct embedding forms[] = {
    FORM(96, LAST, 0, 0), /* IPv4-compatible */
    FORM(96, LAST, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0),
    FORM(96, LAST, 0, 0, 0x64, 0xff, 0x9b),
    FORM(48, AT(6, 7, 9, 10), 0, LOCAL_NAT64),
    FORM(48, AT(7, 9, 10, 11), 0, LOCAL_NAT64),
    FORM(48, AT(9, 10, 11, 12), 0, LOCAL_NAT64),
    FORM(48, LAST, 0, LOCAL_NAT64),
    FORM(16, AT(2, 3, 4, 5), 0, 0x20, 0x02),
    FORM(32, AT(4, 5, 6, 7), 0, 0x20, 0x01),
    FORM(32, LAST, 0xff, 0x20, 0x01),
};

static void put(const uint8_t *from, const struct embedding *form, uint16_t port, struct addr *out)
{
    uint8_t bytes[4];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = from[form->at[i]] ^ form->flip;
    }
    memset(out, 0, sizeof(*out));
    out->u.in.sin_family = AF_INET;
    out->u.in.sin_port = htons(port);
    memcpy(&out->u.in.sin_addr, bytes, sizeof(bytes));
    out->len = sizeof(out->u.in);
}

static bool is_isatap(const uint8_t *bytes)
{
    return (bytes[8] & 0xfd) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe;
}

/* Of several lengths of prefix one counts, and the others read zeros. */
static bool is_read_wrong(const struct embedding *form, const struct addr *found)
{
    return form->prefix.bits == 48 && (ntohl(found->u.in.sin_addr.s_addr) >> 24) == 0;
}

size_t addr_embedded(const struct addr *a, struct addr out[ADDR_EMBEDDED_MAX])
{
    static const struct embedding isatap = {.at = LAST};
    struct addr known = plain(a);
    const uint8_t *bytes = known.u.in6.sin6_addr.s6_addr;
    size_t count = 0;

    if (known.len == 0 || known.u.sa.sa_family != AF_INET6 ||
        IN6_IS_ADDR_UNSPECIFIED(&known.u.in6.sin6_addr) ||
        IN6_IS_ADDR_LOOPBACK(&known.u.in6.sin6_addr)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (addr_cidr_contains(&forms[i].prefix, &known)) {
            put(bytes, &forms[i], addr_port(&known), &out[count]);
            count += is_read_wrong(&forms[i], &out[count]) ? 0 : 1;
        }
    }
    if (is_isatap(bytes)) {
        put(bytes, &isatap, addr_port(&known), &out[count++]);
    }
    return count;
}
