/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of a worker: giving it back to the system, and what happens when there is none, or when
 * max_memory is reached. */
#include "base/log.h"
#include "base/mem.h"
#include "gate/session.h"
#include "gate/worker_parts.h"

#define TRIM_DELAY_MS 1000   /* one trim for all that a burst frees */
#define TRIM_SESSIONS_MIN 64 /* fewer sessions leave little behind */
#define RETRY_MS 500         /* from one look for memory to the next */

/* --- giving back ----------------------------------------------------------------------------- */

static void on_trim(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, trim);
    w->is_trim_due = false;
    w->peak_sessions = w->context.session_count;
    mem_trim();
    roster_trim(&w->roster);
}

void worker_trim_soon(struct worker *w)
{
    if (!w->is_trim_due) {
        w->is_trim_due = true;
        reactor_timer_at(&w->trim, reactor_now_ms(w->context.reactor) + TRIM_DELAY_MS);
    }
}

void worker_on_session_park(struct session_context *context)
{
    worker_trim_soon(container_of(context, struct worker, context));
}

void worker_on_session_gone(struct session_context *context)
{
    struct worker *w = container_of(context, struct worker, context);
    size_t left = context->session_count;
    /* A burst leaves holes between the sessions that stay. */
    if (left + 1 > w->peak_sessions) {
        w->peak_sessions = left + 1;
    }
    if (w->peak_sessions >= TRIM_SESSIONS_MIN && left < w->peak_sessions / 2) {
        worker_trim_soon(w);
    }
    worker_stop_when_empty(w);
}

/* --- none ------------------------------------------------------------------------------------ */

static void look_again(struct worker *w)
{
    reactor_timer_at(&w->recover, reactor_now_ms(w->context.reactor) + RETRY_MS);
}

/* Nobody comes in while either lasts. */
static void set_door(struct worker *w)
{
    worker_tell_accepting(w);
    door_shut(&w->door, w->is_short ? "out of memory" : w->is_full ? "max_memory" : NULL);
    if (w->is_short || w->is_full) {
        look_again(w);
    }
}

static bool is_over_limit(const struct worker *w)
{
    uint64_t most = w->context.config->max_memory_bytes;
    return most != 0 && mem_live_bytes() > most;
}

static void on_recover(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, recover);
    bool was_short = w->is_short;
    w->is_short = w->is_short && !mem_recover();
    w->is_full = w->is_full && is_over_limit(w);
    set_door(w);
    if (was_short && !w->is_short && flood_lets(&w->flood, FLOOD_MEMORY_BACK)) {
        log_message(LOG_INFO, "memory.back", "this worker accepts connections again");
    }
}

/* The worker takes no more while it has no memory, for the sake of the sessions that it has. */
static void on_short(struct reactor_deferred *deferred)
{
    struct worker *w = container_of(deferred, struct worker, on_short);
    if (w->is_short) {
        return;
    }
    w->is_short = true;
    set_door(w);
    if (!flood_lets(&w->flood, FLOOD_MEMORY_SHORT)) {
        return;
    }
    struct log_line line;
    log_begin(&line, LOG_ERROR, "memory.short");
    log_u64(&line, "sessions", w->context.session_count);
    log_str(&line, "msg", "out of memory: this worker accepts nobody until there is some");
    log_end(&line);
}

static void note_short(void *owner)
{
    struct worker *w = owner;
    reactor_defer(w->context.reactor, &w->on_short);
}

/* --- max_memory ------------------------------------------------------------------------------ */

static void log_full(struct worker *w, size_t bytes, size_t ended)
{
    struct log_line line;
    if (!flood_lets(&w->flood, FLOOD_MEMORY_FULL)) {
        return;
    }
    log_begin(&line, LOG_WARN, "memory.full");
    log_u64(&line, "bytes", bytes);
    log_u64(&line, "max_memory", w->context.config->max_memory_bytes);
    log_u64(&line, "sessions", w->context.session_count);
    log_u64(&line, "ended", ended);
    log_str(&line, "msg",
            ended == 0   ? "nothing is queued, so no session ends: this worker accepts nobody"
            : w->is_full ? "every session with a queue has ended, and this worker accepts nobody"
                         : "the sessions with the largest queues have ended");
    log_end(&line);
}

/* At the end of the turn, which may have given back what it took. */
static void on_full(struct reactor_deferred *deferred)
{
    struct worker *w = container_of(deferred, struct worker, on_full);
    size_t bytes = mem_live_bytes();
    if (!is_over_limit(w)) {
        return;
    }
    size_t ended = session_end_largest(&w->context, w->context.config->max_memory_bytes);
    seat_add(&seat_worker(w->context.seat)->memory_ends, ended);
    seat_put(&seat_worker(w->context.seat)->allocated_bytes, mem_live_bytes());
    bool was_full = w->is_full;
    w->is_full = is_over_limit(w);
    if (w->is_full && !was_full) {
        set_door(w);
    }
    if (ended > 0 || !was_full) {
        log_full(w, bytes, ended);
    }
    if (ended > 0) {
        worker_trim_soon(w);
    }
}

static void note_full(void *owner)
{
    struct worker *w = owner;
    reactor_defer(w->context.reactor, &w->on_full);
}

void worker_set_max_memory(struct worker *w)
{
    uint64_t most = w->context.config->max_memory_bytes;
    mem_on_limit(most, most != 0 ? note_full : NULL, w);
    if (is_over_limit(w)) {
        note_full(w);
    }
}

void worker_begin_memory(struct worker *w)
{
    struct reactor *r = w->context.reactor;
    reactor_timer_init(&w->trim, r, on_trim);
    reactor_timer_init(&w->recover, r, on_recover);
    reactor_deferred_init(&w->on_short, on_short);
    reactor_deferred_init(&w->on_full, on_full);
    mem_on_short(note_short, w);
    if (mem_is_short()) { /* since the start, or the master was */
        note_short(w);
    }
    worker_set_max_memory(w);
}

void worker_end_memory(struct worker *w)
{
    reactor_timer_stop(&w->trim);
    reactor_timer_stop(&w->recover);
    mem_on_short(NULL, NULL);
    mem_on_limit(0, NULL, NULL);
}
