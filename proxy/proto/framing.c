/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/framing.h"

#include <assert.h>
#include <string.h>

#define NOTHING SPAN_LIT("")

/* Bytes of the length field. */
static size_t header_len(enum framing_kind kind)
{
    switch (kind) {
    case FRAMING_LENGTH16:
        return 2;
    case FRAMING_LENGTH32:
        return 4;
    case FRAMING_STREAM:
    case FRAMING_LINE:
        break;
    }
    return 0;
}

uint64_t framing_max_bytes(const struct framing *f)
{
    uint64_t field_max = UINT64_MAX;
    size_t header_bytes = header_len(f->kind);
    if (header_bytes > 0) {
        field_max = (UINT64_C(1) << (8 * header_bytes)) - 1;
    }
    return size_min(f->max_bytes, field_max);
}

/* --- towards the backend ------------------------------------------------------------------- */

static bool has_byte(struct span s, char byte)
{
    return s.len > 0 && memchr(s.data, byte, s.len) != NULL;
}

static struct span terminator_of(const struct framing *f)
{
    return f->line_end == FRAMING_CRLF ? SPAN_LIT("\r\n") : SPAN_LIT("\n");
}

/* What a message of several lines lacks of a terminator at its end. With crlf a lone LF counts as
 * one, and a lone CR is its first half: a whole one behind them would be an empty line more. */
static struct span missing_terminator(const struct framing *f, struct span message)
{
    if (span_ends_with(message, SPAN_LIT("\n"))) {
        return NOTHING;
    }
    if (f->line_end == FRAMING_CRLF && span_ends_with(message, SPAN_LIT("\r"))) {
        return SPAN_LIT("\n");
    }
    return terminator_of(f);
}

static enum framing_error wrap_line(const struct framing *f, struct span message,
                                    struct framing_wrap *out)
{
    if (f->is_line_multi) {
        out->suffix = missing_terminator(f, message);
        return FRAMING_OK;
    }
    out->suffix = terminator_of(f);
    bool is_split = has_byte(message, '\n');
    if (f->line_end == FRAMING_CRLF) {
        is_split = is_split || has_byte(message, '\r');
    }
    return is_split ? FRAMING_TERMINATOR : FRAMING_OK;
}

static void write_length(const struct framing *f, uint64_t len, struct framing_wrap *out)
{
    out->prefix_len = header_len(f->kind);
    for (size_t i = 0; i < out->prefix_len; i++) {
        size_t place = f->length_order == FRAMING_BIG ? out->prefix_len - 1 - i : i;
        out->prefix[i] = (uint8_t)(len >> (8 * place));
    }
}

enum framing_error framing_wrap(const struct framing *f, struct span message,
                                struct framing_wrap *out)
{
    assert(f->kind != FRAMING_STREAM);
    *out = (struct framing_wrap){.suffix = NOTHING};
    if (message.len > framing_max_bytes(f)) {
        return FRAMING_TOO_LONG;
    }
    if (f->kind == FRAMING_LINE) {
        return wrap_line(f, message, out);
    }
    write_length(f, message.len, out);
    return FRAMING_OK;
}

/* --- from the backend ---------------------------------------------------------------------- */

void framing_splitter_init(struct framing_splitter *s)
{
    *s = (struct framing_splitter){0};
}

static void consume(struct span *input, size_t len)
{
    input->data += len;
    input->len -= len;
}

static enum framing_split give(struct framing_splitter *s, struct span data, bool is_end,
                               struct framing_piece *out)
{
    *out = (struct framing_piece){.data = data, .is_start = !s->in_message, .is_end = is_end};
    s->in_message = !is_end;
    return FRAMING_PIECE;
}

static enum framing_split fail(enum framing_error error, enum framing_error *out_error)
{
    *out_error = error;
    return FRAMING_ERROR;
}

/* A piece of a line, unless the line is too long with it. */
static enum framing_split give_of_line(struct framing_splitter *s, const struct framing *f,
                                       struct framing_piece piece, struct framing_piece *out,
                                       enum framing_error *out_error)
{
    if (piece.data.len > framing_max_bytes(f) - s->taken_bytes) {
        return fail(FRAMING_TOO_LONG, out_error);
    }
    s->taken_bytes = piece.is_end ? 0 : s->taken_bytes + piece.data.len;
    return give(s, piece.data, piece.is_end, out);
}

/* The byte after a CR: an LF makes the CR a part of the terminator, any other byte a part of the
 * line. */
static enum framing_split resolve_cr(struct framing_splitter *s, const struct framing *f,
                                     struct span *input, struct framing_piece *out,
                                     enum framing_error *out_error)
{
    struct framing_piece piece = {.data = SPAN_LIT("\r")};
    s->is_after_cr = false;
    if (input->data[0] == '\n') {
        consume(input, 1);
        piece = (struct framing_piece){.data = NOTHING, .is_end = true};
    }
    return give_of_line(s, f, piece, out, out_error);
}

static enum framing_split split_line(struct framing_splitter *s, const struct framing *f,
                                     struct span *input, struct framing_piece *out,
                                     enum framing_error *out_error)
{
    if (s->is_after_cr) {
        return resolve_cr(s, f, input, out, out_error);
    }
    const char *line_feed = memchr(input->data, '\n', input->len);
    struct framing_piece piece = {.data = *input, .is_end = line_feed != NULL};
    if (line_feed != NULL) {
        piece.data.len = (size_t)(line_feed - input->data);
        consume(input, piece.data.len + 1);
    } else {
        consume(input, input->len);
    }
    size_t len = piece.data.len;
    if (f->line_end == FRAMING_CRLF && len > 0 && piece.data.data[len - 1] == '\r') {
        piece.data.len--;
        s->is_after_cr = !piece.is_end;
    }
    if (piece.data.len == 0 && !piece.is_end) {
        return FRAMING_NEED_MORE; /* the input was one CR */
    }
    return give_of_line(s, f, piece, out, out_error);
}

static uint64_t read_length(const struct framing_splitter *s, const struct framing *f,
                            size_t header_bytes)
{
    uint64_t len = 0;
    for (size_t i = 0; i < header_bytes; i++) {
        size_t place = f->length_order == FRAMING_BIG ? i : header_bytes - 1 - i;
        len = len << 8 | s->header[place];
    }
    return len;
}

static enum framing_split split_record(struct framing_splitter *s, const struct framing *f,
                                       struct span *input, struct framing_piece *out,
                                       enum framing_error *out_error)
{
    size_t header_bytes = header_len(f->kind);
    if (s->header_have < header_bytes) {
        while (s->header_have < header_bytes && input->len > 0) {
            s->header[s->header_have++] = (uint8_t)input->data[0];
            consume(input, 1);
        }
        if (s->header_have < header_bytes) {
            return FRAMING_NEED_MORE;
        }
        s->left_bytes = read_length(s, f, header_bytes);
        if (s->left_bytes > framing_max_bytes(f)) {
            return fail(FRAMING_TOO_LONG, out_error);
        }
    }
    if (input->len == 0 && s->left_bytes > 0) {
        return FRAMING_NEED_MORE;
    }
    size_t len = s->left_bytes < input->len ? (size_t)s->left_bytes : input->len;
    struct span data = {input->data, len};
    consume(input, len);
    s->left_bytes -= len;
    if (s->left_bytes == 0) {
        s->header_have = 0;
    }
    return give(s, data, s->left_bytes == 0, out);
}

enum framing_split framing_split(struct framing_splitter *s, const struct framing *f,
                                 struct span *input, struct framing_piece *out,
                                 enum framing_error *out_error)
{
    *out = (struct framing_piece){.data = NOTHING};
    *out_error = FRAMING_OK;
    if (input->len == 0) {
        return FRAMING_NEED_MORE;
    }
    switch (f->kind) {
    case FRAMING_LINE:
        return split_line(s, f, input, out, out_error);
    case FRAMING_LENGTH16:
    case FRAMING_LENGTH32:
        return split_record(s, f, input, out, out_error);
    case FRAMING_STREAM:
        break;
    }
    struct span data = *input;
    consume(input, input->len);
    return give(s, data, true, out);
}

enum framing_split framing_split_end(struct framing_splitter *s, const struct framing *f,
                                     struct framing_piece *out, enum framing_error *out_error)
{
    *out = (struct framing_piece){.data = NOTHING};
    *out_error = FRAMING_OK;
    if (s->header_have > 0) {
        return fail(FRAMING_CUT_OFF, out_error);
    }
    if (!s->in_message && !s->is_after_cr) {
        return FRAMING_NEED_MORE;
    }
    struct framing_piece last = {.data = s->is_after_cr ? SPAN_LIT("\r") : NOTHING, .is_end = true};
    s->is_after_cr = false;
    return give_of_line(s, f, last, out, out_error);
}
