/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scoreboard.h: the memory that the master and its workers share.
 *
 * For: numbers by which they decide, one writer each: a worker writes only its own slot and reads
 * the others'; the master clears the slot of a worker that died. Not for: what is counted only to
 * be told (seat), anything on the way of a byte. Anonymous shared memory, made before the first
 * fork. */
#ifndef GATE_SCOREBOARD_H
#define GATE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/span.h"

#define SCOREBOARD_SLOTS_MAX 256

struct scoreboard_slot {
    _Atomic uint64_t turns;        /* of the worker's reactor; odd within a turn (gate/heart.h) */
    _Atomic uint64_t is_accepting; /* 1: the slot's worker takes sessions, as it says itself */
    _Atomic uint64_t is_still;     /* 1: it makes no turns, as the master says */
    _Atomic uint64_t sessions_now; /* counted by scoreboard_add_session and not yet retired */
    _Atomic uint64_t restarts;     /* workers for one that died; the master counts */
    _Atomic uint64_t ids_total;    /* ids of sessions; the slot's next worker goes on from here */
} __attribute__((aligned(64)));

struct scoreboard {
    _Atomic size_t slot_count;
    /* The master's: */
    _Atomic uint64_t is_stopping;    /* 1: it has begun to stop the program */
    _Atomic uint64_t reloads[2];     /* that failed, that succeeded */
    _Atomic uint64_t is_reload_good; /* 1: the last one, or the start, took the configuration */
    _Atomic uint64_t loaded_s;       /* when it did that last, wall clock since 1970 */
    _Atomic uint64_t log_dropped[LOG_SINKS]; /* its own lines */
    _Atomic uint64_t log_suppressed;
    struct scoreboard_slot slots[];
};

/* NULL: no memory. `now_s`: when the first configuration was taken. The scoreboard lives until the
 * process ends, and has room for all slots. */
MUST_CHECK struct scoreboard *scoreboard_new(size_t slot_count, uint64_t now_s);
/* So many slots are in use from now on, and never fewer. For the master. */
void scoreboard_set_slots(struct scoreboard *board, size_t slot_count);
/* Forgets what a worker that is gone had; totals stay. */
void scoreboard_clear_slot(struct scoreboard *board, size_t slot);

/* Counts one session more, or returns false when all slots together have `max_sessions` already. It
 * counts first and looks at the sum afterwards: of two workers that want the last place at the same
 * moment both may fail, but the sum of the admitted sessions never exceeds the limit. */
MUST_CHECK bool scoreboard_add_session(struct scoreboard *board, size_t slot,
                                       uint64_t max_sessions);

/* The master has tried to take a configuration anew, at `now_s` of the wall clock. */
void scoreboard_note_reload(struct scoreboard *board, bool is_good, uint64_t now_s);

/* True: the slot's worker takes sessions. */
bool scoreboard_is_up(const struct scoreboard *board, size_t slot);
/* True: the master has been told to stop; sluice may still take sessions (pre_drain). */
static inline bool scoreboard_is_stopping(const struct scoreboard *board)
{
    return atomic_load_explicit(&board->is_stopping, memory_order_relaxed) != 0;
}
/* True: callers are welcome; so sluice does not stop, and some worker is up. */
bool scoreboard_is_ready(const struct scoreboard *board);

/* A number that this slot has not given out before, whichever worker runs in it. */
uint64_t scoreboard_next_id(struct scoreboard *board, size_t slot);

static inline uint64_t scoreboard_turns(const struct scoreboard *board, size_t slot)
{
    return atomic_load_explicit(&board->slots[slot].turns, memory_order_relaxed);
}

/* For what is not counted but is or is not. */
static inline void scoreboard_set(_Atomic uint64_t *flag, bool is_so)
{
    atomic_store_explicit(flag, is_so ? 1 : 0, memory_order_relaxed);
}

static inline void scoreboard_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add(counter, n); /* sequentially consistent: scoreboard_add_session relies on it */
}

static inline void scoreboard_sub(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
}

#endif
