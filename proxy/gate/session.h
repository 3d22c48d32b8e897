/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.h: one client, one backend, one life.
 *
 * For: owning both sides, one timer and a life; making events of the life from what happens, and
 * carrying out the actions that the life answers with. Not for: accepting (listener), deciding who
 * may connect (admission), what the client is told (answer), where bytes go (pump), draining a
 * whole worker (worker).
 *
 * A session is one allocation, which only its own module knows. It frees itself at the end of the
 * loop turn in which its life becomes DEAD, and only there. */
#ifndef GATE_SESSION_H
#define GATE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/list.h"
#include "conf/snapshot.h"
#include "gate/backend_tls.h"
#include "gate/door.h"
#include "gate/files.h"
#include "gate/flood.h"
#include "gate/limits.h"
#include "gate/page.h"
#include "gate/passwords.h"
#include "gate/roster.h"
#include "gate/scoreboard.h"
#include "gate/seat.h"
#include "gate/spent.h"
#include "gate/upstream.h"
#include "io/carrier.h"
#include "io/reactor.h"
#include "io/resolver.h"
#include "io/scratch.h"
#include "io/tls.h"
#include "proto/life.h"

/* What all sessions of a worker share; owned by the worker. */
struct session_context;
/* Whether a listener, by the configuration in force, takes this client's certificate no more.
 * `listen` may be of an older configuration. */
typedef bool session_revoked_fn(struct session_context *context, const struct config_listen *listen,
                                const struct peer_cert *cert);

struct session_context {
    struct reactor *reactor;
    const struct scratch *scratch;
    struct resolver *resolver;
    struct passwords *passwords;     /* NULL: nobody can check one */
    struct upstream *upstream;       /* of `config`; NULL: nobody notes how dials end */
    struct backend_tls *backend_tls; /* the same; NULL: no backend is tls:// */
    const struct config *config;     /* in force: judges requests that come; the worker holds it */
    struct scoreboard *scoreboard;
    const struct seats *seats; /* of all workers, for pages that tell of them */
    const struct seat *seat;   /* this worker's, of `config`; NULL: nobody counts */
    struct door *door;         /* NULL: every connection is served at once and without a limit */
    struct door *health_door;  /* the same for [health]: strangers at `door` keep no probe out */
    struct door *admin_door;   /* the same for [admin] */
    struct flood *flood;       /* NULL: every line comes out */
    size_t slot;               /* the worker's, in the scoreboard and in the sessions' names */
    uint32_t generation;       /* the worker's */
    page_find_fn *find_page;   /* NULL: there are no pages */
    const struct files *files; /* of `config`; NULL: no files are served */
    struct limits limits;
    struct roster_writer *roster; /* NULL: sessions have no rows */
    struct spent *spent;          /* NULL: no route asks for single-use tokens */
    bool is_shown;                /* somebody may look at the roster: sessions write their rows */
    struct list sessions;         /* private to the session module */
    struct list *walk; /* the same: where session_show_some goes on; NULL = at the front */
    struct list *look; /* the same for session_look_again; NULL = nobody is left */
    size_t session_count;
    size_t health_count; /* connections to [health] and [admin]; session_count has the others */
    bool is_draining;    /* refuse new requests: `shutdown` */
    bool is_retired;     /* accepts nobody: connections that ask for files end behind the next */
    session_revoked_fn *is_revoked;                   /* NULL: no list changes */
    void (*on_gone)(struct session_context *context); /* after a session has freed itself */
    void (*on_park)(struct session_context *context); /* after a session has parked; may be NULL */
};

/* Takes over the client's carrier, `tls`, which is NULL on a plain listener, and what the
 * connection holds of the limits. False: no memory; both are closed, and the holds stay the
 * caller's. With a door, the caller has asked door_has_room. */
MUST_CHECK bool session_start(struct session_context *context, const struct config_listen *listen,
                              const struct carrier *carrier, struct tls *tls,
                              const struct addr *peer, const struct limits_holds *holds);

/* Where connections to this listener wait to be admitted; may be NULL. */
struct door *session_door(const struct session_context *context,
                          const struct config_listen *listen);

/* Sessions that have asked for something and have not ended yet. Connections to [health] and
 * [admin] count neither here nor below, and go on: whoever asks must learn that sluice is not
 * ready. */
size_t session_count_live(const struct session_context *context);
/* Ends the oldest `most` of these, with an ending of the program's own (shutdown, drain). Returns
 * how many it ended. */
size_t session_end_some(struct session_context *context, enum life_ending ending, size_t most);
/* Ends the connections that have asked for nothing `age_ms` after they were accepted. */
void session_end_early(struct session_context *context, enum life_ending ending, uint64_t age_ms);
/* Ends the oldest `most` sessions whose route is gone from the configuration in force, or has
 * changed since they began. Fewer than `most`: there are no more. */
size_t session_end_changed(struct session_context *context, enum life_ending ending, size_t most);
/* Ends the sessions whose client has shown a certificate that context->is_revoked knows, or that
 * has no name any more that lets it in to its route. */
void session_end_revoked(struct session_context *context);
/* The configuration in force has changed: session_look_again begins with the oldest session. */
void session_begin_look(struct session_context *context);
/* Asks of the next `most` sessions whether the proofs of their clients still hold, and ends those
 * whose proofs do not (LIFE_AUTH_REVOKED). False: it has come to the last one. */
MUST_CHECK bool session_look_again(struct session_context *context, size_t most);
/* Ends the connections that have been sent files and ask for nothing now. */
void session_end_kept(struct session_context *context);
/* Ends the sessions that have most in their queues, the largest first, until at most `bytes` are
 * allocated (base/mem) or nothing is queued: as stalled, on the side for which more waits. Returns
 * how many. */
size_t session_end_largest(struct session_context *context, size_t bytes);
/* Writes what has moved into the rows of the next `most` sessions; after the last one it begins
 * anew. */
void session_show_some(struct session_context *context, size_t most);
/* Ends the sessions whose end somebody has asked the roster for (LIFE_KICKED). */
void session_end_unwanted(struct session_context *context);
/* Kills all sessions and connections to [health] and [admin] (LIFE_EV_KILL): no Close, no
 * waiting. */
void session_kill_all(struct session_context *context);

/* What the door of a worker calls. */
door_guest_fn session_serve;
door_guest_fn session_put_out;

#endif
