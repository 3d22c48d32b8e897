/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mem.h: the only caller of malloc, realloc and free.
 *
 * For: counting live blocks, and failing on purpose in tests. Not for: pools. A function that finds
 * no memory returns NULL. A session then ends with `internal`; only start-up may give up. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* NULL when out of memory. A size of 0 is a bug (asserted). */
MUST_CHECK void *mem_alloc(size_t size);
MUST_CHECK void *mem_alloc_zero(size_t size);
/* As realloc; on NULL the old block lives on. ptr may be NULL. */
MUST_CHECK void *mem_resize(void *ptr, size_t size);
/* NULL is allowed. */
void mem_free(void *ptr);

/* NUL-terminated copy. */
MUST_CHECK char *mem_copy_str(struct span s);

/* Gives empty pages back to the system; free() alone keeps those that lie between others. Call it
 * seldom: it walks all free memory. */
void mem_trim(void);

/* The number of allocated blocks; tests compare it before and after. */
size_t mem_live_blocks(void);

/* For tests: the n-th allocation from now (1 = the next) fails, and so does every later one until a
 * call with 0. 0 = none fails. */
void mem_fail_after(uint64_t n);

#endif
