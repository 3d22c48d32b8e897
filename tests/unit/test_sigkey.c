/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sigkey.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_names(void)
{
    static const char *const others[] = {"",      "none",  "None",   "hs256",   "HS256 ", "HS384",
                                         "RS384", "ES512", "ES256K", "ed25519", "eddsa",  "Ed448"};
    enum sigkey_alg alg = SIGKEY_ALGS;
    for (int i = 0; i < SIGKEY_ALGS; i++) {
        const char *name = sigkey_alg_name((enum sigkey_alg)i);
        CHECK_TRUE(name, sigkey_alg_parse(span_from_str(name), &alg));
        CHECK_EQ_INT(name, alg, i);
    }
    CHECK_TRUE("EdDSA", sigkey_alg_parse(SPAN_LIT("EdDSA"), &alg) && alg == SIGKEY_ED25519);
    for (size_t i = 0; i < COUNT(others); i++) {
        CHECK_FALSE(others[i], sigkey_alg_parse(span_from_str(others[i]), &alg));
    }
}

/* Every length of every algorithm. */
static void test_lengths(void)
{
    for (int alg = 0; alg < SIGKEY_ALGS; alg++) {
        const char *name = sigkey_alg_name((enum sigkey_alg)alg);
        bool is_rsa = alg == SIGKEY_RS256 || alg == SIGKEY_PS256;
        size_t exact = alg == SIGKEY_ES256 ? 64 : alg == SIGKEY_ES384 ? 96 : 32;
        for (size_t len = 0; len <= SIGKEY_BYTES_MAX; len++) {
            struct sigkey key = {.alg = (enum sigkey_alg)alg, .len = len, .exponent = 3};
            memset(key.number, 0xff, sizeof(key.number));
            bool is_good = is_rsa                ? len >= 256
                           : alg == SIGKEY_HS256 ? len >= SIGKEY_SECRET_MIN
                                                 : len == exact;
            CHECK_EQ_INT(name, sigkey_check(&key) == NULL, is_good);
            CHECK_EQ_U64(name, sigkey_signature_len(&key),
                         is_rsa                ? len
                         : alg == SIGKEY_HS256 ? 32
                         : alg == SIGKEY_ES384 ? 96
                                               : 64);
        }
    }
}

static void test_rsa(void)
{
    struct sigkey key = {.alg = SIGKEY_RS256, .len = 256, .exponent = 65537};
    enum sigkey_alg alg;
    memset(key.number, 0xff, sizeof(key.number));
    CHECK_TRUE("good", sigkey_check(&key) == NULL);
    key.number[0] = 0x7f;
    CHECK_TRUE("2047 bits", sigkey_check(&key) != NULL);
    key.len = 257;
    key.number[0] = 1;
    CHECK_TRUE("2049 bits", sigkey_check(&key) == NULL);
    key.number[256] = 2;
    CHECK_TRUE("even", sigkey_check(&key) != NULL);
    key.number[256] = 3;
    for (uint32_t e = 0; e < 6; e++) {
        key.exponent = e;
        CHECK_EQ_INT("exponent", sigkey_check(&key) == NULL, e == 3 || e == 5);
    }
    const unsigned rs = SIGKEY_SET(SIGKEY_RS256);
    const unsigned ps = SIGKEY_SET(SIGKEY_PS256);
    CHECK_TRUE("RS", sigkey_rsa_alg(rs | 1, &alg) && alg == SIGKEY_RS256);
    CHECK_TRUE("PS", sigkey_rsa_alg(ps | 1, &alg) && alg == SIGKEY_PS256);
    CHECK_FALSE("both", sigkey_rsa_alg(rs | ps, &alg));
    CHECK_FALSE("none", sigkey_rsa_alg(~(rs | ps), &alg));
}

static void test_number(void)
{
    static char bytes[SIGKEY_BYTES_MAX + 2];
    struct sigkey key = {.alg = SIGKEY_RS256};
    bytes[sizeof(bytes) - 1] = 1;
    CHECK_TRUE("zeroes go", sigkey_set_number(&key, (struct span){bytes, sizeof(bytes)}));
    CHECK_EQ_U64("zeroes go", key.len, 1);
    bytes[1] = 1;
    CHECK_FALSE("too long", sigkey_set_number(&key, (struct span){bytes + 1, sizeof(bytes) - 1}));
    CHECK_TRUE("nothing", sigkey_set_number(&key, (struct span){NULL, 0}) && key.len == 0);
    key.alg = SIGKEY_HS256;
    CHECK_TRUE("zeroes stay", sigkey_set_number(&key, (struct span){bytes, 40}) && key.len == 40);
    CHECK_TRUE("same", sigkey_is_same(SPAN_LIT("abc"), SPAN_LIT("abc")));
    CHECK_FALSE("first", sigkey_is_same(SPAN_LIT("abc"), SPAN_LIT("bbc")));
    CHECK_FALSE("last", sigkey_is_same(SPAN_LIT("abc"), SPAN_LIT("abd")));
    CHECK_FALSE("shorter", sigkey_is_same(SPAN_LIT("abc"), SPAN_LIT("ab")));
    CHECK_TRUE("nothing", sigkey_is_same(SPAN_LIT(""), (struct span){NULL, 0}));
}

CU_TestInfo sigkey_tests[] = {
    {"names", test_names},    {"lengths", test_lengths}, {"RSA", test_rsa},
    {"numbers", test_number}, CU_TEST_INFO_NULL,
};
