/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control.h: what the master and one worker tell each other.
 *
 * For: small messages over a pair of Unix sockets, one pair for each worker process. A message may
 * carry one descriptor. When one process is gone, the other one reads CONTROL_GONE. Not for:
 * deciding what follows from a message (master, worker), counters (scoreboard).
 *
 * Neither end ever waits. The master trusts no message of a worker: a message of a wrong size or
 * kind is nonsense, a text ends with NUL, and the kernel drops each descriptor that the reader does
 * not ask for. */
#ifndef GATE_CONTROL_H
#define GATE_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum control_kind {
    CONTROL_READY = 1, /* worker: it serves, or waits for CONTROL_OPEN; `number` is its seat */
    CONTROL_FAILED,    /* worker: it cannot start; `text` says why, and the worker exits */
    CONTROL_LEAVING,   /* worker: it accepts no more, and ends when its sessions have ended */
    CONTROL_REFUSED,   /* worker: it has no room for a socket of `slot` */
    CONTROL_WAKE,      /* master: make a turn, so that the scoreboard shows it */
    CONTROL_ADOPT,     /* master: accept from this socket too, `listen` of `slot` */
    CONTROL_RELEASE,   /* master: accept no more from the sockets of `slot` */
    CONTROL_FINISH,    /* master: serve the queue of this socket, of an address that has left */
    CONTROL_RETIRE,    /* master: accept no more, and end when the sessions have ended */
    CONTROL_OPEN,      /* master: the upgrade has succeeded, accept */
    CONTROL_DRAIN,     /* master: end the sessions (1012), for another generation serves */

    /* A reload; `number` says which: */
    CONTROL_PREPARE,  /* master: the descriptor is a sealed bundle; make of it what you need */
    CONTROL_SOCKET,   /* master: the socket of your slot for `listen`, a new address of it */
    CONTROL_PREPARED, /* worker: it has all of it, and nothing can fail any more */
    CONTROL_UNFIT,    /* worker: it cannot; `text` says why */
    CONTROL_COMMIT,   /* master: put it in force */
    CONTROL_SWAPPED,  /* worker: it is in force */
    CONTROL_ABANDON,  /* master: forget it */
};
#define CONTROL_LAST CONTROL_ABANDON

#define CONTROL_TEXT_MAX 160

struct control_message {
    uint32_t kind; /* enum control_kind; control_receive lets no other number through */
    uint32_t slot;
    uint32_t listen; /* an index into the listeners of the configuration in force, or of that of a
                      * CONTROL_SOCKET */
    uint32_t number;
    char text[CONTROL_TEXT_MAX];
};

/* False: no descriptors or memory. */
MUST_CHECK bool control_pair(int out_fds[2]);

/* Sends the message and, unless passed_fd is -1, a copy of that descriptor. False: the other
 * process is gone or does not read. */
MUST_CHECK bool control_send(int fd, const struct control_message *message, int passed_fd);

/* The same for messages of `len` bytes of whatever kind. */
MUST_CHECK bool control_send_bytes(int fd, const void *bytes, size_t len, int passed_fd);

enum control_result {
    CONTROL_OK = 0,
    CONTROL_NONE,     /* no message waits */
    CONTROL_NONSENSE, /* read, and worth nothing; more may wait */
    CONTROL_GONE
};
/* Reads one message, so that a reader can count what it hears. *out_fd is the descriptor that came
 * with it, which the caller now owns, or -1. out_fd is NULL where nobody wants descriptors. */
MUST_CHECK enum control_result control_receive(int fd, struct control_message *out, int *out_fd);
/* A message of another length is nonsense. */
MUST_CHECK enum control_result control_receive_bytes(int fd, void *out, size_t len, int *out_fd);

#endif
