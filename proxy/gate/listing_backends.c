/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The backends of a listing. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "gate/listing_parts.h"

/* Every byte of each text may become six. */
_Static_assert(6 * (SEAT_NAME_MAX + SEAT_BACKEND_MAX + SEAT_DETAIL_MAX) + 320 <= LISTING_ROW_MAX,
               "a backend fits a row");

/* "null" or how long ago it was. */
static const char *since(uint64_t at_ms, uint64_t now_ms, char out[24])
{
    snprintf(out, 24, "%" PRIu64, now_ms > at_ms ? now_ms - at_ms : 0);
    return at_ms != 0 ? out : "null";
}

/* Up to its addresses. */
static size_t write_backend(const struct seats *seats, size_t row, bool is_first, char *out)
{
    const struct seats_backend b = seats_backend(seats, row);
    uint64_t now_ms = clock_now_ms();
    uint64_t at_ms = b.fitness != NULL ? seat_get(&b.fitness->at_ms) : 0;
    char route[6 * SEAT_NAME_MAX + 2];
    char text[6 * SEAT_BACKEND_MAX + 2];
    char detail[6 * SEAT_DETAIL_MAX + 2];
    char why[SEAT_DETAIL_MAX];
    char ago[24];

    seats_backend_detail(seats, row, why);
    int len = snprintf(out, LISTING_ROW_MAX,
                       "%s\n{\"route\":%s,\"backend\":%s,\"state\":\"%s\",\"sessions\":%" PRIu64
                       ",\"max_sessions\":%" PRIu64 ",\"weight\":%" PRIu64
                       ",\"backup\":%s,\"since_ms\":%s,\"detail\":%s,\"addresses\":[",
                       is_first ? "" : ",", listing_quote(b.route, route, sizeof(route)),
                       listing_quote(b.text, text, sizeof(text)),
                       seats_state_word(seats_backend_state(seats, row, now_ms)),
                       seats_backend_sessions(seats, row), b.max_sessions, b.weight,
                       b.is_backup ? "true" : "false", since(at_ms, now_ms, ago),
                       listing_quote(why, detail, sizeof(detail)));
    return len > 0 ? (size_t)len : 0;
}

/* 0: there are no more of this backend. */
static size_t write_address(struct listing *listing, char *out)
{
    const struct seats_backend b = seats_backend(listing->seats, listing->backend);
    struct upstream *upstream = listing->upstream != NULL ? *listing->upstream : NULL;
    uint64_t now_ms = clock_now_ms();
    struct upstream_address found;
    char text[ADDR_TEXT_MAX];
    char detail[6 * SEAT_DETAIL_MAX + 2];
    char ago[24];

    if (upstream == NULL ||
        !upstream_show_address(upstream, span_from_str(b.route), span_from_str(b.text),
                               listing->address, now_ms, &listing->hint, &found)) {
        return 0;
    }
    addr_print(&found.addr, text, sizeof(text));
    int len = snprintf(out, LISTING_ROW_MAX,
                       "%s\n {\"address\":\"%s\",\"state\":\"%s\",\"since_ms\":%s,\"detail\":%s}",
                       listing->address == 0 ? "" : ",", text, seats_state_word(found.state),
                       since(found.at_ms, now_ms, ago),
                       listing_quote(found.detail, detail, sizeof(detail)));
    return len > 0 ? (size_t)len : 0;
}

static size_t begin_backend(struct listing *listing, char *out)
{
    size_t len = write_backend(listing->seats, listing->backend, !listing->has_backends, out);
    listing->has_backends = true;
    listing->is_in_backend = true;
    listing->address = 0;
    return len;
}

/* The next address, or the end of the backend. */
static size_t go_on(struct listing *listing, char *out)
{
    size_t len = write_address(listing, out);
    listing->address++;
    if (len == 0) {
        out[len++] = ']';
        out[len++] = '}';
        listing->is_in_backend = false;
        listing->backend++;
    }
    return len;
}

size_t listing_write_backends(struct listing *listing, char *out, size_t size)
{
    size_t count = seats_backend_count(listing->seats);
    size_t len = 0;
    /* The row that follows, or the end of the listing, always fits behind. */
    while (listing->backend < count && size - len > 2 * LISTING_ROW_MAX) {
        if (listing->is_in_backend) {
            len += go_on(listing, out + len);
        } else if (seats_backend(listing->seats, listing->backend).is_listed) {
            len += begin_backend(listing, out + len);
        } else {
            listing->backend++;
        }
    }
    return len;
}
