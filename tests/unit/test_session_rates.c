/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session at the rates of its route: who waits is neither idle nor lost nor stuck, and every end
 * works while somebody waits. */
#include "base/clock.h"
#include "session_kit.h"
#include "suites.h"

static uint8_t block[30000];

static size_t wanted;

static bool has_backend_heard(const struct kit *k)
{
    (void)k;
    return kit_backend_heard.len >= wanted;
}

static bool has_client_heard(const struct kit *k)
{
    (void)k;
    return kit_client_heard.len >= wanted;
}

static bool is_backend_there(const struct kit *k)
{
    return k->backend != -1;
}

static bool open_at(const char *row, struct kit *k, const char *request, const char *route)
{
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (uint8_t)(i * 11 + i / 241);
    }
    kit_open(k, "", route);
    return kit_connect(row, k, request) &&
           (strcmp(request, KIT_ECHO) == 0 || CHECK_TRUE(row, kit_until(k, is_backend_there)));
}

static void wait_ms(struct kit *k, uint64_t ms)
{
    uint64_t ends_ms = clock_now_ms() + ms;
    while (clock_now_ms() < ends_ms) {
        kit_turn(k);
        usleep(500);
    }
}

/* --- it takes its time ----------------------------------------------------------------------- */

static const struct {
    const char *row;
    const char *request;
    const char *keys;
    size_t count;         /* frames of the client */
    size_t len;           /* of each */
    size_t backend_bytes; /* from the backend */
    uint64_t least_ms;
} flows[] = {
    {"up", KIT_TCP, "rate_up = 20000", 1, 30000, 0, 500},
    {"down", KIT_TCP, "rate_down = 20000", 0, 0, 30000, 500},
    {"echo, up", KIT_ECHO, "rate_up = 20000", 1, 30000, 0, 500},
    {"echo, down", KIT_ECHO, "rate_down = 20000", 1, 30000, 0, 500},
    {"messages", KIT_TCP, "messages = 20/s", 30, 10, 0, 500},
    {"messages of an echo", KIT_ECHO, "messages = 20/s", 30, 10, 0, 500},
    {"all", KIT_TCP, "rate_up = 20000\nrate_down = 20000\nmessages = 20/s", 30, 100, 30000, 500},
};

/* All arrives, and not before its time; meanwhile every deadline is shorter than the wait. */
static void test_flows(void)
{
    for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
        struct kit k;
        char keys[256];
        snprintf(keys, sizeof(keys), "%s\nwrite_timeout = 60ms\nclose_timeout = 200ms",
                 flows[i].keys);
        if (!open_at(flows[i].row, &k, flows[i].request, keys)) {
            return;
        }
        bool is_echo = strcmp(flows[i].request, KIT_ECHO) == 0;
        uint64_t began_ms = clock_now_ms();
        for (size_t n = 0; n < flows[i].count; n++) {
            kit_client_frame(&k, 0x82, block, flows[i].len);
        }
        kit_backend_says(&k, block, flows[i].backend_bytes);
        wanted = is_echo ? flows[i].count * (2 + flows[i].len) : flows[i].backend_bytes;
        CHECK_TRUE(flows[i].row, kit_until(&k, has_client_heard));
        wanted = is_echo ? 0 : flows[i].count * flows[i].len;
        CHECK_TRUE(flows[i].row, kit_until(&k, has_backend_heard));
        CHECK_EQ_U64(flows[i].row, kit_backend_heard.len, wanted);
        CHECK_TRUE(flows[i].row, clock_now_ms() - began_ms >= flows[i].least_ms - 20);
        kit_client_closes(&k);
        CHECK_TRUE(flows[i].row, is_echo || kit_until(&k, kit_is_backend_ended));
        k.is_backend_ending = true;
        CHECK_TRUE(flows[i].row, kit_until(&k, kit_has_fin));
        k.client.is_in_fin = true;
        kit_close(flows[i].row, &k, LIFE_CLIENT_CLOSE);
    }
}

/* --- deadlines ------------------------------------------------------------------------------- */

/* The second message comes after a second. Every deadline is shorter. */
static void test_deadlines(void)
{
    struct kit k;
    if (!open_at("deadlines", &k, KIT_TCP,
                 "messages = 60/m\nidle_timeout = 150ms\nping_interval = 50ms\n"
                 "pong_timeout = 60ms\nwrite_timeout = 60ms")) {
        return;
    }
    for (size_t n = 0; n < 2; n++) {
        kit_client_frame(&k, 0x82, block, 10);
    }
    wait_ms(&k, 400);
    CHECK_FALSE("neither idle nor lost", k.client.has_fin || kit_is_gone(&k));
    CHECK_EQ_U64("nor asked", kit_client_heard.len, 0);
    CHECK_EQ_U64("one", kit_backend_heard.len, 10);
    wanted = 20;
    CHECK_TRUE("the other", kit_until(&k, has_backend_heard));
    wanted = 2;
    CHECK_TRUE("Ping", kit_until(&k, has_client_heard)); /* deadlines run again */
    CHECK_EQ_MEM("Ping", kit_client_heard.data, 2, "\x89\0", 2);
    CHECK_TRUE("lost", kit_until(&k, kit_is_backend_ended));
    kit_close("deadlines", &k, LIFE_CLIENT_LOST);
}

/* A frame whose header takes longer than idle_timeout is no silence. */
static void test_slow_header(void)
{
    struct kit k;
    if (!open_at("header", &k, KIT_TCP, "rate_up = 20\nidle_timeout = 200ms\nping_interval = 0")) {
        return;
    }
    kit_client_frame(&k, 0x82, block, PUMP_BURST_BYTES - 8);
    wanted = PUMP_BURST_BYTES - 8;
    CHECK_TRUE("burst", kit_until(&k, has_backend_heard));
    kit_client_frame(&k, 0x82, block, 10000);
    wait_ms(&k, 300);
    CHECK_FALSE("not idle", k.client.has_fin || kit_is_gone(&k));
    wanted++;
    CHECK_TRUE("payload", kit_until(&k, has_backend_heard));
    session_kill_all(&k.context);
    kit_close("header", &k, LIFE_SHUTDOWN);
}

/* A client that sends nothing more is idle, whatever it has used up. */
static void test_idle(void)
{
    struct kit k;
    if (!open_at("idle", &k, KIT_TCP,
                 "messages = 1/d\nidle_timeout = 100ms\nclose_timeout = 10ms")) {
        return;
    }
    kit_client_frame(&k, 0x82, block, 10);
    CHECK_TRUE("idle", kit_until(&k, kit_has_fin));
    kit_client_leaves(&k);
    kit_close("idle", &k, LIFE_IDLE);
}

/* --- ends while a side waits ----------------------------------------------------------------- */

enum how { HOW_KICK = 0, HOW_DRAIN, HOW_BACKEND_FIN, HOW_KILL };

static const struct {
    const char *row;
    enum how how;
    enum life_ending ending;
    bool is_close_sent;
} ends[] = {
    {"kick", HOW_KICK, LIFE_KICKED, true},
    {"drain", HOW_DRAIN, LIFE_DRAIN, true},
    {"FIN of the backend", HOW_BACKEND_FIN, LIFE_BACKEND_CLOSE, true},
    {"kill", HOW_KILL, LIFE_SHUTDOWN, false},
};

/* The client waits for messages = 1/d, with held bytes. */
static void test_ends(void)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct kit k;
        if (!open_at(ends[i].row, &k, KIT_TCP, "messages = 1/d\nclose_timeout = 3s")) {
            return;
        }
        for (size_t n = 0; n < 3; n++) {
            kit_client_frame(&k, 0x82, block, 10);
        }
        wanted = 10;
        CHECK_TRUE(ends[i].row, kit_until(&k, has_backend_heard));
        kit_settle(&k);
        switch (ends[i].how) {
        case HOW_KICK:
        case HOW_DRAIN:
            session_end_some(&k.context, ends[i].ending, 1);
            break;
        case HOW_BACKEND_FIN:
            kit_backend_says(&k, "last", 4);
            k.is_backend_ending = true;
            break;
        case HOW_KILL:
            session_kill_all(&k.context);
            break;
        }
        if (ends[i].is_close_sent) {
            kit_client_leaves(&k); /* the Close is found, although no message may pass */
            CHECK_TRUE(ends[i].row, kit_until(&k, kit_has_fin));
            size_t at = ends[i].how == HOW_BACKEND_FIN ? 6 : 0;
            CHECK_EQ_U64(ends[i].row, kit_client_heard.data[at], 0x88);
            CHECK_TRUE(ends[i].row, at == 0 || memcmp(kit_client_heard.data + 2, "last", 4) == 0);
        }
        CHECK_EQ_U64(ends[i].row, kit_backend_heard.len, 10);
        kit_close(ends[i].row, &k, ends[i].ending);
    }
}

/* The Close and the FIN come behind what the client sent before, and so do those of the backend. */
static void test_orderly(void)
{
    static const char *const rows[] = {"Close", "FIN", "backend's FIN"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit k;
        if (!open_at(rows[i], &k, KIT_TCP, "messages = 10/s\nrate_down = 10000")) {
            return;
        }
        if (i == 2) {
            kit_backend_says(&k, block, 13000);
            k.is_backend_ending = true;
            wanted = 13000;
            CHECK_TRUE(rows[i], kit_until(&k, has_client_heard));
            CHECK_TRUE(rows[i], kit_until(&k, kit_is_backend_ended));
            kit_client_leaves(&k);
            kit_close(rows[i], &k, LIFE_BACKEND_CLOSE);
            continue;
        }
        for (size_t n = 0; n < 13; n++) {
            kit_client_frame(&k, 0x82, block, 10);
        }
        if (i == 0) {
            kit_client_closes(&k);
        }
        k.client.is_in_fin = true;
        CHECK_TRUE(rows[i], kit_until(&k, kit_is_backend_ended));
        CHECK_EQ_U64(rows[i], kit_backend_heard.len, 130);
        close(k.backend);
        k.backend = -1;
        kit_close(rows[i], &k, i == 0 ? LIFE_CLIENT_CLOSE : LIFE_CLIENT_EOF);
    }
}

/* --- who asks -------------------------------------------------------------------------------- */

static void test_shown(void)
{
    static struct roster_writer writer;
    struct kit k;
    struct roster_entry entry;
    kit_open(&k, "", "messages = 1/d\nrate_down = 1");
    writer = (struct roster_writer){
        .roster = roster_new(k.config, (const uint8_t[SIPHASH_KEY_BYTES]){7})};
    memory_expect(writer.roster != NULL, "shared memory");
    k.context.roster = &writer;
    k.context.is_shown = true;
    if (!kit_connect("shown", &k, KIT_TCP)) {
        return;
    }
    kit_client_frame(&k, 0x82, block, 10);
    kit_client_frame(&k, 0x82, block, 10);
    kit_backend_says(&k, block, PUMP_BURST_BYTES + 100);
    wanted = PUMP_BURST_BYTES;
    CHECK_TRUE("burst", kit_until(&k, has_client_heard));
    kit_settle(&k);
    session_show_some(&k.context, 10);
    CHECK_TRUE("a row", roster_next(writer.roster, 0, &entry) != 0);
    CHECK_EQ_U64("client", entry.live.client_pause, ROSTER_RATE);
    CHECK_EQ_U64("backend", entry.live.backend_pause, ROSTER_RATE);
    session_kill_all(&k.context);
    kit_close("shown", &k, LIFE_SHUTDOWN);
}

CU_TestInfo session_rates_tests[] = {
    {"it takes its time", test_flows},
    {"deadlines", test_deadlines},
    {"a slow header", test_slow_header},
    {"idle", test_idle},
    {"ends", test_ends},
    {"orderly ends", test_orderly},
    {"shown", test_shown},
    CU_TEST_INFO_NULL,
};
