/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_fakes.h: io/reactor, gate/dial and what the session asks of TLS and sockets, over the
 * memory of session_world.h. They keep the contracts of the real ones' headers; being defined here,
 * they are taken instead of those from the library. */
#ifndef FUZZ_SESSION_FAKES_H
#define FUZZ_SESSION_FAKES_H

#include <sys/mman.h>

#include "base/mem.h"
#include "session_wire.h"

#define GUARD 4096

UNWATCHED_BEGIN

/* --- the reactor ------------------------------------------------------------------------------*/

/* Ends at a page that cannot be touched; in front there is one too, and up to a page between. */
static uint8_t *make_area(size_t len)
{
    size_t rounded = (len + GUARD - 1) / GUARD * GUARD;
    uint8_t *map =
        mmap(NULL, rounded + 2 * (size_t)GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(map != MAP_FAILED && mprotect(map + GUARD, rounded, PROT_READ | PROT_WRITE) == 0,
           "memory");
    return map + GUARD + (rounded - len);
}

/* Once. */
static void fakes_init(void)
{
    reactor.scratch = (struct reactor_scratch){
        .wire_in = make_area(REACTOR_WIRE_IN),
        .plain = make_area(REACTOR_HEADROOM + REACTOR_PLAIN) + REACTOR_HEADROOM,
        .wire_out = make_area(REACTOR_WIRE_OUT),
        .gather = make_area(REACTOR_GATHER),
        .work = make_area(REACTOR_WORK),
        .result = make_area(REACTOR_RESULT),
    };
}

uint64_t reactor_now_ms(const struct reactor *r)
{
    return r->now_ms;
}

void reactor_timer_init(struct reactor_timer *t, struct reactor *r, reactor_timer_fn *callback)
{
    t->reactor = r;
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
    size_t candidate_count;
    dial_fn *callback;
    void *owner;
    bool is_decided;
    enum dial_result result;
};

struct dial *dial_start(struct reactor *r, struct resolver *resolver, const struct dial_plan *plan,
                        dial_fn *callback, void *owner)
{
    (void)resolver;
    expect(r == &reactor && !world.has_dialled, "one dial a session");
    expect(!model.is_refused, "a refusal is not dialled");
    struct dial *dial = mem_alloc(sizeof(*dial));
    if (dial != NULL) {
        *dial = (struct dial){plan->candidate_count, callback, owner, world.is_dial_instant,
                              world.dial_result};
        world.has_dialled = true;
    }
    world.dial = dial;
    return dial;
}

bool dial_is_decided(const struct dial *dial)
{
    return dial->is_decided;
}

const char *dial_detail(const struct dial *dial)
{
    (void)dial;
    return NULL;
}

enum dial_result dial_finish(struct dial *dial, struct conn *into, size_t *out_candidate)
{
    expect(dial != NULL && dial == world.dial && dial->is_decided, "a dial that is decided");
    enum dial_result result = dial->result;
    if (result == DIAL_OK) {
        conn_open(into, BACKEND_FD, NULL);
    }
    *out_candidate = dial->candidate_count - 1;
    world.dial = NULL;
    mem_free(dial);
    return result;
}

size_t dial_cancel(struct dial *dial)
{
    expect(dial != NULL && dial == world.dial, "a dial that is under way");
    world.dial = NULL;
    mem_free(dial);
    return 0;
}

/* Of the dial that is under way; or, before there is one, what it will say at once. */
static void dial_answer(enum dial_result result)
{
    if (world.dial == NULL) {
        world.is_dial_instant = true;
        world.dial_result = result;
        return;
    }
    world.dial->is_decided = true;
    world.dial->result = result;
    world.dial->callback(world.dial->owner);
    expect(world.dial == NULL, "a result is taken");
}

/* --- TLS and sockets --------------------------------------------------------------------------*/

bool tls_is_established(const struct tls *tls)
{
    return tls->handshake_left == 0;
}

const char *tls_version_name(const struct tls *tls)
{
    return tls_is_established(tls) ? "TLSv1.3" : "";
}

struct span tls_sni(const struct tls *tls)
{
    (void)tls;
    return SPAN_LIT("example.com");
}

void tls_free(struct tls *tls)
{
    expect(tls == NULL || tls->is_live, "TLS is freed once");
    if (tls != NULL) {
        tls->is_live = false;
    }
}

static struct side *side_of(int fd)
{
    return fd == CLIENT_FD ? &world.client : &world.backend;
}

void net_close(int fd)
{
    expect(fd == CLIENT_FD && !world.client.was_opened, "a descriptor that is open");
    world.client.was_opened = true;
}

UNWATCHED_END

#endif
