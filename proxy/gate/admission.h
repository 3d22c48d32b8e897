/* SPDX-License-Identifier: GPL-3.0-or-later */
/* admission.h: may this request have a session, and which one?
 *
 * For: the decision about one opening handshake. It takes values and returns values: the route, or
 * the ending that refuses the request; the subprotocol and the compression that the answer names;
 * the shape of the session's messages; the plan of its dial. Not for: carrying out anything, saying
 * anything to the client (answer), counting sessions: the scoreboard may still refuse an admitted
 * request.
 *
 * Everything that an admission points to belongs to the configuration or to the request's head. */
#ifndef GATE_ADMISSION_H
#define GATE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/backend_tls.h"
#include "gate/dial.h"
#include "gate/front.h"
#include "proto/life.h"
#include "proto/request.h"
#include "proto/shape.h"

/* Everything that the decision depends on. */
struct admission_question {
    const struct config *config;
    const struct config_listen *listen; /* where it came */
    struct request *request;   /* a host that a trusted proxy tells takes the place of its own */
    const struct addr *source; /* who sent it: the client, or a proxy that tells of the client */
    bool is_secure;            /* the request came over TLS */
    struct span sni;           /* the name in that TLS; empty = none */
    bool is_draining;          /* the worker takes no new sessions */
    struct backend_tls *backend_tls; /* of `config`; NULL: no backend is tls:// */
};

struct admission {
    enum life_ending refusal;         /* LIFE_NOT_ENDED: the request is admitted */
    const char *detail;               /* of a refusal; constant, or NULL */
    struct front front;               /* who the client is */
    const struct config_route *route; /* NULL: no route fits */
    /* Of an admitted request: */
    struct span subprotocol;  /* what the 101 names; empty = none */
    struct shape_rules shape; /* of the session's messages, with the agreed compression */
    struct dial_plan plan;    /* whom to dial; candidate i is backend i of the route. No candidates:
                                  an echo route, or one with targets: session_choose_target
                                  puts the target there. Holds nothing of backend_tls. */
    /* The plan points here: never copy an admission. */
    struct dial_candidate candidates[DIAL_CANDIDATES_MAX];
};

void admission_decide(const struct admission_question *question, struct admission *out);

/* The route of a request that opens no WebSocket, when its source and its origin may have that
 * route; else NULL. Changes nothing of the request. */
const struct config_route *admission_find_route(const struct admission_question *question);

/* The section of a GET or HEAD that opens no WebSocket, and the rest of its path. A route whose
 * path is at least as long, or exact, keeps the request from it. */
struct admission_files {
    const struct config_files *section; /* NULL: none, or refused */
    struct span rest;
    bool is_bare;       /* the path is the section's own, without its last slash */
    struct front front; /* who the client is; its refusal counts for the request */
};
void admission_find_files(const struct admission_question *question, struct admission_files *out);

#endif
