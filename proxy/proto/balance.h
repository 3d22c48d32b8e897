/* SPDX-License-Identifier: GPL-3.0-or-later */
/* balance.h: which of several backends a session gets.
 *
 * For: picking one by weight in four ways. `first` takes the first in order. `round_robin` takes
 * them in turn, smoothly: with weights 3 and 1 the second one has every fourth turn, not four turns
 * of four at once. `least_sessions` takes the one that has fewest sessions for its weight, and
 * among equals the one whose turn it is. `source` is rendezvous hashing (Thaler, Ravishankar 1998)
 * with weights: a client always gets the same backend; when one goes, only its clients move, and
 * when one comes, only its share of them moves. Not for: which backends may be picked
 * (proto/fitness, gate/upstream), counting sessions. Pure. */
#ifndef PROTO_BALANCE_H
#define PROTO_BALANCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "proto/limit.h"

enum balance_kind {
    BALANCE_FIRST = 0,
    BALANCE_ROUND_ROBIN,
    BALANCE_LEAST_SESSIONS,
    BALANCE_SOURCE
};

#define BALANCE_WEIGHT_MAX 1000
#define BALANCE_UNIT 1000 /* a backend's whole weight is its weight times this */

struct balance_backend {
    uint64_t weight;   /* 0: it may not be picked; at most BALANCE_WEIGHT_MAX * BALANCE_UNIT */
    uint64_t sessions; /* least_sessions: that it has */
    uint64_t key;      /* source: balance_key of its name */
    int64_t turn;      /* in and out: 0 at first, then the caller keeps it */
};

/* Picks one; `count` when none may be. `source` is the client's balance_source. */
size_t balance_pick(enum balance_kind kind, struct balance_backend *backends, size_t count,
                    uint64_t source);

/* Numbers of names and of clients, the same on every machine and in every version. All clients
 * whose address is unknown, and all of Unix sockets, are one. */
uint64_t balance_key(struct span name);
uint64_t balance_source(const struct addr *client, struct limit_prefix prefix);

#endif
