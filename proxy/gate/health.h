/* SPDX-License-Identifier: GPL-3.0-or-later */
/* health.h: asks a running sluice whether it is ready, as `sluice --health` does.
 *
 * For: one request to /readyz of its [health], with a deadline. Not for: answering it (page). The
 * process that asks serves nothing, so it may wait. */
#ifndef GATE_HEALTH_H
#define GATE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

#define HEALTH_TEXT_MAX 256

/* True: it is ready. `out` says so, or why not, in one line for people. */
MUST_CHECK bool health_ask(const struct addr *address, uint64_t timeout_ms,
                           char out[HEALTH_TEXT_MAX]);

#endif
