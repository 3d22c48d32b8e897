/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/roster.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gate/shared.h"
#include "proto/life.h"

#define CHUNK_ROWS 64 /* the bits of `used` */
#define PAGE_BYTES 4096
#define READ_TRIES 100 /* the worker writes for some nanoseconds; it may have died meanwhile */

#define WORDS(type_) (sizeof(struct type_) / sizeof(uint64_t))
_Static_assert(sizeof(struct roster_live) % sizeof(uint64_t) == 0, "whole words");
_Static_assert(sizeof(struct roster_party) % sizeof(uint64_t) == 0, "whole words");

/* A row has the first words of its party; the rest, of which most rows have none, stands in pages
 * of its own. */
#define PARTY_WORDS 30
#define REST_WORDS (WORDS(roster_party) - PARTY_WORDS)

struct row {
    _Atomic uint64_t version;  /* a count of writes, in steps of VERSION_STEP, and two bits */
    _Atomic uint64_t unwanted; /* 1 + the number of the session that somebody wants to end */
    _Atomic uint64_t live[WORDS(roster_live)];
    _Atomic uint64_t party[PARTY_WORDS];
};
#define VERSION_WRITING UINT64_C(1)  /* the worker writes */
#define VERSION_HAS_REST UINT64_C(2) /* else the rest is zeros, and nobody may read it */
#define VERSION_STEP UINT64_C(4)

struct rest {
    _Atomic uint64_t words[REST_WORDS];
};

/* The rows of a chunk. */
struct block {
    struct row rows[CHUNK_ROWS];
    struct rest rests[CHUNK_ROWS];
};
_Static_assert(offsetof(struct block, rests) % PAGE_BYTES == 0, "rests have pages of their own");
_Static_assert(sizeof(struct block) % PAGE_BYTES == 0, "a block is whole pages");

/* The rows of a chunk exist once somebody owns it. */
struct chunk {
    _Atomic uint64_t used;     /* a bit for each row; the owner's */
    _Atomic uint32_t owner;    /* 1 + its slot; 0 = free */
    _Atomic uint32_t is_dirty; /* it has memory */
};

/* What all processes share: the blocks begin at `blocks_at` bytes. */
struct memory {
    struct shared_head head;
    uint8_t secret[SIPHASH_KEY_BYTES];
    _Atomic uint32_t wishes[ROSTER_SLOTS_MAX];
    struct chunk chunks[];
};

/* A process has its own, after the fork a copy. */
struct roster {
    int fd;
    size_t size;
    size_t chunk_count;
    size_t blocks_at;
    struct memory *memory; /* NULL: this process has not looked yet */
};

/* --- memory ---------------------------------------------------------------------------------- */

static size_t paged(size_t size)
{
    return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static uint64_t layout(void)
{
    uint64_t sum = shared_layout_text(SHARED_LAYOUT, "roster 3");
    const uint64_t numbers[] = {sizeof(struct memory), sizeof(struct chunk), sizeof(struct row),
                                sizeof(struct block), LIFE_DEAD};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sum = shared_layout_number(sum, numbers[i]);
    }
    return sum;
}

static size_t blocks_at(size_t chunks)
{
    return paged(sizeof(struct memory) + chunks * sizeof(struct chunk));
}

static size_t size_for(size_t chunks)
{
    return blocks_at(chunks) + chunks * sizeof(struct block);
}

static struct roster *new_roster(struct shared *file, size_t chunks)
{
    struct roster *roster =
        mmap(NULL, sizeof(*roster), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (roster == MAP_FAILED) {
        shared_close(file);
        return NULL;
    }
    *roster = (struct roster){.fd = file->fd,
                              .size = size_for(chunks),
                              .chunk_count = chunks,
                              .blocks_at = blocks_at(chunks)};
    shared_unmap(file);
    return roster;
}

struct roster *roster_new(const struct config *config, const uint8_t secret[SIPHASH_KEY_BYTES])
{
    uint64_t connections = config->max_sessions + config->max_pending;
    /* Each worker may have a chunk with few rows. */
    size_t chunks = (size_t)(2 * connections / CHUNK_ROWS) + 2 * (size_t)config->workers + 1;
    struct shared file;
    if (!shared_new(&file, "sluice-roster", size_for(chunks), layout())) {
        return NULL;
    }
    memcpy(((struct memory *)file.memory)->secret, secret, SIPHASH_KEY_BYTES);
    return new_roster(&file, chunks);
}

struct roster *roster_open(int fd, const char **out_detail)
{
    struct shared file;
    if (!shared_open(&file, fd, layout(), out_detail)) {
        return NULL;
    }
    size_t bytes = ((struct shared_head *)file.memory)->bytes;
    size_t chunks = bytes / (sizeof(struct chunk) + sizeof(struct block)) + 1;
    while (chunks > 0 && size_for(chunks) > bytes) {
        chunks--;
    }
    if (chunks == 0 || size_for(chunks) != bytes) {
        *out_detail = "its parts do not fit together";
        shared_close(&file);
        return NULL;
    }
    *out_detail = "out of memory";
    return new_roster(&file, chunks);
}

int roster_fd(const struct roster *roster)
{
    return roster->fd;
}

/* A process takes the addresses for it when it first needs it: they may be short (RLIMIT_AS). */
static struct memory *open_memory(struct roster *roster)
{
    if (roster->memory == NULL) {
        void *memory = mmap(NULL, roster->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                            roster->fd, 0);
        if (memory == MAP_FAILED) {
            return NULL;
        }
        roster->memory = memory;
    }
    return roster->memory;
}

static struct block *block_of(const struct roster *roster, size_t chunk)
{
    return (struct block *)((char *)roster->memory + roster->blocks_at) + chunk;
}

static struct row *row_at(const struct roster *roster, uint32_t row)
{
    assert(row > 0 && row <= roster->chunk_count * CHUNK_ROWS);
    return &block_of(roster, (row - 1) / CHUNK_ROWS)->rows[(row - 1) % CHUNK_ROWS];
}

static struct rest *rest_at(const struct roster *roster, uint32_t row)
{
    return &block_of(roster, (row - 1) / CHUNK_ROWS)->rests[(row - 1) % CHUNK_ROWS];
}

uint32_t roster_size(const struct roster *roster)
{
    return (uint32_t)(roster->chunk_count * CHUNK_ROWS);
}

static bool own(struct chunk *chunk, uint32_t owner)
{
    uint32_t nobody = 0;
    return atomic_load_explicit(&chunk->owner, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong(&chunk->owner, &nobody, owner);
}

static void disown(struct chunk *chunk)
{
    atomic_store_explicit(&chunk->owner, 0, memory_order_release);
}

void roster_clear_slot(struct roster *roster, size_t slot)
{
    if (open_memory(roster) == NULL) {
        return;
    }
    for (size_t i = 0; i < roster->chunk_count; i++) {
        struct chunk *chunk = &roster->memory->chunks[i];
        if (atomic_load(&chunk->owner) != slot + 1) {
            continue;
        }
        atomic_store(&chunk->used, 0);
        for (size_t k = 0; k < CHUNK_ROWS; k++) {
            /* The worker may have died while it wrote. */
            atomic_store(&block_of(roster, i)->rows[k].version, 0);
        }
        disown(chunk);
    }
    atomic_store(&roster->memory->wishes[slot], 0);
}

/* --- names ----------------------------------------------------------------------------------- */

static uint64_t number_of(struct siphash h)
{
    uint64_t number = siphash_end(&h);
    return number != 0 ? number : 1;
}

struct roster_who roster_who(struct roster *roster, struct span auth, struct span subject)
{
    struct siphash h;
    struct roster_who who = {.subject = 1, .login = 1};
    if (open_memory(roster) == NULL) {
        return who; /* there are no rows either */
    }
    siphash_begin(&h, roster->memory->secret);
    siphash_add(&h, subject.data, subject.len);
    who.subject = number_of(h);
    /* The length of the section's name ends the text: no two pairs of names make the same. */
    siphash_add(&h, auth.data, auth.len);
    siphash_add(&h, &auth.len, sizeof(auth.len));
    who.login = number_of(h);
    return who;
}

bool roster_is_of(const struct roster_who *row, const struct roster_who *wanted)
{
    return (wanted->subject == 0 || row->subject == wanted->subject) &&
           (wanted->login == 0 || row->login == wanted->login);
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_words(_Atomic uint64_t *to, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, (const char *)from + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&to[i], word, memory_order_relaxed);
    }
}

/* Behind it a reader of what is written sees the bit, too. Returns the version before. */
static uint64_t begin_write(struct row *row)
{
    uint64_t version = atomic_load_explicit(&row->version, memory_order_relaxed);
    atomic_store_explicit(&row->version, version | VERSION_WRITING, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    return version;
}

static void end_write(struct row *row, uint64_t before, uint64_t has_rest)
{
    uint64_t count = before / VERSION_STEP + 1;
    atomic_store_explicit(&row->version, count * VERSION_STEP | has_rest, memory_order_release);
}

void roster_put_live(struct roster_writer *w, uint32_t row, const struct roster_live *live)
{
    struct row *r = row_at(w->roster, row);
    uint64_t before = begin_write(r);
    write_words(r->live, live, WORDS(roster_live));
    end_write(r, before, before & VERSION_HAS_REST);
}

static const char *rest_of(const struct roster_party *party)
{
    return (const char *)party + PARTY_WORDS * sizeof(uint64_t);
}

static bool has_rest(const struct roster_party *party)
{
    static const char zeros[REST_WORDS * sizeof(uint64_t)];
    return memcmp(rest_of(party), zeros, sizeof(zeros)) != 0;
}

void roster_put(struct roster_writer *w, uint32_t row, const struct roster_entry *entry)
{
    struct row *r = row_at(w->roster, row);
    bool is_long = has_rest(&entry->party);
    uint64_t before = begin_write(r);
    write_words(r->live, &entry->live, WORDS(roster_live));
    write_words(r->party, &entry->party, PARTY_WORDS);
    if (is_long) {
        write_words(rest_at(w->roster, row)->words, rest_of(&entry->party), REST_WORDS);
    }
    end_write(r, before, is_long ? VERSION_HAS_REST : 0);
}

/* False: the chunk is another's, or full. */
static bool has_room(const struct roster_writer *w, size_t i)
{
    const struct chunk *chunk = &w->roster->memory->chunks[i];
    return atomic_load_explicit(&chunk->owner, memory_order_relaxed) == w->slot + 1 &&
           atomic_load_explicit(&chunk->used, memory_order_relaxed) != UINT64_MAX;
}

/* The chunk that had room last, else any of its own with room, else a free one. */
static bool find_chunk(struct roster_writer *w)
{
    struct roster *roster = w->roster;
    size_t start = w->at;
    for (size_t i = 0; i < roster->chunk_count; i++) {
        w->at = (start + i) % roster->chunk_count;
        if (has_room(w, w->at)) {
            return true;
        }
    }
    for (size_t i = 0; i < roster->chunk_count; i++) {
        if (own(&roster->memory->chunks[i], (uint32_t)w->slot + 1)) {
            w->at = i;
            return true;
        }
    }
    return false;
}

uint32_t roster_take(struct roster_writer *w, const struct roster_entry *entry)
{
    if (open_memory(w->roster) == NULL || !find_chunk(w)) {
        return 0;
    }
    struct chunk *chunk = &w->roster->memory->chunks[w->at];
    uint64_t used = atomic_load_explicit(&chunk->used, memory_order_relaxed);
    unsigned bit = (unsigned)__builtin_ctzll(~used);
    uint32_t row = (uint32_t)(w->at * CHUNK_ROWS + bit + 1);
    atomic_store_explicit(&chunk->is_dirty, 1, memory_order_relaxed);
    atomic_store_explicit(&row_at(w->roster, row)->unwanted, 0, memory_order_relaxed);
    roster_put(w, row, entry);
    atomic_store_explicit(&chunk->used, used | UINT64_C(1) << bit, memory_order_release);
    return row;
}

void roster_give_back(struct roster_writer *w, uint32_t row)
{
    size_t i = (row - 1) / CHUNK_ROWS;
    struct chunk *chunk = &w->roster->memory->chunks[i];
    uint64_t used = atomic_load_explicit(&chunk->used, memory_order_relaxed) &
                    ~(UINT64_C(1) << (row - 1) % CHUNK_ROWS);
    atomic_store_explicit(&chunk->used, used, memory_order_release);
    w->at = i;
    if (used == 0) {
        disown(chunk);
    }
}

void roster_trim(struct roster_writer *w)
{
    for (size_t i = 0; w->roster->memory != NULL && i < w->roster->chunk_count; i++) {
        struct chunk *chunk = &w->roster->memory->chunks[i];
        if (atomic_load_explicit(&chunk->is_dirty, memory_order_relaxed) == 0 ||
            !own(chunk, (uint32_t)w->slot + 1)) {
            continue;
        }
        (void)madvise(block_of(w->roster, i), sizeof(struct block), MADV_REMOVE);
        atomic_store_explicit(&chunk->is_dirty, 0, memory_order_relaxed);
        disown(chunk);
    }
}

/* --- ends ------------------------------------------------------------------------------------ */

bool roster_take_wishes(struct roster_writer *w)
{
    if (open_memory(w->roster) == NULL) {
        return false;
    }
    _Atomic uint32_t *wishes = &w->roster->memory->wishes[w->slot];
    return atomic_load_explicit(wishes, memory_order_relaxed) != 0 &&
           atomic_exchange(wishes, 0) != 0;
}

bool roster_is_unwanted(const struct roster_writer *w, uint32_t row, uint64_t number)
{
    return atomic_load(&row_at(w->roster, row)->unwanted) == number + 1;
}

/* --- reading --------------------------------------------------------------------------------- */

static void read_words(void *to, const _Atomic uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_relaxed);
        memcpy((char *)to + i * sizeof(word), &word, sizeof(word));
    }
}

/* Whatever a worker wrote there. */
static void end_texts(struct roster_party *party)
{
    party->listen[sizeof(party->listen) - 1] = '\0';
    party->route[sizeof(party->route) - 1] = '\0';
    party->backend[sizeof(party->backend) - 1] = '\0';
    party->identity[sizeof(party->identity) - 1] = '\0';
}

/* False: the row is being written all the time, or nobody has written it yet. */
static bool read_row(const struct roster *roster, uint32_t number, struct roster_entry *out)
{
    const struct row *row = row_at(roster, number);
    for (int i = 0; i < READ_TRIES; i++) {
        uint64_t before = atomic_load_explicit(&row->version, memory_order_acquire);
        char *rest = (char *)&out->party + PARTY_WORDS * sizeof(uint64_t);
        read_words(&out->live, row->live, WORDS(roster_live));
        read_words(&out->party, row->party, PARTY_WORDS);
        memset(rest, 0, REST_WORDS * sizeof(uint64_t));
        if ((before & VERSION_HAS_REST) != 0) {
            read_words(rest, rest_at(roster, number)->words, REST_WORDS);
        }
        atomic_thread_fence(memory_order_acquire);
        if ((before & VERSION_WRITING) == 0 &&
            atomic_load_explicit(&row->version, memory_order_relaxed) == before) {
            end_texts(&out->party);
            return out->party.started_ms != 0;
        }
    }
    return false;
}

/* The rows of the chunk in use from `first` on, as bits; 0 = none, and nothing may be read. */
static uint64_t used_from(const struct chunk *chunk, unsigned first)
{
    if (atomic_load_explicit(&chunk->owner, memory_order_acquire) == 0) {
        return 0;
    }
    return atomic_load_explicit(&chunk->used, memory_order_acquire) & UINT64_MAX << first;
}

uint32_t roster_next(struct roster *roster, uint32_t after, struct roster_entry *out)
{
    if (open_memory(roster) == NULL) {
        return 0;
    }
    unsigned first = after % CHUNK_ROWS;
    for (size_t i = after / CHUNK_ROWS; i < roster->chunk_count; i++, first = 0) {
        for (uint64_t used = used_from(&roster->memory->chunks[i], first); used != 0;
             used &= used - 1) {
            uint32_t row = (uint32_t)(i * CHUNK_ROWS + (unsigned)__builtin_ctzll(used) + 1);
            if (read_row(roster, row, out)) {
                return row;
            }
        }
    }
    return 0;
}

static void want_end(struct roster *roster, uint32_t row, const struct roster_party *party)
{
    atomic_store(&row_at(roster, row)->unwanted, party->number + 1);
    atomic_store(&roster->memory->wishes[party->slot], 1);
}

bool roster_ask_to_end(struct roster *roster, size_t slot, uint64_t number)
{
    struct roster_entry entry;
    uint32_t row = roster_next(roster, 0, &entry);
    while (row != 0 && (entry.party.slot != slot || entry.party.number != number)) {
        row = roster_next(roster, row, &entry);
    }
    if (row == 0 || slot >= ROSTER_SLOTS_MAX) {
        return false;
    }
    want_end(roster, row, &entry.party);
    return true;
}

size_t roster_ask_to_end_all(struct roster *roster, const struct roster_who *wanted,
                             struct roster_entry *out)
{
    struct roster_entry entry;
    size_t count = 0;

    assert(wanted->subject != 0 || wanted->login != 0);
    for (uint32_t row = roster_next(roster, 0, &entry); row != 0;
         row = roster_next(roster, row, &entry)) {
        if (roster_is_of(&entry.party.who, wanted) && entry.party.slot < ROSTER_SLOTS_MAX &&
            entry.live.phase < LIFE_CLOSING) {
            want_end(roster, row, &entry.party);
            *out = entry;
            count++;
        }
    }
    return count;
}
