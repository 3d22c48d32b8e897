/* SPDX-License-Identifier: GPL-3.0-or-later */
/* admission.h: may this request have a session, and which one?
 *
 * For: the decision about one opening handshake, as a function of values: the route, or the reason
 * for a refusal; the subprotocol and the compression that the answer names; what the session's
 * messages go through; where to dial. Not for: carrying out anything, saying anything to the
 * client (answer), and counting sessions, which belongs to the scoreboard: an admitted request
 * still needs a seat there.
 *
 * Whatever an admission points to belongs to the configuration or to the request's head. */
#ifndef GATE_ADMISSION_H
#define GATE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/dial.h"
#include "proto/life.h"
#include "proto/request.h"
#include "proto/shape.h"

/* Everything that a decision depends on. */
struct admission_question {
    const struct config *config;
    const struct request *request;
    const struct addr *source; /* the client */
    bool is_secure;            /* the request came over TLS */
    struct span sni;           /* the name that the client asked for in TLS; empty = none */
    bool is_draining;          /* the worker takes no new sessions */
};

struct admission {
    enum life_ending refusal;         /* LIFE_NOT_ENDED: the request is admitted */
    const char *detail;               /* of a refusal; constant, or NULL */
    const struct config_route *route; /* NULL: no route fits */
    /* Of an admitted request: */
    struct span subprotocol;  /* what the 101 names; empty = none */
    struct shape_rules shape; /* what the session's messages go through, the compression that both
                                 sides agree on included */
    struct dial_plan plan;    /* whom to dial; candidate i is backend i of the route. No candidates:
                                 an echo route. */
    struct dial_candidate candidates[DIAL_CANDIDATES_MAX]; /* of the plan, which points here: an
                                                              admission is not to be copied */
};

void admission_decide(const struct admission_question *question, struct admission *out);

#endif
