/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/reactor.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* Less than a turn takes, so that the loop does not sleep; zero would switch the timer off. */
#define SOONEST_S 1e-9
#define LATE_MS 100 /* a turn so long after a deadline: something stopped this process */

/* libev ends the process when it gets no memory; before that the reserve of base/mem helps, and the
 * worker takes no more clients. */
static void *allocate(void *ptr, long size)
{
    void *block = mem_resize_reserved(ptr, (size_t)size);
    if (block == NULL && size != 0) {
        static const char text[] = "sluice: no memory for the event loop, and no reserve\n";
        ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)written;
        abort();
    }
    return block;
}

/* --- the loop ------------------------------------------------------------------------------ */

static void run_deferred(struct reactor *r)
{
    struct list *first;
    while ((first = list_take_first(&r->deferred)) != NULL) {
        struct reactor_deferred *d = container_of(first, struct reactor_deferred, link);
        d->callback(d);
    }
}

static void note_turn(struct reactor *r, bool is_at_work)
{
    if (r->turns != NULL) {
        uint64_t turns = atomic_load_explicit(r->turns, memory_order_relaxed);
        uint64_t next = turns + (turns % 2 == (is_at_work ? 1 : 0) ? 2 : 1);
        atomic_store_explicit(r->turns, next, memory_order_relaxed);
    }
}

/* libev has no hook after the events of a turn. The next prepare does as well: nothing lies between
 * the last event and it, and it comes before the loop may sleep. */
static void on_prepare(struct ev_loop *loop, struct ev_prepare *w, int revents)
{
    (void)loop;
    (void)revents;
    struct reactor *r = container_of(w, struct reactor, end_of_turn);
    run_deferred(r);
    note_turn(r, false);
}

static void on_check(struct ev_loop *loop, struct ev_check *w, int revents)
{
    (void)loop;
    (void)revents;
    struct reactor *r = container_of(w, struct reactor, start_of_turn);
    note_turn(r, true);
    r->now_ms = clock_now_ms();
}

struct reactor *reactor_new(void)
{
    struct reactor *r = mem_alloc_zero(sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    ev_set_allocator(allocate);
    r->loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
    if (r->loop == NULL) {
        mem_free(r);
        return NULL;
    }
    /* c-ares and wolfSSL may send without MSG_NOSIGNAL somewhere. */
    signal(SIGPIPE, SIG_IGN);
    list_init(&r->deferred);
    ev_prepare_init(&r->end_of_turn, on_prepare);
    ev_prepare_start(r->loop, &r->end_of_turn);
    ev_check_init(&r->start_of_turn, on_check);
    /* It runs before every event of the turn, so that all events see the same new time. */
    ev_set_priority(&r->start_of_turn, EV_MAXPRI);
    ev_check_start(r->loop, &r->start_of_turn);
    r->now_ms = clock_now_ms();
    return r;
}

void reactor_free(struct reactor *r)
{
    if (r == NULL) {
        return;
    }
    run_deferred(r);
    ev_check_stop(r->loop, &r->start_of_turn);
    ev_prepare_stop(r->loop, &r->end_of_turn);
    ev_loop_destroy(r->loop);
    mem_free(r);
}

/* Timers count from the loop's idea of now, which stands still between two runs. */
static void enter_loop(struct reactor *r, int flags)
{
    ev_now_update(r->loop);
    r->now_ms = clock_now_ms();
    ev_run(r->loop, flags);
    run_deferred(r);
}

void reactor_run(struct reactor *r)
{
    while (!r->is_stopping) {
        enter_loop(r, 0);
    }
    r->is_stopping = false;
}

void reactor_turn(struct reactor *r, bool is_nowait)
{
    enter_loop(r, is_nowait ? EVRUN_NOWAIT : EVRUN_ONCE);
}

void reactor_stop(struct reactor *r)
{
    r->is_stopping = true;
    ev_break(r->loop, EVBREAK_ALL);
}

void reactor_count_turns(struct reactor *r, _Atomic uint64_t *turns)
{
    r->turns = turns;
    note_turn(r, true);
}

uint64_t reactor_now_ms(const struct reactor *r)
{
    return r->now_ms;
}

static struct ev_loop *loop_of(const struct reactor *r)
{
    return r->loop;
}

/* --- readiness ----------------------------------------------------------------------------- */

static void on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    struct reactor_io *io = container_of(w, struct reactor_io, watcher);
    unsigned ready = 0;
    /* EV_ERROR: libev gave the descriptor up; the owner's own call will say why. */
    if ((revents & (EV_READ | EV_ERROR)) != 0) {
        ready |= REACTOR_READ;
    }
    if ((revents & (EV_WRITE | EV_ERROR)) != 0) {
        ready |= REACTOR_WRITE;
    }
    io->callback(io, ready);
}

void reactor_io_init(struct reactor_io *io, struct reactor *r, int fd, reactor_io_fn *callback)
{
    io->callback = callback;
    ev_io_init(&io->watcher, on_io, fd, 0);
    io->watcher.data = r;
}

void reactor_io_go_first(struct reactor_io *io)
{
    ev_set_priority(&io->watcher, 1);
}

/* Stops the watcher even when it is not active: an event may be pending from libev giving the
 * descriptor up. */
static void change_want(struct reactor_io *io, unsigned want)
{
    struct ev_loop *loop = loop_of(io->watcher.data);
    ev_io_stop(loop, &io->watcher);
    if (want != 0) {
        /* Not ev_io_set: that marks the descriptor as new and costs a failing EPOLL_CTL_ADD. */
        ev_io_modify(&io->watcher, (int)want);
        ev_io_start(loop, &io->watcher);
    }
}

void reactor_io_want(struct reactor_io *io, unsigned want)
{
    unsigned wanted = (unsigned)io->watcher.events & (REACTOR_READ | REACTOR_WRITE);
    if (want != wanted || !ev_is_active(&io->watcher)) {
        change_want(io, want);
    }
}

/* --- deadlines ----------------------------------------------------------------------------- */

static void start_timer(struct reactor_timer *t)
{
    const struct reactor *r = t->watcher.data;
    uint64_t now = r->now_ms;
    double delay_s = t->at_ms > now ? (double)(t->at_ms - now) / 1000.0 : SOONEST_S;
    /* With `repeat`, ev_timer_again moves the heap node of a running timer instead of taking it
     * out and putting it in. */
    t->watcher.repeat = delay_s;
    ev_timer_again(r->loop, &t->watcher);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct reactor_timer *t = container_of(w, struct reactor_timer, watcher);
    uint64_t now_ms = reactor_now_ms(w->data);
    /* libev took its time of the turn a little before or after we took ours. */
    if (now_ms < t->at_ms) {
        start_timer(t);
        return;
    }
    /* The loop first reads what came in time meanwhile, or a pause of the machine would end every
     * session. Where a signal broke off the loop's wait, the loop has not looked at
     * the descriptors at all. */
    if (!t->is_put_off && now_ms - t->at_ms > LATE_MS) {
        t->is_put_off = true;
        start_timer(t);
        return;
    }
    ev_timer_stop(loop, w);
    t->callback(t);
}

void reactor_timer_init(struct reactor_timer *t, struct reactor *r, reactor_timer_fn *callback)
{
    t->watcher.data = r;
    t->callback = callback;
    t->at_ms = 0;
    t->is_put_off = false;
    ev_timer_init(&t->watcher, on_timer, 0.0, 0.0);
    /* A deadline comes after the descriptors of the same turn. */
    ev_set_priority(&t->watcher, EV_MINPRI);
}

void reactor_timer_at(struct reactor_timer *t, uint64_t at_ms)
{
    uint64_t now_ms = reactor_now_ms(t->watcher.data);
    t->at_ms = at_ms > now_ms ? at_ms : now_ms;
    t->is_put_off = false;
    start_timer(t);
}

void reactor_timer_stop(struct reactor_timer *t)
{
    ev_timer_stop(loop_of(t->watcher.data), &t->watcher);
}

/* --- signals ------------------------------------------------------------------------------- */

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
    (void)loop;
    (void)revents;
    struct reactor_signal *s = container_of(w, struct reactor_signal, watcher);
    s->callback(s);
}

void reactor_signal_init(struct reactor_signal *s, struct reactor *r, int signum,
                         reactor_signal_fn *callback)
{
    s->watcher.data = r;
    s->callback = callback;
    ev_signal_init(&s->watcher, on_signal, signum);
    ev_signal_start(r->loop, &s->watcher);
    /* libev 4.33 unblocks the signal only with EVFLAG_NOSIGMASK; its manual says only without. */
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signum);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
}

void reactor_signal_stop(struct reactor_signal *s)
{
    ev_signal_stop(loop_of(s->watcher.data), &s->watcher);
}

/* --- end of turn --------------------------------------------------------------------------- */

void reactor_deferred_init(struct reactor_deferred *d, reactor_deferred_fn *callback)
{
    list_init(&d->link);
    d->callback = callback;
}

void reactor_defer(struct reactor *r, struct reactor_deferred *d)
{
    if (list_is_empty(&d->link)) {
        list_append(&r->deferred, &d->link);
    }
}
