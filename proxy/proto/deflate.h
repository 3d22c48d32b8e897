/* SPDX-License-Identifier: GPL-3.0-or-later */
/* deflate.h: permessage-deflate (RFC 7692) over zlib, bounded both ways.
 *
 * For: agreeing on the extension's parameters, inflating a client's messages piece by piece into
 * the caller's memory, deflating ours. Not for: frames and RSV1 (ws), where the bytes go (shape).
 * Pure; the only user of zlib.
 *
 * Memory: deflate_init allocates nothing. The first message that needs the inflater or the deflater
 * makes it. deflate_park gives back all that the agreement does not oblige us to keep: all but the
 * inflater's history, and with client_no_context_takeover the history too. deflate_done frees all.
 * Bytes, with a window of w bits (at least 9 for the deflater), each + 256 at most:
 *   deflater   2^(w+2) + 2^14 + 6 KiB up to w = 12, else 2^(w+3) + 6 KiB (w = 15: 262 KiB)
 *   inflater   2^w + 7 KiB (w = 15: 39 KiB)
 *   parked     the history: what the client's messages have used of the window, 2^w at most */
#ifndef PROTO_DEFLATE_H
#define PROTO_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* What a route wants. */
struct deflate_settings {
    uint8_t window_bits;        /* 9 to 15: the largest window of ours, and of the clients that say
                                  that they can limit theirs */
    bool is_takeover;           /* false: both sides start every message without history */
    uint32_t max_ratio;         /* inflated : compressed bytes, see below; 0 = no limit */
    uint64_t max_message_bytes; /* inflated bytes of one message; 0 = no limit */
};

/* How far a client may inflate is a credit over all of its messages: each compressed byte adds
 * max_ratio to it, each inflated byte takes one away, and below 0 is too far. So a client that sent
 * N bytes has made at most DEFLATE_CREDIT_FIRST + max_ratio * N of them, in whatever messages. A
 * new session has DEFLATE_CREDIT_FIRST; a session that sends little but noise does not save up more
 * than DEFLATE_CREDIT_MAX for later. */
#define DEFLATE_CREDIT_FIRST (UINT64_C(1024) * 1024)
#define DEFLATE_CREDIT_MAX (UINT64_C(16) * 1024 * 1024)

/* What both sides agreed on. */
struct deflate_params {
    uint8_t server_bits;  /* 8 to 15: the largest window that our messages may need */
    uint8_t client_bits;  /* 8 to 15: the largest window that the client's may need */
    bool has_server_bits; /* the response names server_bits */
    bool has_client_bits; /* the response names client_bits */
    bool is_server_no_takeover;
    bool is_client_no_takeover;
};

enum deflate_agreement {
    DEFLATE_NONE = 0, /* no acceptable offer: answer without the extension */
    DEFLATE_AGREED,
    DEFLATE_MALFORMED /* not a list of extensions (RFC 6455 9.1): 400 */
};

/* Reads the value of one Sec-WebSocket-Extensions line and agrees to its first acceptable offer
 * (RFC 7692 5.1). The whole line must be well-formed, up to its end.
 *
 * Grammar: blanks may stand between any two words. Empty elements mean nothing (RFC 7230 7); a line
 * without other elements is DEFLATE_NONE, because the list may go on in another line. Names are
 * case-sensitive. A quoted value means what it means without quotes. The values of other extensions
 * may be anything.
 *
 * An offer is unacceptable when a parameter is unknown, comes twice or has a bad value (7.1.2): the
 * two no_context_takeover have no value, server_max_window_bits has one, client_max_window_bits may
 * have one. These values are 8 to 15 without leading zeros, and we agree to all of them.
 *
 * client_bits: where the client offered client_max_window_bits, the smaller of its number and
 * window_bits; else 15. */
MUST_CHECK enum deflate_agreement deflate_negotiate(const struct deflate_settings *settings,
                                                    struct span value, struct deflate_params *out);

#define DEFLATE_RESPONSE_MAX 144
/* Writes "permessage-deflate; server_no_context_takeover; ..." and a NUL. Returns the length
 * without the NUL. */
size_t deflate_response(const struct deflate_params *params, char out[DEFLATE_RESPONSE_MAX]);

struct deflate_inflater; /* private */
struct deflate_deflater;
struct deflate {
    struct deflate_settings settings;
    struct deflate_params params;
    uint64_t credit_bytes;
    struct deflate_inflater *inflater; /* NULL: unused so far, or parked without history */
    struct deflate_deflater *deflater; /* NULL: unused so far, or parked */
};

void deflate_init(struct deflate *d, const struct deflate_settings *settings,
                  const struct deflate_params *params);
void deflate_done(struct deflate *d);
/* Gives memory back, see above. A direction that is inside a message keeps its own. */
void deflate_park(struct deflate *d);
/* deflate_park would give memory back, now or at the end of a message. */
bool deflate_can_park(const struct deflate *d);

enum deflate_result {
    DEFLATE_OK = 0,  /* the whole input is read; with is_end the message is complete */
    DEFLATE_FULL,    /* `out` is full: call again with the rest of the input, even an empty one */
    DEFLATE_BAD,     /* no deflate stream, or one that ends inside a block: 1007 */
    DEFLATE_TOO_BIG, /* more than max_message_bytes: 1009 */
    DEFLATE_TOO_FAR, /* max_ratio: 1009 */
    DEFLATE_NO_MEMORY
};

/* Inflates a piece of a message; is_end: the message's last one. Takes bytes off the front of
 * *input and writes at most `cap` > 0 bytes; *out_len says how many, and with an error these are
 * the bytes before it. After an error only deflate_done is legal.
 *
 * A block with BFINAL set ends neither the message nor the history (7.2.3.4). The message may end
 * right behind such a block, without the 0x00 of an empty block. A message without any compressed
 * byte is an empty message: a peer sends that when its zlib had nothing to flush. A reference
 * further back than the window of client_bits is an error once the bytes that it means are not in
 * `out` of the same call; before that zlib allows it. */
MUST_CHECK enum deflate_result deflate_inflate(struct deflate *d, struct span *input, bool is_end,
                                               uint8_t *out, size_t cap, size_t *out_len);

/* The most bytes that one call makes of `len` bytes. */
size_t deflate_bound(size_t len);
/* Deflates a piece of a message of ours; `cap` is at least deflate_bound(piece.len). The peer can
 * inflate every piece without the next one. An empty piece becomes nothing, or 0x00 where it is the
 * last one (7.2.3.6). No reference goes further back than server_bits and window_bits allow.
 * Returns only DEFLATE_OK and DEFLATE_NO_MEMORY. */
MUST_CHECK enum deflate_result deflate_deflate(struct deflate *d, struct span piece, bool is_end,
                                               uint8_t *out, size_t cap, size_t *out_len);

#endif
