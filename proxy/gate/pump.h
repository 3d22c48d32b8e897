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
#include "proto/ws.h"

/* What one event may add to a queue that is below its mark: a read of at most PUMP_READ_BYTES, and
 * what framing and TLS put around it, a record that TLS had begun before included. */
#define PUMP_READ_BYTES (64 * 1024)
#define PUMP_FIRST_READ_BYTES (128 * 1024) /* from a client whose backend queue is empty */
#define PUMP_OVERSHOOT_BYTES (160 * 1024)

struct pump {
    struct conn client;
    struct conn backend;
    struct ws_decoder decoder;
    bool is_echo;
    bool is_client_full;  /* client.out reached high and is not yet down to low */
    bool is_backend_full; /* the same for backend.out */
    bool no_memory;       /* a queue could not grow: end the session */
    size_t high_bytes;
    size_t low_bytes;
    uint64_t up_bytes;   /* payload from the client */
    uint64_t down_bytes; /* payload to the client */
};

/* Both connections without descriptors. */
void pump_init(struct pump *p, struct reactor *reactor, conn_ready_fn *on_client,
               conn_ready_fn *on_backend);
/* The route is known. */
void pump_configure(struct pump *p, size_t high_bytes, size_t low_bytes, enum ws_accept accept,
                    uint64_t max_message_bytes, bool is_echo);

/* What the client's bytes amounted to. */
enum pump_verdict {
    PUMP_MORE = 0,
    PUMP_CLOSE, /* a valid Close: *out_code; what follows it is ignored */
    PUMP_BAD    /* *out_ending and *out_detail say what was wrong */
};
struct pump_report {
    enum pump_verdict verdict;
    uint16_t code;
    enum life_ending ending;
    const char *detail;
    bool has_payload;
};

/* Decodes and forwards; `data` is the reactor's plain scratch with headroom and is changed. With
 * is_discarding, payload and pings go nowhere: only the Close counts. Failures of the connections
 * show in conn.is_broken and in no_memory. */
void pump_client_bytes(struct pump *p, uint8_t *data, size_t len, bool is_discarding,
                       struct pump_report *out);

/* One binary frame to the client; `data` has headroom in front. */
void pump_backend_bytes(struct pump *p, uint8_t *data, size_t len);

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
