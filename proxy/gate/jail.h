/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jail.h: what a process of sluice gives up.
 *
 * For: rights, and ways to look into the process. The master closes itself before it makes a secret
 * or forks; a worker gives up root before it reads a byte from the network. Not for: descriptors
 * and signals (master). */
#ifndef GATE_JAIL_H
#define GATE_JAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/snapshot.h"

/* No core file, and no other process of the same user may trace this process or read its memory:
 * it holds keys. Children inherit both, but see jail_enter. */
void jail_close_memory(void);

/* Becomes the configuration's user, when the program began as root, and never gains rights again.
 * What the process is already is no change and needs no right. False: `text` then says why. */
MUST_CHECK bool jail_enter(const struct config *config, char *text, size_t size);

#endif
