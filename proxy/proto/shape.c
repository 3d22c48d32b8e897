/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/shape.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "proto/shape_parts.h"

enum shape_payload shape_payload_of(struct span subprotocol, enum shape_payload fallback)
{
    static const struct {
        struct span name;
        enum shape_payload payload;
    } known[] = {
        {SPAN_LIT("base64"), SHAPE_BASE64},
        {SPAN_LIT("binary"), SHAPE_BINARY},
        {SPAN_LIT("binary.ircv3.net"), SHAPE_BINARY},
        {SPAN_LIT("text.ircv3.net"), SHAPE_TEXT},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (span_is_equal(subprotocol, known[i].name)) {
            return known[i].payload;
        }
    }
    return fallback;
}

bool shape_is_needed(const struct shape_rules *rules)
{
    if (rules->is_deflate || rules->max_frame_bytes != 0) {
        return true;
    }
    return !rules->is_echo &&
           (rules->payload != SHAPE_BINARY || rules->framing.kind != FRAMING_STREAM);
}

struct shape *shape_new(const struct shape_rules *rules)
{
    struct shape *s = mem_alloc_zero(sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    assert(rules->max_frame_bytes == 0 || rules->max_frame_bytes >= SHAPE_FRAME_MIN_BYTES);
    s->rules = *rules;
    if (rules->is_deflate) {
        deflate_init(&s->deflate, &rules->deflate_settings, &rules->deflate_params);
    }
    bool is_stream = rules->framing.kind == FRAMING_STREAM;
    buf_init(&s->up_message, is_stream ? 1 : (size_t)framing_max_bytes(&rules->framing));
    framing_splitter_init(&s->down_splitter);
    return s;
}

void shape_free(struct shape *s)
{
    if (s == NULL) {
        return;
    }
    if (s->rules.is_deflate) {
        deflate_done(&s->deflate);
    }
    buf_clear(&s->up_message);
    mem_free(s);
}

bool shape_can_park(const struct shape *s)
{
    return s->rules.is_deflate && deflate_can_park(&s->deflate);
}

void shape_park(struct shape *s)
{
    if (s->rules.is_deflate) {
        deflate_park(&s->deflate);
    }
}

enum shape_result shape_fail(struct shape *s, enum shape_result result, const char *detail)
{
    s->detail = detail;
    return result;
}

void shape_put(struct shape_out *out, const void *data, size_t len)
{
    assert(len <= out->cap - out->len);
    if (len > 0) {
        memcpy(out->data + out->len, data, len);
        out->len += len;
    }
}

struct span shape_take(struct span *from, size_t len)
{
    struct span front = {from->data, size_min(len, from->len)};
    if (front.len > 0) {
        from->data += front.len;
        from->len -= front.len;
    }
    return front;
}

/* --- frames for the client -----------------------------------------------------------------*/

static enum shape_result put_deflated(struct shape *s, struct span payload, bool is_end,
                                      uint8_t first_bits, struct shape_out *out)
{
    uint8_t *frame = out->data + out->len;
    uint8_t *body = frame + WS_HEADER_MAX;
    uint8_t header[WS_HEADER_MAX];
    size_t body_len = 0;
    enum ws_opcode opcode = (enum ws_opcode)(first_bits & 0x0f);

    assert(deflate_bound(payload.len) + WS_HEADER_MAX <= out->cap - out->len);
    if (deflate_deflate(&s->deflate, payload, is_end, body, deflate_bound(payload.len),
                        &body_len) != DEFLATE_OK) {
        return shape_fail(s, SHAPE_NO_MEMORY, "no memory");
    }
    size_t header_len = ws_encode_header(header, opcode, is_end, body_len);
    header[0] |= opcode == WS_CONTINUATION ? 0 : WS_RSV1;
    memcpy(frame, header, header_len);
    memmove(frame + header_len, body, body_len);
    out->len += header_len + body_len;
    return SHAPE_OK;
}

/* Appends one frame of the current message; `opcode` is the message's. */
static enum shape_result put_frame(struct shape *s, enum ws_opcode opcode, struct span payload,
                                   bool is_end, struct shape_out *out)
{
    enum ws_opcode frame_opcode = s->in_down_message ? WS_CONTINUATION : opcode;
    s->in_down_message = !is_end;
    s->down_count += is_end ? 1 : 0;
    if (s->is_down_deflated) {
        return put_deflated(s, payload, is_end, (uint8_t)frame_opcode, out);
    }
    uint8_t header[WS_HEADER_MAX];
    size_t header_len = ws_encode_header(header, frame_opcode, is_end, payload.len);
    shape_put(out, header, header_len);
    shape_put(out, payload.data, payload.len);
    return SHAPE_OK;
}

size_t shape_frame_max(const struct shape *s)
{
    size_t most = SHAPE_WORK + SHAPE_HEADROOM;
    uint64_t max = s->rules.max_frame_bytes;
    if (max == 0) {
        return most;
    }
    most = most < max ? most : (size_t)max;
    while (s->is_down_deflated && deflate_bound(most) > max) {
        most -= 1 + (deflate_bound(most) - (size_t)max) / 2;
    }
    return most;
}

enum shape_result shape_put_piece(struct shape *s, enum ws_opcode opcode, struct span piece,
                                  bool is_end, bool is_deflated, struct shape_out *out)
{
    enum shape_result result = SHAPE_OK;
    if (!s->in_down_message) {
        s->is_down_deflated = is_deflated;
    }
    size_t most = shape_frame_max(s);
    do {
        struct span part = shape_take(&piece, most);
        result = put_frame(s, opcode, part, is_end && piece.len == 0, out);
    } while (result == SHAPE_OK && piece.len > 0);
    return result;
}
