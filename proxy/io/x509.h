/* SPDX-License-Identifier: GPL-3.0-or-later */
/* x509.h: the parts of a certificate (RFC 5280 4.1).
 *
 * For: whoever needs a part as its bytes stand there. Not for: what the parts mean, and not for
 * judging a certificate. Pure: spans point into the caller's bytes. */
#ifndef IO_X509_H
#define IO_X509_H

#include <stdint.h>

#include "base/span.h"

struct x509 {
    struct span serial; /* without zeros in front */
    struct span issuer; /* the Name, DER */
    struct span subject;
    struct span key;        /* the SubjectPublicKeyInfo, DER */
    struct span extensions; /* all behind the key, side by side; may be empty */
    int64_t from_s;         /* notBefore, seconds since 1970 */
    int64_t ends_s;         /* notAfter */
};

/* False: this is no certificate in DER. */
MUST_CHECK bool x509_read(struct span der, struct x509 *out);

/* The value of the nameConstraints extension (RFC 5280 4.2.1.10); empty: there is none. */
struct span x509_name_constraints(const struct x509 *parts);

#endif
