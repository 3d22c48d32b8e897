/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/jwt_keys.h"

#include "jwt_kit.h"
#include "jwt_vectors.h"
#include "suites.h"

/* 32, 33 and 31 bytes; 48. */
#define B32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define B33 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
#define B31 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg"
#define B48 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
#define P256 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" B32 "\",\"y\":\"" B32 "\""
#define ED "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" B32 "\""
#define SECRET "\"kty\":\"oct\",\"k\":\"" B32 "\""
#define TEN "_______A_f"
#define FIFTY TEN TEN TEN TEN TEN
/* 342 characters: 256 bytes, the first 0xff, the last 0x01. */
#define N2048 FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY TEN TEN TEN TEN "AQ"
#define RSA(n, e) "\"kty\":\"RSA\",\"n\":\"" n "\",\"e\":\"" e "\""
#define SET(keys) "{\"keys\":[" keys "]}"

#define RS SIGKEY_SET(SIGKEY_RS256)
#define PS SIGKEY_SET(SIGKEY_PS256)
#define ALL JWT_PUBLIC_ALGS
#define NOT_BOTH (ALL & ~PS)

static const struct {
    const char *text;
    unsigned allowed;
    size_t skipped;
    enum sigkey_alg alg; /* of the first */
    size_t len;
} good_rows[] = {
    {"{" P256 "}", ALL, 0, SIGKEY_ES256, 64},
    {SET("{" P256 "}"), ALL, 0, SIGKEY_ES256, 64},
    {SET("{" P256 ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"]}"), ALL, 0,
     SIGKEY_ES256, 64},
    {"{\"keys\":[{" P256 "}],\"x\":1}", ALL, 0, SIGKEY_ES256, 64},
    {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" B48 "\",\"y\":\"" B48 "\"}", ALL, 0, SIGKEY_ES384,
     96},
    {"{" ED "}", ALL, 0, SIGKEY_ED25519, 32},
    {"{" ED ",\"alg\":\"EdDSA\"}", ALL, 0, SIGKEY_ED25519, 32},
    {"{" ED ",\"alg\":\"Ed25519\"}", ALL, 0, SIGKEY_ED25519, 32},
    {"{" RSA(N2048, "AQAB") "}", RS, 0, SIGKEY_RS256, 256},
    {"{" RSA(N2048, "AQAB") "}", PS, 0, SIGKEY_PS256, 256},
    {"{" RSA(N2048, "Aw") ",\"alg\":\"PS256\"}", ALL, 0, SIGKEY_PS256, 256},
    {"{" RSA(N2048, "AAEAAQ") "}", NOT_BOTH, 0, SIGKEY_RS256, 256},
    {"{" SECRET "}", JWT_SECRET_ALGS, 0, SIGKEY_HS256, 32},
    {"{" SECRET ",\"alg\":\"HS256\"}", JWT_SECRET_ALGS, 0, SIGKEY_HS256, 32},
    /* what is for something else */
    {SET("{" P256 ",\"use\":\"enc\"},{" ED "}"), ALL, 1, SIGKEY_ED25519, 32},
    {SET("{" P256 ",\"key_ops\":[\"deriveKey\"]},{" ED "}"), ALL, 1, SIGKEY_ED25519, 32},
    {SET("{" P256 ",\"alg\":\"ECDH-ES\"},{" ED "}"), ALL, 1, SIGKEY_ED25519, 32},
    {SET("{\"kty\":\"AKP\"},{" ED "}"), ALL, 1, SIGKEY_ED25519, 32},
    {SET("{\"kty\":\"EC\",\"crv\":\"secp256k1\"},{" ED "}"), ALL, 1, SIGKEY_ED25519, 32},
    {SET("{\"kty\":\"OKP\",\"crv\":\"X25519\"},{" ED "}"), ALL, 1, SIGKEY_ED25519, 32},
    {SET("{" P256 "},{" ED "}"), SIGKEY_SET(SIGKEY_ED25519), 1, SIGKEY_ED25519, 32},
    {SET("{" RSA("AA", "AA") "},{" ED "}"), SIGKEY_SET(SIGKEY_ED25519), 1, SIGKEY_ED25519, 32},
};

static void test_good(void)
{
    json_doc_start(1);
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        struct jwt_keys keys;
        jwt_kit_read(&keys, good_rows[i].text, good_rows[i].allowed, sigkey_check);
        CHECK_EQ_U64(good_rows[i].text, keys.count, 1);
        CHECK_EQ_U64(good_rows[i].text, keys.skipped, good_rows[i].skipped);
        if (keys.count > 0) {
            CHECK_EQ_INT(good_rows[i].text, keys.items[0].key.alg, good_rows[i].alg);
            CHECK_EQ_U64(good_rows[i].text, keys.items[0].key.len, good_rows[i].len);
        }
        jwt_keys_done(&keys);
    }
}

static const struct {
    const char *text;
    unsigned allowed;
    const char *detail; /* a part of it */
    size_t key;
} bad_rows[] = {
    {"", ALL, "nothing", 0},
    {"-----BEGIN PUBLIC KEY-----", ALL, "malformed JSON", 0},
    {"{}", ALL, "neither", 0},
    {"[]", ALL, "neither", 0},
    {"[{" ED "}]", ALL, "neither", 0},
    {"{\"keys\":{" ED "}}", ALL, "neither", 0},
    {SET(""), ALL, "no key in the file", 0},
    {SET("{" P256 "}"), RS, "no key in the file", 0},
    {SET("1"), ALL, "no kty", 1},
    {SET("{}"), ALL, "no kty", 1},
    {SET("{" ED "},{\"kty\":1}"), ALL, "no kty", 2},
    {SET("{" SECRET "}"), ALL, "has a secret", 1},
    {SET("{" SECRET ",\"use\":\"enc\"}"), ALL, "has a secret", 1},
    {SET("{" SECRET ",\"alg\":\"RS256\"}"), ALL, "has a secret", 1},
    {SET("{" ED "}"), JWT_SECRET_ALGS, "has a public key", 1},
    {"{" ED ",\"d\":\"AA\"}", ALL, "private", 0},
    {"{" RSA(N2048, "AQAB") ",\"d\":\"AA\"}", RS, "private", 0},
    {"{" RSA(N2048, "AQAB") "}", ALL, "RS256 or PS256", 0},
    {"{" RSA(N2048, "AQAB") ",\"alg\":\"ES256\"}", ALL, "alg does not", 0},
    {"{" RSA(N2048, "AQAB") ",\"alg\":\"HS256\"}", ALL, "alg does not", 0},
    {"{" P256 ",\"alg\":\"ES384\"}", ALL, "alg does not", 0},
    {"{" ED ",\"alg\":\"RS256\"}", ALL, "alg does not", 0},
    {"{" SECRET ",\"alg\":\"RS256\"}", JWT_SECRET_ALGS, "alg does not", 0},
    {"{" RSA("", "AQAB") "}", RS, "n of an RSA key", 0},
    {"{" RSA("A", "AQAB") "}", RS, "n of an RSA key", 0},
    {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", RS, "n of an RSA key", 0},
    {"{" RSA("AQAB", "AQAB") "}", RS, "2048 bits", 0},
    {"{" RSA("AAAA", "AQAB") "}", RS, "2048 bits", 0},
    {"{" RSA(N2048 N2048 N2048, "AQAB") "}", RS, "4096 bits", 0},
    {"{" RSA(N2048, "AQ") "}", RS, "exponent", 0},
    {"{" RSA(N2048, "Ag") "}", RS, "exponent", 0},
    {"{" RSA(N2048, "AA") "}", RS, "exponent", 0},
    {"{" RSA(N2048, "") "}", RS, "e of an RSA", 0},
    {"{" RSA(N2048, "AQAAAAE") "}", RS, "e of an RSA", 0},
    {"{" RSA(N2048, "AQ==") "}", RS, "e of an RSA", 0},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" B32 "\"}", ALL, "x or y", 0},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" B33 "\",\"y\":\"" B32 "\"}", ALL, "x or y", 0},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" B32 "\",\"y\":\"" B33 "\"}", ALL, "x or y", 0},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" B31 "\",\"y\":\"" B33 "\"}", ALL, "x or y", 0},
    {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" B32 "\",\"y\":\"" B32 "\"}", ALL, "x or y", 0},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" B48 "\",\"y\":\"" B48 "\"}", ALL, "x or y", 0},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" B33 "\"}", ALL, "x of an OKP", 0},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" B31 "\"}", ALL, "length", 0},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" B32 "=\"}", ALL, "x of an OKP", 0},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", ALL, "x of an OKP", 0},
    {"{\"kty\":\"oct\",\"k\":\"" B31 "\"}", JWT_SECRET_ALGS, "32 bytes", 0},
    {"{\"kty\":\"oct\",\"k\":\"\"}", JWT_SECRET_ALGS, "k of a secret", 0},
    {"{\"kty\":\"oct\"}", JWT_SECRET_ALGS, "k of a secret", 0},
    {"{\"kty\":\"oct\",\"k\":\"" N2048 N2048 N2048 "\"}", JWT_SECRET_ALGS, "512 bytes", 0},
    {"{" ED ",\"kid\":1}", ALL, "kid", 0},
    {"{" ED ",\"kid\":\"\"}", ALL, "kid", 0},
    {"{" ED ",\"kid\":\"" N2048 "\"}", ALL, "256 bytes", 0},
    {SET("{" ED "},{" P256 "},{" ED "}"), ALL, "have no kid", 3},
    {SET("{" ED ",\"kid\":\"a\"},{" P256 ",\"kid\":\"a\"},{" ED ",\"kid\":\"a\"}"), ALL, "same kid",
     3},
};

static void test_bad(void)
{
    json_doc_start(1);
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        struct jwt_keys_fault fault;
        struct jwt_keys keys = {.count = 0};
        size_t before = mem_live_blocks();
        CHECK_FALSE(bad_rows[i].text, jwt_keys_read(&keys, span_from_str(bad_rows[i].text),
                                                    bad_rows[i].allowed, sigkey_check, &fault));
        if (CHECK_TRUE(bad_rows[i].text, fault.detail != NULL)) {
            CHECK_TRUE(fault.detail, strstr(fault.detail, bad_rows[i].detail) != NULL);
        }
        CHECK_EQ_U64(bad_rows[i].text, fault.key, bad_rows[i].key);
        CHECK_EQ_U64(bad_rows[i].text, keys.count, 0);
        jwt_keys_done(&keys);
        CHECK_EQ_U64(bad_rows[i].text, mem_live_blocks(), before);
    }
}

static void test_choice(void)
{
    static const char three[] =
        SET("{" ED ",\"kid\":\"a\"},{" P256 ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}");
    static const char mixed[] = SET("{" ED "},{" P256 ",\"kid\":\"p\"},{" ED ",\"kid\":\"b\"}");
    static const struct {
        const char *keys;
        enum sigkey_alg alg;
        const char *kid; /* NULL: none */
        enum jwt_choice want;
        size_t index;
    } rows[] = {
        {three, SIGKEY_ED25519, "a", JWT_CHOSEN, 0},
        {three, SIGKEY_ED25519, "b", JWT_CHOSEN, 2},
        {three, SIGKEY_ES256, "a", JWT_CHOSEN, 1},
        {three, SIGKEY_ES256, NULL, JWT_CHOSEN, 1},
        {three, SIGKEY_ED25519, NULL, JWT_CHOICE_NO_KID, 0},
        {three, SIGKEY_ED25519, "c", JWT_CHOICE_OTHER_KID, 0},
        {three, SIGKEY_ED25519, "", JWT_CHOICE_OTHER_KID, 0},
        {three, SIGKEY_ED25519, "A", JWT_CHOICE_OTHER_KID, 0},
        {three, SIGKEY_ES256, "b", JWT_CHOICE_OTHER_KID, 0},
        {three, SIGKEY_ES384, "a", JWT_CHOICE_NO_ALG, 0},
        {three, SIGKEY_HS256, "a", JWT_CHOICE_NO_ALG, 0},
        {mixed, SIGKEY_ED25519, "b", JWT_CHOSEN, 2},
        {mixed, SIGKEY_ED25519, "c", JWT_CHOICE_OTHER_KID, 0},
        {mixed, SIGKEY_ED25519, "", JWT_CHOICE_OTHER_KID, 0},
        {mixed, SIGKEY_ED25519, NULL, JWT_CHOICE_NO_KID, 0},
        {mixed, SIGKEY_ES256, "c", JWT_CHOICE_OTHER_KID, 0},
        /* one key without kid, from PEM or a secret, serves any kid */
        {"{" ED "}", SIGKEY_ED25519, "anything", JWT_CHOSEN, 0},
        {"{" ED "}", SIGKEY_ED25519, "", JWT_CHOSEN, 0},
        {"{" ED "}", SIGKEY_ED25519, NULL, JWT_CHOSEN, 0},
    };
    json_doc_start(1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jwt_keys keys;
        const struct jwt_key *key = NULL;
        jwt_kit_read(&keys, rows[i].keys, ALL, sigkey_check);
        enum jwt_choice got = jwt_keys_choose(&keys, rows[i].alg, rows[i].kid != NULL,
                                              span_from_str(rows[i].kid), &key);
        CHECK_EQ_INT(rows[i].kid, got, rows[i].want);
        CHECK_TRUE(rows[i].kid, key == (got == JWT_CHOSEN ? &keys.items[rows[i].index] : NULL));
        jwt_keys_done(&keys);
    }
}

static void test_many(void)
{
    struct jwt_keys keys = {.count = 0};
    struct sigkey key = {.alg = SIGKEY_ED25519, .len = 32};
    const struct jwt_key *found = NULL;
    for (size_t i = 0; i <= JWT_KEYS_MAX; i++) {
        char kid[8];
        snprintf(kid, sizeof(kid), "%zu", i);
        key.number[0] = (uint8_t)i;
        const char *detail = jwt_keys_add(&keys, &key, span_from_str(kid));
        CHECK_EQ_INT(kid, detail == NULL, i < JWT_KEYS_MAX);
    }
    CHECK_EQ_INT("77", jwt_keys_choose(&keys, SIGKEY_ED25519, true, SPAN_LIT("77"), &found),
                 JWT_CHOSEN);
    CHECK_EQ_INT("77", found != NULL ? found->key.number[0] : 0, 77);
    /* A file that fails leaves the table as it was. */
    struct jwt_keys_fault fault;
    json_doc_start(1);
    keys.count = 200;
    CHECK_FALSE("fails",
                jwt_keys_read(&keys, SPAN_LIT(SET("{" P256 "},{" ED ",\"use\":\"enc\"},1")), ALL,
                              sigkey_check, &fault));
    CHECK_EQ_U64("200", keys.count, 200);
    CHECK_EQ_U64("200", keys.skipped, 0);
    jwt_keys_done(&keys);
}

/* The front of a good set, and each allocation failing. */
static void test_cuts(void)
{
    const struct span text = SPAN_LIT(VECTOR_JWKS);
    size_t before = mem_live_blocks();
    struct jwt_keys keys = {.count = 0};
    struct jwt_keys_fault fault;
    bool is_read = false;
    json_doc_start(1);
    for (size_t len = 0; len < text.len; len++) {
        CHECK_FALSE("cut",
                    jwt_keys_read(&keys, (struct span){text.data, len}, ALL, sigkey_check, &fault));
    }
    for (uint64_t n = 1; n < 1000 && !is_read; n++) {
        mem_fail_after(n);
        is_read = jwt_keys_read(&keys, text, ALL, sigkey_check, &fault);
        mem_fail_after(0);
        CHECK_EQ_U64("count", keys.count, is_read ? 5 : 0);
        jwt_keys_done(&keys);
        CHECK_EQ_U64("blocks", mem_live_blocks(), before);
    }
    CHECK_TRUE("read", is_read);
    (void)mem_recover();
}

CU_TestInfo jwt_keys_tests[] = {
    {"good", test_good}, {"bad", test_bad},   {"choice", test_choice},
    {"many", test_many}, {"cuts", test_cuts}, CU_TEST_INFO_NULL,
};
