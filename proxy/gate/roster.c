/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gate/roster_parts.h"
#include "proto/life.h"

/* --- memory ---------------------------------------------------------------------------------- */

static size_t paged(size_t size)
{
    return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static uint64_t layout(void)
{
    uint64_t sum = shared_layout_text(SHARED_LAYOUT, "roster 4");
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

struct memory *roster_open_memory(struct roster *roster)
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
    if (roster_open_memory(roster) == NULL) {
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
    if (roster_open_memory(roster) == NULL) {
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
    if (roster_open_memory(w->roster) == NULL || !find_chunk(w)) {
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
    if (roster_open_memory(w->roster) == NULL) {
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
