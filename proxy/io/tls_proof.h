/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_proof.h: a certificate and its key proven by a complete handshake in memory.
 *
 * For: loading certificates; a key that does not belong to its certificate is found by nothing
 * less for every kind of key. Not for: whether anybody trusts the certificate, or its dates. */
#ifndef IO_TLS_PROOF_H
#define IO_TLS_PROOF_H

#include "io/tls_context.h"

/* NULL: proven. Else what went wrong, a text that lives on. */
MUST_CHECK const char *tls_proof_run(struct tls_context *context, size_t site);

#endif
