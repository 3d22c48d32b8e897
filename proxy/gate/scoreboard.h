/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scoreboard.h: the memory that the master and its workers share.
 *
 * For: numbers by which they decide, one writer each: a worker writes only its own slot and reads
 * the others'; a master clears the slot of a worker that died. Not for: what is counted only to be
 * told (seat), anything on the way of a byte.
 *
 * A slot here is the seat of one worker process, also in gate/seat: the worker takes a free one
 * when it starts, and the system gives it back when the process ends (gate/shared.h). It has
 * nothing to do with the slots of listening sockets. An upgrade hands the memory on to the next
 * master, so the workers of all generations have seats in it, and together they keep max_sessions.
 */
#ifndef GATE_SCOREBOARD_H
#define GATE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/span.h"
#include "gate/shared.h"

#define SCOREBOARD_SLOTS_MAX 512 /* two generations of workers */

struct scoreboard_slot {
    _Atomic uint64_t turns;        /* of the worker's reactor; odd within a turn (gate/heart.h) */
    _Atomic uint64_t is_accepting; /* 1: the slot's worker takes sessions, as it says itself */
    _Atomic uint64_t is_still;     /* 1: it makes no turns, as the master says */
    _Atomic uint64_t sessions_now; /* counted by scoreboard_add_session and not yet retired */
    _Atomic uint64_t restarts;     /* workers for one that died; the master counts */
    _Atomic uint64_t ids_total;    /* ids of sessions; the slot's next worker goes on from here */
    _Atomic uint64_t generation;   /* of the worker that has it, or whose successor should come; 0 =
                                    * nobody's */
} __attribute__((aligned(64)));

/* How far the end of the program is. */
enum scoreboard_stop {
    SCOREBOARD_RUNS = 0,
    SCOREBOARD_UNREADY, /* it still accepts (pre_drain) */
    SCOREBOARD_DRAINS,  /* the workers end */
};

struct scoreboard {
    struct shared_head head;
    _Atomic size_t slot_count; /* so many have ever been in use */
    _Atomic uint64_t
        serving; /* the generation that has the callers; the master that yields says so */
    /* The newest master's: */
    _Atomic uint64_t stop;           /* enum scoreboard_stop */
    _Atomic uint64_t reloads[2];     /* that failed, that succeeded */
    _Atomic uint64_t upgrades[2];    /* the same */
    _Atomic uint64_t is_reload_good; /* 1: the last one, or the start, took the configuration */
    _Atomic uint64_t loaded_s;       /* when it did that last, wall clock since 1970 */
    _Atomic uint64_t log_dropped[LOG_SINKS]; /* its own lines */
    _Atomic uint64_t log_suppressed;
    struct scoreboard_slot slots[];
};

/* NULL: no memory. `now_s`: when the first configuration was taken. The first slot_count slots are
 * expected to have workers of generation 1. The scoreboard lives until the process ends, and has
 * room for all slots. */
MUST_CHECK struct scoreboard *scoreboard_new(size_t slot_count, uint64_t now_s);
/* The same with the memory of a master before this one; takes over the descriptor. NULL: see
 * shared_open. */
MUST_CHECK struct scoreboard *scoreboard_open(int fd, const char **out_detail);
/* The memory file of the scoreboard that this process made or opened last. */
int scoreboard_fd(void);
/* Session ids begin there: for a scoreboard that takes the place of one that nobody could read. */
void scoreboard_begin_ids(struct scoreboard *board, uint64_t first);

/* For a worker that starts: a free slot is its own until it ends, `wanted` if that one is free.
 * SCOREBOARD_SLOTS_MAX: none is. */
MUST_CHECK size_t scoreboard_take_slot(struct scoreboard *board, size_t wanted,
                                       uint64_t generation);
/* For a master: false when a living worker has the slot. Else nobody takes it before
 * scoreboard_release_slot, which clears it. is_expected: a worker for it will come. */
MUST_CHECK bool scoreboard_hold_slot(const struct scoreboard *board, size_t slot);
void scoreboard_release_slot(struct scoreboard *board, size_t slot, bool is_expected);

/* Forgets what a worker that is gone had; totals stay. */
void scoreboard_clear_slot(struct scoreboard *board, size_t slot);

/* The generations that have workers, or expect some. */
size_t scoreboard_generations(const struct scoreboard *board);

/* Counts one session more, or returns false when all slots together have `max_sessions` already. It
 * counts first and looks at the sum afterwards: of two workers that want the last place at the same
 * moment both may fail, but the sum of the admitted sessions never exceeds the limit. */
MUST_CHECK bool scoreboard_add_session(struct scoreboard *board, size_t slot,
                                       uint64_t max_sessions);

/* The master has tried to take a configuration anew, at `now_s` of the wall clock. */
void scoreboard_note_reload(struct scoreboard *board, bool is_good, uint64_t now_s);

/* The same for an upgrade. */
void scoreboard_note_upgrade(struct scoreboard *board, bool is_good);

/* True: the slot's worker takes sessions. */
bool scoreboard_is_up(const struct scoreboard *board, size_t slot);
/* True: the master has been told to stop; sluice may still take sessions (pre_drain). */
static inline bool scoreboard_is_stopping(const struct scoreboard *board)
{
    return atomic_load_explicit(&board->stop, memory_order_relaxed) != SCOREBOARD_RUNS;
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
