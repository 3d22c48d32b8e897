/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/pump.h"

#include <assert.h>
#include <string.h>

#include "gate/pump_parts.h"

#define PIECES_MAX 256
#define ARENA_BYTES ((size_t)SCRATCH_RESULT / 2) /* each direction has its half */
#define SMALL_BYTES 1024 /* copying so much is cheaper than one more piece of a sendmsg */

/* On loopback, whose segments are the largest; a record of 16 KiB costs at most 64 bytes more. */
#define SEGMENT_BYTES 65483
_Static_assert(PUMP_READ_BYTES + WS_HEADER_MAX + 4 * 64 <= SEGMENT_BYTES, "one segment");
_Static_assert(PUMP_FIRST_READ_BYTES <= 2 * SEGMENT_BYTES, "two segments");

/* The build fills automatic variables with zeroes; 4 KiB a batch would cost more than the frames.
 * */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define NOT_FILLED __attribute__((uninitialized))
#else
#define NOT_FILLED
#endif

/* What has been collected for one connection in this event and goes out together. */
struct batch {
    struct pump *pump;
    struct conn *to;
    size_t count;
    size_t bytes; /* of the pieces */
    /* Small pieces lie side by side in the arena, and pongs, whose payload is the decoder's. Those
     * that have come last, a run, are one piece to be: [run, place). Up to run_end it may grow. */
    uint8_t *arena;
    uint8_t *run;
    uint8_t *place;
    uint8_t *run_end;
    struct iovec pieces[PIECES_MAX];
};

void pump_init(struct pump *p, const struct scratch *scratch, conn_ready_fn *on_client,
               conn_ready_fn *on_backend)
{
    memset(p, 0, sizeof(*p));
    /* Before the route is known only our own short answers are queued. */
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

static void batch_init(struct batch *b, struct pump *p, struct conn *to, uint8_t *arena)
{
    b->pump = p;
    b->to = to;
    b->count = 0;
    b->bytes = 0;
    b->arena = b->run = b->place = b->run_end = arena;
}

static void batch_end_run(struct batch *b)
{
    size_t len = (size_t)(b->place - b->run);
    if (len > 0) {
        assert(b->count < PIECES_MAX);
        b->pieces[b->count++] = (struct iovec){b->run, len};
        b->bytes += len;
    }
    b->run = b->run_end = b->place;
}

static void batch_flush(struct batch *b)
{
    batch_end_run(b);
    if (b->count > 0) {
        pump_send_pieces(b->pump, b->to, b->pieces, b->count);
    }
    batch_init(b, b->pump, b->to, b->arena);
}

/* A run that has room for so many bytes. */
static void batch_start_run(struct batch *b, size_t len)
{
    batch_end_run(b);
    if (b->count == PIECES_MAX || b->bytes + len > SCRATCH_GATHER ||
        (size_t)(b->place - b->arena) + len > ARENA_BYTES) {
        batch_flush(b);
    }
    size_t arena_left = ARENA_BYTES - (size_t)(b->place - b->arena);
    size_t bytes_left = SCRATCH_GATHER - b->bytes;
    b->run_end = b->place + (arena_left < bytes_left ? arena_left : bytes_left);
    assert(len <= (size_t)(b->run_end - b->place));
}

static inline uint8_t *batch_reserve(struct batch *b, size_t len)
{
    if (len > (size_t)(b->run_end - b->place)) {
        batch_start_run(b, len);
    }
    uint8_t *place = b->place;
    b->place += len;
    return place;
}

static void batch_add(struct batch *b, void *data, size_t len)
{
    if (len <= SMALL_BYTES) {
        memcpy(batch_reserve(b, len), data, len);
        return;
    }
    batch_end_run(b);
    if (b->count == PIECES_MAX || b->bytes + len > SCRATCH_GATHER) {
        batch_flush(b);
    }
    b->pieces[b->count++] = (struct iovec){data, len};
    b->bytes += len;
}

/* A control frame, or another short one. */
static void batch_add_frame(struct batch *b, enum ws_opcode opcode, bool is_fin,
                            const uint8_t *payload, size_t len)
{
    uint8_t *frame = batch_reserve(b, WS_HEADER_MAX + len);
    size_t header_len = ws_encode_header(frame, opcode, is_fin, len);
    memcpy(frame + header_len, payload, len);
    b->place = frame + header_len + len;
}

/* Writes the header of our frame in front of its payload. There is room: a piece is preceded by
 * its client header, which is never shorter, or by the headroom of the scratch. */
static uint8_t *put_header(uint8_t *payload, size_t len, enum ws_opcode opcode, bool is_fin,
                           size_t *out_len)
{
    uint8_t header[WS_HEADER_MAX];
    size_t header_len = ws_encode_header(header, opcode, is_fin, len);
    memcpy(payload - header_len, header, header_len);
    *out_len = header_len + len;
    return payload - header_len;
}

static void forward(struct pump *p, const struct ws_item *item, struct batch *up,
                    struct batch *down)
{
    p->up_bytes += item->len;
    if (!p->is_echo) {
        if (item->len > 0) {
            batch_add(up, item->data, item->len);
        }
        return;
    }
    enum ws_opcode opcode = item->is_message_start ? item->opcode : WS_CONTINUATION;
    p->down_bytes += item->len;
    if (item->len <= SMALL_BYTES) {
        batch_add_frame(down, opcode, item->is_message_end, item->data, item->len);
        return;
    }
    size_t frame_len = 0;
    uint8_t *frame = put_header(item->data, item->len, opcode, item->is_message_end, &frame_len);
    batch_add(down, frame, frame_len);
}

enum life_ending pump_ending_of(enum ws_error error)
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

void pump_client_bytes(struct pump *p, uint8_t *data, size_t len, bool is_discarding,
                       struct pump_report *out)
{
    struct batch up NOT_FILLED;
    struct batch down NOT_FILLED;
    struct ws_item item;
    size_t consumed = 0;

    if (p->shaped != NULL) {
        pump_shaped_bytes(p, data, len, is_discarding, out);
        return;
    }
    uint8_t *arena = p->client.scratch->result;
    batch_init(&up, p, &p->backend, arena);
    batch_init(&down, p, &p->client, arena + ARENA_BYTES);
    *out = (struct pump_report){.verdict = PUMP_MORE};
    while (len > 0 && out->verdict == PUMP_MORE) {
        ws_decode(&p->decoder, data, len, &consumed, &item);
        data += consumed;
        len -= consumed;
        switch (item.type) {
        case WS_ITEM_PAYLOAD:
            out->has_payload = out->has_payload || item.len > 0;
            if (!is_discarding) {
                forward(p, &item, &up, &down);
            }
            break;
        case WS_ITEM_PING:
            if (!is_discarding) {
                batch_add_frame(&down, WS_PONG, true, item.data, item.len);
            }
            break;
        case WS_ITEM_CLOSE:
            out->verdict = PUMP_CLOSE;
            out->code = item.close_code;
            break;
        case WS_ITEM_ERROR:
            out->verdict = PUMP_BAD;
            out->ending = pump_ending_of(item.error);
            out->detail = item.detail;
            break;
        case WS_ITEM_NEED_MORE:
        case WS_ITEM_PONG:
            break;
        }
    }
    batch_flush(&up);
    batch_flush(&down);
}

void pump_backend_bytes(struct pump *p, uint8_t *data, size_t len, struct pump_report *out)
{
    struct iovec frame;
    if (p->shaped != NULL) {
        pump_shaped_backend_bytes(p, data, len, out);
        return;
    }
    *out = (struct pump_report){.verdict = PUMP_MORE};
    frame.iov_base = put_header(data, len, WS_BINARY, true, &frame.iov_len);
    p->down_bytes += len;
    pump_send_pieces(p, &p->client, &frame, 1);
}

void pump_send_raw(struct pump *p, const void *data, size_t len)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)data; /* iovec has no const */
    while (len > 0) {
        size_t part = len < SCRATCH_GATHER ? len : SCRATCH_GATHER;
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
}

static size_t room(size_t queued, size_t high_bytes, size_t most)
{
    size_t left = high_bytes + PUMP_READ_BYTES / 2;
    left = queued < left ? left - queued : 1;
    return left < most ? left : most;
}

size_t pump_client_room(const struct pump *p)
{
    size_t backend_queued = conn_queued(&p->backend);
    size_t client_queued = conn_queued(&p->client);
    if (backend_queued == 0 && client_queued == 0 && p->shaped == NULL) {
        return PUMP_FIRST_READ_BYTES;
    }
    size_t most = p->decoder.is_deflate ? PUMP_DEFLATED_READ_BYTES : PUMP_READ_BYTES;
    most = room(backend_queued, p->high_bytes, most);
    return room(client_queued, p->high_bytes, most);
}

size_t pump_backend_room(const struct pump *p)
{
    return room(conn_queued(&p->client), p->high_bytes, PUMP_READ_BYTES);
}

static void set_valve(bool *is_full, size_t queued, size_t high_bytes, size_t low_bytes)
{
    if (queued >= high_bytes) {
        *is_full = true;
    } else if (queued <= low_bytes) {
        *is_full = false;
    }
}

void pump_interest(struct pump *p, const struct life *life)
{
    size_t client_queued = conn_queued(&p->client);
    size_t backend_queued = conn_queued(&p->backend);
    assert(client_queued <= p->high_bytes + PUMP_OVERSHOOT_BYTES);
    assert(backend_queued <= p->high_bytes + PUMP_OVERSHOOT_BYTES);
    set_valve(&p->is_client_full, client_queued, p->high_bytes, p->low_bytes);
    set_valve(&p->is_backend_full, backend_queued, p->high_bytes, p->low_bytes);

    /* Before and after OPEN what is read goes nowhere, so no queue can hold it up. */
    bool is_open = life->phase == LIFE_OPEN;
    bool is_paused = is_open && pump_is_client_paused(p);
    bool is_held = pump_is_held(p);
    unsigned client = client_queued > 0 || p->is_client_turn_due ? REACTOR_WRITE : 0;
    unsigned backend = backend_queued > 0 ? REACTOR_WRITE : 0;
    if (life_reads_client(life) && !is_paused && !is_held) {
        client |= REACTOR_READ;
    }
    if (life_reads_backend(life) && !(life_forwards_backend(life) && p->is_client_full)) {
        backend |= REACTOR_READ;
    }
    if (is_held && !is_paused) {
        *(p->is_echo ? &client : &backend) |= REACTOR_WRITE;
    }
    conn_want(&p->client, client);
    conn_want(&p->backend, backend);
}

bool pump_is_client_paused(const struct pump *p)
{
    return p->is_client_full || p->is_backend_full;
}
