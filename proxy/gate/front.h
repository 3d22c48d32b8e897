/* SPDX-License-Identifier: GPL-3.0-or-later */
/* front.h: whom the proxies in front of a listener speak for.
 *
 * For: who the client of a request is, by what a trusted proxy wrote into it; how the client came.
 * It takes values and returns values. Not for: reading such headers (proto/forwarded), the PROXY
 * header in front of TLS (session), what the client may do (admission).
 *
 * Only a peer that the listener's trusted_proxies lists may speak for somebody else; of all others
 * these headers are not looked at. */
#ifndef GATE_FRONT_H
#define GATE_FRONT_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/snapshot.h"
#include "proto/life.h"
#include "proto/request.h"

/* True: this peer of the listener may speak for others. */
bool front_trusts(const struct config_listen *listen, const struct addr *peer);

struct front_question {
    const struct config_listen *listen;
    const struct addr *source; /* who sent the request: the peer, or whom its PROXY header names */
    bool is_secure;            /* it came over TLS */
    struct span sni;           /* the name in that TLS; empty = none */
};

struct front {
    enum life_ending refusal; /* LIFE_NOT_ENDED: what was told can be read */
    const char *detail;       /* of a refusal, a constant */
    struct addr client;       /* len 0: nobody knows, so whoever grants by address grants nothing */
    bool is_from_trusted_proxy; /* who sent the request may write credentials into headers */
    bool is_forwarded;          /* a proxy told of the client in the request; what the connection
                                   itself shows is that proxy's */
    bool is_secure;             /* the client came over TLS */
    struct span sni;            /* of the client's own TLS, as far as we know; empty = none */
};

/* Points into the request. A host that the proxy nearest to the client told takes the place of the
 * request's own authority, so that all further questions are about what the client asked for. */
void front_read(const struct front_question *question, struct request *request, struct front *out);

#endif
