/* SPDX-License-Identifier: GPL-3.0-or-later */
// A pump between two peers that are memory. The kit calls the pump as a session does, plays the
// client and the backend, and writes down what happened. test_pump*.c use it.
#ifndef TESTS_UNIT_PUMP_KIT_H
#define TESTS_UNIT_PUMP_KIT_H

#include "base/mem.h"
#include "check.h"
#include "gate/pump.h"
#include "give_up.h"
#include "memory_carrier.h"
#include "shape_client.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIT_UNUSED __attribute__((unused))
#define KIT_HIGH_BYTES ((size_t)64 * 1024)
#define KIT_LOW_BYTES ((size_t)16 * 1024)
#define MIB ((size_t)1024 * 1024)
#define KIT_KERNEL_BYTES ((size_t)8 * 1024) // what a kernel takes before its peer reads
#define KIT_IN_BYTES ((size_t)256 * 1024)   // at most so many are on their way from a peer

// Fields of struct shape_rules: compression as most clients agree on.
#define KIT_DEFLATE \
    .is_deflate = true, .deflate_settings = {.window_bits = 15, .is_takeover = true}, \
    .deflate_params = {.server_bits = 15, .client_bits = 15}

struct kit_rules {
    struct shape_rules shape; // what a route and a handshake ask for; the default needs no shape
    enum ws_accept accept;
    uint64_t max_message_bytes;
    size_t collect_bytes; // 0: the pump collects no first message
};

struct kit {
    const char *row;
    size_t blocks_before;
    struct scratch scratch;
    struct pump pump;
    struct life life;
    enum pump_mode mode;
    struct memory client;
    struct memory backend;
    bool is_message_kept; // the mode stays PUMP_COLLECT behind the first message
    bool is_over;         // a Close or an error came
    bool has_payload;
    struct client_bytes to_client;
    struct client_bytes to_backend;
    char story[256]; // the pump's verdicts in order
};

// The tests say themselves when the pump reads and flushes.
KIT_UNUSED static void kit_on_ready(struct conn *conn, unsigned ready)
{
    (void)conn;
    (void)ready;
}

KIT_UNUSED static void kit_client_gets(struct memory *m, const uint8_t *data, size_t len)
{
    client_put(&container_of(m, struct kit, client)->to_client, data, len);
}

KIT_UNUSED static void kit_backend_gets(struct memory *m, const uint8_t *data, size_t len)
{
    client_put(&container_of(m, struct kit, backend)->to_backend, data, len);
}

// The peer reads what its kernel has.
KIT_UNUSED static void kit_drain(struct memory *m)
{
    m->budget_bytes = KIT_KERNEL_BYTES;
}

KIT_UNUSED static void kit_connect(struct conn *conn, struct memory *m, uint8_t *in,
                                   memory_sent_fn *on_sent)
{
    memory_init(m, in, KIT_IN_BYTES);
    m->on_sent = on_sent;
    kit_drain(m);
    struct carrier carrier = memory_carrier(m);
    conn_open(conn, &carrier, NULL);
}

KIT_UNUSED static void kit_open(struct kit *k, const char *row, const struct kit_rules *rules)
{
    static uint8_t from_client[KIT_IN_BYTES];
    static uint8_t from_backend[KIT_IN_BYTES];
    bool is_echo = rules->shape.is_echo;
    *k = (struct kit){.row = row, .blocks_before = mem_live_blocks()};
    if (!scratch_init(&k->scratch)) {
        GIVE_UP();
    }
    pump_init(&k->pump, &k->scratch, kit_on_ready, kit_on_ready);
    kit_connect(&k->pump.client, &k->client, from_client, kit_client_gets);
    kit_connect(&k->pump.backend, &k->backend, from_backend, kit_backend_gets);
    pump_configure(&k->pump, KIT_HIGH_BYTES, KIT_LOW_BYTES, rules->accept, rules->max_message_bytes,
                   is_echo);
    pump_shape(&k->pump, &rules->shape);
    if (rules->collect_bytes > 0) {
        k->mode = PUMP_COLLECT;
        pump_collect(&k->pump, rules->collect_bytes);
    }
    life_init(&k->life, false);
    k->life.phase = LIFE_OPEN;
    k->life.client = LIFE_SIDE_UP;
    k->life.backend = LIFE_SIDE_UP;
    client_put(&k->to_client, "", 0);
    client_put(&k->to_backend, "", 0);
}

KIT_UNUSED static void kit_close(struct kit *k)
{
    conn_close(&k->pump.client);
    conn_close(&k->pump.backend);
    pump_done(&k->pump);
    scratch_done(&k->scratch);
    client_drop(&k->to_client);
    client_drop(&k->to_backend);
    CHECK_EQ_U64(k->row, mem_live_blocks(), k->blocks_before);
}

// --- the two peers ------------------------------------------------------------------------------

// Both peers read until nothing waits for them.
KIT_UNUSED static void kit_hear(struct kit *k)
{
    do {
        kit_drain(&k->client);
        kit_drain(&k->backend);
        bool is_sent = conn_flush(&k->pump.client) != CONN_RESET;
        is_sent = conn_flush(&k->pump.backend) != CONN_RESET && is_sent;
        if (!is_sent) {
            GIVE_UP();
        }
    } while (conn_queued(&k->pump.client) + conn_queued(&k->pump.backend) > 0);
    kit_drain(&k->client);
    kit_drain(&k->backend);
}

// --- what a session does ------------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) KIT_UNUSED static void kit_tell(struct kit *k,
                                                                      const char *format, ...)
{
    va_list args;
    size_t len = strlen(k->story);
    va_start(args, format);
    (void)vsnprintf(k->story + len, sizeof(k->story) - len, format, args);
    va_end(args);
}

KIT_UNUSED static void kit_heed(struct kit *k, const struct pump_report *report)
{
    k->has_payload = k->has_payload || report->has_payload;
    switch (report->verdict) {
    case PUMP_MORE:
        break;
    case PUMP_MESSAGE: {
        const struct token *message = pump_message(&k->pump);
        kit_tell(k, "message(%.*s) ", (int)message->len, message->bytes);
        kit_hear(k);
        CHECK_EQ_U64(k->row, k->to_backend.len, 0);
        CHECK_EQ_U64(k->row, k->pump.up_bytes, 0);
        if (!k->is_message_kept) {
            k->mode = PUMP_FORWARD;
            pump_drop_message(&k->pump);
        }
        break;
    }
    case PUMP_CLOSE:
        k->is_over = true;
        kit_tell(k, "close(%u)", report->code);
        break;
    case PUMP_BAD:
        k->is_over = true;
        kit_tell(k, "%s: %s", life_ending_row(report->ending)->word, report->detail);
        break;
    }
}

// Resumes held items as long as that helps; both peers read everything.
KIT_UNUSED static void kit_resume(struct kit *k)
{
    struct pump_report report;
    size_t calls = 0;
    while (pump_is_held(&k->pump) && k->mode != PUMP_COLLECT) {
        kit_hear(k);
        pump_resume(&k->pump, k->mode, &report);
        kit_heed(k, &report);
        if (++calls > 10000) {
            CHECK_TRUE(k->row, calls == 0);
            GIVE_UP();
        }
    }
}

// Reads once from the client.
KIT_UNUSED static bool kit_read_client(struct kit *k)
{
    struct pump_report report;
    uint8_t *data = NULL;
    size_t len = 0;
    size_t room = pump_client_room(&k->pump);
    if (conn_read(&k->pump.client, room, &data, &len) != CONN_OK) {
        return false;
    }
    pump_client_bytes(&k->pump, data, len, k->mode, &report);
    kit_heed(k, &report);
    return true;
}

// The client sends bytes. The pump reads and forwards them as long as it holds none.
KIT_UNUSED static void kit_up(struct kit *k, const uint8_t *data, size_t len)
{
    while (len > 0 && !k->is_over) {
        size_t sent = size_min(len, 96 * 1024);
        memory_push(&k->client, data, sent);
        while (!k->is_over && !pump_is_held(&k->pump) && kit_read_client(k)) {
            kit_resume(k);
        }
        data += sent;
        len -= sent;
    }
    kit_hear(k);
}

// --- what a client sends ------------------------------------------------------------------------

struct kit_frame {
    uint8_t first; // first byte of the header; with 0x40 the payload is deflated
    const char *payload;
};
#define TEXT(payload) {0x81, (payload)}
#define BINARY(payload) {0x82, (payload)}
#define PACKED(payload) {0xc1, (payload)}
#define FIRST(payload) {0x01, (payload)}
#define NEXT(payload) {0x00, (payload)}
#define LAST(payload) {0x80, (payload)}
#define PING(payload) {0x89, (payload)}
#define PONG(payload) {0x8a, (payload)}
#define CLOSE_1000 {0x88, "\x03\xe8"}

KIT_UNUSED static void kit_put_frame(struct client_bytes *out, uint8_t first, struct span payload)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t header[WS_HEADER_MAX];
    size_t header_len = ws_encode_header(header, WS_BINARY, true, payload.len);
    header[0] = first;
    header[1] |= 0x80;
    client_put(out, header, header_len);
    client_put(out, key, sizeof(key));
    for (size_t i = 0; i < payload.len; i++) {
        uint8_t byte = (uint8_t)payload.data[i] ^ key[i % 4];
        client_put(out, &byte, 1);
    }
}

// Puts frames one behind the other, up to the first without a payload pointer.
KIT_UNUSED static void kit_put_frames(struct client_bytes *out, const struct kit_frame *frames,
                                      size_t count)
{
    struct client client;
    struct client_rules rules = {.is_deflate = true, .client_bits = 15, .server_bits = 15};
    client_open(&client, &rules);
    for (size_t i = 0; i < count && frames[i].payload != NULL; i++) {
        struct client_bytes packed = {0};
        struct span payload = span_from_str(frames[i].payload);
        if ((frames[i].first & 0x40) != 0) {
            client_deflate(&client, payload, true, &packed);
            payload = client_span(&packed);
        }
        kit_put_frame(out, frames[i].first, payload);
        client_drop(&packed);
    }
    client_close(&client);
}

// Puts a compressed message of `len` zeroes, and frames behind it.
KIT_UNUSED static void kit_put_long(struct client_bytes *out, size_t len,
                                    const struct kit_frame *behind, size_t count)
{
    struct client client;
    struct client_rules rules = {.is_deflate = true, .client_bits = 15, .server_bits = 15};
    struct client_bytes zeroes = {0};
    struct client_bytes packed = {0};
    client_open(&client, &rules);
    zeroes.data = calloc(1, len);
    zeroes.len = zeroes.cap = len;
    if (zeroes.data == NULL) {
        GIVE_UP();
    }
    client_deflate(&client, client_span(&zeroes), true, &packed);
    kit_put_frame(out, 0xc2, client_span(&packed));
    kit_put_frames(out, behind, count);
    client_drop(&packed);
    client_drop(&zeroes);
    client_close(&client);
}

// The client sends; neither peer reads, and what the pump holds stays held.
KIT_UNUSED static void kit_send_up(struct kit *k, const struct client_bytes *wire)
{
    memory_push(&k->client, wire->data, wire->len);
    while (!k->is_over && !pump_is_held(&k->pump) && kit_read_client(k)) {
    }
}

// --- what a client gets -------------------------------------------------------------------------

// Writes frames as text: T[..] and B[..] for messages, whatever frames carried them, and pong(..).
KIT_UNUSED static void kit_frames_text(const struct client_bytes *bytes, char *out, size_t size)
{
    size_t at = 0;
    size_t used = 0;
    bool in_message = false;
    out[0] = '\0';
    while (at + 2 <= bytes->len && used < size) {
        uint8_t first = bytes->data[at];
        size_t len = bytes->data[at + 1];
        at += 2;
        if (len == 126 && bytes->len - at >= 2) {
            len = (size_t)bytes->data[at] << 8 | bytes->data[at + 1];
            at += 2;
        }
        if (len > bytes->len - at) {
            snprintf(out, size, "half a frame");
            return;
        }
        const char *payload = (const char *)bytes->data + at;
        at += len;
        bool is_pong = (first & 0x0f) == WS_PONG;
        const char *before = is_pong                     ? "pong("
                             : in_message                ? ""
                             : (first & 0x0f) == WS_TEXT ? "T["
                                                         : "B[";
        bool is_fin = (first & 0x80) != 0;
        const char *behind = is_pong ? ")" : is_fin ? "]" : "";
        in_message = is_pong ? in_message : !is_fin;
        used += (size_t)snprintf(out + used, size - used, "%s%.*s%s", before, (int)len, payload,
                                 behind);
    }
}

#endif
