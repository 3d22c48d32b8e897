/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reserve: untouched static memory, from whose front each block is cut. A freed block comes
 * back when all are free. That is enough for tables that only grow by doubling: all sizes that a
 * table ever had are together less than twice its last. */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/mem_parts.h"

/* In front of each block. */
struct header {
    alignas(max_align_t) size_t size;
};

static alignas(max_align_t) uint8_t reserve[MEM_RESERVE_BYTES];
static size_t used_bytes;
static size_t live_blocks; /* in the reserve */

static bool is_reserved(const struct header *h)
{
    const uint8_t *at = (const uint8_t *)h;
    return at >= reserve && at < reserve + sizeof(reserve);
}

static struct header *cut(size_t bytes)
{
    size_t rounded = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (rounded > sizeof(reserve) - used_bytes) {
        return NULL;
    }
    struct header *h = (struct header *)(void *)(reserve + used_bytes);
    used_bytes += rounded;
    live_blocks++;
    return h;
}

static void drop(struct header *h)
{
    if (h == NULL) {
        return;
    }
    if (!is_reserved(h)) {
        free(h);
        return;
    }
    live_blocks--;
    used_bytes = live_blocks > 0 ? used_bytes : 0;
}

/* A block of another place, with the old one's content. */
static struct header *move(struct header *old, size_t size, size_t bytes)
{
    struct header *h = mem_fails_on_purpose() ? NULL : malloc(bytes);
    if (h == NULL) {
        mem_note_shortage();
        h = cut(bytes);
    }
    if (h != NULL && old != NULL) {
        memcpy(h + 1, old + 1, old->size < size ? old->size : size);
        drop(old);
    }
    return h;
}

void *mem_resize_reserved(void *ptr, size_t size)
{
    struct header *old = ptr != NULL ? (struct header *)ptr - 1 : NULL;
    struct header *h = NULL;
    size_t old_bytes = old != NULL ? sizeof(*old) + old->size : 0;
    size_t bytes = sizeof(*h) + size;

    if (size == 0) {
        mem_count(old_bytes, 0);
        drop(old);
        return NULL;
    }
    if (bytes < size || bytes > PTRDIFF_MAX) {
        return NULL;
    }
    if (old != NULL && !is_reserved(old) && !mem_fails_on_purpose()) {
        h = realloc(old, bytes);
    }
    if (h == NULL) {
        h = move(old, size, bytes);
    }
    if (h == NULL) {
        return NULL;
    }
    h->size = size;
    mem_count(old_bytes, bytes);
    return h + 1;
}
