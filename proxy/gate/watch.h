/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch.h: is a peer that seems stuck still taking what it is sent?
 *
 * For: one wait for one peer: since when nothing has moved, and whether the wait must start again
 * because the peer has taken more meanwhile. A slow peer is not a stuck one: the kernel may hold
 * megabytes for it and take nothing more until a third has gone. Not for: how long the wait may
 * last (life), what follows from its end. All times are the reactor's, in milliseconds. */
#ifndef GATE_WATCH_H
#define GATE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "io/conn.h"

/* Where a wait began stands outside: the deadlines of the life read it (struct life_times). */
struct watch {
    uint64_t sent_bytes;  /* wire bytes that the kernel had taken at the last watch_queue */
    uint64_t acked_bytes; /* wire bytes that had reached the peer's kernel when the queue began to
                             wait, or at the last watch_renew */
};

/* Begins a wait for an answer of the peer. *since_ms is when the wait began; 0 = nobody waits. */
void watch_begin(struct watch *w, uint64_t *since_ms, const struct conn *c, uint64_t now_ms);
/* Call it after each event: a wait lasts while bytes are there for the peer, queued or held
 * (pump_awaits), and the kernel takes none of them. */
void watch_queue(struct watch *w, uint64_t *since_ms, const struct conn *c, bool is_awaited,
                 uint64_t now_ms);
/* The time of the wait is over. True when the peer has taken more than acked_bytes; the wait then
 * begins again. So a peer that takes nothing is noticed within twice the time at the latest. Costs
 * a system call. */
bool watch_renew(struct watch *w, uint64_t *since_ms, const struct conn *c, uint64_t now_ms);
/* The same for two peers, either of which may have taken more. False when both have taken all. */
bool watch_renew_either(struct watch *w, uint64_t *since_ms, const struct conn *a,
                        const struct conn *b, uint64_t now_ms);

#endif
