/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static size_t live_blocks;
static uint64_t fail_countdown; /* 0 = never, 1 = the next allocation and all later ones fail */

static bool is_failing_now(void)
{
    if (fail_countdown > 1) {
        fail_countdown--;
        return false;
    }
    return fail_countdown == 1;
}

static void *count_new(void *block)
{
    if (block != NULL) {
        live_blocks++;
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
    return is_failing_now() ? NULL : count_new(malloc(size));
}

void *mem_alloc_zero(size_t size)
{
    assert(size > 0);
    return is_failing_now() ? NULL : count_new(calloc(1, size));
}

void *mem_resize(void *ptr, size_t size)
{
    assert(size > 0);
    if (ptr == NULL) {
        return mem_alloc(size);
    }
    return is_failing_now() ? NULL : realloc(ptr, size);
}

void mem_free(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    assert(live_blocks > 0);
    live_blocks--;
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

void mem_fail_after(uint64_t n)
{
    fail_countdown = n;
}
