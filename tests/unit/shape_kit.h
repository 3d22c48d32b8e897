/* SPDX-License-Identifier: GPL-3.0-or-later */
// Sessions of proto/shape, for tests/unit/test_shape*.c. The input lies in memory of just its size,
// and the output has just the room that the header asks for.
#ifndef TESTS_UNIT_SHAPE_KIT_H
#define TESTS_UNIT_SHAPE_KIT_H

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "proto/shape.h"
#include "shape_client.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIT_UNUSED __attribute__((unused))
// These bytes stand in front of the free part of every output.
#define KIT_FRONT "before"
#define KIT_FRONT_LEN (sizeof(KIT_FRONT) - 1)

struct kit {
    const char *row;
    struct shape *shape; // NULL: there was no memory
    struct client client;
    struct client_bytes backend; // what the backend got
    uint8_t *work;
    uint8_t *room;
    uint64_t payload_bytes; // as shape_up counts them
    size_t calls;
    bool is_parking; // shape_park before every call
    bool is_bare;    // of the pieces that kit_up sends
};

KIT_UNUSED static void kit_open(struct kit *k, const char *row, const struct shape_rules *rules)
{
    struct client_rules client = {
        .is_deflate = rules->is_deflate,
        .server_bits = rules->deflate_params.server_bits,
        .client_bits = rules->deflate_params.client_bits,
        .is_server_no_takeover = rules->deflate_params.is_server_no_takeover,
        .is_client_no_takeover = rules->deflate_params.is_client_no_takeover,
        .max_frame_bytes = rules->max_frame_bytes,
    };
    // All sessions of a program share these.
    static uint8_t *work;
    static uint8_t *room;
    work = work != NULL ? work : malloc(SHAPE_WORK);
    room = room != NULL ? room : malloc(KIT_FRONT_LEN + SHAPE_ROOM);
    if (work == NULL || room == NULL) {
        GIVE_UP();
    }
    *k = (struct kit){.row = row, .shape = shape_new(rules), .work = work, .room = room};
    memcpy(k->room, KIT_FRONT, KIT_FRONT_LEN);
    client_open(&k->client, &client);
}

KIT_UNUSED static void kit_close(struct kit *k)
{
    shape_free(k->shape);
    client_close(&k->client);
    client_drop(&k->backend);
}

// Counts a failure only, because there are very many of these checks.
KIT_UNUSED static bool kit_expect(const struct kit *k, bool is_good, const char *what)
{
    return is_good || check_that((struct check_at){k->row, what, __FILE__, __LINE__}, false);
}

KIT_UNUSED static struct shape_out kit_out(struct kit *k)
{
    if (k->is_parking) {
        shape_park(k->shape);
        kit_expect(k, k->calls > 0 || !shape_can_park(k->shape),
                   "memory to park before the first call");
    }
    k->calls++;
    return (struct shape_out){k->room, KIT_FRONT_LEN, KIT_FRONT_LEN + SHAPE_ROOM};
}

// Gives the output of a call to the client or to the backend.
KIT_UNUSED static void kit_deliver(struct kit *k, const struct shape_out *out, bool is_frames)
{
    bool is_kept = out->data == k->room && out->len >= KIT_FRONT_LEN && out->len <= out->cap &&
                   memcmp(k->room, KIT_FRONT, KIT_FRONT_LEN) == 0;
    if (!kit_expect(k, is_kept, "what was in the output before")) {
        GIVE_UP();
    }
    if (is_frames) {
        bool is_read = client_read(&k->client, k->room + KIT_FRONT_LEN, out->len - KIT_FRONT_LEN);
        kit_expect(k, is_read, is_read ? "" : k->client.wrong);
    } else {
        client_put(&k->backend, k->room + KIT_FRONT_LEN, out->len - KIT_FRONT_LEN);
    }
}

KIT_UNUSED static void kit_result(const struct kit *k, enum shape_result result)
{
    bool is_failed = result != SHAPE_OK && result != SHAPE_AGAIN;
    kit_expect(k, !is_failed || (k->shape->detail != NULL && k->shape->detail[0] != '\0'),
               "a failure has a detail");
}

struct kit_piece {
    struct span data;
    bool is_text;
    bool is_end;
    bool is_compressed;
};

// Sends a piece of a message up, in as many calls as the shape needs.
KIT_UNUSED static enum shape_result kit_up(struct kit *k, struct kit_piece from)
{
    enum shape_result result;
    uint8_t *block = from.data.len > 0 ? malloc(from.data.len) : NULL;
    struct shape_piece piece = {
        .data = {(const char *)block, from.data.len},
        .opcode = from.is_text ? WS_TEXT : WS_BINARY,
        .is_end = from.is_end,
        .is_compressed = from.is_compressed,
        .is_bare = k->is_bare,
    };
    if (block != NULL) {
        memcpy(block, from.data.data, from.data.len);
    }
    do {
        struct shape_out out = kit_out(k);
        struct span before = piece.data;
        size_t payload_bytes = SIZE_MAX;
        result = shape_up(k->shape, &piece, k->work, &out, &payload_bytes);
        bool is_taken = piece.data.len <= before.len &&
                        piece.data.data + piece.data.len == before.data + before.len;
        kit_expect(k, is_taken, "from the front of the piece");
        if (result == SHAPE_OK || result == SHAPE_AGAIN) {
            kit_expect(k, payload_bytes <= SHAPE_WORK, "payload of a call");
            k->payload_bytes += payload_bytes;
        }
        bool is_moving = result != SHAPE_AGAIN || out.len > KIT_FRONT_LEN || payload_bytes > 0 ||
                         piece.data.len < before.len;
        if (!kit_expect(k, is_moving, "a call that does nothing")) {
            GIVE_UP();
        }
        kit_deliver(k, &out, k->shape->rules.is_echo && !k->is_bare);
    } while (result == SHAPE_AGAIN);
    kit_expect(k, result != SHAPE_OK || piece.data.len == 0, "all of the piece is taken");
    kit_result(k, result);
    free(block);
    return result;
}

// Sends a message up in a piece of `first` bytes and pieces of `step`; 0 = what is left.
KIT_UNUSED static enum shape_result kit_up_cut(struct kit *k, struct kit_piece message,
                                               size_t first, size_t step)
{
    size_t len = first;
    for (;;) {
        struct kit_piece piece = message;
        if (len < message.data.len) {
            piece.data.len = len;
            piece.is_end = false;
        }
        enum shape_result result = kit_up(k, piece);
        if (result != SHAPE_OK || piece.is_end) {
            return result;
        }
        message.data.data += piece.data.len;
        message.data.len -= piece.data.len;
        len = step == 0 ? message.data.len : step;
    }
}

// Sends one read of the backend down.
KIT_UNUSED static enum shape_result kit_down(struct kit *k, struct span data)
{
    enum shape_result result;
    uint8_t *block = malloc(SHAPE_HEADROOM + data.len);
    uint8_t *at = block + SHAPE_HEADROOM;
    size_t len = data.len;
    if (data.len > 0) {
        memcpy(at, data.data, data.len);
    }
    do {
        struct shape_out out = kit_out(k);
        size_t before = len;
        result = shape_down(k->shape, &at, &len, &out);
        // A CR that waits takes no input.
        bool is_moving = result != SHAPE_AGAIN || len < before || out.len > KIT_FRONT_LEN;
        if (!kit_expect(k, is_moving, "a call that does nothing")) {
            GIVE_UP();
        }
        kit_deliver(k, &out, true);
    } while (result == SHAPE_AGAIN);
    kit_expect(k, result != SHAPE_OK || len == 0, "all is taken");
    kit_result(k, result);
    free(block);
    return result;
}

KIT_UNUSED static enum shape_result kit_down_end(struct kit *k)
{
    struct shape_out out = kit_out(k);
    enum shape_result result = shape_down_end(k->shape, &out);
    kit_expect(k, result != SHAPE_AGAIN, "the end is one call");
    kit_deliver(k, &out, true);
    kit_result(k, result);
    return result;
}

// Sends the backend's bytes down, in a read of `first` bytes and reads of `step` (0 = all), and the
// end.
KIT_UNUSED static enum shape_result kit_down_cut(struct kit *k, struct span data, size_t first,
                                                 size_t step)
{
    size_t len = first;
    while (data.len > 0) {
        struct span part = {data.data, len < data.len ? len : data.len};
        enum shape_result result = kit_down(k, part);
        if (result != SHAPE_OK) {
            return result;
        }
        data.data += part.len;
        data.len -= part.len;
        len = step == 0 ? data.len : step;
    }
    return kit_down_end(k);
}

// --- rules --------------------------------------------------------------------------------------

KIT_UNUSED static struct shape_rules kit_deflated(struct shape_rules rules, unsigned int bits,
                                                  bool is_takeover)
{
    rules.is_deflate = true;
    rules.deflate_settings =
        (struct deflate_settings){.window_bits = 15, .is_takeover = is_takeover};
    rules.deflate_params = (struct deflate_params){
        .server_bits = (uint8_t)bits,
        .client_bits = (uint8_t)bits,
        .is_server_no_takeover = !is_takeover,
        .is_client_no_takeover = !is_takeover,
    };
    return rules;
}

#define KIT_MANY (UINT64_C(16) * 1024 * 1024)
static const struct framing kit_framings[] = {
    {.kind = FRAMING_STREAM, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LINE, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LINE, .line_end = FRAMING_CRLF, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LINE, .is_line_multi = true, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LINE, .line_end = FRAMING_CRLF, .is_line_multi = true, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LENGTH16, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LENGTH16, .length_order = FRAMING_LITTLE, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LENGTH32, .max_bytes = KIT_MANY},
    {.kind = FRAMING_LENGTH32, .length_order = FRAMING_LITTLE, .max_bytes = KIT_MANY},
};
static const char *const kit_framing_names[] = {
    "stream", "lf", "crlf", "lf multi", "crlf multi", "16", "16 little", "32", "32 little",
};

// Writes a message as the backend must get it, without the code of framing.c.
KIT_UNUSED static void kit_wrap(const struct framing *f, struct span message,
                                struct client_bytes *out)
{
    size_t field = f->kind == FRAMING_LENGTH16 ? 2 : f->kind == FRAMING_LENGTH32 ? 4 : 0;
    for (size_t i = 0; i < field; i++) {
        size_t place = f->length_order == FRAMING_LITTLE ? i : field - 1 - i;
        uint8_t byte = (uint8_t)(message.len >> (8 * place));
        client_put(out, &byte, 1);
    }
    client_put(out, message.data, message.len);
    if (f->kind == FRAMING_LINE) {
        struct span end = f->line_end == FRAMING_CRLF ? SPAN_LIT("\r\n") : SPAN_LIT("\n");
        if (!f->is_line_multi || !span_ends_with(message, end)) {
            client_put(out, end.data, end.len);
        }
    }
}

// --- contents -----------------------------------------------------------------------------------

enum kit_kind { KIT_ZEROS = 0, KIT_WORDS, KIT_NOISE, KIT_HIGH_NOISE, KIT_ASTRAL };

// Writes `len` bytes. Words and high noise have no CR or LF. Astral: random characters of four
// bytes.
KIT_UNUSED static void kit_fill(uint8_t *data, size_t len, enum kit_kind kind, uint32_t seed)
{
    static const char words[] = "the same words again and again, 0123456789 ";
    uint32_t random = seed * 2654435761U + 1;
    uint32_t point = 0;
    for (size_t i = 0; i < len; i++) {
        random = random * 1664525U + 1013904223U;
        uint8_t byte = (uint8_t)(random >> 24);
        if (kind == KIT_ASTRAL && i % 4 == 0) {
            point = 0x10000 + (random >> 8) % 0x100000;
        }
        switch (kind) {
        case KIT_ZEROS:
            data[i] = 0;
            break;
        case KIT_WORDS:
            data[i] = (uint8_t)(byte < 8 ? 'A' + byte : words[i % (sizeof(words) - 1)]);
            break;
        case KIT_NOISE:
            data[i] = byte;
            break;
        case KIT_HIGH_NOISE:
            data[i] = (uint8_t)(144 + byte % 112);
            break;
        case KIT_ASTRAL:
            data[i] = (uint8_t)(i % 4 == 0 ? 0xf0 | point >> 18
                                           : 0x80 | (point >> (6 * (3 - i % 4)) & 0x3f));
            data[i] = i < len / 4 * 4 ? data[i] : 'x';
            break;
        }
    }
}

KIT_UNUSED static void kit_check_freed(void)
{
    CHECK_EQ_U64("nothing is left", mem_live_blocks(), 0);
}

#endif
