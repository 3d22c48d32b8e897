/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_flight.h: the messages with which a client of TLS 1.2 proves its certificate, followed beside
 * wolfSSL.
 *
 * For: two faults of wolfSSL 5.7.2 (tls_faults.h), of servers that ask for certificates: it takes
 * the proof in front of the key exchange that the proof must cover (CVE-2026-2645), and with a hash
 * that it did not offer (CVE-2025-12889). Not for: TLS 1.3, whose messages are encrypted and which
 * has neither; the messages' content otherwise. Pure, RFC 5246 7.3. */
#ifndef IO_TLS_FLIGHT_H
#define IO_TLS_FLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct tls_flight {
    uint8_t head[6]; /* of a message: type, length, and the first two bytes of a proof */
    uint8_t head_len;
    uint8_t seen;  /* how far the client is */
    uint32_t left; /* bytes of the message behind its head */
};

/* Takes the next bytes of handshake records in the clear. NULL, or a constant text that says what
 * is wrong. */
MUST_CHECK const char *tls_flight_follow(struct tls_flight *flight, const uint8_t *data,
                                         size_t len);

#endif
