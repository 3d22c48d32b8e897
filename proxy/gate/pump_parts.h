/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump_parts.h: what the sources of the pump share; for nobody else. */
#ifndef GATE_PUMP_PARTS_H
#define GATE_PUMP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "gate/pump.h"
#include "gate/pump_batch.h"

enum pump_first {
    PUMP_FIRST_NONE = 0, /* nobody asked for a message, or the session has dropped it */
    PUMP_FIRST_OPEN,     /* the pump collects the message */
    PUMP_FIRST_WHOLE     /* the message is whole */
};

/* One rate. Units are what its bucket counts: `cost` of them pass with each byte or message. */
struct pump_flow {
    struct limit_flow flow; /* per_second 0: no limit */
    struct limit_bucket bucket;
    uint64_t cost;
    uint64_t portion; /* units: who has found the bucket empty waits for so many, and not for one */
    bool is_empty;    /* the portion is not there yet */
};

struct pump_meter {
    struct pump_flow up;
    struct pump_flow down;
    struct pump_flow messages;
    uint64_t now_ms;
    uint64_t up_bytes; /* received_bytes of the connections that the buckets know of */
    uint64_t down_bytes;
    bool is_pong_due; /* an answer to our own Ping, which counts nowhere */
};

/* What the pump keeps for a session between two events. */
struct pump_kept {
    struct shape *shape;      /* NULL: payload goes out as it is */
    struct pump_meter *meter; /* owned; NULL: no rates */

    /* Held bytes: what is left of `piece`, then wire bytes not yet decoded. */
    struct buf held;
    bool has_piece; /* the shape has begun a piece and is not done with it */
    /* data.len: what is left; 0 bytes may still inflate to something. Each step sets data.data. */
    struct shape_piece piece;
    size_t share_bytes; /* payload that went through the shape in this call */
    uint64_t parked_ms; /* the last pump_park */

    enum pump_first first;
    struct token message;  /* the first message */
    size_t most_bytes;     /* of it */
    enum ws_accept accept; /* the route's; the decoder takes any kind for the first message */
};

static inline const struct scratch *scratch_of(const struct pump *p)
{
    return p->client.scratch;
}

/* --- pump.c --- */

void pump_send_pieces(struct pump *p, struct conn *to, const struct iovec *pieces, size_t count);

/* --- pump_shape.c --- */

/* Moves a piece through the shape into `to`. False: decode no further, because the piece is wrong
 * or has to wait (has_piece). */
bool pump_piece_begin(struct pump *p, const struct ws_item *item, struct pump_batch *to,
                      struct pump_report *out);
/* Goes on with the piece that waits; what is left of it lies at `data`. */
bool pump_piece_resume(struct pump *p, const uint8_t *data, struct pump_batch *to,
                       struct pump_report *out);
/* pump_backend_bytes of a session with a shape. */
void pump_shape_down(struct pump *p, uint8_t *data, size_t len, struct pump_report *out);
/* Says what is wrong; does nothing for SHAPE_OK and SHAPE_AGAIN. */
void pump_report_shape(const struct pump *p, enum shape_result result, struct pump_report *out);

/* --- pump_meter.c --- */

/* How much of `most` the rates let through now; at least 1. */
size_t pump_meter_client_room(const struct pump *p, size_t most);
size_t pump_meter_backend_room(const struct pump *p, size_t most);
/* The messages of the client are counted. */
bool pump_counts_messages(const struct pump *p);
/* The client has sent a whole message, a Ping or a Pong, counted or not. False: there is no room
 * for another. */
bool pump_count_message(struct pump *p);
/* The same for a Pong. One that answers our Ping counts nowhere, and needs no room. */
bool pump_count_pong(struct pump *p);
/* We have sent a Ping. */
void pump_await_pong(struct pump *p);
/* What comes next may be decoded: there is room for a message, or it needs none. */
bool pump_may_decode(const struct pump *p, const uint8_t *data, size_t len);

/* --- pump_kept.c --- */

/* Returns p->kept; makes it if there is none. NULL: no memory, which shows in no_memory too. */
struct pump_kept *pump_make_kept(struct pump *p);
/* Frees p->kept if the session needs nothing in it any more. */
void pump_free_unused_kept(struct pump *p);
/* The end of pump_client_bytes, which has decoded all but the last `len` bytes, at `data`. Counts
 * what went through the shape. Holds those bytes, and in front of them what is left of a piece,
 * unless the verdict says that nothing more counts; bytes that were held before stay where they
 * are. Calls pump_free_unused_kept last. */
void pump_end_call(struct pump *p, const uint8_t *data, size_t len, struct pump_report *out);
/* One piece of the first message; `room` lends its arena to what inflates. False: decode no
 * further. */
bool pump_collect_piece(struct pump *p, const struct ws_item *item, struct pump_batch *room,
                        struct pump_report *out);

#endif
