/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>

#include "proto/shape.h"
#include "proto/shape_parts.h"

/* A message of ours whose first piece is shorter is not worth a deflater. */
#define DEFLATE_FROM_BYTES 64
/* So many bytes at a time become UTF-8, on the stack. */
#define REPAIR_BYTES ((size_t)1024)

static bool is_worth_deflating(const struct shape *s, size_t len)
{
    return s->rules.is_deflate && len >= DEFLATE_FROM_BYTES;
}

/* *out_whole: bytes of whole characters at the front of the text, up to a wrong byte or to the end.
 * False: the text has a wrong byte. */
static bool text_measure(const uint8_t *data, size_t len, size_t *out_whole)
{
    struct utf8 u;
    utf8_init(&u);
    if (utf8_feed(&u, data, len)) {
        *out_whole = len;
        while (!utf8_is_complete(&u) && (data[--*out_whole] & 0xc0) == 0x80) {
        }
        return true;
    }
    utf8_init(&u);
    *out_whole = 0;
    for (size_t i = 0; utf8_feed(&u, data + i, 1); i++) {
        if (utf8_is_complete(&u)) {
            *out_whole = i + 1;
        }
    }
    return false;
}

/* At most `most` bytes of text, cut between two characters. */
static struct span text_take(struct span *from, size_t most)
{
    size_t len = size_min(from->len, most);
    while (len < from->len && ((uint8_t)from->data[len] & 0xc0) == 0x80) {
        len--;
    }
    return shape_take(from, len);
}

static enum shape_result put_base64(struct shape *s, struct span data, struct shape_out *out)
{
    char text[BASE64_LEN(3 * 1024)];
    size_t most = sizeof(text) / 4 * 3;
    enum shape_result result = SHAPE_OK;

    s->is_down_deflated = is_worth_deflating(s, data.len);
    if (shape_frame_max(s) < sizeof(text)) {
        most = shape_frame_max(s) / 4 * 3;
    }
    while (result == SHAPE_OK && data.len > 0) {
        struct span part = shape_take(&data, most);
        size_t len = base64_encode((const uint8_t *)part.data, part.len, text);
        result =
            shape_put_piece(s, WS_TEXT, (struct span){text, len}, true, s->is_down_deflated, out);
    }
    return result;
}

/* Each frame is a message of its own, because a stream has no messages. */
static enum shape_result put_stream(struct shape *s, struct span data, struct shape_out *out)
{
    bool is_text = s->rules.payload == SHAPE_TEXT;
    enum shape_result result = SHAPE_OK;
    if (s->rules.payload == SHAPE_BASE64) {
        return put_base64(s, data, out);
    }
    while (result == SHAPE_OK && data.len > 0) {
        s->is_down_deflated = is_worth_deflating(s, data.len);
        size_t most = shape_frame_max(s);
        struct span part = is_text ? text_take(&data, most) : shape_take(&data, most);
        result =
            shape_put_piece(s, is_text ? WS_TEXT : WS_BINARY, part, true, s->is_down_deflated, out);
    }
    return result;
}

/* Sends the next bytes of a stream with U+FFFD for what is not UTF-8. An incomplete character at
 * their end stays. Returns the number of bytes that it used. */
static enum shape_result put_repaired(struct shape *s, struct span data, size_t *out_used,
                                      struct shape_out *out)
{
    uint8_t text[UTF8_REPAIR_ROOM(REPAIR_BYTES)];
    struct utf8_repair repair;
    size_t part = size_min(data.len, REPAIR_BYTES);

    utf8_repair_init(&repair);
    size_t len = utf8_repair(&repair, (const uint8_t *)data.data, part, text);
    *out_used = part - repair.held_len;
    return put_stream(s, (struct span){(const char *)text, len}, out);
}

/* Sends SHAPE_WORK bytes of the stream at most. An incomplete character at the end of text waits in
 * down_carry, and comes in front of the next bytes. */
static enum shape_result down_stream(struct shape *s, uint8_t **data, size_t *len,
                                     struct shape_out *out)
{
    *data -= s->down_carry_len;
    *len += s->down_carry_len;
    memcpy(*data, s->down_carry, s->down_carry_len);
    s->down_carry_len = 0;

    size_t part = *len < SHAPE_WORK ? *len : SHAPE_WORK;
    size_t whole = part;
    bool is_good = s->rules.payload != SHAPE_TEXT || text_measure(*data, part, &whole);
    enum shape_result result = put_stream(s, (struct span){(const char *)*data, whole}, out);
    if (result != SHAPE_OK) {
        return result;
    }
    bool is_all = part == *len;
    *data += whole;
    *len -= whole;
    if (!is_good) {
        size_t used = 0;
        if (!s->rules.is_text_repaired) {
            return shape_fail(s, SHAPE_BACKEND_DATA, "backend's text is not UTF-8");
        }
        result = put_repaired(s, (struct span){(const char *)*data, *len}, &used, out);
        *data += used;
        *len -= used;
        return result == SHAPE_OK ? SHAPE_AGAIN : result;
    }
    if (!is_all) {
        return SHAPE_AGAIN;
    }
    assert(*len <= sizeof(s->down_carry)); /* an incomplete character */
    memcpy(s->down_carry, *data, *len);
    s->down_carry_len = (uint8_t)*len;
    *len = 0;
    return SHAPE_OK;
}

static enum shape_result down_error(struct shape *s, enum framing_error error)
{
    bool is_line = s->rules.framing.kind == FRAMING_LINE;
    if (error == FRAMING_CUT_OFF) {
        return shape_fail(s, SHAPE_BACKEND_DATA, "backend ended inside a record");
    }
    return shape_fail(s, SHAPE_BACKEND_DATA,
                      is_line ? "backend's line is too long" : "backend's record is too long");
}

/* A piece of a line or record, with U+FFFD for what is not UTF-8. */
static enum shape_result put_repaired_piece(struct shape *s, const struct framing_piece *piece,
                                            struct shape_out *out)
{
    uint8_t text[UTF8_REPAIR_ROOM(REPAIR_BYTES) + sizeof(UTF8_REPLACEMENT)];
    struct span rest = piece->data;
    enum shape_result result = SHAPE_OK;
    bool is_end;

    if (piece->is_start) {
        utf8_repair_init(&s->down_repair);
    }
    do {
        struct span part = shape_take(&rest, REPAIR_BYTES);
        size_t len = utf8_repair(&s->down_repair, (const uint8_t *)part.data, part.len, text);
        is_end = piece->is_end && rest.len == 0;
        if (is_end) {
            len += utf8_repair_end(&s->down_repair, text + len);
        }
        if (len > 0 || is_end) {
            result = shape_put_piece(s, WS_TEXT, (struct span){(const char *)text, len}, is_end,
                                     is_worth_deflating(s, piece->data.len), out);
        }
    } while (result == SHAPE_OK && rest.len > 0);
    return result;
}

static enum shape_result down_piece(struct shape *s, const struct framing_piece *piece,
                                    struct shape_out *out)
{
    bool is_text = s->rules.payload == SHAPE_TEXT;
    if (is_text && s->rules.is_text_repaired) {
        return put_repaired_piece(s, piece, out);
    }
    if (is_text) {
        if (piece->is_start) {
            utf8_init(&s->down_utf8);
        }
        if (!utf8_feed(&s->down_utf8, (const uint8_t *)piece->data.data, piece->data.len) ||
            (piece->is_end && !utf8_is_complete(&s->down_utf8))) {
            return shape_fail(s, SHAPE_BACKEND_DATA, "backend's text is not UTF-8");
        }
    }
    return shape_put_piece(s, is_text ? WS_TEXT : WS_BINARY, piece->data, piece->is_end,
                           is_worth_deflating(s, piece->data.len), out);
}

enum shape_result shape_down(struct shape *s, uint8_t **data, size_t *len, struct shape_out *out)
{
    enum framing_error error = FRAMING_OK;
    struct framing_piece piece;

    /* One byte may become three. */
    size_t step = s->rules.is_text_repaired ? SHAPE_WORK / 3 : SHAPE_WORK;

    assert(out->cap - out->len >= SHAPE_ROOM);
    if (s->rules.framing.kind == FRAMING_STREAM) {
        return down_stream(s, data, len, out);
    }
    while (*len > 0 && out->cap - out->len >= SHAPE_ROOM) {
        struct span input = {(const char *)*data, size_min(*len, step)};
        enum framing_split split =
            framing_split(&s->down_splitter, &s->rules.framing, &input, &piece, &error);
        size_t used = (size_t)(input.data - (const char *)*data);
        *data += used;
        *len -= used;
        if (split == FRAMING_ERROR) {
            return down_error(s, error);
        }
        enum shape_result result = split == FRAMING_PIECE ? down_piece(s, &piece, out) : SHAPE_OK;
        if (result != SHAPE_OK) {
            return result;
        }
    }
    return *len > 0 ? SHAPE_AGAIN : SHAPE_OK;
}

enum shape_result shape_down_end(struct shape *s, struct shape_out *out)
{
    enum framing_error error = FRAMING_OK;
    struct framing_piece piece;

    if (s->down_carry_len > 0 && s->rules.is_text_repaired) {
        s->down_carry_len = 0;
        return put_stream(s, SPAN_LIT(UTF8_REPLACEMENT), out);
    }
    if (s->down_carry_len > 0) {
        return shape_fail(s, SHAPE_BACKEND_DATA, "backend's text ends inside a character");
    }
    if (s->rules.framing.kind == FRAMING_STREAM) {
        return SHAPE_OK;
    }
    switch (framing_split_end(&s->down_splitter, &s->rules.framing, &piece, &error)) {
    case FRAMING_NEED_MORE:
        break;
    case FRAMING_PIECE:
        return down_piece(s, &piece, out);
    case FRAMING_ERROR:
        return down_error(s, error);
    }
    return SHAPE_OK;
}
