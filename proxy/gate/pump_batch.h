/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump_batch.h: the bytes that one event sends to one connection in one call. A part of the pump,
 * for nobody else.
 *
 * A batch sends large pieces from where they lie. It copies small pieces and our own frames side by
 * side into the arena, a part of the scratch. A run is the small pieces copied last; it becomes one
 * piece. A full batch leaves early. */
#ifndef GATE_PUMP_BATCH_H
#define GATE_PUMP_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gate/pump.h"

#define PUMP_BATCH_PIECES 256
#define PUMP_BATCH_SMALL_BYTES 1024 /* copying so much is cheaper than one more iovec */

struct pump_batch {
    struct pump *pump;
    struct conn *to;
    size_t count;
    size_t bytes; /* of the pieces */
    uint8_t *arena;
    uint8_t *arena_end;
    uint8_t *run; /* the run is [run, place) and may grow up to run_end */
    uint8_t *place;
    uint8_t *run_end;
    struct iovec pieces[PUMP_BATCH_PIECES];
};

/* Appends a piece from the client. The caller leaves `data` as it is until the batch has left. */
void pump_batch_add(struct pump_batch *b, void *data, size_t len);
/* Appends a short frame of ours; copies its payload. */
void pump_batch_add_frame(struct pump_batch *b, enum ws_opcode opcode, bool is_fin,
                          const uint8_t *payload, size_t len);
/* Sends a batch that has bytes. */
void pump_batch_send(struct pump_batch *b);
/* Starts a run that has room for `len` bytes, which is at most the size of the arena. */
void pump_batch_start_run(struct pump_batch *b, size_t len);

static inline void pump_batch_init(struct pump_batch *b, struct pump *p, struct conn *to,
                                   uint8_t *arena, size_t arena_bytes)
{
    b->pump = p;
    b->to = to;
    b->count = 0;
    b->bytes = 0;
    b->arena = b->run = b->place = b->run_end = arena;
    b->arena_end = arena + arena_bytes;
}

/* Bytes that wait for pump_batch_send. */
static inline size_t pump_batch_bytes(const struct pump_batch *b)
{
    return b->bytes + (size_t)(b->place - b->run);
}

/* Reserves `len` bytes of the arena for the caller to fill. A caller that fills fewer sets `place`
 * to the end of its bytes. */
static inline uint8_t *pump_batch_reserve(struct pump_batch *b, size_t len)
{
    if (len > (size_t)(b->run_end - b->place)) {
        pump_batch_start_run(b, len);
    }
    uint8_t *place = b->place;
    b->place += len;
    return place;
}

#endif
