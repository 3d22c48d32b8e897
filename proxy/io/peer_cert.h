/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer_cert.h: who a client's certificate says that the client is.
 *
 * For: the names of a certificate that TLS has found good, its number, issuer, fingerprint and end;
 * and patterns on names. Not for: deciding whether to trust a certificate (io/tls). Pure but for
 * memory; strict: a name with a byte that is no text (a NUL, a line end) makes the whole
 * certificate useless, so that nobody is taken for somebody else whose name is a part of theirs. */
#ifndef IO_PEER_CERT_H
#define IO_PEER_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define PEER_CERT_NAMES 256       /* most names of a certificate */
#define PEER_CERT_NAME_BYTES 1024 /* longest name */
#define PEER_CERT_FINGERPRINT 32  /* SHA-256 of the whole certificate */

/* What a name is. Their words stand in front of a name in patterns and in logs: "dns:a.example". */
enum peer_cert_kind {
    PEER_CERT_DNS = 0,        /* subjectAltName, dNSName; in lower case */
    PEER_CERT_EMAIL,          /* subjectAltName, rfc822Name */
    PEER_CERT_URI,            /* subjectAltName, uniformResourceIdentifier: SPIFFE ids */
    PEER_CERT_IP,             /* subjectAltName, iPAddress, as a numeric address */
    PEER_CERT_CN,             /* a common name of the subject, UTF-8 */
    PEER_CERT_FINGERPRINT_HEX /* 64 hexadecimal digits in lower case; every certificate has it */
};
#define PEER_CERT_KINDS 6

/* "dns"; a constant. */
const char *peer_cert_word(enum peer_cert_kind kind);

struct peer_cert_name {
    enum peer_cert_kind kind;
    struct span text; /* "dns:a.example", with the word */
};

/* One allocation. */
struct peer_cert {
    struct span issuer; /* the Name, DER */
    struct span subject;
    struct span serial; /* without zeros in front */
    int64_t ends_s;     /* notAfter, seconds since 1970 */
    size_t count;       /* of names; at least 1 */
    struct peer_cert_name names[];
};

enum peer_cert_result {
    PEER_CERT_OK = 0,
    PEER_CERT_DAMAGED,
    PEER_CERT_BAD_NAME, /* a name that is no text, too long, or too many of them */
    PEER_CERT_NO_MEMORY
};

/* Reads a certificate in DER. A name in subjectAltName with a `*` is left out: a wildcard says
 * nothing of who a client is. So are kinds of names that have no word here. */
MUST_CHECK enum peer_cert_result peer_cert_read(struct span der,
                                                const uint8_t fingerprint[PEER_CERT_FINGERPRINT],
                                                struct peer_cert **out);
/* NULL is allowed. */
void peer_cert_free(struct peer_cert *cert);

/* What to call the client: its common name, else its first name, else its fingerprint. */
struct span peer_cert_title(const struct peer_cert *cert);

enum peer_cert_limit {
    PEER_CERT_LIMIT_KEPT = 0,
    PEER_CERT_LIMIT_BROKEN, /* the CA may not sign one of the names, or the subject */
    PEER_CERT_LIMIT_UNKNOWN /* the constraints are damaged, or are about other kinds of names */
};

/* Whether a CA with these name constraints (the extension's value) may sign, over any number of
 * CAs between, what the certificate says. A NULL certificate says nothing: the constraints alone
 * are read. wolfSSL 5.7.2 asks the direct issuer only, and neither for URIs nor for addresses. */
enum peer_cert_limit peer_cert_limit(const struct peer_cert *cert, struct span constraints);

/* A pattern is WORD:TEXT. The text is the name, letter by letter, or has one `*` for the piece that
 * tells the members of a group apart:
 *   dns:*.robots.example      one label, the first
 *   email:*@example.com       all in front of the @
 *   uri:spiffe://prod/ns/ *   (without the blank) all behind a slash of the path; no segment of it
 *                             may be empty, "." or "..", and it has no "%", "?" and "#"
 * Letter case counts for URIs, common names and what stands in front of an email's @.
 * NULL: `text` is a pattern; else what is wrong with it, a constant. */
MUST_CHECK const char *peer_cert_pattern_fault(struct span text);

/* The first name of the certificate that fits a pattern (one without fault); NULL: none does. */
const struct peer_cert_name *peer_cert_find(const struct peer_cert *cert, struct span pattern);

#endif
