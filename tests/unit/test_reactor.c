/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/reactor.h"

#include <signal.h>
#include <time.h>

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "reactor_kit.h"
#include "suites.h"

static void test_time(void)
{
    struct reactor *r = start();
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
    CHECK_TRUE("new", reactor_now_ms(r) > 0 && reactor_now_ms(r) <= now_ms);
    uint64_t before = reactor_now_ms(r);
    usleep(5000);
    CHECK_EQ_U64("stands still between turns", reactor_now_ms(r), before);
    reactor_turn(r, true);
    CHECK_TRUE("moves with the turn", reactor_now_ms(r) >= before + 5);
    reactor_free(r);
}

static void test_backend_is_epoll(void)
{
    setenv("LIBEV_FLAGS", "1", 1);
    struct reactor *r = start();
    CHECK_EQ_U64("LIBEV_FLAGS=1", ev_backend(r->loop), EVBACKEND_EPOLL);
    unsetenv("LIBEV_FLAGS");
    reactor_free(r);
}

static void test_readiness(void)
{
    static const struct {
        const char *name;
        unsigned want;
        bool has_input;
        unsigned ready;
    } rows[] = {
        {"nothing wanted", 0, true, 0},
        {"read, no input", REACTOR_READ, false, 0},
        {"read, input", REACTOR_READ, true, REACTOR_READ},
        {"write", REACTOR_WRITE, true, REACTOR_WRITE},
        {"both, no input", REACTOR_READ | REACTOR_WRITE, false, REACTOR_WRITE},
        {"both, input", REACTOR_READ | REACTOR_WRITE, true, REACTOR_READ | REACTOR_WRITE},
    };
    const size_t count = sizeof(rows) / sizeof(rows[0]);
    struct reactor *r = start();
    /* Each want also comes after each other want on the same watcher. */
    for (size_t from = 0; from < count; from++) {
        for (size_t to = 0; to < count; to++) {
            struct end e;
            end_open(&e, r, note_ready);
            reactor_io_want(&e.io, rows[from].want);
            reactor_turn(r, true);
            if (rows[to].has_input) {
                poke(&e);
            }
            e.ready = 0;
            reactor_io_want(&e.io, rows[to].want);
            reactor_io_want(&e.io, rows[to].want);
            reactor_turn(r, true);
            CHECK_EQ_U64(rows[to].name, e.ready, rows[to].ready);
            e.ready = 0;
            reactor_turn(r, true);
            CHECK_EQ_U64("level-triggered", e.ready, rows[to].ready);
            end_close(&e);
        }
    }
    reactor_free(r);
}

static void test_hang_up(void)
{
    static const unsigned wants[] = {REACTOR_READ, REACTOR_WRITE, REACTOR_READ | REACTOR_WRITE};
    struct reactor *r = start();
    for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
        struct end e;
        end_open(&e, r, note_ready);
        reactor_io_want(&e.io, wants[i]);
        reactor_turn(r, true);
        close(e.peer_fd);
        e.peer_fd = -1;
        e.ready = 0;
        reactor_turn(r, true);
        CHECK_EQ_U64("what was waited for", e.ready, wants[i]);
        end_close(&e);
    }
    reactor_free(r);
}

static void stop_victim(struct reactor_io *io, unsigned ready)
{
    struct end *e = container_of(io, struct end, io);
    (void)ready;
    e->calls++;
    reactor_io_want(&e->victim->io, 0);
}

static void test_no_late_callback(void)
{
    struct reactor *r = start();
    struct end a;
    struct end b;
    end_open(&a, r, stop_victim);
    end_open(&b, r, stop_victim);
    a.victim = &b;
    b.victim = &a;
    poke(&a);
    poke(&b);
    reactor_io_want(&a.io, REACTOR_READ);
    reactor_io_want(&b.io, REACTOR_READ);
    reactor_turn(r, true);
    CHECK_EQ_INT("both ready, the first stops the other", a.calls + b.calls, 1);
    end_close(&a);
    end_close(&b);
    reactor_free(r);
}

/* A new descriptor often has the number of the one that was just closed. */
static void test_number_used_again(void)
{
    struct reactor *r = start();
    for (int i = 0; i < 20; i++) {
        struct end e;
        end_open(&e, r, note_ready);
        reactor_io_want(&e.io, REACTOR_READ);
        reactor_turn(r, true);
        CHECK_EQ_INT("quiet", e.calls, 0);
        poke(&e);
        reactor_turn(r, true);
        CHECK_EQ_INT("heard", e.calls, 1);
        end_close(&e);
    }
    reactor_free(r);
}

static void free_self(struct reactor_io *io, unsigned ready)
{
    struct end *e = container_of(io, struct end, io);
    (void)ready;
    tell('f');
    end_close(e);
    mem_free(e);
}

static void test_io_frees_itself(void)
{
    size_t before = mem_live_blocks();
    struct reactor *r = start();
    struct end *e = mem_alloc(sizeof(*e));
    if (e == NULL) {
        GIVE_UP();
    }
    end_open(e, r, free_self);
    poke(e);
    reactor_io_want(&e->io, REACTOR_READ | REACTOR_WRITE);
    reactor_turn(r, true);
    reactor_turn(r, true);
    CHECK_EQ_STR("once", story.text, "f");
    reactor_free(r);
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

/* --- signals ------------------------------------------------------------------------------- */

static void on_signal(struct reactor_signal *s)
{
    (void)s;
    tell('s');
}

static void test_signals(void)
{
    struct reactor_signal s;
    sigset_t usr1;
    sigset_t old;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, &old);
    raise(SIGUSR1);
    struct reactor *r = start();
    reactor_signal_init(&s, r, SIGUSR1, on_signal);
    reactor_turn(r, false);
    CHECK_EQ_STR("what came while it was blocked", story.text, "s");
    raise(SIGUSR1);
    reactor_turn(r, false);
    CHECK_EQ_STR("and later", story.text, "ss");
    reactor_signal_stop(&s);
    reactor_free(r);
    r = start();
    reactor_signal_init(&s, r, SIGUSR1, on_signal);
    raise(SIGUSR1);
    reactor_turn(r, false);
    CHECK_EQ_STR("another reactor", story.text, "s");
    reactor_signal_stop(&s);
    reactor_free(r);
    sigprocmask(SIG_SETMASK, &old, NULL);
    struct sigaction action;
    sigaction(SIGPIPE, NULL, &action);
    CHECK_TRUE("SIGPIPE is ignored", action.sa_handler == SIG_IGN);
}

CU_TestInfo reactor_tests[] = {
    {"time stands still within a turn", test_time},
    {"the environment does not choose the back end", test_backend_is_epoll},
    {"readiness, every change of interest", test_readiness},
    {"hang-up is reported as what is waited for", test_hang_up},
    {"no late callback after stopping", test_no_late_callback},
    {"a descriptor number used again", test_number_used_again},
    {"a watcher frees itself in its callback", test_io_frees_itself},
    {"signals", test_signals},
    CU_TEST_INFO_NULL,
};
