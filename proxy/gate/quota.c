/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why limits are exact. A worker writes its own row, then reads the rows of all slots; both are
 * sequentially consistent. Of two workers the one that writes last sees what the other has written.
 * What a reader might miss is a key that its worker puts into the table meanwhile: then that worker
 * writes later, and sees the reader. A row that holds something never moves and never changes its
 * key. */
#include "gate/quota.h"

#include <assert.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

/* What a slot knows of a key. Only the slot's worker writes it; the key stands in `tags`. */
struct quota_row {
    _Atomic uint64_t rate;     /* a word of limit_rate_next */
    _Atomic uint64_t failures; /* a word of limit_failure_add */
    uint64_t used_ms;          /* for the slot's worker alone */
    _Atomic uint32_t held;
};

/* Behind it, for each slot: the keys, a bucket in each line of the processor's cache; 0 is no key.
 * Then a row for each of them. */
struct quota {
    _Atomic size_t slot_count;
    size_t slots_max;
    size_t keys;
    size_t slot_bytes;
    uint8_t secret[SIPHASH_KEY_BYTES];
} __attribute__((aligned(64)));

_Static_assert(QUOTA_WAYS * sizeof(uint64_t) == 64, "a bucket should be a line of the cache");

#define NO_PLACE SIZE_MAX

static size_t bytes_of_slot(size_t keys)
{
    return keys * (sizeof(_Atomic uint64_t) + sizeof(struct quota_row));
}

static _Atomic uint64_t *tags_of(const struct quota *quota, size_t slot)
{
    return (_Atomic uint64_t *)((char *)(uintptr_t)(quota + 1) + slot * quota->slot_bytes);
}

static struct quota_row *rows_of(const struct quota *quota, size_t slot)
{
    return (struct quota_row *)((char *)(uintptr_t)(quota + 1) + slot * quota->slot_bytes +
                                quota->keys * sizeof(_Atomic uint64_t));
}

size_t quota_keys_for(size_t held_max)
{
    size_t keys = QUOTA_KEYS_MIN;
    while (keys < QUOTA_KEYS_MAX && keys / 2 < held_max) {
        keys *= 2;
    }
    return keys;
}

size_t quota_bytes(size_t keys, size_t slots_max)
{
    assert(slots_max > 0 && slots_max <= QUOTA_SLOTS_MAX);
    return sizeof(struct quota) + slots_max * bytes_of_slot(keys);
}

struct quota *quota_init(void *memory, size_t keys, size_t slots_max,
                         const uint8_t secret[SIPHASH_KEY_BYTES])
{
    struct quota *quota = memory;
    assert(keys >= QUOTA_KEYS_MIN && keys <= QUOTA_KEYS_MAX && (keys & (keys - 1)) == 0);
    assert(slots_max > 0 && slots_max <= QUOTA_SLOTS_MAX);
    assert((uintptr_t)memory % 64 == 0);
    atomic_store(&quota->slot_count, 1);
    quota->slots_max = slots_max;
    quota->keys = keys;
    quota->slot_bytes = bytes_of_slot(keys);
    memcpy(quota->secret, secret, SIPHASH_KEY_BYTES);
    return quota;
}

void quota_set_slots(struct quota *quota, size_t slot_count)
{
    assert(slot_count >= quota->slot_count && slot_count <= quota->slots_max);
    atomic_store(&quota->slot_count, slot_count);
}

void quota_clear_slot(struct quota *quota, size_t slot)
{
    struct quota_row *rows = rows_of(quota, slot);
    assert(slot < quota->slot_count);
    for (size_t i = 0; i < quota->keys; i++) {
        /* A page that nobody has touched stays untouched. */
        if (atomic_load(&rows[i].held) != 0) {
            atomic_store(&rows[i].held, 0);
        }
    }
}

const uint8_t *quota_secret(const struct quota *quota)
{
    return quota->secret;
}

/* --- places ---------------------------------------------------------------------------------- */

/* The first places of the two buckets of a key; they may be one. */
struct pair {
    size_t first[2];
};

static struct pair buckets_of(const struct quota *quota, uint64_t key)
{
    size_t mask = quota->keys / QUOTA_WAYS - 1;
    return (struct pair){{(key & mask) * QUOTA_WAYS, (key >> 32 & mask) * QUOTA_WAYS}};
}

static size_t find(const struct quota *quota, size_t slot, uint64_t key)
{
    const _Atomic uint64_t *tags = tags_of(quota, slot);
    struct pair pair = buckets_of(quota, key);
    for (size_t i = 0; i < 2; i++) {
        for (size_t place = pair.first[i]; place < pair.first[i] + QUOTA_WAYS; place++) {
            if (atomic_load(&tags[place]) == key) {
                return place;
            }
        }
    }
    return NO_PLACE;
}

/* What a bucket can offer to a new key. */
struct offer {
    size_t place; /* NO_PLACE: none */
    unsigned cost;
    uint64_t used_ms;
};

/* What it costs when the key of a place goes. Each key of the bucket that holds something adds to
 * it, so that no bucket fills up while others have room. Random keys then find a place until 69 %
 * of all places hold something (measured: 60 tables of 262,144 places); with 1 instead of 2 only
 * until 60 %. */
enum { COST_FREE = 0, COST_IDLE = 1, COST_FAILED = 4, COST_BUSY = 2 };

static unsigned cost_of(uint64_t tag, const struct quota_row *row, uint64_t now_ms)
{
    if (tag == 0) {
        return COST_FREE;
    }
    return limit_failure_lives(atomic_load(&row->failures), now_ms) ? COST_FAILED : COST_IDLE;
}

static struct offer look(const struct quota *quota, size_t slot, size_t first, uint64_t now_ms)
{
    const _Atomic uint64_t *tags = tags_of(quota, slot);
    const struct quota_row *rows = rows_of(quota, slot);
    struct offer best = {.place = NO_PLACE, .cost = UINT_MAX};
    unsigned busy = 0;
    for (size_t place = first; place < first + QUOTA_WAYS; place++) {
        const struct quota_row *row = &rows[place];
        if (atomic_load(&row->held) > 0) {
            busy++;
            continue;
        }
        unsigned cost = cost_of(atomic_load(&tags[place]), row, now_ms);
        if (cost < best.cost || (cost == best.cost && row->used_ms < best.used_ms)) {
            best = (struct offer){.place = place, .cost = cost, .used_ms = row->used_ms};
        }
    }
    best.cost += best.place == NO_PLACE ? 0 : COST_BUSY * busy;
    return best;
}

static bool is_better(const struct offer *a, const struct offer *b)
{
    return a->cost != b->cost ? a->cost < b->cost : a->used_ms < b->used_ms;
}

static size_t make(struct quota *quota, size_t slot, uint64_t key, uint64_t now_ms)
{
    struct pair pair = buckets_of(quota, key);
    struct offer one = look(quota, slot, pair.first[0], now_ms);
    struct offer other = look(quota, slot, pair.first[1], now_ms);
    size_t place = is_better(&other, &one) ? other.place : one.place;
    if (place == NO_PLACE) {
        return NO_PLACE;
    }
    struct quota_row *row = &rows_of(quota, slot)[place];
    /* Without a key first: a reader, or the slot's next worker, finds the key or nothing. */
    atomic_store(&tags_of(quota, slot)[place], 0);
    atomic_store(&row->rate, 0);
    atomic_store(&row->failures, 0);
    atomic_store(&tags_of(quota, slot)[place], key);
    return place;
}

static size_t find_or_make(struct quota *quota, size_t slot, uint64_t key, uint64_t now_ms)
{
    assert(slot < quota->slot_count && key != 0);
    size_t place = find(quota, slot, key);
    if (place == NO_PLACE) {
        place = make(quota, slot, key, now_ms);
    }
    if (place != NO_PLACE) {
        rows_of(quota, slot)[place].used_ms = now_ms;
    }
    return place;
}

/* --- sums ------------------------------------------------------------------------------------ */

struct seen {
    uint64_t held;
    uint64_t rate;
    uint64_t failures;
};

/* What one slot says of a key. False: nothing. */
static bool read_slot(const struct quota *quota, size_t slot, uint64_t key, struct seen *out)
{
    size_t place = find(quota, slot, key);
    if (place == NO_PLACE) {
        return false;
    }
    const struct quota_row *row = &rows_of(quota, slot)[place];
    out->held = atomic_load(&row->held);
    out->rate = atomic_load(&row->rate);
    out->failures = atomic_load(&row->failures);
    /* The row has got another key meanwhile: then this one was idle. */
    return atomic_load(&tags_of(quota, slot)[place]) == key;
}

static size_t slots_in_use(const struct quota *quota)
{
    return atomic_load_explicit(&quota->slot_count, memory_order_relaxed);
}

uint64_t quota_held(const struct quota *quota, uint64_t key)
{
    uint64_t sum = 0;
    for (size_t slot = 0; slot < slots_in_use(quota); slot++) {
        struct seen seen;
        sum += read_slot(quota, slot, key, &seen) ? seen.held : 0;
    }
    return sum;
}

/* The greatest word of all slots but one; QUOTA_SLOTS_MAX: of all. */
static uint64_t greatest_rate(const struct quota *quota, uint64_t key, size_t but)
{
    uint64_t greatest = 0;
    for (size_t slot = 0; slot < slots_in_use(quota); slot++) {
        struct seen seen;
        if (slot != but && read_slot(quota, slot, key, &seen) && seen.rate > greatest) {
            greatest = seen.rate;
        }
    }
    return greatest;
}

/* --- taking and giving ----------------------------------------------------------------------- */

/* Workers that take words at the same moment make each other take new ones. After so many the
 * worker gives up. */
#define RATE_TRIES 16

/* Counts one event (limit_rate_next says how), or nothing. */
static struct quota_answer count_event(struct quota *quota, size_t slot, struct quota_row *row,
                                       uint64_t key, const struct limit_rate *rate, uint64_t now_ms)
{
    uint64_t before = atomic_load(&row->rate);
    uint64_t greatest = greatest_rate(quota, key, QUOTA_SLOTS_MAX);
    for (int i = 0; i < RATE_TRIES; i++) {
        uint64_t word = limit_rate_next(greatest, rate, now_ms);
        if (!limit_rate_fits(word, rate, now_ms)) {
            break;
        }
        atomic_store(&row->rate, word);
        uint64_t others = greatest_rate(quota, key, slot);
        if (others <= greatest) {
            return (struct quota_answer){.verdict = QUOTA_OK};
        }
        greatest = others;
    }
    atomic_store(&row->rate, before);
    uint64_t wait_ms = limit_rate_wait_ms(greatest, rate, now_ms);
    return (struct quota_answer){.verdict = QUOTA_OFTEN, .wait_ms = wait_ms > 0 ? wait_ms : 1};
}

struct quota_answer quota_take(struct quota *quota, size_t slot, uint64_t key,
                               const struct quota_limits *limits, uint64_t now_ms,
                               struct quota_hold *hold)
{
    struct quota_answer answer = {.verdict = QUOTA_OK};
    assert(hold->place == 0);
    size_t place = find_or_make(quota, slot, key, now_ms);
    if (place == NO_PLACE) {
        return (struct quota_answer){.verdict = QUOTA_FULL};
    }
    struct quota_row *row = &rows_of(quota, slot)[place];
    atomic_fetch_add(&row->held, 1);
    if (limits->held_max > 0 && quota_held(quota, key) > limits->held_max) {
        answer.verdict = QUOTA_HELD;
    } else if (limits->rate.count > 0) {
        answer = count_event(quota, slot, row, key, &limits->rate, now_ms);
    }
    if (answer.verdict == QUOTA_OK) {
        hold->place = (uint32_t)place + 1;
    } else {
        atomic_fetch_sub(&row->held, 1);
    }
    return answer;
}

void quota_give(struct quota *quota, size_t slot, struct quota_hold *hold)
{
    if (hold->place != 0) {
        struct quota_row *row = &rows_of(quota, slot)[hold->place - 1];
        assert(atomic_load(&row->held) > 0);
        atomic_fetch_sub(&row->held, 1);
        hold->place = 0;
    }
}

/* --- failures -------------------------------------------------------------------------------- */

void quota_fail(struct quota *quota, size_t slot, uint64_t key, const struct limit_pause *pause,
                uint64_t now_ms)
{
    size_t place = find_or_make(quota, slot, key, now_ms);
    if (place != NO_PLACE) {
        struct quota_row *row = &rows_of(quota, slot)[place];
        atomic_store(&row->failures, limit_failure_add(atomic_load(&row->failures), pause, now_ms));
    }
}

uint64_t quota_pause_ms(const struct quota *quota, uint64_t key, const struct limit_pause *pause,
                        uint64_t now_ms)
{
    struct limit_failure_sum sum = {0, 0};
    for (size_t slot = 0; slot < slots_in_use(quota); slot++) {
        struct seen seen;
        if (read_slot(quota, slot, key, &seen)) {
            limit_failure_sum(&sum, seen.failures, pause, now_ms);
        }
    }
    return limit_pause_ms(&sum, pause, now_ms);
}
