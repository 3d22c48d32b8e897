/* SPDX-License-Identifier: GPL-3.0-or-later */
// Rows that belong to names, counters that stay, and the ceiling of each table.
#include "gate/seat.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "conf/config.h"
#include "give_up.h"
#include "http_feed.h"
#include "proto/fitness.h"
#include "suites.h"

static struct config *configure(const char *routes)
{
    char text[200000];
    struct report report;
    int len = snprintf(text, sizeof(text), "[listen a]\naddress = 127.0.0.1:1\n%s", routes);
    struct config *config = config_parse((struct span){text, (size_t)len}, &report);
    if (config == NULL) {
        report_print(&report, "seat.ini", stdout);
        GIVE_UP();
    }
    report_done(&report);
    return config;
}

#define ROUTE(name, backends) "[route " name "]\npath = /" name "\nbackend = " backends "\n"

static uint64_t opened(const struct seats *seats, const char *name)
{
    uint64_t sum = 0;
    for (size_t row = 0; row < seats_route_count(seats); row++) {
        for (size_t slot = 0; slot < seats_slot_count(seats); slot++) {
            if (strcmp(seats_route_name(seats, row), name) == 0) {
                sum += seat_get(&seats_route(seats, slot, row)->opened);
            }
        }
    }
    return sum;
}

static void check_backend(struct seat *seat, const struct config_route *route, bool is_good)
{
    struct seat_fitness *fitness = seat_fitness(seat, route, 0);
    seat_put(&fitness->word, fitness_check(seat_get(&fitness->word), is_good, 1));
}

static const char *state(const struct seats *seats, size_t row)
{
    return seats_state_word(seats_backend_state(seats, row, 100000));
}

// Names that come into force after a seat was made for them count at rows of their own.
static void test_names_that_come_later(void)
{
    struct config *first = configure(ROUTE("a", "echo:"));
    struct config *second = configure(ROUTE("c", "tcp://127.0.0.1:2"));
    struct seats *seats = seats_new(1, first);
    for (int i = 0; i < 100; i++) { // reloads that fail
        struct seat *seat = seat_new(seats, 0, second);
        seat_free(seat);
    }
    CHECK_EQ_U64("no row is taken", seats_route_count(seats), 2);
    CHECK_EQ_U64("no row is taken", seats_backend_count(seats), 0);
    struct seat *seat = seat_new(seats, 0, second);
    seats_enter(seats, second);
    seat_find_rows(seat);
    seat_add(&seat_route(seat, &second->routes[0])->opened, 3);
    check_backend(seat, &second->routes[0], false);
    CHECK_EQ_U64("c", opened(seats, "c"), 3);
    CHECK_EQ_STR("its backend", state(seats, 0), "down");
    seat_free(seat);
    config_free(first);
    config_free(second);
}

// A route keeps its row while others come and go around it, and counts on when it comes back.
static void test_names(void)
{
    struct config *first = configure(ROUTE("a", "echo:") ROUTE("b", "tcp://127.0.0.1:1"));
    struct config *second = configure(ROUTE("c", "echo:") ROUTE("b", "tcp://127.0.0.1:2"));
    struct seats *seats = seats_new(2, first);
    struct seat *seat = seat_new(seats, 0, first);
    seat_add(&seat_route(seat, &first->routes[0])->opened, 1);
    seat_add(&seat_route(seat, &first->routes[1])->opened, 10);
    seat_add(&seat_backend(seat, &first->routes[1], 0)->failures[DIAL_REFUSED], 1);
    seats_enter(seats, second);
    struct seat *next = seat_new(seats, 1, second);
    seat_add(&seat_route(next, &second->routes[0])->opened, 100);
    seat_add(&seat_route(next, &second->routes[1])->opened, 1000);
    seats_enter(seats, first);
    seat_add(&seat_route(seat, &first->routes[0])->opened, 1);
    CHECK_EQ_U64("a", opened(seats, "a"), 2);
    CHECK_EQ_U64("b", opened(seats, "b"), 1010);
    CHECK_EQ_U64("c", opened(seats, "c"), 100);
    CHECK_EQ_U64("routes, and none", seats_route_count(seats), 4);
    CHECK_EQ_U64("backends but echoes", seats_backend_count(seats), 2);
    CHECK_EQ_STR("its route", seats_backend(seats, 1).route, "b");
    CHECK_EQ_STR("its text", seats_backend(seats, 1).text, "tcp://127.0.0.1:2");
    CHECK_EQ_U64("listeners", seats_listen_count(seats), 1);
    CHECK_EQ_STR("up", state(seats, 0), "up");
    check_backend(seat, &first->routes[1], false);
    CHECK_EQ_STR("down", state(seats, 0), "down");
    // What began with an earlier configuration counts at the seat of the one in force.
    CHECK_TRUE("a route",
               seat_route(next, &first->routes[0]) != seat_route(next, &second->routes[0]));
    seat_add(&seat_route(next, &first->routes[0])->opened, 1);
    seat_add(&seat_route(next, &first->routes[1])->opened, 1);
    CHECK_EQ_U64("a", opened(seats, "a"), 3);
    CHECK_EQ_U64("b", opened(seats, "b"), 1011);
    check_backend(next, &first->routes[1], true);
    CHECK_EQ_STR("up", state(seats, 0), "up");
    CHECK_TRUE("a listener",
               seat_listen(next, &first->listens[0]) == seat_listen(next, &second->listens[0]));
    // More workers than at first.
    CHECK_EQ_U64("slots", seats_slot_count(seats), 2);
    seats_set_slots(seats, SEAT_SLOTS_MAX);
    CHECK_EQ_U64("slots", seats_slot_count(seats), SEAT_SLOTS_MAX);
    CHECK_EQ_U64("a", opened(seats, "a"), 3);
    seat_free(seat);
    seat_free(next);
    config_free(first);
    config_free(second);
}

// The next worker of a slot goes on with its counters, and finds nothing open.
static void test_clear(void)
{
    struct config *config = configure(ROUTE("a", "echo:"));
    struct seats *seats = seats_new(2, config);
    for (size_t slot = 0; slot < 2; slot++) {
        struct seat *seat = seat_new(seats, slot, config);
        struct seat_route *route = seat_route(seat, &config->routes[0]);
        seat_add(&route->opened, 5);
        seat_add(&route->phases[LIFE_OPEN], 3);
        seat_add(&route->queued_bytes[SEAT_CLIENT], 70);
        seat_add(&route->unacked_bytes[SEAT_BACKEND], 71);
        seat_put(&seat_worker(seat)->resident_bytes, 4096);
        seat_free(seat);
    }
    seats_clear_slot(seats, 1);
    for (size_t slot = 0; slot < 2; slot++) {
        const struct seat_route *route = seats_route(seats, slot, 1);
        CHECK_EQ_U64("counter", seat_get(&route->opened), 5);
        CHECK_EQ_U64("open", seat_get(&route->phases[LIFE_OPEN]), slot == 0 ? 3 : 0);
        CHECK_EQ_U64("queued", seat_get(&route->queued_bytes[SEAT_CLIENT]), slot == 0 ? 70 : 0);
        CHECK_EQ_U64("unacked", seat_get(&route->unacked_bytes[SEAT_BACKEND]), slot == 0 ? 71 : 0);
        CHECK_EQ_U64("memory", seat_get(&seats_worker(seats, slot)->resident_bytes),
                     slot == 0 ? 4096 : 0);
    }
    config_free(config);
}

// Reloads without end that bring ever new names: the table stays as long as it is.
static void test_ceiling(void)
{
    struct config *config = configure(ROUTE("a", "tcp://127.0.0.1:1"));
    struct seats *seats = seats_new(1, config);
    size_t most = 0;
    for (int i = 0; i < 50; i++) {
        char text[200];
        snprintf(text, sizeof(text), ROUTE("r%d", "tcp://127.0.0.1:%d"), i, i, i + 1);
        struct config *next = configure(text);
        seats_enter(seats, next);
        struct seat *seat = seat_new(seats, 0, next);
        seat_add(&seat_route(seat, &next->routes[0])->opened, 1);
        seat_add(&seat_backend(seat, &next->routes[0], 0)->failures[DIAL_NAME], 1);
        seat_free(seat);
        config_free(next);
        CHECK_TRUE("grows", seats_route_count(seats) >= most);
        most = seats_route_count(seats);
    }
    CHECK_EQ_U64("rows", most, 12);
    CHECK_EQ_STR("the last", seats_route_name(seats, most - 1), "other");
    CHECK_EQ_U64("r0", opened(seats, "r0"), 1);
    CHECK_EQ_U64("the rest", opened(seats, "other"), 50 - 9);
    size_t backends = seats_backend_count(seats);
    CHECK_EQ_STR("the last backend", seats_backend(seats, backends - 1).text, "other");
    CHECK_EQ_STR("its route", seats_backend(seats, backends - 1).route, "other");
    CHECK_EQ_U64("its failures",
                 seat_get(&seats_backend_row(seats, 0, backends - 1)->failures[DIAL_NAME]), 50 - 8);
    config_free(config);
}

// However many pairs of ending and code there are, a route tells 20 of them apart. Clients choose
// codes, but get few places, and some are kept for what matters most.
static void test_ends(void)
{
    struct config *config = configure(ROUTE("a", "echo:"));
    struct seats *seats = seats_new(2, config);
    struct seat *slots[2] = {seat_new(seats, 0, config), seat_new(seats, 1, config)};
    struct seats_end end;
    uint64_t sum = 0;
    CHECK_FALSE("nothing yet", seats_end(seats, 1, 0, &end));
    seat_end(slots[0], &config->routes[0], LIFE_IDLE, 1001);
    seat_end(slots[1], &config->routes[0], LIFE_CLIENT_CLOSE, 4711);
    seat_end(slots[0], &config->routes[0], LIFE_CLIENT_CLOSE, 4999);
    seat_end(slots[1], &config->routes[0], LIFE_IDLE, 1001);
    CHECK_TRUE("the first", seats_end(seats, 1, 0, &end));
    CHECK_TRUE("idle", end.ending == LIFE_IDLE && end.code == 1001);
    CHECK_TRUE("the second", seats_end(seats, 1, 1, &end));
    CHECK_TRUE("client_close", end.ending == LIFE_CLIENT_CLOSE && end.code == 4999);
    CHECK_EQ_U64("idle there", seat_get(&seats_route(seats, 1, 1)->ended[0]), 1);
    CHECK_EQ_U64("both codes",
                 seat_get(&seats_route(seats, 0, 1)->ended[1]) +
                     seat_get(&seats_route(seats, 1, 1)->ended[1]),
                 2);
    for (uint16_t code = 1000; code < 1100; code++) {
        seat_end(slots[code % 2], &config->routes[0], LIFE_CLIENT_CLOSE, code);
    }
    for (enum life_ending ending = LIFE_NO_ROUTE; ending < LIFE_ENDING_COUNT; ending++) {
        seat_end(slots[0], &config->routes[0], ending, life_ending_row(ending)->close_code);
    }
    seat_end(slots[0], &config->routes[0], LIFE_FULL, 0); // on_refuse = http
    seat_end(slots[0], &config->routes[0], LIFE_INTERNAL, 0);
    CHECK_TRUE("other", seats_end(seats, 1, SEAT_ENDS - 1, &end));
    CHECK_EQ_INT("other", end.ending, LIFE_NOT_ENDED);
    for (size_t i = 0; i < SEAT_ENDS; i++) {
        CHECK_TRUE("used", seats_end(seats, 1, i, &end));
        CHECK_EQ_INT("kept",
                     end.ending == LIFE_FULL || end.ending == LIFE_INTERNAL ||
                         end.ending == LIFE_LIMIT_ROUTE || end.ending == LIFE_LIMIT_SOURCE,
                     i >= SEAT_ENDS - 1 - SEAT_ENDS_KEPT && i < SEAT_ENDS - 1);
        for (size_t slot = 0; slot < 2; slot++) {
            sum += seat_get(&seats_route(seats, slot, 1)->ended[i]);
        }
    }
    CHECK_EQ_U64("nothing is lost", sum, 104 + 2 + LIFE_ENDING_COUNT - LIFE_NO_ROUTE);
    CHECK_FALSE("no route has its own", seats_end(seats, 0, 0, &end));
    seat_free(slots[0]);
    seat_free(slots[1]);
    config_free(config);
}

// A bound belongs to its bucket.
static void test_histogram(void)
{
    static const struct {
        uint64_t ms;
        size_t bucket;
    } rows[] = {{0, 0},   {1, 0},   {2, 1},   {5, 1},   {6, 2},    {25, 2},   {26, 3},
                {100, 3}, {101, 4}, {500, 4}, {501, 5}, {2500, 5}, {2501, 6}, {UINT32_MAX, 6}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seat_histogram histogram = {.sum_ms = 7};
        seat_observe(&histogram, rows[i].ms);
        for (size_t k = 0; k < SEAT_BUCKETS; k++) {
            CHECK_EQ_U64("bucket", seat_get(&histogram.buckets[k]), k == rows[i].bucket);
        }
        CHECK_EQ_U64("sum", seat_get(&histogram.sum_ms), rows[i].ms + 7);
    }
}

CU_TestInfo seat_tests[] = {
    {"names that come later", test_names_that_come_later},
    {"rows belong to names", test_names},
    {"a slot's next worker", test_clear},
    {"the ceiling of the tables", test_ceiling},
    {"endings and codes", test_ends},
    {"histograms", test_histogram},
    CU_TEST_INFO_NULL,
};
