/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_chain.h: what clients demand of a server's certificates.
 *
 * For: the configuration, which tells an operator before clients do that they will refuse a
 * certificate, and why; for the kind of a certificate's key; and for what sluice itself demands of
 * a peer's certificate beyond wolfSSL. A trial handshake (tls_proof.h)
 * cannot know: it has the same library at both ends, and no client's rules. Not for: whether
 * anybody trusts the root; whether key and certificate belong together.
 *
 * The rules are those of RFC 5280, RFC 9525 and the CA/Browser Forum as Chromium, Firefox, OpenSSL,
 * GnuTLS and Apple's systems apply them; tests/integration/tls/cases_certificates.py compares. */
#ifndef IO_TLS_CHAIN_H
#define IO_TLS_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define TLS_CHAIN_NAMES 4096   /* most names of a certificate; proxy/wolfssl.sh has MAX_ALT_NAMES */
#define TLS_CHAIN_RSA_MAX 4096 /* bits of an RSA key; wolfSSL's numbers are no longer */

enum tls_chain_weight {
    TLS_CHAIN_WARNING = 0, /* some clients, or all, refuse it */
    TLS_CHAIN_ERROR        /* sluice cannot use it */
};

/* `text` has printable ASCII only, and is valid during the call. */
typedef void tls_chain_tell_fn(void *owner, enum tls_chain_weight weight, const char *text);

/* Tells of everything that is wrong with the certificates of a PEM text, the server's first;
 * `now_s` is wall time. */
void tls_chain_check(struct span pem, int64_t now_s, tls_chain_tell_fn *tell, void *owner);

/* True when the first certificate is good for the host, a name or a numeric address; false also
 * when it cannot be read. */
bool tls_chain_is_for(struct span pem, struct span host);

/* When the first certificate expires, in seconds since 1970, and the first name that it is good
 * for; an empty name when it has none that is a host name. False: nobody can read it. */
#define TLS_CHAIN_NAME_MAX 260 /* bytes, with the NUL */
MUST_CHECK bool tls_chain_expiry(struct span pem, int64_t *out_s,
                                 char out_name[TLS_CHAIN_NAME_MAX]);

enum tls_key_kind {
    TLS_KEY_OTHER = 0, /* or another curve, or no certificate */
    TLS_KEY_RSA, /* not one for RSA-PSS only, which wolfSSL 5.7.2 signs with as with any other */
    TLS_KEY_P256,
    TLS_KEY_P384,
    TLS_KEY_P521,
    TLS_KEY_ED25519
};

/* What is wrong with one certificate (DER) for its role, dates and signatures apart: NULL, or a
 * constant text. An authority signs clients' certificates; a client's chain is its own certificate
 * and what stands between that and an authority. */
MUST_CHECK const char *tls_chain_authority_fault(struct span der);
MUST_CHECK const char *tls_chain_client_fault(struct span der, bool is_own);
/* The same of a server's chain, and of what a client may trust: an authority, or a server's own
 * certificate that is signed by itself. */
MUST_CHECK const char *tls_chain_server_fault(struct span der, bool is_own);
MUST_CHECK const char *tls_chain_anchor_fault(struct span der);

/* The kind of key in one certificate (DER). */
enum tls_key_kind tls_chain_key_kind(struct span der);

#endif
