/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mem.h: the only caller of malloc, realloc and free.
 *
 * For: counting blocks, and bytes where there is a limit for them; failing on purpose in tests; a
 * reserve (mem_reserve.c) for the one library that cannot bear a NULL. Not for: pools. A function
 * that finds no memory returns NULL. A session then ends with `internal`; only start-up may give
 * up. */
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

/* As realloc, and size 0 frees; for libev, which ends the process when it gets no memory. When the
 * system has none, the block comes out of a reserve of MEM_RESERVE_BYTES, which costs nothing until
 * then. NULL: the reserve is used up too. Blocks of mem_alloc must not come here, nor the other way
 * round; mem_live_blocks does not count them. libev's tables hold about 50 bytes a descriptor and
 * only grow, by doubling, so that the reserve is enough for 40,000 descriptors in a worker, and for
 * any number when a worker that is short of memory takes no more. */
MUST_CHECK void *mem_resize_reserved(void *ptr, size_t size);
#define MEM_RESERVE_BYTES ((size_t)4 * 1024 * 1024)

/* True from the first allocation that failed, or that took from the reserve, to mem_recover(). */
bool mem_is_short(void);
/* Gives free pages back to the system and looks whether a fair amount of memory is there again. */
bool mem_recover(void);
/* Calls fn(owner) whenever an allocation fails, in the middle of whatever asked for it: fn takes
 * note and does nothing else. NULL: nobody is told. */
typedef void mem_short_fn(void *owner);
void mem_on_short(mem_short_fn *fn, void *owner);

/* All that is allocated now, as malloc rounds it. Without a limit nobody counts, and malloc's own
 * look at its lists tells it: call it seldom then. */
size_t mem_live_bytes(void);
/* Counts bytes from now on, which costs two dozen instructions a block, and calls fn(owner) at each
 * allocation after which more than `bytes` are allocated, in the middle of whatever asked for it,
 * as above. The allocation succeeds. NULL: there is no limit. */
typedef void mem_limit_fn(void *owner);
void mem_on_limit(size_t bytes, mem_limit_fn *fn, void *owner);

/* The number of allocated blocks; tests compare it before and after. */
size_t mem_live_blocks(void);

/* For tests: the n-th allocation from now (1 = the next) fails, and so does every later one until a
 * call with 0. 0 = none fails. */
void mem_fail_after(uint64_t n);

#endif
