/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jail_parts.h: what the sources of jail.h know of each other.
 *
 * jail.c says who gives up what, and when; jail_rights.c drops capabilities, jail_files.c closes
 * the file system (Landlock), jail_calls.c the system calls (seccomp). Each function here returns 0
 * or the errno with which the system refused. Not for: anybody else. */
#ifndef GATE_JAIL_PARTS_H
#define GATE_JAIL_PARTS_H

#include <stdint.h>

#include "base/span.h"
#include "conf/snapshot.h"

/* --- jail_rights.c --- */

/* The process keeps the capabilities of the set `kept` that it has, and can never get others, not
 * even by becoming root. To be called before the change of user, which takes away the right to do
 * so. */
MUST_CHECK int jail_bound_rights(uint64_t kept);
/* The process keeps the capabilities of the set `kept` that it has. */
MUST_CHECK int jail_drop_rights(uint64_t kept);
/* What the master needs: to bind, to fork workers that become another user, to end them, to read
 * the files that the configuration names. */
uint64_t jail_master_rights(void);

/* --- jail_files.c --- */

/* Nothing can be opened any more but, for reading, what a lookup of names reads and what lies below
 * the roots of [files]; nothing can be made, renamed or removed; no TCP port can be bound. What is
 * open stays open. */
MUST_CHECK int jail_close_files(const struct config *config);
/* Nothing at all can be opened. */
MUST_CHECK int jail_close_all_files(const struct config *config);

/* --- jail_calls.c --- */

/* Only the system calls of the list work; with [files] openat2 too, of which seccomp cannot see
 * what it opens: Landlock says that. */
MUST_CHECK int jail_close_calls(const struct config *config);
/* Only those that work with memory and with descriptors which are there. */
MUST_CHECK int jail_close_most_calls(const struct config *config);

#endif
