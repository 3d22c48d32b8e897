/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dial_plan.h: a route's backends as a plan.
 *
 * For: whoever admits a session. Not for: dialling; and not for echo: routes, which have nobody to
 * dial. */
#ifndef GATE_DIAL_PLAN_H
#define GATE_DIAL_PLAN_H

#include "conf/config.h"
#include "gate/dial.h"

/* Candidate i is backend i of the route. The plan points into `candidates` and, like them, into the
 * route, which must live as long as the dial. */
void dial_plan_make(const struct config_route *route,
                    struct dial_candidate candidates[DIAL_CANDIDATES_MAX], struct dial_plan *out);

#endif
