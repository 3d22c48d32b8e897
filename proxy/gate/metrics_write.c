/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the numbers of routes and listeners become series. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "gate/metrics_parts.h"
#include "io/tls.h"
#include "io/tls_chain.h"

static const char *const side_words[SEAT_SIDES] = {"client", "backend"};

/* --- routes ---------------------------------------------------------------------------------- */

size_t metrics_count_routes(const struct metrics *m)
{
    return seats_route_count(m->seats);
}

static uint64_t sum_route(const struct metrics *m, size_t row, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < seats_slot_count(m->seats); i++) {
        sum += metrics_at(seats_route(m->seats, i, row), offset);
    }
    return sum;
}

static void begin_route(const struct metrics *m, struct sheet *sheet, size_t row)
{
    sheet_begin(sheet, "");
    sheet_label(sheet, "route", seats_route_name(m->seats, row));
}

/* A connection without a route is in other phases than a session. */
static bool is_phase_of(size_t row, enum life_phase phase)
{
    switch (phase) {
    case LIFE_TLS:
    case LIFE_REQUEST:
    case LIFE_SERVING:
        return row == 0;
    case LIFE_TOKEN:
    case LIFE_DIAL:
    case LIFE_OPEN:
    case LIFE_HALF_CLOSED:
        return row != 0;
    case LIFE_CLOSING:
    case LIFE_ANSWER:
    case LIFE_LINGER:
        return true;
    case LIFE_DEAD:
        break;
    }
    return false;
}

void metrics_write_phases(const struct metrics *m, const struct metrics_family *f, size_t row,
                          struct sheet *sheet)
{
    for (enum life_phase phase = LIFE_TLS; phase < LIFE_DEAD; phase++) {
        if (is_phase_of(row, phase)) {
            begin_route(m, sheet, row);
            sheet_label(sheet, "phase", life_phase_name(phase));
            sheet_count(sheet, sum_route(m, row, f->offset + phase * sizeof(uint64_t)));
        }
    }
}

void metrics_write_route(const struct metrics *m, const struct metrics_family *f, size_t row,
                         struct sheet *sheet)
{
    if (row != 0) {
        begin_route(m, sheet, row);
        sheet_count(sheet, sum_route(m, row, f->offset));
    }
}

static void write_side(const struct metrics *m, const struct metrics_family *f, size_t row,
                       enum seat_side side, struct sheet *sheet,
                       void (*write_value)(struct sheet *, uint64_t))
{
    begin_route(m, sheet, row);
    sheet_label(sheet, "side", side_words[side]);
    write_value(sheet, sum_route(m, row, f->offset + side * sizeof(uint64_t)));
}

/* Without a route there is no backend. */
void metrics_write_sides(const struct metrics *m, const struct metrics_family *f, size_t row,
                         struct sheet *sheet)
{
    write_side(m, f, row, SEAT_CLIENT, sheet, sheet_count);
    if (row != 0) {
        write_side(m, f, row, SEAT_BACKEND, sheet, sheet_count);
    }
}

void metrics_write_sides_milli(const struct metrics *m, const struct metrics_family *f, size_t row,
                               struct sheet *sheet)
{
    if (row != 0) {
        write_side(m, f, row, SEAT_CLIENT, sheet, sheet_milli);
        write_side(m, f, row, SEAT_BACKEND, sheet, sheet_milli);
    }
}

/* "1008", "3xxx" for those of a thousand that are told together, "none". */
static void label_code(struct sheet *sheet, uint16_t code)
{
    char text[16];
    if (code % 1000 == SEAT_CODES_TOGETHER) {
        snprintf(text, sizeof(text), "%uxxx", code / 1000U);
    } else {
        snprintf(text, sizeof(text), "%u", code);
    }
    sheet_label(sheet, "code", code == 0 ? "none" : text);
}

void metrics_write_ends(const struct metrics *m, const struct metrics_family *f, size_t row,
                        struct sheet *sheet)
{
    for (size_t place = 0; place < SEAT_ENDS; place++) {
        uint64_t count = sum_route(m, row, f->offset + place * sizeof(uint64_t));
        struct seats_end end;
        if (!seats_end(m->seats, row, place, &end) || (place == SEAT_ENDS - 1 && count == 0)) {
            continue;
        }
        begin_route(m, sheet, row);
        if (end.ending == LIFE_NOT_ENDED) {
            sheet_label(sheet, "ending", "other");
            sheet_label(sheet, "code", "other");
        } else {
            sheet_label(sheet, "ending", life_ending_row(end.ending)->word);
            label_code(sheet, end.code);
        }
        sheet_count(sheet, count);
    }
}

/* --- histograms ------------------------------------------------------------------------------ */

void metrics_add_histogram(struct metrics_totals *totals, const struct seat_histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i < SEAT_BUCKETS; i++) {
        count += seat_get(&histogram->buckets[i]);
        totals->buckets[i] += count;
    }
    totals->sum_ms += seat_get(&histogram->sum_ms);
}

void metrics_write_totals(const struct metrics *m, const struct metrics_totals *totals, size_t row,
                          metrics_label_fn *label, struct sheet *sheet)
{
    static const char *const bounds[SEAT_BUCKETS] = {"0.001", "0.005", "0.025", "0.1",
                                                     "0.5",   "2.5",   "+Inf"};
    for (size_t i = 0; i < SEAT_BUCKETS; i++) {
        sheet_begin(sheet, "_bucket");
        label(m, sheet, row);
        sheet_label(sheet, "le", bounds[i]);
        sheet_count(sheet, totals->buckets[i]);
    }
    sheet_begin(sheet, "_sum");
    label(m, sheet, row);
    sheet_milli(sheet, totals->sum_ms);
    sheet_begin(sheet, "_count");
    label(m, sheet, row);
    sheet_count(sheet, totals->buckets[SEAT_BUCKETS - 1]);
}

/* --- listeners ------------------------------------------------------------------------------- */

size_t metrics_count_listens(const struct metrics *m)
{
    return seats_listen_count(m->seats);
}

static uint64_t sum_listen(const struct metrics *m, size_t row, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < seats_slot_count(m->seats); i++) {
        sum += metrics_at(seats_listen(m->seats, i, row), offset);
    }
    return sum;
}

static void label_listen(const struct metrics *m, struct sheet *sheet, size_t row)
{
    sheet_label(sheet, "listen", seats_listen_name(m->seats, row));
}

void metrics_write_listen(const struct metrics *m, const struct metrics_family *f, size_t row,
                          struct sheet *sheet)
{
    sheet_begin(sheet, "");
    label_listen(m, sheet, row);
    sheet_count(sheet, sum_listen(m, row, f->offset));
}

void metrics_write_refused(const struct metrics *m, const struct metrics_family *f, size_t row,
                           struct sheet *sheet)
{
    for (size_t i = LIMITS_CONNECTIONS; i < LIMITS_ENTRIES; i++) {
        sheet_begin(sheet, "");
        label_listen(m, sheet, row);
        sheet_label(sheet, "limit", limits_entry_key((enum limits_entry)i));
        sheet_count(sheet, sum_listen(m, row, f->offset + i * sizeof(uint64_t)));
    }
}

void metrics_write_listen_milli(const struct metrics *m, const struct metrics_family *f, size_t row,
                                struct sheet *sheet)
{
    sheet_begin(sheet, "");
    label_listen(m, sheet, row);
    sheet_milli(sheet, sum_listen(m, row, f->offset));
}

void metrics_write_listen_if_tls(const struct metrics *m, const struct metrics_family *f,
                                 size_t row, struct sheet *sheet)
{
    if (seats_listen_is_tls(m->seats, row)) {
        metrics_write_listen(m, f, row, sheet);
    }
}

void metrics_write_handshakes(const struct metrics *m, const struct metrics_family *f, size_t row,
                              struct sheet *sheet)
{
    static const char *const versions[SEAT_TLS_VERSIONS] = {"1.2", "1.3"};
    if (!seats_listen_is_tls(m->seats, row)) {
        return;
    }
    for (size_t i = 0; i < (size_t)SEAT_TLS_VERSIONS * 2; i++) {
        sheet_begin(sheet, "");
        label_listen(m, sheet, row);
        sheet_label(sheet, "version", versions[i / 2]);
        sheet_label(sheet, "resumed", i % 2 == 1 ? "yes" : "no");
        sheet_count(sheet, sum_listen(m, row, f->offset + i * sizeof(uint64_t)));
    }
}

void metrics_write_handshake_times(const struct metrics *m, const struct metrics_family *f,
                                   size_t row, struct sheet *sheet)
{
    struct metrics_totals totals = {.sum_ms = 0};
    (void)f;
    if (!seats_listen_is_tls(m->seats, row)) {
        return;
    }
    for (size_t i = 0; i < seats_slot_count(m->seats); i++) {
        metrics_add_histogram(&totals, &seats_listen(m->seats, i, row)->handshake_times);
    }
    metrics_write_totals(m, &totals, row, label_listen, sheet);
}

/* A row is one certificate of one listener: as many as there are pairs in the configuration. */
size_t metrics_count_pairs(const struct metrics *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->config->listen_count; i++) {
        count += m->config->listens[i].pair_count;
    }
    return count;
}

void metrics_write_expiry(const struct metrics *m, const struct metrics_family *f, size_t row,
                          struct sheet *sheet)
{
    const struct config_listen *listen = m->config->listens;
    char name[TLS_CHAIN_NAME_MAX];
    char listen_name[SEAT_NAME_MAX];
    char number[24];
    int64_t expiry_s = 0;
    (void)f;
    for (; row >= listen->pair_count; listen++) {
        row -= listen->pair_count;
    }
    if (!tls_chain_expiry(listen->pairs[row].certificate, &expiry_s, name) || expiry_s < 0) {
        return;
    }
    snprintf(listen_name, sizeof(listen_name), "%.*s", (int)listen->name.len, listen->name.data);
    snprintf(number, sizeof(number), "%zu", row + 1);
    sheet_begin(sheet, "");
    sheet_label(sheet, "listen", listen_name);
    sheet_label(sheet, "name", name);
    sheet_label(sheet, "certificate", number);
    sheet_count(sheet, (uint64_t)expiry_s);
}
