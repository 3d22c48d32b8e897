/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/pump_batch.h"

#include <assert.h>
#include <string.h>

#include "gate/pump_parts.h"

static void end_run(struct pump_batch *b)
{
    size_t len = (size_t)(b->place - b->run);
    if (len > 0) {
        assert(b->count < PUMP_BATCH_PIECES);
        b->pieces[b->count++] = (struct iovec){b->run, len};
        b->bytes += len;
    }
    b->run = b->run_end = b->place;
}

void pump_batch_send(struct pump_batch *b)
{
    end_run(b);
    pump_send_pieces(b->pump, b->to, b->pieces, b->count);
    b->count = 0;
    b->bytes = 0;
    b->run = b->place = b->run_end = b->arena;
}

void pump_batch_start_run(struct pump_batch *b, size_t len)
{
    end_run(b);
    bool is_full = b->count == PUMP_BATCH_PIECES || b->bytes + len > REACTOR_GATHER ||
                   len > (size_t)(b->arena_end - b->place);
    if (is_full && b->count > 0) {
        pump_batch_send(b);
    }
    size_t arena_left = (size_t)(b->arena_end - b->place);
    size_t bytes_left = REACTOR_GATHER - b->bytes;
    b->run_end = b->place + (arena_left < bytes_left ? arena_left : bytes_left);
    assert(len <= (size_t)(b->run_end - b->place));
}

void pump_batch_add(struct pump_batch *b, void *data, size_t len)
{
    if (len <= PUMP_BATCH_SMALL_BYTES) {
        memcpy(pump_batch_reserve(b, len), data, len);
        return;
    }
    end_run(b);
    if (b->count == PUMP_BATCH_PIECES || b->bytes + len > REACTOR_GATHER) {
        pump_batch_send(b);
    }
    b->pieces[b->count++] = (struct iovec){data, len};
    b->bytes += len;
}

void pump_batch_add_frame(struct pump_batch *b, enum ws_opcode opcode, bool is_fin,
                          const uint8_t *payload, size_t len)
{
    uint8_t *frame = pump_batch_reserve(b, WS_HEADER_MAX + len);
    size_t header_len = ws_encode_header(frame, opcode, is_fin, len);
    memcpy(frame + header_len, payload, len);
    b->place = frame + header_len + len;
}
