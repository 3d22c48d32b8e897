/* SPDX-License-Identifier: GPL-3.0-or-later */
/* decode.c: sluice's decoder for the differential test (run.py).
 *
 * The program reads streams from stdin and prints what a server finds in each, one event a line:
 *   text HEX | binary HEX | ping HEX | pong HEX | close CODE HEX | error CODE DETAIL
 * and `end` behind each stream. `-` stands for no bytes, 1005 for a Close without a code.
 *
 * A stream is four bytes (whether permessage-deflate is on, the client's window bits,
 * client_no_context_takeover, 0), the number of its chunks, and each chunk's length and bytes.
 * Numbers have four bytes, little-endian. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/deflate.h"
#include "proto/ws.h"

#define INFLATED_BYTES ((size_t)4096) /* small, so that long pieces are cut */

struct receiver {
    struct ws_decoder decoder;
    struct deflate deflate;
    struct utf8 utf8; /* checks inflated text; the decoder checks the rest */
    uint8_t *message;
    size_t message_len;
    size_t message_cap;
    bool is_over;
};

static void give_up(const char *why)
{
    (void)fprintf(stderr, "decode: %s\n", why);
    exit(1);
}

/* Returns false at the end of the input, where the input may end. */
static bool read_bytes(void *out, size_t len, bool may_end)
{
    size_t got = fread(out, 1, len, stdin);
    if (got == len) {
        return true;
    }
    if (got > 0 || !may_end) {
        give_up("the input is cut off");
    }
    return false;
}

static uint32_t read_number(void)
{
    uint8_t b[4];
    (void)read_bytes(b, sizeof(b), false);
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void print_hex(const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    putchar(' ');
    if (len == 0) {
        putchar('-');
    }
    for (size_t i = 0; i < len; i++) {
        putchar(digits[data[i] >> 4]);
        putchar(digits[data[i] & 15]);
    }
    putchar('\n');
}

static void print_error(struct receiver *r, int code, const char *detail)
{
    printf("error %d %s\n", code, detail);
    r->is_over = true;
}

static int code_of(enum ws_error error)
{
    switch (error) {
    case WS_BAD_FRAME:
    case WS_BAD_CLOSE:
        return 1002;
    case WS_BAD_TEXT:
        return 1007;
    case WS_NOT_ACCEPTED:
        return 1003;
    case WS_TOO_BIG:
        return 1009;
    case WS_OK:
        break;
    }
    return 0;
}

static void message_add(struct receiver *r, const uint8_t *data, size_t len)
{
    size_t need = r->message_len + len;
    if (len == 0) {
        return;
    }
    if (need > r->message_cap) {
        r->message_cap = 2 * need;
        r->message = mem_resize(r->message, r->message_cap);
        if (r->message == NULL) {
            give_up("no memory");
        }
    }
    memcpy(r->message + r->message_len, data, len);
    r->message_len = need;
}

static void message_inflate(struct receiver *r, const struct ws_item *item)
{
    uint8_t out[INFLATED_BYTES];
    struct span input = {(const char *)item->data, item->len};
    enum deflate_result result;
    do {
        size_t len = 0;
        result = deflate_inflate(&r->deflate, &input, item->is_message_end, out, sizeof(out), &len);
        if (result != DEFLATE_OK && result != DEFLATE_FULL) {
            print_error(r, result == DEFLATE_TOO_BIG ? 1009 : 1007, "malformed compressed message");
            return;
        }
        bool is_end = result == DEFLATE_OK && item->is_message_end;
        if (item->opcode == WS_TEXT &&
            (!utf8_feed(&r->utf8, out, len) || (is_end && !utf8_is_complete(&r->utf8)))) {
            print_error(r, 1007, "text is not UTF-8");
            return;
        }
        message_add(r, out, len);
    } while (result == DEFLATE_FULL);
}

static void take_payload(struct receiver *r, const struct ws_item *item)
{
    if (item->is_message_start) {
        r->message_len = 0;
        utf8_init(&r->utf8);
    }
    if (item->is_compressed) {
        message_inflate(r, item);
    } else {
        message_add(r, item->data, item->len);
    }
    if (item->is_message_end && !r->is_over) {
        printf("%s", item->opcode == WS_TEXT ? "text" : "binary");
        print_hex(r->message, r->message_len);
    }
}

static void take_item(struct receiver *r, const struct ws_item *item)
{
    switch (item->type) {
    case WS_ITEM_PAYLOAD:
        take_payload(r, item);
        break;
    case WS_ITEM_PING:
    case WS_ITEM_PONG:
        printf("%s", item->type == WS_ITEM_PING ? "ping" : "pong");
        print_hex(item->data, item->len);
        break;
    case WS_ITEM_CLOSE:
        printf("close %u", item->close_code == 0 ? 1005U : item->close_code);
        print_hex(item->data, item->len);
        r->is_over = true;
        break;
    case WS_ITEM_ERROR:
        print_error(r, code_of(item->error), item->detail);
        break;
    case WS_ITEM_NEED_MORE:
        break;
    }
}

static void take_chunk(struct receiver *r, uint8_t *data, size_t len)
{
    struct ws_item item;
    size_t consumed = 0;
    do {
        ws_decode(&r->decoder, data, len, &consumed, &item);
        data += consumed;
        len -= consumed;
        take_item(r, &item);
    } while (!r->is_over && item.type != WS_ITEM_NEED_MORE);
}

static void take_stream(const uint8_t header[4])
{
    struct receiver r = {.is_over = false};
    struct deflate_settings settings = {.window_bits = 15, .is_takeover = true};
    struct deflate_params params = {
        .server_bits = 15, .client_bits = header[1], .is_client_no_takeover = header[2] != 0};
    ws_decoder_init(&r.decoder, WS_ACCEPT_ANY, 0, header[0] != 0);
    deflate_init(&r.deflate, &settings, &params);
    for (uint32_t count = read_number(); count > 0; count--) {
        uint32_t len = read_number();
        if (len == 0) {
            continue;
        }
        uint8_t *chunk = mem_alloc(len); /* exactly this size, for the address checker */
        if (chunk == NULL) {
            give_up("no memory");
        }
        (void)read_bytes(chunk, len, false);
        if (!r.is_over) {
            take_chunk(&r, chunk, len);
        }
        mem_free(chunk);
    }
    deflate_done(&r.deflate);
    mem_free(r.message);
    printf("end\n");
}

int main(void)
{
    uint8_t header[4];
    while (read_bytes(header, sizeof(header), true)) {
        take_stream(header);
    }
    if (mem_live_blocks() != 0) {
        give_up("memory is left");
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
