/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ws.h: WebSocket frames, server side (RFC 6455 sections 5 and 7).
 *
 * For: taking a client's bytes, cut anywhere, apart into payload pieces and control frames, and
 * writing the headers of our own frames. Not for: sockets, whole messages (a piece is forwarded,
 * not stored, so a message of any size costs no memory), deciding what happens next. Pure: no
 * clock, no allocation, and nothing is ever sized by a length from the wire.
 *
 * The decoder unmasks in place: the bytes given to ws_decode are changed, and pieces point into
 * them. Payloads of control frames (at most 125 bytes) are collected inside the decoder and are
 * valid until the next call. */
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

#define WS_HEADER_MAX 10   /* bytes of a header that we write (never masked) */
#define WS_CONTROL_MAX 125 /* payload bytes of a control frame, RFC 6455 5.5 */
#define WS_CLOSE_REASON_MAX 123

/* Which data messages a client may send. */
enum ws_accept { WS_ACCEPT_ANY = 0, WS_ACCEPT_BINARY, WS_ACCEPT_TEXT };

enum ws_error {
    WS_OK = 0,
    WS_BAD_FRAME,    /* 1002: reserved bits or opcode, unmasked, non-minimal length, control rules,
                      fragmentation rules */
    WS_BAD_CLOSE,    /* 1002: one-byte payload, or a code that must not be sent (7.4) */
    WS_BAD_TEXT,     /* 1007: text or close reason is not UTF-8 */
    WS_NOT_ACCEPTED, /* 1003: text where only binary is accepted, or the reverse */
    WS_TOO_BIG       /* 1009: a message longer than max_message_bytes */
};

struct ws_decoder {
    /* set at init */
    enum ws_accept accept;
    uint64_t max_message_bytes; /* 0 = no limit */
    bool is_deflate;            /* permessage-deflate was agreed on: RSV1 is allowed (RFC 7692 6) */

    /* the frame header being collected: 2 to 14 bytes */
    uint8_t header[14];
    uint8_t header_have;
    uint8_t header_need;

    /* the frame being read */
    bool in_payload;
    bool is_fin;
    enum ws_opcode opcode; /* of this frame */
    uint8_t key[4];
    uint8_t phase; /* position in the key, 0 to 3 */
    uint64_t payload_left;

    /* the message being read, across fragments; says nothing while not in_message */
    bool in_message;
    enum ws_opcode message_opcode; /* WS_TEXT or WS_BINARY */
    bool is_message_start;         /* no piece of this message was handed out yet */
    bool is_compressed;            /* its first frame had RSV1 */
    uint64_t message_bytes;        /* declared by the headers so far */
    struct utf8 utf8;

    uint8_t control[WS_CONTROL_MAX];
    uint8_t control_have;

    enum ws_error error; /* sticks: the stream is of no use after an error */
    const char *detail;
};

enum ws_item_type {
    WS_ITEM_NEED_MORE = 0, /* all bytes were consumed */
    WS_ITEM_PAYLOAD,       /* a piece of a data message; may be empty for an empty frame */
    WS_ITEM_PING,          /* data, len: answer with a Pong of the same payload */
    WS_ITEM_PONG,
    WS_ITEM_CLOSE, /* close_code 0 = none given; data, len: the reason. Read no further. */
    WS_ITEM_ERROR  /* error, detail. Every later call says the same. */
};

struct ws_item {
    enum ws_item_type type;
    uint8_t *data;
    size_t len;
    enum ws_opcode opcode; /* PAYLOAD: WS_TEXT or WS_BINARY, that of the message */
    bool is_message_start; /* PAYLOAD: first piece of its message */
    bool is_message_end;   /* PAYLOAD: last piece of its message */
    bool is_compressed;    /* PAYLOAD: of a compressed message; its text and size are unchecked */
    uint16_t close_code;
    enum ws_error error;
    const char *detail; /* what was wrong: a constant, short enough for a close reason */
};

void ws_decoder_init(struct ws_decoder *d, enum ws_accept accept, uint64_t max_message_bytes,
                     bool is_deflate);

/* Consumes bytes from [data, data+len) up to and including one item; *out_consumed says how many.
 * Call again with the rest until WS_ITEM_NEED_MORE; nothing is ever pending when the rest is empty.
 *
 * A violation is reported at the first byte that shows it, and an error consumes up to and
 * including that byte, so the items do not depend on how the stream was cut (but for where pieces
 * end):
 *   header byte 1     reserved bits and opcodes, fragmentation rules, WS_NOT_ACCEPTED
 *   header byte 2     mask bit, control frame over 125 bytes, close payload of one byte
 *   header byte 3     top bit of a 64-bit length
 *   last length byte  non-minimal length, WS_TOO_BIG; before the key, before any payload
 *   payload           the byte that cannot be in UTF-8 text; the last byte of a message that ends
 *                     inside a sequence (the header's last byte if that frame is empty)
 *   close payload     the second byte of the code; in the reason as in text
 * Text before a wrong byte is handed out as a piece first.
 *
 * A frame without payload gives one empty piece. Of a FIN frame, the piece with its last byte says
 * is_message_end; no empty piece follows it. */
void ws_decode(struct ws_decoder *d, uint8_t *data, size_t len, size_t *out_consumed,
               struct ws_item *out_item);

/* Bytes of the header that a frame of this payload length needs: 2, 4 or 10. */
size_t ws_header_len(uint64_t payload_len);
#define WS_RSV1 0x40U /* in the first byte of a header: the message is compressed (RFC 7692 6) */
/* Writes an unmasked header (5.2) and returns its length. */
size_t ws_encode_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, bool is_fin,
                        uint64_t payload_len);
/* Writes a whole Close frame; code 0 = empty payload; the reason is cut at 123 bytes, never inside
 * a UTF-8 sequence. Returns its length, at most 127. */
size_t ws_encode_close(uint8_t out[2 + WS_CONTROL_MAX], uint16_t code, struct span reason);

/* True for the codes a client may send: 1000 to 1003, 1007 to 1014, 3000 to 4999. */
bool ws_close_code_is_valid(uint16_t code);

#endif
