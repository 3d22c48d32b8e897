/* SPDX-License-Identifier: GPL-3.0-or-later */
/* passwords.h: is this the user's password? Answered later, or at once from what was asked before.
 *
 * For: a worker's questions to the hasher (gate/hasher), the wait for their answers, and the cache
 * of those that were right. Not for: files of users (proto/accounts), what becomes of a session
 * that waits (session).
 *
 * The cache knows digests with a secret of this process, over the hash, the user and the password
 * together: so a user whose line in the file has changed is asked anew, and nobody can read a
 * password out of it. It holds right answers only, the last PASSWORDS_CACHED of them.
 *
 * A user who is not there costs the same hash as one who is, and is wrong in any case: is_decoy. */
#ifndef GATE_PASSWORDS_H
#define GATE_PASSWORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "io/reactor.h"

#define PASSWORDS_WAITING_MAX 128 /* questions of one worker; each has a descriptor */
#define PASSWORDS_SOURCE_MAX 32   /* and of one source there */
#define PASSWORDS_CACHED 1024

enum passwords_verdict {
    PASSWORDS_RIGHT = 0,
    PASSWORDS_WRONG,
    PASSWORDS_WAIT, /* `on_answer` will have one of the others */
    PASSWORDS_BUSY  /* nobody knows, because too much is asked or the hasher died; see the detail */
};

struct passwords_question {
    struct span hash; /* at most ACCOUNTS_HASH_MAX - 1 bytes, a decoy for a user who is not there */
    struct span user;
    struct span password; /* at most ACCOUNTS_PASSWORD_MAX bytes; a longer one is wrong */
    bool is_decoy;
    uint64_t source;   /* for fairness: one source does not take all places or turns */
    uint64_t cache_ms; /* how old a right answer may be; 0: only a new one counts */
};

struct passwords; /* one of a worker */
struct passwords_ask;

/* Asks by the channel (hasher_channel), which stays the caller's. NULL: no memory, or the system
 * has no random numbers. */
MUST_CHECK struct passwords *passwords_new(struct reactor *reactor, int channel_fd);
/* Wipes the cache. No question may be waiting. NULL is allowed. */
void passwords_free(struct passwords *p);

/* Called once, in an event of its own; the ask is gone then. `detail` is a constant text that says
 * why with PASSWORDS_BUSY, else NULL. */
typedef void passwords_fn(void *owner, enum passwords_verdict verdict, const char *detail);

/* With PASSWORDS_WAIT *out is the ask, which ends with the answer or by passwords_forget; with
 * PASSWORDS_BUSY *out_detail says why. The question's texts are copied. */
MUST_CHECK enum passwords_verdict passwords_check(struct passwords *p,
                                                  const struct passwords_question *question,
                                                  passwords_fn *on_answer, void *owner,
                                                  struct passwords_ask **out,
                                                  const char **out_detail);
/* Nobody wants the answer any more. NULL is allowed. */
void passwords_forget(struct passwords_ask *ask);

#endif
