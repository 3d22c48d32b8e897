/* SPDX-License-Identifier: GPL-3.0-or-later */
// Connections that get files, and what comes between and behind them.
#include "life_kit.h"
#include "suites.h"

/* A connection that has been sent a file. */
static struct life served_life(void)
{
    struct life life;
    life_init(&life, false);
    CHECK_EQ_U64("the file", life_step(&life, &serve), LIFE_DO_SEND_FILE);
    CHECK_EQ_INT("the file", life.phase, LIFE_SERVING);
    CHECK_FALSE("what is asked next waits", life_reads_client(&life));
    CHECK_EQ_U64("all of it", life_step(&life, &served), 0);
    CHECK_EQ_INT("the next request", life.phase, LIFE_REQUEST);
    CHECK_TRUE("the next request", life_reads_client(&life));
    return life;
}

static void test_files_and_a_session(void)
{
    static const struct life_times times = {.phase_since_ms = 1000};
    struct life life = served_life();

    CHECK_EQ_U64("nothing came", life_deadline(&life, &life_kit_timeouts, &times).at_ms,
                 1000 + life_kit_timeouts.kept_ms);
    life_begin_request(&life);
    CHECK_EQ_U64("a head began", life_deadline(&life, &life_kit_timeouts, &times).at_ms,
                 1000 + life_kit_timeouts.request_ms);
    CHECK_EQ_U64("a second file", life_step(&life, &serve), LIFE_DO_SEND_FILE);
    CHECK_EQ_INT("no deadline but the queue's",
                 life_deadline(&life, &life_kit_timeouts, &times).kind, LIFE_DEADLINE_NONE);
    CHECK_EQ_U64("a second file", life_step(&life, &served), 0);
    life_begin_request(&life);
    life_set_websocket(&life);
    CHECK_EQ_U64("a session", life_step(&life, &request_ok), LIFE_DO_DIAL);
    CHECK_EQ_U64("a session", life_step(&life, &backend_up), LIFE_DO_ACCEPT_101);
}

/* Nobody waits for an answer, so nobody gets one; what is queued leaves. */
static void test_kept_endings(void)
{
    static const struct {
        const char *row;
        struct life_event event;
        enum life_ending ending;
    } rows[] = {
        {"time", {.type = LIFE_EV_DEADLINE}, LIFE_FILES},
        {"FIN", {.type = LIFE_EV_CLIENT_EOF}, LIFE_FILES},
        {"FIN without close_notify", {.type = LIFE_EV_CLIENT_CUT}, LIFE_FILES},
        {"a drain", {.type = LIFE_EV_END, .ending = LIFE_DRAIN}, LIFE_DRAIN},
        {"no room", {.type = LIFE_EV_END, .ending = LIFE_FULL}, LIFE_FULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct life life = served_life();
        CHECK_EQ_U64(rows[i].row, life_step(&life, &rows[i].event), 0);
        CHECK_EQ_INT(rows[i].row, life.ending, rows[i].ending);
        CHECK_EQ_INT(rows[i].row, life.phase, LIFE_ANSWER);
        CHECK_TRUE(rows[i].row, (life_step(&life, &client_flushed) & LIFE_DO_CLIENT_FINISH) != 0);
    }
}

/* A file that has begun leaves, whatever else happens, unless we or the client cannot go on. */
static void test_endings_in_a_file(void)
{
    for (int ending = LIFE_NO_ROUTE; ending < LIFE_ENDING_COUNT; ending++) {
        const struct life_ending_row *row = life_ending_row((enum life_ending)ending);
        bool is_cut = row->client == LIFE_CLIENT_RST || ending == LIFE_INTERNAL;
        struct life life;
        life_init(&life, false);
        (void)!life_step(&life, &serve);
        unsigned actions = end_step(&life, (enum life_ending)ending);
        CHECK_EQ_U64(row->word, actions, is_cut ? LIFE_DO_CLIENT_ABORT | LIFE_DO_RETIRE : 0);
        CHECK_EQ_INT(row->word, life.phase, is_cut ? LIFE_DEAD : LIFE_ANSWER);
        if (!is_cut) {
            CHECK_EQ_U64(row->word, life_step(&life, &served), 0);
            CHECK_EQ_U64(row->word, life_step(&life, &client_flushed), LIFE_DO_CLIENT_FINISH);
        }
    }
}

CU_TestInfo life_files_tests[] = {
    {"files, and a session behind them", test_files_and_a_session},
    {"ends between two files", test_kept_endings},
    {"ends in a file", test_endings_in_a_file},
    CU_TEST_INFO_NULL,
};
