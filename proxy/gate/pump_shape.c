/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way of a piece of payload through the shape of its session. */
#include "gate/pump.h"
#include "gate/pump_parts.h"

_Static_assert(SCRATCH_WORK >= SHAPE_WORK, "scratch of shape_up");
_Static_assert(SCRATCH_RESULT >= SHAPE_ROOM, "output of shape_down");
_Static_assert(SCRATCH_RESULT <= SCRATCH_GATHER, "one conn_send");
_Static_assert(SHAPE_ROOM < PUMP_OVERSHOOT_BYTES, "what one step may add to a queue");
_Static_assert(SHAPE_HEADROOM <= SCRATCH_HEADROOM, "in front of the backend's bytes");

void pump_shape(struct pump *p, const struct shape_rules *rules)
{
    if (!shape_is_needed(rules) || pump_make_kept(p) == NULL) {
        return;
    }
    p->kept->shape = shape_new(rules);
    if (p->kept->shape == NULL) {
        p->no_memory = true;
        pump_free_unused_kept(p);
        return;
    }
    p->decoder.is_deflate = rules->is_deflate;
    if (!rules->is_echo && rules->payload == SHAPE_BASE64) {
        p->decoder.accept = WS_ACCEPT_TEXT;
    }
}

static enum life_ending ending_of_shape(enum shape_result result)
{
    switch (result) {
    case SHAPE_BAD_TEXT:
    case SHAPE_BAD_DEFLATE:
        return LIFE_BAD_TEXT;
    case SHAPE_TOO_BIG:
        return LIFE_TOO_BIG;
    case SHAPE_TERMINATOR:
        return LIFE_FRAMING;
    case SHAPE_BACKEND_DATA:
        return LIFE_BACKEND_DATA;
    case SHAPE_OK:
    case SHAPE_AGAIN:
    case SHAPE_NO_MEMORY:
        break;
    }
    return LIFE_INTERNAL;
}

void pump_report_shape(const struct pump *p, enum shape_result result, struct pump_report *out)
{
    if (result != SHAPE_OK && result != SHAPE_AGAIN) {
        out->verdict = PUMP_BAD;
        out->ending = ending_of_shape(result);
        out->detail = p->kept->shape->detail;
    }
}

/* --- from the client ----------------------------------------------------------------------- */

/* Steps until the shape is done with the piece or the piece has to wait. */
static inline bool move_piece(struct pump *p, struct shape_piece *piece, struct pump_batch *to,
                              struct pump_report *out)
{
    struct pump_kept *kept = p->kept;
    enum shape_result result;
    do {
        if (conn_queued(to->to) + pump_batch_bytes(to) >= p->high_bytes ||
            kept->share_bytes >= PUMP_SHARE_BYTES) {
            kept->has_piece = true;
            kept->piece = *piece;
            return false;
        }
        size_t payload_bytes = 0;
        struct shape_out room = {pump_batch_reserve(to, SHAPE_ROOM), 0, SHAPE_ROOM};
        result = shape_up(kept->shape, piece, scratch_of(p)->work, &room, &payload_bytes);
        to->place = room.data + room.len;
        kept->share_bytes += payload_bytes;
    } while (result == SHAPE_AGAIN);
    if (result != SHAPE_OK) {
        pump_report_shape(p, result, out);
        return false;
    }
    return true;
}

bool pump_piece_begin(struct pump *p, const struct ws_item *item, struct pump_batch *to,
                      struct pump_report *out)
{
    struct shape_piece piece = {
        .data = {(const char *)item->data, item->len},
        .opcode = item->opcode,
        .is_end = item->is_message_end,
        .is_compressed = item->is_compressed,
    };
    /* An empty line or record is a message like any other; a stream has no empty messages. */
    if (item->len == 0 && p->kept->shape->rules.framing.kind != FRAMING_STREAM) {
        out->has_payload = true;
    }
    return move_piece(p, &piece, to, out);
}

bool pump_piece_resume(struct pump *p, const uint8_t *data, struct pump_batch *to,
                       struct pump_report *out)
{
    p->kept->has_piece = false;
    p->kept->piece.data.data = (const char *)data;
    return move_piece(p, &p->kept->piece, to, out);
}

/* --- from the backend ---------------------------------------------------------------------- */

static void send_frames(struct pump *p, struct shape_out *frames)
{
    struct iovec piece = {frames->data, frames->len};
    if (piece.iov_len > 0) {
        pump_send_pieces(p, &p->client, &piece, 1);
    }
    frames->len = 0;
}

void pump_shape_down(struct pump *p, uint8_t *data, size_t len, struct pump_report *out)
{
    struct shape_out frames = {scratch_of(p)->result, 0, SCRATCH_RESULT};
    enum shape_result result;
    p->down_bytes += len;
    do {
        result = shape_down(p->kept->shape, &data, &len, &frames);
        send_frames(p, &frames);
    } while (result == SHAPE_AGAIN);
    pump_report_shape(p, result, out);
}

void pump_backend_end(struct pump *p, struct pump_report *out)
{
    *out = (struct pump_report){.verdict = PUMP_MORE};
    if (p->kept == NULL || p->kept->shape == NULL) {
        return;
    }
    struct shape_out frames = {scratch_of(p)->result, 0, SCRATCH_RESULT};
    enum shape_result result = shape_down_end(p->kept->shape, &frames);
    send_frames(p, &frames);
    pump_report_shape(p, result, out);
}

/* --- parking ------------------------------------------------------------------------------- */

uint64_t pump_park_at_ms(const struct pump *p, uint64_t quiet_since_ms, uint64_t idle_ms)
{
    if (p->kept == NULL || p->kept->shape == NULL || !shape_can_park(p->kept->shape)) {
        return 0;
    }
    /* A pump_park inside a message gives nothing back; the next one comes as long after it. */
    uint64_t parked_ms = p->kept->parked_ms;
    return (quiet_since_ms > parked_ms ? quiet_since_ms : parked_ms) + idle_ms;
}

void pump_park(struct pump *p, uint64_t now_ms)
{
    p->kept->parked_ms = now_ms;
    shape_park(p->kept->shape);
}
