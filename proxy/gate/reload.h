/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload.h: where a reload stands.
 *
 * For: the two phases of putting another configuration in force without touching a session. First
 * every worker that serves makes all that it needs of the new configuration, and says so; nothing
 * has changed yet, and one worker that cannot ends the reload. Then all swap, which cannot fail. A
 * worker that dies takes no part any more: the next one in its slot begins with the configuration
 * in force. Not for: carrying anything out (master_reload.c). Pure: the caller brings the time. */
#ifndef GATE_RELOAD_H
#define GATE_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define RELOAD_SLOTS_MAX 256
#define RELOAD_ANSWER_MS 10000 /* in each phase a worker has so long to answer */

enum reload_phase {
    RELOAD_IDLE = 0,
    RELOAD_PREPARING,  /* the old configuration is in force */
    RELOAD_COMMITTING, /* the new one is, and some worker has not said so yet */
};

struct reload {
    enum reload_phase phase;
    uint32_t number; /* of the reload, also in messages: late answers are another reload's */
    uint64_t began_ms;
    uint64_t deadline_ms; /* of the phase */
    size_t waiting;       /* how many slots' workers have yet to answer */
    bool waits[RELOAD_SLOTS_MAX];
    bool takes_part[RELOAD_SLOTS_MAX];
};

/* From IDLE. The caller then asks workers, and says which. */
void reload_begin(struct reload *r, uint64_t now_ms);
void reload_ask(struct reload *r, size_t slot);
/* The slot's worker has done what the phase asks for. */
void reload_answer(struct reload *r, size_t slot, uint32_t number);
/* The slot's worker is gone, or goes, and takes no part. */
void reload_forget(struct reload *r, size_t slot);

enum reload_step {
    RELOAD_WAIT = 0, /* for answers */
    RELOAD_COMMIT,   /* all are prepared: reload_commit, and tell those that take part */
    RELOAD_LATE,     /* a worker does not answer in time: reload_late_slot; nothing has changed */
    RELOAD_DONE,     /* all have swapped, or they have had their time for it */
};
enum reload_step reload_next(const struct reload *r, uint64_t now_ms);
size_t reload_late_slot(const struct reload *r);
void reload_commit(struct reload *r, uint64_t now_ms);
void reload_end(struct reload *r);

#endif
