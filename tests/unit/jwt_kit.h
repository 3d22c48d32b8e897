/* SPDX-License-Identifier: GPL-3.0-or-later */
// Makes tokens of JSON, and keys of JWKs, for the tests of jwt and signature.
#ifndef TESTS_UNIT_JWT_KIT_H
#define TESTS_UNIT_JWT_KIT_H

#include "base/json.h"
#include "base/mem.h"
#include "check.h"
#include "proto/base64.h"
#include "proto/jwt.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define JWT_KIT_NOW 1800000000
#define JWT_KIT_SIGNATURE "0123456789abcdef0123456789abcdef" /* what jwt_kit_prove takes */

struct jwt_kit_token {
    char text[3 * JWT_BYTES_MAX];
    size_t len;
};

// Appends a part as base64url, with a dot in front of all but the first.
__attribute__((unused)) static void jwt_kit_add(struct jwt_kit_token *token, struct span part)
{
    char *at = token->text + token->len;
    if (token->len > 0) {
        *at++ = '.';
    }
    size_t len = base64_encode((const uint8_t *)part.data, part.len, at);
    while (len > 0 && at[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        at[i] = at[i] == '+' ? '-' : at[i] == '/' ? '_' : at[i];
    }
    token->len = (size_t)(at - token->text) + len;
}

// A token that jwt_kit_prove takes.
__attribute__((unused)) static struct span jwt_kit_make(struct jwt_kit_token *token,
                                                        struct span header, struct span claims)
{
    token->len = 0;
    jwt_kit_add(token, header);
    jwt_kit_add(token, claims);
    jwt_kit_add(token, SPAN_LIT(JWT_KIT_SIGNATURE));
    return (struct span){token->text, token->len};
}

// A sigkey_prove_fn for keys of HS256.
__attribute__((unused)) static enum sigkey_result
jwt_kit_prove(const struct sigkey *key, struct span message, struct span signature)
{
    CHECK_EQ_INT("only keys of HS256", key->alg, SIGKEY_HS256);
    CHECK_EQ_U64("one dot", span_find(message, '.') < message.len, true);
    return span_is_equal(signature, SPAN_LIT(JWT_KIT_SIGNATURE)) ? SIGKEY_PROVEN : SIGKEY_WRONG;
}

// One secret, without kid, for jwt_kit_prove.
__attribute__((unused)) static void jwt_kit_secret(struct jwt_keys *keys)
{
    struct sigkey key = {.alg = SIGKEY_HS256, .len = 32};
    *keys = (struct jwt_keys){.count = 0};
    json_doc_start(1);
    CHECK_TRUE("secret", jwt_keys_add(keys, &key, (struct span){NULL, 0}) == NULL);
}

// The keys of a JWKS or JWK that must be good.
__attribute__((unused)) static void jwt_kit_read(struct jwt_keys *keys, const char *text,
                                                 unsigned allowed, sigkey_check_fn *check)
{
    struct jwt_keys_fault fault;
    *keys = (struct jwt_keys){.count = 0};
    json_doc_start(1);
    if (!CHECK_TRUE(text, jwt_keys_read(keys, span_from_str(text), allowed, check, &fault))) {
        printf("%s\n", fault.detail);
    }
}

#endif
