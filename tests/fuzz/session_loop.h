/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_loop.h: the turns of the loop around the fuzzed session, and what must hold when the loop
 * has come to rest. */
#ifndef FUZZ_SESSION_LOOP_H
#define FUZZ_SESSION_LOOP_H

#include "session_fakes.h"

#define TURNS_MAX 3000
#define IDLE_TURNS_MAX 8
#define RINGS_MAX 8 /* without the clock moving */

UNWATCHED_BEGIN

static void poll_peer(struct memory *m)
{
    const struct session *s = world_session();
    if (memory_ready(m) == 0) {
        return;
    }
    uint64_t up_before_bytes = s != NULL ? s->pump.up_bytes : 0;
    uint64_t passes = s != NULL && pump_is_held(&s->pump) ? 2 : 1;
    memory_poll(m);
    s = world_session();
    /* The session forwards one share of what it held and one of what it read. */
    expect(s == NULL ||
               s->pump.up_bytes - up_before_bytes <= passes * (PUMP_SHARE_BYTES + SCRATCH_WORK),
           "others have their turn too");
}

/* This number changes with whatever can change in a turn. */
static uint64_t progress_stamp(void)
{
    const struct session *s = world_session();
    if (s == NULL) {
        return 0;
    }
    const struct pump *p = &s->pump;
    return 1 + p->client.received_bytes + p->client.sent_bytes + p->backend.received_bytes +
           p->backend.sent_bytes + p->up_bytes + p->down_bytes + world.client.in_at +
           ((uint64_t)s->life.phase << 40) + ((uint64_t)s->life.client << 44) +
           ((uint64_t)s->life.backend << 48) + ((uint64_t)s->life.client_eof << 52) +
           ((uint64_t)s->life.backend_eof << 53);
}

static void run_turns(bool is_backend_first)
{
    int idle_turns = 0;
    for (int turn = 0; memory_ready(&world.client) != 0 || memory_ready(&world.backend) != 0;
         turn++) {
        uint64_t before = progress_stamp();
        expect(turn < TURNS_MAX, "the loop comes to rest");
        poll_peer(is_backend_first ? &world.backend : &world.client);
        poll_peer(is_backend_first ? &world.client : &world.backend);
        run_deferred();
        idle_turns = progress_stamp() == before ? idle_turns + 1 : 0;
        expect(idle_turns < IDLE_TURNS_MAX, "no turn for nothing");
    }
    run_deferred();
}

static void check_timer(const struct session *s)
{
    struct life_deadline deadline = session_deadline(s);
    expect(deadline.kind == LIFE_DEADLINE_NONE ||
               (world.is_timer_armed &&
                (world.timer->at_ms <= deadline.at_ms || world.timer->at_ms <= reactor.now_ms)),
           "no deadline is missed");
    uint64_t until_ms = pump_throttled_until_ms(&s->pump);
    expect(until_ms == 0 || (world.is_timer_armed && world.timer->at_ms <= until_ms),
           "no rate is forgotten");
}

/* When an open session is at rest, everything that was said has arrived. */
static void check_rest(void)
{
    const struct session *s = world_session();
    if (s != NULL) {
        check_timer(s);
        expect(!world.client.is_corked, "nothing is left corked");
        expect(s->life.phase != LIFE_TOKEN || model.is_token_due || model.is_spoiled ||
                   conn_queued(&s->pump.client) > 0,
               "a whole token is taken");
    }
    if (s == NULL || s->life.phase != LIFE_OPEN || conn_queued(&s->pump.client) > 0 ||
        conn_queued(&s->pump.backend) > 0) {
        return;
    }
    bool is_blocked = world.client.budget_bytes == 0 || world.backend.budget_bytes == 0;
    if (pump_is_held(&s->pump) && is_blocked) {
        return; /* the session waits until this side is writable */
    }
    if (pump_is_client_throttled(&s->pump) || pump_is_backend_throttled(&s->pump)) {
        expect(pump_throttled_until_ms(&s->pump) != 0, "who waits for a rate wakes up");
        return;
    }
    expect(!pump_is_held(&s->pump), "nothing is held back for nothing");
    expect(memory_waiting(&world.client) == 0 || s->life.client_eof, "the client is read");
    expect(memory_waiting(&world.backend) == 0, "the backend is read");
    if (model.route == NULL) {
        return;
    }
    if (!model.is_spoiled) {
        expect(model.up.got == model.up.len, "the backend got all");
        expect(model.pongs.got == model.pongs.len, "every Ping was answered");
    }
    if (!model.is_down_over && !s->pump.client.is_broken) {
        expect(model.down.got == model.down_whole, "the client got all");
    }
}

static void ring(void)
{
    world.is_timer_armed = false;
    world.timer->callback(world.timer);
    run_turns(false);
}

UNUSED static void pass_time(uint64_t ms)
{
    reactor.now_ms += ms;
    run_turns(false);
    for (int i = 0; world.is_timer_armed && world.timer->at_ms <= reactor.now_ms; i++) {
        expect(i < RINGS_MAX, "a deadline that is over does not come again");
        ring();
    }
}

UNWATCHED_END

#endif
