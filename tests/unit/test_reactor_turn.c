/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdatomic.h>

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "io/reactor.h"
#include "reactor_kit.h"
#include "suites.h"

/* --- timers -------------------------------------------------------------------------------- */

struct alarm_clock {
    struct reactor_timer timer;
    struct reactor *reactor;
    char name;
    uint64_t again_at_ms;
    uint64_t rang_at_ms;
};

static void on_alarm(struct reactor_timer *timer)
{
    struct alarm_clock *a = container_of(timer, struct alarm_clock, timer);
    tell(a->name);
    a->rang_at_ms = reactor_now_ms(a->reactor);
    CHECK_TRUE("never early", a->rang_at_ms >= a->timer.at_ms);
    if (a->again_at_ms != 0) {
        uint64_t at_ms = a->again_at_ms;
        a->again_at_ms = 0;
        reactor_timer_at(&a->timer, at_ms);
    }
}

static void alarm_init(struct alarm_clock *a, struct reactor *r, char name)
{
    *a = (struct alarm_clock){.reactor = r, .name = name};
    reactor_timer_init(&a->timer, r, on_alarm);
}

static void turn_until(struct reactor *r, uint64_t at_ms)
{
    struct alarm_clock a;
    alarm_init(&a, r, '.');
    reactor_timer_at(&a.timer, at_ms);
    while (a.rang_at_ms == 0) {
        reactor_turn(r, false);
    }
}

static void test_timers(void)
{
    struct reactor *r = start();
    struct alarm_clock a;
    struct alarm_clock b;
    struct alarm_clock c;
    struct alarm_clock d;
    alarm_init(&a, r, 'a');
    alarm_init(&b, r, 'b');
    alarm_init(&c, r, 'c');
    alarm_init(&d, r, 'd');
    reactor_turn(r, true);
    uint64_t now = reactor_now_ms(r);
    reactor_timer_at(&a.timer, now + 60);
    reactor_timer_at(&b.timer, now + 40);
    reactor_timer_at(&c.timer, now + 20);
    reactor_timer_at(&a.timer, now + 5);  /* earlier */
    reactor_timer_at(&c.timer, now + 80); /* later */
    reactor_timer_at(&d.timer, now + 10);
    reactor_timer_stop(&d.timer);
    reactor_timer_stop(&d.timer);
    turn_until(r, now + 150);
    CHECK_EQ_STR("order", story.text, "abc.");
    CHECK_TRUE("a", a.rang_at_ms >= now + 5);
    CHECK_TRUE("b", b.rang_at_ms >= now + 40);
    CHECK_TRUE("c", c.rang_at_ms >= now + 80);
    reactor_free(r);
}

static void test_timer_in_the_past(void)
{
    static const uint64_t past[] = {0, 1};
    struct reactor *r = start();
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
        struct alarm_clock a;
        memset(&story, 0, sizeof(story));
        alarm_init(&a, r, 'a');
        a.again_at_ms = 1;
        reactor_timer_at(&a.timer, past[i]);
        reactor_turn(r, true);
        CHECK_EQ_STR("next turn, and not twice in it", story.text, "a");
        reactor_turn(r, false);
        CHECK_EQ_STR("again in the turn after", story.text, "aa");
        reactor_turn(r, true);
        CHECK_EQ_STR("then no more", story.text, "aa");
    }
    struct alarm_clock far;
    alarm_init(&far, r, 'x');
    reactor_timer_at(&far.timer, UINT64_MAX);
    reactor_turn(r, true);
    reactor_timer_stop(&far.timer);
    reactor_free(r);
}

/* --- end of turn --------------------------------------------------------------------------- */

static void end_deferred(struct reactor_deferred *d)
{
    (void)d;
    tell('d');
}

static void defer_twice(struct reactor_io *io, unsigned ready)
{
    struct end *e = container_of(io, struct end, io);
    (void)ready;
    tell('e');
    reactor_io_want(&e->io, 0);
    reactor_defer(e->reactor, &e->deferred);
    reactor_defer(e->reactor, &e->deferred);
}

static void test_deferred_after_all_events(void)
{
    enum { ENDS = 20 };
    struct reactor *r = start();
    struct end ends[ENDS];
    for (size_t i = 0; i < ENDS; i++) {
        end_open(&ends[i], r, defer_twice);
        reactor_deferred_init(&ends[i].deferred, end_deferred);
        reactor_io_want(&ends[i].io, REACTOR_WRITE);
    }
    reactor_turn(r, true);
    CHECK_EQ_STR("events, then deferred work, once each", story.text,
                 "eeeeeeeeeeeeeeeeeeeedddddddddddddddddddd");
    for (size_t i = 0; i < ENDS; i++) {
        end_close(&ends[i]);
    }
    reactor_free(r);
}

struct chore {
    struct reactor_deferred deferred;
    struct reactor *reactor;
    struct chore *next; /* this one defers it */
    char name;
    bool is_freed;
};

static void do_chore(struct reactor_deferred *d)
{
    struct chore *c = container_of(d, struct chore, deferred);
    tell(c->name);
    if (c->next != NULL) {
        reactor_defer(c->reactor, &c->next->deferred);
    }
    if (c->is_freed) {
        mem_free(c);
    }
}

static struct chore *chore_new(struct reactor *r, char name)
{
    struct chore *c = mem_alloc_zero(sizeof(*c));
    if (c == NULL) {
        GIVE_UP();
    }
    c->reactor = r;
    c->name = name;
    c->is_freed = true;
    reactor_deferred_init(&c->deferred, do_chore);
    return c;
}

static void test_deferred_work(void)
{
    size_t before = mem_live_blocks();
    struct reactor *r = start();
    struct chore *a = chore_new(r, 'a');
    struct chore *b = chore_new(r, 'b');
    struct chore *c = chore_new(r, 'c');
    struct chore *n = chore_new(r, 'n');
    a->next = n;
    reactor_defer(r, &a->deferred);
    reactor_defer(r, &b->deferred);
    reactor_defer(r, &c->deferred);
    reactor_turn(r, true);
    CHECK_EQ_STR("queued outside an event; one adds", story.text, "abcn");
    struct chore *late = chore_new(r, 'l');
    reactor_defer(r, &late->deferred);
    reactor_free(r);
    CHECK_EQ_STR("what is left is done by reactor_free", story.text, "abcnl");
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

static void stop_and_defer(struct reactor_io *io, unsigned ready)
{
    struct end *e = container_of(io, struct end, io);
    (void)ready;
    tell('e');
    reactor_defer(e->reactor, &e->deferred);
    reactor_stop(e->reactor);
}

static void test_run_and_stop(void)
{
    struct reactor *r = start();
    struct end e;
    reactor_stop(r);
    reactor_run(r);
    CHECK_EQ_STR("stopped before it ran", story.text, "");
    end_open(&e, r, stop_and_defer);
    reactor_deferred_init(&e.deferred, end_deferred);
    reactor_io_want(&e.io, REACTOR_WRITE);
    reactor_run(r);
    CHECK_EQ_STR("deferred work of the last turn", story.text, "ed");
    reactor_run(r);
    CHECK_EQ_STR("runs again", story.text, "eded");
    end_close(&e);
    reactor_free(r);
}

/* --- turns, memory ------------------------------------------------------------------------ */

static void note_odd(struct reactor_timer *timer)
{
    struct alarm_clock *a = container_of(timer, struct alarm_clock, timer);
    tell(atomic_load(a->reactor->turns) % 2 == 1 ? 'o' : 'e');
}

static void note_odd_deferred(struct reactor_deferred *d)
{
    (void)d;
    tell('d');
}

static void test_turns_are_counted(void)
{
    struct reactor *r = start();
    _Atomic uint64_t turns = 7;
    struct reactor_deferred d;
    struct alarm_clock a;

    reactor_count_turns(r, &turns);
    uint64_t before = atomic_load(&turns);
    CHECK_EQ_U64("at work, and another count", before % 2 == 1 && before != 7, 1);
    reactor_deferred_init(&d, note_odd_deferred);
    reactor_timer_init(&a.timer, r, note_odd);
    a.reactor = r;
    for (unsigned i = 0; i < 3; i++) {
        reactor_timer_at(&a.timer, reactor_now_ms(r));
        reactor_defer(r, &d);
        reactor_turn(r, false);
        uint64_t now = atomic_load(&turns);
        CHECK_TRUE("it went on", now >= before + 2);
        before = now;
    }
    CHECK_EQ_STR("odd within a turn", story.text, "dododo");
    reactor_free(r);
}

/* libev gets its memory from the reserve, and nobody dies. */
static void test_no_memory(void)
{
    struct end *ends = calloc(100, sizeof(*ends));
    struct alarm_clock a;
    if (ends == NULL) {
        GIVE_UP();
    }
    mem_fail_after(0);
    struct reactor *r = start();
    alarm_init(&a, r, 'a');
    mem_fail_after(1);
    for (size_t i = 0; i < 100; i++) {
        end_open(&ends[i], r, note_ready);
        reactor_io_want(&ends[i].io, REACTOR_WRITE);
    }
    reactor_timer_at(&a.timer, reactor_now_ms(r));
    for (unsigned i = 0; i < 4; i++) {
        reactor_turn(r, true);
    }
    CHECK_TRUE("short", mem_is_short());
    mem_fail_after(0);
    for (size_t i = 0; i < 100; i++) {
        CHECK_TRUE("every end is served", ends[i].calls > 0);
        end_close(&ends[i]);
    }
    CHECK_TRUE("the timer too", a.rang_at_ms != 0);
    reactor_free(r);
    CHECK_TRUE("over", mem_recover());
    free(ends);
}

CU_TestInfo reactor_turn_tests[] = {
    {"timers", test_timers},
    {"timers in the past and far away", test_timer_in_the_past},
    {"deferred work comes after all events", test_deferred_after_all_events},
    {"deferred work adds, cancels and frees", test_deferred_work},
    {"run and stop", test_run_and_stop},
    {"turns are counted", test_turns_are_counted},
    {"no memory for the loop", test_no_memory},
    CU_TEST_INFO_NULL,
};
