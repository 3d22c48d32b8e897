/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump.h: moves bytes between the two sides of a session; contains *the* interest function.
 *
 * For: client bytes through the frame decoder to the backend, backend bytes behind a frame header
 * to the client, pings, pongs and our Close, and who is read when. Not for: phases and deadlines
 * (life), the handshake (session). A byte waits in one place only: the out queue of the connection
 * it leaves by.
 *
 *     client --conn_read--> decode, unmask in place --pieces--> conn_send--> backend
 *     client <--conn_send-- header written in front <--------- conn_read-- backend
 *     echo:  client --conn_read--> decode --header in front--> conn_send--> client
 *
 * A session whose route or handshake asks for more (compression, framing, text: proto/shape) goes
 * through pump_shape.c instead of the middle of these lines, and owns a struct pump_shaped; every
 * other session has a NULL there and pays nothing. A compressed message may be a thousand times
 * longer than what was read of it: when the queue it leaves by is full, or this session has had its
 * share of the turn, the rest of what was read is held (pump_is_held) and the client not read; it
 * goes on when that side can be written.
 *
 * Ceiling of a queue: buffer_high + PUMP_OVERSHOOT_BYTES (asserted). It is reached only when the
 * other side delivers a full read while the queue stands just below its mark. */
#ifndef GATE_PUMP_H
#define GATE_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "io/conn.h"
#include "proto/life.h"
#include "proto/shape.h"
#include "proto/ws.h"

/* What one event may add to a queue that is below its mark: a read of at most PUMP_READ_BYTES, and
 * what framing and TLS put around it, a record that TLS had begun before included.
 *
 * A read and what is put around it fit into one segment of the largest kind the kernel builds (64
 * KiB with its headers), the first read into two: a few bytes more would cost a segment for
 * themselves, and wake the peer once more. */
#define PUMP_READ_BYTES (63 * 1024)
#define PUMP_FIRST_READ_BYTES (126 * 1024) /* from a client whose backend queue is empty */
#define PUMP_OVERSHOOT_BYTES (160 * 1024)
#define PUMP_DEFLATED_READ_BYTES (16 * 1024) /* from a client that may compress */
#define PUMP_SHARE_BYTES (512 * 1024)        /* inflated in one event at most, or a little more */

struct pump_shaped; /* private */

struct pump {
    struct conn client;
    struct conn backend;
    struct ws_decoder decoder;
    struct pump_shaped *shaped; /* NULL unless the session has a shape */
    bool is_echo;
    bool is_client_full;     /* client.out reached high and is not yet down to low */
    bool is_backend_full;    /* the same for backend.out */
    bool no_memory;          /* a queue could not grow: end the session */
    bool is_client_turn_due; /* the client is owed more than its queue holds: the session wants to
                                know when it can be written */
    size_t high_bytes;
    size_t low_bytes;
    uint64_t up_bytes;   /* payload from the client */
    uint64_t down_bytes; /* payload to the client */
};

/* Both connections without descriptors. */
void pump_init(struct pump *p, const struct scratch *scratch, conn_ready_fn *on_client,
               conn_ready_fn *on_backend);
/* The route is known. */
void pump_configure(struct pump *p, size_t high_bytes, size_t low_bytes, enum ws_accept accept,
                    uint64_t max_message_bytes, bool is_echo);
/* The handshake is about to be answered; after pump_configure. Does nothing where no shape is
 * needed; without memory it shows in no_memory. */
void pump_shape(struct pump *p, const struct shape_rules *rules);
/* Frees what is not a connection's. */
void pump_done(struct pump *p);

/* What the bytes amounted to. */
enum pump_verdict {
    PUMP_MORE = 0,
    PUMP_CLOSE, /* a valid Close: `code`; what follows it is ignored */
    PUMP_BAD    /* `ending` and `detail` say what was wrong */
};
struct pump_report {
    enum pump_verdict verdict;
    uint16_t code;
    enum life_ending ending;
    const char *detail;
    bool has_payload;
};

/* Decodes and forwards; `data` is plain scratch with headroom and is changed. With
 * is_discarding, payload and pings go nowhere: only the Close counts. Failures of the connections
 * show in conn.is_broken and in no_memory. */
void pump_client_bytes(struct pump *p, uint8_t *data, size_t len, bool is_discarding,
                       struct pump_report *out);

/* The client's bytes that are held: because a queue is full, or to let others have their turn. */
bool pump_is_held(const struct pump *p);
/* Goes on with them, as pump_client_bytes. */
void pump_resume(struct pump *p, bool is_discarding, struct pump_report *out);

/* Frames to the client; `data` is plain scratch with headroom in front and is changed. Without a
 * shape one binary frame. PUMP_MORE or PUMP_BAD. */
void pump_backend_bytes(struct pump *p, uint8_t *data, size_t len, struct pump_report *out);
/* The backend has ended: what it left incomplete. */
void pump_backend_end(struct pump *p, struct pump_report *out);

/* When memory should be given back that nothing has used since `quiet_since_ms`, 0 = there is none
 * to give; and doing it. */
uint64_t pump_park_at_ms(const struct pump *p, uint64_t quiet_since_ms, uint64_t idle_ms);
void pump_park(struct pump *p, uint64_t now_ms);

void pump_send_close(struct pump *p, uint16_t code, struct span reason);
void pump_send_ping(struct pump *p);
/* Handshake bytes and HTTP answers. */
void pump_send_raw(struct pump *p, const void *data, size_t len);

/* How much may be read now from either side. */
size_t pump_client_room(const struct pump *p);
size_t pump_backend_room(const struct pump *p);

/* The one place that starts and stops reading and writing; called last in each event. */
void pump_interest(struct pump *p, const struct life *life);
/* True when the client is not read although the phase would read it. */
bool pump_is_client_paused(const struct pump *p);

#endif
