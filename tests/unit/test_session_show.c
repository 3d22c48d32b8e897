/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The row of a session in the roster, and the end that somebody asks for there. */
#include "session_kit.h"
#include "suites.h"

static struct roster_writer writer;

static void open_shown(struct kit *k, const char *route)
{
    kit_open(k, "", route);
    writer = (struct roster_writer){
        .roster = roster_new(k->config, (const uint8_t[SIPHASH_KEY_BYTES]){7})};
    memory_expect(writer.roster != NULL, "shared memory");
    k->context.roster = &writer;
    k->context.is_shown = true;
}

// The only row; false: there is none.
static bool row_of(struct roster_entry *out)
{
    uint32_t row = roster_next(writer.roster, 0, out);
    struct roster_entry other;
    return row != 0 && roster_next(writer.roster, row, &other) == 0;
}

static bool has_no_row(void)
{
    struct roster_entry entry;
    return roster_next(writer.roster, 0, &entry) == 0;
}

static void test_row(void)
{
    struct kit k;
    struct roster_entry entry;
    open_shown(&k, "");
    if (!kit_connect("row", &k, KIT_TCP) || !CHECK_TRUE("a row", row_of(&entry))) {
        return;
    }
    CHECK_EQ_INT("phase", entry.live.phase, LIFE_OPEN);
    CHECK_EQ_STR("route", entry.party.route, "tcp");
    CHECK_TRUE("backend", strncmp(entry.party.backend, "tcp://127.0.0.1:", 16) == 0);
    CHECK_EQ_U64("nothing yet", entry.live.up_bytes, 0);

    kit_client_frame(&k, 0x82, "hello", 5);
    kit_settle(&k);
    CHECK_TRUE("a row", row_of(&entry));
    CHECK_EQ_U64("a byte writes no row", entry.live.up_bytes, 0);
    session_show_some(&k.context, 1);
    CHECK_TRUE("a row", row_of(&entry));
    CHECK_EQ_U64("the walk does", entry.live.up_bytes, 5);
    CHECK_EQ_U64("messages", entry.live.up_messages, 1);
    CHECK_EQ_U64("it reads", entry.live.client_pause, ROSTER_READ);

    kit_client_closes(&k);
    kit_settle(&k);
    k.is_backend_ending = true;
    CHECK_TRUE("FIN", kit_until(&k, kit_has_fin));
    k.client.is_in_fin = true;
    kit_close("row", &k, LIFE_CLIENT_CLOSE);
    CHECK_TRUE("gone", has_no_row());
}

// A client that takes nothing of its echo.
static void test_pause(void)
{
    static uint8_t block[60000];
    struct kit k;
    struct roster_entry entry;
    open_shown(&k, "");
    if (!kit_connect("pause", &k, KIT_ECHO)) {
        return;
    }
    k.client.budget_bytes = 0;
    for (int i = 0; i < 3; i++) {
        kit_client_frame(&k, 0x82, block, sizeof(block));
        kit_settle(&k);
    }
    session_show_some(&k.context, 10);
    CHECK_TRUE("a row", row_of(&entry));
    CHECK_EQ_U64("the client", entry.live.client_pause, ROSTER_CLIENT_SLOW);
    CHECK_TRUE("waits", entry.live.queued_client_bytes > 60000);
    session_kill_all(&k.context);
    kit_close("pause", &k, LIFE_SHUTDOWN);
    CHECK_TRUE("gone", has_no_row());
}

static void test_kick(void)
{
    struct kit k;
    struct roster_entry entry;
    open_shown(&k, "");
    if (!kit_connect("kick", &k, KIT_TCP) || !CHECK_TRUE("a row", row_of(&entry))) {
        return;
    }
    kit_settle(&k);
    session_end_unwanted(&k.context);
    kit_settle(&k);
    CHECK_EQ_U64("nobody asked", kit_client_heard.len, 0);
    CHECK_TRUE("asked", roster_ask_to_end(writer.roster, 0, entry.party.number));
    CHECK_TRUE("heard", roster_take_wishes(&writer));
    session_end_unwanted(&k.context);
    kit_settle(&k);
    kit_heard_is("Close",
                 "\x88\x1b\x03\xf0"
                 "ended by the operator 0-0",
                 29);
    session_end_unwanted(&k.context); // once is enough
    kit_settle(&k);
    CHECK_EQ_U64("no second Close", kit_client_heard.len, 29);
    CHECK_EQ_INT("FIN", k.backend_end, KIT_BACKEND_FIN);
    kit_client_leaves(&k);
    kit_close("kick", &k, LIFE_KICKED);
    CHECK_TRUE("gone", has_no_row());
}

// Somebody begins to look at sessions that are there; the session under the walk goes.
static void test_walk(void)
{
    struct kit k;
    struct roster_entry entry;
    open_shown(&k, "");
    k.context.is_shown = false;
    if (!kit_connect("walk", &k, KIT_ECHO)) {
        return;
    }
    CHECK_TRUE("nobody looks", has_no_row());
    session_show_some(&k.context, 0);
    k.context.is_shown = true;
    session_show_some(&k.context, 5);
    CHECK_TRUE("a row", row_of(&entry));
    session_show_some(&k.context, 0); // stands at the session
    kit_client_closes(&k);
    k.client.is_in_fin = true;
    kit_close("walk", &k, LIFE_CLIENT_CLOSE);
    CHECK_TRUE("gone", has_no_row());
}

CU_TestInfo session_show_tests[] = {
    {"the row", test_row},
    {"who is paused", test_pause},
    {"an end that somebody wants", test_kick},
    {"the walk", test_walk},
    CU_TEST_INFO_NULL,
};
