/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dial.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "gate/dial_addresses.h"
#include "gate/dial_attempt.h"

#define HEAD_START_MS 250      /* RFC 8305 section 5: Connection Attempt Delay */
#define RESOLUTION_DELAY_MS 50 /* RFC 8305 section 3: what IPv6 gets when IPv4 is known first */
#define ATTEMPTS_MAX 4         /* under way at once */
#define ATTEMPT_QUEUE_BYTES (128 * 1024) /* certificates that the kernel does not take at once */

struct dial {
    struct reactor *reactor;
    struct resolver *resolver;
    const struct scratch *scratch;
    dial_fn *callback;
    dial_judge_fn *judge; /* NULL: none */
    void *owner;

    size_t candidate;         /* index of the current one */
    uint64_t deadline_ms;     /* of the whole dial */
    uint64_t candidate_at_ms; /* the end of this candidate's share */
    uint64_t next_at_ms;    /* when the next attempt may start; 0 = not before something happens */
    uint64_t head_start_ms; /* when the last attempt's head start ends; 0 = it has none */
    struct resolver_query *query;
    enum resolver_status name_status; /* what tells most of the questions that failed */
    bool has_denied;                  /* the judge has denied an address of this candidate */
    struct dial_addresses addresses;
    struct dial_outcome outcomes[DIAL_CANDIDATES_MAX];

    struct dial_attempt attempts[ATTEMPTS_MAX];
    struct reactor_timer timer;
    bool is_decided;
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

/* Keeps the outcome of the current candidate that tells most, and among equals the last. */
static void note(struct dial *d, struct dial_outcome outcome)
{
    struct dial_outcome *kept = &d->outcomes[d->candidate];
    if (outcome.result >= kept->result) {
        *kept = outcome;
    }
}

/* The oldest attempt that still connects gives way: its answer may be lost. */
static struct dial_attempt *find_place(struct dial *d)
{
    struct dial_attempt *oldest = NULL;
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        struct dial_attempt *a = &d->attempts[i];
        if (a->fd < 0) {
            return a;
        }
        if (!a->is_connected && (oldest == NULL || a->started_ms < oldest->started_ms)) {
            oldest = a;
        }
    }
    if (oldest != NULL) {
        note(d, (struct dial_outcome){DIAL_TIMEOUT, dial_attempt_waits_for(oldest)});
        dial_attempt_close(oldest);
    }
    return oldest;
}

static struct dial_attempt *open_attempt(struct dial *d)
{
    struct dial_attempt *a = find_place(d);
    if (a != NULL) {
        *a = (struct dial_attempt){
            .dial = d,
            .reactor = d->reactor,
            .fd = -1,
            .scratch = d->scratch,
            .preamble = d->preamble,
            .context = current(d)->tls,
            .tls_name = current(d)->tls_name,
            .tls_place = current(d)->tls_place,
        };
        buf_init(&a->out, ATTEMPT_QUEUE_BYTES);
    }
    return a;
}

static void close_attempts(struct dial *d)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        if (&d->attempts[i] != d->winner) {
            dial_attempt_close(&d->attempts[i]);
        }
    }
}

static void cancel_query(struct dial *d)
{
    if (d->query != NULL) {
        resolver_cancel(d->query);
        d->query = NULL;
    }
}

static void stop(struct dial *d)
{
    cancel_query(d);
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

static void conclude(struct dial *d, struct dial_attempt *winner)
{
    d->is_decided = true;
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
        d->outcomes[d->candidate] = (struct dial_outcome){DIAL_OK, NULL};
        conclude(d, a);
        return;
    case DIAL_STEP_FAILED:
        note(d, a->outcome);
        break;
    }
    dial_attempt_close(a);
    d->head_start_ms = 0; /* a failed attempt has none */
    d->next_at_ms = reactor_now_ms(d->reactor);
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

/* Starts an attempt at the next address; false when no address is left, or when every attempt that
 * is under way is past connecting. */
static bool start_next_addr(struct dial *d)
{
    if (dial_addresses_is_empty(&d->addresses)) {
        return false;
    }
    struct dial_attempt *a = open_attempt(d);
    if (a == NULL) {
        return false;
    }
    const struct addr *to = dial_addresses_take(&d->addresses);
    d->head_start_ms = reactor_now_ms(d->reactor) + HEAD_START_MS;
    d->next_at_ms = d->head_start_ms;
    take_step(a, dial_attempt_start(a, to, on_attempt_ready));
    return true;
}

static void next_candidate(struct dial *d)
{
    close_attempts(d);
    cancel_query(d);
    if (current(d)->addresses == NULL) {
        resolver_doubt(d->resolver, current(d)->host);
    }
    if (d->candidate + 1 < d->candidate_count) {
        d->candidate++;
        start_candidate(d);
        return;
    }
    conclude(d, NULL);
}

static struct dial_outcome name_outcome(enum resolver_status status)
{
    static const struct dial_outcome outcomes[] = {
        [RESOLVER_OK] = {DIAL_NAME, "name has no address"},
        [RESOLVER_NO_NAME] = {DIAL_NAME, "name does not exist"},
        [RESOLVER_NO_ADDRESS] = {DIAL_NAME, "name has no address"},
        [RESOLVER_FAILED] = {DIAL_NAME, "name server failed"},
        [RESOLVER_SILENT] = {DIAL_NAME, "name server did not answer"},
        [RESOLVER_NO_SERVERS] = {DIAL_NAME, "resolv.conf cannot be read"},
        [RESOLVER_EXHAUSTED] = {DIAL_EXHAUSTED, "no descriptors or memory to look the name up"},
    };
    return outcomes[status];
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
    if (dial_addresses_is_empty(&d->addresses) || now_ms >= d->next_at_ms) {
        d->next_at_ms = 0; /* nothing starts before an attempt ends or an address comes */
    }
    if (!is_trying(d) && d->query == NULL && dial_addresses_is_empty(&d->addresses)) {
        next_candidate(d);
        return;
    }
    arm(d);
}

/* Writes those that may be connected to into `out`, which has room for all; returns how many. */
static size_t judge_all(struct dial *d, const struct addr *addrs, size_t count, struct addr *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const char *detail = d->judge != NULL ? d->judge(d->owner, &addrs[i]) : NULL;
        if (detail != NULL) {
            d->has_denied = true;
            note(d, (struct dial_outcome){DIAL_DENIED, detail});
        } else {
            out[kept++] = addrs[i];
        }
    }
    return kept;
}

static void on_resolved(void *owner, const struct resolver_answer *answer)
{
    struct dial *d = owner;
    uint64_t now_ms = reactor_now_ms(d->reactor);
    bool is_first = !d->addresses.has_begun;
    struct addr allowed[RESOLVER_ADDRS_MAX];
    struct resolver_answer judged = *answer;

    judged.addrs = allowed;
    judged.count =
        judge_all(d, answer->addrs, size_min(answer->count, RESOLVER_ADDRS_MAX), allowed);
    if (answer->is_last) {
        d->query = NULL;
    }
    if (answer->status > d->name_status) {
        d->name_status = answer->status;
    }
    dial_addresses_add(&d->addresses, &judged);
    if (answer->is_last && is_first && dial_addresses_is_empty(&d->addresses)) {
        if (!d->has_denied) {
            note(d, name_outcome(d->name_status));
        }
    } else if (!dial_addresses_is_empty(&d->addresses)) {
        bool is_early = is_first && !answer->is_ipv6 && !answer->is_last;
        uint64_t delay_ms = is_early ? RESOLUTION_DELAY_MS : 0;
        d->next_at_ms = d->head_start_ms > now_ms ? d->head_start_ms : now_ms + delay_ms;
    }
    go_on(d);
    tell(d);
}

/* The candidate's own addresses lie where the plan has them, until the judge takes some away. */
static void begin_addresses(struct dial *d, const struct dial_candidate *candidate)
{
    struct addr allowed[RESOLVER_ADDRS_MAX];
    size_t count = size_min(candidate->address_count, RESOLVER_ADDRS_MAX);
    if (d->judge == NULL || candidate->addresses == NULL) {
        dial_addresses_init(&d->addresses, candidate->addresses, candidate->address_count);
    } else {
        dial_addresses_keep(&d->addresses, allowed,
                            judge_all(d, candidate->addresses, count, allowed));
    }
}

static void start_candidate(struct dial *d)
{
    const struct dial_candidate *candidate = current(d);
    uint64_t now_ms = reactor_now_ms(d->reactor);
    uint64_t left_ms = d->deadline_ms > now_ms ? d->deadline_ms - now_ms : 0;

    d->candidate_at_ms = now_ms + left_ms / (d->candidate_count - d->candidate);
    d->next_at_ms = now_ms;
    d->head_start_ms = 0;
    d->name_status = RESOLVER_OK;
    d->has_denied = false;
    begin_addresses(d, candidate);
    if (candidate->addresses == NULL) {
        d->query = resolver_start(d->resolver, candidate->host, candidate->port, on_resolved, d);
        if (d->query == NULL) {
            note(d, (struct dial_outcome){DIAL_NO_MEMORY, "out of memory"});
        }
    }
    go_on(d);
}

/* The candidate's share of the time has run out. */
static void note_timeout(struct dial *d)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        if (d->attempts[i].fd >= 0) {
            note(d, (struct dial_outcome){DIAL_TIMEOUT, dial_attempt_waits_for(&d->attempts[i])});
        }
    }
    if (d->query != NULL) {
        note(d, name_outcome(RESOLVER_SILENT));
    }
}

static void on_timer(struct reactor_timer *timer)
{
    struct dial *d = container_of(timer, struct dial, timer);

    if (reactor_now_ms(d->reactor) >= d->candidate_at_ms) {
        note_timeout(d);
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
    d->judge = plan->judge;
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

void dial_expire(struct dial *dial)
{
    if (!dial->is_decided) {
        note_timeout(dial);
        conclude(dial, NULL);
    }
}

const struct dial_outcome *dial_outcomes(const struct dial *dial, size_t *out_count)
{
    assert(dial->is_decided);
    *out_count = dial->candidate + 1;
    return dial->outcomes;
}

struct dial_outcome dial_finish(struct dial *dial, struct conn *into, size_t *out_candidate)
{
    assert(dial->is_decided);
    size_t told = dial->candidate;
    if (dial->winner != NULL) {
        struct carrier carrier = carrier_of_socket(dial->reactor, dial->winner->fd);
        conn_open(into, &carrier, dial->winner->tls);
        into->sent_bytes = dial->winner->sent_bytes;
    } else {
        for (size_t i = dial->candidate; i-- > 0;) {
            told = dial->outcomes[i].result > dial->outcomes[told].result ? i : told;
        }
    }
    struct dial_outcome outcome = dial->outcomes[told];
    *out_candidate = told;
    mem_free(dial);
    return outcome;
}

size_t dial_cancel(struct dial *dial)
{
    size_t candidate = dial->candidate;
    dial->winner = NULL;
    stop(dial);
    mem_free(dial);
    return candidate;
}
