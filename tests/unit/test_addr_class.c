/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/addr_class.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *text;
    enum addr_class want;
    unsigned bits; /* of the block; 0: none, or ::/0 */
} rows[] = {
    {"8.8.8.8", ADDR_GLOBAL, 0},
    {"127.0.0.1", ADDR_LOOPBACK, 8},
    {"::ffff:127.0.0.1", ADDR_LOOPBACK, 8},
    {"169.254.1.1", ADDR_LINK_LOCAL, 16},
    {"169.254.169.254", ADDR_METADATA, 32},
    {"255.255.255.255", ADDR_BROADCAST, 32},
    {"240.0.0.0", ADDR_RESERVED, 4},
    {"::", ADDR_UNSPECIFIED, 128},
    {"::1", ADDR_LOOPBACK, 128},
    {"::2", ADDR_RESERVED, 0},
    {"2600::", ADDR_GLOBAL, 3},
    {"1fff:ffff::", ADDR_RESERVED, 0},
    {"4000::", ADDR_RESERVED, 0},
    {"2001:1ff:ffff::", ADDR_RESERVED, 23},
    {"2001:200::", ADDR_GLOBAL, 3},
    {"2001:0:1::", ADDR_GLOBAL, 32},
    {"64:ff9b::", ADDR_GLOBAL, 96},
    {"64:ff9b:1::", ADDR_PRIVATE, 48},
    {"64:ff9b:0:0:0:1::", ADDR_RESERVED, 0},
    {"fe7f::", ADDR_RESERVED, 0},
    {"fe80::", ADDR_LINK_LOCAL, 10},
    {"fec0::", ADDR_PRIVATE, 10},
    {"ff00::", ADDR_MULTICAST, 8},
};

static void test_classes(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr a;
        CHECK_TRUE(rows[i].text, addr_parse_host(span_from_str(rows[i].text), 80, &a));
        CHECK_EQ_STR(rows[i].text, addr_class_name(addr_class(&a)), addr_class_name(rows[i].want));
        const struct addr_range *range = addr_find_range(&a);
        CHECK_EQ_U64(rows[i].text, range != NULL ? range->block.bits : 0, rows[i].bits);
        CHECK_TRUE(rows[i].text, range == NULL || addr_cidr_contains(&range->block, &a));
    }
}

/* What the kernel or a library may give: a mapped address that nobody has mapped back. */
static void test_raw(void)
{
    struct addr a;
    struct addr inner[ADDR_EMBEDDED_MAX];
    memset(&a, 0, sizeof(a));
    CHECK_EQ_INT("no address", addr_class(&a), ADDR_GLOBAL);
    CHECK_EQ_U64("no address", addr_embedded(&a, inner), 0);
    a.u.in6.sin6_family = AF_INET6;
    a.len = sizeof(a.u.in6);
    CHECK_EQ_INT("pton", inet_pton(AF_INET6, "::ffff:10.0.0.1", &a.u.in6.sin6_addr), 1);
    CHECK_EQ_INT("mapped", addr_class(&a), ADDR_PRIVATE);
    CHECK_EQ_U64("mapped", addr_embedded(&a, inner), 0);
    CHECK_TRUE("unix", addr_from_unix_path(SPAN_LIT("/run/a"), &a));
    CHECK_EQ_INT("unix", addr_class(&a), ADDR_GLOBAL);
    CHECK_EQ_U64("unix", addr_embedded(&a, inner), 0);
}

static const struct {
    const char *text;
    const char *want; /* with a blank behind each */
} embedded_rows[] = {
    {"1.2.3.4", ""},
    {"::", ""},
    {"::1", ""},
    {"2600::1", ""},
    {"::1.2.3.4", "1.2.3.4:80 "},
    {"::ffff:0:1.2.3.4", "1.2.3.4:80 "},
    {"64:ff9b::1.2.3.4", "1.2.3.4:80 "},
    {"2002:102:304::", "1.2.3.4:80 "},
    {"2001:0:102:304::fefd:fcfb", "1.2.3.4:80 1.2.3.4:80 "},
    {"2600::5efe:1.2.3.4", "1.2.3.4:80 "},
    {"2600::200:5efe:1.2.3.4", "1.2.3.4:80 "},
    {"2600::100:5efe:1.2.3.4", ""},
    {"64:ff9b:1::1.2.3.4", "1.2.3.4:80 "},
    {"64:ff9b:1:102:3:400::", "1.2.3.4:80 2.3.4.0:80 3.4.0.0:80 "},
};

static void test_embedded(void)
{
    for (size_t i = 0; i < COUNT(embedded_rows); i++) {
        char text[256] = "";
        char one[ADDR_TEXT_MAX];
        struct addr inner[ADDR_EMBEDDED_MAX];
        struct addr a;
        CHECK_TRUE(embedded_rows[i].text,
                   addr_parse_host(span_from_str(embedded_rows[i].text), 80, &a));
        size_t count = addr_embedded(&a, inner);
        for (size_t k = 0; k < count; k++) {
            size_t len = strlen(text);
            snprintf(text + len, sizeof(text) - len, "%s ",
                     addr_print(&inner[k], one, sizeof(one)));
        }
        CHECK_EQ_STR(embedded_rows[i].text, text, embedded_rows[i].want);
    }
}

/* The most that one address can carry. */
static void test_most(void)
{
    struct addr inner[ADDR_EMBEDDED_MAX];
    struct addr a;
    CHECK_TRUE("all", addr_parse_host(SPAN_LIT("64:ff9b:1:0102:0:5efe:506:708"), 80, &a));
    CHECK_TRUE("all", addr_embedded(&a, inner) <= ADDR_EMBEDDED_MAX);
    memset(&a.u.in6.sin6_addr.s6_addr[6], 1, 10);
    CHECK_EQ_U64("local NAT64", addr_embedded(&a, inner), 4);
}

CU_TestInfo addr_class_tests[] = {
    {"classes", test_classes},
    {"addresses as they came", test_raw},
    {"IPv4 addresses within IPv6 ones", test_embedded},
    {"as many as there can be", test_most},
    CU_TEST_INFO_NULL,
};
