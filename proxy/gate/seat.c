/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/seat.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "gate/seat_parts.h"
#include "proto/fitness.h"

const uint64_t seat_bounds_ms[SEAT_BUCKETS - 1] = {1, 5, 25, 100, 500, 2500};

/* --- counting -------------------------------------------------------------------------------- */

struct seat {
    struct seats *seats;
    size_t slot;
    const struct config *config;
    uint32_t *listens;       /* the row of each */
    uint32_t *routes;        /* the row of each */
    uint32_t *first_backend; /* of each route, in `backends` */
    uint32_t *backends;      /* the row of each */
};

void seat_find_rows(struct seat *seat)
{
    const struct config *config = seat->config;
    uint32_t next = 0;
    for (size_t i = 0; i < config->listen_count; i++) {
        seat->listens[i] =
            (uint32_t)seat_find_row(seat->seats, SEAT_LISTENS, 0, config->listens[i].name);
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        size_t row = seat_find_row(seat->seats, SEAT_ROUTES, 0, route->policy.name);
        seat->routes[i] = (uint32_t)row;
        seat->first_backend[i] = next;
        for (size_t k = 0; k < seat_dialled_count(route); k++) {
            seat->backends[next++] =
                (uint32_t)seat_find_row(seat->seats, SEAT_BACKENDS, row, route->backends[k].text);
        }
    }
}

struct seat *seat_new(struct seats *seats, size_t slot, const struct config *config)
{
    size_t routes = config->route_count;
    size_t backends = seat_backend_total(config);
    size_t rows = config->listen_count + 2 * routes + backends;
    struct seat *seat = mem_alloc_zero(sizeof(*seat) + rows * sizeof(uint32_t));
    if (seat == NULL) {
        return NULL;
    }
    seat->seats = seats;
    seat->slot = slot;
    seat->config = config;
    seat->listens = (uint32_t *)(seat + 1);
    seat->routes = seat->listens + config->listen_count;
    seat->first_backend = seat->routes + routes;
    seat->backends = seat->first_backend + routes;
    seat_find_rows(seat);
    return seat;
}

void seat_free(struct seat *seat)
{
    mem_free(seat);
}

static bool is_own_route(const struct seat *seat, const struct config_route *route)
{
    return route >= seat->config->routes &&
           route < seat->config->routes + seat->config->route_count;
}

static size_t row_of(const struct seat *seat, const struct config_route *route)
{
    if (route == NULL) {
        return 0;
    }
    return is_own_route(seat, route)
               ? seat->routes[route - seat->config->routes]
               : seat_find_row(seat->seats, SEAT_ROUTES, 0, route->policy.name);
}

static size_t backend_row_of(const struct seat *seat, const struct config_route *route,
                             size_t index)
{
    return is_own_route(seat, route)
               ? seat->backends[seat->first_backend[route - seat->config->routes] + index]
               : seat_find_row(seat->seats, SEAT_BACKENDS, row_of(seat, route),
                               route->backends[index].text);
}

struct seat_route *seat_route(const struct seat *seat, const struct config_route *route)
{
    return seat_route_of(seat->seats, seat->slot, row_of(seat, route));
}

struct seat_backend *seat_backend(const struct seat *seat, const struct config_route *route,
                                  size_t index)
{
    return seat_backend_of(seat->seats, seat->slot, backend_row_of(seat, route, index));
}

struct seat_listen *seat_listen(const struct seat *seat, const struct config_listen *listen)
{
    bool is_own = listen >= seat->config->listens &&
                  listen < seat->config->listens + seat->config->listen_count;
    size_t row = is_own ? seat->listens[listen - seat->config->listens]
                        : seat_find_row(seat->seats, SEAT_LISTENS, 0, listen->name);
    return seat_listen_of(seat->seats, seat->slot, row);
}

struct seat_worker *seat_worker(const struct seat *seat)
{
    return seat_worker_of(seat->seats, seat->slot);
}

void seat_observe(struct seat_histogram *histogram, uint64_t ms)
{
    size_t bucket = 0;
    while (bucket < SEAT_BUCKETS - 1 && ms > seat_bounds_ms[bucket]) {
        bucket++;
    }
    seat_add(&histogram->buckets[bucket], 1);
    seat_add(&histogram->sum_ms, ms);
}

/* A client may choose any code, and would use all places up: so his have few. */
static uint16_t told_code(const struct life_ending_row *row, uint16_t code)
{
    bool is_chosen = row->client == LIFE_CLIENT_ECHO && code != 0 && code != 1000 && code != 1001;
    unsigned thousand = code < 3000 ? 1 : code / 1000U;
    return is_chosen ? (uint16_t)(thousand * 1000 + SEAT_CODES_TOGETHER) : code;
}

/* No room for a session, or a fault that is no backend's. */
static bool has_kept_place(const struct life_ending_row *row)
{
    return row->close_code == 1013 || (row->close_code == 1011 && !row->is_backend_row);
}

/* A place, once taken, means the same for ever. */
static size_t end_place(struct seat_route_name *name, uint32_t key, bool is_kept)
{
    size_t kept = SEAT_ENDS - 1 - SEAT_ENDS_KEPT;
    size_t end = is_kept ? SEAT_ENDS - 1 : kept;
    for (size_t i = is_kept ? kept : 0; i < end; i++) {
        uint32_t found = atomic_load_explicit(&name->ends[i], memory_order_relaxed);
        if (found == 0 && atomic_compare_exchange_strong(&name->ends[i], &found, key)) {
            return i;
        }
        if (found == key) {
            return i;
        }
    }
    return SEAT_ENDS - 1;
}

void seat_end(const struct seat *seat, const struct config_route *route, enum life_ending ending,
              uint16_t code)
{
    size_t row = row_of(seat, route);
    const struct life_ending_row *life = life_ending_row(ending);
    uint32_t key = (uint32_t)ending << 16 | told_code(life, code);
    size_t place = end_place(seat_route_name(seat->seats, row), key, has_kept_place(life));
    seat_add(&seat_route_of(seat->seats, seat->slot, row)->ended[place], 1);
}

struct seat_fitness *seat_fitness(const struct seat *seat, const struct config_route *route,
                                  size_t index)
{
    size_t row = backend_row_of(seat, route, index);
    bool is_own = row < seat_last_row(seat->seats, SEAT_BACKENDS);
    return is_own ? &seat_backend_name(seat->seats, row)->fitness : NULL;
}

struct seat_fitness *seat_member_fitness(const struct seat *seat, uint64_t key, uint64_t now_ms)
{
    struct seat_member *member = key != 0 ? seat_find_member(seat->seats, key, now_ms) : NULL;
    return member != NULL ? &member->fitness : NULL;
}

/* --- telling --------------------------------------------------------------------------------- */

size_t seats_slot_count(const struct seats *seats)
{
    return atomic_load_explicit(&seats->slot_count, memory_order_relaxed);
}

size_t seats_route_count(const struct seats *seats)
{
    return seat_rows_in_use(seats, SEAT_ROUTES);
}

size_t seats_backend_count(const struct seats *seats)
{
    return seat_rows_in_use(seats, SEAT_BACKENDS);
}

size_t seats_listen_count(const struct seats *seats)
{
    return seat_rows_in_use(seats, SEAT_LISTENS);
}

const char *seats_route_name(const struct seats *seats, size_t row)
{
    return seat_route_name(seats, row)->text;
}

const char *seats_listen_name(const struct seats *seats, size_t row)
{
    return seat_listen_name(seats, row)->text;
}

bool seats_listen_is_tls(const struct seats *seats, size_t row)
{
    return seat_listen_name(seats, row)->is_tls;
}

struct seats_backend seats_backend(const struct seats *seats, size_t row)
{
    const struct seat_backend_name *name = seat_backend_name(seats, row);
    return (struct seats_backend){
        .route = seat_route_name(seats, name->route)->text,
        .text = name->text,
        .is_listed = seat_get(&name->is_listed) != 0,
        .weight = seat_get(&name->weight),
        .max_sessions = seat_get(&name->max_sessions),
        .slow_start_ms = seat_get(&name->slow_start_ms),
        .is_backup = seat_get(&name->is_backup) != 0,
        .is_checked = seat_get(&name->is_checked) != 0,
        .fitness = row < seat_last_row(seats, SEAT_BACKENDS) ? &name->fitness : NULL,
    };
}

uint64_t seats_backend_sessions(const struct seats *seats, size_t row)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < seats_slot_count(seats); i++) {
        sum += seat_get(&seat_backend_of(seats, i, row)->sessions);
    }
    return sum;
}

enum seats_state seat_fitness_state(const struct seat_fitness *fitness, uint64_t slow_start_ms,
                                    uint64_t now_ms)
{
    const struct fitness_rules rules = {.slow_start_ms = slow_start_ms};
    switch (fitness_state(seat_get(&fitness->word), &rules, now_ms)) {
    case FITNESS_UP:
        return SEATS_UP;
    case FITNESS_STARTING:
        return SEATS_STARTING;
    case FITNESS_TRIAL:
        return SEATS_TRIAL;
    case FITNESS_DOWN:
        break;
    }
    return SEATS_DOWN;
}

enum seats_state seats_backend_state(const struct seats *seats, size_t row, uint64_t now_ms)
{
    const struct seats_backend b = seats_backend(seats, row);
    enum seats_state state =
        b.fitness != NULL ? seat_fitness_state(b.fitness, b.slow_start_ms, now_ms) : SEATS_UP;
    bool is_up = state == SEATS_UP || state == SEATS_STARTING;
    bool is_full = b.max_sessions > 0 && seats_backend_sessions(seats, row) >= b.max_sessions;
    return is_up && is_full ? SEATS_FULL : state;
}

const char *seats_state_word(enum seats_state state)
{
    static const char *const words[SEATS_STATES] = {
        [SEATS_UP] = "up",       [SEATS_STARTING] = "starting", [SEATS_FULL] = "full",
        [SEATS_TRIAL] = "trial", [SEATS_DOWN] = "down",
    };
    return words[state];
}

void seat_fitness_detail(const struct seat_fitness *fitness, char out[SEAT_DETAIL_MAX])
{
    for (size_t i = 0; i < SEAT_DETAIL_MAX / 8; i++) {
        uint64_t part = fitness != NULL ? seat_get(&fitness->detail[i]) : 0;
        memcpy(out + 8 * i, &part, sizeof(part));
    }
    out[SEAT_DETAIL_MAX - 1] = '\0';
}

void seats_backend_detail(const struct seats *seats, size_t row, char out[SEAT_DETAIL_MAX])
{
    seat_fitness_detail(seats_backend(seats, row).fitness, out);
}

const struct seat_route *seats_route(const struct seats *seats, size_t slot, size_t row)
{
    return seat_route_of(seats, slot, row);
}

const struct seat_backend *seats_backend_row(const struct seats *seats, size_t slot, size_t row)
{
    return seat_backend_of(seats, slot, row);
}

const struct seat_listen *seats_listen(const struct seats *seats, size_t slot, size_t row)
{
    return seat_listen_of(seats, slot, row);
}

const struct seat_worker *seats_worker(const struct seats *seats, size_t slot)
{
    return seat_worker_of(seats, slot);
}

bool seats_end(const struct seats *seats, size_t row, size_t at, struct seats_end *out)
{
    if (at == SEAT_ENDS - 1) {
        *out = (struct seats_end){.ending = LIFE_NOT_ENDED};
        return true;
    }
    uint32_t key =
        atomic_load_explicit(&seat_route_name(seats, row)->ends[at], memory_order_relaxed);
    *out = (struct seats_end){.ending = (enum life_ending)(key >> 16), .code = (uint16_t)key};
    return key != 0;
}
