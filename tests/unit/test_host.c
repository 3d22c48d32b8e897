/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/host.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LETTERS_21 "abcdefghijklmnopqrstu"
#define LETTERS_63 LETTERS_21 LETTERS_21 LETTERS_21
#define LONGEST \
    LETTERS_63 "." LETTERS_63 "." LETTERS_63 "." LETTERS_21 LETTERS_21 "abcdefghijklmnopqrs"

static const struct {
    const char *text;
    enum host_kind kind;
    bool is_canonical;
} kind_rows[] = {
    // names
    {"a", HOST_NAME, true},
    {"localhost", HOST_NAME, true},
    {"app.example.com", HOST_NAME, true},
    {"App.Example.com", HOST_NAME, true},
    {"app.example.com.", HOST_NAME, false},
    {"xn--bcher-kva.example", HOST_NAME, true},
    {"my_service", HOST_NAME, true},
    {"_x.-y-.z_", HOST_NAME, true},
    {"1password.example", HOST_NAME, true},
    {"127.0.0.1.example", HOST_NAME, true},
    {"4", HOST_NONE, false},
    {"a1", HOST_NAME, true},
    {"1a", HOST_NAME, true},
    {"1-", HOST_NAME, true},
    {"a.0xg", HOST_NAME, true},
    {"a.x1", HOST_NAME, true},
    {"a.00x1", HOST_NAME, true},
    {LETTERS_63, HOST_NAME, true},
    {LETTERS_63 ".example", HOST_NAME, true},
    {LETTERS_63 "a", HOST_NONE, false},
    {"example." LETTERS_63 "a.", HOST_NONE, false},
    {LONGEST, HOST_NAME, true},
    {LONGEST ".", HOST_NAME, false},
    {LONGEST "a", HOST_NONE, false},
    {LONGEST "a.", HOST_NONE, false},
    {"", HOST_NONE, false},
    {".", HOST_NONE, false},
    {"..", HOST_NONE, false},
    {".a", HOST_NONE, false},
    {"a..b", HOST_NONE, false},
    {"a..", HOST_NONE, false},
    {" a", HOST_NONE, false},
    {"a b", HOST_NONE, false},
    {"a\tb", HOST_NONE, false},
    {"a/b", HOST_NONE, false},
    {"a@b", HOST_NONE, false},
    {"a%41", HOST_NONE, false},
    {"*.a", HOST_NONE, false},
    {"a,b", HOST_NONE, false},
    {"b\xc3\xbc"
     "cher.example",
     HOST_NONE, false},
    // IPv4 has one spelling; another name that ends in a number is no host
    {"127.0.0.1", HOST_IPV4, true},
    {"255.255.255.255", HOST_IPV4, true},
    {"0.0.0.0", HOST_IPV4, true},
    {"127.0.0.1.", HOST_NONE, false},
    {"127.0.0.256", HOST_NONE, false},
    {"127.0.0.01", HOST_NONE, false},
    {"127.0.0.0.1", HOST_NONE, false},
    {"127.1", HOST_NONE, false},
    {"2130706433", HOST_NONE, false},
    {"0x7f.0.0.1", HOST_NONE, false},
    {"0x7f000001", HOST_NONE, false},
    {"0X7F000001", HOST_NONE, false},
    {"0x", HOST_NONE, false},
    {"a.0x", HOST_NONE, false},
    {"a.0x1", HOST_NONE, false},
    {"a.0x1.", HOST_NONE, false},
    {"a.b.9", HOST_NONE, false},
    {"a.09", HOST_NONE, false},
    // IPv6
    {"::", HOST_IPV6, true},
    {"::1", HOST_IPV6, true},
    {"1::", HOST_IPV6, true},
    {"2001:db8::1:0:0:7", HOST_IPV6, true},
    {"1:0:2:3:4:5:6:7", HOST_IPV6, true},
    {"1:2:3:4:5:6:7:8", HOST_IPV6, true},
    {"::ffff:102:304", HOST_IPV6, true},
    {"::ffff:1.2.3.4", HOST_IPV6, false},
    {"0::1", HOST_IPV6, false},
    {"2001:DB8::1", HOST_IPV6, true},
    {"2001:db8:0:0:1::7", HOST_IPV6, false},
    {"1::2:3:4:5:6:7", HOST_IPV6, false},
    {"01::", HOST_IPV6, false},
    {"[::1]", HOST_NONE, false},
    {"fe80::1%eth0", HOST_NONE, false},
    {":", HOST_NONE, false},
    {":::", HOST_NONE, false},
    {"1:2", HOST_NONE, false},
    {"a.example:80", HOST_NONE, false},
    {"::12345", HOST_NONE, false},
};

static void test_kind(void)
{
    for (size_t i = 0; i < COUNT(kind_rows); i++) {
        struct span text = span_from_str(kind_rows[i].text);

        CHECK_EQ_INT(kind_rows[i].text, host_kind(text), kind_rows[i].kind);
        CHECK_EQ_INT(kind_rows[i].text, host_is_canonical(text), kind_rows[i].is_canonical);
    }
    CHECK_EQ_INT("NUL", host_kind(SPAN_LIT("127.0.0.1\0")), HOST_NONE);
    CHECK_EQ_INT("NUL", host_kind(SPAN_LIT("::1\0")), HOST_NONE);
    CHECK_EQ_INT("NUL", host_kind(SPAN_LIT("a\0b")), HOST_NONE);
    CHECK_EQ_INT("no text", host_kind((struct span){NULL, 0}), HOST_NONE);
    CHECK_EQ_U64("longest", sizeof(LONGEST) - 1, HOST_NAME_BYTES_MAX);
}

static void test_address(void)
{
    static const uint8_t ipv4[] = {192, 0, 2, 7};
    static const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
    uint8_t bytes[16];

    CHECK_EQ_INT("IPv4", host_address(SPAN_LIT("192.0.2.7"), bytes), HOST_IPV4);
    CHECK_EQ_MEM("IPv4", bytes, 4, ipv4, 4);
    CHECK_EQ_INT("IPv6", host_address(SPAN_LIT("2001:db8::7"), bytes), HOST_IPV6);
    CHECK_EQ_MEM("IPv6", bytes, 16, ipv6, 16);
}

static const struct {
    const char *text;
    const char *host; // NULL: the parser refuses it
    uint16_t port;
} split_rows[] = {
    {"a", "a", 0},
    {"a:1", "a", 1},
    {"A.b-c_d.e9.:65535", "A.b-c_d.e9.", 65535},
    {"my_service:6379", "my_service", 6379},
    {"127.0.0.1:80", "127.0.0.1", 80},
    {"127.0.0.1", "127.0.0.1", 0},
    {"[::1]", "::1", 0},
    {"[::1]:80", "::1", 80},
    {"[::ffff:1.2.3.4]:443", "::ffff:1.2.3.4", 443},
    {LETTERS_63 ":80", LETTERS_63, 80},
    {LONGEST ".:80", LONGEST ".", 80},
    {LETTERS_63 "a:80", NULL, 0},
    {"", NULL, 0},
    {":", NULL, 0},
    {":80", NULL, 0},
    {"a:", NULL, 0},
    {"a:0", NULL, 0},
    {"a:080", NULL, 0},
    {"a:65536", NULL, 0},
    {"a:100000", NULL, 0},
    {"a:+80", NULL, 0},
    {"a:-1", NULL, 0},
    {"a: 80", NULL, 0},
    {"a:80x", NULL, 0},
    {"a:0x50", NULL, 0},
    {"a:80:80", NULL, 0},
    {"a:https", NULL, 0},
    {"user@a:80", NULL, 0},
    {"a/x:80", NULL, 0},
    {"*.a:80", NULL, 0},
    {"127.1:80", NULL, 0},
    {"10.0.0.1.:80", NULL, 0},
    {"a.0x1:80", NULL, 0},
    {"::1", NULL, 0},
    {"::1:80", NULL, 0},
    {"[", NULL, 0},
    {"[]", NULL, 0},
    {"[]:80", NULL, 0},
    {"[::1", NULL, 0},
    {"[::1]]", NULL, 0},
    {"[[::1]]", NULL, 0},
    {"[::1]x", NULL, 0},
    {"[::1]:", NULL, 0},
    {"[::1]:0", NULL, 0},
    {"[::1]80", NULL, 0},
    {"[10.0.0.1]:80", NULL, 0},
    {"[a]:80", NULL, 0},
    {"[fe80::1%lo]:80", NULL, 0},
};

static void test_split(void)
{
    for (size_t i = 0; i < COUNT(split_rows); i++) {
        const char *want = split_rows[i].host != NULL ? split_rows[i].host : "untouched";
        struct span host = SPAN_LIT("untouched");
        uint16_t port = 7;
        bool is_good = host_split(span_from_str(split_rows[i].text), &host, &port);

        CHECK_EQ_INT(split_rows[i].text, is_good, split_rows[i].host != NULL);
        CHECK_EQ_MEM(split_rows[i].text, host.data, host.len, want, strlen(want));
        CHECK_EQ_U64(split_rows[i].text, port, split_rows[i].host != NULL ? split_rows[i].port : 7);
    }
}

// The parser reads a text that is cut anywhere without looking behind the cut.
static void test_split_cut(void)
{
    for (size_t i = 0; i < COUNT(split_rows); i++) {
        for (size_t cut = 0; cut <= strlen(split_rows[i].text); cut++) {
            char *copy = malloc(cut + 1);
            struct span host = {NULL, 0};
            uint16_t port = 0;

            memcpy(copy, split_rows[i].text, cut);
            copy[cut] = '9';
            if (host_split((struct span){copy, cut}, &host, &port)) {
                CHECK_TRUE(split_rows[i].text,
                           host.data >= copy && host.data + host.len <= copy + cut);
                CHECK_TRUE(split_rows[i].text, host_kind(host) != HOST_NONE);
            }
            free(copy);
        }
    }
}

static void test_port(void)
{
    static const struct {
        const char *text;
        uint16_t port; // 0: the parser refuses it
    } rows[] = {
        {"1", 1},  {"443", 443}, {"65535", 65535}, {"65536", 0}, {"99999", 0}, {"100000", 0},
        {"0", 0},  {"00", 0},    {"01", 0},        {"", 0},      {" 1", 0},    {"1 ", 0},
        {"+1", 0}, {"-1", 0},    {"0x1", 0},       {"1k", 0},    {"http", 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint16_t port = 0;

        CHECK_EQ_INT(rows[i].text, host_parse_port(span_from_str(rows[i].text), &port),
                     rows[i].port != 0);
        CHECK_EQ_U64(rows[i].text, port, rows[i].port);
    }
}

static void test_match(void)
{
    static const struct {
        const char *pattern;
        const char *host;
        enum host_match want;
    } rows[] = {
        {"a.example", "a.example", HOST_FITS_EXACTLY},
        {"a.example", "A.EXAMPLE", HOST_FITS_EXACTLY},
        {"A.Example", "a.example", HOST_FITS_EXACTLY},
        {"127.0.0.1", "127.0.0.1", HOST_FITS_EXACTLY},
        {"::1", "::1", HOST_FITS_EXACTLY},
        {"*.example", "a.example", HOST_FITS_WILDCARD},
        {"*.example", "A.Example", HOST_FITS_WILDCARD},
        {"*.b.example", "a.b.example", HOST_FITS_WILDCARD},
        {"a.example", "b.example", HOST_DIFFERS},
        {"a.example", "a.example.", HOST_DIFFERS},
        {"a.example", "xa.example", HOST_DIFFERS},
        {"a.example", "", HOST_DIFFERS},
        {"*.example", "example", HOST_DIFFERS},
        {"*.example", ".example", HOST_DIFFERS},
        {"*.example", "a.b.example", HOST_DIFFERS},
        {"*.example", "a.example.", HOST_DIFFERS},
        {"*.example", "aexample", HOST_DIFFERS},
        {"*.example", "a.xexample", HOST_DIFFERS},
        {"*.example", "", HOST_DIFFERS},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_INT(rows[i].pattern,
                     host_match(span_from_str(rows[i].pattern), span_from_str(rows[i].host)),
                     rows[i].want);
    }
}

static void test_pattern(void)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"a.example", true},
        {"A.example", true},
        {"*.example", true},
        {"*.Example", true},
        {"127.0.0.1", true},
        {"::1", true},
        {"", false},
        {"*", false},
        {"*.", false},
        {"a.example.", false},
        {"*.example.", false},
        {"*example", false},
        {"a.*.example", false},
        {"*.*.example", false},
        {"**.example", false},
        {"*.0.0.1", false},
        {"*.127.0.0.1", false},
        {"*.::1", false},
        {"[::1]", false},
        {"a.example:80", false},
        {"a.0x1", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_INT(rows[i].text, host_is_pattern(span_from_str(rows[i].text)), rows[i].want);
    }
}

CU_TestInfo host_tests[] = {
    {"names, addresses and neither", test_kind},
    {"bytes of an address", test_address},
    {"hosts and ports", test_split},
    {"hosts and ports, cut anywhere", test_split_cut},
    {"ports", test_port},
    {"patterns that fit", test_match},
    {"patterns", test_pattern},
    CU_TEST_INFO_NULL,
};
