/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listener.h: one listening socket that a worker accepts from.
 *
 * For: the accept loop, and what happens when descriptors or memory run out: the listener turns one
 * caller away with a spare descriptor, then accepting pauses, for 100 ms at first and doubling to
 * 1 s, so that an exhausted process neither spins nor leaves its callers hanging. Not for: binding
 * (the master does it, before the fork). */
#ifndef GATE_LISTENER_H
#define GATE_LISTENER_H

#include "conf/snapshot.h"
#include "gate/session.h"
#include "io/reactor.h"
#include "io/tls.h"

struct listener {
    struct session_context *context;
    const struct config_listen *listen;
    struct tls_context *tls; /* owned, perhaps shared; NULL = plain */
    int fd;                  /* owned */
    int spare_fd;            /* owned; -1 = none */
    struct reactor_io io;
    struct reactor_timer resume;
    uint64_t pause_ms; /* the next pause */
    bool is_suspended;
};

/* Takes over the descriptor. False: there is no TLS context; *out_detail is then a constant text
 * that says what is wrong. */
MUST_CHECK bool listener_init(struct listener *l, struct session_context *context,
                              const struct config_listen *listen, int fd, const char **out_detail);
/* The same for one more socket of the address of `own`: it shares the TLS context. */
void listener_init_like(struct listener *l, const struct listener *own, int fd);
/* Accepts nobody until listener_resume; callers wait in the queue. */
void listener_suspend(struct listener *l);
void listener_resume(struct listener *l);
/* Accepts no more and closes the socket; sessions go on. A second call does nothing. */
void listener_stop(struct listener *l);
/* Stops, and drops the TLS context, which lives as long as its last session. */
void listener_done(struct listener *l);

#endif
