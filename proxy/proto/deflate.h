/* SPDX-License-Identifier: GPL-3.0-or-later */
/* deflate.h: permessage-deflate (RFC 7692) over zlib, bounded both ways.
 *
 * For: agreeing on the extension's parameters, inflating a client's messages piece by piece into
 * the caller's memory, deflating ours. Not for: frames and RSV1 (ws), what is done with the bytes
 * (shape). Pure; the only user of zlib.
 *
 * Memory: struct deflate itself owns nothing. The compressor and the decompressor are made by the
 * first message that needs them; deflate_rest gives back all that the agreement does not oblige us
 * to keep: everything but the decompressor's window, and with client_no_context_takeover that too.
 * Bytes, with a window of w bits (at least 9 for the compressor), each + 256 at most:
 *   compressor      2^(w+2) + 2^14 + 6 KiB up to w = 12, else 2^(w+3) + 6 KiB (w = 15: 262 KiB)
 *   decompressor    2^w + 7 KiB (w = 15: 39 KiB)
 *   resting         what of the window has been used, 2^w at most */
#ifndef PROTO_DEFLATE_H
#define PROTO_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* What a route wants. */
struct deflate_settings {
    uint8_t window_bits;        /* 9 to 15: our own window at most, and the one we ask clients to
                                  keep to where they say that they can */
    bool is_takeover;           /* false: both sides start every message anew */
    uint32_t max_ratio;         /* inflated : compressed bytes of one message; 0 = no limit */
    uint64_t max_message_bytes; /* inflated bytes of one message; 0 = no limit */
};

/* max_ratio is looked at beyond this many inflated bytes of a message. */
#define DEFLATE_RATIO_FROM_BYTES (UINT64_C(16) * 1024 * 1024)

/* What both sides agreed on. */
struct deflate_params {
    uint8_t server_bits;  /* 8 to 15: the window that our messages may need */
    uint8_t client_bits;  /* 8 to 15: the window that the client's may need */
    bool has_server_bits; /* named in the response */
    bool has_client_bits;
    bool is_server_no_takeover;
    bool is_client_no_takeover;
};

enum deflate_offer {
    DEFLATE_NONE = 0, /* nothing in it that could be accepted: answer without the extension */
    DEFLATE_AGREED,
    DEFLATE_MALFORMED /* not a list of extensions (RFC 6455 9.1): 400 */
};

/* Reads the value of one Sec-WebSocket-Extensions line, whole: a malformed end spoils it. Blanks
 * may stand between any two words. Empty elements count for nothing (RFC 7230 7), and a line of no
 * others is DEFLATE_NONE, as the list may go on in another line. Names are case-sensitive, quoted
 * values mean what they do without quotes; other extensions' may hold anything. The first
 * acceptable offer counts (RFC 7692 5.1). An offer is declined for an unknown or repeated parameter
 * and for a value out of its range (7.1.2): numbers 8 to 15 without leading zeros, plain or quoted;
 * no value for the two no_context_takeover; client_max_window_bits with or without one;
 * server_max_window_bits with one. Every window the RFC allows can be agreed on, 8 too.
 * client_bits: the smaller of window_bits and the client's number where the client offered
 * client_max_window_bits, else 15. */
MUST_CHECK enum deflate_offer deflate_negotiate(const struct deflate_settings *settings,
                                                struct span value, struct deflate_params *out);

#define DEFLATE_RESPONSE_MAX 144
/* "permessage-deflate; server_no_context_takeover; ...", NUL-terminated. Returns its length. */
size_t deflate_response(const struct deflate_params *params, char out[DEFLATE_RESPONSE_MAX]);

struct deflate_inflater; /* private */
struct deflate_deflater;
struct deflate {
    struct deflate_settings settings;
    struct deflate_params params;
    struct deflate_inflater *inflater; /* NULL unless it was needed */
    struct deflate_deflater *deflater;
};

/* Allocates nothing. */
void deflate_init(struct deflate *d, const struct deflate_settings *settings,
                  const struct deflate_params *params);
void deflate_done(struct deflate *d);
/* Gives memory back (see above). Does nothing for a direction that is inside a message. */
void deflate_rest(struct deflate *d);
/* There is something that deflate_rest gives back, now or between two messages. */
bool deflate_is_held(const struct deflate *d);

enum deflate_result {
    DEFLATE_OK = 0,  /* all of the input was taken; with is_end the message is complete */
    DEFLATE_FULL,    /* `out` is full: call again with the rest of the input, even if empty */
    DEFLATE_BAD,     /* no deflate stream, or one that ends inside a block: 1007 */
    DEFLATE_TOO_BIG, /* max_message_bytes or max_ratio: 1009 */
    DEFLATE_NO_MEMORY
};

/* Inflates a piece of a message: takes from the front of *input, and writes at most `cap` bytes
 * (> 0), *out_len says how many; they may be there with an error too (what came before it). is_end:
 * the piece is the message's last. A block with BFINAL set does not end the message, nor the
 * history (7.2.3.4); the message may also end right behind it, without the 0x00 of an empty block.
 * A message of no compressed bytes is an empty one: peers whose zlib had nothing to flush send
 * that. A reference further back than client_bits is an error as soon as those bytes are no longer
 * in `out` of the same call; until then zlib does not mind. After an error the object is of no more
 * use. */
MUST_CHECK enum deflate_result deflate_inflate(struct deflate *d, struct span *input, bool is_end,
                                               uint8_t *out, size_t cap, size_t *out_len);

/* Bytes that deflating `len` bytes in one call may need at most. */
size_t deflate_bound(size_t len);
/* Deflates a piece of a message of ours; `cap` is at least deflate_bound(len). Every piece can be
 * inflated by the peer without the next one. An empty piece is nothing, or 0x00 where it is the
 * last (7.2.3.6). Nothing points further back than server_bits and window_bits allow. Only
 * DEFLATE_OK and DEFLATE_NO_MEMORY. */
MUST_CHECK enum deflate_result deflate_deflate(struct deflate *d, struct span piece, bool is_end,
                                               uint8_t *out, size_t cap, size_t *out_len);

#endif
