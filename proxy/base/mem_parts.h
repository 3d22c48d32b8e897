/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mem_parts.h: what the sources of mem.h know of each other. Not for: anybody else. */
#ifndef BASE_MEM_PARTS_H
#define BASE_MEM_PARTS_H

#include <stdbool.h>

/* True while mem_fail_after lets every allocation fail. */
bool mem_fails_on_purpose(void);
/* An allocation failed, or took from the reserve. */
void mem_note_shortage(void);

#endif
