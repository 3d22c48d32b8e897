/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics_parts.h: what the sources of metrics.h know of each other.
 *
 * metrics.c writes text and knows the format; metrics_table.c says what there is to tell, and
 * metrics_program.c, metrics_write.c and metrics_backend.c how the numbers of one row become
 * series. Not for: anybody else. */
#ifndef GATE_METRICS_PARTS_H
#define GATE_METRICS_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/metrics.h"

/* What is written at once: all series of one row of a family. */
struct sheet {
    char *out;
    size_t size;
    size_t len;
    bool is_full; /* something did not fit */
    bool has_labels;
    const char *name; /* of the family */
};

/* One series: sheet_begin, any number of labels, one value. `suffix` is "" or that of a part of a
 * histogram. */
void sheet_begin(struct sheet *sheet, const char *suffix);
void sheet_label(struct sheet *sheet, const char *key, const char *value);
void sheet_count(struct sheet *sheet, uint64_t value);
/* Thousandths of what the name says: milliseconds of seconds. */
void sheet_milli(struct sheet *sheet, uint64_t value);

struct metrics_family;
typedef size_t metrics_count_fn(const struct metrics *metrics);
/* Writes the series of one row, none where there is nothing to tell. */
typedef void metrics_write_fn(const struct metrics *metrics, const struct metrics_family *family,
                              size_t row, struct sheet *sheet);

struct metrics_family {
    const char *name;
    const char *type; /* "counter", "gauge", "histogram" */
    const char *help;
    metrics_count_fn *count; /* of rows; NULL = one */
    metrics_write_fn *write;
    size_t offset; /* of a counter in its struct of the seat, for the writers that share one way */
};

/* A counter of the seat, by its place in the struct. */
static inline uint64_t metrics_at(const void *base, size_t offset)
{
    return seat_get((const _Atomic uint64_t *)((const char *)base + offset));
}

/* A histogram of all workers. */
struct metrics_totals {
    uint64_t buckets[SEAT_BUCKETS]; /* each with the ones below it */
    uint64_t sum_ms;
};
typedef void metrics_label_fn(const struct metrics *metrics, struct sheet *sheet, size_t row);
void metrics_add_histogram(struct metrics_totals *totals, const struct seat_histogram *histogram);
void metrics_write_totals(const struct metrics *metrics, const struct metrics_totals *totals,
                          size_t row, metrics_label_fn *label, struct sheet *sheet);

/* metrics_program.c, metrics_write.c and metrics_backend.c. Each stands in a row of the table,
 * which says what it is. */
metrics_count_fn metrics_count_backends;
metrics_count_fn metrics_count_classes;
metrics_count_fn metrics_count_jail_parts;
metrics_count_fn metrics_count_listens;
metrics_count_fn metrics_count_pairs;
metrics_count_fn metrics_count_reasons;
metrics_count_fn metrics_count_results;
metrics_count_fn metrics_count_routes;
metrics_count_fn metrics_count_sinks;
metrics_count_fn metrics_count_slots;
metrics_write_fn metrics_write_admitted;
metrics_write_fn metrics_write_backend;
metrics_write_fn metrics_write_backend_state;
metrics_write_fn metrics_write_backend_up;
metrics_write_fn metrics_write_build;
metrics_write_fn metrics_write_dials;
metrics_write_fn metrics_write_ends;
metrics_write_fn metrics_write_checks;
metrics_write_fn metrics_write_classes;
metrics_write_fn metrics_write_expiry;
metrics_write_fn metrics_write_failures;
metrics_write_fn metrics_write_generations;
metrics_write_fn metrics_write_handshake_times;
metrics_write_fn metrics_write_handshakes;
metrics_write_fn metrics_write_jail_part;
metrics_write_fn metrics_write_limit;
metrics_write_fn metrics_write_listen;
metrics_write_fn metrics_write_listen_if_tls;
metrics_write_fn metrics_write_listen_milli;
metrics_write_fn metrics_write_log_dropped;
metrics_write_fn metrics_write_log_suppressed;
metrics_write_fn metrics_write_phases;
metrics_write_fn metrics_write_refusals;
metrics_write_fn metrics_write_refused;
metrics_write_fn metrics_write_reload_good;
metrics_write_fn metrics_write_reload_time;
metrics_write_fn metrics_write_reloads;
metrics_write_fn metrics_write_route;
metrics_write_fn metrics_write_sides;
metrics_write_fn metrics_write_sides_milli;
metrics_write_fn metrics_write_memory_limit;
metrics_write_fn metrics_write_upgrades;
metrics_write_fn metrics_write_worker;
metrics_write_fn metrics_write_worker_if_known;
metrics_write_fn metrics_write_worker_milli;
metrics_write_fn metrics_write_worker_sum;
metrics_write_fn metrics_write_worker_restarts;
metrics_write_fn metrics_write_worker_up;
metrics_write_fn metrics_write_workers;

/* metrics_table.c */
size_t metrics_family_count(void);
const struct metrics_family *metrics_family_at(size_t index);

#endif
