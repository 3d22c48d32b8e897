/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker.h: one process that serves: one reactor, its listeners and its sessions.
 *
 * For: everything between the fork and the exit of a worker, draining included. Not for: binding,
 * supervision (master). Single-threaded. SIGTERM drains: the sessions get 1001, spread over a third
 * of the drain time. SIGQUIT and the end of the drain time stop the worker at once. A worker whose
 * master is gone drains too. */
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
    const int *listen_fds; /* one per config->listens, taken over */
    int master_fd;         /* reads EOF when the master is gone; taken over */
    /* The worker sets this mask once it handles signals; a SIGTERM that comes earlier waits. */
    const sigset_t *signal_mask;
};

/* Returns the exit code of the process: 0 after a drain, 3 when it could not start. */
int worker_run(const struct worker_start *start);

#endif
