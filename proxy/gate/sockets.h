/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sockets.h: the listening sockets of the master, by address and worker slot.
 *
 * For: binding one SO_REUSEPORT socket per (address, slot), and keeping it open as long as the
 * configuration has the address, so that neither the death of a worker nor a reload refuses a
 * connection. A Unix socket is one for all slots. Not for: accepting (listener), sending
 * descriptors to workers (master).
 *
 * A new configuration comes in two steps. sockets_plan binds what it needs besides the sockets that
 * are there; none of these listens yet, so that nobody notices a plan that is dropped.
 * sockets_commit lets them listen. An address that the new configuration does not have turns deaf:
 * no new caller gets in, the workers serve those in the queues, and after SOCKETS_LEAVE_MS the
 * master closes its copies. An address that comes back meanwhile gets its sockets back. */
#ifndef GATE_SOCKETS_H
#define GATE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "conf/snapshot.h"

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
/* Closes all sockets. */
void sockets_done(struct sockets *s);
/* The same for a worker's process after the fork, but for the slot's own current sockets, which the
 * caller then owns: one for each listener. */
void sockets_take_slot(struct sockets *s, size_t slot, int *out_fds);

/* Binds what `config` needs for the slots below slot_count. False: nothing is planned, and `text`
 * says why. */
MUST_CHECK bool sockets_plan(struct sockets *s, const struct config *config, size_t slot_count,
                             char text[SOCKETS_TEXT_MAX]);
void sockets_drop_plan(struct sockets *s);
/* The plan becomes current. False: a socket cannot listen, and `text` says why; the others do. */
MUST_CHECK bool sockets_commit(struct sockets *s, uint64_t now_ms, char text[SOCKETS_TEXT_MAX]);

/* -1: this slot has none. The set keeps the descriptor. */
int sockets_fd(const struct sockets_set *set, size_t listen, size_t slot);
/* As the system has bound it, with its real port. */
const struct addr *sockets_address(const struct sockets_set *set, size_t listen);
/* The current set does not have the place of this planned listener. */
bool sockets_is_new(const struct sockets *s, size_t listen);

/* When addresses that have left are closed; UINT64_MAX = never. sockets_tend closes those that are
 * due. */
uint64_t sockets_due_ms(const struct sockets *s);
void sockets_tend(struct sockets *s, uint64_t now_ms);

#endif
