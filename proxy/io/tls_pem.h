/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_pem.h: certificates and keys out of PEM text.
 *
 * For: whatever tools and people put into such files (RFC 7468): text around the blocks, CRLF, a
 * byte order mark, parameters before a key, certificates and keys in one file in any order; and for
 * saying what else a file is when it has not what is sought. wolfSSL reads only the plainest form.
 * Not for: what stands in a certificate or key (tls_chain.h, tls_names.h).
 *
 * Pure but for memory. Details are constant texts that say what to do; they have nothing of the
 * file's content. */
#ifndef IO_TLS_PEM_H
#define IO_TLS_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define TLS_PEM_CERTIFICATES 21 /* most in a file; proxy/wolfssl.sh has MAX_CHAIN_DEPTH, one less */
#define TLS_PEM_CHAIN_BYTES (100 * 1024) /* most in all; MAX_CERTIFICATE_SZ there */

/* DER, side by side. */
struct tls_der {
    uint8_t *data; /* owned; NULL when there is none */
    size_t len;
    size_t count;
    size_t ends[TLS_PEM_CERTIFICATES]; /* item i ends in front of data[ends[i]] */
};

/* All certificates, in the file's order. NULL, or what is wrong; *out is then empty. */
MUST_CHECK const char *tls_pem_certificates(struct span text, struct tls_der *out);

/* The next certificate that is not damaged, as DER, of a text that may have any number of them;
 * *text is then what follows it. `out` has room for text->len bytes. False: there is none. */
MUST_CHECK bool tls_pem_next_certificate(struct span *text, uint8_t *out, size_t *out_len);

/* The first private key. NULL, or what is wrong; *out is then empty. */
MUST_CHECK const char *tls_pem_key(struct span text, struct tls_der *out);

/* All public keys ("PUBLIC KEY", "RSA PUBLIC KEY"), in the file's order; a private key beside them
 * is an error. NULL, or what is wrong; *out is then empty. */
MUST_CHECK const char *tls_pem_public_keys(struct span text, struct tls_der *out);

/* All revocation lists ("X509 CRL") of a PEM text, or of DER, side by side as DER; `out` has room
 * for text.len bytes. NULL, or what is wrong. Whether they are lists is io/crl's to say. */
MUST_CHECK const char *tls_pem_revocations(struct span text, uint8_t *out, size_t *out_len);

/* Wipes and frees. */
void tls_pem_done(struct tls_der *der);

/* Item i. */
MUST_CHECK struct span tls_pem_item(const struct tls_der *der, size_t i);

/* True when the text has a private key, in the clear or not. */
bool tls_pem_has_key(struct span text);

#endif
