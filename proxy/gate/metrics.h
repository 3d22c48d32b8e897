/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics.h: what Prometheus reads.
 *
 * For: the text of the exposition format 0.0.4, produced in parts, so that a scrape costs no more
 * memory than any other answer. It tells of all workers, whichever of them is asked: the seats and
 * the scoreboard added up. Not for: counting (seat), sending (answer).
 *
 * The names follow Prometheus's conventions: base units, `_total` for counters, and labels whose
 * values the configuration bounds: at most 41 series for a route and 23 for a backend. Series of a
 * route's endings appear with the first session that ends so. What has a series for each session in
 * other gateways (the round trip of a client) is in the session's line of the log. metrics_table.c
 * has the rows. */
#ifndef GATE_METRICS_H
#define GATE_METRICS_H

#include <stddef.h>

#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/answer.h"
#include "gate/scoreboard.h"
#include "gate/seat.h"

/* The value of Content-Type, byte for byte: Prometheus 3 refuses another one. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What the numbers are taken from, and where the text stands. It must outlive the body and may not
 * be copied meanwhile. */
struct metrics {
    const struct seats *seats;
    const struct scoreboard *scoreboard;
    const struct config *config;
    struct span query; /* "name=sluice_sessions&name=process_*": only these; empty = all */
    size_t family;     /* private, zero at first: what comes next */
    size_t row;        /* private, the same */
};

/* A body of unknown length. */
struct answer_body metrics_body(struct metrics *metrics);

#endif
