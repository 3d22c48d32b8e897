/* SPDX-License-Identifier: GPL-3.0-or-later */
// The rates of gate/pump, with a clock that the test turns: how much passes when, and that nothing
// is lost.
#include "give_up.h"
#include "pump_kit.h"
#include "suites.h"

#define START_MS ((uint64_t)123456)
#define STEP_MAX 10000

static const struct kit_rules plain = {.accept = WS_ACCEPT_ANY};
static const struct kit_rules echo = {.shape = {.is_echo = true}};
static const struct kit_rules deflated = {.shape = {KIT_DEFLATE}};

static uint8_t pattern[100000];

static void open_limited(struct kit *k, const char *row, const struct kit_rules *rules,
                         const struct pump_rates *rates)
{
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    }
    kit_open(k, row, rules);
    pump_limit(&k->pump, rates, START_MS);
}

// What a session does in one event: both sides, as far as the pump wants it. Both peers read.
static bool step(struct kit *k)
{
    struct pump_report report;
    uint8_t *data = NULL;
    size_t len = 0;
    bool has_moved = false;
    if (pump_is_held(&k->pump) && !pump_is_message_throttled(&k->pump)) {
        pump_resume(&k->pump, k->mode, &report);
        kit_heed(k, &report);
        has_moved = true;
    }
    pump_interest(&k->pump, &k->life);
    if (!k->is_over && (k->client.want & REACTOR_READ) != 0 && kit_read_client(k)) {
        has_moved = true;
    }
    if ((k->backend.want & REACTOR_READ) != 0 &&
        conn_read(&k->pump.backend, pump_backend_room(&k->pump), &data, &len) == CONN_OK) {
        pump_backend_bytes(&k->pump, data, len, &report);
        has_moved = true;
    }
    kit_hear(k);
    return has_moved;
}

// All that may happen in this millisecond, `at_ms` after the beginning.
static void at(struct kit *k, uint64_t at_ms)
{
    size_t steps = 0;
    do {
        pump_tell_time(&k->pump, START_MS + at_ms);
        if (++steps > STEP_MAX) {
            CHECK_TRUE(k->row, steps == 0);
            GIVE_UP();
        }
    } while (step(k));
    pump_tell_time(&k->pump, START_MS + at_ms);
}

static void push_frame(struct kit *k, uint8_t first, const void *payload, size_t len)
{
    struct client_bytes wire = {0};
    kit_put_frame(&wire, first, (struct span){payload, len});
    memory_push(&k->client, wire.data, wire.len);
    client_drop(&wire);
}

// --- bytes --------------------------------------------------------------------------------------

#define RATE 10000
#define PORTION (RATE / 10) // who waits gets so much at a time

#define HEADER 14 // of the client's one frame, which counts

// One large frame: a burst, then an even flow.
static void test_up(void)
{
    struct kit k;
    open_limited(&k, "up", &plain, &(struct pump_rates){.up_bytes = RATE});
    push_frame(&k, 0x82, pattern, sizeof(pattern));
    for (uint64_t ms = 0; ms <= 9100; ms++) {
        at(&k, ms);
        uint64_t most = size_min(sizeof(pattern) + HEADER, RATE + RATE * ms / 1000);
        uint64_t wire = k.to_backend.len + HEADER;
        if (!CHECK_TRUE("most", wire <= most) || !CHECK_TRUE("even", wire + PORTION >= most)) {
            break;
        }
    }
    CHECK_EQ_MEM("up", k.to_backend.data, k.to_backend.len, pattern, sizeof(pattern));
    kit_close(&k);
}

// The frame headers that we write do not count.
static void test_down(void)
{
    struct kit k;
    size_t heard = 0;
    open_limited(&k, "down", &plain, &(struct pump_rates){.down_bytes = RATE});
    memory_push(&k.backend, pattern, sizeof(pattern));
    for (uint64_t ms = 0; ms <= 9100; ms++) {
        at(&k, ms);
        CHECK_TRUE("down", k.pump.down_bytes <= RATE + RATE * ms / 1000);
        CHECK_TRUE("even", k.pump.down_bytes + PORTION + 1 >=
                               size_min(sizeof(pattern), RATE + RATE * ms / 1000));
        if (ms % 100 == 0) { // more often than it looks, and in pieces of what flows in by then
            CHECK_TRUE("no gap", ms > 9000 || k.to_client.len > heard);
            heard = k.to_client.len;
        }
        CHECK_FALSE("the client is read", pump_is_client_throttled(&k.pump));
    }
    CHECK_EQ_U64("down", k.pump.down_bytes, sizeof(pattern));
    kit_close(&k);
}

// The one direction of an echo route has both rates.
static void test_echo(void)
{
    static const struct pump_rates both[] = {
        {.up_bytes = RATE, .down_bytes = 10 * RATE},
        {.up_bytes = 10 * RATE, .down_bytes = RATE},
    };
    for (size_t i = 0; i < COUNT(both); i++) {
        struct kit k;
        open_limited(&k, i == 0 ? "echo, up" : "echo, down", &echo, &both[i]);
        push_frame(&k, 0x82, pattern, sizeof(pattern));
        for (uint64_t ms = 0; ms <= 9100; ms++) {
            at(&k, ms);
            CHECK_TRUE(k.row, k.pump.up_bytes <= RATE + RATE * ms / 1000);
        }
        CHECK_EQ_U64(k.row, k.pump.up_bytes, sizeof(pattern));
        kit_close(&k);
    }
}

// Behind the burst one byte a second, at the very time that the pump names.
static void test_tiny(void)
{
    struct kit k;
    open_limited(&k, "tiny", &plain, &(struct pump_rates){.up_bytes = 1});
    push_frame(&k, 0x82, pattern, 5000);
    at(&k, 0);
    CHECK_EQ_U64("burst", k.to_backend.len, PUMP_BURST_BYTES - 8);
    CHECK_TRUE("throttled", pump_is_client_throttled(&k.pump));
    for (uint64_t s = 1; s < 20; s++) {
        CHECK_EQ_U64("until", pump_throttled_until_ms(&k.pump), START_MS + s * 1000);
        at(&k, s * 1000 - 1);
        CHECK_EQ_U64("not yet", k.to_backend.len, PUMP_BURST_BYTES - 8 + s - 1);
        at(&k, s * 1000);
        CHECK_EQ_U64("now", k.to_backend.len, PUMP_BURST_BYTES - 8 + s);
    }
    kit_close(&k);
}

// How often the pump asks to be woken in a second, and so reads, while the backend sends without
// end: seldom where each time would bring a few bytes.
static void test_wakes(void)
{
    static const struct {
        const char *row;
        uint64_t rate;
        size_t wakes;
    } rows[] = {{"1 a second", 1, 1},        {"5 a second", 5, 5},
                {"19 a second", 19, 19},     {"100 a second", 100, 10},
                {"4k a second", 4096, 10},   {"20k a second", 20480, 20},
                {"40k a second", 40960, 40}, {"80k a second", 80000, 50}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        size_t wakes = 0;
        open_limited(&k, rows[i].row, &plain, &(struct pump_rates){.down_bytes = rows[i].rate});
        memory_push(&k.backend, pattern, sizeof(pattern));
        memory_push(&k.backend, pattern, sizeof(pattern));
        for (uint64_t at_ms = 0; at_ms <= 1000;) {
            at(&k, at_ms);
            at_ms = pump_throttled_until_ms(&k.pump) - START_MS;
            wakes += at_ms <= 1000;
        }
        CHECK_TRUE(k.row, wakes <= rows[i].wakes && wakes + 2 >= rows[i].wakes);
        kit_close(&k);
    }
}

// --- messages -----------------------------------------------------------------------------------

// All in one read; what there is no room for is held.
static void test_messages(void)
{
    struct kit k;
    open_limited(&k, "messages", &plain, &(struct pump_rates){.messages = {200, 1000}});
    for (size_t i = 0; i < 1000; i++) {
        push_frame(&k, 0x82, pattern + i, 1);
    }
    for (uint64_t ms = 0; ms <= 4020; ms++) {
        at(&k, ms);
        size_t most = size_min(1000, 200 + 200 * ms / 1000);
        CHECK_TRUE("most", k.to_backend.len <= most);
        CHECK_TRUE("even", k.to_backend.len + 4 >= most);
    }
    CHECK_EQ_MEM("all", k.to_backend.data, k.to_backend.len, pattern, 1000);
    CHECK_FALSE("nothing held", pump_is_held(&k.pump));
    CHECK_EQ_U64("no wait", pump_throttled_until_ms(&k.pump), 0);
    kit_close(&k);
}

// While nothing is held the client is read: how it ends shows, and its Pong.
static void test_one_a_minute(void)
{
    struct kit k;
    open_limited(&k, "1/m", &plain, &(struct pump_rates){.messages = {1, 60000}});
    push_frame(&k, 0x02, "a", 1);
    push_frame(&k, 0x80, "b", 1); // pieces of one message count once
    at(&k, 0);
    CHECK_EQ_U64("burst", k.to_backend.len, 2);
    CHECK_FALSE("read on", pump_is_client_throttled(&k.pump));
    CHECK_TRUE("read on", (k.client.want & REACTOR_READ) != 0);
    push_frame(&k, 0x82, "c", 1);
    push_frame(&k, 0x82, "d", 1);
    at(&k, 1000);
    CHECK_TRUE("throttled", pump_is_client_throttled(&k.pump));
    CHECK_FALSE("nobody is stuck", pump_awaits(&k.pump, &k.life, &k.pump.backend));
    CHECK_EQ_U64("until", pump_throttled_until_ms(&k.pump), START_MS + 60000);
    at(&k, 59999);
    CHECK_EQ_U64("not yet", k.to_backend.len, 2);
    at(&k, 60000);
    CHECK_EQ_U64("now", k.to_backend.len, 3);
    at(&k, 119999);
    CHECK_EQ_U64("not yet", k.to_backend.len, 3);
    at(&k, 120000);
    CHECK_EQ_U64("now", k.to_backend.len, 4);
    CHECK_FALSE("nothing held", pump_is_held(&k.pump));
    kit_close(&k);
}

static void test_control(void)
{
    static const uint8_t kinds[] = {0x89, 0x8a};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct kit k;
        open_limited(&k, i == 0 ? "Pings" : "Pongs", &plain,
                     &(struct pump_rates){.messages = {10, 1000}});
        for (size_t n = 0; n < 20; n++) {
            push_frame(&k, kinds[i], "", 0);
        }
        push_frame(&k, 0x82, "x", 1);
        at(&k, 0);
        CHECK_EQ_U64(k.row, k.to_client.len, i == 0 ? 10 * 2 : 0);
        at(&k, 999);
        CHECK_EQ_U64(k.row, k.to_backend.len, 0);
        for (uint64_t ms = 1000; ms <= 1100; ms++) {
            at(&k, ms);
        }
        CHECK_EQ_U64(k.row, k.to_client.len, i == 0 ? 20 * 2 : 0);
        CHECK_EQ_U64(k.row, k.to_backend.len, 1);
        kit_close(&k);
    }
}

// A page answers our Pings, whatever it has used up: that costs it nothing, and shows that it
// lives.
static void test_own_pings(void)
{
    for (size_t cut = 0; cut <= 6; cut++) {
        struct kit k;
        struct client_bytes wire = {0};
        open_limited(&k, "own Pings", &plain, &(struct pump_rates){.messages = {1, 60000}});
        kit_put_frame(&wire, 0x8a, SPAN_LIT(""));
        for (uint64_t s = 1; s < 50; s++) { // the room for its one message stays
            pump_send_ping(&k.pump);
            memory_push(&k.client, wire.data, cut);
            at(&k, s * 1000);
            memory_push(&k.client, wire.data + cut, wire.len - cut);
            at(&k, s * 1000);
            CHECK_FALSE("a Pong waits", pump_is_held(&k.pump));
        }
        push_frame(&k, 0x82, "x", 1);
        at(&k, 50000);
        CHECK_EQ_U64("the message", k.to_backend.len, 1);
        pump_send_ping(&k.pump);
        memory_push(&k.client, wire.data, wire.len); // without room
        push_frame(&k, 0x82, "y", 1);
        at(&k, 51000);
        CHECK_EQ_U64("no room", k.to_backend.len, 1);
        at(&k, 110000);
        CHECK_EQ_U64("room", k.to_backend.len, 2);
        memory_push(&k.client, wire.data, wire.len); // answers nothing, so it counts
        push_frame(&k, 0x82, "z", 1);
        at(&k, 170000);
        CHECK_EQ_U64("the Pong's", k.to_backend.len, 2);
        at(&k, 230000);
        CHECK_EQ_U64("room again", k.to_backend.len, 3);
        client_drop(&wire);
        kit_close(&k);
    }
}

// The Close comes behind what was sent before it; a session that has ended finds it at once.
static void test_close(void)
{
    for (int is_ended = 0; is_ended < 2; is_ended++) {
        struct kit k;
        struct pump_report report;
        open_limited(&k, is_ended ? "ended" : "Close", &plain,
                     &(struct pump_rates){.messages = {1, 1000}});
        for (size_t i = 0; i < 3; i++) {
            push_frame(&k, 0x82, pattern, 100);
        }
        push_frame(&k, 0x88, "\x03\xe8", 2);
        at(&k, 0);
        CHECK_EQ_STR(k.row, k.story, "");
        if (is_ended) {
            pump_resume(&k.pump, PUMP_DISCARD, &report);
            kit_heed(&k, &report);
        } else {
            at(&k, 1000);
            CHECK_EQ_STR(k.row, k.story, "");
            at(&k, 2000);
            at(&k, 3000);
        }
        CHECK_EQ_STR(k.row, k.story, "close(1000)");
        CHECK_EQ_U64(k.row, k.to_backend.len, is_ended ? 100 : 300);
        kit_close(&k);
    }
}

// Nothing but the Close passes without room, whatever its cut.
static void test_close_alone(void)
{
    for (size_t cut = 0; cut <= 8; cut++) {
        struct kit k;
        struct client_bytes wire = {0};
        open_limited(&k, "Close alone", &plain, &(struct pump_rates){.messages = {1, 1000}});
        kit_put_frame(&wire, 0x88, SPAN_LIT("\x03\xe8"));
        push_frame(&k, 0x82, "x", 1);
        memory_push(&k.client, wire.data, cut);
        at(&k, 0);
        memory_push(&k.client, wire.data + cut, wire.len - cut);
        at(&k, 0);
        CHECK_EQ_STR(k.row, k.story, "close(1000)");
        client_drop(&wire);
        kit_close(&k);
    }
}

// A message that inflates to more than the queue holds, and messages behind it.
static void test_deflated(void)
{
    static const struct kit_frame behind[] = {PACKED("one"), TEXT("two"), CLOSE_1000};
    struct kit k;
    struct client_bytes wire = {0};
    open_limited(&k, "deflated", &deflated, &(struct pump_rates){.messages = {1, 1000}});
    kit_put_long(&wire, 4 * MIB, behind, COUNT(behind));
    memory_push(&k.client, wire.data, wire.len);
    at(&k, 0);
    CHECK_EQ_U64("whole", k.to_backend.len, 4 * MIB);
    at(&k, 999);
    CHECK_EQ_U64("not yet", k.to_backend.len, 4 * MIB);
    at(&k, 1000);
    CHECK_EQ_U64("one", k.to_backend.len, 4 * MIB + 3);
    at(&k, 2000);
    CHECK_EQ_U64("two", k.to_backend.len, 4 * MIB + 6);
    at(&k, 3000);
    CHECK_EQ_STR("Close", k.story, "close(1000)");
    client_drop(&wire);
    kit_close(&k);
}

// Every cut of the stream gives the same bytes at the same times.
static void test_cuts(void)
{
    struct client_bytes wire = {0};
    static const struct kit_frame frames[] = {TEXT("a"), PING("p"), FIRST("b"), PING("q"),
                                              LAST("c"), TEXT(""),  TEXT("d"),  CLOSE_1000};
    kit_put_frames(&wire, frames, COUNT(frames));
    for (size_t cut = 1; cut < wire.len; cut++) {
        struct kit k;
        open_limited(&k, "cuts", &plain, &(struct pump_rates){.messages = {2, 1000}});
        memory_push(&k.client, wire.data, cut);
        at(&k, 0);
        memory_push(&k.client, wire.data + cut, wire.len - cut);
        at(&k, 0);
        CHECK_EQ_MEM("at once", k.to_backend.data, k.to_backend.len, "a", 1);
        at(&k, 500); // the second Ping
        CHECK_EQ_MEM("0.5 s", k.to_client.data, k.to_client.len, "\x8a\x01p\x8a\x01q", 6);
        at(&k, 1000);
        CHECK_EQ_MEM("1 s", k.to_backend.data, k.to_backend.len, "abc", 3);
        at(&k, 1500); // the empty one
        CHECK_EQ_MEM("1.5 s", k.to_backend.data, k.to_backend.len, "abc", 3);
        at(&k, 2000);
        CHECK_EQ_MEM("2 s", k.to_backend.data, k.to_backend.len, "abcd", 4);
        at(&k, 2500);
        CHECK_EQ_STR("Close", k.story, "close(1000)");
        kit_close(&k);
    }
    client_drop(&wire);
}

// --- no rate ------------------------------------------------------------------------------------

static void test_none(void)
{
    struct kit k;
    open_limited(&k, "none", &plain, &(struct pump_rates){.up_bytes = 0});
    CHECK_TRUE("costs nothing", k.pump.kept == NULL);
    CHECK_EQ_U64("a whole read", pump_client_room(&k.pump), PUMP_EMPTY_READ_BYTES);
    CHECK_EQ_U64("no wait", pump_throttled_until_ms(&k.pump), 0);
    kit_close(&k);
}

CU_TestInfo pump_rates_tests[] = {
    {"up", test_up},
    {"down", test_down},
    {"echo", test_echo},
    {"one byte a second", test_tiny},
    {"wake-ups", test_wakes},
    {"messages", test_messages},
    {"one message a minute", test_one_a_minute},
    {"control frames", test_control},
    {"own Pings", test_own_pings},
    {"Close", test_close},
    {"Close alone", test_close_alone},
    {"compressed", test_deflated},
    {"every cut", test_cuts},
    {"no rate", test_none},
    CU_TEST_INFO_NULL,
};
