/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crl.h: certificate revocation lists (RFC 5280 5).
 *
 * For: whether the issuer of a certificate has taken it back, out of complete lists in DER or PEM.
 * wolfSSL's own reader is not built: a fault in it was CVE-2026-3548. Not for: whose signature a
 * list has, and its dates (io/trust checks both, once, in the master); lists of one kind of
 * certificates, lists of changes and lists for other issuers (their critical extensions are
 * refused). Pure but for memory. */
#ifndef IO_CRL_H
#define IO_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* One list. Everything points into the bytes that it was read from. */
struct crl {
    struct span issuer;  /* the Name, DER */
    int64_t from_s;      /* thisUpdate, seconds since 1970 */
    int64_t next_s;      /* nextUpdate; 0 = it says none */
    struct span entries; /* of revokedCertificates, side by side; may be empty */
    size_t count;
    /* For the check of the signature. */
    struct span algorithm; /* the AlgorithmIdentifier, DER */
    struct span body;      /* what is signed */
    struct span signature;
};

/* Reads one list in DER, every entry of it. NULL, or a constant text that says what is wrong. */
MUST_CHECK const char *crl_read(struct span der, struct crl *out);

/* The lists of several files, by their issuers. Owns its memory. */
struct crl_set;

/* `files` are PEM or DER; each has at least one list. NULL: *out_detail says what is wrong, and
 * *out_file which file has it. The set copies what it keeps. */
MUST_CHECK struct crl_set *crl_set_new(const struct span *files, size_t count,
                                       const char **out_detail, size_t *out_file);
/* NULL is allowed. */
void crl_set_free(struct crl_set *set);
size_t crl_set_count(const struct crl_set *set);
/* List i, in the order of the files; *out_file (NULL allowed) is the file that has it. */
const struct crl *crl_set_at(const struct crl_set *set, size_t i, size_t *out_file);

enum crl_word {
    CRL_SAYS_GOOD = 0,
    CRL_SAYS_REVOKED,
    CRL_SAYS_NOTHING /* no list is of this issuer */
};

/* What the lists say of a certificate. `issuer` is its Name in DER, `serial` its number without
 * zeros in front. A NULL set says nothing. */
enum crl_word crl_set_ask(const struct crl_set *set, struct span issuer, struct span serial);

#endif
