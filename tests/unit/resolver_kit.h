/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A resolver, a name server of the test's own, and somebody who asks. */
#ifndef TESTS_UNIT_RESOLVER_KIT_H
#define TESTS_UNIT_RESOLVER_KIT_H

#include "base/mem.h"
#include "check.h"
#include "dns_stub.h"
#include "give_up.h"
#include "io/resolver.h"

enum { IPV6, IPV4, FAMILIES };

/* Somebody who asks for one name. */
struct asker {
    int calls;
    bool is_over;
    enum resolver_status status[FAMILIES];
    size_t count[FAMILIES];
    struct addr addrs[FAMILIES][RESOLVER_ADDRS_MAX];
};

struct world {
    struct reactor *reactor;
    struct resolver *resolver;
    struct stub stub;
    size_t blocks;
    struct asker asker;
};

static void on_answer(void *owner, const struct resolver_answer *answer)
{
    struct asker *a = owner;
    int family = answer->is_ipv6 ? IPV6 : IPV4;
    a->calls++;
    CHECK_FALSE("nothing after the last answer", a->is_over);
    CHECK_EQ_INT("two calls", answer->is_last, a->calls == 2);
    CHECK_EQ_INT("addresses or a reason", answer->count > 0, answer->status == RESOLVER_OK);
    a->is_over = answer->is_last;
    a->status[family] = answer->status;
    a->count[family] = answer->count;
    for (size_t i = 0; i < answer->count && i < RESOLVER_ADDRS_MAX; i++) {
        a->addrs[family][i] = answer->addrs[i];
    }
}

/* A world that asks the system's servers. */
static void world_open_bare(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->blocks = mem_live_blocks();
    w->reactor = reactor_new();
    w->resolver = w->reactor == NULL ? NULL : resolver_new(w->reactor);
    if (w->resolver == NULL) {
        GIVE_UP();
    }
}

__attribute__((unused)) static void world_open(struct world *w, const struct zone *zone)
{
    char servers[ADDR_TEXT_MAX];
    world_open_bare(w);
    stub_open(&w->stub, w->reactor);
    w->stub.zone = *zone;
    addr_print(&w->stub.addr, servers, sizeof(servers));
    if (!resolver_set_servers(w->resolver, servers)) {
        GIVE_UP();
    }
}

static void world_close(const char *row, struct world *w)
{
    int calls = w->asker.calls;
    resolver_free(w->resolver);
    stub_close(&w->stub);
    reactor_turn(w->reactor, true);
    reactor_free(w->reactor);
    CHECK_EQ_INT(row, w->asker.calls, calls);
}

static void check_no_leak(const char *row, const struct world *first)
{
    CHECK_EQ_U64(row, mem_live_blocks(), first->blocks);
}

static struct resolver_query *ask_for(struct world *w, struct asker *asker, const char *name)
{
    memset(asker, 0, sizeof(*asker));
    struct resolver_query *q = resolver_start(w->resolver, name, 4711, on_answer, asker);
    if (q == NULL) {
        GIVE_UP();
    }
    CHECK_EQ_INT("never from inside", asker->calls, 0);
    return q;
}

static struct resolver_query *ask(struct world *w, const char *name)
{
    return ask_for(w, &w->asker, name);
}

static uint64_t wait_for_calls(struct world *w, int calls)
{
    uint64_t start = reactor_now_ms(w->reactor);
    while (w->asker.calls < calls) {
        reactor_turn(w->reactor, false);
    }
    return reactor_now_ms(w->reactor) - start;
}

static uint64_t wait_for_answer(struct world *w)
{
    return wait_for_calls(w, 2);
}

/* The question is asked and answered. */
__attribute__((unused)) static uint64_t look_up(struct world *w, const char *name)
{
    (void)ask(w, name);
    return wait_for_answer(w);
}

__attribute__((unused)) static void let_pass(struct world *w, uint64_t ms)
{
    uint64_t end = reactor_now_ms(w->reactor) + ms;
    while (reactor_now_ms(w->reactor) < end) {
        usleep(2000);
        reactor_turn(w->reactor, true);
    }
}

#endif
