/* SPDX-License-Identifier: GPL-3.0-or-later */
// The life cycle is small enough to be walked whole: every state that any sequence of events can
// reach, and every event in each of them.
#include <stdlib.h>

#include "check.h"
#include "proto/life.h"

#define STATES_MAX 200000

static const struct life_timeouts timeouts = {
    .tls_ms = 10000,
    .request_ms = 11000,
    .connect_ms = 5000,
    .idle_ms = 600000,
    .ping_interval_ms = 30000,
    .pong_ms = 9000,
    .write_ms = 31000,
    .close_ms = 5500,
    .linger_ms = 2000,
    .max_age_ms = 3600000,
};

/* One byte for each field that decides: struct padding must not tell two equal states apart. */
struct key {
    uint8_t bytes[17];
};

static struct key key_of(const struct life *l)
{
    struct key key = {{(uint8_t)l->phase, (uint8_t)l->ending, (uint8_t)l->ended_in,
                       (uint8_t)l->client, (uint8_t)l->backend, l->is_websocket,
                       l->route.has_backend, l->route.is_http_refusal, l->has_upgraded,
                       l->close_sent, l->close_received, l->client_eof, l->backend_eof,
                       l->route.backend_code == 1014, l->close_code == 1000,
                       l->received_code == 1000, l->route.is_half_open}};
    return key;
}

struct walk {
    struct life *states;
    size_t count;
    uint32_t *table;
    size_t table_size;
};

static bool walk_add(struct walk *w, const struct life *l)
{
    struct key key = key_of(l);
    size_t at = 5381;
    for (size_t i = 0; i < sizeof(key.bytes); i++) {
        at = at * 33 + key.bytes[i];
    }
    for (at %= w->table_size; w->table[at] != 0; at = (at + 1) % w->table_size) {
        struct key other = key_of(&w->states[w->table[at] - 1]);
        if (memcmp(&other, &key, sizeof(key)) == 0) {
            return false;
        }
    }
    if (w->count == STATES_MAX) {
        return false;
    }
    w->states[w->count++] = *l;
    w->table[at] = (uint32_t)w->count;
    return true;
}

static bool is_code_on_the_wire(uint16_t code)
{
    return code == 0 || code == 1000 || code == 1001 || code == 1002 || code == 1003 ||
           (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* What must hold for any step; returns the number of Closes sent by it. */
static void check_step(const struct life *before, const struct life *after, unsigned actions)
{
    const char *row = life_ending_row(after->ending)->word;
    bool is_close = (actions & LIFE_DO_SEND_CLOSE) != 0;

    if (is_close) {
        CHECK_FALSE(row, before->close_sent);
        CHECK_TRUE(row, after->close_sent && after->has_upgraded);
        CHECK_TRUE(row, is_code_on_the_wire(after->close_code));
    }
    if (actions & (LIFE_DO_ACCEPT_101 | LIFE_DO_REFUSE_101)) {
        CHECK_FALSE(row, before->has_upgraded);
        CHECK_TRUE(row, after->has_upgraded);
    }
    if (actions & LIFE_DO_ACCEPT_101) {
        CHECK_FALSE(row, life_has_ended(after));
        CHECK_EQ_U64(row, actions, LIFE_DO_ACCEPT_101);
    }
    if (actions & LIFE_DO_REFUSE_101) {
        CHECK_TRUE(row, is_close);
    }
    if (actions & LIFE_DO_SEND_HTTP) {
        CHECK_FALSE(row, before->has_upgraded);
        CHECK_TRUE(row, life_ending_row(after->ending)->http_status != 0);
    }
    if (before->ending != LIFE_NOT_ENDED) {
        CHECK_EQ_INT(row, after->ending, before->ending); /* the first reason wins */
    }
    if (before->phase == LIFE_DEAD) {
        CHECK_EQ_U64(row, actions, 0);
    }
    CHECK_EQ_INT(row, (actions & LIFE_DO_RETIRE) != 0,
                 after->phase == LIFE_DEAD && before->phase != LIFE_DEAD);
    if (after->phase == LIFE_DEAD) {
        CHECK_TRUE(row, after->ending != LIFE_NOT_ENDED);
        CHECK_FALSE(row, life_reads_client(after) || life_reads_backend(after));
    }
    if (after->phase < LIFE_OPEN) {
        CHECK_EQ_INT(row, after->backend, LIFE_SIDE_GONE);
    }
}

static void walk_events(struct walk *w, size_t at)
{
    const uint16_t codes[] = {0, 1000, 3000};
    for (int type = 0; type < LIFE_EV_COUNT; type++) {
        int variants = type == LIFE_EV_END            ? LIFE_ENDING_COUNT
                       : type == LIFE_EV_CLIENT_CLOSE ? 3
                                                      : 1;
        for (int v = 0; v < variants; v++) {
            struct life_event event = {.type = (enum life_event_type)type};
            event.ending = type == LIFE_EV_END ? (enum life_ending)v : LIFE_NOT_ENDED;
            event.code = type == LIFE_EV_CLIENT_CLOSE ? codes[v] : 0;
            if (type == LIFE_EV_END && v == LIFE_NOT_ENDED) {
                continue;
            }
            struct life after = w->states[at];
            unsigned actions = life_step(&after, &event);
            CHECK_TRUE("a kill ends it", type != LIFE_EV_KILL || after.phase == LIFE_DEAD);
            check_step(&w->states[at], &after, actions);
            walk_add(w, &after);
        }
    }
}

/* Nothing but deadlines and flushed queues ever happens again: DEAD must come, and soon. */
static void check_path_to_death(const struct life *from)
{
    struct life life = *from;
    struct life_times times = {.phase_since_ms = 1,
                               .open_since_ms = 1,
                               .backend_since_ms = 1,
                               .payload_ms = 1,
                               .client_heard_ms = 1,
                               .ping_sent_ms = 1};
    int steps = 0;
    for (; life.phase != LIFE_DEAD && steps < 20; steps++) {
        struct life_event event = {.type = LIFE_EV_DEADLINE};
        bool is_stuck = (life.client == LIFE_SIDE_DRAINING && life.phase == LIFE_CLOSING) ||
                        life.backend == LIFE_SIDE_DRAINING;
        times.client_stuck_ms = is_stuck ? 1 : 0;
        times.backend_stuck_ms = life.backend == LIFE_SIDE_DRAINING ? 1 : 0;
        struct life_deadline deadline = life_deadline(&life, &timeouts, &times);
        if (!CHECK_TRUE(life_phase_name(life.phase), deadline.kind != LIFE_DEADLINE_NONE)) {
            return;
        }
        if (deadline.kind == LIFE_DEADLINE_END) {
            event = (struct life_event){.type = LIFE_EV_END, .ending = deadline.ending};
        } else if (deadline.kind == LIFE_DEADLINE_BACKEND) {
            event.type = LIFE_EV_BACKEND_DEADLINE;
        }
        unsigned actions = life_step(&life, &event);
        (void)actions;
    }
    CHECK_EQ_INT(life_ending_row(from->ending)->word, life.phase, LIFE_DEAD);
}

static void add_starts(struct walk *w)
{
    for (int bits = 0; bits < 64; bits++) {
        struct life life;
        life_init(&life, (bits & 1) != 0);
        if (bits & 2) {
            life_set_websocket(&life);
        }
        struct life_route route = {
            .has_backend = (bits & 4) != 0,
            .is_http_refusal = (bits & 8) != 0,
            .is_half_open = (bits & 32) != 0,
            .backend_code = (bits & 16) ? 1014 : 1011,
        };
        life_set_route(&life, &route);
        walk_add(w, &life);
    }
}

static void test_every_state_and_event(void)
{
    struct walk w = {.table_size = STATES_MAX * 2 + 1};
    w.states = malloc(STATES_MAX * sizeof(*w.states));
    w.table = calloc(w.table_size, sizeof(*w.table));
    if (CHECK_TRUE("walk", w.states != NULL && w.table != NULL)) {
        add_starts(&w);
        for (size_t i = 0; i < w.count; i++) {
            walk_events(&w, i);
            check_path_to_death(&w.states[i]);
        }
        CHECK_TRUE("walk", w.count > 500 && w.count < STATES_MAX);
    }
    free(w.states);
    free(w.table);
}

/* The table of endings as the documents give it, for a session that is open. */
struct open_row {
    enum life_ending ending;
    uint16_t code; /* 0 = no Close */
    bool is_client_reset;
    char backend; /* 'f' FIN after queued bytes, 'r' reset, 'c' closed */
};

static const struct open_row open_rows[] = {
    {LIFE_BACKEND_RESET, 1011, false, 'c'},
    {LIFE_BACKEND_CLOSE, 1000, false, 'f'},
    {LIFE_BACKEND_STALLED, 1011, false, 'r'},
    {LIFE_BACKEND_DATA, 1011, false, 'r'},
    {LIFE_CLIENT_EOF, 0, false, 'f'},
    {LIFE_CLIENT_RESET, 0, true, 'r'},
    {LIFE_CLIENT_LOST, 0, true, 'r'},
    {LIFE_CLIENT_STALLED, 0, true, 'r'},
    {LIFE_PROTOCOL, 1002, false, 'r'},
    {LIFE_BAD_CLOSE, 1002, false, 'r'},
    {LIFE_OPCODE, 1003, false, 'r'},
    {LIFE_BAD_TEXT, 1007, false, 'r'},
    {LIFE_FRAMING, 1008, false, 'r'},
    {LIFE_TOO_BIG, 1009, false, 'r'},
    {LIFE_RATE, 1008, false, 'f'},
    {LIFE_AUTH_EXPIRED, 1008, false, 'f'},
    {LIFE_KICKED, 1008, false, 'f'},
    {LIFE_IDLE, 1001, false, 'f'},
    {LIFE_MAX_AGE, 1001, false, 'f'},
    {LIFE_SHUTDOWN, 1001, false, 'f'},
    {LIFE_DRAIN, 1012, false, 'f'},
    {LIFE_INTERNAL, 1011, false, 'r'},
};

/* half_close = keep or close; with a backend or echo. */
static struct life open_session_of(bool has_backend, bool is_half_open)
{
    struct life life;
    struct life_route route = {
        .has_backend = has_backend, .is_half_open = is_half_open, .backend_code = 1011};
    struct life_event ok = {.type = LIFE_EV_REQUEST_OK};
    struct life_event up = {.type = LIFE_EV_BACKEND_UP};
    life_init(&life, false);
    life_set_websocket(&life);
    life_set_route(&life, &route);
    CHECK_EQ_U64("dial", life_step(&life, &ok), LIFE_DO_DIAL);
    CHECK_EQ_U64("up", life_step(&life, &up), LIFE_DO_ACCEPT_101);
    return life;
}

static struct life open_session(void)
{
    return open_session_of(true, false);
}

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
    {LIFE_OPCODE, LIFE_AGAIN_HURRY, false, true, false},
    {LIFE_BAD_TEXT, LIFE_AGAIN_HURRY, false, true, true},
    {LIFE_FRAMING, LIFE_AGAIN_HURRY, false, true, true},
    {LIFE_TOO_BIG, LIFE_AGAIN_HURRY, false, true, true},
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
    {LIFE_LIMIT_SOURCE, 429, 1013},
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
            struct life life;
            struct life_route route = {
                .has_backend = true, .is_http_refusal = is_http == 1, .backend_code = 1014};
            life_init(&life, false);
            life_set_websocket(&life);
            life_set_route(&life, &route);
            unsigned actions = life_step(&life, &event);
            bool wants_http = is_http == 1 || row->code == 0;
            CHECK_EQ_U64(word, actions,
                         wants_http ? LIFE_DO_SEND_HTTP : LIFE_DO_REFUSE_101 | LIFE_DO_SEND_CLOSE);
            CHECK_EQ_U64(word, life.close_code, wants_http ? 0 : row->code);
            CHECK_EQ_U64(word, life_ending_row(row->ending)->http_status, row->status);
        }
    }
}

static const struct life_event client_close = {.type = LIFE_EV_CLIENT_CLOSE, .code = 4000};
static const struct life_event client_flushed = {.type = LIFE_EV_CLIENT_FLUSHED};
static const struct life_event client_eof = {.type = LIFE_EV_CLIENT_EOF};
static const struct life_event backend_flushed = {.type = LIFE_EV_BACKEND_FLUSHED};
static const struct life_event backend_eof = {.type = LIFE_EV_BACKEND_EOF};
static const struct life_event backend_reset = {.type = LIFE_EV_BACKEND_RESET};
static const struct life_event deadline = {.type = LIFE_EV_DEADLINE};
static const struct life_event kill_it = {.type = LIFE_EV_KILL};

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
}

/* A Close becomes the backend's FIN; ours waits for the backend's last word. */
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
    CHECK_EQ_U64("tls", life_deadline(&life, &timeouts, &times).at_ms, 10100);
    life_init(&life, false);
    CHECK_EQ_U64("request", life_deadline(&life, &timeouts, &times).at_ms, 11100);

    life = open_session();
    times = (struct life_times){.open_since_ms = 100, .payload_ms = 200, .client_heard_ms = 300};
    struct life_deadline d = life_deadline(&life, &timeouts, &times);
    CHECK_EQ_INT("ping", d.kind, LIFE_DEADLINE_PING);
    CHECK_EQ_U64("ping", d.at_ms, 30300);
    times.ping_sent_ms = 30300;
    d = life_deadline(&life, &timeouts, &times);
    CHECK_EQ_INT("pong", d.ending, LIFE_CLIENT_LOST);
    CHECK_EQ_INT("pong", d.excuse, LIFE_EXCUSE_PONG);
    CHECK_EQ_U64("pong", d.at_ms, 39300);
    times.is_client_paused = true; /* its Pong could not be seen */
    d = life_deadline(&life, &timeouts, &times);
    CHECK_EQ_INT("paused", d.ending, LIFE_IDLE);
    CHECK_EQ_INT("paused", d.excuse, LIFE_EXCUSE_NONE);
    times.backend_stuck_ms = 1000;
    d = life_deadline(&life, &timeouts, &times);
    CHECK_EQ_INT("stuck", d.ending, LIFE_BACKEND_STALLED);
    CHECK_EQ_INT("stuck", d.excuse, LIFE_EXCUSE_BACKEND);
    CHECK_EQ_U64("stuck", d.at_ms, 32000);
    times.client_stuck_ms = 900;
    d = life_deadline(&life, &timeouts, &times);
    CHECK_EQ_INT("stuck", d.ending, LIFE_CLIENT_STALLED);
    CHECK_EQ_INT("stuck", d.excuse, LIFE_EXCUSE_CLIENT);
}

CU_TestInfo life_tests[] = {
    {"every state and every event", test_every_state_and_event},
    {"endings of an open session", test_open_endings},
    {"columns of the table of endings", test_columns},
    {"endings before the 101", test_early_endings},
    {"close handshake both ways", test_close_handshake},
    {"half-close", test_half_close},
    {"half_close = keep", test_half_close_keep},
    {"kill", test_kill},
    {"deadlines", test_deadlines},
    CU_TEST_INFO_NULL,
};
