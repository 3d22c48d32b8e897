/* SPDX-License-Identifier: GPL-3.0-or-later */
/* framing.h: how messages and the backend's bytes map onto each other.
 *
 *   stream     bytes are bytes: a message's borders mean nothing
 *   line       a message is a line without its terminator
 *   length16   a message is a record: its length in 2 bytes, then that many bytes
 *   length32   the same with 4 bytes
 *
 * For: what goes around a whole message towards the backend; the borders in what comes from the
 * backend, at any split and without storing it. Not for: WebSocket frames, UTF-8. Pure; allocates
 * nothing. */
#ifndef PROTO_FRAMING_H
#define PROTO_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum framing_kind { FRAMING_STREAM = 0, FRAMING_LINE, FRAMING_LENGTH16, FRAMING_LENGTH32 };
enum framing_line_end { FRAMING_LF = 0, FRAMING_CRLF };
enum framing_order { FRAMING_BIG = 0, FRAMING_LITTLE }; /* which byte of a length comes first */

/* Of a route. */
struct framing {
    enum framing_kind kind;
    enum framing_line_end line_end;
    bool is_line_multi; /* a message may hold several lines */
    enum framing_order length_order;
    uint64_t max_bytes; /* of a line or record, without terminator or length */
};

/* max_bytes, and what the length field can say. */
uint64_t framing_max_bytes(const struct framing *f);

enum framing_error {
    FRAMING_OK = 0,
    FRAMING_TERMINATOR, /* a message with a line terminator inside: 1008 */
    FRAMING_TOO_LONG,   /* a message (1009) or a line or record of the backend (1011) */
    FRAMING_CUT_OFF     /* the backend ended inside a record: 1011 */
};

/* What goes in front of a message and behind it towards the backend. */
struct framing_wrap {
    uint8_t prefix[4];
    size_t prefix_len;
    struct span suffix; /* constant */
};
/* `message` is a whole message; not for FRAMING_STREAM. A line may not hold LF, with CRLF no CR
 * either: services take the one for the other, and a second line is what an injection would be.
 * With is_line_multi it may, and a terminator that is already at its end is not doubled (with CRLF
 * that is CR LF only); all of the message counts against max_bytes. */
MUST_CHECK enum framing_error framing_wrap(const struct framing *f, struct span message,
                                           struct framing_wrap *out);

/* Where the backend's bytes stand. */
struct framing_splitter {
    uint8_t header[4]; /* of a record */
    uint8_t header_have;
    bool in_message;      /* a piece of a message was handed out, its end was not */
    bool has_held_cr;     /* CRLF: a CR is held back until the next byte */
    uint64_t left_bytes;  /* of the record */
    uint64_t taken_bytes; /* of the line */
};

struct framing_piece {
    struct span data; /* may be empty; points into the input or is a constant */
    bool is_start;    /* first piece of its message */
    bool is_end;      /* last piece of its message */
};

enum framing_split { FRAMING_NEED_MORE = 0, FRAMING_PIECE, FRAMING_ERROR };

void framing_splitter_init(struct framing_splitter *s);
/* Takes bytes from the front of *input up to and including one piece of a message. Call again until
 * FRAMING_NEED_MORE; the input is then empty. A message that is not complete in the input gives
 * the piece that is there. A line ends at LF; with CRLF a CR in front of it belongs to the
 * terminator, any other CR to the line. FRAMING_STREAM: the whole input is one message. */
MUST_CHECK enum framing_split framing_split(struct framing_splitter *s, const struct framing *f,
                                            struct span *input, struct framing_piece *out,
                                            enum framing_error *out_error);
/* The backend has ended. A line without terminator is still a line: its last piece (is_end) comes
 * out; a record that is not complete is FRAMING_CUT_OFF. */
MUST_CHECK enum framing_split framing_split_end(struct framing_splitter *s, const struct framing *f,
                                                struct framing_piece *out,
                                                enum framing_error *out_error);

#endif
