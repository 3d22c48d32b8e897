/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limit.h: the arithmetic of limits: who counts as one, how often, how long to wait, how fast.
 *
 * For: keys under which things are counted; rates of events; pauses that grow with failures; token
 * buckets. Not for: the counts themselves, which all workers share (gate/quota), and what becomes
 * of somebody above a limit (admission, door, session). Pure: `now_ms` is an argument, of a clock
 * that never goes back and is the same in all processes.
 *
 * Several processes see the same kind of events. Each keeps one word for a rate and one for
 * failures, which only it writes and which the others read whole. */
#ifndef PROTO_LIMIT_H
#define PROTO_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/siphash.h"
#include "base/span.h"

/* --- keys ------------------------------------------------------------------------------------ */

/* How much of an address makes a source. Who has IPv6 has a whole /64 of addresses. */
struct limit_prefix {
    uint8_t v4_bits; /* 0 to 32; usually 32 */
    uint8_t v6_bits; /* 0 to 128; usually 64 */
};

/* What is counted as one: the parts that are set, together. At least one is. */
struct limit_subject {
    const struct addr *source; /* NULL: from anywhere. All Unix sockets are one source. */
    struct limit_prefix prefix;
    struct span route;    /* data NULL: on any route */
    struct span auth;     /* data NULL: whoever it is; else the name of the [auth] section ... */
    struct span identity; /* ... and who it is there */
};

/* A number that is never 0, and different for different subjects, but for a chance of 1 in 2^64.
 * Strangers who do not know the secret cannot choose it. */
uint64_t limit_key(const uint8_t secret[SIPHASH_KEY_BYTES], const struct limit_subject *subject);

/* --- events per time ------------------------------------------------------------------------- */

/* `count` events at once, and as many again in each period, evenly: a token bucket of that size.
 * Within any period at most 2 * count events pass, and after a quiet one all of them may come
 * again. */
struct limit_rate {
    uint64_t count;     /* 0: no limit; at most LIMIT_RATE_COUNT_MAX */
    uint64_t period_ms; /* 1 to LIMIT_PERIOD_MS_MAX */
};
#define LIMIT_RATE_COUNT_MAX 1000000
#define LIMIT_PERIOD_MS_MAX ((uint64_t)31 * 24 * 3600 * 1000)

/* A word is when the bucket will be full again, in nanoseconds (the "theoretical arrival time" of
 * the GCRA, ITU-T I.371); 0 at first. The bucket is as empty as the greatest word of all writers
 * says. An event takes the word that follows on that; it may happen when this fits.
 *
 * Two writers that take the same word at once have counted two events as one. So a writer writes
 * its word, then looks at all others again: if one of them has become greater than what its own
 * word follows on, it takes a new word. Then any two events have words that are one event apart. A
 * writer whose word does not fit writes back the one it had. */
uint64_t limit_rate_next(uint64_t greatest, const struct limit_rate *rate, uint64_t now_ms);
bool limit_rate_fits(uint64_t word, const struct limit_rate *rate, uint64_t now_ms);
/* When the next event will fit, if no other comes before: milliseconds from now. */
uint64_t limit_rate_wait_ms(uint64_t greatest, const struct limit_rate *rate, uint64_t now_ms);

/* --- failures, and a pause that grows --------------------------------------------------------- */

/* After `free` failures each one brings a pause: first_ms, and twice as long each time, up to
 * most_ms. Time alone makes a failure forgotten, so that nobody clears his guesses by a login of
 * his own. */
struct limit_pause {
    uint64_t free;
    uint64_t first_ms;  /* at least 1 */
    uint64_t most_ms;   /* at least first_ms */
    uint64_t forget_ms; /* since the last failure; at least most_ms */
};

/* One writer's word; 0 at first. */
uint64_t limit_failure_add(uint64_t word, const struct limit_pause *pause, uint64_t now_ms);
/* True: the word still counts. */
bool limit_failure_lives(uint64_t word, uint64_t now_ms);

struct limit_failure_sum {
    uint64_t count;
    uint64_t last_ms;
};
void limit_failure_sum(struct limit_failure_sum *sum, uint64_t word,
                       const struct limit_pause *pause, uint64_t now_ms);
/* How long nobody may try now; 0: he may. */
uint64_t limit_pause_ms(const struct limit_failure_sum *sum, const struct limit_pause *pause,
                        uint64_t now_ms);

/* --- bytes or messages a second --------------------------------------------------------------- */

/* A token bucket. It is full at first, and `per_second` units flow into it, evenly, up to `burst`.
 * So in t seconds at most burst + t * per_second units pass, and who takes what is there before the
 * bucket is full gets all that flows in. */
struct limit_flow {
    uint64_t per_second; /* 1 to LIMIT_FLOW_MAX; 0: no limit, and no bucket */
    uint64_t burst;      /* 1 to LIMIT_FLOW_MAX */
};
#define LIMIT_FLOW_MAX ((uint64_t)1 << 40)

struct limit_bucket {
    int64_t level_milli; /* thousandths of a unit; below 0: a debt */
    uint64_t filled_ms;
};

void limit_bucket_init(struct limit_bucket *bucket, const struct limit_flow *flow, uint64_t now_ms);
/* How many units may pass now. */
uint64_t limit_bucket_room(struct limit_bucket *bucket, const struct limit_flow *flow,
                           uint64_t now_ms);
/* So many units have passed. They may be more than there was room for, because a read brings as
 * many messages as it likes: the debt makes the next ones wait. A debt ends at LIMIT_FLOW_MAX. */
void limit_bucket_take(struct limit_bucket *bucket, const struct limit_flow *flow, uint64_t units,
                       uint64_t now_ms);
/* In how many milliseconds there will be room for `units`, or for a whole burst when that is less;
 * 0: now. Who waits for a good part of the burst is not woken for each byte. */
uint64_t limit_bucket_wait_ms(struct limit_bucket *bucket, const struct limit_flow *flow,
                              uint64_t units, uint64_t now_ms);

#endif
