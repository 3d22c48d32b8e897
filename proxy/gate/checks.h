/* SPDX-License-Identifier: GPL-3.0-or-later */
/* checks.h: when which backend is looked at, and what comes of it.
 *
 * For: the active health checks of the routes that have a health_interval. Each of their backends
 * has a clock of its own, which a tenth of the interval either way keeps out of step with all
 * others; the first checks fall anywhere in the first interval, or in the first second of it. A
 * backend is never checked twice at once, and CHECKS_AT_ONCE_MAX are under way in all: the others
 * wait in line. health_fall bad checks in a row are the verdict that a backend is down,
 * health_rise good ones that it is up; upstream_note_check hears it. A check that this machine
 * could not make counts as none; monitoring hears of each of the others. Not for: the look itself
 * (probe), what a verdict does (upstream).
 *
 * One worker checks for all: the one in the lowest slot that takes sessions, as the scoreboard
 * says. Each worker has all the clocks, and asks the scoreboard when one of them rings: so the duty
 * of a worker that dies, stands still, drains or runs out of memory falls to the next one within an
 * interval. A worker that takes over begins to count anew. While nobody takes sessions nobody
 * checks.
 *
 * The worker owns it, one for each configuration; the snapshot, the upstream and what `world`
 * points at outlive it. */
#ifndef GATE_CHECKS_H
#define GATE_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/snapshot.h"
#include "gate/backend_tls.h"
#include "gate/probe.h"
#include "gate/scoreboard.h"
#include "gate/upstream.h"

#define CHECKS_AT_ONCE_MAX 64

struct checks_world {
    struct reactor *reactor;
    struct resolver *resolver;
    const struct scratch *scratch;
    const struct scoreboard *scoreboard;
    const struct backend_tls *backend_tls; /* of the same snapshot; lives longer than the checks */
    const struct seat *seat;               /* counts them, as long; NULL: nobody does */
    size_t slot;                           /* the worker's, in the scoreboard */
    uint64_t seed;                         /* for the clocks; no two workers have the same */
};

struct checks;
/* Nothing runs before checks_start. NULL: no memory. */
MUST_CHECK struct checks *checks_new(const struct checks_world *world, const struct config *config,
                                     struct upstream *upstream);
void checks_free(struct checks *checks);
/* The clock and the count of a backend with the same text in a route of the same name go on from
 * `before`, which is of another snapshot and may run. Before checks_start. */
void checks_inherit(struct checks *checks, const struct checks *before);
/* Starts the clocks. What earlier checks found of backends that nobody checks any more is
 * forgotten. */
void checks_start(struct checks *checks);
/* For good: no clock rings any more, and what is under way ends. */
void checks_stop(struct checks *checks);

/* Descriptors that the checks of a configuration may take at once. */
size_t checks_descriptors(const struct config *config);

/* --- the arithmetic; pure --- */

/* Checks of one kind in a row. */
struct checks_run {
    bool is_bad;
    uint64_t count;
};

enum checks_verdict { CHECKS_NONE = 0, CHECKS_UP, CHECKS_DOWN };
/* Counts one check more. */
enum checks_verdict checks_count(struct checks_run *run, bool is_bad, uint64_t fall, uint64_t rise);

/* When the check that follows one of `at_ms` is due, at the earliest; `chance` is any number. */
uint64_t checks_next_ms(uint64_t at_ms, uint64_t interval_ms, uint64_t chance);

/* This worker is the one that checks. */
bool checks_is_duty(const struct scoreboard *board, size_t slot);

#endif
