/* SPDX-License-Identifier: GPL-3.0-or-later */
/* signature.h: whether a key has signed a text, by wolfCrypt.
 *
 * For: HS256, RS256, PS256, ES256, ES384 (RFC 7518 3) and Ed25519 (RFC 8037); keys out of PEM;
 * digests of tokens. Not for: making signatures, TLS, certificates, what is signed (proto/jwt). The
 * only user of wolfCrypt's signatures. It touches no socket and no file: it is in this folder
 * because proto/ has no wolfCrypt.
 *
 * Every signature has one exact length, which is checked before anything is calculated. */
#ifndef IO_SIGNATURE_H
#define IO_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sigkey.h"
#include "base/span.h"

#define SIGNATURE_DIGEST_LEN 32

/* A sigkey_prove_fn, for keys that signature_check_key has found good. The signatures of
 * ES256 and ES384 are r and s side by side; 0 and the curve's order or more are wrong for either.
 * PS256 wants a salt of 32 bytes. */
MUST_CHECK enum sigkey_result signature_prove(const struct sigkey *key, struct span message,
                                              struct span signature);

/* A sigkey_check_fn. NULL, or what is wrong with the key: all of sigkey_check, and a point that is
 * not on its curve. */
MUST_CHECK const char *signature_check_key(const struct sigkey *key);

/* A public key out of DER: a SubjectPublicKeyInfo (RFC 5280 4.1), or an RSAPublicKey (RFC 8017
 * A.1.1); tls_pem_public_keys makes DER of PEM. The key's algorithm follows from its kind; that of
 * an RSA key is the one of RS256 and PS256 that is in `allowed`. NULL, or what is wrong. */
MUST_CHECK const char *signature_key_of_der(struct span der, unsigned allowed, struct sigkey *out);

enum signature_x509 {
    SIGNATURE_X509_PROVEN = 0,
    SIGNATURE_X509_WRONG,
    SIGNATURE_X509_UNKNOWN, /* neither RSA (PKCS #1) nor ECDSA with SHA-256 and up, nor Ed25519 */
    SIGNATURE_X509_NO_MEMORY
};

/* Has the key signed the message? As certificates and revocation lists say it (RFC 5280 4.1.1):
 * `key` is a SubjectPublicKeyInfo, `algorithm` an AlgorithmIdentifier, both DER. */
MUST_CHECK enum signature_x509 signature_prove_x509(struct span key, struct span algorithm,
                                                    struct span message, struct span signature);

/* SHA-256. False: out of memory. */
MUST_CHECK bool signature_digest(struct span text, uint8_t out[SIGNATURE_DIGEST_LEN]);

#endif
