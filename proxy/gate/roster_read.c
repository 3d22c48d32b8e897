/* SPDX-License-Identifier: GPL-3.0-or-later */
/* roster_read.c: reading rows, and asking their workers to end sessions. */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "gate/roster_parts.h"
#include "proto/life.h"

#define READ_TRIES 100 /* the worker writes for some nanoseconds; it may have died meanwhile */

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
    if (roster_open_memory(roster) == NULL) {
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
