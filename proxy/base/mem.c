/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem_parts.h"

#define ENOUGH_BYTES ((size_t)1024 * 1024) /* so much must be free for the need to be over */

static size_t live_blocks;
static size_t live_bytes; /* only with limit_fn */
static size_t limit_bytes;
static mem_limit_fn *limit_fn; /* NULL: nobody counts bytes */
static void *limit_owner;
static bool is_short;
static mem_short_fn *short_fn;
static void *short_owner;
static uint64_t fail_countdown; /* 0 = never, 1 = the next allocation and all later ones fail */

static bool is_failing_now(void)
{
    if (fail_countdown > 1) {
        fail_countdown--;
        return false;
    }
    return fail_countdown == 1;
}

bool mem_fails_on_purpose(void)
{
    return fail_countdown == 1;
}

void mem_note_shortage(void)
{
    is_short = true;
    if (short_fn != NULL) {
        short_fn(short_owner);
    }
}

bool mem_is_short(void)
{
    return is_short;
}

void mem_on_short(mem_short_fn *fn, void *owner)
{
    short_fn = fn;
    short_owner = owner;
}

bool mem_recover(void)
{
    mem_trim();
    void *probe = mem_fails_on_purpose() ? NULL : malloc(ENOUGH_BYTES);
    is_short = probe == NULL;
    free(probe);
    return !is_short;
}

/* What was allocated before the count began is in it only by the system's word. */
void mem_count(size_t bytes_less, size_t bytes_more)
{
    if (limit_fn == NULL) {
        return;
    }
    live_bytes = (live_bytes > bytes_less ? live_bytes - bytes_less : 0) + bytes_more;
    if (live_bytes > limit_bytes && bytes_more > bytes_less) {
        limit_fn(limit_owner);
    }
}

static void *count_new(void *block)
{
    if (block != NULL) {
        live_blocks++;
        if (limit_fn != NULL) {
            mem_count(0, malloc_usable_size(block));
        }
    } else {
        mem_note_shortage();
    }
    return block;
}

void mem_trim(void)
{
    malloc_trim(0);
}

void *mem_alloc(size_t size)
{
    assert(size > 0);
    return count_new(is_failing_now() ? NULL : malloc(size));
}

void *mem_alloc_zero(size_t size)
{
    assert(size > 0);
    return count_new(is_failing_now() ? NULL : calloc(1, size));
}

void *mem_resize(void *ptr, size_t size)
{
    assert(size > 0);
    if (ptr == NULL) {
        return mem_alloc(size);
    }
    size_t before = limit_fn != NULL ? malloc_usable_size(ptr) : 0;
    void *block = is_failing_now() ? NULL : realloc(ptr, size);
    if (block == NULL) {
        mem_note_shortage();
        return NULL;
    }
    if (limit_fn != NULL) {
        mem_count(before, malloc_usable_size(block));
    }
    return block;
}

void mem_free(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    assert(live_blocks > 0);
    live_blocks--;
    if (limit_fn != NULL) {
        mem_count(malloc_usable_size(ptr), 0);
    }
    free(ptr);
}

char *mem_copy_str(struct span s)
{
    char *copy = s.len == SIZE_MAX ? NULL : mem_alloc(s.len + 1);
    if (copy == NULL) {
        return NULL;
    }
    if (s.len > 0) {
        memcpy(copy, s.data, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}

size_t mem_live_blocks(void)
{
    return live_blocks;
}

static size_t bytes_by_the_system(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

size_t mem_live_bytes(void)
{
    return limit_fn != NULL ? live_bytes : bytes_by_the_system();
}

void mem_on_limit(size_t bytes, mem_limit_fn *fn, void *owner)
{
    if (limit_fn == NULL) {
        live_bytes = bytes_by_the_system();
    }
    limit_bytes = bytes;
    limit_fn = fn;
    limit_owner = owner;
}

void mem_fail_after(uint64_t n)
{
    fail_countdown = n;
}
