/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/worker.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/control.h"
#include "gate/descriptors.h"
#include "gate/jail.h"
#include "gate/listener.h"
#include "gate/page.h"
#include "gate/session.h"
#include "io/tls.h"

#define DRAIN_TICK_MS 50
#define DRAIN_PER_TICK_MIN 100 /* so few end in one tick */
#define TRIM_DELAY_MS 1000     /* one trim for all that a burst frees */
#define SHORT_RETRY_MS 1000    /* from one look for memory to the next */
#define TRIM_SESSIONS_MIN 64   /* fewer sessions leave little behind */
#define TICKETS_MS (60 * 60 * 1000)

/* A listening socket of another slot, which the master gave to this worker. */
struct adopted {
    struct list link;
    uint32_t slot;
    uint32_t listen;
    struct listener listener;
};

struct worker {
    struct session_context context;
    struct scratch scratch;
    struct door door;
    struct flood flood;
    const struct worker_start *start;
    struct listener *listeners;
    struct list adopted;
    struct reactor_signal on_term;
    struct reactor_signal on_quit;
    struct reactor_io control;
    struct reactor_timer drain;
    uint64_t drain_end_ms; /* 0 = not draining */
    size_t drain_per_tick;
    struct reactor_timer trim;
    struct reactor_timer tickets;
    bool is_trim_due;
    size_t peak_sessions; /* since the last trim */
    struct reactor_deferred on_short;
    struct reactor_timer recover;
    bool is_short; /* of memory: this worker accepts nobody */
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

/* --- no memory ------------------------------------------------------------------------------- */

static void on_recover(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, recover);
    if (!mem_recover()) {
        reactor_timer_at(&w->recover, reactor_now_ms(w->context.reactor) + SHORT_RETRY_MS);
        return;
    }
    w->is_short = false;
    door_shut(&w->door, false);
    log_message(LOG_INFO, "memory.back", "this worker accepts connections again");
}

/* The worker takes no more while it has no memory, for the sake of the sessions that it has. */
static void on_short(struct reactor_deferred *deferred)
{
    struct worker *w = container_of(deferred, struct worker, on_short);
    if (w->is_short) {
        return;
    }
    w->is_short = true;
    door_shut(&w->door, true);
    reactor_timer_at(&w->recover, reactor_now_ms(w->context.reactor) + SHORT_RETRY_MS);
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

/* --- slots without a worker ------------------------------------------------------------------ */

static void drop(struct adopted *a)
{
    list_unlink(&a->link);
    listener_done(&a->listener);
    mem_free(a);
}

/* `listen` NULL: every one. */
static void drop_adopted(struct worker *w, uint32_t slot, const uint32_t *listen)
{
    struct list *link = w->adopted.next;
    while (link != &w->adopted) {
        struct adopted *a = container_of(link, struct adopted, link);
        link = link->next;
        if (a->slot == slot && (listen == NULL || a->listen == *listen)) {
            drop(a);
        }
    }
}

static void drop_all_adopted(struct worker *w)
{
    while (!list_is_empty(&w->adopted)) {
        drop(container_of(w->adopted.next, struct adopted, link));
    }
}

static void tell_master(struct worker *w, enum control_kind kind, uint32_t slot)
{
    const struct control_message message = {.kind = kind, .slot = slot};
    bool is_sent = control_send(w->start->control_fd, &message, -1);
    (void)is_sent; /* else the master is gone */
}

static void adopt(struct worker *w, const struct control_message *message, int fd)
{
    struct adopted *a = mem_alloc(sizeof(*a));
    struct span name = w->context.config->listens[message->listen].name;
    if (a == NULL || w->context.is_draining || fd == -1) {
        log_message(LOG_WARN, "adopt.failed", "slot %u, listener '%.*s': %s", message->slot,
                    (int)name.len, name.data,
                    a == NULL  ? "out of memory"
                    : fd == -1 ? "out of descriptors"
                               : "draining");
        tell_master(w, CONTROL_REFUSED, message->slot);
        mem_free(a);
        if (fd != -1) {
            close(fd);
        }
        return;
    }
    drop_adopted(w, message->slot, &message->listen); /* a second copy of the same socket */
    a->slot = message->slot;
    a->listen = message->listen;
    list_init(&a->link);
    list_append(&w->adopted, &a->link);
    listener_init_like(&a->listener, &w->listeners[message->listen], fd);
}

static void stop_listeners(struct worker *w)
{
    tell_master(w, CONTROL_LEAVING, 0); /* somebody else must accept its callers */
    drop_all_adopted(w);
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

static void on_message(struct worker *w, const struct control_message *message, int fd)
{
    switch ((enum control_kind)message->kind) {
    case CONTROL_ADOPT:
        adopt(w, message, fd);
        return;
    case CONTROL_RELEASE:
        drop_adopted(w, message->slot, NULL);
        break;
    case CONTROL_WAKE: /* this turn is the answer */
    case CONTROL_READY:
    case CONTROL_FAILED:
    case CONTROL_LEAVING:
    case CONTROL_REFUSED:
        break;
    }
    if (fd != -1) {
        close(fd);
    }
}

/* An idle worker must not keep the keys of old tickets either. */
static void on_tickets(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, tickets);
    tls_advance_tickets();
    reactor_timer_at(&w->tickets, reactor_now_ms(w->context.reactor) + TICKETS_MS);
}

static void on_control(struct reactor_io *io, unsigned ready)
{
    struct worker *w = container_of(io, struct worker, control);
    struct control_message message;
    int fd = -1;
    (void)ready;
    for (;;) {
        switch (control_receive(reactor_io_fd(io), &message, &fd)) {
        case CONTROL_OK:
            on_message(w, &message, fd);
            break;
        case CONTROL_NONSENSE:
            break;
        case CONTROL_NONE:
            return;
        case CONTROL_GONE:
            reactor_io_want(io, 0);
            log_message(LOG_WARN, "master.gone", "the master is gone: this worker drains");
            start_drain(w);
            return;
        }
    }
}

static bool start_listeners(struct worker *w, const char **out_detail)
{
    const struct config *config = w->context.config;
    w->listeners = mem_alloc_zero(config->listen_count * sizeof(*w->listeners));
    if (w->listeners == NULL) {
        *out_detail = "out of memory";
        return false;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        if (!listener_init(&w->listeners[i], &w->context, &config->listens[i],
                           w->start->listen_fds[i], out_detail)) {
            return false;
        }
    }
    return true;
}

static void open_door(struct worker *w)
{
    const struct config *config = w->context.config;
    const struct descriptors_plan plan =
        descriptors_share(config, descriptors_raise(), descriptors_open());
    const struct door_settings settings = {
        .pending_max = plan.pending_max,
        .sessions_max = plan.sessions_max,
        .serve = session_serve,
        .put_out = session_put_out,
    };
    door_init(&w->door, w->context.reactor, &settings);
    flood_init(&w->flood, w->context.reactor, config->log_limit);
    w->context.door = &w->door;
    w->context.flood = &w->flood;
}

static void init_events(struct worker *w)
{
    struct reactor *r = w->context.reactor;
    reactor_signal_init(&w->on_term, r, SIGTERM, on_term);
    reactor_signal_init(&w->on_quit, r, SIGQUIT, on_quit);
    reactor_timer_init(&w->drain, r, on_drain_tick);
    reactor_timer_init(&w->trim, r, on_trim);
    reactor_timer_init(&w->tickets, r, on_tickets);
    on_tickets(&w->tickets);
    reactor_timer_init(&w->recover, r, on_recover);
    reactor_deferred_init(&w->on_short, on_short);
    mem_on_short(note_short, w);
    if (mem_is_short()) { /* since the start, or the master was */
        note_short(w);
    }
    reactor_io_init(&w->control, r, w->start->control_fd, on_control);
    reactor_io_want(&w->control, REACTOR_READ);
}

static bool init(struct worker *w, const struct worker_start *start, const char **out_detail)
{
    w->context.config = start->config;
    w->context.scoreboard = start->scoreboard;
    w->context.slot = start->slot;
    w->context.find_page = page_find;
    w->context.on_gone = on_session_gone;
    w->context.on_park = on_session_park;
    list_init(&w->context.sessions);
    list_init(&w->adopted);
    w->context.scratch = &w->scratch;
    w->context.reactor = reactor_new();
    if (w->context.reactor == NULL) {
        *out_detail = "a worker cannot make its event loop: out of memory or descriptors";
        return false;
    }
    if (!scratch_init(&w->scratch)) {
        *out_detail = "out of memory";
        return false;
    }
    w->context.resolver = resolver_new(w->context.reactor);
    w->context.upstream = upstream_new(w->context.config);
    if (w->context.resolver == NULL || w->context.upstream == NULL) {
        *out_detail = "a worker cannot make its resolver: out of memory or descriptors";
        return false;
    }
    open_door(w);
    if (!start_listeners(w, out_detail)) {
        return false;
    }
    init_events(w);
    return true;
}

/* From here on the worker answers to signals, and the master counts on it. */
static bool begin_to_serve(struct worker *w)
{
    const struct worker_start *start = w->start;
    const struct control_message ready = {.kind = CONTROL_READY};
    struct log_line line;
    sigset_t none;

    reactor_count_turns(w->context.reactor, &start->scoreboard->slots[start->slot].turns);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    log_begin(&line, LOG_INFO, "worker.start");
    log_u64(&line, "slot", start->slot);
    log_u64(&line, "pid", (uint64_t)getpid());
    log_end(&line);
    return control_send(start->control_fd, &ready, -1);
}

int worker_run(const struct worker_start *start, const char **out_detail)
{
    struct worker w = {.start = start};

    *out_detail = NULL;
    if (!init(&w, start, out_detail) || !jail_lock(start->config, out_detail)) {
        return 3;
    }
    if (!begin_to_serve(&w)) {
        *out_detail = "a worker cannot tell the master that it serves";
        return 3;
    }
    reactor_run(w.context.reactor);

    reactor_io_want(&w.control, 0);
    reactor_timer_stop(&w.trim);
    reactor_timer_stop(&w.tickets);
    reactor_timer_stop(&w.recover);
    mem_on_short(NULL, NULL);
    drop_all_adopted(&w);
    for (size_t i = 0; i < start->config->listen_count; i++) {
        listener_done(&w.listeners[i]);
    }
    mem_free(w.listeners);
    door_done(&w.door);
    flood_done(&w.flood);
    resolver_free(w.context.resolver);
    upstream_free(w.context.upstream);
    reactor_free(w.context.reactor);
    scratch_done(&w.scratch);
    return 0;
}
