/* SPDX-License-Identifier: GPL-3.0-or-later */
/* framing.h: how a route's messages lie in the bytes that a backend reads and writes.
 *
 *   stream     bytes are bytes; where a message begins and ends means nothing
 *   line       a message is a line without its terminator
 *   length16   a message is a record: its length in 2 bytes, then that many bytes
 *   length32   the same with 4 bytes
 *
 * For: wrapping a whole message for the backend; splitting the backend's bytes into messages,
 * wherever the reads cut them and without storing them. Not for: WebSocket frames, UTF-8. Pure;
 * allocates nothing. */
#ifndef PROTO_FRAMING_H
#define PROTO_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum framing_kind { FRAMING_STREAM = 0, FRAMING_LINE, FRAMING_LENGTH16, FRAMING_LENGTH32 };
enum framing_line_end { FRAMING_LF = 0, FRAMING_CRLF };
enum framing_order { FRAMING_BIG = 0, FRAMING_LITTLE }; /* which byte of a length comes first */

/* The framing of a route. */
struct framing {
    enum framing_kind kind;
    enum framing_line_end line_end;
    bool is_line_multi; /* a message may hold several lines */
    enum framing_order length_order;
    uint64_t max_bytes; /* of a line or record, without terminator or length */
};

/* The smaller of max_bytes and the largest number of the length field. */
uint64_t framing_max_bytes(const struct framing *f);

enum framing_error {
    FRAMING_OK = 0,
    FRAMING_TERMINATOR, /* a line terminator inside a message: 1008 */
    FRAMING_TOO_LONG,   /* a message (1009), or a line or record of the backend's (1011) */
    FRAMING_CUT_OFF     /* the backend ended inside a record: 1011 */
};

/* What the backend gets in front of a message and behind it. */
struct framing_wrap {
    uint8_t prefix[4];
    size_t prefix_len;
    struct span suffix; /* constant */
};
/* `message` is a whole message; `f` is not FRAMING_STREAM. A line may have no LF in it, and with
 * CRLF no CR either: some services end a line at either of them, and a second line would be an
 * injection. With is_line_multi a message may have them; when it already ends with the terminator
 * (with CRLF: with CR LF), the suffix is empty. max_bytes counts the whole message. */
MUST_CHECK enum framing_error framing_wrap(const struct framing *f, struct span message,
                                           struct framing_wrap *out);

/* How far the splitter is in the backend's bytes. */
struct framing_splitter {
    uint8_t header[4]; /* the length of a record, so far */
    uint8_t header_have;
    bool in_message;      /* a piece of a message is out, but its last one is not */
    bool is_after_cr;     /* CRLF: the last byte was a CR; the next one tells what the CR means */
    uint64_t left_bytes;  /* of the record */
    uint64_t taken_bytes; /* of the line */
};

struct framing_piece {
    struct span data; /* points into the input or to a constant; may be empty */
    bool is_start;    /* first piece of its message */
    bool is_end;      /* last piece of its message */
};

enum framing_split { FRAMING_NEED_MORE = 0, FRAMING_PIECE, FRAMING_ERROR };

void framing_splitter_init(struct framing_splitter *s);
/* Takes bytes off the front of *input, up to and including one piece of a message. Call again until
 * FRAMING_NEED_MORE; the input is then empty. Where the input has only a part of a message, that
 * part is a piece. A line ends at LF; with CRLF, a CR in front of the LF belongs to the terminator
 * and any other CR to the line. FRAMING_STREAM: the whole input is one message. */
MUST_CHECK enum framing_split framing_split(struct framing_splitter *s, const struct framing *f,
                                            struct span *input, struct framing_piece *out,
                                            enum framing_error *out_error);
/* The backend has ended. A line without a terminator is still a line, so *out is its last piece
 * (is_end). An incomplete record is FRAMING_CUT_OFF. FRAMING_NEED_MORE: nothing is left. */
MUST_CHECK enum framing_split framing_split_end(struct framing_splitter *s, const struct framing *f,
                                                struct framing_piece *out,
                                                enum framing_error *out_error);

#endif
