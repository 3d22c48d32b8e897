/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dial.h: from a route's backends to one connected descriptor.
 *
 * For: resolving, trying each backend in the order written, and each of its addresses with a head
 * start of 250 ms (RFC 8305). A backend that does not answer is given up for the next one after its
 * share of the time left. Not for: the deadline over all, which is the session's (it cancels), and
 * not for echo: routes. Owned by the session until the callback has come or it was cancelled. */
#ifndef GATE_DIAL_H
#define GATE_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "gate/config.h"
#include "io/reactor.h"
#include "io/resolver.h"

enum dial_result {
    DIAL_OK = 0,
    DIAL_REFUSED, /* at least one address was tried; none took us */
    DIAL_TIMEOUT, /* the last backend's share of the time ran out */
    DIAL_NAME     /* no name had an address */
};

struct dial;
/* Comes once, from the loop, never from inside dial_start; the dial is already freed. With DIAL_OK
 * the descriptor is the owner's. `backend` is the one that answered, or the last one tried. */
typedef void dial_fn(void *owner, enum dial_result result, int fd,
                     const struct config_backend *backend);

/* NULL: no memory. */
MUST_CHECK struct dial *dial_start(struct reactor *reactor, struct resolver *resolver,
                                   const struct config_route *route, dial_fn *callback,
                                   void *owner);
/* The callback will not come. Returns the backend that was being tried. */
const struct config_backend *dial_cancel(struct dial *dial);

#endif
