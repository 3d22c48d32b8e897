/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the numbers of backends become series. */
#include "base/clock.h"
#include "gate/metrics_parts.h"

size_t metrics_count_backends(const struct metrics *m)
{
    return seats_backend_count(m->seats);
}

static void label_backend(const struct metrics *m, struct sheet *sheet, size_t row)
{
    const struct seats_backend backend = seats_backend(m->seats, row);
    sheet_label(sheet, "route", backend.route);
    sheet_label(sheet, "backend", backend.text);
}

static enum seats_state state_of(const struct metrics *m, size_t row)
{
    return seats_backend_state(m->seats, row, clock_now_ms());
}

void metrics_write_backend_up(const struct metrics *m, const struct metrics_family *f, size_t row,
                              struct sheet *sheet)
{
    enum seats_state state = state_of(m, row);
    (void)f;
    sheet_begin(sheet, "");
    label_backend(m, sheet, row);
    sheet_count(sheet, state == SEATS_DOWN || state == SEATS_TRIAL ? 0 : 1);
}

void metrics_write_backend_state(const struct metrics *m, const struct metrics_family *f,
                                 size_t row, struct sheet *sheet)
{
    enum seats_state state = state_of(m, row);
    (void)f;
    for (enum seats_state i = 0; i < SEATS_STATES; i++) {
        sheet_begin(sheet, "");
        label_backend(m, sheet, row);
        sheet_label(sheet, "state", seats_state_word(i));
        sheet_count(sheet, i == state ? 1 : 0);
    }
}

/* A counter or gauge, over all workers. */
void metrics_write_backend(const struct metrics *m, const struct metrics_family *f, size_t row,
                           struct sheet *sheet)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < seats_slot_count(m->seats); i++) {
        sum += metrics_at(seats_backend_row(m->seats, i, row), f->offset);
    }
    sheet_begin(sheet, "");
    label_backend(m, sheet, row);
    sheet_count(sheet, sum);
}

void metrics_write_dials(const struct metrics *m, const struct metrics_family *f, size_t row,
                         struct sheet *sheet)
{
    struct metrics_totals totals = {.sum_ms = 0};
    (void)f;
    for (size_t i = 0; i < seats_slot_count(m->seats); i++) {
        metrics_add_histogram(&totals, &seats_backend_row(m->seats, i, row)->dials);
    }
    metrics_write_totals(m, &totals, row, label_backend, sheet);
}

void metrics_write_failures(const struct metrics *m, const struct metrics_family *f, size_t row,
                            struct sheet *sheet)
{
    static const struct {
        enum dial_result result;
        const char *word;
    } reasons[] = {{DIAL_NAME, "name"},
                   {DIAL_UNREACHABLE, "unreachable"},
                   {DIAL_TIMEOUT, "timeout"},
                   {DIAL_REFUSED, "refused"},
                   {DIAL_TLS, "tls"}};
    (void)f;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        uint64_t sum = 0;
        for (size_t slot = 0; slot < seats_slot_count(m->seats); slot++) {
            sum += seat_get(&seats_backend_row(m->seats, slot, row)->failures[reasons[i].result]);
        }
        sheet_begin(sheet, "");
        label_backend(m, sheet, row);
        sheet_label(sheet, "reason", reasons[i].word);
        sheet_count(sheet, sum);
    }
}

void metrics_write_checks(const struct metrics *m, const struct metrics_family *f, size_t row,
                          struct sheet *sheet)
{
    static const char *const results[SEAT_CHECKS] = {
        [SEAT_CHECK_GOOD] = "success", [SEAT_CHECK_BAD] = "failure"};
    (void)f;
    for (size_t i = 0; seats_backend(m->seats, row).is_checked && i < SEAT_CHECKS; i++) {
        uint64_t sum = 0;
        for (size_t slot = 0; slot < seats_slot_count(m->seats); slot++) {
            sum += seat_get(&seats_backend_row(m->seats, slot, row)->checks[i]);
        }
        sheet_begin(sheet, "");
        label_backend(m, sheet, row);
        sheet_label(sheet, "result", results[i]);
        sheet_count(sheet, sum);
    }
}
