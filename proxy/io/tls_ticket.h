/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_ticket.h: the keys that lock session tickets.
 *
 * For: tickets that every worker of a family can open, and that go stale. Time is cut into epochs
 * of 12 hours. The seed of each epoch is a hash of the one before, and the older one is wiped, so
 * all workers change keys at the same moment without talking to each other, and nobody who reads
 * their memory later can open what was locked earlier. A ticket opens in its own epoch and the next
 * one, and only for the server name under which the server gave it out. Not for: what stands in a
 * ticket, and its age: wolfSSL takes no ticket that is older than 12 hours (io/tls_context.c).
 *
 * AES-256-GCM; seeds, keys and key names by HMAC-SHA256. RFC 5077 section 4, RFC 9325 section 3.4.
 */
#ifndef IO_TLS_TICKET_H
#define IO_TLS_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define TLS_TICKET_EPOCH_S (12 * 60 * 60)
#define TLS_TICKET_SEED 32
#define TLS_TICKET_NAME 16
#define TLS_TICKET_IV 16
#define TLS_TICKET_MAC 32

/* What locks the tickets of one epoch. */
struct tls_ticket_key {
    bool is_made;
    uint8_t name[TLS_TICKET_NAME];
    uint8_t key[32];
};

struct tls_ticket_keys {
    uint64_t epoch;
    uint8_t seed[TLS_TICKET_SEED]; /* of this epoch; the next ones follow from it */
    struct tls_ticket_key now;
    struct tls_ticket_key before; /* of the epoch before; none after tls_ticket_init */
};

/* The seed is that of the epoch in which now_s (wall time) lies. Processes that start with the same
 * keys stay together. False: no memory; *keys is then empty. */
MUST_CHECK bool tls_ticket_init(struct tls_ticket_keys *keys, const uint8_t seed[TLS_TICKET_SEED],
                                uint64_t now_s);
/* Goes on to the epoch of now_s, and wipes what is older than the epoch before it. The clock may be
 * set back: the keys stay where they are. Locking and opening do the same first; a process without
 * handshakes must call this now and then. False: no memory; *keys is as before. */
MUST_CHECK bool tls_ticket_advance(struct tls_ticket_keys *keys, uint64_t now_s);
/* Wipes seed and keys. */
void tls_ticket_done(struct tls_ticket_keys *keys);

/* A locked ticket's parts, as wolfSSL lays them out; `data` is locked and opened in place. */
struct tls_ticket {
    uint8_t *name; /* TLS_TICKET_NAME bytes */
    uint8_t *iv;   /* TLS_TICKET_IV bytes */
    uint8_t *mac;  /* TLS_TICKET_MAC bytes */
    uint8_t *data;
    size_t len;
};

/* `now_s` is wall time. Fills name, iv and mac. False: no randomness or no memory. */
MUST_CHECK bool tls_ticket_lock(struct tls_ticket_keys *keys, uint64_t now_s,
                                struct span server_name, const struct tls_ticket *ticket);

enum tls_ticket_result {
    TLS_TICKET_OPENED = 0,
    TLS_TICKET_OLD,     /* opened, but of the previous epoch: the client should get a new one */
    TLS_TICKET_REJECTED /* unknown key, changed bytes, or another server name */
};

MUST_CHECK enum tls_ticket_result tls_ticket_open(struct tls_ticket_keys *keys, uint64_t now_s,
                                                  struct span server_name,
                                                  const struct tls_ticket *ticket);

#endif
