/* SPDX-License-Identifier: GPL-3.0-or-later */
// The queues of gate/pump: held bytes, much at once, memory. test_pump.c tests the modes;
// test_pump_interest.c tests whom the pump reads and writes.
#include "pump_kit.h"
#include "suites.h"

static const struct kit_rules plain = {.accept = WS_ACCEPT_ANY};
static const struct kit_rules echo = {.shape = {.is_echo = true}};
static const struct kit_rules deflated = {.shape = {KIT_DEFLATE}};
static const struct kit_rules deflated_echo = {.shape = {KIT_DEFLATE, .is_echo = true}};
static const struct kit_rules lines = {
    .shape = {.framing = {.kind = FRAMING_LINE, .max_bytes = 8}}};
static const struct kit_rules records = {
    .shape = {.framing = {.kind = FRAMING_LENGTH16, .max_bytes = 8}}};
static const struct kit_rules collecting = {.collect_bytes = 9};

// --- held bytes ---------------------------------------------------------------------------------

static const struct kit_frame behind[] = {TEXT("plain"), PING("p"), PACKED("packed"), CLOSE_1000};

static void test_held_and_resumed(void)
{
    struct client_bytes wire = {0};
    kit_put_long(&wire, 4 * MIB, behind, COUNT(behind));
    for (size_t cut = 1; cut <= wire.len; cut += cut < 20 || cut + 60 > wire.len ? 1 : 97) {
        struct kit k;
        char row[64];
        snprintf(row, sizeof(row), "cut at %zu", cut);
        kit_open(&k, row, &deflated);
        kit_up(&k, wire.data, cut);
        kit_up(&k, wire.data + cut, wire.len - cut);
        CHECK_EQ_U64(row, k.to_backend.len, 4 * MIB + 11);
        CHECK_EQ_MEM(row, k.to_backend.data + 4 * MIB - 1, 12, "\0plainpacked", 12);
        CHECK_EQ_MEM(row, k.to_client.data, k.to_client.len, "\x8a\x01p", 3);
        CHECK_EQ_STR(row, k.story, "close(1000)");
        CHECK_EQ_U64(row, k.pump.up_bytes, k.to_backend.len);
        CHECK_TRUE(row, k.pump.backend.out.peak >= KIT_HIGH_BYTES / 2);
        CHECK_TRUE(row, k.pump.backend.out.peak <= KIT_HIGH_BYTES + PUMP_OVERSHOOT_BYTES);
        kit_close(&k);
    }
    client_drop(&wire);
}

// A session that has ended wants the Close and nothing else.
static void test_held_and_discarded(void)
{
    static const struct kit_rules *const rules[] = {&deflated, &deflated_echo};
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct kit k;
        struct pump_report report;
        struct client_bytes wire = {0};
        kit_put_long(&wire, 4 * MIB, behind, COUNT(behind));
        kit_open(&k, i == 0 ? "backend" : "echo", rules[i]);
        kit_send_up(&k, &wire);
        CHECK_TRUE(k.row, pump_is_held(&k.pump));
        CHECK_EQ_STR(k.row, k.story, "");
        uint64_t up_bytes = k.pump.up_bytes;
        pump_resume(&k.pump, PUMP_DISCARD, &report);
        kit_heed(&k, &report);
        CHECK_EQ_STR(k.row, k.story, "close(1000)");
        CHECK_FALSE(k.row, pump_is_held(&k.pump));
        CHECK_EQ_U64(k.row, k.pump.up_bytes, up_bytes);
        client_drop(&wire);
        kit_close(&k);
    }
}

// A turn ends even when no queue fills.
static void test_share(void)
{
    struct kit k;
    struct client_bytes wire = {0};
    struct pump_report report;
    kit_put_long(&wire, 4 * MIB, NULL, 0);
    kit_open(&k, "share", &deflated);
    pump_configure(&k.pump, 16 * MIB, MIB, WS_ACCEPT_ANY, 0, false);
    k.pump.decoder.is_deflate = true;
    kit_send_up(&k, &wire);
    uint64_t before = 0;
    while (pump_is_held(&k.pump)) {
        uint64_t share_bytes = k.pump.up_bytes - before;
        CHECK_TRUE(k.row, share_bytes >= PUMP_SHARE_BYTES);
        CHECK_TRUE(k.row, share_bytes < PUMP_SHARE_BYTES + SHAPE_WORK);
        before = k.pump.up_bytes;
        pump_resume(&k.pump, PUMP_FORWARD, &report);
        CHECK_EQ_INT(k.row, report.has_payload, k.pump.up_bytes > before);
    }
    kit_hear(&k);
    CHECK_EQ_U64(k.row, k.to_backend.len, 4 * MIB);
    client_drop(&wire);
    kit_close(&k);
}

// --- behind the first message -------------------------------------------------------------------

// The pump decodes nothing before the session forwards, however the bytes come.
static void test_behind_the_first_message(void)
{
    static const struct kit_rules packed = {.shape = {KIT_DEFLATE}, .collect_bytes = 9};
    static const struct kit_frame frames[] = {TEXT("token"), TEXT("a"), PING("p"), BINARY("b")};
    static const struct {
        const char *name;
        const struct kit_rules *rules;
        bool is_apart; // the message is one read, and what follows is another
    } rows[] = {
        {"one read", &collecting, false},
        {"two reads", &collecting, true},
        {"one read, a shape", &packed, false},
        {"two reads, a shape", &packed, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        struct client_bytes wire = {0};
        struct pump_report report;
        kit_open(&k, rows[i].name, rows[i].rules);
        k.is_message_kept = true;
        kit_put_frames(&wire, frames, 1);
        if (rows[i].is_apart) {
            kit_send_up(&k, &wire);
            CHECK_FALSE(k.row, pump_is_held(&k.pump));
            wire.len = 0;
        }
        kit_put_frames(&wire, frames + 1, COUNT(frames) - 1);
        kit_send_up(&k, &wire);
        CHECK_EQ_STR(k.row, k.story, "message(token) ");
        CHECK_TRUE(k.row, pump_is_held(&k.pump));
        for (int again = 0; again < 2; again++) {
            pump_resume(&k.pump, PUMP_COLLECT, &report);
            CHECK_EQ_INT(k.row, report.verdict, PUMP_MORE);
        }
        CHECK_EQ_MEM(k.row, pump_message(&k.pump)->bytes, pump_message(&k.pump)->len, "token", 5);
        kit_hear(&k);
        CHECK_EQ_U64(k.row, k.to_backend.len + k.to_client.len, 0);

        pump_drop_message(&k.pump);
        k.mode = PUMP_FORWARD;
        kit_resume(&k);
        kit_hear(&k);
        CHECK_EQ_MEM(k.row, k.to_backend.data, k.to_backend.len, "ab", 2);
        CHECK_EQ_MEM(k.row, k.to_client.data, k.to_client.len, "\x8a\x01p", 3);
        CHECK_EQ_INT(k.row, k.pump.kept == NULL, rows[i].rules == &collecting);
        client_drop(&wire);
        kit_close(&k);
    }
}

static void test_first_message_that_inflates_far(void)
{
    struct kit k;
    struct client_bytes wire = {0};
    struct kit_rules rules = {.shape = {KIT_DEFLATE, .is_echo = true},
                              .collect_bytes = TOKEN_MESSAGE_MAX};
    // The Pong waits for the end of the read, while the message inflates.
    kit_put_frames(&wire, (const struct kit_frame[]){PING("p")}, 1);
    kit_put_long(&wire, TOKEN_MESSAGE_MAX, NULL, 0);
    kit_open(&k, "just the ceiling", &rules);
    k.is_message_kept = true;
    kit_send_up(&k, &wire);
    CHECK_EQ_U64(k.row, pump_message(&k.pump)->len, TOKEN_MESSAGE_MAX);
    kit_hear(&k);
    CHECK_EQ_MEM(k.row, k.to_client.data, k.to_client.len, "\x8a\x01p", 3);
    kit_close(&k);
    wire.len = 0;
    kit_put_long(&wire, TOKEN_MESSAGE_MAX + 1, NULL, 0);
    kit_open(&k, "one more", &rules);
    kit_send_up(&k, &wire);
    CHECK_EQ_STR(k.row, k.story, "too_big: first message too big");
    CHECK_FALSE(k.row, pump_is_held(&k.pump));
    kit_close(&k);
    client_drop(&wire);
}

// --- much at once -------------------------------------------------------------------------------

// One read brings very many frames. The batch fills several times, and the order stays.
static void check_batches(const char *row, const struct kit_rules *rules,
                          const struct kit_frame *frames, size_t count)
{
    struct kit k;
    struct client_bytes wire = {0};
    struct client_bytes payload = {0}; // what the backend must get
    struct client_bytes answer = {0};  // what the client must get
    kit_open(&k, row, rules);
    if (rules->collect_bytes > 0) {
        kit_put_frames(&wire, (const struct kit_frame[]){TEXT("token")}, 1);
    }
    for (size_t i = 0; i < 70 * count; i++) {
        const struct kit_frame *frame = &frames[i % count];
        bool is_ping = frame->first == 0x89;
        bool is_answered = is_ping || rules->shape.is_echo;
        size_t len = strlen(frame->payload);
        if (is_answered) {
            uint8_t header[WS_HEADER_MAX];
            client_put(&answer, header,
                       ws_encode_header(header, is_ping ? WS_PONG : WS_BINARY, true, len));
        }
        client_put(is_answered ? &answer : &payload, frame->payload, len);
        kit_put_frames(&wire, frame, 1);
    }
    kit_up(&k, wire.data, wire.len);
    CHECK_EQ_MEM(row, k.to_backend.data, k.to_backend.len, payload.data, payload.len);
    CHECK_EQ_MEM(row, k.to_client.data, k.to_client.len, answer.data, answer.len);
    client_drop(&wire);
    client_drop(&payload);
    client_drop(&answer);
    kit_close(&k);
}

static void test_batches(void)
{
    static char large[1100];
    static char ping[126];
    struct kit_frame frames[] = {BINARY(large), BINARY("small"), PING(""), PING(ping)};
    memset(large, 'x', sizeof(large) - 1);
    memset(ping, 'p', sizeof(ping) - 1);
    check_batches("plain", &plain, frames, COUNT(frames));
    check_batches("echo", &echo, frames, COUNT(frames));
    check_batches("held before", &collecting, frames, COUNT(frames));
    check_batches("pings", &plain, frames + 3, 1);
}

// --- from the backend ---------------------------------------------------------------------------

static void test_backend(void)
{
    static const struct {
        const char *name;
        const struct kit_rules *rules;
        struct span data;
        struct span to_client;
        const char *story; // the verdict of the bytes and of the end behind them
    } rows[] = {
        {"plain", &plain, SPAN_LIT("abc"), SPAN_LIT("\x82\3abc"), ""},
        {"lines", &lines, SPAN_LIT("a\nb\n"), SPAN_LIT("\x82\1a\x82\1b"), ""},
        {"half a line", &lines, SPAN_LIT("a\nb"), SPAN_LIT("\x82\1a\x02\1b\x80\0"), ""},
        {"half a record", &records, SPAN_LIT("\0\2ab\0\2c"), SPAN_LIT("\x82\2ab"), "backend_data"},
        {"a long line", &lines, SPAN_LIT("a\n123456789"), SPAN_LIT("\x82\1a"), "backend_data"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        struct pump_report report;
        uint8_t *data = NULL;
        size_t len = 0;
        kit_open(&k, rows[i].name, rows[i].rules);
        memory_push(&k.backend, rows[i].data.data, rows[i].data.len);
        CHECK_EQ_INT(k.row, conn_read(&k.pump.backend, pump_backend_room(&k.pump), &data, &len),
                     CONN_OK);
        pump_backend_bytes(&k.pump, data, len, &report);
        if (report.verdict == PUMP_MORE) {
            pump_backend_end(&k.pump, &report);
        }
        CHECK_EQ_INT(k.row, report.verdict, rows[i].story[0] == '\0' ? PUMP_MORE : PUMP_BAD);
        CHECK_EQ_STR(k.row, report.verdict == PUMP_BAD ? life_ending_row(report.ending)->word : "",
                     rows[i].story);
        kit_hear(&k);
        CHECK_EQ_MEM(k.row, k.to_client.data,
                     rows[i].to_client.len < k.to_client.len ? rows[i].to_client.len
                                                             : k.to_client.len,
                     rows[i].to_client.data, rows[i].to_client.len);
        CHECK_EQ_U64(k.row, k.pump.down_bytes, rows[i].data.len);
        kit_close(&k);
    }
}

// --- memory -------------------------------------------------------------------------------------

static void test_parking(void)
{
    struct kit k;
    struct client_bytes wire = {0};
    static const struct kit_frame frames[] = {PACKED("packed")};
    kit_open(&k, "plain", &plain);
    CHECK_EQ_U64(k.row, pump_park_at_ms(&k.pump, 100, 10), 0);
    kit_close(&k);
    kit_open(&k, "compressed", &deflated);
    CHECK_EQ_U64("nothing used yet", pump_park_at_ms(&k.pump, 100, 10), 0);
    kit_put_frames(&wire, frames, COUNT(frames));
    kit_up(&k, wire.data, wire.len);
    uint64_t now_ms = 1000;
    size_t blocks = mem_live_blocks();
    CHECK_EQ_U64("after the last payload", pump_park_at_ms(&k.pump, now_ms + 5, 10), now_ms + 15);
    pump_park(&k.pump, now_ms);
    CHECK_TRUE("less", mem_live_blocks() <= blocks);
    uint64_t at_ms = pump_park_at_ms(&k.pump, 1, 10);
    CHECK_TRUE("not again at once", at_ms == 0 || at_ms == now_ms + 10);
    wire.len = 0;
    kit_put_frames(&wire, (const struct kit_frame[]){TEXT("plain"), CLOSE_1000}, 2);
    kit_up(&k, wire.data, wire.len);
    CHECK_EQ_MEM(k.row, k.to_backend.data, k.to_backend.len, "packedplain", 11);
    client_drop(&wire);
    kit_close(&k);
}

// Whichever allocation fails, the session learns of it and nothing is lost.
static void test_no_memory(void)
{
    static const struct kit_rules packed = {.shape = {KIT_DEFLATE}, .collect_bytes = 9};
    static const struct kit_rules *const rules[] = {&collecting, &packed, &deflated};
    static const struct kit_frame token[] = {TEXT("token"), PING("p")};
    for (size_t i = 0; i < COUNT(rules); i++) {
        bool has_failed = true;
        for (size_t n = 1; has_failed && n < 50; n++) {
            struct kit k;
            struct client_bytes wire = {0};
            char row[32];
            snprintf(row, sizeof(row), "rules %zu, allocation %zu", i, n);
            if (rules[i]->collect_bytes > 0) {
                kit_put_frames(&wire, token, COUNT(token));
            }
            if (rules[i]->shape.is_deflate) {
                kit_put_long(&wire, MIB, NULL, 0);
            }
            struct kit_rules later = *rules[i];
            kit_open(&k, row, &plain);
            mem_fail_after(n);
            pump_shape(&k.pump, &later.shape);
            if (later.collect_bytes > 0 && !k.pump.no_memory) {
                k.mode = PUMP_COLLECT;
                pump_collect(&k.pump, later.collect_bytes);
            }
            if (!k.pump.no_memory) {
                kit_send_up(&k, &wire);
            }
            mem_fail_after(0);
            has_failed = k.pump.no_memory || k.is_over;
            CHECK_TRUE(row, has_failed || n > 1);
            client_drop(&wire);
            kit_close(&k);
        }
        CHECK_FALSE("all allocations were tried", has_failed);
    }
}

CU_TestInfo pump_flow_tests[] = {
    {"held and resumed", test_held_and_resumed},
    {"held and discarded", test_held_and_discarded},
    {"a share of the turn", test_share},
    {"behind the first message", test_behind_the_first_message},
    {"a first message that inflates far", test_first_message_that_inflates_far},
    {"batches", test_batches},
    {"from the backend", test_backend},
    {"parking", test_parking},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
