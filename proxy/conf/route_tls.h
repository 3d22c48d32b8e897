/* SPDX-License-Identifier: GPL-3.0-or-later */
/* route_tls.h: what a route's tls:// backends are verified with, and what they are shown.
 *
 * For: route.h alone, and for the bundle, which must know whether the system's CAs are needed. */
#ifndef CONF_ROUTE_TLS_H
#define CONF_ROUTE_TLS_H

#include "conf/build.h"

/* Says whether some backend of the route may be tls://. Before build_check_needs. */
void route_find_tls(struct config_route *route);
/* Reads and proves the files of the backend_* keys. */
void route_build_tls(struct build *build, const struct draft_section *section,
                     struct config_route *route);

#endif
