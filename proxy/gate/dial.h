/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dial.h: a plan in, a connection out.
 *
 * For: connecting to the first candidate that accepts. The dial resolves a candidate's name and
 * tries its addresses in turn, each with a head start of 250 ms over the next (RFC 8305). It begins
 * when the name's IPv6 addresses are known, or 50 ms after its IPv4 ones; what comes later joins
 * in. An attempt connects, sends the plan's preamble and, with TLS, shakes hands. When an attempt
 * fails, the dial tries the next address at once, then the next candidate. Four attempts are under
 * way at most: the fifth ends the oldest one that has heard nothing for 1 s. Each candidate has its
 * share of the time that is left, and the dial then goes on to the next one. Not for: choosing
 * candidates and their order, the use of the connection.
 *
 * The caller owns a dial until dial_finish or dial_cancel. Scratch: dial_start uses wire_out, the
 * dial's own events use wire_in and wire_out. */
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
#define DIAL_ADDRS_MAX 16 /* of a candidate, in each family; the dial ignores more */

/* Somebody to connect to. What it points at must live as long as the dial. */
struct dial_candidate {
    const struct addr *addresses; /* numeric ones, or a Unix path; NULL: the dial resolves `host` */
    size_t address_count;         /* at most DIAL_ADDRS_MAX */
    const char *host;
    uint16_t port;
    struct tls_context *tls; /* a client's; NULL: plain */
    struct span tls_name;    /* for tls_new_client */
    struct span tls_place;   /* for tls_resume_at; empty: every handshake is a full one */
};

/* May the dial connect to this address? NULL: yes; else a constant text that says why not. */
typedef const char *dial_judge_fn(void *owner, const struct addr *to);

/* dial_start copies the plan, its candidates and its preamble. */
struct dial_plan {
    const struct dial_candidate *candidates; /* in the order in which they are tried */
    size_t candidate_count;                  /* 1 to DIAL_CANDIDATES_MAX */
    uint64_t timeout_ms;                     /* for all candidates; each has its share */
    struct span preamble;                    /* the first bytes for each server, before TLS */
    /* Judges each address before the dial connects to it, a candidate's own and what its name led
     * to; nothing is looked up in between. The dial passes over what it may not connect to. NULL:
     * all may be connected to. The owner is the dial's. */
    dial_judge_fn *judge;
};

/* A greater value tells more: the dial came further, or this machine itself is at fault. Of all
 * that went wrong the dial reports what tells most, and among equals the last. */
enum dial_result {
    DIAL_OK = 0,
    DIAL_DENIED,      /* the plan's judge lets no address be connected to */
    DIAL_NAME,        /* the name has no address, or nobody said so in time */
    DIAL_UNREACHABLE, /* no way leads to an address */
    DIAL_TIMEOUT,     /* the candidate's share of the time ran out */
    DIAL_REFUSED,     /* an address refused */
    DIAL_TLS,         /* a server accepted, and TLS failed */
    DIAL_NO_MEMORY,   /* the process found no memory */
    DIAL_EXHAUSTED    /* the machine lacks descriptors, memory or ports: no word on the backend */
};

/* How it went with one candidate. */
struct dial_outcome {
    enum dial_result result;
    const char *detail; /* a constant text for the operator ("connection refused"); NULL: DIAL_OK */
};

struct dial;
/* The loop calls this once, when the dial is decided; dial_finish then says how. Most plain servers
 * on this machine answer before dial_start returns: such a dial is decided by then, and the call
 * never comes. */
typedef void dial_fn(void *owner);

/* NULL: no memory. */
MUST_CHECK struct dial *dial_start(struct reactor *reactor, struct resolver *resolver,
                                   const struct scratch *scratch, const struct dial_plan *plan,
                                   dial_fn *callback, void *owner);
bool dial_is_decided(const struct dial *dial);
/* The time is over: decides a dial that is not decided yet; its callback does not come. */
void dial_expire(struct dial *dial);
/* Of a decided dial: the outcome of each candidate that was tried, in their order. They belong to
 * the dial. A candidate that accepted is the last one and has DIAL_OK. */
const struct dial_outcome *dial_outcomes(const struct dial *dial, size_t *out_count);
/* Frees a decided dial. With DIAL_OK it opens `into`, which conn_init has made, and hands it the
 * descriptor, the established TLS session and the count of bytes sent. No byte of the server is
 * lost: bytes behind the handshake are still in the kernel. *out_candidate is the index of the
 * candidate that accepted, or of the one whose outcome the dial reports. */
struct dial_outcome dial_finish(struct dial *dial, struct conn *into, size_t *out_candidate);
/* Frees a dial; its callback never comes. Returns the index of the current candidate. */
size_t dial_cancel(struct dial *dial);

#endif
