/* SPDX-License-Identifier: GPL-3.0-or-later */
/* heart.h: does a worker still make turns?
 *
 * For: judging a worker by the count of its turns in the scoreboard, which its reactor raises when
 * a turn begins and when it ends: an odd count is a worker at work, an even one a worker that
 * waits. Waiting is no fault as long as nobody waits for the worker, so an idle worker need not
 * wake up to prove that it lives. Not for: clocks and signals (the master looks, and acts). Pure.
 *
 * The time of a sight is the master's own: it stands still while the master itself cannot run. A
 * machine that sleeps or is stopped makes no worker look dead. */
#ifndef GATE_HEART_H
#define GATE_HEART_H

#include <stdbool.h>
#include <stdint.h>

#define HEART_STILL_MS 200   /* after that, others serve its callers */
#define HEART_DEAD_MS 10000u /* after that, the master kills it */

enum heart_state {
    HEART_BEATS = 0,
    HEART_DOUBTED, /* wake it up and look again after HEART_STILL_MS */
    HEART_STILL,   /* it turns no more: others should accept its callers */
    HEART_DEAD,    /* for so long that it should be killed */
};

/* A heart of zeros is that of a new worker. */
struct heart {
    uint64_t turns;
    uint64_t still_since_ms;
    enum heart_state state; /* what heart_look said last */
};

struct heart_sight {
    uint64_t now_ms;  /* of the master's own time; above 0 */
    uint64_t turns;   /* from the scoreboard */
    bool has_callers; /* connections wait in a queue of its sockets */
    bool is_stopped;  /* by a signal such as SIGSTOP */
};

enum heart_state heart_look(struct heart *heart, const struct heart_sight *sight);

#endif
