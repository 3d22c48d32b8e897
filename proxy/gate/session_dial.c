/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a session tells its backend first, and how its dial went. */
#include "base/mem.h"
#include "gate/session_parts.h"

/* --- the PROXY header ------------------------------------------------------------------------ */

/* The client's TLS: our own, or that of whoever ended it in front. */
static void tell_tls(const struct session *s, struct proxy_header *out)
{
    const struct front *front = &s->request->admission.front;
    const struct proxy_header *told = session_header(s);
    const struct tls *tls = s->pump.client.tls;

    out->tls.is_used = front->is_secure;
    if (front->is_forwarded) {
        return; /* the connection is that of a proxy, and so is its TLS */
    }
    if (tls != NULL) {
        out->alpn = tls_protocol(tls);
        out->tls.version = span_from_str(tls_version_name(tls));
        out->tls.cipher = span_from_str(tls_suite_name(tls));
    } else if (told != NULL) {
        out->alpn = told->alpn;
        out->tls = told->tls;
    }
}

struct span session_introduction(const struct session *s, uint8_t out[PROXY_HEADER_BYTES_MAX])
{
    const struct session_request *request = s->request;
    const struct proxy_header *told = session_header(s);
    char id[SESSION_ID_TEXT];
    if (s->route->proxy_out == CONFIG_PROXY_OFF) {
        return (struct span){NULL, 0};
    }
    struct proxy_header header = {
        .version = (enum proxy_header_version)s->route->proxy_out,
        .unique_id = session_id_text(s, id),
        .authority = request->admission.front.sni,
    };
    session_client_address(s, &header.source);
    header.kind = header.source.len > 0 ? PROXY_HEADER_TCP : PROXY_HEADER_UNKNOWN;
    if (told != NULL && told->kind == PROXY_HEADER_TCP) {
        header.destination = told->destination;
    } else {
        conn_local(&s->pump.client, &header.destination);
    }
    if (header.authority.len == 0) {
        header.authority = request->asked.host_name;
    }
    tell_tls(s, &header);
    size_t len = proxy_header_write(&header, out, PROXY_HEADER_BYTES_MAX);
    if (len == 0) {
        /* A proxy in front told more than fits beside our own words. */
        header.tls = (struct proxy_header_tls){.is_used = header.tls.is_used};
        header.alpn = header.authority = (struct span){NULL, 0};
        len = proxy_header_write(&header, out, PROXY_HEADER_BYTES_MAX);
    }
    return (struct span){(const char *)out, len};
}

/* --- the dial -------------------------------------------------------------------------------- */

static size_t index_of(const struct session *s)
{
    return (size_t)(s->backend - s->route->backends);
}

/* Chooses the next backend and takes a place there; of a set also the order of its addresses. */
static bool take_next(struct session *s, uint64_t now_ms)
{
    struct addr client;
    size_t index = 0;
    session_client_address(s, &client);
    const struct upstream_question question = {
        .route = s->route,
        .client = &client,
        .prefix = s->config->source_prefix,
        .limits = &s->context->limits,
        .now_ms = now_ms,
        .trial_ms = s->route->timeouts.connect_ms,
    };
    if (!upstream_choose(s->context->upstream, &question, &s->request->tries.tried, &s->holds,
                         &index)) {
        return false;
    }
    s->request->tries.order = upstream_order_new(s->context->upstream, &question, index);
    s->backend = &s->route->backends[index];
    s->has_backend_place = true;
    session_tally_place(s, index, true);
    return true;
}

static void start_dial(struct session *s, const struct dial_candidate *candidates, size_t count,
                       uint64_t timeout_ms)
{
    uint8_t introduction[PROXY_HEADER_BYTES_MAX];
    struct dial_plan plan = s->request->admission.plan;
    plan.candidates = candidates;
    plan.candidate_count = count;
    plan.timeout_ms = timeout_ms;
    plan.preamble = session_introduction(s, introduction);
    s->dial = dial_start(s->context->reactor, s->context->resolver, s->context->scratch, &plan,
                         session_on_dial, s);
    s->pump.no_memory = s->pump.no_memory || s->dial == NULL;
}

/* So many addresses of a set have a share of the time each; the others have one together. */
#define ALONE 3

/* Returns how many candidates the addresses make; each is like the name. */
static size_t spread_out(const struct upstream_order *order, const struct dial_candidate *name,
                         struct dial_candidate out[ALONE + 1])
{
    size_t count = size_min(order->count, ALONE + 1);
    for (size_t i = 0; i < count; i++) {
        out[i] = *name;
        out[i].host = NULL;
        out[i].addresses = &order->addrs[i];
        out[i].address_count = i < ALONE ? 1 : order->count - ALONE;
    }
    return count;
}

static void drop_order(struct session *s)
{
    mem_free(s->request->tries.order);
    s->request->tries.order = NULL;
}

/* Dials the next backend. Each has its share of the time that is left. */
static void dial_next(struct session *s)
{
    struct session_tries *tries = &s->request->tries;
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    uint64_t gone_ms = now_ms - s->times.phase_since_ms;
    uint64_t most_ms = s->route->timeouts.connect_ms;
    size_t untried = upstream_untried(s->route, &tries->tried);
    struct dial_candidate members[ALONE + 1];

    if ((tries->failing != NULL && gone_ms >= most_ms) || !take_next(s, now_ms)) {
        tries->is_over = true;
        return;
    }
    const struct dial_candidate *candidates = &s->request->admission.candidates[index_of(s)];
    size_t count = 1;
    if (tries->order != NULL) {
        count = spread_out(tries->order, candidates, members);
        candidates = members;
    }
    start_dial(s, candidates, count, (gone_ms < most_ms ? most_ms - gone_ms : 0) / untried);
    if (s->dial == NULL) {
        drop_order(s);
    }
}

/* A target stands alone: there is no next one. */
static void dial_target(struct session *s)
{
    struct session_tries *tries = &s->request->tries;
    if (tries->failing != NULL) {
        tries->is_over = true;
        return;
    }
    s->backend = session_backend(s, 0);
    start_dial(s, s->request->admission.candidates, 1, s->route->timeouts.connect_ms);
}

static void dial_on(struct session *s)
{
    if (s->target != NULL) {
        dial_target(s);
    } else {
        dial_next(s);
    }
}

/* What became of the addresses of a set that were dialled alone; of the others nobody knows. */
static void note_members(struct session *s, const struct dial_outcome *outcomes, size_t count)
{
    const struct upstream_order *order = s->request->tries.order;
    struct upstream *upstream = s->context->upstream;
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    for (size_t i = 0; order != NULL && i < size_min(order->count, ALONE); i++) {
        if (outcomes == NULL || i >= count) {
            upstream_member_note_left(upstream, s->route, index_of(s), order->ids[i], now_ms);
            continue;
        }
        upstream_member_note(upstream, s->route, index_of(s), order->ids[i], &outcomes[i], now_ms);
        s->member = outcomes[i].result == DIAL_OK ? order->ids[i] : 0;
    }
}

void session_start_dial(struct session *s)
{
    s->request->tries = (struct session_tries){.is_over = false};
    dial_on(s);
}

void session_cancel_dial(struct session *s)
{
    if (s->dial != NULL) {
        (void)dial_cancel(s->dial);
        s->dial = NULL;
        if (s->context->upstream != NULL && s->has_backend_place) {
            upstream_note_left(s->context->upstream, s->route, index_of(s),
                               reactor_now_ms(s->context->reactor));
            note_members(s, NULL, 0);
        }
        drop_order(s);
    }
    session_leave_backend(s);
}

bool session_is_dialled(const struct session *s)
{
    if (s->life.phase != LIFE_DIAL) {
        return false;
    }
    return s->dial != NULL ? dial_is_decided(s->dial)
                           : s->request != NULL && s->request->tries.is_over;
}

/* The upstream knows the backends of the configuration in force. */
static void note_outcome(struct session *s, const struct dial_outcome *outcome)
{
    struct session_context *context = s->context;
    if (s->target != NULL) {
        return; /* no backend of the route */
    }
    session_tally_dial(s, index_of(s), outcome);
    if (context->upstream != NULL) {
        upstream_note(context->upstream, s->route, index_of(s), outcome,
                      reactor_now_ms(context->reactor));
    }
}

/* True: the backend has accepted. */
static bool take_outcome(struct session *s)
{
    struct session_tries *tries = &s->request->tries;
    size_t candidate = 0;
    size_t count = 0;
    const struct dial_outcome *outcomes = dial_outcomes(s->dial, &count);
    note_members(s, outcomes, count);
    const struct dial_outcome outcome = dial_finish(s->dial, &s->pump.backend, &candidate);
    s->dial = NULL;
    drop_order(s);
    note_outcome(s, &outcome);
    if (outcome.result == DIAL_OK) {
        s->dialled_bytes = (uint32_t)s->pump.backend.sent_bytes;
        return true;
    }
    session_leave_backend(s);
    if (tries->failing == NULL || outcome.result >= tries->worst.result) {
        tries->worst = outcome;
        tries->failing = s->backend;
    }
    return false;
}

static struct session_event lose(struct session *s)
{
    static const enum life_ending endings[] = {
        [DIAL_OK] = LIFE_NOT_ENDED,
        [DIAL_DENIED] = LIFE_TARGET,
        [DIAL_NAME] = LIFE_BACKEND_NAME,
        [DIAL_UNREACHABLE] = LIFE_BACKEND_REFUSED,
        [DIAL_TIMEOUT] = LIFE_BACKEND_TIMEOUT,
        [DIAL_REFUSED] = LIFE_BACKEND_REFUSED,
        [DIAL_TLS] = LIFE_BACKEND_TLS,
        [DIAL_NO_MEMORY] = LIFE_INTERNAL,
        [DIAL_EXHAUSTED] = LIFE_FULL,
    };
    const struct session_tries *tries = &s->request->tries;
    if (tries->tried.is_some_full || tries->failing == NULL) {
        return (struct session_event){{.type = LIFE_EV_END, .ending = LIFE_LIMIT_ROUTE},
                                      tries->failing == NULL
                                          ? "every backend has its max_sessions"
                                          : "every backend that answers has its max_sessions"};
    }
    s->backend = tries->failing;
    return (struct session_event){{.type = LIFE_EV_END, .ending = endings[tries->worst.result]},
                                  tries->worst.detail};
}

struct session_event session_finish_dial(struct session *s)
{
    while (session_is_dialled(s)) {
        if (s->dial == NULL) {
            s->connect_ms = reactor_now_ms(s->context->reactor) - s->times.phase_since_ms;
            return lose(s);
        }
        if (take_outcome(s)) {
            s->connect_ms = reactor_now_ms(s->context->reactor) - s->times.phase_since_ms;
            return (struct session_event){.life = {.type = LIFE_EV_BACKEND_UP}};
        }
        dial_on(s);
    }
    return (struct session_event){.life = {.type = LIFE_EV_COUNT}};
}

/* --- how the backend does -------------------------------------------------------------------- */

void session_leave_backend(struct session *s)
{
    if (s->has_backend_place) {
        s->has_backend_place = false;
        limits_leave_backend(&s->context->limits, &s->holds);
        session_tally_place(s, index_of(s), false);
        if (s->member != 0) {
            upstream_member_leave(s->context->upstream, s->route, index_of(s), s->member);
            s->member = 0;
        }
    }
}

void session_note_spoken(struct session *s)
{
    if (!s->has_backend_spoken) {
        s->has_backend_spoken = true;
        struct upstream *upstream = s->context->upstream;
        if (upstream == NULL || !s->has_backend_place) {
            return;
        }
        upstream_note_byte(upstream, s->route, index_of(s));
        if (s->member != 0) {
            upstream_member_note_byte(upstream, s->route, index_of(s), s->member,
                                      reactor_now_ms(s->context->reactor));
        }
    }
}

/* Only when neither side has said anything: what a client says may be why the backend resets. */
void session_note_reset(struct session *s)
{
    const struct conn *backend = &s->pump.backend;
    bool has_heard = (uint32_t)backend->sent_bytes != s->dialled_bytes || conn_queued(backend) > 0;
    const char *detail = "accepted, and reset at once";
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    struct upstream *upstream = s->context->upstream;
    if (s->has_backend_spoken || has_heard || !s->has_backend_place || upstream == NULL) {
        return;
    }
    if (s->member != 0) { /* one of many: the others serve */
        upstream_member_note_reset(upstream, s->route, index_of(s), s->member, detail, now_ms);
    } else {
        upstream_note_reset(upstream, s->route, index_of(s), detail, now_ms);
    }
}
