/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shape.h: what a route may do to messages on their way, besides forwarding them.
 *
 *   up     client piece -> inflate -> UTF-8 -> base64 off -> framing -> bytes for the backend
 *   echo   client piece -> inflate -> UTF-8 -> deflate -> frames for the client
 *   down   backend's bytes -> framing -> UTF-8 -> base64 on -> deflate -> frames for the client
 *
 * For: putting deflate, framing, base64 and UTF-8 together; frames of at most max_frame_out. Not
 * for: connections and queues (pump). A session of a route that uses none of it has no shape and
 * never comes here. Pure.
 *
 * Memory of a session with a shape: the struct; what deflate holds; a message from the client that
 * must be whole before it can go on (line, length16, length32) and did not come in one piece, up to
 * the framing's max_bytes. Nothing is ever stored on the way down but 3 bytes of a character. */
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

/* What a page is sent. Base64 is for framing = stream only. */
enum shape_payload { SHAPE_BINARY = 0, SHAPE_TEXT, SHAPE_BASE64 };

/* Of a session: its route's settings and what the handshake agreed on. */
struct shape_rules {
    bool is_echo;
    bool is_deflate;
    enum shape_payload payload;
    struct framing framing;
    uint64_t max_frame_bytes; /* payload of a frame to the client; 0 = no limit */
    struct deflate_settings deflate_settings;
    struct deflate_params deflate_params;
};

#define SHAPE_FRAME_MIN_BYTES 128 /* least max_frame_bytes */

/* Some subprotocols say by their name what a page is sent: base64, binary, binary.ircv3.net and
 * text.ircv3.net. Others: `fallback`. */
enum shape_payload shape_payload_of(struct span subprotocol, enum shape_payload fallback);
/* False: forwarding as it is does the same. */
bool shape_is_needed(const struct shape_rules *rules);

enum shape_result {
    SHAPE_OK = 0,
    SHAPE_MORE,         /* something is left: see to the room in the output and call again */
    SHAPE_BAD_TEXT,     /* inflated text is not UTF-8, or not base64 (1007) */
    SHAPE_BAD_DEFLATE,  /* 1007 */
    SHAPE_TOO_BIG,      /* inflated or framed message (1009) */
    SHAPE_TERMINATOR,   /* 1008 */
    SHAPE_BACKEND_DATA, /* what the backend sent does not fit the route (1011) */
    SHAPE_NO_MEMORY
};

/* Where results go: appended at data + len. */
struct shape_out {
    uint8_t *data;
    size_t len;
    size_t cap;
};
/* What must be free in the output when a call begins; no call appends more. */
#define SHAPE_ROOM ((size_t)112 * 1024)
/* Payload that one call handles at most; the size of its scratch. */
#define SHAPE_WORK ((size_t)64 * 1024)
/* Bytes in front of the backend's that shape_down may overwrite. */
#define SHAPE_HEADROOM 3

struct shape {
    struct shape_rules rules;
    const char *detail;     /* why the last call failed; constant */
    struct deflate deflate; /* with is_deflate */

    /* from the client */
    bool in_up_message;
    struct utf8 up_utf8; /* of inflated text */
    struct base64_decoder up_base64;
    struct buf up_message; /* collected for the framing, then on its way out */
    bool is_up_leaving;    /* its prefix is out */
    struct span up_suffix;

    /* to the client */
    struct framing_splitter down_splitter;
    struct utf8 down_utf8;              /* of a line or record */
    uint8_t down_carry[SHAPE_HEADROOM]; /* text of a stream: a character that is not complete */
    uint8_t down_carry_len;
    bool in_down_message;  /* the last frame was not the end of its message */
    bool is_down_deflated; /* the message that is being sent */
};

/* NULL: no memory. */
MUST_CHECK struct shape *shape_new(const struct shape_rules *rules);
/* NULL is allowed. */
void shape_free(struct shape *s);

/* A piece of a message from the client: the whole item, or what a call has left of it. */
struct shape_piece {
    struct span data;
    enum ws_opcode opcode; /* of the message */
    bool is_end;           /* last piece of its message */
    bool is_compressed;
    bool is_bare; /* not for the backend: inflated and checked, but without base64 and framing;
                     the same for all pieces of a message */
};

/* Takes from the front of piece->data. SHAPE_OK: done with the piece. SHAPE_MORE: call again with
 * what is left of it, even if that is empty. `work` is SHAPE_WORK bytes of scratch. After any other
 * result the object is of no more use but to be freed. *out_payload_bytes: taken by this call,
 * inflated. */
MUST_CHECK enum shape_result shape_up(struct shape *s, struct shape_piece *piece, uint8_t *work,
                                      struct shape_out *out, size_t *out_payload_bytes);

/* Frames for what the backend sent: takes from the front of [*data, *data + *len), which has
 * SHAPE_HEADROOM bytes of ours in front. SHAPE_OK, SHAPE_MORE, SHAPE_BACKEND_DATA or
 * SHAPE_NO_MEMORY; frames of what came before a failure are appended. */
MUST_CHECK enum shape_result shape_down(struct shape *s, uint8_t **data, size_t *len,
                                        struct shape_out *out);
/* The backend has ended. */
MUST_CHECK enum shape_result shape_down_end(struct shape *s, struct shape_out *out);

/* Memory could be given back now that nothing moves; shape_rest does it. */
bool shape_can_rest(const struct shape *s);
void shape_rest(struct shape *s);

#endif
