/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shared.h: memory that several processes share, and that a later program can take over.
 *
 * For: a memory file of a fixed size, mapped; a head that says how the memory is laid out, so that
 * a program of another version does not misread it; places in it that one process alone may write.
 * Not for: what is in the memory (scoreboard, seat).
 *
 * A place belongs to the process that has locked it. The lock ends with the process, however it
 * ends, so it is the truth about who lives. A process keeps the descriptor as long as it needs its
 * locks: closing any descriptor of the file would end them (fcntl(2), F_SETLK). */
#ifndef GATE_SHARED_H
#define GATE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* The memory begins with it. */
struct shared_head {
    uint64_t layout; /* shared_layout() of all that follows */
    uint64_t bytes;
};

struct shared {
    void *memory; /* NULL: none */
    size_t mapped_bytes;
    int fd;
};

/* Memory of zeros but for its head. The name is for people (/proc/PID/maps). Pages that nobody
 * touches take no memory. False: no memory, or no descriptors. */
MUST_CHECK bool shared_new(struct shared *out, const char *name, size_t bytes, uint64_t layout);
/* The same, but only the first bytes get addresses. */
MUST_CHECK bool shared_new_part(struct shared *out, const char *name, size_t bytes,
                                size_t mapped_bytes, uint64_t layout);
/* Takes over such a file of another program. The descriptor is this module's, or closed. False: the
 * file is none, or is laid out in another way; *out_detail then says why, a constant. */
MUST_CHECK bool shared_open(struct shared *out, int fd, uint64_t layout, const char **out_detail);
/* The same, but at most the first bytes get addresses. */
MUST_CHECK bool shared_open_part(struct shared *out, int fd, size_t mapped_bytes, uint64_t layout,
                                 const char **out_detail);
void shared_close(struct shared *shared);
/* Gives up the addresses; the descriptor stays the caller's, who can map the file again. */
void shared_unmap(struct shared *shared);

/* Adds a number, or a text, that the layout depends on. */
#define SHARED_LAYOUT UINT64_C(14695981039346656037) /* of nothing */
uint64_t shared_layout_number(uint64_t layout, uint64_t number);
uint64_t shared_layout_text(uint64_t layout, const char *text);

/* Gives up the descriptor, and with it the locks; the memory stays. */
void shared_drop_file(struct shared *shared);

/* From now on this process alone may write there. False: another process has the place. */
MUST_CHECK bool shared_lock(const struct shared *shared, size_t place);
void shared_unlock(const struct shared *shared, size_t place);

#endif
