/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jail.h: what a process of sluice gives up.
 *
 * For: rights, ways out of the process, and ways to look into it. Not for: descriptors that sluice
 * opened, and signals (master).
 *
 *   who     when                       what
 *   all     at the start               core files, being traced by others of the same user;
 *                                      descriptors that somebody left open
 *   master  when its sockets are bound *rights but those that it needs; *rights of programs that it
 *                                      starts
 *   worker  after the fork             root and the way back to it, *all rights, *the environment
 *   worker  before its first client    *files (Landlock) but those below the roots of [files],
 *                                      *system calls (seccomp)
 *   hasher  before its first password  the same as a worker, and *sockets and all files
 *
 * `sandbox = off` switches off what has a star. The master stays able to read any file, to fork and
 * to start a program, for it serves the configuration; it parses nothing from the network. What a
 * kernel, or the engine of a container, does not let a process give up, the master names once in
 * the log, and sluice runs without. A build with sanitizers has neither Landlock nor seccomp: a
 * sanitizer reads /proc, starts a thread that traces the others, and starts a program for names.
 *
 * What a worker opens or calls in later code belongs to the lists in jail_files.c and jail_calls.c;
 * what it needs from other files it must have opened before jail_lock, or get from the master. */
#ifndef GATE_JAIL_H
#define GATE_JAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/snapshot.h"

/* No core file, and no other process of the same user may trace this process or read its memory:
 * it holds keys. Children inherit both, but see jail_enter. */
void jail_close_memory(void);

/* Closes every descriptor but the three standard ones, the `following` that come after them, and
 * those in `kept`, which grow. Before the process opens any itself. */
void jail_close_inherited(size_t following, const int *kept, size_t count);

/* For a child of the master that becomes another program (an upgrade): it begins with the rights of
 * the master, whatever the file of the program says. */
void jail_pass_rights(void);

/* The master gives up what it does not need, and finds out what the system lacks; the children that
 * it forks from then on know. */
void jail_enter_master(const struct config *config);

/* The parts of the sandbox that a system may lack: the name of each, and whether the workers are in
 * it. */
#define JAIL_PARTS 3
const char *jail_part_name(size_t part);
bool jail_has_part(size_t part);

/* A worker becomes the configuration's user, when the program began as root, and never gains rights
 * again. What the process is already is no change and needs no right. False: `text` then says why.
 */
MUST_CHECK bool jail_enter(const struct config *config, char *text, size_t size);

/* A worker that locked itself in for `before` may read all that `next` serves, as far as the
 * sandbox is concerned. */
bool jail_covers_files(const struct config *before, const struct config *next);

/* A worker locks itself in, when all it needs is open. False: *out_detail then says why. */
MUST_CHECK bool jail_lock(const struct config *config, const char **out_detail);

/* The same for the process that hashes passwords: it opens no file, and makes no socket. */
MUST_CHECK bool jail_lock_hasher(const struct config *config, const char **out_detail);

#endif
