/* SPDX-License-Identifier: GPL-3.0-or-later */
/* flood.h: the lines of the log that come without end, and how many of them come out.
 *
 * For: one limit for every kind of line that somebody without a session can cause as often as he
 * connects, and for the master's lines about reloads, which a signal or a file can cause as often.
 * A kind may write FLOOD_BURST_S seconds' worth of lines at once, then `per_second` of
 * them a second. What comes on top is counted, and every FLOOD_TELL_MS one line for each kind says
 * how many there were, so that nothing is lost:
 *
 *     event=log.suppressed of=session.end ending=tls_failed suppressed=1234
 *
 * Lines that tell of this worker's own state come seldom: one every FLOOD_CALM_MS of each kind, so
 * that a worker between two states does not fill the log. Not for: lines of sessions that were
 * admitted, which always come out. At log_level = debug nothing is limited. */
#ifndef GATE_FLOOD_H
#define GATE_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include "io/reactor.h"
#include "proto/life.h"

#define FLOOD_BURST_S 10
#define FLOOD_TELL_MS 5000
#define FLOOD_CALM_MS 2000

/* Kinds below LIFE_ENDING_COUNT are `session.end` with that ending, of the others some are calm. */
enum flood_kind {
    FLOOD_ACCEPT_FAILED = LIFE_ENDING_COUNT,
    FLOOD_REFUSED,
    FLOOD_PAUSED,
    FLOOD_MEMORY_FULL,
    FLOOD_MEMORY_SHORT,
    FLOOD_MEMORY_BACK,
    FLOOD_ADOPT_FAILED,
    FLOOD_CONFIG, /* all that is wrong with one file: one line, as it were */
    FLOOD_RELOAD_DONE,
    FLOOD_RELOAD_FAILED,
    FLOOD_RELOAD_KEPT,
    FLOOD_LISTEN_READY,
    FLOOD_LISTEN_GONE,
    FLOOD_FILES,
    FLOOD_KINDS
};

struct flood_bucket {
    uint64_t tokens_milli; /* thousandths of a line */
    uint64_t filled_ms;    /* 0 = never used: full; of a calm kind, when the last line came */
    uint64_t suppressed;
};

struct flood {
    struct reactor *reactor; /* NULL: the owner looks at the clock, see flood_tell */
    uint64_t per_second;     /* 0 = no limit */
    struct reactor_timer tell;
    uint64_t tell_ms; /* when it says what was suppressed; UINT64_MAX = there is nothing */
    uint64_t suppressed_total;
    struct flood_bucket buckets[FLOOD_KINDS];
};

/* `reactor` NULL: the owner calls flood_tell at tell_ms. */
void flood_init(struct flood *f, struct reactor *reactor, uint64_t per_second);
/* Another limit from now on. */
void flood_set_limit(struct flood *f, uint64_t per_second);
/* Says what was suppressed. */
void flood_tell(struct flood *f);
/* The same, and stops the timer. */
void flood_done(struct flood *f);
/* True: one line of this kind may be written. False: the flood has counted it. `f` may be NULL:
 * there is no limit. */
bool flood_lets(struct flood *f, unsigned kind);

#endif
