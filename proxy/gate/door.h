/* SPDX-License-Identifier: GPL-3.0-or-later */
/* door.h: the connections of one worker that nobody has admitted yet.
 *
 * For: how many of them there may be, which one goes when a caller finds the place full, and when
 * each may do its work. Everybody may connect, so the door keeps strangers cheap: a handshake
 * costs a thousand times what a byte of an open session costs. Not for: accepting (listener), who
 * may have a session (admission), closing anything (session).
 *
 * A guest is a connection from door_enter to door_admit or door_leave; so a refused client that
 * still has to read its Close is a guest too. The door hands a guest's events on at the end of the
 * turn, behind the events of all sessions, for DOOR_TURN_US and at least one; the other guests
 * wait for the next turn. So a session waits for one handshake at most, whatever comes in.
 *
 * When `pending` guests are in, a new caller takes the place of the guest that has made no progress
 * for the longest time: of one from which nothing has come, once it has had DOOR_SILENT_MS; else of
 * one that has begun, once it has had DOOR_BEGUN_MS since its last step. A step is a phase of its
 * life; bytes alone are none, or a guest could buy time with a byte a second. A guest whose bytes
 * wait for the door is never put out. When nobody can be put out, the listeners wait, and their
 * callers in the kernel's queues. */
#ifndef GATE_DOOR_H
#define GATE_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/span.h"
#include "io/reactor.h"

#define DOOR_TURN_US 200
#define DOOR_SILENT_MS 100
#define DOOR_BEGUN_MS 1000
#define DOOR_RETRY_MS 20 /* between two looks for room while a listener waits */

enum door_place {
    DOOR_OUTSIDE = 0, /* not entered, admitted, or gone */
    DOOR_SILENT,      /* nothing has come from it */
    DOOR_BEGUN,
    DOOR_READY /* its event waits for the end of the turn */
};

/* Embedded in a session; zeroed before door_enter. */
struct door_guest {
    struct list link;  /* in the list of its place */
    uint64_t since_ms; /* of its last step */
    uint8_t place;     /* enum door_place */
    bool has_begun;
    bool is_session; /* admitted and not yet gone */
};

typedef void door_guest_fn(struct door_guest *guest);

/* Somebody who waits for room. */
struct door_waiter;
typedef void door_waiter_fn(struct door_waiter *waiter);
struct door_waiter {
    struct list link;
    door_waiter_fn *callback;
};

struct door_settings {
    uint64_t pending_max;   /* guests; at least 1 */
    uint64_t sessions_max;  /* that the worker's descriptors allow; at least 1 */
    door_guest_fn *serve;   /* does the work that the guest's event is about */
    door_guest_fn *put_out; /* ends the guest at once: calls door_leave before it returns */
};

struct door {
    struct reactor *reactor;
    struct door_settings settings;
    struct list silent;
    struct list begun;
    struct list ready;
    struct list waiters;
    struct reactor_deferred turn;
    struct reactor_timer next_turn;
    struct reactor_timer retry;
    uint64_t pending_count;
    uint64_t session_count;
    bool is_serving;
    const char *shut_because; /* a constant; NULL: it is open */
};

void door_init(struct door *d, struct reactor *reactor, const struct door_settings *settings);
/* Other limits from now on; nobody goes for them. */
void door_set_limits(struct door *d, uint64_t pending_max, uint64_t sessions_max);
/* Stops its timers. No guest and no waiter may be left. */
void door_done(struct door *d);

/* --- for listeners --- */

/* True: one more guest may enter, if need be in the place of another. */
MUST_CHECK bool door_has_room(const struct door *d);
/* True: guests wait for the next turn, so more of them gain nothing. */
static inline bool door_is_busy(const struct door *d)
{
    return !list_is_empty(&d->ready);
}
/* Calls back once, when there may be room. */
void door_wait(struct door *d, struct door_waiter *waiter);
void door_wait_stop(struct door_waiter *waiter);
/* While the door is shut nobody enters; for a worker that is short of memory. `because` says why, a
 * constant; NULL opens the door. */
void door_shut(struct door *d, const char *because);

/* --- for sessions. Each call is harmless where the guest is not what it is about. --- */

/* After door_has_room in the same event. Puts out another guest when all places are taken. */
void door_enter(struct door *d, struct door_guest *guest);
static inline bool door_is_guest(const struct door_guest *guest)
{
    return guest->place != DOOR_OUTSIDE;
}
/* An event of the guest has come: `serve` will be called for it at the end of this turn, or of a
 * later one. */
void door_queue(struct door *d, struct door_guest *guest);
/* The guest has come a step further. */
void door_progress(struct door *d, struct door_guest *guest);
/* Whether door_admit would let the guest in now. */
MUST_CHECK bool door_may_admit(const struct door *d, const struct door_guest *guest);
/* The guest becomes a session. False: the worker has no descriptors for one more; the guest stays
 * a guest. */
MUST_CHECK bool door_admit(struct door *d, struct door_guest *guest);
/* The guest or session is gone. */
void door_leave(struct door *d, struct door_guest *guest);

#endif
