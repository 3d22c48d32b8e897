/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker.h: one process that serves: one reactor, its listeners and its sessions.
 *
 * For: everything between the fork and the exit of a worker, draining included. Not for: binding,
 * supervision (master). Single-threaded. SIGTERM drains (sessions get 1001, spread), SIGQUIT stops
 * at once, and so does the end of the drain time; the loss of the master drains too. */
#ifndef GATE_WORKER_H
#define GATE_WORKER_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/snapshot.h"
#include "gate/scoreboard.h"

struct worker_start {
    const struct config *config;
    struct scoreboard *scoreboard;
    size_t slot;
    const int *listen_fds;       /* one per config->listens, taken over */
    int master_fd;               /* reads EOF when the master is gone; taken over */
    const sigset_t *signal_mask; /* set once the handlers stand: a SIGTERM sent before waits */
};

/* Returns the exit code of the process: 0 after a drain, 3 when it could not start. */
int worker_run(const struct worker_start *start);

#endif
