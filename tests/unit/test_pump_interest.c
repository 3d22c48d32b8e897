/* SPDX-License-Identifier: GPL-3.0-or-later */
// Whom gate/pump reads and writes, and how much. test_pump.c tests the modes.
#include "give_up.h"
#include "pump_kit.h"
#include "suites.h"

static const struct kit_rules plain = {.accept = WS_ACCEPT_ANY};
static const struct kit_rules deflated = {.shape = {KIT_DEFLATE}};
static const struct kit_rules deflated_echo = {.shape = {KIT_DEFLATE, .is_echo = true}};
static const struct kit_rules lines = {
    .shape = {.framing = {.kind = FRAMING_LINE, .max_bytes = 8}}};
static const struct kit_rules collecting = {.collect_bytes = 9};

static void set_level(struct conn *c, size_t level)
{
    static uint8_t block[KIT_HIGH_BYTES + PUMP_OVERSHOOT_BYTES];
    while (conn_queued(c) == 0 && level > 0) { // the kernel takes what it can
        struct iovec one = {block, 1};
        if (conn_send(c, &one, 1) != CONN_OK) {
            GIVE_UP();
        }
    }
    if (conn_queued(c) > level) {
        buf_consume(&c->out, conn_queued(c) - level);
    } else if (conn_queued(c) < level) {
        if (buf_append(&c->out, block, level - conn_queued(c)) != BUF_OK) {
            GIVE_UP();
        }
    }
}

static void test_valves(void)
{
    static const struct {
        size_t level;
        bool is_full;
    } rows[] = {
        {0, false},
        {KIT_HIGH_BYTES - 1, false},
        {KIT_HIGH_BYTES, true},
        {KIT_HIGH_BYTES + PUMP_OVERSHOOT_BYTES, true},
        {KIT_HIGH_BYTES - 1, true},
        {KIT_LOW_BYTES + 1, true},
        {KIT_LOW_BYTES, false},
        {KIT_HIGH_BYTES - 1, false},
        {KIT_HIGH_BYTES, true},
        {0, false},
    };
    for (int side = 0; side < 2; side++) {
        struct kit k;
        kit_open(&k, side == 0 ? "client" : "backend", &plain);
        for (size_t i = 0; i < COUNT(rows); i++) {
            set_level(side == 0 ? &k.pump.client : &k.pump.backend, rows[i].level);
            pump_interest(&k.pump, &k.life);
            CHECK_EQ_INT(k.row, k.pump.is_client_full, side == 0 && rows[i].is_full);
            CHECK_EQ_INT(k.row, k.pump.is_backend_full, side == 1 && rows[i].is_full);
            CHECK_EQ_INT(k.row, pump_is_client_paused(&k.pump), rows[i].is_full);
        }
        kit_close(&k);
    }
}

static void check_wants(struct kit *k, const char *want)
{
    char got[16];
    pump_interest(&k->pump, &k->life);
    snprintf(got, sizeof(got), "%s%s %s%s", k->client.want & REACTOR_READ ? "r" : "-",
             k->client.want & REACTOR_WRITE ? "w" : "-", k->backend.want & REACTOR_READ ? "r" : "-",
             k->backend.want & REACTOR_WRITE ? "w" : "-");
    CHECK_EQ_STR(k->row, got, want);
}

enum holding { NOTHING_HELD, PIECE_HELD, PIECE_HELD_ECHO, COLLECTING, MESSAGE_HELD };

static void prepare(struct kit *k, const char *row, enum holding holding)
{
    static const struct kit_rules *const rules[] = {&plain, &deflated, &deflated_echo, &collecting,
                                                    &collecting};
    static const struct kit_frame frames[] = {TEXT("token"), TEXT("a")};
    struct client_bytes wire = {0};
    kit_open(k, row, rules[holding]);
    if (holding == PIECE_HELD || holding == PIECE_HELD_ECHO) {
        kit_put_long(&wire, 4 * MIB, NULL, 0);
        kit_send_up(k, &wire);
    } else if (holding == MESSAGE_HELD) {
        k->is_message_kept = true;
        kit_put_frames(&wire, frames, COUNT(frames));
        kit_send_up(k, &wire);
    }
    CHECK_EQ_INT(row, pump_is_held(&k->pump), holding != NOTHING_HELD && holding != COLLECTING);
    client_drop(&wire);
}

static void test_interest(void)
{
    static const struct {
        const char *name;
        enum holding holding;
        enum life_phase phase;
        bool has_ended;
        bool is_client_full;
        bool is_backend_full;
        const char *want; // of the client, then of the backend
    } rows[] = {
        {"open", NOTHING_HELD, LIFE_OPEN, false, false, false, "r- r-"},
        {"a full client", NOTHING_HELD, LIFE_OPEN, false, true, false, "-w --"},
        {"a full backend", NOTHING_HELD, LIFE_OPEN, false, false, true, "-- rw"},
        {"both", NOTHING_HELD, LIFE_OPEN, false, true, true, "-w -w"},
        {"the backend's last words", NOTHING_HELD, LIFE_HALF_CLOSED, true, false, false, "r- r-"},
        {"not for a full client", NOTHING_HELD, LIFE_HALF_CLOSED, true, true, false, "rw --"},
        {"the end is read", NOTHING_HELD, LIFE_CLOSING, true, true, true, "rw rw"},
        {"dialling", NOTHING_HELD, LIFE_DIAL, false, false, false, "-- r-"},
        {"held", PIECE_HELD, LIFE_OPEN, false, false, false, "-- rw"},
        {"held, a full client", PIECE_HELD, LIFE_OPEN, false, true, false, "-w --"},
        {"held, a full backend", PIECE_HELD, LIFE_OPEN, false, false, true, "-- rw"},
        {"held, echo", PIECE_HELD_ECHO, LIFE_OPEN, false, false, false, "-w r-"},
        {"held after the end", PIECE_HELD, LIFE_CLOSING, true, false, false, "-- r-"},
        // LIFE_REQUEST stands for the phase between the 101 and DIAL.
        {"collecting", COLLECTING, LIFE_REQUEST, false, false, false, "r- r-"},
        {"Pongs do not leave", COLLECTING, LIFE_REQUEST, false, true, false, "-w r-"},
        {"the end is read", COLLECTING, LIFE_CLOSING, true, true, false, "rw r-"},
        {"a message is whole", MESSAGE_HELD, LIFE_REQUEST, false, false, false, "-- r-"},
        {"dialling behind it", MESSAGE_HELD, LIFE_DIAL, false, false, false, "-- r-"},
        {"open behind it", MESSAGE_HELD, LIFE_OPEN, false, false, false, "-- rw"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        prepare(&k, rows[i].name, rows[i].holding);
        k.life.phase = rows[i].phase;
        k.life.ending = rows[i].has_ended ? LIFE_CLIENT_CLOSE : LIFE_NOT_ENDED;
        set_level(&k.pump.client, rows[i].is_client_full ? KIT_HIGH_BYTES : 0);
        set_level(&k.pump.backend, rows[i].is_backend_full ? KIT_HIGH_BYTES : 0);
        check_wants(&k, rows[i].want);
        kit_close(&k);
    }
}

/* What TLS answers by itself (to key updates, say) goes to the client's queue in every phase. */
static void test_tls_answers(void)
{
    static const struct {
        enum life_phase phase;
        bool is_tls;
        size_t level;
        const char *want;
    } rows[] = {
        {LIFE_TLS, true, KIT_HIGH_BYTES, "-w r-"},
        {LIFE_REQUEST, true, KIT_HIGH_BYTES, "-w r-"},
        {LIFE_CLOSING, true, KIT_HIGH_BYTES, "-w r-"},
        {LIFE_LINGER, true, KIT_HIGH_BYTES, "-w r-"},
        {LIFE_REQUEST, true, 1, "rw r-"},
        {LIFE_REQUEST, false, KIT_HIGH_BYTES, "rw r-"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        kit_open(&k, life_phase_name(rows[i].phase), &plain);
        set_level(&k.pump.client, rows[i].level);
        k.life.phase = rows[i].phase;
        k.pump.client.tls = rows[i].is_tls ? (struct tls *)&k : NULL; /* only asked whether it is */
        check_wants(&k, rows[i].want);
        k.pump.client.tls = NULL;
        kit_close(&k);
    }
}

static void test_room(void)
{
    static const struct {
        const char *name;
        const struct kit_rules *rules;
        size_t client_level;
        size_t backend_level;
        size_t client_room;
        size_t backend_room;
    } rows[] = {
        {"empty", &plain, 0, 0, PUMP_EMPTY_READ_BYTES, PUMP_READ_BYTES},
        {"a shape", &lines, 0, 0, PUMP_READ_BYTES, PUMP_READ_BYTES},
        {"compression", &deflated, 0, 0, PUMP_SMALL_READ_BYTES, PUMP_READ_BYTES},
        {"not known yet", &collecting, 0, 0, PUMP_SMALL_READ_BYTES, PUMP_READ_BYTES},
        {"a byte waits", &plain, 0, 1, PUMP_READ_BYTES, PUMP_READ_BYTES},
        {"a full backend", &plain, 0, KIT_HIGH_BYTES, PUMP_READ_BYTES / 2, PUMP_READ_BYTES},
        {"a full client", &plain, KIT_HIGH_BYTES, 0, PUMP_READ_BYTES / 2, PUMP_READ_BYTES / 2},
        {"over the mark", &plain, KIT_HIGH_BYTES + PUMP_READ_BYTES, 0, 1, 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        kit_open(&k, rows[i].name, rows[i].rules);
        set_level(&k.pump.client, rows[i].client_level);
        set_level(&k.pump.backend, rows[i].backend_level);
        CHECK_EQ_U64(k.row, pump_client_room(&k.pump), rows[i].client_room);
        CHECK_EQ_U64(k.row, pump_backend_room(&k.pump), rows[i].backend_room);
        kit_close(&k);
    }
}

CU_TestInfo pump_interest_tests[] = {
    {"valves", test_valves}, {"interest", test_interest}, {"answers of TLS", test_tls_answers},
    {"room", test_room},     CU_TEST_INFO_NULL,
};
