/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_offer.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OUR_1_3 "\x13\x01"
#define FOR_EC "\xc0\x2b"
#define FOR_RSA "\xc0\x2f"
#define OLD "\x00\x2f"
#define BOTH_VERSIONS SPAN_LIT("\x03\x04\x03\x03")
#define NONE {"", 0}

static const struct row {
    const char *name;
    enum tls_version min_version;
    enum tls_key_kind kind;
    struct tls_hello hello;
    enum tls_hello_result want;
} rows[] = {
    {"1.3",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .versions = BOTH_VERSIONS, .suites = SPAN_LIT(OUR_1_3)},
     TLS_HELLO_OK},
    {"1.3, old suites only",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .versions = BOTH_VERSIONS, .suites = SPAN_LIT(OLD)},
     TLS_HELLO_NO_SUITE},
    {"1.2 by its number",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .suites = SPAN_LIT(OLD FOR_EC)},
     TLS_HELLO_OK},
    {"a version of the future",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x305, .suites = SPAN_LIT(FOR_EC)},
     TLS_HELLO_OK},
    {"1.1", TLS_1_2, TLS_KEY_P256, {.version = 0x302, .suites = SPAN_LIT(FOR_EC)}, TLS_HELLO_OLD},
    {"1.1 where 1.3 is asked for",
     TLS_1_3,
     TLS_KEY_P256,
     {.version = 0x302, .suites = SPAN_LIT(FOR_EC)},
     TLS_HELLO_OLD},
    {"1.1 in the list",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .versions = SPAN_LIT("\x03\x02"), .suites = SPAN_LIT(FOR_EC)},
     TLS_HELLO_OLD},
    {"1.2 where 1.3 is asked for",
     TLS_1_3,
     TLS_KEY_P256,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC)},
     TLS_HELLO_ONLY_1_2},
    {"both where 1.3 is asked for",
     TLS_1_3,
     TLS_KEY_P256,
     {.version = 0x303, .versions = BOTH_VERSIONS, .suites = SPAN_LIT(OUR_1_3)},
     TLS_HELLO_OK},
    {"suites for RSA",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .suites = SPAN_LIT(FOR_RSA)},
     TLS_HELLO_NO_SUITE_FOR_KEY},
    {"suites for EC",
     TLS_1_2,
     TLS_KEY_RSA,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC)},
     TLS_HELLO_NO_SUITE_FOR_KEY},
    {"Ed25519 is like EC",
     TLS_1_2,
     TLS_KEY_ED25519,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC)},
     TLS_HELLO_OK},
    {"1.3's suites in 1.2",
     TLS_1_2,
     TLS_KEY_RSA,
     {.version = 0x303, .suites = SPAN_LIT(OUR_1_3)},
     TLS_HELLO_NO_SUITE},
    {"P-521 alone",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC), .groups = SPAN_LIT("\0\x19")},
     TLS_HELLO_NO_GROUP},
    {"P-521 and P-384",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC), .groups = SPAN_LIT("\0\x19\0\x18")},
     TLS_HELLO_OK},
    {"FFDHE",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC), .groups = SPAN_LIT("\x01\0")},
     TLS_HELLO_NO_GROUP},
    {"RSA-PSS for EC",
     TLS_1_2,
     TLS_KEY_P256,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC), .signatures = SPAN_LIT("\x08\x04")},
     TLS_HELLO_NO_SIGNATURE},
    {"a curve's number in 1.2",
     TLS_1_2,
     TLS_KEY_P521,
     {.version = 0x303, .suites = SPAN_LIT(FOR_EC), .signatures = SPAN_LIT("\x04\x03")},
     TLS_HELLO_OK},
    {"another curve's number in 1.3",
     TLS_1_2,
     TLS_KEY_P521,
     {.version = 0x303,
      .versions = BOTH_VERSIONS,
      .suites = SPAN_LIT(OUR_1_3),
      .signatures = SPAN_LIT("\x04\x03")},
     TLS_HELLO_NO_SIGNATURE},
    {"PKCS #1 in 1.2",
     TLS_1_2,
     TLS_KEY_RSA,
     {.version = 0x303, .suites = SPAN_LIT(FOR_RSA), .signatures = SPAN_LIT("\x04\x01")},
     TLS_HELLO_OK},
    {"PKCS #1 in 1.3",
     TLS_1_2,
     TLS_KEY_RSA,
     {.version = 0x303,
      .versions = BOTH_VERSIONS,
      .suites = SPAN_LIT(OUR_1_3),
      .signatures = SPAN_LIT("\x04\x01")},
     TLS_HELLO_NO_SIGNATURE},
    {"a key of another kind decides nothing",
     TLS_1_2,
     TLS_KEY_OTHER,
     {.version = 0x303, .suites = SPAN_LIT(OLD), .signatures = SPAN_LIT("\x01\x01")},
     TLS_HELLO_OK},
};

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_INT(rows[i].name,
                     tls_offer_judge(&rows[i].hello, rows[i].min_version, rows[i].kind),
                     rows[i].want);
    }
}

CU_TestInfo tls_offer_tests[] = {
    {"what is lacking", test_rows},
    CU_TEST_INFO_NULL,
};
