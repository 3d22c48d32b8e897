/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What there is to tell of the program and its workers. */
#include <inttypes.h>
#include <stdio.h>

#include "gate/jail.h"
#include "gate/metrics_parts.h"
#include "io/tls.h"

/* --- the program ----------------------------------------------------------------------------- */

void metrics_write_build(const struct metrics *m, const struct metrics_family *f, size_t row,
                         struct sheet *sheet)
{
    (void)m, (void)f, (void)row;
    sheet_begin(sheet, "");
    sheet_label(sheet, "version", SLUICE_VERSION);
    sheet_label(sheet, "wolfssl", tls_library_version());
    sheet_count(sheet, 1);
}

size_t metrics_count_jail_parts(const struct metrics *m)
{
    (void)m;
    return JAIL_PARTS;
}

void metrics_write_jail_part(const struct metrics *m, const struct metrics_family *f, size_t row,
                             struct sheet *sheet)
{
    (void)m, (void)f;
    sheet_begin(sheet, "");
    sheet_label(sheet, "part", jail_part_name(row));
    sheet_count(sheet, jail_has_part(row) ? 1 : 0);
}

void metrics_write_reload_time(const struct metrics *m, const struct metrics_family *f, size_t row,
                               struct sheet *sheet)
{
    (void)f, (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, seat_get(&m->scoreboard->loaded_s));
}

void metrics_write_reload_good(const struct metrics *m, const struct metrics_family *f, size_t row,
                               struct sheet *sheet)
{
    (void)f, (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, seat_get(&m->scoreboard->is_reload_good));
}

size_t metrics_count_results(const struct metrics *m)
{
    (void)m;
    return 2;
}

void metrics_write_reloads(const struct metrics *m, const struct metrics_family *f, size_t row,
                           struct sheet *sheet)
{
    (void)f;
    sheet_begin(sheet, "");
    sheet_label(sheet, "result", row == 1 ? "success" : "failure");
    sheet_count(sheet, seat_get(&m->scoreboard->reloads[row]));
}

void metrics_write_upgrades(const struct metrics *m, const struct metrics_family *f, size_t row,
                            struct sheet *sheet)
{
    (void)f;
    sheet_begin(sheet, "");
    sheet_label(sheet, "result", row == 1 ? "success" : "failure");
    sheet_count(sheet, seat_get(&m->scoreboard->upgrades[row]));
}

void metrics_write_generations(const struct metrics *m, const struct metrics_family *f, size_t row,
                               struct sheet *sheet)
{
    (void)f, (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, scoreboard_generations(m->scoreboard));
}

void metrics_write_workers(const struct metrics *m, const struct metrics_family *f, size_t row,
                           struct sheet *sheet)
{
    (void)f, (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, m->config->workers);
}

void metrics_write_limit(const struct metrics *m, const struct metrics_family *f, size_t row,
                         struct sheet *sheet)
{
    (void)f, (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, m->config->max_sessions);
}

void metrics_write_memory_limit(const struct metrics *m, const struct metrics_family *f, size_t row,
                                struct sheet *sheet)
{
    (void)f, (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, m->config->max_memory_bytes);
}

void metrics_write_admitted(const struct metrics *m, const struct metrics_family *f, size_t row,
                            struct sheet *sheet)
{
    uint64_t sum = 0;
    (void)f, (void)row;
    for (size_t i = 0; i < m->scoreboard->slot_count; i++) {
        sum += seat_get(&m->scoreboard->slots[i].sessions_now);
    }
    sheet_begin(sheet, "");
    sheet_count(sheet, sum);
}

/* --- workers --------------------------------------------------------------------------------- */

size_t metrics_count_slots(const struct metrics *m)
{
    return m->scoreboard->slot_count;
}

static void begin_worker(struct sheet *sheet, size_t slot)
{
    char text[24];
    snprintf(text, sizeof(text), "%zu", slot);
    sheet_begin(sheet, "");
    sheet_label(sheet, "worker", text);
}

/* A slot that nobody has, and that expects nobody, has counters only. */
static bool is_vacant(const struct metrics *m, size_t slot)
{
    return seat_get(&m->scoreboard->slots[slot].generation) == 0;
}

void metrics_write_worker_up(const struct metrics *m, const struct metrics_family *f, size_t slot,
                             struct sheet *sheet)
{
    (void)f;
    if (!is_vacant(m, slot)) {
        begin_worker(sheet, slot);
        sheet_count(sheet, scoreboard_is_up(m->scoreboard, slot) ? 1 : 0);
    }
}

void metrics_write_worker_restarts(const struct metrics *m, const struct metrics_family *f,
                                   size_t slot, struct sheet *sheet)
{
    (void)f;
    begin_worker(sheet, slot);
    sheet_count(sheet, seat_get(&m->scoreboard->slots[slot].restarts));
}

void metrics_write_worker(const struct metrics *m, const struct metrics_family *f, size_t slot,
                          struct sheet *sheet)
{
    if (!is_vacant(m, slot)) {
        begin_worker(sheet, slot);
        sheet_count(sheet, metrics_at(seats_worker(m->seats, slot), f->offset));
    }
}

/* A counter, so it stays when its worker is gone. */
void metrics_write_worker_milli(const struct metrics *m, const struct metrics_family *f,
                                size_t slot, struct sheet *sheet)
{
    begin_worker(sheet, slot);
    sheet_milli(sheet, metrics_at(seats_worker(m->seats, slot), f->offset));
}

/* An older kernel does not say how many descriptors are open. */
void metrics_write_worker_if_known(const struct metrics *m, const struct metrics_family *f,
                                   size_t slot, struct sheet *sheet)
{
    if (metrics_at(seats_worker(m->seats, slot), f->offset) > 0) {
        metrics_write_worker(m, f, slot, sheet);
    }
}

static uint64_t sum_workers(const struct metrics *m, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < seats_slot_count(m->seats); i++) {
        sum += metrics_at(seats_worker(m->seats, i), offset);
    }
    return sum;
}

void metrics_write_worker_sum(const struct metrics *m, const struct metrics_family *f, size_t row,
                              struct sheet *sheet)
{
    (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, sum_workers(m, f->offset));
}

/* --- credentials ----------------------------------------------------------------------------- */

/* Not one where nobody is asked. */
size_t metrics_count_reasons(const struct metrics *m)
{
    return m->config->auth_count > 0 ? IDENTITY_REASONS : 0;
}

/* JWT_OK is no reason. */
void metrics_write_refusals(const struct metrics *m, const struct metrics_family *f, size_t row,
                            struct sheet *sheet)
{
    if (row != JWT_OK) {
        sheet_begin(sheet, "");
        sheet_label(sheet, "reason", identity_reason_word((unsigned)row));
        sheet_count(sheet, sum_workers(m, f->offset + row * sizeof(uint64_t)));
    }
}

size_t metrics_count_classes(const struct metrics *m)
{
    return m->config->file_count > 0 ? SEAT_CLASSES : 0;
}

void metrics_write_classes(const struct metrics *m, const struct metrics_family *f, size_t row,
                           struct sheet *sheet)
{
    static const char *const classes[SEAT_CLASSES] = {"2xx", "3xx", "4xx", "5xx"};
    sheet_begin(sheet, "");
    sheet_label(sheet, "status", classes[row]);
    sheet_count(sheet, sum_workers(m, f->offset + row * sizeof(uint64_t)));
}

/* --- lines of the log ------------------------------------------------------------------------ */

size_t metrics_count_sinks(const struct metrics *m)
{
    (void)m;
    return LOG_SINKS;
}

void metrics_write_log_dropped(const struct metrics *m, const struct metrics_family *f, size_t row,
                               struct sheet *sheet)
{
    sheet_begin(sheet, "");
    sheet_label(sheet, "sink", log_sink_name((enum log_sink)row));
    sheet_count(sheet, sum_workers(m, f->offset + row * sizeof(uint64_t)) +
                           seat_get(&m->scoreboard->log_dropped[row]));
}

void metrics_write_log_suppressed(const struct metrics *m, const struct metrics_family *f,
                                  size_t row, struct sheet *sheet)
{
    (void)row;
    sheet_begin(sheet, "");
    sheet_count(sheet, sum_workers(m, f->offset) + seat_get(&m->scoreboard->log_suppressed));
}
