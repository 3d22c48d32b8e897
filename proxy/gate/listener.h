/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listener.h: one listening socket that a worker accepts from.
 *
 * For: the accept loop, and when it pauses. It pauses while the door has no room; and for 100 ms,
 * doubling to 1 s, when accept() or memory fails, so that a failing process does not spin. A paused
 * listener's callers wait in the kernel's queue: nobody is accepted only to be hung up on. Not for:
 * binding (the master does it, before the fork), how many may be in (door). */
#ifndef GATE_LISTENER_H
#define GATE_LISTENER_H

#include "conf/snapshot.h"
#include "gate/session.h"
#include "io/reactor.h"
#include "io/tls.h"

struct listener {
    struct session_context *context; /* with doors and a seat */
    const struct config_listen *listen;
    struct seat_listen *tally;
    struct tls_context *tls; /* owned, perhaps shared; NULL = plain */
    int fd;                  /* owned */
    struct reactor_io io;
    struct reactor_timer resume;
    struct door_waiter waiter;
    uint64_t pause_ms;        /* the next pause after a failure */
    uint64_t paused_since_ms; /* 0 = it accepts */
    unsigned lost_in_a_row;   /* connections that accept() could not hand over */
};

/* Takes over the descriptor. False: there is no TLS context; *out_detail is then a constant text
 * that says what is wrong. */
MUST_CHECK bool listener_init(struct listener *l, struct session_context *context,
                              const struct config_listen *listen, int fd, const char **out_detail);
/* The same for one more socket of the address of `own`: it shares the TLS context. */
void listener_init_like(struct listener *l, const struct listener *own, int fd);
/* Accepts no more and closes the socket; sessions go on. A second call does nothing. */
void listener_stop(struct listener *l);
/* Stops, and drops the TLS context, which lives as long as its last session. */
void listener_done(struct listener *l);

#endif
