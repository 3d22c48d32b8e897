/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/checks.h"

#include "base/log.h"
#include "base/mem.h"
#include "check.h"
#include "dial_server.h"
#include "give_up.h"
#include "io/follow.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- the arithmetic -------------------------------------------------------------------------- */

/* g and b are a good and a bad check; what they lead to is u, d or a dot. */
static void test_count(void)
{
    static const struct {
        const char *name;
        uint64_t fall;
        uint64_t rise;
        const char *checks;
        const char *wanted;
    } rows[] = {
        {"falls", 3, 2, "gbbbb", "...dd"},
        {"rises", 3, 2, "bbbggg", "..d.uu"},
        {"at once", 1, 1, "gbgb", "udud"},
        {"a good one between", 3, 2, "bbgbbgbbb", "........d"},
        {"a bad one between", 3, 3, "ggbggbggg", "........u"},
        {"flaps", 2, 2, "gbgbgbgb", "........"},
        {"slowly", 5, 1, "bbbbbgb", "....du."},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct checks_run run = {0};
        char got[16] = "";
        for (size_t k = 0; rows[i].checks[k] != '\0'; k++) {
            bool is_bad = rows[i].checks[k] == 'b';
            got[k] = ".ud"[checks_count(&run, is_bad, rows[i].fall, rows[i].rise)];
        }
        CHECK_EQ_STR(rows[i].name, got, rows[i].wanted);
    }
}

static void test_next(void)
{
    static const uint64_t intervals[] = {1, 9, 10, 50, 1000, 5000, 3600000};
    for (size_t i = 0; i < COUNT(intervals); i++) {
        uint64_t interval = intervals[i];
        uint64_t least = UINT64_MAX;
        uint64_t most = 0;
        for (uint64_t chance = 0; chance < 1000000; chance += interval / 7 + 1) {
            uint64_t next = checks_next_ms(7, interval, chance) - 7;
            least = next < least ? next : least;
            most = next > most ? next : most;
        }
        CHECK_TRUE("not before nine tenths", least >= interval - interval / 10);
        CHECK_TRUE("not after eleven", most <= interval + interval / 10);
        CHECK_TRUE("never at once", least > 0);
        CHECK_TRUE("apart", interval < 10 || most > least);
    }
    CHECK_TRUE("any chance", checks_next_ms(7, 1000, UINT64_MAX) >= 907);
}

static void set_up(struct scoreboard *board, size_t slot, bool is_up)
{
    scoreboard_set(&board->slots[slot].is_accepting, is_up);
}

static void test_duty(void)
{
    struct scoreboard *board = scoreboard_new(4, 0);
    if (board == NULL) {
        GIVE_UP();
    }
    CHECK_FALSE("nobody serves", checks_is_duty(board, 0));
    set_up(board, 2, true);
    CHECK_TRUE("the only one", checks_is_duty(board, 2));
    CHECK_FALSE("not up", checks_is_duty(board, 0));
    CHECK_FALSE("not up", checks_is_duty(board, 3));
    set_up(board, 1, true);
    CHECK_TRUE("a lower one", checks_is_duty(board, 1));
    CHECK_FALSE("no more", checks_is_duty(board, 2));
    scoreboard_set(&board->slots[1].is_still, true);
    CHECK_FALSE("stands still", checks_is_duty(board, 1));
    CHECK_TRUE("its duty moves", checks_is_duty(board, 2));
    scoreboard_set(&board->slots[1].is_still, false);
    CHECK_FALSE("and goes back", checks_is_duty(board, 2));
    scoreboard_clear_slot(board, 1);
    CHECK_TRUE("died", checks_is_duty(board, 2));
}

/* --- checks ---------------------------------------------------------------------------------- */

#define BACKENDS 3

struct world {
    size_t blocks;
    size_t descriptors;
    struct reactor *reactor;
    struct scratch scratch;
    struct server servers[BACKENDS];
    struct config_backend backends[BACKENDS];
    struct config_route route;
    struct config config;
    struct scoreboard *board;
    struct upstream *upstream;
    struct seat *seat;
    struct checks *checks;
    int pipe_fds[2];
};

static struct checks *make(struct world *w)
{
    const struct checks_world world = {
        .reactor = w->reactor,
        .scratch = &w->scratch,
        .scoreboard = w->board,
        .seat = w->seat,
        .slot = 1,
        .seed = 4711,
    };
    struct checks *checks = checks_new(&world, &w->config, w->upstream);
    if (checks == NULL) {
        GIVE_UP();
    }
    return checks;
}

static void world_open(struct world *w, uint64_t interval_ms)
{
    static const char *const names[BACKENDS] = {"tcp://one:1", "tcp://two:2", "tcp://three:3"};
    memset(w, 0, sizeof(*w));
    w->board = scoreboard_new(2, 0);
    log_init(STDERR_FILENO, LOG_INFO, LOG_KEY_VALUE);
    w->blocks = mem_live_blocks();
    w->descriptors = count_descriptors();
    w->reactor = reactor_new();
    if (w->reactor == NULL || !scratch_init(&w->scratch) || w->board == NULL ||
        pipe(w->pipe_fds) != 0) {
        GIVE_UP();
    }
    log_init(w->pipe_fds[1], LOG_WARN, LOG_KEY_VALUE);
    for (size_t i = 0; i < BACKENDS; i++) {
        w->servers[i].manner = SPEAKS_PLAIN;
        w->servers[i].greeting = "SSH-2.0\r\n";
        server_open(&w->servers[i], w->reactor, NULL);
        w->backends[i] = (struct config_backend){
            .text = span_from_str(names[i]), .is_literal = true, .address = w->servers[i].addr};
    }
    w->route = (struct config_route){
        .policy = {.name = SPAN_LIT("r")},
        .backends = w->backends,
        .backend_count = BACKENDS,
        .checks = {.interval_ms = interval_ms,
                   .timeout_ms = 20000,
                   .fall = 2,
                   .rise = 2,
                   .expect = SPAN_LIT("SSH-")},
    };
    w->config = (struct config){.routes = &w->route, .route_count = 1};
    w->upstream = upstream_new(&w->config, NULL);
    if (w->upstream == NULL) {
        GIVE_UP();
    }
    w->checks = make(w);
    set_up(w->board, 1, true);
}

static void world_close(const char *row, struct world *w)
{
    checks_free(w->checks);
    upstream_free(w->upstream);
    reactor_turn(w->reactor, true);
    for (size_t i = 0; i < BACKENDS; i++) {
        server_close(&w->servers[i]);
    }
    reactor_free(w->reactor);
    scratch_done(&w->scratch);
    log_init(STDERR_FILENO, LOG_INFO, LOG_KEY_VALUE);
    close(w->pipe_fds[0]);
    close(w->pipe_fds[1]);
    CHECK_EQ_U64(row, mem_live_blocks(), w->blocks);
    CHECK_EQ_U64(row, count_descriptors(), w->descriptors);
}

static void wait_calls(struct world *w, size_t server, size_t calls)
{
    while (w->servers[server].calls < calls) {
        reactor_turn(w->reactor, false);
    }
}

static void let_pass(struct world *w, uint64_t ms)
{
    uint64_t end_ms = reactor_now_ms(w->reactor) + ms;
    while (reactor_now_ms(w->reactor) < end_ms) {
        usleep(1000);
        reactor_turn(w->reactor, true);
    }
}

/* What was logged since the last call. */
static const char *logged(struct world *w)
{
    static char text[8192];
    if (write(w->pipe_fds[1], "\n", 1) != 1) {
        GIVE_UP();
    }
    ssize_t len = read(w->pipe_fds[0], text, sizeof(text) - 1);
    text[len > 0 ? len - 1 : 0] = '\0';
    char *at = strstr(text, "event=");
    return at != NULL ? at : "";
}

/* Each backend is checked again and again; one that gives another answer goes down and comes up. */
static void test_verdicts(void)
{
    struct world w;
    world_open(&w, 20);
    checks_start(w.checks);
    for (size_t i = 0; i < BACKENDS; i++) {
        wait_calls(&w, i, 3);
    }
    CHECK_EQ_STR("all are good", logged(&w), "");
    w.servers[1].greeting = "HTTP/1.1 400";
    wait_calls(&w, 1, w.servers[1].calls + 6);
    CHECK_EQ_STR("down", logged(&w),
                 "event=backend.down route=r backend=tcp://two:2 "
                 "detail=\"the answer is not health_expect\"\n");
    w.servers[1].greeting = "SSH-2.0";
    let_pass(&w, 300); /* a change soon after another is told later */
    wait_calls(&w, 1, w.servers[1].calls + 6);
    CHECK_EQ_STR("up", logged(&w), "event=backend.up route=r backend=tcp://two:2\n");
    checks_stop(w.checks);
    size_t before = w.servers[0].calls;
    let_pass(&w, 60);
    CHECK_EQ_U64("stopped", w.servers[0].calls, before);
    world_close("verdicts", &w);
}

/* Monitoring hears of each, also of those that lead to no verdict; but not of those that this
 * machine could not make. */
static void test_counted(void)
{
    struct world w;
    world_open(&w, 20);
    size_t before = count_descriptors();
    struct seats *seats = seats_new(2, &w.config);
    w.descriptors += count_descriptors() - before; /* the memory stays as long as the process */
    w.seat = seat_new(seats, 1, &w.config);
    checks_free(w.checks);
    w.checks = make(&w);
    w.route.checks.fall = 1000;
    w.servers[1].greeting = "HTTP/1.1 400";
    checks_start(w.checks);
    const struct seat_backend *good = seat_backend(w.seat, &w.route, 0);
    const struct seat_backend *bad = seat_backend(w.seat, &w.route, 1);
    while (seat_get(&good->checks[SEAT_CHECK_GOOD]) < 3 ||
           seat_get(&bad->checks[SEAT_CHECK_BAD]) < 3) {
        reactor_turn(w.reactor, false);
    }
    CHECK_EQ_U64("none", seat_get(&good->checks[SEAT_CHECK_BAD]), 0);
    CHECK_EQ_U64("none", seat_get(&bad->checks[SEAT_CHECK_GOOD]), 0);
    CHECK_TRUE("not more than there were",
               seat_get(&good->checks[SEAT_CHECK_GOOD]) <= w.servers[0].calls);
    CHECK_TRUE("the configuration says so", seats_backend(seats, 0).is_checked);
    seat_free(w.seat);
    world_close("counted", &w);
}

/* A backend that does not answer is asked once at a time. */
static void test_one_at_a_time(void)
{
    struct world w;
    world_open(&w, 10);
    w.servers[0].manner = SAYS_NOTHING;
    checks_start(w.checks);
    wait_calls(&w, 1, 10);
    CHECK_EQ_U64("one", w.servers[0].calls, 1);
    world_close("one at a time", &w);
}

/* A worker that has not the duty does nothing, and takes it over. */
static void test_no_duty(void)
{
    struct world w;
    world_open(&w, 20);
    set_up(w.board, 0, true);
    checks_start(w.checks);
    let_pass(&w, 100);
    CHECK_EQ_U64("none", w.servers[0].calls + w.servers[1].calls + w.servers[2].calls, 0);
    scoreboard_clear_slot(w.board, 0);
    wait_calls(&w, 0, 2);
    world_close("no duty", &w);
}

/* The next configuration goes on where this one is. */
static void test_inherit(void)
{
    struct world w;
    world_open(&w, 3600000);
    w.route.checks.fall = 3;
    checks_start(w.checks);
    w.servers[0].greeting = "bad";
    w.servers[1].manner = SAYS_NOTHING;
    wait_calls(&w, 0, 1);
    wait_calls(&w, 1, 1);
    wait_calls(&w, 2, 1);
    let_pass(&w, 20);
    struct checks *next = make(&w);
    checks_inherit(next, w.checks);
    checks_free(w.checks);
    w.checks = next;
    checks_start(next);
    let_pass(&w, 1200);
    CHECK_EQ_U64("not due", w.servers[0].calls, 1);
    CHECK_EQ_U64("begun anew", w.servers[1].calls, 2);
    CHECK_EQ_U64("not due either", w.servers[2].calls, 1);
    w.route.checks.interval_ms = 20;
    w.servers[1].manner = SPEAKS_PLAIN;
    next = make(&w);
    checks_inherit(next, w.checks);
    checks_free(w.checks);
    w.checks = next;
    checks_start(next);
    wait_calls(&w, 0, 2);
    let_pass(&w, 5);
    CHECK_EQ_STR("two are not enough", logged(&w), "");
    wait_calls(&w, 0, 4);
    CHECK_TRUE("the first one counted", strstr(logged(&w), "event=backend.down") != NULL);
    world_close("inherit", &w);
}

/* Nobody checks an echo, nor a route without an interval. */
static void test_unchecked(void)
{
    struct world w;
    world_open(&w, 20);
    CHECK_EQ_U64("descriptors", checks_descriptors(&w.config), BACKENDS);
    w.route.checks.interval_ms = 0;
    CHECK_EQ_U64("descriptors", checks_descriptors(&w.config), 0);
    checks_free(w.checks);
    w.checks = make(&w);
    checks_start(w.checks);
    let_pass(&w, 60);
    CHECK_EQ_U64("none", w.servers[0].calls, 0);
    w.route.checks.interval_ms = 20;
    w.backends[0].kind = CONFIG_BACKEND_ECHO;
    w.route.backend_count = 1;
    CHECK_EQ_U64("an echo", checks_descriptors(&w.config), 0);
    w.backends[0].kind = CONFIG_BACKEND_TCP;
    w.backends[0].is_literal = false;
    CHECK_EQ_U64("a name", checks_descriptors(&w.config), FOLLOW_ADDRS_MAX);
    world_close("unchecked", &w);
}

/* More backends than may be checked at once: the others wait in line, and all have their turn. */
static void test_many(void)
{
    enum { MANY = CHECKS_AT_ONCE_MAX + 10 };
    static struct config_backend many[MANY];
    struct world w;
    world_open(&w, 50);
    checks_free(w.checks);
    for (size_t i = 0; i < MANY; i++) {
        many[i] = w.backends[i < MANY - 10 ? 0 : 1];
    }
    w.servers[0].manner = SAYS_NOTHING;
    w.route.backends = many;
    w.route.backend_count = MANY;
    w.route.checks.timeout_ms = 150;
    CHECK_EQ_U64("a ceiling", checks_descriptors(&w.config), CHECKS_AT_ONCE_MAX);
    upstream_free(w.upstream);
    w.upstream = upstream_new(&w.config, NULL);
    w.checks = make(&w);
    size_t before = count_descriptors();
    checks_start(w.checks);
    size_t most = 0;
    while (w.servers[1].calls < 30) {
        reactor_turn(w.reactor, false);
        size_t open = count_descriptors() - before;
        most = open > most ? open : most;
    }
    CHECK_TRUE("a ceiling", most <= CHECKS_AT_ONCE_MAX + 2);
    world_close("many", &w);
}

CU_TestInfo checks_tests[] = {
    {"monitoring counts checks", test_counted},
    {"counting", test_count},
    {"the next one", test_next},
    {"who has the duty", test_duty},
    {"verdicts", test_verdicts},
    {"one at a time", test_one_at_a_time},
    {"no duty", test_no_duty},
    {"inherited", test_inherit},
    {"not checked", test_unchecked},
    {"many", test_many},
    CU_TEST_INFO_NULL,
};
