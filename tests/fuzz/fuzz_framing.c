/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Splits the input whole, byte by byte and in chunks, and compares the messages with those of a
 * reference that has it whole; wraps the input as a message and splits that again; checks the
 * ceilings.
 *
 * Input: 1 byte kind, line end, multi and order; 1 byte the limit; 1 byte for the chunk sizes; what
 * the backend sends, which is also the message. */
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LEN_MAX ((size_t)600)

/* Whole messages, each behind its length, and the error at the end. */
struct messages {
    uint8_t bytes[LEN_MAX * 6 + 64];
    size_t len;
    size_t start; /* of the current message */
    bool in_message;
    enum framing_error error;
};

/* The bytes need no clearing. */
static void reset(struct messages *m)
{
    m->len = 0;
    m->in_message = false;
    m->error = FRAMING_OK;
}

static void add_start(struct messages *m)
{
    m->start = m->len;
    m->len += sizeof(uint32_t);
    m->in_message = true;
}

static void add_bytes(struct messages *m, struct span data)
{
    if (data.len > sizeof(m->bytes) - m->len - 64) {
        abort();
    }
    memcpy(m->bytes + m->len, data.data, data.len);
    m->len += data.len;
}

static void add_end(struct messages *m, const struct framing *f)
{
    uint32_t len = (uint32_t)(m->len - m->start - sizeof(uint32_t));
    if (f->kind != FRAMING_STREAM && len > framing_max_bytes(f)) {
        abort();
    }
    memcpy(m->bytes + m->start, &len, sizeof(len));
    m->in_message = false;
}

static bool is_same(const struct messages *a, const struct messages *b)
{
    size_t a_len = a->in_message ? a->start : a->len;
    size_t b_len = b->in_message ? b->start : b->len;
    return a->error == b->error && a_len == b_len && memcmp(a->bytes, b->bytes, a_len) == 0;
}

/* --- the reference --------------------------------------------------------------------------*/

static void reference_lines(const struct framing *f, struct span in, struct messages *out)
{
    size_t start = 0;
    while (start < in.len) {
        size_t end = start;
        while (end < in.len && in.data[end] != '\n') {
            end++;
        }
        struct span line = {in.data + start, end - start};
        if (end < in.len && f->line_end == FRAMING_CRLF && line.len > 0 &&
            line.data[line.len - 1] == '\r') {
            line.len--;
        }
        if (line.len > f->max_bytes) {
            out->error = FRAMING_TOO_LONG;
            return;
        }
        add_start(out);
        add_bytes(out, line);
        add_end(out, f);
        start = end + 1;
    }
}

static void reference_records(const struct framing *f, struct span in, struct messages *out)
{
    size_t header = f->kind == FRAMING_LENGTH16 ? 2 : 4;
    size_t at = 0;
    while (at < in.len) {
        uint64_t len = 0;
        for (size_t i = 0; i < header && at + header <= in.len; i++) {
            size_t place = f->length_order == FRAMING_BIG ? header - 1 - i : i;
            len += (uint64_t)(uint8_t)in.data[at + i] << (8 * place);
        }
        if (at + header <= in.len && len > f->max_bytes) {
            out->error = FRAMING_TOO_LONG;
            return;
        }
        if (at + header + len > in.len) {
            out->error = FRAMING_CUT_OFF;
            return;
        }
        add_start(out);
        add_bytes(out, (struct span){in.data + at + header, (size_t)len});
        add_end(out, f);
        at += header + (size_t)len;
    }
}

static void reference(const struct framing *f, struct span in, struct messages *out)
{
    if (f->kind == FRAMING_LINE) {
        reference_lines(f, in, out);
    } else {
        reference_records(f, in, out);
    }
}

/* --- the splitter ---------------------------------------------------------------------------*/

static void add_piece(struct messages *m, const struct framing *f, const struct framing_piece *p)
{
    if (p->is_start == m->in_message || (p->data.len == 0 && !p->is_end)) {
        abort();
    }
    if (p->is_start) {
        add_start(m);
    }
    add_bytes(m, p->data);
    if (p->is_end) {
        add_end(m, f);
    }
}

/* Splits one read. False: the splitter failed. */
static bool feed(struct framing_splitter *s, const struct framing *f, struct span input,
                 struct messages *out)
{
    size_t calls_left = 2 * input.len + 2;
    for (;;) {
        struct framing_piece piece;
        size_t before = input.len;
        enum framing_split got = framing_split(s, f, &input, &piece, &out->error);
        if (calls_left-- == 0 || input.len > before ||
            (f->kind != FRAMING_STREAM && s->taken_bytes > framing_max_bytes(f))) {
            abort();
        }
        if (got == FRAMING_NEED_MORE) {
            if (input.len > 0) {
                abort();
            }
            return true;
        }
        if (got == FRAMING_ERROR) {
            return false;
        }
        add_piece(out, f, &piece);
    }
}

/* Splits chunks of `step` and `other` bytes in turn, each in memory of just its size. */
static void split(const struct framing *f, struct span in, size_t step, size_t other,
                  struct messages *out)
{
    static char block[LEN_MAX * 3];
    struct framing_splitter s;
    struct framing_piece piece;
    framing_splitter_init(&s);
    reset(out);
    for (size_t at = 0; at < in.len;) {
        size_t len = step < in.len - at ? step : in.len - at;
        char *chunk = block + sizeof(block) - len;
        memcpy(chunk, in.data + at, len);
        if (!feed(&s, f, (struct span){chunk, len}, out)) {
            return;
        }
        at += len;
        size_t used = step;
        step = other;
        other = used;
    }
    if (framing_split_end(&s, f, &piece, &out->error) == FRAMING_PIECE) {
        add_piece(out, f, &piece);
    }
    if (out->error == FRAMING_OK && out->in_message) {
        abort();
    }
}

static void check_splits(const struct framing *f, struct span in, size_t first, size_t second)
{
    static struct messages want;
    static struct messages got;
    reset(&want);
    if (f->kind == FRAMING_STREAM) {
        split(f, in, in.len + 1, 1, &got);
        if (in.len > 0 && (got.len != in.len + sizeof(uint32_t) || got.error != FRAMING_OK)) {
            abort();
        }
        return;
    }
    reference(f, in, &want);
    const size_t steps[][2] = {{in.len + 1, 1}, {1, 1}, {first, second}, {first + 16, second}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        split(f, in, steps[i][0], steps[i][1], &got);
        if (!is_same(&want, &got)) {
            abort();
        }
    }
}

/* Wraps the message twice. The splitter must make two messages of it, or twice its lines. */
static void check_wrap(const struct framing *f, struct span message, size_t step)
{
    static char wire[2 * LEN_MAX + 64];
    static struct messages want;
    static struct messages got;
    struct framing_wrap wrap;
    size_t len = 0;
    reset(&want);
    enum framing_error error = framing_wrap(f, message, &wrap);
    bool has_terminator =
        f->kind == FRAMING_LINE &&
        (memchr(message.data, '\n', message.len) != NULL ||
         (f->line_end == FRAMING_CRLF && memchr(message.data, '\r', message.len) != NULL));
    if ((error == FRAMING_TOO_LONG) != (message.len > framing_max_bytes(f)) ||
        (error == FRAMING_TERMINATOR) !=
            (error != FRAMING_TOO_LONG && has_terminator && !f->is_line_multi)) {
        abort();
    }
    if (error != FRAMING_OK) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        memcpy(wire + len, wrap.prefix, wrap.prefix_len);
        len += wrap.prefix_len;
        memcpy(wire + len, message.data, message.len);
        len += message.len;
        memcpy(wire + len, wrap.suffix.data, wrap.suffix.len);
        len += wrap.suffix.len;
        if (f->kind == FRAMING_LINE && has_terminator) {
            continue;
        }
        add_start(&want);
        add_bytes(&want, message);
        add_end(&want, f);
    }
    if (f->kind == FRAMING_LINE && has_terminator) {
        bool is_crlf = f->line_end == FRAMING_CRLF;
        size_t lacks = is_crlf ? 2 : 1;
        if (span_ends_with(message, SPAN_LIT("\n"))) {
            lacks = 0;
        } else if (is_crlf && span_ends_with(message, SPAN_LIT("\r"))) {
            lacks = 1;
        }
        if (wrap.suffix.len != lacks) {
            abort();
        }
        reference(f, (struct span){wire, len}, &want);
    }
    split(f, (struct span){wire, len}, step, step + 1, &got);
    if (!is_same(&want, &got) || got.error != FRAMING_OK) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    size = size < LEN_MAX ? size : LEN_MAX;
    struct framing f = {
        .kind = (enum framing_kind)(data[0] & 3),
        .line_end = (data[0] & 4) != 0 ? FRAMING_CRLF : FRAMING_LF,
        .is_line_multi = (data[0] & 8) != 0,
        .length_order = (data[0] & 16) != 0 ? FRAMING_LITTLE : FRAMING_BIG,
        .max_bytes = data[1] == 255 ? UINT64_MAX : data[1],
    };
    size_t first = 1U + data[2] % 16U;
    size_t second = 1U + data[2] / 16U;
    struct span in = {(const char *)data + 3, size - 3};
    check_splits(&f, in, first, second);
    if (f.kind != FRAMING_STREAM) {
        check_wrap(&f, in, first);
    }
    return 0;
}
