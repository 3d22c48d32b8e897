/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fitness.h: is a backend up, and when may it be tried again?
 *
 * For: putting a backend out after so many failures in a row, for a pause that doubles up to a
 * longest one and is a little different each time; letting one session try it then; giving it its
 * weight back slowly; what active checks say of it. Not for: choosing one (proto/balance), and what
 * becomes of a session when all are out (gate/upstream). Pure: `now_ms` is an argument, of a clock
 * that is the same in all processes.
 *
 *            failures                  the pause is over
 *     UP ---------------> DOWN ----------------------------> TRIAL
 *      ^                   |  ^                               |  |
 *      |   a dial accepts  |  |  a failure, a longer pause    |  |
 *      +-------------------+  +-------------------------------+  |
 *      +---------------------------------------------------------+
 *
 * All of it is one word, 0 at first, so that processes can share it: whoever learns something makes
 * the next word of the last one, and tries again when another one was faster. */
#ifndef PROTO_FITNESS_H
#define PROTO_FITNESS_H

#include <stdbool.h>
#include <stdint.h>

enum fitness_state {
    FITNESS_UP = 0,
    FITNESS_STARTING, /* up, but not with its whole weight yet */
    FITNESS_TRIAL,    /* one session tries it */
    FITNESS_DOWN
};

struct fitness_rules {
    uint64_t eject_after;   /* failures in a row; 0 counts as 1 */
    uint64_t pause_ms;      /* the first one; at least 1 */
    uint64_t pause_max_ms;  /* a backend that was up for so long begins with the first one again */
    uint64_t slow_start_ms; /* 0: it has its whole weight at once */
};
#define FITNESS_WHOLE 1000 /* the whole weight */
#define FITNESS_FAILURES_MAX 100

enum fitness_failure {
    FITNESS_NOT_REACHED = 0, /* a dial failed */
    FITNESS_RESET            /* it accepted, and reset before anybody said anything */
};

enum fitness_state fitness_state(uint64_t word, const struct fitness_rules *rules, uint64_t now_ms);
static inline bool fitness_is_up(enum fitness_state state)
{
    return state == FITNESS_UP || state == FITNESS_STARTING;
}
/* How much of its weight the backend has, 1 to FITNESS_WHOLE; also where it is not up. */
uint64_t fitness_share(uint64_t word, const struct fitness_rules *rules, uint64_t now_ms);

/* True: it is out, and a session may try it. */
bool fitness_is_trial_due(uint64_t word, uint64_t now_ms);
/* A session tries it: nobody else does until its outcome is known, or trial_ms are over. */
uint64_t fitness_try(uint64_t word, uint64_t now_ms, uint64_t trial_ms);
/* The session that tried it has no outcome: the next one may. */
uint64_t fitness_leave(uint64_t word, uint64_t now_ms);

/* A failure. Failures of dials that had begun before the backend was put out make no pause longer.
 * `random` is any number. */
uint64_t fitness_fail(uint64_t word, const struct fitness_rules *rules,
                      enum fitness_failure failure, uint64_t now_ms, uint32_t random);
/* It accepted a session. This does not clear it of resets: those come after it has accepted. */
uint64_t fitness_accept(uint64_t word, uint64_t now_ms);
/* It sent a byte. */
uint64_t fitness_speak(uint64_t word);

/* What active checks find. While they find it down, it is out, whatever else is known; when they
 * find it up again, the backend begins anew. */
uint64_t fitness_check(uint64_t word, bool is_good, uint64_t now_ms);
bool fitness_is_down_by_check(uint64_t word);

#endif
