/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the pump keeps for a session between two events: held bytes and a first message. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "gate/pump.h"
#include "gate/pump_parts.h"

/* One read, and a record that TLS had begun before the read. */
#define HELD_MAX_BYTES ((size_t)PUMP_READ_BYTES + TLS_PLAIN_EXTRA)

struct pump_kept *pump_make_kept(struct pump *p)
{
    if (p->kept == NULL) {
        p->kept = mem_alloc_zero(sizeof(*p->kept));
        if (p->kept == NULL) {
            p->no_memory = true;
            return NULL;
        }
        buf_init(&p->kept->held, HELD_MAX_BYTES);
    }
    return p->kept;
}

void pump_done(struct pump *p)
{
    if (p->kept != NULL) {
        shape_free(p->kept->shape);
        mem_free(p->kept->meter);
        buf_clear(&p->kept->held);
        token_done(&p->kept->message);
        mem_free(p->kept);
        p->kept = NULL;
    }
}

void pump_free_unused_kept(struct pump *p)
{
    const struct pump_kept *kept = p->kept;
    if (kept->shape == NULL && kept->meter == NULL && kept->first == PUMP_FIRST_NONE &&
        kept->held.len == 0) {
        pump_done(p);
    }
}

/* --- held bytes ---------------------------------------------------------------------------- */

void pump_end_call(struct pump *p, const uint8_t *data, size_t len, struct pump_report *out)
{
    struct pump_kept *kept = p->kept;
    struct buf *held = &kept->held;

    p->up_bytes += kept->share_bytes;
    p->down_bytes += p->is_echo ? kept->share_bytes : 0;
    /* One read can inflate to so much that it takes minutes to leave: the client is not idle
     * meanwhile. */
    out->has_payload = out->has_payload || kept->share_bytes > 0;
    kept->share_bytes = 0;

    if (kept->has_piece) {
        data -= kept->piece.data.len;
        len += kept->piece.data.len;
    }
    if (out->verdict == PUMP_CLOSE || out->verdict == PUMP_BAD) {
        len = 0;
    }
    if (held->len > 0) {
        assert(len == 0 || (const char *)data + len == buf_peek(held).data + held->len);
        buf_consume(held, held->len - len);
    } else if (len > 0 && buf_append(held, data, len) != BUF_OK) {
        p->no_memory = true;
        kept->has_piece = false; /* the bytes of the piece are gone */
    }
    pump_free_unused_kept(p);
}

void pump_resume(struct pump *p, enum pump_mode mode, struct pump_report *out)
{
    struct span held = buf_peek(&p->kept->held);
    /* Decoding unmasks in place; the block is the pump's own. Nothing reads `data` when no byte is
     * held: the piece only goes on inflating. */
    uint8_t *data = held.len > 0 ? (uint8_t *)(uintptr_t)held.data : scratch_of(p)->plain;
    pump_client_bytes(p, data, held.len, mode, out);
}

bool pump_is_held(const struct pump *p)
{
    return p->kept != NULL && (p->kept->has_piece || p->kept->held.len > 0);
}

/* --- the first message --------------------------------------------------------------------- */

void pump_collect(struct pump *p, size_t most_bytes)
{
    struct pump_kept *kept = pump_make_kept(p);
    assert(most_bytes > 0 && most_bytes <= TOKEN_MESSAGE_MAX);
    if (kept != NULL) {
        assert(kept->first == PUMP_FIRST_NONE);
        kept->first = PUMP_FIRST_OPEN;
        kept->most_bytes = most_bytes;
        kept->accept = p->decoder.accept;
        p->decoder.accept = WS_ACCEPT_ANY;
    }
}

/* Adds the payload to the message. */
static bool append(struct pump *p, const uint8_t *data, size_t len, struct pump_report *out)
{
    struct token *message = &p->kept->message;
    if (len > p->kept->most_bytes - message->len) {
        out->verdict = PUMP_BAD;
        out->ending = LIFE_TOO_BIG;
        out->detail = "first message too big";
        return false;
    }
    p->no_memory = token_add_message(message, data, len) != TOKEN_LATER;
    return !p->no_memory;
}

/* Only the ceiling of the message bounds how far one piece inflates. */
static bool inflate(struct pump *p, const struct ws_item *item, struct pump_batch *room,
                    struct pump_report *out)
{
    struct shape_piece piece = {
        .data = {(const char *)item->data, item->len},
        .opcode = item->opcode,
        .is_end = item->is_message_end,
        .is_compressed = true,
        .is_bare = true,
    };
    enum shape_result result;
    do {
        struct shape_out payload = {pump_batch_reserve(room, SHAPE_ROOM), 0, SHAPE_ROOM};
        size_t payload_bytes = 0;
        result = shape_up(p->kept->shape, &piece, scratch_of(p)->work, &payload, &payload_bytes);
        room->place = payload.data;
        pump_report_shape(p, result, out);
        bool is_taken = out->verdict == PUMP_MORE && append(p, payload.data, payload.len, out);
        explicit_bzero(payload.data, payload.len);
        if (!is_taken) {
            return false;
        }
    } while (result == SHAPE_AGAIN);
    return true;
}

/* No copy of the message stays in the memory that all sessions share. */
bool pump_collect_piece(struct pump *p, const struct ws_item *item, struct pump_batch *room,
                        struct pump_report *out)
{
    bool is_taken =
        item->is_compressed ? inflate(p, item, room, out) : append(p, item->data, item->len, out);
    if (item->len > 0) {
        explicit_bzero(item->data, item->len);
    }
    if (!is_taken || !item->is_message_end) {
        return is_taken;
    }
    p->decoder.accept = p->kept->accept;
    p->decoder.message_count = 0; /* it goes to nobody */
    p->kept->first = PUMP_FIRST_WHOLE;
    out->verdict = PUMP_MESSAGE;
    return false;
}

struct token *pump_message(struct pump *p)
{
    assert(p->kept != NULL && p->kept->first == PUMP_FIRST_WHOLE);
    return &p->kept->message;
}

void pump_drop_message(struct pump *p)
{
    if (p->kept != NULL) {
        token_done(&p->kept->message);
        p->kept->first = PUMP_FIRST_NONE;
        pump_free_unused_kept(p);
    }
}
