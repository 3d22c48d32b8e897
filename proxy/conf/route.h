/* SPDX-License-Identifier: GPL-3.0-or-later */
/* route.h: [defaults] and [route NAME] sections.
 *
 * For: what no row of the table says: how [defaults] reach the routes, keys of a route that do not
 * fit together, two routes at one place. Not for: choosing a route (policy.h). */
#ifndef CONF_ROUTE_H
#define CONF_ROUTE_H

#include "conf/build.h"

/* Fills the snapshot's routes, and its defaults but for the deadlines of [server], which must be
 * there already. */
void route_build(struct build *build);
/* What the routes own besides the arena. */
size_t route_bytes(const struct config *config);

#endif
