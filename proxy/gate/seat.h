/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seat.h: what the workers count for monitoring.
 *
 * For: counters, gauges and histograms of routes, backends, listeners and workers, in memory that
 * the first master makes, that all processes share, and that an upgrade hands on. Each slot of the
 * scoreboard has a seat of its own in it, which only the slot's worker writes; whoever tells of the
 * numbers adds the seats up. Counters stay when a worker dies, so they never go down; gauges are
 * cleared. Not for: deciding anything (scoreboard), the text that monitoring reads (metrics).
 *
 * Rows belong to names, not to places in a configuration: the master enters the names of each
 * configuration when it comes into force, a name keeps its row as long as sluice runs, and a route
 * that comes back counts on. Each table is twice as long as the first configuration needs; what
 * finds no row any more shares the last one, which is called "other". So the memory and the number
 * of series have a ceiling that the configuration sets, whatever clients do.
 *
 * Nothing here is on the way of a byte: sessions add what they moved now and then (session). No
 * pointer is in the shared memory. */
#ifndef GATE_SEAT_H
#define GATE_SEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/dial.h"
#include "gate/identity.h"
#include "gate/limits.h"
#include "proto/life.h"

#define SEAT_SLOTS_MAX 512
#define SEAT_NAME_MAX 48     /* of a route or listener, with its NUL */
#define SEAT_BACKEND_MAX 320 /* of a backend's text, with its NUL; a longer one is cut */
#define SEAT_ROUTES_MAX 1024 /* rows of each table, at most */
#define SEAT_BACKENDS_MAX 2048
#define SEAT_LISTENS_MAX 128
/* Pairs of ending and code that a route tells apart. The last one is "other"; those before it are
 * kept for what an operator must hear of, however many others came first: that there was no room
 * for a session, and faults of sluice itself. */
#define SEAT_ENDS 21
#define SEAT_ENDS_KEPT 6
/* 1999, 3999 and 4999 stand for all codes up to there that clients choose. */
#define SEAT_CODES_TOGETHER 999

/* Seconds, as durations are counted in milliseconds. The last bucket has no bound. */
#define SEAT_BUCKETS 7
extern const uint64_t seat_bounds_ms[SEAT_BUCKETS - 1];

struct seat_histogram {
    _Atomic uint64_t buckets[SEAT_BUCKETS]; /* each without the ones below it */
    _Atomic uint64_t sum_ms;
};

enum seat_side { SEAT_CLIENT = 0, SEAT_BACKEND };
#define SEAT_SIDES 2

/* Row 0 is for connections whose route is not known. */
struct seat_route {
    _Atomic uint64_t phases[LIFE_DEAD]; /* gauge: sessions in each enum life_phase */
    _Atomic uint64_t opened;
    _Atomic uint64_t received_bytes[SEAT_SIDES]; /* wire bytes, TLS included */
    _Atomic uint64_t sent_bytes[SEAT_SIDES];
    _Atomic uint64_t messages[SEAT_SIDES];      /* whole messages: of pages, and to them */
    _Atomic uint64_t paused_ms[SEAT_SIDES];     /* this side was not read */
    _Atomic uint64_t queued_bytes[SEAT_SIDES];  /* gauge: wait for this side in sluice's memory */
    _Atomic uint64_t unacked_bytes[SEAT_SIDES]; /* gauge: the kernel has them for this side */
    _Atomic uint64_t ended[SEAT_ENDS];          /* by place in the table of seats_end */
};

enum seat_check { SEAT_CHECK_GOOD = 0, SEAT_CHECK_BAD };
#define SEAT_CHECKS 2

struct seat_backend {
    struct seat_histogram dials;                   /* that this backend accepted */
    _Atomic uint64_t failures[DIAL_EXHAUSTED + 1]; /* by enum dial_result */
    _Atomic uint64_t resets;                       /* before anybody had said anything */
    _Atomic uint64_t ejections;                    /* times that it was put out */
    _Atomic uint64_t checks[SEAT_CHECKS];          /* of it, and of each of its addresses */
    _Atomic uint64_t sessions;                     /* gauge: that have it, or dial it */
};

/* How a backend is: one for all workers, and any of them writes it. */
#define SEAT_DETAIL_MAX 64
struct seat_fitness {
    _Atomic uint64_t word;                        /* proto/fitness.h */
    _Atomic uint64_t told;                        /* gate/upstream: what the log has heard */
    _Atomic uint64_t at_ms;                       /* when it went up or down last */
    _Atomic uint64_t detail[SEAT_DETAIL_MAX / 8]; /* why it went down last; ends in NUL */
};

enum seat_tls { SEAT_TLS_1_2 = 0, SEAT_TLS_1_3 };
#define SEAT_TLS_VERSIONS 2

struct seat_listen {
    _Atomic uint64_t connections;
    _Atomic uint64_t probes;                           /* that asked for nothing */
    _Atomic uint64_t handshakes[SEAT_TLS_VERSIONS][2]; /* by version, and whether resumed */
    _Atomic uint64_t handshake_failures;
    struct seat_histogram handshake_times;
    _Atomic uint64_t pauses; /* of accepting */
    _Atomic uint64_t paused_ms;
    _Atomic uint64_t refused[LIMITS_ENTRIES]; /* accepted, and closed at once; by the limit */
};

#define SEAT_CLASSES 4 /* 2xx to 5xx */

/* What a worker tells of its own process now and then. */
struct seat_worker {
    _Atomic uint64_t started_s; /* wall clock since 1970 */
    _Atomic uint64_t cpu_ms;    /* of all workers that the slot has had */
    _Atomic uint64_t resident_bytes;
    _Atomic uint64_t virtual_bytes;
    _Atomic uint64_t open_fds; /* 0: the kernel does not say */
    _Atomic uint64_t max_fds;
    _Atomic uint64_t log_dropped[LOG_SINKS]; /* lines, by enum log_sink */
    _Atomic uint64_t log_suppressed;
    _Atomic uint64_t allocated_bytes;
    _Atomic uint64_t memory_ends; /* sessions that ended because of max_memory */
    _Atomic uint64_t identified;  /* gauge: sessions whose client has proven who it is */
    _Atomic uint64_t auth_refusals[IDENTITY_REASONS]; /* by enum identity_reason */
    _Atomic uint64_t files_answers[SEAT_CLASSES];     /* by the hundreds of the status, from 2 on */
    _Atomic uint64_t files_bytes;                     /* of their content */
};

/* The shared memory. */
struct seats;
/* NULL: no memory. Enters the names of the configuration. The seats live until the process ends,
 * and have room for all slots. */
MUST_CHECK struct seats *seats_new(size_t slot_count, const struct config *config);
/* The same with the memory of a master before this one; takes over the descriptor. NULL: see
 * shared_open. */
MUST_CHECK struct seats *seats_open(int fd, const struct config *config, const char **out_detail);
/* The memory file of the seats that this process made or opened last. */
int seats_fd(void);
/* For the master alone: gives each name of the configuration a row, before any worker uses it. */
void seats_enter(struct seats *seats, const struct config *config);
/* At least so many slots are in use from now on. */
void seats_set_slots(struct seats *seats, size_t slot_count);
/* For whoever has the slot in the scoreboard: nothing is open or queued there. */
void seats_clear_slot(struct seats *seats, size_t slot);

/* --- who counts: one worker, with the configuration in force --- */

/* Routes and listeners of an earlier configuration have rows too: theirs are looked up by name. The
 * caller holds the configurations of both. */
struct seat;
/* NULL: no memory. The caller keeps the seats and the configuration, and calls seat_find_rows when
 * the master has entered the configuration's names since. */
MUST_CHECK struct seat *seat_new(struct seats *seats, size_t slot, const struct config *config);
void seat_find_rows(struct seat *seat);
void seat_free(struct seat *seat);

/* `route` NULL: it is not known. */
struct seat_route *seat_route(const struct seat *seat, const struct config_route *route);
struct seat_backend *seat_backend(const struct seat *seat, const struct config_route *route,
                                  size_t index);
struct seat_listen *seat_listen(const struct seat *seat, const struct config_listen *listen);
struct seat_worker *seat_worker(const struct seat *seat);
/* Counts one session of that route that has ended. `code` is the Close code that the client was
 * sent; 0 = none. */
void seat_end(const struct seat *seat, const struct config_route *route, enum life_ending ending,
              uint16_t code);
/* NULL: the backend has no row of its own. */
struct seat_fitness *seat_fitness(const struct seat *seat, const struct config_route *route,
                                  size_t index);

/* The same of one address of a name with many, by a number that is the same in all workers; 0 is
 * none. A number that nobody has asked for within SEAT_MEMBER_KEPT_MS may lose its place. NULL: no
 * place near it is free. */
#define SEAT_MEMBERS 2048
#define SEAT_MEMBER_KEPT_MS (10 * 60 * 1000)
struct seat_fitness *seat_member_fitness(const struct seat *seat, uint64_t key, uint64_t now_ms);

void seat_observe(struct seat_histogram *histogram, uint64_t ms);

/* One writer each, so nobody's addition is lost. */
static inline void seat_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void seat_sub(_Atomic uint64_t *gauge, uint64_t n)
{
    seat_add(gauge, UINT64_C(0) - n);
}

static inline void seat_put(_Atomic uint64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

static inline uint64_t seat_get(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* --- who tells: names, and rows of each slot --- */

size_t seats_slot_count(const struct seats *seats);
size_t seats_route_count(const struct seats *seats);
size_t seats_backend_count(const struct seats *seats);
size_t seats_listen_count(const struct seats *seats);

/* "" is row 0; "other" the last one, once it is in use. */
const char *seats_route_name(const struct seats *seats, size_t row);
const char *seats_listen_name(const struct seats *seats, size_t row);
bool seats_listen_is_tls(const struct seats *seats, size_t row);
struct seats_backend {
    const char *route;
    const char *text;
    bool is_listed; /* the configuration in force has it */
    uint64_t weight;
    uint64_t max_sessions; /* 0: no limit */
    uint64_t slow_start_ms;
    bool is_backup;
    bool is_checked;                    /* there are health checks of it */
    const struct seat_fitness *fitness; /* NULL: the row is that of several */
};
struct seats_backend seats_backend(const struct seats *seats, size_t row);
/* Sessions of all workers that have the backend, or dial it. */
uint64_t seats_backend_sessions(const struct seats *seats, size_t row);
enum seats_state {
    SEATS_UP = 0,
    SEATS_STARTING, /* up, but not with its whole weight yet */
    SEATS_FULL,     /* up, and with max_sessions */
    SEATS_TRIAL,    /* out, and one session tries it */
    SEATS_DOWN,
    SEATS_STATES
};
enum seats_state seats_backend_state(const struct seats *seats, size_t row, uint64_t now_ms);
const char *seats_state_word(enum seats_state state);
/* The state of what has no max_sessions: of one address of a name with many. */
enum seats_state seat_fitness_state(const struct seat_fitness *fitness, uint64_t slow_start_ms,
                                    uint64_t now_ms);
/* Why it went down last; "": it never did. */
void seat_fitness_detail(const struct seat_fitness *fitness, char out[SEAT_DETAIL_MAX]);
/* Why it went down last; "": it never did. */
void seats_backend_detail(const struct seats *seats, size_t row, char out[SEAT_DETAIL_MAX]);

const struct seat_route *seats_route(const struct seats *seats, size_t slot, size_t row);
const struct seat_backend *seats_backend_row(const struct seats *seats, size_t slot, size_t row);
const struct seat_listen *seats_listen(const struct seats *seats, size_t slot, size_t row);
const struct seat_worker *seats_worker(const struct seats *seats, size_t slot);

/* What place `at` of the route's `ended` counts. False: nothing yet. */
struct seats_end {
    enum life_ending ending; /* LIFE_NOT_ENDED: whatever found no place ("other") */
    uint16_t code;           /* 0 = none; see SEAT_CODES_TOGETHER */
};
bool seats_end(const struct seats *seats, size_t row, size_t at, struct seats_end *out);

#endif
