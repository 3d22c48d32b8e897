/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_fakes.h: io/reactor and gate/dial over the memory of session_world.h. They keep the
 * contracts in the headers of the real ones. No route asks for a password, so the fake of
 * gate/passwords only notices a session that asks. The linker takes them, and the TLS of
 * session_tls.h, instead of those in the library, because it finds these first. */
#ifndef FUZZ_SESSION_FAKES_H
#define FUZZ_SESSION_FAKES_H

#include "base/mem.h"
#include "gate/passwords.h"
#include "session_peers.h"

UNWATCHED_BEGIN

/* --- the reactor ------------------------------------------------------------------------------*/

uint64_t reactor_now_ms(const struct reactor *r)
{
    return r->now_ms;
}

void reactor_timer_init(struct reactor_timer *t, struct reactor *r, reactor_timer_fn *callback)
{
    t->watcher.data = r;
    t->callback = callback;
    expect(world.timer == NULL, "one timer a session");
    world.timer = t;
}

void reactor_timer_at(struct reactor_timer *t, uint64_t at_ms)
{
    expect(t == world.timer, "a timer that was made");
    t->at_ms = at_ms > reactor.now_ms ? at_ms : reactor.now_ms;
    world.is_timer_armed = true;
}

void reactor_timer_stop(struct reactor_timer *t)
{
    expect(t == world.timer, "a timer that was made");
    world.is_timer_armed = false;
}

/* Nobody waits for a descriptor here. */
void reactor_io_init(struct reactor_io *io, struct reactor *r, int fd, reactor_io_fn *callback)
{
    (void)io;
    (void)r;
    (void)fd;
    (void)callback;
}

void reactor_io_want(struct reactor_io *io, unsigned want)
{
    (void)io;
    (void)want;
}

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

static void run_deferred(void)
{
    struct list *first;
    while ((first = list_take_first(&reactor.deferred)) != NULL) {
        struct reactor_deferred *d = container_of(first, struct reactor_deferred, link);
        d->callback(d);
    }
}

/* --- dialling ---------------------------------------------------------------------------------*/

struct dial {
    dial_fn *callback;
    void *owner;
    bool is_decided;
    enum dial_result result;
};

/* The backends come in the order of the route, each by itself and once, until one accepts. Each has
 * its share of the time that is left. */
static void check_plan(const struct dial_plan *plan)
{
    const struct config_route *route = world_session()->route;
    const struct config_backend *backend = &route->backends[world.dial_count];
    uint64_t most_ms = route->timeouts.connect_ms;
    world.first_dial_ms = world.dial_count == 0 ? reactor.now_ms : world.first_dial_ms;
    uint64_t gone_ms = reactor.now_ms - world.first_dial_ms;
    world.dial_route = route;
    expect(!world.is_dial_good, "nobody dials behind a backend that has accepted");
    expect(world.dial_count < route->backend_count, "each backend is dialled once");
    expect(world.dial_count == 0 || (world.dial_worst != DIAL_OK && gone_ms < most_ms),
           "the next backend comes behind one that failed, and in time");
    expect(plan->candidate_count == 1 && plan->candidates[0].port == backend->port &&
               span_is_equal(span_from_str(plan->candidates[0].host), backend->host),
           "the backends come in their order");
    expect(plan->timeout_ms == (most_ms - gone_ms) / (route->backend_count - world.dial_count),
           "a share of the time that is left");
}

struct dial *dial_start(struct reactor *r, struct resolver *resolver, const struct scratch *areas,
                        const struct dial_plan *plan, dial_fn *callback, void *owner)
{
    (void)resolver;
    (void)areas;
    expect(r == &reactor && world.dial == NULL, "one dial at a time");
    check_plan(plan);
    expect(!model.is_refused, "a refusal is not dialled");
    expect(!model.is_token_due || model.is_spoiled, "a token comes before the dial");
    struct dial *dial = mem_alloc(sizeof(*dial));
    if (dial != NULL) {
        *dial = (struct dial){callback, owner, world.is_dial_instant, world.dial_result};
        world.is_dial_instant = false;
        world.dial_count++;
    }
    world.dial = dial;
    return dial;
}

bool dial_is_decided(const struct dial *dial)
{
    return dial->is_decided;
}

void dial_expire(struct dial *dial)
{
    expect(dial != NULL && dial == world.dial && !dial->is_decided, "a dial that is under way");
    dial->is_decided = true;
    dial->result = DIAL_TIMEOUT;
}

const struct dial_outcome *dial_outcomes(const struct dial *dial, size_t *out_count)
{
    expect(dial != NULL && dial == world.dial && dial->is_decided, "a dial that is decided");
    *out_count = 0;
    return NULL;
}

struct dial_outcome dial_finish(struct dial *dial, struct conn *into, size_t *out_candidate)
{
    expect(dial != NULL && dial == world.dial && dial->is_decided, "a dial that is decided");
    const struct dial_outcome outcome = {dial->result, NULL};
    world.is_forced = world.is_forced || outcome.result == DIAL_NO_MEMORY;
    if (outcome.result == DIAL_OK) {
        struct carrier carrier = peer_carrier(&world.backend);
        conn_open(into, &carrier, NULL);
        world.is_dial_good = true;
    } else {
        world.failed_dial_ms = reactor.now_ms;
        world.dial_worst = outcome.result > world.dial_worst ? outcome.result : world.dial_worst;
    }
    *out_candidate = 0;
    world.dial = NULL;
    mem_free(dial);
    return outcome;
}

size_t dial_cancel(struct dial *dial)
{
    expect(dial != NULL && dial == world.dial, "a dial that is under way");
    world.dial = NULL;
    world.is_dial_left = true;
    mem_free(dial);
    return 0;
}

/* Decides the dial that is under way, or says what the next dial will find at once. */
static void dial_answer(enum dial_result result)
{
    if (world.dial == NULL) {
        world.is_dial_instant = true;
        world.dial_result = result;
        return;
    }
    size_t count = world.dial_count;
    world.dial->is_decided = true;
    world.dial->result = result;
    world.dial->callback(world.dial->owner);
    expect(world.dial == NULL || world.dial_count > count, "a result is taken");
}

/* --- passwords --------------------------------------------------------------------------------*/

enum passwords_verdict passwords_check(struct passwords *p,
                                       const struct passwords_question *question,
                                       passwords_fn *on_answer, void *owner,
                                       struct passwords_ask **out, const char **out_detail)
{
    (void)p;
    (void)question;
    (void)on_answer;
    (void)owner;
    *out = NULL;
    *out_detail = "no route asks for a password";
    expect(false, *out_detail);
    return PASSWORDS_BUSY;
}

void passwords_forget(struct passwords_ask *ask)
{
    expect(ask == NULL, "no password is asked about");
}

UNWATCHED_END

#endif
