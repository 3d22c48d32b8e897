/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_context.h: what tls.c, tls_context.c and tls_proof.c know of each other.
 *
 * Not for: anybody else. */
#ifndef IO_TLS_CONTEXT_H
#define IO_TLS_CONTEXT_H

#include <stddef.h>

#include "io/tls.h"
#include "io/tls_names.h"

#define TLS_SITE_BY_NAME SIZE_MAX

struct WOLFSSL_CTX;

/* One certificate, its key and its names. */
struct tls_site {
    struct WOLFSSL_CTX *library;
    struct tls_names names;
};

struct tls_context {
    size_t users; /* the owner, and each session until it is freed */
    size_t count;
    struct tls_site sites[];
};

/* Drops one user; the last one frees. */
void tls_context_drop(struct tls_context *context);

/* The site that answers to an SNI name. */
const struct tls_site *tls_context_choose(const struct tls_context *context, struct span name);

/* A session that takes this site whatever the client's SNI. */
MUST_CHECK struct tls *tls_new_at(struct tls_context *context, size_t site);

#endif
