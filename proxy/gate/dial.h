/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dial.h: from a route's backends to the carrier of one connection.
 *
 * For: resolving, trying each backend in the order written, and each of its addresses with a head
 * start of 250 ms (RFC 8305). A backend that does not answer is given up for the next one after its
 * share of the time left. Not for: the deadline over all, which is the session's (it cancels), and
 * not for echo: routes. Owned by the session until it is finished or cancelled. */
#ifndef GATE_DIAL_H
#define GATE_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/config.h"
#include "io/carrier.h"
#include "io/reactor.h"
#include "io/resolver.h"

enum dial_result {
    DIAL_OK = 0,
    DIAL_REFUSED, /* at least one address was tried; none took us */
    DIAL_TIMEOUT, /* a backend's share of the time ran out, and nobody took us */
    DIAL_NAME     /* no name had an address */
};

struct dial;
/* It has been decided: dial_finish says how. Comes once, from the loop, and not at all when it was
 * decided before dial_start returned, as it is with most backends on this machine. */
typedef void dial_fn(void *owner);

/* NULL: no memory. */
MUST_CHECK struct dial *dial_start(struct reactor *reactor, struct resolver *resolver,
                                   const struct config_route *route, dial_fn *callback,
                                   void *owner);
bool dial_is_decided(const struct dial *dial);
/* The result of a dial that is decided; frees the dial. *out_carrier is set with DIAL_OK only and
 * belongs to the caller; *out_backend is the one that answered, or the last one tried. */
enum dial_result dial_finish(struct dial *dial, struct carrier *out_carrier,
                             const struct config_backend **out_backend);
/* Frees it; the callback will not come. Returns the backend that was being tried. */
const struct config_backend *dial_cancel(struct dial *dial);

#endif
