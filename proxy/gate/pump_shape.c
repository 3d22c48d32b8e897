/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way of a byte through a session that has a shape. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "gate/pump.h"
#include "gate/pump_parts.h"

/* One read: its own bytes, and a record that TLS had begun before. */
#define HELD_MAX_BYTES ((size_t)PUMP_READ_BYTES + TLS_PLAIN_EXTRA)

struct pump_shaped {
    struct shape *shape;
    struct buf held;          /* `piece_bytes` of payload, then wire bytes not yet decoded */
    bool has_piece;           /* a piece was begun and is not done */
    size_t piece_bytes;       /* what is left of it; may be 0: it can still inflate to something */
    struct shape_piece piece; /* its data is set for each call */
    uint64_t parked_ms;       /* when memory was last given back */
};

_Static_assert(SCRATCH_WORK >= SHAPE_WORK, "scratch of shape_up");
_Static_assert(SCRATCH_RESULT >= SHAPE_ROOM, "output of shape_up");
_Static_assert(SCRATCH_RESULT <= SCRATCH_GATHER, "one conn_send");
_Static_assert(SHAPE_ROOM < PUMP_OVERSHOOT_BYTES, "what one step may add to a queue");
_Static_assert(SHAPE_HEADROOM <= SCRATCH_HEADROOM, "in front of the backend's bytes");

void pump_shape(struct pump *p, const struct shape_rules *rules)
{
    if (!shape_is_needed(rules)) {
        return;
    }
    p->shaped = mem_alloc_zero(sizeof(*p->shaped));
    struct shape *shape = p->shaped != NULL ? shape_new(rules) : NULL;
    if (shape == NULL) {
        mem_free(p->shaped);
        p->shaped = NULL;
        p->no_memory = true;
        return;
    }
    p->shaped->shape = shape;
    buf_init(&p->shaped->held, HELD_MAX_BYTES);
    p->decoder.is_deflate = rules->is_deflate;
    if (!rules->is_echo && rules->payload == SHAPE_BASE64) {
        p->decoder.accept = WS_ACCEPT_TEXT;
    }
}

void pump_done(struct pump *p)
{
    if (p->shaped != NULL) {
        shape_free(p->shaped->shape);
        buf_clear(&p->shaped->held);
        mem_free(p->shaped);
        p->shaped = NULL;
    }
}

/* One pass over bytes of the client. */
struct pass {
    struct pump *pump;
    struct pump_shaped *shaped;
    struct conn *to; /* where payload goes */
    struct pump_report *report;
    uint8_t *data; /* not yet taken */
    size_t len;
    size_t share_bytes; /* inflated in this event */
    struct shape_out out;
    bool is_discarding;
};

static void pass_flush(struct pass *pass)
{
    struct iovec piece = {pass->out.data, pass->out.len};
    if (piece.iov_len > 0) {
        pump_send_pieces(pass->pump, pass->to, &piece, 1);
    }
    pass->out.len = 0;
}

static void pass_take(struct pass *pass, size_t len)
{
    if (len > 0) { /* held bytes may be none, at NULL, while a piece still inflates */
        pass->data += len;
        pass->len -= len;
    }
}

static void pass_fail(struct pass *pass, enum life_ending ending, const char *detail)
{
    pass->report->verdict = PUMP_BAD;
    pass->report->ending = ending;
    pass->report->detail = detail;
}

/* True when the rest has to wait. */
static bool must_hold(const struct pass *pass)
{
    return conn_queued(pass->to) + pass->out.len >= pass->pump->high_bytes ||
           pass->share_bytes >= PUMP_SHARE_BYTES;
}

static enum life_ending ending_of(enum shape_result result)
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
    case SHAPE_MORE:
    case SHAPE_NO_MEMORY:
        break;
    }
    return LIFE_INTERNAL;
}

/* One step of the piece that was begun. */
static void step_piece(struct pass *pass)
{
    struct pump_shaped *shaped = pass->shaped;
    struct shape_piece *piece = &shaped->piece;
    size_t payload_bytes = 0;

    if (pass->out.cap - pass->out.len < SHAPE_ROOM) {
        pass_flush(pass);
    }
    piece->data = (struct span){(const char *)pass->data, shaped->piece_bytes};
    enum shape_result result = shape_up(shaped->shape, piece, pass->pump->client.scratch->work,
                                        &pass->out, &payload_bytes);
    pass_take(pass, shaped->piece_bytes - piece->data.len);
    shaped->piece_bytes = piece->data.len;
    shaped->has_piece = result == SHAPE_MORE;
    pass->share_bytes += payload_bytes;
    /* What one read held may take minutes to leave: that is not idle. */
    pass->report->has_payload = pass->report->has_payload || payload_bytes > 0;
    pass->pump->up_bytes += payload_bytes;
    if (pass->pump->is_echo) {
        pass->pump->down_bytes += payload_bytes;
    }
    if (result != SHAPE_OK && result != SHAPE_MORE) {
        pass_fail(pass, ending_of(result), shaped->shape->detail);
    }
}

/* In its place among the echoes, or straight away. */
static void answer_ping(struct pass *pass, const struct ws_item *item)
{
    uint8_t frame[WS_HEADER_MAX + WS_CONTROL_MAX];
    size_t len = ws_encode_header(frame, WS_PONG, true, item->len);
    memcpy(frame + len, item->data, item->len);
    len += item->len;
    if (!pass->pump->is_echo) {
        pump_send_raw(pass->pump, frame, len);
        return;
    }
    if (pass->out.cap - pass->out.len < len) {
        pass_flush(pass);
    }
    memcpy(pass->out.data + pass->out.len, frame, len);
    pass->out.len += len;
}

static void begin_piece(struct pass *pass, const struct ws_item *item)
{
    struct pump_shaped *shaped = pass->shaped;
    /* An empty line or record is a message like any other; in a stream it is nothing. */
    if (item->len > 0 || shaped->shape->rules.framing.kind != FRAMING_STREAM) {
        pass->report->has_payload = true;
    }
    /* The payload is the last part of what was decoded: what follows it is right behind. */
    pass->data -= item->len;
    pass->len += item->len;
    shaped->has_piece = true;
    shaped->piece_bytes = item->len;
    shaped->piece = (struct shape_piece){
        .opcode = item->opcode,
        .is_end = item->is_message_end,
        .is_compressed = item->is_compressed,
    };
}

/* False when all bytes were decoded. */
static bool decode_next(struct pass *pass)
{
    struct ws_item item;
    size_t consumed = 0;
    ws_decode(&pass->pump->decoder, pass->data, pass->len, &consumed, &item);
    pass_take(pass, consumed);
    switch (item.type) {
    case WS_ITEM_NEED_MORE:
        return false;
    case WS_ITEM_PAYLOAD:
        begin_piece(pass, &item);
        break;
    case WS_ITEM_PING:
        if (!pass->is_discarding) {
            answer_ping(pass, &item);
        }
        break;
    case WS_ITEM_PONG:
        break;
    case WS_ITEM_CLOSE:
        pass->report->verdict = PUMP_CLOSE;
        pass->report->code = item.close_code;
        break;
    case WS_ITEM_ERROR:
        pass_fail(pass, pump_ending_of(item.error), item.detail);
        break;
    }
    return true;
}

/* Returns how many of the bytes were taken. */
static size_t run(struct pump *p, uint8_t *data, size_t len, bool is_discarding,
                  struct pump_report *out)
{
    struct pump_shaped *shaped = p->shaped;
    struct pass pass = {
        .pump = p,
        .shaped = shaped,
        .to = p->is_echo ? &p->client : &p->backend,
        .report = out,
        .data = data,
        .len = len,
        .out = {.data = p->client.scratch->result, .len = 0, .cap = SCRATCH_RESULT},
        .is_discarding = is_discarding,
    };
    bool is_going = true;

    *out = (struct pump_report){.verdict = PUMP_MORE};
    while (is_going && out->verdict == PUMP_MORE) {
        if (!shaped->has_piece) {
            is_going = decode_next(&pass);
        } else if (is_discarding) {
            pass_take(&pass, shaped->piece_bytes);
            shaped->has_piece = false;
        } else if (must_hold(&pass)) {
            is_going = false;
        } else {
            step_piece(&pass);
        }
    }
    pass_flush(&pass);
    return len - pass.len;
}

void pump_shaped_bytes(struct pump *p, uint8_t *data, size_t len, bool is_discarding,
                       struct pump_report *out)
{
    struct buf *held = &p->shaped->held;
    assert(!pump_is_held(p)); /* the client is not read then */
    size_t used = run(p, data, len, is_discarding, out);
    if (out->verdict == PUMP_MORE && used < len &&
        buf_append(held, data + used, len - used) != BUF_OK) {
        p->no_memory = true;
        p->shaped->has_piece = false; /* its bytes are gone */
    }
}

bool pump_is_held(const struct pump *p)
{
    return p->shaped != NULL && (p->shaped->has_piece || p->shaped->held.len > 0);
}

void pump_resume(struct pump *p, bool is_discarding, struct pump_report *out)
{
    struct span rest = buf_peek(&p->shaped->held);
    /* Our own block: decoding unmasks in place. */
    size_t used = run(p, (uint8_t *)(uintptr_t)rest.data, rest.len, is_discarding, out);
    buf_consume(&p->shaped->held, out->verdict == PUMP_MORE ? used : rest.len);
    p->shaped->has_piece = p->shaped->has_piece && out->verdict == PUMP_MORE;
}

static void report_down(struct pump *p, enum shape_result result, struct pump_report *out)
{
    *out = (struct pump_report){.verdict = PUMP_MORE};
    if (result != SHAPE_OK) {
        out->verdict = PUMP_BAD;
        out->ending = ending_of(result);
        out->detail = p->shaped->shape->detail;
    }
}

static void send_down(struct pump *p, struct shape_out *out)
{
    struct iovec piece = {out->data, out->len};
    if (piece.iov_len > 0) {
        pump_send_pieces(p, &p->client, &piece, 1);
    }
    out->len = 0;
}

void pump_shaped_backend_bytes(struct pump *p, uint8_t *data, size_t len, struct pump_report *out)
{
    struct shape_out frames = {p->client.scratch->result, 0, SCRATCH_RESULT};
    enum shape_result result;
    p->down_bytes += len;
    do {
        result = shape_down(p->shaped->shape, &data, &len, &frames);
        send_down(p, &frames);
    } while (result == SHAPE_MORE);
    report_down(p, result, out);
}

void pump_backend_end(struct pump *p, struct pump_report *out)
{
    *out = (struct pump_report){.verdict = PUMP_MORE};
    if (p->shaped == NULL) {
        return;
    }
    struct shape_out frames = {p->client.scratch->result, 0, SCRATCH_RESULT};
    enum shape_result result = shape_down_end(p->shaped->shape, &frames);
    send_down(p, &frames);
    report_down(p, result, out);
}

uint64_t pump_park_at_ms(const struct pump *p, uint64_t quiet_since_ms, uint64_t idle_ms)
{
    if (p->shaped == NULL || !shape_can_rest(p->shaped->shape)) {
        return 0;
    }
    uint64_t since_ms = p->shaped->parked_ms; /* in vain: inside a message */
    return (quiet_since_ms > since_ms ? quiet_since_ms : since_ms) + idle_ms;
}

void pump_park(struct pump *p, uint64_t now_ms)
{
    p->shaped->parked_ms = now_ms;
    shape_rest(p->shaped->shape);
}
