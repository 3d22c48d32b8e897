/* SPDX-License-Identifier: GPL-3.0-or-later */
/* route_parts.h: what the sources of route.h know of each other.
 *
 * route.c builds the sections, route_targets.c what they say of targets. Not for: anybody else. */
#ifndef CONF_ROUTE_PARTS_H
#define CONF_ROUTE_PARTS_H

#include "conf/route.h"

/* Reads the files of the key `targets`, warns of what is wrong with their lines, and reports keys
 * that do not fit together. */
void route_build_targets(struct build *build, const struct draft_section *section,
                         struct config_route *route);

/* The section or one of [defaults] has the key, whatever its value is. */
bool route_is_written(const struct build *build, const struct draft_section *section,
                      const char *name);

#endif
