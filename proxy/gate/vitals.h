/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vitals.h: what a worker tells monitoring of its own process.
 *
 * For: processor time, memory, descriptors and lost lines of the log, put into the worker's seat
 * every VITALS_MS, so that whichever worker answers a scrape can tell of all of them without a look
 * at other processes. Not for: what sessions do (seat). The files that it reads are opened once, by
 * vitals_init. */
#ifndef GATE_VITALS_H
#define GATE_VITALS_H

#include "gate/flood.h"
#include "gate/seat.h"
#include "io/reactor.h"

#define VITALS_MS 10000

struct vitals {
    struct reactor *reactor;
    struct seat_worker *seat;
    const struct flood *flood;
    struct reactor_timer timer;
    int statm_fd;       /* -1: the kernel does not say */
    int descriptors_fd; /* the same */
    uint64_t cpu_ms;    /* told so far, like the next two */
    uint64_t log_dropped[LOG_SINKS];
    uint64_t log_suppressed;
};

void vitals_init(struct vitals *v, struct reactor *reactor, struct seat_worker *seat,
                 const struct flood *flood);
/* Tells for the last time. */
void vitals_done(struct vitals *v);

#endif
