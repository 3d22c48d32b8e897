/* SPDX-License-Identifier: GPL-3.0-or-later */
/* arena.h: memory that ends as one.
 *
 * For: the texts and tables of a configuration, which live and end together. Not for: anything
 * that grows while sluice serves. An arena of zeros is empty and ready. */
#ifndef CONF_ARENA_H
#define CONF_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct arena_block;
struct arena {
    struct arena_block *blocks; /* owned */
};

/* Zeroed and aligned for anything; NULL when out of memory. A size of 0 is allowed. */
MUST_CHECK void *arena_alloc(struct arena *arena, size_t size);
/* NUL-terminated copy; out->data is NULL when out of memory. */
MUST_CHECK bool arena_copy(struct arena *arena, struct span text, struct span *out);
/* What it has taken so far. */
size_t arena_bytes(const struct arena *arena);
/* Frees all of it, and wipes it first: private keys have been in it. */
void arena_done(struct arena *arena);

#endif
