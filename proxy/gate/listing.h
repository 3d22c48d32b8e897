/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listing.h: the sessions of all workers as JSON.
 *
 * For: what a query asks for, and the text, produced in parts: 10,000 sessions cost no more memory
 * than any other answer. Not for: keeping the rows (roster), sending (answer).
 *
 * The query names conditions, which all must hold, and a page:
 *   route, listen, phase, client (address without port), id: exactly this;
 *   paused=yes: sluice does not read a side;
 *   sub: the subject of the session's identity, the whole of it, also where the row shows it cut;
 *   auth: only with sub, and only where this [auth] section has proven it;
 *   identity_key: what rows of the same identity have in common;
 *   limit: so many sessions at most, 1 to 10000, 1000 without it;
 *   after: `next` of the page before.
 * A session that lives on while somebody asks for one page after the other is on exactly one of
 * them. `next` is null on the last page.
 *
 * Behind the sessions stand the backends of the configuration in force, on every page and whatever
 * the query asks for: how each is for all workers (gate/seat), and why it went down last; so too
 * each address of a name with several, as the worker that answers knows them.
 *
 *   {"sessions":[{"id":"0-17", ...}, ...],
 *    "backends":[{"route":"vnc","backend":"tcp://10.0.0.5:5900","state":"up", ...,
 *                  "addresses":[{"address":"10.0.0.5:5900","state":"up", ...}, ...]}, ...],
 *    "next":"4711"} */
#ifndef GATE_LISTING_H
#define GATE_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "gate/answer.h"
#include "gate/roster.h"
#include "gate/seat.h"
#include "gate/upstream.h"

enum listing_filter {
    LISTING_ROUTE = 0,
    LISTING_LISTEN,
    LISTING_PHASE,
    LISTING_CLIENT,
    LISTING_ID,
    LISTING_PAUSED,
    LISTING_FILTERS
};
#define LISTING_TEXT_MAX 64 /* what a condition may be, with its NUL */

enum listing_stage { LISTING_BEGINS = 0, LISTING_GOES_ON, LISTING_BACKENDS, LISTING_ENDS };

/* It must outlive the body and may not be copied meanwhile. */
struct listing {
    struct roster *roster;
    const struct seats *seats;                      /* NULL: there are no backends to tell of */
    struct upstream *const *upstream;               /* the one in force; NULL: as above */
    size_t backend;                                 /* the row of the next one */
    size_t address;                                 /* of it, the next one */
    bool is_in_backend;                             /* its addresses follow */
    size_t hint;                                    /* for upstream_show_address */
    bool has_backends;                              /* one is told already */
    char wanted[LISTING_FILTERS][LISTING_TEXT_MAX]; /* empty: whatever it is */
    struct roster_who who;                          /* zeroed: whoever it is */
    uint32_t after;
    uint32_t left; /* rows of this page */
    bool has_rows; /* already, of this page */
    enum listing_stage stage;
};

/* Reads the query. False: it asks for what there is not; *out_detail is a constant that says what
 * would be right. */
MUST_CHECK bool listing_init(struct listing *out, struct roster *roster, struct span query,
                             const char **out_detail);
/* Before the body: tells of the backends too, and of their addresses as this worker follows them.
 * *upstream may change while the body is produced. */
void listing_add_backends(struct listing *listing, const struct seats *seats,
                          struct upstream *const *upstream);
/* A body of unknown length. */
struct answer_body listing_body(struct listing *listing);

#define LISTING_SUBJECT_MAX 8192 /* with its NUL; no token has a longer one */

/* Whose sessions a query means. */
struct listing_owner {
    struct roster_who who;             /* one number at least is not 0 */
    char subject[LISTING_SUBJECT_MAX]; /* empty: the query has an identity_key */
};

/* Reads a query that must say whose sessions it means, by sub and auth or by identity_key, and may
 * say nothing else. False: *out_detail is a constant that says what would be right. */
MUST_CHECK bool listing_parse_owner(struct listing_owner *out, struct roster *roster,
                                    struct span query, const char **out_detail);

/* "0-17" to the slot and the number. */
MUST_CHECK bool listing_parse_id(struct span text, size_t *out_slot, uint64_t *out_number);

#endif
