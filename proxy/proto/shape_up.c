/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "proto/shape.h"
#include "proto/shape_parts.h"

static enum shape_result echo(struct shape *s, const struct shape_piece *piece, struct span data,
                              bool is_end, struct shape_out *out)
{
    if (data.len == 0 && !is_end && piece->is_compressed) {
        return SHAPE_OK;
    }
    return shape_put_piece(s, piece->opcode, data, is_end, piece->is_compressed, out);
}

/* Appends what is left of the collected message, SHAPE_WORK bytes at most. */
static enum shape_result put_collected(struct shape *s, struct shape_out *out)
{
    struct span rest = buf_peek(&s->up_message);
    struct span part = shape_take(&rest, SHAPE_WORK);
    shape_put(out, part.data, part.len);
    buf_consume(&s->up_message, part.len);
    if (rest.len > 0) {
        return SHAPE_AGAIN;
    }
    shape_put(out, s->up_suffix.data, s->up_suffix.len);
    s->is_up_leaving = false;
    return SHAPE_OK;
}

static enum shape_result wrap(struct shape *s, struct span message, struct shape_out *out)
{
    struct framing_wrap around;
    switch (framing_wrap(&s->rules.framing, message, &around)) {
    case FRAMING_TERMINATOR:
        return shape_fail(s, SHAPE_TERMINATOR, "line terminator inside a message");
    case FRAMING_TOO_LONG:
    case FRAMING_CUT_OFF:
        return shape_fail(s, SHAPE_TOO_BIG, "message longer than framing_max");
    case FRAMING_OK:
        break;
    }
    shape_put(out, around.prefix, around.prefix_len);
    s->up_suffix = around.suffix;
    return SHAPE_OK;
}

static enum shape_result put_message(struct shape *s, struct span data, bool is_end,
                                     struct shape_out *out)
{
    enum shape_result result;
    if (is_end && s->up_message.len == 0) {
        result = wrap(s, data, out);
        if (result == SHAPE_OK) {
            shape_put(out, data.data, data.len);
            shape_put(out, s->up_suffix.data, s->up_suffix.len);
        }
        return result;
    }
    enum buf_result kept = BUF_OK;
    if (data.len > 0) {
        kept = buf_append(&s->up_message, data.data, data.len);
    }
    switch (kept) {
    case BUF_FULL:
        return shape_fail(s, SHAPE_TOO_BIG, "message longer than framing_max");
    case BUF_NO_MEMORY:
        return shape_fail(s, SHAPE_NO_MEMORY, "no memory");
    case BUF_OK:
        break;
    }
    if (!is_end) {
        return SHAPE_OK;
    }
    result = wrap(s, buf_peek(&s->up_message), out);
    s->is_up_leaving = result == SHAPE_OK;
    return s->is_up_leaving ? put_collected(s, out) : result;
}

/* Sends inflated payload where it goes: bare into the output, back to the client, or through base64
 * and framing to the backend. */
static enum shape_result put_payload(struct shape *s, const struct shape_piece *piece,
                                     struct span data, bool is_end, uint8_t *work,
                                     struct shape_out *out)
{
    if (piece->is_bare) {
        shape_put(out, data.data, data.len);
        return SHAPE_OK;
    }
    if (s->rules.is_echo) {
        return echo(s, piece, data, is_end, out);
    }
    if (s->rules.payload == SHAPE_BASE64) {
        size_t len = 0;
        if (!base64_decode(&s->up_base64, (const uint8_t *)data.data, data.len, work, &len) ||
            (is_end && !base64_is_complete(&s->up_base64))) {
            return shape_fail(s, SHAPE_BAD_TEXT, "text is not base64");
        }
        data = (struct span){(const char *)work, len};
    }
    if (s->rules.framing.kind != FRAMING_STREAM) {
        return put_message(s, data, is_end, out);
    }
    shape_put(out, data.data, data.len);
    return SHAPE_OK;
}

/* The next bytes of the piece, inflated; SHAPE_AGAIN when others follow. */
static enum shape_result next_payload(struct shape *s, struct shape_piece *piece, uint8_t *work,
                                      struct span *out_data)
{
    if (!piece->is_compressed) {
        *out_data = shape_take(&piece->data, SHAPE_WORK);
        return piece->data.len > 0 ? SHAPE_AGAIN : SHAPE_OK;
    }
    size_t len = 0;
    enum deflate_result result =
        deflate_inflate(&s->deflate, &piece->data, piece->is_end, work, SHAPE_WORK, &len);
    *out_data = (struct span){(const char *)work, len};
    switch (result) {
    case DEFLATE_OK:
    case DEFLATE_FULL:
        break;
    case DEFLATE_BAD:
        return shape_fail(s, SHAPE_BAD_DEFLATE, "malformed compressed message");
    case DEFLATE_TOO_BIG:
        return shape_fail(s, SHAPE_TOO_BIG, "message longer than max_message");
    case DEFLATE_TOO_FAR:
        return shape_fail(s, SHAPE_TOO_BIG, "messages inflate beyond compression_ratio");
    case DEFLATE_NO_MEMORY:
        return shape_fail(s, SHAPE_NO_MEMORY, "no memory");
    }
    bool is_end = result == DEFLATE_OK && piece->is_end;
    if (piece->opcode == WS_TEXT &&
        (!utf8_feed(&s->up_utf8, work, len) || (is_end && !utf8_is_complete(&s->up_utf8)))) {
        return shape_fail(s, SHAPE_BAD_TEXT, "text is not UTF-8");
    }
    return result == DEFLATE_OK ? SHAPE_OK : SHAPE_AGAIN;
}

enum shape_result shape_up(struct shape *s, struct shape_piece *piece, uint8_t *work,
                           struct shape_out *out, size_t *out_payload_bytes)
{
    struct span data;
    assert(out->cap - out->len >= SHAPE_ROOM);
    *out_payload_bytes = 0;
    if (s->is_up_leaving) {
        return put_collected(s, out);
    }
    if (!s->in_up_message) {
        s->in_up_message = true;
        utf8_init(&s->up_utf8);
        base64_decoder_init(&s->up_base64);
    }
    enum shape_result next = next_payload(s, piece, work, &data);
    if (next != SHAPE_OK && next != SHAPE_AGAIN) {
        return next;
    }
    bool is_end = next == SHAPE_OK && piece->is_end;
    *out_payload_bytes = data.len;
    s->in_up_message = !is_end;
    enum shape_result result = put_payload(s, piece, data, is_end, work, out);
    return result == SHAPE_OK ? next : result;
}
