/* SPDX-License-Identifier: GPL-3.0-or-later */
/* master.h: binds, forks, supervises; parses nothing from the network.
 *
 * For: sockets, workers and signals. The master holds one SO_REUSEPORT socket per (address, worker
 * slot) open while it serves, so that the death of a worker refuses no connection. It replaces a
 * worker that dies, at once the first time, and after a growing pause when the slot's workers keep
 * dying. Not for: serving.
 *
 *   SIGTERM, SIGINT  drain and stop; a second one stops at once      SIGQUIT  stop at once
 *   SIGHUP           reload: read the files again, put what they say in force, end no session
 *   SIGUSR2          reserved for the upgrade: so far the master only warns */
#ifndef GATE_MASTER_H
#define GATE_MASTER_H

#include "conf/bundle.h"
#include "conf/snapshot.h"
#include "gate/inherit.h"

/* The master calls this once it has forked the workers, with the first listener's real address. */
typedef void master_ready_fn(const struct addr *address);
/* Takes over the caller's hold on the snapshot, the bundle that it was made of, which has no file
 * when there is nothing to reload (--demo), and what the process has inherited. Returns the exit
 * code of the program: 0 after a stop, 3 when it could not start. `on_ready` may be NULL, for
 * nobody. */
int master_run(const struct config *config, struct bundle *bundle, struct inherit *inherited,
               master_ready_fn *on_ready);

#endif
