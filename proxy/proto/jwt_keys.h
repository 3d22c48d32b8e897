/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jwt_keys.h: the keys that may prove tokens, and what a JSON Web Key (RFC 7517) says of them.
 *
 * For: JWKS files and single JWKs; keys from elsewhere (PEM, a secret) join by jwt_keys_add. Not
 * for: fetching keys. Public keys and secrets never stand in one table: whoever reads a file says
 * which of them it holds, and the other kind is an error (a public key that served as the secret of
 * HS256 would let everybody sign). Pure but for memory. */
#ifndef PROTO_JWT_KEYS_H
#define PROTO_JWT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sigkey.h"
#include "base/span.h"

#define JWT_KEYS_MAX 256
#define JWT_KID_MAX 256                          /* bytes */
#define JWT_KEYS_BYTES_MAX ((size_t)1024 * 1024) /* of a JWKS */
#define JWT_SECRET_ALGS SIGKEY_SET(SIGKEY_HS256)
#define JWT_PUBLIC_ALGS ((SIGKEY_SET(SIGKEY_ALGS) - 1) & ~JWT_SECRET_ALGS)

struct jwt_key {
    struct sigkey key;
    uint16_t kid_len; /* 0 = it has none */
    char kid[JWT_KID_MAX];
};

/* A table of zeros is empty and ready. */
struct jwt_keys {
    struct jwt_key *items; /* owned */
    size_t count;
    size_t
        skipped; /* keys of the file that are for something else: encryption, another algorithm */
};

/* What is wrong with a file of keys. */
struct jwt_keys_fault {
    const char *detail; /* a constant text with nothing of the file in it */
    unsigned line;      /* of malformed JSON; else 0 */
    size_t key;         /* which key of the set, 1 = the first; 0 = none is to blame */
};

/* Adds the keys of a JWKS, or the one of a JWK, that are for signatures of an algorithm in
 * `allowed`: a set within JWT_PUBLIC_ALGS or within JWT_SECRET_ALGS, which says what the file
 * holds. RFC 7517 5 lets readers skip keys of kinds they do not know; malformed, weak or private
 * keys, and two keys that no token could tell apart, are errors. So is a file without any key for
 * us, and a key that `check` refuses. False: *out_fault says why, and the table is as it was. */
MUST_CHECK bool jwt_keys_read(struct jwt_keys *keys, struct span text, unsigned allowed,
                              sigkey_check_fn *check, struct jwt_keys_fault *out_fault);
/* Adds one key, which its reader has checked; an empty kid means none. NULL, or what is wrong. */
MUST_CHECK const char *jwt_keys_add(struct jwt_keys *keys, const struct sigkey *key,
                                    struct span kid);
/* Wipes and frees. */
void jwt_keys_done(struct jwt_keys *keys);

/* How a token's alg and kid choose. */
enum jwt_choice {
    JWT_CHOSEN = 0,
    JWT_CHOICE_NO_ALG,   /* no key has this algorithm */
    JWT_CHOICE_NO_KID,   /* the token has no kid, and several keys have its algorithm */
    JWT_CHOICE_OTHER_KID /* no key with this algorithm has this kid */
};
/* Chooses among the keys of the algorithm: the one of this kid; when there is but one key of the
 * algorithm, that one also serves if the token, or the key, has no kid. No second key is tried. */
MUST_CHECK enum jwt_choice jwt_keys_choose(const struct jwt_keys *keys, enum sigkey_alg alg,
                                           bool has_kid, struct span kid,
                                           const struct jwt_key **out);

#endif
