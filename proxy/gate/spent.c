/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a token is good once. All workers look through the same slots in the same order, and put a
 * token that is not there into the first free slot. Whether a slot is free for a token follows from
 * what is in the slot and from when the token ends, and a slot that is not free never becomes free.
 * So two workers with the same token meet in one slot, and its words decide by compare-and-swap. */
#include "gate/spent.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "gate/shared.h"

#define PROBES 128 /* slots that a token may stand in; half full tables need 70 at most */

/* Ends of tokens are counted in epochs. */
#define EPOCH_S 64
#define EPOCH_BITS 24
#define EPOCH_MASK ((UINT64_C(1) << EPOCH_BITS) - 1)
/* When a token comes, those that end so many epochs before it have ended. */
#define EPOCHS_APART (SPENT_LIFE_MAX_S / EPOCH_S + 2)

/* In the order in which they are written.
 * tag: 40 bits of the token's hash, 24 of its epoch; 0: nobody was here yet.
 * state: when its window began, 32 bits of milliseconds; whether somebody has ended it, one;
 * uses besides the first, 7; the epoch, 24. With an epoch that is not the tag's, the token has not
 * been used yet. */
struct slot {
    _Atomic uint64_t tag;
    _Atomic uint64_t state;
};

#define HASH_MASK (~EPOCH_MASK)
#define STATE_ENDED (UINT64_C(1) << 31)
#define STATE_AGAIN_ONE (UINT64_C(1) << EPOCH_BITS)
#define STATE_AGAIN_MASK 0x7f
#define STATE_TIME_SHIFT 32
_Static_assert(SPENT_AGAIN_MAX <= STATE_AGAIN_MASK, "the count should fit");

struct memory {
    struct shared_head head;
    uint8_t secret[SIPHASH_KEY_BYTES];
    uint8_t reserved[32];
    struct slot slots[SPENT_SLOTS];
};
_Static_assert(sizeof(struct slot) == 16 && offsetof(struct memory, slots) % 64 == 0,
               "four slots should be a line of the cache");

/* A process has its own, after the fork a copy. */
struct spent {
    int fd;
    struct memory *memory; /* NULL: this process has not looked yet */
};

/* --- memory ---------------------------------------------------------------------------------- */

static uint64_t layout(void)
{
    uint64_t sum = shared_layout_text(SHARED_LAYOUT, "spent 1");
    const uint64_t numbers[] = {sizeof(struct memory), PROBES, EPOCH_S, EPOCHS_APART};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sum = shared_layout_number(sum, numbers[i]);
    }
    return sum;
}

static struct spent *new_spent(struct shared *file)
{
    struct spent *spent =
        mmap(NULL, sizeof(*spent), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (spent == MAP_FAILED) {
        shared_close(file);
        return NULL;
    }
    *spent = (struct spent){.fd = file->fd};
    shared_unmap(file);
    return spent;
}

struct spent *spent_new(const uint8_t secret[SIPHASH_KEY_BYTES])
{
    struct shared file;
    if (!shared_new(&file, "sluice-spent", sizeof(struct memory), layout())) {
        return NULL;
    }
    memcpy(((struct memory *)file.memory)->secret, secret, SIPHASH_KEY_BYTES);
    return new_spent(&file);
}

struct spent *spent_open(int fd, const char **out_detail)
{
    struct shared file;
    if (!shared_open(&file, fd, layout(), out_detail)) {
        return NULL;
    }
    if (((struct shared_head *)file.memory)->bytes != sizeof(struct memory)) {
        *out_detail = "its parts do not fit together";
        shared_close(&file);
        return NULL;
    }
    *out_detail = "out of memory";
    return new_spent(&file);
}

int spent_fd(const struct spent *spent)
{
    return spent->fd;
}

static struct memory *open_memory(struct spent *spent)
{
    if (spent->memory == NULL) {
        void *memory = mmap(NULL, sizeof(struct memory), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_NORESERVE, spent->fd, 0);
        if (memory == MAP_FAILED) {
            return NULL;
        }
        spent->memory = memory;
    }
    return spent->memory;
}

/* --- slots ----------------------------------------------------------------------------------- */

/* What a token is in the table. */
struct mark {
    size_t first; /* its first slot */
    uint64_t hash;
    uint64_t epoch;
};

static struct mark mark_of(const struct memory *memory, const struct spent_token *token)
{
    struct siphash h;
    siphash_begin(&h, memory->secret);
    siphash_add(&h, token->auth.data, token->auth.len);
    siphash_add(&h, "", 1); /* no name has a NUL: "a" and "bc" are not "ab" and "c" */
    siphash_add(&h, token->id.data, token->id.len);
    uint64_t hash = siphash_end(&h);
    return (struct mark){
        .first = (size_t)(hash & (SPENT_SLOTS - 1)),
        .hash = (hash & HASH_MASK) != 0 ? hash & HASH_MASK : EPOCH_MASK + 1,
        .epoch = token->ends_s / EPOCH_S & EPOCH_MASK,
    };
}

/* How many epochs later `epoch` is, modulo 34 years: from minus a half to a half of it. */
static int64_t epochs_after(uint64_t epoch, uint64_t earlier)
{
    int64_t after = (int64_t)((epoch - earlier) & EPOCH_MASK);
    return after > (int64_t)(EPOCH_MASK / 2) ? after - (int64_t)EPOCH_MASK - 1 : after;
}

static bool is_free(uint64_t tag, uint64_t epoch)
{
    return tag == 0 || epochs_after(epoch, tag & EPOCH_MASK) >= EPOCHS_APART;
}

static struct slot *slot_at(struct memory *memory, const struct mark *mark, size_t i)
{
    return &memory->slots[(mark->first + i) & (SPENT_SLOTS - 1)];
}

/* The token's slot and its tag, or NULL. Looks behind free slots too: a token whose leeway has
 * changed since its use is there under another epoch, for which other slots were free. */
static struct slot *find(struct memory *memory, const struct mark *mark, uint64_t *out_tag)
{
    for (size_t i = 0; i < PROBES; i++) {
        struct slot *slot = slot_at(memory, mark, i);
        *out_tag = atomic_load(&slot->tag);
        if (*out_tag == 0) {
            return NULL;
        }
        if ((*out_tag & HASH_MASK) == mark->hash && !is_free(*out_tag, mark->epoch)) {
            return slot;
        }
    }
    return NULL;
}

/* The first free slot, or the one that another worker has got for the token meanwhile. NULL: there
 * is no room. */
static struct slot *take(struct memory *memory, const struct mark *mark, uint64_t *out_tag)
{
    uint64_t mine = mark->hash | mark->epoch;
    for (size_t i = 0; i < PROBES; i++) {
        struct slot *slot = slot_at(memory, mark, i);
        *out_tag = atomic_load(&slot->tag);
        while (is_free(*out_tag, mark->epoch)) {
            /* When it fails, *out_tag is what another worker has put there. */
            if (atomic_compare_exchange_strong(&slot->tag, out_tag, mine)) {
                *out_tag = mine;
            }
        }
        if ((*out_tag & HASH_MASK) == mark->hash) {
            return slot;
        }
    }
    return NULL;
}

/* --- using ----------------------------------------------------------------------------------- */

static uint64_t first_state(uint64_t tag, uint64_t now_ms)
{
    return now_ms << STATE_TIME_SHIFT | (tag & EPOCH_MASK);
}

/* A worker whose turn began before what the table says counts as at the same moment. */
static uint32_t since_ms(uint64_t state, uint64_t now_ms)
{
    uint32_t since = (uint32_t)now_ms - (uint32_t)(state >> STATE_TIME_SHIFT);
    return since <= UINT32_MAX / 2 ? since : 0;
}

static uint64_t with_window(uint64_t state, uint64_t now_ms)
{
    return state + ((uint64_t)since_ms(state, now_ms) << STATE_TIME_SHIFT);
}

/* Else the state is of a token that had the slot before. */
static bool is_used(uint64_t state, uint64_t tag)
{
    return ((state ^ tag) & EPOCH_MASK) == 0 && state != 0;
}

static enum spent_verdict judge(uint64_t state, const struct spent_terms *terms, uint64_t now_ms)
{
    uint32_t again = (uint32_t)(state >> EPOCH_BITS) & STATE_AGAIN_MASK;
    if ((state & STATE_ENDED) != 0) {
        return SPENT_ENDED;
    }
    if (terms->window_ms == 0 || terms->again_max == 0) {
        return SPENT_USED;
    }
    if (since_ms(state, now_ms) > terms->window_ms) {
        return SPENT_LATE;
    }
    return again < terms->again_max ? SPENT_AGAIN : SPENT_OFTEN;
}

enum spent_verdict spent_use(struct spent *spent, const struct spent_token *token,
                             const struct spent_terms *terms, uint64_t now_s, uint64_t now_ms)
{
    struct memory *memory = open_memory(spent);
    uint64_t tag = 0;
    assert(terms->again_max <= SPENT_AGAIN_MAX);
    if (memory == NULL) {
        return SPENT_NO_MEMORY;
    }
    if (token->ends_s == 0 || token->ends_s > now_s + SPENT_LIFE_MAX_S) {
        return SPENT_LONG;
    }
    struct mark mark = mark_of(memory, token);
    struct slot *slot = find(memory, &mark, &tag);
    slot = slot != NULL ? slot : take(memory, &mark, &tag);
    if (slot == NULL) {
        return SPENT_FULL;
    }
    uint64_t state = atomic_load(&slot->state);
    for (;;) {
        bool is_first = !is_used(state, tag);
        enum spent_verdict verdict = is_first ? SPENT_FIRST : judge(state, terms, now_ms);
        if (verdict != SPENT_FIRST && verdict != SPENT_AGAIN) {
            return verdict;
        }
        /* The worker stood still for an hour, and another token has the slot. */
        if (atomic_load(&slot->tag) != tag) {
            return SPENT_USED;
        }
        uint64_t next =
            is_first ? first_state(tag, now_ms) : with_window(state, now_ms) + STATE_AGAIN_ONE;
        if (atomic_compare_exchange_strong(&slot->state, &state, next)) {
            return verdict;
        }
    }
}

/* The slot of a token that has been used, or NULL. */
static struct slot *find_used(struct spent *spent, const struct spent_token *token,
                              uint64_t *out_tag)
{
    struct memory *memory = open_memory(spent);
    if (memory == NULL) {
        return NULL;
    }
    struct mark mark = mark_of(memory, token);
    return find(memory, &mark, out_tag);
}

void spent_leave(struct spent *spent, const struct spent_token *token, uint64_t now_ms)
{
    uint64_t tag = 0;
    struct slot *slot = find_used(spent, token, &tag);
    if (slot == NULL) {
        return;
    }
    uint64_t state = atomic_load(&slot->state);
    while (is_used(state, tag) &&
           !atomic_compare_exchange_strong(&slot->state, &state, with_window(state, now_ms))) {
    }
}

void spent_end(struct spent *spent, const struct spent_token *token)
{
    uint64_t tag = 0;
    struct slot *slot = find_used(spent, token, &tag);
    if (slot == NULL) {
        return;
    }
    uint64_t state = atomic_load(&slot->state);
    while (is_used(state, tag) &&
           !atomic_compare_exchange_strong(&slot->state, &state, state | STATE_ENDED)) {
    }
}

const char *spent_detail(enum spent_verdict verdict)
{
    switch (verdict) {
    case SPENT_FIRST:
    case SPENT_AGAIN:
        return "the token may be used";
    case SPENT_USED:
        return "the token is good once, and has been used";
    case SPENT_LATE:
        return "the token has been used, and its reconnect_window has passed";
    case SPENT_OFTEN:
        return "the token has been used as often as reconnect_max says";
    case SPENT_ENDED:
        return "somebody has ended the session of this single-use token";
    case SPENT_LONG:
        return "a single-use token ends later than a single-use token may";
    case SPENT_FULL:
        return "too many single-use tokens have been used within the last hour";
    case SPENT_NO_MEMORY:
        return "out of memory";
    }
    return "";
}
