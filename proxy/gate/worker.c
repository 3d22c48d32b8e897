/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/worker.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/descriptors.h"
#include "gate/jail.h"
#include "gate/page.h"
#include "gate/session.h"
#include "gate/vitals.h"
#include "gate/worker_parts.h"
#include "io/tls.h"

#define PER_TICK_MIN 100     /* so few sessions end in one tick */
#define TRIM_DELAY_MS 1000   /* one trim for all that a burst frees */
#define SHORT_RETRY_MS 1000  /* from one look for memory to the next */
#define TRIM_SESSIONS_MIN 64 /* fewer sessions leave little behind */
#define HEALTH_PENDING_MAX 8 /* connections to [health] at once */
#define ADMIN_PENDING_MAX 24 /* the same for [admin]: a browser asks with several at once */
#define TICKETS_MS (60 * 60 * 1000)

static void on_trim(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, trim);
    w->is_trim_due = false;
    w->peak_sessions = w->context.session_count;
    mem_trim();
    roster_trim(&w->roster);
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

/* Tells [health] of all workers whether this one takes sessions. */
static void tell_accepting(struct worker *w)
{
    scoreboard_set(&w->context.scoreboard->slots[w->context.slot].is_accepting,
                   !w->is_short && !w->context.is_draining && !w->is_retired);
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
    tell_accepting(w);
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
    tell_accepting(w);
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
    bool is_ending = w->context.is_draining || w->is_retired;
    if (is_ending && w->context.session_count == 0) {
        worker_drop_all_posts(w); /* of [health] */
        session_kill_all(&w->context);
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

/* --- the end --------------------------------------------------------------------------------- */

void worker_tell_master(struct worker *w, const struct control_message *message)
{
    bool is_sent = control_send(w->start->control_fd, message, -1);
    (void)is_sent; /* else the master is gone */
}

static void stop_listeners(struct worker *w)
{
    const struct control_message leaving = {.kind = CONTROL_LEAVING};
    tell_accepting(w);
    worker_tell_master(w, &leaving); /* somebody else must accept its callers */
    worker_drop_public_posts(w);
    worker_abandon(w);
}

/* The slot's callers go to other workers; sessions, and those who are about to have one, stay. */
static void retire(struct worker *w)
{
    w->is_retired = true;
    stop_listeners(w);
    struct log_line line;
    log_begin(&line, LOG_INFO, "worker.retired");
    log_u64(&line, "sessions", w->context.session_count);
    log_end(&line);
    stop_when_empty(w);
}

static void kill_all(struct worker *w)
{
    w->context.is_draining = true;
    stop_listeners(w); /* nobody would kill a session accepted from here on */
    session_kill_all(&w->context);
    stop_when_empty(w);
}

size_t worker_share_of_tick(const struct worker *w, size_t sessions)
{
    size_t ticks = w->context.config->drain_ms / 3 / WORKER_TICK_MS + 1;
    size_t share = sessions / ticks + 1;
    return share > PER_TICK_MIN ? share : PER_TICK_MIN;
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
    reactor_timer_at(&w->drain, now_ms + WORKER_TICK_MS);
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

    w->drain_per_tick = worker_share_of_tick(w, w->context.session_count);
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

/* --- what the master says -------------------------------------------------------------------- */

/* Takes over the descriptor. */
static void on_message(struct worker *w, const struct control_message *message, int fd)
{
    switch ((enum control_kind)message->kind) {
    case CONTROL_ADOPT:
        worker_adopt(w, message, fd);
        return;
    case CONTROL_PREPARE:
        worker_prepare(w, message, fd);
        return;
    case CONTROL_SOCKET:
        worker_take_socket(w, message, fd);
        return;
    case CONTROL_RELEASE:
        worker_release(w, message->slot);
        break;
    case CONTROL_RETIRE:
        retire(w);
        break;
    case CONTROL_COMMIT:
        worker_commit(w, message->number);
        break;
    case CONTROL_ABANDON:
        worker_abandon(w);
        break;
    case CONTROL_WAKE: /* this turn is the answer */
    case CONTROL_READY:
    case CONTROL_FAILED:
    case CONTROL_LEAVING:
    case CONTROL_REFUSED:
    case CONTROL_PREPARED:
    case CONTROL_UNFIT:
    case CONTROL_SWAPPED:
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

/* --- the process ----------------------------------------------------------------------------- */

static void open_door(struct worker *w)
{
    uint64_t open = descriptors_open(); /* the listening sockets are open already */
    uint64_t listens = w->setup.config->listen_count;
    w->own_descriptors = open > listens ? open - listens : 0;
    struct door_settings settings = worker_limits(w);
    door_init(&w->door, w->context.reactor, &settings);
    settings.pending_max = HEALTH_PENDING_MAX;
    door_init(&w->health_door, w->context.reactor, &settings);
    settings.pending_max = ADMIN_PENDING_MAX;
    door_init(&w->admin_door, w->context.reactor, &settings);
    flood_init(&w->flood, w->context.reactor, w->setup.config->log_limit);
    w->context.door = &w->door;
    w->context.health_door = &w->health_door;
    w->context.admin_door = &w->admin_door;
    w->context.flood = &w->flood;
}

static void init_events(struct worker *w)
{
    struct reactor *r = w->context.reactor;
    reactor_signal_init(&w->on_term, r, SIGTERM, on_term);
    reactor_signal_init(&w->on_quit, r, SIGQUIT, on_quit);
    reactor_timer_init(&w->drain, r, on_drain_tick);
    reactor_timer_init(&w->change, r, worker_on_change_tick);
    reactor_timer_init(&w->trim, r, on_trim);
    reactor_timer_init(&w->tickets, r, on_tickets);
    on_tickets(&w->tickets);
    reactor_timer_init(&w->show, r, worker_on_show);
    worker_show(w);
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
    w->context.scoreboard = start->scoreboard;
    w->context.slot = start->slot;
    w->context.find_page = page_find;
    w->context.on_gone = on_session_gone;
    w->context.on_park = on_session_park;
    list_init(&w->context.sessions);
    list_init(&w->posts);
    list_init(&w->leaving);
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
    if (w->context.resolver == NULL) {
        *out_detail = "a worker cannot make its resolver: out of memory or descriptors";
        return false;
    }
    struct setup first;
    if (!worker_make_setup(w, start->config, &first, out_detail)) {
        return false;
    }
    w->setup = first;
    w->context.config = w->setup.config;
    w->context.upstream = w->setup.upstream;
    w->context.seats = start->seats;
    w->roster = (struct roster_writer){.roster = start->roster, .slot = start->slot};
    w->context.roster = &w->roster;
    w->context.seat = w->setup.seat;
    vitals_init(&w->vitals, w->context.reactor, seat_worker(w->setup.seat), &w->flood);
    open_door(w);
    if (!worker_open_posts(w)) {
        *out_detail = "out of memory";
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

    tell_accepting(w);
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
    reactor_timer_stop(&w.change);
    vitals_done(&w.vitals);
    reactor_timer_stop(&w.show);
    reactor_timer_stop(&w.trim);
    reactor_timer_stop(&w.tickets);
    reactor_timer_stop(&w.recover);
    mem_on_short(NULL, NULL);
    worker_drop_all_posts(&w);
    worker_abandon(&w);
    door_done(&w.door);
    door_done(&w.health_door);
    door_done(&w.admin_door);
    flood_done(&w.flood);
    resolver_free(w.context.resolver);
    worker_drop_setup(&w.setup);
    reactor_free(w.context.reactor);
    scratch_done(&w.scratch);
    return 0;
}
