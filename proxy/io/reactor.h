/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reactor.h: one event loop; the only user of libev.
 *
 * For: readiness of descriptors, deadlines, signals, and work at the end of a turn. Not for:
 * knowing what travels. Single-threaded; one reactor in a process. The reactor ignores libev's
 * environment variables and asks for epoll by name. */
#ifndef IO_REACTOR_H
#define IO_REACTOR_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/span.h"

struct reactor {
    struct ev_loop *loop;
    struct ev_prepare end_of_turn;
    struct ev_check start_of_turn;
    struct list deferred;
    uint64_t now_ms; /* the clock, read once a turn */
    _Atomic uint64_t *turns;
    bool is_stopping;
};

/* NULL: no memory or no epoll. A child makes its own after fork. The process ignores SIGPIPE from
 * here on. */
MUST_CHECK struct reactor *reactor_new(void);
/* Does the deferred work that is left. The caller has stopped every watcher on it. */
void reactor_free(struct reactor *r);
/* Runs until reactor_stop and does the deferred work of the last turn too. After an earlier
 * reactor_stop it returns at once. */
void reactor_run(struct reactor *r);
/* One turn, for tests: waits for events unless is_nowait. */
void reactor_turn(struct reactor *r, bool is_nowait);
void reactor_stop(struct reactor *r);
/* From now on *turns is odd while the reactor works and even while it waits for events, and goes up
 * with each change; another process may read it. The caller keeps it alive. */
void reactor_count_turns(struct reactor *r, _Atomic uint64_t *turns);
/* Monotonic time of this turn in milliseconds; never 0. The wall clock has no part in it. */
uint64_t reactor_now_ms(const struct reactor *r);

/* Readiness of one descriptor. */
enum { REACTOR_READ = EV_READ, REACTOR_WRITE = EV_WRITE };

struct reactor_io;
typedef void reactor_io_fn(struct reactor_io *io, unsigned ready);
struct reactor_io {
    struct ev_io watcher; /* its data is the reactor */
    reactor_io_fn *callback;
};

/* The caller may copy and move the object until the first reactor_io_want other than 0. */
void reactor_io_init(struct reactor_io *io, struct reactor *r, int fd, reactor_io_fn *callback);
/* Within a turn of the loop its events come before those of others. Call it where reactor_io_init
 * was called. */
void reactor_io_go_first(struct reactor_io *io);
static inline int reactor_io_fd(const struct reactor_io *io)
{
    return io->watcher.fd;
}
/* Waits for `want` (REACTOR_READ, REACTOR_WRITE, both) from now on; costs nothing when unchanged. 0
 * stops, and no late callback follows. Set 0 before close(). An error or hang-up is reported as
 * whatever the object waits for: the I/O itself finds it. The object may free itself in the
 * callback after it has stopped. */
void reactor_io_want(struct reactor_io *io, unsigned want);

/* One deadline. */
struct reactor_timer;
typedef void reactor_timer_fn(struct reactor_timer *timer);
struct reactor_timer {
    struct ev_timer watcher; /* its data is the reactor */
    reactor_timer_fn *callback;
    uint64_t at_ms;
    bool is_put_off; /* a turn that came late gave it one turn more; private */
};

void reactor_timer_init(struct reactor_timer *t, struct reactor *r, reactor_timer_fn *callback);
/* Calls back once, at a time of reactor_now_ms's clock (the past = the next turn); moves a running
 * deadline. Never early: in the callback reactor_now_ms has reached at_ms. */
void reactor_timer_at(struct reactor_timer *t, uint64_t at_ms);
void reactor_timer_stop(struct reactor_timer *t);

/* Signals, as events of the loop. Starting unblocks the signal, so that a process can block it,
 * fork, and lose none. */
struct reactor_signal;
typedef void reactor_signal_fn(struct reactor_signal *s);
struct reactor_signal {
    struct ev_signal watcher; /* its data is the reactor */
    reactor_signal_fn *callback;
};
void reactor_signal_init(struct reactor_signal *s, struct reactor *r, int signum,
                         reactor_signal_fn *callback);
/* Back to the signal's default action. A signal belongs to one reactor at a time: a child made by
 * fork must stop its copy of the parent's before it listens to the same signal itself. */
void reactor_signal_stop(struct reactor_signal *s);

/* Work for the end of this turn, after all of its events: there objects are freed. Asking twice is
 * asking once. The object may free itself in the callback. Deferred work that defers more work gets
 * it done in the same turn. */
struct reactor_deferred;
typedef void reactor_deferred_fn(struct reactor_deferred *d);
struct reactor_deferred {
    struct list link;
    reactor_deferred_fn *callback;
};
void reactor_deferred_init(struct reactor_deferred *d, reactor_deferred_fn *callback);
void reactor_defer(struct reactor *r, struct reactor_deferred *d);

#endif
