/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.h: one client, one backend, one life.
 *
 * For: owning both sides, the decoder, one timer and a life; turning what happens into events of
 * the life, and carrying out the actions that the life answers with. Not for: accepting
 * (listener), deciding who may connect (admission), what the client is told (answer), where bytes
 * go (pump), draining a whole worker (worker).
 *
 * A session is one allocation of its own module. It frees itself at the end of the loop turn in
 * which its life is DEAD, and only there. Its worker knows it by the context's list alone. */
#ifndef GATE_SESSION_H
#define GATE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/list.h"
#include "conf/snapshot.h"
#include "gate/page.h"
#include "gate/scoreboard.h"
#include "io/carrier.h"
#include "io/reactor.h"
#include "io/resolver.h"
#include "io/scratch.h"
#include "io/tls.h"
#include "proto/life.h"

/* What all sessions of a worker share; owned by the worker. */
struct session_context {
    struct reactor *reactor;
    const struct scratch *scratch;
    struct resolver *resolver;
    const struct config *config;
    struct scoreboard *scoreboard;
    size_t slot;             /* the worker's, in the scoreboard and in the sessions' names */
    page_find_fn *find_page; /* for listeners that serve pages; NULL: none do */
    struct list sessions;    /* private to the session module */
    size_t session_count;
    bool is_draining;                                 /* new requests are refused: `shutdown` */
    void (*on_gone)(struct session_context *context); /* a session was freed */
    void (*on_park)(struct session_context *context); /* one gave memory back; may be NULL */
};

/* Takes over the client's carrier; tls is NULL on a plain listener and taken over too. False: no
 * memory (both are closed). */
MUST_CHECK bool session_start(struct session_context *context, const struct config_listen *listen,
                              const struct carrier *carrier, struct tls *tls,
                              const struct addr *peer);

/* Ends the oldest `most` sessions that have not ended yet, for a reason of the program's own
 * (shutdown, drain). Returns how many it ended. */
size_t session_end_some(struct session_context *context, enum life_ending ending, size_t most);
/* Ends all of them without any politeness. */
void session_kill_all(struct session_context *context);

#endif
