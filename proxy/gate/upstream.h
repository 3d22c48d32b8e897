/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upstream.h: the backends of the routes at run time: how each is, and which one is next.
 *
 * For: choosing the backend that a session dials, and the next one when that fails; putting a
 * backend that fails out for a pause, and letting one session try it again; telling the log of each
 * change: `backend.down` with the reason, and later `backend.up`, both at warn, one line for each
 * change and not for each session. The log learns of a backend that changes often less and less
 * often, at last once a minute; such a line says how many changes it is silent about
 * (`suppressed=N`). Not for: the arithmetic (proto/balance, proto/fitness), dialling, asking
 * backends how they are.
 *
 * How a backend is belongs to its row of the seats, not to a worker: what one worker finds out all
 * of them know, and a reload, a crash and an upgrade forget nothing. A backend without a row of its
 * own is known to its worker alone. The turns of round_robin are each worker's own.
 *
 * The worker owns it; the snapshot and the seat outlive it. A route may be one of another snapshot:
 * its backends are found by their names. */
#ifndef GATE_UPSTREAM_H
#define GATE_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/dial.h"
#include "gate/limits.h"
#include "gate/seat.h"

struct upstream;
/* `seat` NULL: this worker alone knows. NULL: no memory. */
MUST_CHECK struct upstream *upstream_new(const struct config *config, const struct seat *seat);
void upstream_free(struct upstream *upstream);
/* What `before`, of another snapshot, alone knows of a backend with the same text in a route of the
 * same name, `upstream` knows too. */
void upstream_inherit(struct upstream *upstream, const struct upstream *before);

/* --- choosing --- */

/* Which backends a session has tried; in a session, zeroed at first. */
struct upstream_tried {
    uint32_t tried;    /* a bit for each backend of the route */
    bool is_some_full; /* one was not tried because it has its max_sessions */
};

struct upstream_question {
    const struct config_route *route; /* not an echo */
    const struct addr *client;        /* balance = source; len 0: nobody knows */
    struct limit_prefix prefix;       /* what counts as one client */
    const struct limits *limits;      /* count the sessions of each backend */
    uint64_t now_ms;
    uint64_t trial_ms; /* a trial that nobody hears of for so long is over */
};

/* Chooses the backend that the session dials next, and counts the session there
 * (limits_take_backend). False: it has tried all, or the others have their max_sessions. */
MUST_CHECK bool upstream_choose(struct upstream *upstream, const struct upstream_question *question,
                                struct upstream_tried *tried, struct limits_holds *holds,
                                size_t *out_index);
/* How many it has not tried. */
size_t upstream_untried(const struct config_route *route, const struct upstream_tried *tried);

/* --- names with many addresses --- */

/* A name with several addresses is a set of backends within one: each address has a state of its
 * own, which all workers share, and new sessions are spread over the addresses as `balance` says.
 * What counts for the whole backend (weight, backup, max_sessions, its own state) counts for the
 * name. Of a name with addresses of both families the family counts that this machine can reach and
 * that has more of them. The set is followed (io/follow): an address that stays keeps its state,
 * one that has left gets no new session, a new one starts slowly. */

/* Follows the names of the configuration from now on; without memory a name is not followed. */
void upstream_follow(struct upstream *upstream, struct reactor *reactor, struct resolver *resolver);
/* The sets stay as they are no more: names are dialled as they are. */
void upstream_unfollow(struct upstream *upstream);

/* The addresses of a set; 0: the backend is none. */
size_t upstream_set_count(struct upstream *upstream, const struct config_route *route,
                          size_t index);
const struct addr *upstream_set_addr(struct upstream *upstream, const struct config_route *route,
                                     size_t index, size_t at);

/* How one address of a set is, for people. */
struct upstream_address {
    struct addr addr;
    enum seats_state state;
    uint64_t at_ms;               /* when it went up or down last; 0: it never did */
    char detail[SEAT_DETAIL_MAX]; /* why it went down last; "": it never did */
};
/* Address `at` of the backend with this text in the route with this name. `hint` is the caller's: 0
 * at first. False: there are not so many. */
bool upstream_show_address(struct upstream *upstream, struct span route, struct span backend,
                           size_t at, uint64_t now_ms, size_t *hint, struct upstream_address *out);

/* The addresses that a session dials, in this order. `ids` name them in the calls below; an address
 * that has left is nobody. */
struct upstream_order {
    size_t count;
    struct addr addrs[DIAL_ADDRS_MAX];
    uint64_t ids[DIAL_ADDRS_MAX];
};
/* Of backend `index`. The caller frees it with mem_free. NULL: it is no set, or no memory. */
MUST_CHECK struct upstream_order *upstream_order_new(struct upstream *upstream,
                                                     const struct upstream_question *question,
                                                     size_t index);

/* As upstream_note and so on, for one address. A session that was accepted counts there until
 * upstream_member_leave. */
void upstream_member_note(struct upstream *upstream, const struct config_route *route, size_t index,
                          uint64_t id, const struct dial_outcome *outcome, uint64_t now_ms);
void upstream_member_note_left(struct upstream *upstream, const struct config_route *route,
                               size_t index, uint64_t id, uint64_t now_ms);
void upstream_member_note_reset(struct upstream *upstream, const struct config_route *route,
                                size_t index, uint64_t id, const char *detail, uint64_t now_ms);
void upstream_member_note_byte(struct upstream *upstream, const struct config_route *route,
                               size_t index, uint64_t id, uint64_t now_ms);
void upstream_member_leave(struct upstream *upstream, const struct config_route *route,
                           size_t index, uint64_t id);
/* When checks find all addresses down, they find the backend down. */
void upstream_member_note_check(struct upstream *upstream, const struct config_route *route,
                                size_t index, const struct addr *addr, bool is_good,
                                const char *detail, uint64_t now_ms);

/* --- what becomes known --- */

/* True: a dial that ended so says something of the backend. False: what went wrong is the fault of
 * this machine (no memory, no descriptors). */
bool upstream_is_word(enum dial_result result);

/* A dial ended so with backend `index` of `route`. What says nothing of it changes nothing, but a
 * trial is over. */
void upstream_note(struct upstream *upstream, const struct config_route *route, size_t index,
                   const struct dial_outcome *outcome, uint64_t now_ms);
/* The dial was given up before it had an outcome: a trial is over. */
void upstream_note_left(struct upstream *upstream, const struct config_route *route, size_t index,
                        uint64_t now_ms);
/* A backend that had accepted a session reset it before it sent a byte, and before the client's
 * first byte was sent to it: else clients could put a backend out. */
void upstream_note_reset(struct upstream *upstream, const struct config_route *route, size_t index,
                         const char *detail, uint64_t now_ms);
/* A backend has sent its first byte to a session. */
void upstream_note_byte(struct upstream *upstream, const struct config_route *route, size_t index);

/* An active check has come to a verdict, after as many good or bad answers as its route asks for:
 * called as often as it likes, by one worker or by all. A backend that checks find down is out
 * until checks find it up; it then starts slowly, and a pause that sessions gave it is over. A good
 * verdict says nothing else: sessions may know better. `detail` as in dial_outcome; NULL: good. */
void upstream_note_check(struct upstream *upstream, const struct config_route *route, size_t index,
                         bool is_good, const char *detail, uint64_t now_ms);
/* Nobody checks the backend any more: what checks found does not count. */
void upstream_drop_checks(struct upstream *upstream, const struct config_route *route, size_t index,
                          uint64_t now_ms);

#endif
