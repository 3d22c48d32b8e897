/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *print(const struct addr *a)
{
    static char text[ADDR_TEXT_MAX];
    return addr_print(a, text, sizeof(text));
}

static const struct {
    const char *text;
    const char *printed; /* NULL: the parser refuses it */
} parse_rows[] = {
    {"127.0.0.1:80", "127.0.0.1:80"},
    {"0.0.0.0:0", "0.0.0.0:0"},
    {"255.255.255.255:65535", "255.255.255.255:65535"},
    {"[::1]:80", "[::1]:80"},
    {"[::]:0", "[::]:0"},
    {"[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]:443"},
    {"[::ffff:10.1.2.3]:80", "10.1.2.3:80"},
    {"[::FFFF:a01:203]:80", "10.1.2.3:80"},
    {"[::1.2.3.4]:80", "[::1.2.3.4]:80"},
    {"[64:ff9b::1.2.3.4]:80", "[64:ff9b::102:304]:80"},
    {"", NULL},
    {":", NULL},
    {":80", NULL},
    {"127.0.0.1", NULL},
    {"127.0.0.1:", NULL},
    {"127.0.0.1:65536", NULL},
    {"127.0.0.1:99999", NULL},
    {"127.0.0.1:000080", NULL},
    {"127.0.0.1:080", NULL},
    {"127.0.0.1:00", NULL},
    {"127.0.0.1:-1", NULL},
    {"127.0.0.1:+80", NULL},
    {"127.0.0.1: 80", NULL},
    {"127.0.0.1:80 ", NULL},
    {" 127.0.0.1:80", NULL},
    {"127.0.0.1:80:80", NULL},
    {"127.0.0.1:http", NULL},
    {"127.0.0.01:80", NULL},
    {"127.000.0.1:80", NULL},
    {"0177.0.0.1:80", NULL},
    {"0x7f.0.0.1:80", NULL},
    {"127.1:80", NULL},
    {"2130706433:80", NULL},
    {"256.0.0.1:80", NULL},
    {"1.2.3.4.5:80", NULL},
    {"1.2.3.4.:80", NULL},
    {"localhost:80", NULL},
    {"*:80", NULL},
    {"::1:80", NULL},
    {"[::1]", NULL},
    {"[::1]:", NULL},
    {"[::1]80", NULL},
    {"[::1", NULL},
    {"[", NULL},
    {"[]:80", NULL},
    {"[]", NULL},
    {"::1]:80", NULL},
    {"[[::1]]:80", NULL},
    {"[::1]]:80", NULL},
    {"[127.0.0.1]:80", NULL},
    {"[fe80::1%lo]:80", NULL},
    {"[fe80::1%1]:80", NULL},
    {"[fe80::1%251]:80", NULL},
    {"[:::1]:80", NULL},
    {"[1::2::3]:80", NULL},
    {"[12345::]:80", NULL},
    {"[1:2:3:4:5:6:7]:80", NULL},
    {"[1:2:3:4:5:6:7:8:9]:80", NULL},
    {"[::ffff:1.2.3.04]:80", NULL},
    {"[0000:0000:0000:0000:0000:0000:0000:00000000000000000001]:80", NULL},
    {"unix:/tmp/x", NULL},
};

static void test_parse(void)
{
    for (size_t i = 0; i < COUNT(parse_rows); i++) {
        struct addr a = {.len = 0};
        bool is_good = addr_parse(span_from_str(parse_rows[i].text), &a);
        CHECK_EQ_INT(parse_rows[i].text, is_good, parse_rows[i].printed != NULL);
        if (is_good) {
            CHECK_EQ_STR(parse_rows[i].text, print(&a), parse_rows[i].printed);
        }
    }
    struct addr a;
    CHECK_FALSE("NUL in the host", addr_parse(SPAN_LIT("127.0.0.1\0:80"), &a));
    CHECK_FALSE("NUL in the port", addr_parse(SPAN_LIT("127.0.0.1:80\0"), &a));
    CHECK_FALSE("NULL", addr_parse((struct span){NULL, 0}, &a));
}

/* A text that is cut anywhere has a shorter port, or is no address. */
static void test_parse_cut(void)
{
    static const char *const texts[] = {"127.0.0.1:65535", "[2001:db8::1]:65535"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t len = strlen(texts[i]);
        for (size_t cut = 0; cut <= len; cut++) {
            struct addr a;
            CHECK_EQ_INT(texts[i], addr_parse((struct span){texts[i], cut}, &a), cut + 5 > len);
        }
    }
}

static void test_parse_host(void)
{
    static const struct {
        const char *text;
        const char *printed;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1:7"},
        {"::1", "[::1]:7"},
        {"[::1]", "[::1]:7"},
        {"::ffff:1.2.3.4", "1.2.3.4:7"},
        {"", NULL},
        {"[]", NULL},
        {"[10.0.0.1]", NULL},
        {"10.0.0.1:7", NULL},
        {"[::1]:7", NULL},
        {"[::1", NULL},
        {"::1]", NULL},
        {"fe80::1%eth0", NULL},
        {"10.0.0.01", NULL},
        {"name", NULL},
        {"[", NULL},
        {"]", NULL},
        {"1.2.3.4 ", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr a = {.len = 0};
        bool is_good = addr_parse_host(span_from_str(rows[i].text), 7, &a);
        CHECK_EQ_INT(rows[i].text, is_good, rows[i].printed != NULL);
        if (is_good) {
            CHECK_EQ_STR(rows[i].text, print(&a), rows[i].printed);
            CHECK_EQ_U64(rows[i].text, addr_port(&a), 7);
        }
    }
}

static void test_unix(void)
{
    char path[200];
    struct addr a;
    struct addr b;
    memset(path, 'x', sizeof(path));
    CHECK_TRUE("short", addr_from_unix_path(SPAN_LIT("/run/a.sock"), &a));
    CHECK_EQ_STR("short", print(&a), "unix:/run/a.sock");
    CHECK_EQ_U64("no port", addr_port(&a), 0);
    CHECK_TRUE("loopback", addr_is_loopback(&a));
    CHECK_TRUE("longest", addr_from_unix_path((struct span){path, 107}, &b));
    CHECK_EQ_U64("longest", strlen(print(&b)), 112);
    CHECK_FALSE("too long", addr_from_unix_path((struct span){path, 108}, &b));
    CHECK_FALSE("empty", addr_from_unix_path(SPAN_LIT(""), &b));
    CHECK_FALSE("NUL", addr_from_unix_path(SPAN_LIT("/run\0x"), &b));
    CHECK_FALSE("another path", addr_is_equal(&a, &b));
    CHECK_TRUE("same path", addr_from_unix_path(SPAN_LIT("/run/a.sock"), &b));
    CHECK_TRUE("same path", addr_is_equal(&a, &b));
}

static void test_from_sockaddr_ip(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(81)};
    struct sockaddr_storage other = {.ss_family = AF_APPLETALK};
    struct addr a;
    in.sin_addr.s_addr = htonl(0x0a010203);
    addr_from_sockaddr((struct sockaddr *)&in, sizeof(in), &a);
    CHECK_EQ_STR("IPv4", print(&a), "10.1.2.3:80");
    CHECK_EQ_U64("IPv4", a.len, sizeof(in));
    addr_from_sockaddr((struct sockaddr *)&in, sizeof(in) - 1, &a);
    CHECK_EQ_STR("IPv4, cut", print(&a), "-");
    CHECK_EQ_INT("pton", inet_pton(AF_INET6, "2001:db8::5", &in6.sin6_addr), 1);
    addr_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &a);
    CHECK_EQ_STR("IPv6", print(&a), "[2001:db8::5]:81");
    addr_from_sockaddr((struct sockaddr *)&in6, sizeof(in6) - 1, &a);
    CHECK_EQ_STR("IPv6, cut", print(&a), "-");
    CHECK_EQ_INT("pton", inet_pton(AF_INET6, "::ffff:9.8.7.6", &in6.sin6_addr), 1);
    addr_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &a);
    CHECK_EQ_STR("mapped", print(&a), "9.8.7.6:81");
    CHECK_EQ_U64("mapped", a.len, sizeof(in));
    CHECK_EQ_INT("mapped", a.u.sa.sa_family, AF_INET);
    addr_from_sockaddr((struct sockaddr *)&other, sizeof(other), &a);
    CHECK_EQ_STR("another family", print(&a), "-");
    addr_from_sockaddr(NULL, 0, &a);
    CHECK_EQ_STR("none", print(&a), "-");
    addr_from_sockaddr((struct sockaddr *)&in, 1, &a);
    CHECK_EQ_STR("no room for a family", print(&a), "-");
}

static void test_from_sockaddr_unix(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const socklen_t base = offsetof(struct sockaddr_un, sun_path);
    struct addr a;
    addr_from_sockaddr((struct sockaddr *)&un, base, &a);
    CHECK_EQ_STR("unnamed", print(&a), "unix:");
    memcpy(un.sun_path, "/a/b", 4);
    addr_from_sockaddr((struct sockaddr *)&un, base + 4, &a);
    CHECK_EQ_STR("without NUL", print(&a), "unix:/a/b");
    addr_from_sockaddr((struct sockaddr *)&un, base + 5, &a);
    CHECK_EQ_STR("with NUL", print(&a), "unix:/a/b");
    memcpy(un.sun_path, "\0ab\0c", 5);
    addr_from_sockaddr((struct sockaddr *)&un, base + 5, &a);
    CHECK_EQ_STR("abstract", print(&a), "unix:@ab@c");
    memset(un.sun_path, 'y', sizeof(un.sun_path));
    addr_from_sockaddr((struct sockaddr *)&un, sizeof(un), &a);
    CHECK_EQ_U64("full, no NUL", strlen(print(&a)), 5 + sizeof(un.sun_path));
    un.sun_path[0] = '\0';
    addr_from_sockaddr((struct sockaddr *)&un, sizeof(un), &a);
    CHECK_EQ_U64("abstract, full", strlen(print(&a)), 5 + sizeof(un.sun_path));
    addr_from_sockaddr((struct sockaddr *)&un, sizeof(un) + 1, &a);
    CHECK_EQ_U64("the kernel says more than it wrote", a.len, sizeof(un));
}

static void test_print_into_little(void)
{
    struct addr a;
    char text[8];
    CHECK_TRUE("parse", addr_parse(SPAN_LIT("127.0.0.1:80"), &a));
    CHECK_EQ_STR("cut", addr_print(&a, text, sizeof(text)), "127.0.0");
    CHECK_EQ_STR("one byte", addr_print(&a, text, 1), "");
    a.len = 0;
    CHECK_EQ_STR("none", addr_print(&a, text, sizeof(text)), "-");
}

static struct addr must_parse(const char *text)
{
    struct addr a = {.len = 0};
    CHECK_TRUE(text, addr_parse(span_from_str(text), &a));
    return a;
}

static void test_equal_and_loopback(void)
{
    static const char *const different[] = {"127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80",
                                            "[::1]:80",     "[::1]:81",     "[::2]:80",
                                            "10.0.0.1:80",  "[::7f00:1]:80"};
    static const bool is_loopback[] = {true, true, true, true, true, false, false, false};
    struct addr none = {.len = 0};
    for (size_t i = 0; i < COUNT(different); i++) {
        struct addr a = must_parse(different[i]);
        for (size_t k = 0; k < COUNT(different); k++) {
            struct addr b = must_parse(different[k]);
            CHECK_EQ_INT(different[i], addr_is_equal(&a, &b), i == k);
        }
        CHECK_EQ_INT(different[i], addr_is_loopback(&a), is_loopback[i]);
        CHECK_FALSE(different[i], addr_is_equal(&a, &none));
        CHECK_FALSE(different[i], addr_is_equal(&none, &a));
    }
    struct addr mapped = must_parse("[::ffff:127.0.0.1]:80");
    struct addr plain = must_parse("127.0.0.1:80");
    CHECK_TRUE("mapped is IPv4", addr_is_equal(&mapped, &plain));
    CHECK_TRUE("mapped is loopback", addr_is_loopback(&mapped));
    CHECK_TRUE("none is none", addr_is_equal(&none, &none));
    CHECK_FALSE("none is no loopback", addr_is_loopback(&none));
    CHECK_EQ_U64("none has no port", addr_port(&none), 0);
    struct addr scoped = must_parse("[fe80::1]:80");
    struct addr other = scoped;
    other.u.in6.sin6_scope_id = 2;
    CHECK_FALSE("another link", addr_is_equal(&scoped, &other));
}

static void test_cidr_parse(void)
{
    static const struct {
        const char *text;
        bool is_good;
        uint8_t bits;
        uint8_t family;
    } rows[] = {
        {"10.0.0.0/8", true, 8, AF_INET},
        {"0.0.0.0/0", true, 0, AF_INET},
        {"10.1.2.3", true, 32, AF_INET},
        {"10.1.2.3/32", true, 32, AF_INET},
        {"10.1.2.2/31", true, 31, AF_INET},
        {"::/0", true, 0, AF_INET6},
        {"::1", true, 128, AF_INET6},
        {"2001:db8::/32", true, 32, AF_INET6},
        {"2001:db8::/33", true, 33, AF_INET6},
        {"2001:db8:8000::/33", true, 33, AF_INET6},
        {"::ffff:10.0.0.0/104", true, 8, AF_INET},
        {"::ffff:0.0.0.0/96", true, 0, AF_INET},
        {"::ffff:10.0.0.1", true, 32, AF_INET},
        {"::ffff:0.0.0.0/95", false, 0, 0},
        {"::ffff:0.0.0.0/80", false, 0, 0},
        {"10.0.0.1/8", false, 0, 0},
        {"10.1.2.3/31", false, 0, 0},
        {"10.0.0.0/33", false, 0, 0},
        {"10.0.0.0/129", false, 0, 0},
        {"0.0.0.1/0", false, 0, 0},
        {"2001:db8::1/32", false, 0, 0},
        {"2001:db8:8000::/32", false, 0, 0},
        {"::/129", false, 0, 0},
        {"::/256", false, 0, 0},
        {"10.0.0.0/", false, 0, 0},
        {"10.0.0.0/08", false, 0, 0},
        {"10.0.0.0/ 8", false, 0, 0},
        {"10.0.0.0/-8", false, 0, 0},
        {"10.0.0.0/8/8", false, 0, 0},
        {"10.0.0.0/255.0.0.0", false, 0, 0},
        {"10.0.0/8", false, 0, 0},
        {"10/8", false, 0, 0},
        {"010.0.0.0/8", false, 0, 0},
        {"/8", false, 0, 0},
        {"", false, 0, 0},
        {"[::1]", false, 0, 0},
        {"fe80::%lo/10", false, 0, 0},
        {"name", false, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr_cidr cidr = {.bits = 77};
        bool is_good = addr_cidr_parse(span_from_str(rows[i].text), &cidr);
        CHECK_EQ_INT(rows[i].text, is_good, rows[i].is_good);
        CHECK_EQ_U64(rows[i].text, cidr.bits, is_good ? rows[i].bits : 77);
        CHECK_EQ_U64(rows[i].text, cidr.family, is_good ? rows[i].family : 0);
    }
}

static void test_cidr_contains(void)
{
    static const struct {
        const char *cidr;
        const char *addr;
        bool is_inside;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0:1", true},
        {"10.0.0.0/8", "10.255.255.255:1", true},
        {"10.0.0.0/8", "11.0.0.0:1", false},
        {"10.0.0.0/8", "9.255.255.255:1", false},
        {"10.0.0.0/8", "[::ffff:10.1.1.1]:1", true},
        {"10.0.0.0/8", "[a00::]:1", false},
        {"::ffff:10.0.0.0/104", "10.3.3.3:1", true},
        {"172.16.0.0/12", "172.31.255.255:1", true},
        {"172.16.0.0/12", "172.32.0.0:1", false},
        {"172.16.0.0/12", "172.15.255.255:1", false},
        {"10.1.2.3", "10.1.2.3:1", true},
        {"10.1.2.3", "10.1.2.2:1", false},
        {"10.1.2.2/31", "10.1.2.3:1", true},
        {"0.0.0.0/0", "255.1.2.3:1", true},
        {"0.0.0.0/0", "[::1]:1", false},
        {"::/0", "[ffff::1]:1", true},
        {"::/0", "10.0.0.1:1", false},
        {"2001:db8::/32", "[2001:db8:ffff::1]:1", true},
        {"2001:db8::/32", "[2001:db9::]:1", false},
        {"2001:db8::/33", "[2001:db8:7fff::1]:1", true},
        {"2001:db8::/33", "[2001:db8:8000::]:1", false},
        {"::1", "[::1]:1", true},
        {"::1", "[::2]:1", false},
        {"::/127", "[::1]:1", true},
        {"::/127", "[::2]:1", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr_cidr cidr;
        struct addr a = must_parse(rows[i].addr);
        if (CHECK_TRUE(rows[i].cidr, addr_cidr_parse(span_from_str(rows[i].cidr), &cidr))) {
            CHECK_EQ_INT(rows[i].cidr, addr_cidr_contains(&cidr, &a), rows[i].is_inside);
        }
    }
    struct addr_cidr all;
    struct addr a = {.len = 0};
    CHECK_TRUE("all", addr_cidr_parse(SPAN_LIT("0.0.0.0/0"), &all));
    CHECK_FALSE("no address is nowhere", addr_cidr_contains(&all, &a));
    CHECK_TRUE("unix", addr_from_unix_path(SPAN_LIT("/x"), &a));
    CHECK_FALSE("a path is nowhere", addr_cidr_contains(&all, &a));
}

CU_TestInfo addr_tests[] = {
    {"parse and print", test_parse},
    {"parse what is cut", test_parse_cut},
    {"parse a host", test_parse_host},
    {"Unix paths", test_unix},
    {"from an IP sockaddr", test_from_sockaddr_ip},
    {"from a Unix sockaddr", test_from_sockaddr_unix},
    {"print into little room", test_print_into_little},
    {"equal and loopback", test_equal_and_loopback},
    {"parse a CIDR block", test_cidr_parse},
    {"a CIDR block contains", test_cidr_contains},
    CU_TEST_INFO_NULL,
};
