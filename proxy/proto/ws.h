/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ws.h: WebSocket frames, server side (RFC 6455 sections 5 and 7).
 *
 * For: splitting a client's bytes, cut anywhere, into payload pieces and control frames; writing
 * the headers of our own frames. Not for: sockets, whole messages (the decoder hands out pieces and
 * stores none, so a message of any size costs no memory), deciding what happens next. Pure: no
 * clock, no allocation, and no length from the wire sizes anything.
 *
 * The decoder unmasks in place: ws_decode changes the bytes of its caller, and pieces point into
 * them. The decoder collects the payload of a control frame (at most 125 bytes) inside itself; that
 * payload is valid until the next call. */
#ifndef PROTO_WS_H
#define PROTO_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/utf8.h"

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xa
};

#define WS_HEADER_MAX 10   /* bytes of a header that we write; our frames have no mask */
#define WS_CONTROL_MAX 125 /* payload bytes of a control frame, RFC 6455 5.5 */
#define WS_CLOSE_REASON_MAX 123

/* Which data messages a client may send. */
enum ws_accept { WS_ACCEPT_ANY = 0, WS_ACCEPT_BINARY, WS_ACCEPT_TEXT };

enum ws_error {
    WS_OK = 0,
    WS_BAD_FRAME,    /* 1002: reserved bits or opcode, unmasked, non-minimal length, control rules,
                      fragmentation rules */
    WS_BAD_CLOSE,    /* 1002: a payload of one byte, or a code that nobody may send (7.4) */
    WS_BAD_TEXT,     /* 1007: text or close reason is not UTF-8 */
    WS_NOT_ACCEPTED, /* 1003: text where only binary is accepted, or the reverse */
    WS_TOO_BIG       /* 1009: a message longer than max_message_bytes */
};

struct ws_decoder {
    /* set at init */
    enum ws_accept accept;
    uint64_t max_message_bytes; /* 0 = no limit */
    bool is_skipping;           /* after ws_decoder_skip */
    bool is_deflate;            /* both sides agreed on compression: RSV1 is legal (RFC 7692 6) */

    /* a frame header that is incomplete: 2 to 14 bytes */
    uint8_t header[14];
    uint8_t header_have;
    uint8_t header_need;

    /* the current frame */
    bool in_payload;
    bool is_fin;
    enum ws_opcode opcode;
    uint8_t key[4];
    uint8_t key_at; /* position in the key, 0 to 3 */
    uint64_t payload_left;

    /* the current message, over all its frames; meaningless unless in_message */
    bool in_message;
    enum ws_opcode message_opcode; /* WS_TEXT or WS_BINARY */
    bool is_message_start;         /* the next piece is its first one */
    bool is_compressed;            /* its first frame had RSV1 */
    uint64_t message_bytes;        /* the sum of its headers' lengths so far */
    uint64_t message_count;        /* whole messages so far, for whoever wants to know */
    struct utf8 utf8;

    uint8_t control[WS_CONTROL_MAX];
    uint8_t control_have;

    enum ws_error error; /* stays until ws_decoder_skip */
    const char *detail;
};

enum ws_item_type {
    WS_ITEM_NEED_MORE = 0, /* the decoder consumed all bytes */
    WS_ITEM_PAYLOAD,       /* a piece of a data message; an empty frame gives an empty piece */
    WS_ITEM_PING,          /* data, len: the payload, which the Pong must have too */
    WS_ITEM_PONG,
    WS_ITEM_CLOSE, /* close_code, 0 = none; data, len: the reason. Decode no further. */
    WS_ITEM_ERROR  /* error, detail. Every later call says the same until ws_decoder_skip. */
};

struct ws_item {
    enum ws_item_type type;
    uint8_t *data;
    size_t len;
    enum ws_opcode opcode; /* PAYLOAD: the message's, WS_TEXT or WS_BINARY */
    bool is_message_start; /* PAYLOAD: first piece of its message */
    bool is_message_end;   /* PAYLOAD: last piece of its message */
    bool is_compressed;    /* PAYLOAD: of a compressed message, text and size still unchecked */
    uint16_t close_code;
    enum ws_error error;
    const char *detail; /* a constant text, short enough for a close reason */
};

void ws_decoder_init(struct ws_decoder *d, enum ws_accept accept, uint64_t max_message_bytes,
                     bool is_deflate);

/* Consumes bytes from the front of [data, data + len) up to and including one item; *out_consumed
 * says how many. Call again with the rest until WS_ITEM_NEED_MORE; an empty rest gives no item.
 *
 * The decoder reports a violation at the first byte that shows it, and consumes up to and including
 * that byte. So the items do not depend on how the stream was cut, except for where pieces end:
 *   header byte 1     reserved bits and opcodes, fragmentation rules, WS_NOT_ACCEPTED
 *   header byte 2     mask bit, control frame over 125 bytes, close payload of one byte
 *   header byte 3     top bit of a 64-bit length
 *   last length byte  non-minimal length, WS_TOO_BIG; before the key, before any payload
 *   payload           the byte that cannot stand in UTF-8 text; the last byte of a message that
 *                     ends inside a character (the header's last byte where that frame is empty)
 *   close payload     the second byte of the code; in the reason as in text
 * The text before a wrong byte comes first, as a piece.
 *
 * A frame without payload gives one empty piece. The piece with the last byte of a FIN frame has
 * is_message_end; no empty piece follows it. */
void ws_decode(struct ws_decoder *d, uint8_t *data, size_t len, size_t *out_consumed,
               struct ws_item *out_item);

/* From here on only the client's Close counts. The decoder goes over all other frames, and no
 * longer asks for their kind, length or text. It also goes on behind an error that left its place
 * known: WS_BAD_TEXT, WS_NOT_ACCEPTED, WS_TOO_BIG. *out_item is WS_ITEM_NEED_MORE; or
 * WS_ITEM_CLOSE: the frame with the error was the client's Close; or WS_ITEM_ERROR: nobody can find
 * the next frame. */
void ws_decoder_skip(struct ws_decoder *d, struct ws_item *out_item);

/* Where the decoder stands in the stream, when it has taken all the bytes that came. A stream that
 * ends anywhere but between two messages was cut. WS_IN_MESSAGE: between two of its frames. */
enum ws_place { WS_BETWEEN_MESSAGES = 0, WS_IN_FRAME, WS_IN_MESSAGE };
enum ws_place ws_decoder_place(const struct ws_decoder *d);

/* True: the frame that goes on, or begins, at the next byte is of this kind. `data` comes next. */
bool ws_decoder_is_at(const struct ws_decoder *d, enum ws_opcode opcode, const uint8_t *data,
                      size_t len);

/* Bytes of our header in front of a payload of this length: 2, 4 or 10. */
size_t ws_header_len(uint64_t payload_len);
#define WS_RSV1 0x40U /* in the first byte of a header: the message is compressed (RFC 7692 6) */
/* Writes a header without a mask (5.2) and returns its length. `payload_len` <= INT64_MAX. */
size_t ws_encode_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, bool is_fin,
                        uint64_t payload_len);
/* Writes a whole Close frame and returns its length, at most 127. Code 0 = no payload. The reason
 * keeps its first 123 bytes at most, and never ends inside a UTF-8 character. */
size_t ws_encode_close(uint8_t out[2 + WS_CONTROL_MAX], uint16_t code, struct span reason);

/* True for the codes that a client may send: 1000 to 1003, 1007 to 1014, 3000 to 4999. */
bool ws_close_code_is_valid(uint16_t code);

#endif
