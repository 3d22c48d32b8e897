/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/worker.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/listener.h"
#include "gate/page.h"
#include "gate/session.h"

#define DRAIN_TICK_MS 50
#define DRAIN_PER_TICK_MIN 100 /* so few end in one tick */
#define TRIM_DELAY_MS 1000     /* one trim for all that a burst frees */
#define TRIM_SESSIONS_MIN 64   /* fewer sessions leave little behind */

struct worker {
    struct session_context context;
    struct scratch scratch;
    const struct worker_start *start;
    struct listener *listeners;
    struct reactor_signal on_term;
    struct reactor_signal on_quit;
    struct reactor_io master;
    struct reactor_timer drain;
    uint64_t drain_end_ms; /* 0 = not draining */
    size_t drain_per_tick;
    struct reactor_timer trim;
    bool is_trim_due;
    size_t peak_sessions; /* since the last trim */
};

static void on_trim(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, trim);
    w->is_trim_due = false;
    w->peak_sessions = w->context.session_count;
    mem_trim();
}

static void trim_soon(struct worker *w)
{
    if (!w->is_trim_due) {
        w->is_trim_due = true;
        reactor_timer_at(&w->trim, reactor_now_ms(w->context.reactor) + TRIM_DELAY_MS);
    }
}

static void on_session_park(struct session_context *context)
{
    trim_soon(container_of(context, struct worker, context));
}

static void stop_when_empty(struct worker *w)
{
    if (w->context.is_draining && w->context.session_count == 0) {
        reactor_stop(w->context.reactor);
    }
}

static void on_session_gone(struct session_context *context)
{
    struct worker *w = container_of(context, struct worker, context);
    size_t left = context->session_count;
    /* A burst leaves holes between the sessions that stay. */
    if (left + 1 > w->peak_sessions) {
        w->peak_sessions = left + 1;
    }
    if (w->peak_sessions >= TRIM_SESSIONS_MIN && left < w->peak_sessions / 2) {
        trim_soon(w);
    }
    stop_when_empty(w);
}

static void stop_listeners(struct worker *w)
{
    for (size_t i = 0; i < w->context.config->listen_count; i++) {
        listener_stop(&w->listeners[i]);
    }
}

static void kill_all(struct worker *w)
{
    w->context.is_draining = true;
    stop_listeners(w); /* nobody would kill a session accepted from here on */
    session_kill_all(&w->context);
    stop_when_empty(w);
}

static void on_drain_tick(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, drain);
    uint64_t now_ms = reactor_now_ms(w->context.reactor);
    if (now_ms >= w->drain_end_ms) {
        kill_all(w);
        return;
    }
    (void)session_end_some(&w->context, LIFE_SHUTDOWN, w->drain_per_tick);
    reactor_timer_at(&w->drain, now_ms + DRAIN_TICK_MS);
}

static void start_drain(struct worker *w)
{
    uint64_t drain_ms = w->context.config->drain_ms;
    if (w->context.is_draining) {
        return;
    }
    w->context.is_draining = true;
    stop_listeners(w);
    struct log_line line;
    log_begin(&line, LOG_INFO, "drain.begin");
    log_u64(&line, "sessions", w->context.session_count);
    log_end(&line);

    /* A third of the time is for ending the sessions, the rest for their closing handshakes. */
    uint64_t ticks = drain_ms / 3 / DRAIN_TICK_MS + 1;
    w->drain_per_tick = w->context.session_count / ticks + 1;
    if (w->drain_per_tick < DRAIN_PER_TICK_MIN) {
        w->drain_per_tick = DRAIN_PER_TICK_MIN;
    }
    w->drain_end_ms = reactor_now_ms(w->context.reactor) + drain_ms;
    reactor_timer_at(&w->drain, reactor_now_ms(w->context.reactor));
    stop_when_empty(w);
}

static void on_term(struct reactor_signal *s)
{
    start_drain(container_of(s, struct worker, on_term));
}

static void on_quit(struct reactor_signal *s)
{
    struct worker *w = container_of(s, struct worker, on_quit);
    kill_all(w);
}

static void on_master_gone(struct reactor_io *io, unsigned ready)
{
    struct worker *w = container_of(io, struct worker, master);
    (void)ready;
    reactor_io_want(io, 0);
    log_message(LOG_WARN, "master.gone", "the master is gone: this worker drains");
    start_drain(w);
}

static bool start_listeners(struct worker *w)
{
    const struct config *config = w->context.config;
    w->listeners = mem_alloc_zero(config->listen_count * sizeof(*w->listeners));
    if (w->listeners == NULL) {
        return false;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        const char *detail = NULL;
        if (!listener_init(&w->listeners[i], &w->context, &config->listens[i],
                           w->start->listen_fds[i], &detail)) {
            log_message(LOG_ERROR, "worker.failed", "%s", detail);
            return false;
        }
    }
    return true;
}

static bool init(struct worker *w, const struct worker_start *start)
{
    w->context.config = start->config;
    w->context.scoreboard = start->scoreboard;
    w->context.slot = start->slot;
    w->context.find_page = page_find;
    w->context.on_gone = on_session_gone;
    w->context.on_park = on_session_park;
    list_init(&w->context.sessions);
    w->context.scratch = &w->scratch;
    w->context.reactor = reactor_new();
    if (w->context.reactor == NULL || !scratch_init(&w->scratch)) {
        return false;
    }
    w->context.resolver = resolver_new(w->context.reactor);
    w->context.upstream = upstream_new(w->context.config);
    if (w->context.resolver == NULL || w->context.upstream == NULL || !start_listeners(w)) {
        return false;
    }
    reactor_signal_init(&w->on_term, w->context.reactor, SIGTERM, on_term);
    reactor_signal_init(&w->on_quit, w->context.reactor, SIGQUIT, on_quit);
    reactor_timer_init(&w->drain, w->context.reactor, on_drain_tick);
    reactor_timer_init(&w->trim, w->context.reactor, on_trim);
    reactor_io_init(&w->master, w->context.reactor, start->master_fd, on_master_gone);
    reactor_io_want(&w->master, REACTOR_READ);
    return true;
}

int worker_run(const struct worker_start *start)
{
    struct worker w = {.start = start};

    if (!init(&w, start)) {
        log_message(LOG_ERROR, "worker.failed", "cannot start");
        return 3;
    }
    sigprocmask(SIG_SETMASK, start->signal_mask, NULL);
    struct log_line line;
    log_begin(&line, LOG_INFO, "worker.start");
    log_u64(&line, "slot", start->slot);
    log_u64(&line, "pid", (uint64_t)getpid());
    log_end(&line);

    reactor_run(w.context.reactor);

    reactor_io_want(&w.master, 0);
    reactor_timer_stop(&w.trim);
    close(start->master_fd);
    for (size_t i = 0; i < start->config->listen_count; i++) {
        listener_done(&w.listeners[i]);
    }
    mem_free(w.listeners);
    resolver_free(w.context.resolver);
    upstream_free(w.context.upstream);
    reactor_free(w.context.reactor);
    scratch_done(&w.scratch);
    return 0;
}
