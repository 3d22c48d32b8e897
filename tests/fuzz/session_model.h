/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_model.h: what has to arrive. The model hears at once, and in whole pieces, what the two
 * peers say. So it knows every byte that backend and client may see, and where messages end. What
 * arrives must be a beginning of that. When the client says something that it must not say
 * (is_spoiled), what it said before still counts, and the model knows nothing of what follows. */
#ifndef FUZZ_SESSION_MODEL_H
#define FUZZ_SESSION_MODEL_H

#include "session_routes.h"

#define STREAM_MAX ((size_t)2 * 1024 * 1024)
#define BORDERS_MAX ((size_t)2 * 1024 * 1024)

UNWATCHED_BEGIN

struct stream {
    uint8_t *data; /* STREAM_MAX bytes */
    size_t len;
    size_t got; /* so many bytes of it have arrived */
};

struct border {
    uint32_t at; /* a message ends at this place of `down` */
    uint8_t opcode;
};

struct pong_mark {
    uint32_t len;
    uint32_t down_at; /* an echo answers so many bytes of `down` before the Pong */
};

struct model {
    const struct config_route *route; /* NULL: no route is known */
    enum shape_payload payload;
    bool is_echo;
    bool is_refused;   /* the session must refuse the request, or what it had for a token */
    bool is_token_due; /* the next message is the token, and goes to nobody */
    bool is_spoiled;
    bool is_client_done; /* its Close is on the way */
    uint64_t close_ms;   /* when it closed */
    bool is_down_over;   /* the backend's bytes do not fit the route */

    /* the client's message */
    bool in_message;
    enum ws_opcode opcode;
    uint64_t message_bytes;
    struct utf8 utf8;
    struct base64_decoder base64;
    struct stream message; /* collected for the framing */

    struct stream up;    /* to the backend */
    struct stream pongs; /* struct pong_mark and payload of each */
    struct stream down;  /* content for the client */
    size_t down_whole;   /* the session can send so much of it, up to a whole character */
    struct border borders[BORDERS_MAX];
    size_t border_count;
    size_t border_got;
    struct framing_splitter splitter;
    struct utf8 down_utf8;
};

static struct model model;

static void model_spoil(void)
{
    model.is_spoiled = true;
}

static void stream_init(struct stream *stream)
{
    if (stream->data == NULL) {
        stream->data = malloc(STREAM_MAX);
        expect(stream->data != NULL, "memory");
    }
    stream->len = 0;
    stream->got = 0;
}

static void stream_add(struct stream *stream, const void *data, size_t len)
{
    expect(len <= STREAM_MAX - stream->len, "the input is small enough");
    if (len > 0) {
        memcpy(stream->data + stream->len, data, len);
        stream->len += len;
    }
}

/* Bytes behind the known ones may come only when the model knows nothing of them. */
static void stream_match(struct stream *stream, size_t whole, const uint8_t *data, size_t len,
                         bool is_more_allowed)
{
    size_t known = len < whole - stream->got ? len : whole - stream->got;
    expect(known == 0 || memcmp(stream->data + stream->got, data, known) == 0, "the same bytes");
    expect(known == len || is_more_allowed, "no byte that nobody sent");
    stream->got += known;
}

static void model_init(void)
{
    struct stream *streams[] = {&model.message, &model.up, &model.pongs, &model.down};
    model.route = NULL;
    model.payload = SHAPE_BINARY;
    model.is_echo = false;
    model.is_refused = false;
    model.is_token_due = false;
    model.is_spoiled = false;
    model.is_client_done = false;
    model.is_down_over = false;
    model.in_message = false;
    model.down_whole = 0;
    model.border_count = 0;
    model.border_got = 0;
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        stream_init(streams[i]);
    }
    framing_splitter_init(&model.splitter);
    utf8_init(&model.down_utf8);
}

static void model_route(const struct config_route *route, enum shape_payload payload)
{
    model.route = route;
    model.payload = payload;
    model.is_echo = route->backends[0].kind == CONFIG_BACKEND_ECHO;
    model.is_token_due = route->auth_count > 0;
}

static void add_border(enum ws_opcode opcode)
{
    expect(model.border_count < BORDERS_MAX, "the input is small enough");
    model.borders[model.border_count++] =
        (struct border){(uint32_t)model.down.len, (uint8_t)opcode};
}

/* --- what the client says ---------------------------------------------------------------------*/

static void wrap_message(void)
{
    struct framing_wrap around;
    struct span message = {(const char *)model.message.data, model.message.len};
    if (framing_wrap(&model.route->framing, message, &around) != FRAMING_OK) {
        model_spoil();
        return;
    }
    stream_add(&model.up, around.prefix, around.prefix_len);
    stream_add(&model.up, message.data, message.len);
    stream_add(&model.up, around.suffix.data, around.suffix.len);
    model.message.len = 0;
}

/* Takes content of the first message. */
static void model_token(struct span data, bool is_end)
{
    struct span token;
    stream_add(&model.message, data.data, data.len);
    if (!is_end && model.message.len <= TOKEN_MESSAGE_MAX) {
        return;
    }
    token = (struct span){(const char *)model.message.data, model.message.len};
    while (token.len > 0 && strchr(" \t\r\n", token.data[token.len - 1]) != NULL &&
           token.data[token.len - 1] != '\0') {
        token.len--;
    }
    while (token.len > 0 && strchr(" \t\r\n", token.data[0]) != NULL && token.data[0] != '\0') {
        token = (struct span){token.data + 1, token.len - 1};
    }
    if (model.message.len > TOKEN_MESSAGE_MAX || !span_is_equal(token, SPAN_LIT(TOKEN))) {
        model.is_refused = true;
        model_spoil();
    }
    model.is_token_due = false;
    model.message.len = 0;
}

/* Takes content of a message that the model has judged. */
static void model_content(struct span data, bool is_end)
{
    static uint8_t decoded[FIFO_MAX];
    if (model.is_echo) {
        stream_add(&model.down, data.data, data.len);
        model.down_whole = model.down.len;
        if (is_end) {
            add_border(model.opcode);
        }
        return;
    }
    if (model.payload == SHAPE_BASE64) {
        size_t len = 0;
        if (!base64_decode(&model.base64, (const uint8_t *)data.data, data.len, decoded, &len) ||
            (is_end && !base64_is_complete(&model.base64))) {
            model_spoil();
            return;
        }
        data = (struct span){(const char *)decoded, len};
    }
    if (model.route->framing.kind == FRAMING_STREAM) {
        stream_add(&model.up, data.data, data.len);
        return;
    }
    stream_add(&model.message, data.data, data.len);
    if (model.message.len > framing_max_bytes(&model.route->framing)) {
        model_spoil();
    } else if (is_end) {
        wrap_message();
    }
}

static bool is_accepted(enum ws_opcode opcode)
{
    enum ws_accept accept = model.route->accept;
    if (!model.is_echo && model.payload == SHAPE_BASE64) {
        accept = WS_ACCEPT_TEXT;
    }
    return accept == WS_ACCEPT_ANY || (accept == WS_ACCEPT_TEXT) == (opcode == WS_TEXT);
}

/* Judges the next piece of content. Returns false when the client must not send it. */
static bool judge_content(struct span content, bool is_end)
{
    uint64_t max = model.route->max_message_bytes;
    model.message_bytes += content.len;
    if (max != 0 && model.message_bytes > max) {
        return false;
    }
    return model.opcode != WS_TEXT ||
           (utf8_feed(&model.utf8, (const uint8_t *)content.data, content.len) &&
            (!is_end || utf8_is_complete(&model.utf8)));
}

static bool begin_message(enum ws_opcode opcode)
{
    if (model.in_message || (!model.is_token_due && !is_accepted(opcode))) {
        return false;
    }
    model.in_message = true;
    model.opcode = opcode;
    model.message_bytes = 0;
    utf8_init(&model.utf8);
    base64_decoder_init(&model.base64);
    return true;
}

static void model_piece(struct span content, bool is_end)
{
    if (!judge_content(content, is_end)) {
        model_spoil();
        return;
    }
    model.in_message = !is_end;
    (model.is_token_due ? model_token : model_content)(content, is_end);
}

static bool is_good_close(struct span payload)
{
    if (payload.len < 2) {
        return payload.len == 0;
    }
    unsigned int code = (unsigned int)(uint8_t)payload.data[0] << 8 | (uint8_t)payload.data[1];
    return ws_close_code_is_valid((uint16_t)code) &&
           utf8_is_valid((struct span){payload.data + 2, payload.len - 2});
}

static void model_control(enum ws_opcode opcode, struct span payload)
{
    struct pong_mark mark = {(uint32_t)payload.len, (uint32_t)model.down.len};
    if (opcode == WS_PING) {
        stream_add(&model.pongs, &mark, sizeof(mark));
        stream_add(&model.pongs, payload.data, payload.len);
    } else if (opcode == WS_CLOSE && is_good_close(payload)) {
        model.is_client_done = true;
        model.close_ms = reactor.now_ms;
    } else if (opcode != WS_PONG) {
        model_spoil();
    }
}

/* The client sends a frame that is not compressed. */
static void model_frame(uint8_t first, struct span payload)
{
    enum ws_opcode opcode = (enum ws_opcode)(first & 0x0f);
    bool is_fin = (first & 0x80) != 0;
    if (model.is_spoiled || model.is_client_done) {
        return;
    }
    if (model.route == NULL || (first & 0x70) != 0) {
        model_spoil();
    } else if (opcode >= WS_CLOSE) {
        if (!is_fin || payload.len > WS_CONTROL_MAX) {
            model_spoil();
        } else {
            model_control(opcode, payload);
        }
    } else if (opcode == WS_CONTINUATION ? !model.in_message
                                         : opcode > WS_BINARY || !begin_message(opcode)) {
        model_spoil();
    } else {
        model_piece(payload, is_fin);
    }
}

/* The client sends a whole message that is compressed. */
static void model_deflated(enum ws_opcode opcode, struct span content, bool is_agreed)
{
    if (model.is_spoiled || model.is_client_done) {
        return;
    }
    if (model.route == NULL || !is_agreed || !begin_message(opcode)) {
        model_spoil();
    } else {
        model_piece(content, true);
    }
}

/* --- what the backend says --------------------------------------------------------------------*/

/* Adds content up to the first byte that is not text. */
static void add_down(struct span data)
{
    bool is_text = model.payload == SHAPE_TEXT;
    struct utf8 before = model.down_utf8;
    if (is_text && !utf8_feed(&model.down_utf8, (const uint8_t *)data.data, data.len)) {
        size_t good = 0;
        while (utf8_feed(&before, (const uint8_t *)data.data + good, 1)) {
            good++;
        }
        data.len = good;
        model.is_down_over = true;
    }
    stream_add(&model.down, data.data, data.len);
    model.down_whole = model.down.len;
    if (is_text && !model.is_down_over && model.route->framing.kind == FRAMING_STREAM &&
        !utf8_is_complete(&model.down_utf8)) {
        while ((model.down.data[--model.down_whole] & 0xc0) == 0x80) {
        }
    }
}

static void add_down_piece(const struct framing_piece *piece)
{
    if (piece->is_start) {
        utf8_init(&model.down_utf8);
    }
    add_down(piece->data);
    if (piece->is_end && model.payload == SHAPE_TEXT && !utf8_is_complete(&model.down_utf8)) {
        model.is_down_over = true;
    }
    if (piece->is_end && !model.is_down_over) {
        add_border(model.payload == SHAPE_TEXT ? WS_TEXT : WS_BINARY);
    }
}

/* Adds what comes before the error when the bytes come one by one. */
static void add_down_front(struct framing_splitter splitter, struct span data)
{
    enum framing_error error = FRAMING_OK;
    struct framing_piece piece;
    while (data.len > 0 && !model.is_down_over) {
        struct span byte = {data.data, 1};
        switch (framing_split(&splitter, &model.route->framing, &byte, &piece, &error)) {
        case FRAMING_NEED_MORE:
            break;
        case FRAMING_PIECE:
            add_down_piece(&piece);
            break;
        case FRAMING_ERROR:
            return;
        }
        data.data += 1 - byte.len; /* a CR that the splitter held back is not in `byte` */
        data.len -= 1 - byte.len;
    }
}

static void model_backend(struct span data)
{
    enum framing_error error = FRAMING_OK;
    struct framing_piece piece;
    if (model.route == NULL || model.is_down_over) {
        return;
    }
    if (model.route->framing.kind == FRAMING_STREAM) {
        add_down(data);
        return;
    }
    while (data.len > 0 && !model.is_down_over) {
        struct framing_splitter before = model.splitter;
        struct span rest = data;
        switch (framing_split(&model.splitter, &model.route->framing, &data, &piece, &error)) {
        case FRAMING_NEED_MORE:
            break;
        case FRAMING_PIECE:
            add_down_piece(&piece);
            break;
        case FRAMING_ERROR:
            add_down_front(before, rest);
            model.is_down_over = true;
            break;
        }
    }
}

static void model_backend_fin(void)
{
    enum framing_error error = FRAMING_OK;
    struct framing_piece piece;
    if (model.route == NULL || model.is_down_over) {
        return;
    }
    if (model.route->framing.kind == FRAMING_STREAM) {
        model.is_down_over = model.down_whole != model.down.len;
        return;
    }
    switch (framing_split_end(&model.splitter, &model.route->framing, &piece, &error)) {
    case FRAMING_NEED_MORE:
        break;
    case FRAMING_PIECE:
        add_down_piece(&piece);
        break;
    case FRAMING_ERROR:
        model.is_down_over = true;
        break;
    }
}

/* --- what arrives -----------------------------------------------------------------------------*/

static void model_backend_got(const uint8_t *data, size_t len)
{
    if (model.route != NULL) {
        expect(!model.is_echo, "an echo has no backend");
        stream_match(&model.up, model.up.len, data, len, model.is_spoiled);
    }
}

static void model_pong_got(const uint8_t *payload, size_t len)
{
    struct pong_mark mark;
    if (model.pongs.got == model.pongs.len) {
        expect(model.is_spoiled, "a Pong answers a Ping");
        return;
    }
    memcpy(&mark, model.pongs.data + model.pongs.got, sizeof(mark));
    model.pongs.got += sizeof(mark);
    expect(len == mark.len, "a Pong for each Ping");
    expect(model.down.got >= mark.down_at || !model.is_echo, "a Pong in its place");
    stream_match(&model.pongs, model.pongs.len, payload, len, false);
}

static bool has_borders(void)
{
    return model.is_echo || model.route->framing.kind != FRAMING_STREAM;
}

/* Decoded content of a message arrives. */
static void model_client_got(const uint8_t *data, size_t len)
{
    if (model.route == NULL) {
        return;
    }
    stream_match(&model.down, model.down_whole, data, len, model.is_echo && model.is_spoiled);
    if (has_borders() && model.border_got < model.border_count) {
        expect(model.down.got <= model.borders[model.border_got].at, "a message ends where it did");
    }
}

static void model_client_got_end(enum ws_opcode opcode)
{
    if (model.route == NULL) {
        return;
    }
    if (!has_borders()) {
        expect(opcode == (model.payload == SHAPE_BINARY ? WS_BINARY : WS_TEXT), "payload");
    } else if (model.border_got < model.border_count) {
        const struct border *border = &model.borders[model.border_got++];
        expect(model.down.got == border->at && (uint8_t)opcode == border->opcode,
               "a whole message");
    } else {
        expect(model.is_echo && model.is_spoiled, "a message that somebody sent");
    }
}

UNWATCHED_END

#endif
