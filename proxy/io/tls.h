/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls.h: TLS server sessions over memory; the only user of wolfSSL's sessions.
 *
 * For: turning wire bytes into plain bytes and back: contexts, certificates by SNI, ALPN, tickets.
 * Not for: sockets. wolfSSL reads from memory that we lend it and writes into scratch that always
 * has room, so it never sees "would block" on output (a blocked write followed by a KeyUpdate has
 * sent bytes twice). TLS 1.2 and 1.3 only, an explicit cipher list, ALPN http/1.1.
 *
 * Whatever a call produces for the wire (handshake, alerts, records) stands in the struct tls_wire
 * given to it, and is the caller's to send before the next call. */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum tls_version { TLS_1_2 = 0, TLS_1_3 };

/* One certificate chain and its key, PEM, in memory. */
struct tls_pair {
    struct span certificate; /* leaf first */
    struct span key;
};

/* A listener's certificates; immutable, may serve many sessions. Built in the process that uses it
 * (after fork). */
struct tls_context;

/* Certificates are chosen by SNI: an exact name in a certificate's subjectAltName, then a wildcard
 * of one label, then the first pair. Proves every pair by a complete in-memory handshake (a
 * mismatched EC key passes wolfSSL's own check). On failure returns NULL and writes a message
 * without pair's content into error; *out_bad_pair is the index it is about (or count). */
MUST_CHECK struct tls_context *tls_context_new(const struct tls_pair *pairs, size_t count,
                                               enum tls_version min_version, char *error,
                                               size_t error_size, size_t *out_bad_pair);
void tls_context_free(struct tls_context *context);

/* Ticket keys of a process family: 32 random bytes made once by the master before forking, so that
 * a ticket of one worker is good at the others; NULL, or no call at all, makes a seed that only
 * this process knows. Keys follow from the seed and wall time and change every 12 hours; a ticket
 * is good for its own 12 hours and the next, and only under the SNI it was given out under. Call
 * before tls_context_new. */
void tls_set_ticket_seed(const uint8_t seed[32]);

struct tls_wire {
    uint8_t *data;
    size_t size;
    size_t len; /* bytes produced so far */
};

/* One session. */
struct tls;
MUST_CHECK struct tls *tls_new(struct tls_context *context); /* NULL: no memory */
void tls_free(struct tls *tls);

enum tls_result {
    TLS_OK = 0,
    TLS_EOF,   /* close_notify */
    TLS_FAILED /* handshake or record error; an alert may stand in the wire output */
};

#define TLS_PLAIN_EXTRA (17 * 1024) /* bytes that plain must have beyond what is fed */

/* Takes all of the wire bytes in. Drives the handshake, then decrypts as much as is there into
 * plain, which must have room for len + TLS_PLAIN_EXTRA (asserted). Every byte is consumed. Plain
 * bytes (*out_plain_len of them) may come with every result; with TLS_FAILED they are good, but
 * what followed is not. Once TLS_EOF or TLS_FAILED, always so. out must have room for len and the
 * server's part of the handshake (the certificates and 2 KiB), else TLS_FAILED. */
MUST_CHECK enum tls_result tls_feed(struct tls *tls, const uint8_t *wire, size_t len,
                                    uint8_t *plain, size_t plain_size, size_t *out_plain_len,
                                    struct tls_wire *out);
bool tls_is_established(const struct tls *tls);

/* Encrypts all of data; out must have room for len + 64 bytes for each 16 KiB begun + 64. */
MUST_CHECK enum tls_result tls_seal(struct tls *tls, const uint8_t *data, size_t len,
                                    struct tls_wire *out);
/* Makes a close_notify (none before the ClientHello came); nothing may be sealed afterwards, but
 * feeding goes on. out must have room for 64 bytes. */
void tls_finish(struct tls *tls, struct tls_wire *out);

/* "TLSv1.3" (a constant) and the suite's IANA name, both "" before the handshake is complete; the
 * SNI the client sent, without a dot at its end (empty when none). The latter two are valid as long
 * as the session. */
const char *tls_version_name(const struct tls *tls);
const char *tls_suite_name(const struct tls *tls);
struct span tls_sni(const struct tls *tls);
const char *tls_library_version(void);

#endif
