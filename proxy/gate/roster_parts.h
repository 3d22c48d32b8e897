/* SPDX-License-Identifier: GPL-3.0-or-later */
/* roster_parts.h: what the sources of the roster share; for nobody else. */
#ifndef GATE_ROSTER_PARTS_H
#define GATE_ROSTER_PARTS_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/roster.h"
#include "gate/shared.h"

#define CHUNK_ROWS 64 /* the bits of `used` */
#define PAGE_BYTES 4096

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

/* A process takes the addresses for it when it first needs it: they may be short (RLIMIT_AS).
 * NULL: they are. */
struct memory *roster_open_memory(struct roster *roster);

static inline struct block *block_of(const struct roster *roster, size_t chunk)
{
    return (struct block *)((char *)roster->memory + roster->blocks_at) + chunk;
}

static inline struct row *row_at(const struct roster *roster, uint32_t row)
{
    assert(row > 0 && row <= roster->chunk_count * CHUNK_ROWS);
    return &block_of(roster, (row - 1) / CHUNK_ROWS)->rows[(row - 1) % CHUNK_ROWS];
}

static inline struct rest *rest_at(const struct roster *roster, uint32_t row)
{
    return &block_of(roster, (row - 1) / CHUNK_ROWS)->rests[(row - 1) % CHUNK_ROWS];
}

#endif
