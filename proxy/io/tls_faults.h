/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_faults.h: which faults of wolfSSL sluice guards against that not every version has.
 *
 * For: the guards that a version of wolfSSL makes needless, which then are not compiled; and those
 * that only a newer version needs. Not for: guards that all versions need; tests/README.md has a
 * table of both. */
#ifndef IO_TLS_FAULTS_H
#define IO_TLS_FAULTS_H

#include <wolfssl/options.h>

#include <wolfssl/version.h>

/* tls_flight.h: a client's proof of its certificate in TLS 1.2, before its key exchange
 * (CVE-2026-2645; refused early from 5.9.0 on), or with a hash that nobody offered
 * (CVE-2025-12889). */
#define TLS_FAULT_PROOFS (LIBWOLFSSL_VERSION_HEX < 0x05009000)

/* tls_tickets.c: the tickets of a client are numbered on from each session to the one that resumes
 * it, and the handshake fails at the 256th. 5.7.2 begins anew there. */
#define TLS_FAULT_TICKET_ROWS (LIBWOLFSSL_VERSION_HEX > 0x05007002)

#endif
