/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sigkey.h: a key that proves signatures: its one algorithm and its numbers.
 *
 * For: handing keys from those who read them (JWKS in proto/jwt, PEM in io/signature) to the one
 * that calculates with them (io/signature). The algorithm belongs to the key (RFC 8725 3.1), never
 * to the token that it proves. Not for: calculating, private keys. Pure. */
#ifndef BASE_SIGKEY_H
#define BASE_SIGKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* RFC 7518 3.1, RFC 9864. */
enum sigkey_alg {
    SIGKEY_HS256 = 0,
    SIGKEY_RS256,
    SIGKEY_PS256,
    SIGKEY_ES256,
    SIGKEY_ES384,
    SIGKEY_ED25519, /* its names are Ed25519 and, older, EdDSA */
    SIGKEY_ALGS
};
/* A set of algorithms. */
#define SIGKEY_SET(alg) (1U << (alg))

#define SIGKEY_SECRET_MIN 32 /* bytes; RFC 7518 3.2 */
#define SIGKEY_RSA_BITS_MIN 2048
#define SIGKEY_BYTES_MAX 512 /* RSA of 4096 bits */

struct sigkey {
    enum sigkey_alg alg;
    uint32_t exponent; /* RSA */
    size_t len;        /* bytes of `number` */
    uint8_t
        number[SIGKEY_BYTES_MAX]; /* HS: the secret. RSA: the modulus, big-endian, without zeroes
                                         in front. ES: x and y side by side. Ed25519: the point. */
};

/* What came of a check. */
enum sigkey_result {
    SIGKEY_PROVEN = 0,
    SIGKEY_WRONG,     /* another signature, another text or another key */
    SIGKEY_WRONG_LEN, /* no signature of this algorithm and key has this length */
    SIGKEY_NO_MEMORY
};

/* Whether `key` has signed `message`; io/signature has the one that calculates. */
typedef enum sigkey_result sigkey_prove_fn(const struct sigkey *key, struct span message,
                                           struct span signature);

/* NULL, or what is wrong with the key, as a constant text. sigkey_check looks at its sizes only;
 * io/signature has the one that also looks whether x and y are a point of the curve. */
typedef const char *sigkey_check_fn(const struct sigkey *key);

/* The algorithm of that name, compared exactly (RFC 7515 4.1.1); false for any other word. */
MUST_CHECK bool sigkey_alg_parse(struct span name, enum sigkey_alg *out);
const char *sigkey_alg_name(enum sigkey_alg alg);

/* A sigkey_check_fn. */
MUST_CHECK const char *sigkey_check(const struct sigkey *key);
/* The only length that a signature of this key has, in bytes. */
size_t sigkey_signature_len(const struct sigkey *key);
/* RSA keys seldom say whether they are for RS256 or PS256; the set of allowed algorithms then does,
 * if it has only one of the two. False: it has both, or none. */
MUST_CHECK bool sigkey_rsa_alg(unsigned allowed, enum sigkey_alg *out);
/* Sets the number; false when it is too long. Zeroes in front of an RSA modulus go. */
MUST_CHECK bool sigkey_set_number(struct sigkey *key, struct span bytes);
/* True when both have the same bytes; takes as long wherever they differ. */
bool sigkey_is_same(struct span a, struct span b);

#endif
