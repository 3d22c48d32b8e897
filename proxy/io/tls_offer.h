/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_offer.h: the lists of what this end speaks, and whether a ClientHello has some of each.
 *
 * For: naming a mismatch, with the right alert, before wolfSSL sees the hello: wolfSSL has one word
 * for several, sends no alert for some, and heeds the list of groups only in TLS 1.3. Not for:
 * choosing; wolfSSL does that, and still judges all that it understands. */
#ifndef IO_TLS_OFFER_H
#define IO_TLS_OFFER_H

#include "io/tls.h"
#include "io/tls_chain.h"
#include "io/tls_hello.h"

/* TLS_HELLO_OK, or what the client lacks, for a certificate with this kind of key. */
MUST_CHECK enum tls_hello_result tls_offer_judge(const struct tls_hello *hello,
                                                 enum tls_version min_version,
                                                 enum tls_key_kind kind);

#endif
