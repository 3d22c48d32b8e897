/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a worker ends: over drain_timeout, with its last session, or at once. */
#include <unistd.h>

#include "base/log.h"
#include "gate/session.h"
#include "gate/worker_parts.h"

/* A handshake that has begun when a drain begins has so long to end, or a tenth of drain_timeout. A
 * caller who comes meanwhile tries again a second after his first try, and then finds nobody. */
#define LEAVE_MOST_MS 900
#define EARLY_MS 2000 /* a connection that is to be told first has to ask: so long it may take */
#define DRAIN_TICK_MS 250 /* between two looks at those, at most */

static void log_begin_of_drain(const struct worker *w, uint64_t drain_ms)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "drain.begin");
    log_u64(&line, "sessions", w->drain_spread.count);
    log_u64(&line, "over_ms", w->drain_spread.over_ms);
    log_u64(&line, "at_most_ms", drain_ms);
    log_end(&line);
}

/* Once, however the drain ends. */
static void log_end_of_drain(struct worker *w, size_t cut)
{
    struct log_line line;
    if (w->drain_end_ms == 0) {
        return;
    }
    log_begin(&line, LOG_INFO, "drain.end");
    log_u64(&line, "told", w->drain_told);
    log_u64(&line, "cut", cut);
    log_u64(&line, "took_ms", reactor_now_ms(w->context.reactor) - w->drain_begin_ms);
    log_end(&line);
    w->drain_end_ms = 0;
}

void worker_stop_when_empty(struct worker *w)
{
    bool is_ending = w->context.is_draining || w->is_retired;
    if (is_ending && w->context.session_count == 0 && list_is_empty(&w->leaving)) {
        worker_drop_all_posts(w); /* of [health] */
        session_kill_all(&w->context);
        log_end_of_drain(w, 0);
        reactor_stop(w->context.reactor);
    }
}

uint64_t worker_seed(const struct worker *w)
{
    return (uint64_t)getpid() << 32 ^ reactor_now_ms(w->context.reactor);
}

/* True: no other process has the sockets of this worker, and will have their callers. */
static bool is_last(const struct worker *w)
{
    const struct scoreboard *board = w->context.scoreboard;
    bool has_callers = !w->is_waiting && w->start->generation >= board->serving;
    bool is_end = w->is_orphan || board->stop == SCOREBOARD_DRAINS;
    return has_callers && is_end && !w->start->is_kept;
}

static void stop_accepting(struct worker *w)
{
    const struct control_message leaving = {.kind = CONTROL_LEAVING};
    worker_tell_accepting(w);
    worker_end_checks(w);
    worker_tell_master(w, &leaving); /* somebody else must accept its callers */
    worker_abandon(w);
}

void worker_retire(struct worker *w)
{
    w->is_retired = true;
    w->context.is_retired = true;
    session_end_kept(&w->context);
    stop_accepting(w);
    worker_drop_all_posts(w); /* [health] too: it would tell of a configuration that is no more */
    struct log_line line;
    log_begin(&line, LOG_INFO, "worker.retired");
    log_u64(&line, "sessions", w->context.session_count);
    log_end(&line);
    worker_stop_when_empty(w);
}

void worker_kill(struct worker *w)
{
    size_t cut = w->context.session_count;
    w->context.is_draining = true;
    stop_accepting(w);
    worker_drop_all_posts(w); /* nobody would kill a session accepted from here on */
    session_kill_all(&w->context);
    log_end_of_drain(w, cut);
    worker_stop_when_empty(w);
}

void worker_on_drain_tick(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, drain);
    uint64_t now_ms = reactor_now_ms(w->context.reactor);
    if (w->drain_end_ms == 0) {
        return;
    }
    if (now_ms >= w->drain_end_ms) {
        worker_kill(w);
        return;
    }
    size_t due = spread_take(&w->drain_spread, now_ms);
    w->drain_told += session_end_some(&w->context, w->drain_ending, due);
    session_end_early(&w->context, w->drain_ending, EARLY_MS);
    uint64_t next_ms = spread_next_ms(&w->drain_spread, now_ms);
    next_ms = next_ms < now_ms + DRAIN_TICK_MS ? next_ms : now_ms + DRAIN_TICK_MS;
    reactor_timer_at(timer, next_ms < w->drain_end_ms ? next_ms : w->drain_end_ms);
}

void worker_drain(struct worker *w, enum life_ending ending)
{
    struct session_context *context = &w->context;
    uint64_t now_ms = reactor_now_ms(context->reactor);
    uint64_t drain_ms = context->config->drain_ms;
    uint64_t leave_ms = drain_ms / 10 < LEAVE_MOST_MS ? drain_ms / 10 : LEAVE_MOST_MS;
    if (context->is_draining) {
        return;
    }
    context->is_draining = true;
    w->drain_ending = ending;
    stop_accepting(w);
    if (is_last(w)) {
        worker_leave_public_posts(w, leave_ms);
    } else {
        worker_drop_public_posts(w);
    }
    spread_begin(&w->drain_spread, now_ms, spread_of_drain(drain_ms), session_count_live(context),
                 worker_seed(w));
    w->drain_begin_ms = now_ms;
    w->drain_end_ms = now_ms + drain_ms;
    log_begin_of_drain(w, drain_ms);
    reactor_timer_at(&w->drain, now_ms);
    session_end_kept(context);
    worker_stop_when_empty(w);
}
