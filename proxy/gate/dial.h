/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dial.h: a plan in, a connection out.
 *
 * For: connecting to the first candidate that takes us. A candidate's name is resolved, and each of
 * its addresses is tried with a head start of 250 ms (RFC 8305). An attempt connects, sends the
 * plan's preamble and, with TLS, shakes hands; when any of that fails, the next address is tried,
 * then the next candidate. A candidate that is not ready after its share of the time left is given
 * up for the next one. Not for: choosing candidates and their order, routes, what the connection is
 * for.
 *
 * The caller owns a dial until it finishes or cancels it. Scratch: wire_out in dial_start, wire_in
 * and wire_out in events of its own. */
#ifndef GATE_DIAL_H
#define GATE_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "io/conn.h"
#include "io/reactor.h"
#include "io/resolver.h"
#include "io/scratch.h"
#include "io/tls.h"

#define DIAL_CANDIDATES_MAX 16

/* Somebody to connect to. What it points at must live as long as the dial. */
struct dial_candidate {
    const struct addr *addresses; /* numeric ones, or a Unix path; NULL: the host is resolved */
    size_t address_count;         /* at most RESOLVER_ADDRS_MAX */
    const char *host;
    uint16_t port;
    struct tls_context *tls; /* a client's; NULL: plain */
    struct span tls_name;    /* for tls_new_client */
};

/* dial_start copies the plan, its candidates and its preamble. */
struct dial_plan {
    const struct dial_candidate *candidates; /* in the order in which they are tried */
    size_t candidate_count;                  /* 1 to DIAL_CANDIDATES_MAX */
    uint64_t timeout_ms;                     /* for all of them; each gets its share */
    struct span preamble;                    /* what each server hears first, before TLS */
};

enum dial_result {
    DIAL_OK = 0,
    DIAL_REFUSED, /* at least one address was tried; none took us */
    DIAL_TIMEOUT, /* a candidate's share of the time ran out, and nobody took us */
    DIAL_NAME,    /* no name had an address */
    DIAL_TLS      /* every attempt failed at TLS */
};

struct dial;
/* It has been decided: dial_finish says how. Comes once, from the loop, and not at all when it was
 * decided before dial_start returned, as it is with most plain servers on this machine. */
typedef void dial_fn(void *owner);

/* NULL: no memory. */
MUST_CHECK struct dial *dial_start(struct reactor *reactor, struct resolver *resolver,
                                   const struct scratch *scratch, const struct dial_plan *plan,
                                   dial_fn *callback, void *owner);
bool dial_is_decided(const struct dial *dial);
/* What TLS said when an attempt failed at it last, a constant text; NULL when none did. */
const char *dial_detail(const struct dial *dial);
/* Frees a dial that is decided. With DIAL_OK it opens `into`, which conn_init has made: the
 * descriptor, the TLS session (established) and the count of bytes sent go over to it. Not a byte
 * that the server sent is lost: what came behind the handshake is still in the kernel.
 * *out_candidate is the index of the one that took us, or was tried last. */
enum dial_result dial_finish(struct dial *dial, struct conn *into, size_t *out_candidate);
/* Frees it; the callback will not come. Returns the index of the candidate being tried. */
size_t dial_cancel(struct dial *dial);

#endif
