/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_proof.h: a certificate and its key proven by a complete handshake in memory.
 *
 * For: the configuration, which proves each pair once, in the master; nothing less finds a key that
 * does not belong to its certificate for every kind of key. Not for: workers, which take over what
 * is proven; whether anybody trusts the certificate; its dates. */
#ifndef IO_TLS_PROOF_H
#define IO_TLS_PROOF_H

#include "io/tls.h"

/* NULL: a client can connect. Else a constant text that says what went wrong; it has nothing of the
 * pair's content. */
MUST_CHECK const char *tls_proof_run(const struct tls_pair *pair, enum tls_version min_version);

/* The same of a pair that a client shows: the key belongs to the certificate. A trial handshake
 * would need the CA that signed it. */
MUST_CHECK const char *tls_proof_run_own(const struct tls_pair *pair);

#endif
