/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth.h: [auth NAME] sections, and the routes that name them.
 *
 * For: what no row of the table says: keys, secrets and accounts out of the files that the sections
 * name, algorithms that fit them, routes whose `auth` and `auth_from` belong together. Not for:
 * judging anybody (gate/identity).
 *
 * Files with secrets or with accounts must be kept from others (build_check_exposure). Public keys
 * may be read by everybody, but not changed: whoever can add a key can sign. What is wrong in such
 * a file is told as FILE:LINE of that file, at the line of the key that names it. */
#ifndef CONF_AUTH_H
#define CONF_AUTH_H

#include "conf/build.h"

/* Fills the snapshot's auths; before route_build. */
void auth_build(struct build *build);
/* Finds the sections that the route names, and reports what does not fit together. */
void auth_of_route(struct build *build, const struct draft_section *section,
                   struct config_route *route);
/* What the sections own besides the arena. */
size_t auth_bytes(const struct config *config);
/* Warns of sections that no route names; after route_build. */
void auth_check_use(struct build *build);

#endif
