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
 *   SIGUSR2          upgrade: the program that is now at the path of this one takes over
 *
 * After an upgrade there are two masters. The first one stays, for whoever started it knows it: it
 * passes every one of these signals on to the newest master and ends with it, with its exit status.
 * Where a supervisor can be told (NOTIFY_SOCKET), it ends with its last worker instead. Either way
 * a signal to the old or to the new master does the same. */
#ifndef GATE_MASTER_H
#define GATE_MASTER_H

#include "conf/bundle.h"
#include "conf/snapshot.h"
#include "gate/handover.h"
#include "gate/inherit.h"

/* The master calls this once it has forked the workers, with the first listener's real address. */
typedef void master_ready_fn(const struct addr *address);

struct master_start {
    const struct config *config; /* the master takes over the caller's hold */
    struct bundle *bundle;       /* of which it was made, taken over; no file: nothing to reload */
    struct handover *handover;   /* taken over */
    struct inherit *inherited;   /* taken over */
    char *const *argv;           /* of the program, for the next one; the caller keeps it */
    master_ready_fn *on_ready;   /* NULL: nobody */
};
/* Returns the exit code of the program: 0 after a stop, 3 when it could not start. */
int master_run(const struct master_start *start);

#endif
