/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_foreign.h: what speaks to a TLS port and is not TLS.
 *
 * For: naming the protocol in the log, and telling whoever speaks HTTP what to do, in HTTP. Not
 * for: anything that begins as a TLS record does. Pure. */
#ifndef IO_TLS_FOREIGN_H
#define IO_TLS_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define TLS_FOREIGN_MAX 12 /* no more of the first bytes decide */

struct tls_foreign {
    const char *detail; /* a constant */
    struct span answer; /* a constant; empty: say nothing */
};

/* `data` are the first bytes that came, none of them a TLS record's. False: more could tell more,
 * and *out is what they are if no more come. With TLS_FOREIGN_MAX bytes always true. */
MUST_CHECK bool tls_foreign_judge(const uint8_t *data, size_t len, struct tls_foreign *out);

#endif
