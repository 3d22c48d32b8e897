/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/pump.h"

#include <assert.h>
#include <string.h>

#include "gate/pump_batch.h"
#include "gate/pump_parts.h"

#define SIDE_ARENA_BYTES ((size_t)8 * 1024) /* for Pongs alone */

/* The largest segment, on loopback. A TLS record of 16 KiB costs at most 64 bytes more. */
#define SEGMENT_BYTES 65483
_Static_assert(PUMP_READ_BYTES + WS_HEADER_MAX + 4 * 64 <= SEGMENT_BYTES, "one segment");
_Static_assert(PUMP_EMPTY_READ_BYTES <= 2 * SEGMENT_BYTES, "two segments");
_Static_assert(SCRATCH_RESULT - SIDE_ARENA_BYTES >= SHAPE_ROOM, "output of shape_up");

/* The build fills automatic variables with zeroes, and 4 KiB a batch would cost more than the
 * frames. pump_client_bytes writes the batches and the item before it reads them. */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define NOT_FILLED __attribute__((uninitialized))
#else
#define NOT_FILLED
#endif

void pump_init(struct pump *p, const struct scratch *scratch, conn_ready_fn *on_client,
               conn_ready_fn *on_backend)
{
    memset(p, 0, sizeof(*p));
    /* The queues hold only our own short answers before pump_configure. */
    conn_init(&p->client, scratch, PUMP_OVERSHOOT_BYTES, on_client);
    conn_init(&p->backend, scratch, PUMP_OVERSHOOT_BYTES, on_backend);
    p->high_bytes = PUMP_READ_BYTES;
    p->low_bytes = PUMP_READ_BYTES / 4;
}

void pump_configure(struct pump *p, size_t high_bytes, size_t low_bytes, enum ws_accept accept,
                    uint64_t max_message_bytes, bool is_echo)
{
    p->high_bytes = high_bytes;
    p->low_bytes = low_bytes;
    p->is_echo = is_echo;
    p->client.out.limit = high_bytes + PUMP_OVERSHOOT_BYTES;
    p->backend.out.limit = high_bytes + PUMP_OVERSHOOT_BYTES;
    ws_decoder_init(&p->decoder, accept, max_message_bytes, false);
}

void pump_send_pieces(struct pump *p, struct conn *to, const struct iovec *pieces, size_t count)
{
    if (conn_send(to, pieces, count) == CONN_NO_MEMORY) {
        p->no_memory = true;
    }
    /* A broken connection shows in to->is_broken. */
}

/* Writes the header of our frame in front of its payload. There is room: a piece from the client
 * lies behind the client's header, which is longer than ours, and a read lies behind the headroom
 * of the scratch. */
static uint8_t *put_header(uint8_t *payload, size_t len, enum ws_opcode opcode, bool is_fin,
                           size_t *out_len)
{
    uint8_t header[WS_HEADER_MAX];
    size_t header_len = ws_encode_header(header, opcode, is_fin, len);
    memcpy(payload - header_len, header, header_len);
    *out_len = header_len + len;
    return payload - header_len;
}

/* --- the client's bytes -------------------------------------------------------------------- */

/* Where payload goes in one call. */
enum target {
    TO_BACKEND = 0,
    TO_CLIENT,  /* echo */
    TO_KEPT,    /* through a shape, or to one of these two with its messages counted */
    TO_MESSAGE, /* the first message */
    TO_NOWHERE,
    TO_HELD /* not decoded yet */
};

static enum target target_of(struct pump *p, enum pump_mode mode)
{
    const struct pump_kept *kept = p->kept;
    struct ws_item item;
    switch (mode) {
    case PUMP_FORWARD:
        break;
    case PUMP_DISCARD:
        ws_decoder_skip(&p->decoder, &item); /* an error in `item` comes again */
        return TO_NOWHERE;
    case PUMP_COLLECT:
        return kept != NULL && kept->first == PUMP_FIRST_OPEN ? TO_MESSAGE : TO_HELD;
    }
    if (kept != NULL) {
        assert(kept->first != PUMP_FIRST_OPEN);
        if (kept->shape != NULL || pump_counts_messages(p)) {
            return TO_KEPT;
        }
    }
    return p->is_echo ? TO_CLIENT : TO_BACKEND;
}

static inline void echo_back(struct pump *p, const struct ws_item *item, struct pump_batch *down)
{
    enum ws_opcode opcode = item->is_message_start ? item->opcode : WS_CONTINUATION;
    p->up_bytes += item->len;
    p->down_bytes += item->len;
    if (item->len <= PUMP_BATCH_SMALL_BYTES) {
        pump_batch_add_frame(down, opcode, item->is_message_end, item->data, item->len);
        return;
    }
    size_t frame_len = 0;
    uint8_t *frame = put_header(item->data, item->len, opcode, item->is_message_end, &frame_len);
    pump_batch_add(down, frame, frame_len);
}

static enum life_ending ending_of_frame(enum ws_error error)
{
    switch (error) {
    case WS_BAD_CLOSE:
        return LIFE_BAD_CLOSE;
    case WS_BAD_TEXT:
        return LIFE_BAD_TEXT;
    case WS_NOT_ACCEPTED:
        return LIFE_OPCODE;
    case WS_TOO_BIG:
        return LIFE_TOO_BIG;
    case WS_OK:
    case WS_BAD_FRAME:
        break;
    }
    return LIFE_PROTOCOL;
}

static inline void put_plain(struct pump *p, const struct ws_item *item, struct pump_batch *to)
{
    p->up_bytes += item->len;
    if (item->len > 0) {
        pump_batch_add(to, item->data, item->len);
    }
}

static bool put_kept(struct pump *p, const struct ws_item *item, struct pump_batch *to,
                     struct pump_report *out)
{
    bool is_going = true;
    if (p->kept->shape != NULL) {
        is_going = pump_piece_begin(p, item, to, out);
    } else if (p->is_echo) {
        echo_back(p, item, to);
    } else {
        put_plain(p, item, to);
    }
    return (!item->is_message_end || pump_count_message(p)) && is_going;
}

static inline bool put_payload(struct pump *p, enum target target, const struct ws_item *item,
                               struct pump_batch *to, struct pump_report *out)
{
    out->has_payload = out->has_payload || item->len > 0;
    switch (target) {
    case TO_BACKEND:
        put_plain(p, item, to);
        return true;
    case TO_CLIENT:
        echo_back(p, item, to);
        return true;
    case TO_KEPT:
        return put_kept(p, item, to, out);
    case TO_MESSAGE:
        return pump_collect_piece(p, item, to, out);
    case TO_NOWHERE:
    case TO_HELD:
        break;
    }
    return true;
}

static bool take_control(struct pump *p, enum target target, const struct ws_item *item,
                         struct pump_batch *down)
{
    if (item->type == WS_ITEM_PING && target != TO_NOWHERE) {
        pump_batch_add_frame(down, WS_PONG, true, item->data, item->len);
    }
    if (target != TO_KEPT) {
        return true;
    }
    return item->type == WS_ITEM_PONG ? pump_count_pong(p) : pump_count_message(p);
}

/* Payload goes to `to`, Pongs to `down`. False: decode no further. */
static inline bool take_item(struct pump *p, enum target target, const struct ws_item *item,
                             struct pump_batch *to, struct pump_batch *down,
                             struct pump_report *out)
{
    switch (item->type) {
    case WS_ITEM_PAYLOAD:
        return put_payload(p, target, item, to, out);
    case WS_ITEM_PING:
    case WS_ITEM_PONG:
        return take_control(p, target, item, down);
    case WS_ITEM_CLOSE:
        out->verdict = PUMP_CLOSE;
        out->code = item->close_code;
        return false;
    case WS_ITEM_ERROR:
        out->verdict = PUMP_BAD;
        out->ending = ending_of_frame(item->error);
        out->detail = item->detail;
        return false;
    case WS_ITEM_NEED_MORE:
        break;
    }
    return true;
}

/* Goes on with a piece that had to wait. */
static bool resume_piece(struct pump *p, enum target target, const uint8_t *data,
                         struct pump_batch *to, struct pump_report *out)
{
    if (target == TO_KEPT) { /* its message is counted, if it is whole */
        return pump_piece_resume(p, data, to, out);
    }
    p->kept->has_piece = false;
    return true;
}

/* Looks for the client's Close behind what was wrong. */
static void look_behind(struct pump *p, uint8_t *data, size_t len, struct pump_report *out)
{
    struct ws_item item;
    size_t part = 0;
    ws_decoder_skip(&p->decoder, &item);
    if (item.type == WS_ITEM_ERROR) {
        return; /* the ending says so itself */
    }
    while (len > 0 && item.type != WS_ITEM_CLOSE && item.type != WS_ITEM_ERROR) {
        ws_decode(&p->decoder, data, len, &part, &item);
        data += part;
        len -= part;
    }
    if (item.type == WS_ITEM_CLOSE) {
        out->behind = PUMP_CLOSE;
        out->code = item.close_code;
    } else if (item.type == WS_ITEM_ERROR) {
        out->behind = PUMP_BAD;
    }
}

void pump_client_bytes(struct pump *p, uint8_t *data, size_t len, enum pump_mode mode,
                       struct pump_report *out)
{
    struct pump_batch up NOT_FILLED;
    struct pump_batch down NOT_FILLED;
    struct ws_item item NOT_FILLED;
    size_t part = 0;
    enum target target = target_of(p, mode);
    bool is_going = target != TO_HELD;
    uint8_t *arena = scratch_of(p)->result;
    size_t up_arena_bytes = p->is_echo ? SIDE_ARENA_BYTES : SCRATCH_RESULT - SIDE_ARENA_BYTES;

    *out = (struct pump_report){.verdict = PUMP_MORE};
    pump_batch_init(&up, p, &p->backend, arena, up_arena_bytes);
    pump_batch_init(&down, p, &p->client, arena + up_arena_bytes, SCRATCH_RESULT - up_arena_bytes);
    struct pump_batch *to = p->is_echo ? &down : &up;
    if (p->kept != NULL) {
        if (p->kept->has_piece) {
            part = p->kept->piece.data.len;
            is_going = resume_piece(p, target, data, to, out);
            data += part;
            len -= part;
        }
        is_going = is_going && (target != TO_KEPT || pump_may_decode(p, data, len));
    }
    if (is_going) { /* asked once, so that the loop looks at `len` alone */
        while (len > 0) {
            ws_decode(&p->decoder, data, len, &part, &item);
            data += part;
            len -= part;
            if (!take_item(p, target, &item, to, &down, out)) {
                break;
            }
        }
    }
    if (pump_batch_bytes(&up) > 0) {
        pump_batch_send(&up);
    }
    if (pump_batch_bytes(&down) > 0) {
        pump_batch_send(&down);
    }
    if (out->verdict == PUMP_BAD) {
        look_behind(p, data, len, out);
    }
    if (p->kept != NULL) {
        pump_end_call(p, data, len, out);
    }
}

/* --- to the client ------------------------------------------------------------------------- */

void pump_backend_bytes(struct pump *p, uint8_t *data, size_t len, struct pump_report *out)
{
    struct iovec frame;
    *out = (struct pump_report){.verdict = PUMP_MORE};
    if (p->kept != NULL && p->kept->shape != NULL) {
        pump_shape_down(p, data, len, out);
        return;
    }
    frame.iov_base = put_header(data, len, WS_BINARY, true, &frame.iov_len);
    p->down_bytes += len;
    p->down_count++;
    pump_send_pieces(p, &p->client, &frame, 1);
}

uint64_t pump_up_messages(const struct pump *p)
{
    return p->decoder.message_count;
}

uint64_t pump_down_messages(const struct pump *p)
{
    if (p->kept != NULL && p->kept->shape != NULL) {
        return p->kept->shape->down_count;
    }
    return p->is_echo ? p->decoder.message_count : p->down_count;
}

void pump_send_raw(struct pump *p, const void *data, size_t len)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)data; /* iovec has no const */
    while (len > 0) {
        size_t part = size_min(len, SCRATCH_GATHER);
        struct iovec piece = {bytes, part};
        pump_send_pieces(p, &p->client, &piece, 1);
        bytes += part;
        len -= part;
    }
}

void pump_send_close(struct pump *p, uint16_t code, struct span reason)
{
    uint8_t frame[2 + WS_CONTROL_MAX];
    size_t len = ws_encode_close(frame, code, reason);
    pump_send_raw(p, frame, len);
}

void pump_send_ping(struct pump *p)
{
    uint8_t frame[WS_HEADER_MAX];
    size_t len = ws_encode_header(frame, WS_PING, true, 0);
    pump_send_raw(p, frame, len);
    pump_await_pong(p);
}

/* --- who is read and written --------------------------------------------------------------- */

/* How many bytes to read from the side that fills this queue: what fits below the mark and half as
 * much more, at most half a read, so that the last read before the mark is not a small one. */
static size_t room(size_t queued, size_t high_bytes, size_t most)
{
    size_t left = high_bytes + size_min(high_bytes, PUMP_READ_BYTES) / 2;
    left = queued < left ? left - queued : 1;
    return size_min(left, most);
}

static bool is_collecting(const struct pump *p)
{
    return p->kept != NULL && p->kept->first == PUMP_FIRST_OPEN;
}

size_t pump_client_room(const struct pump *p)
{
    size_t backend_queued = conn_queued(&p->backend);
    size_t client_queued = conn_queued(&p->client);
    if (backend_queued == 0 && client_queued == 0 && p->kept == NULL &&
        p->high_bytes >= PUMP_READ_BYTES) {
        return PUMP_EMPTY_READ_BYTES;
    }
    bool is_small =
        p->decoder.is_deflate || is_collecting(p) || (p->kept != NULL && pump_counts_messages(p));
    size_t most = is_small ? PUMP_SMALL_READ_BYTES : PUMP_READ_BYTES;
    most = room(backend_queued, p->high_bytes, most);
    most = room(client_queued, p->high_bytes, most);
    return p->kept != NULL ? pump_meter_client_room(p, most) : most;
}

size_t pump_backend_room(const struct pump *p)
{
    size_t most = room(conn_queued(&p->client), p->high_bytes, PUMP_READ_BYTES);
    return p->kept != NULL ? pump_meter_backend_room(p, most) : most;
}

static void set_valve(bool *is_full, size_t queued, size_t high_bytes, size_t low_bytes)
{
    if (queued >= high_bytes) {
        *is_full = true;
    } else if (queued <= low_bytes) {
        *is_full = false;
    }
}

/* Which connection the held bytes leave by: in OPEN they go on when it can be written. */
static const struct conn *held_for(const struct pump *p)
{
    return p->is_echo ? &p->client : &p->backend;
}

void pump_interest(struct pump *p, const struct life *life)
{
    size_t client_queued = conn_queued(&p->client);
    size_t backend_queued = conn_queued(&p->backend);
    assert(client_queued <= p->high_bytes + PUMP_OVERSHOOT_BYTES);
    assert(backend_queued <= p->high_bytes + PUMP_OVERSHOOT_BYTES);
    set_valve(&p->is_client_full, client_queued, p->high_bytes, p->low_bytes);
    set_valve(&p->is_backend_full, backend_queued, p->high_bytes, p->low_bytes);

    /* In the other phases, and in a session that has ended, a read adds to no queue but what TLS
     * itself answers to the client. */
    bool is_open = life->phase == LIFE_OPEN;
    bool is_adding = is_open || (is_collecting(p) && life->ending == LIFE_NOT_ENDED);
    bool is_paused =
        is_adding ? pump_is_client_paused(p) : p->client.tls != NULL && p->is_client_full;
    bool is_held = p->kept != NULL && pump_is_held(p);
    bool is_throttled = p->kept != NULL && is_open && pump_is_client_throttled(p);
    bool is_backend_paused = p->is_client_full || (p->kept != NULL && pump_is_backend_throttled(p));
    unsigned client = client_queued > 0 || p->is_client_owed ? REACTOR_WRITE : 0;
    unsigned backend = backend_queued > 0 ? REACTOR_WRITE : 0;
    if (life_reads_client(life) && !is_paused && !is_held && !is_throttled) {
        client |= REACTOR_READ;
    }
    if (life_reads_backend(life) && !(is_backend_paused && life_forwards_backend(life))) {
        backend |= REACTOR_READ;
    }
    if (is_held && is_open && !is_paused && !pump_is_message_throttled(p)) {
        *(held_for(p) == &p->client ? &client : &backend) |= REACTOR_WRITE;
    }
    conn_want(&p->client, client);
    conn_want(&p->backend, backend);
}

void pump_rest(struct pump *p)
{
    conn_want(&p->client, 0);
}

bool pump_is_client_paused(const struct pump *p)
{
    return p->is_client_full || p->is_backend_full;
}

bool pump_awaits(const struct pump *p, const struct life *life, const struct conn *conn)
{
    bool is_file = p->is_client_owed && life->phase == LIFE_SERVING && conn == &p->client;
    if (conn_queued(conn) > 0 || is_file) {
        return true;
    }
    return p->kept != NULL && life->phase == LIFE_OPEN && pump_is_held(p) &&
           !pump_is_client_paused(p) && !pump_is_message_throttled(p) && conn == held_for(p);
}
