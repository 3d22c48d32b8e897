/* SPDX-License-Identifier: GPL-3.0-or-later */
/* descriptors.h: how many clients a worker can serve with the descriptors that it may open.
 *
 * For: the share of each kind of client. A session needs two descriptors, for the client and for
 * its backend; a connection without a session needs one, where files are served another one for
 * the file. The worker keeps both apart, so that
 * strangers never take the descriptor that an admitted session's backend needs. Not for: anything
 * at run time (door counts). */
#ifndef GATE_DESCRIPTORS_H
#define GATE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/snapshot.h"

/* Besides clients and backends: the loop, the log, name servers, attempts of a dial. */
#define DESCRIPTORS_RESERVE 32

struct descriptors_plan {
    uint64_t pending_max;
    uint64_t sessions_max;
};

/* Raises the soft limit of this process to the hard one. Returns the limit in force. */
uint64_t descriptors_raise(void);
/* False: `limit` is enough for each worker's even share of max_sessions and max_pending. True: it
 * is not, and `out` says so to the operator. Pure. */
#define DESCRIPTORS_WARNING_MAX 256
MUST_CHECK bool descriptors_warning(const struct config *config, uint64_t limit,
                                    char out[DESCRIPTORS_WARNING_MAX]);
/* The number of descriptors that this process has open. */
uint64_t descriptors_open(void);
/* Shares `limit` out. `open` are in use already. With too few descriptors for all, the connections
 * without a session get a quarter at most, and the sessions the rest. Pure; both results are at
 * least 1. */
struct descriptors_plan descriptors_share(const struct config *config, uint64_t limit,
                                          uint64_t open);

#endif
