/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listener.h: one listening socket that a worker accepts from.
 *
 * For: the accept loop, and when it pauses. It pauses while the door has no room; and for 100 ms,
 * doubling to 800 ms, when accept() or memory fails, so that a failing process does not spin and
 * yet accepts within a second when the need is over. A paused
 * listener's callers wait in the kernel's queue: nobody is accepted only to be hung up on. Not for:
 * binding (the master does it), how many may be in (door), which sockets there are (worker). */
#ifndef GATE_LISTENER_H
#define GATE_LISTENER_H

#include "conf/snapshot.h"
#include "gate/session.h"
#include "io/reactor.h"
#include "io/tls.h"

struct listener {
    struct session_context *context;    /* with doors and a seat */
    const struct config_listen *listen; /* held */
    struct seat_listen *tally;
    struct tls_context *tls; /* shared; NULL = plain */
    int fd;                  /* owned */
    struct reactor_io io;
    struct reactor_timer resume;
    struct door_waiter waiter;
    uint64_t pause_ms;        /* the next pause after a failure */
    uint64_t paused_since_ms; /* 0 = it accepts */
    bool is_pause_told;       /* the log has a line about this pause */
    unsigned lost_in_a_row;   /* connections that accept() could not hand over */
};

/* Makes what listeners of this kind share; NULL for a plain one. False: *out_detail is then a
 * constant text that says what is wrong. */
MUST_CHECK bool listener_make_tls(const struct config_listen *listen, struct tls_context **out,
                                  const char **out_detail);

/* Takes over the descriptor, shares the TLS context (NULL = plain) and holds the snapshot. It does
 * not accept yet. */
void listener_init(struct listener *l, struct session_context *context,
                   const struct config_listen *listen, struct tls_context *tls, int fd);
void listener_start(struct listener *l);
/* Goes on with another snapshot; sessions keep the context that they have. */
void listener_renew(struct listener *l, const struct config_listen *listen,
                    struct tls_context *tls);
/* Somebody waits in its queue. */
bool listener_has_callers(const struct listener *l);
/* Whoever has called is still accepted; the system lets nobody new in, in no process that has this
 * socket. */
void listener_turn_deaf(struct listener *l);
/* Accepts no more and closes the socket; sessions go on. A second call does nothing. */
void listener_stop(struct listener *l);
/* Stops, and lets go of the snapshot and of the TLS context, which live as long as their last
 * session. */
void listener_done(struct listener *l);

#endif
