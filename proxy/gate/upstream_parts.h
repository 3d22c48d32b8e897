/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upstream_parts.h: what the sources of upstream.h share; for nobody else. */
#ifndef GATE_UPSTREAM_PARTS_H
#define GATE_UPSTREAM_PARTS_H

#include "gate/upstream.h"
#include "proto/balance.h"
#include "proto/fitness.h"

struct upstream_backend {
    struct seat_fitness own; /* of a backend without a row of its own */
    uint64_t key;            /* balance_key */
    int64_t turn;
};

struct upstream {
    const struct config *config;
    const struct seat *seat; /* NULL: there are no rows */
    size_t *first;           /* of each route, in `backends` */
    struct upstream_backend *backends;
};

/* NULL: the route is one of another snapshot. */
struct upstream_backend *upstream_own(struct upstream *u, const struct config_route *route,
                                      size_t index);
/* NULL: nobody knows how that backend is. */
struct seat_fitness *upstream_fitness(struct upstream *u, const struct config_route *route,
                                      size_t index);
struct fitness_rules upstream_rules(const struct config_route *route);

#endif
