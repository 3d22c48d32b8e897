/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What CAs may sign: name constraints. */
#include "check.h"
#include "der_kit.h"
#include "give_up.h"
#include "io/peer_cert.h"
#include "io/x509.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { EMAIL = 0x81, DNS = 0x82, DIRECTORY = 0xa4, URI = 0x86, IP = 0x87, OTHER = 0xa0 };
enum side { PERMITTED = 0, EXCLUDED };

static const struct row {
    const char *name;
    enum side side;
    unsigned kind; // of the base
    struct span base;
    unsigned name_kind;
    struct span subject_name;
    enum peer_cert_limit want;
} rows[] = {
#define IN(name_, kind_, base_, text_) \
    {name_, PERMITTED, kind_, SPAN_LIT(base_), kind_, SPAN_LIT(text_), PEER_CERT_LIMIT_KEPT}, \
    { \
        name_ ", excluded", EXCLUDED, kind_, SPAN_LIT(base_), kind_, SPAN_LIT(text_), \
            PEER_CERT_LIMIT_BROKEN \
    }
#define OUT(name_, kind_, base_, text_) \
    {name_, PERMITTED, kind_, SPAN_LIT(base_), kind_, SPAN_LIT(text_), PEER_CERT_LIMIT_BROKEN}, \
    { \
        name_ ", excluded", EXCLUDED, kind_, SPAN_LIT(base_), kind_, SPAN_LIT(text_), \
            PEER_CERT_LIMIT_KEPT \
    }
    IN("the host", DNS, "a.example", "A.example"),
    IN("below the host", DNS, "a.example", "x.y.a.example"),
    IN("below a dot", DNS, ".a.example", "x.a.example"),
    IN("any host", DNS, "", "a.example"),
    OUT("another host", DNS, "a.example", "b.example"),
    OUT("a longer label", DNS, "a.example", "ba.example"),
    OUT("the parent", DNS, "a.example", "example"),
    OUT("the dot alone", DNS, ".a.example", "a.example"),
    IN("a mail host", EMAIL, "a.example", "x@A.example"),
    OUT("below a mail host", EMAIL, "a.example", "x@b.a.example"),
    IN("below a dotted mail host", EMAIL, ".a.example", "x@b.a.example"),
    IN("a mailbox", EMAIL, "x@a.example", "x@A.example"),
    OUT("another mailbox", EMAIL, "x@a.example", "y@a.example"),
    OUT("a longer mailbox", EMAIL, "x@a.example", "xx@a.example"),
    OUT("the last @ counts", EMAIL, "a.example", "x@a.example@b.example"),
    IN("a URI", URI, "prod.example", "spiffe://prod.example/a"),
    IN("a URI with all", URI, "prod.example", "https://u@prod.example:1/a?b"),
    OUT("below a URI's host", URI, "prod.example", "spiffe://x.prod.example/a"),
    OUT("another host of a URI", URI, "prod.example", "spiffe://dev.example/prod.example"),
    OUT("a host as user", URI, "prod.example", "x://prod.example@dev.example/"),
    OUT("a URI without host", URI, "prod.example", "urn:prod.example"),
    IN("an address", IP, "\x0a\0\0\0\xff\0\0\0", "\x0a\x01\x02\x03"),
    OUT("another address", IP, "\x0a\0\0\0\xff\0\0\0", "\x0b\x01\x02\x03"),
    OUT("of the other family", IP, "\0\0\0\0\0\0\0\0", "0123456789abcdef"),
    {"about others", PERMITTED, EMAIL, SPAN_LIT("a.example"), DNS, SPAN_LIT("b.example"),
     PEER_CERT_LIMIT_KEPT},
    {"a kind without a rule", PERMITTED, OTHER, SPAN_LIT("x"), DNS, SPAN_LIT("b.example"),
     PEER_CERT_LIMIT_UNKNOWN},
    {"half an address", PERMITTED, IP, SPAN_LIT("\x0a\0\0\0"), DNS, SPAN_LIT("b.example"),
     PEER_CERT_LIMIT_UNKNOWN},
};

static struct span constraints(enum side side, struct span bases)
{
    return der_item(DER_SEQUENCE, der_item(DER_CONTEXT((unsigned)side), bases));
}

static struct span tree(unsigned kind, struct span base)
{
    return der_item(DER_SEQUENCE, der_item(kind, base));
}

static struct peer_cert *certificate(struct span common_name, struct span alt_names)
{
    static const uint8_t fingerprint[PEER_CERT_FINGERPRINT];
    const struct der_form form = {
        .serial = DER_OF("\x01"),
        .issuer = der_name(DER_UTF8, DER_OF("CA")),
        .subject = der_name(DER_UTF8, common_name),
        .alt_names = alt_names,
    };
    struct peer_cert *cert = NULL;
    if (peer_cert_read(der_certificate(&form), fingerprint, &cert) != PEER_CERT_OK) {
        GIVE_UP();
    }
    return cert;
}

static void test_names(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct span value = constraints(row->side, tree(row->kind, row->base));
        struct peer_cert *cert =
            certificate(DER_OF("x"), der_item(row->name_kind, row->subject_name));
        CHECK_EQ_INT(row->name, peer_cert_limit(cert, value), row->want);
        for (size_t len = 0; len < value.len; len++) {
            CHECK_EQ_INT("cut", peer_cert_limit(cert, (struct span){value.data, len}),
                         PEER_CERT_LIMIT_UNKNOWN);
        }
        peer_cert_free(cert);
        der_kit_reset();
    }
}

static void test_several(void)
{
    struct span trees =
        der_join(tree(DNS, DER_OF("a.example")), tree(DNS, DER_OF("b.example")), DER_END);
    struct span value = constraints(PERMITTED, trees);
    struct span good =
        der_join(der_item(DNS, DER_OF("b.example")), der_item(DNS, DER_OF("a.example")), DER_END);
    struct span bad = der_join(good, der_item(DNS, DER_OF("c.example")), DER_END);
    struct peer_cert *cert = certificate(DER_OF("x"), good);
    CHECK_EQ_INT("each below one", peer_cert_limit(cert, value), PEER_CERT_LIMIT_KEPT);
    peer_cert_free(cert);
    cert = certificate(DER_OF("x"), bad);
    CHECK_EQ_INT("one below none", peer_cert_limit(cert, value), PEER_CERT_LIMIT_BROKEN);
    CHECK_EQ_INT("nobody", peer_cert_limit(NULL, value), PEER_CERT_LIMIT_KEPT);
    peer_cert_free(cert);
    der_kit_reset();
}

static void test_subjects(void)
{
    struct span here = der_name(DER_UTF8, DER_OF("here"));
    struct peer_cert *cert = certificate(DER_OF("here"), DER_END);
    struct peer_cert *other = certificate(DER_OF("there"), DER_END);
    struct span value = constraints(PERMITTED, tree(DIRECTORY, here));
    CHECK_EQ_INT("permitted", peer_cert_limit(cert, value), PEER_CERT_LIMIT_KEPT);
    CHECK_EQ_INT("not permitted", peer_cert_limit(other, value), PEER_CERT_LIMIT_BROKEN);
    value = constraints(EXCLUDED, tree(DIRECTORY, here));
    CHECK_EQ_INT("excluded", peer_cert_limit(cert, value), PEER_CERT_LIMIT_BROKEN);
    CHECK_EQ_INT("not excluded", peer_cert_limit(other, value), PEER_CERT_LIMIT_KEPT);
    peer_cert_free(cert);
    peer_cert_free(other);
    der_kit_reset();
}

CU_TestInfo peer_cert_limits_tests[] = {
    {"names", test_names},
    {"several", test_several},
    {"subjects", test_subjects},
    CU_TEST_INFO_NULL,
};
