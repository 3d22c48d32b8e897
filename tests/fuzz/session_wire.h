/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_wire.h: a strict client, which reads what the session sends: one HTTP answer, or a 101
 * and frames (RFC 6455 5, RFC 7692) up to a Close. It hands content on to the model. */
#ifndef FUZZ_SESSION_WIRE_H
#define FUZZ_SESSION_WIRE_H

#define ZLIB_CONST
#include <zlib.h>

#include "session_model.h"

#define ACCEPT_LINE "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

UNWATCHED_BEGIN

enum wire_state { WIRE_HEAD = 0, WIRE_BODY, WIRE_FRAME, WIRE_PAYLOAD, WIRE_OVER };

struct wire {
    enum wire_state state;
    char head[2048];
    size_t head_len;
    unsigned int status; /* 0: no whole head yet */
    size_t left;         /* of the body or the payload */
    uint8_t header[WS_HEADER_MAX];
    size_t header_have;
    bool in_message; /* a data message has begun, and its last frame has not */
    bool is_compressed;
    enum ws_opcode opcode; /* opcode of the message */
    struct utf8 utf8;
    struct base64_decoder base64;
    uint8_t control[WS_CONTROL_MAX];
    size_t control_have;
    bool has_close;
    uint16_t close_code; /* 0: the Close has no code */
    bool is_deflate;     /* the answer agreed on it */
    struct deflate_params params;
    bool is_key_known; /* the request had the key of RFC 6455 1.3 */
};

static struct wire wire;
static z_stream wire_inflater;

static void wire_init(void)
{
    wire.state = WIRE_HEAD;
    wire.head_len = 0;
    wire.status = 0;
    wire.header_have = 0;
    wire.in_message = false;
    wire.has_close = false;
    wire.close_code = 0;
    wire.is_deflate = false;
    wire.params = (struct deflate_params){0};
    wire.is_key_known = false;
    if (wire_inflater.state == NULL) {
        expect(inflateInit2(&wire_inflater, -15) == Z_OK, "memory");
    }
}

/* --- the head ---------------------------------------------------------------------------------*/

static uint8_t bits_in(const char *head, const char *name)
{
    const char *at = strstr(head, name);
    return at == NULL ? 15 : (uint8_t)strtoul(at + strlen(name), NULL, 10);
}

static void read_101(const char *head)
{
    expect(!wire.is_key_known || strstr(head, ACCEPT_LINE) != NULL, "the accept key");
    wire.state = WIRE_FRAME;
    if (strstr(head, "permessage-deflate") == NULL) {
        return;
    }
    expect(model.route == NULL || model.route->is_deflate, "compression only where it is on");
    wire.is_deflate = true;
    wire.params = (struct deflate_params){
        .server_bits = bits_in(head, "server_max_window_bits="),
        .client_bits = bits_in(head, "client_max_window_bits="),
        .is_server_no_takeover = strstr(head, "server_no_context_takeover") != NULL,
        .is_client_no_takeover = strstr(head, "client_no_context_takeover") != NULL,
    };
    expect(inflateReset2(&wire_inflater, -(int)wire.params.server_bits) == Z_OK, "a window");
}

static void read_head(const char *head)
{
    static const unsigned int known[] = {101, 200, 400, 401, 403, 404, 405, 408, 414,
                                         426, 429, 431, 500, 501, 502, 503, 504, 505};
    bool is_known = false;
    expect(strncmp(head, "HTTP/1.1 ", 9) == 0, "a status line");
    wire.status = (unsigned int)strtoul(head + 9, NULL, 10);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        is_known = is_known || wire.status == known[i];
    }
    expect(is_known, "a status that is answered");
    if (wire.status == 101) {
        read_101(head);
        return;
    }
    const char *length = strstr(head, "\r\nContent-Length: ");
    expect(length != NULL, "a length");
    wire.left = strtoul(length + 18, NULL, 10);
    wire.state = wire.left > 0 ? WIRE_BODY : WIRE_OVER;
}

static size_t take_head(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        expect(wire.head_len + 1 < sizeof(wire.head), "a short head");
        wire.head[wire.head_len++] = (char)data[i];
        wire.head[wire.head_len] = '\0';
        if (data[i] == '\n' && wire.head_len >= 4 &&
            memcmp(wire.head + wire.head_len - 4, "\r\n\r\n", 4) == 0) {
            read_head(wire.head);
            return i + 1;
        }
    }
    return len;
}

/* --- content ----------------------------------------------------------------------------------*/

static void read_content(const uint8_t *data, size_t len)
{
    static uint8_t decoded[FIFO_MAX];
    if (wire.opcode == WS_TEXT) {
        expect(utf8_feed(&wire.utf8, data, len), "text is UTF-8");
    }
    if (model.route != NULL && !model.is_echo && model.payload == SHAPE_BASE64) {
        size_t decoded_len = 0;
        expect(base64_decode(&wire.base64, data, len, decoded, &decoded_len), "base64");
        model_client_got(decoded, decoded_len);
    } else {
        model_client_got(data, len);
    }
}

static void read_inflated(const uint8_t *data, size_t len)
{
    static uint8_t out[64 * 1024];
    wire_inflater.next_in = data;
    wire_inflater.avail_in = (uInt)len;
    do {
        wire_inflater.next_out = out;
        wire_inflater.avail_out = sizeof(out);
        int status = inflate(&wire_inflater, Z_SYNC_FLUSH);
        expect(status == Z_OK || status == Z_BUF_ERROR, "a deflate stream");
        read_content(out, sizeof(out) - wire_inflater.avail_out);
    } while (wire_inflater.avail_out == 0);
    expect(wire_inflater.avail_in == 0, "all of it inflates");
}

static void end_message(void)
{
    static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};
    if (wire.is_compressed) {
        read_inflated(tail, sizeof(tail));
    }
    wire.in_message = false;
    expect(wire.opcode != WS_TEXT || utf8_is_complete(&wire.utf8), "text ends with a character");
    expect(base64_is_complete(&wire.base64), "base64 ends with a group");
    model_client_got_end(wire.opcode);
}

/* --- frames -----------------------------------------------------------------------------------*/

static bool is_control(void)
{
    return (wire.header[0] & 0x08) != 0;
}

static void begin_data(enum ws_opcode opcode)
{
    bool is_first = opcode != WS_CONTINUATION;
    bool is_rsv1 = (wire.header[0] & WS_RSV1) != 0;
    uint64_t max = model.route != NULL ? model.route->max_frame_bytes : 0;
    expect(is_first != wire.in_message, "fragments of one message follow each other");
    expect(!is_rsv1 || (wire.is_deflate && is_first), "RSV1 on a first frame, if agreed on");
    expect(max == 0 || wire.left <= max, "max_frame_out");
    expect(model.route == NULL || model.is_echo || world.backend.state != MEMORY_UNUSED,
           "only a backend that is up is heard");
    expect(!model.is_refused, "a refusal has no content");
    wire.in_message = true;
    if (is_first) {
        wire.opcode = opcode;
        wire.is_compressed = is_rsv1;
        utf8_init(&wire.utf8);
        base64_decoder_init(&wire.base64);
        if (is_rsv1 && wire.params.is_server_no_takeover) {
            expect(inflateReset(&wire_inflater) == Z_OK, "zlib");
        }
    }
}

/* Our Close has come. */
static void judge_close(void)
{
    const struct memory *backend = &world.backend;
    bool is_backend_ended =
        backend->state != MEMORY_OPEN || backend->is_in_fin || backend->is_in_rst;
    if (model.route == NULL || model.is_down_over || world.is_forced) {
        return;
    }
    expect(!world.is_down_owed || model.down.got == model.down.len,
           "all that the backend said before our Close");
    expect(!model.is_client_done || model.is_spoiled || is_backend_ended ||
               reactor.now_ms >= model.close_ms + model.route->timeouts.close_ms,
           "the backend may speak after the client's Close");
}

static void end_control(void)
{
    enum ws_opcode opcode = (enum ws_opcode)(wire.header[0] & 0x0f);
    wire.state = WIRE_FRAME;
    if (opcode == WS_PONG) {
        model_pong_got(wire.control, wire.control_have);
    } else if (opcode == WS_PING) {
        expect(wire.control_have == 0, "our Ping is empty");
    } else {
        expect(wire.control_have != 1, "a code has two bytes");
        wire.has_close = true;
        wire.state = WIRE_OVER;
        if (wire.control_have > 0) {
            struct span reason = {(const char *)wire.control + 2, wire.control_have - 2};
            wire.close_code = (uint16_t)(wire.control[0] << 8 | wire.control[1]);
            expect(ws_close_code_is_valid(wire.close_code), "a code that may be sent");
            expect(utf8_is_valid(reason), "a reason in UTF-8");
        }
        judge_close();
    }
}

static void end_payload(void)
{
    if (is_control()) {
        end_control();
        return;
    }
    wire.state = WIRE_FRAME;
    if ((wire.header[0] & 0x80) != 0) {
        end_message();
    }
}

static void begin_frame(uint64_t len)
{
    enum ws_opcode opcode = (enum ws_opcode)(wire.header[0] & 0x0f);
    wire.state = WIRE_PAYLOAD;
    wire.left = len;
    wire.control_have = 0;
    wire.header_have = 0;
    expect((wire.header[0] & 0x30) == 0 && (wire.header[1] & 0x80) == 0, "no odd bits");
    if (is_control()) {
        expect(opcode == WS_CLOSE || opcode == WS_PING || opcode == WS_PONG, "an opcode");
        expect((wire.header[0] & 0xc0) == 0x80 && len <= WS_CONTROL_MAX, "a control frame");
    } else {
        expect(opcode <= WS_BINARY, "an opcode");
        begin_data(opcode);
    }
    if (len == 0) {
        end_payload();
    }
}

static size_t take_header(const uint8_t *data)
{
    wire.header[wire.header_have++] = *data;
    if (wire.header_have < 2) {
        return 1;
    }
    size_t length_bytes = wire.header[1] < 126 ? 0 : wire.header[1] == 126 ? 2 : 8;
    if (wire.header_have < 2 + length_bytes) {
        return 1;
    }
    uint64_t len = length_bytes == 0 ? wire.header[1] : 0;
    for (size_t i = 0; i < length_bytes; i++) {
        len = len << 8 | wire.header[2 + i];
    }
    expect(ws_header_len(len) == 2 + length_bytes, "a minimal length");
    begin_frame(len);
    return 1;
}

static size_t take_payload(const uint8_t *data, size_t len)
{
    size_t part = len < wire.left ? len : wire.left;
    wire.left -= part;
    if (wire.state == WIRE_BODY) {
        wire.state = wire.left > 0 ? WIRE_BODY : WIRE_OVER;
        return part;
    }
    if (is_control()) {
        memcpy(wire.control + wire.control_have, data, part);
        wire.control_have += part;
    } else if (wire.is_compressed) {
        read_inflated(data, part);
    } else {
        read_content(data, part);
    }
    if (wire.left == 0) {
        end_payload();
    }
    return part;
}

/* The kernel took these bytes for the client. */
static void wire_got(const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t used = 0;
        switch (wire.state) {
        case WIRE_HEAD:
            used = take_head(data, len);
            break;
        case WIRE_FRAME:
            used = take_header(data);
            break;
        case WIRE_BODY:
        case WIRE_PAYLOAD:
            used = take_payload(data, len);
            break;
        case WIRE_OVER:
            expect(false, "nothing after the answer or the Close");
        }
        data += used;
        len -= used;
    }
}

/* Our FIN has come. */
static void wire_got_fin(const struct life *life)
{
    expect(wire.state == WIRE_OVER || (wire.state == WIRE_HEAD && wire.head_len == 0) ||
               (wire.state == WIRE_FRAME && wire.header_have == 0),
           "nothing is cut off");
    enum life_client_end how = life_ending_row(life->ending)->client;
    if (wire.status == 101 && (how == LIFE_CLIENT_SAY || how == LIFE_CLIENT_ECHO)) {
        expect(wire.has_close, "a Close goes before the FIN");
    }
}

UNWATCHED_END

#endif
