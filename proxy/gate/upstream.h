/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upstream.h: the backends of the routes at run time, as one worker sees them.
 *
 * For: knowing of each backend of each route whether the last dial reached it, and telling the log
 * when that changes: `backend.down` with the reason, and later `backend.up`, both at warn, once for
 * each change and not for each session. The log learns of a backend that changes often less and
 * less often, at last once a minute; such a line says how many changes it is silent about
 * (`suppressed=N`). Not for: choosing a backend. The worker owns it; the snapshot
 * outlives it. */
#ifndef GATE_UPSTREAM_H
#define GATE_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/dial.h"

struct upstream;
/* NULL: no memory. */
MUST_CHECK struct upstream *upstream_new(const struct config *config);
void upstream_free(struct upstream *upstream);
/* What `before`, of another snapshot, knows of a backend with the same text in a route of the same
 * name, `upstream` knows too: a reload makes no line. */
void upstream_inherit(struct upstream *upstream, const struct upstream *before);

/* True: a dial that ended so says something of the backend. False: what went wrong is the fault of
 * this machine (no memory, no descriptors). */
bool upstream_is_word(enum dial_result result);

/* A dial ended so with backend `index` of `route`. What says nothing of it changes nothing. */
void upstream_note(struct upstream *upstream, const struct config_route *route, size_t index,
                   const struct dial_outcome *outcome, uint64_t now_ms);

/* An active check has come to a verdict, after as many good or bad answers as its route asks for.
 * `detail` as in dial_outcome; NULL: good. */
void upstream_note_check(struct upstream *upstream, const struct config_route *route, size_t index,
                         bool is_good, const char *detail, uint64_t now_ms);
/* Nobody checks the backend any more: what checks found does not count. */
void upstream_drop_checks(struct upstream *upstream, const struct config_route *route, size_t index,
                          uint64_t now_ms);

#endif
