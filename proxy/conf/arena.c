/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_BYTES 8192

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) uint8_t data[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t align = alignof(max_align_t);
    size_t need = (size + align) / align * align;
    void *place;

    if (block == NULL || block->size - block->used < need) {
        size_t bytes = need > BLOCK_BYTES ? need : BLOCK_BYTES;

        block = mem_alloc_zero(sizeof(*block) + bytes);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        block->size = bytes;
        arena->blocks = block;
    }
    place = block->data + block->used;
    block->used += need;
    return place;
}

bool arena_copy(struct arena *arena, struct span text, struct span *out)
{
    char *copy = arena_alloc(arena, text.len + 1);

    *out = (struct span){copy, copy == NULL ? 0 : text.len};
    if (copy == NULL) {
        return false;
    }
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    return true;
}

size_t arena_bytes(const struct arena *arena)
{
    size_t bytes = 0;
    for (const struct arena_block *block = arena->blocks; block != NULL; block = block->next) {
        bytes += sizeof(*block) + block->size;
    }
    return bytes;
}

void arena_done(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    arena->blocks = NULL;
    while (block != NULL) {
        struct arena_block *next = block->next;

        explicit_bzero(block->data, block->used);
        mem_free(block);
        block = next;
    }
}
