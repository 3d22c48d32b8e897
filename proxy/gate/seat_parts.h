/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seat_parts.h: the shared memory as the sources of seat.h see it; for nobody else.
 *
 * seat_table.c lays the memory out and gives rows to names; seat_member.c gives places to
 * addresses; seat.c counts and tells. */
#ifndef GATE_SEAT_PARTS_H
#define GATE_SEAT_PARTS_H

#include <assert.h>

#include "gate/seat.h"
#include "gate/shared.h"

/* The tables of names, which all slots share. */
struct seat_route_name {
    char text[SEAT_NAME_MAX];
    _Atomic uint32_t ends[SEAT_ENDS - 1]; /* ending and code; 0 = free. Any worker takes a place. */
};

struct seat_backend_name {
    uint32_t route; /* its row */
    char text[SEAT_BACKEND_MAX];
    struct seat_fitness fitness;
    /* As the configuration in force has it; the master writes them. */
    _Atomic uint64_t is_listed;
    _Atomic uint64_t weight;
    _Atomic uint64_t max_sessions;
    _Atomic uint64_t slow_start_ms;
    _Atomic uint64_t is_backup;
    _Atomic uint64_t is_checked;
};

/* An address of a name with many; any worker takes a free place. */
struct seat_member {
    _Atomic uint64_t key;     /* 0 = free */
    _Atomic uint64_t used_ms; /* when somebody asked for it last */
    struct seat_fitness fitness;
};

struct seat_listen_name {
    char text[SEAT_NAME_MAX];
    bool is_tls;
};

enum seat_table { SEAT_ROUTES, SEAT_BACKENDS, SEAT_LISTENS, SEAT_TABLES };

/* Behind it: the names of each table, then for each slot a seat_worker and the rows of each table.
 * Every part begins at a multiple of 64. */
struct seats {
    struct shared_head head;
    _Atomic size_t slot_count; /* in use; there is room for SEAT_SLOTS_MAX */
    size_t slot_bytes;
    size_t names_at[SEAT_TABLES];
    size_t rows_at[SEAT_TABLES]; /* within a slot */
    size_t members_at;
    size_t slots_at;
    size_t max[SEAT_TABLES];
    _Atomic size_t count[SEAT_TABLES]; /* rows in use */
};

static inline struct seat_route_name *seat_route_name(const struct seats *seats, size_t row)
{
    return (struct seat_route_name *)((char *)(uintptr_t)seats + seats->names_at[SEAT_ROUTES]) +
           row;
}

static inline struct seat_backend_name *seat_backend_name(const struct seats *seats, size_t row)
{
    return (struct seat_backend_name *)((char *)(uintptr_t)seats + seats->names_at[SEAT_BACKENDS]) +
           row;
}

static inline struct seat_listen_name *seat_listen_name(const struct seats *seats, size_t row)
{
    return (struct seat_listen_name *)((char *)(uintptr_t)seats + seats->names_at[SEAT_LISTENS]) +
           row;
}

static inline struct seat_member *seat_member_of(const struct seats *seats, size_t place)
{
    return (struct seat_member *)((char *)(uintptr_t)seats + seats->members_at) + place;
}

/* NULL: no place near the key is free. */
struct seat_member *seat_find_member(const struct seats *seats, uint64_t key, uint64_t now_ms);

static inline char *seat_slot_of(const struct seats *seats, size_t slot)
{
    assert(slot < SEAT_SLOTS_MAX);
    return (char *)(uintptr_t)seats + seats->slots_at + slot * seats->slot_bytes;
}

static inline struct seat_worker *seat_worker_of(const struct seats *seats, size_t slot)
{
    return (struct seat_worker *)seat_slot_of(seats, slot);
}

static inline struct seat_route *seat_route_of(const struct seats *seats, size_t slot, size_t row)
{
    return (struct seat_route *)(seat_slot_of(seats, slot) + seats->rows_at[SEAT_ROUTES]) + row;
}

static inline struct seat_backend *seat_backend_of(const struct seats *seats, size_t slot,
                                                   size_t row)
{
    return (struct seat_backend *)(seat_slot_of(seats, slot) + seats->rows_at[SEAT_BACKENDS]) + row;
}

static inline struct seat_listen *seat_listen_of(const struct seats *seats, size_t slot, size_t row)
{
    return (struct seat_listen *)(seat_slot_of(seats, slot) + seats->rows_at[SEAT_LISTENS]) + row;
}

static inline size_t seat_rows_in_use(const struct seats *seats, enum seat_table table)
{
    return atomic_load_explicit(&seats->count[table], memory_order_acquire);
}

/* Nobody dials an echo. */
static inline size_t seat_dialled_count(const struct config_route *route)
{
    bool is_echo = route->backend_count > 0 && route->backends[0].kind == CONFIG_BACKEND_ECHO;
    return is_echo ? 0 : route->backend_count;
}

/* Backends of all routes that can be dialled. */
size_t seat_backend_total(const struct config *config);
/* The last row is for all that find none. */
static inline size_t seat_last_row(const struct seats *seats, enum seat_table table)
{
    return seats->max[table] - 1;
}

/* The row of a name; the last one when the name has none. `route` is for a backend: the row of its
 * route. */
size_t seat_find_row(const struct seats *seats, enum seat_table table, size_t route,
                     struct span name);

#endif
