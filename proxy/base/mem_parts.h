/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mem_parts.h: what the sources of mem.h know of each other. Not for: anybody else. */
#ifndef BASE_MEM_PARTS_H
#define BASE_MEM_PARTS_H

#include <stdbool.h>
#include <stddef.h>

/* True while mem_fail_after lets every allocation fail. */
bool mem_fails_on_purpose(void);
/* So many bytes have been freed, and so many allocated. */
void mem_count(size_t bytes_less, size_t bytes_more);
/* An allocation failed, or took from the reserve. */
void mem_note_shortage(void);

#endif
