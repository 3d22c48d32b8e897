/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sigkey.h"

#include <string.h>

static const struct {
    const char *name;
    size_t number_len;    /* 0 = not fixed */
    size_t signature_len; /* 0 = as long as the number */
} algs[SIGKEY_ALGS] = {
    [SIGKEY_HS256] = {"HS256", 0, 32},  [SIGKEY_RS256] = {"RS256", 0, 0},
    [SIGKEY_PS256] = {"PS256", 0, 0},   [SIGKEY_ES256] = {"ES256", 64, 64},
    [SIGKEY_ES384] = {"ES384", 96, 96}, [SIGKEY_ED25519] = {"Ed25519", 32, 64},
};

bool sigkey_alg_parse(struct span name, enum sigkey_alg *out)
{
    if (span_is_equal(name, SPAN_LIT("EdDSA"))) {
        *out = SIGKEY_ED25519;
        return true;
    }
    for (size_t i = 0; i < SIGKEY_ALGS; i++) {
        if (span_is_equal(name, span_from_str(algs[i].name))) {
            *out = (enum sigkey_alg)i;
            return true;
        }
    }
    return false;
}

const char *sigkey_alg_name(enum sigkey_alg alg)
{
    return algs[alg].name;
}

static bool is_rsa(enum sigkey_alg alg)
{
    return alg == SIGKEY_RS256 || alg == SIGKEY_PS256;
}

static const char *check_rsa(const struct sigkey *key)
{
    const size_t len_min = SIGKEY_RSA_BITS_MIN / 8;
    if (key->len < len_min || (key->len == len_min && key->number[0] < 0x80)) {
        return "an RSA key has less than 2048 bits";
    }
    if (key->number[key->len - 1] % 2 == 0) {
        return "the modulus of an RSA key is even, so it is none";
    }
    if (key->exponent < 3 || key->exponent % 2 == 0) {
        return "the exponent of an RSA key is even or less than 3";
    }
    return NULL;
}

const char *sigkey_check(const struct sigkey *key)
{
    if (is_rsa(key->alg)) {
        return check_rsa(key);
    }
    if (key->alg == SIGKEY_HS256) {
        return key->len < SIGKEY_SECRET_MIN
                   ? "the secret has less than 32 bytes: openssl rand -hex 32 makes a good one"
                   : NULL;
    }
    return key->len != algs[key->alg].number_len ? "a key has not the length that its curve wants"
                                                 : NULL;
}

size_t sigkey_signature_len(const struct sigkey *key)
{
    return is_rsa(key->alg) ? key->len : algs[key->alg].signature_len;
}

bool sigkey_rsa_alg(unsigned allowed, enum sigkey_alg *out)
{
    bool is_rs = (allowed & SIGKEY_SET(SIGKEY_RS256)) != 0;
    bool is_ps = (allowed & SIGKEY_SET(SIGKEY_PS256)) != 0;
    *out = is_rs ? SIGKEY_RS256 : SIGKEY_PS256;
    return is_rs != is_ps;
}

bool sigkey_set_number(struct sigkey *key, struct span bytes)
{
    while (is_rsa(key->alg) && bytes.len > 0 && bytes.data[0] == 0) {
        bytes = (struct span){bytes.data + 1, bytes.len - 1};
    }
    if (bytes.len > sizeof(key->number)) {
        return false;
    }
    key->len = bytes.len;
    if (bytes.len > 0) {
        memcpy(key->number, bytes.data, bytes.len);
    }
    return true;
}

bool sigkey_is_same(struct span a, struct span b)
{
    unsigned char differs = 0;
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        differs |= (unsigned char)(a.data[i] ^ b.data[i]);
    }
    return differs == 0;
}
