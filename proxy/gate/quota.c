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
#include <sys/mman.h>
#include <unistd.h>

#include "gate/shared.h"

/* What a slot knows of a key. Only the slot's worker writes it; the key stands in `tags`. */
struct quota_row {
    _Atomic uint64_t rate;     /* a word of limit_rate_next */
    _Atomic uint64_t failures; /* a word of limit_failure_add */
    uint64_t used_ms;          /* for the slot's worker alone */
    _Atomic uint32_t held;
};

/* Behind it, for each slot: the keys, a bucket in each line of the processor's cache; 0 is no key.
 * Then a row for each of them. */
struct memory {
    struct shared_head head;
    _Atomic size_t slot_count;
    size_t keys;
    uint8_t secret[SIPHASH_KEY_BYTES];
    /* 1: the slot has had a key. Reading a page of a memory file makes it. */
    _Atomic uint8_t is_used[QUOTA_SLOTS_MAX];
} __attribute__((aligned(64)));

/* A process has its own, after the fork a copy. */
struct quota {
    int fd;
    struct memory *memory; /* the slots behind it: as many as `seen_slots` */
    size_t seen_slots;
    size_t keys;
    size_t slot_bytes;
};

_Static_assert(QUOTA_WAYS * sizeof(uint64_t) == 64, "a bucket should be a line of the cache");

#define NO_PLACE SIZE_MAX

/* --- memory ---------------------------------------------------------------------------------- */

static size_t bytes_of_slot(size_t keys)
{
    return keys * (sizeof(_Atomic uint64_t) + sizeof(struct quota_row));
}

static size_t bytes_for(size_t keys, size_t slots)
{
    return sizeof(struct memory) + slots * bytes_of_slot(keys);
}

static _Atomic uint64_t *tags_of(const struct quota *quota, size_t slot)
{
    return (_Atomic uint64_t *)((char *)(quota->memory + 1) + slot * quota->slot_bytes);
}

static struct quota_row *rows_of(const struct quota *quota, size_t slot)
{
    return (struct quota_row *)((char *)(quota->memory + 1) + slot * quota->slot_bytes +
                                quota->keys * sizeof(_Atomic uint64_t));
}

static uint64_t layout(void)
{
    uint64_t sum = shared_layout_text(SHARED_LAYOUT, "quota 1");
    const uint64_t numbers[] = {sizeof(struct memory), sizeof(struct quota_row), QUOTA_WAYS};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sum = shared_layout_number(sum, numbers[i]);
    }
    return sum;
}

size_t quota_keys_for(size_t held_max)
{
    size_t keys = QUOTA_KEYS_MIN;
    while (keys < QUOTA_KEYS_MAX && keys / 2 < held_max) {
        keys *= 2;
    }
    return keys;
}

/* Takes over the file, of which the part before the tables is mapped: those get addresses when
 * somebody looks at them. */
static struct quota *new_view(struct shared *file, size_t keys)
{
    struct quota *quota =
        mmap(NULL, sizeof(*quota), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (quota == MAP_FAILED) {
        shared_close(file);
        return NULL;
    }
    *quota = (struct quota){
        .fd = file->fd, .memory = file->memory, .keys = keys, .slot_bytes = bytes_of_slot(keys)};
    return quota;
}

static bool is_table_size(size_t keys)
{
    return keys >= QUOTA_KEYS_MIN && keys <= QUOTA_KEYS_MAX && (keys & (keys - 1)) == 0;
}

struct quota *quota_new(size_t keys, const uint8_t secret[SIPHASH_KEY_BYTES])
{
    struct shared file;
    assert(is_table_size(keys));
    if (!shared_new_part(&file, "sluice-quota", bytes_for(keys, QUOTA_SLOTS_MAX),
                         sizeof(struct memory), layout())) {
        return NULL;
    }
    struct memory *memory = file.memory;
    atomic_store(&memory->slot_count, 1);
    memory->keys = keys;
    memcpy(memory->secret, secret, SIPHASH_KEY_BYTES);
    return new_view(&file, keys);
}

struct quota *quota_open(int fd, const char **out_detail)
{
    struct shared file;
    if (!shared_open_part(&file, fd, sizeof(struct memory), layout(), out_detail)) {
        return NULL;
    }
    const struct memory *memory = file.memory;
    if (file.mapped_bytes < sizeof(*memory) || !is_table_size(memory->keys) ||
        atomic_load(&memory->slot_count) > QUOTA_SLOTS_MAX ||
        memory->head.bytes != bytes_for(memory->keys, QUOTA_SLOTS_MAX)) {
        *out_detail = "its parts do not fit together";
        shared_close(&file);
        return NULL;
    }
    *out_detail = "out of memory";
    return new_view(&file, memory->keys);
}

void quota_free(struct quota *quota)
{
    munmap(quota->memory, bytes_for(quota->keys, quota->seen_slots));
    close(quota->fd);
    munmap(quota, sizeof(*quota));
}

int quota_fd(const struct quota *quota)
{
    return quota->fd;
}

void quota_set_slots(struct quota *quota, size_t slot_count)
{
    _Atomic size_t *shared = &quota->memory->slot_count;
    size_t count = atomic_load(shared);
    assert(slot_count <= QUOTA_SLOTS_MAX);
    while (count < slot_count && !atomic_compare_exchange_weak(shared, &count, slot_count)) {
    }
}

/* Takes addresses for the slots that have come into use. False: there are none; nothing changes. */
static bool see_slots(struct quota *quota)
{
    size_t slots = atomic_load(&quota->memory->slot_count);
    if (slots <= quota->seen_slots) {
        return true;
    }
    void *memory = mremap(quota->memory, bytes_for(quota->keys, quota->seen_slots),
                          bytes_for(quota->keys, slots), MREMAP_MAYMOVE);
    if (memory == MAP_FAILED) {
        return false;
    }
    quota->memory = memory;
    quota->seen_slots = slots;
    return true;
}

bool quota_clear_slot(struct quota *quota, size_t slot)
{
    if (!see_slots(quota)) {
        return false;
    }
    if (slot >= quota->seen_slots || atomic_load(&quota->memory->is_used[slot]) == 0) {
        return true;
    }
    for (size_t i = 0; i < quota->keys; i++) {
        if (atomic_load(&tags_of(quota, slot)[i]) != 0) {
            atomic_store(&rows_of(quota, slot)[i].held, 0);
        }
    }
    return true;
}

const uint8_t *quota_secret(const struct quota *quota)
{
    return quota->memory->secret;
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
    for (size_t i = 0; i < 2 && atomic_load(&quota->memory->is_used[slot]) != 0; i++) {
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
    atomic_store(&quota->memory->is_used[slot], 1);
    /* Without a key first: a reader, or the slot's next worker, finds the key or nothing. */
    atomic_store(&tags_of(quota, slot)[place], 0);
    atomic_store(&row->rate, 0);
    atomic_store(&row->failures, 0);
    atomic_store(&tags_of(quota, slot)[place], key);
    return place;
}

static size_t find_or_make(struct quota *quota, size_t slot, uint64_t key, uint64_t now_ms)
{
    assert(key != 0);
    if (slot >= quota->seen_slots) {
        return NO_PLACE;
    }
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

/* Of the slots that this process sees. */
static uint64_t held_by(const struct quota *quota, uint64_t key)
{
    uint64_t sum = 0;
    for (size_t slot = 0; slot < quota->seen_slots; slot++) {
        struct seen seen;
        sum += read_slot(quota, slot, key, &seen) ? seen.held : 0;
    }
    return sum;
}

uint64_t quota_held(struct quota *quota, uint64_t key)
{
    return see_slots(quota) ? held_by(quota, key) : UINT64_MAX;
}

/* The greatest word of all slots but one; QUOTA_SLOTS_MAX: of all. */
static uint64_t greatest_rate(const struct quota *quota, uint64_t key, size_t but)
{
    uint64_t greatest = 0;
    for (size_t slot = 0; slot < quota->seen_slots; slot++) {
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
    bool is_limited = limits->held_max > 0 || limits->rate.count > 0;
    bool is_blind = !see_slots(quota) && is_limited;
    size_t place = is_blind ? NO_PLACE : find_or_make(quota, slot, key, now_ms);
    if (place == NO_PLACE) {
        return (struct quota_answer){.verdict = QUOTA_FULL};
    }
    struct quota_row *row = &rows_of(quota, slot)[place];
    atomic_fetch_add(&row->held, 1);
    if (limits->held_max > 0 && held_by(quota, key) > limits->held_max) {
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
    size_t place = see_slots(quota) ? find_or_make(quota, slot, key, now_ms) : NO_PLACE;
    if (place != NO_PLACE) {
        struct quota_row *row = &rows_of(quota, slot)[place];
        atomic_store(&row->failures, limit_failure_add(atomic_load(&row->failures), pause, now_ms));
    }
}

uint64_t quota_pause_ms(struct quota *quota, uint64_t key, const struct limit_pause *pause,
                        uint64_t now_ms)
{
    struct limit_failure_sum sum = {0, 0};
    (void)see_slots(quota); /* without addresses what this process sees decides */
    for (size_t slot = 0; slot < quota->seen_slots; slot++) {
        struct seen seen;
        if (read_slot(quota, slot, key, &seen)) {
            limit_failure_sum(&sum, seen.failures, pause, now_ms);
        }
    }
    return limit_pause_ms(&sum, pause, now_ms);
}
