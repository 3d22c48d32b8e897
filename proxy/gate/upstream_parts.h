/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upstream_parts.h: what the sources of upstream.h share; for nobody else. */
#ifndef GATE_UPSTREAM_PARTS_H
#define GATE_UPSTREAM_PARTS_H

#include "gate/upstream.h"
#include "io/follow.h"
#include "proto/balance.h"
#include "proto/fitness.h"

/* One address of a name with many. */
struct upstream_member {
    struct addr addr;
    uint64_t id;             /* of its place in the seats; the same in all workers */
    uint64_t key;            /* balance_key */
    int64_t turn;            /* of this worker, as the next one */
    uint64_t sessions;       /* that have it */
    struct seat_fitness own; /* when it has no place */
};

/* A name that is followed. With fewer than two addresses it is dialled as one backend. */
struct upstream_set {
    struct upstream *upstream;
    const struct config_route *route;
    size_t index;
    struct follow *follow;
    struct upstream_member *members; /* owned */
    size_t count;
    bool is_known;
};

/* What somebody has found out. */
enum upstream_news {
    UPSTREAM_FAILED,
    UPSTREAM_RESET,
    UPSTREAM_ACCEPTED,
    UPSTREAM_CHECK_BAD,
    UPSTREAM_CHECK_GOOD
};

struct upstream_backend {
    struct upstream_set *set; /* owned; NULL: it is no name, or nobody follows it */
    struct seat_fitness own;  /* of a backend without a row of its own */
    uint64_t key;             /* balance_key */
    int64_t turn;
};

struct upstream {
    const struct config *config;
    const struct seat *seat; /* NULL: there are no rows */
    size_t *first;           /* of each route, in `backends` */
    struct upstream_backend *backends;
    size_t count; /* of them */
};

/* NULL: the route is one of another snapshot. */
struct upstream_backend *upstream_own(struct upstream *u, const struct config_route *route,
                                      size_t index);
/* NULL: nobody knows how that backend is. */
struct seat_fitness *upstream_fitness(struct upstream *u, const struct config_route *route,
                                      size_t index);
struct fitness_rules upstream_rules(const struct config_route *route);

/* NULL: the backend is no set, or the route is one of another snapshot. */
struct upstream_set *upstream_find_set(struct upstream *u, const struct config_route *route,
                                       size_t index);
struct seat_fitness *upstream_member_fitness(struct upstream *u, struct upstream_member *m,
                                             uint64_t now_ms);

/* Whom news are about. */
struct upstream_whom {
    const struct config_route *route;
    size_t index;
    const struct addr *member; /* NULL: the backend as a whole */
};
void upstream_tell(struct upstream *u, struct seat_fitness *f, const struct upstream_whom *whom,
                   enum upstream_news news, const char *detail, uint64_t now_ms);
void upstream_leave_trial(struct seat_fitness *f, uint64_t now_ms);
void upstream_speak(struct seat_fitness *f);
enum balance_kind upstream_balance_kind(enum config_balance balance);

#endif
