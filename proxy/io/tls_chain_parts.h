/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_chain_parts.h: what tls_chain.c, tls_chain_links.c and tls_chain_roles.c know of each other.
 *
 * Not for: anybody else. */
#ifndef IO_TLS_CHAIN_PARTS_H
#define IO_TLS_CHAIN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/tls_chain.h"
#include "io/tls_pem.h"

struct DecodedCert;

struct chain {
    struct tls_der der;
    struct DecodedCert *certs[TLS_PEM_CERTIFICATES]; /* NULL: unreadable */
    int64_t now_s;
    tls_chain_tell_fn *tell;
    void *owner;
    bool has_error;
};

void chain_tell(struct chain *chain, enum tls_chain_weight weight, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "the certificate", "certificate 2 of the file"; valid until the next call. */
const char *chain_name(size_t i);

/* Bits of the RSA key in it; 0: nobody can read it. */
size_t chain_rsa_bits(const struct DecodedCert *cert);

/* tls_chain_links.c: order, signatures, what issuers allow. All certificates are readable. */
void chain_check_links(struct chain *chain);

#endif
