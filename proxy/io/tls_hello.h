/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_hello.h: the ClientHello, read and judged before wolfSSL sees it.
 *
 * For: gathering the message from plaintext records however a client cuts them, and checking the
 * whole of its shape: wolfSSL 5.7.2 does not check ALPN lists to their end, and takes any number of
 * duplicate key shares. The server name is known here before wolfSSL has to decrypt a ticket. Not
 * for: negotiating; wolfSSL still judges all that it understands.
 *
 * Pure, RFC 8446 4.1.2, RFC 5246 7.4.1.2. */
#ifndef IO_TLS_HELLO_H
#define IO_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define TLS_RECORD_HEADER 5     /* bytes */
#define TLS_RECORD_MAX 16384    /* bytes of plain text in one record */
#define TLS_HELLO_MAX 16384     /* bytes of a whole message, its 4-byte header included */
#define TLS_HELLO_EXTENSIONS 64 /* most extensions of a message */
#define TLS_HELLO_SHARES 16     /* most key shares */
#define TLS_HELLO_TICKETS 16    /* most pre-shared key identities */
#define TLS_HELLO_LIST 128      /* most groups, signature algorithms or versions */

enum tls_hello_result {
    TLS_HELLO_OK = 0,
    TLS_HELLO_MORE,      /* the message is not whole yet */
    TLS_HELLO_NOT_TLS,   /* another protocol: no alert makes sense */
    TLS_HELLO_MALFORMED, /* decode_error */
    TLS_HELLO_ILLEGAL, /* illegal_parameter: well formed, but not allowed, or far too much of it */
    TLS_HELLO_UNEXPECTED, /* unexpected_message: another record or message */
    /* What the client offers is none of ours: tls_offer.h and the caller decide these; no function
     * here returns them. */
    TLS_HELLO_OLD,              /* protocol_version: TLS 1.1 at most */
    TLS_HELLO_ONLY_1_2,         /* protocol_version */
    TLS_HELLO_NO_SUITE,         /* handshake_failure, like those below */
    TLS_HELLO_NO_SUITE_FOR_KEY, /* suites of ours, but for another kind of key */
    TLS_HELLO_NO_GROUP,
    TLS_HELLO_NO_SIGNATURE,
    TLS_HELLO_NO_PROTOCOL, /* no_application_protocol: the ALPN list */
    TLS_HELLO_NO_MEMORY
};

/* Gathers one message. Owns `record`: a record header of our making and the whole message behind
 * it, which wolfSSL gets as one record. */
struct tls_hello_reader {
    uint8_t *record;
    size_t len;      /* bytes of record in use, TLS_RECORD_HEADER included */
    size_t capacity; /* bytes */
    size_t record_left;
    uint8_t header[TLS_RECORD_HEADER];
    uint8_t header_len;
    uint8_t skipped;   /* change_cipher_spec records */
    bool is_second;    /* after a HelloRetryRequest, when RFC 8446 D.4 allows such records */
    bool is_in_cipher; /* the next byte is the body of such a record */
};

void tls_hello_init(struct tls_hello_reader *r, bool is_second);
void tls_hello_done(struct tls_hello_reader *r);

/* Takes bytes up to the end of the message. *out_used says how many; with TLS_HELLO_MORE it took
 * all of them. TLS_HELLO_OK: the message is whole. */
MUST_CHECK enum tls_hello_result tls_hello_read(struct tls_hello_reader *r, const uint8_t *data,
                                                size_t len, size_t *out_used);

struct tls_hello {
    struct span server_name; /* printable ASCII, no dot at the end; empty when none was sent */
    struct span protocols;   /* the ALPN list as it was sent, with lengths; empty when none was */
    uint16_t version;        /* legacy_version: the highest of a client without `versions` */
    /* 16-bit numbers; empty when the client sent none */
    struct span suites;
    struct span versions;
    struct span groups;
    struct span signatures; /* signature_algorithms */
};

/* `message` begins with the handshake header. The spans in *out point into it. */
MUST_CHECK enum tls_hello_result tls_hello_parse(const uint8_t *message, size_t len,
                                                 struct tls_hello *out);

/* True when one of the lists of numbers has this number. */
bool tls_hello_lists(struct span list, uint16_t number);

/* True when the ALPN list has this protocol. */
bool tls_hello_offers(const struct tls_hello *hello, struct span protocol);

/* The alert (RFC 8446 6.2) that answers a failure; 0 = say nothing. */
uint8_t tls_hello_alert(enum tls_hello_result result);

#endif
