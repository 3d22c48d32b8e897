/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* DER items of 5, 6 and 7 bytes: SEQUENCE { INTEGER 5 } and so on. */
#define FIVE "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n"
#define SIX "-----BEGIN CERTIFICATE-----\nMAQCAgEF\n-----END CERTIFICATE-----\n"
#define SEVEN "-----BEGIN CERTIFICATE-----\nMAUCAwABBQ==\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nMAMCAQU=\n-----END PRIVATE KEY-----\n"
#define OTHER_KEY "-----BEGIN EC PRIVATE KEY-----\nMAQCAgEF\n-----END EC PRIVATE KEY-----\n"

struct row {
    const char *name;
    struct span text;
    const char *detail; /* a part of it; NULL: good */
    size_t count;
    size_t len;
};

static const struct row certificate_rows[] = {
    {"one", SPAN_LIT(FIVE), NULL, 1, 5},
    {"three", SPAN_LIT(FIVE SIX SEVEN), NULL, 3, 18},
    {"text between", SPAN_LIT("a\n" FIVE "b\n" KEY SIX "c"), NULL, 2, 11},
    {"a key before", SPAN_LIT(KEY FIVE), NULL, 1, 5},
    {"a byte order mark", SPAN_LIT("\xef\xbb\xbf" FIVE), NULL, 1, 5},
    {"CRLF",
     SPAN_LIT("-----BEGIN CERTIFICATE-----\r\nMAMC\r\nAQU=\r\n-----END CERTIFICATE-----\r\n"), NULL,
     1, 5},
    {"blanks",
     SPAN_LIT("-----BEGIN CERTIFICATE-----\n\t MAMC  \n\nAQU= \n-----END CERTIFICATE-----"), NULL,
     1, 5},
    {"one line", SPAN_LIT("-----BEGIN CERTIFICATE-----MAMCAQU=-----END CERTIFICATE-----"), NULL, 1,
     5},
    {"words behind a trusted one",
     SPAN_LIT(
         "-----BEGIN TRUSTED CERTIFICATE-----\nMAMCAQUwAA==\n-----END TRUSTED CERTIFICATE-----"),
     NULL, 1, 5},
    {"words behind a plain one",
     SPAN_LIT("-----BEGIN CERTIFICATE-----\nMAMCAQUwAA==\n-----END CERTIFICATE-----"), "damaged", 0,
     0},
    {"no padding", SPAN_LIT("-----BEGIN CERTIFICATE-----\nMAMCAQU\n-----END CERTIFICATE-----"),
     "damaged", 0, 0},
    {"padding inside", SPAN_LIT("-----BEGIN CERTIFICATE-----\nMAM=CAQU\n-----END CERTIFICATE-----"),
     "damaged", 0, 0},
    {"no base64", SPAN_LIT("-----BEGIN CERTIFICATE-----\nMA*CAQU=\n-----END CERTIFICATE-----"),
     "damaged", 0, 0},
    {"NUL", SPAN_LIT("-----BEGIN CERTIFICATE-----\nMAMC\0AQU=\n-----END CERTIFICATE-----"),
     "damaged", 0, 0},
    {"too short for its length",
     SPAN_LIT("-----BEGIN CERTIFICATE-----\nMAQCAQU=\n-----END CERTIFICATE-----"), "damaged", 0, 0},
    {"no end", SPAN_LIT("-----BEGIN CERTIFICATE-----\nMAMCAQU=\n"), "damaged", 0, 0},
    {"second damaged", SPAN_LIT(FIVE "-----BEGIN CERTIFICATE-----\nMAMC"), "damaged", 0, 0},
    {"nothing", {"", 0}, "empty", 0, 0},
    {"text", SPAN_LIT("hello"), "not PEM", 0, 0},
    {"DER", SPAN_LIT("\x30\x03\x02\x01\x05"), "DER", 0, 0},
    {"PKCS #12", SPAN_LIT("\x30\x06\x02\x01\x03\x30\x01\x00"), "PKCS #12", 0, 0},
    {"UTF-16", SPAN_LIT("\xff\xfe-\0-\0"), "UTF-16", 0, 0},
    {"only a key", SPAN_LIT(KEY), "exchanged", 0, 0},
    {"a request", SPAN_LIT("-----BEGIN CERTIFICATE REQUEST-----\nMAMCAQU=\n-----END X-----\n"),
     "CSR", 0, 0},
    {"PKCS #7", SPAN_LIT("-----BEGIN PKCS7-----\nMAMCAQU=\n-----END PKCS7-----\n"), "PKCS #7", 0,
     0},
};

static const struct row key_rows[] = {
    {"PKCS #8", SPAN_LIT(KEY), NULL, 1, 5},
    {"the first of two", SPAN_LIT(OTHER_KEY KEY), NULL, 1, 6},
    {"behind a certificate", SPAN_LIT(SEVEN KEY), NULL, 1, 5},
    {"behind parameters",
     SPAN_LIT("-----BEGIN EC PARAMETERS-----\nBg==\n-----END EC PARAMETERS-----\n" OTHER_KEY), NULL,
     1, 6},
    {"behind an encrypted one",
     SPAN_LIT(
         "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n" KEY),
     NULL, 1, 5},
    {"harmless headers",
     SPAN_LIT("-----BEGIN PRIVATE KEY-----\nComment: mine\n\nMAMCAQU=\n-----END PRIVATE KEY-----"),
     NULL, 1, 5},
    {"encrypted, PKCS #8",
     SPAN_LIT("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n"),
     "encrypted", 0, 0},
    {"encrypted, older",
     SPAN_LIT("-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: "
              "A,0\r\n\r\nMA==\r\n"
              "-----END RSA PRIVATE KEY-----\r\n"),
     "encrypted", 0, 0},
    {"OpenSSH",
     SPAN_LIT("-----BEGIN OPENSSH PRIVATE KEY-----\nMA==\n-----END OPENSSH PRIVATE KEY-----"),
     "ssh-keygen", 0, 0},
    {"DSA", SPAN_LIT("-----BEGIN DSA PRIVATE KEY-----\nMA==\n-----END DSA PRIVATE KEY-----"), "DSA",
     0, 0},
    {"public", SPAN_LIT("-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----"), "public", 0,
     0},
    {"certificate", SPAN_LIT(FIVE), "exchanged", 0, 0},
    {"cut off", SPAN_LIT("-----BEGIN PRIVATE KEY-----\nMAMCA"), "damaged", 0, 0},
    {"nothing", {"", 0}, "empty", 0, 0},
};

#define PUBLIC "-----BEGIN PUBLIC KEY-----\nMAMCAQU=\n-----END PUBLIC KEY-----\n"
#define RSA_PUBLIC "-----BEGIN RSA PUBLIC KEY-----\nMAQCAgEF\n-----END RSA PUBLIC KEY-----\n"

static const struct row public_rows[] = {
    {"one", SPAN_LIT(PUBLIC), NULL, 1, 5},
    {"three", SPAN_LIT("a\n" PUBLIC RSA_PUBLIC "b\n" PUBLIC), NULL, 3, 16},
    {"beside a certificate", SPAN_LIT(FIVE PUBLIC), NULL, 1, 5},
    {"beside a private key", SPAN_LIT(PUBLIC KEY), "private key", 0, 0},
    {"a private key", SPAN_LIT(KEY), "-pubout", 0, 0},
    {"a certificate", SPAN_LIT(FIVE), "-pubkey", 0, 0},
    {"damaged", SPAN_LIT("-----BEGIN PUBLIC KEY-----\nMAMCAQ\n-----END PUBLIC KEY-----\n"),
     "damaged", 0, 0},
    {"cut off", SPAN_LIT("-----BEGIN PUBLIC KEY-----\nMAMCAQU=\n"), "damaged", 0, 0},
    {"nothing", {"", 0}, "empty", 0, 0},
    {"a JWKS", SPAN_LIT("{\"keys\":[]}"), "no public key", 0, 0},
};

typedef const char *read_fn(struct span text, struct tls_der *out);

static void check_rows(const struct row *rows, size_t count, read_fn *read)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        size_t before = mem_live_blocks();
        struct tls_der der;
        char *copy = malloc(row->text.len + 1); /* a read beyond the end is seen */
        memcpy(copy, row->text.data, row->text.len);
        const char *detail = read((struct span){copy, row->text.len}, &der);
        CHECK_TRUE(row->name, row->detail == NULL ? detail == NULL
                                                  : detail != NULL && strstr(detail, row->detail));
        CHECK_EQ_U64(row->name, der.count, row->count);
        CHECK_EQ_U64(row->name, der.len, row->len);
        size_t sum = 0;
        for (size_t k = 0; k < der.count; k++) {
            sum += tls_pem_item(&der, k).len;
            CHECK_EQ_INT(row->name, tls_pem_item(&der, k).data[0], 0x30);
        }
        CHECK_EQ_U64(row->name, sum, der.len);
        tls_pem_done(&der);
        free(copy);
        CHECK_EQ_U64(row->name, mem_live_blocks(), before);
    }
}

static void test_certificates(void)
{
    check_rows(certificate_rows, COUNT(certificate_rows), tls_pem_certificates);
}

static void test_keys(void)
{
    check_rows(key_rows, COUNT(key_rows), tls_pem_key);
    CHECK_TRUE("a key", tls_pem_has_key(SPAN_LIT(FIVE OTHER_KEY)));
    CHECK_FALSE("none", tls_pem_has_key(SPAN_LIT(FIVE)));
}

static void test_public_keys(void)
{
    check_rows(public_rows, COUNT(public_rows), tls_pem_public_keys);
}

/* Each file cut at every place: whole certificates, or an error. */
static void test_cuts(void)
{
    static const struct span text = SPAN_LIT("a\n" FIVE KEY SIX "b\r\n" SEVEN);
    for (size_t len = 0; len < text.len; len++) {
        struct tls_der der;
        const char *detail = tls_pem_certificates((struct span){text.data, len}, &der);
        CHECK_TRUE("cut", detail != NULL || der.count > 0);
        tls_pem_done(&der);
        CHECK_TRUE("cut", tls_pem_public_keys((struct span){text.data, len}, &der) != NULL);
        CHECK_TRUE("cut", tls_pem_key((struct span){text.data, len}, &der) != NULL || der.len == 5);
        tls_pem_done(&der);
    }
}

static void test_limits(void)
{
    static char text[64 * 64];
    static char large[160 * 1024];
    struct tls_der der;
    for (size_t i = 1; i <= 22; i++) {
        memcpy(text + strlen(text), FIVE, sizeof(FIVE));
        const char *detail = tls_pem_certificates(span_from_str(text), &der);
        CHECK_EQ_INT("21 at most", detail == NULL, i <= TLS_PEM_CERTIFICATES);
        tls_pem_done(&der);
    }
    /* SEQUENCE of 102,397 zero bytes: base64 of zeroes is A. */
    size_t len = (size_t)snprintf(large, sizeof(large), "-----BEGIN CERTIFICATE-----\nMIMBj/0A");
    memset(large + len, 'A', 136528);
    snprintf(large + len + 136528, 40, "\n-----END CERTIFICATE-----\n");
    const char *detail = tls_pem_certificates(span_from_str(large), &der);
    CHECK_TRUE("too large", detail != NULL && strstr(detail, "100 KiB") != NULL);
    tls_pem_done(&der);
}

CU_TestInfo tls_pem_tests[] = {
    {"certificates", test_certificates}, {"keys", test_keys},     {"public keys", test_public_keys},
    {"cut everywhere", test_cuts},       {"limits", test_limits}, CU_TEST_INFO_NULL,
};
