/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The backends of a listing. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "gate/listing_parts.h"

/* Every byte of each text may become six. */
_Static_assert(6 * (SEAT_NAME_MAX + SEAT_BACKEND_MAX + SEAT_DETAIL_MAX) + 256 <= LISTING_ROW_MAX,
               "a backend fits a row");

static size_t write_backend(const struct seats *seats, size_t row, bool is_first, char *out)
{
    const struct seats_backend b = seats_backend(seats, row);
    uint64_t now_ms = clock_now_ms();
    uint64_t at_ms = b.fitness != NULL ? seat_get(&b.fitness->at_ms) : 0;
    char route[6 * SEAT_NAME_MAX + 2];
    char text[6 * SEAT_BACKEND_MAX + 2];
    char detail[6 * SEAT_DETAIL_MAX + 2];
    char why[SEAT_DETAIL_MAX];
    char since[24] = "null";

    seats_backend_detail(seats, row, why);
    if (at_ms != 0) {
        snprintf(since, sizeof(since), "%" PRIu64, now_ms > at_ms ? now_ms - at_ms : 0);
    }
    int len =
        snprintf(out, LISTING_ROW_MAX,
                 "%s\n{\"route\":%s,\"backend\":%s,\"state\":\"%s\",\"sessions\":%" PRIu64
                 ",\"max_sessions\":%" PRIu64 ",\"weight\":%" PRIu64
                 ",\"backup\":%s,\"since_ms\":%s,\"detail\":%s}",
                 is_first ? "" : ",", listing_quote(b.route, route, sizeof(route)),
                 listing_quote(b.text, text, sizeof(text)),
                 seats_state_word(seats_backend_state(seats, row, now_ms)),
                 seats_backend_sessions(seats, row), b.max_sessions, b.weight,
                 b.is_backup ? "true" : "false", since, listing_quote(why, detail, sizeof(detail)));
    return len > 0 ? (size_t)len : 0;
}

size_t listing_write_backends(struct listing *listing, char *out, size_t size)
{
    size_t count = seats_backend_count(listing->seats);
    size_t len = 0;
    /* The row that follows, or the end of the listing, always fits behind. */
    while (listing->backend < count && size - len > 2 * LISTING_ROW_MAX) {
        if (seats_backend(listing->seats, listing->backend).is_listed) {
            len +=
                write_backend(listing->seats, listing->backend, !listing->has_backends, out + len);
            listing->has_backends = true;
        }
        listing->backend++;
    }
    return len;
}
