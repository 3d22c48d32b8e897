/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scoreboard.h: the memory that the master and its workers share.
 *
 * For: counters, one writer each: a worker writes only its own slot and reads the others'; the
 * master clears the slot of a worker that died. Not for: anything on the way of a byte. Anonymous
 * shared memory, made before the first fork; the only place with atomics. */
#ifndef GATE_SCOREBOARD_H
#define GATE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/life.h"

#define SCOREBOARD_SLOTS_MAX 256

struct scoreboard_slot {
    _Atomic uint64_t turns;        /* of the worker's reactor; odd within a turn (gate/heart.h) */
    _Atomic uint64_t sessions_now; /* counted by scoreboard_add_session and not yet retired */
    _Atomic uint64_t ids_total;    /* ids of sessions; the slot's next worker goes on from here */
    _Atomic uint64_t connections_total;
    _Atomic uint64_t up_bytes_total;    /* payload, client to backend */
    _Atomic uint64_t down_bytes_total;  /* payload, backend to client */
    _Atomic uint64_t unsent_peak_bytes; /* the most that a session has found in its kernel */
    _Atomic uint64_t rtts_total;        /* sessions whose client's round trip is known */
    _Atomic uint64_t rtt_us_total; /* the sum of those round trips, each at its session's end */
    _Atomic uint64_t endings_total[LIFE_ENDING_COUNT];
} __attribute__((aligned(64)));

struct scoreboard {
    size_t slot_count;
    struct scoreboard_slot slots[];
};

/* NULL: no memory. The scoreboard lives until the process ends. */
MUST_CHECK struct scoreboard *scoreboard_new(size_t slot_count);
/* Forgets the sessions of a worker that is gone; totals stay. */
void scoreboard_clear_slot(struct scoreboard *board, size_t slot);

/* Counts one session more, or returns false when all slots together have `max_sessions` already. It
 * counts first and looks at the sum afterwards: of two workers that want the last place at the same
 * moment both may fail, but the sum of the admitted sessions never exceeds the limit. */
MUST_CHECK bool scoreboard_add_session(struct scoreboard *board, size_t slot,
                                       uint64_t max_sessions);

/* A number that this slot has not given out before, whichever worker runs in it. */
uint64_t scoreboard_next_id(struct scoreboard *board, size_t slot);

static inline uint64_t scoreboard_turns(const struct scoreboard *board, size_t slot)
{
    return atomic_load_explicit(&board->slots[slot].turns, memory_order_relaxed);
}

static inline void scoreboard_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add(counter, n); /* sequentially consistent: scoreboard_add_session relies on it */
}

/* One writer, so that looking first is enough. */
static inline void scoreboard_raise(_Atomic uint64_t *peak, uint64_t n)
{
    if (n > atomic_load_explicit(peak, memory_order_relaxed)) {
        atomic_store_explicit(peak, n, memory_order_relaxed);
    }
}

static inline void scoreboard_sub(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
}

#endif
