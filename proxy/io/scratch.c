/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/scratch.h"

#include <sys/mman.h>
#include <unistd.h>

_Static_assert(SCRATCH_PLAIN % 4096 == 2048, "plain does not begin near the border of a page");

static size_t round_up(size_t size, size_t page)
{
    return (size + page - 1) / page * page;
}

/* Opens the next area of the map and leaves a closed page behind it. */
static uint8_t *carve(uint8_t **next, size_t size, size_t page)
{
    uint8_t *area = *next;
    size_t rounded = round_up(size, page);
    if (mprotect(area, rounded, PROT_READ | PROT_WRITE) != 0) {
        return NULL;
    }
    *next += rounded + page;
    return area;
}

bool scratch_init(struct scratch *s)
{
    long page_or_error = sysconf(_SC_PAGESIZE);
    size_t page = page_or_error > 0 ? (size_t)page_or_error : 4096;
    size_t plain_size = round_up(SCRATCH_HEADROOM + SCRATCH_PLAIN, page);
    s->map_bytes = page + round_up(SCRATCH_WIRE_IN, page) + page + plain_size + page +
                   round_up(SCRATCH_WIRE_OUT, page) + page + round_up(SCRATCH_GATHER, page) + page +
                   round_up(SCRATCH_WORK, page) + page + round_up(SCRATCH_RESULT, page) + page;
    void *map =
        mmap(NULL, s->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    s->map = map;
    uint8_t *next = (uint8_t *)map + page;
    s->wire_in = carve(&next, SCRATCH_WIRE_IN, page);
    uint8_t *plain_area = carve(&next, plain_size, page);
    s->wire_out = carve(&next, SCRATCH_WIRE_OUT, page);
    s->gather = carve(&next, SCRATCH_GATHER, page);
    s->work = carve(&next, SCRATCH_WORK, page);
    s->result = carve(&next, SCRATCH_RESULT, page);
    if (s->wire_in == NULL || plain_area == NULL || s->wire_out == NULL || s->gather == NULL ||
        s->work == NULL || s->result == NULL) {
        scratch_done(s);
        return false;
    }
    s->plain = plain_area + plain_size - SCRATCH_PLAIN;
    return true;
}

void scratch_done(struct scratch *s)
{
    munmap(s->map, s->map_bytes);
}
