/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decodes a stream of frames in three chunkings: whole, byte by byte, and in chunks that the input
 * chooses. All must give the same items as a reference that has the whole stream.
 *
 * Input: 1 byte accept, limit and compression, 1 byte for the chunk sizes, the stream.
 *
 * The notes of a run are bytes: 's' (compressed: 'z') and the opcode at a message's start, 'd' and
 * the byte for each payload byte, 'e' at its end, '0' for an empty frame, 'p' 'q' 'c' with length
 * and payload for ping, pong and close, '!' with the error and the offset of the wrong byte. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "proto/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAM_MAX ((size_t)1 << 16)

struct notes {
    uint8_t bytes[4 * STREAM_MAX];
    size_t len;
};

struct setting {
    enum ws_accept accept;
    uint64_t max_message_bytes;
    bool is_deflate;
};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void note(struct notes *n, size_t byte)
{
    expect(n->len < sizeof(n->bytes));
    n->bytes[n->len++] = (uint8_t)byte;
}

static void note_data(struct notes *n, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        note(n, 'd');
        note(n, data[i]);
    }
}

static void note_control(struct notes *n, char kind, const uint8_t *data, size_t len)
{
    note(n, (size_t)kind);
    note(n, len);
    note_data(n, data, len);
}

static void note_error(struct notes *n, enum ws_error error, size_t at)
{
    note(n, '!');
    note(n, (size_t)error);
    note(n, at & 0xff);
    note(n, at >> 8 & 0xff);
    note(n, at >> 16);
}

/* --- the decoder ----------------------------------------------------------------------------*/

static bool note_item(struct notes *n, const struct ws_item *item, size_t at)
{
    switch (item->type) {
    case WS_ITEM_NEED_MORE:
        return true;
    case WS_ITEM_PAYLOAD:
        if (item->is_message_start) {
            note(n, item->is_compressed ? 'z' : 's');
            note(n, (size_t)item->opcode);
        }
        if (item->len == 0) {
            note(n, '0');
        }
        note_data(n, item->data, item->len);
        if (item->is_message_end) {
            note(n, 'e');
        }
        return true;
    case WS_ITEM_PING:
        note_control(n, 'p', item->data, item->len);
        return true;
    case WS_ITEM_PONG:
        note_control(n, 'q', item->data, item->len);
        return true;
    case WS_ITEM_CLOSE:
        expect(item->close_code == 0 || ws_close_code_is_valid(item->close_code));
        expect(item->close_code != 0 || item->len == 0);
        expect(utf8_is_valid((struct span){(const char *)item->data, item->len}));
        note(n, item->close_code >> 8);
        note(n, item->close_code & 0xff);
        note_control(n, 'c', item->data, item->len);
        return false;
    case WS_ITEM_ERROR:
        expect(item->error != WS_OK && strlen(item->detail) <= WS_CLOSE_REASON_MAX);
        note_error(n, item->error, at);
        return false;
    }
    return false;
}

static bool decode_chunk(struct ws_decoder *d, uint8_t *chunk, size_t len, size_t at,
                         struct notes *n)
{
    size_t used = 0;
    for (;;) {
        size_t consumed = 0;
        struct ws_item item;
        ws_decode(d, chunk + used, len - used, &consumed, &item);
        expect(consumed <= len - used);
        used += consumed;
        if (item.type == WS_ITEM_PAYLOAD) {
            expect(item.data >= chunk && item.data + item.len == chunk + used);
        }
        if (!note_item(n, &item, at + used)) {
            enum ws_error error = item.error;
            ws_decode(d, chunk + used, len - used, &consumed, &item);
            expect(error == WS_OK || (item.error == error && consumed == 0));
            return false;
        }
        if (item.type == WS_ITEM_NEED_MORE) {
            expect(used == len);
            return true;
        }
        expect(consumed > 0);
    }
}

/* Chunks of `step` and, in turn, `other` bytes. */
static void decode(struct setting setting, const uint8_t *data, size_t size, const size_t steps[2],
                   struct notes *n)
{
    static uint8_t scratch[STREAM_MAX];
    struct ws_decoder d;
    size_t at = 0;
    n->len = 0;
    ws_decoder_init(&d, setting.accept, setting.max_message_bytes, setting.is_deflate);
    for (size_t turn = 0; at < size; turn++) {
        size_t len = steps[turn % 2] < size - at ? steps[turn % 2] : size - at;
        uint8_t *chunk = scratch + sizeof(scratch) - len;
        memcpy(chunk, data + at, len);
        if (!decode_chunk(&d, chunk, len, at, n)) {
            return;
        }
        at += len;
    }
}

/* --- the reference --------------------------------------------------------------------------*/

struct reference {
    const uint8_t *data;
    size_t size;
    size_t at;
    struct setting setting;
    bool in_message;
    bool is_text; /* not compressed */
    bool is_compressed;
    uint64_t message_bytes;
    struct utf8 text;
    struct notes *notes;
};

/* Reads one header. False: the stream ends in it, or it is wrong. */
static bool reference_header(struct reference *r, uint8_t *out_first, uint64_t *out_len)
{
    const uint8_t *h = r->data + r->at;
    size_t have = r->size - r->at;
    if (have == 0) {
        return false;
    }
    unsigned int opcode = h[0] & 15U;
    bool is_control = opcode >= 8;
    bool is_known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    bool may_compress = r->setting.is_deflate && (opcode == 1 || opcode == 2);
    bool is_reserved = (h[0] & (may_compress ? 0x30 : 0x70)) != 0;
    if (is_reserved || !is_known || (is_control && h[0] < 0x80) ||
        (!is_control && (opcode == 0) != r->in_message)) {
        note_error(r->notes, WS_BAD_FRAME, r->at + 1);
        return false;
    }
    if ((opcode == 1 && r->setting.accept == WS_ACCEPT_BINARY) ||
        (opcode == 2 && r->setting.accept == WS_ACCEPT_TEXT)) {
        note_error(r->notes, WS_NOT_ACCEPTED, r->at + 1);
        return false;
    }
    if (have < 2) {
        return false;
    }
    if (h[1] < 0x80 || (is_control && h[1] > 0x80 + 125) || (opcode == 8 && h[1] == 0x81)) {
        note_error(r->notes, h[1] == 0x81 ? WS_BAD_CLOSE : WS_BAD_FRAME, r->at + 2);
        return false;
    }
    size_t extra = h[1] == 0xfe ? 2 : h[1] == 0xff ? 8 : 0;
    if (extra == 8 && have > 2 && h[2] >= 0x80) {
        note_error(r->notes, WS_BAD_FRAME, r->at + 3);
        return false;
    }
    if (have < 2 + extra) {
        return false;
    }
    uint64_t len = h[1] - 0x80U;
    for (size_t i = 0; i < extra; i++) {
        len = (i == 0 ? 0 : len * 256) + h[2 + i];
    }
    uint64_t sum = opcode == 0 ? r->message_bytes + len : len;
    bool is_unlimited = is_control || (opcode == 0 ? r->is_compressed : (h[0] & 0x40) != 0);
    bool is_big =
        !is_unlimited && r->setting.max_message_bytes > 0 && sum > r->setting.max_message_bytes;
    bool is_long_form = (extra == 2 && len < 126) || (extra == 8 && len < 65536);
    if (is_long_form || is_big) {
        note_error(r->notes, is_long_form ? WS_BAD_FRAME : WS_TOO_BIG, r->at + 2 + extra);
        return false;
    }
    if (have < 2 + extra + 4) {
        return false;
    }
    r->message_bytes = is_control ? r->message_bytes : sum;
    r->at += 2 + extra + 4;
    *out_first = h[0];
    *out_len = len;
    return true;
}

static bool reference_close(struct reference *r, const uint8_t *payload, size_t have, size_t len)
{
    size_t start = r->at;
    struct utf8 u;
    utf8_init(&u);
    for (size_t i = 2; i <= have; i++) {
        if (i == 2 && !ws_close_code_is_valid((uint16_t)(payload[0] << 8 | payload[1]))) {
            note_error(r->notes, WS_BAD_CLOSE, start + 2);
            return false;
        }
        if (i > 2 && (!utf8_feed(&u, payload + i - 1, 1) || (i == len && !utf8_is_complete(&u)))) {
            note_error(r->notes, WS_BAD_TEXT, start + i);
            return false;
        }
    }
    if (have == len) {
        note(r->notes, len > 0 ? payload[0] : 0);
        note(r->notes, len > 0 ? payload[1] : 0);
        note_control(r->notes, 'c', payload + (len > 0 ? 2 : 0), len > 0 ? len - 2 : 0);
    }
    return false;
}

static bool reference_control(struct reference *r, uint8_t first, size_t len)
{
    const uint8_t *key = r->data + r->at - 4;
    size_t have = r->size - r->at < len ? r->size - r->at : len;
    uint8_t payload[WS_CONTROL_MAX];
    for (size_t i = 0; i < have; i++) {
        payload[i] = r->data[r->at + i] ^ key[i % 4];
    }
    if (first == 0x88) {
        return reference_close(r, payload, have, len);
    }
    r->at += have;
    if (have == len) {
        note_control(r->notes, first == 0x89 ? 'p' : 'q', payload, len);
    }
    return have == len;
}

/* Reads the payload of a data frame, one byte at a time. */
static bool reference_data(struct reference *r, uint8_t first, uint64_t len)
{
    const uint8_t *key = r->data + r->at - 4;
    bool is_fin = first >= 0x80;
    bool is_start = (first & 15) != 0;
    if (is_start) {
        r->is_compressed = (first & 0x40) != 0;
        r->is_text = (first & 15) == 1 && !r->is_compressed;
        utf8_init(&r->text);
        r->in_message = true;
    }
    for (uint64_t i = 0; i < len || len == 0; i++) {
        if (len > 0 && r->at == r->size) {
            return false;
        }
        uint8_t byte = len > 0 ? r->data[r->at++] ^ key[i % 4] : 0;
        bool is_end = is_fin && i + 1 >= len;
        bool is_good = !r->is_text || ((len == 0 || utf8_feed(&r->text, &byte, 1)) &&
                                       (!is_end || utf8_is_complete(&r->text)));
        if (!is_good) {
            note_error(r->notes, WS_BAD_TEXT, r->at);
            return false;
        }
        if (is_start && i == 0) {
            note(r->notes, r->is_compressed ? 'z' : 's');
            note(r->notes, first & 15U);
        }
        if (len == 0) {
            note(r->notes, '0');
            break;
        }
        note_data(r->notes, &byte, 1);
    }
    if (is_fin) {
        note(r->notes, 'e');
        r->in_message = false;
    }
    return true;
}

static void reference_decode(struct setting setting, const uint8_t *data, size_t size,
                             struct notes *n)
{
    struct reference r = {.data = data, .size = size, .setting = setting, .notes = n};
    uint8_t first = 0;
    uint64_t len = 0;
    bool is_going = true;
    n->len = 0;
    while (is_going && reference_header(&r, &first, &len)) {
        is_going = (first & 8) != 0 ? reference_control(&r, first, (size_t)len)
                                    : reference_data(&r, first, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum ws_accept accepts[] = {WS_ACCEPT_ANY, WS_ACCEPT_ANY, WS_ACCEPT_BINARY,
                                             WS_ACCEPT_TEXT};
    static const uint64_t limits[] = {0, 4, 300, UINT64_MAX};
    static struct notes want;
    static struct notes got;
    if (size < 2 || size - 2 > STREAM_MAX) {
        return 0;
    }
    struct setting setting = {accepts[data[0] & 3], limits[data[0] >> 2 & 3], (data[0] & 16) != 0};
    const size_t chunkings[][2] = {
        {STREAM_MAX, STREAM_MAX}, {1, 1}, {1U + data[1] % 16U, 1U + data[1] / 2U}};

    reference_decode(setting, data + 2, size - 2, &want);
    for (size_t i = 0; i < sizeof(chunkings) / sizeof(chunkings[0]); i++) {
        decode(setting, data + 2, size - 2, chunkings[i], &got);
        expect(got.len == want.len && memcmp(got.bytes, want.bytes, got.len) == 0);
    }
    return 0;
}
