/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker.h: one process that serves: one reactor, its listeners and its sessions.
 *
 * For: everything between the fork and the exit of a worker, draining included. The worker tells
 * the master when it serves, accepts for other slots when the master says so (gate/control), and
 * takes another configuration in two steps: it makes all that it needs, and when every worker has
 * done so, it puts the configuration in force without touching a session. A worker that retires
 * accepts nobody and ends with its last session. Without memory a worker accepts nobody. Not for:
 * binding, supervision (master). Single-threaded. SIGTERM drains: the sessions get 1001, spread
 * over three quarters of the drain time (gate/spread). SIGQUIT and the end of the drain time stop
 * the worker at once. A worker whose master is gone drains too. */
#ifndef GATE_WORKER_H
#define GATE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/snapshot.h"
#include "gate/quota.h"
#include "gate/roster.h"
#include "gate/scoreboard.h"
#include "gate/seat.h"
#include "gate/spent.h"

struct worker_start {
    const struct config *config; /* the worker takes over the caller's hold */
    struct scoreboard *scoreboard;
    struct seats *seats;
    struct roster *roster;
    struct quota *quota;
    struct spent *spent;
    size_t slot; /* of its sockets */
    size_t seat; /* its slot in the scoreboard, the seats, the roster and the quota */
    uint64_t generation;
    bool is_waiting;       /* it accepts nobody before CONTROL_OPEN */
    const int *listen_fds; /* one per config->listens, taken over */
    int control_fd;        /* to the master; the caller keeps it */
    int hasher_fd;         /* the channel to the hasher; the caller keeps it */
    bool is_kept;          /* a manager keeps the sockets for the program that follows */
};

/* The caller has blocked the signals; the worker lets them through once it handles them, so that a
 * SIGTERM that comes earlier waits. Returns the exit code of the process: 0 after a drain, 3 when
 * it could not start; *out_detail is then a constant text that says why. */
int worker_run(const struct worker_start *start, const char **out_detail);

#endif
