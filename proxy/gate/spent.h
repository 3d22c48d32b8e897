/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spent.h: which single-use tokens have been used, over all workers.
 *
 * For: accepting each such token once, whichever workers it comes to and at whatever moment; and
 * again within a window, for a page that lost its connection. The window begins with each use, and
 * anew when the session of a use ends: while a session lasts longer than that, nobody comes in with
 * its token. A worker that dies tells of no end, so there the window begins with the last use. Not
 * for: whether a token holds (proto/jwt), sessions (roster), TLS tickets (io/tls).
 *
 * Shared memory that the first master makes and that an upgrade hands on, without a pointer in it.
 * Any worker writes anywhere, by compare-and-swap alone: of workers that use the same token at the
 * same moment exactly one is first. Nothing is locked, so a worker that stands still or dies in the
 * middle stops nobody; what it has used stays used.
 *
 * An entry is never removed. It gives way to the entry of a token that ends so much later that the
 * older one must have ended by then: whether it does follows from the two tokens alone, so all
 * workers agree, whatever their clocks say. (A system clock that somebody sets back by an hour lets
 * old tokens hold again, and they may then be used again.) The table has room for about SPENT_ROOM
 * tokens within the life of the longest one; beyond that it accepts none, because forgetting one
 * would let it be used twice. Memory that no entry has needed yet does not exist, and a process
 * that never asks takes not even addresses. */
#ifndef GATE_SPENT_H
#define GATE_SPENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "base/span.h"

#define SPENT_SLOTS ((size_t)1 << 19)
#define SPENT_ROOM (SPENT_SLOTS / 2)
/* A token may end so long after its use, its leeway included; 70 minutes. */
#define SPENT_LIFE_MAX_S 4200
#define SPENT_AGAIN_MAX 100

/* A process's view of the memory. Lives until the process ends. */
struct spent;
/* NULL: no memory or descriptors. The secret is random. */
MUST_CHECK struct spent *spent_new(const uint8_t secret[SIPHASH_KEY_BYTES]);
/* The same with the memory of a master before this one; takes over the descriptor. NULL: see
 * shared_open. */
MUST_CHECK struct spent *spent_open(int fd, const char **out_detail);
/* The memory file. */
int spent_fd(const struct spent *spent);

/* Who proves it, and the token's own name there (jti): together they name a token. */
struct spent_token {
    struct span auth;
    struct span id;
    uint64_t ends_s; /* when it holds no more: seconds since 1970 */
};

struct spent_terms {
    uint64_t window_ms; /* after the last use, or the end of its session; 0: once only */
    uint32_t again_max; /* uses within the window besides the first, at most SPENT_AGAIN_MAX */
};

enum spent_verdict {
    SPENT_FIRST = 0,
    SPENT_AGAIN,     /* within the window */
    SPENT_USED,      /* it was good once, and has been used */
    SPENT_LATE,      /* the window has passed */
    SPENT_OFTEN,     /* the window is open, but it has been used as often as it may */
    SPENT_ENDED,     /* somebody has ended its session */
    SPENT_LONG,      /* the token ends later than SPENT_LIFE_MAX_S from now, or never */
    SPENT_FULL,      /* there is no room */
    SPENT_NO_MEMORY, /* this process has no addresses for the memory */
};

/* Uses a token that holds. SPENT_FIRST and SPENT_AGAIN: it has been used once more; else nothing
 * has changed. `now_ms` is of clock_now_ms. */
MUST_CHECK enum spent_verdict spent_use(struct spent *spent, const struct spent_token *token,
                                        const struct spent_terms *terms, uint64_t now_s,
                                        uint64_t now_ms);
/* A constant text that says what decided. */
const char *spent_detail(enum spent_verdict verdict);

/* The session of a use has ended: the window begins anew. Harmless where nobody has used it. */
void spent_leave(struct spent *spent, const struct spent_token *token, uint64_t now_ms);
/* From now on the token opens nothing, whatever its window says. Harmless where nobody has used
 * it. */
void spent_end(struct spent *spent, const struct spent_token *token);

#endif
