/* SPDX-License-Identifier: GPL-3.0-or-later */
// The life cycle is small enough for a complete walk: every state that any sequence of events can
// reach, and every event in each of them.
#include <stdlib.h>

#include "life_kit.h"

#define STATES_MAX 400000

/* The walk compares states byte by byte, so it cannot forget a field. That needs a struct without
 * padding: whoever adds a field counts it here. */
#define ENUMS (6 * sizeof(enum life_phase))
#define BOOLS (10 * sizeof(bool))
#define CODES (3 * sizeof(uint16_t))
_Static_assert(sizeof(struct life) == ENUMS + BOOLS + CODES, "every byte of a life is a field");

struct walk {
    struct life *states;
    size_t count;
    uint32_t *table;
    size_t table_size;
};

static bool walk_add(struct walk *w, const struct life *l)
{
    const uint8_t *bytes = (const uint8_t *)l;
    size_t at = 5381;
    for (size_t i = 0; i < sizeof(*l); i++) {
        at = at * 33 + bytes[i];
    }
    for (at %= w->table_size; w->table[at] != 0; at = (at + 1) % w->table_size) {
        if (memcmp(&w->states[w->table[at] - 1], l, sizeof(*l)) == 0) {
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

/* What the session may say to the client. */
static void check_words(const char *row, const struct life *before, const struct life *after,
                        const struct life_event *event, unsigned actions)
{
    bool is_close = (actions & LIFE_DO_SEND_CLOSE) != 0;

    if (is_close) {
        CHECK_FALSE(row, before->close_sent);
        CHECK_TRUE(row, after->close_sent && after->has_upgraded);
        CHECK_TRUE(row, is_code_on_the_wire(after->close_code));
    }
    if (actions & (LIFE_DO_ACCEPT_101 | LIFE_DO_REFUSE_101 | LIFE_DO_SEND_HTTP)) {
        CHECK_FALSE(row, before->has_upgraded || life_has_ended(before));
    }
    CHECK_EQ_INT(row, after->has_upgraded,
                 before->has_upgraded || (actions & (LIFE_DO_ACCEPT_101 | LIFE_DO_REFUSE_101)));
    if (actions & LIFE_DO_ACCEPT_101) {
        CHECK_FALSE(row, life_has_ended(after));
        CHECK_EQ_U64(row, actions, LIFE_DO_ACCEPT_101);
    }
    if (actions & LIFE_DO_REFUSE_101) {
        CHECK_TRUE(row, is_close);
    }
    CHECK_EQ_INT(row, (actions & LIFE_DO_SEND_FILE) != 0,
                 before->phase == LIFE_REQUEST && after->phase == LIFE_SERVING);
    if (actions & LIFE_DO_SEND_FILE) {
        CHECK_EQ_U64(row, actions, LIFE_DO_SEND_FILE);
    }
    /* Whoever waits for a file, or for nothing, gets no other answer. */
    if (before->phase == LIFE_SERVING ||
        (before->phase == LIFE_REQUEST && before->served == LIFE_SERVED_KEPT &&
         event->type != LIFE_EV_REQUEST_OK)) {
        CHECK_FALSE(row, actions & (LIFE_DO_ACCEPT_101 | LIFE_DO_REFUSE_101 | LIFE_DO_SEND_HTTP));
    }
    if (actions & LIFE_DO_SEND_HTTP) {
        CHECK_TRUE(row, life_ending_row(after->ending)->http_status != 0);
    }
}

/* What the session may do to the two sides. */
static void check_sides(const char *row, const struct life *before, const struct life *after,
                        const struct life_event *event, unsigned actions)
{
    bool is_late = event->type == LIFE_EV_BACKEND_UP && before->phase != LIFE_DIAL &&
                   before->backend == LIFE_SIDE_GONE;

    if (actions &
        (LIFE_DO_SEND_HTTP | LIFE_DO_ACCEPT_101 | LIFE_DO_REFUSE_101 | LIFE_DO_SEND_CLOSE |
         LIFE_DO_CLIENT_ABORT | LIFE_DO_CLIENT_FINISH | LIFE_DO_CLIENT_CLOSE)) {
        CHECK_TRUE(row, before->client != LIFE_SIDE_GONE);
    }
    if (actions & (LIFE_DO_BACKEND_ABORT | LIFE_DO_BACKEND_FINISH | LIFE_DO_BACKEND_CLOSE)) {
        CHECK_TRUE(row, before->backend != LIFE_SIDE_GONE || is_late);
    }
    CHECK_EQ_INT(row, (actions & (LIFE_DO_CLIENT_ABORT | LIFE_DO_CLIENT_CLOSE)) != 0,
                 before->client != LIFE_SIDE_GONE && after->client == LIFE_SIDE_GONE);
    if (!is_late) {
        CHECK_EQ_INT(row, (actions & (LIFE_DO_BACKEND_ABORT | LIFE_DO_BACKEND_CLOSE)) != 0,
                     before->backend != LIFE_SIDE_GONE && after->backend == LIFE_SIDE_GONE);
    }
    CHECK_EQ_INT(row, (actions & LIFE_DO_DIAL) != 0,
                 before->phase != LIFE_DIAL && after->phase == LIFE_DIAL);
    CHECK_EQ_INT(row, (actions & LIFE_DO_CANCEL_DIAL) != 0,
                 before->phase == LIFE_DIAL && after->phase > LIFE_OPEN);
}

/* What each phase means. */
static void check_state(const char *row, const struct life *life)
{
    CHECK_EQ_INT(row, life_has_ended(life), life->phase > LIFE_OPEN);
    switch (life->phase) {
    case LIFE_TLS:
    case LIFE_REQUEST:
    case LIFE_ANSWER:
        CHECK_FALSE(row, life->has_upgraded);
        break;
    case LIFE_SERVING:
        CHECK_FALSE(row, life->has_upgraded || life_reads_client(life));
        CHECK_TRUE(row, life->served != LIFE_SERVED_KEPT);
        break;
    case LIFE_TOKEN:
        CHECK_TRUE(row, life->has_upgraded && life_reads_client(life));
        break;
    case LIFE_DIAL:
        CHECK_EQ_INT(row, life->has_upgraded, life->route.is_token_first);
        CHECK_FALSE(row, life_reads_client(life));
        break;
    case LIFE_OPEN:
    case LIFE_HALF_CLOSED:
    case LIFE_CLOSING:
        CHECK_TRUE(row, life->has_upgraded);
        break;
    case LIFE_LINGER:
        break;
    case LIFE_DEAD:
        CHECK_FALSE(row, life_reads_client(life) || life_reads_backend(life));
        break;
    }
    if (life->phase < LIFE_OPEN) {
        CHECK_EQ_INT(row, life->backend, LIFE_SIDE_GONE);
        CHECK_EQ_INT(row, life->client, LIFE_SIDE_UP);
    }
    CHECK_EQ_INT(row, life_forwards_backend(life),
                 life->phase == LIFE_OPEN || life->phase == LIFE_HALF_CLOSED);
}

/* What must hold for every step. */
static void check_step(const struct life *before, const struct life *after,
                       const struct life_event *event, unsigned actions)
{
    const char *row = life_ending_row(after->ending)->word;

    check_words(row, before, after, event, actions);
    check_sides(row, before, after, event, actions);
    check_state(row, after);
    if (life_has_ended(before)) {
        CHECK_EQ_INT(row, after->ending, before->ending); /* the first reason wins */
    }
    if (before->phase == LIFE_DEAD) {
        CHECK_EQ_U64(row, actions, 0);
    }
    CHECK_EQ_INT(row, (actions & LIFE_DO_RETIRE) != 0,
                 after->phase == LIFE_DEAD && before->phase != LIFE_DEAD);
    if (event->type == LIFE_EV_KILL) {
        CHECK_EQ_INT(row, after->phase, LIFE_DEAD);
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
            check_step(&w->states[at], &after, &event, actions);
            walk_add(w, &after);
        }
    }
    if (w->states[at].phase == LIFE_REQUEST) {
        struct life after = w->states[at];
        life_begin_request(&after);
        walk_add(w, &after);
    }
}

/* From here on only deadlines and flushed queues come: the life must reach DEAD, and soon. */
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
                        life.phase == LIFE_SERVING || life.backend == LIFE_SIDE_DRAINING;
        times.client_stuck_ms = is_stuck ? 1 : 0;
        times.backend_stuck_ms = life.backend == LIFE_SIDE_DRAINING ? 1 : 0;
        struct life_deadline next = life_deadline(&life, &life_kit_timeouts, &times);
        if (!CHECK_TRUE(life_phase_name(life.phase), next.kind != LIFE_DEADLINE_NONE)) {
            return;
        }
        if (next.kind == LIFE_DEADLINE_END) {
            event = end_of(next.ending);
        } else if (next.kind == LIFE_DEADLINE_BACKEND) {
            event.type = LIFE_EV_BACKEND_DEADLINE;
        }
        unsigned actions = life_step(&life, &event);
        (void)actions;
    }
    CHECK_EQ_INT(life_ending_row(from->ending)->word, life.phase, LIFE_DEAD);
}

static void add_starts(struct walk *w)
{
    for (int bits = 0; bits < 128; bits++) {
        struct life life;
        life_init(&life, (bits & 1) != 0);
        if (bits & 2) {
            life_set_websocket(&life);
        }
        struct life_route route = {
            .has_backend = (bits & 4) != 0,
            .is_http_refusal = (bits & 8) != 0,
            .is_half_open = (bits & 32) != 0,
            .is_token_first = (bits & 64) != 0,
            .backend_code = (bits & 16) ? 1014 : 1011,
        };
        life_set_route(&life, &route);
        walk_add(w, &life);
    }
}

static void test_every_state_and_event(void)
{
    size_t phases[LIFE_DEAD + 1] = {0};
    struct walk w = {.table_size = STATES_MAX * 2 + 1};
    w.states = malloc(STATES_MAX * sizeof(*w.states));
    w.table = calloc(w.table_size, sizeof(*w.table));
    if (CHECK_TRUE("walk", w.states != NULL && w.table != NULL)) {
        add_starts(&w);
        /* One fault shows in thousands of states: the first ones are enough. */
        unsigned failures_before = CU_get_number_of_failures();
        for (size_t i = 0; i < w.count && CU_get_number_of_failures() == failures_before; i++) {
            walk_events(&w, i);
            check_path_to_death(&w.states[i]);
            phases[w.states[i].phase]++;
        }
        CHECK_TRUE("walk", w.count > 500 && w.count < STATES_MAX);
        for (int phase = 0; phase <= LIFE_DEAD; phase++) {
            CHECK_TRUE(life_phase_name((enum life_phase)phase), phases[phase] > 0);
        }
    }
    free(w.states);
    free(w.table);
}

CU_TestInfo life_walk_tests[] = {
    {"every state and every event", test_every_state_and_event},
    CU_TEST_INFO_NULL,
};
