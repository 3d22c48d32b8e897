/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/worker.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/descriptors.h"
#include "gate/jail.h"
#include "gate/page.h"
#include "gate/passwords.h"
#include "gate/session.h"
#include "gate/vitals.h"
#include "gate/worker_parts.h"
#include "io/tls.h"

#define HEALTH_PENDING_MAX 8 /* connections to [health] at once */
#define ADMIN_PENDING_MAX 24 /* the same for [admin]: a browser asks with several at once */
#define TICKETS_MS (60 * 60 * 1000)

void worker_tell_accepting(struct worker *w)
{
    scoreboard_set(&w->context.scoreboard->slots[w->context.slot].is_accepting,
                   !w->is_short && !w->is_full && !w->is_waiting && !w->context.is_draining &&
                       !w->is_retired);
}

/* --- signals --------------------------------------------------------------------------------- */

static void on_term(struct reactor_signal *s)
{
    worker_drain(container_of(s, struct worker, on_term), LIFE_SHUTDOWN);
}

static void on_quit(struct reactor_signal *s)
{
    worker_kill(container_of(s, struct worker, on_quit));
}

/* --- what the master says -------------------------------------------------------------------- */

void worker_tell_master(struct worker *w, const struct control_message *message)
{
    bool is_sent = control_send(w->start->control_fd, message, -1);
    (void)is_sent; /* else the master is gone */
}

/* Until now the master before this one had the callers. */
static void open_for_callers(struct worker *w)
{
    if (w->is_waiting) {
        w->is_waiting = false;
        worker_start_posts(w);
        worker_tell_accepting(w);
    }
}

/* Takes over the descriptor. */
static void on_message(struct worker *w, const struct control_message *message, int fd)
{
    switch ((enum control_kind)message->kind) {
    case CONTROL_ADOPT:
        worker_adopt(w, message, fd);
        return;
    case CONTROL_FINISH:
        worker_finish(w, message, fd);
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
        worker_retire(w);
        break;
    case CONTROL_OPEN:
        open_for_callers(w);
        break;
    case CONTROL_DRAIN:
        worker_drain(w, LIFE_DRAIN);
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
            w->is_orphan = true;
            worker_drain(w, LIFE_SHUTDOWN);
            worker_drop_posts(w); /* [health] too: the next master binds its address */
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
    reactor_timer_init(&w->drain, r, worker_on_drain_tick);
    reactor_timer_init(&w->change, r, worker_on_change_tick);
    reactor_timer_init(&w->look, r, worker_on_look_tick);
    reactor_timer_init(&w->tickets, r, on_tickets);
    on_tickets(&w->tickets);
    reactor_timer_init(&w->show, r, worker_on_show);
    worker_show(w);
    worker_begin_memory(w);
    reactor_io_init(&w->control, r, w->start->control_fd, on_control);
    /* A worker whose master is gone leaves whoever waits to be accepted to the next master. */
    reactor_io_go_first(&w->control);
    reactor_io_want(&w->control, REACTOR_READ);
}

static bool init(struct worker *w, const struct worker_start *start, const char **out_detail)
{
    w->context.scoreboard = start->scoreboard;
    w->context.slot = start->seat;
    w->context.generation = (uint32_t)start->generation;
    w->context.find_page = page_find;
    w->context.on_gone = worker_on_session_gone;
    w->context.is_revoked = worker_is_revoked;
    w->context.on_park = worker_on_session_park;
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
    w->context.passwords = passwords_new(w->context.reactor, start->hasher_fd);
    if (w->context.passwords == NULL) {
        *out_detail = "out of memory";
        return false;
    }
    struct setup first;
    if (!worker_make_setup(w, start->config, &first, out_detail)) {
        return false;
    }
    w->setup = first;
    w->context.config = w->setup.config;
    w->context.upstream = w->setup.upstream;
    w->context.backend_tls = w->setup.backend_tls;
    w->context.seats = start->seats;
    w->roster = (struct roster_writer){.roster = start->roster, .slot = start->seat};
    w->context.roster = &w->roster;
    w->context.limits = (struct limits){.quota = start->quota, .slot = start->seat};
    w->context.spent = start->spent;
    w->context.seat = w->setup.seat;
    w->context.files = w->setup.files;
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
    const struct control_message ready = {.kind = CONTROL_READY, .number = (uint32_t)start->seat};
    struct log_line line;
    sigset_t none;

    worker_tell_accepting(w);
    worker_begin_checks(w);
    reactor_count_turns(w->context.reactor, &start->scoreboard->slots[start->seat].turns);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    log_begin(&line, LOG_INFO, "worker.start");
    log_u64(&line, "slot", start->slot);
    log_u64(&line, "seat", start->seat);
    log_u64(&line, "generation", start->generation);
    log_u64(&line, "pid", (uint64_t)getpid());
    log_end(&line);
    return control_send(start->control_fd, &ready, -1);
}

int worker_run(const struct worker_start *start, const char **out_detail)
{
    struct worker w = {.start = start, .is_waiting = start->is_waiting};

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
    reactor_timer_stop(&w.look);
    reactor_timer_stop(&w.drain);
    vitals_done(&w.vitals);
    reactor_timer_stop(&w.show);
    reactor_timer_stop(&w.tickets);
    worker_end_memory(&w);
    worker_drop_all_posts(&w);
    worker_abandon(&w);
    door_done(&w.door);
    door_done(&w.health_door);
    door_done(&w.admin_door);
    flood_done(&w.flood);
    passwords_free(w.context.passwords);
    worker_end_checks(&w);
    resolver_free(w.context.resolver);
    worker_drop_setup(&w.setup);
    reactor_free(w.context.reactor);
    scratch_done(&w.scratch);
    return 0;
}
