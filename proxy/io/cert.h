/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cert.h: a throw-away certificate.
 *
 * For: `sluice --demo`, `sluice --to` and tests: an ECDSA P-256 key and a self-signed certificate
 * for localhost, 127.0.0.1, ::1 and what the caller names besides. It is made in memory, is valid
 * for 30 days and never gets to a disk. Not for: production. */
#ifndef IO_CERT_H
#define IO_CERT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/span.h"

#define CERT_PEM_MAX 4096

struct cert_pair {
    char certificate[CERT_PEM_MAX]; /* PEM, NUL-terminated */
    size_t certificate_len;
    char key[CERT_PEM_MAX];
    size_t key_len;
};

/* False: no memory or no random numbers. */
MUST_CHECK bool cert_make_throw_away(struct cert_pair *out);
/* The same, also for the machine's name, unless it is no name of a host, and for an address, unless
 * it is NULL, a wildcard or no IP address. */
MUST_CHECK bool cert_make_throw_away_for(struct span machine, const struct addr *address,
                                         struct cert_pair *out);

#endif
