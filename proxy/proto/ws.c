/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/ws.h"

#include <string.h>

#include "proto/mask.h"

#define BIT_FIN 0x80U
#define BITS_RESERVED 0x70U
#define BITS_OPCODE 0x0fU
#define BIT_CONTROL 0x08U
#define BIT_MASK 0x80U
#define BITS_LENGTH 0x7fU
#define LENGTH_16 126U /* the length is in the next two bytes */
#define LENGTH_64 127U /* the length is in the next eight bytes */
#define KEY_LEN 4U

/* --- the frame header ------------------------------------------------------------------------
 *
 * check_first, check_second, check_top_bit and check_length check a header in the order of its
 * bytes, and the first byte that is wrong ends it. header_take has the whole header, header_collect
 * one byte after the other; both check in that order, so a cut changes nothing. */

static bool fail(struct ws_decoder *d, enum ws_error error, const char *detail)
{
    d->error = error;
    d->detail = detail;
    return false;
}

static bool is_control(enum ws_opcode opcode)
{
    return ((unsigned int)opcode & BIT_CONTROL) != 0;
}

static uint64_t read_be(const uint8_t *data, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | data[i];
    }
    return value;
}

static bool is_message_first(enum ws_opcode opcode)
{
    return opcode == WS_TEXT || opcode == WS_BINARY;
}

static bool check_first(struct ws_decoder *d, uint8_t byte)
{
    d->is_fin = (byte & BIT_FIN) != 0;
    d->opcode = (enum ws_opcode)(byte & BITS_OPCODE);
    unsigned int reserved = byte & BITS_RESERVED;
    if (reserved != 0 && !(reserved == WS_RSV1 && d->is_deflate && is_message_first(d->opcode))) {
        return fail(d, WS_BAD_FRAME, "reserved bit set");
    }
    switch (d->opcode) {
    case WS_CONTINUATION:
        return d->in_message || fail(d, WS_BAD_FRAME, "continuation of no message");
    case WS_TEXT:
    case WS_BINARY:
        if (d->in_message) {
            return fail(d, WS_BAD_FRAME, "new message inside a message");
        }
        if (d->opcode == WS_TEXT && d->accept == WS_ACCEPT_BINARY) {
            return fail(d, WS_NOT_ACCEPTED, "text is not accepted");
        }
        if (d->opcode == WS_BINARY && d->accept == WS_ACCEPT_TEXT) {
            return fail(d, WS_NOT_ACCEPTED, "binary is not accepted");
        }
        d->is_compressed = reserved != 0;
        return true;
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        return d->is_fin || fail(d, WS_BAD_FRAME, "fragmented control frame");
    }
    return fail(d, WS_BAD_FRAME, "reserved opcode");
}

static bool check_second(struct ws_decoder *d, uint8_t byte)
{
    unsigned int length = byte & BITS_LENGTH;
    if ((byte & BIT_MASK) == 0) {
        return fail(d, WS_BAD_FRAME, "frame is not masked");
    }
    if (is_control(d->opcode) && length > WS_CONTROL_MAX) {
        return fail(d, WS_BAD_FRAME, "control frame too long");
    }
    if (d->opcode == WS_CLOSE && length == 1) {
        return fail(d, WS_BAD_CLOSE, "close payload of one byte");
    }
    if (length < LENGTH_16) {
        d->header_need = 2 + KEY_LEN;
    } else {
        d->header_need = length == LENGTH_16 ? 4 + KEY_LEN : 10 + KEY_LEN;
    }
    return true;
}

static bool check_top_bit(struct ws_decoder *d, uint8_t third)
{
    return (third & 0x80) == 0 || fail(d, WS_BAD_FRAME, "length has its top bit set");
}

/* `length` is what a header of d->header_need bytes says. */
static bool check_length(struct ws_decoder *d, uint64_t length)
{
    if (length < LENGTH_16 ? d->header_need > 2 + KEY_LEN
                           : length <= UINT16_MAX && d->header_need > 4 + KEY_LEN) {
        return fail(d, WS_BAD_FRAME, "length is not minimal");
    }
    d->payload_left = length;
    if (is_control(d->opcode)) {
        return true;
    }
    uint64_t before = d->opcode == WS_CONTINUATION ? d->message_bytes : 0;
    bool is_limited = d->max_message_bytes != 0 && !d->is_compressed;
    uint64_t most = is_limited ? d->max_message_bytes : UINT64_MAX;
    if (length > most - before) {
        if (is_limited) {
            return fail(d, WS_TOO_BIG, "message longer than max_message");
        }
        length = most - before;
    }
    d->message_bytes = before + length;
    return true;
}

static void frame_start(struct ws_decoder *d, const uint8_t *key)
{
    memcpy(d->key, key, KEY_LEN);
    d->key_at = 0;
    d->header_have = 0;
    d->in_payload = true;
    if (is_message_first(d->opcode)) {
        d->in_message = true;
        d->message_opcode = d->opcode;
        d->is_message_start = true;
        utf8_init(&d->utf8);
    }
}

/* Adds the next byte of a header that comes in parts. False: the byte is wrong. */
static bool header_add(struct ws_decoder *d, uint8_t byte)
{
    size_t have = d->header_have + 1U;
    d->header[have - 1] = byte;
    d->header_have = (uint8_t)have;
    if (have == 1) {
        return check_first(d, byte);
    }
    if (have == 2 && !check_second(d, byte)) {
        return false;
    }
    if (have == 3 && d->header_need == sizeof(d->header) && !check_top_bit(d, byte)) {
        return false;
    }
    if (have + KEY_LEN == d->header_need) {
        bool is_short = have == 2;
        return check_length(d, is_short ? byte & BITS_LENGTH : read_be(d->header + 2, have - 2));
    }
    if (have == d->header_need) {
        frame_start(d, d->header + have - KEY_LEN);
    }
    return true;
}

/* Adds what `data` has of the header. Returns how many bytes it read, a wrong one included. */
static size_t header_collect(struct ws_decoder *d, const uint8_t *data, size_t len)
{
    size_t used = 0;
    while (used < len && !d->in_payload) {
        if (!header_add(d, data[used++])) {
            break;
        }
    }
    return used;
}

/* Reads a header that begins at `data`, in place where it is whole. Returns as header_collect. */
static size_t header_take(struct ws_decoder *d, const uint8_t *data, size_t len)
{
    if (len < 2 + KEY_LEN) {
        return header_collect(d, data, len);
    }
    if (!check_first(d, data[0])) {
        d->header_have = 1;
        return 1;
    }
    if (!check_second(d, data[1])) {
        return 2;
    }
    size_t need = d->header_need;
    if (len < need) {
        return header_collect(d, data, len);
    }
    uint64_t length = data[1] & BITS_LENGTH;
    if (length == LENGTH_16) {
        length = read_be(data + 2, 2);
    } else if (length == LENGTH_64) {
        if (!check_top_bit(d, data[2])) {
            return 3;
        }
        length = read_be(data + 2, 8);
    }
    if (!check_length(d, length)) {
        d->header_have = (uint8_t)(need - KEY_LEN);
        return need - KEY_LEN;
    }
    frame_start(d, data + need - KEY_LEN);
    return need;
}

/* --- payloads --------------------------------------------------------------------------------*/

/* False when a byte of this piece is wrong; *out_good is then the number of bytes before it, and
 * `u` has read those. In text that ends inside a character the last byte is the wrong one. */
static bool text_feed(struct utf8 *u, const uint8_t *data, size_t len, bool is_end,
                      size_t *out_good)
{
    struct utf8 state = *u;
    if (utf8_feed(&state, data, len) && (!is_end || utf8_is_complete(&state))) {
        *u = state;
        return true;
    }
    size_t good = 0;
    for (; good + 1 < len; good++) {
        state = *u;
        if (!utf8_feed(&state, data + good, 1)) {
            break;
        }
        *u = state;
    }
    *out_good = good;
    return false;
}

/* Goes over the byte that is wrong; a frame without payload has none. */
static size_t text_fail(struct ws_decoder *d)
{
    size_t wrong = d->payload_left > 0 ? 1 : 0;
    (void)fail(d, WS_BAD_TEXT, "text is not UTF-8");
    d->key_at = (uint8_t)((d->key_at + wrong) & 3);
    d->payload_left -= wrong;
    d->in_payload = d->payload_left > 0;
    if (d->is_fin && !d->in_payload) {
        d->in_message = false;
    }
    return wrong;
}

static size_t data_take(struct ws_decoder *d, uint8_t *data, size_t len, struct ws_item *out_item)
{
    size_t take = d->payload_left < len ? (size_t)d->payload_left : len;
    if (take == 0 && d->payload_left > 0) {
        return 0;
    }
    mask_apply(data, take, d->key, d->key_at);

    bool is_end = d->is_fin && take == d->payload_left;
    bool is_text = d->message_opcode == WS_TEXT && !d->is_compressed && !d->is_skipping;
    size_t good = 0;
    if (is_text && !text_feed(&d->utf8, data, take, is_end, &good)) {
        if (good == 0) {
            return text_fail(d);
        }
        /* The item is the text before the wrong byte, so that a message goes equally far wherever
         * it was cut. The rest gets its mask back: the next call finds the error in it. */
        mask_apply(data + good, take - good, d->key, d->key_at + good);
        take = good;
        is_end = false;
    }

    d->key_at = (uint8_t)((d->key_at + take) & 3);
    d->payload_left -= take;
    d->in_payload = d->payload_left > 0;
    out_item->type = WS_ITEM_PAYLOAD;
    out_item->data = data;
    out_item->len = take;
    out_item->opcode = d->message_opcode;
    out_item->is_message_start = d->is_message_start;
    out_item->is_message_end = is_end;
    out_item->is_compressed = d->is_compressed;
    d->is_message_start = false;
    if (is_end) {
        d->in_message = false;
        d->message_count++;
    }
    return take;
}

/* Checks what the decoder has of a close payload. Returns how many bytes of it show that it is
 * wrong; 0 = nothing is wrong so far. Every piece checks from the beginning again: a close payload
 * is 125 bytes at most, and a connection has one. */
static size_t check_close(struct ws_decoder *d)
{
    if (d->control_have < 2) {
        return 0;
    }
    if (!ws_close_code_is_valid((uint16_t)read_be(d->control, 2))) {
        (void)fail(d, WS_BAD_CLOSE, "close code not allowed");
        return 2;
    }
    size_t good = 0;
    struct utf8 u;
    utf8_init(&u);
    if (!text_feed(&u, d->control + 2, d->control_have - 2U, d->payload_left == 0, &good)) {
        (void)fail(d, WS_BAD_TEXT, "close reason is not UTF-8");
        return 2 + good + 1;
    }
    return 0;
}

static size_t control_take(struct ws_decoder *d, const uint8_t *data, size_t len,
                           struct ws_item *out_item)
{
    size_t before = d->control_have;
    size_t take = d->payload_left < len ? (size_t)d->payload_left : len;
    memcpy(d->control + before, data, take);
    mask_apply(d->control + before, take, d->key, d->key_at);
    d->key_at = (uint8_t)((d->key_at + take) & 3);
    d->control_have = (uint8_t)(before + take);
    d->payload_left -= take;

    if (d->opcode == WS_CLOSE) {
        size_t wrong = check_close(d);
        if (wrong > 0) {
            return wrong - before;
        }
    }
    if (d->payload_left > 0) {
        return take;
    }
    size_t have = d->control_have;
    d->control_have = 0;
    d->in_payload = false;
    out_item->data = d->control;
    out_item->len = have;
    if (d->opcode == WS_CLOSE) {
        size_t code_len = have >= 2 ? 2 : 0;
        out_item->type = WS_ITEM_CLOSE;
        out_item->close_code = (uint16_t)read_be(d->control, code_len);
        out_item->data += code_len;
        out_item->len -= code_len;
    } else {
        out_item->type = d->opcode == WS_PING ? WS_ITEM_PING : WS_ITEM_PONG;
    }
    return take;
}

void ws_decoder_init(struct ws_decoder *d, enum ws_accept accept, uint64_t max_message_bytes,
                     bool is_deflate)
{
    memset(d, 0, sizeof(*d));
    d->accept = accept;
    d->max_message_bytes = max_message_bytes;
    d->is_deflate = is_deflate;
    utf8_init(&d->utf8);
}

/* The next item, of any kind and after any cut. */
static void decode_any(struct ws_decoder *d, uint8_t *data, size_t len, size_t *out_consumed,
                       struct ws_item *out_item)
{
    size_t used = 0;
    *out_item = (struct ws_item){0};
    /* A frame without payload is an item as soon as its header ends, so that no item is left when
     * the bytes end. */
    if (len > 0 && d->error == WS_OK) {
        if (!d->in_payload) {
            used = d->header_have == 0 ? header_take(d, data, len) : header_collect(d, data, len);
        }
        if (d->in_payload && d->error == WS_OK) {
            used += is_control(d->opcode) ? control_take(d, data + used, len - used, out_item)
                                          : data_take(d, data + used, len - used, out_item);
        }
    }
    if (d->error != WS_OK) {
        out_item->type = WS_ITEM_ERROR;
        out_item->error = d->error;
        out_item->detail = d->detail;
    }
    *out_consumed = used;
}

/* --- whole messages --------------------------------------------------------------------------
 *
 * Most messages are one frame that came in one read. A few branches find such a message when all of
 * it is right. When something is wrong, they have changed nothing, and decode_any finds out what is
 * wrong and where. A whole message leaves no state behind: between two messages only the fields
 * that is_between_messages reads mean anything. */

static inline bool is_between_messages(const struct ws_decoder *d)
{
    return d->error == WS_OK && d->header_have == 0 && !d->in_payload && !d->in_message;
}

static inline bool is_whole_message(const struct ws_decoder *d, uint8_t first)
{
    return (first == (BIT_FIN | WS_BINARY) && d->accept != WS_ACCEPT_TEXT) ||
           (first == (BIT_FIN | WS_TEXT) && d->accept != WS_ACCEPT_BINARY);
}

/* The length of the header; 0 = `data` does not begin with such a message. */
static inline size_t message_find(const struct ws_decoder *d, const uint8_t *data, size_t len,
                                  size_t *out_payload_len)
{
    if (len < 4 + KEY_LEN || !is_between_messages(d) || !is_whole_message(d, data[0])) {
        return 0;
    }
    size_t header_len = 2 + KEY_LEN;
    uint64_t length = data[1] ^ BIT_MASK; /* a frame without mask gets a length above 127 */
    if (length == LENGTH_16) {
        header_len = 4 + KEY_LEN;
        length = read_be(data + 2, 2);
        if (length < LENGTH_16) {
            return 0;
        }
    } else if (length > LENGTH_16) {
        return 0;
    }
    bool is_limited = d->max_message_bytes != 0;
    if (length > len - header_len || (is_limited && length > d->max_message_bytes)) {
        return 0;
    }
    *out_payload_len = (size_t)length;
    return header_len;
}

/* Unmasks and checks the text of *out_item. Wrong text gets its mask back and goes to decode_any.
 * Inlined, this function would cost every message a frame on the stack. */
__attribute__((noinline)) static void message_text(struct ws_decoder *d, uint8_t *data, size_t len,
                                                   size_t *out_consumed, struct ws_item *out_item)
{
    uint8_t *text = out_item->data;
    size_t text_len = out_item->len;
    mask_apply(text, text_len, text - KEY_LEN, 0);
    if (!utf8_is_valid((struct span){(const char *)text, text_len})) {
        mask_apply(text, text_len, text - KEY_LEN, 0);
        d->message_count--; /* it is none */
        decode_any(d, data, len, out_consumed, out_item);
    }
}

void ws_decode(struct ws_decoder *d, uint8_t *data, size_t len, size_t *out_consumed,
               struct ws_item *out_item)
{
    size_t payload_len = 0;
    size_t header_len = message_find(d, data, len, &payload_len);
    if (header_len == 0) {
        decode_any(d, data, len, out_consumed, out_item);
        return;
    }
    uint8_t *payload = data + header_len;
    bool is_text = (data[0] & BITS_OPCODE) == WS_TEXT;
    *out_consumed = header_len + payload_len;
    *out_item = (struct ws_item){.type = WS_ITEM_PAYLOAD,
                                 .data = payload,
                                 .len = payload_len,
                                 .opcode = is_text ? WS_TEXT : WS_BINARY,
                                 .is_message_start = true,
                                 .is_message_end = true};
    d->message_count++; /* not behind the calls below, which are the last ones of this function */
    if (is_text) {
        message_text(d, data, len, out_consumed, out_item);
    } else {
        mask_apply(payload, payload_len, payload - KEY_LEN, 0);
    }
}
