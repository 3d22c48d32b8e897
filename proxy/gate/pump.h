/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump.h: moves bytes between the two sides of a session; contains *the* interest function.
 *
 * For: client bytes through the frame decoder to the backend, backend bytes behind a frame header
 * to the client, Pings, Pongs and our Close, a first message that is for sluice itself, and who is
 * read when. Not for: phases and deadlines (life), the handshake (session).
 *
 *     client --conn_read--> decode, unmask in place --pieces--> conn_send--> backend
 *     client <--conn_send-- header written in front <--------- conn_read-- backend
 *     echo:  client --conn_read--> decode --header in front--> conn_send--> client
 *
 * One loop decodes the client's bytes for every session and every mode (enum pump_mode). Where the
 * route or the handshake asks for more (compression, framing, text: proto/shape), each piece of
 * payload goes through a shape on its way (pump_shape.c).
 *
 * A queued byte waits in one place only: the out queue of the connection it leaves by. The client's
 * bytes are held undecoded in three cases (pump_kept.c), and the client is not read while they are:
 *   - A compressed message can be a thousand times longer than its frame. When the queue it leaves
 *     by is full, or the session has used its share of the turn, the pump holds what is left of the
 *     read, and goes on when that queue can be written.
 *   - What follows a collected first message is held until the session forwards.
 *   - What there is no room for in the bucket of messages is held until there is.
 *
 * Rates: a route may say how many bytes a second each side sends, and how many messages the client
 * (pump_limit). Nothing is dropped: the pump reads a side no further than its bucket has room, and
 * decodes no message that there is no room for (pump_meter.c).
 *
 * Memory: a session that has no shape and no rates and collects no first message owns nothing but
 * its queues. For the others the pump owns a struct pump_kept: the shape, the buckets, at most
 * 80 KiB of held bytes, and the first message up to the ceiling that the session gave.
 *
 * Ceiling of a queue: buffer_high + PUMP_OVERSHOOT_BYTES (asserted). Near its mark a queue makes
 * the reads smaller (pump_client_room, pump_backend_room), so it mostly stays far below. What comes
 * nearest is the largest read, of 126 KiB into an empty queue, with all that TLS and framing
 * add. */
#ifndef GATE_PUMP_H
#define GATE_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "io/conn.h"
#include "proto/life.h"
#include "proto/limit.h"
#include "proto/shape.h"
#include "proto/token.h"
#include "proto/ws.h"

/* What one event may add to a queue: one read, what framing and TLS put around it, and the rest of
 * a record that TLS had begun before.
 *
 * A read of PUMP_READ_BYTES and what is put around it fit into one segment of the largest kind that
 * the kernel builds (64 KiB with its headers), a read of PUMP_EMPTY_READ_BYTES into two: a few
 * bytes more would cost a segment of their own, and wake the peer once more. */
#define PUMP_READ_BYTES (63 * 1024)
#define PUMP_EMPTY_READ_BYTES \
    (126 * 1024) /* from a client, into empty queues, where nothing is kept */
#define PUMP_SMALL_READ_BYTES \
    (16 * 1024) /* from a client that may compress, or still has to say who it is */
#define PUMP_OVERSHOOT_BYTES (160 * 1024)
#define PUMP_SHARE_BYTES (512 * 1024) /* one event inflates no more, but for its last step */

struct pump_kept; /* private */

struct pump {
    struct conn client;
    struct conn backend;
    struct ws_decoder decoder;
    struct pump_kept *kept; /* NULL: no shape, no rates, nothing held, no first message */
    bool is_echo;
    bool is_client_full;  /* client.out reached high and is not yet down to low */
    bool is_backend_full; /* the same for backend.out */
    bool no_memory;       /* a queue or the pump could not grow: end the session */
    bool is_client_owed;  /* more is to come (answer): the session waits to write the client */
    size_t high_bytes;
    size_t low_bytes;
    uint64_t up_bytes;   /* payload from the client that was forwarded */
    uint64_t down_bytes; /* payload to the client */
    uint64_t down_count; /* messages to the client of a session without a shape, echoes aside */
};

/* Makes a pump; neither connection is open. */
void pump_init(struct pump *p, const struct scratch *scratch, conn_ready_fn *on_client,
               conn_ready_fn *on_backend);
/* Sets what the route says. */
void pump_configure(struct pump *p, size_t high_bytes, size_t low_bytes, enum ws_accept accept,
                    uint64_t max_message_bytes, bool is_echo);
/* Gives the session a shape, if the rules need one. Call it after pump_configure and before the
 * 101. A failed allocation shows in no_memory. */
void pump_shape(struct pump *p, const struct shape_rules *rules);

/* 0 (count 0): no limit. Up counts bytes read from the client, with frame headers and TLS. Down
 * counts bytes read from the backend, on an echo route from the client. Messages are whole
 * messages, Pings and Pongs of the client, but for the Pong that answers our Ping. */
struct pump_rates {
    uint64_t up_bytes; /* a second */
    uint64_t down_bytes;
    struct limit_rate messages;
};
/* Keeps the rates from now on. Each is a token bucket that is full at first, with room for a
 * second's worth, at least PUMP_BURST_BYTES or one message. Call it once, when OPEN begins. A
 * failed allocation shows in no_memory.
 *
 * In the other phases the client's bytes pass freely, because they go nowhere; what the backend
 * says is kept to its rate as long as it is forwarded. */
#define PUMP_BURST_BYTES 4096
void pump_limit(struct pump *p, const struct pump_rates *rates, uint64_t now_ms);

/* Frees what the pump owns besides its connections. */
void pump_done(struct pump *p);

/* --- the client's bytes --------------------------------------------------------------------- */

/* What happens to the client's payload. Each call names its mode, which follows from the phase of
 * the session. The order is COLLECT (if at all), FORWARD, DISCARD; there is no way back. */
enum pump_mode {
    PUMP_FORWARD = 0, /* payload goes to the backend, on an echo route back to the client */
    PUMP_DISCARD,     /* payload and Pings go nowhere, whatever they are; only a Close counts;
                         nothing stays held */
    PUMP_COLLECT      /* collects the first message, holds what follows it (pump_collect) */
};

/* What the bytes amounted to. */
enum pump_verdict {
    PUMP_MORE = 0,
    PUMP_MESSAGE, /* PUMP_COLLECT: the first message is whole; pump_message has it */
    PUMP_CLOSE,   /* a valid Close with `code`; the pump ignores what follows it */
    PUMP_BAD      /* `ending` and `detail` say what was wrong; `behind` what followed it */
};
struct pump_report {
    enum pump_verdict verdict;
    enum pump_verdict behind; /* PUMP_CLOSE with `code`; PUMP_BAD: no Close can be found any more;
                                 else PUMP_MORE */
    uint16_t code;            /* 0: the Close was empty */
    enum life_ending ending;
    const char *detail; /* a constant */
    bool has_payload;   /* the client sent payload: it is not idle */
};

/* Decodes the bytes, treats the payload as `mode` says, and answers Pings. `data` comes from
 * conn_read; the pump changes it. The caller reads at most pump_client_room bytes, and only while
 * nothing is held. Failures of the connections show in conn.is_broken and in no_memory. */
void pump_client_bytes(struct pump *p, uint8_t *data, size_t len, enum pump_mode mode,
                       struct pump_report *out);

/* True while the pump holds bytes of the client. */
bool pump_is_held(const struct pump *p);
/* Goes on with the held bytes, as pump_client_bytes does. Call it only while pump_is_held. Without
 * room for a message it decodes none. */
void pump_resume(struct pump *p, enum pump_mode mode, struct pump_report *out);

/* Collects the first message, which is a token for sluice itself. Call it after pump_shape and
 * before the first byte of the client; from here on the mode is PUMP_COLLECT. A failed allocation
 * shows in no_memory.
 *
 * The message may be text or binary, whatever the route accepts, and compressed if both sides
 * agreed on compression. The pump inflates it and checks that text is UTF-8, but it applies neither
 * base64 nor framing (both concern what the backend gets), and counts it neither in up_bytes nor
 * among the messages. The message may come in fragments with Pings between them. More than
 * `most_bytes` of payload (1 to TOKEN_MESSAGE_MAX) is PUMP_BAD with LIFE_TOO_BIG, at the first byte
 * too many.
 *
 * PUMP_MESSAGE comes once. The pump decodes nothing behind the message before the mode changes:
 * until pump_drop_message, calls with PUMP_COLLECT hold their bytes; what is held then stays held,
 * so the session may dial meanwhile. */
void pump_collect(struct pump *p, size_t most_bytes);
/* The message, after PUMP_MESSAGE: for token_end_message. The pump owns it; it is valid until
 * pump_drop_message or pump_done. */
struct token *pump_message(struct pump *p);
/* Wipes and frees the message. */
void pump_drop_message(struct pump *p);

/* --- the backend's bytes -------------------------------------------------------------------- */

/* Sends frames to the client. `data` comes from conn_read; the pump changes it. Without a shape all
 * of it is one binary frame. PUMP_MORE or PUMP_BAD. */
void pump_backend_bytes(struct pump *p, uint8_t *data, size_t len, struct pump_report *out);
/* The backend has ended: sends what it left incomplete, or reports that as wrong. PUMP_MORE or
 * PUMP_BAD. */
void pump_backend_end(struct pump *p, struct pump_report *out);

/* Whole messages so far: of the client, and to the client. */
uint64_t pump_up_messages(const struct pump *p);
uint64_t pump_down_messages(const struct pump *p);

/* --- what sluice itself says to the client -------------------------------------------------- */

void pump_send_close(struct pump *p, uint16_t code, struct span reason);
void pump_send_ping(struct pump *p);
/* For the 101 and HTTP answers. */
void pump_send_raw(struct pump *p, const void *data, size_t len);

/* --- memory of a quiet session -------------------------------------------------------------- */

/* When pump_park should be called, on the reactor's clock: `idle_ms` after the last payload
 * (`quiet_since_ms`) or after the last pump_park. 0: the session has no memory to give back. */
uint64_t pump_park_at_ms(const struct pump *p, uint64_t quiet_since_ms, uint64_t idle_ms);
/* Gives back the compressor's memory, as far as the agreement with the client allows. */
void pump_park(struct pump *p, uint64_t now_ms);

/* --- rates ---------------------------------------------------------------------------------- */

void pump_note_time(struct pump *p, uint64_t now_ms);
/* Tells the buckets the time and what has passed. Call it first and last in each event. */
static inline void pump_tell_time(struct pump *p, uint64_t now_ms)
{
    if (p->kept != NULL) {
        pump_note_time(p, now_ms);
    }
}
/* The client is not read, or its held messages are not decoded, because of a rate. */
bool pump_is_client_throttled(const struct pump *p);
/* The held bytes wait for room for a message. */
bool pump_is_message_throttled(const struct pump *p);
/* The backend is not read because of rate_down. */
bool pump_is_backend_throttled(const struct pump *p);
/* When the session goes on that waits for a rate; 0: it does not wait. Then call pump_tell_time,
 * and pump_resume if bytes are held. */
uint64_t pump_throttled_until_ms(const struct pump *p);

/* --- who is read and written ---------------------------------------------------------------- */

/* How much the caller may read now from either side, in bytes; at least 1. */
size_t pump_client_room(const struct pump *p);
size_t pump_backend_room(const struct pump *p);

/* The one place that starts and stops reading and writing; the session calls it last in each
 * event. */
void pump_interest(struct pump *p, const struct life *life);
/* Waits for nothing from the client until the next pump_interest; for a session that knows of the
 * client's event and takes it later. */
void pump_rest(struct pump *p);
/* True while a queue is full. Either queue stops the client: what the client sends may go to the
 * backend or, as an echo or a Pong, back to the client. */
bool pump_is_client_paused(const struct pump *p);
/* True while bytes wait until this connection can be written: queued for it, or held because its
 * kernel has taken all that it takes now. */
bool pump_awaits(const struct pump *p, const struct life *life, const struct conn *conn);

#endif
