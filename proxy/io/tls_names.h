/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_names.h: the names that a certificate is good for.
 *
 * For: choosing a certificate by the client's SNI, and telling whether a server's certificate is
 * good for the name that a client called. Not for: deciding whether to trust a certificate. A
 * common name in the subject does not count (RFC 9525 section 2). */
#ifndef IO_TLS_NAMES_H
#define IO_TLS_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/span.h"

/* The dNSName entries of subjectAltName that are patterns of host.h, each ended by NUL. */
struct tls_names {
    char *text; /* owned; NULL when there are none */
    size_t len;
};

enum tls_names_result {
    TLS_NAMES_OK = 0,
    TLS_NAMES_BAD_CERTIFICATE,
    TLS_NAMES_TOO_MANY, /* or one that is no name */
    TLS_NAMES_NO_MEMORY,
    TLS_NAMES_OTHER /* tls_names_check: the certificate is for others */
};

/* Reads the names of one certificate (DER). */
MUST_CHECK enum tls_names_result tls_names_read(struct span der, struct tls_names *out);
void tls_names_done(struct tls_names *names);

/* The best fit among them; an empty name fits none. */
enum host_match tls_names_match(const struct tls_names *names, struct span name);

/* TLS_NAMES_OK: the certificate (DER) is good for the name, or for the numeric address "10.0.0.5",
 * "::1", which only an iPAddress entry makes it (RFC 9525 section 6.5). */
MUST_CHECK enum tls_names_result tls_names_check(const uint8_t *der, size_t len, struct span name);

#endif
