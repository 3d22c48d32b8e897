/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/peer_cert.h"

#include "base/mem.h"
#include "check.h"
#include "der_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEX "abababababababababababababababababababababababababababababababab"

static uint8_t fingerprint[PEER_CERT_FINGERPRINT];

static struct span general(unsigned number, struct span text)
{
    return der_item(DER_CONTEXT_PLAIN(number), text);
}

static struct span certificate(struct span common_name, struct span alt_names)
{
    const struct der_form form = {
        .serial = DER_OF("\x00\x90\x01"),
        .issuer = der_name(DER_UTF8, DER_OF("CA")),
        .subject = common_name.len > 0 ? der_name(DER_UTF8, common_name)
                                       : der_item(DER_SEQUENCE, DER_OF("")),
        .alt_names = alt_names,
    };

    memset(fingerprint, 0xab, sizeof(fingerprint));
    return der_certificate(&form);
}

/* All names, with commas between them. */
static struct span names_of(const struct peer_cert *cert)
{
    struct span out = DER_OF("");
    for (size_t i = 0; i < cert->count; i++) {
        out = der_join(out, i > 0 ? DER_OF(",") : DER_OF(""), cert->names[i].text, DER_END);
    }
    return out;
}

#define DNS 2
#define EMAIL 1
#define URI 6
#define IP 7

static void test_names(void)
{
    const struct {
        const char *name;
        struct span common_name;
        struct span alt_names;
        const char *want; // NULL: refused
    } rows[] = {
        {"nothing", SPAN_LIT(""), DER_END, "fingerprint:" HEX},
        {"a common name", SPAN_LIT("Al Ice"), DER_END, "cn:Al Ice,fingerprint:" HEX},
        {"UTF-8", SPAN_LIT("M\xc3\xbcller"), DER_END, "cn:M\xc3\xbcller,fingerprint:" HEX},
        {"all kinds", SPAN_LIT("a"),
         der_join(general(DNS, DER_OF("A.Example")), general(EMAIL, DER_OF("a@b.example")),
                  general(URI, DER_OF("spiffe://p/x")), general(IP, DER_OF("\x0a\0\0\x05")),
                  general(IP, DER_OF("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")), DER_END),
         "cn:a,dns:a.example,email:a@b.example,uri:spiffe://p/x,ip:10.0.0.5,ip:2001:db8::1,"
         "fingerprint:" HEX},
        {"a wildcard is left out", SPAN_LIT("a"), general(DNS, DER_OF("*.example")),
         "cn:a,fingerprint:" HEX},
        {"a kind without a word", SPAN_LIT("a"), der_item(DER_CONTEXT(0), DER_OF("")),
         "cn:a,fingerprint:" HEX},
        {"NUL in a common name", SPAN_LIT("a\0b"), DER_END, NULL},
        {"line end in a common name", SPAN_LIT("a\nb"), DER_END, NULL},
        {"C1 in a common name", SPAN_LIT("a\xc2\x85"), DER_END, NULL},
        {"no UTF-8", SPAN_LIT("a\xff"), DER_END, NULL},
        {"NUL in a host", SPAN_LIT("a"), general(DNS, DER_OF("a\0.example")), NULL},
        {"a blank in an email", SPAN_LIT("a"), general(EMAIL, DER_OF("a @b.example")), NULL},
        {"no ASCII in a URI", SPAN_LIT("a"), general(URI, DER_OF("x://\xc3\xbc")), NULL},
        {"an empty host", SPAN_LIT("a"), general(DNS, DER_OF("")), NULL},
        {"five bytes of address", SPAN_LIT("a"), general(IP, DER_OF("12345")), NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer_cert *cert = NULL;
        struct span der = certificate(rows[i].common_name, rows[i].alt_names);
        size_t before = mem_live_blocks();
        enum peer_cert_result result = peer_cert_read(der, fingerprint, &cert);
        CHECK_EQ_INT(rows[i].name, result, rows[i].want ? PEER_CERT_OK : PEER_CERT_BAD_NAME);
        if (cert != NULL) {
            struct span got = names_of(cert);
            CHECK_EQ_MEM(rows[i].name, got.data, got.len, rows[i].want, strlen(rows[i].want));
            CHECK_EQ_MEM(rows[i].name, cert->serial.data, cert->serial.len, "\x90\x01", 2);
            CHECK_EQ_I64(rows[i].name, cert->ends_s, 1798761600);
        }
        peer_cert_free(cert);
        CHECK_EQ_U64(rows[i].name, mem_live_blocks(), before);
    }
    der_kit_reset();
}

static void test_title(void)
{
    struct peer_cert *cert = NULL;
    struct span mail = general(EMAIL, DER_OF("a@b.example"));
    enum peer_cert_result result =
        peer_cert_read(certificate(DER_OF("Al"), mail), fingerprint, &cert);
    CHECK_EQ_INT("title", result, PEER_CERT_OK);
    CHECK_EQ_MEM("title", peer_cert_title(cert).data, peer_cert_title(cert).len, "cn:Al", 5);
    peer_cert_free(cert);
    result = peer_cert_read(certificate(DER_OF(""), mail), fingerprint, &cert);
    CHECK_EQ_INT("title", result, PEER_CERT_OK);
    CHECK_EQ_MEM("title", peer_cert_title(cert).data, peer_cert_title(cert).len,
                 "email:a@b.example", 17);
    peer_cert_free(cert);
    der_kit_reset();
}

static void test_limits(void)
{
    static char many[PEER_CERT_NAMES * 4];
    struct peer_cert *cert = NULL;
    for (size_t i = 0; i < PEER_CERT_NAMES; i++) {
        memcpy(many + 4 * i, "\x82\x02nn", 4);
    }
    /* The fingerprint is a name too. */
    struct span names = {many, (PEER_CERT_NAMES - 1) * 4};
    CHECK_EQ_INT("most", peer_cert_read(certificate(DER_OF(""), names), fingerprint, &cert),
                 PEER_CERT_OK);
    peer_cert_free(cert);
    names.len += 4;
    CHECK_EQ_INT("more", peer_cert_read(certificate(DER_OF(""), names), fingerprint, &cert),
                 PEER_CERT_BAD_NAME);
    struct span der = certificate(DER_OF("a"), general(DNS, DER_OF("a.example")));
    for (size_t len = 0; len < der.len; len++) {
        CHECK_EQ_INT("cut", peer_cert_read((struct span){der.data, len}, fingerprint, &cert),
                     PEER_CERT_DAMAGED);
    }
    mem_fail_after(1);
    CHECK_EQ_INT("memory", peer_cert_read(der, fingerprint, &cert), PEER_CERT_NO_MEMORY);
    mem_fail_after(0);
    der_kit_reset();
}

static void test_faults(void)
{
    static const struct {
        const char *pattern;
        bool is_good;
    } rows[] = {
        {"dns:a.example", true},
        {"dns:*.example", true},
        {"dns:*.a.example", true},
        {"dns:a.*.example", false},
        {"dns:*", false},
        {"dns:a*.example", false},
        {"dns:10.0.0.5", false},
        {"dns:", false},
        {"email:a@b.example", true},
        {"email:*@b.example", true},
        {"email:a*@b.example", false},
        {"email:*", false},
        {"email:@b.example", false},
        {"email:a@*.example", false},
        {"email:a b@c.example", false},
        {"uri:spiffe://prod/x", true},
        {"uri:urn:uuid:x", true},
        {"uri:spiffe://prod/*", true},
        {"uri:spiffe://prod/ns/*", true},
        {"uri:spiffe://prod/ns*", false},
        {"uri:spiffe://*", false},
        {"uri:spiffe:///*", false},
        {"uri:spiffe://*/x", false},
        {"uri:*", false},
        {"uri:x", false},
        {"ip:10.0.0.5", true},
        {"ip:2001:db8::1", true},
        {"ip:10.0.0.0/8", false},
        {"cn:Al Ice", true},
        {"cn:", false},
        {"cn:a*", false},
        {"cn:a\n", false},
        {"fingerprint:" HEX, true},
        {"fingerprint:AB:" HEX, false},
        {"fingerprint:abc", false},
        {"a.example", false},
        {"DNS:a.example", false},
        {"upn:a", false},
        {"", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *fault = peer_cert_pattern_fault(span_from_str(rows[i].pattern));
        CHECK_EQ_INT(rows[i].pattern, fault == NULL, rows[i].is_good);
    }
}

static const struct fit {
    const char *pattern;
    unsigned number; // 0: a common name
    struct span name;
    bool is_fit;
} fits[] = {
    {"dns:a.example", DNS, SPAN_LIT("A.Example"), true},
    {"dns:a.example", DNS, SPAN_LIT("a.example.com"), false},
    {"dns:a.example", 0, SPAN_LIT("a.example"), false},
    {"dns:a.example", URI, SPAN_LIT("dns:a.example"), false},
    {"dns:*.r.example", DNS, SPAN_LIT("x.r.example"), true},
    {"dns:*.r.example", DNS, SPAN_LIT("y.x.r.example"), false},
    {"dns:*.r.example", DNS, SPAN_LIT("r.example"), false},
    {"dns:*.r.example", DNS, SPAN_LIT("*.r.example"), false},
    {"dns:*.r.example", DNS, SPAN_LIT("xr.example"), false},
    {"email:al@b.example", EMAIL, SPAN_LIT("al@B.Example"), true},
    {"email:al@b.example", EMAIL, SPAN_LIT("Al@b.example"), false},
    {"email:*@b.example", EMAIL, SPAN_LIT("bo@b.example"), true},
    {"email:*@b.example", EMAIL, SPAN_LIT("@b.example"), false},
    {"email:*@b.example", EMAIL, SPAN_LIT("bo@a.b.example"), false},
    {"email:*@b.example", EMAIL, SPAN_LIT("bo@b.example@evil.example"), false},
    {"email:*@b.example", DNS, SPAN_LIT("bo@b.example"), false},
    {"uri:spiffe://p/a", URI, SPAN_LIT("spiffe://p/a"), true},
    {"uri:spiffe://p/a", URI, SPAN_LIT("spiffe://p/A"), false},
    {"uri:spiffe://p/*", URI, SPAN_LIT("spiffe://p/a"), true},
    {"uri:spiffe://p/*", URI, SPAN_LIT("spiffe://p/a/b"), true},
    {"uri:spiffe://p/*", URI, SPAN_LIT("spiffe://p/"), false},
    {"uri:spiffe://p/*", URI, SPAN_LIT("spiffe://p/a/"), false},
    {"uri:spiffe://p/*", URI, SPAN_LIT("spiffe://p"), false},
    {"uri:spiffe://p/*", URI, SPAN_LIT("spiffe://px/a"), false},
    {"uri:spiffe://p/a/*", URI, SPAN_LIT("spiffe://p/a/../b"), false},
    {"uri:spiffe://p/a/*", URI, SPAN_LIT("spiffe://p/a/./b"), false},
    {"uri:spiffe://p/a/*", URI, SPAN_LIT("spiffe://p/a//b"), false},
    {"uri:spiffe://p/a/*", URI, SPAN_LIT("spiffe://p/a/%2e%2e/b"), false},
    {"uri:spiffe://p/a/*", URI, SPAN_LIT("spiffe://p/a/b?c"), false},
    {"ip:10.0.0.5", IP, SPAN_LIT("\x0a\0\0\x05"), true},
    {"ip:10.0.0.5", IP, SPAN_LIT("\x0a\0\0\x06"), false},
    {"ip:2001:db8::0:1", IP, SPAN_LIT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), true},
    {"cn:Al Ice", 0, SPAN_LIT("Al Ice"), true},
    {"cn:Al Ice", 0, SPAN_LIT("al ice"), false},
    {"cn:Al", 0, SPAN_LIT("Al Ice"), false},
    {"fingerprint:" HEX, 0, SPAN_LIT("x"), true},
    {"fingerprint:AB:AB:AB:ABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB", 0,
     SPAN_LIT("x"), true},
    {"fingerprint:aaababababababababababababababababababababababababababababababab", 0,
     SPAN_LIT("x"), false},
};

static void test_patterns(void)
{
    for (size_t i = 0; i < COUNT(fits); i++) {
        struct peer_cert *cert = NULL;
        bool is_common = fits[i].number == 0;
        struct span der = certificate(is_common ? fits[i].name : DER_OF("other"),
                                      is_common ? DER_END : general(fits[i].number, fits[i].name));
        struct span pattern = span_from_str(fits[i].pattern);
        CHECK_TRUE(fits[i].pattern, peer_cert_pattern_fault(pattern) == NULL);
        if (CHECK_EQ_INT(fits[i].pattern, peer_cert_read(der, fingerprint, &cert), PEER_CERT_OK)) {
            CHECK_EQ_INT(fits[i].pattern, peer_cert_find(cert, pattern) != NULL, fits[i].is_fit);
        }
        peer_cert_free(cert);
    }
    der_kit_reset();
}

CU_TestInfo peer_cert_tests[] = {
    {"names", test_names},   {"titles", test_title},      {"limits", test_limits},
    {"faults", test_faults}, {"patterns", test_patterns}, CU_TEST_INFO_NULL,
};
