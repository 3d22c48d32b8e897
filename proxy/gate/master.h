/* SPDX-License-Identifier: GPL-3.0-or-later */
/* master.h: binds, forks, supervises; parses nothing from the network.
 *
 * For: one SO_REUSEPORT socket per (address, worker slot), held open as long as the program runs so
 * that the death of a worker refuses no connection; a worker that dies is replaced, at once the
 * first time and with a growing pause when it keeps dying; signals. Not for: serving.
 *
 *   SIGTERM, SIGINT  drain and stop; a second one stops at once      SIGQUIT  stop at once
 *   SIGHUP, SIGUSR2  reload and upgrade: reserved, answered with a warning for now */
#ifndef GATE_MASTER_H
#define GATE_MASTER_H

#include "conf/snapshot.h"

/* Returns the exit code of the program: 0 after a stop, 3 when it could not start. `on_ready` (may
 * be NULL) is called once with the first listener's real address. */
typedef void master_ready_fn(const struct addr *address);
int master_run(const struct config *config, master_ready_fn *on_ready);

#endif
