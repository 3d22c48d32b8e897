/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jwt.h: signed JSON Web Tokens: whether one holds, and what it says (RFC 7519, 7515, 8725).
 *
 * For: tokens in the compact form, signed with HS256, RS256, PS256, ES256, ES384 or Ed25519. Not
 * for: encrypted tokens (JWE), the JSON form of JWS, finding a token in a request (token), reading
 * keys (jwt_keys.h), what happens to a session when its token ends.
 *
 * The key decides about the algorithm, the token only names it. Of the token's own header nothing
 * else is believed but `kid`, which chooses among the keys of that algorithm. The claims are looked
 * at only when the signature is proven: by a function that the caller gives, because wolfCrypt is
 * not for this folder. No text of a token gets into a detail. Pure but for memory: `now` is an
 * argument. */
#ifndef PROTO_JWT_H
#define PROTO_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/sigkey.h"
#include "base/span.h"
#include "proto/jwt_keys.h"

#define JWT_BYTES_MAX 8192        /* of a token */
#define JWT_HEADER_BYTES_MAX 2048 /* of its header, decoded */
#define JWT_HEADER_DEPTH_MAX 4
#define JWT_CLAIMS_DEPTH_MAX 16
/* The last second of the year 9999. What is later is a time in milliseconds by mistake. */
#define JWT_SECONDS_MAX INT64_C(253402300799)

enum jwt_refusal {
    JWT_OK = 0,
    JWT_TOO_LONG,
    JWT_FORM,         /* not three parts */
    JWT_ENCRYPTED,    /* five parts, or a header with enc or zip */
    JWT_BASE64,       /* a part is no base64url without padding and spare bits */
    JWT_HEADER,       /* no JSON object, or a member of it has the wrong type */
    JWT_CRITICAL,     /* crit or b64 */
    JWT_EMBEDDED_KEY, /* jwk, jku, x5c or x5u */
    JWT_TYPE,         /* another typ than the rules want */
    JWT_ALG_NONE,     /* alg is none, in any letter case */
    JWT_ALG,          /* unknown, or no key of ours has it */
    JWT_NO_KID,
    JWT_UNKNOWN_KID,
    JWT_SIGNATURE_LENGTH,
    JWT_SIGNATURE,
    JWT_CLAIMS, /* no JSON object, or a registered claim has the wrong type */
    JWT_TIMES,  /* exp, nbf or iat is no time */
    JWT_NO_EXPIRY,
    JWT_EXPIRED,
    JWT_NOT_YET, /* nbf */
    JWT_FUTURE,  /* iat */
    JWT_ISSUER,
    JWT_AUDIENCE,
    JWT_REQUIRED, /* a required claim does not hold */
    JWT_NO_MEMORY,
    JWT_REFUSALS
};

/* A word for metrics, and a constant text for the log that says what decided. */
const char *jwt_refusal_word(enum jwt_refusal refusal);
const char *jwt_refusal_detail(enum jwt_refusal refusal);

/* A claim that must be there. It holds when it is this text, a list that has this text among its
 * items, this integer, or this boolean; `scope` and `scp` also when the text is one of the words
 * of theirs (RFC 8693 4.2). A name that the claims do not have leads into objects at its dots:
 * realm_access.roles. */
struct jwt_requirement {
    struct span claim;
    struct span value;
};
/* Splits `claim=value` at the first "=", or else `claim:value` at the last ":", because names have
 * colons (cognito:groups, https://example.com/roles). False when one of the two is empty. */
MUST_CHECK bool jwt_requirement_parse(struct span text, struct jwt_requirement *out);

struct jwt_rules {
    const struct jwt_keys *keys;  /* only of algorithms that the operator allows */
    struct span issuer;           /* iss must be this; empty = any or none */
    const struct span *audiences; /* aud must have one of these. Without any, a token with aud is
                                     refused (RFC 7519 4.1.3). */
    size_t audience_count;
    const struct jwt_requirement *required; /* all must hold */
    size_t required_count;
    struct span type;  /* typ must be this, in any letter case, with or without "application/";
                           empty = any or none (RFC 8725 3.11) */
    uint32_t leeway_s; /* how far clocks may differ */
    bool is_exp_optional;
};

/* What a good token says. Spans live as long as the struct and the keys. A struct of zeros is
 * empty. */
struct jwt {
    struct span subject; /* sub, iss, jti; data NULL: not there */
    struct span issuer;
    struct span id;
    struct span kid;          /* of the key that has proven it, or else as the token has it */
    const struct sigkey *key; /* that has proven it */
    uint64_t ends_s; /* when the token, with the leeway, holds no more: seconds since 1970. 0 =
                          never */
    const struct json_value *claims;

    struct json_value *documents[2]; /* private: header and claims */
};

/* Checks a token. `now_s`: seconds since 1970. JWT_OK: *out is the caller's, for jwt_done; else
 * *out is empty. */
MUST_CHECK enum jwt_refusal jwt_check(struct span token, const struct jwt_rules *rules,
                                      uint64_t now_s, sigkey_prove_fn *prove, struct jwt *out);
/* Wipes and frees. */
void jwt_done(struct jwt *jwt);

#endif
