/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/cert.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "check.h"
#include "io/tls_chain.h"
#include "io/tls_names.h"
#include "suites.h"
#include "tls_kit.h"

static struct cert_pair pair;

static void make(void)
{
    memset(&pair, 0xee, sizeof(pair));
    CHECK_TRUE("made", cert_make_throw_away(&pair));
}

static void test_texts(void)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    static const char begin_key[] = "-----BEGIN EC PRIVATE KEY-----\n";
    size_t before = mem_live_blocks();
    make();
    CHECK_EQ_U64("NUL", strlen(pair.certificate), pair.certificate_len);
    CHECK_EQ_U64("NUL", strlen(pair.key), pair.key_len);
    CHECK_TRUE("PEM", strncmp(pair.certificate, begin, sizeof(begin) - 1) == 0);
    CHECK_TRUE("PEM", strncmp(pair.key, begin_key, sizeof(begin_key) - 1) == 0);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
}

/* Newer versions have a function of its own for addresses, and the other one takes names only. */
static int expect_name(WOLFSSL *ssl, const char *name)
{
#if LIBWOLFSSL_VERSION_HEX >= 0x05009000
    if (isdigit((unsigned char)name[0])) {
        return wolfSSL_check_ip_address(ssl, name);
    }
#endif
    return wolfSSL_check_domain_name(ssl, name);
}

/* A client that trusts only this certificate accepts it, and the names in it. */
static void test_client_is_content(void)
{
    static const struct {
        const char *name;
        bool want;
    } rows[] = {
        {"localhost", true}, {"127.0.0.1", true}, {"example.com", false}, {"127.0.0.2", false}};
    make();
    struct tls_pair as_pair = {{pair.certificate, pair.certificate_len}, {pair.key, pair.key_len}};
    struct tls_context *context = kit_server(&as_pair, 1, TLS_1_2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit_link link;
        struct kit_wish wish = {.server_name = rows[i].name, .trust = pair.certificate};
        kit_link_open(&link, context, &wish, KIT_WHOLE);
        CHECK_EQ_INT(rows[i].name, expect_name(link.client.ssl, rows[i].name), WOLFSSL_SUCCESS);
        CHECK_EQ_INT(rows[i].name, kit_shake(&link), rows[i].want);
        kit_link_close(&link);
    }
    tls_context_free(context);
}

/* Finds the names in the bytes as DER: localhost, 127.0.0.1, ::1 and the common name. */
static void test_names(void)
{
    static const uint8_t dns[] = "\x82\x09localhost";
    static const uint8_t ipv4[] = {0x87, 4, 127, 0, 0, 1};
    static const uint8_t ipv6[] = {0x87, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static uint8_t der[CERT_PEM_MAX];
    struct tls_names names;
    make();
    int len = wc_CertPemToDer((const byte *)pair.certificate, (int)pair.certificate_len, der,
                              (int)sizeof(der), CERT_TYPE);
    CHECK_TRUE("DER", len > 0);
    size_t der_len = len > 0 ? (size_t)len : 0;
    CHECK_TRUE("localhost", memmem(der, der_len, dns, sizeof(dns) - 1) != NULL);
    CHECK_TRUE("127.0.0.1", memmem(der, der_len, ipv4, sizeof(ipv4)) != NULL);
    CHECK_TRUE("::1", memmem(der, der_len, ipv6, sizeof(ipv6)) != NULL);
    CHECK_EQ_INT("read", tls_names_read((struct span){(const char *)der, der_len}, &names),
                 TLS_NAMES_OK);
    CHECK_EQ_INT("localhost", tls_names_match(&names, SPAN_LIT("LocalHost")), HOST_FITS_EXACTLY);
    CHECK_EQ_INT("other", tls_names_match(&names, SPAN_LIT("a.localhost")), HOST_DIFFERS);
    CHECK_EQ_INT("none", tls_names_match(&names, SPAN_LIT("")), HOST_DIFFERS);
    tls_names_done(&names);
}

/* The names that the caller adds, one row a certificate. */
static void test_more_names(void)
{
    static const struct {
        const char *machine;
        const char *address;
        const char *name; /* to look for */
        bool want;
    } rows[] = {
        {"desk.example", "0.0.0.0:1", "desk.example", true},
        {"desk", "", "desk", true},
        {"DESK", "", "desk", true},
        {"localhost", "", "localhost", true},
        {"", "192.0.2.7:443", "192.0.2.7", true},
        {"", "192.0.2.7:443", "192.0.2.8", false},
        {"", "0.0.0.0:1", "0.0.0.0", false},
        {"", "[::]:1", "::", false},
        {"", "127.0.0.9:1", "127.0.0.9", false},
        {"no name", "", "no name", false},
        {"192.0.2.9", "", "192.0.2.9", false},
        {"desk\xff", "", "desk", false},
        {"a-name-of-sixty-four-bytes.which-is-what-a-linux-machine-may-have", "192.0.2.7:443",
         "192.0.2.7", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct addr address = {.len = 0};
        if (rows[i].address[0] != '\0') {
            CHECK_TRUE(rows[i].address, addr_parse(span_from_str(rows[i].address), &address));
        }
        CHECK_TRUE("made",
                   cert_make_throw_away_for(span_from_str(rows[i].machine), &address, &pair));
        struct span pem = {pair.certificate, pair.certificate_len};
        CHECK_EQ_INT(rows[i].name, tls_chain_is_for(pem, span_from_str(rows[i].name)),
                     rows[i].want);
    }
}

static void test_ipv6_name(void)
{
    static const uint8_t wanted[] = {0x87, 16, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0,
                                     0,    0,  0,    0,    0,    0,    0, 0, 7};
    static uint8_t der[CERT_PEM_MAX];
    struct addr address;
    CHECK_TRUE("address", addr_parse(SPAN_LIT("[2001:db8::7]:443"), &address));
    CHECK_TRUE("made", cert_make_throw_away_for(SPAN_LIT("desk"), &address, &pair));
    int len = wc_CertPemToDer((const byte *)pair.certificate, (int)pair.certificate_len, der,
                              (int)sizeof(der), CERT_TYPE);
    CHECK_TRUE("DER", len > 0 && memmem(der, (size_t)len, wanted, sizeof(wanted)) != NULL);
}

static void test_each_is_new(void)
{
    make();
    struct cert_pair first = pair;
    make();
    CHECK_TRUE("key", strcmp(first.key, pair.key) != 0);
    CHECK_TRUE("certificate", strcmp(first.certificate, pair.certificate) != 0);
}

static void test_no_memory(void)
{
    size_t before = mem_live_blocks();
    for (uint64_t n = 1; n < 200; n++) {
        mem_fail_after(n);
        bool ok = cert_make_throw_away(&pair);
        mem_fail_after(0);
        CHECK_EQ_U64("memory", mem_live_blocks(), before);
        if (ok) {
            CHECK_TRUE("fails at first", n > 1);
            return;
        }
    }
    CHECK_TRUE("succeeds in the end", false);
}

CU_TestInfo cert_tests[] = {
    {"texts", test_texts},         {"a client is content", test_client_is_content},
    {"names", test_names},         {"more names", test_more_names},
    {"IPv6 name", test_ipv6_name}, {"each is new", test_each_is_new},
    {"no memory", test_no_memory}, CU_TEST_INFO_NULL,
};
