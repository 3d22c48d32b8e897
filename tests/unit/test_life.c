/* SPDX-License-Identifier: GPL-3.0-or-later */
// The table of endings, and single ways through the life of a session.
#include "life_kit.h"

/* The table of endings as the README gives it, for a session that is open. */
struct open_row {
    enum life_ending ending;
    uint16_t code; /* 0 = no Close */
    bool is_client_reset;
    char backend; /* 'f' FIN behind the queued bytes, 'r' reset, 'c' closed */
};

static const struct open_row open_rows[] = {
    {LIFE_BACKEND_RESET, 1011, false, 'c'},   {LIFE_BACKEND_CLOSE, 1000, false, 'f'},
    {LIFE_BACKEND_STALLED, 1011, false, 'r'}, {LIFE_BACKEND_DATA, 1011, false, 'r'},
    {LIFE_CLIENT_EOF, 0, false, 'f'},         {LIFE_CLIENT_CUT, 0, false, 'r'},
    {LIFE_CLIENT_RESET, 0, true, 'r'},        {LIFE_CLIENT_LOST, 0, true, 'r'},
    {LIFE_CLIENT_STALLED, 0, true, 'r'},      {LIFE_PROTOCOL, 1002, false, 'r'},
    {LIFE_BAD_CLOSE, 1002, false, 'r'},       {LIFE_OPCODE, 1003, false, 'r'},
    {LIFE_BAD_TEXT, 1007, false, 'r'},        {LIFE_FRAMING, 1008, false, 'r'},
    {LIFE_TOO_BIG, 1009, false, 'r'},         {LIFE_RATE, 1008, false, 'f'},
    {LIFE_AUTH_EXPIRED, 1008, false, 'f'},    {LIFE_AUTH_REVOKED, 1008, false, 'f'},
    {LIFE_KICKED, 1008, false, 'f'},          {LIFE_IDLE, 1001, false, 'f'},
    {LIFE_MAX_AGE, 1001, false, 'f'},         {LIFE_SHUTDOWN, 1001, false, 'f'},
    {LIFE_DRAIN, 1012, false, 'f'},           {LIFE_INTERNAL, 1011, false, 'r'},
};

static void test_open_endings(void)
{
    for (size_t i = 0; i < sizeof(open_rows) / sizeof(open_rows[0]); i++) {
        const struct open_row *row = &open_rows[i];
        const char *word = life_ending_row(row->ending)->word;
        struct life life = open_session();
        struct life_event event = {.type = LIFE_EV_END, .ending = row->ending};
        unsigned actions = life_step(&life, &event);

        CHECK_EQ_INT(word, (actions & LIFE_DO_SEND_CLOSE) != 0, row->code != 0);
        CHECK_EQ_U64(word, life.close_code, row->code);
        CHECK_EQ_INT(word, (actions & LIFE_DO_CLIENT_ABORT) != 0, row->is_client_reset);
        CHECK_EQ_INT(word, (actions & LIFE_DO_BACKEND_ABORT) != 0, row->backend == 'r');
        CHECK_EQ_INT(word, (actions & LIFE_DO_BACKEND_CLOSE) != 0, row->backend == 'c');
        CHECK_EQ_INT(word, life.backend == LIFE_SIDE_DRAINING, row->backend == 'f');
    }
}

/* The endings that differ from the plain row in a column. */
struct column_row {
    enum life_ending ending;
    enum life_again again;
    bool is_backend_row;
    bool is_stream_lost;
    bool is_told_in_detail;
};

static const struct column_row column_rows[] = {
    {LIFE_BACKEND_REFUSED, LIFE_AGAIN_HURRY, true, false, false},
    {LIFE_BACKEND_TIMEOUT, LIFE_AGAIN_HURRY, true, false, false},
    {LIFE_BACKEND_NAME, LIFE_AGAIN_HURRY, true, false, false},
    {LIFE_BACKEND_TLS, LIFE_AGAIN_HURRY, true, false, false},
    {LIFE_BACKEND_RESET, LIFE_AGAIN_CUT_BACKEND, true, false, false},
    {LIFE_BACKEND_STALLED, LIFE_AGAIN_CUT_BACKEND, true, false, false},
    {LIFE_BACKEND_DATA, LIFE_AGAIN_CUT_BACKEND, true, false, true},
    {LIFE_CLIENT_RESET, LIFE_AGAIN_CUT_CLIENT, false, false, false},
    {LIFE_CLIENT_LOST, LIFE_AGAIN_CUT_CLIENT, false, false, false},
    {LIFE_CLIENT_STALLED, LIFE_AGAIN_CUT_CLIENT, false, false, false},
    {LIFE_PROTOCOL, LIFE_AGAIN_HURRY, false, true, true},
    {LIFE_BAD_CLOSE, LIFE_AGAIN_HURRY, false, true, false},
    {LIFE_BAD_TEXT, LIFE_AGAIN_HURRY, false, false, true},
    {LIFE_FRAMING, LIFE_AGAIN_HURRY, false, false, true},
    {LIFE_TOO_BIG, LIFE_AGAIN_HURRY, false, false, true},
    {LIFE_INTERNAL, LIFE_AGAIN_CUT_BOTH, false, false, false},
};

static void test_columns(void)
{
    for (int ending = 0; ending < LIFE_ENDING_COUNT; ending++) {
        const struct life_ending_row *row = life_ending_row((enum life_ending)ending);
        struct column_row expected = {.ending = (enum life_ending)ending};
        for (size_t i = 0; i < sizeof(column_rows) / sizeof(column_rows[0]); i++) {
            if ((int)column_rows[i].ending == ending) {
                expected = column_rows[i];
            }
        }
        if (!CHECK_TRUE("a row for each ending", row->word != NULL && row->reason != NULL)) {
            continue;
        }
        CHECK_EQ_INT(row->word, row->again, expected.again);
        CHECK_EQ_INT(row->word, row->is_backend_row, expected.is_backend_row);
        CHECK_EQ_INT(row->word, row->is_stream_lost, expected.is_stream_lost);
        CHECK_EQ_INT(row->word, row->is_told_in_detail, expected.is_told_in_detail);
        CHECK_EQ_INT(row->word, row->is_taken_back,
                     ending == LIFE_KICKED || ending == LIFE_AUTH_REVOKED);
        CHECK_EQ_INT(row->word, row->reason[0] != '\0', row->close_code != 0);
        CHECK_EQ_INT(row->word, row->client == LIFE_CLIENT_SAY, row->close_code != 0);
        CHECK_TRUE(row->word, !row->is_backend_row || row->close_code == 1011);
    }
}

struct early_row {
    enum life_ending ending;
    uint16_t status;
    uint16_t code; /* with on_refuse = close */
};

static const struct early_row early_rows[] = {
    {LIFE_NO_ROUTE, 404, 1008},
    {LIFE_ORIGIN, 403, 1008},
    {LIFE_SUBPROTOCOL, 400, 1008},
    {LIFE_SOURCE, 403, 1008},
    {LIFE_AUTH, 401, 1008},
    {LIFE_TARGET, 403, 1008},
    {LIFE_LIMIT_SOURCE, 429, 1013},
    {LIFE_LIMIT_ROUTE, 503, 1013},
    {LIFE_FULL, 503, 1013},
    {LIFE_BACKEND_REFUSED, 502, 1014},
    {LIFE_BACKEND_TIMEOUT, 504, 1014},
    {LIFE_BACKEND_NAME, 502, 1014},
    {LIFE_BACKEND_TLS, 502, 1014},
    {LIFE_SHUTDOWN, 503, 1001},
    {LIFE_DRAIN, 503, 1012},
    {LIFE_INTERNAL, 500, 1011},
    {LIFE_BAD_REQUEST, 400, 0},
    {LIFE_HEAD_TOO_BIG, 431, 0},
    {LIFE_HEAD_TOO_SLOW, 408, 0},
    {LIFE_PAGE, 200, 0},
};

static void test_early_endings(void)
{
    for (size_t i = 0; i < sizeof(early_rows) / sizeof(early_rows[0]); i++) {
        const struct early_row *row = &early_rows[i];
        const char *word = life_ending_row(row->ending)->word;
        struct life_event event = {.type = LIFE_EV_END, .ending = row->ending};
        for (int is_http = 0; is_http < 2; is_http++) {
            struct life_route route = {
                .has_backend = true, .is_http_refusal = is_http == 1, .backend_code = 1014};
            struct life life = requested_life(&route);
            unsigned actions = life_step(&life, &event);
            bool wants_http = is_http == 1 || row->code == 0;
            CHECK_EQ_U64(word, actions,
                         wants_http ? LIFE_DO_SEND_HTTP : LIFE_DO_REFUSE_101 | LIFE_DO_SEND_CLOSE);
            CHECK_EQ_U64(word, life.close_code, wants_http ? 0 : row->code);
            CHECK_EQ_U64(word, life_ending_row(row->ending)->http_status, row->status);
        }
    }
}

static void test_close_handshake(void)
{
    struct life life = open_session_of(false, false);

    CHECK_EQ_U64("close", life_step(&life, &client_close), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("close", life.close_code, 4000);
    CHECK_EQ_U64("flushed", life_step(&life, &client_flushed), LIFE_DO_CLIENT_FINISH);
    CHECK_EQ_INT("linger", life.phase, LIFE_LINGER);
    CHECK_EQ_U64("eof", life_step(&life, &client_eof), LIFE_DO_CLIENT_CLOSE | LIFE_DO_RETIRE);

    life = open_session();
    struct life_event idle = {.type = LIFE_EV_END, .ending = LIFE_IDLE};
    CHECK_EQ_U64("ours", life_step(&life, &idle), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("ours flushed", life_step(&life, &client_flushed), 0);
    CHECK_EQ_U64("theirs", life_step(&life, &client_close), LIFE_DO_CLIENT_FINISH);
    CHECK_EQ_INT("first reason", life.ending, LIFE_IDLE);

    life = open_session();
    CHECK_EQ_U64("lost", end_step(&life, LIFE_PROTOCOL),
                 LIFE_DO_SEND_CLOSE | LIFE_DO_BACKEND_ABORT);
    CHECK_EQ_U64("their Close cannot be found", life_step(&life, &client_flushed),
                 LIFE_DO_CLIENT_FINISH);

    life = open_session();
    CHECK_EQ_U64("ours", end_step(&life, LIFE_IDLE), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("ours flushed", life_step(&life, &client_flushed), 0);
    CHECK_EQ_U64("lost while waiting", end_step(&life, LIFE_BAD_CLOSE), LIFE_DO_CLIENT_FINISH);
}

/* 1005 stands for a Close without a code, and nobody sends it. */
static void test_empty_close(void)
{
    const struct life_event empty = {.type = LIFE_EV_CLIENT_CLOSE};
    struct life life = open_session_of(false, false);
    CHECK_EQ_INT("none yet", life.received_code, 0);
    CHECK_EQ_U64("empty", life_step(&life, &empty), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_INT("empty", life.received_code, LIFE_NO_CODE);
    CHECK_EQ_INT("empty back", life.close_code, 0);

    life = open_session_of(false, false);
    CHECK_EQ_U64("ours", end_step(&life, LIFE_IDLE), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("theirs", life_step(&life, &client_close), 0);
    CHECK_EQ_INT("theirs", life.received_code, 4000);
    CHECK_EQ_INT("ours stays", life.close_code, 1001);
}

/* The client's Close becomes the backend's FIN; our Close waits for the backend's last word. */
static struct life half_closed_session(void)
{
    struct life life = open_session();
    CHECK_EQ_U64("close", life_step(&life, &client_close), 0);
    CHECK_EQ_INT("close", life.phase, LIFE_HALF_CLOSED);
    CHECK_EQ_INT("close", life.ending, LIFE_CLIENT_CLOSE);
    CHECK_EQ_U64("FIN", life_step(&life, &backend_flushed), LIFE_DO_BACKEND_FINISH);
    CHECK_TRUE("still read", life_reads_backend(&life) && life_forwards_backend(&life));
    return life;
}

static void test_half_close(void)
{
    struct life life = half_closed_session();
    CHECK_EQ_U64("backend eof", life_step(&life, &backend_eof),
                 LIFE_DO_SEND_CLOSE | LIFE_DO_BACKEND_CLOSE);
    CHECK_EQ_U64("their code", life.close_code, 4000);
    CHECK_FALSE("nothing after our Close", life_forwards_backend(&life));
    CHECK_EQ_U64("flushed", life_step(&life, &client_flushed), LIFE_DO_CLIENT_FINISH);
    CHECK_EQ_U64("eof", life_step(&life, &client_eof), LIFE_DO_CLIENT_CLOSE | LIFE_DO_RETIRE);

    life = half_closed_session();
    CHECK_EQ_U64("a client that only sent its FIN", life_step(&life, &client_eof), 0);
    CHECK_EQ_INT("still waiting", life.phase, LIFE_HALF_CLOSED);
    CHECK_EQ_U64("reset", life_step(&life, &backend_reset),
                 LIFE_DO_SEND_CLOSE | LIFE_DO_BACKEND_CLOSE);

    life = half_closed_session();
    CHECK_EQ_U64("has had its time", life_step(&life, &deadline), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_INT("the backend lingers", life.backend, LIFE_SIDE_LINGERING);

    life = half_closed_session();
    struct life_event shutdown = {.type = LIFE_EV_END, .ending = LIFE_SHUTDOWN};
    CHECK_EQ_U64("shutdown does not wait", life_step(&life, &shutdown), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("shutdown", life.close_code, 4000);

    life = half_closed_session();
    struct life_event data = {.type = LIFE_EV_END, .ending = LIFE_BACKEND_DATA};
    CHECK_EQ_U64("bad data", life_step(&life, &data), LIFE_DO_SEND_CLOSE | LIFE_DO_BACKEND_ABORT);
    CHECK_EQ_U64("bad data", life.close_code, 4000);

    life = open_session();
    CHECK_EQ_U64("their FIN was first", life_step(&life, &backend_eof), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("backend_close", life.close_code, 1000);
}

static void test_half_close_keep(void)
{
    struct life life = open_session_of(true, true);
    CHECK_EQ_U64("backend eof", life_step(&life, &backend_eof), 0);
    CHECK_EQ_INT("still open", life.phase, LIFE_OPEN);
    CHECK_TRUE("the client is read on", life_reads_client(&life) && !life_reads_backend(&life));
    CHECK_EQ_U64("close", life_step(&life, &client_close), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("queued bytes, FIN", life_step(&life, &backend_flushed),
                 LIFE_DO_BACKEND_FINISH | LIFE_DO_BACKEND_CLOSE);

    life = open_session_of(true, true);
    CHECK_EQ_U64("backend eof", life_step(&life, &backend_eof), 0);
    CHECK_EQ_U64("takes no more", life_step(&life, &backend_reset),
                 LIFE_DO_SEND_CLOSE | LIFE_DO_BACKEND_CLOSE);
    CHECK_EQ_INT("backend_reset", life.ending, LIFE_BACKEND_RESET);
}

/* A client's FIN decides only in a session that has not ended. */
static void test_client_cut(void)
{
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        const char *row = is_cut ? "cut" : "orderly";
        const struct life_event *fin = is_cut ? &client_cut : &client_eof;
        struct life life = open_session();
        CHECK_EQ_U64(row, life_step(&life, fin), is_cut ? LIFE_DO_BACKEND_ABORT : 0U);
        CHECK_EQ_INT("what is queued leaves", life.client, LIFE_SIDE_DRAINING);
        CHECK_EQ_U64(row, life_step(&life, &client_flushed),
                     LIFE_DO_CLIENT_FINISH | LIFE_DO_CLIENT_CLOSE | (is_cut ? LIFE_DO_RETIRE : 0U));
        CHECK_EQ_INT(row, life.ending, is_cut ? LIFE_CLIENT_CUT : LIFE_CLIENT_EOF);
        CHECK_EQ_INT(row, life.backend, is_cut ? LIFE_SIDE_GONE : LIFE_SIDE_DRAINING);

        life = open_session_of(true, true);
        CHECK_EQ_U64(row, life_step(&life, &backend_eof), 0);
        CHECK_EQ_INT(row, (life_step(&life, fin) & LIFE_DO_BACKEND_ABORT) != 0, is_cut);

        life_init(&life, false);
        CHECK_EQ_U64(row, life_step(&life, fin),
                     LIFE_DO_CLIENT_FINISH | LIFE_DO_CLIENT_CLOSE | LIFE_DO_RETIRE);

        life = half_closed_session();
        CHECK_EQ_U64(row, life_step(&life, fin), 0);
        CHECK_EQ_INT(row, life.ending, LIFE_CLIENT_CLOSE);
        CHECK_TRUE(row, life_forwards_backend(&life));

        life = open_session();
        CHECK_EQ_U64(row, end_step(&life, LIFE_IDLE), LIFE_DO_SEND_CLOSE);
        CHECK_EQ_U64(row, life_step(&life, &client_flushed), 0);
        CHECK_EQ_U64(row, life_step(&life, fin), LIFE_DO_CLIENT_FINISH | LIFE_DO_CLIENT_CLOSE);
        CHECK_EQ_INT(row, life.ending, LIFE_IDLE);
        CHECK_EQ_INT(row, life.backend, LIFE_SIDE_DRAINING);
    }
}

static void test_kill(void)
{
    struct life life;
    life_init(&life, false);
    CHECK_EQ_U64("no request yet", life_step(&life, &kill_it),
                 LIFE_DO_SEND_HTTP | LIFE_DO_CLIENT_ABORT | LIFE_DO_RETIRE);
    CHECK_EQ_INT("no request yet", life.ending, LIFE_SHUTDOWN);

    life = open_session();
    CHECK_EQ_U64("open", life_step(&life, &kill_it),
                 LIFE_DO_SEND_CLOSE | LIFE_DO_BACKEND_ABORT | LIFE_DO_CLIENT_ABORT |
                     LIFE_DO_RETIRE);
    CHECK_EQ_INT("open", life.ending, LIFE_SHUTDOWN);
    CHECK_EQ_U64("open", life.close_code, 1001);

    life = half_closed_session();
    CHECK_EQ_U64("half-closed", life_step(&life, &kill_it),
                 LIFE_DO_SEND_CLOSE | LIFE_DO_BACKEND_ABORT | LIFE_DO_CLIENT_ABORT |
                     LIFE_DO_RETIRE);
    CHECK_EQ_U64("their code", life.close_code, 4000);
    CHECK_EQ_INT("first reason", life.ending, LIFE_CLIENT_CLOSE);
}

static void test_deadlines(void)
{
    struct life life;
    struct life_times times = {.phase_since_ms = 100};
    life_init(&life, true);
    CHECK_EQ_U64("tls", life_deadline(&life, &life_kit_timeouts, &times).at_ms, 10100);
    life_init(&life, false);
    CHECK_EQ_U64("request", life_deadline(&life, &life_kit_timeouts, &times).at_ms, 11100);

    life = open_session();
    times = (struct life_times){.open_since_ms = 100, .payload_ms = 200, .client_heard_ms = 300};
    struct life_deadline d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("ping", d.kind, LIFE_DEADLINE_PING);
    CHECK_EQ_U64("ping", d.at_ms, 30300);
    times.ping_sent_ms = 30300;
    d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("pong", d.ending, LIFE_CLIENT_LOST);
    CHECK_EQ_INT("pong", d.excuse, LIFE_EXCUSE_PONG);
    CHECK_EQ_U64("pong", d.at_ms, 39300);
    times.is_client_paused = true; /* we do not read, so we cannot see its Pong */
    d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("paused", d.ending, LIFE_IDLE);
    CHECK_EQ_INT("paused", d.excuse, LIFE_EXCUSE_EITHER);
    times.backend_stuck_ms = 1000;
    d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("stuck", d.ending, LIFE_BACKEND_STALLED);
    CHECK_EQ_INT("stuck", d.excuse, LIFE_EXCUSE_BACKEND);
    CHECK_EQ_U64("stuck", d.at_ms, 32000);
    times.client_stuck_ms = 900;
    d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("stuck", d.ending, LIFE_CLIENT_STALLED);
    CHECK_EQ_INT("stuck", d.excuse, LIFE_EXCUSE_CLIENT);

    static const struct life_event refusal = {.type = LIFE_EV_END, .ending = LIFE_NO_ROUTE};
    static const struct life_event due = {.type = LIFE_EV_DEADLINE};
    life_init(&life, false);
    CHECK_EQ_U64("answer", life_step(&life, &refusal), LIFE_DO_SEND_HTTP);
    times = (struct life_times){.phase_since_ms = 100};
    d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("answer", d.kind, LIFE_DEADLINE_CLIENT);
    CHECK_EQ_INT("answer", d.excuse, LIFE_EXCUSE_CLIENT);
    CHECK_EQ_U64("answer", d.at_ms, 5600);
    CHECK_EQ_U64("answer", life_step(&life, &due), LIFE_DO_CLIENT_ABORT | LIFE_DO_RETIRE);
}

/* A proof that ends; the time of day decides. */
static void test_expiry(void)
{
    struct life life = open_session();
    struct life_times times = {.payload_ms = 200, .client_heard_ms = 300, .expires_ms = 250};
    struct life_deadline d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("open", d.ending, LIFE_AUTH_EXPIRED);
    CHECK_EQ_INT("open", d.excuse, LIFE_EXCUSE_CLOCK);
    CHECK_EQ_U64("open", d.at_ms, 250);
    times.is_client_paused = true;
    CHECK_EQ_U64("paused", life_deadline(&life, &life_kit_timeouts, &times).at_ms, 250);
    CHECK_TRUE("closing", end_step(&life, LIFE_AUTH_EXPIRED) != 0);
    CHECK_EQ_U64("code", life.close_code, 1008);
    d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_TRUE("closing", d.ending != LIFE_AUTH_EXPIRED);
}

/* Whatever the phase: how long a client may take what waits for it has an end. */
static void test_end_timeout(void)
{
    struct life life;
    struct life_times times;
    for (int is_open = 0; is_open < 2; is_open++) {
        const char *row = is_open ? "closing" : "answer";
        life_init(&life, false);
        life = is_open ? open_session() : life;
        CHECK_TRUE(row, end_step(&life, is_open ? LIFE_MAX_AGE : LIFE_NO_ROUTE) != 0);
        times = (struct life_times){
            .phase_since_ms = 119000, .end_since_ms = 700, .client_stuck_ms = 119000};
        struct life_deadline d = life_deadline(&life, &life_kit_timeouts, &times);
        CHECK_EQ_INT(row, d.ending, LIFE_CLIENT_STALLED);
        CHECK_EQ_INT(row, d.excuse, LIFE_EXCUSE_NONE);
        CHECK_EQ_U64(row, d.at_ms, 120700);
        struct life_timeouts endless = life_kit_timeouts;
        endless.end_ms = 0;
        CHECK_TRUE(row, life_deadline(&life, &endless, &times).at_ms > 120700);
        CHECK_TRUE(row, (end_step(&life, LIFE_CLIENT_STALLED) & LIFE_DO_CLIENT_ABORT) != 0);
        CHECK_EQ_INT(row, life.ending, is_open ? LIFE_MAX_AGE : LIFE_NO_ROUTE);
    }
    life = open_session();
    CHECK_TRUE("flushed", end_step(&life, LIFE_MAX_AGE) != 0);
    CHECK_EQ_U64("flushed", life_step(&life, &client_flushed), 0);
    times = (struct life_times){.phase_since_ms = 100000, .end_since_ms = 700};
    struct life_deadline d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("only the client's Close is awaited", d.kind, LIFE_DEADLINE_CLIENT);
    CHECK_EQ_U64("only the client's Close is awaited", d.at_ms, 105500);
}

/* Every value has a word of its own. */
static void check_words_of(const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_TRUE(words[i], words[i][0] != '\0' && strcmp(words[i], "unknown") != 0);
        for (size_t j = 0; j < i; j++) {
            CHECK_TRUE(words[i], strcmp(words[i], words[j]) != 0);
        }
    }
}

static void test_names(void)
{
    const char *words[LIFE_ENDING_COUNT];
    char text[LIFE_ACTION_NAMES_MAX];
    size_t count = 0;

    for (int phase = 0; phase <= LIFE_DEAD; phase++) {
        words[phase] = life_phase_name((enum life_phase)phase);
    }
    check_words_of(words, LIFE_DEAD + 1);
    for (int side = 0; side <= LIFE_SIDE_LINGERING; side++) {
        words[side] = life_side_name((enum life_side)side);
    }
    check_words_of(words, LIFE_SIDE_LINGERING + 1);
    for (int type = 0; type < LIFE_EV_COUNT; type++) {
        words[type] = life_event_name((enum life_event_type)type);
    }
    check_words_of(words, LIFE_EV_COUNT);
    for (int ending = 0; ending < LIFE_ENDING_COUNT; ending++) {
        words[ending] = life_ending_row((enum life_ending)ending)->word;
    }
    check_words_of(words, LIFE_ENDING_COUNT);
    for (unsigned action = 1; action <= LIFE_DO_RETIRE; action <<= 1) {
        words[count++] = life_action_name((enum life_action)action);
    }
    check_words_of(words, count);

    CHECK_EQ_STR("a phase", life_phase_name(LIFE_HALF_CLOSED), "half_closed");
    CHECK_EQ_STR("a page or a refusal", life_phase_name(LIFE_ANSWER), "answer");
    CHECK_EQ_STR("no phase", life_phase_name((enum life_phase)99), "unknown");
    CHECK_EQ_STR("no side", life_side_name((enum life_side)99), "unknown");
    CHECK_EQ_STR("no event", life_event_name(LIFE_EV_COUNT), "unknown");
    CHECK_EQ_STR("no action", life_action_name((enum life_action)3), "unknown");
    CHECK_EQ_STR("no action", life_action_names(0, text), "");
    CHECK_EQ_STR("one action", life_action_names(LIFE_DO_RETIRE, text), "retire");
    CHECK_EQ_STR("in order",
                 life_action_names(LIFE_DO_RETIRE | LIFE_DO_SEND_CLOSE | LIFE_DO_CANCEL_DIAL, text),
                 "cancel_dial,send_close,retire");
    CHECK_EQ_STR(
        "all of them", life_action_names(2 * LIFE_DO_RETIRE - 1, text),
        "dial,cancel_dial,send_http,send_file,accept_101,refuse_101,send_close,backend_abort,"
        "backend_finish,backend_close,client_abort,client_finish,client_close,retire");
}

CU_TestInfo life_tests[] = {
    {"endings of an open session", test_open_endings},
    {"columns of the table of endings", test_columns},
    {"endings before the 101", test_early_endings},
    {"close handshake both ways", test_close_handshake},
    {"a Close without a code", test_empty_close},
    {"half-close", test_half_close},
    {"half_close = keep", test_half_close_keep},
    {"a client's FIN", test_client_cut},
    {"kill", test_kill},
    {"deadlines", test_deadlines},
    {"the limit for a client's last bytes", test_end_timeout},
    {"a proof that ends", test_expiry},
    {"names", test_names},
    CU_TEST_INFO_NULL,
};
