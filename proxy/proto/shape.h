/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shape.h: what a route may do to messages on their way, besides forwarding them.
 *
 *   up     client's piece -> inflate -> check UTF-8 -> decode base64 -> frame -> backend
 *   echo   client's piece -> inflate -> check UTF-8 -> deflate -> client
 *   down   backend's bytes -> split -> check UTF-8 -> encode base64 -> deflate -> client
 *
 * For: putting deflate, framing, base64 and UTF-8 together; frames of at most max_frame_bytes. Not
 * for: connections and queues (pump). A session whose route needs none of this has no shape. Pure.
 *
 * Memory of a session with a shape: the struct; what deflate needs; one message from the client, up
 * to the framing's max_bytes, where the framing (line, length16, length32) must have it whole and
 * it came in more than one piece. On the way down a shape stores only 3 bytes of a character. */
#ifndef PROTO_SHAPE_H
#define PROTO_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "base/utf8.h"
#include "proto/base64.h"
#include "proto/deflate.h"
#include "proto/framing.h"
#include "proto/ws.h"

/* The messages that a page gets. SHAPE_BASE64 needs FRAMING_STREAM. */
enum shape_payload { SHAPE_BINARY = 0, SHAPE_TEXT, SHAPE_BASE64 };

/* The rules of a session: the settings of its route and what the handshake agreed on. */
struct shape_rules {
    bool is_echo;
    bool is_deflate;
    enum shape_payload payload;
    bool is_text_repaired; /* SHAPE_TEXT: what the backend sends that is not UTF-8 becomes U+FFFD;
                              else it is SHAPE_BACKEND_DATA */
    struct framing framing;
    uint64_t max_frame_bytes; /* payload of a frame to the client, as sent; 0 = no limit */
    struct deflate_settings deflate_settings;
    struct deflate_params deflate_params;
};

#define SHAPE_FRAME_MIN_BYTES 128 /* the smallest max_frame_bytes */

/* The names of four subprotocols say what a page gets: base64, binary, binary.ircv3.net and
 * text.ircv3.net. All others: `fallback`. */
enum shape_payload shape_payload_of(struct span subprotocol, enum shape_payload fallback);
/* False: plain forwarding does the same. */
bool shape_is_needed(const struct shape_rules *rules);

enum shape_result {
    SHAPE_OK = 0,
    SHAPE_AGAIN,        /* something is left: make room in the output and call again */
    SHAPE_BAD_TEXT,     /* inflated text is not UTF-8, or text is not base64 (1007) */
    SHAPE_BAD_DEFLATE,  /* malformed compressed message (1007) */
    SHAPE_TOO_BIG,      /* the message is too long when inflated, or for the framing (1009) */
    SHAPE_TERMINATOR,   /* a line terminator inside a message (1008) */
    SHAPE_BACKEND_DATA, /* what the backend sent does not fit the route (1011) */
    SHAPE_NO_MEMORY
};

/* The output: a call appends at data + len. */
struct shape_out {
    uint8_t *data;
    size_t len;
    size_t cap;
};
/* Bytes that must be free in the output when a call begins. They are always enough. */
#define SHAPE_ROOM ((size_t)112 * 1024)
/* The most payload bytes of one step, and the size of the scratch of shape_up. */
#define SHAPE_WORK ((size_t)64 * 1024)
/* Bytes in front of the backend's bytes that shape_down may overwrite. */
#define SHAPE_HEADROOM 3

struct shape {
    struct shape_rules rules;
    const char *detail;     /* constant text; set when a call fails */
    struct deflate deflate; /* only with is_deflate */

    /* from the client */
    bool in_up_message;
    struct utf8 up_utf8; /* of inflated text; ws has checked all other text */
    struct base64_decoder up_base64;
    struct buf up_message; /* collected for the framing, later the part that has not left */
    bool is_up_leaving;    /* up_message is whole, and its prefix has left */
    struct span up_suffix;

    /* to the client */
    struct framing_splitter down_splitter;
    struct utf8 down_utf8;              /* of a line or record */
    struct utf8_repair down_repair;     /* the same, with is_text_repaired */
    uint8_t down_carry[SHAPE_HEADROOM]; /* text of a stream: an incomplete character */
    uint8_t down_carry_len;
    bool in_down_message;  /* the last frame was not the last one of its message */
    bool is_down_deflated; /* the current message is compressed */
    uint64_t down_count;   /* whole messages so far, for whoever wants to know */
};

/* The caller owns the shape, and frees it with shape_free. NULL: no memory. */
MUST_CHECK struct shape *shape_new(const struct shape_rules *rules);
/* NULL is allowed. */
void shape_free(struct shape *s);

/* A piece of a message from the client: a whole item of ws, or what a call has left of it. */
struct shape_piece {
    struct span data;
    enum ws_opcode opcode; /* of the message */
    bool is_end;           /* last piece of its message */
    bool is_compressed;
    bool is_bare; /* not for the backend: inflate and check, but neither base64 nor framing; the
                     same for all pieces of a message */
};

/* Takes bytes off the front of piece->data. SHAPE_OK: the piece is done. SHAPE_AGAIN: call again
 * with what is left of the piece, even when that is empty. After any other result only shape_free
 * is legal. `work` is SHAPE_WORK bytes of scratch. *out_payload_bytes counts the inflated bytes of
 * this call. */
MUST_CHECK enum shape_result shape_up(struct shape *s, struct shape_piece *piece, uint8_t *work,
                                      struct shape_out *out, size_t *out_payload_bytes);

/* Appends frames for what the backend sent. Takes bytes off the front of [*data, *data + *len);
 * SHAPE_HEADROOM bytes in front of them are free to use. Returns SHAPE_OK, SHAPE_AGAIN,
 * SHAPE_BACKEND_DATA or SHAPE_NO_MEMORY. With a failure the output has the frames of what came
 * before it. */
MUST_CHECK enum shape_result shape_down(struct shape *s, uint8_t **data, size_t *len,
                                        struct shape_out *out);
/* The backend has ended. Never SHAPE_AGAIN. */
MUST_CHECK enum shape_result shape_down_end(struct shape *s, struct shape_out *out);

/* shape_park would give memory back, now or at the end of a message. */
bool shape_can_park(const struct shape *s);
/* Gives memory back: for a session in which nothing has moved for a while. */
void shape_park(struct shape *s);

#endif
