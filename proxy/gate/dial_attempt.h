/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dial_attempt.h: one attempt of a dial at one address. A part of dial, for nobody else.
 *
 * An attempt connects; then it speaks (the preamble, TLS) until TLS, if there is any, is
 * established and every byte has left. dial.c says when an attempt begins and ends. */
#ifndef GATE_DIAL_ATTEMPT_H
#define GATE_DIAL_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "gate/dial.h"
#include "io/reactor.h"
#include "io/scratch.h"
#include "io/tls.h"

/* What one step of an attempt led to. */
enum dial_step { DIAL_STEP_WAIT = 0, DIAL_STEP_DONE, DIAL_STEP_FAILED };

struct dial_attempt {
    struct reactor_io io;
    struct dial *dial;
    struct reactor *reactor;
    uint64_t started_ms;
    int fd; /* -1 = free */
    const struct scratch *scratch;
    struct span preamble;
    struct tls_context *context; /* NULL: plain */
    struct span tls_name;
    struct span tls_place;
    struct tls *tls;
    struct dial_outcome outcome; /* with DIAL_STEP_FAILED */
    struct buf out;              /* bytes that the kernel did not take at once */
    uint64_t sent_bytes;         /* bytes that the kernel took */
    bool is_connected;
};

/* Connects. */
enum dial_step dial_attempt_start(struct dial_attempt *a, const struct addr *to,
                                  reactor_io_fn *on_ready);
/* The descriptor is ready. */
enum dial_step dial_attempt_ready(struct dial_attempt *a, unsigned ready);
/* Sets what the attempt waits for next. */
void dial_attempt_want(struct dial_attempt *a);
/* What an attempt that is under way waits for, for the operator; a constant. */
const char *dial_attempt_waits_for(const struct dial_attempt *a);
/* Closes the attempt, if it is open. */
void dial_attempt_close(struct dial_attempt *a);

#endif
