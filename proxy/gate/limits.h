/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limits.h: may this source, on this route, have one more?
 *
 * For: what the limits of a configuration say about a connection that comes and about a session
 * that it wants, over all workers; what a connection holds of them until it ends. Not for: how it
 * is counted (quota), the arithmetic (proto/limit), sessions in all (scoreboard), places of one
 * worker (door), what the client is told (life, answer).
 *
 * A source is the network of a client's address: `source_prefix_v4` and `source_prefix_v6` bits of
 * it. All callers of a Unix socket are one source. Everything is counted also where no limit is
 * set, so that a limit that a reload brings knows of whoever is there.
 *
 * Each limit looks at what is held after it has counted itself: none is ever exceeded, and of two
 * that want the last place at the same moment both may be refused. */
#ifndef GATE_LIMITS_H
#define GATE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/quota.h"
#include "proto/life.h"

/* Who counts: one worker. */
struct limits {
    struct quota *quota; /* NULL: nobody counts, and there are no limits */
    size_t slot;         /* the worker's in the quota */
};

/* What a connection holds; in a session, zeroed at first. */
struct limits_holds {
    struct quota_hold connection;
    struct quota_hold pending; /* until it has a session */
    struct quota_hold route;
    struct quota_hold source;   /* on the route */
    struct quota_hold identity; /* on the route */
    struct quota_hold backend;
};

/* Who wants something, and by which limits. */
struct limits_question {
    const struct config *config;
    const struct config_route *route; /* of a session */
    const struct addr *source;
    uint64_t now_ms;
};

enum limits_entry {
    LIMITS_ENTERED = 0,
    LIMITS_CONNECTIONS, /* max_connections_per_source */
    LIMITS_PENDING      /* max_pending_per_source */
};
#define LIMITS_ENTRIES 3
/* The name of the key. */
const char *limits_entry_key(enum limits_entry entry);

/* The source wants one connection more. Nothing is held when a limit forbids it. May be called
 * again for a connection: what the table had no place for is tried once more. */
MUST_CHECK enum limits_entry limits_enter(const struct limits *limits,
                                          const struct limits_question *question,
                                          struct limits_holds *holds);

/* Why a session may not be. */
struct limits_refusal {
    enum life_ending ending; /* LIFE_NOT_ENDED: it may */
    const char *detail;      /* the key that forbids it */
    uint64_t wait_ms;        /* when to come again; 0 = nobody knows */
};

/* The connection wants a session on the route; a source that has failed to prove who it is may have
 * to wait first, where the route asks for that. When it may not, it holds what it held before. */
MUST_CHECK struct limits_refusal limits_admit(const struct limits *limits,
                                              const struct limits_question *question,
                                              struct limits_holds *holds);
/* The same for who it is, once that is proven: the name of an [auth] section, and the subject. All
 * whom a proof gives no name are one subject. */
MUST_CHECK struct limits_refusal limits_admit_identity(const struct limits *limits,
                                                       const struct limits_question *question,
                                                       struct span auth, struct span subject,
                                                       struct limits_holds *holds);
/* The source has shown credentials that do not hold. */
void limits_fail(const struct limits *limits, const struct limits_question *question);
/* The session has begun: its connection is not pending any more. */
void limits_begin(const struct limits *limits, struct limits_holds *holds);
/* There will be a session when its client has said who it is. Until then it takes no place of the
 * route's; its source has come, and limits_admit does not count it a second time. */
void limits_wait(const struct limits *limits, struct limits_holds *holds);
/* There is no session: the connection gives back what it took for it. */
void limits_refuse(const struct limits *limits, struct limits_holds *holds);
/* The session wants backend `index` of the route, and holds none. False: the backend has its
 * max_sessions. */
MUST_CHECK bool limits_take_backend(const struct limits *limits, const struct config_route *route,
                                    size_t index, uint64_t now_ms, struct limits_holds *holds);
/* The session has left its backend. Harmless when it holds none. */
void limits_leave_backend(const struct limits *limits, struct limits_holds *holds);
/* How many sessions the backend has, over all workers. */
uint64_t limits_backend_sessions(const struct limits *limits, const struct config_route *route,
                                 size_t index);
/* The connection is gone: gives everything back. Harmless when nothing is held. */
void limits_leave(const struct limits *limits, struct limits_holds *holds);

/* Places that the table of a worker needs for all that its connections can hold. */
size_t limits_keys_for(const struct config *config);

#endif
