/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sockets.h: the listening sockets of the master, by address and worker slot.
 *
 * For: binding one SO_REUSEPORT socket per (address, slot), or taking one that somebody has handed
 * over, and keeping it open as long as the configuration has the address, so that neither the death
 * of a worker nor a reload refuses a connection. A Unix socket is one for all slots. Not for:
 * accepting (listener), sending descriptors to workers (master).
 *
 * A new configuration comes in two steps. sockets_plan binds what it needs besides the sockets that
 * are there; none of these listens yet, so that nobody notices a plan that is dropped.
 * sockets_commit lets them listen. An address that the new configuration does not have turns deaf:
 * no new caller gets in, the workers serve those in the queues, and after SOCKETS_LEAVE_MS the
 * master closes its copies. An address that comes back meanwhile gets its sockets back.
 *
 * sockets_inherit comes before the first plan. Inherited sockets fill the slots of their address in
 * turn. Slots beyond them get sockets of the same SO_REUSEPORT group, or where that cannot be (a
 * socket unit without ReusePort=yes, another user's group, a Unix path) copies of the inherited
 * ones in turn, so that several workers accept from one queue. */
#ifndef GATE_SOCKETS_H
#define GATE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "conf/snapshot.h"
#include "gate/handover.h"
#include "gate/inherit.h"
#include "gate/notify.h"

#define SOCKETS_SLOTS_MAX 256
/* A handshake that has begun when an address leaves gets so long to end: the system sends its own
 * part again after 1 s. */
#define SOCKETS_LEAVE_MS 3000
#define SOCKETS_TEXT_MAX 256

struct sockets_place; /* one address */

/* The places of a configuration, by the index of the listener. */
struct sockets_set {
    struct sockets_place **places; /* NULL: there is no such set */
    size_t count;
};

struct sockets {
    struct list places; /* all that have a socket */
    struct sockets_set current;
    struct sockets_set planned;
};

void sockets_init(struct sockets *s);
/* Before the first plan: takes over a listening socket that a master before this one had for this
 * listener. False: it is something else, and `text` says why; the caller keeps it. */
MUST_CHECK bool sockets_take(struct sockets *s, const struct config_listen *listen,
                             const struct handover_socket *socket, char text[SOCKETS_TEXT_MAX]);
/* So many places have a socket and no listener in the plan. */
size_t sockets_count_leaving(const struct sockets *s);
/* Closes all sockets. */
void sockets_done(struct sockets *s);
/* The same for a worker's process after the fork, but for the slot's own sockets, which the caller
 * then owns: one for each listener of the current set, or of the plan where there is none yet. */
void sockets_take_slot(struct sockets *s, size_t slot, int *out_fds);

/* Takes the inherited sockets of the listeners' addresses. False: out of memory. A slot may have
 * one although no worker is wanted for it: sockets_slots says how many slots have sockets, and
 * somebody must accept for each. */
MUST_CHECK bool sockets_inherit(struct sockets *s, const struct config *config,
                                struct inherit *from);
size_t sockets_slots(const struct sockets *s);

/* Binds what `config` needs for the slots below slot_count. False: nothing is planned, and `text`
 * says why. */
MUST_CHECK bool sockets_plan(struct sockets *s, const struct config *config, size_t slot_count,
                             char text[SOCKETS_TEXT_MAX]);
void sockets_drop_plan(struct sockets *s);
/* The plan becomes current. False: a socket cannot listen, and `text` says why; the others do. */
MUST_CHECK bool sockets_commit(struct sockets *s, uint64_t now_ms, char text[SOCKETS_TEXT_MAX]);

/* The current set, or the plan where there is none yet. */
const struct sockets_set *sockets_newest(const struct sockets *s);
/* -1: this slot has none. The set keeps the descriptor. */
int sockets_fd(const struct sockets_set *set, size_t listen, size_t slot);
/* Somebody else keeps it too: a socket unit. */
bool sockets_is_foreign(const struct sockets_set *set, size_t listen, size_t slot);
/* As the system has bound it, with its real port. */
const struct addr *sockets_address(const struct sockets_set *set, size_t listen);
/* The current set does not have the place of this planned listener. */
bool sockets_is_new(const struct sockets *s, size_t listen);

/* True: somebody else keeps some of the current sockets too: a socket unit. */
bool sockets_have_keeper(const struct sockets *s);

/* Visits each socket of the current set that sluice has to keep or hand over, with the name for it.
 * `is_own` is false for those that somebody else keeps too: a socket unit. */
typedef void sockets_visit_fn(void *owner, int fd, const char *name, bool is_own);
void sockets_visit(const struct sockets *s, sockets_visit_fn *visit, void *owner);

/* Gives the manager a copy of each current socket that is sluice's own and that it does not have
 * yet, so that a queue outlives every process of sluice; and takes it back from addresses that
 * leave. A socket of port 0 would never find its listener again, and is not given. Whatever the
 * manager does not take now comes with the next call. */
void sockets_store(struct sockets *s, struct notify *n, uint64_t now_ms);

/* The slot's socket of the next address that has left, from place *at on (at first 0); -1: no more.
 */
int sockets_next_leaving(const struct sockets *s, size_t slot, size_t *at);

/* When addresses that have left are closed; UINT64_MAX = never. sockets_tend closes those that are
 * due. */
uint64_t sockets_due_ms(const struct sockets *s);
void sockets_tend(struct sockets *s, uint64_t now_ms);

#endif
