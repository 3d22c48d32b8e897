/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hasher.h: the process that hashes passwords, so that no worker has to.
 *
 * For: what a worker and the hasher tell each other, and everything that the hasher's process does.
 * A hash of a password is dear on purpose, bcrypt of cost 10 takes tens of milliseconds, and
 * meanwhile a worker would serve nobody. The only user of libcrypt. Not for: files of passwords
 * (proto/accounts), waiting for an answer (passwords), forking the process (master).
 *
 * Everybody who asks writes into one socket pair, the channel. The master keeps both ends open, so
 * that a question outlives the death of a hasher and waits there for the next one, and so that a
 * worker has the channel from its fork on, whatever a reload brings. A question is one message; a
 * pipe travels with it, which carries the answer: one byte. A pipe that closes without a byte says
 * that the hasher died over the question. An asker that has lost interest closes its end, and the
 * hasher does not work for nobody.
 *
 * Between two hashes the hasher takes all questions out of the channel. Their sources take turns: a
 * source that asks without end waits for itself. Of more than HASHER_WAITING_MAX questions the one
 * whose turn is last is sent away, HASHER_BUSY. The process has a low priority, and one thread. */
#ifndef GATE_HASHER_H
#define GATE_HASHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/snapshot.h"
#include "proto/accounts.h"

#define HASHER_WAITING_MAX 128
#define HASHER_NICE 10 /* added to the priority that the master has */

/* --- for those who ask --- */

struct hasher_question {
    uint64_t source;                          /* who takes turns with the others */
    char hash[ACCOUNTS_HASH_MAX];             /* ends with NUL, like the next one */
    char password[ACCOUNTS_PASSWORD_MAX + 1]; /* whoever has it wipes it */
};

enum hasher_answer {
    HASHER_NONE = 0, /* not yet */
    HASHER_SAME,     /* the password is the one of the hash */
    HASHER_OTHER,    /* it is not */
    HASHER_BUSY,     /* too many questions wait */
    HASHER_LOST,     /* the hasher died */
};

/* Ends [0] for the hasher, [1] for those who ask. False: no descriptors. */
MUST_CHECK bool hasher_channel(int out_fds[2]);

enum hasher_asked {
    HASHER_ASKED = 0,
    HASHER_FULL,   /* the channel takes no more now */
    HASHER_NO_PIPE /* no descriptors */
};
/* Never waits. *out_fd is the descriptor for hasher_answer, which the caller closes. */
MUST_CHECK enum hasher_asked hasher_ask(int channel_fd, const struct hasher_question *question,
                                        int *out_fd);
/* Never waits; the descriptor becomes readable when there is an answer. */
enum hasher_answer hasher_answer(int fd);

/* --- the process --- */

/* Everything after the fork: gives up what it does not need, locks itself in (gate/jail) and
 * answers until nobody is left who could ask. Returns the exit code: 0, or 3 when it could not lock
 * itself in, which the log then says. Takes over the caller's hold on `config`, and closes all
 * descriptors but the standard ones and `channel_fd`. */
int hasher_run(const struct config *config, int channel_fd);

/* --- the order of the questions, for hasher_run and tests --- */

struct hasher_waiting {
    struct hasher_question question;
    int answer_fd; /* -1: an empty place */
    uint64_t source;
    uint64_t turn;
    uint64_t order; /* of the arrival */
};

/* A queue of which all places are empty (hasher_queue_init). */
struct hasher_queue {
    struct hasher_waiting places[HASHER_WAITING_MAX];
    uint64_t turn; /* whose turn it is */
    uint64_t arrived;
    size_t count;
};

void hasher_queue_init(struct hasher_queue *queue);
/* Takes a copy, and the descriptor over. Returns the descriptor of the question that has no place,
 * be it this one or another, which the caller owns then; -1: all have one. */
MUST_CHECK int hasher_queue_put(struct hasher_queue *queue, const struct hasher_question *question,
                                int answer_fd);
/* The next one, which stays in its place until hasher_queue_leave; NULL: none waits. */
struct hasher_waiting *hasher_queue_next(struct hasher_queue *queue);
/* Wipes the question; its descriptor is the caller's. */
void hasher_queue_leave(struct hasher_queue *queue, struct hasher_waiting *waiting);

#endif
