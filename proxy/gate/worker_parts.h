/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker_parts.h: what the sources of worker.h know of each other.
 *
 * worker.c is the process: its events, what the master says. worker_posts.c has the sockets that
 * the worker accepts from; worker_reload.c prepares another configuration and puts it in force;
 * worker_memory.c is what the worker does about memory; worker_drain.c is how it ends;
 * worker_show.c keeps what [admin] shows. Not for: anybody else. */
#ifndef GATE_WORKER_PARTS_H
#define GATE_WORKER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "gate/backend_tls.h"
#include "gate/checks.h"
#include "gate/control.h"
#include "gate/listener.h"
#include "gate/spread.h"
#include "gate/vitals.h"
#include "gate/worker.h"

/* One listening socket: of the worker's own slot, or of another one that it has adopted. */
struct post {
    struct list link;
    struct worker *worker;
    uint32_t slot;
    uint32_t listen; /* in the configuration in force */
    struct listener listener;
    struct reactor_timer leave; /* runs once the address has left the configuration */
};

/* What a worker makes of a configuration. */
struct setup {
    const struct config *config;     /* held */
    struct upstream *upstream;       /* owned */
    struct seat *seat;               /* owned */
    struct files *files;             /* owned */
    struct checks *checks;           /* owned; of what is above */
    struct tls_context **tls;        /* owned; one for each listener, NULL = plain */
    struct backend_tls *backend_tls; /* owned */
};

/* A configuration that the master wants in force. */
struct next {
    uint32_t number; /* of the reload */
    struct setup setup;
    struct list posts;     /* of new addresses; none accepts yet */
    size_t posts_expected; /* and not yet there */
};

struct worker {
    struct session_context context;
    struct scratch scratch;
    struct door door;
    struct door health_door;
    struct door admin_door;
    struct roster_writer roster;
    struct reactor_timer show; /* what [admin] needs */
    struct flood flood;
    struct vitals vitals;
    const struct worker_start *start;
    struct setup setup; /* in force */
    struct next *next;  /* NULL: none */
    struct list posts;
    struct list leaving; /* posts of addresses that have left */
    struct reactor_signal on_term;
    struct reactor_signal on_quit;
    struct reactor_io control;
    struct reactor_timer drain;
    struct spread drain_spread;
    uint64_t drain_begin_ms;
    uint64_t drain_end_ms;       /* 0 = not draining */
    uint64_t drain_told;         /* sessions that the drain has ended */
    struct reactor_timer change; /* ends sessions whose route has changed */
    struct spread change_spread;
    struct reactor_timer look; /* asks sessions whether they may go on */
    bool is_retired;           /* accepts nobody, and ends with its last session */
    bool is_waiting;           /* accepts nobody before CONTROL_OPEN */
    bool is_orphan;            /* the master is gone */
    enum life_ending drain_ending;
    uint64_t own_descriptors; /* besides listeners and clients */
    struct reactor_timer trim;
    struct reactor_timer tickets;
    bool is_trim_due;
    size_t peak_sessions; /* since the last trim */
    struct reactor_deferred on_short;
    struct reactor_deferred on_full;
    struct reactor_timer recover;
    bool is_short; /* of memory: this worker accepts nobody */
    bool is_full;  /* max_memory is reached, and nobody is left to end: nor does it then */
};

void worker_tell_master(struct worker *w, const struct control_message *message);
/* Tells [health] of all workers whether this one takes sessions. */
void worker_tell_accepting(struct worker *w);

/* --- worker_posts.c --- */

/* Takes over the descriptor. NULL: no memory; the descriptor is closed. */
MUST_CHECK struct post *worker_new_post(struct worker *w, uint32_t slot, uint32_t listen,
                                        const struct setup *setup, int fd);
void worker_drop_post(struct post *post);
/* The sockets of the worker's own slot, which accepts unless the worker waits. False: no memory. */
MUST_CHECK bool worker_open_posts(struct worker *w);
/* CONTROL_OPEN. */
void worker_start_posts(struct worker *w);
/* CONTROL_ADOPT and CONTROL_RELEASE. */
void worker_adopt(struct worker *w, const struct control_message *message, int fd);
void worker_release(struct worker *w, uint32_t slot);
/* CONTROL_FINISH. A worker that no longer knows the address closes the descriptor. */
void worker_finish(struct worker *w, const struct control_message *message, int fd);
/* In so long, once nobody is in its queue, it goes. Nobody new must get into the queue any more. */
void worker_leave_post(struct post *post, uint64_t wait_ms);
/* Both are for all but those of [health], which is served until the worker ends: whoever asks
 * learns that sluice is not ready. */
void worker_drop_public_posts(struct worker *w);
/* Lets nobody new in, anywhere, and leaves them. */
void worker_leave_public_posts(struct worker *w, uint64_t wait_ms);
/* All but those that leave. */
void worker_drop_posts(struct worker *w);
void worker_drop_all_posts(struct worker *w);

/* --- worker_show.c --- */

void worker_on_show(struct reactor_timer *timer);
/* Begins or stops to show the sessions, as the configuration in force wants. */
void worker_show(struct worker *w);

/* --- worker_reload.c --- */

/* False: *out_detail says why, a constant. Takes over the caller's hold on `config` in any case. */
MUST_CHECK bool worker_make_setup(struct worker *w, const struct config *config, struct setup *out,
                                  const char **out_detail);
void worker_drop_setup(struct setup *setup);
/* The worker serves: it follows names and checks backends, until it stops accepting. */
void worker_begin_checks(struct worker *w);
void worker_end_checks(struct worker *w);
/* The limits that follow from the configuration in force. */
struct door_settings worker_limits(const struct worker *w);
/* Each takes over the descriptor, -1 = none came. */
void worker_prepare(struct worker *w, const struct control_message *message, int fd);
void worker_take_socket(struct worker *w, const struct control_message *message, int fd);
void worker_commit(struct worker *w, uint32_t number);
/* Forgets what is not in force. */
void worker_abandon(struct worker *w);
void worker_on_change_tick(struct reactor_timer *timer);
void worker_on_look_tick(struct reactor_timer *timer);

/* --- worker_memory.c --- */

/* What the sessions call. */
void worker_on_session_gone(struct session_context *context);
/* A session_revoked_fn. */
bool worker_is_revoked(struct session_context *context, const struct config_listen *listen,
                       const struct peer_cert *cert);
void worker_on_session_park(struct session_context *context);
/* Gives memory that nobody uses back to the system, in a second. */
void worker_trim_soon(struct worker *w);
void worker_begin_memory(struct worker *w);
void worker_end_memory(struct worker *w);
/* The configuration in force has another max_memory. */
void worker_set_max_memory(struct worker *w);

/* --- worker_drain.c --- */

/* Ends the sessions over drain_timeout, and then the worker. A second call does nothing. */
void worker_drain(struct worker *w, enum life_ending ending);
void worker_on_drain_tick(struct reactor_timer *timer);
/* The slot's callers go to other workers; sessions, and those who are about to have one, stay. */
void worker_retire(struct worker *w);
/* Ends everything at once. */
void worker_kill(struct worker *w);
/* Stops a worker that is to end, once it has neither sessions nor callers. */
void worker_stop_when_empty(struct worker *w);
/* For spreads: no two workers have the same. */
uint64_t worker_seed(const struct worker *w);

#endif
