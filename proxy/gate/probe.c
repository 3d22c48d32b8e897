/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/probe.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "io/conn.h"

/* What is sent, sealed, and what a handshake may leave behind. */
#define QUEUE_BYTES ((size_t)8 * 1024)
#define READ_BYTES ((size_t)4 * 1024)

struct probe {
    struct reactor *reactor;
    struct dial *dial; /* NULL: it is over */
    struct conn conn;
    struct reactor_timer timer; /* the deadline; before it what is decided already */
    uint64_t deadline_ms;
    struct span send;
    struct span expect;
    size_t matched; /* bytes of `expect` that have come */
    struct probe_outcome outcome;
    bool is_decided;
    probe_fn *callback;
    void *owner;
};

const char *probe_text(enum probe_result result)
{
    static const char *const texts[PROBE_RESULTS] = {
        [PROBE_NAME] = "name has no address",
        [PROBE_UNREACHABLE] = "no way leads to it",
        [PROBE_TIMEOUT] = "no connection within health_timeout",
        [PROBE_REFUSED] = "connection refused",
        [PROBE_TLS] = "TLS failed",
        [PROBE_SILENT] = "no answer within health_timeout",
        [PROBE_WRONG] = "the answer is not health_expect",
        [PROBE_HUNG_UP] = "it hung up before health_expect",
        [PROBE_NO_WORD] = "this machine lacks memory or descriptors",
    };
    return texts[result];
}

static void free_probe(struct probe *p)
{
    if (p->dial != NULL) {
        (void)dial_cancel(p->dial);
    }
    conn_finish(&p->conn);
    conn_close(&p->conn);
    reactor_timer_stop(&p->timer);
    mem_free(p);
}

/* The outcome of a probe that nobody has told of yet; `detail` NULL: what the result means. */
static void decide(struct probe *p, enum probe_result result, const char *detail)
{
    p->is_decided = true;
    p->outcome = (struct probe_outcome){result, detail != NULL ? detail : probe_text(result)};
}

/* Every callback of the loop ends with this call, because the probe may be gone behind it. */
static void tell(struct probe *p)
{
    const struct probe_outcome outcome = p->outcome;
    probe_fn *callback = p->callback;
    void *owner = p->owner;

    if (p->is_decided) {
        free_probe(p);
        callback(owner, &outcome);
    }
}

static void take_answer(struct probe *p, const uint8_t *data, size_t len)
{
    size_t wanted = size_min(len, p->expect.len - p->matched);

    if (wanted > 0 && memcmp(data, p->expect.data + p->matched, wanted) != 0) {
        decide(p, PROBE_WRONG, NULL);
        return;
    }
    p->matched += wanted;
    if (p->matched == p->expect.len) {
        decide(p, PROBE_GOOD, NULL);
    }
}

static void hear(struct probe *p)
{
    uint8_t *data = NULL;
    size_t len = 0;
    enum conn_result result = conn_read(&p->conn, READ_BYTES, &data, &len);

    if (len > 0 && (result == CONN_OK || result == CONN_EOF)) {
        take_answer(p, data, len);
    }
    if (p->is_decided) {
        return;
    }
    switch (result) {
    case CONN_OK:
    case CONN_AGAIN:
        break;
    case CONN_EOF:
    case CONN_RESET:
        decide(p, PROBE_HUNG_UP, NULL);
        break;
    case CONN_TLS_FAILED:
        decide(p, PROBE_TLS, NULL);
        break;
    case CONN_NO_MEMORY:
        decide(p, PROBE_NO_WORD, NULL);
        break;
    }
}

/* What waits to be sent, and the answer. A connection that breaks while it sends may still have
 * bytes to read, and says so when it is read. */
static void on_ready(struct conn *c, unsigned ready)
{
    struct probe *p = container_of(c, struct probe, conn);

    if ((ready & REACTOR_WRITE) && conn_flush(c) == CONN_NO_MEMORY) {
        decide(p, PROBE_NO_WORD, NULL);
    } else if (ready & REACTOR_READ) {
        hear(p);
    }
    if (!p->is_decided) {
        conn_want(c, REACTOR_READ | (conn_queued(c) > 0 ? REACTOR_WRITE : 0U));
    }
    tell(p);
}

/* The connection is there. */
static void speak(struct probe *p)
{
    struct iovec piece = {(void *)(uintptr_t)p->send.data, p->send.len}; /* iovec has no const */

    if (p->expect.len == 0) {
        decide(p, PROBE_GOOD, NULL);
        return;
    }
    if (p->send.len > 0 && conn_send(&p->conn, &piece, 1) == CONN_NO_MEMORY) {
        decide(p, PROBE_NO_WORD, NULL);
        return;
    }
    conn_want(&p->conn, REACTOR_READ | (conn_queued(&p->conn) > 0 ? REACTOR_WRITE : 0U));
}

static void take_dial(struct probe *p)
{
    static const enum probe_result results[] = {
        [DIAL_OK] = PROBE_GOOD,
        [DIAL_NAME] = PROBE_NAME,
        [DIAL_UNREACHABLE] = PROBE_UNREACHABLE,
        [DIAL_TIMEOUT] = PROBE_TIMEOUT,
        [DIAL_REFUSED] = PROBE_REFUSED,
        [DIAL_TLS] = PROBE_TLS,
        [DIAL_NO_MEMORY] = PROBE_NO_WORD,
        [DIAL_EXHAUSTED] = PROBE_NO_WORD,
    };
    size_t candidate = 0;
    const struct dial_outcome outcome = dial_finish(p->dial, &p->conn, &candidate);

    p->dial = NULL;
    if (outcome.result == DIAL_OK) {
        speak(p);
        return;
    }
    /* The dial calls its deadline connect_timeout. */
    decide(p, results[outcome.result], outcome.result == DIAL_TIMEOUT ? NULL : outcome.detail);
}

static void on_dial(void *owner)
{
    struct probe *p = owner;

    take_dial(p);
    tell(p);
}

static void on_timer(struct reactor_timer *timer)
{
    struct probe *p = container_of(timer, struct probe, timer);

    if (p->dial != NULL && dial_is_decided(p->dial)) {
        take_dial(p); /* it was decided at once */
        if (!p->is_decided) {
            reactor_timer_at(timer, p->deadline_ms);
        }
    } else if (!p->is_decided) {
        decide(p, p->dial != NULL ? PROBE_TIMEOUT : PROBE_SILENT, NULL);
    }
    tell(p);
}

struct probe *probe_start(struct reactor *reactor, struct resolver *resolver,
                          const struct scratch *scratch, const struct probe_plan *plan,
                          probe_fn *callback, void *owner)
{
    assert(plan->send.len <= PROBE_BYTES_MAX && plan->expect.len <= PROBE_BYTES_MAX);
    struct probe *p = mem_alloc_zero(sizeof(*p));
    const struct dial_plan dial = {
        .candidates = &plan->candidate,
        .candidate_count = 1,
        .timeout_ms = plan->timeout_ms,
        .preamble = plan->preamble,
    };
    uint64_t now_ms = reactor_now_ms(reactor);
    if (p == NULL) {
        return NULL;
    }
    p->reactor = reactor;
    p->send = plan->send;
    p->expect = plan->expect;
    p->deadline_ms = now_ms + plan->timeout_ms;
    p->callback = callback;
    p->owner = owner;
    conn_init(&p->conn, scratch, QUEUE_BYTES, on_ready);
    reactor_timer_init(&p->timer, reactor, on_timer);
    p->dial = dial_start(reactor, resolver, scratch, &dial, on_dial, p);
    if (p->dial == NULL) {
        mem_free(p);
        return NULL;
    }
    reactor_timer_at(&p->timer, dial_is_decided(p->dial) ? now_ms : p->deadline_ms);
    return p;
}

void probe_cancel(struct probe *probe)
{
    free_probe(probe);
}
