/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sends messages through proto/shape in pieces, and compares the output with that of a reference
 * that has them whole.
 *
 * Input: 1 byte what and framing, 1 byte payload, compression and bad UTF-8, 1 byte longest frame,
 * 1 byte framing_max, then pieces: 1 byte length, 1 byte how, the bytes.
 *   up     messages of a page; the reference says what the backend gets, or that they must fail
 *   raw    up, and the bytes are the wire's bytes of a compressed message
 *   echo   messages of a page; after every piece the client must have it back
 *   down   reads of the backend and its end; the reference says what the page gets */
#include "../unit/shape_client.h"
#include "base/mem.h"
#include "proto/shape.h"
#include "shape_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum what { UP = 0, RAW, ECHO, DOWN };
enum how { HOW_END = 1, HOW_TEXT = 2, HOW_COMPRESSED = 4, HOW_PARK = 8, HOW_LONG = 0xf0 };
#define LONG_TIMES 300 /* a long piece repeats its bytes this often */
#define MANY_TIMES 10  /* the same, where each repeat may be a message */
#define LONG_COUNT 2   /* the most long pieces of an input */

struct reader {
    const uint8_t *data;
    size_t len;
    size_t long_count;
};

struct run {
    struct shape_rules rules;
    struct shape *shape;
    struct client client;
    struct client_bytes piece;   /* before compression */
    struct client_bytes wire;    /* what the client sends for it */
    struct client_bytes content; /* all pieces of a message or, going down, all reads */
    struct client_bytes backend; /* what the backend got */
    struct client_bytes want;
    struct client_bytes plain; /* a message, decoded from base64, or with bad UTF-8 replaced */
    uint8_t how;               /* of the piece */
    uint8_t work[SHAPE_WORK];
    uint8_t room[SHAPE_ROOM];
};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint8_t take_byte(struct reader *r)
{
    if (r->len == 0) {
        return 0;
    }
    r->len--;
    return *r->data++;
}

static void take_piece(struct reader *r, struct run *run)
{
    size_t len = take_byte(r);
    run->how = take_byte(r);
    len = len < r->len ? len : r->len;
    size_t times = 1;
    if ((run->how & HOW_LONG) == HOW_LONG && r->long_count < LONG_COUNT) {
        r->long_count++;
        times = run->rules.framing.kind == FRAMING_STREAM ? LONG_TIMES : MANY_TIMES;
        run->client.rules.step = 4096;
    }
    run->piece.len = 0;
    for (size_t i = 0; i < times; i++) {
        client_put(&run->piece, r->data, len);
    }
    r->data += len;
    r->len -= len;
}

static void deliver(struct run *run, size_t len, bool is_frames)
{
    expect(len <= sizeof(run->room));
    if (is_frames) {
        expect(client_read(&run->client, run->room, len));
    } else {
        client_put(&run->backend, run->room, len);
    }
    if ((run->how & HOW_PARK) != 0) {
        shape_park(run->shape);
    }
}

/* Sends the wire bytes up, in memory of just their size. */
static enum shape_result send_up(struct run *run, bool is_text, bool is_end, bool is_compressed)
{
    size_t len = run->wire.len;
    char *block = len > 0 ? malloc(len) : NULL;
    struct shape_piece piece = {
        {block, len}, is_text ? WS_TEXT : WS_BINARY, is_end, is_compressed, false};
    enum shape_result result;
    if (len > 0) {
        memcpy(block, run->wire.data, len);
    }
    do {
        struct shape_out out = {run->room, 0, sizeof(run->room)};
        size_t payload_bytes = 0;
        size_t before = piece.data.len;
        result = shape_up(run->shape, &piece, run->work, &out, &payload_bytes);
        expect(result != SHAPE_AGAIN || out.len > 0 || payload_bytes > 0 ||
               piece.data.len < before);
        expect(payload_bytes <= SHAPE_WORK);
        deliver(run, out.len, run->rules.is_echo);
    } while (result == SHAPE_AGAIN);
    expect(result != SHAPE_OK || piece.data.len == 0);
    free(block);
    return result;
}

static enum shape_result send_down(struct run *run)
{
    size_t len = run->piece.len;
    uint8_t *block = malloc(SHAPE_HEADROOM + len);
    uint8_t *at = block + SHAPE_HEADROOM;
    enum shape_result result;
    if (len > 0) {
        memcpy(at, run->piece.data, len);
    }
    do {
        struct shape_out out = {run->room, 0, sizeof(run->room)};
        size_t before = len;
        result = shape_down(run->shape, &at, &len, &out);
        expect(result != SHAPE_AGAIN || out.len > 0 || len < before);
        deliver(run, out.len, true);
    } while (result == SHAPE_AGAIN);
    expect(result != SHAPE_OK || len == 0);
    free(block);
    return result;
}

/* --- up -------------------------------------------------------------------------------------*/

static void put_length(const struct framing *f, size_t len, struct client_bytes *out)
{
    size_t field = f->kind == FRAMING_LENGTH16 ? 2 : 4;
    for (size_t i = 0; i < field; i++) {
        size_t place = f->length_order == FRAMING_LITTLE ? i : field - 1 - i;
        uint8_t byte = (uint8_t)(len >> (8 * place));
        client_put(out, &byte, 1);
    }
}

/* Appends a whole message as the backend must get it. False: the shape must refuse the message. */
static bool wrap(struct run *run, bool is_checked, struct client_bytes *out)
{
    const struct framing *f = &run->rules.framing;
    struct client_bytes *bytes = &run->plain;
    struct base64_decoder d;
    bool is_good = !is_checked || utf8_is_valid(client_span(&run->content));
    bytes->len = 0;
    client_put(bytes, run->content.data, run->content.len);
    if (run->rules.payload == SHAPE_BASE64) {
        base64_decoder_init(&d);
        size_t decoded_len = 0;
        is_good = base64_decode(&d, bytes->data, bytes->len, bytes->data, &decoded_len) &&
                  base64_is_complete(&d) && is_good;
        bytes->len = decoded_len;
    }
    struct span message = client_span(bytes);
    bool is_line = f->kind == FRAMING_LINE;
    bool is_crlf = f->line_end == FRAMING_CRLF;
    if (is_line && !f->is_line_multi) {
        is_good = is_good && span_find(message, '\n') == message.len &&
                  (!is_crlf || span_find(message, '\r') == message.len);
    }
    is_good = is_good && (f->kind == FRAMING_STREAM || message.len <= framing_max_bytes(f));
    if (is_good && (f->kind == FRAMING_LENGTH16 || f->kind == FRAMING_LENGTH32)) {
        put_length(f, message.len, out);
    }
    client_put(out, message.data, is_good ? message.len : 0);
    struct span end = is_crlf ? SPAN_LIT("\r\n") : SPAN_LIT("\n");
    /* A terminator at the end of several lines is not doubled, in whatever form it stands there. */
    bool has_lf = f->is_line_multi && span_ends_with(message, SPAN_LIT("\n"));
    bool has_cr = f->is_line_multi && is_crlf && span_ends_with(message, SPAN_LIT("\r"));
    if (is_good && is_line && !has_lf) {
        client_put(out, end.data + has_cr, end.len - has_cr);
    }
    return is_good;
}

static void fuzz_up(struct run *run, struct reader *r)
{
    bool is_text = false;
    bool is_compressed = false;
    bool is_end = true;
    while (r->len > 0) {
        take_piece(r, run);
        if (is_end) {
            is_text = (run->how & HOW_TEXT) != 0;
            is_compressed = (run->how & HOW_COMPRESSED) != 0 && run->rules.is_deflate;
            run->content.len = 0;
        }
        is_end = (run->how & HOW_END) != 0;
        client_put(&run->content, run->piece.data, run->piece.len);
        run->wire.len = 0;
        if (is_compressed) {
            client_deflate(&run->client, client_span(&run->piece), is_end, &run->wire);
        } else {
            client_put(&run->wire, run->piece.data, run->piece.len);
        }
        enum shape_result result = send_up(run, is_text, is_end, is_compressed);
        bool is_good = true;
        if (result != SHAPE_OK || is_end) {
            is_good = wrap(run, is_text && is_compressed, &run->want);
            expect(is_good == (result == SHAPE_OK));
        }
        if (!is_good) {
            return;
        }
        if (is_end) {
            expect(run->backend.len == run->want.len &&
                   (run->want.len == 0 ||
                    memcmp(run->backend.data, run->want.data, run->want.len) == 0));
        }
    }
}

/* Sends the same bytes in one piece too. With the largest window that makes no difference. */
static void fuzz_raw(struct run *run, struct reader *r)
{
    static struct run whole;
    enum shape_result result = SHAPE_OK;
    whole.rules = run->rules;
    whole.shape = shape_new(&run->rules);
    expect(whole.shape != NULL);
    while (r->len > 0 && result == SHAPE_OK) {
        take_piece(r, run);
        bool is_text = (run->how & HOW_TEXT) != 0 && whole.wire.len == 0;
        bool is_end = (run->how & HOW_END) != 0;
        run->wire.len = 0;
        client_put(&run->wire, run->piece.data, run->piece.len);
        client_put(&whole.wire, run->piece.data, run->piece.len);
        result = send_up(run, is_text, is_end, true);
        if (is_end && !is_text && result == SHAPE_OK &&
            run->rules.deflate_params.client_bits == 15) {
            expect(send_up(&whole, false, true, true) == result);
            expect(whole.backend.len == run->backend.len &&
                   (run->backend.len == 0 ||
                    memcmp(whole.backend.data, run->backend.data, run->backend.len) == 0));
            whole.wire.len = 0;
        } else if (is_end) {
            break;
        }
    }
    shape_free(whole.shape);
    client_drop(&whole.wire);
    client_drop(&whole.backend);
}

/* --- echo -----------------------------------------------------------------------------------*/

static void check_echo(const struct run *run, bool is_text, bool is_end, bool is_compressed)
{
    size_t count = client_count(&run->client);
    if (run->content.len == 0 && !is_end) {
        return;
    }
    expect(count > 0);
    const struct client_message *m = client_message(&run->client, count - 1);
    struct span text = client_text(&run->client, count - 1);
    expect(m->opcode == (is_text ? 1 : 2) && m->is_deflated == is_compressed);
    expect(m->is_whole == is_end && text.len == run->content.len);
    expect(text.len == 0 || memcmp(text.data, run->content.data, text.len) == 0);
}

static void fuzz_echo(struct run *run, struct reader *r)
{
    bool is_text = false;
    bool is_compressed = false;
    bool is_end = true;
    while (r->len > 0) {
        take_piece(r, run);
        if (is_end) {
            is_text = (run->how & HOW_TEXT) != 0;
            is_compressed = (run->how & HOW_COMPRESSED) != 0 && run->rules.is_deflate;
            run->content.len = 0;
        }
        is_end = (run->how & HOW_END) != 0;
        run->wire.len = 0;
        /* ws has checked text that is not compressed. */
        for (size_t i = 0; i < run->piece.len && is_text && !is_compressed; i++) {
            run->piece.data[i] &= 0x7f;
        }
        client_put(&run->content, run->piece.data, run->piece.len);
        if (is_compressed) {
            client_deflate(&run->client, client_span(&run->piece), is_end, &run->wire);
        } else {
            client_put(&run->wire, run->piece.data, run->piece.len);
        }
        enum shape_result result = send_up(run, is_text, is_end, is_compressed);
        if (result != SHAPE_OK) {
            expect(result == SHAPE_BAD_TEXT && is_compressed && is_text);
            expect(!utf8_is_valid(client_span(&run->content)));
            return;
        }
        check_echo(run, is_text, is_end, is_compressed);
    }
}

/* --- down -----------------------------------------------------------------------------------*/

/* Checks all messages after the end of the backend. */
static void check_messages(struct run *run, bool is_good)
{
    struct span rest = client_span(&run->content);
    struct span message;
    size_t count = 0;
    bool is_text = run->rules.payload == SHAPE_TEXT;
    bool is_next = true;
    while (rest.len > 0 && is_next) {
        is_next = next_message(&run->rules.framing, &rest, &message) &&
                  (!is_text || run->rules.is_text_repaired || utf8_is_valid(message));
        if (is_next && run->rules.is_text_repaired) {
            run->plain.len = 0;
            put_replaced(&run->plain, message, true);
            message = client_span(&run->plain);
        }
        if (is_next) {
            expect(count < client_count(&run->client));
            struct span got = client_text(&run->client, count);
            const struct client_message *m = client_message(&run->client, count++);
            expect(m->is_whole && m->opcode == (is_text ? 1 : 2) && got.len == message.len);
            expect(got.len == 0 || memcmp(got.data, message.data, got.len) == 0);
        }
    }
    expect(is_good == is_next);
    size_t more = client_count(&run->client) - count;
    expect(more == 0 || (more == 1 && !is_good && !client_message(&run->client, count)->is_whole));
}

/* Checks, after the reads and after the end, that the client has all of a stream. */
static void check_stream(struct run *run, bool is_good, bool is_end)
{
    struct client_bytes *content = &run->content;
    bool is_possible = true;
    if (run->rules.is_text_repaired) {
        content = &run->plain;
        content->len = 0;
        put_replaced(content, client_span(&run->content), is_end);
    }
    size_t whole = content->len;
    if (run->rules.payload == SHAPE_TEXT && !run->rules.is_text_repaired) {
        struct utf8 u;
        utf8_init(&u);
        whole = 0;
        for (size_t i = 0; i < run->content.len && is_possible; i++) {
            is_possible = utf8_feed(&u, run->content.data + i, 1);
            whole = is_possible && utf8_is_complete(&u) ? i + 1 : whole;
        }
        is_possible = is_possible && (!is_end || whole == run->content.len);
    }
    expect(is_good == is_possible);
    run->want.len = 0;
    for (size_t i = 0; i < client_count(&run->client); i++) {
        struct span got = client_text(&run->client, i);
        expect(client_message(&run->client, i)->is_whole && got.len > 0);
        expect(client_message(&run->client, i)->opcode ==
               (run->rules.payload == SHAPE_BINARY ? 2 : 1));
        client_put(&run->want, got.data, got.len);
        if (run->rules.payload == SHAPE_BASE64) {
            struct base64_decoder d;
            size_t len = 0;
            uint8_t *at = run->want.data + run->want.len - got.len;
            base64_decoder_init(&d);
            expect(base64_decode(&d, at, got.len, at, &len) && base64_is_complete(&d));
            run->want.len -= got.len - len;
        }
    }
    expect(run->want.len == whole);
    expect(whole == 0 || memcmp(run->want.data, content->data, whole) == 0);
}

static void fuzz_down(struct run *run, struct reader *r)
{
    bool is_stream = run->rules.framing.kind == FRAMING_STREAM;
    enum shape_result result = SHAPE_OK;
    while (r->len > 0 && result == SHAPE_OK) {
        take_piece(r, run);
        client_put(&run->content, run->piece.data, run->piece.len);
        result = send_down(run);
        expect(result == SHAPE_OK || result == SHAPE_BACKEND_DATA);
    }
    if (is_stream) {
        check_stream(run, result == SHAPE_OK, false);
    }
    bool is_end = result == SHAPE_OK;
    if (is_end) {
        struct shape_out out = {run->room, 0, sizeof(run->room)};
        result = shape_down_end(run->shape, &out);
        expect(result == SHAPE_OK || result == SHAPE_BACKEND_DATA);
        deliver(run, out.len, true);
    }
    if (is_stream) {
        check_stream(run, result == SHAPE_OK, is_end);
    } else {
        check_messages(run, result == SHAPE_OK);
    }
}

static void read_rules(struct run *run, enum what what, const uint8_t head[4])
{
    bool is_takeover = (head[1] & 8) == 0;
    uint8_t bits = (uint8_t)(15 - head[1] / 16 % 8);
    run->rules = (struct shape_rules){
        .is_echo = what == ECHO,
        .is_deflate = what == RAW || (head[1] & 4) != 0,
        .payload = (enum shape_payload)(head[1] % 4 % 3),
        .framing = {.kind = (enum framing_kind)(head[0] / 4 % 4),
                    .line_end = (head[0] & 16) != 0 ? FRAMING_CRLF : FRAMING_LF,
                    .is_line_multi = (head[0] & 32) != 0,
                    .length_order = (head[0] & 64) != 0 ? FRAMING_LITTLE : FRAMING_BIG,
                    .max_bytes = head[3] == 255 ? 1U << 20 : 1U + head[3]},
        .max_frame_bytes = head[2] == 0     ? 0
                           : head[2] == 255 ? 65540
                                            : 127U + head[2],
        .deflate_settings = {.window_bits = 15, .is_takeover = is_takeover},
        .deflate_params = {.server_bits = bits,
                           .client_bits = bits,
                           .is_server_no_takeover = !is_takeover,
                           .is_client_no_takeover = !is_takeover},
    };
    run->rules.deflate_settings.max_message_bytes = what == RAW ? 1U << 19 : 0;
    if (what == DOWN && run->rules.framing.kind != FRAMING_STREAM &&
        run->rules.payload == SHAPE_BASE64) {
        run->rules.payload = SHAPE_BINARY; /* only streams have base64 */
    }
    run->rules.is_text_repaired = run->rules.payload == SHAPE_TEXT && (head[1] & 128) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    if (size < 4) {
        return 0;
    }
    enum what what = (enum what)(data[0] % 4);
    read_rules(&run, what, data);
    struct client_rules client = {
        .is_deflate = run.rules.is_deflate,
        .server_bits = run.rules.deflate_params.server_bits,
        .client_bits = run.rules.deflate_params.client_bits,
        .is_server_no_takeover = run.rules.deflate_params.is_server_no_takeover,
        .is_client_no_takeover = run.rules.deflate_params.is_client_no_takeover,
        .max_frame_bytes = run.rules.max_frame_bytes,
        .step = 16,
    };
    struct reader r = {data + 4, size - 4, 0};
    client_open(&run.client, &client);
    run.shape = shape_new(&run.rules);
    expect(run.shape != NULL);
    switch (what) {
    case UP:
        fuzz_up(&run, &r);
        break;
    case RAW:
        fuzz_raw(&run, &r);
        break;
    case ECHO:
        fuzz_echo(&run, &r);
        break;
    case DOWN:
        fuzz_down(&run, &r);
        break;
    }
    shape_free(run.shape);
    client_close(&run.client);
    client_drop(&run.piece);
    client_drop(&run.wire);
    client_drop(&run.content);
    client_drop(&run.backend);
    client_drop(&run.want);
    client_drop(&run.plain);
    expect(mem_live_blocks() == 0);
    return 0;
}
