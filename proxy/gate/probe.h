/* SPDX-License-Identifier: GPL-3.0-or-later */
/* probe.h: one look at one backend: does it serve?
 *
 * For: connecting as a session would (a dial: addresses, TLS, what comes in front), sending some
 * bytes, comparing the first bytes of the answer with those that are expected, all within one
 * deadline, and closing again. The answer must begin with the expected bytes; what follows them
 * does not matter, and the first byte that differs ends the probe. Without expected bytes a
 * connection (with TLS: a handshake) is enough. Not for: when a backend is looked at, and what
 * follows from it (checks).
 *
 * The caller owns a probe until its callback or probe_cancel. Scratch: as dial and conn. */
#ifndef GATE_PROBE_H
#define GATE_PROBE_H

#include <stdint.h>

#include "base/span.h"
#include "gate/dial.h"
#include "io/reactor.h"
#include "io/resolver.h"
#include "io/scratch.h"

#define PROBE_BYTES_MAX 256 /* of what is sent, and of what is expected */

/* What the caller points at must live as long as the probe; probe_start copies the preamble. */
struct probe_plan {
    struct dial_candidate candidate;
    struct span preamble; /* in front of all else, before TLS */
    struct span send;     /* may be empty */
    struct span expect;   /* may be empty */
    uint64_t timeout_ms;  /* for all of it */
};

/* How a probe ended. Another process may read the number: new ones come last. */
enum probe_result {
    PROBE_GOOD = 0,
    PROBE_NAME,        /* the name has no address */
    PROBE_UNREACHABLE, /* no way leads to the backend */
    PROBE_TIMEOUT,     /* no connection in time */
    PROBE_REFUSED,     /* no connection */
    PROBE_TLS,         /* no TLS */
    PROBE_SILENT,      /* the whole answer did not come in time */
    PROBE_WRONG,       /* another answer came */
    PROBE_HUNG_UP,     /* the backend closed before its whole answer */
    PROBE_NO_WORD      /* this machine lacks something: no word on the backend */
};
#define PROBE_RESULTS 10

struct probe_outcome {
    enum probe_result result;
    const char *detail; /* a constant text for the operator; NULL: PROBE_GOOD */
};

struct probe;
/* The probe has freed itself. */
typedef void probe_fn(void *owner, const struct probe_outcome *outcome);

/* The callback comes from the loop, never from inside this call. NULL: no memory. */
MUST_CHECK struct probe *probe_start(struct reactor *reactor, struct resolver *resolver,
                                     const struct scratch *scratch, const struct probe_plan *plan,
                                     probe_fn *callback, void *owner);
/* Frees a probe; its callback never comes. */
void probe_cancel(struct probe *probe);

/* What a result means, for whoever has no detail; NULL for PROBE_GOOD. */
const char *probe_text(enum probe_result result);

#endif
