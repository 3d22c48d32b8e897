/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker_parts.h: what the sources of worker.h know of each other.
 *
 * worker.c is the process: memory, drain, what the master says. worker_posts.c has the sockets that
 * the worker accepts from; worker_reload.c prepares another configuration and puts it in force;
 * worker_show.c keeps what [admin] shows. Not for: anybody else. */
#ifndef GATE_WORKER_PARTS_H
#define GATE_WORKER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "gate/control.h"
#include "gate/listener.h"
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
    const struct config *config; /* held */
    struct upstream *upstream;   /* owned */
    struct seat *seat;           /* owned */
    struct tls_context **tls;    /* owned; one for each listener, NULL = plain */
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
    uint64_t drain_end_ms; /* 0 = not draining */
    size_t drain_per_tick;
    struct reactor_timer change; /* ends sessions whose route has changed */
    size_t change_per_tick;
    bool is_retired;          /* accepts nobody, and ends with its last session */
    uint64_t own_descriptors; /* besides listeners and clients */
    struct reactor_timer trim;
    struct reactor_timer tickets;
    bool is_trim_due;
    size_t peak_sessions; /* since the last trim */
    struct reactor_deferred on_short;
    struct reactor_timer recover;
    bool is_short; /* of memory: this worker accepts nobody */
};

#define WORKER_TICK_MS 50
/* How many of `sessions` end in one tick, when all of them end within a third of the drain time:
 * the rest is for their closing handshakes. */
size_t worker_share_of_tick(const struct worker *w, size_t sessions);
void worker_tell_master(struct worker *w, const struct control_message *message);

/* --- worker_posts.c --- */

/* Takes over the descriptor. NULL: no memory; the descriptor is closed. */
MUST_CHECK struct post *worker_new_post(struct worker *w, uint32_t slot, uint32_t listen,
                                        const struct setup *setup, int fd);
void worker_drop_post(struct post *post);
/* The sockets of the worker's own slot. False: no memory. */
MUST_CHECK bool worker_open_posts(struct worker *w);
/* CONTROL_ADOPT and CONTROL_RELEASE. */
void worker_adopt(struct worker *w, const struct control_message *message, int fd);
void worker_release(struct worker *w, uint32_t slot);
/* Serves its queue to the end, and goes. */
void worker_leave_post(struct post *post);
/* All but those of [health], which is served until the worker ends: whoever asks learns that sluice
 * is not ready. */
void worker_drop_public_posts(struct worker *w);
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
/* The limits that follow from the configuration in force. */
struct door_settings worker_limits(const struct worker *w);
/* Each takes over the descriptor, -1 = none came. */
void worker_prepare(struct worker *w, const struct control_message *message, int fd);
void worker_take_socket(struct worker *w, const struct control_message *message, int fd);
void worker_commit(struct worker *w, uint32_t number);
/* Forgets what is not in force. */
void worker_abandon(struct worker *w);
void worker_on_change_tick(struct reactor_timer *timer);

#endif
