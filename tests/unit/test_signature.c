/* SPDX-License-Identifier: GPL-3.0-or-later */
// Real tokens, and the attacks on them that are known, through jwt and wolfCrypt.
#include "io/signature.h"

#include <stdlib.h>

#include "io/tls_pem.h"
#include "jwt_kit.h"
#include "jwt_vectors.h"
#include "suites.h"

#define EVERY_ALG (JWT_PUBLIC_ALGS | JWT_SECRET_ALGS)

/* Checks a token with the keys of a JWKS. */
static enum jwt_refusal check_with(const char *jwks, unsigned allowed, struct span token,
                                   uint64_t now_s)
{
    static const struct span audiences[] = {{"sluice", 6}};
    struct jwt_keys keys;
    struct jwt jwt;
    jwt_kit_read(&keys, jwks, allowed, signature_check_key);
    bool is_rfc = now_s < 1400000000;
    struct jwt_rules rules = {.keys = &keys,
                              .issuer =
                                  is_rfc ? SPAN_LIT("joe") : SPAN_LIT("https://login.example"),
                              .audiences = audiences,
                              .audience_count = is_rfc ? 0 : 1};
    enum jwt_refusal refusal = jwt_check(token, &rules, now_s, signature_prove, &jwt);
    if (refusal == JWT_OK && !is_rfc) {
        CHECK_EQ_MEM("sub", jwt.subject.data, jwt.subject.len, "ada", 3);
        CHECK_EQ_U64("ends", jwt.ends_s, 4102444800);
    }
    jwt_done(&jwt);
    jwt_keys_done(&keys);
    return refusal;
}

static const struct {
    const char *name;
    const char *token;
    const char *jwks;
    enum jwt_refusal want;
} rows[] = {
    {"PyJWT HS256", VECTOR_PY_HS256, VECTOR_SECRET_JWK, JWT_OK},
    {"PyJWT RS256", VECTOR_PY_RS256, VECTOR_JWKS, JWT_OK},
    {"PyJWT PS256", VECTOR_PY_PS256, VECTOR_JWKS, JWT_OK},
    {"PyJWT ES256", VECTOR_PY_ES256, VECTOR_JWKS, JWT_OK},
    {"PyJWT ES384", VECTOR_PY_ES384, VECTOR_JWKS, JWT_OK},
    {"PyJWT EdDSA", VECTOR_PY_EDDSA, VECTOR_JWKS, JWT_OK},
    {"jose HS256", VECTOR_JOSE_HS256, VECTOR_SECRET_JWK, JWT_OK},
    {"jose RS256", VECTOR_JOSE_RS256, VECTOR_JWKS, JWT_OK},
    {"jose PS256", VECTOR_JOSE_PS256, VECTOR_JWKS, JWT_OK},
    {"jose ES256", VECTOR_JOSE_ES256, VECTOR_JWKS, JWT_OK},
    {"jose ES384", VECTOR_JOSE_ES384, VECTOR_JWKS, JWT_OK},
    {"jose EdDSA", VECTOR_JOSE_EDDSA, VECTOR_JWKS, JWT_OK},
    {"jose Ed25519", VECTOR_JOSE_ED25519, VECTOR_JWKS, JWT_OK},
    {"exponent 3", VECTOR_E3, VECTOR_E3_JWK, JWT_OK},
    /* Who negates s makes another signature of the same text by the same key. */
    {"ES256, the other s", VECTOR_ES256_OTHER_S, VECTOR_JWKS, JWT_OK},
    {"ES512", VECTOR_PY_ES512, VECTOR_JWKS, JWT_ALG},
    {"RS512", VECTOR_PY_RS512, VECTOR_JWKS, JWT_ALG},
    {"SHA-512 inside RS256", VECTOR_RS256_SHA512, VECTOR_JWKS, JWT_SIGNATURE},
    {"the public key as a secret", VECTOR_CONFUSED, VECTOR_JWKS, JWT_ALG},
    {"cube root", VECTOR_RS256_CUBE_ROOT, VECTOR_E3_JWK, JWT_SIGNATURE},
    {"PSS, salt of 20", VECTOR_PS256_SALT20, VECTOR_JWKS, JWT_SIGNATURE},
    {"PSS, the longest salt", VECTOR_PS256_SALT_MAX, VECTOR_JWKS, JWT_SIGNATURE},
    {"PSS, MGF of SHA-1", VECTOR_PS256_MGF_SHA1, VECTOR_JWKS, JWT_SIGNATURE},
    {"ES256 as DER", VECTOR_ES256_DER, VECTOR_JWKS, JWT_SIGNATURE_LENGTH},
};

static void test_tokens(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t before = mem_live_blocks();
        unsigned allowed = strstr(rows[i].jwks, "oct") != NULL ? JWT_SECRET_ALGS : JWT_PUBLIC_ALGS;
        enum jwt_refusal got =
            check_with(rows[i].jwks, allowed, span_from_str(rows[i].token), JWT_KIT_NOW);
        CHECK_EQ_STR(rows[i].name, jwt_refusal_word(got), jwt_refusal_word(rows[i].want));
        if (i > 0) { /* the first call starts wolfCrypt, which keeps memory */
            CHECK_EQ_U64(rows[i].name, mem_live_blocks(), before);
        }
    }
}

static void test_rfc(void)
{
    const unsigned rs256 = SIGKEY_SET(SIGKEY_RS256);
    const struct span a1 = SPAN_LIT(VECTOR_A1);
    const struct span a2 = SPAN_LIT(VECTOR_A2);
    const struct span a3 = SPAN_LIT(VECTOR_A3);
    CHECK_EQ_INT("A.1", check_with(VECTOR_A1_JWK, JWT_SECRET_ALGS, a1, 1300819379), JWT_OK);
    CHECK_EQ_INT("A.2", check_with(VECTOR_A2_JWK, rs256, a2, 1300819379), JWT_OK);
    CHECK_EQ_INT("A.3", check_with(VECTOR_A3_JWK, JWT_PUBLIC_ALGS, a3, 1300819379), JWT_OK);
    CHECK_EQ_INT("late", check_with(VECTOR_A1_JWK, JWT_SECRET_ALGS, a1, 1300819380), JWT_EXPIRED);
    CHECK_EQ_INT("none",
                 check_with(VECTOR_A3_JWK, JWT_PUBLIC_ALGS, SPAN_LIT(VECTOR_7519), 1300819379),
                 JWT_ALG_NONE);
    /* Ed25519: the signature is good, what is signed is no JSON. */
    CHECK_EQ_INT("A.4",
                 check_with(VECTOR_8037_JWK, JWT_PUBLIC_ALGS, SPAN_LIT(VECTOR_8037), 1300819379),
                 JWT_CLAIMS);
    /* The keys of PS256 alone never prove RS256. */
    CHECK_EQ_INT("PS256", check_with(VECTOR_A2_JWK, SIGKEY_SET(SIGKEY_PS256), a2, 1300819379),
                 JWT_ALG);
}

/* Each character of the token replaced, but with RSA only some: no other token is proven. */
static void test_changed(void)
{
    for (size_t i = 0; i < 7; i++) {
        char text[2048];
        size_t len = strlen(rows[i].token);
        size_t step = rows[i].token[len - 200] != '.' && len > 600 ? 11 : 1;
        bool is_secret = strstr(rows[i].jwks, "oct") != NULL;
        struct jwt_keys keys;
        struct jwt_rules rules = {.keys = &keys};
        jwt_kit_read(&keys, rows[i].jwks, is_secret ? JWT_SECRET_ALGS : JWT_PUBLIC_ALGS,
                     signature_check_key);
        for (size_t at = 0; at < len; at += step) {
            struct jwt jwt;
            memcpy(text, rows[i].token, len);
            text[at] = text[at] == 'A' ? 'B' : 'A';
            enum jwt_refusal got =
                jwt_check((struct span){text, len}, &rules, JWT_KIT_NOW, signature_prove, &jwt);
            CHECK_TRUE(rows[i].name, got != JWT_OK && got < JWT_NO_MEMORY);
            /* What is not signed never gets as far as the claims. */
            CHECK_TRUE(jwt_refusal_word(got), got < JWT_CLAIMS);
            jwt_done(&jwt);
        }
        jwt_keys_done(&keys);
    }
}

/* --- signatures by themselves ----------------------------------------------- */

static const struct jwt_key *key_of(const struct jwt_keys *keys, enum sigkey_alg alg)
{
    const struct jwt_key *key = NULL;
    CHECK_EQ_INT("one key", jwt_keys_choose(keys, alg, false, (struct span){NULL, 0}, &key),
                 JWT_CHOSEN);
    return key;
}

/* Every length but the right one, up to a little more and to 21,830 characters of base64. */
static void test_lengths(void)
{
    static char zeroes[16384];
    struct jwt_keys keys[2];
    jwt_kit_read(&keys[0], VECTOR_JWKS, JWT_PUBLIC_ALGS, signature_check_key);
    jwt_kit_read(&keys[1], VECTOR_SECRET_JWK, JWT_SECRET_ALGS, signature_check_key);
    for (int alg = 0; alg < SIGKEY_ALGS; alg++) {
        const char *row = sigkey_alg_name((enum sigkey_alg)alg);
        const struct jwt_key *key = key_of(&keys[alg == SIGKEY_HS256], (enum sigkey_alg)alg);
        size_t right = sigkey_signature_len(&key->key);
        for (size_t len = 0; len <= sizeof(zeroes); len += len > right + 70 ? 1111 : 1) {
            /* A block of its own, so that a read beyond it is seen. */
            char *copy = malloc(len + 1);
            memset(copy, 0, len + 1);
            enum sigkey_result got =
                signature_prove(&key->key, SPAN_LIT("a.b"), (struct span){copy, len});
            CHECK_EQ_INT(row, got, len == right ? SIGKEY_WRONG : SIGKEY_WRONG_LEN);
            free(copy);
        }
        CHECK_EQ_INT(row, signature_prove(&key->key, SPAN_LIT("a.b"), (struct span){zeroes, 16372}),
                     SIGKEY_WRONG_LEN);
    }
    jwt_keys_done(&keys[0]);
    jwt_keys_done(&keys[1]);
}

static const char orders[2][49] = {
    "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51",
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf"
    "\x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73"};

/* 0, 1, the order, 1 more, all bits. */
static void write_extreme(char *number, size_t half, size_t which)
{
    memset(number, which == 4 ? 0xff : 0, half);
    number[half - 1] = (char)(which == 1 ? 1 : number[half - 1]);
    if (which == 2 || which == 3) {
        memcpy(number, orders[half == 32 ? 0 : 1], half);
        number[half - 1] = (char)(number[half - 1] + (which == 3 ? 1 : 0));
    }
}

/* r or s is 0, the order of the curve, or more (CVE-2022-21449 and its kin). */
static void test_psychic(void)
{
    struct jwt_keys keys;
    jwt_kit_read(&keys, VECTOR_JWKS, JWT_PUBLIC_ALGS, signature_check_key);
    for (size_t i = 0; i < 50; i++) {
        const struct jwt_key *key = key_of(&keys, i < 25 ? SIGKEY_ES256 : SIGKEY_ES384);
        const size_t half = i < 25 ? 32 : 48;
        char both[96];
        write_extreme(both, half, i % 5);
        write_extreme(both + half, half, i / 5 % 5);
        CHECK_EQ_INT("psychic",
                     signature_prove(&key->key, SPAN_LIT("a.b"), (struct span){both, 2 * half}),
                     SIGKEY_WRONG);
    }
    jwt_keys_done(&keys);
}

/* --- keys ----------------------------------------------- */

static void test_points(void)
{
    struct jwt_keys keys;
    jwt_kit_read(&keys, VECTOR_JWKS, JWT_PUBLIC_ALGS, signature_check_key);
    for (size_t i = 0; i < keys.count; i++) {
        struct sigkey key = keys.items[i].key;
        CHECK_TRUE(sigkey_alg_name(key.alg), signature_check_key(&key) == NULL);
        if (key.alg == SIGKEY_ES256 || key.alg == SIGKEY_ES384) {
            key.number[key.len - 1] ^= 1;
            const char *detail = signature_check_key(&key);
            CHECK_TRUE("off the curve", detail != NULL && strstr(detail, "curve") != NULL);
            memset(key.number, 0, key.len);
            CHECK_TRUE("0, 0", signature_check_key(&key) != NULL);
        }
        key.len--;
        CHECK_TRUE("short", key.alg == SIGKEY_PS256 || signature_check_key(&key) != NULL);
        CHECK_EQ_INT(
            "short",
            signature_prove(&key, SPAN_LIT("a.b"), (struct span){NULL, 0}) != SIGKEY_PROVEN, true);
    }
    jwt_keys_done(&keys);
}

/* A JWKS whose second key is off its curve. */
static void test_jwk_point(void)
{
    static const char text[] = "{\"keys\":[" VECTOR_8037_JWK ",{\"kty\":\"EC\",\"crv\":\"P-256\","
                               "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                               "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}]}";
    static const char other[] = "{\"kty\":\"EC\",\"crv\":\"P-256\","
                                "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}";
    struct jwt_keys keys = {.count = 0};
    struct jwt_keys_fault fault;
    json_doc_start(1);
    CHECK_FALSE("spare bits", jwt_keys_read(&keys, span_from_str(text), JWT_PUBLIC_ALGS,
                                            signature_check_key, &fault));
    CHECK_TRUE(fault.detail, strstr(fault.detail, "base64url") != NULL);
    CHECK_EQ_U64("the second", fault.key, 2);
    CHECK_FALSE("off the curve", jwt_keys_read(&keys, span_from_str(other), JWT_PUBLIC_ALGS,
                                               signature_check_key, &fault));
    CHECK_TRUE(fault.detail, strstr(fault.detail, "curve") != NULL);
    jwt_keys_done(&keys);
}

static void test_pem(void)
{
    static const struct {
        const char *name;
        const char *pem;
        unsigned allowed;
        const char *token; /* that it proves */
        const char *detail;
    } pems[] = {
        {"RSA", VECTOR_PEM_RS256, SIGKEY_SET(SIGKEY_RS256), VECTOR_PY_RS256, NULL},
        {"RSA, PKCS #1", VECTOR_PEM_PKCS1, SIGKEY_SET(SIGKEY_RS256), VECTOR_PY_RS256, NULL},
        {"RSA of 4096", VECTOR_PEM_R4096, SIGKEY_SET(SIGKEY_PS256), VECTOR_PY_PS256, NULL},
        {"RSA, exponent 3", VECTOR_PEM_E3, SIGKEY_SET(SIGKEY_RS256), VECTOR_E3, NULL},
        {"P-256", VECTOR_PEM_ES256, EVERY_ALG, VECTOR_PY_ES256, NULL},
        {"P-384", VECTOR_PEM_ES384, EVERY_ALG, VECTOR_PY_ES384, NULL},
        {"Ed25519", VECTOR_PEM_ED25519, EVERY_ALG, VECTOR_PY_EDDSA, NULL},
        {"RSA for both", VECTOR_PEM_RS256, EVERY_ALG, NULL, "exactly one"},
        {"RSA for neither", VECTOR_PEM_RS256, SIGKEY_SET(SIGKEY_ES256), NULL, "exactly one"},
        {"EC is not allowed", VECTOR_PEM_ES256, SIGKEY_SET(SIGKEY_RS256), NULL, "not allowed"},
        {"P-521", VECTOR_PEM_ES512, EVERY_ALG, NULL, "another curve"},
        {"a point of P-521 on P-384", VECTOR_PEM_LONG_POINT, EVERY_ALG, NULL,
         "not in the usual form"},
        {"a compressed point", VECTOR_PEM_COMPRESSED, EVERY_ALG, NULL, "not in the usual form"},
        {"X25519", VECTOR_PEM_X25519, EVERY_ALG, NULL, "neither"},
        {"RSA of 1024", VECTOR_PEM_R1024, SIGKEY_SET(SIGKEY_RS256), NULL, "2048"},
        {"RSA of 4104", VECTOR_PEM_R4104, SIGKEY_SET(SIGKEY_RS256), NULL, "4096"},
        {"no key", "-----BEGIN PUBLIC KEY-----\nMAMCAQU=\n-----END PUBLIC KEY-----\n", EVERY_ALG,
         NULL, "damaged"},
    };
    for (size_t i = 0; i < COUNT(pems); i++) {
        struct tls_der der;
        struct sigkey key;
        struct jwt_keys keys = {.count = 0};
        struct jwt_rules rules = {
            .keys = &keys, .audiences = (const struct span[]){{"sluice", 6}}, .audience_count = 1};
        struct jwt jwt;
        CHECK_TRUE(pems[i].name, tls_pem_public_keys(span_from_str(pems[i].pem), &der) == NULL);
        const char *detail = signature_key_of_der(tls_pem_item(&der, 0), pems[i].allowed, &key);
        CHECK_TRUE(pems[i].name, pems[i].detail == NULL
                                     ? detail == NULL
                                     : detail != NULL && strstr(detail, pems[i].detail) != NULL);
        if (detail == NULL) {
            CHECK_TRUE(pems[i].name, jwt_keys_add(&keys, &key, (struct span){NULL, 0}) == NULL);
            CHECK_EQ_INT(
                pems[i].name,
                jwt_check(span_from_str(pems[i].token), &rules, JWT_KIT_NOW, signature_prove, &jwt),
                JWT_OK);
            jwt_done(&jwt);
        }
        /* Cut anywhere, the DER is an error. */
        for (size_t len = 0; len < der.len; len += 3) {
            CHECK_TRUE(pems[i].name,
                       signature_key_of_der((struct span){(const char *)der.data, len},
                                            pems[i].allowed, &key) != NULL);
        }
        jwt_keys_done(&keys);
        tls_pem_done(&der);
    }
}

static void test_digest(void)
{
    uint8_t digest[SIGNATURE_DIGEST_LEN];
    CHECK_TRUE("abc", signature_digest(SPAN_LIT("abc"), digest));
    CHECK_EQ_MEM("FIPS 180-4", digest, sizeof(digest),
                 "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                 "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad",
                 32);
    CHECK_TRUE("nothing", signature_digest((struct span){NULL, 0}, digest));
    CHECK_EQ_INT("nothing", digest[0], 0xe3);
}

/* Whichever allocation fails: refused, and nothing stays behind. */
static void test_no_memory(void)
{
    struct jwt_keys keys[2];
    jwt_kit_read(&keys[0], VECTOR_JWKS, JWT_PUBLIC_ALGS, signature_check_key);
    jwt_kit_read(&keys[1], VECTOR_SECRET_JWK, JWT_SECRET_ALGS, signature_check_key);
    for (size_t i = 0; i < 6; i++) {
        struct jwt_rules rules = {.keys = &keys[i == 0 ? 1 : 0],
                                  .audiences = (const struct span[]){{"sluice", 6}},
                                  .audience_count = 1};
        size_t before = mem_live_blocks();
        enum jwt_refusal got = JWT_NO_MEMORY;
        for (uint64_t n = 1; n < 500 && got != JWT_OK; n++) {
            struct jwt jwt;
            mem_fail_after(n);
            got =
                jwt_check(span_from_str(rows[i].token), &rules, JWT_KIT_NOW, signature_prove, &jwt);
            mem_fail_after(0);
            jwt_done(&jwt);
            CHECK_EQ_U64(rows[i].name, mem_live_blocks(), before);
        }
        CHECK_EQ_INT(rows[i].name, got, JWT_OK);
    }
    (void)mem_recover();
    jwt_keys_done(&keys[0]);
    jwt_keys_done(&keys[1]);
}

CU_TestInfo signature_tests[] = {
    {"tokens of other makers, and attacks", test_tokens},
    {"RFC 7515, 7519, 8037", test_rfc},
    {"changed anywhere", test_changed},
    {"lengths", test_lengths},
    {"r and s out of range", test_psychic},
    {"points", test_points},
    {"a JWK off its curve", test_jwk_point},
    {"PEM", test_pem},
    {"digest", test_digest},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
