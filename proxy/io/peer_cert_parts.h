/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer_cert_parts.h: what the sources of peer_cert.h know of each other.
 *
 * peer_cert.c reads certificates, peer_cert_pattern.c has the patterns, peer_cert_limits.c what CAs
 * may sign. Not for: anybody else. */
#ifndef IO_PEER_CERT_PARTS_H
#define IO_PEER_CERT_PARTS_H

#include "io/peer_cert.h"

/* Printable ASCII without blanks. */
bool peer_cert_is_visible(struct span text);
/* UTF-8 without control characters. */
bool peer_cert_is_text(struct span text);

/* The bytes of a numeric address; returns how many, 0: it is none. */
size_t peer_cert_address(struct span text, uint8_t out[16]);

#endif
