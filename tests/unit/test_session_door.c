/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions behind a door: what waits for the end of the turn, who goes, who is full. */
#include "session_kit.h"
#include "suites.h"

static struct door door;

static void open_kit(struct kit *k, uint64_t pending_max, uint64_t sessions_max)
{
    const struct door_settings settings = {pending_max, sessions_max, session_serve,
                                           session_put_out};
    kit_open(k, "", "close_timeout = 10ms");
    door_init(&door, k->context.reactor, &settings);
    k->context.door = &door;
}

static void test_guest_waits_for_the_end_of_the_turn(void)
{
    struct kit k;
    open_kit(&k, 4, 4);
    CHECK_TRUE("start", kit_start(&k));
    CHECK_EQ_U64("a guest", door.pending_count, 1);
    kit_client_says(&k, KIT_ECHO);
    memory_poll(&k.client);
    CHECK_EQ_U64("nothing is read in the event", memory_waiting(&k.client), strlen(KIT_ECHO));
    CHECK_EQ_U64("nor does the client wait to be read", memory_ready(&k.client), 0);
    reactor_turn(k.context.reactor, true);
    CHECK_EQ_U64("an answer", kit_take_answer(&k), 101);
    CHECK_EQ_U64("no guest any more", door.pending_count, 0);
    CHECK_EQ_U64("a session", door.session_count, 1);

    kit_client_frame(&k, 0x82, "abc", 3);
    memory_poll(&k.client);
    kit_heard_is("a session is served in its event",
                 "\x82\x03"
                 "abc",
                 5);
    kit_client_closes(&k);
    kit_turn(&k);
    k.client.is_in_fin = true;
    CHECK_TRUE("gone", kit_until(&k, kit_is_gone));
    CHECK_EQ_U64("its place is free", door.session_count, 0);
    kit_close("closed", &k, LIFE_CLIENT_CLOSE);
}

static void test_no_descriptors(void)
{
    struct kit k;
    open_kit(&k, 4, 1);
    door.session_count = 1; /* another one */
    CHECK_TRUE("start", kit_start(&k));
    kit_client_says(&k, KIT_TCP);
    CHECK_EQ_U64("an answer", kit_take_answer(&k), 101);
    CHECK_EQ_U64("it stays a guest", door.pending_count, 1);
    CHECK_EQ_U64("not counted", k.context.scoreboard->slots[0].sessions_now, 0);
    kit_settle(&k);
    CHECK_TRUE("1013", kit_client_heard.len >= 4 && kit_client_heard.data[2] == 0x03 &&
                           kit_client_heard.data[3] == 0xf5);
    kit_client_leaves(&k);
    CHECK_EQ_INT("never dialled", k.backend, -1);
    kit_close("full", &k, LIFE_FULL);
    CHECK_EQ_U64("no guest is left", door.pending_count, 0);
}

static void test_put_out(void)
{
    static const struct {
        const char *name;
        const char *says;
        uint64_t after_ms;
        enum life_ending ending;
    } rows[] = {
        {"silent", "", DOOR_SILENT_MS, LIFE_FULL},
        {"half a head", "GET / HT", DOOR_BEGUN_MS, LIFE_FULL},
        {"refused already", KIT_REQUEST("/nowhere", ""), DOOR_BEGUN_MS, LIFE_NO_ROUTE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *row = rows[i].name;
        struct door_guest other = {.place = DOOR_OUTSIDE};
        struct kit k;
        open_kit(&k, 1, 1);
        CHECK_TRUE(row, kit_start(&k));
        kit_client_says(&k, rows[i].says);
        kit_turn(&k);
        kit_turn(&k);
        CHECK_FALSE(row, door_has_room(&door));
        k.context.reactor->now_ms += rows[i].after_ms;
        CHECK_TRUE(row, door_has_room(&door));
        door_enter(&door, &other);
        CHECK_EQ_INT(row, k.client.state, MEMORY_ABORTED);
        CHECK_EQ_U64(row, door.pending_count, 1);
        kit_close(row, &k, rows[i].ending);
    }
}

CU_TestInfo session_door_tests[] = {
    {"a guest waits for the end of the turn", test_guest_waits_for_the_end_of_the_turn},
    {"no descriptors for one more", test_no_descriptors},
    {"who makes place for another", test_put_out},
    CU_TEST_INFO_NULL,
};
