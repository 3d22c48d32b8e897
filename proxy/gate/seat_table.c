/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shared memory, and which row belongs to which name. */
#include <assert.h>
#include <string.h>

#include "gate/seat_parts.h"

#define SPARE_ROWS 8

static size_t padded(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

size_t seat_backend_total(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->route_count; i++) {
        count += seat_dialled_count(&config->routes[i]);
    }
    return count;
}

static size_t rows_for(size_t used, size_t most)
{
    size_t rows = 2 * used + SPARE_ROWS;
    return rows < most ? rows : most;
}

/* Fills in what follows from seats->max. Returns the size of everything. */
static size_t lay_out(struct seats *seats)
{
    static const size_t name_bytes[SEAT_TABLES] = {sizeof(struct seat_route_name),
                                                   sizeof(struct seat_backend_name),
                                                   sizeof(struct seat_listen_name)};
    static const size_t row_bytes[SEAT_TABLES] = {
        sizeof(struct seat_route), sizeof(struct seat_backend), sizeof(struct seat_listen)};
    size_t at = padded(sizeof(*seats));
    size_t in_slot = padded(sizeof(struct seat_worker));

    for (size_t i = 0; i < SEAT_TABLES; i++) {
        seats->names_at[i] = at;
        at += padded(seats->max[i] * name_bytes[i]);
        seats->rows_at[i] = in_slot;
        in_slot += padded(seats->max[i] * row_bytes[i]);
    }
    seats->members_at = at;
    at += padded(SEAT_MEMBERS * sizeof(struct seat_member));
    seats->slots_at = at;
    seats->slot_bytes = in_slot;
    return at + SEAT_SLOTS_MAX * in_slot;
}

/* Whatever a number in the memory means: a program with one ending more must not read it. */
static uint64_t layout(void)
{
    uint64_t sum = shared_layout_text(SHARED_LAYOUT, "seats 5");
    const uint64_t numbers[] = {sizeof(struct seats),
                                sizeof(struct seat_route_name),
                                sizeof(struct seat_backend_name),
                                sizeof(struct seat_listen_name),
                                sizeof(struct seat_worker),
                                sizeof(struct seat_route),
                                sizeof(struct seat_backend),
                                sizeof(struct seat_listen),
                                sizeof(struct seat_member),
                                SEAT_MEMBERS,
                                SEAT_SLOTS_MAX,
                                SEAT_BUCKETS,
                                SEAT_ENDS,
                                SEAT_CHECKS,
                                SEAT_DETAIL_MAX,
                                LIFE_DEAD,
                                IDENTITY_REASONS,
                                DIAL_EXHAUSTED};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sum = shared_layout_number(sum, numbers[i]);
    }
    for (size_t i = 0; i < SEAT_BUCKETS - 1; i++) {
        sum = shared_layout_number(sum, seat_bounds_ms[i]);
    }
    for (int i = 0; i < LIFE_DEAD; i++) {
        sum = shared_layout_text(sum, life_phase_name((enum life_phase)i));
    }
    for (int i = 0; i < LIFE_ENDING_COUNT; i++) {
        const char *word = life_ending_row((enum life_ending)i)->word;
        sum = shared_layout_text(sum, word != NULL ? word : "");
    }
    for (unsigned i = 0; i < IDENTITY_REASONS; i++) {
        sum = shared_layout_text(sum, identity_reason_word(i));
    }
    return sum;
}

/* --- names ----------------------------------------------------------------------------------- */

static void set_text(char *out, size_t size, struct span text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    if (len > 0) {
        memcpy(out, text.data, len);
    }
    out[len] = '\0';
}

static bool has_text(const char *text, size_t size, struct span wanted)
{
    size_t len = wanted.len < size - 1 ? wanted.len : size - 1;
    return strlen(text) == len && (len == 0 || memcmp(text, wanted.data, len) == 0);
}

static bool is_row(const struct seats *seats, enum seat_table table, size_t row, size_t route,
                   struct span name)
{
    switch (table) {
    case SEAT_ROUTES:
        return has_text(seat_route_name(seats, row)->text, SEAT_NAME_MAX, name);
    case SEAT_BACKENDS:
        return seat_backend_name(seats, row)->route == route &&
               has_text(seat_backend_name(seats, row)->text, SEAT_BACKEND_MAX, name);
    case SEAT_LISTENS:
        return has_text(seat_listen_name(seats, row)->text, SEAT_NAME_MAX, name);
    case SEAT_TABLES:
        break;
    }
    return false;
}

/* The row of a name; the last one when the name has none. `route` is a backend's. */
size_t seat_find_row(const struct seats *seats, enum seat_table table, size_t route,
                     struct span name)
{
    for (size_t i = 0; i < seat_rows_in_use(seats, table); i++) {
        if (is_row(seats, table, i, route, name)) {
            return i;
        }
    }
    return seat_last_row(seats, table);
}

static void write_name(struct seats *seats, enum seat_table table, size_t row, size_t route,
                       struct span name)
{
    switch (table) {
    case SEAT_ROUTES:
        set_text(seat_route_name(seats, row)->text, SEAT_NAME_MAX, name);
        break;
    case SEAT_BACKENDS:
        seat_backend_name(seats, row)->route = (uint32_t)route;
        set_text(seat_backend_name(seats, row)->text, SEAT_BACKEND_MAX, name);
        break;
    case SEAT_LISTENS:
        set_text(seat_listen_name(seats, row)->text, SEAT_NAME_MAX, name);
        break;
    case SEAT_TABLES:
        break;
    }
}

/* Returns the name's row. */
static size_t enter(struct seats *seats, enum seat_table table, size_t route, struct span name)
{
    size_t count = seat_rows_in_use(seats, table);
    for (size_t i = 0; i < count; i++) {
        if (is_row(seats, table, i, route, name)) {
            return i;
        }
    }
    if (count > seat_last_row(seats, table)) {
        return seat_last_row(seats, table);
    }
    if (count == seat_last_row(seats, table)) {
        name = SPAN_LIT("other");
        route = seat_last_row(seats, SEAT_ROUTES);
        if (table == SEAT_BACKENDS && seat_rows_in_use(seats, SEAT_ROUTES) <= route) {
            write_name(seats, SEAT_ROUTES, route, 0,
                       name); /* its label, though no row of it counts */
        }
    }
    write_name(seats, table, count, route, name);
    atomic_store_explicit(&seats->count[table], count + 1, memory_order_release);
    return count;
}

static void describe(struct seats *seats, size_t row, const struct config_route *route,
                     const struct config_backend *backend)
{
    struct seat_backend_name *name = seat_backend_name(seats, row);
    seat_put(&name->is_listed, 1);
    seat_put(&name->weight, backend->weight);
    seat_put(&name->max_sessions, backend->max_sessions);
    seat_put(&name->slow_start_ms, route->slow_start_ms);
    seat_put(&name->is_backup, backend->is_backup ? 1 : 0);
    seat_put(&name->is_checked, route->checks.interval_ms > 0 ? 1 : 0);
}

static void unlist_backends(struct seats *seats)
{
    for (size_t i = 0; i < seat_rows_in_use(seats, SEAT_BACKENDS); i++) {
        seat_put(&seat_backend_name(seats, i)->is_listed, 0);
    }
}

void seats_enter(struct seats *seats, const struct config *config)
{
    unlist_backends(seats);
    for (size_t i = 0; i < config->listen_count; i++) {
        size_t row = enter(seats, SEAT_LISTENS, 0, config->listens[i].name);
        seat_listen_name(seats, row)->is_tls |= config->listens[i].is_tls;
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        size_t row = enter(seats, SEAT_ROUTES, 0, route->policy.name);
        for (size_t k = 0; k < seat_dialled_count(route); k++) {
            size_t at = enter(seats, SEAT_BACKENDS, row, route->backends[k].text);
            describe(seats, at, route, &route->backends[k]);
        }
    }
}

/* A process has one set of seats; tests make more. */
static struct shared shared = {.fd = -1};

struct seats *seats_new(size_t slot_count, const struct config *config)
{
    struct seats plan = {.slot_count = slot_count};
    plan.max[SEAT_ROUTES] = rows_for(config->route_count + 1, SEAT_ROUTES_MAX);
    plan.max[SEAT_BACKENDS] = rows_for(seat_backend_total(config), SEAT_BACKENDS_MAX);
    plan.max[SEAT_LISTENS] = rows_for(config->listen_count, SEAT_LISTENS_MAX);
    size_t size = lay_out(&plan);
    shared_drop_file(&shared);
    if (!shared_new(&shared, "sluice-seats", size, layout())) {
        return NULL;
    }
    struct seats *seats = shared.memory;
    plan.head = seats->head;
    *seats = plan;
    (void)enter(seats, SEAT_ROUTES, 0, SPAN_LIT("")); /* row 0 */
    seats_enter(seats, config);
    return seats;
}

/* Every place in the memory follows from the lengths of the tables. */
static bool is_whole(const struct seats *seats)
{
    static const size_t most[SEAT_TABLES] = {SEAT_ROUTES_MAX, SEAT_BACKENDS_MAX, SEAT_LISTENS_MAX};
    struct seats plan = {.slot_count = 0};
    for (size_t i = 0; i < SEAT_TABLES; i++) {
        if (seats->max[i] == 0 || seats->max[i] > most[i] || seats->count[i] > seats->max[i]) {
            return false;
        }
        plan.max[i] = seats->max[i];
    }
    return lay_out(&plan) == seats->head.bytes && plan.slot_bytes == seats->slot_bytes &&
           plan.slots_at == seats->slots_at && plan.members_at == seats->members_at &&
           seats->slot_count <= SEAT_SLOTS_MAX &&
           memcmp(plan.names_at, seats->names_at, sizeof(plan.names_at)) == 0 &&
           memcmp(plan.rows_at, seats->rows_at, sizeof(plan.rows_at)) == 0;
}

struct seats *seats_open(int fd, const struct config *config, const char **out_detail)
{
    struct shared opened;
    if (!shared_open(&opened, fd, layout(), out_detail)) {
        return NULL;
    }
    struct seats *seats = opened.memory;
    if (!is_whole(seats)) {
        *out_detail = "its parts do not fit together";
        shared_close(&opened);
        return NULL;
    }
    shared = opened;
    seats_enter(seats, config);
    return seats;
}

int seats_fd(void)
{
    return shared.fd;
}

void seats_set_slots(struct seats *seats, size_t slot_count)
{
    size_t count = atomic_load(&seats->slot_count);
    assert(slot_count <= SEAT_SLOTS_MAX);
    while (count < slot_count &&
           !atomic_compare_exchange_weak(&seats->slot_count, &count, slot_count)) {
    }
}

void seats_clear_slot(struct seats *seats, size_t slot)
{
    struct seat_worker *worker = seat_worker_of(seats, slot);
    for (size_t i = 0; i < seat_rows_in_use(seats, SEAT_ROUTES); i++) {
        struct seat_route *route = seat_route_of(seats, slot, i);
        for (size_t k = 0; k < LIFE_DEAD; k++) {
            seat_put(&route->phases[k], 0);
        }
        for (size_t k = 0; k < SEAT_SIDES; k++) {
            seat_put(&route->queued_bytes[k], 0);
            seat_put(&route->unacked_bytes[k], 0);
        }
    }
    for (size_t i = 0; i < seat_rows_in_use(seats, SEAT_BACKENDS); i++) {
        seat_put(&seat_backend_of(seats, slot, i)->sessions, 0);
    }
    seat_put(&worker->resident_bytes, 0);
    seat_put(&worker->virtual_bytes, 0);
    seat_put(&worker->open_fds, 0);
    seat_put(&worker->allocated_bytes, 0);
    seat_put(&worker->identified, 0);
}
