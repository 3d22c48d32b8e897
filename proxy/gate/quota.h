/* SPDX-License-Identifier: GPL-3.0-or-later */
/* quota.h: how much each key has, over all workers: what it holds now, how often it came, how often
 * it failed.
 *
 * For: limits per source, route and identity (proto/limit makes the keys and does the arithmetic)
 * that are exact although each worker decides alone. Not for: limits of one session (the buckets of
 * proto/limit), sessions in all (scoreboard), telling anybody what a key stands for: only its hash
 * is here.
 *
 * Memory that the first master makes, all processes share, and an upgrade hands on. Each slot of
 * the scoreboard has a table of its own in it, which only the slot's worker writes; who decides
 * counts itself first and looks at the sum over all slots afterwards. So nothing is locked, a
 * worker that stands still or dies in the middle stops nobody, no sum can drift, and what is
 * admitted never exceeds a limit. Workers that count the same key within the same fraction of a
 * microsecond may be stricter: of two that want the last place both may fail, and two events may
 * count as a few more.
 * The master clears the slot of a worker that died: what it held is given back, rates and failures
 * stay.
 *
 * A table is 40 bytes a place. A process takes addresses for the slots that have ever been in use,
 * and a page that nobody has needed does not exist. No pointer is in the shared memory.
 *
 * A table has `keys` places in buckets of QUOTA_WAYS, and a key may stand in either of two buckets.
 * Every call looks at the places of these two, in each slot in use: the time has a bound, whatever
 * strangers do. A key that is new takes a free place, else that of the idle key that came longest
 * ago; keys with failures that still count go last, and a key that holds something never goes. Keys
 * are random numbers and fill the buckets evenly: a new key finds a place while at most half of the
 * places hold something. */
#ifndef GATE_QUOTA_H
#define GATE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "base/span.h"
#include "proto/limit.h"

#define QUOTA_SLOTS_MAX 512 /* as many as the scoreboard has */
#define QUOTA_WAYS 8
#define QUOTA_KEYS_MIN (2 * QUOTA_WAYS)
#define QUOTA_KEYS_MAX ((size_t)1 << 22)

/* A process's view of the memory; after a fork the child has its own. */
struct quota;

/* How many places a slot's table needs when its worker holds at most so many keys at a time: a
 * power of two. A caller who has more than QUOTA_KEYS_MAX / 2 of them gets QUOTA_KEYS_MAX. */
size_t quota_keys_for(size_t held_max);
/* Room for all slots, of which one is in use. `keys` comes from quota_keys_for; the secret is
 * random, and for limit_key. NULL: no memory or descriptors. */
MUST_CHECK struct quota *quota_new(size_t keys, const uint8_t secret[SIPHASH_KEY_BYTES]);
/* The same with the memory of a master before this one, and with its tables; takes over the
 * descriptor. NULL: see shared_open. */
MUST_CHECK struct quota *quota_open(int fd, const char **out_detail);
/* For tests: else the quota lives until the process ends. */
void quota_free(struct quota *quota);
/* The memory file. */
int quota_fd(const struct quota *quota);
/* At least so many slots are in use from now on. For whoever has the last of them. */
void quota_set_slots(struct quota *quota, size_t slot_count);
/* Gives back what a worker that is gone held. For whoever has the slot in the scoreboard. False: no
 * addresses for the tables; nothing was given back. */
MUST_CHECK bool quota_clear_slot(struct quota *quota, size_t slot);

/* The secret for limit_key. */
const uint8_t *quota_secret(const struct quota *quota);

enum quota_verdict {
    QUOTA_OK = 0,
    QUOTA_HELD,  /* the key holds as much as it may */
    QUOTA_OFTEN, /* the key came as often as it may */
    QUOTA_FULL   /* there is no place for one more key, or no addresses to look at all slots */
};

struct quota_limits {
    uint64_t held_max;      /* 0: no limit */
    struct limit_rate rate; /* count 0: no limit */
};

struct quota_answer {
    enum quota_verdict verdict;
    uint64_t wait_ms; /* QUOTA_OFTEN: when one more may come */
};

/* What somebody holds under a key; in a session, zeroed at first. */
struct quota_hold {
    uint32_t place; /* private; 0: nothing */
};

/* The key wants to hold one more, and comes once more. QUOTA_OK: `hold`, which held nothing, holds
 * it until quota_give. Anything else: nothing has been counted. Without limits the key is counted
 * all the same, for limits that come later. */
MUST_CHECK struct quota_answer quota_take(struct quota *quota, size_t slot, uint64_t key,
                                          const struct quota_limits *limits, uint64_t now_ms,
                                          struct quota_hold *hold);
/* Harmless when `hold` holds nothing. */
void quota_give(struct quota *quota, size_t slot, struct quota_hold *hold);

/* The key has failed once more. When there is no place for the key, nothing is counted. */
void quota_fail(struct quota *quota, size_t slot, uint64_t key, const struct limit_pause *pause,
                uint64_t now_ms);
/* How long the key may not try; 0: it may. */
uint64_t quota_pause_ms(struct quota *quota, uint64_t key, const struct limit_pause *pause,
                        uint64_t now_ms);

/* How much the key holds in all slots; UINT64_MAX: no addresses to look at all of them. */
uint64_t quota_held(struct quota *quota, uint64_t key);

#endif
