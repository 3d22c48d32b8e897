/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dial.h"

#include <assert.h>

#include "base/mem.h"
#include "io/net.h"

#define HEAD_START_MS 250
#define ATTEMPTS_MAX 4 /* connections under way at once */

struct attempt {
    struct reactor_io io;
    struct dial *dial;
    int fd; /* -1 = free */
};

struct dial {
    struct reactor *reactor;
    struct resolver *resolver;
    const struct config_route *route;
    dial_fn *callback;
    void *owner;

    size_t backend;         /* index of the one being tried */
    uint64_t deadline_ms;   /* of the whole dial */
    uint64_t backend_at_ms; /* when this backend is given up */
    uint64_t next_at_ms;    /* when the next address may start; 0 = none left */
    struct resolver_query *query;
    struct addr addrs[RESOLVER_ADDRS_MAX];
    size_t addr_count;
    size_t addr_next;
    bool was_refused;
    bool was_slow;

    struct attempt attempts[ATTEMPTS_MAX];
    struct reactor_timer timer;
    bool is_decided;
    enum dial_result result;
    int result_fd;
};

static const struct config_backend *current(const struct dial *d)
{
    size_t count = d->route->backend_count;
    return &d->route->backends[d->backend < count ? d->backend : count - 1];
}

static void start_backend(struct dial *d);
static void go_on(struct dial *d);

static void close_attempt(struct attempt *a)
{
    if (a->fd >= 0) {
        reactor_io_want(&a->io, 0);
        net_close(a->fd);
        a->fd = -1;
    }
}

static void stop(struct dial *d)
{
    if (d->query != NULL) {
        resolver_cancel(d->query);
        d->query = NULL;
    }
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        close_attempt(&d->attempts[i]);
    }
    reactor_timer_stop(&d->timer);
}

static bool is_connecting(const struct dial *d)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        if (d->attempts[i].fd >= 0) {
            return true;
        }
    }
    return false;
}

static void conclude(struct dial *d, enum dial_result result, int fd)
{
    stop(d);
    d->is_decided = true;
    d->result = result;
    d->result_fd = fd;
}

/* Last in whatever the loop calls: the owner frees it. */
static void tell(struct dial *d)
{
    if (d->is_decided) {
        d->callback(d->owner);
    }
}

static void arm(struct dial *d)
{
    uint64_t at_ms = d->backend_at_ms;
    if (d->next_at_ms != 0 && d->next_at_ms < at_ms) {
        at_ms = d->next_at_ms;
    }
    reactor_timer_at(&d->timer, at_ms);
}

static void on_attempt_ready(struct reactor_io *io, unsigned ready)
{
    struct attempt *a = container_of(io, struct attempt, io);
    struct dial *d = a->dial;
    (void)ready;

    enum net_result result = net_connect_result(a->fd);
    if (result == NET_AGAIN) {
        return;
    }
    if (result == NET_OK) {
        int fd = a->fd;
        reactor_io_want(&a->io, 0);
        a->fd = -1;
        conclude(d, DIAL_OK, fd);
    } else {
        d->was_refused = true;
        close_attempt(a);
        d->next_at_ms = reactor_now_ms(d->reactor); /* no head start for one that has failed */
        go_on(d);
    }
    tell(d);
}

/* Starts connecting to the next address; false when none is left or no slot is free. */
static bool start_next_addr(struct dial *d)
{
    struct attempt *a = NULL;
    for (size_t i = 0; i < ATTEMPTS_MAX && a == NULL; i++) {
        a = d->attempts[i].fd < 0 ? &d->attempts[i] : NULL;
    }
    if (a == NULL || d->addr_next == d->addr_count) {
        return false;
    }
    int fd = -1;
    enum net_result result = net_connect(&d->addrs[d->addr_next++], &fd);
    if (result == NET_OK) {
        conclude(d, DIAL_OK, fd);
    } else if (result == NET_AGAIN) {
        a->fd = fd;
        reactor_io_init(&a->io, d->reactor, fd, on_attempt_ready);
        reactor_io_want(&a->io, REACTOR_WRITE);
        d->next_at_ms = reactor_now_ms(d->reactor) + HEAD_START_MS;
    } else {
        d->was_refused = true; /* and the next one may start at once */
    }
    return true;
}

static void next_backend(struct dial *d)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        close_attempt(&d->attempts[i]);
    }
    if (d->query != NULL) {
        resolver_cancel(d->query);
        d->query = NULL;
    }
    d->backend++;
    if (d->backend < d->route->backend_count) {
        start_backend(d);
        return;
    }
    conclude(d, d->was_slow ? DIAL_TIMEOUT : d->was_refused ? DIAL_REFUSED : DIAL_NAME, -1);
}

/* Starts what may start now, and arms the timer for the rest. */
static void go_on(struct dial *d)
{
    uint64_t now_ms = reactor_now_ms(d->reactor);

    while (!d->is_decided && d->addr_next < d->addr_count && now_ms >= d->next_at_ms) {
        if (!start_next_addr(d)) {
            break;
        }
    }
    if (d->is_decided) {
        return;
    }
    if (d->addr_next == d->addr_count || now_ms >= d->next_at_ms) {
        d->next_at_ms = 0; /* nothing to start by the clock: an attempt has to end first */
    }
    if (!is_connecting(d) && d->query == NULL) {
        next_backend(d);
        return;
    }
    arm(d);
}

static void on_resolved(void *owner, const struct addr *addrs, size_t count)
{
    struct dial *d = owner;
    d->query = NULL;
    for (size_t i = 0; i < count && i < RESOLVER_ADDRS_MAX; i++) {
        d->addrs[i] = addrs[i];
    }
    d->addr_count = count < RESOLVER_ADDRS_MAX ? count : RESOLVER_ADDRS_MAX;
    go_on(d);
    tell(d);
}

static void start_backend(struct dial *d)
{
    const struct config_backend *backend = &d->route->backends[d->backend];
    uint64_t now_ms = reactor_now_ms(d->reactor);
    uint64_t left_ms = d->deadline_ms > now_ms ? d->deadline_ms - now_ms : 0;

    d->backend_at_ms = now_ms + left_ms / (d->route->backend_count - d->backend);
    d->next_at_ms = now_ms;
    d->addr_next = 0;
    d->addr_count = 0;
    if (backend->kind == CONFIG_BACKEND_TCP && !backend->is_literal) {
        d->query = resolver_start(d->resolver, backend->host.data, backend->port, on_resolved, d);
    } else {
        d->addrs[0] = backend->address;
        d->addr_count = 1;
    }
    go_on(d);
}

static void on_timer(struct reactor_timer *timer)
{
    struct dial *d = container_of(timer, struct dial, timer);

    if (reactor_now_ms(d->reactor) >= d->backend_at_ms) {
        d->was_slow = true;
        next_backend(d);
    } else {
        go_on(d);
    }
    tell(d);
}

struct dial *dial_start(struct reactor *reactor, struct resolver *resolver,
                        const struct config_route *route, dial_fn *callback, void *owner)
{
    struct dial *d = mem_alloc_zero(sizeof(*d));
    if (d == NULL) {
        return NULL;
    }
    d->reactor = reactor;
    d->resolver = resolver;
    d->route = route;
    d->callback = callback;
    d->owner = owner;
    d->deadline_ms = reactor_now_ms(reactor) + route->timeouts.connect_ms;
    d->result_fd = -1;
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        d->attempts[i].dial = d;
        d->attempts[i].fd = -1;
    }
    reactor_timer_init(&d->timer, reactor, on_timer);
    start_backend(d);
    return d;
}

bool dial_is_decided(const struct dial *dial)
{
    return dial->is_decided;
}

enum dial_result dial_finish(struct dial *dial, struct carrier *out_carrier,
                             const struct config_backend **out_backend)
{
    assert(dial->is_decided);
    enum dial_result result = dial->result;
    if (result == DIAL_OK) {
        *out_carrier = carrier_of_socket(dial->reactor, dial->result_fd);
    }
    *out_backend = current(dial);
    mem_free(dial);
    return result;
}

const struct config_backend *dial_cancel(struct dial *dial)
{
    const struct config_backend *backend = current(dial);
    stop(dial);
    if (dial->result_fd >= 0) {
        net_close(dial->result_fd);
    }
    mem_free(dial);
    return backend;
}
