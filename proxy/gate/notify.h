/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notify.h: what the master tells the manager that started it, by the protocol of sd_notify(3): one
 * datagram for each message to the Unix socket that NOTIFY_SOCKET names.
 *
 * For: a service of systemd with Type=notify, and any other manager that listens there. Not for:
 * deciding anything; without NOTIFY_SOCKET nothing happens. Nothing here waits: what the manager
 * does not take now is sent again NOTIFY_RETRY_MS later, and of states that followed each other
 * meanwhile only the last one is told.
 *
 * NOTIFY_SOCKET and WATCHDOG_USEC stay in the environment, for the program that follows an upgrade;
 * a worker clears its environment and calls notify_done.
 *
 * The watchdog (WATCHDOG_USEC, in which WATCHDOG_PID is this process or not set) hears of sluice
 * twice in its time, as long as the caller says that sluice does its work. */
#ifndef GATE_NOTIFY_H
#define GATE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/span.h"

#define NOTIFY_RETRY_MS 500
#define NOTIFY_STATUS_MS 2000 /* from one status to the next within a phase */
#define NOTIFY_STATUS_MAX 160

enum notify_phase {
    NOTIFY_STARTING = 0, /* nobody is told: the manager knows */
    NOTIFY_READY,        /* READY=1 and MAINPID= */
    NOTIFY_RELOADING,    /* RELOADING=1 and MONOTONIC_USEC= */
    NOTIFY_STOPPING,     /* STOPPING=1 and EXTEND_TIMEOUT_USEC= */
};

/* What is true now. */
struct notify_state {
    enum notify_phase phase;
    bool is_working;                /* the watchdog may hear that all is well */
    uint64_t grace_ms;              /* stopping: it takes so long at most; 0 = not known */
    char status[NOTIFY_STATUS_MAX]; /* one line for a person; "" = none */
};

struct notify {
    int fd; /* -1: nobody listens */
    struct addr address;
    bool is_failing;                /* the log has said why */
    enum notify_phase phase;        /* that the manager knows */
    char status[NOTIFY_STATUS_MAX]; /* that it knows */
    uint64_t status_ms;             /* when to look at the status again */
    uint64_t retry_ms;              /* when to send again what failed; 0 = nothing has */
    uint64_t beat_every_ms;         /* half of the watchdog's time; 0 = there is none */
    uint64_t beat_ms;               /* when it has to hear next; UINT64_MAX = not now */
};

void notify_init(struct notify *n);
/* Closes it; nothing is told any more. */
void notify_done(struct notify *n);
bool notify_is_on(const struct notify *n);

/* Tells what the manager does not know yet. */
void notify_tell(struct notify *n, const struct notify_state *state, uint64_t now_ms);
/* When to call notify_tell although nothing has happened; UINT64_MAX = never. */
uint64_t notify_due_ms(const struct notify *n);

/* The manager keeps a copy of this socket, and hands it to the program that it starts next under
 * this name (FDSTORE=1); a copy of a socket that it has makes no difference. False: not now; try
 * again when notify_due_ms says. */
MUST_CHECK bool notify_store(struct notify *n, int fd, const char *name, uint64_t now_ms);
/* It closes all that it keeps under this name (FDSTOREREMOVE=1). */
MUST_CHECK bool notify_forget(struct notify *n, struct span name, uint64_t now_ms);

/* An upgrade: process `pid` is the service from now on, and this process tells nothing any more. */
void notify_main_pid(struct notify *n, pid_t pid);
/* An upgrade, between fork and exec: the watchdog's variables become the child's. */
void notify_hand_on(const struct notify *n);

#endif
