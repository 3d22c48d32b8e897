/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sockets_parts.h: what the sources of sockets.h know of each other.
 *
 * sockets.c plans, opens and closes; sockets_handed.c takes what another process has made. Not for:
 * anybody else. */
#ifndef GATE_SOCKETS_PARTS_H
#define GATE_SOCKETS_PARTS_H

#include "gate/sockets.h"

struct sockets_place {
    struct list link;
    struct addr address;  /* as the configuration has it */
    char *name;           /* of the listener: tells two places with port 0 apart */
    struct addr bound;    /* as the system has it */
    uint64_t close_at_ms; /* 0 = it does not leave */
    size_t inherited;     /* so many slots, from 0 on, began with a socket of somebody else */
    int fds[SOCKETS_SLOTS_MAX];
    bool is_listening[SOCKETS_SLOTS_MAX];
    bool is_handed;                    /* by a master before, whose manager may keep them */
    bool is_stored[SOCKETS_SLOTS_MAX]; /* the manager has a copy */
    /* It is the socket of a unit, or a copy of one: the manager has it anyway. */
    bool is_foreign[SOCKETS_SLOTS_MAX];
};

/* NULL: there is none. */
struct sockets_place *sockets_find_place(const struct sockets *s,
                                         const struct config_listen *listen);
/* Without a socket. NULL: no memory. */
struct sockets_place *sockets_new_place(struct sockets *s, const struct config_listen *listen);
/* Writes what is wrong with the listener's socket. Returns false. */
bool sockets_fail(const struct config_listen *listen, const char *detail, char *text);

#endif
