/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dial.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "gate/dial_attempt.h"
#include "io/net.h"

#define HEAD_START_MS 250
#define ATTEMPTS_MAX 4                   /* under way at once */
#define ATTEMPT_QUEUE_BYTES (128 * 1024) /* certificates that the kernel does not take at once */

struct dial {
    struct reactor *reactor;
    struct resolver *resolver;
    const struct scratch *scratch;
    dial_fn *callback;
    void *owner;

    size_t candidate;         /* index of the current one */
    uint64_t deadline_ms;     /* of the whole dial */
    uint64_t candidate_at_ms; /* the end of this candidate's share */
    uint64_t next_at_ms;      /* when the next attempt may start; 0 = not before one ends */
    struct resolver_query *query;
    struct addr resolved[RESOLVER_ADDRS_MAX];
    const struct addr *addrs; /* the candidate's own, or `resolved` */
    size_t addr_count;
    size_t addr_next;
    bool was_refused;   /* an address refused */
    bool was_slow;      /* a candidate's share of the time ran out */
    bool was_tls;       /* an attempt failed at TLS */
    const char *detail; /* of the last failure of TLS; constant or NULL */

    struct dial_attempt attempts[ATTEMPTS_MAX];
    struct reactor_timer timer;
    bool is_decided;
    enum dial_result result;
    struct dial_attempt *winner; /* NULL: none */

    struct span preamble; /* its bytes lie behind the candidates */
    size_t candidate_count;
    struct dial_candidate candidates[];
};

static void start_candidate(struct dial *d);
static void go_on(struct dial *d);

static const struct dial_candidate *current(const struct dial *d)
{
    return &d->candidates[d->candidate];
}

static struct dial_attempt *open_attempt(struct dial *d)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        struct dial_attempt *a = &d->attempts[i];
        if (a->fd < 0) {
            *a = (struct dial_attempt){
                .dial = d,
                .fd = -1,
                .scratch = d->scratch,
                .preamble = d->preamble,
                .context = current(d)->tls,
                .tls_name = current(d)->tls_name,
            };
            buf_init(&a->out, ATTEMPT_QUEUE_BYTES);
            return a;
        }
    }
    return NULL;
}

static void close_attempts(struct dial *d)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        if (&d->attempts[i] != d->winner) {
            dial_attempt_close(&d->attempts[i]);
        }
    }
}

static void stop(struct dial *d)
{
    if (d->query != NULL) {
        resolver_cancel(d->query);
        d->query = NULL;
    }
    close_attempts(d);
    reactor_timer_stop(&d->timer);
}

static bool is_trying(const struct dial *d)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        if (d->attempts[i].fd >= 0) {
            return true;
        }
    }
    return false;
}

static void conclude(struct dial *d, enum dial_result result, struct dial_attempt *winner)
{
    d->is_decided = true;
    d->result = result;
    d->winner = winner;
    stop(d);
}

/* Every callback of the loop ends with this call, because the owner frees the dial in it. */
static void tell(struct dial *d)
{
    if (d->is_decided) {
        d->callback(d->owner);
    }
}

static void arm(struct dial *d)
{
    uint64_t at_ms = d->candidate_at_ms;
    if (d->next_at_ms != 0 && d->next_at_ms < at_ms) {
        at_ms = d->next_at_ms;
    }
    reactor_timer_at(&d->timer, at_ms);
}

static void take_step(struct dial_attempt *a, enum dial_step step)
{
    struct dial *d = a->dial;
    switch (step) {
    case DIAL_STEP_WAIT:
        dial_attempt_want(a);
        return;
    case DIAL_STEP_DONE:
        reactor_io_want(&a->io, 0);
        conclude(d, DIAL_OK, a);
        return;
    case DIAL_STEP_REFUSED:
        d->was_refused = true;
        break;
    case DIAL_STEP_TLS_FAILED:
        d->was_tls = true;
        d->detail = a->detail != NULL ? a->detail : "the server broke off the handshake";
        break;
    }
    dial_attempt_close(a);
    d->next_at_ms = reactor_now_ms(d->reactor); /* a failed attempt has no head start */
}

static void on_attempt_ready(struct reactor_io *io, unsigned ready)
{
    struct dial_attempt *a = container_of(io, struct dial_attempt, io);
    struct dial *d = a->dial;
    take_step(a, dial_attempt_ready(a, ready));
    if (a->fd < 0) {
        go_on(d);
    }
    tell(d);
}

/* Starts an attempt at the next address; false when no address is left or too many attempts are
 * under way. */
static bool start_next_addr(struct dial *d)
{
    struct dial_attempt *a = d->addr_next < d->addr_count ? open_attempt(d) : NULL;
    if (a == NULL) {
        return false;
    }
    enum net_result result = net_connect(&d->addrs[d->addr_next++], &a->fd);
    if (result != NET_OK && result != NET_AGAIN) {
        a->fd = -1;
        d->was_refused = true; /* the next attempt may start at once */
        return true;
    }
    reactor_io_init(&a->io, d->reactor, a->fd, on_attempt_ready);
    d->next_at_ms = reactor_now_ms(d->reactor) + HEAD_START_MS;
    take_step(a, dial_attempt_start(a, result));
    return true;
}

static void next_candidate(struct dial *d)
{
    close_attempts(d);
    if (d->query != NULL) {
        resolver_cancel(d->query);
        d->query = NULL;
    }
    if (d->candidate + 1 < d->candidate_count) {
        d->candidate++;
        start_candidate(d);
        return;
    }
    enum dial_result result = d->was_slow      ? DIAL_TIMEOUT
                              : d->was_refused ? DIAL_REFUSED
                              : d->was_tls     ? DIAL_TLS
                                               : DIAL_NAME;
    conclude(d, result, NULL);
}

/* Starts every attempt whose time has come, and arms the timer for the next one. */
static void go_on(struct dial *d)
{
    uint64_t now_ms = reactor_now_ms(d->reactor);

    while (!d->is_decided && d->next_at_ms != 0 && now_ms >= d->next_at_ms) {
        if (!start_next_addr(d)) {
            break;
        }
    }
    if (d->is_decided) {
        return;
    }
    if (d->addr_next == d->addr_count || now_ms >= d->next_at_ms) {
        d->next_at_ms = 0; /* nothing starts before an attempt ends */
    }
    if (!is_trying(d) && d->query == NULL) {
        next_candidate(d);
        return;
    }
    arm(d);
}

static void on_resolved(void *owner, const struct addr *addrs, size_t count)
{
    struct dial *d = owner;
    d->query = NULL;
    d->addr_count = size_min(count, RESOLVER_ADDRS_MAX);
    if (d->addr_count > 0) {
        memcpy(d->resolved, addrs, d->addr_count * sizeof(*addrs));
    }
    d->next_at_ms = reactor_now_ms(d->reactor);
    go_on(d);
    tell(d);
}

static void start_candidate(struct dial *d)
{
    const struct dial_candidate *candidate = current(d);
    uint64_t now_ms = reactor_now_ms(d->reactor);
    uint64_t left_ms = d->deadline_ms > now_ms ? d->deadline_ms - now_ms : 0;

    d->candidate_at_ms = now_ms + left_ms / (d->candidate_count - d->candidate);
    d->next_at_ms = now_ms;
    d->addr_next = 0;
    d->addr_count = candidate->address_count;
    d->addrs = candidate->addresses;
    if (candidate->addresses == NULL) {
        d->addrs = d->resolved;
        d->addr_count = 0;
        d->query = resolver_start(d->resolver, candidate->host, candidate->port, on_resolved, d);
    }
    go_on(d);
}

static void on_timer(struct reactor_timer *timer)
{
    struct dial *d = container_of(timer, struct dial, timer);

    if (reactor_now_ms(d->reactor) >= d->candidate_at_ms) {
        d->was_slow = true;
        next_candidate(d);
    } else {
        go_on(d);
    }
    tell(d);
}

/* One block holds the dial, the candidates and the preamble. */
static struct dial *copy_plan(const struct dial_plan *plan)
{
    size_t list_bytes = plan->candidate_count * sizeof(plan->candidates[0]);
    struct dial *d = mem_alloc_zero(sizeof(*d) + list_bytes + plan->preamble.len);
    if (d == NULL) {
        return NULL;
    }
    memcpy(d->candidates, plan->candidates, list_bytes);
    d->candidate_count = plan->candidate_count;
    if (plan->preamble.len > 0) {
        char *text = (char *)&d->candidates[plan->candidate_count];
        memcpy(text, plan->preamble.data, plan->preamble.len);
        d->preamble = (struct span){text, plan->preamble.len};
    }
    return d;
}

struct dial *dial_start(struct reactor *reactor, struct resolver *resolver,
                        const struct scratch *scratch, const struct dial_plan *plan,
                        dial_fn *callback, void *owner)
{
    assert(plan->candidate_count > 0 && plan->candidate_count <= DIAL_CANDIDATES_MAX);
    struct dial *d = copy_plan(plan);
    if (d == NULL) {
        return NULL;
    }
    d->reactor = reactor;
    d->resolver = resolver;
    d->scratch = scratch;
    d->callback = callback;
    d->owner = owner;
    d->deadline_ms = reactor_now_ms(reactor) + plan->timeout_ms;
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        d->attempts[i].fd = -1;
    }
    reactor_timer_init(&d->timer, reactor, on_timer);
    start_candidate(d);
    return d;
}

bool dial_is_decided(const struct dial *dial)
{
    return dial->is_decided;
}

const char *dial_detail(const struct dial *dial)
{
    return dial->detail;
}

enum dial_result dial_finish(struct dial *dial, struct conn *into, size_t *out_candidate)
{
    assert(dial->is_decided);
    enum dial_result result = dial->result;
    if (result == DIAL_OK) {
        struct carrier carrier = carrier_of_socket(dial->reactor, dial->winner->fd);
        conn_open(into, &carrier, dial->winner->tls);
        into->sent_bytes = dial->winner->sent_bytes;
    }
    *out_candidate = dial->candidate;
    mem_free(dial);
    return result;
}

size_t dial_cancel(struct dial *dial)
{
    size_t candidate = dial->candidate;
    dial->winner = NULL;
    stop(dial);
    mem_free(dial);
    return candidate;
}
